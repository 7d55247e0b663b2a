"""Explanations: every number of a row with its equation, and the receptive field's way.

The equations are the ops' own Formulas, asked for their text; sums over layers and the steps of a
receptive field are Formulas, too. What is printed evaluates to the number in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis import receptive_field as rf
from archcalc.formula import Derived, Sum, constant, formula
from archcalc.ops.base import AXIS_WORDS, axes
from archcalc.ops.window import HELD, POINTWISE, Sliding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.analysis.analysis import Analysis
    from archcalc.analysis.rows import Row
    from archcalc.errors import Place
    from archcalc.graph import Node


class Derivation(NamedTuple):
    """One number: what it is, the equation in symbols and with its numbers in, the number."""

    quantity: str
    symbols: str
    text: str
    value: int | float | Any


class Step(NamedTuple):
    """One layer on a receptive field's way: the equation and the field's size after it."""

    layer: str
    symbols: str
    text: str
    size: int
    stride: Any
    start: int


class Path(NamedTuple):
    """A receptive field along one axis (or several that agree), forward and backward."""

    axis: str
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]
    note: str


class Explanation(NamedTuple):
    """All derivations of one layer, block or network."""

    name: str
    kind: str
    title: str
    shapes: str
    place: Place | None
    derivations: tuple[Derivation, ...]
    paths: tuple[Path, ...]


def explain(analysis: Analysis, name: str | None = None) -> Iterator[Explanation]:
    """The derivations of one layer or block (a unique part of its name is enough), or of all.

    Of one layer the receptive field's whole way is shown, of all only each layer's own step.
    """
    if name is not None:
        return iter([_explanation(analysis.find(name), whole_path=True)])
    rows = (*analysis.layers, analysis.totals)
    return (_explanation(row, whole_path=False) for row in rows)


def _explanation(row: Row, whole_path: bool) -> Explanation:
    from archcalc.ops import spelled

    node = row.node
    derivations = _layer(row, node) if node else _block(row)
    shapes = (
        " and ".join(map(spelled, row.inputs)) + " -> " + " and ".join(map(spelled, row.outputs))
    )
    return Explanation(
        row.name,
        row.kind,
        row.type,
        shapes,
        row.part.source,
        tuple(derivations),
        tuple(_paths(row)) if whole_path else (),
    )


def _derivation(quantity: str, derived: Derived) -> Derivation:
    return Derivation(quantity, derived.symbols(), derived.text(), derived.number)


# A layer.


def _layer(row: Row, node: Node) -> Iterator[Derivation]:
    yield from _sizes(node)
    yield from _parameters(node)
    yield from _counts(row, node)
    yield from _bytes(row, node)
    yield from _ratios(row)
    yield from _field_step(row, node)


def _sizes(node: Node) -> Iterator[Derivation]:
    """Padding where a word stands for it, and each output dimension that is derived."""
    op, inputs = node.op, node.facts.inputs
    for quantity, derived in op.resolved(inputs).items():
        yield _derivation(quantity, derived)
    for port, dimensions in zip(op.ports, op.output(inputs), strict=True):
        of = "" if port == "output" else f" of {port}"
        for word, dimension in zip(_dimension_words(len(dimensions)), dimensions, strict=True):
            if not isinstance(dimension, int):
                yield _derivation(f"output {word}{of}", dimension)


def _dimension_words(count: int) -> list[str]:
    if count == 1:
        return ["features"]
    return ["channels", *(AXIS_WORDS.get(axis, axis) for axis in axes(count - 1))]


def _parameters(node: Node) -> Iterator[Derivation]:
    op, inputs = node.op, node.facts.inputs
    tensors = op.parameters(inputs)
    for tensor in tensors:
        names = [f"n{i + 1}" for i in range(len(tensor.shape))]
        size = formula("*".join(names))(**dict(zip(names, tensor.shape, strict=True)))
        kind = "" if tensor.trainable else " (buffer)"
        yield Derivation(f"{tensor.name}{kind}", size.text(), size.text(), size.number)
    if node.shared_with is not None:
        yield _derivation(f"params (counted at {node.shared_with.path})", constant(0))
    else:
        yield _derivation("params", op.params(inputs))
        buffers = [constant(t.size) for t in tensors if not t.trainable]
        if buffers:
            yield _derivation("buffers", Sum(buffers))


def _counts(row: Row, node: Node) -> Iterator[Derivation]:
    op, inputs, outputs = node.op, node.facts.inputs, node.facts.outputs
    scale = row.analysis.batch * node.times
    yield _scaled("Mult-Adds", op.mult_adds(inputs, outputs), scale)
    for kind, derived in op.operations(inputs, outputs).items():
        yield _scaled(kind, derived, scale)
    yield _derivation("FLOPs", row.costs.flops(row.analysis.batch))
    yield _scaled("connections", op.connections(inputs, outputs), node.times, "t")
    yield _scaled("neurons", op.neurons(inputs, outputs), node.times, "t")


def _scaled(quantity: str, derived: Derived, times: int, letter: str = "b") -> Derivation:
    """A count for one input, times the batch or the applications where they are not 1."""
    if times == 1 or derived.number == 0:
        return _derivation(quantity, derived)
    symbols, text = derived.symbols(), derived.text()
    return Derivation(
        quantity, f"({symbols})*{letter}", f"({text})*{times}", derived.number * times
    )


def _bytes(row: Row, node: Node) -> Iterator[Derivation]:
    batch, size = row.analysis.batch, row.analysis.itemsize
    costs = row.costs
    yield _derivation("output elements", _output_elements(node))
    yield _derivation("output bytes", costs.output_bytes(batch, size))
    yield _derivation("weight bytes", costs.weight_bytes(size))
    yield _derivation("bytes moved", costs.bytes_moved(batch, size))


def _output_elements(node: Node) -> Derived:
    """The elements of every output tensor."""
    shapes = node.facts.outputs
    names = [[f"n{i + 1}" for i in range(len(shape))] for shape in shapes]
    terms = [
        formula("*".join(own))(**dict(zip(own, shape, strict=True)))
        for own, shape in zip(names, shapes, strict=True)
    ]
    if node.times == 1:
        return Sum(terms)
    return formula("t*n")(t=node.times, n=sum(term.number for term in terms))


def _ratios(row: Row) -> Iterator[Derivation]:
    for quantity, ratio in row.ratios().items():
        yield Derivation(quantity, ratio.symbols(), ratio.text(), ratio.number)


# A block, or the network: sums.


def _children(row: Row) -> list[tuple[str, Row]]:
    from archcalc.graph import Scope

    assert row.scope is not None
    analysis = row.analysis
    return [
        (child.name, analysis.block(child) if isinstance(child, Scope) else analysis.row(child))
        for child in row.scope.children.values()
    ]


_SUMMED = {
    "params": "params",
    "buffers": "buffers",
    "Mult-Adds": "mult_adds",
    "FLOPs": "flops",
    "connections": "connections",
    "neurons": "neurons",
    "output elements": "output_elements",
    "output bytes": "output_bytes",
    "weight bytes": "weight_bytes",
    "bytes moved": "bytes_moved",
}


def _block(row: Row) -> Iterator[Derivation]:
    """Each figure as the sum over what the block holds, parts that are 0 left out."""
    children = _children(row)
    for quantity, attribute in _SUMMED.items():
        parts = [(name, getattr(child, attribute)) for name, child in children]
        terms = [(name, count) for name, count in parts if count]
        derived = Sum(constant(count) for _, count in terms)
        symbols = " + ".join(name for name, _ in terms) or "0"
        yield Derivation(quantity, symbols, derived.text(), getattr(row, attribute))
    yield from _ratios(row)
    yield Derivation("depth", "weight layers on the longest path", str(row.depth), row.depth)


# Receptive fields.


def _field_step(row: Row, node: Node) -> Iterator[Derivation]:
    """The field's size, stride and start after this layer, from those before it."""
    along = row.receptive_field
    words = _dimension_words(len(along) + 1)[1:]
    for axis, (word, field) in enumerate(zip(words, along, strict=True)):
        if not isinstance(field, rf.AxisField):
            continue
        for name, derived in _step_formulas(row.analysis, node, axis, field).items():
            yield Derivation(
                f"receptive field {name}, {word}",
                derived.symbols(),
                derived.text(),
                getattr(field, name),
            )


def _step_formulas(
    analysis: Analysis, node: Node, axis: int, field: rf.AxisField
) -> Mapping[str, Derived]:
    befores = _fields_before(analysis, node, axis)
    if len(befores) == 1 and isinstance(befores[0][1], rf.AxisField):
        position, before = befores[0]
        window = _window_of(node, position, axis)
        step = _sliding(before, window) if isinstance(window, Sliding) else _kept(before)
        told = window is None or isinstance(window, Sliding)
        if told and all(getattr(field, name) == one.number for name, one in step.items()):
            return step
    even = field.uniform and all(isinstance(b, rf.AxisField) and b.uniform for _, b in befores)
    if even and all(_window_of(node, position, axis) is None for position, _ in befores):
        return _union([before for _, before in befores], field)
    return _hull(analysis.receptive_states[node.index][axis], field)


def _fields_before(analysis: Analysis, node: Node, axis: int) -> list[tuple[int, Any]]:
    """The followed inputs of a node with their fields along one axis."""
    found = []
    for position, tensor in enumerate(node.inputs):
        if node.facts.windows[position] is not HELD:
            state = analysis.receptive_states[tensor.node]
            found.append((position, rf.fields(state)[axis]))
    return found


def _window_of(node: Node, position: int, axis: int) -> Any:
    """The window through which a node sees an input along an axis; None where pointwise."""
    windows = node.facts.windows[position]
    return (
        None if windows is POINTWISE else windows[axis] if isinstance(windows, tuple) else windows
    )


def _sliding(before: rf.AxisField, window: Sliding) -> Mapping[str, Derived]:
    """r' = r + d*(k - 1)*j, j' = j*s, start' = start - p*j (Araujo et al. 2019)."""
    values = {"r": before.size, "k": window.kernel, "j": before.stride}
    text = "r + (k - 1)*j"
    if window.dilation > 1:
        text, values["d"] = "r + d*(k - 1)*j", window.dilation
    return {
        "size": formula(text)(**values),
        "stride": formula("j*s")(j=before.stride, s=window.stride),
        "start": formula("a - p*j")(a=before.start, p=window.before, j=before.stride),
    }


def _kept(before: rf.AxisField) -> Mapping[str, Derived]:
    return {
        "size": formula("r")(r=before.size),
        "stride": formula("j")(j=before.stride),
        "start": formula("a")(a=before.start),
    }


def _union(befores: list[rf.AxisField], field: rf.AxisField) -> Mapping[str, Derived]:
    """From the first input index that any branch sees to the last one."""
    starts = list(dict.fromkeys(before.start for before in befores))
    ends = list(dict.fromkeys(before.start + before.size - 1 for before in befores))
    first, begin = _extreme("min", "a", starts)
    last, end = _extreme("max", "e", ends)
    return {
        "size": formula(f"{last} - {first} + 1")(**begin, **end),
        "stride": formula("j")(j=field.stride),
        "start": formula(first)(**begin),
    }


def _extreme(function: str, letter: str, values: list[int]) -> tuple[str, dict[str, int]]:
    names = {f"{letter}{i + 1}": value for i, value in enumerate(values)}
    if len(names) == 1:
        return next(iter(names)), names
    return f"{function}({', '.join(names)})", names


def _hull(along: rf.Along, field: rf.AxisField) -> Mapping[str, Derived]:
    """Where positions differ: the last input less the first, at the position that sees furthest."""
    first, last = rf.widest(along) or (field.start, field.start + field.size - 1)
    return {
        "size": formula("last - first + 1")(last=last, first=first),
        "stride": formula("j")(j=field.stride),
        "start": formula("a")(a=field.start),
    }


# The whole way, forward and backward.


def _paths(row: Row) -> Iterator[Path]:
    """The way of the receptive field along each axis; axes that agree are told once."""
    along = row.receptive_field
    words = _dimension_words(len(along) + 1)[1:]
    told: dict[tuple[Any, ...], list[str]] = {}
    for axis, (word, field) in enumerate(zip(words, along, strict=True)):
        if isinstance(field, rf.AxisField):
            told.setdefault(_way(row, axis), []).append(word)
    for (forward, backward, note), axes_told in told.items():
        yield Path(" and ".join(axes_told), forward, backward, note)


def _way(row: Row, axis: int) -> tuple[tuple[Step, ...], tuple[Step, ...], str]:
    nodes = _widest_path(row, axis)
    forward = tuple(_forward(row.analysis, nodes, axis))
    size = forward[-1].size if forward else 1
    windows = [(node, _window_of(node, _taken(nodes, i), axis)) for i, node in enumerate(nodes)]
    slides = [(node, window) for node, window in windows if window is not None]
    if not all(isinstance(window, Sliding) for _, window in slides):
        return forward, (), "Going backward by (f - 1)*s + k holds for sliding windows only."
    backward = tuple(_backward(slides))
    field = row.receptive_field[axis]
    own = backward[-1].size if backward else 1
    if isinstance(field, rf.AxisField) and own != field.size:
        return (
            forward,
            backward,
            (f"This widest single path sees {own}; the branches together see {field.size}."),
        )
    return forward, backward, f"Forward and backward agree: {size}."


def _widest_path(row: Row, axis: int) -> list[Node]:
    """From the input's first layer to the row's last: at each join the branch that sees most."""
    nodes = row.analysis.graph.nodes
    node, path = row.last, []
    while node.inputs:
        path.append(node)
        befores = _fields_before(row.analysis, node, axis)
        position = max(befores, key=lambda before: (_size(before[1]), -before[0]))[0]
        node = nodes[node.inputs[position].node]
    path.reverse()
    return path


def _size(field: Any) -> int:
    return field.size if isinstance(field, rf.AxisField) else 0


def _taken(path: list[Node], i: int) -> int:
    """Which input of a node on the path the path comes through."""
    before = path[i - 1].index if i else 0
    return next(
        (position for position, tensor in enumerate(path[i].inputs) if tensor.node == before), 0
    )


def _forward(analysis: Analysis, path: list[Node], axis: int) -> Iterator[Step]:
    """The steps at which the field changes."""
    for node in path:
        field = rf.fields(analysis.receptive_states[node.index])[axis]
        if not isinstance(field, rf.AxisField):
            return
        derived = _step_formulas(analysis, node, axis, field)["size"]
        if derived.symbols() != "r":
            yield Step(
                node.path, derived.symbols(), derived.text(), field.size, field.stride, field.start
            )


def _backward(slides: list[tuple[Node, Any]]) -> Iterator[Step]:
    """f_i = (f_(i+1) - 1)*stride + kernel, from one output position back to the input."""
    size, stride = 1, 1
    for node, window in reversed(slides):
        if window.dilation == 1:
            derived = formula("(f - 1)*s + k")(f=size, s=window.stride, k=window.kernel)
        else:
            derived = formula("(f - 1)*s + d*(k - 1) + 1")(
                f=size, s=window.stride, k=window.kernel, d=window.dilation
            )
        size, stride = derived.number, stride * window.stride
        yield Step(node.path, derived.symbols(), derived.text(), size, stride, 0)
