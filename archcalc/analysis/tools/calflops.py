"""calflops: multiply-accumulates of the convolution and linear functions that it watches.

calflops 0.3.2, pytorch_ops.py; its MACs, of which its FLOPs are another count. It replaces
functions of torch.nn.functional while the model runs. A function that was taken before is not seen:
those of convolutions with a connection table. It fails on upsampling by a scale for each axis.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archcalc.analysis.tools.base import Term, Tool, kernel, missed, nothing, where

if TYPE_CHECKING:
    from archcalc.ops import Facts


def _transposed(op: Any, facts: Facts) -> list[Term]:
    """Its output channels are already those of one group; it divides by the groups again."""
    channels, *spatial = facts.inputs[0]
    fan_out = op.out // op.groups // op.groups
    counted = math.prod(spatial) * channels * fan_out * kernel(op, facts)
    name = "grouped transposed convolution divided by its groups twice (bug)"
    return [Term(name, counted - facts.mult_adds)]


TOOL = Tool(
    name="calflops",
    version="0.3.2",
    what="calflops.calculate_flops (its MACs)",
    source="calflops/pytorch_ops.py",
    rules={
        "conv": where(
            lambda op, facts: op.table is not None,
            missed("convolution by functions it does not see"),
        ),
        "convtranspose": _transposed,
    },
    param_terms=nothing,
)
