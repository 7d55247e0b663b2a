"""All builders; each family's lie in the file that its ops have in `archcalc.ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.pytorch import activation, conv, join, linear, normalization, pooling, regions, shape
from archcalc.pytorch.base import BUILDERS

if TYPE_CHECKING:
    from torch import nn

    from archcalc.ops import Op
    from archcalc.ops.base import Shapes

__all__ = ["BUILDERS", "build_layer"]

FAMILIES = (activation, conv, join, linear, normalization, pooling, regions, shape)


def build_layer(op: Op, inputs: Shapes) -> nn.Module:
    """The module of one layer for inputs of these shapes (channels first, without the batch).

    Raises LayerError where PyTorch has none.
    """
    return BUILDERS[type(op)](op, inputs)
