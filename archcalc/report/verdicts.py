"""Verdicts on printed figures as tables: cell by cell for a network, in numbers for many."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.published import CONVENTION, DIFFERS, MATCH, QUOTE
from archcalc.errors import one_line
from archcalc.report.columns import Column
from archcalc.report.figures import percent, rounded
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.table import Line, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.analysis.published import Verdict


class Heading(NamedTuple):
    """A line above the figures that stand in one place."""

    name: str


def tables(found: dict[str, list[Verdict]], every: bool, format: str) -> list[Table]:  # noqa: A002
    """A table a network, or one in numbers for all; for machines one line a figure."""
    if format in ("csv", "json"):
        return [flat_table([one for verdicts in found.values() for one in verdicts])]
    if not every:
        return [cell_table(name, verdicts) for name, verdicts in found.items()]
    wrong = {name: [one for one in verdicts if one.problem] for name, verdicts in found.items()}
    problems = [cell_table(name, verdicts) for name, verdicts in wrong.items() if verdicts]
    return [*problems, summary(found)]


def cell_table(name: str, verdicts: Sequence[Verdict]) -> Table:
    """Every printed figure with what is computed and the verdict, below where it is printed.

    Reasons stand as numbered notes below the table.
    """
    reasons: dict[str, int] = {}
    for one in verdicts:
        for reason in _reasons(one):
            reasons.setdefault(reason, len(reasons) + 1)
    columns = (
        _column("name", "Of", "text", lambda one: one.name)._replace(fit="wrap"),
        _column("figure", "Figure", "text", _figure_name),
        _column("printed", "Printed", "label", lambda one: one.printed),
        _column("computed", "Computed", "label", lambda one: shown(one.computed, one.printed)),
        _column("verdict", "Verdict", "text", lambda one: _verdict(one, reasons)),
    )
    notes = [f"{one.source}: {one.note}" for one in verdicts if one.note]
    notes += [f"[{number}] {reason}" for reason, number in reasons.items()]
    title = f"{name}: printed and computed"
    caption = (_counted(verdicts), *map(one_line, dict.fromkeys(notes)))
    lines = tuple(_lines(verdicts, f"{name} "))
    return Table(columns, lines, None, title, caption, False, _document(verdicts))


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
        "Differs: with a reason, which 'archcalc reproduce NETWORK' tells.",
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
    return Column(key, heading, style, lambda row: "" if isinstance(row, Heading) else get(row), "")


def _lines(verdicts: Sequence[Verdict], prefix: str) -> Iterator[Line]:
    """The figures in their order, a heading where the source changes.

    Layers of the network that the table is about are named without it, which is the `prefix`.
    """
    source = None
    for one in verdicts:
        where = one_line(one.source + (f" ({one.protocol})" if one.protocol else ""))
        if where != source:
            source = where
            yield Line(Heading(where), 0, where, True)
        yield Line(one, 1, one.name.removeprefix(prefix), False)


def _figure_name(one: Verdict) -> str:
    return "claim" if one.is_claim else one.figure


def _verdict(one: Verdict, reasons: dict[str, int]) -> str:
    text = one.kind if one.kind != CONVENTION else f"match ({', '.join(one.conventions)})"
    text += "".join(f" [{reasons[reason]}]" for reason in _reasons(one))
    return text + (f"  PROBLEM: {one.problem}" if one.problem else "")


def _reasons(one: Verdict) -> list[str]:
    return [one.why] if one.why else []


def _counted(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "Its spec has no printed figures."
    row = _Summary("", verdicts)
    parts = [f"{count} {kind}" for kind in _HEADINGS if (count := row.count(kind))]
    many = "s" * (row.problems != 1)
    problems = f"; {row.problems} problem{many}" if row.problems else ""
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
    "verdict", "conventions", "why", "problem",
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
        "problem": one.problem,
    }


def _recorded(key: str, one: Verdict) -> Any:
    return _record(one)[key]


def _document(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "figures": ({key: plain(value) for key, value in _record(one).items()} for one in verdicts),
    }
