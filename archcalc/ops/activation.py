"""Activations, softmax and dropout. Each states what it does to one element."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archcalc.formula import Derived, constant, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    INPUT,
    OUTPUT,
    Dimensions,
    Parameter,
    Saved,
    Shapes,
    Unweighted,
    Weightless,
    elements,
    per_output,
)
from archcalc.ops.window import POINTWISE, Windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Elementwise(Weightless):
    """A function of each element; `each` counts its operations by kind.

    Its derivative is told by the element it took or, as `kept` says, by the one it gave.
    """

    role = "activation"
    each: ClassVar[dict[str, int]]
    kept: ClassVar[tuple[Saved, ...]] = (INPUT,)

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return self.kept

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return inputs

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {kind: _times(outputs, count) for kind, count in self.each.items()}


def _times(outputs: Shapes, count: int) -> Derived:
    return per_output(outputs) if count == 1 else per_output(outputs, "m", m=count)


class ReLU(Elementwise):
    """max(x, 0)."""

    kind = "relu"
    title = "ReLU"
    kept = (OUTPUT,)
    overwrites = True
    each: ClassVar = {"comparisons": 1}


class ReLU6(Elementwise):
    """min(max(x, 0), 6)."""

    kind = "relu6"
    title = "ReLU6"
    overwrites = True
    each: ClassVar = {"comparisons": 2}


class LeakyReLU(Elementwise):
    """x where positive, slope*x elsewhere."""

    kind = "leakyrelu"
    title = "leaky ReLU"
    overwrites = True
    each: ClassVar = {"comparisons": 1, "multiplications": 1}
    slope: float = f.real(0.01, doc="slope for negative inputs")


class PReLU(Unweighted):
    """Leaky ReLU with a trainable slope for each channel (He et al. 2015)."""

    kind = "prelu"
    title = "PReLU"
    role = "activation"
    shared: bool = f.boolean(False, doc="one slope for all channels")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return inputs

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,)

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        return (Parameter("weight", (1,) if self.shared else inputs[0][:1]),)

    def params(self, inputs: Shapes) -> Derived:
        return formula("c")(c=1 if self.shared else inputs[0][0])

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"comparisons": per_output(outputs), "multiplications": per_output(outputs)}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (INPUT,)


class ELU(Elementwise):
    """x where positive, alpha*(exp(x) - 1) elsewhere."""

    kind = "elu"
    title = "ELU"
    overwrites = True
    each: ClassVar = {"comparisons": 1, "transcendentals": 1, "additions": 1, "multiplications": 1}
    alpha: float = f.real(1, doc="alpha")


class Sigmoid(Elementwise):
    """1/(1 + exp(-x))."""

    kind = "sigmoid"
    title = "sigmoid"
    kept = (OUTPUT,)
    each: ClassVar = {"transcendentals": 1, "additions": 1, "divisions": 1}


class Tanh(Elementwise):
    """tanh(x)."""

    kind = "tanh"
    title = "tanh"
    kept = (OUTPUT,)
    each: ClassVar = {"transcendentals": 1}


class ScaledTanh(Elementwise):
    """A*tanh(S*x), LeNet-5's squashing function (LeCun et al. 1998, eq. 6)."""

    kind = "scaledtanh"
    title = "scaled tanh"
    each: ClassVar = {"transcendentals": 1, "multiplications": 2}
    amplitude: float = f.real(1.7159, doc="A")
    slope: float = f.real(2 / 3, doc="S")

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (Saved("tanh", elements=per_output(outputs)),)  # before A


class HardSigmoid(Elementwise):
    """min(max(x + 3, 0), 6)/6 (Howard et al. 2019)."""

    kind = "hardsigmoid"
    title = "hard sigmoid"
    overwrites = True
    each: ClassVar = {"additions": 1, "comparisons": 2, "divisions": 1}


class HardSwish(Elementwise):
    """x times its hard sigmoid (Howard et al. 2019)."""

    kind = "hardswish"
    title = "hard swish"
    overwrites = True
    each: ClassVar = {"additions": 1, "comparisons": 2, "divisions": 1, "multiplications": 1}


class SiLU(Elementwise):
    """x times its sigmoid, also called swish (Ramachandran et al. 2017)."""

    kind = "silu"
    title = "SiLU"
    overwrites = True
    each: ClassVar = {"transcendentals": 1, "additions": 1, "divisions": 1, "multiplications": 1}


class GELU(Elementwise):
    """x/2*(1 + erf(x/sqrt(2))) (Hendrycks & Gimpel 2016)."""

    kind = "gelu"
    title = "GELU"
    each: ClassVar = {"divisions": 2, "transcendentals": 1, "additions": 1, "multiplications": 1}


class Softplus(Elementwise):
    """log(1 + exp(x))."""

    kind = "softplus"
    title = "softplus"
    each: ClassVar = {"transcendentals": 2, "additions": 1}


class Complement(Elementwise):
    """1 - x: what a gate x leaves (the carry gate of Srivastava et al. 2015, Highway networks)."""

    kind = "complement"
    title = "1 - x"
    kept = ()
    each: ClassVar = {"additions": 1}


class Softmax(Weightless):
    """exp(x)/sum(exp(x)) over the channels, at each position."""

    kind = "softmax"
    title = "softmax"
    role = "softmax"  # an output of its own in papers' tables: never folded

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return inputs

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {
            "transcendentals": per_output(outputs),
            "additions": _less_one_a_vector(outputs),
            "divisions": per_output(outputs),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (OUTPUT,)


def _less_one_a_vector(outputs: Shapes) -> Derived:
    """n-1 additions for each vector of n channels."""
    text, values = elements(outputs[0])
    channels = text.rsplit("*", 1)[-1]
    positions = text.rsplit("*", 1)[0] if "*" in text else ""
    return formula(f"{positions}*({channels} - 1)" if positions else f"{channels} - 1")(**values)


class Dropout(Elementwise):
    """Dropout (Srivastava et al. 2014): nothing at inference."""

    kind = "dropout"
    title = "dropout"
    role = "dropout"
    each: ClassVar = {}
    rate: float = f.real(0.5, doc="share of elements that training drops", maximum=1)

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        """The mask, in the network's dtype; one zero does where all is dropped."""
        if self.rate == 0:
            return ()
        if self.rate == 1:
            return (Saved("mask", elements=constant(1), each=False),)
        return (Saved("mask", elements=per_output(outputs)),)

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return not training or self.rate == 0
