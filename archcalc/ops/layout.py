"""How a view's elements lie in its input's memory: a stride per axis, the batch's first.

Shapes are those of whole tensors here, with the batch in front.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Strides = tuple[int, ...]


def in_one_piece(sizes: Sequence[int], strides: Strides) -> bool:
    """Whether the elements lie one after another, in their order and without gaps."""
    expected = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True


def strides_of(sizes: Sequence[int]) -> Strides:
    """The strides of a tensor in one piece."""
    found, expected = [], 1
    for size in reversed(sizes):
        found.append(expected)
        expected *= size
    return tuple(reversed(found))


def merged(sizes: Sequence[int], strides: Sequence[int]) -> int | None:
    """The stride of several axes as one; None where there is none, so that PyTorch copies."""
    longer = [pair for pair in zip(sizes, strides, strict=True) if pair[0] > 1]
    for (_, outer), (size, inner) in pairwise(longer):
        if outer != size * inner:
            return None
    return longer[-1][1] if longer else 1
