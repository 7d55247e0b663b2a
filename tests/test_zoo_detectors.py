"""SSD, SSDLite and Faster R-CNN, against papers and other people's code.

Nothing here comes from archcalc's own output: each number stands beside where it is printed, or is
the product that a paper's text gives.
"""

from __future__ import annotations

import pytest

from archcalc import Analysis, analyze, explain, tabulate
from archcalc.analysis.receptive_field import AxisField

# Howard et al. 2017 (MobileNet), Table 13: billions of Mult-Adds, millions of parameters. Cells
# that differ are None here; what is known of them stands in the specs.
TABLE_13 = [
    ("ssd300-vgg", 34.9, None),
    ("ssd300-inception-v2", 3.8, None),
    ("ssd300-mobilenet", 1.2, 6.8),
    ("faster-rcnn-vgg@resolution=300", 64.3, 138.5),
    ("faster-rcnn-inception-v2@resolution=300", 118.2, 13.3),
    ("faster-rcnn-mobilenet@resolution=300", 25.2, 6.1),
    ("faster-rcnn-vgg", None, 138.5),
    ("faster-rcnn-inception-v2", 129.6, 13.3),
    ("faster-rcnn-mobilenet", 30.5, 6.1),
]
SSDLITE = [  # Sandler et al. 2018, Table 6
    ("ssdlite-mobilenet", 1.3, 5.1),
    ("ssdlite-mobilenet-v2", 0.8, 4.3),
]


@pytest.mark.parametrize(("name", "giga", "mega"), [*TABLE_13, *SSDLITE])
def test_what_the_papers_print(name: str, giga: float | None, mega: float | None) -> None:
    totals = analyze(name).totals
    if giga is not None:
        assert round(totals.mult_adds / 10**9, 1) == giga
    if mega is not None:
        assert round(totals.params / 10**6, 1) == mega


def test_ssd_is_torchvisions() -> None:
    """torchvision, models/detection/ssd.py: num_params 35641826, _ops 34.858, with 91 classes."""
    totals = analyze("ssd300").totals
    assert totals.params == 35_641_826
    assert round(totals.mult_adds / 10**9, 3) == 34.858


def test_ssd_with_the_classes_of_pascal_voc() -> None:
    """26,285,486: summaries of other people's SSD300 in Keras and PyTorch, 20 classes and 1."""
    assert analyze("ssd300-vgg", classes=21).totals.params == 26_285_486


@pytest.mark.parametrize(
    ("name", "boxes", "classes"),
    [
        ("ssd300-vgg", 8732, 91),  # Liu et al. 2016, Table 7
        ("ssd512-vgg", 24564, 91),  # likewise
        ("ssd300-mobilenet", 1917, 91),  # the released models' outputs, 1x1917x4 and 1x1917x91
        ("ssd300-inception-v2", 1917, 91),
    ],
)
def test_numbers_of_boxes(name: str, boxes: int, classes: int) -> None:
    outputs = {one.name: one.tensor.shape for one in analyze(name).graph.outputs}
    assert outputs == {"boxes": (4 * boxes,), "scores": (classes * boxes,)}


# Huang et al. 2017, Table 2: parameters of feature extractors.


def test_the_feature_extractor_of_vgg() -> None:
    assert analyze("faster-rcnn-vgg").find("backbone").params == 14_714_688


def test_the_feature_extractor_of_mobilenet() -> None:
    """3,191,072: its weights and one number for each channel of whole and pointwise convolutions.

    These are 32 and 64 + 128*2 + 256*2 + 512*6 + 1024*2 = 5,984.
    """
    backbone = weights(analyze("ssd300-mobilenet"), "backbone/")
    assert backbone + 32 + 64 + 128 * 2 + 256 * 2 + 512 * 6 + 1024 * 2 == 3_191_072


def test_the_feature_extractor_of_inception_v2() -> None:
    """10,173,112: weights, 64 biases, and three numbers for each other channel."""
    analysis = analyze("ssd300-inception-v2")
    channels = sum(
        row.output[0]
        for row in analysis.layers
        if row.kind == "batchnorm" and row.name.startswith("backbone/")
    )
    assert weights(analysis, "backbone/") + 64 + 3 * (channels - 64) == 10_173_112


def weights(analysis: Analysis, within: str) -> int:
    rows = [row for row in analysis.layers if row.name.startswith(within)]
    return sum(row.params for row in rows if row.kind == "conv")


# Settings.


def test_the_stage2_costs_as_often_as_there_are_proposals() -> None:
    """fc6, fc7 and the heads on 7x7x512 of each region (Girshick 2015): 123 million Mult-Adds."""
    region = 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * (91 + 4 * 90)
    many, few = analyze("faster-rcnn-vgg"), analyze("faster-rcnn-vgg", proposals=100)
    assert many.totals.mult_adds - few.totals.mult_adds == 200 * region
    assert few.totals.params == many.totals.params
    stages = [few.find(name) for name in ("stage2", "heads")]
    assert sum(row.mult_adds for row in stages) == 100 * region
    assert [row.times for row in stages] == [100, 100]
    shapes = [one.tensor.shape for one in few.graph.outputs]
    assert shapes == [(100, 91), (100, 360), (100, 4), (24, 37, 37), (48, 37, 37)]


def test_fewer_classes_make_thinner_heads() -> None:
    """Boxes for each class but the background, scores for all."""
    analysis = analyze("faster-rcnn-mobilenet", classes=21)
    assert analysis.find("heads").params == (1024 + 1) * (21 + 4 * 20)
    assert analysis.find("heads").output == (300, 21)
    ssd = analyze("ssd300-mobilenet", classes=21)
    anchors = [512 * 3, 1024 * 6, 512 * 6, 256 * 6, 256 * 6, 128 * 6]
    biases = (3 + 5 * 6) * (21 + 4)
    assert ssd.find("heads").params == sum(anchors) * (21 + 4) + biases


# Tables, fields, explanations.


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ssd300-vgg", ["backbone", "extras", "heads"]),
        ("faster-rcnn-vgg", ["backbone", "rpn", "crops", "stage2", "heads"]),
    ],
)
def test_a_detector_rolls_up_into_its_parts(name: str, parts: list[str]) -> None:
    table = tabulate(analyze(name), depth=1)
    assert [row.name for row in table.rows] == parts
    assert sum(row.mult_adds for row in table.rows) == analyze(name).totals.mult_adds


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        # conv4_3 of VGG-16: 92; fc7: after pool4 100, three 3x3 of stride 16 each 32 more, so has
        # pool5, fc6 dilated by 6 192 more. Then 3x3 of strides 2, 2, 1, 1 at 16, 32, 64, 64, and
        # the heads' own 3x3 at each map's stride.
        (
            "ssd300-vgg",
            [
                92 + 2 * 8, 420 + 2 * 16, 452 + 2 * 32, 516 + 2 * 64, 644 + 2 * 64, 772 + 2 * 64,
            ],
        ),
        # MobileNet sees 219 after its 11th separable convolution and 315 at its end, of stride 32
        # (google-research/receptive_field prints the 315); each extra 3x3 of stride 2 adds two
        # strides of what it takes. Heads are 1x1.
        (
            "ssd300-mobilenet",
            [219, 315, 315 + 2 * 32, 379 + 2 * 64, 507 + 2 * 128, 763 + 2 * 256],
        ),
    ],
)  # fmt: skip
def test_receptive_fields_of_the_heads(name: str, fields: list[int]) -> None:
    analysis = analyze(name)
    for i, size in enumerate(fields, start=1):
        for part in ("boxes", "scores"):
            found = analysis.find(f"heads/predictor{i}/{part}").receptive_field
            assert all(isinstance(axis, AxisField) for axis in found)
            assert [getattr(axis, "size", None) for axis in found] == [size, size]


def test_what_a_region_sees_depends_on_the_data() -> None:
    analysis = analyze("faster-rcnn-vgg")
    for name in ("crops", "stage2/fc6", "heads/boxes"):
        reasons = {axis.reason for axis in analysis.find(name).receptive_field}
        assert reasons == {"where the regions lie depends on the data"}


def test_explain_multiplies_by_the_proposals() -> None:
    [explained] = explain(analyze("faster-rcnn-vgg"), "stage2/fc6")
    found = {one.quantity: one for one in explained.derivations}
    assert found["Mult-Adds"].text == "(4096*25088)*300"
    assert found["Mult-Adds"].symbols == "(n_out*n_in)*t"
    assert found["Mult-Adds"].value == 4096 * 25_088 * 300
    assert found["params"].value == 4096 * (25_088 + 1)


def test_a_batch_of_images_has_proposals_for_each() -> None:
    one, two = (analyze("faster-rcnn-mobilenet", batch=n) for n in (1, 2))
    assert two.totals.mult_adds == 2 * one.totals.mult_adds
    [explained] = explain(two, "heads/boxes")
    [text] = [d.text for d in explained.derivations if d.quantity == "Mult-Adds"]
    assert text == "(360*1024)*300*2"


# PyTorch.


def test_a_detector_runs() -> None:
    """Faster R-CNN on a small image; its regions come from its own scores."""
    import torch

    from archcalc import build

    model = build("faster-rcnn-mobilenet", resolution=64, proposals=5, classes=4).eval()
    with torch.no_grad():
        found = model(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    shapes = {name: tuple(one.shape) for name, one in found.items()}
    assert shapes == {
        "classes": (2, 5, 4), "boxes": (2, 5, 12), "regions": (2, 5, 4),
        "objectness": (2, 24, 4, 4), "offsets": (2, 48, 4, 4),
    }  # fmt: skip
    assert all(one.isfinite().all() for one in found.values())
    assert torch.allclose(found["classes"].sum(-1), torch.ones(2, 5))
    assert not torch.allclose(found["boxes"][:, 0], found["boxes"][:, 1])  # other regions


def test_all_of_a_detector_can_learn() -> None:
    """No gradient goes back through the choice of regions: the RPN learns by outputs of its own."""
    import torch

    from archcalc import build

    model = build("faster-rcnn-mobilenet", resolution=64, proposals=5, classes=4)
    found = model(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    sum(one.sum() for one in found.values()).backward()
    without = [name for name, one in model.named_parameters() if one.grad is None]
    assert without == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, *_ in TABLE_13 if "@" in name])
def test_the_model_agrees(name: str) -> None:
    """At the other resolution; test_witnesses.py has all networks as they are."""
    from archcalc import verify

    verification = verify(name)
    assert verification.agrees
    for check in verification.checks:
        if check.key in ("shapes", "parameters", "torch"):
            assert check.compared
            assert not check.left_out
