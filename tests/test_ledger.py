"""The ledger of the source documents: sentences, lines, and the claims that they name."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archcalc import api
from archcalc.published.verdicts import CONVENTION, DIFFERS, MATCH, Verdict

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
NOTES = "course notes 002, section "


@pytest.fixture(scope="module")
def ledger() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ledger", ROOT / "docs" / "ledger.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TEXT = """1、C1 层是一个卷积层
- 使用卷积。共有 96 个卷积核。每层都有偏置
All layers of **VGG-16** are deep.
"""


def test_sentences_are_counted_where_there_is_a_number_or_a_quantifier(ledger: ModuleType) -> None:
    assert [(one.text, one.counted) for one in ledger.sentences(TEXT)] == [
        ("C1 层是一个卷积层", True),
        ("使用卷积。", False),
        ("共有 96 个卷积核。", True),
        ("每层都有偏置", True),
        ("All layers of VGG-16 are deep.", True),
    ]


def lines(ledger: ModuleType, *begins: tuple[str, int]) -> object:
    told = tuple(ledger.Line("1", begin, count, (), "opinion", "") for begin, count in begins)
    return ledger.Ledger("002", "", "", "", told)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("## 3.1 AlexNet", "AlexNet"),
        ("### 1.残差块", "残差块"),
        ("- (2) 提出了 Mlpconv", "提出了 Mlpconv"),
        ("> 1. 减维", "减维"),
        ("1、C1 层", "C1 层"),
        ("- 5 次最大池化下采样", "5 次最大池化下采样"),
        ("- 1 x 1 卷积", "1 x 1 卷积"),
        ("| 56.59 | 79.39 |", "56.59 79.39"),
        ("1.5 GFLOPs", "1.5 GFLOPs"),
    ],
)
def test_numbering_is_left_out_and_numbers_are_not(
    ledger: ModuleType, line: str, sentence: str
) -> None:
    assert [one.text for one in ledger.sentences(line)] == [sentence]


@pytest.mark.parametrize("text", ["采用了双系统", "首次使用", "与前面的层相连", "多个网络"])
def test_quantifiers_are_counted(ledger: ModuleType, text: str) -> None:
    assert [one.counted for one in ledger.sentences(text)] == [True]


@pytest.mark.parametrize(
    ("begins", "missing", "stray"),
    [
        ((("C1 层", 1), ("共有 96", 2), ("All layers", 1)), [], []),
        ((("C1 层", 1), ("使用卷积", 0), ("共有", 1), ("每层", 1), ("All", 1)), [], []),
        ((("C1 层", 1), ("每层", 2)), ["共有 96 个卷积核。"], []),
        ((("C1 层", 4), ("C1 层", 1)), [], ["1: C1 层"]),
    ],
)
def test_every_counted_sentence_has_a_line(
    ledger: ModuleType, begins: tuple[tuple[str, int], ...], missing: list[str], stray: list[str]
) -> None:
    assert ledger.unmatched(lines(ledger, *begins), TEXT) == (missing, stray)


@pytest.mark.slow  # it judges all that papers print
def test_ledger_and_claims_agree(ledger: ModuleType) -> None:
    told = ledger.ledgers()
    assert [one.document for one in told] == sorted({one.document for one in told})
    assert [problem for one in told for problem in ledger.problems(one)] == []


# What chapter 4 of the notes (document 002) says, judged on all that it speaks of.

VERDICTS = [
    (
        "lenet5",
        "4.1.2",
        "each layer contains trainable parameters",
        DIFFERS,
    ),  # the output's are fixed
    ("lenet5", "4.1.2", "... and each feature map several neurons", DIFFERS),  # C5's have one each
    ("lenet5", "4.1.2", "each layer has several feature maps", MATCH),
    ("lenet5", "4.1.2", "... each feature map extracts", DIFFERS),  # S2 and S4 have no filters
    ("lenet5", "4.1.3", "sparse connections", MATCH),
    ("lenet5", "4.1.3", "maps are downsampled by a spatial mean", MATCH),
    ("lenet5", "4.1.3", "a sequence of three layers", DIFFERS),  # there are two nonlinearities
    ("alexnet", "4.2.2", "the first layer's 96 kernels correspond to 96 biases", MATCH),
    ("alexnet", "4.2.2", "the first layer's 96 kernels correspond to 256 biases", DIFFERS),
    ("alexnet", "4.2.2", "after the operation of the third layer the size of the kernels", DIFFERS),
    ("alexnet", "4.2.2", "each GPU has 13x13x128 kernels in the fifth layer", DIFFERS),
    ("alexnet", "4.5", "in a CNN most parameters are in the fully", DIFFERS),  # not in LeNet-5
    ("vgg", "4.4", "the whole network uses kernels of the same size", DIFFERS),  # C has 1x1
    ("vgg", "4.4", "... and max pools of the same size", MATCH),
    ("googlenet", "4.6.2", "the further on, the larger", MATCH),
    ("googlenet", "4.6.2", "so with more layers the share", DIFFERS),  # Table 1: 62.5% to 50%
    ("modules-reduction", "4.6.2", "they are reduced about 4 times", MATCH),  # 3.92
    ("alexnet", "4.2.2", "pooling comes first and gives 27x27", DIFFERS),  # in AlexNet it does not
    ("alexnet", "4.2.2", "pooling comes first and gives 13x13", DIFFERS),
    ("zfnet", "4.3.3", "10 different crops", MATCH),
    ("zfnet", "4.3.3", "the output images are in a range", DIFFERS),  # the input images
    ("zfnet", "4.3.2", "ReLU ensures", DIFFERS),  # 0 is not positive
    ("modules-mlpconv", "4.5", "the activation function", MATCH),
    ("modules-inception", "4.7.1", "in one layer there are kernels", MATCH),
    ("modules-inception", "4.7.1", "this merging of parallel kernels", DIFFERS),  # 192 to 416 maps
    ("modules-inception", "4.7.1", "so every layer of the network", DIFFERS),  # not conv1: 7x7
    ("modules-inception", "4.7.1", "concatenating after each block", DIFFERS),  # it is linear
    ("resnet", "4.8.1", "since AlexNet", DIFFERS),  # ZFNet has 8 layers as well
    (
        "resnet-cifar",
        "4.8.3",
        "highway networks do not perform as well",
        DIFFERS,
    ),  # but as ResNet-20
    ("highway", "4.8.3", "ResNet can be thought of as a special case", DIFFERS),  # T + C = 1
    ("densenet", "4.8.6", "1x1 bottlenecks reduce", DIFFERS),  # 64, 96 and 128 maps become 128
    ("densenet", "4.8.6", "the authors of", MATCH),  # 20.0M against 44.5M
    ("resnet-cifar", "4.8.8", "the lengths of all paths", MATCH),
    ("alexnet", "4.2.2", "the second layer's kernels move", DIFFERS),  # 4*2 pixels of the image
    ("alexnet", "4.2.2", "the third to fifth layers move", MATCH),
    ("vgg", "4.4", "the meaning of the 1x1 convolutions", DIFFERS),  # section 2.3: non-linearity
    ("vgg", "4.4, rows of the table", "soft-max in all columns", MATCH),
    ("vgg", "4.7.1", "fully connected layers at the end", MATCH),  # fc6 sees 7x7 or 8x8
    ("resnet", "4.7.5", "ResNet's structure improves performance", MATCH),  # 25.03%, 28.54%
    ("resnet", "4.7.5", "... as it prevents vanishing gradients", DIFFERS),  # section 4.1
    ("resnet", "4.8.1", "gradients that vanish make deep networks", DIFFERS),  # section 4.1
    ("resnet", "4.8.1", "before ResNet, no method", DIFFERS),  # section 1
    ("resnet", "4.8.2", "layers stacked on a network", CONVENTION),  # of 2 + 4 + 8 + 2 convolutions
]


# What documents 000, 001, 003 and 004 say; `source` is what follows "course notes ".

OTHERS = [
    ("alexnet", "000, section 2", "its network and its input are far larger", DIFFERS),  # Le et al.
    ("alexnet", "000, section 4.1.2", "AlexNet stacks layers as convolution + conv", DIFFERS),
    ("alexnet", "000, section 3.1.2", "it has several convolutions and pools", MATCH),
    ("alexnet", "000, section 3.1.3, item 3", "normalization improves", MATCH),  # section 3.3
    ("vgg", "000, section 2", "the kernels have one fixed size", DIFFERS),  # C has 1x1 ones
    ("resnet", "000, section 3.3.3", "residual learning also gives a higher", DIFFERS),
    ("mobilenet", "000, section 3.4.2", "with the accuracy as it is", DIFFERS),
    ("alexnet", "000, section 4.3.1", "models deeper than AlexNet also bring", DIFFERS),
    ("vgg", "000, section 3.2.3, item 3", "B is better", MATCH),
    (
        "vgg",
        "000, section 3.2.3, Table 4 (S = [256; 512])",
        "the best model is Net-E",
        DIFFERS,
    ),  # D has the same errors
    ("resnet", "000, section 1.5", "its 152 layers are a new record", DIFFERS),
    ("resnet", "000, section 3.3.3", "residual blocks solve vanishing", DIFFERS),
    ("resnet", "000, section 3.3.3", "the authors propose stochastic pooling", DIFFERS),
    ("resnet", "000, section 3.3.3", "the paper introduces batch normalization", DIFFERS),
    ("resnet", "000, section 3.3.4", "the solutions of the plain network of 18", CONVENTION),
    ("resnet", "000, section 4.1.1", "all four models use transfer learning", DIFFERS),
    ("resnet", "000, section 4.2.3", "more depth and more width", MATCH),
    ("mobilenet", "000, section 3.4.2", "each neuron is connected to a small part", DIFFERS),  # fc6
    ("mobilenet", "000, section 3.4.3, item 4", "the authors evaluate it on CPU, GPU", DIFFERS),
    ("ssd", "000, section 4.2.4", "in detection MobileNet may be worse", MATCH),
    ("mobilenet", "000, section 4.2.4", "its model is small, and yet", DIFFERS),
    ("mobilenet", "000, section 4.2.4", "its demand for computing", DIFFERS),
    ("mobilenet", "000, section 3.4.3", "in detection MobileNets are faster", DIFFERS),
    ("vgg", "000, section 4.3.1", "models deeper than AlexNet perform", MATCH),
    ("alexnet", "001, section 2.1", "a fully connected layer is connected with all", DIFFERS),
    (
        "alexnet",
        "001, section 3.2.1",
        "AlexNet's top-5 error on ImageNet is 5.9%",
        DIFFERS,
    ),  # 15.3%
    ("alexnet", "001, section 5.3.2.1", "six networks", DIFFERS),  # its table has seven
    ("alexnet", "001, section 5.3.2.1", "all others are worse than AlexNet and VGG", DIFFERS),
    ("alexnet", "001, section 5.3.1.2, ImageNet", "fine-tuned, AlexNet-TL surpasses", DIFFERS),
    ("vgg", "001, section 5.3.2.2, ImageNet", "fine-tuned, VGG-TL surpasses", DIFFERS),
    ("vgg", "001, section 5.3.2", "VGG is ahead of AlexNet", MATCH),
    ("vgg", "001, section 3.2.2", "VGG has few parameters", DIFFERS),  # the most of the seven
    ("googlenet", "001, section 3.2.3", "GoogLeNet's top-5 error", MATCH),  # 7.62%
    ("alexnet", "003, AlexNet, section 2.3", "normalization lowers the top-1", DIFFERS),  # 1.4%
    ("alexnet", "003, AlexNet, section 2.3", "n = 5", MATCH),
    ("alexnet", "003, AlexNet, section 2.3", "the sum over n neighboring", DIFFERS),
    ("vgg", "003, VGG", "all convolutional layers use small kernels of 3x3", DIFFERS),  # C: 1x1
    ("vgg", "003, VGG", "deeper and wider, the computation grows", DIFFERS),
    ("vgg", "003, VGG", "all hidden layers have ReLU", MATCH),
    ("resnet", "003, ResNet", "all three sorts of shortcuts are better", MATCH),
    ("resnet-cifar", "003, ResNet", "the ResNet of 1202 layers", DIFFERS),  # 110, not 101
    ("modules-residual", "003, ResNet", "the left unit of Figure 5", DIFFERS),  # 231M and 218M
    ("vgg", "004, section 2.2", "VGG has a max pool behind each", DIFFERS),
    ("googlenet", "004, section 2.3", "an Inception module has four branches", MATCH),
    ("googlenet", "004, section 2.3", "each branch has kernels", DIFFERS),
    ("googlenet", "004, section 2.3", "it has a wider residual boundary", DIFFERS),
    ("alexnet", "004, section 2", "... AlexNet in 2015", DIFFERS),  # 2012
    ("resnet", "004, section 2.4", "ResNet takes the same computation", DIFFERS),
    ("densenet", "004, section 2.5", "each dense layer consists of", DIFFERS),
    ("vgg", "003, receptive field", "the deeper a layer", DIFFERS),  # not with 1x1 kernels
    ("vgg", "003, receptive field", "each neuron is connected with the input", DIFFERS),
    (
        "modules-kernels",
        "003, receptive field",
        "enlarging the receptive field",
        DIFFERS,
    ),  # 1x7, 7x1
    ("vgg", "003, VGG", "tests are dense, at several scales", MATCH),
    ("alexnet", "003, AlexNet, section 2.2", "each GPU has half", MATCH),
    ("resnet", "003, ResNet", "with identity layers behind a shallow network", DIFFERS),
    ("resnet", "003, ResNet", "residual units solve vanishing gradients", DIFFERS),  # section 4.1
    ("senet", "001, section 4.1", "they are multiplied with the activations", MATCH),
    ("googlenet", "004, section 2.3", "first a large kernel extracts global", DIFFERS),  # 7 of 224
    ("googlenet", "004, section 2.3", "... then a smaller kernel extracts local", DIFFERS),
    ("resnet", "004, section 2.4", "... so that it can be trained on inputs of any size", MATCH),
    ("senet", "004, section 2.4", "SEResNet modulates the depth", DIFFERS),
    ("vgg", "004, section 2.2", "... and with dropout", MATCH),
    ("alexnet", "004, section 2.1", "a system of two GPUs", MATCH),
    ("resnet", "001, section 2.1", "a CNN's output comes after several", DIFFERS),
    ("senet", "001, section 3.2.6", "SE enlarges the receptive field", MATCH),  # by its gates
    ("senet", "001, section 4.1", "one fully connected layer gives", DIFFERS),  # two
    ("mobilenet", "001, section 3.2.7", "... by features of key regions", DIFFERS),
    ("alexnet", "001, section 4.1", "BatchNorm is added behind each", DIFFERS),
    ("alexnet", "001, section 5.1", "three networks are tested", DIFFERS),  # four
    ("alexnet", "001, section 5.3.1", "the accuracy is measured on 1k images", DIFFERS),
    ("alexnet", "001, section 5.3.3.1", "SENet-154 has accuracies", DIFFERS),  # of 5.3.2.1
    ("alexnet", "001, section 5.3.2.1", "GoogleNet has a top-1 accuracy", DIFFERS),
    ("vgg", "003, VGG", "the error falls with depth", DIFFERS),  # not from D to E at fixed scales
    ("vgg", "003, VGG", "its features classify PASCAL VOC and Caltech best", DIFFERS),  # Table 11
    ("resnet", "003, ResNet", "in several recognition tasks", MATCH),
    ("resnet-cifar", "003, ResNet", "deeper plain networks clearly degrade", MATCH),
    ("alexnet", "003, AlexNet, section 3.2", "all neurons are used for tests", MATCH),
    ("densenet", "004, section 2.5", "... above all on small data sets", MATCH),
    ("alexnet", "004, section 2", "... each of them for the first time", DIFFERS),
    ("alexnet", "004, section 2.1", "... so that it can process larger images", DIFFERS),
    ("alexnet", "001, section 3", "ImageNet is divided into two subsets", DIFFERS),  # three
    ("alexnet", "001, section 3.2.1", "training images are cropped", DIFFERS),
    ("alexnet", "001, section 5.2", "ILSVRC 2012 is the largest", DIFFERS),  # a part of ImageNet
    ("vgg", "001, section 3.2.2", "VGG is the first general architecture", DIFFERS),
]


@pytest.fixture(scope="module")
def claims() -> dict[str, list[Verdict]]:
    specs = sorted({spec for spec, *_ in VERDICTS + OTHERS})
    return {spec: api.reproduce(ROOT / "specs" / f"{spec}.yaml") for spec in specs}


@pytest.mark.parametrize(("spec", "section", "begins", "kind"), VERDICTS)
def test_what_the_notes_say(
    claims: dict[str, list[Verdict]], spec: str, section: str, begins: str, kind: str
) -> None:
    kinds = {
        verdict.kind
        for verdict in claims[spec]
        if verdict.source == NOTES + section and verdict.figure.startswith(begins)
    }
    assert kinds == {kind}


@pytest.mark.parametrize(("spec", "source", "begins", "kind"), OTHERS)
def test_what_other_notes_say(
    claims: dict[str, list[Verdict]], spec: str, source: str, begins: str, kind: str
) -> None:
    kinds = {
        verdict.kind
        for verdict in claims[spec]
        if verdict.source == f"course notes {source}" and verdict.figure.startswith(begins)
    }
    assert kinds == {kind}


def test_a_beginning_that_ends_with_a_blank_names_one_network(
    ledger: ModuleType, claims: dict[str, list[Verdict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """VGG's column D is vgg16, column C is vgg16-1x1."""
    monkeypatch.setattr(ledger, "verdicts", lambda: claims)
    notes = ledger.Ledger("000", "", "", "", ())
    source = "vgg | section 3.2.3, Table 3 (S = 256) | "
    named = {
        begins: {verdict.network for verdict in ledger.judged(notes, source + begins)}
        for begins in ("vgg16 ", "vgg16")
    }
    assert named == {"vgg16 ": {"vgg16"}, "vgg16": {"vgg16", "vgg16-1x1"}}


def test_like_sentences_are_treated_alike(ledger: ModuleType) -> None:
    """That AlexNet, and VGG, has many layers; that residual learning can reach more accuracy."""
    [notes] = [one for one in ledger.ledgers() if one.document == "000"]
    many = [one.why for one in notes.lines if one.begins.startswith("训练时间长")]
    assert many == ["opinion", "opinion"]
    easier = [one.claims for one in notes.lines if one.begins.startswith("这种方法使得更深")]
    assert len(easier) == 2
    assert easier[0] == easier[1]
    assert "resnet | section 3.3.3 | with as many parameters, residual" in easier[0]


def test_each_fully_connected_layer_is_judged(claims: dict[str, list[Verdict]]) -> None:
    """4096 in each, say the notes; the third has 1000."""
    kinds = {
        verdict.layer: verdict.kind
        for verdict in claims["alexnet"]
        if verdict.source == "course notes 003, AlexNet, section 2.5" and verdict.layer[:2] == "fc"
    }
    assert kinds == {"fc6": MATCH, "fc7": MATCH, "fc8": DIFFERS}


# What it says of networks that take longer to judge; `begins` as a line of the ledger has it.

LARGE = [
    ("inception-v3", "4.7.2, the table of errors", "Inception v2 has lower errors", MATCH),
    ("inception-v3", "4.7.2, the table of errors", "googlenet@separable=true mult_adds", MATCH),
    ("resnext", "4.8.5", "only one hyper-parameter", DIFFERS),  # cardinality and width
    ("resnext", "4.8.5", "more cardinality gains", MATCH),  # 1.6 points, 0.3 by depth, 0.7 by width
]


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "section", "begins", "kind"), LARGE)
def test_what_the_notes_say_of_large_networks(
    ledger: ModuleType, spec: str, section: str, begins: str, kind: str
) -> None:
    told = ledger.Ledger("002", "", "", "", ())
    found = ledger.judged(told, f"{spec} | section {section} | {begins}")
    assert {verdict.kind for verdict in found} == {kind}


MISPRINTS = [  # what is right but for its print: a word of `misprint`
    ("googlenet", "4.6.3", "inception_3b/1x1/conv1 output", "ReLU"),
    ("modules-inception", "4.7.1", "average pooling in place", "parameters"),
    ("densenet", "4.8.6", "the authors of", "ResNeXt"),
]


@pytest.mark.parametrize(("spec", "section", "begins", "word"), MISPRINTS)
def test_misprints_of_the_notes_are_named(
    claims: dict[str, list[Verdict]], spec: str, section: str, begins: str, word: str
) -> None:
    [misprint] = {
        verdict.misprint
        for verdict in claims[spec]
        if verdict.source == NOTES + section
        and f"{verdict.layer} {verdict.figure}".strip().startswith(begins)
    }
    assert word in misprint


def test_rows_that_the_notes_lost_of_vggs_table(claims: dict[str, list[Verdict]]) -> None:
    """Their table has eight rows of convolutions under each column; columns B to E have more."""
    kinds = {
        verdict.network: verdict.kind
        for verdict in claims["vgg"]
        if verdict.source == f"{NOTES}4.4, rows of the table" and verdict.figure == "weight_layers"
    }
    assert kinds == {
        "vgg11": CONVENTION,
        "vgg11-lrn": CONVENTION,
        "vgg13": DIFFERS,
        "vgg16-1x1": DIFFERS,
        "vgg16": DIFFERS,
        "vgg19": DIFFERS,
    }
