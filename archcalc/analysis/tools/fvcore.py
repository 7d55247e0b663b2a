"""fvcore: what it calls flops are multiply-accumulates, and a few per-element counts.

fvcore 0.1.5.post20221221, nn/flop_count.py (which operators it counts) and nn/jit_handles.py (how).
It follows the traced operators, not the modules, so that functions count as modules do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.tools.base import (
    Tool,
    norm,
    nothing,
    per_input,
    per_output,
    per_sample,
    rank,
    where,
)

if TYPE_CHECKING:
    from archcalc.ops import Facts


def _images(_: Any, facts: Facts) -> bool:
    """It knows only the operators for two spatial axes."""
    return rank(facts) == 2


_ADAPTIVE = where(_images, per_input("adaptive average pooling"))

TOOL = Tool(
    name="fvcore",
    version="0.1.5.post20221221",
    what="fvcore.nn.FlopCountAnalysis",
    source="fvcore/nn/jit_handles.py",
    rules={
        "batchnorm": norm("batch norm", 2, 1),
        "layernorm": norm("layer norm", 5, 4),
        "groupnorm": norm("group norm", 5, 4),
        "adaptiveavgpool": _ADAPTIVE,
        "globalavgpool": _ADAPTIVE,
        "roialign": per_sample("sampling of regions", 4),
        "upsample": where(
            _images,
            where(
                lambda op, facts: op.mode == "nearest",
                per_output("nearest upsampling"),
                per_output("bilinear upsampling", 4),
            ),
        ),
    },
    param_terms=nothing,
)
