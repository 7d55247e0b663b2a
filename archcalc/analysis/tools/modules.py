"""Which of PyTorch's modules our layers become, as far as tools look at a module's type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.tools.base import rank

if TYPE_CHECKING:
    from archcalc.ops import Facts


def is_plain(op: Any, facts: Facts) -> bool:
    """Whether a sliding window is one of PyTorch's own modules.

    Those take the same number of zeros before and after, pools at most half their kernel. Others,
    and convolutions with a connection table, are modules of archcalc's own, which tools that look
    at a module's type don't know.
    """
    if getattr(op, "table", None) is not None:
        return False
    axes = _axes(op, rank(facts))
    sides = [_side(*axis) for axis in axes]
    if any(side is None for side in sides):
        return False
    if op.role != "pooling":
        return True
    return all(2 * (side or 0) <= k for side, (_, k, _, _) in zip(sides, axes, strict=True))


def _axes(op: Any, count: int) -> list[tuple[Any, int, int, int]]:
    stride = op.kernel if op.stride is None else op.stride
    fields = (op.padding, op.kernel, stride, op.dilation)
    each = (value if isinstance(value, tuple) else (value,) * count for value in fields)
    return list(zip(*each, strict=True))


def _side(padding: Any, kernel: int, stride: int, dilation: int) -> int | None:
    """The zeros on either side, None where they depend on the input or differ."""
    if padding == "valid":
        return 0
    if isinstance(padding, str):  # same: known beforehand with stride 1 and an odd reach
        before, odd = divmod(dilation * (kernel - 1), 2)
        return before if stride == 1 and not odd else None
    if isinstance(padding, tuple):
        return int(padding[0]) if padding[0] == padding[1] else None
    return int(padding)
