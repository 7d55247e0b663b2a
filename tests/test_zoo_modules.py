"""ZFNet and its deconvnet, Network in Network, and the small modules, against what papers say.

Nothing here comes from archcalc's own output: figures stand beside where they are printed, or are
products of sizes that the papers give.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from archcalc import analyze
from archcalc.analysis.receptive_field import AxisField

if TYPE_CHECKING:
    from archcalc.analysis import Analysis


def field(analysis: Analysis, layer: str | None = None) -> tuple[int, ...]:
    """How much of the input a layer sees, height and width; without a name, the network."""
    row = analysis.find(layer) if layer else analysis.layers[-1]
    sizes = []
    for axis in row.receptive_field:
        assert isinstance(axis, AxisField)
        assert axis.size is not None
        sizes.append(axis.size)
    return tuple(sizes)


def ratio(of: str, to: str, fact: str = "params", **settings: Any) -> Fraction:
    one, other = (getattr(analyze(name, **settings).totals, fact) for name in (of, to))
    return Fraction(one, other)


def kinds(analysis: Analysis) -> list[str]:
    return [row.kind for row in analysis.layers]


# ZFNet: Zeiler & Fergus 2013, Figure 3.

ZFNET_SIZES = {  # 224, 110, 55, 26, 13 and 6 stand in the figure
    "conv1": (96, 110, 110),
    "pool1": (96, 55, 55),
    "conv2": (256, 26, 26),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "flatten1": (6 * 6 * 256,),  # "6 x 6 x 256 = 9216 dimensions"
    "fc6": (4096,),
    "fc7": (4096,),
}
ZFNET_CONVS = {  # inputs of a filter, filters, side of the output
    "conv1": (3 * 7 * 7, 96, 110),
    "conv2": (96 * 5 * 5, 256, 26),
    "conv3": (256 * 3 * 3, 384, 13),
    "conv4": (384 * 3 * 3, 384, 13),
    "conv5": (384 * 3 * 3, 256, 13),
}


def test_zfnet_sizes() -> None:
    zfnet = analyze("zfnet")
    assert {name: zfnet.find(name).output for name in ZFNET_SIZES} == ZFNET_SIZES
    assert zfnet.layers[0].input == (3, 224, 224)


@pytest.mark.parametrize(
    ("name", "params", "million_mult_adds"),
    # osmr/imgclsmob, pytorchcv/models/zfnet.py asserts these numbers of parameters; its README
    # prints these halved FLOPs, with biases and activations in them
    [("zfnet", 62_357_608, 1_170.33), ("zfnet-b", 107_627_624, 2_479.13)],
)
def test_zfnet_totals(name: str, params: int, million_mult_adds: float) -> None:
    totals = analyze(name).totals
    assert totals.params == params
    assert totals.mult_adds / 10**6 == pytest.approx(million_mult_adds, rel=0.003)
    assert totals.depth == 8  # "our 8 layer convnet model"


def test_zfnet_mult_adds() -> None:
    convs = sum(inputs * filters * side**2 for inputs, filters, side in ZFNET_CONVS.values())
    linears = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    assert analyze("zfnet").totals.mult_adds == convs + linears


def test_zfnet_is_alexnet_in_one_tower_with_another_first_layer() -> None:
    """Sections 3 and 4.1: dense connections; 7x7 in place of 11x11."""
    alexnet = analyze("alexnet", towers=1).totals.params
    assert alexnet == 62_378_344  # imgclsmob's AlexNet, which has no towers
    assert alexnet - analyze("zfnet").totals.params == 96 * 3 * (11**2 - 7**2)


@pytest.mark.parametrize("units", [2048, 8192])
def test_zfnet_with_other_fully_connected_layers(units: int) -> None:
    """Table 3 adjusts layers 6 and 7."""
    convs = sum((inputs + 1) * filters for inputs, filters, _ in ZFNET_CONVS.values())
    linears = 9217 * units + (units + 1) * units + (units + 1) * 1000
    assert analyze("zfnet", units=units).totals.params == convs + linears


def test_zfnet_receptive_field() -> None:
    """171 pixels for ZF: Ren et al. 2015, Faster R-CNN, section 3.1, of a 3x3 window on conv5."""
    zfnet = analyze("zfnet")
    assert field(zfnet, "pool5") == (171, 171)
    assert field(zfnet, "conv5") == (171 - 2 * 16,) * 2


def test_zfnet_normalizes_after_pooling() -> None:
    """Figure 3: rectified, then pooled, then contrast normalized, to 55x55."""
    zfnet = analyze("zfnet")
    assert kinds(zfnet)[:4] == ["conv", "relu", "maxpool", "lrn"]
    assert zfnet.find("norm1").output == (96, 55, 55)


# Its deconvnet, section 2.1.


@pytest.mark.parametrize("layer", range(1, 6))
def test_deconvnet_leads_back_to_the_image(layer: int) -> None:
    """Filters are the convnet's own, transposed: as many products, and no weights of its own."""
    deconvnet = analyze("zfnet-deconv", layer=layer)
    convs = list(ZFNET_CONVS.values())[:layer]
    assert deconvnet.totals.output == (3, 224, 224)
    assert deconvnet.totals.params == sum((inputs + 1) * filters for inputs, filters, _ in convs)
    products = sum(inputs * filters * side**2 for inputs, filters, side in convs)
    assert deconvnet.totals.mult_adds == 2 * products


def test_deconvnet_undoes_each_layer_at_its_size() -> None:
    deconvnet = analyze("zfnet-deconv")
    for name, undone in [("conv2", "deconv2"), ("conv3", "deconv3"), ("conv4", "deconv4")]:
        assert deconvnet.find(undone).output == deconvnet.find(name).input
        assert deconvnet.find(undone).shared_with == name
    for name, undone in [("pool1", "unpool1"), ("pool2", "unpool2"), ("pool5", "unpool5")]:
        assert deconvnet.find(undone).output == deconvnet.find(name).input


def test_deconvnet_unpools_rectifies_and_filters() -> None:
    """Section 2.1: "(i) unpool, (ii) rectify and (iii) filter"; only pooled layers are unpooled."""
    found = kinds(analyze("zfnet-deconv"))
    step, whole = ["relu", "convtranspose"], ["maxunpool", "relu", "convtranspose"]
    assert found[15:] == [*whole, *step, *step, *whole, *whole]
    assert found.count("maxpool") == 3


# Network in Network: Lin, Chen, Yan 2013, and the authors' models. For ImageNet:
# gist.github.com/mavenlin/d802a5849de39225bcc6; for CIFAR: mavenlin/cuda-convnet, NIN/cifar-10_def.


def mlpconv(inputs: int, kernel: int, *maps: int) -> int:
    widths = (inputs * kernel**2, *maps[:2])
    return sum((width + 1) * out for width, out in zip(widths, maps, strict=True))


def test_nin_params() -> None:
    parts = [
        mlpconv(3, 11, 96, 96, 96),
        mlpconv(96, 5, 256, 256, 256),
        mlpconv(256, 3, 384, 384, 384),
        mlpconv(384, 3, 1024, 1024, 1000),
    ]
    nin = analyze("nin")
    assert [nin.find(f"mlpconv{i}").params for i in (1, 2, 3, 4)] == parts
    assert nin.totals.params == sum(parts)
    assert nin.totals.depth == 12


def test_nin_is_a_file_of_29_megabytes() -> None:
    """The gist: "a snapshot of size 29MB, compared to AlexNet which is about 230MB"."""
    assert round(analyze("nin").totals.weight_bytes / 2**20) == 29
    assert analyze("alexnet").totals.weight_bytes / 2**20 == pytest.approx(230, abs=5)


def test_nin_sizes() -> None:
    """Caffe's sizes, rounded up in pooling: the average pooling's 6x6 covers all."""
    nin = analyze("nin")
    names = ["mlpconv1", "mlpconv2", "mlpconv3", "mlpconv4", "globalavgpool1"]
    assert [nin.find(name).output[-1] for name in names] == [54, 27, 13, 6, 1]
    assert nin.totals.output == (1000,)


@pytest.mark.parametrize(
    ("classes", "params"),
    [(10, 966_986), (100, 984_356)],  # asserted in osmr/imgclsmob, pytorchcv/models/nin_cifar.py
)
def test_nin_cifar_params(classes: int, params: int) -> None:
    nin = analyze("nin-cifar", classes=classes)
    assert nin.totals.params == params
    assert nin.totals.depth == 9


def test_nin_cifar_sizes() -> None:
    """The authors' definition: an average over 8x8 at the end."""
    nin = analyze("nin-cifar")
    names = ["mlpconv1", "pool1", "pool2", "mlpconv3", "globalavgpool1"]
    assert [nin.find(name).output for name in names] == [
        (96, 32, 32),
        (96, 16, 16),
        (192, 8, 8),
        (10, 8, 8),
        (10, 1, 1),
    ]


def test_nin_cifar_mult_adds() -> None:
    """imgclsmob prints 222.97M of halved FLOPs, with biases and activations in them."""
    first = 32**2 * (3 * 25 * 192 + 192 * 160 + 160 * 96)
    second = 16**2 * (96 * 25 * 192 + 192 * 192 + 192 * 192)
    third = 8**2 * (192 * 9 * 192 + 192 * 192 + 192 * 10)
    found = analyze("nin-cifar").totals.mult_adds
    assert found == first + second + third
    assert found / 10**6 == pytest.approx(222.97, rel=0.003)


def test_nin_needs_no_linear_layer() -> None:
    """Section 3.2: global average pooling has no parameter to optimize."""
    assert "linear" not in kinds(analyze("nin"))
    replaced = analyze("nin-cifar", fully_connected=True)
    more = replaced.totals.params - analyze("nin-cifar").totals.params
    assert more == 10 * (10 * 8 * 8 + 1)


def test_mlpconv_module_is_the_first_layer_of_nin() -> None:
    module = analyze("mlpconv").totals
    assert module.params == mlpconv(3, 5, 192, 160, 96)
    assert module.params == analyze("nin-cifar").find("mlpconv1").params
    assert analyze("plain-conv").totals.params == 192 * (3 * 25 + 1)
    assert field(analyze("mlpconv")) == field(analyze("plain-conv")) == (5, 5)


# Kernels: Simonyan & Zisserman 2014, section 2.3; Szegedy et al. 2015, sections 3.1 and 3.2.


@pytest.mark.parametrize(
    ("network", "side"),
    [
        ("one-5x5", 5),
        ("two-3x3", 5),
        ("one-7x7", 7),
        ("three-3x3", 7),
        ("one-nxn", 7),
        ("1xn-nx1", 7),
        ("one-3x3", 3),
        ("two-2x2", 3),
    ],
)
def test_kernels_see_as_much(network: str, side: int) -> None:
    module = analyze(network)
    assert field(module) == (side, side)
    assert module.totals.output == module.totals.input


@pytest.mark.parametrize("maps", [1, 64, 512])
def test_kernels_weights(maps: int) -> None:
    """Simonyan & Zisserman: 3(3^2 C^2) = 27 C^2 against 7^2 C^2 = 49 C^2, "81% more"."""
    assert analyze("three-3x3", maps=maps).totals.params == 27 * maps**2
    assert analyze("one-7x7", maps=maps).totals.params == 49 * maps**2
    assert int(100 * ratio("one-7x7", "three-3x3")) == 181
    assert int(100 * ratio("three-3x3", "one-7x7")) == 55  # the course notes


def test_kernels_savings() -> None:
    """Szegedy et al. 2015: 28%, 33% and 11%, of weights and of computation; 25/9 = 2.78."""
    for fact in ("params", "mult_adds"):
        assert 1 - ratio("two-3x3", "one-5x5", fact) == Fraction(28, 100)
        assert round(100 * (1 - ratio("1xn-nx1", "one-nxn", fact, n=3))) == 33
        assert round(100 * (1 - ratio("two-2x2", "one-3x3", fact))) == 11
    assert round(ratio("one-5x5", "one-3x3", "mult_adds", grid=17), 2) == Fraction(278, 100)


@pytest.mark.parametrize("n", [3, 5, 7])
def test_asymmetric_kernels_cost_two_nths(n: int) -> None:
    assert ratio("1xn-nx1", "one-nxn", n=n) == Fraction(2, n)


def test_kernels_rectify_more_often() -> None:
    """The course notes: three rectifications, where one 7x7 has one."""
    assert kinds(analyze("three-3x3")).count("relu") == 3
    assert kinds(analyze("one-7x7")).count("relu") == 1


# The reduction in front of a 5x5 convolution, as the course notes on GoogLeNet multiply it out.


def test_reduction() -> None:
    direct, reduced = analyze("5x5-direct"), analyze("5x5-reduced")
    assert direct.totals.input == reduced.totals.input == (128, 100, 100)
    assert direct.totals.output == reduced.totals.output == (256, 100, 100)
    assert direct.totals.params == 128 * 5 * 5 * 256 == 819_200
    assert reduced.totals.params == 128 * 1 * 1 * 32 + 32 * 5 * 5 * 256 == 208_896
    assert round(ratio("5x5-direct", "5x5-reduced")) == 4  # "about 4 times" less


# Inception modules at the sizes of Szegedy et al. 2014, Table 1, inception (3a).


def test_naive_inception() -> None:
    """Figure 2a: every convolution takes all 192 maps, and pooling passes them on."""
    naive = analyze("inception-naive")
    assert naive.totals.output == (64 + 128 + 32 + 192, 28, 28)
    weights = 192 * (64 + 128 * 9 + 32 * 25)
    assert naive.totals.params == weights + 64 + 128 + 32
    assert naive.totals.mult_adds == 28**2 * weights


def test_reduced_inception_is_googlenets() -> None:
    """Table 1: 128M operations, 28x28x256."""
    reduced, googlenet = analyze("inception-reduced").totals, analyze("googlenet")
    assert reduced.output == (256, 28, 28)
    assert round(reduced.mult_adds / 10**6) == 128
    assert reduced.params == googlenet.find("inception_3a").params
    assert reduced.depth == 2


# Grid reductions: Szegedy et al. 2015, section 5, Figures 9 and 10.

REDUCTIONS = ["reduce-pool-first", "reduce-conv-first", "reduce-parallel"]


@pytest.mark.parametrize("network", REDUCTIONS)
def test_reductions_halve_the_grid_and_double_the_maps(network: str) -> None:
    totals = analyze(network).totals
    assert (totals.input, totals.output) == ((320, 35, 35), (640, 17, 17))
    assert analyze(network, grid=17, maps=640).totals.output == (1280, 8, 8)


def test_reductions_cost() -> None:
    """2 d^2 k^2 on the large grid, 2 (d/2)^2 k^2 on the small one, half of that in parallel."""
    cost = {name: analyze(name).totals.mult_adds for name in REDUCTIONS}
    assert cost["reduce-conv-first"] == 2 * 35**2 * 320**2 * 9
    assert cost["reduce-pool-first"] == 2 * 17**2 * 320**2 * 9
    assert cost["reduce-parallel"] * 2 == cost["reduce-pool-first"]


def test_only_pooling_first_is_a_bottleneck() -> None:
    """The representation drops to (d/2)^2 k; what goes out has twice as much."""
    least = {name: min(row.output_elements for row in analyze(name).layers) for name in REDUCTIONS}
    assert least["reduce-pool-first"] == 17**2 * 320
    assert least["reduce-conv-first"] == 17**2 * 640
    joined = analyze("reduce-parallel").layers[-1]
    assert (joined.kind, joined.output_elements) == ("concat", 17**2 * 640)


# Depthwise separable: Howard et al. 2017, Table 3. Parameters without batch normalization.

SEPARABLE = [  # network, settings, million Mult-Adds, million parameters
    ("standard-3x3", {}, "462", "2.36"),
    ("separable-3x3", {}, "52.3", "0.27"),
    ("separable-3x3", {"alpha": Fraction(3, 4)}, "29.6", "0.15"),
    ("separable-3x3", {"alpha": Fraction(3, 4), "grid": 10}, "15.1", "0.15"),
]


@pytest.mark.parametrize(("network", "settings", "mult_adds", "params"), SEPARABLE)
def test_separable(network: str, settings: dict[str, Any], mult_adds: str, params: str) -> None:
    module = analyze(network, **settings)
    weights = sum(row.params for row in module.layers if row.kind == "conv")
    places = len(mult_adds.partition(".")[2])
    assert round(module.totals.mult_adds / 10**6, places) == float(mult_adds)
    assert round(weights / 10**6, 2) == float(params)


@pytest.mark.parametrize("kernel", [3, 5])
def test_separable_saves(kernel: int) -> None:
    """Section 3.1: 1/N + 1/D_K^2 of the computation, between 8 and 9 times less at 3x3."""
    share = ratio("separable-3x3", "standard-3x3", "mult_adds", kernel=kernel)
    assert share == Fraction(1, 512) + Fraction(1, kernel**2)
    assert kernel > 3 or 8 < 1 / share < 9


# Residual units: He et al. 2015, Figure 5 and section 3.3.


def weights_of(analysis: Analysis) -> int:
    return sum(row.params for row in analysis.layers if row.kind == "conv")


def test_residual_units() -> None:
    """Figure 5: 3x3, 64 twice on 64 maps; 1x1, 64, 3x3, 64 and 1x1, 256 on 256 maps."""
    basic, bottleneck = analyze("residual-basic"), analyze("residual-bottleneck")
    assert weights_of(basic) == 2 * 9 * 64 * 64
    assert weights_of(bottleneck) == 256 * 64 + 9 * 64 * 64 + 64 * 256
    assert basic.totals.output == (64, 56, 56)
    assert bottleneck.totals.output == (256, 56, 56)
    assert (basic.totals.depth, bottleneck.totals.depth) == (2, 3)
    # section 3.3: "both designs have similar time complexity"
    share = ratio("residual-bottleneck", "residual-basic", "mult_adds")
    assert float(share) == pytest.approx(1, abs=0.06)


def test_wide_basic_unit_is_what_the_bottleneck_avoids() -> None:
    wide = analyze("residual-basic", maps=256, filters=256)
    assert weights_of(wide) == 2 * 9 * 256 * 256


def test_projecting_shortcut_doubles_a_bottleneck() -> None:
    """Section 3.3: "the time complexity and model size are doubled"."""
    projected = analyze("residual-bottleneck", shortcuts="C")
    identity = analyze("residual-bottleneck")
    assert weights_of(projected) - weights_of(identity) == 256 * 256
    assert round(projected.totals.mult_adds / identity.totals.mult_adds) == 2


@pytest.mark.parametrize(("network", "projections"), [("a", 0), ("b", 1), ("c", 4), ("none", 0)])
def test_shortcuts(network: str, projections: int) -> None:
    """64 -> 128 with stride 2 once, then three units of 128 to 128; a projection is normalized."""
    module = analyze(f"shortcut-{network}")
    plain = 9 * (64 * 128 + 7 * 128 * 128) + 8 * 2 * 128
    sizes = [64 * 128, 128 * 128, 128 * 128, 128 * 128][:projections]
    assert module.totals.params == plain + sum(sizes) + projections * 2 * 128
    assert module.totals.output == (128, 28, 28)
    assert kinds(module).count("conv") == 8 + projections
    assert kinds(module).count("add") == (0 if network == "none" else 4)


def test_shortcuts_are_those_of_resnet34() -> None:
    for option in ("A", "B"):
        module = analyze(f"shortcut-{option.lower()}").totals
        resnet = analyze("resnet34", shortcuts=option)
        units = [resnet.find(f"conv3_{i}") for i in (1, 2, 3, 4)]
        assert module.params == sum(unit.params for unit in units)
        assert module.mult_adds == sum(unit.mult_adds for unit in units)
