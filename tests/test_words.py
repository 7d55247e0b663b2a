"""The vocabulary: words of other tools get the right answer, and every answer is true."""

from __future__ import annotations

import re

import pytest
from command import bad, good, run

import archcalc
from archcalc import vocabulary, words
from archcalc.analysis.costs import BUILT_DTYPES, DTYPES
from archcalc.analysis.memory import OPTIMIZERS
from archcalc.analysis.tools import TOOLS
from archcalc.cli import COMMANDS
from archcalc.errors import plain
from archcalc.report.columns import COLUMNS, NETWORK_COLUMNS
from archcalc.report.comparison import BY_KEY
from archcalc.report.counting import COUNTINGS
from archcalc.report.formats import FORMATS
from archcalc.spec import library
from archcalc.spec.layers import COMMON, LAYER_KINDS, OF_BLOCKS, STRUCTURE
from archcalc.spec.schema import TOP

KINDS = {*LAYER_KINDS, *STRUCTURE}
TAKEN = {  # every field there is
    *TOP, *COMMON, *OF_BLOCKS, "condition", "times", "index", "each", "arguments", "doc",
    *(field for op in LAYER_KINDS.values() for field in (*op.fields, *op.references)),
}  # fmt: skip
SETTINGS = {name for spec in library.networks() for name in spec.settings}
KNOWN = {
    "KINDS": KINDS,
    "FIELDS": TAKEN,
    "NAMES": {"channels", "height", "width"},
    "COLUMNS": {*COLUMNS, *NETWORK_COLUMNS, *BY_KEY},
    "NETWORKS": set(archcalc.networks()),
    "SETTINGS": SETTINGS,
    "DTYPES": set(DTYPES),
    "FORMATS": set(FORMATS),
    "MODEL_FORMATS": {"state-dict", "pt2", "onnx"},
    "DEVICES": {"cpu", "cuda", "mps"},
    "OPTIMIZERS": set(OPTIMIZERS),
    "TOOLS": {*TOOLS, *COUNTINGS},
    "COMMANDS": set(COMMANDS),
}
TABLES = [name for name, value in vars(vocabulary).items() if name in KNOWN and value]


def test_every_table_is_held_to_be_true():
    tables = {name for name, value in vars(vocabulary).items() if name.isupper()}
    others = {"ABSENT_NETWORKS", "NO_KIND", "NO_NETWORK", "FILES", "ZOOS"}
    assert tables - others == set(KNOWN) == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_here_is_here(table):
    for word, here in getattr(vocabulary, table).items():
        assert word == plain(word)
        for meant in here.split(" | "):
            assert " " in meant or meant in KNOWN[table], word


@pytest.mark.parametrize("table", TABLES)
def test_a_word_of_others_is_none_of_archcalcs(table):
    """A hint for a word that is known would never be seen, or hide what is known."""
    hidden = {plain(word) for word in KNOWN[table]} & set(getattr(vocabulary, table))
    # Of fields, columns and names each place knows some only: the others' words are words there.
    assert not hidden or table in ("FIELDS", "COLUMNS")


SNIPPETS = sorted(
    {
        snippet
        for here in vocabulary.KINDS.values()
        for snippet in re.findall("`(.+?)`", here)
        if snippet not in ("from", "blocks")
    }
)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_layer_in_backticks_can_be_written(tmp_path, snippet):
    path = tmp_path / "one.yaml"
    path.write_text(f"input: [16, 32, 32]\nlayers:\n  - {snippet}\n")
    assert "correct, 1 network" in good("validate", str(path))


def test_mish_and_instance_norm_are_what_pytorch_computes(tmp_path):
    torch = pytest.importorskip("torch")
    x = torch.linspace(-3, 3, 2 * 16 * 8 * 8).reshape(2, 16, 8, 8)
    for word, theirs in (("mish", torch.nn.Mish()), ("instancenorm", torch.nn.InstanceNorm2d(16))):
        for snippet in re.findall("`(.+?)`", vocabulary.KINDS[word]):
            path = tmp_path / "one.yaml"
            path.write_text(f"input: [16, 8, 8]\nlayers:\n  - {snippet}\n")
            model = archcalc.build(str(path)).eval()
            torch.testing.assert_close(model(x), theirs(x))


KIND_HINTS = {
    "attention": vocabulary.NO_KIND,
    "MultiheadAttention": vocabulary.NO_KIND,
    "lstm": vocabulary.NO_KIND,
    "nn.PixelShuffle": vocabulary.NO_KIND,
    "something": vocabulary.NO_KIND,
    "activation": "an activation is called by its function: `relu`, `sigmoid`, `silu`, `gelu`",
    "mish": "here that is `multiply: {x: [], factor: [softplus, tanh]}`",
    "InstanceNorm2d": "here that is groupnorm with as many groups as channels",
    "crop": "here that is `slice: {axis: 1, start: 2, stop: 30}`, once for each axis",
    "interpolate": "here that is `upsample: {scale: 2}`",
    "reshape": "there is no such kind yet; `flatten` makes a vector of whatever comes",
    "Conv2d": "here that is conv",
    "torch.nn.Conv3d": "here that is conv",
    "Conv2DTranspose": "here that is convtranspose",
    "MaxPooling2D": "here that is maxpool",
    "AdaptiveAvgPool2d": "here that is adaptiveavgpool",
    "BatchNorm2d": "here that is batchnorm",
    "nn.ReLU": "here that is relu",
    "Dense": "here that is linear",
    "cnov": "did you mean conv?",
    "batch_norm": "did you mean batchnorm?",
}


@pytest.mark.parametrize(("word", "hint"), KIND_HINTS.items())
def test_hints_for_layer_kinds(tmp_path, word, hint):
    path = tmp_path / "one.yaml"
    path.write_text(f"input: [16, 32, 32]\nlayers:\n  - {word}\n")
    said = bad("validate", str(path))
    assert f":3:5: expected a layer kind or a block, received '{word}'; {hint}" in said


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ("conv: {out: 8, kernel_size: 3}", "here that is kernel"),
        (
            "conv: {in_channels: 3, out: 8, kernel: 3}",
            "it follows from what comes in: leave it out",
        ),
        ("conv: {out_channels: 8, kernel: 3}", "here that is out"),
        ("conv: {out: 8, kernel: 3, strides: 2}", "here that is stride"),
        (
            "conv: {out: 8, kernel: 3, activation: relu}",
            "that is a layer of its own, after this one",
        ),
        ("conv: {out: 8, kernel: 3, use_bias: false}", "here that is bias"),
        ("batchnorm: {momentum: 0.9}", "no figure depends on it: leave it out"),
        ("linear: {in_features: 3, out: 8}", "it follows from what comes in: leave it out"),
        ("maxpool: {pool_size: 2}", "here that is kernel"),
        ("dropout: {p: 0.5}", "here that is rate"),
        ("upsample: {scale_factor: 2}", "here that is scale"),
        ("conv: {out: in_channels, kernel: 3}", "here that is channels"),
        ("conv: {out: w, kernel: 3}", "here that is width"),
    ],
)
def test_hints_for_fields_and_names(tmp_path, layer, hint):
    path = tmp_path / "one.yaml"
    path.write_text(f"input: [16, 32, 32]\nlayers:\n  - {layer}\n")
    said = bad("validate", str(path))
    assert f"; {hint}" in said


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("table lenet5 --columns macs", "received 'macs'; here that is mult_adds"),
        ("table lenet5 --columns name,MACs", "received 'MACs'; here that is mult_adds"),
        ("table lenet5 --sort macs", "received 'macs'; here that is mult_adds"),
        ("table lenet5 --sort GFLOPs", "received 'GFLOPs'; here that is flops"),
        ("table lenet5 --columns latency", "archcalc profile measures it"),
        ("list lenet5 --columns parameters", "here that is params"),
        ("compare lenet5 alexnet --columns macs", "here that is mult_adds"),
        ("table lenet5 --dtype half", "here that is float16"),
        ("profile lenet5 --dtype fp16", "here that is float16"),
        ("profile lenet5 --device gpu", "here that is cuda, where PyTorch finds one"),
        ("table lenet5 --format html", "there is no such format yet; csv and json are for other"),
        ("table lenet5 --format md", "here that is markdown"),
        ("table lenet5 -o lenet5.svg", "there is no such format yet; csv and json are for other"),
        ("build lenet5 -o x.pt --format torchscript", "there is no such format; onnx is what most"),
        ("memory lenet5 --optimizer adamw", "here that is adam"),
        ("table lenet5 --as torchsummary", "here that is torchinfo"),
        ("reconcile lenet5 --tool pytorch", "here that is torch"),
        ("table mobilenet@width=0.5", "here that is alpha"),
        ("table mobilenet --set batch=8", "it is an option: --batch 8"),
        ("table resnet50@num_classes=10", "here that is classes"),
    ],
)
def test_hints_for_options(arguments, hint):
    assert hint in bad(*arguments.split())


def test_hints_that_name_columns_name_columns():
    for here in vocabulary.COLUMNS.values():
        named = re.findall(r"\b[a-z]+_[a-z]+\b", here) if " " in here else ()
        assert set(named) <= {*COLUMNS, *BY_KEY}


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("summary", "here that is table"),
        ("benchmark", "here that is profile"),
        ("export", "here that is build"),
        ("help", "it is an option: archcalc --help"),
        ("plot", "there is no such command yet; archcalc --help lists those that there are"),
    ],
)
def test_hints_for_commands(word, hint):
    ran = run(word, "lenet5")
    assert (ran.code, ran.out) == (2, "")
    assert f"Error: No such command '{word}': {hint}.\n" in ran.err


def test_a_slip_in_a_command():
    assert "Did you mean 'table'?" in run("tabel").err


# Networks.


def test_a_famous_network_that_is_not_here():
    assert bad("table", "efficientnet") == (
        f"error: expected a network, received 'efficientnet'; {vocabulary.NO_NETWORK}\n"
    )
    for name in ("EfficientNet-B0", "unet", "U-Net", "vit_b_16", "yolov8n", "bert"):
        assert words.network(name, KNOWN["NETWORKS"]) == vocabulary.NO_NETWORK


def test_no_network_is_called_as_those_that_are_not_here():
    names = {name for spec in library.networks() for name in library.names(spec)}
    assert not [name for name in names if name.startswith(vocabulary.ABSENT_NETWORKS)]
    assert not names & set(vocabulary.NETWORKS)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("googlnet", "did you mean googlenet?"),
        ("resnet51", "did you mean resnet"),
        ("a_net", "archcalc list shows all"),
        ("vgg16_bn", "here that is vgg16@batch_norm=true"),
    ],
)
def test_networks_that_are_near(name, hint):
    assert words.network(name, KNOWN["NETWORKS"]).startswith(hint)


@pytest.mark.parametrize("here", sorted(set(vocabulary.NETWORKS.values())))
def test_what_is_said_of_a_network_can_be_asked_for(here):
    assert archcalc.analyze(here.split()[-1]).totals.params


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("model.onnx", "an ONNX model"),
        ("nets/model.ONNX", "an ONNX model"),
        ("model.py", "Python code"),
        ("model.py:Net", "Python code"),
        ("model.py@width=32", "Python code"),
        ("weights.pt", "PyTorch weights"),
        ("weights.pth", "PyTorch weights"),
        ("model.pt2", "a program of torch.export"),
        ("model.h5", "a Keras model"),
        ("model.tflite", "a TensorFlow Lite model"),
        ("model.json", "JSON"),
        ("timm:vit_base", "a name of timm"),
        ("torchvision:resnet50", "a name of torchvision"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_only_specs_are_read(tmp_path, monkeypatch, name, what, is_there):
    monkeypatch.chdir(tmp_path)
    if is_there and "@" not in name:
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b'{"format": "archcalc"}\x08\x00')
    said = bad("table", name)
    asked = name.partition("@")[0]
    assert f"expected a network's name or a spec, received '{asked}', {what}; only specs" in said


def test_a_spec_in_json_is_a_spec(tmp_path):
    path = tmp_path / "one.json"
    path.write_text('{"input": [1, 8, 8], "layers": ["relu"]}')
    assert good("table", str(path)).startswith("one, input 1x8x8")


def test_a_spec_may_be_called_as_it_likes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.v2").write_text("input: [1, 8, 8]\nlayers: [relu]\n")
    assert good("table", "mine.v2").startswith("mine, input 1x8x8")


# Nobody's word: the nearest spelling is as good as before, and never a word of another sense.


def test_hints_are_for_what_is_known_where_they_are_given():
    assert words.said("COLUMNS", "top1", BY_KEY) == "here that is accuracy"
    assert words.said("COLUMNS", "time", BY_KEY) == "here that is latency"
    assert words.said("COLUMNS", "time", COLUMNS) == "archcalc profile measures it"
    assert words.said("COLUMNS", "macs", {"params"}) is None
    assert words.near("COLUMNS", "parms", {"params"}) == "did you mean params?"
    assert words.near("COLUMNS", "zzz", {"params"}) is None


def test_dtypes_that_no_model_is_built_in():
    assert words.near("DTYPES", "int", BUILT_DTYPES) is None
    assert words.near("DTYPES", "uint8", DTYPES) == "here that is int8"


def test_a_block_of_ones_own_is_no_kind_that_is_missing(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "input: [16, 32, 32]\nblocks: {attention: {layers: [relu]}}\nlayers: [attention]\n"
    )
    assert archcalc.analyze(str(path)).totals.flops == 16 * 32 * 32


def test_every_hint_is_short_enough_to_be_read():
    for table in TABLES:
        for here in getattr(vocabulary, table).values():
            assert len(here) < 200
            assert here.isprintable()
            assert not here.endswith(".")
