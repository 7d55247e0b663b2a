"""BN-Inception, Inception-v2, v3 and v4, and the Inception-ResNets, against papers and other code.

Nothing here comes from archcalc's own output: each number stands beside where it is printed, or is
the product that its paper's text gives.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from archcalc import analyze

if TYPE_CHECKING:
    from archcalc.analysis import Analysis

# google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md, computed from TensorFlow-Slim's code,
# by end point: receptive field, effective stride, effective padding (none where it depends on the
# input, as TensorFlow's does), and cumulated FLOPs in billions, two a multiply-add, at 224x224.
INCEPTION_V2 = {  # so slim calls BN-Inception
    "conv1": (7, 2, None, 0.069),
    "pool1": (11, 4, None, 0.071),
    "conv2": (19, 4, None, 0.791),
    "pool2": (27, 8, None, 0.792),
    "inception_3a": (59, 8, None, 1.136),
    "inception_3b": (91, 8, None, 1.544),
    "inception_3c": (123, 16, None, 1.833),
    "inception_4a": (187, 16, None, 2.073),
    "inception_4b": (251, 16, None, 2.334),
    "inception_4c": (315, 16, None, 2.686),
    "inception_4d": (379, 16, None, 3.120),
    "inception_4e": (443, 32, None, 3.446),
    "inception_5a": (571, 32, None, 3.660),
    "inception_5b": (699, 32, None, 3.883),
}
INCEPTION_V3 = {
    "conv1": (3, 2, 0, 0.022),
    "conv2": (7, 2, 0, 0.241),
    "conv3": (11, 2, 2, 0.680),
    "pool1": (15, 4, 2, 0.681),
    "conv4": (15, 4, 2, 0.712),
    "conv5": (23, 4, 2, 1.460),
    "pool2": (31, 8, 2, 1.461),
    "inception_a1": (63, 8, 18, 1.781),
    "inception_a2": (95, 8, 34, 2.128),
    "inception_a3": (127, 8, 50, 2.485),
    "reduction_a": (159, 16, 58, 2.889),
    "inception_b1": (351, 16, 154, 3.263),
    "inception_b2": (543, 16, 250, 3.750),
    "inception_b3": (735, 16, 346, 4.237),
    "inception_b4": (927, 16, 442, 4.854),
    "reduction_b": (1055, 32, 490, 5.132),
    "inception_c1": (1183, 32, 554, 5.385),
    "inception_c2": (1311, 32, 618, 5.689),
}
INCEPTION_V4 = {
    "stem": (55, 8, 14, 2.473),
    "inception_a1": (87, 8, 30, 2.871),
    "inception_a2": (119, 8, 46, 3.269),
    "inception_a3": (151, 8, 62, 3.668),
    "inception_a4": (183, 8, 78, 4.066),
    "reduction_a": (215, 16, 86, 5.173),
    "inception_b1": (407, 16, 182, 6.019),
    "inception_b2": (599, 16, 278, 6.865),
    "inception_b3": (791, 16, 374, 7.711),
    "inception_b4": (983, 16, 470, 8.557),
    "inception_b5": (1175, 16, 566, 9.403),
    "inception_b6": (1367, 16, 662, 10.249),
    "inception_b7": (1559, 16, 758, 11.095),
    "reduction_b": (1687, 32, 806, 11.588),
    "inception_c1": (1815, 32, 870, 11.815),
    "inception_c2": (1943, 32, 934, 12.043),
    "inception_c3": (2071, 32, 998, 12.271),
}
INCEPTION_RESNET_V2 = {
    "stem": (63, 8, 18, 1.796),
    "reduction_a": (415, 16, 186, 4.745),
    "inception_resnet_b20": (2335, 16, 1146, 11.230),
    "reduction_b": (2399, 32, 1162, 11.781),
    "last": (3039, 32, 1482, 12.958),
}
SLIM = {
    "bn-inception": INCEPTION_V2,
    "inception-v3": INCEPTION_V3,
    "inception-v4": INCEPTION_V4,
    "inception-resnet-v2-slim": INCEPTION_RESNET_V2,
}


def cumulated(analysis: Analysis, name: str) -> int:
    """The Mult-Adds of everything up to and including a layer or block."""
    top = list(analysis.graph.root.children)
    return sum(analysis.find(one).mult_adds for one in top[: top.index(name) + 1])


@pytest.mark.parametrize("name", SLIM)
def test_receptive_fields(name: str) -> None:
    analysis = analyze(name)
    for end, (size, stride, padding, _) in SLIM[name].items():
        for field in analysis.find(end).receptive_field:
            assert (field.size, field.stride) == (size, stride), end
            assert padding in (None, -field.start), end


@pytest.mark.parametrize("name", SLIM)
def test_flops(name: str) -> None:
    """They count comparisons and some additions, too: within 1%, or 4 million at the start."""
    analysis = analyze(name) if name == "bn-inception" else analyze(name, resolution=224)
    for end, (_, _, _, billion) in SLIM[name].items():
        ours = 2 * cumulated(analysis, end) / 10**9
        assert ours == pytest.approx(billion, rel=0.01, abs=0.004), end


TOTALS = [  # what a model says of itself, and its convolutions' and linears' products by hooks
    ("inception-v3", {}, 23_834_568, 5_713_216_096),  # timm inception_v3; torchvision: 5.713
    # torchvision inception_v3, num_params; it has the head
    ("inception-v3", {"auxiliary": True}, 27_161_264, 5_718_899_296),
    ("inception-v4", {}, 42_679_816, 12_253_974_624),  # timm inception_v4
    ("inception-resnet-v2-slim", {}, 55_843_464, 13_155_794_016),  # timm inception_resnet_v2
]


@pytest.mark.parametrize(("name", "settings", "params", "mult_adds"), TOTALS)
def test_totals(name: str, settings: dict[str, bool], params: int, mult_adds: int) -> None:
    totals = analyze(name, **settings).totals
    assert (totals.params, totals.mult_adds) == (params, mult_adds)


# TensorFlow-Slim's tests: inception_v3_test.py and its sisters, testBuildAndCheckAllEndPoints.

SIZES = {
    "bn-inception": {
        "conv1": (64, 112, 112),
        "pool1": (64, 56, 56),
        "conv2": (192, 56, 56),
        "pool2": (192, 28, 28),
        "inception_3a": (256, 28, 28),
        "inception_3b": (320, 28, 28),
        "inception_3c": (576, 14, 14),
        "inception_4a": (576, 14, 14),
        "inception_4b": (576, 14, 14),
        "inception_4c": (576, 14, 14),
        "inception_4d": (576, 14, 14),
        "inception_4e": (1024, 7, 7),
        "inception_5a": (1024, 7, 7),
        "inception_5b": (1024, 7, 7),
    },
    "inception-v3": {
        "conv1": (32, 149, 149),
        "conv2": (32, 147, 147),
        "conv3": (64, 147, 147),
        "pool1": (64, 73, 73),
        "conv4": (80, 73, 73),
        "conv5": (192, 71, 71),
        "pool2": (192, 35, 35),
        "inception_a1": (256, 35, 35),
        "inception_a2": (288, 35, 35),
        "inception_a3": (288, 35, 35),
        "reduction_a": (768, 17, 17),
        "inception_b1": (768, 17, 17),
        "inception_b4": (768, 17, 17),
        "reduction_b": (1280, 8, 8),
        "inception_c1": (2048, 8, 8),
        "inception_c2": (2048, 8, 8),
    },
    "inception-v4": {
        "stem/begin1": (64, 147, 147),
        "stem/mixed1": (160, 73, 73),
        "stem/mixed2": (192, 71, 71),
        "stem/mixed3": (384, 35, 35),
        "inception_a4": (384, 35, 35),
        "reduction_a": (1024, 17, 17),
        "inception_b7": (1024, 17, 17),
        "reduction_b": (1536, 8, 8),
        "inception_c3": (1536, 8, 8),
        "pool": (1536, 1, 1),
    },
    "inception-resnet-v2-slim": {
        "stem": (320, 35, 35),
        "reduction_a": (1088, 17, 17),
        "inception_resnet_b20": (1088, 17, 17),
        "reduction_b": (2080, 8, 8),
        "last": (1536, 8, 8),
    },
    "inception-resnet-v1": {  # Szegedy et al. 2016, Figure 15
        "stem": (256, 35, 35),
        "inception_resnet_a5": (256, 35, 35),
        "reduction_a": (896, 17, 17),
        "inception_resnet_b10": (896, 17, 17),
        "reduction_b": (1792, 8, 8),
        "inception_resnet_c5": (1792, 8, 8),
        "pool": (1792, 1, 1),
    },
    "inception-resnet-v2": {  # 384, then Reduction-A's and B's filters beside what came in
        "stem": (384, 35, 35),
        "reduction_a": (384 + 384 + 384, 17, 17),
        "inception_resnet_b10": (1152, 17, 17),
        "reduction_b": (384 + 288 + 320 + 1152, 8, 8),
        "inception_resnet_c5": (2144, 8, 8),
    },
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    analysis = analyze(name)
    assert {end: analysis.find(end).output for end in SIZES[name]} == SIZES[name]


# Counted by hand: a convolution without bias and the normalization after it.


def conv(*channels: int, area: int = 1) -> int:
    """1x1 convolutions one after another, or ones of a larger window."""
    return sum(area * before * after + 2 * after for before, after in pairwise(channels))


def biased(before: int, after: int) -> int:
    return before * after + after


# BN-Inception: Ioffe & Szegedy 2015, Figure 5.


def test_bn_inception_is_slims() -> None:
    """10,173,112: inception_v2_test.py, testModelHasExpectedNumberOfParameters.

    Those are without the linear layer. Normalization has a shift there, no scale, and its two
    statistics count; the separable convolution has a bias in place of a normalization.
    """
    analysis = analyze("bn-inception")
    channels = analysis.totals.buffers // 2
    ours = analysis.totals.params - biased(1024, 1000) + channels
    assert ours - 3 * 64 + 64 == 10_173_112


def test_bn_inception_is_caffes() -> None:
    """11,295,240, with a bias in each convolution: Cadene's bninception, from Caffe."""
    totals = analyze("bn-inception", separable=False, proj_4cd=128).totals
    channels = totals.buffers // 2
    assert totals.params + channels == 11_295_240
    assert totals.mult_adds == 2_032_600_064  # its convolutions and linears, by hooks
    assert round(totals.mult_adds / 10**9, 1) == 2.0  # Szegedy et al. 2015, Table 3


def test_bn_inception_without_separable_convolution() -> None:
    """google-research/receptive_field has this one, too: 4.051 billion FLOPs."""
    analysis = analyze("bn-inception", separable=False)
    ours = 2 * cumulated(analysis, "inception_5b") / 10**9
    assert ours == pytest.approx(4.051, rel=0.01)


def test_bn_inceptions_first_convolution() -> None:
    """The appendix: depth multiplier 8. GoogLeNet's Table 1 prints its costs: 2.7K and 34M."""
    first = analyze("bn-inception").find("conv1")
    assert first.params == 7 * 7 * 3 * 8 + 24 * 64 + 2 * 64
    assert round((first.params - 2 * 64) / 1000, 1) == 2.7
    assert round(first.mult_adds / 10**6) == 34


def test_bn_inceptions_depth() -> None:
    """GoogLeNet's 22; one more in each of its nine modules (the appendix); a tenth of three."""
    assert analyze("bn-inception", separable=False).totals.depth == 22 + 9 + 3


@pytest.mark.parametrize(("proj", "sizes"), [(96, (576, 576, 1024)), (128, (608, 608, 1056))])
def test_bn_inceptions_filters_and_sizes(proj: int, sizes: tuple[int, ...]) -> None:
    """Figure 5 prints 576, 576 and 1024 for 4c to 4e, but filters that give 608, 608 and 1056."""
    analysis = analyze("bn-inception", proj_4cd=proj)
    ends = ["inception_4c", "inception_4d", "inception_4e"]
    assert tuple(analysis.find(end).output[0] for end in ends) == sizes


# Inception-v3: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015, and the authors' code.


def test_inception_v3_is_slims() -> None:
    """21,802,784: inception_v3_test.py, testModelHasExpectedNumberOfParameters, as above."""
    totals = analyze("inception-v3").totals
    assert totals.params - biased(2048, 1000) + totals.buffers // 2 == 21_802_784


def test_inception_v3_is_said_to_be_48_layers_deep() -> None:
    """MathWorks, documentation of inceptionv3."""
    assert analyze("inception-v3").totals.depth == 48
    assert analyze("inception-v3", auxiliary=True).totals.depth == 48


def test_inception_v3_fits_the_abstract() -> None:
    """Less than 25 million parameters."""
    assert analyze("inception-v3").totals.params < 25 * 10**6


@pytest.mark.parametrize("name", ["inception-v2", "inception-v3"])
def test_auxiliary_head(name: str) -> None:
    """Figure 8: on the last 17x17 layer, 5x5 pooling with stride 3 gives 5x5, then 1x1."""
    plain = analyze(name)
    head = analyze(name, auxiliary=True, bn_auxiliary=True)
    assert head.find("aux/avgpool1").output == (768, 5, 5)
    assert head.find("aux/fc1").output == (768, 1, 1)
    params = conv(768, 128) + conv(128, 768, area=25) + biased(768, 1000)
    assert head.totals.params - plain.totals.params == params
    without = analyze(name, auxiliary=True, bn_auxiliary=False)
    assert head.totals.params - without.totals.params == 768  # scale and shift, for a bias
    assert [output.name for output in head.graph.outputs] == ["softmax", "aux"]


def test_documents_table_of_inception_v3() -> None:
    """Input sizes as course notes print them, row by row."""
    analysis = analyze("inception-v3")
    inputs = {
        "conv1": (3, 299, 299),
        "conv2": (32, 149, 149),
        "conv3": (32, 147, 147),
        "pool1": (64, 147, 147),
        "conv4": (64, 73, 73),
        "conv5": (80, 73, 73),
        "pool2": (192, 71, 71),
        "inception_a1": (192, 35, 35),
        "reduction_a": (288, 35, 35),
        "inception_b1": (768, 17, 17),
        "inception_c1": (1280, 8, 8),
        "pool3": (2048, 8, 8),
    }
    assert {name: analysis.find(name).input for name in inputs} == inputs


# Inception-v2: section 6 and Table 1 of the same paper.

TABLE1 = [  # patch size and stride, input size
    ("conv1", (3, 3), 2, (3, 299, 299)),
    ("conv2", (3, 3), 1, (32, 149, 149)),
    ("conv3", (3, 3), 1, (32, 147, 147)),
    ("pool1", (3, 3), 2, (64, 147, 147)),
    ("conv4", (3, 3), 1, (64, 73, 73)),
    ("conv5", (3, 3), 2, (80, 71, 71)),
    ("conv6", (3, 3), 1, (192, 35, 35)),
]


def test_inception_v2_is_table_1() -> None:
    analysis = analyze("inception-v2")
    for name, kernel, stride, size in TABLE1:
        row = analysis.find(name)
        layer = row if row.kind == "maxpool" else analysis.find(f"{name}/conv1")
        assert row.input == size
        assert (layer.node.op.kernel, layer.node.op.stride) in (
            (kernel, (stride, stride)),
            (kernel[0], stride),
        )
    inputs = {"inception_a": (288, 35, 35), "inception_b": (768, 17, 17), "pool3": (2048, 8, 8)}
    for start, size in inputs.items():
        rows = [row for row in analysis.blocks + analysis.layers if row.name.startswith(start)]
        assert {row.input for row in rows if "/" not in row.name} == {size}
    assert analysis.find("inception_c1").input == (1280, 8, 8)
    assert analysis.find("fc").input == (2048,)


def test_inception_v2_has_3_5_and_2_modules() -> None:
    names = list(analyze("inception-v2").graph.root.children)
    counts = [len([n for n in names if n.startswith(f"inception_{which}")]) for which in "abc"]
    assert counts == [3, 5, 2]


def test_inception_v2_params_by_hand() -> None:
    """v3's 23,834,568 with other first layers, 3x3 for 5x5, and one more 17x17 module."""
    module = (64 + 48 + 64 + 64) * 288 + 2 * (64 + 48 + 64 + 64)  # the 1x1 convolutions of figure 5
    module += conv(48, 64, area=9) + conv(64, 96, 96, area=9)
    first = conv(64, 80, 192, 288, area=9)
    five = 5 * 5 * 48 * 64 + 2 * 64 + conv(64, 96, 96, area=9)
    ones = sum((176 + proj) * (wide + 2) for wide, proj in ((192, 32), (256, 64), (288, 64)))
    replaced = conv(64, 80) + conv(80, 192, area=9) + ones + 3 * five
    fifth = conv(768, 192) * 4 + conv(*[192] * 7, area=7)
    params = 23_834_568 - replaced + first + 3 * module + fifth
    assert analyze("inception-v2").totals.params == params


def test_the_7x7_convolution_before_it_was_factorized() -> None:
    """Section 6: three 3x3 convolutions stand for it; with its stride 2 it gives the same size."""
    plain = analyze("inception-v2", factorized_7x7=False)
    assert plain.find("conv1").output == analyze("inception-v2").find("conv3").output
    assert plain.find("conv1").params == conv(3, 64, area=49)


# Inception-v4 and the Inception-ResNets: Szegedy, Ioffe, Vanhoucke, Alemi 2016.


def test_inception_v4_block_numbers() -> None:
    """Figures 9 and 15: 4, 7 and 3 modules; 5, 10 and 5."""
    for name, start, counts in (
        ("inception-v4", "inception_", [4, 7, 3]),
        ("inception-resnet-v1", "inception_resnet_", [5, 10, 5]),
        ("inception-resnet-v2", "inception_resnet_", [5, 10, 5]),
        ("inception-resnet-v2-slim", "inception_resnet_", [10, 20, 10]),
    ):
        names = list(analyze(name).graph.root.children)
        assert [len([n for n in names if n.startswith(start + which)]) for which in "abc"] == counts


def test_inception_resnet_v1_is_facenets() -> None:
    """23,995,624: osmr/imgclsmob's inceptionresnetv1, 6,308,235,360 Mult-Adds by hooks.

    It follows facenet: a sixth Inception-ResNet-C, and before the classifier a linear layer to 512,
    without bias, and its normalization.
    """
    sixth = 2 * conv(1792, 192) + 2 * conv(192, 192, area=3) + biased(384, 1792)
    head = conv(1792, 512) + biased(512, 1000)
    totals = analyze("inception-resnet-v1").totals
    assert totals.params == 23_995_624 - sixth - head + biased(1792, 1000)
    work = 64 * (2 * 1792 * 192 + 2 * 3 * 192 * 192 + 384 * 1792)
    work += 1792 * 512 + 512 * 1000 - 1792 * 1000
    assert totals.mult_adds == 6_308_235_360 - work


def test_inception_resnet_v2_params_by_hand() -> None:
    """Figures 3, 16, 7, 17, 18 and 19."""
    stem = conv(3, 32, 32, 64, 96, area=9)  # the first four; then pool beside 96
    stem += 2 * conv(160, 64) + conv(64, 64, 64, area=7) + 2 * conv(64, 96, area=9)
    stem += conv(192, 192, area=9)
    a = 3 * conv(384, 32) + conv(32, 32, area=9) + conv(32, 48, 64, area=9) + biased(128, 384)
    reduction_a = conv(384, 384, area=9) + conv(384, 256) + conv(256, 256, 384, area=9)
    b = conv(1152, 192) + conv(1152, 128) + conv(128, 160, 192, area=7) + biased(384, 1152)
    reduction_b = 3 * conv(1152, 256) + conv(256, 384, area=9) + conv(256, 288, area=9)
    reduction_b += conv(256, 288, 320, area=9)
    c = 2 * conv(2144, 192) + conv(192, 224, 256, area=3) + biased(448, 2144)
    params = stem + 5 * a + reduction_a + 10 * b + reduction_b + 5 * c + biased(2144, 1000)
    assert analyze("inception-resnet-v2").totals.params == params


def test_slims_last_unit_has_no_activation() -> None:
    """inception_resnet_v2.py: block8 with activation_fn=None after the nine."""
    slim = analyze("inception-resnet-v2-slim")
    last = [row.kind for row in slim.layers if row.name.startswith("inception_resnet_c10/")]
    assert last[-1] == "add"
    paper = analyze("inception-resnet-v2").layers
    kinds = [row.kind for row in paper if row.name.startswith("inception_resnet_c5/")]
    assert kinds[-1] == "relu"
