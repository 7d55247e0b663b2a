"""thop: by the exact type of each module; what it doesn't know has no operations and no params.

thop 0.1.1-2209072238: profile.py (which types), vision/basic_hooks.py and vision/calc_func.py
(how many).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archcalc.analysis.tools.base import (
    Term,
    Tool,
    missed,
    norm,
    outputs,
    per_element,
    per_output,
    rank,
    shared_again,
    transposed_at_outputs,
    where,
)
from archcalc.analysis.tools.modules import is_plain

if TYPE_CHECKING:
    from archcalc.graph import Node
    from archcalc.ops import Facts

# Kinds with parameters that become modules of a type it knows; sliding windows if they are plain.
_WINDOWS = ("conv", "convtranspose")
_KNOWN = ("linear", "batchnorm", "layernorm", "prelu")

_UPSAMPLING = {"nearest": 1, "linear": 5, "bilinear": 11}  # trilinear: not in its list


def _softmax(_: Any, facts: Facts) -> list[Term]:
    """Of n channels n exponentials, n - 1 additions, n divisions."""
    count = 3 * outputs(facts) - outputs(facts) // facts.outputs[0][0]
    return [Term("softmax, 3 an element less 1 a vector", count)]


def _adaptive(_: Any, facts: Facts) -> list[Term]:
    """Input over output sizes and 1 for each output, in floating point, then cut off."""
    sizes = zip(facts.inputs[0][1:], facts.outputs[0][1:], strict=True)
    window = math.prod(n / m for n, m in sizes)
    count = int((window + 1) * outputs(facts))
    return [Term("adaptive average pooling, a window and 1 an output", count)]


def _upsampling(op: Any, facts: Facts) -> list[Term]:
    linear = ("linear", "bilinear", "trilinear")[rank(facts) - 1]
    mode = linear if op.mode == "linear" else "nearest"
    rate = _UPSAMPLING.get(mode, 0)
    return [Term(f"{mode} upsampling, {rate} an output", rate * outputs(facts))]


def _params(node: Node) -> list[Term]:
    kind = node.op.kind
    if kind in _KNOWN or (kind in _WINDOWS and is_plain(node.op, node.facts)):
        return shared_again(node)
    if node.shared_with is not None:
        return []
    return [Term("parameters of types it does not know", -node.facts.params)]


TOOL = Tool(
    name="thop",
    version="0.1.1-2209072238",
    what="thop.profile",
    source="thop/vision/basic_hooks.py",
    rules={
        "conv": where(
            lambda op, facts: not is_plain(op, facts), missed("convolution of a type unknown to it")
        ),
        "convtranspose": where(
            is_plain, transposed_at_outputs, missed("convolution of a type unknown to it")
        ),
        "batchnorm": norm("batch norm", 4, 2),
        "layernorm": norm("layer norm", 4, 2),
        "prelu": per_element("PReLU"),
        "softmax": _softmax,
        "avgpool": where(is_plain, per_output("average pooling")),
        "adaptiveavgpool": _adaptive,
        "globalavgpool": _adaptive,
        "upsample": _upsampling,
    },
    param_terms=_params,
)
