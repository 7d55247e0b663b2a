"""The paths of a residual network as a table: how many there are of each length."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.report.columns import Column
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.table import Line, Table, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis import Analysis
    from archcalc.analysis.paths import Paths


class Length(NamedTuple):
    """The paths of one length."""

    length: int
    paths: int
    share: Fraction

    @property
    def name(self) -> str:
        """The length, as a row's name."""
        return str(self.length)


def length_table(analysis: Analysis, found: Paths) -> Table:
    """Lengths with their number of paths and their share of all, and what follows from them."""
    total = found.total
    rows = [Length(k, count, Fraction(count, total)) for k, count in enumerate(found.lengths)]
    lines = tuple(Line(row, 0, row.name, False) for row in rows if row.paths)
    columns = (
        Column("length", "Length", "plain", lambda row: row.length, "residual bodies"),
        Column("paths", "Paths", "count", lambda row: row.paths, "paths of that length"),
        Column("share", "Share", "share", lambda row: float(row.share), "share of all paths"),
    )
    heading = f"{title(analysis)}: paths by length"
    caption = tuple(_sentences(found))
    return Table(columns, lines, None, heading, caption, False, _document(analysis, found))


def _sentences(found: Paths) -> Iterator[str]:
    if not found.bodies:
        yield "No residual bodies: there is one path."
        return
    yield (
        f"{found.total:,} paths through {found.bodies} residual bodies; a path's length is the "
        "number of bodies it goes through, a projection shortcut counts 0."
    )
    yield (
        f"Mean length {decimal(found.mean)}; {decimal(100 * found.held)}% of the paths have "
        f"{found.low} to {found.high} (from the commonest length outwards until 95% are held)."
    )
    short = found.bodies // 3
    yield f"{decimal(100 * found.share(0, short))}% have at most {short}, a third of the bodies."
    if found.expected_bodies is not None:
        yield (
            f"Under stochastic depth {decimal(found.expected_bodies)} bodies are there on average, "
            f"of {found.depth} weight layers in a row {decimal(found.expected_depth or 0)}, and "
            f"{decimal(found.expected_mult_adds or 0)} of {found.mult_adds:,} Mult-Adds."
        )


def decimal(value: Fraction | int) -> str:
    """A number as a person reads it: whole ones exact, others to four digits."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{round(value):,}" if value >= 10_000 else f"{float(value):.4g}"


def _document(analysis: Analysis, found: Paths) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "network": analysis.label,
        "paths": plain(found.total),
        "bodies": found.bodies,
        "mean": plain(found.mean),
        "low": found.low,
        "high": found.high,
        "held": float(found.held),
        "expected_bodies": plain(found.expected_bodies),
        "expected_depth": plain(found.expected_depth),
        "expected_mult_adds": plain(found.expected_mult_adds),
        "lengths": (
            {"length": k, "paths": plain(count), "share": float(Fraction(count, found.total))}
            for k, count in enumerate(found.lengths)
        ),
    }
