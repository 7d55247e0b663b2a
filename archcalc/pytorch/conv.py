"""Convolution, dense, grouped and with a connection table, and transposed convolution."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcalc.ops.conv import Conv, ConvTranspose
from archcalc.pytorch.base import builds, each_axis, of_rank
from archcalc.pytorch.windows import Sides, padded, pair, sides, symmetric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.ops.base import Shapes


class _PaddedConv(nn.Module):
    """A convolution whose padding depends on its input, or is not the same on both sides."""

    sides: Sides

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = super().forward(padded(x, self.sides.of(x.shape[2:])))
        return result


class PaddedConv1d(_PaddedConv, nn.Conv1d):
    """Conv1d on a padded input."""


class PaddedConv2d(_PaddedConv, nn.Conv2d):
    """Conv2d on a padded input."""


class PaddedConv3d(_PaddedConv, nn.Conv3d):
    """Conv3d on a padded input."""


CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
PADDED_CONVS = (PaddedConv1d, PaddedConv2d, PaddedConv3d)
TRANSPOSED_CONVS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FUNCTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)


@builds(Conv)
def conv(op: Conv, inputs: Shapes) -> nn.Module:
    channels, rank = inputs[0][0], len(inputs[0]) - 1
    stride = each_axis(op.stride, rank)
    around = sides(op, rank, stride)
    if op.table is not None:
        of_rank(FUNCTIONS, rank, op.kind)
        return TableConv(op, channels, around)
    padding = symmetric(around)
    fields = {"stride": stride, "dilation": each_axis(op.dilation, rank), "groups": op.groups}
    sizes = (channels, op.out, each_axis(op.kernel, rank))
    if padding is not None:
        plain = of_rank(CONVS, rank, op.kind)
        return plain(*sizes, padding=padding, bias=op.bias, **fields)  # type: ignore[no-any-return]
    both, rest = _taken_itself(around)
    module: nn.Module = of_rank(PADDED_CONVS, rank, op.kind)(
        *sizes, padding=both, bias=op.bias, **fields
    )
    module.sides = rest  # type: ignore[assignment]
    return module


def _taken_itself(around: Sides) -> tuple[tuple[int, ...], Sides]:
    """The padding that a convolution takes on both sides, and the one that is left to be added.

    Of `same` that is the odd zero, as nn.Conv2d(padding="same") does it: its copy of the input is
    no larger than it has to be. All other padding that is not symmetric is added before.
    """
    if around.padding[0] not in ("same", "same_tf") or set(around.stride) != {1}:
        return (0,) * len(around.kernel), around
    totals = [d * (k - 1) for k, d in zip(around.kernel, around.dilation, strict=True)]
    odd = tuple((0, total % 2) for total in totals)
    return tuple(total // 2 for total in totals), around._replace(padding=odd)


class TableConv(nn.Module):
    """A convolution whose output maps see only the input maps a table lists (LeCun et al. 1998).

    `weight` holds one kernel for each connection, (connections, *kernel): nothing is masked.
    Neighbouring output maps that see equally many input maps are one grouped convolution.
    """

    def __init__(self, op: Conv, channels: int, around: Sides) -> None:
        super().__init__()
        rows = [row for rows in op.table or () for row in rows]
        self.channels = channels
        self.out = op.out
        self.sides = around
        self.parts = [(size, len(list(equal))) for size, equal in groupby(map(len, rows))]
        self.runs = list(_runs([index for row in rows for index in row]))
        planes = sum(stop - start for start, stop in self.runs)
        self.weight = nn.Parameter(torch.empty(planes, *around.kernel))
        self.bias = nn.Parameter(torch.empty(op.out)) if op.bias else None

    def forward(self, x: Tensor) -> Tensor:
        x = padded(x, self.sides.of(x.shape[2:]))
        x = torch.cat([x[:, start:stop] for start, stop in self.runs], dim=1)
        _, _, stride, dilation, _ = self.sides
        convolve = FUNCTIONS[len(stride) - 1]
        found, start = [], 0
        for size, rows in self.parts:
            planes = slice(start, start + size * rows)
            weight = self.weight[planes].view(rows, size, *self.sides.kernel)
            found.append(convolve(x[:, planes], weight, None, stride, 0, dilation, rows))
            start = planes.stop
        result = torch.cat(found, dim=1)
        if self.bias is None:
            return result
        return result + self.bias.view(-1, *(1 for _ in stride))

    def extra_repr(self) -> str:
        return f"{self.channels}, parts={self.parts}, {self.sides}"


def _runs(maps: list[int]) -> Iterator[tuple[int, int]]:
    """Maps one after another as ranges, each up to the map that doesn't follow."""
    start = before = maps[0]
    for index in maps[1:]:
        if index != before + 1:
            yield start, before + 1
            start = index
        before = index
    yield start, before + 1


class _CutConvTranspose(nn.Module):
    """A transposed convolution that takes away more on one side than on the other."""

    cut: list[tuple[int, int]]

    def forward(self, x: Tensor) -> Tensor:
        whole: Tensor = super().forward(x)
        return padded(whole, [(-before, -after) for before, after in self.cut])


class CutConvTranspose1d(_CutConvTranspose, nn.ConvTranspose1d):  # type: ignore[misc]
    """ConvTranspose1d, cut."""


class CutConvTranspose2d(_CutConvTranspose, nn.ConvTranspose2d):  # type: ignore[misc]
    """ConvTranspose2d, cut."""


class CutConvTranspose3d(_CutConvTranspose, nn.ConvTranspose3d):  # type: ignore[misc]
    """ConvTranspose3d, cut."""


CUT_CONVS = (CutConvTranspose1d, CutConvTranspose2d, CutConvTranspose3d)


@builds(ConvTranspose)
def conv_transpose(op: ConvTranspose, inputs: Shapes) -> nn.Module:
    channels, rank = inputs[0][0], len(inputs[0]) - 1
    stride = each_axis(op.stride, rank)
    padding = symmetric(sides(op, rank, stride))
    fields: dict[str, Any] = {
        "stride": stride,
        "dilation": each_axis(op.dilation, rank),
        "groups": op.groups,
        "output_padding": each_axis(op.extra, rank),
        "bias": op.bias,
    }
    sizes = (channels, op.out, each_axis(op.kernel, rank))
    if padding is not None:
        plain = of_rank(TRANSPOSED_CONVS, rank, op.kind)
        return plain(*sizes, padding=padding, **fields)  # type: ignore[no-any-return]
    module: nn.Module = of_rank(CUT_CONVS, rank, op.kind)(*sizes, **fields)
    module.cut = [pair(one) for one in each_axis(op.padding, rank)]  # type: ignore[assignment]
    return module
