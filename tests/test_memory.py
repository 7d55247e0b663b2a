"""Memory: by hand, as notes on VGG-16 print it, and as PyTorch really keeps it.

Nothing here comes from archcalc's own output: sizes are products written by hand, saved tensors
those that autograd's hooks are given, live ones the storages that exist while a model runs.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from command import bad, good
from random_specs import OF_VECTORS, PLAIN, Drawer, Limits, draw_spec
from view_graphs import draw_views
from zoo import NETWORKS, REPEATED

import archcalc
from archcalc.analysis.memory import OPTIMIZERS, SHOWN
from archcalc.errors import SettingError
from archcalc.graph import GraphBuilder, Output
from archcalc.ops import KINDS
from archcalc.pytorch.builders import build_layer
from archcalc.pytorch.model import build, initialize, layers
from archcalc.pytorch.saved import in_place, layerwise_bytes, peak_bytes, saved_bytes
from archcalc.report.figures import percent
from archcalc.spec import library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.analysis.memory import Memory
    from archcalc.graph import Graph
    from archcalc.ops import Op

Shape = tuple[int, ...]

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"


def memory(text: str, **options: Any) -> Memory:
    """The memory of a spec's text."""
    chosen = {"in_place": options.pop("in_place", False)}
    spec = library.parse(text, "small.yaml")
    return archcalc.memory(archcalc.analyze(spec, **options), **chosen)


def live(found: Memory) -> dict[str, int]:
    """Elements alive while each layer runs."""
    rows = found.analysis.layers
    size = found.analysis.itemsize
    return {row.name: found.live[i] // size for i, row in enumerate(rows, start=1)}


def saved(found: Memory) -> dict[str, int]:
    """Bytes that each layer adds to what autograd keeps."""
    return {row.name: found.saved[i] for i, row in enumerate(found.analysis.layers, start=1)}


# Inference, by hand.

CHAIN = """
input: [3, 8, 8]
layers:
  - conv: {name: conv, out: 4, kernel: 3, padding: 1}   # 3*8*8 = 192 in, 4*8*8 = 256 out
  - relu: {name: relu}                                  # 256
  - maxpool: {name: pool, kernel: 2}                    # 4*4*4 = 64
  - flatten: {name: flat}                               # the same 64
  - linear: {name: fc, out: 10}                         # 10
"""


def test_a_chain() -> None:
    found = memory(CHAIN)
    assert live(found) == {
        "conv": 192 + 256, "relu": 256 + 256, "pool": 256 + 64, "flat": 64, "fc": 64 + 10
    }  # fmt: skip
    assert (found.peak, found.peak_at.path) == (4 * 512, "relu")
    assert found.activations == 4 * (192 + 256 + 256 + 64 + 10)


def test_a_chain_in_place() -> None:
    found = memory(CHAIN, in_place=True)
    assert live(found) == {
        "conv": 192 + 256, "relu": 256, "pool": 256 + 64, "flat": 64, "fc": 64 + 10
    }  # fmt: skip
    assert (found.peak, found.peak_at.path) == (4 * 448, "conv")
    assert found.activations == 4 * (192 + 256 + 64 + 10)


def test_a_chain_in_a_batch_of_halves() -> None:
    found = memory(CHAIN, batch=5, dtype="float16")
    assert found.peak == 5 * 2 * 512
    assert found.weights == 2 * (4 * 28 + 10 * 65)  # which no batch changes


RESIDUAL = """
input: [4, 6, 6]
layers:
  - conv: {name: stem, out: 4, kernel: 3, padding: 1}
  - add:
      name: sum
      skip: []
      body:
        - relu: {name: relu}
        - conv: {name: conv, out: 4, kernel: 3, padding: 1}
  - sigmoid: {name: end}
"""


def test_a_residual_block_has_three_tensors_at_its_addition() -> None:
    one = 4 * 6 * 6
    found = memory(RESIDUAL)
    assert list(live(found).values()) == [2 * one, 2 * one, 3 * one, 3 * one, 2 * one]
    assert found.peak == 4 * 3 * one
    assert found.analysis.graph.nodes[4].op.kind == "add"
    assert [term.name for term in found.live_bytes(found.analysis.graph.nodes[4]).terms] == [
        "stem", "body/conv", "sum"
    ]  # fmt: skip


def test_nothing_is_written_over_a_tensor_that_others_need() -> None:
    """The shortcut needs what the body's ReLU takes."""
    assert live(memory(RESIDUAL, in_place=True)) == live(memory(RESIDUAL))


def test_nothing_is_written_over_the_networks_input_or_output() -> None:
    text = """
input: [2, 3, 3]
layers: [relu: {name: a}, relu: {name: b}, relu: {name: c}]
outputs: [a, c]
"""
    assert list(live(memory(text)).values()) == [36, 36, 54]
    assert list(live(memory(text, in_place=True)).values()) == [36, 36, 36]


def test_parts_of_a_split_hold_the_whole() -> None:
    text = """
input: [8, 2, 2]
layers:
  - conv: {name: conv, out: 8, kernel: 1}
  - split: {name: halves, parts: 2}
  - relu: {name: left, from: halves.0}
  - sigmoid: {name: right, from: left}
  - slice: {name: some, from: halves.1, stop: 2}
  - slice: {name: few, from: right, stop: 2}
  - concat: {name: end, from: [some, few]}
"""
    found = live(memory(text))
    assert found == {
        "conv": 32 + 32, "halves": 32, "left": 32 + 16, "right": 32 + 16 + 16,
        "some": 32 + 16, "few": 32 + 16, "end": 32 + 16 + 16,
    }  # fmt: skip


def test_switches_are_whole_numbers_of_eight_bytes() -> None:
    text = """
input: [1, 4, 4]
layers:
  - maxpool: {name: down, kernel: 2, switches: true}
  - maxunpool: {name: up, kernel: 2, switches: down}
"""
    found = memory(text)
    assert found.live[1:] == [4 * 16 + 4 * 4 + 8 * 4, 4 * 4 + 8 * 4 + 4 * 16]


# VGG-16 as the CS231n notes print it (Stanford, "Convolutional Networks", Case studies, VGGNet in
# detail): the memory of each volume. Their total, 24M, is not the sum of these lines, 15.2M.

CS231N = {
    "input": 224 * 224 * 3,
    "conv1_1": 224 * 224 * 64, "conv1_2": 224 * 224 * 64, "pool1": 112 * 112 * 64,
    "conv2_1": 112 * 112 * 128, "conv2_2": 112 * 112 * 128, "pool2": 56 * 56 * 128,
    "conv3_1": 56 * 56 * 256, "conv3_2": 56 * 56 * 256, "conv3_3": 56 * 56 * 256,
    "pool3": 28 * 28 * 256,
    "conv4_1": 28 * 28 * 512, "conv4_2": 28 * 28 * 512, "conv4_3": 28 * 28 * 512,
    "pool4": 14 * 14 * 512,
    "conv5_1": 14 * 14 * 512, "conv5_2": 14 * 14 * 512, "conv5_3": 14 * 14 * 512,
    "pool5": 7 * 7 * 512,
    "fc6": 4096, "fc7": 4096, "fc8": 1000,
}  # fmt: skip


def test_vgg16_line_by_line_as_cs231n_prints_it() -> None:
    found = archcalc.memory("vgg16")
    rows = {row.name: row for row in found.analysis.layers}
    for name, elements in CS231N.items():
        if name != "input":
            assert rows[name].output_elements == elements
    printed = sum(CS231N.values())
    others = [row for name, row in rows.items() if name not in CS231N]
    # Activations and the softmax write tensors of their own; the notes count them with their layer.
    kinds = {row.kind for row in others}
    assert kinds == {"relu", "flatten", "dropout", "softmax"}
    own = sum(row.output_elements for row in others if row.kind in ("relu", "softmax"))
    assert found.activations == 4 * (printed + own)
    written_over = archcalc.memory("vgg16", in_place=True).activations
    assert written_over == 4 * (printed + 1000)  # the softmax alone


def test_vgg16s_peak_is_the_first_two_volumes() -> None:
    """conv1_1 and its ReLU, 224*224*64 each; they and conv1_2 in place."""
    assert archcalc.memory("vgg16").peak == 4 * 2 * 224 * 224 * 64
    assert archcalc.memory("vgg16", in_place=True).peak == 4 * 2 * 224 * 224 * 64


# Training, by hand.


def test_what_a_chain_saves() -> None:
    """The input, ReLU's output (which the pool takes), the pool's places, what the linear takes."""
    assert saved(memory(CHAIN)) == {
        "conv": 4 * 192, "relu": 4 * 256, "pool": 8 * 64, "flat": 0, "fc": 4 * 64
    }  # fmt: skip


def test_a_tensor_that_several_layers_save_counts_once() -> None:
    text = """
input: [2, 4, 4]
layers:
  - conv: {name: stem, out: 4, kernel: 3, padding: 1}
  - batchnorm: {name: norm}
  - relu: {name: relu}
  - concat:
      name: mixed
      one: [conv: {name: conv, out: 4, kernel: 1}]
      two: [conv: {name: conv, out: 4, kernel: 3, padding: 1}]
"""
    found = memory(text, batch=3)
    assert saved(found) == {
        "stem": 3 * 4 * 2 * 16, "norm": 3 * 4 * 4 * 16 + 4 * 2 * 4, "relu": 3 * 4 * 4 * 16,
        "one/conv": 0, "two/conv": 0, "mixed": 0,
    }  # fmt: skip
    assert found.kept[4].counted_at == ("relu",)


def test_nothing_is_saved_where_no_gradient_goes_back() -> None:
    """A pool on the network's input has nothing to hand on to."""
    text = """
input: [2, 8, 8]
layers: [maxpool: {name: pool, kernel: 2}, sigmoid: {name: s}, conv: {name: c, out: 2, kernel: 1}]
"""
    assert saved(memory(text)) == {"pool": 0, "s": 0, "c": 4 * 2 * 16}


APPLIED = """
input: [3, 2, 4, 4]
blocks:
  each:
    layers:
      - conv: {name: conv, out: 5, kernel: 3, padding: 1}   # three times 2*4*4 in, 5*4*4 out
      - batchnorm: {name: norm}
      - relu: {name: relu}
layers: [each: {name: part, times: 3}]
"""


def test_a_part_applied_several_times_is_one_batch() -> None:
    """Shapes inside are of one time, bytes of all; statistics are of all times together."""
    found = memory(APPLIED, batch=7)
    taken, given = 7 * 3 * 2 * 16, 7 * 3 * 5 * 16
    assert found.live == [4 * one for one in (taken, taken + given, 2 * given, 2 * given)]
    assert saved(found) == {
        "part/conv": 4 * taken, "part/norm": 4 * (given + 2 * 5), "part/relu": 4 * given
    }  # fmt: skip
    assert found.weights == 4 * (5 * 19 + 2 * 5 + 2 * 5)


REGIONS = """
input: [2, 4, 4]
blocks: {head: {layers: [flatten: {name: flat}, linear: {name: fc, out: 5}]}}
layers:
  - conv: {name: map, out: 4, kernel: 3, padding: 1}             # 4*4*4 = 64
  - conv: {name: scores, out: 1, kernel: 1}                      # 16
  - conv: {name: boxes, from: map, out: 4, kernel: 1}            # 64
  - proposals: {name: some, from: [scores, boxes], number: 3, scales: 2, ratios: 1}   # 3*4 = 12
  - roialign: {name: crops, from: [map, some], size: 2}          # 3*4*2*2 = 48
  - head: {name: head, times: 3}                                 # 3*5 = 15
"""


def test_regions_of_a_map() -> None:
    """No gradient goes back to the regions: of them nothing is kept but the places of samples."""
    found = memory(REGIONS)
    assert live(found) == {
        "map": 32 + 64, "scores": 64 + 16, "boxes": 64 + 16 + 64, "some": 64 + 16 + 64 + 12,
        "crops": 64 + 12 + 48, "head/flat": 48, "head/fc": 48 + 15,
    }  # fmt: skip
    assert saved(found) == {
        "map": 4 * 32, "scores": 4 * 64, "boxes": 0, "some": 0, "crops": 4 * 3 * 2 * 2 * 2,
        "head/flat": 0, "head/fc": 4 * 48,
    }  # fmt: skip
    assert found.kept[5].counted_at == ("scores",)


# Autograd, kind by kind: fields, input shapes, channels first.

UNEVEN = [[0, 1], [0, 1]]

ROWS: list[tuple[str, dict[str, Any], list[Shape]]] = [
    ("conv", {"out": 6, "kernel": 3}, [(4, 9, 9)]),
    ("conv", {"out": 6, "kernel": 3, "padding": "same"}, [(4, 9, 9)]),
    ("conv", {"out": 6, "kernel": 4, "padding": "same"}, [(4, 9, 9)]),
    ("conv", {"out": 6, "kernel": 3, "padding": "same_tf", "stride": 2}, [(4, 9, 9)]),
    ("conv", {"out": 6, "kernel": 1, "padding": "same_tf", "stride": 2}, [(4, 9, 9)]),
    ("conv", {"out": 4, "kernel": 3, "padding": [[0, 1], [1, 1]], "groups": 2}, [(4, 9, 9)]),
    ("conv", {"out": 4, "kernel": 3, "padding": 1,
              "table": [[[0, 1], [1, 2]], [[0, 1, 2, 3], [1, 2, 3, 0]]]}, [(4, 9, 9)]),
    ("conv", {"out": 4, "kernel": 3}, [(4, 9)]),
    ("conv", {"out": 4, "kernel": 3}, [(4, 9, 9, 9)]),
    ("convtranspose", {"out": 4, "kernel": 3, "stride": 2}, [(4, 9, 9)]),
    ("convtranspose", {"out": 4, "kernel": 3, "stride": 2, "padding": UNEVEN}, [(4, 9, 9)]),
    ("linear", {"out": 7}, [(20,)]),
    ("rbf", {"out": 7}, [(20,)]),
    *((kind, {}, [(4, 9, 9)]) for kind in (
        "relu", "relu6", "leakyrelu", "prelu", "elu", "sigmoid", "tanh", "scaledtanh",
        "hardsigmoid", "hardswish", "silu", "gelu", "softplus", "complement", "softmax",
    )),
    ("softmax", {}, [(20,)]),
    ("dropout", {}, [(4, 9, 9)]),
    ("dropout", {"rate": 0}, [(4, 9, 9)]),
    ("dropout", {"rate": 1}, [(4, 9, 9)]),
    ("add", {}, [(4, 9, 9)] * 3),
    ("add", {}, [(4, 9, 9)]),
    ("multiply", {}, [(4, 9, 9)] * 2),
    ("multiply", {}, [(4, 9, 9)] * 4),
    ("multiply", {}, [(4, 9, 9), (4,)]),
    ("multiply", {}, [(4,), (4, 1, 1), (4, 9, 9)]),
    ("multiply", {}, [(4, 9, 9)]),
    ("concat", {}, [(4, 9, 9), (2, 9, 9)]),
    ("batchnorm", {}, [(4, 9, 9)]),
    ("batchnorm", {}, [(20,)]),
    ("batchnorm", {"affine": False}, [(4, 9, 9)]),
    ("layernorm", {}, [(4, 9, 9)]),
    ("layernorm", {"affine": False}, [(20,)]),
    ("groupnorm", {"groups": 2}, [(4, 9, 9)]),
    ("l2norm", {}, [(4, 9, 9)]),
    ("l2norm", {}, [(20,)]),
    ("l2norm", {"affine": False}, [(4, 9, 9)]),
    ("l2norm", {"affine": False}, [(4, 9)]),
    ("lrn", {}, [(8, 9, 9)]),
    ("lrn", {"size": 1}, [(8, 9, 9)]),
    ("lrn", {}, [(20,)]),
    ("maxpool", {"kernel": 3, "stride": 2}, [(4, 9, 9)]),
    ("maxpool", {"kernel": 3, "stride": 2}, [(4, 9)]),
    ("maxpool", {"kernel": 3, "stride": 2}, [(4, 9, 9, 9)]),
    ("maxpool", {"kernel": 3, "stride": 2, "switches": True}, [(4, 9, 9)]),
    ("maxpool", {"kernel": 2, "stride": 2, "ceil": True}, [(4, 9, 9)]),
    ("maxpool", {"kernel": 3, "stride": 2, "padding": UNEVEN}, [(4, 9, 9)]),
    ("maxpool", {"kernel": 3, "stride": 2, "padding": UNEVEN, "ceil": True}, [(4, 8, 9)]),
    ("maxpool", {"kernel": 3, "stride": 2, "padding": UNEVEN, "switches": True}, [(4, 9, 9)]),
    ("maxpool", {"kernel": 3, "stride": 3, "padding": "same_tf", "switches": True}, [(4, 9, 9)]),
    ("avgpool", {"kernel": 3, "stride": 2}, [(4, 9, 9)]),
    ("avgpool", {"kernel": 3, "stride": 2, "padding": UNEVEN}, [(4, 9, 9)]),
    ("avgpool", {"kernel": 3, "stride": 3, "padding": "same_tf"}, [(4, 9, 9)]),
    ("avgpool", {"kernel": 5, "stride": 3, "padding": 2}, [(7, 3, 5, 2)]),
    ("avgpool", {"kernel": 2, "padding": 1, "ceil": True}, [(7, 3, 5, 2)]),
    ("maxpool", {"kernel": 1, "stride": 3, "padding": "same_tf", "ceil": True}, [(7, 14)]),
    ("maxpool", {"kernel": 3, "stride": 3, "padding": "same_tf", "ceil": True}, [(4, 8, 8)]),
    ("adaptiveavgpool", {"size": 3}, [(4, 9, 9)]),
    ("adaptiveavgpool", {"size": [1, 3]}, [(4, 9, 9)]),
    ("adaptiveavgpool", {"size": 1}, [(4, 9, 9)]),
    ("adaptivemaxpool", {"size": 3}, [(4, 9, 9)]),
    ("globalavgpool", {}, [(4, 9, 9)]),
    ("globalavgpool", {}, [(4, 9)]),
    ("globalmaxpool", {}, [(4, 9, 9)]),
    ("subsample", {"kernel": 2}, [(4, 8, 8)]),
    ("subsample", {"kernel": 2, "padding": 1}, [(4, 8, 8)]),
    ("proposals", {"number": 5, "scales": [1, 2], "ratios": 1}, [(2, 9, 9), (8, 9, 9)]),
    ("proposals", {"number": 5, "scales": [1, 2], "ratios": 1}, [(4, 9, 9), (8, 9, 9)]),
    ("roialign", {"size": 3}, [(4, 9, 9), (5, 4)]),
    ("roialign", {"size": [2, 3], "samples": 2}, [(4, 9, 7), (5, 4)]),
    ("identity", {}, [(4, 9, 9)]),
    ("flatten", {}, [(4, 9, 9)]),
    ("channelshuffle", {"groups": 2}, [(4, 9, 9)]),
    ("channelshuffle", {"groups": 4}, [(4, 9, 9)]),
    ("pad", {"padding": 1}, [(4, 9, 9)]),
    ("slice", {"stop": 2}, [(4, 9, 9)]),
    ("split", {"parts": 2}, [(4, 9, 9)]),
    ("maxunpool", {"kernel": 2}, [(4, 5, 5), (4, 5, 5)]),
    ("upsample", {"scale": 2}, [(4, 9, 9)]),
    ("upsample", {"scale": 2, "mode": "linear"}, [(4, 9, 9)]),
]  # fmt: skip
IDS = [f"{kind} {fields or ''}{shapes}" for kind, fields, shapes in ROWS]


def module_of(op: Op, shapes: Sequence[Shape]) -> torch.nn.Module:
    module = build_layer(op, tuple(shapes))
    for part in module.modules():
        part.to_empty(device="cpu", recurse=False)
        initialize(part, torch.Generator().manual_seed(0))
    return module


def inputs_of(kind: str, shapes: Sequence[Shape], *, followed: bool) -> list[torch.Tensor]:
    """Random tensors for a batch of two; an unpooling's second are places."""
    found = [torch.rand(2, *shape).requires_grad_(followed) for shape in shapes]
    if kind == "maxunpool":
        places = torch.arange(math.prod(shapes[1])).reshape(1, *shapes[1]) % shapes[1][-1]
        found[1] = places.expand(2, *shapes[1]).contiguous()
    return found


def stated_bytes(op: Op, shapes: Sequence[Shape], *, followed: bool | list[bool], size: int) -> int:
    """What the op says that it keeps, for a batch of two."""
    inputs = tuple(shapes)
    outputs = op.facts(inputs).outputs
    back = [followed] * len(inputs) if isinstance(followed, bool) else followed
    if not any(back) and not op.facts(inputs).params:
        return 0
    total = 0
    for one in set(op.saved(inputs, outputs, back)):
        if one.what == "input":
            places = op.kind == "maxunpool" and one.port == 1
            total += 2 * math.prod(inputs[one.port]) * (8 if places else size)
        elif one.what == "output":
            total += (
                2 * math.prod(outputs[one.port]) * (8 if op.ports[one.port] in op.indices else size)
            )
        else:
            total += one.elements.number * (2 if one.each else 1) * (one.size or size)
    return total


@pytest.mark.parametrize("followed", [True, False], ids=["inner", "first"])
@pytest.mark.parametrize(("kind", "fields", "shapes"), ROWS, ids=IDS)
def test_a_layer_saves_what_it_says(
    kind: str, fields: dict[str, Any], shapes: list[Shape], followed: bool
) -> None:
    """In the middle of a network, where a gradient goes back to its inputs, and at its start."""
    op = KINDS[kind](**fields)
    module = module_of(op, shapes).train()
    measured = saved_bytes(module, *inputs_of(kind, shapes, followed=followed))
    assert stated_bytes(op, shapes, followed=followed, size=4) == measured


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("followed", [[True, False], [False, True]], ids=["map", "regions"])
def test_regions_are_aligned_for_one_of_two_inputs(samples: int, followed: list[bool]) -> None:
    """Proposals hand no gradient back; regions that come from elsewhere may."""
    op = KINDS["roialign"](size=[2, 3], samples=samples)
    shapes = [(4, 9, 7), (5, 4)]
    inputs = [
        torch.rand(2, *shape).requires_grad_(back)
        for shape, back in zip(shapes, followed, strict=True)
    ]
    kept = saved_bytes(module_of(op, shapes).train(), *inputs)
    assert stated_bytes(op, shapes, followed=followed, size=4) == kept


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kind", "fields", "shapes"), ROWS, ids=IDS)
def test_views_lie_in_their_inputs_memory(
    kind: str, fields: dict[str, Any], shapes: list[Shape], training: bool
) -> None:
    op = KINDS[kind](**fields)
    inputs = inputs_of(kind, shapes, followed=False)
    with torch.no_grad():
        given = module_of(op, shapes).train(training)(*inputs)
    held = [one.untyped_storage().data_ptr() for one in inputs]
    results = given if isinstance(given, tuple) else (given,)
    assert len(results) == len(op.ports)
    for one in results:
        assert (one.untyped_storage().data_ptr() in held) == op.is_view(tuple(shapes), training)


@pytest.mark.parametrize(("kind", "fields", "shapes"), ROWS, ids=IDS)
def test_what_is_written_over_can_be_in_pytorch(
    kind: str, fields: dict[str, Any], shapes: list[Shape]
) -> None:
    op = KINDS[kind](**fields)
    if kind != "dropout":  # nothing at inference: there is nothing to write
        assert hasattr(module_of(op, shapes), "inplace") == op.overwrites


def test_every_kind_is_measured() -> None:
    assert {kind for kind, _, _ in ROWS} == set(KINDS) - {"input"}


# Autograd, whole networks.

SMALL = {
    "lenet5": None, "alexnet": (3, 99, 99), "googlenet": None, "resnet18": (3, 64, 64),
    "resnet50": (3, 64, 64), "mobilenet": (3, 64, 64), "mobilenetv2": (3, 64, 64),
    "squeezenet": (3, 64, 64), "densenet121": (3, 64, 64), "se-resnet50": (3, 64, 64),
    "resnet20": None, "highway-10": None,
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_autograd_saves_as_much(name: str) -> None:
    """In training, on the CPU, for a batch of two."""
    analysis = archcalc.analyze(name, input=SMALL[name], batch=2)
    model = build(analysis.graph).train()
    x = torch.rand(2, *analysis.graph.input.facts.outputs[0])
    assert analysis.memory.saved_activations == saved_bytes(model, x)


@pytest.mark.parametrize("name", ["vgg16", "inceptionv3", "preresnet-110", "zfnet-deconv"])
def test_autograd_would_save_as_much(name: str) -> None:
    """At full size, on a device without memory."""
    check_on_meta(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in REPEATED])
def test_autograd_would_save_as_much_of_every_network(name: str) -> None:
    check_on_meta(name)


def check_on_meta(name: str) -> None:
    analysis = archcalc.analyze(name, batch=3)
    model = build(analysis.graph, device="meta").train()
    x = torch.empty(3, *analysis.graph.input.facts.outputs[0], device="meta")
    assert analysis.memory.saved_activations == saved_bytes(model, x)


def check_saved_and_alive(graph: Graph, batch: int, device: str) -> None:
    """As much is saved in training, and at inference no more is stated than is alive."""
    analysis = archcalc.analyze(graph, batch=batch)
    model = build(graph, device=device).train()
    x = torch.rand(batch, *graph.input.facts.outputs[0], device=device)
    assert analysis.memory.saved_activations == saved_bytes(model, x)
    check_alive(graph, batch, device)


def check_alive(graph: Graph, batch: int, device: str) -> None:
    analysis = archcalc.analyze(graph, batch=batch)

    def make() -> torch.Tensor:
        return torch.rand(batch, *graph.input.facts.outputs[0], device=device)

    alive = layerwise_bytes(build(graph, device=device).eval(), graph, make)
    assert all(map(int.__ge__, alive, analysis.memory.live[1:]))


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_save_as_much_and_have_as_much_alive(seed: int) -> None:
    """All kinds in any order."""
    spec = library.parse(draw_spec(random.Random(seed)), "random.yaml")
    check_saved_and_alive(archcalc.analyze(spec).graph, 2, "cpu")


@pytest.mark.parametrize("block", range(4))
def test_networks_of_views_save_as_much_and_have_as_much_alive(block: int) -> None:
    check_views(range(15 * block, 15 * block + 15))


@pytest.mark.slow
def test_several_outputs_are_alive_to_the_end() -> None:
    for seed in range(200, 230):
        text = draw_spec(random.Random(seed), several_outputs=True)
        check_alive(archcalc.analyze(library.parse(text, "random.yaml")).graph, 2, "cpu")


@pytest.mark.slow
def test_many_random_networks_save_as_much_and_have_as_much_alive() -> None:
    check_views(range(60, 1500))
    for seed in range(40, 200):
        spec = library.parse(draw_spec(random.Random(seed)), "random.yaml")
        check_saved_and_alive(archcalc.analyze(spec).graph, 2, "cpu")


def check_views(seeds: range) -> None:
    """A batch of one lies in one piece where larger ones don't; norms refuse single numbers."""
    for seed in seeds:
        graph, batch = draw_views(random.Random(seed)), seed % 3 + 1
        try:
            check_saved_and_alive(graph, batch, "meta" if batch == 1 or seed % 2 else "cpu")
        except ValueError as error:
            if "Expected more than 1 value per channel" not in str(error):
                raise


# Layers with random fields.

LITTLE = Limits(8, {0: 1, 1: 40, 2: 16, 3: 8}, 6_000)


def check_fields(kind: str, source: random.Random, dtype: torch.dtype) -> None:
    drawer = Drawer(source, LITTLE)
    drawer.flat = False
    rank = 0 if kind in OF_VECTORS else source.randint(1, 3)
    shape = (source.randint(1, 8), *drawer.axes_of(rank))
    drawn = PLAIN[kind](drawer, shape)
    if drawn is None:
        return
    op = KINDS[kind](**drawn[0])
    module = module_of(op, [shape]).train().to(dtype)
    for followed in (True, False):
        x = torch.rand(2, *shape, dtype=dtype, requires_grad=followed)
        stated = stated_bytes(op, [shape], followed=followed, size=x.element_size())
        assert stated == saved_bytes(module, x), (op, shape, followed, dtype)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_layer_with_random_fields_saves_what_it_says(kind: str) -> None:
    for seed in range(3):
        check_fields(kind, random.Random(seed), torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLAIN)
def test_a_layer_with_many_random_fields_saves_what_it_says(kind: str) -> None:
    for seed in range(3, 30):
        check_fields(kind, random.Random(seed), torch.float32)
        check_fields(kind, random.Random(seed), torch.float64)
        with contextlib.suppress(NotImplementedError):  # PyTorch has some pools in no short type
            check_fields(kind, random.Random(seed), torch.bfloat16)


CONVS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("word", ["same", "same_tf"])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_is_kept_as_pytorchs_module_keeps_it(kernel: int, dilation: int, word: str) -> None:
    """nn.Conv2d(padding="same") copies its input where one zero more comes after than before."""
    for rank, module in enumerate(CONVS, start=1):
        shape = (3, *(9,) * rank)
        op = KINDS["conv"](out=4, kernel=kernel, dilation=dilation, padding=word)
        own = module_of(op, [shape])
        theirs = module(3, 4, kernel, dilation=dilation, padding="same")
        theirs.load_state_dict(own.state_dict())
        x = torch.rand(2, *shape)
        assert stated_bytes(op, [shape], followed=False, size=4) == saved_bytes(theirs, x)
        torch.testing.assert_close(own(x), theirs(x))


def test_same_with_an_even_kernel_keeps_a_copy_with_one_zero_more() -> None:
    text = """
input: [3, 15, 15]
layers: [conv: {name: conv, out: 4, kernel: 4, padding: same}]
"""
    assert saved(memory(text)) == {"conv": 4 * 3 * 16 * 16}


SLICED = """
input: [2, 13]
layers:
  - slice: {name: slice, axis: 1, start: 1}
  - groupnorm: {name: norm, groups: 2}
"""


def test_a_norm_keeps_a_copy_of_a_view_with_gaps() -> None:
    """2*12 numbers and 2 for each of 2 groups; the 2*13 in which the view lies are not kept."""
    found = memory(SLICED)
    assert saved(found) == {"slice": 0, "norm": 4 * (2 * 12 + 2 * 2)}
    [copy, _] = found.kept[2].bytes.terms
    assert copy.symbols() == "its input in one piece"


def test_the_channels_of_one_input_are_one_piece() -> None:
    """So a view of them keeps the whole; those of two are copied."""
    text = """
input: [6, 5]
layers:
  - conv: {name: conv, out: 6, kernel: 1}
  - slice: {name: slice, start: 2}
  - groupnorm: {name: norm, groups: 1}
"""
    assert saved(memory(text))["norm"] == 4 * (6 * 5 + 2)
    assert saved(memory(text, batch=2))["norm"] == 4 * 2 * (4 * 5 + 2)


def test_flattening_a_view_with_gaps_copies_it() -> None:
    text = """
input: [4, 6, 6]
layers:
  - slice: {name: slice, axis: 2, stop: 3}
  - flatten: {name: flat}
  - linear: {name: fc, out: 5}
"""
    found = memory(text)
    assert live(found) == {"slice": 144, "flat": 144 + 72, "fc": 72 + 5}
    assert saved(found) == {"slice": 0, "flat": 0, "fc": 4 * 72}


def test_tensors_that_lie_apart_are_copied_into_a_part() -> None:
    """Of two inputs the first three of five channels: 3*4 numbers each, with 2*4 between them."""
    text = """
input: [5, 4]
blocks: {each: {layers: [prelu: {name: one, shared: true}, linear: {name: two, out: 2}]}}
layers:
  - slice: {name: slice, stop: 3}
  - each: {name: part, times: 3}
"""
    found = memory(text, batch=2)
    assert live(found) == {
        "slice": 2 * 20, "part/one": 2 * (20 + 12 + 12), "part/two": 2 * (12 + 6)
    }  # fmt: skip
    assert saved(found) == {"slice": 0, "part/one": 4 * 2 * 12, "part/two": 4 * 2 * 12}
    [copy] = found.kept[2].bytes.terms
    assert copy.symbols() == "slice copied for part"
    assert saved(memory(text))["part/one"] == 4 * 20  # of one input they are one piece


def test_doubles_take_twice_as_much_but_for_places() -> None:
    analysis = archcalc.analyze("resnet18", input=(3, 64, 64), batch=2, dtype="float64")
    model = build(analysis.graph, dtype="float64").train()
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    assert analysis.memory.saved_activations == saved_bytes(model, x)


def test_the_measure_sees_what_is_saved() -> None:
    """x*x keeps x once; exp keeps its result; a parameter is not counted."""

    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.exp(x * x) * self.weight

    x = torch.ones(5, requires_grad=True)
    assert saved_bytes(Own(), x) == 4 * (5 + 5)
    assert saved_bytes(Own(), torch.ones(5)) == 4 * 5  # exp's result, for the weight


# Peaks: the storages that exist while a model runs.

MAKE_MORE = {"lrn", "maxpool", "scaledtanh", "subsample", "rbf", "adaptivemaxpool", "globalmaxpool"}
"""Kinds whose layers make tensors for themselves at inference: steps in between, places."""


@pytest.mark.parametrize("written_over", [False, True], ids=["apart", "in place"])
@pytest.mark.parametrize("name", SMALL)
def test_layer_by_layer_as_much_is_alive(name: str, written_over: bool) -> None:
    """Every layer's figure, where nobody holds a tensor any longer than it is needed."""
    analysis = archcalc.analyze(name, input=SMALL[name])
    found = archcalc.memory(analysis, in_place=written_over)
    model = build(analysis.graph).eval()
    modules = {node.index: module for node, module in layers(model, analysis.graph)}
    shape = analysis.graph.input.facts.outputs[0]
    assert not written_over or found.overwriting or "relu" not in {
        node.op.kind for node in analysis.graph.layers
    }  # fmt: skip
    with in_place([modules[node.index] for node in found.overwriting]):
        measured = layerwise_bytes(model, analysis.graph, lambda: torch.rand(1, *shape))
    for node, alive in zip(analysis.graph.layers, measured, strict=True):
        stated = found.live[node.index]
        if node.op.kind in MAKE_MORE or getattr(node.op, "table", None):
            assert alive >= stated, node
        else:
            assert alive == stated, node


@pytest.mark.parametrize(("batch", "extra"), [(1, 0), (2, 1)])
def test_a_transposed_convolution_may_give_more_memory_than_its_output_needs(
    batch: int, extra: int
) -> None:
    """On the CPU along three axes, as much as the input where that is larger: the page says so."""
    layer = torch.nn.ConvTranspose3d(6, 1, 3, padding=1, dilation=2, output_padding=(extra, 0, 0))
    x = torch.rand(batch, 6, 4, 5, 6)
    result = layer(x)
    assert result.numel() < x.numel()
    assert result.untyped_storage().nbytes() == 4 * x.numel()
    meta = layer.to("meta")(x.to("meta"))
    assert meta.untyped_storage().nbytes() == 4 * result.numel()


def test_the_measure_sees_what_is_alive() -> None:
    """Three tensors in a row: two alive at a time, and the input, which the caller holds."""
    model = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Tanh(), torch.nn.Tanh())
    assert peak_bytes(model, torch.ones(100)) == 400 * 3
    assert peak_bytes(torch.nn.Sequential(torch.nn.Flatten(0)), torch.ones(10, 10)) == 400


def deviations() -> list[list[str]]:
    """The table of the page: its cells."""
    text = PAGE.read_text(encoding="utf-8")
    [body] = re.findall(r"<!-- measured -->\n\|.*\n\|.*\n((?:\|.*\n)+)", text)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in body.splitlines()]


def measured(name: str) -> list[str]:
    """A network's row: stated, layer by layer, as built."""
    analysis = archcalc.analyze(name)
    shape = analysis.graph.input.facts.outputs[0]
    model = build(analysis.graph).eval()
    stated = analysis.memory.peak
    flat = max(layerwise_bytes(model, analysis.graph, lambda: torch.rand(1, *shape)))
    whole = peak_bytes(model, torch.rand(1, *shape))
    parts = [
        f"{stated:,}",
        *(f"{one:,} ({percent(one / stated - 1, '+.1f')})" for one in (flat, whole)),
    ]
    return [f"`{name}`", *parts]


LARGE = {"`densenet121`", "`inceptionv3`", "`se-resnet50`"}


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[pytest.mark.slow] * (row[0] in LARGE), id=row[0].strip("`"))
        for row in deviations()
    ],
)
def test_deviations_are_those_of_the_page(row: list[str]) -> None:
    assert measured(row[0].strip("`")) == row


def test_the_page_has_eight_networks() -> None:
    assert len({row[0] for row in deviations()} - LARGE) >= 8


# Gradients and optimizers.


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_keep_as_much(optimizer: str) -> None:
    """PyTorch's own, after a step; Adam counts its steps apart, one number a tensor."""
    found = archcalc.memory("lenet5")
    model = build(found.analysis.graph)
    ours = {
        "sgd": lambda: torch.optim.SGD(model.parameters(), lr=0.1),
        "momentum": lambda: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam(model.parameters()),
    }[optimizer]()
    model(torch.rand(2, 1, 32, 32)).sum().backward()
    ours.step()
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    assert sum(one.nbytes for one in gradients) == found.gradients
    kept = [
        value
        for state in ours.state.values()
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and key != "step"
    ]
    assert sum(one.nbytes for one in kept) == found.optimizer_state(optimizer)


def test_totals() -> None:
    found = archcalc.memory(archcalc.analyze("resnet18", batch=4))
    params = 11_689_512
    assert found.gradients == 4 * params
    assert found.weights == 4 * (params + found.analysis.totals.buffers)
    assert found.inference() == found.weights + found.peak
    for name, each in (("sgd", 0), ("momentum", 1), ("adam", 2)):
        wanted = found.weights + (1 + each) * 4 * params + found.saved_activations
        assert found.training(name) == wanted


def test_an_unknown_optimizer_is_answered_with_a_near_one() -> None:
    with pytest.raises(SettingError, match="expected one of sgd, momentum, adam"):
        archcalc.memory("lenet5").training("adamw")


# Rows, columns, derivations.


def test_rows_of_blocks_have_the_most_alive_and_the_sum_of_the_saved() -> None:
    analysis = archcalc.analyze("googlenet", batch=2)
    for row in (*analysis.blocks, analysis.totals):
        assert row.scope is not None
        inner = [analysis.row(node) for node in row.scope.nodes()]
        assert row.live_bytes == max(one.live_bytes for one in inner)
        assert row.saved_bytes == sum(one.saved_bytes for one in inner)
    assert analysis.totals.live_bytes == analysis.memory.peak


def test_columns_of_a_table_with_folded_rows() -> None:
    text = good("table", "resnet18", "--fold", "-c", "name,live_bytes,saved_bytes", "-f", "csv")
    rows = dict(line.split(",", 1) for line in text.splitlines())
    one = 112 * 112 * 64 * 4  # conv1, its norm, its ReLU
    assert rows["name"] == "live_bytes,saved_bytes"
    assert rows["conv1"] == f"{2 * one},{4 * 3 * 224 * 224 + one + 8 * 64 + one}"


def test_of_many_tensors_some_are_told_by_name() -> None:
    builder = GraphBuilder("wide")
    source = builder.input((1, 2, 2))
    relu = KINDS["relu"]()
    many = [builder.add(relu, [source], f"r{i}").tensor() for i in range(SHOWN + 5)]
    node = builder.add(KINDS["concat"](), many, "all")
    analysis = archcalc.analyze(builder.finish([Output("all", node.tensor())]))
    shown = analysis.memory.live_bytes(node)
    assert len(shown.terms) == SHOWN + 1
    assert shown.terms[-1].symbols() == "6 others"
    assert shown.number == analysis.memory.live[node.index] == 4 * 4 * 2 * (SHOWN + 5)


def test_explanations_say_what_is_kept_and_where() -> None:
    text = good("explain", "resnet18", "pool1")
    alive = r"live bytes +relu1 \+ pool1 = 112\*112\*64\*4 \+ 56\*56\*64\*4 = 4,014,080"
    assert re.search(alive, text)
    kept = r"saved bytes \(the rest counted at relu1\) +its places = 56\*56\*64\*8 = 1,605,632"
    assert re.search(kept, text)
    whole = good("explain", "resnet18").split("\nresnet18:")[1]
    assert re.search(r"live bytes, the most +conv1 \+ batchnorm1 = .* = 6,422,528\n", whole)


def test_liveness_is_found_only_when_asked_for() -> None:
    from archcalc.report.table import tabulate

    analysis = archcalc.analyze("lenet5")
    str(tabulate(analysis))
    assert "memory" not in vars(analysis)


# The command.


def test_the_command_of_one_network() -> None:
    text = good("memory", "lenet5", "--batch", "2", "--optimizer", "adam", "--exact")
    written_over = " ".join(good("memory", "lenet5", "--in-place").split())
    lines = dict(re.findall(r"^  (\w+(?: \w+)*?)  +([\d,]+)  ", text, re.MULTILINE))
    assert lines["optimizer"] == "480,000"  # two numbers for each of 60,000 params
    assert lines["gradients"] == "240,000"
    assert "at batch 2, float32" in text
    assert "nothing is written over its input" in text
    assert "are written over their input" in written_over


def test_the_command_of_several_networks() -> None:
    text = good("memory", "lenet5", "alexnet")
    assert [line.split()[0] for line in text.splitlines() if line[:1].islower()] == [
        "lenet5", "alexnet", "that", "their", "holds"
    ]  # fmt: skip
    for name in ("markdown", "latex"):
        assert "lenet5" in good("memory", "lenet5", "alexnet", "-f", name)


@pytest.mark.parametrize("names", [["lenet5"], ["lenet5", "vgg16"]])
def test_machine_formats_have_a_record_for_each_network(names: list[str]) -> None:
    found = json.loads(good("memory", *names, "-f", "json"))
    assert [one["network"] for one in found["networks"]] == names
    head, *lines = good("memory", *names, "-f", "csv").splitlines()
    for one, line in zip(found["networks"], lines, strict=True):
        assert head.split(",") == list(one)
        assert line.split(",") == [
            str(value).lower() if isinstance(value, bool) else str(value) for value in one.values()
        ]
        assert one["training"] == (
            one["weights"] + one["gradients"] + one["optimizer_state"] + one["saved"]
        )


def test_what_the_command_refuses() -> None:
    assert "did you mean adam?" in bad("memory", "lenet5", "--optimizer", "adan")
    assert "batch: expected" in bad("memory", "lenet5", "--batch", "0")
    assert "expected a network" in bad("memory", "lenet55")


def test_settings_and_input_reach_the_network() -> None:
    def weights(*options: str) -> int:
        [one] = json.loads(good("memory", "mobilenet", *options, "-f", "json"))["networks"]
        return int(one["weights"])

    assert weights("--set", "alpha=0.5") < weights()
    assert weights("--input", "3x128x128") == weights()


# The page.


def test_the_page_tells_of_every_kind() -> None:
    text = PAGE.read_text(encoding="utf-8")
    [body] = re.findall(r"<!-- kinds -->\n\|.*\n\|.*\n((?:\|.*\n)+)", text)
    named = [
        kind for row in body.splitlines() for kind in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert sorted(named) == sorted(set(KINDS) - {"input"})


def test_the_page_tells_of_every_key() -> None:
    text = PAGE.read_text(encoding="utf-8")
    [body] = re.findall(r"<!-- keys -->\n\|.*\n\|.*\n((?:\|.*\n)+)", text)
    [one] = json.loads(good("memory", "lenet5", "-f", "json"))["networks"]
    assert re.findall(r"^\| `(\w+)`", body, re.MULTILINE) == list(one)


# On a GPU.


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@pytest.mark.parametrize("name", ["resnet50", "mobilenet", "squeezenet"])
def test_cuda_peak(name: str) -> None:
    """What CUDA's allocator gave at most: the same tensors, workspaces and roundings besides."""
    analysis = archcalc.analyze(name, batch=16)
    model = build(analysis.graph, device="cuda").eval()
    x = torch.rand(16, *analysis.graph.input.facts.outputs[0], device="cuda")
    with torch.no_grad():
        model(x)  # cuDNN chooses, and keeps what it keeps
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated() - x.nbytes
        torch.cuda.reset_peak_memory_stats()
        model(x)
    peak = torch.cuda.max_memory_allocated() - before
    print(f"{name}: {analysis.memory.peak:,} stated, {peak:,} on CUDA")
    assert 1 <= peak / analysis.memory.peak < 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@pytest.mark.parametrize("name", ["resnet50", "mobilenet", "vgg16"])
def test_cuda_saved(name: str) -> None:
    """Autograd's tensors on the GPU: a dropout's mask has one byte an element there."""
    analysis = archcalc.analyze(name, batch=4)
    model = build(analysis.graph, device="cuda").train()
    x = torch.rand(4, *analysis.graph.input.facts.outputs[0], device="cuda")
    assert saved_bytes(model, x) == pytest.approx(analysis.memory.saved_activations, rel=0.02)
