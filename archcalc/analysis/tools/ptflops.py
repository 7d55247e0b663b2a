"""ptflops: by the exact type of each module, and by the functions it calls: some count twice.

ptflops 0.7.5, its default backend: pytorch_ops.py (how many, by module and by function) and
pytorch_engine.py (which functions are watched). A ReLU module counts its elements, and then the
function that it calls counts them again; so do PReLU, ELU, GELU, pools and upsampling.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archcalc.analysis.tools.base import (
    Term,
    Tool,
    biases,
    inputs,
    missed,
    norm,
    nothing,
    outputs,
    per_element,
    per_input,
    per_output,
    per_sample,
    where,
)
from archcalc.analysis.tools.modules import is_plain

if TYPE_CHECKING:
    from archcalc.ops import Facts

_TWICE = "(as module and as function)"


def _layer_norm(_: Any, facts: Facts) -> list[Term]:
    """It asks for `affine`, which a layer norm calls otherwise: 1 an element."""
    return [Term("layer norm, 1 an element", inputs(facts))]


def _local_response_norm(op: Any, facts: Facts) -> list[Term]:
    """The function's square, its pooling of the padded channels, its product and its sum."""
    channels, *spatial = facts.inputs[0]
    padded = (channels + op.size - 1) * math.prod(spatial)
    name = "local response norm, 3 an element and its padded pooling"
    return [Term(name, 3 * inputs(facts) + padded)]


def _first_alone(_: Any, facts: Facts) -> list[Term]:
    """The module's hook takes the first of a batch for all of it."""
    name = "upsampling as module, of all but the first application (bug)"
    return [Term(name, -outputs(facts))]


_UNKNOWN = missed("convolution of a type unknown to it")
_POOL = per_input(f"pooling {_TWICE}", 2)
_SLIDING = where(is_plain, _POOL)

TOOL = Tool(
    name="ptflops",
    version="0.7.5",
    what="ptflops.get_model_complexity_info",
    source="ptflops/pytorch_ops.py",
    rules={
        "conv": where(is_plain, biases, _UNKNOWN),
        "convtranspose": where(is_plain, biases, _UNKNOWN),
        "linear": biases,
        "batchnorm": norm("batch norm", 2, 1),
        "groupnorm": norm("group norm", 2, 1),
        "layernorm": _layer_norm,
        "lrn": _local_response_norm,
        "relu": per_element(f"ReLU {_TWICE}", 2),
        "relu6": per_element("ReLU6"),
        "leakyrelu": per_element("leaky ReLU"),
        "prelu": per_element(f"PReLU {_TWICE}", 2),
        "elu": per_element(f"ELU {_TWICE}", 2),
        "gelu": per_element(f"GELU {_TWICE}", 2),
        "silu": per_element("SiLU"),
        "softmax": per_element("softmax"),
        "maxpool": _SLIDING,
        "avgpool": _SLIDING,
        "adaptiveavgpool": _POOL,
        "adaptivemaxpool": _POOL,
        "globalavgpool": _POOL,
        "globalmaxpool": _POOL,
        "upsample": per_output(f"upsampling {_TWICE}", 2),
        "roialign": where(
            lambda op, facts: op.samples > 1, per_sample("mean of the samples of regions")
        ),
    },
    param_terms=nothing,
    again={"upsample": _first_alone},
)
