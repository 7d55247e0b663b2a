"""Normalization: batch, layer, group, and AlexNet's local response normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.errors import LayerError
from archcalc.formula import ZERO, Derived, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    INPUT,
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


class _Norm(Unweighted):
    """A scale and a shift for each channel; not a kind with weights in LeCun's sense."""

    role = "normalization"
    affine: bool = f.boolean(True, doc="a trainable scale and shift")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return inputs

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,)  # statistics are held constant

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        shape = inputs[0][:1]
        return (Parameter("weight", shape), Parameter("bias", shape)) if self.affine else ()

    def params(self, inputs: Shapes) -> Derived:
        return formula("2*c")(c=inputs[0][0]) if self.affine else ZERO


class BatchNorm(_Norm):
    """Batch normalization (Ioffe & Szegedy 2015) at inference: one scale and one shift."""

    kind = "batchnorm"
    title = "batch norm"

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        shape = inputs[0][:1]
        buffers = (Parameter("running_mean", shape, False), Parameter("running_var", shape, False))
        return super().parameters(inputs) + buffers

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        each = per_output(outputs)
        return {"multiplications": each, "additions": each}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        statistics = formula("2*c")(c=inputs[0][0])  # the batch's mean and deviation
        return INPUT, Saved("statistics", elements=statistics, each=False)


class _Statistics(_Norm):
    """Norms whose mean and variance come from the input itself, over groups of m elements.

    A group: sum m-1 and 1 division for the mean; m differences; m squares, sum m-1 and 1 division
    for the variance; 1 addition (epsilon) and 1 root; m divisions; then scale and shift.
    """

    def _groups(self, inputs: Shapes) -> int:
        raise NotImplementedError

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        text, values = elements(outputs[0])
        values["g"] = self._groups(inputs)
        affine = 1 if self.affine else 0
        return {  # n elements in g groups
            "additions": formula(f"{text}*(3 + a) - g")(**values, a=affine),
            "multiplications": formula(f"{text}*(1 + a)")(**_without(values, "g"), a=affine),
            "divisions": formula(f"{text} + 2*g")(**values),
            "transcendentals": formula("g")(g=values["g"]),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        statistics = formula("2*g")(g=self._groups(inputs))
        return INPUT, Saved("statistics", elements=statistics)


def _without(values: dict[str, int], name: str) -> dict[str, int]:
    return {key: value for key, value in values.items() if key != name}


class LayerNorm(_Statistics):
    """Layer normalization (Ba et al. 2016) over all of an input's elements.

    A scale and a shift for each element, as in the paper's equation 4.
    """

    kind = "layernorm"
    title = "layer norm"

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        shape = inputs[0]
        return (Parameter("weight", shape), Parameter("bias", shape)) if self.affine else ()

    def params(self, inputs: Shapes) -> Derived:
        text, values = elements(inputs[0], "in")
        return formula(f"2*{text}")(**values) if self.affine else ZERO

    def _groups(self, inputs: Shapes) -> int:
        return 1


class GroupNorm(_Statistics):
    """Group normalization (Wu & He 2018)."""

    kind = "groupnorm"
    title = "group norm"
    takes_one_piece = True
    groups: int = f.integer(doc="groups of channels that are normalized together")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        if inputs[0][0] % self.groups:
            raise LayerError(
                f"expected a divisor of the {inputs[0][0]} channels, received {self.groups}",
                field="groups",
            )
        return inputs

    def _groups(self, inputs: Shapes) -> int:
        return self.groups


class L2Norm(_Norm):
    """Each position's vector over its length, times a scale a channel (Liu et al. 2016, ParseNet).

    Per position of c channels: c squares, their sum and epsilon (c additions), 1 root, c divisions,
    and c products with the scale (equation 2 of ParseNet; SSD's conv4_3_norm).
    """

    kind = "l2norm"
    title = "L2 norm"
    affine: bool = f.boolean(True, doc="a trainable scale for each channel, without a shift")

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        return (Parameter("weight", inputs[0][:1]),) if self.affine else ()

    def params(self, inputs: Shapes) -> Derived:
        return formula("c")(c=inputs[0][0]) if self.affine else ZERO

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        text, values = elements((1, *outputs[0][1:]))
        return {
            "additions": per_output(outputs),
            "multiplications": per_output(outputs, "(1 + a)", a=1 if self.affine else 0),
            "divisions": per_output(outputs),
            "transcendentals": formula(text)(**values),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        text, values = elements((1, *inputs[0][1:]))
        lengths = Saved("lengths", elements=formula(text)(**values))
        quotients = Saved("quotients", elements=per_output(outputs))
        if not followed[0]:
            return (quotients,) if self.affine else ()
        return (INPUT, lengths, quotients) if self.affine else (INPUT, lengths)


class LRN(Weightless):
    """Local response normalization across channels (Krizhevsky et al. 2012, section 3.3).

    Per element, over n neighbouring channels: n squares, n-1 additions, 1 product with alpha,
    1 addition of k, 1 power, 1 division.
    """

    kind = "lrn"
    title = "local response norm"
    role = "normalization"
    size: int = f.integer(5, doc="neighbouring channels n")
    alpha: float = f.real(1e-4, doc="alpha")
    beta: float = f.real(0.75, doc="beta")
    k: float = f.real(2, doc="k")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return inputs

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {
            "multiplications": per_output(outputs, "(n + 1)", n=self.size),
            "additions": per_output(outputs, "n", n=self.size),
            "transcendentals": per_output(outputs),
            "divisions": per_output(outputs),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        """The input, and what lies between it and the output: PyTorch composes it of five steps."""
        text, values = elements((inputs[0][0] + self.size - 1, *inputs[0][1:]))
        return (
            INPUT,
            Saved("squares", elements=formula(text)(**values)),  # with zeros around the channels
            Saved("sums", elements=per_output(outputs)),
            Saved("powers", elements=per_output(outputs)),
        )
