"""torchinfo: each parameter times the positions of the output, or once where it is no convolution.

torchinfo 1.8.0, layer_info.py (`LayerInfo.calculate_macs`): a convolution is a class with "Conv" in
its name; its `weight` and `bias` count at each output position. Elsewhere `weight` and `bias` count
once an input of the batch: a linear's bias, but of a batch norm only its 2 parameters a channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.tools.base import (
    Term,
    Tool,
    biases,
    both,
    shared_again,
    transposed_at_outputs,
)

if TYPE_CHECKING:
    from archcalc.analysis.tools.base import Rule
    from archcalc.ops import Facts


def _each_parameter(name: str) -> Rule:
    def rule(_: Any, facts: Facts) -> list[Term]:
        return [Term(f"{name}, 1 a parameter", facts.params)]

    return rule


TOOL = Tool(
    name="torchinfo",
    version="1.8.0",
    what="torchinfo.summary",
    source="torchinfo/layer_info.py",
    rules={
        "conv": biases,
        "convtranspose": both(transposed_at_outputs, biases),
        "linear": biases,
        "batchnorm": _each_parameter("batch norm"),
        "layernorm": _each_parameter("layer norm"),
        "groupnorm": _each_parameter("group norm"),
        "l2norm": _each_parameter("L2 norm"),
        "prelu": _each_parameter("PReLU"),
        "subsample": _each_parameter("subsampling"),
    },
    param_terms=shared_again,
)
