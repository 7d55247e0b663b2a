"""Activations, softmax and dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archcalc.ops import activation as ops
from archcalc.pytorch.base import BUILDERS, builds

if TYPE_CHECKING:
    from archcalc.ops import Op
    from archcalc.ops.base import Shapes


def _plain(module: type[nn.Module]) -> Any:
    return lambda op, inputs: module()


_WITHOUT_FIELDS: dict[type[Op], type[nn.Module]] = {
    ops.ReLU: nn.ReLU,
    ops.ReLU6: nn.ReLU6,
    ops.Sigmoid: nn.Sigmoid,
    ops.Tanh: nn.Tanh,
    ops.HardSigmoid: nn.Hardsigmoid,
    ops.HardSwish: nn.Hardswish,
    ops.SiLU: nn.SiLU,
    ops.GELU: nn.GELU,
    ops.Softplus: nn.Softplus,
}
BUILDERS.update({kind: _plain(module) for kind, module in _WITHOUT_FIELDS.items()})


@builds(ops.LeakyReLU)
def leaky_relu(op: ops.LeakyReLU, inputs: Shapes) -> nn.Module:
    return nn.LeakyReLU(float(op.slope))


@builds(ops.PReLU)
def prelu(op: ops.PReLU, inputs: Shapes) -> nn.Module:
    return nn.PReLU(1 if op.shared else inputs[0][0])


@builds(ops.ELU)
def elu(op: ops.ELU, inputs: Shapes) -> nn.Module:
    return nn.ELU(float(op.alpha))


class ScaledTanh(nn.Module):
    """A*tanh(S*x) (LeCun et al. 1998, equation 6)."""

    def __init__(self, amplitude: float, slope: float) -> None:
        super().__init__()
        self.amplitude = amplitude
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return self.amplitude * torch.tanh(self.slope * x)

    def extra_repr(self) -> str:
        return f"amplitude={self.amplitude}, slope={self.slope}"


@builds(ops.ScaledTanh)
def scaled_tanh(op: ops.ScaledTanh, inputs: Shapes) -> nn.Module:
    return ScaledTanh(float(op.amplitude), float(op.slope))


class Complement(nn.Module):
    """1 - x."""

    def forward(self, x: Tensor) -> Tensor:
        return 1 - x


@builds(ops.Complement)
def complement(op: ops.Complement, inputs: Shapes) -> nn.Module:
    return Complement()


@builds(ops.Softmax)
def softmax(op: ops.Softmax, inputs: Shapes) -> nn.Module:
    return nn.Softmax(dim=1)


@builds(ops.Dropout)
def dropout(op: ops.Dropout, inputs: Shapes) -> nn.Module:
    return nn.Dropout(float(op.rate))
