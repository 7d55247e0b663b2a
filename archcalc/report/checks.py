"""What `archcalc verify` found, as tables: a line a check, or a line a network for many."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.report.columns import Column
from archcalc.report.model import Line, Report, Table
from archcalc.report.records import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.pytorch.verify import Check, Disagreement, Verification

MOST_SHOWN = 20  # disagreements of one check; machine formats carry all

HEADINGS = {
    "shapes": "Shapes",
    "parameters": "Tensors",
    "torch": "FlopCounterMode",
    "fvcore": "fvcore",
    "thop": "thop",
    "fields": "Fields",
}


class Wrong(NamedTuple):
    """A disagreement below its check."""

    name: str


class Record(NamedTuple):
    """A line for machines: a check, or one of its disagreements."""

    verification: Verification
    check: Check
    wrong: Disagreement | None

    @property
    def name(self) -> str:
        """The network's."""
        return self.verification.network


class Counts(NamedTuple):
    """A network's line in the summary, or that of all networks."""

    name: str
    found: Sequence[Verification]

    def compared(self, key: str) -> int:
        """What one check compared."""
        return sum(check.compared for check in self._checks() if check.key == key)

    @property
    def left_out(self) -> int:
        return sum(one.number for check in self._checks() for one in check.left_out)

    @property
    def disagreements(self) -> int:
        return sum(len(check.disagreements) for check in self._checks())

    def _checks(self) -> Iterator[Check]:
        for one in self.found:
            yield from one.checks


def report(found: Sequence[Verification], asked: int) -> Report:
    """A table for each network and a summary; of many networks only those that disagree.

    `asked` is how many there should have been: fewer are found where someone interrupts. Programs
    get a line for each check that agrees, and for each disagreement.
    """
    return Report(lambda _: _tables(found, asked), lambda: [flat_table(found)])


def _tables(found: Sequence[Verification], asked: int) -> list[Table]:
    shown = found if asked <= SHOWN_APART else [one for one in found if not one.agrees]
    each = [check_table(one) for one in shown]
    return each if asked == 1 else [*each, summary(found, asked)]


SHOWN_APART = 6  # networks with a table of their own


def check_table(one: Verification) -> Table:
    """One line a check, below it where it disagrees, and under the table what was left out."""
    columns = (
        _column("name", "Check", "text", lambda row: row.name)._replace(fit="wrap"),
        _column("witness", "Against", "text", lambda check: check.witness),
        _column("compared", "Compared", "count", lambda check: check.compared),
        _column("left_out", "Left out", "count", _left_out),
        _column("disagreements", "Disagree", "count", lambda check: len(check.disagreements)),
    )
    lines = tuple(line for check in one.checks for line in _lines(check))
    caption = [verdict(one), *(_reasons(check) for check in one.checks if check.left_out)]
    title = f"{one.network}: the arithmetic and the machine"
    return Table(columns, lines, None, title, tuple(caption), False, _document([one]))


def _column(key: str, heading: str, style: str, get: Any) -> Column:
    """A column of checks; a disagreement's line has only its name."""
    shown = get if key == "name" else lambda row: "" if isinstance(row, Wrong) else get(row)
    return Column(key, heading, style, shown, "")


def _left_out(check: Check) -> int:
    return sum(one.number for one in check.left_out)


def _lines(check: Check) -> Iterator[Line]:
    yield Line(check, 0, check.name, False)
    for one in check.disagreements[:MOST_SHOWN]:
        text = f"{one.layer}: {one.what}: archcalc {one.stated}, here {one.found}"
        yield Line(Wrong(text), 1, text, True)
    more = len(check.disagreements) - MOST_SHOWN
    if more > 0:
        text = f"and {more:,} more, which --format json lists"
        yield Line(Wrong(text), 1, text, True)


def verdict(one: Verification) -> str:
    """One sentence."""
    wrong = sum(len(check.disagreements) for check in one.checks)
    if not wrong:
        return "Both agree wherever they were compared."
    return f"They disagree in {wrong:,} place{'s' * (wrong != 1)}."


def _reasons(check: Check) -> str:
    reasons = "; ".join(f"{one.number:,} {one.reason}" for one in check.left_out)
    return f"Left out, {check.name} against {check.witness}: {reasons}."


def summary(found: Sequence[Verification], asked: int) -> Table:
    """How much of each network was compared with each witness."""
    rows = [Counts(one.network, [one]) for one in found]
    rows.append(Counts("in all", found))
    columns = (
        Column("name", "Network", "text", lambda row: row.name, "", "line"),
        *(
            Column(key, heading, "plain", partial(Counts.compared, key=key), "")
            for key, heading in HEADINGS.items()
        ),
        Column("left_out", "Left out", "plain", lambda row: row.left_out, ""),
        Column("disagreements", "Disagree", "plain", lambda row: row.disagreements, ""),
    )
    lines = tuple(Line(row, 0, row.name, False) for row in rows)
    return Table(columns, lines, None, "", tuple(_caption(found, asked)), False, _document(found))


def _caption(found: Sequence[Verification], asked: int) -> Iterator[str]:
    yield "Compared with each witness: layers; named tensors; receptive fields, an axis each."
    yield "What is left out, and why: 'archcalc verify NETWORK'."
    wrong = sum(not one.agrees for one in found)
    yield f"{len(found) - wrong} of {len(found)} networks agree wherever they were compared."
    if len(found) < asked:
        yield f"Not all are finished: {len(found)} of {asked} networks were verified."


# For machines.


def flat_table(found: Sequence[Verification]) -> Table:
    """A line for each check that agrees, and for each disagreement."""
    records = [
        Record(one, check, wrong)
        for one in found
        for check in one.checks
        for wrong in check.disagreements or (None,)
    ]
    columns = tuple(Column(key, key, "label", partial(_recorded, key), "") for key in _record(None))
    lines = tuple(Line(one, 0, one.name, False) for one in records)
    return Table(columns, lines, None, "", (), False, _document(found))


def _recorded(key: str, one: Record) -> Any:
    return _record(one)[key]


def _record(one: Record | None) -> dict[str, Any]:
    """A record's cells by column; of none, the columns."""
    check, wrong = (one.check, one.wrong) if one else (None, None)
    return {
        "network": one.name if one else "",
        "check": check.name if check else "",
        "witness": check.witness if check else "",
        "compared": check.compared if check else 0,
        "left_out": _left_out(check) if check else 0,
        "reasons": "; ".join(one.reason for one in check.left_out) if check else "",
        "agrees": wrong is None,
        "layer": wrong.layer if wrong else "",
        "what": wrong.what if wrong else "",
        "archcalc": wrong.stated if wrong else "",
        "found": wrong.found if wrong else "",
    }


def _document(found: Sequence[Verification]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "agrees": all(one.agrees for one in found),
        "networks": (_network(one) for one in found),
    }


def _network(one: Verification) -> dict[str, Any]:
    checks = [
        {
            "check": check.name,
            "witness": check.witness,
            "compared": check.compared,
            "left_out": [{"number": p.number, "reason": p.reason} for p in check.left_out],
            "disagreements": [
                {"layer": w.layer, "what": w.what, "archcalc": w.stated, "found": w.found}
                for w in check.disagreements
            ],
        }
        for check in one.checks
    ]
    return {"network": one.network, "agrees": one.agrees, "checks": checks}
