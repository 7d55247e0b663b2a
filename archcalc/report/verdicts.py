"""Verdicts on printed figures as tables: cell by cell for a network, in numbers for many."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import SettingError, did_you_mean, one_line, received
from archcalc.published.printed import CONVENTIONS
from archcalc.published.verdicts import CONVENTION, DIFFERS, MATCH, QUOTE
from archcalc.report.columns import Column
from archcalc.report.figures import percent, rounded
from archcalc.report.model import Line, Report, Table
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from archcalc.published.verdicts import Verdict


class Heading(NamedTuple):
    """A line above the figures that stand in one place."""

    name: str


class Reason(NamedTuple):
    """A line below a figure that says why it differs."""

    name: str
    style: str = "dim"


def of_source(found: dict[str, list[Verdict]], text: str) -> dict[str, list[Verdict]]:
    """The verdicts on sources that contain a text; networks without any are left out.

    Raises SettingError where no source contains it.
    """
    wanted = text.casefold().strip()
    chosen = {
        name: some
        for name, verdicts in found.items()
        if (some := [one for one in verdicts if wanted and wanted in one.source.casefold()])
    }
    if chosen:
        return chosen
    sources = list(dict.fromkeys(one.source for some in found.values() for one in some))
    where = next(iter(found)) if len(found) == 1 else "these networks"
    raise SettingError(
        f"--source: expected text that a source of {where} contains, received {received(text)}",
        hint=_near(text, sources),
    )


def _near(text: str, sources: Sequence[str]) -> str | None:
    """Sources that are called alike, or some of those there are."""
    papers = list(dict.fromkeys(source.partition(",")[0] for source in sources))
    if not papers:
        return None
    more = f" and {len(papers) - 5} more" if len(papers) > 5 else ""
    near = did_you_mean(text, papers) or did_you_mean(text, sources)
    return near or f"there are {'; '.join(papers[:5])}{more}"


def report(found: dict[str, list[Verdict]], every: bool = False, differs: bool = False) -> Report:
    """A table a network, or one in numbers for all; for programs one line a figure.

    `differs` leaves out figures that are reproduced or quoted, unless their entry has a problem;
    of all networks it shows these figures above the numbers.
    """

    def tables(width: int | None) -> list[Table]:
        if not every:
            return [cell_table(name, some, width, differs) for name, some in found.items()]
        picked = _differing if differs else _problematic
        chosen = [
            cell_table(name, some if differs else picked(some), width, differs)
            for name, some in found.items()
            if picked(some)
        ]
        return [*chosen, summary(found)]

    def records() -> list[Table]:
        flat = [one for verdicts in found.values() for one in verdicts]
        return [flat_table(_differing(flat) if differs else flat)]

    return Report(tables, records)


def _differing(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if one.kind == DIFFERS or one.problem]


def _problematic(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if one.problem]


def cell_table(
    name: str,
    verdicts: Sequence[Verdict],
    width: int | None = 80,
    differs: bool = False,
) -> Table:
    """Every printed figure with what is computed and the verdict, below where it is printed.

    A reason stands in a column of its own; in a `width` in cells, below its figure if two lines
    hold it, else in a numbered note below the table, as is a reason of two lines that several
    figures have. `differs` shows differing figures alone.
    """
    shown_verdicts = _differing(verdicts) if differs else verdicts
    reasons = Counter(map(_remark, filter(_remark, shown_verdicts)))
    below = {text for text, count in reasons.items() if width and _fits(text, count, width)}
    apart = [text for text in reasons if width and text not in below]
    numbers = {text: i for i, text in enumerate(apart, 1)}
    columns = [
        _column("name", "Of", "text", lambda one: one.name)._replace(fit="wrap"),
        _column("figure", "Figure", "text", _figure_name),
        _column("printed", "Printed", "label", lambda one: one.printed),
        _column("computed", "Computed", "label", lambda one: shown(one.computed, one.printed)),
        _column("verdict", "Verdict", "text", lambda one: _verdict(one, numbers)),
    ]
    if reasons and not width:
        columns.append(_column("why", "Why", "text", _remark))
    said = [f"{one.source}: {one.note}" for one in shown_verdicts if one.note]
    said += [f"[{number}] {text}" for text, number in numbers.items()]
    title = f"{name}: printed and computed"
    counted = _counted_differing(verdicts) if differs else _counted(verdicts)
    caption = (counted, *_legend(shown_verdicts), *map(one_line, dict.fromkeys(said)))
    lines = tuple(_lines(shown_verdicts, name, below))
    return Table(tuple(columns), lines, None, title, caption, False, _document(shown_verdicts))


_LEVEL = 2  # of a reason below its figure
_LONGEST_KEY = 12  # cells that a figure's key takes in one piece


def _remark(one: Verdict) -> str:
    """Why a figure differs, or what is misprinted where it is right; empty of most."""
    return one.why or (f"misprint: {one.misprint}" if one.misprint else "")


def _because(remark: str) -> str:
    text = one_line(remark)
    return text if text.startswith("misprint: ") else f"why: {text}"


def _fits(remark: str, figures: int, width: int) -> bool:
    """Whether a reason for so many figures stands below each of them."""
    lines = wrapped("  " * _LEVEL + _because(remark), width)
    return len(lines) <= (2 if figures == 1 else 1)


def _legend(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The meaning of each convention by which a figure matches."""
    for word in dict.fromkeys(word for one in verdicts for word in one.conventions):
        yield f"{word}: {CONVENTIONS[word]}."


def flat_table(verdicts: Sequence[Verdict]) -> Table:
    """The same for spreadsheets: one line a figure, its source and reason beside it."""
    lines = tuple(Line(one, 0, one.name, False) for one in verdicts)
    columns = tuple(_column(key, key, "label", partial(_recorded, key)) for key in _RECORD)
    return Table(columns, lines, None, "", (), False, _document(verdicts))


def summary(found: dict[str, list[Verdict]]) -> Table:
    """How many figures of each network match, match under a convention, differ, are quoted."""
    rows = [_Summary(name, verdicts) for name, verdicts in found.items()]
    rows.append(_Summary("in all", [one for verdicts in found.values() for one in verdicts]))
    columns = (
        _column("name", "Network", "text", lambda row: row.name)._replace(fit="line"),
        _column("figures", "Printed", "plain", lambda row: len(row.verdicts)),
        *(
            _column(kind, heading, "plain", partial(_Summary.count, kind=kind))
            for kind, heading in _HEADINGS.items()
        ),
        _column("problems", "Problems", "plain", lambda row: row.problems),
    )
    lines = tuple(Line(row, 0, row.name, False) for row in rows)
    every = [one for verdicts in found.values() for one in verdicts]
    caption = (
        "Differs: with a reason, which 'archcalc reproduce NETWORK --differs' tells.",
        "Problem: a difference without one, or a reason without a difference.",
    )
    return Table(columns, lines, None, "", caption, False, _document(every))


_HEADINGS = {
    MATCH: "Match",
    CONVENTION: "By convention",
    DIFFERS: "Differs",
    QUOTE: "Quoted",
}


class _Summary(NamedTuple):
    name: str
    verdicts: Sequence[Verdict]

    def count(self, kind: str) -> int:
        """Verdicts of a kind."""
        return sum(one.kind == kind for one in self.verdicts)

    @property
    def problems(self) -> int:
        return sum(bool(one.problem) for one in self.verdicts)


def _column(key: str, heading: str, style: str, get: Callable[[Any], Any]) -> Column:
    def value(row: Any) -> Any:
        return "" if isinstance(row, (Heading, Reason)) else get(row)

    return Column(key, heading, style, value, "")


def _lines(verdicts: Sequence[Verdict], network: str, below: Container[str]) -> Iterator[Line]:
    """The figures in their order, a heading where the source changes, reasons of `below` below.

    Layers of the network that the table is about are named without it, settings of it as in specs:
    `@alpha=0.5`.
    """
    source = None
    for one in verdicts:
        where = one_line(one.source + (f" ({one.protocol})" if one.protocol else ""))
        if where != source:
            source = where
            yield Line(Heading(where), 0, where, True)
        yield Line(one, 1, _short_name(one, network), False)
        if _remark(one) in below:
            text = _because(_remark(one))
            yield Line(Reason(text), _LEVEL, text, True)


def _short_name(one: Verdict, network: str) -> str:
    """What a figure is of, in a table about `network`; several settings can be broken apart."""
    name = one.name.removeprefix(f"{network} ")
    if name.startswith(f"{network}@"):
        name = name.removeprefix(network)
    return name if one.is_claim else ", ".join(name.split(","))


def _figure_name(one: Verdict) -> str:
    """The figure's key; a long one as words, so that it can be broken: receptive field."""
    if one.is_claim:
        return "claim"
    return one.figure if len(one.figure) <= _LONGEST_KEY else one.figure.replace("_", " ")


def _verdict(one: Verdict, notes: Mapping[str, int]) -> str:
    text = one.kind if one.kind != CONVENTION else f"match {', '.join(one.conventions)}"
    text += f" [{notes[_remark(one)]}]" if _remark(one) in notes else ""
    return text + (f"  PROBLEM: {one.problem}" if one.problem else "")


def _counted_differing(verdicts: Sequence[Verdict]) -> str:
    row = _Summary("", verdicts)
    problems = f"; {_problems(row.problems)}" if row.problems else ""
    return f"{row.count(DIFFERS)} of {len(verdicts)} figures differ{problems}."


def _problems(count: int) -> str:
    return f"{count} problem{'s' * (count != 1)}"


def _counted(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "Its spec has no printed figures."
    row = _Summary("", verdicts)
    parts = [f"{count} {kind}" for kind in _HEADINGS if (count := row.count(kind))]
    problems = f"; {_problems(row.problems)}" if row.problems else ""
    return f"{len(verdicts)} figures: {', '.join(parts)}{problems}."


def shown(value: Any, printed: str = "") -> str:
    """A computed value: exact where whole, a size, four digits of a ratio; % where printed so."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if printed.endswith("%") and not isinstance(value, bool):
        return percent(float(value), ".4g")
    if isinstance(value, Fraction) and value.denominator != 1:
        return rounded(float(value), ".4g")
    return f"{int(value):,}"


_RECORD = (
    "network", "layer", "figure", "source", "url", "protocol", "note", "printed", "computed",
    "verdict", "conventions", "why", "misprint", "problem",
)  # fmt: skip


def _record(one: Verdict) -> dict[str, Any]:
    value = one.computed
    if isinstance(value, tuple):
        value = shown(value)
    elif isinstance(value, Fraction):
        value = int(value) if value.denominator == 1 else float(value)
    return {
        "network": one.network,
        "layer": one.layer,
        "figure": one.figure,
        "source": one.source,
        "url": one.url,
        "protocol": one.protocol,
        "note": one.note,
        "printed": one.printed,
        "computed": value,
        "verdict": one.kind,
        "conventions": " ".join(one.conventions),
        "why": one.why,
        "misprint": one.misprint,
        "problem": one.problem,
    }


def _recorded(key: str, one: Verdict) -> Any:
    return _record(one)[key]


def _document(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "figures": ({key: plain(value) for key, value in _record(one).items()} for one in verdicts),
    }
