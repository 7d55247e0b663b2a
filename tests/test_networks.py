"""The shipped networks against figures from their papers and from other people's code.

Nothing here comes from archcalc's own output: each number stands beside where it is printed, or is
the product that its paper's text gives.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from archcalc.ops import spelled
from archcalc.spec.expansion import expand
from archcalc.spec.library import find

if TYPE_CHECKING:
    from archcalc.graph import Graph, Node


def network(name: str, **settings: Any) -> Graph:
    return expand(find(name), settings)


def total(graph: Graph, fact: str) -> int:
    return sum(getattr(node.facts, fact) for node in graph.layers)


def layer(graph: Graph, path: str) -> Node:
    [node] = [node for node in graph.layers if node.path == path]
    return node


def within(graph: Graph, scope: str) -> list[Node]:
    return [node for node in graph.layers if node.path.startswith(f"{scope}/")]


def kinds(graph: Graph, kind: str) -> list[Node]:
    return [node for node in graph.layers if node.op.kind == kind]


# LeNet-5: LeCun, Bottou, Bengio, Haffner 1998, section II.B, which prints each of these.

LENET = [  # layer, output, trainable parameters, connections, neurons
    ("C1", "6x28x28", 156, 122_304, 4_704),
    ("S2", "6x14x14", 12, 5_880, 1_176),
    ("C3", "16x10x10", 1_516, 151_600, 1_600),
    ("S4", "16x5x5", 32, 2_000, 400),
    ("C5", "120x1x1", 48_120, 48_120, 120),
    ("F6", "84", 10_164, 10_164, 84),
    ("output", "10", 0, 840, 10),
]


@pytest.mark.parametrize(("name", "output", "params", "connections", "neurons"), LENET)
def test_lenet5_layer(name: str, output: str, params: int, connections: int, neurons: int) -> None:
    facts = layer(network("lenet5"), name).facts
    assert spelled(facts.outputs[0]) == output
    assert (facts.params, facts.connections, facts.neurons) == (params, connections, neurons)


def test_lenet5_total() -> None:
    """Section II.B: 340,908 connections, but only 60,000 trainable free parameters."""
    lenet = network("lenet5")
    assert total(lenet, "params") == 60_000
    assert total(lenet, "connections") == 340_908
    assert total(lenet, "buffers") == 840  # the fixed centres of the output


# AlexNet: Krizhevsky, Sutskever, Hinton 2012.

ALEXNET_NEURONS = {  # section 3.5 prints 253,440 for the first, which is no product of its sizes
    "conv1": 55 * 55 * 96,
    "conv2": 186_624,
    "conv3": 64_896,
    "conv4": 64_896,
    "conv5": 43_264,
    "fc6": 4_096,
    "fc7": 4_096,
    "fc8": 1_000,
}
ALEXNET_SIZES = {"conv1": 55, "conv2": 27, "conv3": 13, "conv4": 13, "conv5": 13, "pool5": 6}


@pytest.mark.parametrize("name", ["alexnet", "caffenet"])
def test_alexnet_params(name: str) -> None:
    """60,965,224: BVLC's Caffe models bvlc_alexnet and bvlc_reference_caffenet."""
    assert total(network(name), "params") == 60_965_224


@pytest.mark.parametrize("name", ["alexnet", "caffenet"])
def test_alexnet_mult_adds(name: str) -> None:
    """724 MFLOPs for CaffeNet: Albanie, convnet-burden (a multiply-add is one there)."""
    assert round(total(network(name), "mult_adds") / 10**6) == 724


def test_alexnet_neurons() -> None:
    alexnet = network("alexnet")
    assert {n: layer(alexnet, n).facts.neurons for n in ALEXNET_NEURONS} == ALEXNET_NEURONS


def test_alexnet_sizes() -> None:
    """Figure 2: 55, 27, 13 and 13; the last pooling leaves 6x6x256."""
    alexnet = network("alexnet")
    assert {n: layer(alexnet, n).facts.outputs[0][-1] for n in ALEXNET_SIZES} == ALEXNET_SIZES
    assert layer(alexnet, "flatten1").facts.outputs == ((256 * 6 * 6,),)


def test_caffenet_pools_first() -> None:
    """BVLC's deploy.prototxt: norm1 after pool1 there, before it in bvlc_alexnet."""
    assert [node.op.kind for node in within(network("alexnet"), "pool1")] == ["lrn", "maxpool"]
    assert [node.op.kind for node in within(network("caffenet"), "pool1")] == ["maxpool", "lrn"]


# VGG: Simonyan & Zisserman 2014, Table 1 and 2.

VGG = [  # network, parameters, the paper's Table 2 in millions
    ("vgg11", 132_863_336, 133),  # torchvision vgg11 (weights' num_params), and so on
    ("vgg11-lrn", 132_863_336, 133),
    ("vgg13", 133_047_848, 133),
    ("vgg16", 138_357_544, 138),
    ("vgg19", 143_667_240, 144),
    # Column C is D with three 3x3 convolutions made 1x1: 8*(256*256 + 2*512*512) weights less.
    ("vgg16-1x1", 138_357_544 - 8 * (256 * 256 + 2 * 512 * 512), 134),
]
VGG_GIGA = {
    "vgg11": 7.609,
    "vgg13": 11.308,
    "vgg16": 15.47,
    "vgg19": 19.632,
}  # torchvision's GFLOPS


@pytest.mark.parametrize(("name", "params", "millions"), VGG)
def test_vgg_params(name: str, params: int, millions: int) -> None:
    found = total(network(name), "params")
    assert found == params
    assert round(found / 10**6) == millions


def test_vgg_column_c_by_hand() -> None:
    assert total(network("vgg16-1x1"), "params") == 133_638_952


@pytest.mark.parametrize("name", VGG_GIGA)
def test_vgg_mult_adds(name: str) -> None:
    assert round(total(network(name), "mult_adds") / 10**9, 3) == VGG_GIGA[name]


@pytest.mark.parametrize(
    ("name", "weights"), [("vgg11", 11), ("vgg13", 13), ("vgg16", 16), ("vgg19", 19)]
)
def test_vgg_is_called_after_its_weight_layers(name: str, weights: int) -> None:
    graph = network(name)
    assert len(kinds(graph, "conv")) + len(kinds(graph, "linear")) == weights


def test_vgg_halves_five_times() -> None:
    pools = kinds(network("vgg16"), "maxpool")
    assert [node.facts.outputs[0] for node in pools] == [
        (64, 112, 112),
        (128, 56, 56),
        (256, 28, 28),
        (512, 14, 14),
        (512, 7, 7),
    ]


def test_vgg_lrn_is_after_the_first_convolution_only() -> None:
    norms = kinds(network("vgg11-lrn"), "lrn")
    assert [node.path for node in norms] == ["norm1"]
    assert norms[0].facts.outputs == ((64, 224, 224),)
    assert not kinds(network("vgg11"), "lrn")


# GoogLeNet: Szegedy et al. 2014, Table 1: width in, #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5,
# pool proj, and the output size.

INCEPTION = {
    "inception_3a": (192, 64, 96, 128, 16, 32, 32, (256, 28, 28)),
    "inception_3b": (256, 128, 128, 192, 32, 96, 64, (480, 28, 28)),
    "inception_4a": (480, 192, 96, 208, 16, 48, 64, (512, 14, 14)),
    "inception_4b": (512, 160, 112, 224, 24, 64, 64, (512, 14, 14)),
    "inception_4c": (512, 128, 128, 256, 24, 64, 64, (512, 14, 14)),
    "inception_4d": (512, 112, 144, 288, 32, 64, 64, (528, 14, 14)),
    "inception_4e": (528, 256, 160, 320, 32, 128, 128, (832, 14, 14)),
    "inception_5a": (832, 256, 160, 320, 32, 128, 128, (832, 7, 7)),
    "inception_5b": (832, 384, 192, 384, 48, 128, 128, (1024, 7, 7)),
}
GOOGLENET_SIZES = {"conv1": 112, "pool1": 56, "pool2": 28, "pool3": 14, "pool4": 7, "pool5": 1}


@pytest.mark.parametrize("name", INCEPTION)
def test_inception_params(name: str) -> None:
    """Each convolution's out*(in*k*k + 1), from the table's widths."""
    wide, one, reduce3, three, reduce5, five, proj, _ = INCEPTION[name]
    params = (one + reduce3 + reduce5 + proj) * (wide + 1)
    params += three * (9 * reduce3 + 1) + five * (25 * reduce5 + 1)
    assert sum(node.facts.params for node in within(network("googlenet"), name)) == params


@pytest.mark.parametrize("name", INCEPTION)
def test_inception_output(name: str) -> None:
    googlenet = network("googlenet")
    assert within(googlenet, name)[-1].facts.outputs == (INCEPTION[name][-1],)


def test_googlenet_params() -> None:
    """6,998,552: BVLC's bvlc_googlenet deploy.prototxt, which has no auxiliary heads."""
    assert total(network("googlenet"), "params") == 6_998_552


def test_googlenet_mult_adds() -> None:
    """fvcore on benchmarks/googlenet_torch.py; the paper's section 1 allows 1.5 billion."""
    assert total(network("googlenet"), "mult_adds") == 1_582_671_872


def test_googlenet_sizes() -> None:
    googlenet = network("googlenet")
    sizes = {name: layer(googlenet, name).facts.outputs[0][-1] for name in GOOGLENET_SIZES}
    assert sizes == GOOGLENET_SIZES


def test_googlenet_heads_are_off_by_default() -> None:
    googlenet = network("googlenet")
    assert [output.name for output in googlenet.outputs] == ["softmax"]
    assert not within(googlenet, "aux1")


@pytest.mark.parametrize(("head", "wide"), [("aux1", 512), ("aux2", 528)])
def test_googlenet_head(head: str, wide: int) -> None:
    """Section 5: 5x5 pooling with stride 3 gives 4x4; 128 1x1 filters; 1024 units; 1000 classes."""
    nodes = within(network("googlenet", auxiliary=True), head)
    assert nodes[0].facts.outputs == ((wide, 4, 4),)
    params = 128 * (wide + 1) + 1024 * (128 * 16 + 1) + 1000 * (1024 + 1)
    assert sum(node.facts.params for node in nodes) == params


def test_googlenet_with_heads() -> None:
    """13,378,280: BVLC's bvlc_googlenet train_val.prototxt."""
    googlenet = network("googlenet", auxiliary=True)
    assert total(googlenet, "params") == 13_378_280
    assert [(o.name, o.auxiliary) for o in googlenet.outputs] == [
        ("softmax", False),
        ("aux1", True),
        ("aux2", True),
    ]


# ResNet: He, Zhang, Ren, Sun 2015.

RESNET = [  # network, torchvision's num_params, its GFLOPS (stride on the 3x3), the paper's Table 1
    ("resnet18", 11_689_512, 1.814, 1.8),
    ("resnet34", 21_797_672, 3.664, 3.6),
    ("resnet50", 25_557_032, 4.089, 3.8),
    ("resnet101", 44_549_160, 7.801, 7.6),
    ("resnet152", 60_192_808, 11.514, 11.3),
]


@pytest.mark.parametrize(("name", "params", "giga", "paper"), RESNET)
def test_resnet(name: str, params: int, giga: float, paper: float) -> None:
    graph = network(name)
    assert total(graph, "params") == params
    assert abs(total(graph, "mult_adds") / 10**9 - paper) < 0.1  # some rounded, some cut off
    later = network(name, stride_on_3x3=True)
    assert total(later, "params") == params
    assert round(total(later, "mult_adds") / 10**9, 3) == giga


def test_resnet50_stride_on_3x3_exactly() -> None:
    """fvcore's FlopCountAnalysis of torchvision's resnet50: 4,089,184,256."""
    assert total(network("resnet50", stride_on_3x3=True), "mult_adds") == 4_089_184_256


def test_resnet_sizes() -> None:
    """Table 1: 112, 56, 28, 14, 7."""
    graph = network("resnet50")
    ends = ["conv1", "pool1", "conv2_3/relu1", "conv3_4/relu1", "conv4_6/relu1", "conv5_3/relu1"]
    assert [layer(graph, end).facts.outputs[0] for end in ends] == [
        (64, 112, 112),
        (64, 56, 56),
        (256, 56, 56),
        (512, 28, 28),
        (1024, 14, 14),
        (2048, 7, 7),
    ]


def projections(name: str, **settings: Any) -> list[Node]:
    return [n for n in kinds(network(name, **settings), "conv") if "/shortcut/" in n.path]


def test_resnet34_shortcuts() -> None:
    """Section 4.1: C brings 13 extra projections; A and identities have no parameters."""
    assert len(projections("resnet34", shortcuts="B")) == 3
    assert len(projections("resnet34", shortcuts="C")) - len(projections("resnet34")) == 13
    assert projections("resnet34", shortcuts="A") == []


def test_resnet34_params_by_option() -> None:
    """Projections in*out + 2*out (batch norm): at three places for B, at all sixteen for C."""
    plain = total(network("plain34"), "params")
    b = sum(n * 2 * n + 2 * 2 * n for n in (64, 128, 256))
    extra = sum(count * (n * n + 2 * n) for n, count in ((64, 3), (128, 3), (256, 5), (512, 2)))
    assert total(network("resnet34", shortcuts="A"), "params") == plain
    assert total(network("resnet34"), "params") == plain + b
    assert total(network("resnet34", shortcuts="C"), "params") == plain + b + extra


def test_option_a_pads_channels_and_takes_every_other_position() -> None:
    nodes = within(network("resnet34", shortcuts="A"), "conv3_1/shortcut")
    assert [(n.op.kind, n.facts.outputs[0]) for n in nodes] == [
        ("maxpool", (64, 28, 28)),
        ("pad", (128, 28, 28)),
    ]


@pytest.mark.parametrize(("name", "convs"), [("plain18", 17), ("plain34", 33)])
def test_plain_networks_have_no_shortcuts(name: str, convs: int) -> None:
    graph = network(name)
    assert not kinds(graph, "add")
    assert len(kinds(graph, "conv")) == convs  # and the linear layer


def test_resnet50_first_unit_projects_although_sizes_agree() -> None:
    """Table 1: conv2_x takes 64 channels and gives 256."""
    [projection] = [n for n in projections("resnet50") if n.path.startswith("conv2_1/")]
    assert projection.facts.outputs == ((256, 56, 56),)


@pytest.mark.parametrize(("later", "strides"), [(False, [2, 1, 1]), (True, [1, 2, 1])])
def test_where_a_bottleneck_strides(later: bool, strides: list[int]) -> None:
    body = within(network("resnet50", stride_on_3x3=later), "conv3_1/body")
    assert [n.op.stride for n in body if n.op.kind == "conv"] == strides


# MobileNet: Howard et al. 2017, Tables 6 and 7: million Mult-Adds, million parameters.

WIDTHS = [("1.0", 569, 4.2), ("0.75", 325, 2.6), ("0.5", 149, 1.3), ("0.25", 41, 0.5)]
RESOLUTIONS = [(224, 569), (192, 418), (160, 290), (128, 186)]


@pytest.mark.parametrize(("alpha", "mult_adds", "params"), WIDTHS)
def test_mobilenet_width(alpha: str, mult_adds: int, params: float) -> None:
    graph = network("mobilenet", alpha=Fraction(alpha))
    assert round(total(graph, "mult_adds") / 10**6) == mult_adds
    assert round(total(graph, "params") / 10**6, 1) == params


@pytest.mark.parametrize(("resolution", "mult_adds"), RESOLUTIONS)
def test_mobilenet_resolution(resolution: int, mult_adds: int) -> None:
    graph = network("mobilenet", resolution=resolution)
    found = total(graph, "mult_adds") / 10**6
    assert mult_adds in (round(found), int(found))  # 290.7 is cut off to 290
    assert total(graph, "params") == total(network("mobilenet"), "params")


def test_small_mobilenet() -> None:
    """Table 9, 0.50 MobileNet-160: 76 million Mult-Adds (76.5, cut off), 1.32 million parameters.

    1.32 is without batch normalization's 2 x 5,472, with it 1.33.
    """
    graph = network("mobilenet", alpha=Fraction(1, 2), resolution=160)
    assert total(graph, "mult_adds") // 10**6 == 76
    normalization = sum(node.facts.params for node in kinds(graph, "batchnorm"))
    assert normalization == 2 * 5_472
    assert round((total(graph, "params") - normalization) / 10**6, 2) == 1.32


def test_mobilenet_last_depthwise_layer_keeps_7x7() -> None:
    """Table 1 prints stride 2 for it, with 7x7 before and behind it: a misprint."""
    nodes = [n for n in kinds(network("mobilenet"), "conv") if n.path.endswith("/dw")]
    assert len(nodes) == 13
    assert nodes[-1].facts.outputs == ((1024, 7, 7),)
    assert [n.op.stride for n in nodes] == [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]


def test_mobilenet_shares_of_its_work() -> None:
    """Table 2: 1x1 convolutions 94.86% of Mult-Adds and 74.59% of parameters, linear 24.33%."""
    graph = network("mobilenet")
    pointwise = [n for n in kinds(graph, "conv") if n.path.endswith("/pw")]
    share = sum(n.facts.mult_adds for n in pointwise) / total(graph, "mult_adds")
    params = sum(n.facts.params for n in pointwise) / total(graph, "params")
    assert share == pytest.approx(0.9486, abs=0.0005)
    assert params == pytest.approx(0.7459, abs=0.005)
