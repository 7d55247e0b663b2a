"""What a printed figure should be: figures of rows, counted by the conventions of a table."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from archcalc.analysis.counted import Counting, Tally
from archcalc.analysis.figures import FIGURES
from archcalc.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archcalc.analysis.paths import Paths
    from archcalc.analysis.rows import Row
    from archcalc.graph import Node
    from archcalc.published.printed import Printed


def shaped(value: Any, printed: Printed, conventions: tuple[str, ...]) -> Any:
    """Sizes as they are printed: height x width x channels, height x width, or one number."""
    if not isinstance(value, tuple):
        return value
    channels, *spatial = value
    sides = tuple(spatial)
    if not sides and printed.kind == "size":  # a vector: 1x1x1000
        return (*(1 for _ in printed.size[1:]), channels)
    if printed.kind != "size":
        return channels if not sides else sides[0] if len(set(sides)) == 1 else value
    if len(printed.size) == len(sides):
        return sides
    return value if "channels-first" in conventions else (*sides, channels)


def computed(row: Row, figure: str, conventions: tuple[str, ...]) -> Any:
    """A figure of a row, counted by these conventions."""
    if figure in _COUNTED and (conventions or figure not in _PLAIN):
        count = _COUNTED[figure]
        return sum(count(row, node, conventions) for node in _counted_nodes(row, conventions))
    if figure in _OF_PATHS:
        return _OF_PATHS[figure](_paths(row))
    if figure in _OF_FIELDS:
        return _of_field(row, _OF_FIELDS[figure])
    return _PLAIN[figure](row)


def number(value: Any, figure: str, row: Row) -> Any:
    """A figure that an expression can reckon with; raises SpecError where it is not one number."""
    if isinstance(value, tuple) and len({*value[1:]}) <= 1:
        value = value[-1]
    if isinstance(value, (int, Fraction)):
        return value
    sizes = value if isinstance(value, tuple) else (value,)
    sizes = sizes[1:] if len(sizes) > 1 and not sizes[0] else sizes  # of a window: no channels
    told = "x".join("none" if size is None else str(size) for size in sizes)
    raise SpecError(f"{figure} of {row.name}: expected one number, received {told}")


def _counted_nodes(row: Row, conventions: tuple[str, ...]) -> list[Node]:
    """The layers of a row that a table counts."""
    nodes = [row.node] if row.node else list(row.scope.nodes() if row.scope else ())
    kinds = [
        kind
        for word, names in (("convolutions", ("conv", "convtranspose")), ("linears", ("linear",)))
        if word in conventions
        for kind in names
    ]
    if kinds:
        nodes = [node for node in nodes if node.op.kind in kinds]
    if "no-norms" in conventions:
        nodes = [node for node in nodes if node.op.role != "normalization"]
    return nodes


def _params(_: Row, node: Node, conventions: tuple[str, ...]) -> int:
    if node.shared_with is not None:
        return 0
    tensors = node.op.parameters(node.facts.inputs)
    wanted = [one for one in tensors if one.trainable or "with-buffers" in conventions]
    if "no-biases" in conventions and node.op.weighted:
        wanted = [one for one in wanted if one.name != "bias"]
    return sum(one.size for one in wanted)


def _mult_adds(row: Row, node: Node, conventions: tuple[str, ...]) -> int:
    count = node.facts.mult_adds
    if "with-biases" in conventions and node.op.weighted and getattr(node.op, "bias", False):
        count += sum(map(math.prod, node.facts.outputs))
    twice = 2 if "doubled" in conventions else 1
    return count * twice * node.times * row.analysis.batch


_COUNTED: dict[str, Callable[[Row, Node, tuple[str, ...]], int]] = {
    "params": _params,
    "mult_adds": _mult_adds,
    "weight_layers": lambda row, node, conventions: int(node.op.weighted),
}


def _of_field(row: Row, attribute: str) -> Any:
    along = [getattr(field, attribute, None) for field in row.receptive_field]
    if len(set(along)) <= 1:
        return along[0] if along else None  # a vector has no axis along which there is a field
    return (0, *along)


_OF_FIELDS = {"receptive_field": "size", "rf_stride": "stride", "rf_start": "start"}


def _paths(row: Row) -> Paths:
    """The paths to the network's output, or to that of a layer or block."""
    from archcalc.analysis.paths import paths, paths_to

    if row.scope is not row.analysis.graph.root:
        return paths_to(row.analysis, row.last.index, row.name)
    return paths(row.analysis)


_OF_PATHS: dict[str, Callable[[Paths], Any]] = {
    "paths": lambda paths: paths.total,
    "bodies": lambda paths: paths.bodies,
    "path_low": lambda paths: paths.low,
    "path_high": lambda paths: paths.high,
    "path_mean": lambda paths: paths.mean,
    "expected_bodies": lambda paths: paths.expected_bodies,
    "expected_depth": lambda paths: paths.expected_depth,
    "expected_mult_adds": lambda paths: paths.expected_mult_adds,
}


def _window(row: Row, attribute: str) -> tuple[int, ...] | None:
    """The sizes of a layer's window along each axis, as a shape without channels."""
    window = row.window
    return (0, *getattr(window, attribute)) if window else None


_PLAIN: dict[str, Callable[[Row], Any]] = {
    "input": lambda row: row.input,
    "output": lambda row: row.output,
    "channels": lambda row: row.output[0],
    **{key: one.get for key, one in FIGURES.items() if one.published},
    "in_channels": lambda row: row.input[0],
    "kernel": lambda row: _window(row, "kernel"),
    "stride": lambda row: _window(row, "stride"),
    "groups": lambda row: row.groups,
}

COMPUTED = frozenset({*_COUNTED, *_OF_PATHS, *_OF_FIELDS, *_PLAIN})


def as_printed(
    source: str, params: tuple[str, ...], mult_adds: tuple[str, ...], notes: tuple[str, ...]
) -> Counting:
    """As a published table counts, by the conventions it declares for either figure."""
    return Counting(source, notes, partial(_printed_tally, params, mult_adds))


def _printed_tally(params: tuple[str, ...], mult_adds: tuple[str, ...], row: Row) -> Tally:
    return Tally(computed(row, "params", params), computed(row, "mult_adds", mult_adds))
