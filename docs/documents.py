"""Writes docs/documents/NNN.md: what each source document claims, in its order, and what is so.

python docs/documents.py            writes the pages
python docs/documents.py --check    exit code 1 where a page on disk says something else

The order is that of docs/ledger/, the verdicts are those of the specs, and the equations are those
of `archcalc explain`.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ledger

from archcalc import api
from archcalc.analysis.explain import explain
from archcalc.errors import ArchcalcError, Place
from archcalc.published.literature import literature
from archcalc.published.printed import CONVENTIONS, PRINTING, QUOTED, Figure, Quotation
from archcalc.published.reproduction import resolver
from archcalc.published.verdicts import CONVENTION, DIFFERS, MATCH, QUOTE
from archcalc.published.verdicts import verdicts as judged
from archcalc.report import explanations
from archcalc.report.figures import percent, rounded
from archcalc.report.verdicts import shown
from archcalc.report.writers import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from fractions import Fraction

    from archcalc.analysis.explain import Derivation, Explanation
    from archcalc.published.printed import Claim
    from archcalc.published.verdicts import Verdict

PAGES = Path(__file__).resolve().parent / "documents"
SOURCE = "course notes"
ROWS = 4  # so many figures of one sentence stand in a table
LONG = 160  # characters of an equation that are shown whole
COMMANDS = 4  # commands that are shown of an item
FIGURES_SHOWN = 8  # figures of a claim that are shown one by one

HOW_TO_READ = """This page goes through the document in its order. The first words of a sentence, in the original,
say where it stands; then comes each figure or claim in it, and what becomes of it: it *matches*
what follows from the architecture, it matches *by a convention*, or it *differs*, and then the
reason is given. Accuracies are *quoted*: they were measured, and are not computed here. The
equation, with its numbers put in, and the command that derives it end each item.

The page is written from the specs and the ledger by `python docs/documents.py`.
"""  # noqa: E501

SAID = {MATCH: "matches", CONVENTION: "matches", DIFFERS: "differs", QUOTE: "quoted"}

# The derivations that a figure is found in, by the beginning of what they derive.
QUANTITIES = {
    "params": "params",
    "buffers": "buffers",
    "mult_adds": "Mult-Adds",
    "flops": "FLOPs",
    "connections": "connections",
    "neurons": "neurons",
    "depth": "depth",
    "output": "output",
    "channels": "output channels",
    "receptive_field": "receptive field size",
    "rf_stride": "receptive field stride",
    "rf_start": "receptive field start",
    "output_elements": "output elements",
    "output_bytes": "output bytes",
    "weight_bytes": "weight bytes",
}
SIZES = ("output elements", "output bytes")  # which are no dimension of an output
OF_PATHS = frozenset({
    "paths", "bodies", "path_low", "path_high", "path_mean", "expected_bodies", "expected_depth",
    "expected_mult_adds",
})  # fmt: skip


class Passage(NamedTuple):
    """A sentence or table of a document, with its verdicts.

    `verdicts` are those that no earlier passage has, `earlier` those of other sections, with the
    section where each stands.
    """

    section: str
    begins: str
    verdicts: list[Verdict]
    earlier: list[tuple[Verdict, str]]


def pages() -> dict[str, str]:
    """The text of each page, by its document's number."""
    known = {one.document: one for one in ledger.ledgers()}
    numbers = {
        verdict.source.removeprefix(f"{SOURCE} ")[:3]
        for verdicts in ledger.verdicts().values()
        for verdict in verdicts
        if verdict.source.startswith(f"{SOURCE} ")
    }
    return {
        number: _page(known.get(number, ledger.Ledger(number, "", "", "", ())))
        for number in sorted(numbers | known.keys())
    }


def title(document: ledger.Ledger) -> str:
    """The document's number and its title in the original and translated."""
    name = f"Course notes {document.document}"
    translated = f" ({document.english})" if document.english else ""
    return f"{name}: {document.title}{translated}" if document.title else name


def of_document(number: str) -> list[Verdict]:
    """All verdicts on a document."""
    start = f"{SOURCE} {number},"
    return [
        verdict
        for verdicts in ledger.verdicts().values()
        for verdict in verdicts
        if verdict.source.startswith(start)
    ]


# The order of a document.


def passages(document: ledger.Ledger) -> Iterator[Passage]:
    """The document's passages in its order; what no line of the ledger names comes last."""
    done: dict[int, str] = {}  # the section where a verdict stands
    for line in document.lines:
        named = [verdict for claim in line.claims for verdict in ledger.judged(document, claim)]
        named = list({id(one): one for one in named}.values())
        sections = [(one, done.get(id(one), line.section)) for one in named]
        earlier = [(one, section) for one, section in sections if section != line.section]
        new = [one for one in named if id(one) not in done]
        done |= {id(one): line.section for one in new}
        if new or earlier:
            yield Passage(line.section, line.begins, new, earlier)
    left = [one for one in of_document(document.document) if id(one) not in done]
    left.sort(key=lambda one: _section_key(_section(one)))
    for section, verdicts in groupby(left, _section):
        yield Passage(section, "", list(verdicts), [])


def _section(verdict: Verdict) -> str:
    """Where in the document a verdict's source stands."""
    return verdict.source.partition(", ")[2].removeprefix("section ")


def _section_key(section: str) -> tuple[Any, ...]:
    """Sections by their numbers, those of 4.10 after those of 4.9."""
    found = re.search(r"\d+(?:\.\d+)*", section)
    words = section[: found.start()] if found else section
    return words.removeprefix("sections "), [int(n) for n in found[0].split(".")] if found else []


# A page.


def _page(document: ledger.Ledger) -> str:
    return "\n".join(_lines(document)).rstrip() + "\n"


def _lines(document: ledger.Ledger) -> Iterator[str]:
    verdicts = of_document(document.document)
    yield f"# {escaped(title(document))}"
    yield ""
    if document.about:
        yield document.about.strip()
        yield ""
    yield HOW_TO_READ
    yield _counted(verdicts)
    yield ""
    yield from _coverage(document)
    yield from _lacking(document)
    ordered = list(passages(document))
    yield from _errors(ordered)
    told: set[str] = set()
    for section, group in groupby(ordered, lambda passage: passage.section):
        yield ""
        yield f"## {_heading(section)}"
        for passage in group:
            yield from _passage(passage, told)


def _heading(section: str) -> str:
    return f"Section {section}" if re.match(r"\d", section) else escaped(section) or "Elsewhere"


def _counted(verdicts: Sequence[Verdict]) -> str:
    kinds = Counter(one.kind for one in verdicts)
    return (
        f"**{len(verdicts)} figures and claims: {kinds[MATCH]} match, {kinds[CONVENTION]} match "
        f"by a convention, {kinds[DIFFERS]} differ, {kinds[QUOTE]} are quoted.**"
    )


def _coverage(document: ledger.Ledger) -> Iterator[str]:
    """How many sentences the verdicts cover, and why there are none on the others."""
    covered = sum(line.sentences for line in document.lines if line.claims)
    reasons = Counter(dict.fromkeys(ledger.REASONS, 0))
    for line in document.lines:
        reasons[line.why] += line.sentences
    others = ", ".join(f"{reasons[word]} {word}" for word in ledger.REASONS if reasons[word])
    if covered:
        yield (
            f"{covered} sentences with a number or a quantifier are judged; the ledger says of the "
            f"others why they are not ({others or 'there are none'})."
        )
        yield ""


def _lacking(document: ledger.Ledger) -> Iterator[str]:
    """What the document names and archcalc does not have."""
    lines = [one for one in document.lines if one.why == "lacking" or "is lacking" in one.note]
    if not lines:
        return
    yield "Named in it, and not in archcalc so far:"
    yield ""
    for line in lines:
        yield f"- {escaped(line.note)} (section {line.section})"
    yield ""


def _errors(ordered: Sequence[Passage]) -> Iterator[str]:
    """What differs, at a glance."""
    sections: dict[int, list[str]] = {}
    differing: dict[int, Verdict] = {}
    for passage in ordered:
        for verdict in (*passage.verdicts, *(one for one, _ in passage.earlier)):
            if verdict.kind == DIFFERS:
                differing[id(verdict)] = verdict
                sections.setdefault(id(verdict), []).append(passage.section)
    if not differing:
        return
    yield "## What differs"
    yield ""
    yield "| Section | The document | Printed | Computed | Why |"
    yield "| :--- | :--- | ---: | ---: | :--- |"
    for number, one in differing.items():
        section = ", ".join(dict.fromkeys(sections[number]))
        printed = "" if one.printed == "true" else one.printed
        value = "it is not so" if not printed else shown(one.computed, one.printed)
        texts = (section, subject(one), printed, value, one.why)
        yield f"| {' | '.join(map(escaped, texts))} |"


def _passage(passage: Passage, told: set[str]) -> Iterator[str]:
    """A passage's verdicts; `told` are the notes that earlier ones have."""
    yield ""
    if passage.begins:
        yield f"“{escaped(passage.begins)} …”"
        yield ""
    notes = dict.fromkeys(one.note for one in passage.verdicts if one.note)
    for note in (note for note in notes if note not in told):
        told.add(note)
        yield f"{escaped(note)}\n"
    cells = [one for one in passage.verdicts if not one.is_claim]
    if len(cells) >= ROWS:
        yield from _table(cells)
        yield ""
        yield from _items(one for one in passage.verdicts if one.is_claim)
    else:
        yield from _items(passage.verdicts)
    yield from _again(passage.earlier)


def _again(earlier: Sequence[tuple[Verdict, str]]) -> Iterator[str]:
    """What the sentence says as an earlier one does, with where that stands in full."""
    figures = [(one, section) for one, section in earlier if not one.is_claim]
    if figures:
        kinds = Counter(SAID[one.kind] for one, _ in figures)
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        where = ", ".join(dict.fromkeys(section for _, section in figures))
        yield f"- Figures as above in section {where}: {counts}."
    for one, section in earlier:
        if not one.is_claim:
            continue
        figure = "" if one.printed == "true" else f": {escaped(one.printed)}"
        judgement = _first_up(_judgement(one))
        yield f"- {escaped(subject(one))}{figure}. **{judgement}**, as in section {section} above."


def subject(verdict: Verdict) -> str:
    """What a claim says, or what is printed of which network and layer."""
    return verdict.figure if verdict.is_claim else f"{verdict.name}, {verdict.figure}"


def _judgement(verdict: Verdict) -> str:
    """The verdict in words, with what is computed and the conventions that it takes."""
    text = SAID[verdict.kind]
    if verdict.conventions:
        text += f" by {', '.join(verdict.conventions)}"
    value = shown(verdict.computed, verdict.printed)
    if verdict.printed in ("true", "false"):
        return f"{text}: {'it is so' if verdict.computed else 'it is not so'}"
    return text + (f": computed {value}" if verdict.kind != QUOTE else "")


def _items(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """One verdict after another, each with its equations, its reason and its commands."""
    for one in verdicts:
        lines = "\\\n  ".join(_item(one))
        yield f"- {lines}"


def _item(one: Verdict) -> Iterator[str]:
    figure = "" if one.printed == "true" else f": {escaped(one.printed)}"
    protocol = f" ({escaped(one.protocol)})" if one.protocol else ""
    yield f"{escaped(subject(one))}{figure}{protocol}. **{_first_up(_judgement(one))}.**"
    if one.why:
        yield f"Why: {escaped(one.why)}."
    if one.misprint:
        yield f"Misprint: {escaped(one.misprint)}."
    for word in one.conventions:
        yield f"{word}: {CONVENTIONS[word]}."
    for equation in equations(one):
        yield f"`{equation}`"
    lines = commands(one)
    is_shown = all(line.startswith("archcalc reproduce ") for line in lines)
    yield f"{'Shown' if is_shown else 'Derived'} by {_told(lines)}."


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(cells: Sequence[Verdict]) -> Iterator[str]:
    """Many figures of one passage, a row each."""
    with_reasons = any(one.why or one.misprint for one in cells)
    more = " Why |" if with_reasons else ""
    yield f"| Of | Figure | Printed | Verdict | Equation |{more}"
    yield f"| :--- | :--- | ---: | :--- | :--- |{' :--- |' * with_reasons}"
    for one in cells:
        texts = [one.name, one.figure, one.printed, _judgement(one)]
        row = [*map(escaped, texts), "; ".join(f"`{text}`" for text in equations(one))]
        misprint = f"misprint: {one.misprint}" if one.misprint else ""
        row += [escaped(one.why or misprint)] * with_reasons
        yield f"| {' | '.join(row)} |"
    yield ""
    for word in dict.fromkeys(word for one in cells for word in one.conventions):
        yield f"{word}: {CONVENTIONS[word]}.  "
    every = list(dict.fromkeys(command for one in cells for command in commands(one)))
    yield f"Derived by {_told(every)}."


# Where a number comes from.


def commands(verdict: Verdict) -> list[str]:
    """The commands whose output holds what a verdict rests on."""
    if verdict.is_claim:
        figures = list(_figures(verdict).values())
    else:
        figures = [_Named(verdict.network, verdict.layer, verdict.figure)]
    lines = dict.fromkeys(_command(*one) for one in figures if one.is_computed)
    if not lines or not all(one.is_computed for one in figures):
        name = verdict.network.partition(",")[0] or ledger_name(verdict)
        lines[f'archcalc reproduce {shlex.quote(name)} --source "{verdict.source}"'] = None
    return list(lines)


def _told(lines: Sequence[str]) -> str:
    """Some commands, and how many more there are."""
    rest = f" and {len(lines) - COMMANDS} more like these" if len(lines) > COMMANDS else ""
    return ", ".join(f"`{line}`" for line in lines[:COMMANDS]) + rest


def ledger_name(verdict: Verdict) -> str:
    """The name of the spec that a claim about no network stands in."""
    return Path(verdict.place.file).stem


def _command(network: str, layer: str, figure: str) -> str:
    name = shlex.quote(network)
    if Figure(network, layer, figure, Place("", 0, 0)).is_of_layers:
        return f"archcalc table {name} --columns name,kind,{figure}"
    if figure in OF_PATHS:
        return f"archcalc paths {name}"
    if figure == "weight_layers":
        return f"archcalc table {name}"
    return f"archcalc explain {name} {shlex.quote(layer or analysis_of(network).totals.name)}"


def equations(verdict: Verdict) -> list[str]:
    """How what is computed comes about, with numbers put in."""
    if verdict.kind == QUOTE:
        return []
    if verdict.is_claim:
        return _of_claim(verdict)
    try:
        return list(_of_cell(verdict))
    except ArchcalcError:
        return []


def _of_cell(verdict: Verdict) -> Iterator[str]:
    start = QUANTITIES.get(verdict.figure)
    explained = _explained(verdict.network, verdict.layer)
    if verdict.figure in ("input", "output"):
        yield _shortened(explained.shapes)
    if start is None:
        return
    wanted = [
        one
        for one in explained.derivations
        if one.quantity.startswith(start) and (one.quantity not in SIZES or one.quantity == start)
    ]
    for one in explanations.merged(wanted):
        if one.text != str(one.value):
            counted = _counted_otherwise(verdict, one.value)
            room = LONG - len(one.quantity) - 2
            yield _shortened(f"{one.quantity}: {_equation(one, room)}") + counted


def _counted_otherwise(verdict: Verdict, value: Any) -> str:
    """How much the table's conventions add to the figure that is explained, or leave out of it."""
    wanted = [word for word in _conventions()[verdict.place] if word not in PRINTING]
    if not wanted or value == verdict.computed or isinstance(value, tuple):
        return ""
    more = verdict.computed - value
    sign = "+" if more > 0 else "-"
    sums = f"{_number(value)} {sign} {_number(abs(more))} = {_number(verdict.computed)}"
    return f"; {', '.join(wanted)}: {sums}"


@cache
def _conventions() -> dict[Place, tuple[str, ...]]:
    """How each printed figure is counted, by its place."""
    return {
        cell.place: cell.conventions
        for family in literature()
        for table in family.tables
        for cell in table.cells
    }


def _equation(one: Derivation, room: int) -> str:
    """Its numbers, with the symbols in front where there is room for both."""
    value = explanations.number(one.value)
    numbers = f"{explanations.grouped(one.text)} = {value}"
    whole = f"{one.symbols} = {numbers}"
    is_plain = one.symbols == one.text or one.symbols.isidentifier()
    return numbers if is_plain or len(whole) > room else whole


def _shortened(text: str) -> str:
    """A sum of many terms by its first and last ones."""
    if len(text) <= LONG:
        return text
    head, _, value = text.rpartition(" = ")
    terms = head.split(" + ")
    if len(terms) < 5:
        return text
    return f"{' + '.join(terms[:2])} + ... + {terms[-1]} = {value} ({len(terms)} terms)"


@cache
def analysis_of(network: str) -> Any:
    """The analysis of a network at its settings."""
    return api.analyze(network)


@cache
def _explained(network: str, layer: str) -> Explanation:
    analysis = analysis_of(network)
    return next(explain(analysis, layer or analysis.totals.name))


# Claims: what their letters stand for is heard while they are judged once more.


class Heard(NamedTuple):
    """A claim with the numbers of its figures, by letter, that its verdict rests on."""

    claim: Claim
    labels: dict[str, str]
    numbers: dict[str, Any]


class _Named(NamedTuple):
    """A figure of a network or layer; one that is quoted has its source in place of these."""

    network: str
    layer: str
    figure: str

    @property
    def is_computed(self) -> bool:
        return bool(self.figure) and self.figure not in QUOTED


@cache
def heard() -> dict[Any, Heard]:
    """All claims of the documents, by their place."""
    opened, found = api.opener(), {}
    for family in literature():
        resolve = resolver(family, opened)
        for claim in family.claims:
            if claim.source.startswith(SOURCE):
                found[claim.place] = _heard(claim, resolve, family.tables)
    return found


def _heard(claim: Claim, resolve: Callable[[str], Any], tables: Any) -> Heard:
    told: list[tuple[Any, dict[str, Any]]] = []

    def relation(numbers: dict[str, Any]) -> Any:
        value = claim.relation(numbers)
        told.append((value, numbers))
        return value

    [verdict] = judged((), [claim._replace(relation=relation)], resolve, tables)
    numbers = next((numbers for value, numbers in told if value == verdict.computed), {})
    labels = {letter: resolve(figure.network).label for letter, figure in claim.figures.items()}
    return Heard(claim, labels, numbers)


def _figures(verdict: Verdict) -> dict[str, _Named]:
    """The figures that a claim compares, by letter."""
    one = heard()[verdict.place]
    return {
        letter: _Named(f"the figure of {figure.source}", "", "")
        if isinstance(figure, Quotation)
        else _Named(one.labels[letter], figure.layer, figure.figure)
        for letter, figure in one.claim.where.items()
    }


def _of_claim(verdict: Verdict) -> list[str]:
    """What the claim's letters are, and its relation with numbers put in."""
    one = heard()[verdict.place]
    relation: Any = one.claim.relation
    text = _text(relation.term)
    if not text or not one.numbers:
        return [f"{text} = {shown(verdict.computed)}"] * bool(text)
    lines = [
        f"{letter} = {' '.join(filter(None, named))}{_where_from(one.claim.where[letter])} = "
        f"{_value(one, letter, named.figure)}"
        for letter, named in _figures(verdict).items()
    ]
    if len(lines) > FIGURES_SHOWN:
        rest = len(lines) - FIGURES_SHOWN + 1
        lines = [*lines[: FIGURES_SHOWN - 1], f"and {rest} more, to {lines[-1]}"]
    if text in one.numbers:
        return ["; ".join(lines)]
    put_in = re.sub(
        r"[A-Za-z_]\w*",
        lambda word: _put_in(one.numbers.get(word[0]), word[0]),
        text,
    )
    value = shown(verdict.computed)
    whole = f"{text}: {put_in} = {value}"
    return ["; ".join(lines), whole if len(whole) <= 3 * LONG else f"{text} = {value}"]


def _where_from(figure: Figure | Quotation) -> str:
    """The source of an accuracy that is not the claim's own, with how it was measured."""
    if isinstance(figure, Quotation) or not figure.source:
        return ""
    return f" of {', '.join(filter(None, (figure.source, figure.protocol)))}"


def _value(one: Heard, letter: str, figure: str) -> str:
    """The number of a letter; what is quoted in percent stays so."""
    quoted = one.claim.where[letter]
    if isinstance(quoted, Quotation) and quoted.printed.text.endswith("%"):
        return quoted.printed.text
    return _figure(one.numbers[letter], figure)


def _put_in(value: Any, word: str) -> str:
    """What stands in a relation for a letter; other words stay."""
    if isinstance(value, list):
        return _figure(value, "")
    return word if value is None else _number(value, "")


def _text(term: Any) -> str:
    """The relation as it is written; empty where it is no expression."""
    return str(term.expression.text) if term.expression is not None else ""


def _figure(value: Any, figure: str) -> str:
    """A figure's number, or those of several layers, accuracies in percent."""
    if isinstance(value, list):
        return f"[{', '.join(_number(one) for one in value)}]"
    return percent(float(value), ".4g") if figure in QUOTED else _number(value)


def _number(value: Fraction | int, grouping: str = ",") -> str:
    if isinstance(value, int) or value.denominator == 1:
        return f"{int(value):{grouping}}"
    return rounded(float(value), ".4g")


def main() -> None:
    """Write the pages, or check them."""
    texts = {PAGES / f"{number}.md": text for number, text in pages().items()}
    if sys.argv[1:] == ["--check"]:
        sys.exit(any(not p.is_file() or p.read_text("utf-8") != t for p, t in texts.items()))
    PAGES.mkdir(exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
