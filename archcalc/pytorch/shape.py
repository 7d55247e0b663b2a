"""Kinds that move data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcalc.ops import shape as ops
from archcalc.pytorch.base import builds, each_axis, of_rank
from archcalc.pytorch.windows import pair

if TYPE_CHECKING:
    from archcalc.ops.base import Shapes


@builds(ops.Identity)
def identity(op: ops.Identity, inputs: Shapes) -> nn.Module:
    return nn.Identity()


@builds(ops.Flatten)
def flatten(op: ops.Flatten, inputs: Shapes) -> nn.Module:
    return nn.Flatten()


class ChannelShuffle(nn.Module):
    """Channel i of group j becomes channel j of group i; nn.ChannelShuffle refuses vectors."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *spatial = x.shape
        grouped = x.reshape(batch, self.groups, channels // self.groups, *spatial)
        return grouped.transpose(1, 2).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


@builds(ops.ChannelShuffle)
def channel_shuffle(op: ops.ChannelShuffle, inputs: Shapes) -> nn.Module:
    return ChannelShuffle(op.groups)


class Pad(nn.Module):
    """Zeros around the channels and the spatial axes."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        super().__init__()
        self.pairs = pairs

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, [side for one in reversed(self.pairs) for side in one])

    def extra_repr(self) -> str:
        return str(self.pairs)


@builds(ops.Pad)
def pad(op: ops.Pad, inputs: Shapes) -> nn.Module:
    sides = (*each_axis(op.channels, 1), *each_axis(op.padding, len(inputs[0]) - 1))
    return Pad([pair(one) for one in sides])


class Slice(nn.Module):
    """start, start + step, ... before stop, along one axis."""

    def __init__(self, axis: int, start: int, stop: int | None, step: int) -> None:
        super().__init__()
        self.axis = axis
        self.along = slice(start, stop, step)

    def forward(self, x: Tensor) -> Tensor:
        every = slice(None)
        return x[(every, *(every,) * self.axis, self.along)]

    def extra_repr(self) -> str:
        return f"axis={self.axis}, {self.along}"


@builds(ops.Slice)
def slice_(op: ops.Slice, inputs: Shapes) -> nn.Module:
    return Slice(op.axis, op.start, op.stop, op.step)


class Split(nn.Module):
    """The channels in parts."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, self.sizes, dim=1)

    def extra_repr(self) -> str:
        return str(self.sizes)


@builds(ops.Split)
def split(op: ops.Split, inputs: Shapes) -> nn.Module:
    parts = op.parts
    if isinstance(parts, int):
        parts = (inputs[0][0] // parts,) * parts
    return Split(list(parts))


@builds(ops.Upsample)
def upsample(op: ops.Upsample, inputs: Shapes) -> nn.Module:
    rank = len(inputs[0]) - 1
    linear = of_rank(("linear", "bilinear", "trilinear"), rank, op.kind)
    scale = None if op.scale is None else tuple(map(float, each_axis(op.scale, rank)))
    size = None if op.size is None else each_axis(op.size, rank)
    return nn.Upsample(size, scale, linear if op.mode == "linear" else "nearest")


class Concat(nn.Module):
    """The channels of several tensors, one after another."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, dim=1)


@builds(ops.Concat)
def concat(op: ops.Concat, inputs: Shapes) -> nn.Module:
    return Concat()
