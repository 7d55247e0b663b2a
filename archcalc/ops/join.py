"""Joins that compute: add and multiply; concat moves data and is in shape.py."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from archcalc.errors import LayerError
from archcalc.ops import fields as f
from archcalc.ops.base import (
    Dimensions,
    Saved,
    Shape,
    Shapes,
    Weightless,
    per_output,
    spelled,
)
from archcalc.ops.window import HELD, POINTWISE, Nearest, Windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.formula import Derived


class Add(Weightless):
    """The sum of several inputs of one shape (a residual connection, He et al. 2016)."""

    kind = "add"
    title = "add"
    role = "join"
    arity = (1, 100_000)

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        if any(shape != inputs[0] for shape in inputs):
            raise LayerError(
                "add: expected branches of one shape, received "
                + " and ".join(map(spelled, inputs))
            )
        return (inputs[0],)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,) * len(inputs)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"additions": per_output(outputs, "(n - 1)", n=len(inputs))}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return ()

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return len(inputs) == 1


class Multiply(Weightless):
    """The product of several inputs, a gate among them where there is one.

    A gate may have one value a channel (Hu et al. 2018, squeeze-and-excitation). Gates are held
    constant: receptive field and depth do not go through them.
    """

    kind = "multiply"
    title = "multiply"
    role = "join"
    arity = (1, 100_000)
    gate = "gate"
    hidden = frozenset({"gates"})
    gates: Any = f.sizes((), doc="which inputs are gates, counted from 0", minimum=0)

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return (self._largest(inputs),)

    def _largest(self, inputs: Shapes) -> Shape:
        """The shape of the product."""
        largest = reduce(_larger, inputs)
        for shape in inputs:
            if not _spreads(shape, largest):
                raise LayerError(
                    f"multiply: expected branches of shape {spelled(largest)} or of one value a "
                    f"channel, received {' and '.join(map(spelled, inputs))}"
                )
        return largest

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        gates = self.gates if isinstance(self.gates, tuple) else (self.gates,)
        largest = self._largest(inputs)
        spread = tuple(Nearest(1, size) for size in largest[1:])  # one value for all positions
        return tuple(
            HELD if i in gates else POINTWISE if shape == largest else spread
            for i, shape in enumerate(inputs)
        )

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"multiplications": per_output(outputs, "(n - 1)", n=len(inputs))}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        """Of each product the factor beside the one that a gradient goes back to.

        Factors are multiplied one after another; the products in between are factors, too.
        """
        left, shape, traced = Saved("input"), inputs[0], followed[0]
        found: list[Saved] = []
        for port in range(1, len(inputs)):
            if traced:
                found.append(Saved("input", port))
            if followed[port]:
                found.append(left)
            shape, traced = _larger(shape, inputs[port]), traced or followed[port]
            left = Saved(f"product {port}", elements=per_output((shape,)))
        return found

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return len(inputs) == 1


def _larger(one: Shape, other: Shape) -> Shape:
    """The shape of the product of two factors."""
    return max(one, other, key=lambda shape: (len(shape), shape))


def _spreads(shape: tuple[int, ...], over: tuple[int, ...]) -> bool:
    """Whether `shape` is `over`, or has one value for each of its channels."""
    return shape in (over, over[:1], (over[0], *(1 for _ in over[1:])))
