"""Counters beside archcalc as a table: totals, and the named terms of each difference."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.tools import TOOLS
from archcalc.report.columns import Column
from archcalc.report.figures import rounded
from archcalc.report.model import Line, Report, Table
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.titles import title
from archcalc.report.verdicts import Heading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archcalc.analysis.tools.accounts import Account, Reconciled, Reconciliation

UNEXPLAINED = "unexplained"


class Entry(NamedTuple):
    """One line: a count of archcalc's or a tool's, or a part of the difference with its sign."""

    name: str
    mult_adds: str
    params: str = ""
    is_term: bool = False


class Record(NamedTuple):
    """The same for machines: one number of one figure; `layer` is empty for the network."""

    network: str
    tool: str
    version: str
    figure: str
    layer: str
    name: str
    number: int


def report(found: Sequence[Reconciliation], layers: bool = False) -> Report:
    """A table a network, and one for its layers if asked for; for programs one line a number."""
    return Report(lambda _: list(_tables(found, layers)), lambda: [flat_table(found, layers)])


def _tables(found: Sequence[Reconciliation], layers: bool) -> Iterator[Table]:
    for one in found:
        yield network_table(one)
        if layers:
            yield layer_table(one)


def network_table(found: Reconciliation) -> Table:
    """Each tool's totals, archcalc's, and the terms of the difference."""
    lines: list[Line] = []
    for tool in found.tools:
        heading = Heading(f"{tool.tool} {tool.version}")
        lines.append(Line(heading, 0, heading.name, True))
        lines += [Line(entry, 1 + entry.is_term, entry.name, False) for entry in _entries(tool)]
    columns = (
        _column("name", "Counted by", "text", lambda row: row.name)._replace(fit="wrap"),
        _column("mult_adds", "Mult-Adds", "label", lambda row: row.mult_adds),
        _column("params", "Params", "label", lambda row: row.params),
    )
    above = f"{title(found.analysis)}: counters and archcalc, PyTorch {found.torch}"
    document = _document([found], layers=False)
    return Table(columns, tuple(lines), None, above, tuple(_caption(found)), False, document)


def _column(key: str, heading: str, style: str, get: Callable[[Any], Any]) -> Column:
    return Column(key, heading, style, lambda row: "" if isinstance(row, Heading) else get(row), "")


def _entries(tool: Reconciled) -> Iterator[Entry]:
    own, params = tool.mult_adds, tool.params
    yield Entry("its count", _exact(own.counted), _exact(params.counted) if params else "none")
    yield Entry("archcalc", _exact(own.own), _exact(params.own) if params else "")
    yield Entry("difference", _signed(own.difference), _signed(params.difference) if params else "")
    terms = dict(own.terms)
    param_terms = dict(params.terms) if params else {}
    for name in {**terms, **param_terms}:
        one, other = terms.get(name), param_terms.get(name)
        yield Entry(name, _optional(one), _optional(other), is_term=True)
    left, left_params = own.unexplained, params.unexplained if params else 0
    if left or left_params:
        yield Entry(UNEXPLAINED, _optional(left or None), _optional(left_params or None), True)


def _exact(count: int) -> str:
    return f"{count:,}"


def _signed(count: int) -> str:
    return rounded(count, "+,")


def _optional(count: int | None) -> str:
    return "" if count is None else _signed(count)


def _caption(found: Reconciliation) -> Iterator[str]:
    yield "One input, evaluation mode, each tool at its defaults; archcalc excludes the bias."
    doubled = [one.tool for one in found.tools if TOOLS[one.tool].unit != 1]
    for name in doubled:
        yield f"{name}: {TOOLS[name].what}, its FLOPs over {TOOLS[name].unit}."
    for one in found.tools:
        if not one.mult_adds.unexplained and one.unexplained_layers:
            names = ", ".join(list(one.unexplained_layers)[:3])
            yield f"{one.tool}: unexplained in layers, though not in all: {names}."
        elif one.mult_adds.unexplained and one.version.partition("+")[0] != _read(one):
            yield f"{one.tool}: its terms are those of version {_read(one)}."
    if found.missing:
        yield f"Not installed: {', '.join(found.missing)}."
    for sentence in found.failures:
        yield f"{sentence}."


def _read(one: Reconciled) -> str:
    """The version whose source the terms come from."""
    return TOOLS[one.tool].version


# By layer.


class Differing(NamedTuple):
    """A layer of which a tool counts something else than archcalc."""

    name: str
    account: Account


def layer_table(found: Reconciliation) -> Table:
    """The layers whose Mult-Adds differ, under each tool."""
    lines: list[Line] = []
    for tool in found.tools:
        rows = [
            Differing(name, one)
            for name, one in tool.layers.items()
            if one.difference or one.unexplained
        ]
        heading = Heading(f"{tool.tool} {tool.version}" + ("" if rows else ": no layer differs"))
        lines.append(Line(heading, 0, heading.name, True))
        lines += [Line(row, 1, row.name, False) for row in rows]
    columns = (
        _column("name", "Layer", "text", lambda row: row.name),
        _column("counted", "Counted", "label", lambda row: _exact(row.account.counted)),
        _column("own", "archcalc", "label", lambda row: _exact(row.account.own)),
        _column("difference", "Difference", "label", lambda row: _signed(row.account.difference)),
        _column("terms", "Of which", "text", lambda row: _told(row.account)),
    )
    above = f"{title(found.analysis)}: layers whose Mult-Adds differ"
    document = _document([found], layers=True)
    return Table(columns, tuple(lines), None, above, (), False, document)


def _told(account: Account) -> str:
    """The terms in words, each with its number where there are several."""
    parts = [(term.name, term.number) for term in account.terms]
    if account.unexplained:
        parts.append((UNEXPLAINED, account.unexplained))
    if len(parts) == 1:
        return parts[0][0]
    return "; ".join(f"{_signed(count)} {name}" for name, count in parts)


# For machines.


def flat_table(found: Sequence[Reconciliation], layers: bool) -> Table:
    """One line a number: its network, tool, figure, layer and name."""
    lines = tuple(Line(one, 0, one.name, False) for one in _records(found, layers))
    columns = tuple(Column(key, key, "label", partial(_field, key), "") for key in Record._fields)
    return Table(columns, lines, None, "", (), False, _document(found, layers))


def _field(key: str, record: Record) -> Any:
    return getattr(record, key)


def _records(found: Iterable[Reconciliation], layers: bool) -> Iterator[Record]:
    for one in found:
        for tool in one.tools:
            head = (one.analysis.label, tool.tool, tool.version)
            for figure, account in (("mult_adds", tool.mult_adds), ("params", tool.params)):
                if account is not None:
                    yield from _numbers(head, figure, "", account)
            for name, account in tool.layers.items() if layers else ():
                if account.difference or account.unexplained:
                    yield from _numbers(head, "mult_adds", name, account)


def _numbers(head: tuple[str, str, str], figure: str, layer: str, one: Account) -> Iterator[Record]:
    numbers = [("counted", one.counted), ("archcalc", one.own), *one.terms]
    for name, count in (*numbers, (UNEXPLAINED, one.unexplained)):
        yield Record(*head, figure, layer, name, count)


def _document(found: Sequence[Reconciliation], layers: bool) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "networks": (_network(one, layers) for one in found),
    }


def _network(found: Reconciliation, layers: bool) -> dict[str, Any]:
    return {
        "network": found.analysis.label,
        "torch": found.torch,
        "tools": [_tool(one, layers) for one in found.tools],
        "failures": list(found.failures),
        "missing": list(found.missing),
    }


def _tool(one: Reconciled, layers: bool) -> dict[str, Any]:
    told = {
        "tool": one.tool,
        "version": one.version,
        "mult_adds": _account(one.mult_adds),
        "params": _account(one.params) if one.params else None,
    }
    if layers:
        told["layers"] = {
            name: _account(account)
            for name, account in one.layers.items()
            if account.difference or account.unexplained
        }
    return told


def _account(one: Account) -> dict[str, Any]:
    return {
        "counted": plain(one.counted),
        "archcalc": plain(one.own),
        "difference": plain(one.difference),
        "terms": {term.name: plain(term.number) for term in one.terms},
        "unexplained": plain(one.unexplained),
    }
