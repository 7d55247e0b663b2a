"""Costs: small records that add up, for one input of the batch and in elements, not bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from archcalc import words
from archcalc.errors import SettingError, received
from archcalc.formula import Derived, formula
from archcalc.ops import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archcalc.graph import Node
    from archcalc.ops.base import Shapes

# Bytes of one element. Weights, activations and buffers alike.
DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8": 1, "int8": 1}
# Those that models are built in.
BUILT_DTYPES = ("float32", "float16", "bfloat16", "float64")


def check_built(dtype: str) -> None:
    """Raises SettingError for an element type that no model is built in."""
    if dtype not in BUILT_DTYPES:
        raise SettingError(
            f"dtype: expected one of {', '.join(BUILT_DTYPES)}, received {received(dtype)}",
            hint=words.near("DTYPES", dtype, BUILT_DTYPES),
        )


def built_bytes(layers: Iterable[Node], dtype: str) -> int:
    """What the weights and buffers of a model take while it is built.

    Layers that share another's weights have their own until all are there.
    """
    return DTYPES[dtype] * sum(node.facts.params + node.facts.buffers for node in layers)


FLOPS = " + ".join(["2*mult_adds", *OPERATIONS])


def _there(_: str, values: Mapping[str, int]) -> str:
    """Operations are written where there are any."""
    return " + ".join(["2*mult_adds", *(kind for kind in OPERATIONS if values[kind])])


class Costs(NamedTuple):
    """What a layer, a block or a network costs; a total is a sum of these and nothing else.

    `read` are the weights and buffers a layer reads, shared ones included, once for the whole batch
    and all applications; `inputs` and `outputs` are elements of the tensors it takes and gives.
    """

    params: int
    buffers: int
    mult_adds: int
    additions: int
    multiplications: int
    divisions: int
    comparisons: int
    transcendentals: int
    connections: int
    neurons: int
    inputs: int
    outputs: int
    read: int

    @property
    def operations(self) -> tuple[int, ...]:
        """Operations that are not Mult-Adds, in the order of `ops.OPERATIONS`."""
        return self[3:8]

    # What follows from these, as formulas: rows take the numbers, explanations the texts.

    def flops(self, batch: int) -> Derived:
        """2 x Mult-Adds + every other operation, for the batch."""
        others = zip(OPERATIONS, self.operations, strict=True)
        values = {kind: count * batch for kind, count in others}
        return formula(FLOPS, _there)(mult_adds=self.mult_adds * batch, **values)

    def output_bytes(self, batch: int, size: int) -> Derived:
        """Bytes of the outputs of a batch, at `size` bytes an element."""
        return formula("n*b*e")(n=self.outputs, b=batch, e=size)

    def weight_bytes(self, size: int) -> Derived:
        """Bytes of params and buffers."""
        return formula("(params + buffers)*e")(params=self.params, buffers=self.buffers, e=size)

    def bytes_moved(self, batch: int, size: int) -> Derived:
        """Bytes of inputs, outputs and weights, once each."""
        values = {"n_in": self.inputs, "n_out": self.outputs, "b": batch, "w": self.read, "e": size}
        return formula("((n_in + n_out)*b + w)*e")(**values)


NOTHING = Costs(*[0] * 13)


def layer_costs(node: Node, known: dict[int, Costs]) -> Costs:
    """A layer's costs; layers with the same facts share one record (`known`, by the facts' id)."""
    if node.shared_with is not None or node.times != 1:
        return _costs(node)
    costs = known.get(id(node.facts))
    if costs is None:
        costs = known[id(node.facts)] = _costs(node)
    return costs


def _costs(node: Node) -> Costs:
    """A layer's costs, for all its applications."""
    facts, times = node.facts, node.times
    weights = facts.params + facts.buffers
    own = node.shared_with is None  # shared parameters are counted where they were first used
    costs = Costs(
        facts.params if own else 0,
        facts.buffers if own else 0,
        facts.mult_adds,
        *facts.operations,
        facts.connections,
        facts.neurons,
        _elements(facts.inputs),
        _elements(facts.outputs),
        weights,
    )
    if times == 1:
        return costs
    every = Costs(*[count * times for count in costs])
    return every._replace(params=costs.params, buffers=costs.buffers, read=costs.read)


def _elements(shapes: Shapes) -> int:
    return math.prod(shapes[0]) if len(shapes) == 1 else sum(map(math.prod, shapes))


def total(costs: Iterable[Costs]) -> Costs:
    """The sum of records."""
    columns = list(zip(*costs, strict=True))
    return Costs(*map(sum, columns)) if columns else NOTHING
