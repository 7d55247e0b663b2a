"""Fully connected kinds: linear, and LeNet-5's radial basis functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archcalc.ops.linear import RBF, Linear
from archcalc.pytorch.base import builds

if TYPE_CHECKING:
    from archcalc.ops.base import Shapes


@builds(Linear)
def linear(op: Linear, inputs: Shapes) -> nn.Module:
    return nn.Linear(inputs[0][0], op.out, bias=op.bias)


class RadialBasis(nn.Module):
    """Squared distances to fixed centres (LeCun et al. 1998, equation 7).

    (batch, features) becomes (batch, centres). The paper's centres are bitmaps of -1 and 1.
    """

    centres: Tensor

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.empty(out, features))

    def forward(self, x: Tensor) -> Tensor:
        difference = x.unsqueeze(1) - self.centres
        return (difference * difference).sum(-1)

    def extra_repr(self) -> str:
        return f"{self.centres.shape[1]}, {self.centres.shape[0]}"


@builds(RBF)
def rbf(op: RBF, inputs: Shapes) -> nn.Module:
    return RadialBasis(inputs[0][0], op.out)
