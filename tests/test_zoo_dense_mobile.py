"""DenseNet, MobileNetV2, SqueezeNet, settings of MobileNet and VGG, against papers and other code.

Nothing here comes from archcalc's own output: each number stands beside where it is printed, or is
the product that its paper's text gives.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from archcalc import analyze
from archcalc.analysis.receptive_field import AxisField
from archcalc.spec.expansion import expand
from archcalc.spec.library import find

if TYPE_CHECKING:
    from archcalc.graph import Graph, Node


def network(name: str, **settings: Any) -> Graph:
    return expand(find(name), settings)


def total(graph: Graph, fact: str) -> int:
    return sum(getattr(node.facts, fact) for node in graph.layers)


def weights(graph: Graph) -> int:
    """Parameters without those of batch normalization."""
    return total(graph, "params") - sum(node.facts.params for node in kinds(graph, "batchnorm"))


def layer(graph: Graph, path: str) -> Node:
    [node] = [node for node in graph.layers if node.path == path]
    return node


def within(graph: Graph, scope: str) -> list[Node]:
    return [node for node in graph.layers if node.path.startswith(f"{scope}/")]


def kinds(graph: Graph, kind: str) -> list[Node]:
    return [node for node in graph.layers if node.op.kind == kind]


def shown(value: float, digits: int = 0) -> tuple[float, float]:
    """How a value may be printed: rounded, or cut off."""
    return round(value, digits), int(value * 10**digits) / 10**digits


# DenseNet: Huang, Liu, van der Maaten, Weinberger 2017.

DENSENET = [  # network, torchvision's num_params, its GFLOPS
    ("densenet121", 7_978_856, 2.834),
    ("densenet169", 14_149_480, 3.36),
    ("densenet201", 20_013_928, 4.291),
    ("densenet161", 28_681_000, 7.728),
]
DENSENET_CIFAR = [  # network, parameters, the authors' README and the paper's Table 2 in millions
    ("densenet40-k12", 1_019_722, 1.0),  # mzweilin/EvadeML-Zoo, README: DenseNet(L=40,k=12)
    ("densenet-bc100-k12", 769_162, 0.8),  # osmr/imgclsmob, README, this one and the next two
    ("densenet-bc250-k24", 15_324_406, 15.3),
    ("densenet-bc190-k40", 25_624_430, 25.6),
]


@pytest.mark.parametrize(("name", "params", "giga"), DENSENET)
def test_densenet(name: str, params: int, giga: float) -> None:
    graph = network(name)
    assert total(graph, "params") == params
    assert round(total(graph, "mult_adds") / 10**9, 3) == giga


@pytest.mark.parametrize(("name", "mebi"), [("densenet161", 27.35), ("densenet264", 31.79)])
def test_densenet_264(name: str, mebi: float) -> None:
    """ECA-Net (Wang et al. 2020), Table 3, prints parameters in units of 2**20."""
    assert round(total(network(name), "params") / 2**20, 2) == mebi


@pytest.mark.parametrize(
    ("name", "depth"), [("121", 121), ("169", 169), ("201", 201), ("161", 161), ("264", 265)]
)
def test_densenet_is_called_after_its_depth(name: str, depth: int) -> None:
    """All but 264: 2*(6 + 12 + 64 + 48) convolutions in its blocks, and 5 layers more."""
    graph = network(f"densenet{name}")
    assert len(kinds(graph, "conv")) + len(kinds(graph, "linear")) == depth
    assert analyze(f"densenet{name}").totals.depth == depth


def test_densenet_sizes() -> None:
    """Table 1; section 3 has the channels: k more a layer, half of them after a transition."""
    graph = network("densenet121")
    units, sides, channels = [6, 12, 24, 16], [56, 28, 14, 7], 64
    assert layer(graph, "conv1").facts.outputs == ((64, 112, 112),)
    for block, (count, side) in enumerate(zip(units, sides, strict=True), 1):
        inside = within(graph, f"block{block}")
        wide = [n.facts.inputs[0][0] for n in inside if n.op.kind == "conv" and n.op.kernel == 1]
        assert wide == [channels + 32 * done for done in range(count)]  # k0 + k*(l - 1)
        channels += 32 * count
        assert inside[-1].facts.outputs == ((channels, side, side),)
        if block < len(units):
            channels //= 2
            [*_, pool] = within(graph, f"transition{block}")
            assert pool.facts.outputs == ((channels, side // 2, side // 2),)
    assert layer(graph, "fc").facts.inputs == ((1024,),)


def test_densenet_normalizes_before_it_convolves() -> None:
    """Section 3: BN-ReLU-Conv(1x1)-BN-ReLU-Conv(3x3), the 1x1 to 4k maps."""
    nodes = within(network("densenet121"), "block1/layer1/new")
    assert [n.op.kind for n in nodes] == ["batchnorm", "relu", "conv", "batchnorm", "relu", "conv"]
    assert [n.facts.outputs[0][0] for n in nodes if n.op.kind == "conv"] == [128, 32]


@pytest.mark.parametrize(("name", "params", "millions"), DENSENET_CIFAR)
def test_densenet_for_cifar(name: str, params: int, millions: float) -> None:
    found = total(network(name), "params")
    assert found == params
    assert round(found / 10**6, 1) == millions


@pytest.mark.parametrize(("name", "params"), [("bc100-k12", 800_032), ("bc250-k24", 15_480_556)])
def test_densenet_for_cifar_100(name: str, params: int) -> None:
    """osmr/imgclsmob, README."""
    assert total(network(f"densenet-{name}", classes=100), "params") == params


def basic_densenet(units: int, k: int, classes: int = 10) -> int:
    """Without B and C: 16 maps first, 3x3 convolutions to k maps, transitions that keep all."""
    channels, params = 16, 3 * 9 * 16
    for block in range(3):
        for _ in range(units):
            params += 2 * channels + 9 * channels * k
            channels += k
        if block < 2:
            params += 2 * channels + channels**2
    return params + 2 * channels + (channels + 1) * classes


@pytest.mark.parametrize(
    ("name", "units", "k", "millions"), [("100-k12", 32, 12, 7.0), ("100-k24", 32, 24, 27.2)]
)
def test_basic_densenet(name: str, units: int, k: int, millions: float) -> None:
    """Table 2 prints 7.0M and 27.2M."""
    found = total(network(f"densenet{name}"), "params")
    assert found == basic_densenet(units, k)
    assert round(found / 10**6, 1) == millions


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("40-k12", 40),
        ("100-k12", 100),
        ("-bc100-k12", 100),
        ("-bc250-k24", 250),
        ("-bc190-k40", 190),
    ],
)
def test_densenet_for_cifar_has_its_depth(name: str, depth: int) -> None:
    graph = network(f"densenet{name}")
    assert len(kinds(graph, "conv")) + len(kinds(graph, "linear")) == depth
    blocks = [within(graph, f"block{block}")[-1].facts.outputs[0][1:] for block in (1, 2, 3)]
    assert blocks == [(32, 32), (16, 16), (8, 8)]  # section 3


@pytest.mark.parametrize(
    ("k", "params", "millions"), [(12, 176_122, 0.2), (24, 690_346, 0.7), (36, 1_542_682, 1.5)]
)
def test_wide_densenet(k: int, params: int, millions: float) -> None:
    """DenseNet-BC of L = 40: osmr/imgclsmob, README; the authors' README has 1.5M for k = 36."""
    found = total(network("densenet-bc100-k12", units=[6, 6, 6], growth=k), "params")
    assert found == params
    assert round(found / 10**6, 1) == millions


# MobileNetV2: Sandler et al. 2018.

# tensorflow/models, research/slim/nets/mobilenet/README.md: width, million parameters (without
# batch normalization), million MACs at 224, 192, 160, 128 and 96, cut off or rounded.
MOBILENET_V2 = [
    ("1.4", 6.06, [582]),
    ("1.3", 5.34, [509]),
    ("1.0", 3.47, [300, 221, 154, 99, 56]),
    ("0.75", 2.61, [209, 153, 107, 69, 39]),
    ("0.5", 1.95, [97, 71, 50, 32, 18]),
    ("0.35", 1.66, [59, 43, 30, 20, 11]),
]
# pytorch-image-models, results/benchmark-infer-amp-nchw-pt113-cu117-rtx3090.csv: param_count.
TIMM_MOBILENET_V2 = [("1.4", 6.11), ("1.0", 3.50), ("0.75", 2.64), ("0.5", 1.97), ("0.35", 1.68)]
THIN = [  # width; channels of conv1, of Table 2's seven rows, and of the last convolution
    ("1.0", [32, 16, 24, 32, 64, 96, 160, 320, 1280]),
    ("1.4", [48, 24, 32, 48, 88, 136, 224, 448, 1792]),
    ("0.5", [16, 8, 16, 16, 32, 48, 80, 160, 1280]),
    ("0.35", [16, 8, 8, 16, 24, 32, 56, 112, 1280]),
]


def test_mobilenet_v2() -> None:
    """torchvision's num_params and GFLOPS; the paper's Table 4 prints 3.4M and 300M."""
    graph = network("mobilenet-v2")
    assert total(graph, "params") == 3_504_872
    assert round(total(graph, "mult_adds") / 10**9, 3) == 0.301
    assert total(graph, "mult_adds") // 10**6 == 300
    assert 3.4 in shown(weights(graph) / 10**6, 1)


@pytest.mark.parametrize(("alpha", "params", "macs"), MOBILENET_V2)
def test_mobilenet_v2_width_and_resolution(alpha: str, params: float, macs: list[int]) -> None:
    for resolution, printed in zip((224, 192, 160, 128, 96), macs, strict=False):
        graph = network("mobilenet-v2", alpha=Fraction(alpha), resolution=resolution)
        assert printed in shown(total(graph, "mult_adds") / 10**6)
        assert params in shown(weights(graph) / 10**6, 2)


@pytest.mark.parametrize(("alpha", "params"), TIMM_MOBILENET_V2)
def test_mobilenet_v2_params(alpha: str, params: float) -> None:
    graph = network("mobilenet-v2", alpha=Fraction(alpha))
    assert round(total(graph, "params") / 10**6, 2) == params


def test_mobilenet_v2_with_moving_statistics() -> None:
    """Keras' MobileNetV2(alpha=1.4) has 6,156,712 parameters, the moving statistics included."""
    graph = network("mobilenet-v2", alpha=Fraction("1.4"))
    assert total(graph, "params") + total(graph, "buffers") == 6_156_712


@pytest.mark.parametrize(("alpha", "channels"), THIN)
def test_mobilenet_v2_channels(alpha: str, channels: list[int]) -> None:
    """The rule of slim's _make_divisible: the nearest multiple of 8, unless over 10% are lost.

    At 0.35, 32 channels become 11.2: the nearest multiple is 8, more than 10% less, hence 16.
    """
    graph = network("mobilenet-v2", alpha=Fraction(alpha))
    ends = [1, 3, 6, 10, 13, 16, 17]  # the last bottlenecks of Table 2's rows
    names = ["conv1", *(f"bottleneck{end}/project" for end in ends), "conv2"]
    assert [within(graph, name)[0].facts.outputs[0][0] for name in names] == channels


def test_mobilenet_v2_without_rounding() -> None:
    """With a divisor of 1 channels are rounded to whole numbers: 0.35 of 32, 16, 24 ..."""
    graph = network("mobilenet-v2", alpha=Fraction("0.35"), divisor=1)
    found = [
        within(graph, name)[0].facts.outputs[0][0] for name in ("conv1", "bottleneck1/project")
    ]
    assert found == [11, 6]


def test_mobilenet_v2_sizes() -> None:
    """Table 2's column Input, and the four rows whose first bottleneck halves."""
    graph = network("mobilenet-v2")
    firsts = [1, 2, 4, 7, 11, 14, 17]
    inputs = [within(graph, f"bottleneck{first}")[0].facts.inputs[0] for first in firsts]
    assert inputs == [
        (32, 112, 112),
        (16, 112, 112),
        (24, 56, 56),
        (32, 28, 28),
        (64, 14, 14),
        (96, 14, 14),
        (160, 7, 7),
    ]
    assert within(graph, "bottleneck17")[-1].facts.outputs == ((320, 7, 7),)


def test_mobilenet_v2_cost_of_a_bottleneck() -> None:
    """Section 3.3: h*w*d1*t*(d1 + k**2 + d2), with expansion t from d1 to d2 channels."""
    graph = network("mobilenet-v2")
    for number, (side, d1, d2) in {
        3: (56, 24, 24),
        5: (28, 32, 32),
        8: (14, 64, 64),
        11: (14, 64, 96),
        17: (7, 160, 320),
    }.items():
        found = sum(node.facts.mult_adds for node in within(graph, f"bottleneck{number}"))
        assert found == side * side * d1 * 6 * (d1 + 9 + d2)


def test_mobilenet_v2_shortcuts_join_equal_shapes() -> None:
    """Figure 4d: stride 1 only. Of Table 2's 17 bottlenecks ten repeat the shape they take."""
    paths = [node.path for node in kinds(network("mobilenet-v2"), "add")]
    assert paths == [f"bottleneck{n}/add1" for n in (3, 5, 6, 8, 9, 10, 12, 13, 15, 16)]


def test_mobilenet_v2_projects_without_activation() -> None:
    nodes = within(network("mobilenet-v2"), "bottleneck3")
    expand_and_filter = ["conv", "batchnorm", "relu6"] * 2
    assert [node.op.kind for node in nodes] == [*expand_and_filter, "conv", "batchnorm", "add"]
    assert [node.op.kind for node in within(network("mobilenet-v2"), "bottleneck1")] == [
        *expand_and_filter[:3],
        "conv",
        "batchnorm",
    ]


# MobileNet: Howard et al. 2017, Tables 2 to 5, 10 and 12; Tables 6 to 9 are in test_networks.py.

# osmr/imgclsmob, README: parameters with batch normalization.
MOBILENET = [("1.0", 4_231_976), ("0.75", 2_585_560), ("0.5", 1_331_592), ("0.25", 470_072)]


@pytest.mark.parametrize(("alpha", "params"), MOBILENET)
def test_mobilenet_params(alpha: str, params: int) -> None:
    graph = network("mobilenet", alpha=Fraction(alpha))
    assert total(graph, "params") == params
    assert len(kinds(graph, "conv")) + len(kinds(graph, "linear")) == 28  # section 3.2


@pytest.mark.parametrize(
    ("alpha", "resolution", "params", "macs"),
    [("1.0", 224, 3_185_088, 567_716_352), ("0.75", 128, 1_800_144, 106_002_432)],
)
def test_mobilenet_body(alpha: str, resolution: int, params: int, macs: int) -> None:
    """tensorflow/models, research/slim/nets/mobilenet_v1.py prints both bodies layer by layer."""
    graph = network("mobilenet", alpha=Fraction(alpha), resolution=resolution)
    convolutions = kinds(graph, "conv")
    assert sum(node.facts.params for node in convolutions) == params
    assert sum(node.facts.mult_adds for node in convolutions) == macs


def test_mobilenet_with_moving_statistics() -> None:
    """Keras' MobileNet has 4,253,864 parameters, the moving statistics included."""
    graph = network("mobilenet")
    assert total(graph, "params") + total(graph, "buffers") == 4_253_864


def test_mobilenet_resources_by_layer_type() -> None:
    """Table 2. Its parameters are weights, without biases and batch normalization.

    It prints 1.19% of the Mult-Adds for the 3x3 convolution, but the four then make 99.29%: 1.91%.
    """
    graph = network("mobilenet")
    rows = {"pw": (94.86, 74.59), "dw": (3.06, 1.06), "conv1": (1.91, 0.02), "fc": (0.18, 24.33)}
    found = {}
    for name in rows:
        nodes = [node for node in graph.layers if node.path.split("/")[-1] == name]
        work = sum(node.facts.mult_adds for node in nodes) / total(graph, "mult_adds")
        biases = 1000 if name == "fc" else 0
        params = sum(node.facts.params for node in nodes) - biases
        found[name] = round(100 * work, 2), round(100 * params / (weights(graph) - 1000), 2)
    assert found == rows


@pytest.mark.parametrize(
    ("settings", "mult_adds", "params"),
    [
        ({"depthwise": False}, 462, 2.36),
        ({}, 52.3, 0.27),
        ({"alpha": Fraction("0.75")}, 29.6, 0.15),
        ({"alpha": Fraction("0.75"), "resolution": 160}, 15.1, 0.15),
    ],
)
def test_mobilenet_internal_layer(
    settings: dict[str, Any], mult_adds: float, params: float
) -> None:
    """Table 3, the layer of 14x14x512; its last row is a resolution of 160, 10x10."""
    nodes = [
        n for n in within(network("mobilenet", **settings), "separable7") if n.op.kind == "conv"
    ]
    digits = 0 if mult_adds == 462 else 1
    assert round(sum(node.facts.mult_adds for node in nodes) / 10**6, digits) == mult_adds
    assert round(sum(node.facts.params for node in nodes) / 10**6, 2) == params


def test_mobilenet_of_full_convolutions() -> None:
    """Table 4: 4866 million Mult-Adds (of the convolutions), 29.3 million parameters."""
    graph = network("mobilenet", depthwise=False)
    assert round(sum(node.facts.mult_adds for node in kinds(graph, "conv")) / 10**6) == 4866
    assert round(total(graph, "params") / 10**6, 1) == 29.3
    assert len(kinds(graph, "conv")) == 14


def test_shallow_mobilenet() -> None:
    """Table 5: 307 million Mult-Adds, 2.9 million parameters."""
    graph = network("mobilenet", repeats=0)
    assert round(total(graph, "mult_adds") / 10**6) == 307
    assert round(total(graph, "params") / 10**6, 1) == 2.9


@pytest.mark.parametrize(
    ("alpha", "resolution", "mult_adds", "params"),
    [("0.75", 224, 325, 1.9), ("0.75", 192, 239, 1.9)],
)
def test_mobilenet_for_dogs(alpha: str, resolution: int, mult_adds: int, params: float) -> None:
    """Table 10: the 120 classes of Stanford Dogs."""
    graph = network("mobilenet", alpha=Fraction(alpha), resolution=resolution, classes=120)
    assert round(total(graph, "mult_adds") / 10**6) == mult_adds
    assert round(total(graph, "params") / 10**6, 1) == params


@pytest.mark.parametrize(
    ("alpha", "resolution", "mult_adds", "params"),
    [("1.0", 224, 568, 3.2), ("0.5", 224, 149, 0.8), ("1.0", 128, 185, 3.2), ("0.5", 128, 48, 0.8)],
)
def test_mobilenet_for_faces(alpha: str, resolution: int, mult_adds: int, params: float) -> None:
    """Table 12, the body. Its 45 and 15 million for a width of 0.25 are no such network's."""
    convolutions = kinds(network("mobilenet", alpha=Fraction(alpha), resolution=resolution), "conv")
    assert mult_adds in shown(sum(node.facts.mult_adds for node in convolutions) / 10**6)
    assert round(sum(node.facts.params for node in convolutions) / 10**6, 1) == params


# SqueezeNet: Iandola et al. 2016, Table 1: output size and parameters before pruning.

SQUEEZENET = {
    "conv1": ((96, 111, 111), 14_208),
    "fire2": ((128, 55, 55), 11_920),
    "fire3": ((128, 55, 55), 12_432),
    "fire4": ((256, 55, 55), 45_344),
    "fire5": ((256, 27, 27), 49_440),
    "fire6": ((384, 27, 27), 104_880),
    "fire7": ((384, 27, 27), 111_024),
    "fire8": ((512, 27, 27), 188_992),
    "fire9": ((512, 13, 13), 197_184),
    "conv10": ((1000, 13, 13), 513_000),
}


@pytest.mark.parametrize("name", SQUEEZENET)
def test_squeezenet_rows(name: str) -> None:
    graph = network("squeezenet")
    nodes = within(graph, name) or [layer(graph, name)]
    found = nodes[-1].facts.outputs[0], sum(node.facts.params for node in nodes)
    assert found == SQUEEZENET[name]


@pytest.mark.parametrize(
    ("version", "params", "giga"), [("1-0", 1_248_424, 0.819), ("1-1", 1_235_496, 0.349)]
)
def test_squeezenet(version: str, params: int, giga: float) -> None:
    """torchvision's num_params, and its GFLOPS at 224."""
    graph = network(f"squeezenet{version}", resolution=224)
    assert total(graph, "params") == params
    assert round(total(graph, "mult_adds") / 10**9, 3) == giga


def test_squeezenet_of_the_authors() -> None:
    """Their repository: 1.72 GFLOPS an image, two a Mult-Add; its conv10 is padded by 1."""
    graph = network("squeezenet1-0", conv10_padding=1)
    assert layer(graph, "conv10").facts.outputs == ((1000, 15, 15),)
    assert round(2 * total(graph, "mult_adds") / 10**9, 2) == 1.72


def test_squeezenet_1_1_pools_earlier() -> None:
    """SqueezeNet_v1.1/README.md: pool1, pool3, pool5; 64 filters of 3x3 in conv1."""
    pools = {
        name: [n.path for n in kinds(network(name), "maxpool")]
        for name in ("squeezenet1-0", "squeezenet1-1")
    }
    assert pools == {
        "squeezenet1-0": ["pool1", "pool4", "pool8"],
        "squeezenet1-1": ["pool1", "pool3", "pool5"],
    }
    assert layer(network("squeezenet1-1"), "conv1").facts.params == 64 * (3 * 9 + 1)


# VGG's settings: Simonyan & Zisserman 2014.


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("vgg11", 132_868_840),
        ("vgg13", 133_053_736),
        ("vgg16", 138_365_992),
        ("vgg19", 143_678_248),
    ],
)
def test_vgg_with_batch_normalization(name: str, params: int) -> None:
    """torchvision's num_params of vgg11_bn and so on; Mult-Adds are as without."""
    graph = network(name, batch_norm=True)
    assert total(graph, "params") == params
    assert total(graph, "mult_adds") == total(network(name), "mult_adds")


@pytest.mark.parametrize("name", ["vgg11", "vgg16-1x1", "vgg19"])
def test_vgg_fully_convolutional(name: str) -> None:
    """Section 3.2: a 7x7 and two 1x1 convolutions with the linears' weights."""
    graph = network(name, fully_convolutional=True)
    heads = [layer(graph, head) for head in ("fc6", "fc7", "fc8")]
    assert [node.op.kernel for node in heads] == [7, 1, 1]
    assert [node.facts.outputs[0] for node in heads] == [(4096, 1, 1), (4096, 1, 1), (1000, 1, 1)]
    for fact in ("params", "mult_adds"):
        assert total(graph, fact) == total(network(name), fact)
    assert not kinds(graph, "linear")


@pytest.mark.parametrize(
    ("side", "scores"), [(224, 1), (256, 2), (288, 3), (352, 5), (384, 6), (416, 7), (512, 10)]
)
def test_vgg_scores_at_the_papers_test_scales(side: int, scores: int) -> None:
    """Tables 3 and 4: Q = 224 ... 512; pooling leaves Q/32, a 7x7 kernel 6 less."""
    graph = network("vgg16", fully_convolutional=True, resolution=side)
    assert layer(graph, "fc8").facts.outputs == ((1000, scores, scores),)
    assert graph.outputs[0].tensor.shape == (1000,)


def test_vgg_takes_any_height_and_width() -> None:
    analysis = analyze("vgg16", fully_convolutional=True, input=(3, 256, 341))
    assert analysis.find("fc8").output == (1000, 2, 4)
    assert analysis.totals.params == 138_357_544


def test_vgg_receptive_fields() -> None:
    """212 at pool5: google-research/receptive_field; the 7x7 kernel adds six strides of 32: 404."""
    analysis = analyze("vgg16", fully_convolutional=True)
    pool5, fc6 = (analysis.find(name).receptive_field[0] for name in ("pool5", "fc6"))
    assert isinstance(pool5, AxisField)
    assert isinstance(fc6, AxisField)
    assert (pool5.size, fc6.size) == (212, 404)


def test_vgg_b_of_five_large_kernels() -> None:
    """Section 4.1: each pair of 3x3 made one 5x5, "which has the same receptive field"."""
    shallow, b = analyze("vgg13", small_kernels=False), analyze("vgg13")
    convolutions = kinds(network("vgg13", small_kernels=False), "conv")
    assert [node.op.kernel for node in convolutions] == [5] * 5
    for stage in range(1, 6):
        fields = [found.find(f"pool{stage}").receptive_field for found in (shallow, b)]
        assert fields[0] == fields[1]
    wide = [3, 64, 128, 256, 512, 512]
    params = sum(out * (25 * into + 1) for into, out in pairwise(wide))
    assert sum(node.facts.params for node in convolutions) == params


def test_vgg_stack_of_three_small_kernels() -> None:
    """Section 2.3: 27*C**2 weights, where one 7x7 has 49*C**2, "81% more"."""

    def stage5(graph: Graph) -> int:
        nodes = [node for node in graph.layers if node.path.startswith("conv5")]
        return sum(node.facts.params - node.op.out for node in nodes)  # without biases

    stack, single = stage5(network("vgg16")), stage5(network("vgg16", small_kernels=False))
    assert (stack, single) == (27 * 512**2, 49 * 512**2)
    assert round(100 * (single / stack - 1)) == 81


@pytest.mark.parametrize(
    ("name", "last"), [("vgg11", 5), ("vgg16-1x1", 5), ("vgg16", 7), ("vgg19", 9)]
)
def test_vgg_large_kernels_see_what_the_stack_sees(name: str, last: int) -> None:
    convolutions = kinds(network(name, small_kernels=False), "conv")
    assert len(convolutions) == 5
    assert convolutions[-1].op.kernel == last
    large, small = analyze(name, small_kernels=False), analyze(name)
    assert large.find("pool5").receptive_field == small.find("pool5").receptive_field
