"""The registry of builders: one function a layer kind, from its fields and input shapes.

A builder never asks an op for its computed facts (shapes, parameters, counts, windows): what it
makes is then a second witness of them. Modules are made on the meta device; `model` gives them
memory and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import LayerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from archcalc.ops import Op
    from archcalc.ops.base import Shapes

    Builder = Callable[[Any, Shapes], nn.Module]

BUILDERS: dict[type[Op], Builder] = {}


def builds(kind: type[Op]) -> Callable[[Builder], Builder]:
    """Register a function as the builder of a layer kind."""

    def register(builder: Builder) -> Builder:
        BUILDERS[kind] = builder
        return builder

    return register


def of_rank(classes: tuple[Any, ...], rank: int, kind: str) -> Any:
    """PyTorch's class for that many spatial axes; it has them for 1, 2 and 3.

    Raises LayerError for other ranks.
    """
    if 1 <= rank <= len(classes):
        return classes[rank - 1]
    raise LayerError(
        f"{kind}: expected 1 to {len(classes)} spatial axes to build it in PyTorch, received {rank}"
    )


def each_axis(value: Any, rank: int) -> tuple[Any, ...]:
    """A field with one value for all axes, or one an axis."""
    return value if isinstance(value, tuple) else (value,) * rank
