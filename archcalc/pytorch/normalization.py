"""Normalization: batch, layer, group, and AlexNet's local response normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archcalc.ops import normalization as ops
from archcalc.pytorch.base import builds, of_rank

if TYPE_CHECKING:
    from archcalc.ops.base import Shapes

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@builds(ops.BatchNorm)
def batch_norm(op: ops.BatchNorm, inputs: Shapes) -> nn.Module:
    rank = max(len(inputs[0]) - 1, 1)  # BatchNorm1d takes vectors, too
    module: nn.Module = of_rank(BATCH_NORMS, rank, op.kind)(inputs[0][0], affine=op.affine)
    return module


@builds(ops.LayerNorm)
def layer_norm(op: ops.LayerNorm, inputs: Shapes) -> nn.Module:
    return nn.LayerNorm(inputs[0], elementwise_affine=op.affine)


@builds(ops.GroupNorm)
def group_norm(op: ops.GroupNorm, inputs: Shapes) -> nn.Module:
    return nn.GroupNorm(op.groups, inputs[0][0], affine=op.affine)


class L2Norm(nn.Module):
    """Each position's channels over their length, times a scale a channel."""

    EPSILON = 1e-10

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None

    def reset_parameters(self) -> None:
        if self.weight is not None:
            nn.init.constant_(self.weight, 20)  # Liu et al. 2016 (SSD), section 3.1

    def forward(self, x: Tensor) -> Tensor:
        found = x / (x.square().sum(1, keepdim=True) + self.EPSILON).sqrt()
        if self.weight is None:
            return found
        return found * self.weight[(..., *(None,) * (x.dim() - 2))]


@builds(ops.L2Norm)
def l2_norm(op: ops.L2Norm, inputs: Shapes) -> nn.Module:
    return L2Norm(inputs[0][0], op.affine)


class LocalResponseNormOfVector(nn.LocalResponseNorm):
    """LocalResponseNorm of (batch, channels), which PyTorch's own refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.unsqueeze(-1)).squeeze(-1)


@builds(ops.LRN)
def lrn(op: ops.LRN, inputs: Shapes) -> nn.Module:
    """PyTorch divides alpha by the number of channels, Krizhevsky et al. 2012 does not."""
    chosen = nn.LocalResponseNorm if len(inputs[0]) > 1 else LocalResponseNormOfVector
    return chosen(op.size, float(op.alpha) * op.size, float(op.beta), float(op.k))
