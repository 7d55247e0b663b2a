"""Records: a row as plain data for JSON, and flattened for CSV and pandas.

This is an interface; docs/formats.md describes it, SCHEMA_VERSION numbers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.figures import FIGURES, SHARES
from archcalc.analysis.receptive_field import AxisField, Unknown
from archcalc.ops import spelled
from archcalc.ops.base import axes
from archcalc.report.titles import counting_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archcalc.analysis.rows import Row, Whole

SCHEMA_VERSION = 1
MULT_ADDS = "multiply-accumulates of convolution and linear kinds, bias excluded"
SAFE = 2**53  # larger integers are written as strings, for readers that have doubles only


def of_networks(analyses: Iterable[Whole]) -> dict[str, Any]:
    """The JSON object of a list of networks, each with its totals."""
    return {
        "schema_version": SCHEMA_VERSION,
        "networks": (_listed(analysis) for analysis in analyses),
    }


def of_analysis(analysis: Whole, rows: Iterable[Row]) -> dict[str, Any]:
    """The JSON object of a network with these rows; rows are iterators."""
    return {
        "schema_version": SCHEMA_VERSION,
        "network": network(analysis),
        "settings": {name: plain(value) for name, value in analysis.settings.items()},
        "conventions": conventions(analysis),
        "layers": (record(row) for row in rows),
        "blocks": (record(row) for row in analysis.blocks),
        "totals": record(analysis.totals),
    }


def _listed(analysis: Whole) -> dict[str, Any]:
    return {
        **network(analysis),
        "settings": {name: plain(value) for name, value in analysis.settings.items()},
        "totals": record(analysis.totals),
    }


def network(analysis: Whole) -> dict[str, Any]:
    """What the network is called and where it comes from."""
    about = analysis.about
    return {
        "name": analysis.graph.name,
        "label": analysis.label,
        "title": about.title,
        "paper": dict(about.paper),
        "input": list(analysis.graph.input.facts.outputs[0]),
        "outputs": [
            {"name": output.name, "shape": list(output.tensor.shape), "auxiliary": output.auxiliary}
            for output in analysis.graph.outputs
        ],
    }


def conventions(analysis: Whole) -> dict[str, Any]:
    """What the numbers mean."""
    counting = counting_of(analysis)
    return {
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "kilo": 1000,
        "mult_adds": " ".join(counting.notes) if counting else MULT_ADDS,
        "flops": "2 x mult_adds + every other operation",
        "shapes": "without the batch, channels first",
        "receptive_field": "null where a layer sees everything; axes in the input's order",
    }


def record(row: Row, whole: Callable[[int], Any] | None = None) -> dict[str, Any]:
    """One row with every figure; `whole` writes integers: as strings above 2**53 if left out."""
    whole = whole or plain
    window = row.window
    return {
        "name": row.name,
        "kind": row.kind,
        "type": row.type,
        "block": row.block,
        "input": list(row.input),
        "output": list(row.output),
        "inputs": [list(shape) for shape in row.inputs],
        "outputs": [list(shape) for shape in row.outputs],
        "kernel": list(window.kernel) if window else None,
        "stride": list(window.stride) if window else None,
        "padding": [list(sides) for sides in window.padding] if window else None,
        "dilation": list(window.dilation) if window else None,
        "groups": row.groups,
        "arguments": {name: plain(value) for name, value in row.arguments.items()},
        "parameters": _parameters(row),
        **_figures(row, whole),
        "receptive_field": _receptive_field(row),
        **{key: figure.share_of(row) for key, figure in SHARES.items()},
        "shared_with": row.shared_with,
        "times": row.times,
        "source": _source(row),
    }


def _figures(row: Row, whole: Callable[[int], Any]) -> dict[str, Any]:
    """Every figure under its key, the kinds of operations together."""
    found: dict[str, Any] = {}
    for key, figure in FIGURES.items():
        value = figure.get(row)
        into = found.setdefault("operations", {}) if figure.is_operation else found
        into[key] = whole(value) if isinstance(value, int) else value
    return found


def _parameters(row: Row) -> list[dict[str, Any]]:
    """The named tensors of a layer (and of those folded into it); a block lists none."""
    nodes = (row.node, *row.folded) if row.node else ()
    return [
        {
            "layer": node.path,
            "name": p.name,
            "shape": list(p.shape),
            "size": plain(p.size),
            "trainable": p.trainable,
        }
        for node in nodes
        for p in node.op.parameters(node.facts.inputs)
    ]


def _receptive_field(row: Row) -> dict[str, Any] | None:
    """size, stride and start an axis; null where all is seen."""
    along = row.receptive_field
    if all(axis is None for axis in along):
        return None
    known = [axis for axis in along if isinstance(axis, AxisField)]
    reasons = [axis.reason for axis in along if isinstance(axis, Unknown)]
    return {
        "size": [_of(axis, "size") for axis in along],
        "stride": [_of(axis, "stride") for axis in along],
        "start": [_of(axis, "start") for axis in along],
        "aligned": all(axis.aligned for axis in known),
        "uniform": all(axis.uniform for axis in known),
        **({"unknown": reasons[0]} if reasons else {}),
    }


def _of(axis: object, name: str) -> Any:
    return plain(getattr(axis, name)) if isinstance(axis, AxisField) else None


def _source(row: Row) -> dict[str, Any] | None:
    place = row.part.source
    return {"file": place.file, "line": place.line, "column": place.column} if place else None


def plain(value: Any) -> Any:
    """A value as JSON can say it exactly: large integers and fractions as strings."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return value if -SAFE <= value <= SAFE else str(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    decimal = float(value)  # a Fraction: as a number where that is exact enough to come back
    return decimal if type(value)(repr(decimal)) == value else str(value)


def common_rank(analyses: Iterable[Whole]) -> int:
    """The number of spatial axes for which rows of all these networks have the same columns."""
    each = {id(analysis): analysis for analysis in analyses}  # rows share it, and it looks at all
    return max((analysis.rank for analysis in each.values()), default=2)


def flat(row: Row, rank: int) -> dict[str, Any]:
    """A row as one line of CSV: shapes as 64x112x112, values per axis as kernel_h, kernel_w.

    `rank` is the number of spatial axes that have columns, at least those of the row's network.
    Rows that stand in one file have the same rank.
    """
    nested = record(row, whole=int)
    letters = axes(max(2, rank))
    line: dict[str, Any] = {}
    for key, value in nested.items():
        if key in ("input", "output"):
            line[key] = spelled(tuple(value))
        elif key in ("inputs", "outputs"):
            line[key] = " ".join(spelled(tuple(shape)) for shape in value)
        elif key in ("kernel", "stride", "dilation"):
            line |= _spread(key, value, letters)
        elif key == "padding":
            line |= _spread("padding_before", value and [sides[0] for sides in value], letters)
            line |= _spread("padding_after", value and [sides[1] for sides in value], letters)
        elif key == "receptive_field":
            line |= _flat_field(value, letters)
        elif key == "operations":
            line |= value
        elif key == "parameters":
            line[key] = " ".join(f"{p['name']}:{spelled(tuple(p['shape']))}" for p in value)
        elif key not in ("arguments", "source"):
            line[key] = value
    return line


def _spread(key: str, values: list[Any] | None, letters: tuple[str, ...]) -> dict[str, Any]:
    padded = [None] * (len(letters) - len(values or ())) + list(values or ())
    return {f"{key}_{letter}": value for letter, value in zip(letters, padded, strict=True)}


def _flat_field(value: dict[str, Any] | None, letters: tuple[str, ...]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for part in ("size", "stride", "start"):
        line |= _spread(f"receptive_field_{part}", value[part] if value else None, letters)
    for part in ("aligned", "uniform"):
        line[f"receptive_field_{part}"] = value[part] if value else None
    return line
