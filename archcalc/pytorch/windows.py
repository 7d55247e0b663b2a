"""Padding that PyTorch's modules can't say: other zeros before than after, TensorFlow's `same`.

Where a module of PyTorch takes the padding, it is left to it. Otherwise the input is padded (or
cut) here first, by what follows from the fields and the sizes that come in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch.nn import functional

from archcalc.pytorch.base import each_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Pair = tuple[int, int]


class Sides(NamedTuple):
    """Padding as a spec says it, an axis: numbers before and after, or a word."""

    padding: tuple[Any, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil: bool = False

    def of(self, sizes: Sequence[int]) -> list[Pair]:
        """What is added before and after axes of these sizes."""
        fields = zip(sizes, self.padding, self.kernel, self.stride, self.dilation, strict=True)
        return [self._axis(*one) for one in fields]

    def _axis(self, n: int, padding: Any, kernel: int, stride: int, dilation: int) -> Pair:
        reach = dilation * (kernel - 1) + 1
        if padding in ("same", "same_tf"):  # an output for every stride-th input
            total = max((-(-n // stride) - 1) * stride + reach - n, 0)
            return total // 2, total - total // 2  # the odd zero at the end
        before, after = pair(padding)
        if self.ceil:
            windows = -(-(n + before + after - reach) // stride) + 1
            if (windows - 1) * stride >= n + before:  # it would begin in the padding at the end
                windows -= 1
            after = (windows - 1) * stride + reach - n - before
        return before, after


def pair(padding: Any) -> Pair:
    """Zeros before and after, where they don't depend on the input."""
    if padding == "valid":
        return 0, 0
    return padding if isinstance(padding, tuple) else (padding, padding)


def sides(op: Any, rank: int, stride: tuple[int, ...]) -> Sides:
    """The padding of an op with kernel, padding, dilation and ceil, its stride given."""
    padding, kernel = each_axis(op.padding, rank), each_axis(op.kernel, rank)
    return Sides(padding, kernel, stride, each_axis(op.dilation, rank), op.ceil)


def symmetric(sides: Sides) -> tuple[int, ...] | None:
    """The padding as modules take it, one number an axis; None where they can't.

    With stride 1 and an odd reach, `same` is (reach - 1)/2 on both sides of any input.
    """
    found = []
    for padding, kernel, stride, dilation in zip(*sides[:4], strict=True):
        reach = dilation * (kernel - 1) + 1
        if padding in ("same", "same_tf"):
            before, after = (reach // 2, reach // 2) if stride == 1 and reach % 2 else (0, 1)
        else:
            before, after = pair(padding)
        if before != after:
            return None
        found.append(before)
    return tuple(found)


def padded(x: Tensor, pairs: Sequence[Pair], value: float = 0.0) -> Tensor:
    """`x` of shape (batch, channels, *spatial) with that much around its spatial axes."""
    if not any(map(any, pairs)):
        return x
    return functional.pad(x, [side for one in reversed(pairs) for side in one], value=value)
