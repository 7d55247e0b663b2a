"""Residual networks and their kin against figures from papers and from other people's code.

As in test_networks.py nothing here comes from archcalc's own output: each number stands beside
where it is printed, or is the product that its paper's text gives. Three collections of models
print exact counts: imgclsmob (Oleg Sémery, github.com/osmr/imgclsmob) asserts the parameters of
each model; torchvision states `num_params` and `_ops`; timm's benchmark tables (results/
benchmark-infer-amp-nhwc-pt113-cu117-rtx3090.csv) list the output elements of convolutions and
linears, `infer_macts`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from test_networks import kinds, layer, network, total, within

from archcalc import analyze
from archcalc.analysis.paths import paths

# ResNet for CIFAR-10: He, Zhang, Ren, Sun 2015, section 4.2: 6n + 2 layers.

CIFAR = [  # network, n, parameters in millions as Table 6 prints them
    ("resnet20", 3, "0.27"),
    ("resnet32", 5, "0.46"),
    ("resnet44", 7, "0.66"),
    ("resnet56", 9, "0.85"),
    ("resnet110", 18, "1.7"),
    ("resnet1202", 200, "19.4"),
]
PLAIN = [("plain20", 3), ("plain32", 5), ("plain44", 7), ("plain56", 9), ("plain110", 18)]


def printed(value: int, text: str, unit: int = 10**6) -> bool:
    """Is the value what is printed, at the places that are printed?"""
    places = len(text.partition(".")[2])
    return abs(Fraction(value, unit) - Fraction(text)) <= Fraction(1, 2 * 10**places)


def cifar_weights(n: int) -> list[tuple[int, int]]:
    """(weights, side of the output) of each convolution in turn, from section 4.2's table."""
    found, channels = [(3 * 16 * 9, 32)], 16
    for filters, side in ((16, 32), (32, 16), (64, 8)):
        for _ in range(2 * n):
            found.append((channels * filters * 9, side))
            channels = filters
    return found


@pytest.mark.parametrize(("name", "n", "millions"), CIFAR)
def test_cifar_resnet(name: str, n: int, millions: str) -> None:
    """Convolutions without bias, batch norm behind each, a linear layer of 10."""
    found = analyze(name).totals
    norms = 2 * (16 + 2 * n * (16 + 32 + 64))
    assert found.params == sum(w for w, _ in cifar_weights(n)) + norms + 64 * 10 + 10
    assert found.mult_adds == sum(w * side**2 for w, side in cifar_weights(n)) + 64 * 10
    assert found.depth == 6 * n + 2
    assert printed(found.params, millions)


@pytest.mark.parametrize(("name", "n"), PLAIN)
def test_cifar_plain_has_exactly_as_much_as_its_residual_twin(name: str, n: int) -> None:
    """ "exactly the same depth, width, and number of parameters as the plain counterparts"."""
    plain, residual = analyze(name).totals, analyze(name.replace("plain", "resnet")).totals
    assert (plain.depth, plain.params) == (residual.depth, residual.params)
    assert plain.mult_adds == residual.mult_adds
    assert plain.neurons == residual.neurons
    assert not kinds(network(name), "add")
    assert len(kinds(network(name), "conv")) == 6 * n + 1


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("resnet20", 272_474),
        ("resnet56", 855_770),
        ("resnet110", 1_730_714),
        ("resnet1202", 19_424_026),
    ],
)
def test_cifar_resnet_with_projections(name: str, params: int) -> None:
    """imgclsmob, resnet_cifar.py, whose shortcuts are of option B."""
    assert total(network(name, shortcuts="B"), "params") == params


DISTILLER = (  # convolutions of layers 1 to 3, each with its projection third
    *[2_359_296] * 6,
    *(1_179_648, 2_359_296, 131_072, *[2_359_296] * 4),
    *(1_179_648, 2_359_296, 131_072, *[2_359_296] * 4),
)


def test_cifar_resnet20_layer_by_layer() -> None:
    """IntelLabs/distiller, docs-src/docs/usage.md, lists the MACs of ResNet-20 with projections."""
    graph = network("resnet20", shortcuts="B")
    macs = [node.facts.mult_adds for node in kinds(graph, "conv")]
    assert macs == [442_368, *DISTILLER]
    assert total(graph, "mult_adds") == 40_813_184


def test_cifar_sizes() -> None:
    """Output map sizes 32, 16 and 8; 16, 32 and 64 filters; a global average; 3n shortcuts."""
    graph = network("resnet20")
    ends = ["conv1", "conv2_3/relu1", "conv3_3/relu1", "conv4_3/relu1", "globalavgpool1", "fc"]
    assert [layer(graph, end).facts.outputs[0] for end in ends] == [
        (16, 32, 32),
        (16, 32, 32),
        (32, 16, 16),
        (64, 8, 8),
        (64, 1, 1),
        (10,),
    ]
    assert len(kinds(graph, "add")) == 3 * 3


def test_cifar_shortcuts_have_no_parameters() -> None:
    """Option A in all cases: every other position, and zeros for the channels that are missing."""
    nodes = [node for node in network("resnet20").layers if "/shortcut/" in node.path]
    assert [(node.op.kind, node.facts.outputs[0]) for node in nodes] == [
        ("maxpool", (16, 16, 16)),
        ("pad", (32, 16, 16)),
        ("maxpool", (32, 8, 8)),
        ("pad", (64, 8, 8)),
    ]
    assert (
        len([n for n in kinds(network("resnet20", shortcuts="C"), "conv") if "/shor" in n.path])
        == 9
    )


# Pre-activation: He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks".

PREACTIVATION = [  # network, settings, parameters
    # imgclsmob, preresnet_cifar.py; the authors' own resnet-pre-act.lua is of this shape.
    ("preresnet164", {}, 1_703_258),
    ("preresnet1001", {}, 10_327_706),
    ("preresnet110", {"shortcuts": "B"}, 1_730_522),
    ("preresnet110", {"shortcuts": "A"}, 1_730_522 - 16 * 32 - 32 * 64),  # two projections less
    # imgclsmob, preresnet.py, which activates twice between conv1 and the first unit: the paper's
    # appendix, and fb.resnet.torch, have one activation there, so 2*64 less.
    ("preresnet50", {}, 25_549_480 - 2 * 64),
    ("preresnet101", {}, 44_541_608 - 2 * 64),
    ("preresnet152", {}, 60_185_256 - 2 * 64),
    ("preresnet200", {}, 64_666_280 - 2 * 64),
]


@pytest.mark.parametrize(("name", "settings", "params"), PREACTIVATION)
def test_preactivation_params(name: str, settings: dict[str, Any], params: int) -> None:
    assert total(network(name, **settings), "params") == params


@pytest.mark.parametrize("name", ["50", "101", "152"])
def test_preactivation_has_the_convolutions_of_the_original(name: str) -> None:
    """The units "consist of the same components, only the orders are different" (Figure 4)."""
    pre, original = network(f"preresnet{name}"), network(f"resnet{name}")
    weights = [[n.facts.params for n in kinds(graph, "conv")] for graph in (pre, original)]
    assert sorted(weights[0]) == sorted(weights[1])
    assert total(pre, "mult_adds") == total(original, "mult_adds")


@pytest.mark.parametrize(("name", "giga"), [("preresnet50", 4.089), ("preresnet101", 7.801)])
def test_preactivation_mult_adds(name: str, giga: float) -> None:
    """torchvision's GFLOPS of resnet50 and resnet101, which have these convolutions."""
    found = total(network(name, stride_on_3x3=True), "mult_adds")
    assert round(found / 10**9, 3) == giga


@pytest.mark.parametrize(
    ("name", "mega"), [("preresnet50", 11.11), ("preresnet101", 16.23), ("preresnet152", 22.56)]
)
def test_preactivation_neurons(name: str, mega: float) -> None:
    """timm's resnetv2_50, resnetv2_101, resnetv2_152: million activations."""
    assert round(total(network(name, stride_on_3x3=True), "neurons") / 10**6, 2) == mega


def test_preresnet200_costs_twice_a_resnet101() -> None:
    """Xie et al. 2016, section 5.1: about 15 billion FLOPs; the ResNet-200 of fb.resnet.torch."""
    assert round(total(network("preresnet200", stride_on_3x3=True), "mult_adds") / 10**9) == 15


@pytest.mark.parametrize(
    ("name", "depth", "units"),
    [
        ("preresnet50", 50, 16),
        ("preresnet101", 101, 33),
        ("preresnet152", 152, 50),
        ("preresnet200", 200, 66),  # footnote 3: 16 more units than ResNet-152, at 28x28
        ("preresnet110", 110, 54),
        ("preresnet164", 164, 54),
        ("preresnet1001", 1001, 333),  # section 4.1: 333 units, 111 on each map size
    ],
)
def test_preactivation_depth(name: str, depth: int, units: int) -> None:
    graph = network(name)
    assert analyze(name).totals.depth == depth
    assert len(kinds(graph, "add")) == units


def test_preresnet200_has_its_sixteen_more_units_at_28x28() -> None:
    sizes = [
        [node.facts.outputs[0][1:] for node in kinds(network(name), "add")]
        for name in ("preresnet152", "preresnet200")
    ]
    assert sizes[1].count((28, 28)) - sizes[0].count((28, 28)) == 16
    assert len(sizes[1]) - len(sizes[0]) == 16


def test_preresnet1001_params_without_batch_norm() -> None:
    """Table 4 prints 10.2M for ResNet-1001 and 1.7M for 164: convolutions and the linear layer."""
    for name, millions in (("preresnet1001", "10.2"), ("preresnet164", "1.7")):
        graph = network(name)
        norms = sum(node.facts.params for node in kinds(graph, "batchnorm"))
        assert printed(total(graph, "params") - norms, millions)


def test_preresnet164_unit_costs_about_as_much_as_preresnet110s() -> None:
    """Appendix: [1x1, 16; 3x3, 16; 1x1, 64] in place of [3x3, 16; 3x3, 16]."""
    two = 2 * 16 * 16 * 9
    three = 64 * 16 + 16 * 16 * 9 + 16 * 64
    for name, weights in (("preresnet110", two), ("preresnet164", three)):
        nodes = within(network(name), "conv2_2/body")
        assert sum(node.facts.params for node in nodes if node.op.kind == "conv") == weights
    assert abs(two - three) / two < 0.1


ORDERS = {  # what stands in a unit, in the order of the spec
    # The first unit's activation is the one after conv1; its shortcut projects 16 channels to 64.
    "conv2_1": "conv batchnorm relu conv batchnorm relu conv conv add",
    # Units in between: activations in the body only, nothing on the shortcut or after the addition.
    "conv2_2": "batchnorm relu conv batchnorm relu conv batchnorm relu conv add",
    # Where sizes differ, body and projection share the activated input.
    "conv3_1": "batchnorm relu conv batchnorm relu conv batchnorm relu conv conv add",
}


@pytest.mark.parametrize("unit", ORDERS)
def test_preactivation_order(unit: str) -> None:
    nodes = within(network("preresnet164"), unit)
    assert " ".join(node.op.kind for node in nodes) == ORDERS[unit]


@pytest.mark.parametrize(
    ("name", "units", "sizes"),
    [
        ("preresnet50", (3, 4, 6, 3), [35, 99, 291, 483]),
        ("preresnet101", (3, 4, 23, 3), [35, 99, 835, 1027]),
        ("preresnet152", (3, 8, 36, 3), [35, 163, 1315, 1507]),
        ("preresnet200", (3, 24, 36, 3), [35, 419, 1571, 1763]),
    ],
)
def test_preactivation_receptive_fields(
    name: str, units: tuple[int, ...], sizes: list[int]
) -> None:
    """tensorflow/contrib/receptive_field/RESULTS.md: resnet_v2_50 to resnet_v2_200, block1 to 4."""
    analysis = analyze(name)
    ends = [f"conv{stage}_{count}" for stage, count in zip((2, 3, 4, 5), units, strict=True)]
    fields: list[Any] = [analysis.find(end).receptive_field[0] for end in ends]
    assert [field.size for field in fields] == sizes
    assert fields[-1].stride == 32


def test_preactivation_ends_with_an_activation() -> None:
    """Appendix: an extra activation right after the last element-wise addition."""
    nodes = network("preresnet164").layers
    end = [node.op.kind for node in nodes[-6:]]
    assert end == ["batchnorm", "relu", "globalavgpool", "flatten", "linear", "softmax"]
    assert nodes[-7].op.kind == "add"


# Stochastic depth: Huang, Sun, Liu, Sedra, Weinberger 2016.

STOCHASTIC = [
    ("stochastic-resnet110", 54),
    ("stochastic-resnet152", 50),
    ("stochastic-resnet1202", 600),
]


@pytest.mark.parametrize(("name", "units"), STOCHASTIC)
def test_survival_falls_linearly(name: str, units: int) -> None:
    """Equation 4: p_l = 1 - l/L*(1 - p_L), with p_L = 0.5 throughout."""
    scopes = [scope for scope in network(name).root.walk() if scope.kind == "unit"]
    assert [scope.survival for scope in scopes] == [
        1 - Fraction(place, units) / 2 for place in range(1, units + 1)
    ]


@pytest.mark.parametrize(("name", "units"), STOCHASTIC)
def test_expected_units(name: str, units: int) -> None:
    """Section 3: E(L) = (3L - 1)/4, so that about 25% of training time is saved."""
    found = paths(analyze(name))
    assert found.bodies == units
    assert found.expected_bodies == Fraction(3 * units - 1, 4)
    assert found.expected_mult_adds is not None
    saved = 1 - found.expected_mult_adds / found.mult_adds
    assert Fraction("0.24") < saved < Fraction("0.26")


def test_expected_units_of_110_layers() -> None:
    """Section 3: L = 54, about 40 of which are there on average."""
    found = paths(analyze("stochastic-resnet110"))
    assert found.bodies == 54
    assert round(found.expected_bodies or 0) == 40


def test_survival_is_a_setting() -> None:
    found = paths(analyze("stochastic-resnet110", p_L=1))
    assert found.expected_bodies == 54
    found = paths(analyze("stochastic-resnet110", p_L=Fraction(1, 5)))
    assert found.expected_bodies == 54 - Fraction(4, 5) * 55 / 2  # the sum of l/L is (L + 1)/2


@pytest.mark.parametrize(
    ("name", "twin", "settings"),
    [
        ("stochastic-resnet110", "resnet110", {}),
        ("stochastic-resnet1202", "resnet1202", {}),
        ("stochastic-resnet152", "resnet152", {"stride_on_3x3": True}),
    ],
)
def test_stochastic_networks_are_resnets(name: str, twin: str, settings: dict[str, Any]) -> None:
    """Section 4: the architectures of He et al.; all functions stay active throughout testing."""
    own, theirs = analyze(name).totals, analyze(twin, **settings).totals
    assert (own.params, own.mult_adds, own.depth) == (theirs.params, theirs.mult_adds, theirs.depth)


def test_stochastic_shortcuts_average() -> None:
    """Section 4: "an average pooling layer followed by zero paddings"."""
    nodes = [n for n in network("stochastic-resnet110").layers if "/shortcut/" in n.path]
    assert [node.op.kind for node in nodes] == ["avgpool", "pad", "avgpool", "pad"]
    assert nodes[-1].facts.outputs == ((64, 8, 8),)


# Paths: Veit, Wilber, Belongie 2016, "Residual Networks Behave Like Ensembles of Relatively Shallow
# Networks", on a network of 54 modules (ResNet-110).


@pytest.mark.parametrize("name", ["resnet110", "preresnet110"])
def test_paths_of_54_units(name: str) -> None:
    """2^n paths of binomial lengths: 0.45% go through 5 to 17 modules, over 95% 19 to 35."""
    found = paths(analyze(name))
    assert found.lengths == tuple(math.comb(54, k) for k in range(55))
    assert found.total == 2**54
    assert round(100 * found.share(5, 17), 2) == Fraction("0.45")
    assert found.share(19, 35) > Fraction(95, 100)


def test_gated_networks_have_paths_too() -> None:
    """Gates are no paths: as many as in ResNet-50; two for each highway layer."""
    assert paths(analyze("seresnet50")).lengths == paths(analyze("resnet50")).lengths
    assert paths(analyze("highway-19")).total == 2 ** (4 + 5 + 5)


# ResNeXt: Xie, Girshick, Dollar, Tu, He 2016.

RESNEXT = [  # network; parameters; GFLOPS; million activations
    # torchvision resnext50_32x4d; timm resnext50_32x4d
    ("resnext50-32x4d", 25_028_904, 4.23, 14.4),
    # imgclsmob resnext101_32x4d, timm resnext101_32x4d; nobody prints its Mult-Adds alone
    ("resnext101-32x4d", 44_177_704, None, 21.23),
    # torchvision resnext101_64x4d; timm gluon_resnext101_64x4d
    ("resnext101-64x4d", 83_455_272, 15.46, 31.21),
]


@pytest.mark.parametrize(("name", "params", "giga", "activations"), RESNEXT)
def test_resnext(name: str, params: int, giga: float | None, activations: float) -> None:
    found = analyze(name).totals
    assert found.params == params
    assert giga is None or round(found.mult_adds / 10**9, 2) == giga
    assert round(found.neurons / 10**6, 2) == activations
    assert found.depth == (50 if "50" in name else 101)


@pytest.mark.parametrize("form", ["a", "b"])
@pytest.mark.parametrize(
    ("name", "cardinality"),
    [("resnext50-32x4d", 32), ("resnext101-32x4d", 32), ("resnext101-64x4d", 64)],
)
def test_resnext_forms_are_equivalent(name: str, cardinality: int, form: str) -> None:
    """Section 4: the three forms are "strictly equivalent": one function, one set of weights.

    So parameters and Mult-Adds are equal, unit by unit, and so is depth. Form (a) adds the paths up
    in layers, (c) within its last convolution: C - 1 additions more at each of a body's outputs.
    """
    grouped, branched = analyze(name), analyze(name, form=form)
    for fact in ("params", "mult_adds", "depth", "buffers"):
        assert getattr(branched.totals, fact) == getattr(grouped.totals, fact)
    for unit in ("conv2_1", "conv3_1", "conv5_3"):
        one, other = branched.find(unit), grouped.find(unit)
        assert (one.params, one.mult_adds, one.output) == (
            other.params,
            other.mult_adds,
            other.output,
        )
    summed = sum(math.prod(n.facts.outputs[0]) for n in kinds(network(name), "add"))
    extra = (cardinality - 1) * summed if form == "a" else 0
    assert branched.totals.flops - grouped.totals.flops == extra


def test_resnext_forms_as_drawn() -> None:
    """Figure 3: paths 256-4-4-256 summed; paths 256-4-4 joined to 128; 256-128-128 in 32 groups."""
    a, b, c = (within(network("resnext50-32x4d", form=f), "conv2_2/body") for f in "abc")
    shapes = [
        [(n.facts.outputs[0][0], n.op.groups) for n in x if n.op.kind == "conv"] for x in (a, b, c)
    ]
    assert shapes[0] == [(4, 1), (4, 1), (256, 1)] * 32
    assert shapes[1] == [(4, 1), (4, 1)] * 32 + [(256, 1)]
    assert shapes[2] == [(128, 1), (128, 32), (256, 1)]
    assert [len(n.inputs) for n in a if n.op.kind == "add"] == [32]
    assert [n.facts.outputs[0][0] for n in b if n.op.kind == "concat"] == [128]
    assert [n.op.kind for n in a[-2:]] == ["add", "batchnorm"]  # footnote 6


@pytest.mark.parametrize(("cardinality", "d"), [(1, 64), (2, 40), (4, 24), (8, 14), (32, 4)])
def test_cardinality_against_width(cardinality: int, d: int) -> None:
    """Table 2 and equation 4: C*(256*d + 3*3*d*d + d*256), about 70k parameters."""
    graph = network("resnext50-32x4d", cardinality=cardinality, width_of_a_path=d)
    convs = [n for n in within(graph, "conv2_2/body") if n.op.kind == "conv"]
    weights = sum(n.facts.params for n in convs)
    assert weights == cardinality * (256 * d + 3 * 3 * d * d + d * 256)
    assert abs(weights - 70_000) < 3_000
    assert round(sum(n.facts.mult_adds for n in convs) / 10**9, 2) == 0.22  # 0.22 billion FLOPs
    width = {1: 64, 2: 80, 4: 96, 8: 112, 32: 128}  # of the grouped convolution
    assert convs[1].facts.outputs[0][0] == width[cardinality]


def test_resnext_of_one_path_is_resnet() -> None:
    """1x64d: ResNet-50, with the stride on the 3x3."""
    one = analyze("resnext50-32x4d", cardinality=1, width_of_a_path=64).totals
    resnet = analyze("resnet50", stride_on_3x3=True).totals
    assert (one.params, one.mult_adds, one.neurons) == (
        resnet.params,
        resnet.mult_adds,
        resnet.neurons,
    )


def test_resnext50_table() -> None:
    """Table 1: 25.0 x 10^6 parameters; widths 128, 256, 512, 1024 in groups of 32; output sizes."""
    graph = network("resnext50-32x4d")
    assert printed(total(graph, "params"), "25.0")
    groups = [n for n in kinds(graph, "conv") if n.op.groups == 32]
    assert [(n.facts.outputs[0][0], n.facts.outputs[0][1]) for n in groups] == (
        [(128, 56)] * 3 + [(256, 28)] * 4 + [(512, 14)] * 6 + [(1024, 7)] * 3
    )
    assert [n.op.stride for n in groups if n.op.stride != 1] == [2, 2, 2]  # section 4: in the 3x3


# Squeeze and excitation: Hu, Shen, Albanie, Sun, Wu 2017.

SENETS = [  # network; parameters of imgclsmob; million activations of timm's legacy models
    ("seresnet50", 28_088_024, 10.6),
    ("seresnet101", 49_326_872, 15.74),
    ("seresnet152", 66_821_848, 22.08),
    ("seresnext50-32x4d", 27_559_896, 14.42),
    ("seresnext101-32x4d", 48_955_416, 21.26),
    ("senet154", 115_088_984, 38.69),
]
SE_GIGA = [  # Table 2: GFLOPs without gates, and with them
    ("seresnet50", 3.86, 3.87),
    ("seresnet101", 7.58, 7.60),
    ("seresnet152", 11.30, 11.32),
    ("seresnext50-32x4d", 4.24, 4.25),
    ("seresnext101-32x4d", 7.99, 8.00),
]
UNITS = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3), "154": (3, 8, 36, 3)}


@pytest.mark.parametrize(("name", "params", "activations"), SENETS)
def test_senet(name: str, params: int, activations: float) -> None:
    found = analyze(name).totals
    assert found.params == params
    assert round(found.neurons / 10**6, 2) == activations


@pytest.mark.parametrize(("name", "plain", "gated"), SE_GIGA)
def test_senet_mult_adds(name: str, plain: float, gated: float) -> None:
    """The paper's figures are up to 0.4% higher: they count a little more than Mult-Adds."""
    without, with_gates = analyze(name, gated_stages=[]).totals, analyze(name).totals
    assert without.mult_adds / 10**9 == pytest.approx(plain, rel=0.0035)
    assert with_gates.mult_adds / 10**9 == pytest.approx(gated, rel=0.0045)


@pytest.mark.parametrize("name", [name for name, _, _ in SENETS])
def test_gates_by_equation_5(name: str) -> None:
    """2/r * sum of N_s*C_s^2 weights, and as many Mult-Adds; a bias for each of their outputs."""
    units = UNITS[next(depth for depth in UNITS if depth in name.removesuffix("-32x4d"))]
    channels = (256, 512, 1024, 2048)
    weights = sum(2 * n * c * c // 16 for n, c in zip(units, channels, strict=True))
    biases = sum(n * (c + c // 16) for n, c in zip(units, channels, strict=True))
    gated, plain = analyze(name).totals, analyze(name, gated_stages=[]).totals
    assert gated.params - plain.params == weights + biases
    assert gated.mult_adds - plain.mult_adds == weights
    assert analyze(name, gate_bias=False).totals.params - plain.params == weights


@pytest.mark.parametrize(
    ("name", "plain", "depth"),
    [
        ("seresnet50", "resnet50", 50),
        ("seresnet101", "resnet101", 101),
        ("seresnet152", "resnet152", 152),
        ("seresnext50-32x4d", "resnext50-32x4d", 50),
        ("seresnext101-32x4d", "resnext101-32x4d", 101),
    ],
)
def test_senet_without_gates(name: str, plain: str, depth: int) -> None:
    without, original = analyze(name, gated_stages=[]).totals, analyze(plain).totals
    assert (without.params, without.mult_adds) == (original.params, original.mult_adds)
    assert analyze(name).totals.depth == depth


@pytest.mark.parametrize(
    ("r", "millions"), [(2, "45.7"), (4, "35.7"), (8, "30.7"), (16, "28.1"), (32, "26.9")]
)
def test_reduction_ratio(r: int, millions: str) -> None:
    """Table 10; gates have no biases there (section 6). Three are 0.1 more than parameters give.

    Batch norm's running statistics, 53,120 buffers, make up for two of them, but not for 30.7.
    """
    found = analyze("seresnet50", r=r, gate_bias=False).totals
    assert found.params / 10**6 == pytest.approx(float(millions), abs=0.15)
    assert r == 8 or printed(found.params + found.buffers, millions)


@pytest.mark.parametrize(
    ("stages", "millions"),
    [([], "25.6"), ([2], "25.6"), ([3], "25.7"), ([4], "26.4"), ([2, 3, 4, 5], "28.1")],
)
def test_gates_in_some_stages(stages: list[int], millions: str) -> None:
    """Table 13, counted as Table 10."""
    found = analyze("seresnet50", gated_stages=stages, gate_bias=False).totals
    assert printed(found.params + found.buffers, millions)


def test_gates_cost_little() -> None:
    """Section 4: about 2.5 million parameters, 10%; 4% without the gates of the last stage."""
    plain = total(network("resnet50"), "params")
    extra = total(network("seresnet50", gate_bias=False), "params") - plain
    assert printed(extra, "2.5")
    assert round(100 * extra / plain) == 10
    rest = total(network("seresnet50", gated_stages=[2, 3, 4], gate_bias=False), "params") - plain
    assert round(100 * rest / plain) == 4


@pytest.mark.parametrize(
    ("stage", "widths"), [(2, (16, 256)), (3, (32, 512)), (4, (64, 1024)), (5, (128, 2048))]
)
def test_gate_widths(stage: int, widths: tuple[int, int]) -> None:
    """Table 1: fc, [16, 256] to [128, 2048], in SE-ResNet-50 and SE-ResNeXt-50 alike."""
    for name in ("seresnet50", "seresnext50-32x4d"):
        gate = within(network(name), f"conv{stage}_2/body/gate")
        kinds_of_it = [node.op.kind for node in gate]
        assert kinds_of_it == ["globalavgpool", "flatten", "linear", "relu", "linear", "sigmoid"]
        assert tuple(n.facts.outputs[0][0] for n in gate if n.op.kind == "linear") == widths


def test_senet154() -> None:
    """Appendix, and the authors' SENet-154.prototxt."""
    graph = network("senet154")
    stem = [n for n in kinds(graph, "conv") if n.path.startswith("conv1")]
    assert [(n.facts.outputs[0], n.op.stride) for n in stem] == [
        ((64, 112, 112), 2),
        ((64, 112, 112), 1),
        ((128, 112, 112), 1),
    ]
    body = [n for n in within(graph, "conv3_1/body") if n.op.kind == "conv"]
    assert [(n.facts.outputs[0][0], n.op.groups, n.op.stride) for n in body] == [
        (256, 1, 1),
        (512, 64, 2),
        (512, 1, 1),
    ]
    projections = [n for n in kinds(graph, "conv") if "/shortcut/" in n.path]
    assert [(n.op.kernel, n.op.stride) for n in projections] == [(1, 1), (3, 2), (3, 2), (3, 2)]
    assert kinds(graph, "dropout")[0].op.rate == Fraction(1, 5)
    assert analyze("senet154").totals.depth == 3 + 3 * 50 + 1


def test_where_senets_stride() -> None:
    """SE-ResNet-50.prototxt: conv3_1_1x1_reduce; SE-ResNeXt-50.prototxt: conv3_1_3x3."""
    for name, strides in (("seresnet50", [2, 1, 1]), ("seresnext50-32x4d", [1, 2, 1])):
        body = [n for n in within(network(name), "conv3_1/body") if n.op.kind == "conv"]
        assert [n.op.stride for n in body] == strides


# Highway networks: Srivastava, Greff, Schmidhuber 2015; widths from the authors' Caffe code,
# github.com/flukeskywalker/highway-networks, examples/highways.


def highway_layers(filters: int, count: int) -> int:
    """Block state and transform gate, each a 3x3 convolution with biases."""
    return count * 2 * (filters * filters * 9 + filters)


def test_highway_19() -> None:
    """cifar10_network.prototxt; Table 2: 19 layers, about 2.3M parameters."""
    params = (
        (3 * 9 + 1) * 32
        + highway_layers(32, 4)
        + (32 * 9 + 1) * 80
        + highway_layers(80, 5)
        + (80 * 9 + 1) * 128
        + highway_layers(128, 5)
        + (128 + 1) * 100
        + (100 + 1) * 10
    )
    found = analyze("highway-19").totals
    assert found.params == params
    assert printed(params, "2.3")
    assert found.depth == 19


def test_highway_19_sizes() -> None:
    """The authors' sample.log: the shape of each top."""
    graph = network("highway-19")
    tops = [
        "conv1_1",
        "conv1_5/add1",
        "pool1",
        "conv2_6/add1",
        "pool2",
        "conv3_6/add1",
        "conv4",
        "fc",
    ]
    assert [layer(graph, top).facts.outputs[0] for top in tops] == [
        (32, 32, 32),
        (32, 32, 32),
        (32, 16, 16),
        (80, 16, 16),
        (80, 8, 8),
        (128, 8, 8),
        (100, 8, 8),
        (10,),
    ]


@pytest.mark.parametrize(("width", "thousands"), [(16, "39"), (32, "151")])
def test_highway_10(width: int, thousands: str) -> None:
    """mnist_network.prototxt; Table 1: 10 layers, 39K and 151K parameters (151.69, cut off)."""
    found = analyze("highway-10", filters=[width] * 3).totals
    assert found.params == (25 + 1) * width + highway_layers(width, 8) + (width * 9 + 1) * 10
    assert thousands in (str(round(found.params / 1000)), str(found.params // 1000))
    assert found.depth == 10


def test_highway_10_sizes() -> None:
    """The authors' sample.log: 24, 12, 6 and 3, which Caffe's rounding up gives."""
    graph = network("highway-10")
    sides = [
        layer(graph, top).facts.outputs[0][1] for top in ("conv1_1", "pool1", "pool2", "pool3")
    ]
    assert sides == [24, 12, 6, 3]


def test_highway_layer() -> None:
    """y = H(x)*T(x) + x*(1 - T(x)): both convolutions see x, and x is carried on as it is."""
    nodes = within(network("highway-19"), "conv2_2")
    assert [node.op.kind for node in nodes] == [
        *("conv", "relu", "conv", "sigmoid", "multiply"),
        *("complement", "multiply"),
        "add",
    ]
    state, gate = (node for node in nodes if node.op.kind == "conv")
    assert state.inputs == gate.inputs == nodes[6].inputs[:1]
