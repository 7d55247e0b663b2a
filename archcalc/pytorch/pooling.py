"""Pooling: max, average, adaptive, global; trainable subsampling; max unpooling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcalc.ops import pooling as ops
from archcalc.pytorch.base import builds, each_axis, of_rank
from archcalc.pytorch.windows import Sides, padded, pair, sides, symmetric

if TYPE_CHECKING:
    from archcalc.ops.base import Shapes

MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVG_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE_AVG_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
ADAPTIVE_MAX_POOLS = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
MAX_POOLING: tuple[Any, ...] = (
    functional.max_pool1d_with_indices,
    functional.max_pool2d_with_indices,
    functional.max_pool3d_with_indices,
)
AVG_POOLING: tuple[Any, ...] = (
    functional.avg_pool1d,
    functional.avg_pool2d,
    functional.avg_pool3d,
)


def _around(op: Any, inputs: Shapes) -> Sides:
    rank = len(inputs[0]) - 1
    return sides(op, rank, each_axis(op.kernel if op.stride is None else op.stride, rank))


def _padding(around: Sides) -> tuple[int, ...] | None:
    """Padding as PyTorch's pools take it: at most half the kernel."""
    padding = symmetric(around)
    fits = padding and all(2 * p <= k for p, k in zip(padding, around.kernel, strict=True))
    return padding if fits else None


@builds(ops.MaxPool)
def max_pool(op: ops.MaxPool, inputs: Shapes) -> nn.Module:
    around = _around(op, inputs)
    padding = _padding(around)
    pool = of_rank(MAX_POOLS, len(around.kernel), op.kind)
    if padding is None:
        return PaddedMaxPool(around, op.switches)
    module: nn.Module = pool(
        around.kernel, around.stride, padding, around.dilation, op.switches, op.ceil
    )
    return module


class PaddedMaxPool(nn.Module):
    """Max pooling of an input padded here, with what no maximum is; the switches, too."""

    def __init__(self, around: Sides, switches: bool) -> None:
        super().__init__()
        self.sides = around
        self.switches = switches

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        sizes = x.shape[2:]
        pairs = self.sides.of(sizes)
        x = padded(x, pairs, -math.inf)
        kernel, stride, dilation = self.sides[1:4]
        pool = MAX_POOLING[len(kernel) - 1]
        values, places = pool(x, kernel, stride, 0, dilation)
        if not self.switches:
            return values  # type: ignore[no-any-return]
        return values, _moved(places, x.shape[2:], sizes, [before for before, _ in pairs])

    def extra_repr(self) -> str:
        return str(self.sides)


def _moved(places: Tensor, padded_sizes: Any, sizes: Any, before: list[int]) -> Tensor:
    """Places counted in a padded input, as places in the input itself."""
    found = torch.zeros_like(places)
    step = 1
    for wide, size, first in reversed(list(zip(padded_sizes, sizes, before, strict=True))):
        found = found + (places % wide - first) * step
        places = places // wide
        step *= size
    return found


@builds(ops.AvgPool)
def avg_pool(op: ops.AvgPool, inputs: Shapes) -> nn.Module:
    around = _around(op, inputs)
    padding = _padding(around)
    pool = of_rank(AVG_POOLS, len(around.kernel), op.kind)
    smaller = any(k > n for k, n in zip(around.kernel, inputs[0][1:], strict=True))
    if padding is None or (smaller and pool is nn.AvgPool3d):  # it refuses that, the others don't
        return PaddedAvgPool(around, op.count_padding)
    module: nn.Module = pool(around.kernel, around.stride, padding, op.ceil, op.count_padding)
    return module


class PaddedAvgPool(nn.Module):
    """Average pooling of an input padded here, over the inputs or the padding besides."""

    def __init__(self, around: Sides, count_padding: bool) -> None:
        super().__init__()
        self.sides = around
        self.count_padding = count_padding

    def forward(self, x: Tensor) -> Tensor:
        pairs = self.sides.of(x.shape[2:])
        counted = torch.ones_like(x[:1, :1])
        if self.count_padding:  # what a last window overhangs is not counted
            declared = self.sides._replace(ceil=False).of(x.shape[2:])
            kept = [(b, min(a, after)) for (b, a), (_, after) in zip(pairs, declared, strict=True)]
            rest = [(0, a - k) for (_, a), (_, k) in zip(pairs, kept, strict=True)]
            counted = padded(padded(counted, kept, 1.0), rest)
        else:
            counted = padded(counted, pairs)
        kernel, stride = self.sides.kernel, self.sides.stride
        pool = AVG_POOLING[len(kernel) - 1]
        result: Tensor = pool(padded(x, pairs), kernel, stride) / pool(counted, kernel, stride)
        return result

    def extra_repr(self) -> str:
        return f"{self.sides}, count_padding={self.count_padding}"


@builds(ops.AdaptiveAvgPool)
def adaptive_avg_pool(op: ops.AdaptiveAvgPool, inputs: Shapes) -> nn.Module:
    return _adaptive(ADAPTIVE_AVG_POOLS, op.size, op, inputs)


@builds(ops.AdaptiveMaxPool)
def adaptive_max_pool(op: ops.AdaptiveMaxPool, inputs: Shapes) -> nn.Module:
    return _adaptive(ADAPTIVE_MAX_POOLS, op.size, op, inputs)


@builds(ops.GlobalAvgPool)
def global_avg_pool(op: ops.GlobalAvgPool, inputs: Shapes) -> nn.Module:
    return _adaptive(ADAPTIVE_AVG_POOLS, 1, op, inputs)


@builds(ops.GlobalMaxPool)
def global_max_pool(op: ops.GlobalMaxPool, inputs: Shapes) -> nn.Module:
    return _adaptive(ADAPTIVE_MAX_POOLS, 1, op, inputs)


def _adaptive(classes: tuple[Any, ...], size: Any, op: Any, inputs: Shapes) -> nn.Module:
    rank = len(inputs[0]) - 1
    sizes = each_axis(size, rank)
    module: nn.Module = of_rank(classes, rank, op.kind)(sizes[0] if rank == 1 else sizes)
    return module


class Subsample(nn.Module):
    """The sum of each window, times a weight, plus a bias, one pair a map (LeCun et al. 1998)."""

    def __init__(self, channels: int, around: Sides) -> None:
        super().__init__()
        self.sides = around
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def reset_parameters(self) -> None:
        """Begin as average pooling."""
        nn.init.constant_(self.weight, 1 / math.prod(self.sides.kernel))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.sides.kernel, self.sides.stride
        pool = AVG_POOLING[len(kernel) - 1]
        total = pool(padded(x, self.sides.of(x.shape[2:])), kernel, stride) * math.prod(kernel)
        each = (-1, *(1 for _ in kernel))
        result: Tensor = total * self.weight.view(each) + self.bias.view(each)
        return result

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, {self.sides}"


@builds(ops.Subsample)
def subsample(op: ops.Subsample, inputs: Shapes) -> nn.Module:
    around = _around(op, inputs)
    of_rank(AVG_POOLING, len(around.kernel), op.kind)
    return Subsample(inputs[0][0], around)


class MaxUnpool(nn.Module):
    """Each value back at its place, zero elsewhere; `sizes` of the output are fixed or follow."""

    def __init__(self, around: Sides, sizes: tuple[int, ...] | None) -> None:
        super().__init__()
        self.sides = around
        self.sizes = sizes

    def forward(self, x: Tensor, switches: Tensor) -> Tensor:
        sizes = self.sizes or self._sizes(x)
        flat = x.new_zeros(*x.shape[:2], math.prod(sizes))
        return flat.scatter(2, switches.flatten(2), x.flatten(2)).view(*x.shape[:2], *sizes)

    def _sizes(self, x: Tensor) -> tuple[int, ...]:
        fields = zip(x.shape[2:], self.sides.stride, self.sides.kernel, strict=True)
        pairs = map(pair, self.sides.padding)
        return tuple(
            (n - 1) * s + k - before - after
            for (n, s, k), (before, after) in zip(fields, pairs, strict=True)
        )

    def extra_repr(self) -> str:
        return f"{self.sides}, sizes={self.sizes}"


@builds(ops.MaxUnpool)
def max_unpool(op: ops.MaxUnpool, inputs: Shapes) -> nn.Module:
    around = _around(op, inputs)
    sizes = None if op.size is None else each_axis(op.size, len(around.kernel))
    return MaxUnpool(around, sizes)
