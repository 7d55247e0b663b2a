"""Fully connected kinds: linear, and LeNet-5's radial basis functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from archcalc.errors import LayerError
from archcalc.formula import ZERO, Derived, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    INPUT,
    Dimensions,
    Op,
    Parameter,
    Saved,
    Shapes,
    per_output,
    spelled,
)
from archcalc.ops.window import WHOLE, Windows, given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Linear(Op):
    """A fully connected layer on a vector; a convolution's output is flattened before."""

    kind = "linear"
    title = "linear"
    weighted = True
    out: int = f.integer(doc="output features")
    bias: bool = f.boolean(True, doc="a bias for each output")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        if len(inputs[0]) != 1:
            size = math.prod(inputs[0])
            raise LayerError(
                f"linear: expected a vector, received {spelled(inputs[0])}",
                hint=f"put `flatten` before it (it gives {size} features)",
            )
        return ((given(self.out),),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (WHOLE,)

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        weight = Parameter("weight", (self.out, inputs[0][0]))
        return (weight, Parameter("bias", (self.out,))) if self.bias else (weight,)

    def params(self, inputs: Shapes) -> Derived:
        text = "n_out*(n_in + 1)" if self.bias else "n_out*n_in"
        return formula(text)(n_out=self.out, n_in=inputs[0][0])

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return formula("n_out*n_in")(n_out=self.out, n_in=inputs[0][0])

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"additions": per_output(outputs)} if self.bias else {}

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return self.params(inputs)

    def neurons(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return per_output(outputs)

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (INPUT,)


class RBF(Op):
    """Euclidean radial basis functions with fixed centres (LeCun et al. 1998, equation 7)."""

    kind = "rbf"
    title = "RBF"
    weighted = True
    out: int = f.integer(doc="outputs, one a class; each has a centre of the input's size")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        if len(inputs[0]) != 1:
            raise LayerError(
                f"rbf: expected a vector, received {spelled(inputs[0])}",
                hint="put `flatten` before it",
            )
        return ((given(self.out),),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (WHOLE,)

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        return (Parameter("centres", (self.out, inputs[0][0]), trainable=False),)

    def params(self, inputs: Shapes) -> Derived:
        return ZERO

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return ZERO

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        n = inputs[0][0]
        return {
            "additions": per_output(outputs, "(n + n - 1)", n=n),  # differences, and their sum
            "multiplications": per_output(outputs, "n", n=n),  # squares
        }

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return formula("n_out*n_in")(n_out=self.out, n_in=inputs[0][0])

    def neurons(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return per_output(outputs)

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (Saved("differences", elements=per_output(outputs, "n", n=inputs[0][0])),)
