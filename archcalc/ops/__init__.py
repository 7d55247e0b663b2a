"""Layer kinds: one class each, one file a family, registered here by the name specs use."""

from __future__ import annotations

from archcalc.ops import activation, conv, join, linear, normalization, pooling, regions, shape
from archcalc.ops.base import OPERATIONS, Facts, Op, Parameter, spelled

__all__ = ["KINDS", "OPERATIONS", "Facts", "Op", "Parameter", "spelled"]

_FAMILIES = (conv, linear, pooling, normalization, activation, shape, join, regions)

KINDS: dict[str, type[Op]] = {
    value.kind: value
    for family in _FAMILIES
    for value in vars(family).values()
    if isinstance(value, type) and issubclass(value, Op) and value.kind
}
