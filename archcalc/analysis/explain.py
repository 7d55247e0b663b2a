"""Explanations: every number of a row with its equation, and the receptive field's way.

The equations are the ops' own Formulas, asked for their text; sums over layers are Formulas, too,
and so are the steps of a receptive field (`field_way`). What is printed evaluates to the number in
the table.
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.field_way import Path, axes_of, axis_words, field_step, paths
from archcalc.analysis.figures import COUNTS, SUMMED, TENSORS
from archcalc.analysis.receptive_field import AxisField, Unknown
from archcalc.formula import Derived, Sum, constant, formula

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archcalc.analysis.analysis import Analysis
    from archcalc.analysis.figures import Figure
    from archcalc.analysis.memory import Memory
    from archcalc.analysis.rows import Row
    from archcalc.errors import Place
    from archcalc.graph import Node, Scope


class Derivation(NamedTuple):
    """One number: what it is, the equation in symbols and with its numbers in, the number."""

    quantity: str
    symbols: str
    text: str
    value: int | float | Any


class Explanation(NamedTuple):
    """All derivations of one layer, block or network.

    `unknown` are the reasons why its receptive field is unknown along some axis or all,
    `without_start` the axes along which it has no start, as output 0 sees nothing of the input.
    """

    name: str
    kind: str
    title: str
    shapes: str
    place: Place | None
    derivations: tuple[Derivation, ...]
    paths: tuple[Path, ...]
    unknown: tuple[str, ...]
    without_start: tuple[str, ...]


def explain(analysis: Analysis, name: str | None = None) -> Iterator[Explanation]:
    """The derivations of one layer or block (a unique part of its name is enough), or of all.

    Of one layer the receptive field's whole way is shown, of all only each layer's own step.
    """
    local = _Local(analysis)
    if name is not None:
        return iter([_explanation(analysis.find(name), local, whole_path=True)])
    rows = (*analysis.layers, analysis.totals)
    return (_explanation(row, local, whole_path=False) for row in rows)


def _explanation(row: Row, local: _Local, *, whole_path: bool) -> Explanation:
    from archcalc.ops import spelled

    node = row.node
    derivations = _layer(row, node, local) if node else _block(row, local)
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
        tuple(paths(row)) if whole_path else (),
        tuple(dict.fromkeys(one.reason for one in row.receptive_field if isinstance(one, Unknown))),
        tuple(_without_start(row)),
    )


def _without_start(row: Row) -> Iterator[str]:
    for (word, _), field in zip(axes_of(row), row.receptive_field, strict=False):
        if isinstance(field, AxisField) and field.start is None:
            yield word


def _derivation(quantity: str, derived: Derived) -> Derivation:
    return Derivation(quantity, derived.symbols(), derived.text(), derived.number)


# A layer.


def _layer(row: Row, node: Node, local: _Local) -> Iterator[Derivation]:
    yield from _applications(node.scope)
    yield from local.of(row, node)
    yield from _memory(local.memory, node)
    yield from _ratios(row)
    yield from _field_step(row, node)


class _Local:
    """What follows from a layer alone, derived once for all layers that are alike.

    Deep networks repeat few layers, and their explanation takes two thirds of the time.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.known: dict[tuple[int, int, Node | None], tuple[Derivation, ...]] = {}

    @property
    def memory(self) -> Memory:
        return self.analysis.memory

    def of(self, row: Row, node: Node) -> tuple[Derivation, ...]:
        """Sizes, parameters, counts and bytes of a layer; alike ones share their facts."""
        key = (id(node.facts), node.times, node.shared_with)
        if key not in self.known:
            parts = _sizes(node), _parameters(node), _counts(row, node), _bytes(row, node)
            self.known[key] = tuple(chain.from_iterable(parts))
        return self.known[key]


def _applications(scope: Scope) -> Iterator[Derivation]:
    """How often a layer is applied: the product over the parts around it."""
    around = scope.applied()[::-1]
    if around:
        names = [f"t{i + 1}" for i in range(len(around))] if len(around) > 1 else ["t"]
        counts = [one.applications for one in around]
        derived = formula("*".join(names))(**dict(zip(names, counts, strict=True)))
        yield _derivation(
            f"times t, as {', '.join(one.path for one in around)} is applied", derived
        )


def _sizes(node: Node) -> Iterator[Derivation]:
    """Padding where a word stands for it, and each output dimension that is derived."""
    op, inputs = node.op, node.facts.inputs
    for quantity, derived in op.resolved(inputs).items():
        yield _derivation(quantity, derived)
    for port, dimensions in zip(op.ports, op.output(inputs), strict=True):
        of = "" if port == "output" else f" of {port}"
        words = _dimension_words(len(dimensions), op.front)
        for word, dimension in zip(words, dimensions, strict=True):
            if not isinstance(dimension, int):
                yield _derivation(f"output {word}{of}", dimension)


def _dimension_words(count: int, front: str) -> list[str]:
    if front:
        return [front, *_dimension_words(count - 1, "")]
    if count == 1:
        return ["features"]
    return ["channels", *axis_words(count - 1)]


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
    applied = {"t": node.times}
    scale = {**applied, "b": row.analysis.batch}
    yield _scaled("Mult-Adds", op.mult_adds(inputs, outputs), scale)
    for kind, derived in op.operations(inputs, outputs).items():
        yield _scaled(kind, derived, scale)
    yield from _derived(COUNTS, row)
    yield _scaled("connections", op.connections(inputs, outputs), applied)
    yield _scaled("neurons", op.neurons(inputs, outputs), applied)


def _scaled(quantity: str, derived: Derived, scale: Mapping[str, int]) -> Derivation:
    """A count for one application to one input, times those factors that are not 1."""
    factors = {letter: count for letter, count in scale.items() if count != 1}
    if not factors or derived.number == 0:
        return _derivation(quantity, derived)
    symbols, text = derived.symbols(), derived.text()
    return Derivation(
        quantity,
        "*".join([f"({symbols})", *factors]),
        "*".join([f"({text})", *map(str, factors.values())]),
        derived.number * prod(factors.values()),
    )


def _bytes(row: Row, node: Node) -> Iterator[Derivation]:
    yield _derivation("output elements", _output_elements(node))
    yield from _derived(TENSORS, row)


def _derived(figures: Iterable[Figure], row: Row) -> Iterator[Derivation]:
    """The figures that state their own equation."""
    for figure in figures:
        if figure.derived is not None:
            yield _derivation(figure.quantity, figure.derived(row))


def _memory(memory: Memory, node: Node) -> Iterator[Derivation]:
    """What is alive while the layer runs, and what it adds to that which training keeps."""
    yield _derivation("live bytes", memory.live_bytes(node))
    kept = memory.kept[node.index]
    others = f" (the rest counted at {', '.join(kept.counted_at)})" if kept.counted_at else ""
    yield _derivation(f"saved bytes{others}", kept.bytes)


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


def _block(row: Row, local: _Local) -> Iterator[Derivation]:
    """Each figure as the sum over what the block holds, parts that are 0 left out."""
    assert row.scope is not None
    children = _children(row)
    yield from _applications(row.scope)
    for figure in SUMMED:
        parts = [(name, figure.get(child)) for name, child in children]
        terms = [(name, count) for name, count in parts if count]
        derived = Sum(constant(count) for _, count in terms)
        symbols = " + ".join(name for name, _ in terms) or "0"
        yield Derivation(figure.quantity, symbols, derived.text(), figure.get(row))
    yield _most_alive(row, local.memory)
    yield from _ratios(row)
    yield _derivation("depth", row.analysis.depth_of(row.scope))


def _most_alive(row: Row, memory: Memory) -> Derivation:
    """The live bytes at the layer that has most of them."""
    assert row.scope is not None
    nodes = list(row.scope.nodes())
    if not nodes:  # a branch without layers
        return _derivation("live bytes, the most", constant(0))
    return _derivation("live bytes, the most", memory.live_bytes(memory.most(nodes)))


# Receptive fields.


def _field_step(row: Row, node: Node) -> Iterator[Derivation]:
    """The field's size, stride and start after this layer, from those before it."""
    for word, axis in axes_of(row):
        step = field_step(row.analysis, node, axis)
        if step is None:
            continue
        for quantity, derived in step.taps.items():
            yield _derivation(f"{quantity}, {word}", derived)
        yield _derivation(f"receptive field size, {word}", step.size)
        yield _derivation(f"receptive field stride, {word}", step.stride)
        if step.start is not None:
            yield _derivation(f"receptive field start, {word}", step.start)
