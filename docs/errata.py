"""Writes docs/errata.md from the printed figures in the specs.

python docs/errata.py            writes it
python docs/errata.py --check    exit code 1 where the page on disk says something else
"""

from __future__ import annotations

import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import documents
import ledger

from archcalc.published import printed
from archcalc.published.printed import CONVENTIONS
from archcalc.published.verdicts import CONVENTION, DIFFERS, MATCH, QUOTE, Verdict
from archcalc.report.figures import percent, rounded
from archcalc.report.verdicts import shown
from archcalc.report.writers import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PAGE = Path(__file__).resolve().parent / "errata.md"
UNEXPLAINED = "unexplained"
MOST = 3  # figures of a network, and as many statements, that are worth knowing
LEAST = 1.05  # by how much a figure is off that is worth knowing, if it is not a whole number
NOTES = documents.SOURCE + " "

OPENING = f"""# Errata and conventions of famous CNN tables

Every figure that a paper (or a text about it) prints of a network is data in the network's spec,
and `archcalc reproduce` judges it: it *matches* what follows from the architecture as printed, it
matches *by a convention* (units of 1024, cut off instead of rounded, biases left out), or it
*differs*, and then the spec says why. This page is written from the specs by
`python docs/errata.py`; the tests check that it is current. It has

- [errors worth knowing](#errors-worth-knowing), by network;
- [the documents](#documents) with the number of their errors, and what the course notes are;
- [all networks in numbers](#in-numbers), and the [conventions](#conventions) of their tables;
- [sources where all is reproduced](#sources-where-all-is-reproduced);
- network by network, all that differs in the others, with the reasons.

Mult-Adds are multiply-accumulates of convolutions and linears, bias excluded. A figure matches if
the computed number rounds to it at its printed precision. Where nobody knows why a figure differs,
the reason says "{UNEXPLAINED}".

## Errors worth knowing

A difference is an error worth knowing if its cause is known and it can be read by itself. Of each
network these are up to {MOST} statements that are false, those of papers first, and up to {MOST}
figures, those first that are furthest off: by 5% or more, or by anything where a whole number is
printed in full. What several documents print stands once. All that differs is listed
[network by network](#in-numbers).
"""


class Entry(NamedTuple):
    """A figure or statement that differs, with all that print it."""

    verdict: Verdict
    sources: tuple[str, ...]

    @property
    def is_figure(self) -> bool:
        """Whether it is off by some amount, and not a statement that is false."""
        return off(self.verdict) is not None


def page() -> str:
    """The whole page."""
    return "\n".join(_page(ledger.verdicts())).rstrip() + "\n"


def _page(found: dict[str, list[Verdict]]) -> Iterator[str]:
    every = [one for verdicts in found.values() for one in verdicts]
    yield OPENING
    yield "| Network | The document | Printed | Computed | Off by | Why | Printed in |"
    yield "| :--- | :--- | ---: | ---: | ---: | :--- | :--- |"
    for name, verdicts in found.items():
        for entry in worth_knowing(verdicts):
            yield _entry(name, entry)
    yield ""
    yield from _documents(every)
    yield ""
    yield "## In numbers"
    yield ""
    yield "| Spec | Printed figures | Match | By convention | Differ | Quoted |"
    yield "| :--- | ---: | ---: | ---: | ---: | ---: |"
    for name, verdicts in found.items():
        differs = any(one.kind == DIFFERS for one in verdicts)
        yield _counts(f"[{escaped(name)}](#{name})" if differs else escaped(name), verdicts)
    yield _counts("**all**", every)
    yield ""
    yield "## Conventions"
    yield ""
    for word, meaning in CONVENTIONS.items():
        yield f"- `{word}`: {meaning}"
    yield ""
    yield from _reproduced(found)
    for name, verdicts in found.items():
        if any(one.kind == DIFFERS for one in verdicts):
            yield ""
            yield f"## {name}"
            yield from _network(verdicts)


# Errors worth knowing.


def worth_knowing(verdicts: Iterable[Verdict]) -> list[Entry]:
    """The errors of a network whose cause is known: its first statements, its largest figures."""
    known = (one for one in verdicts if is_explained(one) and not one.figure.startswith("..."))
    entries = list(_once(known))
    statements = [entry for entry in entries if not entry.is_figure]
    statements.sort(key=lambda entry: entry.verdict.source.startswith(NOTES))
    figures = [entry for entry in entries if entry.is_figure and _is_far(entry.verdict)]
    figures.sort(key=lambda entry: -(off(entry.verdict) or 0))
    return [*statements[:MOST], *figures[:MOST]]


def _is_far(verdict: Verdict) -> bool:
    """Whether a figure is off by much, or by anything where a whole number is printed in full."""
    said = printed.printed(verdict.printed)
    is_whole = said.kind == "number" and said.unit == 1 and not said.thousands
    return is_whole or (off(verdict) or 0) >= LEAST


def is_explained(verdict: Verdict) -> bool:
    """Whether it differs, and its cause is known."""
    return verdict.kind == DIFFERS and not verdict.why.startswith(UNEXPLAINED)


def _once(verdicts: Iterable[Verdict]) -> Iterator[Entry]:
    """The same figure in several documents as one, with the first document's reason."""
    same: dict[tuple[str, str, str], list[Verdict]] = {}
    for one in verdicts:
        same.setdefault((one.name, one.figure, one.printed), []).append(one)
    for several in same.values():
        yield Entry(several[0], tuple(dict.fromkeys(one.source for one in several)))


def off(verdict: Verdict) -> float | None:
    """The larger of the printed and the computed number over the smaller; None where no number."""
    value = verdict.computed
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        return None
    said = printed.printed(verdict.printed)
    if said.kind not in ("number", "fraction"):
        return None
    number = 1 / said.low if said.kind == "fraction" else said.low
    larger, smaller = max(abs(number), abs(value)), min(abs(number), abs(value))
    return float("inf") if smaller == 0 or number * value < 0 else float(larger / smaller)


def _entry(name: str, entry: Entry) -> str:
    one = entry.verdict
    subject = documents.subject(one).removeprefix(f"{name} ").removeprefix(f"{name}, ")
    said = "" if one.printed == "true" else one.printed
    value = "it is not so" if one.printed == "true" else shown(one.computed, one.printed)
    cells = (subject, said, value, _off(one), one.why, "; ".join(entry.sources))
    return f"| [{escaped(name)}](#{name}) | {' | '.join(map(escaped, cells))} |"


def _off(verdict: Verdict) -> str:
    factor = off(verdict)
    if factor is None or factor == float("inf"):
        return ""
    if factor < 2:
        return percent(factor - 1, ".2g")
    return f"{f'{factor:,.0f}' if factor >= 10 else rounded(factor, '.2g')} times"


# Documents.


def _documents(every: Sequence[Verdict]) -> Iterator[str]:
    yield "## Documents"
    yield ""
    yield "Papers and texts in which something differs, and the figure that is furthest off for a"
    yield "known cause."
    yield ""
    yield "| Document | Judged | Differ | Unexplained | Furthest off |"
    yield "| :--- | ---: | ---: | ---: | :--- |"
    by_document: dict[str, list[Verdict]] = {}
    for one in every:
        by_document.setdefault(one.source.partition(",")[0], []).append(one)
    for document, verdicts in sorted(by_document.items(), key=lambda item: item[0].casefold()):
        differing = [one for one in verdicts if one.kind == DIFFERS]
        if differing:
            yield _document(document, verdicts, differing)
    yield ""
    yield "The course notes are texts in Chinese on these networks. Each has a page that goes"
    yield "through it claim by claim:"
    yield ""
    for number in sorted({one.document for one in ledger.ledgers()} | _numbers(by_document)):
        yield from _notes(number)


def _document(document: str, verdicts: Sequence[Verdict], differing: Sequence[Verdict]) -> str:
    judged = sum(one.kind != QUOTE for one in verdicts)
    known = [one for one in differing if is_explained(one)]
    worst = max(known, key=lambda one: off(one) or 0, default=None)
    number = document.removeprefix(NOTES)
    is_notes = document != number
    cell = f"[{escaped(document)}](documents/{number}.md)" if is_notes else escaped(document)
    said = ""
    if worst is not None and (off(worst) or 0) > 1:
        value = shown(worst.computed, worst.printed)
        said = f"{documents.subject(worst)}: {worst.printed}, computed {value}"
    unexplained = len(differing) - len(known)
    return f"| {cell} | {judged} | {len(differing)} | {unexplained} | {escaped(said)} |"


def _numbers(names: Iterable[str]) -> set[str]:
    """The numbers of the course notes among documents' names."""
    return {name.removeprefix(NOTES) for name in names if name.startswith(NOTES)}


def _notes(number: str) -> Iterator[str]:
    """What one of the course notes is called, by whom it is, and what it is about."""
    known = {one.document: one for one in ledger.ledgers()}
    document = known.get(number, ledger.Ledger(number, "", "", "", ()))
    about = f". {' '.join(document.about.split())}" if document.about else ""
    yield f"- [{escaped(documents.title(document))}](documents/{number}.md){about}"


# In numbers, and network by network.


def _counts(name: str, verdicts: list[Verdict]) -> str:
    kinds = Counter(one.kind for one in verdicts)
    counts = [len(verdicts), *(kinds[kind] for kind in (MATCH, CONVENTION, DIFFERS, QUOTE))]
    return f"| {name} | {' | '.join(map(str, counts))} |"


def _by_source(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts that are no quotations, by source, in order."""
    found: dict[str, list[Verdict]] = {}
    for one in verdicts:
        if one.kind != QUOTE:
            found.setdefault(one.source, []).append(one)
    return found


def _conventions(verdicts: Iterable[Verdict]) -> str:
    words = dict.fromkeys(word for one in verdicts for word in one.conventions)
    return ", ".join(f"`{word}`" for word in words)


def _notes_of(verdicts: Iterable[Verdict]) -> str:
    return " ".join(dict.fromkeys(one.note for one in verdicts if one.note))


def _reproduced(found: dict[str, list[Verdict]]) -> Iterator[str]:
    """All sources without a difference, as a table."""
    yield "## Sources where all is reproduced"
    yield ""
    yield "| Network | Source | Figures | By conventions | Note |"
    yield "| :--- | :--- | ---: | :--- | :--- |"
    for name, verdicts in found.items():
        for document, sources in _whole_sources(verdicts).items():
            some = [one for verdicts in sources.values() for one in verdicts]
            parts = "; ".join(part for part in sources if part)
            source = f"{document}: {parts}" if parts else document
            texts = (escaped(name), escaped(source), str(len(some)), _conventions(some))
            yield f"| {' | '.join(texts)} | {escaped(_notes_of(some))} |"


def _whole_sources(verdicts: Iterable[Verdict]) -> dict[str, dict[str, list[Verdict]]]:
    """Those of a network's sources in which nothing differs, as parts of their documents."""
    found: dict[str, dict[str, list[Verdict]]] = {}
    for source, some in _by_source(verdicts).items():
        if not any(one.kind == DIFFERS for one in some):
            document, _, part = source.partition(", ")
            found.setdefault(document, {})[part] = some
    return found


def _network(verdicts: list[Verdict]) -> Iterator[str]:
    """The sources in which something differs, and what does."""
    for source, some in _by_source(verdicts).items():
        differing = [one for one in some if one.kind == DIFFERS]
        if not differing:
            continue
        yield ""
        same = len(some) - len(differing)
        yield f"**{escaped(source)}**: {same} of {len(some)} figures reproduced."
        if note := _notes_of(some):
            yield ""
            yield escaped(note)
        if used := _conventions(some):
            yield ""
            yield f"Conventions needed: {used}."
        yield ""
        yield "| Of | Figure | Printed | Computed | Why |"
        yield "| :--- | :--- | ---: | ---: | :--- |"
        for one in differing:
            figure = "claim" if one.is_claim else one.figure
            cells = (one.name, figure, one.printed, shown(one.computed, one.printed), one.why)
            yield f"| {' | '.join(map(escaped, cells))} |"


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
