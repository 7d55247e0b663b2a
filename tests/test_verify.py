"""`archcalc verify`: both witnesses agree, and each check can fail and names the layer."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from unittest.mock import patch

import pytest
import torch
from command import bad, good, run
from test_ops_contract import ROWS
from test_receptive_field import UNSEEN, Grower, graph_of
from torch import nn

import archcalc.workers
from archcalc import GraphBuilder, Output
from archcalc.analysis.receptive_field import receptive_fields
from archcalc.ops import KINDS, Op
from archcalc.ops.base import Parameter
from archcalc.ops.shape import Input
from archcalc.ops.window import HELD, WHOLE, Fractional, Sliding
from archcalc.pytorch import counters, gradients
from archcalc.pytorch.builders import BUILDERS, build_layer
from archcalc.pytorch.gradients import check_fields
from archcalc.pytorch.model import build
from archcalc.pytorch.verify import Verification, verify

DOZEN = (
    "lenet5", "alexnet", "zfnet-deconv", "nin-cifar", "googlenet", "squeezenet1-1", "resnet20",
    "shortcut-a", "highway-10", "mobilenet", "densenet40-k12", "vgg11-lrn", "1xn-nx1",
)  # fmt: skip


def checks_of(verification):
    return {check.key: check for check in verification.checks}


def wrong_in(verification, key):
    """What a check disagrees on, by layer and thing."""
    found = checks_of(verification)[key].disagreements
    return {(one.layer, one.what): (one.stated, one.found) for one in found}


def failing(verification):
    return {check.key for check in verification.checks if check.disagreements}


# The witnesses agree.


@pytest.mark.parametrize("name", DOZEN)
def test_small_networks(name):
    agree_everywhere(archcalc.verify(name))


@pytest.mark.slow
def test_all_networks(monkeypatch):
    """Each is asked for, in order; test_witnesses.py verifies them."""
    monkeypatch.setattr("archcalc.api.verify", lambda analysis: Verification(analysis.label, ()))
    ran = run("verify", "--all", "--format", "json", "-j", "1")
    document = json.loads(ran.out)
    assert ran.code == 0
    assert [one["network"] for one in document["networks"]] == archcalc.networks()


def agree_everywhere(verification):
    checks = checks_of(verification)
    assert verification.agrees, verification
    assert list(checks) == ["shapes", "parameters", "torch", "fvcore", "thop", "fields"]
    assert all(check.compared for check in checks.values()), checks
    assert not any(checks[key].left_out for key in ("shapes", "parameters", "torch", "fields"))
    layers = checks["shapes"].compared
    assert checks["torch"].compared == checks["fvcore"].compared == layers
    thop = checks["thop"]
    assert thop.compared + sum(one.number for one in thop.left_out) == layers


def chain(*layers, shape=(4, 32, 32)):
    """A chain of layers; ("NAME", kind, fields), the outputs of the one before."""
    builder = GraphBuilder("chain")
    tensor = builder.input(shape)
    for name, kind, own in layers:
        tensor = builder.add(KINDS[kind](**own), [tensor], name).tensor()
    return builder.finish([Output("out", tensor)])


CHAINS = {
    "dilation, groups and unequal axes": [
        ("a", "conv", {"out": 8, "kernel": [3, 5], "dilation": [2, 1], "groups": 2}),
        ("b", "conv", {"out": 8, "kernel": 3, "stride": [2, 1], "padding": [[1, 0], [0, 2]]}),
        ("c", "channelshuffle", {"groups": 4}),
    ],
    "TensorFlow's padding": [
        ("a", "conv", {"out": 8, "kernel": 3, "stride": 2, "padding": "same_tf"}),
        ("b", "maxpool", {"kernel": 3, "stride": 2, "padding": "same_tf"}),
        ("c", "avgpool", {"kernel": 2, "stride": 3, "padding": "same_tf"}),
    ],
    "sizes rounded up": [
        ("a", "maxpool", {"kernel": 2, "stride": 3, "ceil": True}),
        ("b", "avgpool", {"kernel": 3, "stride": 2, "padding": 1, "ceil": True}),
        ("c", "maxpool", {"kernel": 3, "stride": 1, "dilation": 2}),
    ],
    "norms and a softmax on the way": [
        ("a", "layernorm", {}),
        ("b", "groupnorm", {"groups": 2}),
        ("c", "softmax", {}),
        ("d", "lrn", {}),
        ("e", "prelu", {}),
        ("f", "conv", {"out": 2, "kernel": 3}),
    ],
    "transposed, of uneven positions": [
        ("a", "convtranspose", {"out": 4, "kernel": 4, "stride": 3, "padding": [[1, 0], [0, 2]]}),
        ("b", "conv", {"out": 4, "kernel": 2, "stride": 2}),
        ("c", "convtranspose", {"out": 4, "kernel": 2, "stride": 2, "dilation": 3, "extra": 1}),
    ],
    "fixed sizes": [
        ("a", "adaptiveavgpool", {"size": [12, 20]}),
        ("b", "upsample", {"size": [30, 30], "mode": "linear"}),
        ("c", "adaptivemaxpool", {"size": [4, 7]}),
        ("d", "upsample", {"scale": [3, 2]}),
    ],
    "parts": [
        ("a", "slice", {"axis": 0, "start": 1, "stop": 3}),
        ("b", "slice", {"axis": 2, "start": 3, "step": 2}),
        ("c", "pad", {"padding": [[1, 0], [2, 3]], "channels": 2}),
        ("d", "conv", {"out": 2, "kernel": 1}),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_layer_kinds_that_the_zoo_has_not(name):
    verification = archcalc.verify(chain(*CHAINS[name]))
    assert verification.agrees, verification
    fields = checks_of(verification)["fields"]
    assert (fields.compared, fields.left_out) == (2, ())


@pytest.mark.parametrize("shape", [(2, 40), (2, 12, 14, 16)])
def test_one_axis_and_three(shape):
    graph = chain(
        ("a", "conv", {"out": 4, "kernel": 3, "stride": 2}), ("b", "maxpool", {"kernel": 2}),
        shape=shape,
    )  # fmt: skip
    verification = archcalc.verify(graph)
    assert verification.agrees
    assert checks_of(verification)["fields"].compared == len(shape) - 1


def test_a_vector_has_no_axes():
    verification = archcalc.verify(chain(("fc", "linear", {"out": 3}), shape=(7,)))
    assert verification.agrees
    assert checks_of(verification)["fields"].compared == 0


def test_fields_of_random_graphs():
    """Branches, uneven strides, transposed and adaptive windows: reached as they are stated."""
    compared = 0
    for number in range(15):
        graph = Grower(f"verify/{number}").graph()
        for found in check_fields(graph, receptive_fields(graph)):
            compared += not found.reason
            assert found.agrees or found.reason, (number, found)
    assert compared > 50


def test_what_cannot_be_examined_says_why():
    """A crop that fits one size only joins branches whose strides disagree."""
    builder = GraphBuilder("odd")
    x = builder.input((2, 32))
    half = builder.add(KINDS["conv"](out=2, kernel=2, stride=2), [x], "half").tensor()
    cut = builder.add(KINDS["slice"](axis=1, stop=16), [x], "cut").tensor()
    joined = builder.add(KINDS["add"](), [half, cut], "joined").tensor()
    verification = archcalc.verify(builder.finish([Output("out", joined)]))
    [left] = checks_of(verification)["fields"].left_out
    assert verification.agrees
    assert left.number == 1
    assert left.reason == "joined joins tensors whose lengths differ on a longer axis"


def two_branches():
    """Two branches of one stride, for facts that say otherwise."""
    builder = GraphBuilder("unaligned")
    x = builder.input((2, 32))
    up = builder.add(KINDS["upsample"](scale=2), [x], "up").tensor()
    every = [builder.add(KINDS["conv"](out=2, kernel=2, stride=2), [up], "every").tensor()]
    every += [builder.add(KINDS["conv"](out=2, kernel=3, padding=1), [x], "same").tensor()]
    joined = builder.add(KINDS["add"](), every, "joined").tensor()
    return builder.finish([Output("out", joined)])


@pytest.mark.parametrize(("layers", "field"), UNSEEN)
def test_where_output_0_sees_nothing_no_gradient_reaches_a_start(layers, field):
    graph = graph_of(*layers, shape=(1, 50))
    start = "none" if field.start is None else field.start
    for found in check_fields(graph, receptive_fields(graph)):
        assert found.reached == f"size {field.size}, stride {field.stride}, start {start}"
        assert found.agrees


def test_a_start_that_is_not_there_is_wrong():
    graph = graph_of(*UNSEEN[0][0], shape=(1, 50))
    states = receptive_fields(graph)
    [uneven] = states[-1]
    states[-1] = (uneven._replace(field=uneven.field._replace(start=0)),)
    [found] = check_fields(graph, states)
    assert (found.stated, found.reached) == (
        "size 3, stride 1, start 0", "size 3, stride 1, start none"
    )  # fmt: skip


def test_a_stride_of_one_branch_is_wrong():
    """What is then stated is that strides disagree: no reason not to compare."""
    graph = two_branches()
    assert archcalc.verify(graph).agrees
    node = next(node for node in graph.layers if node.name == "same")
    node.facts = node.facts._replace(windows=((Sliding(3, 2, 1, 1),),))
    told = wrong_in(archcalc.verify(graph), "fields")
    assert set(told) == {("same", "receptive field, width")}


def test_an_input_that_is_said_to_be_held():
    found = verify(falsified("second", windows=(HELD,)))
    told = wrong_in(found, "fields")
    wanted = ("all that it takes is held constant", "not all of it is held")
    assert told["second", "receptive field, height"] == wanted


def test_it_takes_specs_graphs_analyses_and_settings():
    spec, analysis = archcalc.load("lenet5"), archcalc.analyze("lenet5")
    found = archcalc.verify("lenet5")
    assert found == archcalc.verify(spec) == archcalc.verify(analysis)
    assert found.checks == archcalc.verify(analysis.graph).checks
    assert archcalc.verify("resnet20", input=[3, 48, 48]).agrees
    assert archcalc.verify("mobilenet", alpha=0.5).network == "mobilenet@alpha=0.5"


def test_nothing_around_it_changes():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    archcalc.verify("lenet5")
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


# What is stated is wrong: each check fails, and names the layer.


def tower():
    """Three convolutions, the second grouped, and a norm."""
    return chain(
        ("first", "conv", {"out": 8, "kernel": 3, "padding": 1}),
        ("norm", "batchnorm", {}),
        ("second", "conv", {"out": 8, "kernel": 3, "stride": 2, "groups": 2, "bias": False}),
        ("third", "conv", {"out": 4, "kernel": 3}),
    )


def falsified(name, **facts):
    """The tower, with other facts of one layer."""
    graph = tower()
    node = next(node for node in graph.layers if node.name == name)
    node.facts = node.facts._replace(**facts)
    return archcalc.analyze(graph)


def test_the_tower_is_right():
    assert archcalc.verify(tower()).agrees


def test_a_wrong_shape():
    found = verify(falsified("norm", outputs=((8, 32, 31),)))
    assert wrong_in(found, "shapes") == {("norm", "output"): ("2x8x32x31", "2x8x32x32")}


def test_wrong_mult_adds():
    found = verify(falsified("second", mult_adds=1))
    positions = 15 * 15
    right = f"{positions * 8 * 4 * 9:,}"
    assert failing(found) == {"torch", "fvcore"}
    for key in ("torch", "fvcore"):
        wrong = wrong_in(found, key)
        assert wrong["second", "Mult-Adds"] == ("1", right)
        assert set(wrong) == {("second", "Mult-Adds"), ("(the network)", "Mult-Adds")}


def test_mult_adds_where_there_are_none():
    found = verify(falsified("norm", mult_adds=8192))
    assert wrong_in(found, "fvcore")["norm", "Mult-Adds"] == ("8,192", "0")
    assert wrong_in(found, "torch")["norm", "Mult-Adds"] == ("8,192", "0")


def test_wrong_params():
    found = verify(falsified("third", params=7))
    assert failing(found) == {"parameters", "thop"}
    right = f"{4 * (8 * 9 + 1)}"
    assert wrong_in(found, "parameters")["third", "params"] == ("7", right)
    assert ("(the network)", "params") in wrong_in(found, "parameters")
    assert wrong_in(found, "thop") == {("third", "params"): ("7", right)}


def test_wrong_buffers():
    found = verify(falsified("norm", buffers=8))
    assert wrong_in(found, "parameters") == {("norm", "buffers"): ("8", "16")}


def test_a_wrong_named_tensor(monkeypatch):
    """The op states a parameter that the layer hasn't, and not one that it has."""
    own = KINDS["batchnorm"].parameters

    def stated(op, inputs):
        return (*own(op, inputs)[1:], Parameter("gain", inputs[0][:1]))

    analysis = archcalc.analyze(tower())
    monkeypatch.setattr(KINDS["batchnorm"], "parameters", stated)
    assert wrong_in(verify(analysis), "parameters") == {
        ("norm", "weight"): ("none", "8 trainable"),
        ("norm", "gain"): ("8 trainable", "none"),
    }


SEEN = Sliding(3, 1, 1, 1)


@pytest.mark.parametrize(
    ("name", "window", "stated", "reached"),
    [
        ("first", Sliding(5, 1, 1, 1), (5, 1, -1), (3, 1, -1)),
        ("first", Sliding(3, 1, 0, 0), (3, 1, 0), (3, 1, -1)),
        ("first", Sliding(3, 1, 1, 1, 2), (5, 1, -1), (3, 1, -1)),
        ("second", Sliding(3, 1), (5, 1, -1), (5, 2, -1)),
        ("second", Sliding(2, 2), (4, 2, -1), (5, 2, -1)),
        ("third", Sliding(2), (7, 2, -1), (9, 2, -1)),
    ],
)
def test_a_wrong_window(name, window, stated, reached):
    right = {"first": SEEN, "second": Sliding(3, 2), "third": Sliding(3)}[name]
    found = verify(falsified(name, windows=((right, window),)))
    assert failing(found) == {"fields"}
    words = tuple("size {}, stride {}, start {}".format(*one) for one in (stated, reached))
    assert wrong_in(found, "fields") == {(name, "receptive field, width"): words}


def test_a_layer_that_is_said_to_see_everything():
    found = verify(falsified("second", windows=(WHOLE,)))
    told = wrong_in(found, "fields")
    assert told["second", "receptive field, height"] == ("everything", "a part")


def test_a_layer_that_is_not_said_to_see_everything():
    graph = chain(("pool", "globalavgpool", {}), ("conv", "conv", {"out": 2, "kernel": 1}))
    node = graph.layers[0]
    node.facts = node.facts._replace(windows=((Sliding(3), Sliding(3)),))
    told = wrong_in(archcalc.verify(graph), "fields")
    wanted = ("size 3, stride 1, start 0", "everything")
    assert told["pool", "receptive field, height"] == wanted


def test_a_wrong_uneven_window():
    graph = chain(("up", "convtranspose", {"out": 4, "kernel": 5, "stride": 3}))
    node = graph.layers[0]
    assert archcalc.verify(graph).agrees
    window = Fractional(6, 3)  # of 6, every position sees two inputs; of 5, one of them one
    node.facts = node.facts._replace(windows=((window, Fractional(5, 3)),))
    told = wrong_in(archcalc.verify(graph), "fields")
    assert set(told) == {("up", "receptive field, height")}


def test_a_wrong_way_of_a_branch():
    """One branch's window is wrong: the join and all after it are, but the branch is named."""
    builder = GraphBuilder("branches")
    x = builder.input((2, 40, 40))
    convs = [
        builder.add(KINDS["conv"](out=2, kernel=k, padding=k // 2), [x], f"k{k}") for k in (3, 7)
    ]
    joined = builder.add(KINDS["add"](), [conv.tensor() for conv in convs], "join").tensor()
    last = builder.add(KINDS["maxpool"](kernel=2), [joined], "last").tensor()
    wide = Sliding(9, 1, 4, 4)
    convs[1].facts = convs[1].facts._replace(windows=((wide, wide),))
    told = wrong_in(archcalc.verify(builder.finish([Output("out", last)])), "fields")
    assert {layer for layer, _ in told} == {"k7"}


# The model is wrong.


def model_with(name, module):
    """The tower's model, with another module for one layer."""
    model = build(tower(), device="meta")
    with torch.device("meta"):
        model._modules[name] = module()
    return model


def judged(model):
    return verify(archcalc.analyze(tower()), model)


def test_the_towers_model_is_right_and_left_as_it_is():
    model = build(tower())
    assert judged(model).agrees
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_wrong_stride():
    wrong = model_with("second", lambda: nn.Conv2d(8, 8, 3, 1, groups=2, bias=False))
    assert wrong_in(judged(wrong), "shapes") == {
        ("second", "output"): ("2x8x15x15", "2x8x30x30"),
        ("third", "output"): ("2x4x13x13", "2x4x28x28"),
    }


def test_a_wrong_kernel():
    wrong = judged(model_with("first", lambda: nn.Conv2d(4, 8, 5, padding=2)))
    assert failing(wrong) == {"parameters", "torch", "fvcore", "thop"}
    told = wrong_in(wrong, "parameters")
    assert told["first", "weight"] == ("8x4x3x3 trainable", "8x4x5x5 trainable")
    assert wrong_in(wrong, "thop") == {("first", "params"): ("296", "808")}
    for key in ("torch", "fvcore"):
        assert wrong_in(wrong, key)["first", "Mult-Adds"] == ("294,912", "819,200")


def test_groups_forgotten():
    wrong = judged(model_with("second", lambda: nn.Conv2d(8, 8, 3, 2, bias=False)))
    assert failing(wrong) == {"parameters", "torch", "fvcore", "thop"}
    assert ("second", "weight") in wrong_in(wrong, "parameters")


def test_a_bias_too_many():
    wrong = judged(model_with("second", lambda: nn.Conv2d(8, 8, 3, 2, groups=2)))
    assert failing(wrong) == {"parameters", "thop"}
    assert wrong_in(wrong, "parameters")["second", "bias"] == ("none", "8 trainable")


def test_a_tensor_in_no_layer_and_one_that_is_not_trained():
    model = build(tower(), device="meta")
    model.register_parameter("scale", nn.Parameter(torch.ones(3)))
    model.get_parameter("third.bias").requires_grad_(False)
    told = wrong_in(judged(model), "parameters")
    assert told["scale", "tensor"] == ("none", "in no layer")
    assert told["third", "bias"] == ("4 trainable", "4 buffer")


def test_a_missing_layer_and_one_that_fails():
    model = build(tower(), device="meta")
    del model._modules["third"]
    found = judged(model)
    assert wrong_in(found, "parameters")["third", "layer"] == ("conv", "not in the model")
    assert not found.agrees
    failed = judged(model_with("second", lambda: nn.Conv2d(9, 8, 3)))
    [(layer, what)] = wrong_in(failed, "shapes")
    assert (layer, what) == ("second", "forward")
    for key in ("torch", "fvcore", "thop"):
        assert checks_of(failed)[key].left_out == ((4, "the model does not run"),)


def test_weights_that_should_be_shared():
    analysis = archcalc.analyze("zfnet-deconv")
    model = build(analysis.graph, device="meta")
    node = next(node for node in analysis.graph.layers if node.shared_with)
    module = model.get_submodule(node.path.replace("/", "."))
    module.weight = nn.Parameter(torch.empty_like(module.weight))
    told = wrong_in(verify(analysis, model), "parameters")
    owner = node.shared_with.path
    assert told[node.path, "weight"] == (f"shared with {owner}", "its own")
    assert ("(the network)", "params") in told


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("conv", lambda op, inputs: nn.Conv2d(inputs[0][0], op.out, 3, padding=2, dilation=2)),
        ("maxpool", lambda op, inputs: nn.MaxPool2d(5, 1, 2)),
        ("avgpool", lambda op, inputs: nn.AvgPool2d(3, 1, 1)),
    ],
)
def test_a_builder_with_another_window(kind, module, monkeypatch):
    """Of the right shape and with the right parameters: only the gradient tells."""
    right = {
        "conv": {"out": 4, "kernel": 3, "padding": 1},
        "maxpool": {"kernel": 3, "stride": 1, "padding": 1},
        "avgpool": {"kernel": 5, "stride": 1, "padding": 2},
    }
    graph = chain(("before", "relu", {}), ("it", kind, right[kind]), ("after", "relu", {}))
    assert archcalc.verify(graph).agrees
    gradients._probe.cache_clear()
    monkeypatch.setitem(BUILDERS, KINDS[kind], module)
    try:
        found = archcalc.verify(graph)
    finally:
        gradients._probe.cache_clear()
    assert failing(found) == {"fields"}
    assert {layer for layer, _ in wrong_in(found, "fields")} == {"it"}


def test_a_counter_that_fails_is_told_in_one_line(monkeypatch):
    def fail(*_):
        raise ImportError("no such thing\nand more")

    monkeypatch.setattr(counters, "fvcore", fail)
    found = archcalc.verify("lenet5")
    assert found.agrees
    check = checks_of(found)["fvcore"]
    assert (check.compared, check.left_out) == (
        0, ((14, "it fails here: ImportError: no such thing"),),
    )  # fmt: skip


# Builders.


COMPUTED = (
    "output", "parameters", "params", "mult_adds", "operations", "connections", "neurons",
    "windows", "resolved", "facts",
)  # fmt: skip


def test_every_kind_has_a_builder():
    assert set(BUILDERS) == set(KINDS.values()) - {Input}


def test_builders_never_ask_for_computed_facts(monkeypatch):
    """Else archcalc would be checking itself."""
    every = {(row.op, tuple(row.inputs)) for row in ROWS if row.op.kind != "input"}
    for name in archcalc.networks():
        every |= {(node.op, node.facts.inputs) for node in archcalc.analyze(name).graph.layers}

    def refuse(*_):
        raise AssertionError("a builder asked for a computed fact")

    for kind in {
        Op,
        *(base for op in KINDS.values() for base in op.__mro__ if issubclass(base, Op)),
    }:
        for fact in COMPUTED:
            if fact in vars(kind):
                monkeypatch.setattr(kind, fact, refuse)
    with pytest.raises(AssertionError):
        KINDS["relu"]().output(((1, 2),))
    with torch.device("meta"):
        for op, inputs in every:
            assert isinstance(build_layer(op, inputs), nn.Module)
    assert len(every) > 1000


# The command.


def wrong_builder():
    """LeNet-5's C5 gets a kernel that pads, with the parameters of the right one."""
    own = BUILDERS[KINDS["conv"]]

    def built(op, inputs):
        module = own(op, inputs)
        if op.out == 120:
            module.padding = (1, 1)
        return module

    return patch.dict(BUILDERS, {KINDS["conv"]: built})


def test_exit_code_1_and_the_layer_on_a_disagreement():
    gradients._probe.cache_clear()
    with wrong_builder():
        ran = run("verify", "lenet5")
    gradients._probe.cache_clear()
    assert (ran.code, ran.err) == (1, "")
    assert "\n  C5: output: archcalc 2x120x1x1, here 2x120x3x3\n" in ran.out
    assert "They disagree in " in ran.out


def test_all_formats(tmp_path):
    shown = good("verify", "lenet5")
    assert "Both agree wherever they were compared.\n" in shown
    assert "1 of type TableConv, for which it has no rule" in " ".join(shown.split())
    rows = list(csv.DictReader(io.StringIO(good("verify", "lenet5", "-f", "csv"))))
    assert [row["check"] for row in rows][0::5] == ["output shapes", "receptive fields"]
    assert {row["agrees"] for row in rows} == {"true"}
    document = json.loads(good("verify", "lenet5", "resnet20", "-f", "json"))
    assert document["agrees"] is True
    assert [one["network"] for one in document["networks"]] == ["lenet5", "resnet20"]
    assert document["networks"][0]["checks"][0]["compared"] == 14
    for suffix in (".md", ".tex", ".txt", ".csv", ".json"):
        file = tmp_path / f"out{suffix}"
        assert good("verify", "one-3x3", "-o", str(file)) == ""
        assert "back-propagated indicators" in file.read_text(encoding="utf-8")


def test_machine_formats_carry_disagreements():
    gradients._probe.cache_clear()
    with wrong_builder():
        ran = run("verify", "lenet5", "-f", "csv")
    gradients._probe.cache_clear()
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    wrong = next(row for row in rows if row["layer"] == "C5")
    assert (ran.code, wrong["archcalc"], wrong["found"]) == (1, "2x120x1x1", "2x120x3x3")
    assert wrong["agrees"] == "false"


SPEC = """\
name: mine
input: [3, size, size]
settings: {size: 40}
layers:
  - conv: {out: 6, kernel: 5, stride: 2, padding: same_tf}
  - relu
  - add:
      a: [{conv: {out: 6, kernel: 3, padding: 1}}]
      b: []
  - globalavgpool
  - flatten
  - linear: {out: 10}
"""


def test_a_spec_of_ones_own_with_options(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(SPEC, encoding="utf-8")
    assert "mine: the arithmetic" in good("verify", str(file))
    assert "mine@size=64: the arithmetic" in good("verify", str(file), "--set", "size=64")
    assert good("verify", "mine", "--specs", str(tmp_path), "--input", "3x50x30")
    shown = good("verify", f"{file}@size=[40,41]")
    assert "2 of 2 networks agree" in shown


@pytest.mark.slow
def test_several_processes_find_the_same():
    names = ("one-3x3", "plain-conv", "residual-basic")
    assert good("verify", *names, "-j", "2") == good("verify", *names, "-j", "1")


def test_a_network_whose_process_was_killed(monkeypatch):
    def spread(function, items, processes):
        assert processes == 2
        return iter([archcalc.workers.Killed(-9), *map(function, items[1:])])

    monkeypatch.setattr(archcalc.workers, "spread", spread)
    ran = run("verify", "one-3x3", "mobilenet@alpha=0.25", "lenet5", "-j", "2")
    assert ran.code == 2
    assert ran.err.startswith("error: one-3x3 is not verified: its process was ended by SIGKILL")
    assert ran.err.count("\n") == 1
    assert "mobilenet@alpha=0.25: the arithmetic and the machine" in ran.out
    assert "lenet5: the arithmetic and the machine" in ran.out
    assert "Not all are finished: 2 of 3 networks were verified." in ran.out


def test_a_pipe_is_verified_in_several_processes(monkeypatch):
    """It can be read once only."""
    monkeypatch.setattr(archcalc.workers, "spread", lambda function, items, _: map(function, items))
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write(SPEC)
    ran = run("verify", f"/dev/fd/{reading}", "lenet5", "-j", "2")
    os.close(reading)
    assert (ran.code, ran.err) == (0, "")
    assert "mine: the arithmetic and the machine" in ran.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "verify: expected networks or --all, received neither"),
        (["--all", "lenet5"], "verify: expected networks or --all, received both"),
        (["lenet6"], "lenet6"),
        (["lenet5", "--input", "3xx"], "--input: expected sizes such as 3x224x224"),
        (["lenet5", "-f", "pdf"], "--format: expected one of"),
        (["lenet5", "--set", "depth=3"], "depth"),
    ],
)
def test_what_is_refused(arguments, sentence):
    assert sentence in bad("verify", *arguments)


def test_four_axes_are_refused_with_the_layer(tmp_path):
    file = tmp_path / "four.yaml"
    layers = "layers:\n  - conv: {out: 1, kernel: 1}\n"
    file.write_text(f"name: four\ninput: [1, 4, 4, 4, 4]\n{layers}", encoding="utf-8")
    assert "layer conv1: conv: expected 1 to 3 spatial axes" in bad("verify", str(file))


def test_ctrl_c_prints_what_is_finished(monkeypatch):
    own = archcalc.pytorch.verify.verify
    done = []

    def interrupted(analysis, model=None):
        if done:
            raise KeyboardInterrupt
        done.append(analysis.label)
        return own(analysis, model)

    monkeypatch.setattr(archcalc.pytorch.verify, "verify", interrupted)
    ran = run("verify", "one-3x3", "plain-conv", "lenet5")
    assert (ran.code, ran.err) == (130, "")
    assert "one-3x3: the arithmetic and the machine" in ran.out
    assert "Not all are finished: 1 of 3 networks were verified." in ran.out


def test_a_bar_on_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    from archcalc.cli.streams import progress

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    assert list(progress(iter("abc"), 3, "verifying")) == ["a", "b", "c"]
    assert "verifying" in stream.getvalue()


def test_the_summary_adds_up():
    lines = [line.split() for line in good("verify", "one-3x3", "plain-conv").splitlines()]
    names = (["one-3x3"], ["plain-conv"], ["in", "all"])
    [one], [two], [both] = (
        [list(map(int, line[len(n) :])) for line in lines if line[: len(n)] == n and len(line) > 7]
        for n in names
    )
    assert [a + b for a, b in zip(one, two, strict=True)] == both
    assert both[0] == 4  # a convolution and a ReLU each


def test_a_kernel_too_large_to_be_tried_is_left_out(monkeypatch):
    """Two channels in and out have 2*2*9*9 weights and 2 biases, besides the inputs."""
    graph = graph_of(("conv", {"out": 1, "kernel": 9}), shape=(1, 12, 12))
    with monkeypatch.context() as smaller:
        smaller.setattr(gradients, "MOST_PROBED", 2 * 2 * 81 + 2)
        [(number, reason)] = checks_of(archcalc.verify(graph))["fields"].left_out
    assert number == 2
    assert re.fullmatch(
        r"conv on two channels has [\d,]+ weights and inputs, more than are tried", reason
    )
    assert checks_of(archcalc.verify(graph))["fields"].left_out == ()
