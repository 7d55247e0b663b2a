"""Joins that compute: add and multiply; concat is in shape.py."""

from __future__ import annotations

from functools import reduce
from operator import add as plus
from operator import mul
from typing import TYPE_CHECKING

from torch import Tensor, nn

from archcalc.ops.join import Add, Multiply
from archcalc.pytorch.base import builds

if TYPE_CHECKING:
    from archcalc.ops.base import Shapes


class Sum(nn.Module):
    """The sum of tensors of one shape."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return reduce(plus, inputs)


@builds(Add)
def add(op: Add, inputs: Shapes) -> nn.Module:
    return Sum()


class Product(nn.Module):
    """The product of tensors; one of (batch, channels) holds for all positions."""

    def forward(self, *inputs: Tensor) -> Tensor:
        axes = max(x.dim() for x in inputs)
        return reduce(mul, (x[(..., *(None,) * (axes - x.dim()))] for x in inputs))


@builds(Multiply)
def multiply(op: Multiply, inputs: Shapes) -> nn.Module:
    return Product()
