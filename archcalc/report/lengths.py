"""The paths through a network's sums as a table: how many there are of each length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.path_counts import CUT, EXACT_LENGTH
from archcalc.analysis.paths import main_outputs
from archcalc.report.columns import Column
from archcalc.report.figures import rounded
from archcalc.report.model import Line, Report, Table
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from archcalc.analysis import Analysis
    from archcalc.analysis.paths import Paths


READABLE = 10**24  # from here on a table has no room for all digits


class Length(NamedTuple):
    """The paths of one length to one output; their number is None where it is not exact."""

    output: str
    length: int
    paths: int | None
    log10_paths: float
    share: float
    left: float | None

    @property
    def name(self) -> str:
        """The length, as a row's name."""
        return str(self.length)

    @property
    def shown(self) -> str:
        """The number of paths for people: 1,946,939 or about 2.5e30100, where it is long."""
        return _readable(self.paths, self.log10_paths)


LENGTH = Column("length", "Length", "plain", lambda row: row.length, "deeper branches of sums")
SHARE = Column("share", "Share", "share", lambda row: row.share, "share of all paths")
LEFT = Column("left", "Left", "share", lambda row: row.left, "share left without some branches")
SHOWN = (
    LENGTH,
    Column("paths", "Paths", "label", lambda row: row.shown, "paths of that length"),
    SHARE,
)
RECORDED = (
    Column("output", "Output", "text", lambda row: row.output, "the output that paths lead to"),
    LENGTH,
    Column("paths", "Paths", "count", lambda row: row.paths, "paths of that length"),
    SHARE,
    Column(
        "log10_paths", "log10", "plain", lambda row: row.log10_paths, "its decimal logarithm"
    ),
)  # fmt: skip


def report(found: Sequence[tuple[Analysis, Sequence[Paths]]], deleted: int | None = None) -> Report:
    """For each output of each network a table of lengths; for programs one table a network."""
    return Report(
        lambda _: [one for pair in found for one in length_tables(*pair, deleted)],
        lambda: [length_records(*pair, deleted) for pair in found],
    )


def length_tables(
    analysis: Analysis, every: Sequence[Paths], deleted: int | None = None
) -> list[Table]:
    """For each output a table of lengths, with what follows from them.

    With `deleted` also how much is left when so many branches are deleted; raises SettingError
    where there are fewer.
    """
    return [_table(analysis, SHOWN, [one], deleted) for one in every]


def length_records(analysis: Analysis, every: Sequence[Paths], deleted: int | None = None) -> Table:
    """All outputs in one table, for programs."""
    return _table(analysis, RECORDED, every, deleted)


def _table(
    analysis: Analysis, columns: tuple[Column, ...], every: Sequence[Paths], deleted: int | None
) -> Table:
    rows = [row for one in every for row in lengths(one, deleted)]
    if deleted is not None:
        columns = (*columns, LEFT)
    lines = tuple(Line(row, 0, row.name, False) for row in rows)
    heading = f"{title(analysis)}: paths{_several(analysis, every[0])} by length"
    caption = (
        *_sentences(every[0]), *_without(every[0], deleted), *_others(analysis, every[0]),
    )  # fmt: skip
    document = _document(analysis, every, deleted)
    return Table(columns, lines, None, heading, caption, False, document)


def lengths(found: Paths, deleted: int | None = None) -> Iterator[Length]:
    """The lengths that there are, with their number of paths and their share of all.

    With `deleted` also the share of them that is left without so many branches.
    """
    for length, share in found.shares.items():
        number = found.lengths[length] if found.exact else None
        left = None if deleted is None else float(found.kept(length, deleted))
        yield Length(found.output, length, number, found.log10_paths(length), float(share), left)


def _without(found: Paths, deleted: int | None) -> Iterator[str]:
    """How much is left when some branches are deleted."""
    if deleted is None:
        return
    share = 100 * found.left(deleted)
    number = f"{decimal(share)}%" if share == 0 or share >= 1e-6 else "less than 0.000001%"
    words = ("body", "bodies") if found.bodies == found.branches else ("branch", "branches")
    yield (
        f"Without {deleted:,} of the {_number(found.branches, *words)}, {number} of the paths are "
        "left, on average over which are deleted; Left is the share of each length."
    )


def _several(analysis: Analysis, found: Paths) -> str:
    """The output that paths lead to, where there are several."""
    return f" to {found.output}" if len(analysis.graph.outputs) > 1 else ""


def _sentences(found: Paths) -> Iterator[str]:
    if not found.branches:
        yield "No sum has a deeper branch: there is one path."
        return
    total = _readable(found.total if found.exact else None, found.log10_total)
    yield f"{total} paths through {_counted(found)}"
    yield (
        f"Mean length {decimal(found.mean)}, standard deviation {decimal(found.deviation)}; "
        f"{decimal(100 * found.held)}% of the paths have {found.low} to {found.high} "
        "(from the commonest length outwards until 95% are held)."
    )
    short = found.branches // 3
    share = found.share(0, short)
    few = "Less than 0.0000001" if share < 1e-9 and not found.exact else decimal(100 * share)
    word = "bodies" if found.bodies == found.branches else "branches"
    yield f"{few}% have at most {short}, a third of the {word}."
    if not found.exact:
        yield (
            f"Paths through more than {EXACT_LENGTH:,} branches are not counted one by one: shares "
            f"are right to nine digits, lengths with less than {rounded(CUT, 'g')} of the paths of "
            "the commonest are left out."
        )
    if found.expected_bodies is not None:
        yield (
            f"Under stochastic depth {decimal(found.expected_bodies)} bodies are there on average, "
            f"of {found.depth} weight layers in a row {decimal(found.expected_depth or 0)}, and "
            f"{decimal(found.expected_mult_adds or 0)} of {found.mult_adds:,} Mult-Adds."
        )


def _readable(number: int | None, log10: float) -> str:
    """A number with all its digits, where it is known and there is room for them on a line."""
    return power_of_ten(log10) if number is None or number >= READABLE else f"{number:,}"


def _counted(found: Paths) -> str:
    """What paths go through, and what their length is."""
    if found.bodies == found.branches:
        return (
            f"{_number(found.bodies, 'residual body', 'residual bodies')}; a path's length is the "
            "number of bodies it goes through, a projection shortcut counts 0."
        )
    branches = _number(found.branches, "deeper branch of a sum", "deeper branches of sums")
    bodies = _number(found.bodies, "residual body", "residual bodies")
    which = f", {bodies} among them" if found.bodies else ""
    return (
        f"{branches}{which}; a path's length is the number of these that it goes through, a sum's "
        "branches with the fewest weight layers count 0."
    )


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _others(analysis: Analysis, found: Paths) -> Iterator[str]:
    """The auxiliary outputs, which are taken where they are asked for."""
    main = main_outputs(analysis.graph)
    others = [one.name for one in analysis.graph.outputs if one not in main]
    if others and found.output not in others:
        yield f"Auxiliary outputs have paths of their own: {', '.join(others)}."


def decimal(value: Fraction | float) -> str:
    """A number as a person reads it: whole ones exact, others to four digits."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{round(value):,}" if round(value) >= 10_000 else rounded(float(value), ".4g")


def power_of_ten(log10: float) -> str:
    """A number of that decimal logarithm to three digits: 1.27e30.

    Such numbers may be far beyond what a float can hold.
    """
    power = int(log10 // 1)
    digits, _, shift = rounded(10 ** (log10 - power), ".2e").partition("e")
    return f"{digits}e{power + int(shift)}"


def _document(analysis: Analysis, every: Sequence[Paths], deleted: int | None) -> dict[str, Any]:
    """The first output's paths, as for networks with one output, then those of all outputs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "network": analysis.label,
        **_record(every[0], deleted),
        "outputs": [_record(one, deleted) for one in every],
    }


def _record(found: Paths, deleted: int | None) -> dict[str, Any]:
    return {
        "output": found.output,
        "exact": found.exact,
        "paths": plain(found.total) if found.exact else None,
        "log10_paths": found.log10_total,
        "branches": found.branches,
        "bodies": found.bodies,
        "mean": plain(found.mean),
        "deviation": found.deviation,
        "low": found.low,
        "high": found.high,
        "held": float(found.held),
        "expected_bodies": plain(found.expected_bodies),
        "expected_depth": plain(found.expected_depth),
        "expected_mult_adds": plain(found.expected_mult_adds),
        "deleted": deleted,
        "left": None if deleted is None else float(found.left(deleted)),
        "lengths": [
            {
                "length": one.length,
                "paths": plain(one.paths),
                "log10_paths": one.log10_paths,
                "share": one.share,
                "left": one.left,
            }
            for one in lengths(found, deleted)
        ],
    }
