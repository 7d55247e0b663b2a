"""PyTorch's FlopCounterMode: convolutions and matrix products, 2 FLOPs a multiply-accumulate.

PyTorch 2.13, torch/utils/flop_counter.py. It sees the operators that are dispatched, whatever
module or function they come from, so that it agrees with archcalc on every kind: a convolution at
its outputs, a transposed one at its inputs, no biases. It counts no parameters.
"""

from __future__ import annotations

from archcalc.analysis.tools.base import Tool

TOOL = Tool(
    name="torch",
    version="2.13.0",
    what="torch.utils.flop_counter.FlopCounterMode",
    source="torch/utils/flop_counter.py",
    rules={},
    param_terms=None,
    unit=2,
)
