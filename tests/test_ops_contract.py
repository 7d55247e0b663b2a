"""The contract of every layer kind: one test, fed by rows.

A row is a kind with its fields, its inputs' shapes, and what must come of it: output shapes,
params, buffers, Mult-Adds, FLOPs (2 x Mult-Adds + every other operation), the window on the first
input, connections, neurons. Facts that a row leaves out are 0.

The numbers are worked out by hand from the definitions at the top of `archcalc/ops/base.py`, as
the products written here, from PyTorch's documented shape formulas, or from the papers named.
Shapes, params and Mult-Adds of the kinds PyTorch has were checked with PyTorch 2.13 by the author
(modules on the meta device, torch.utils.flop_counter); PyTorch isn't imported here.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pytest

from archcalc.errors import LayerError
from archcalc.formula import Value
from archcalc.ops import KINDS, OPERATIONS, Op
from archcalc.ops.regions import CHOSEN
from archcalc.ops.window import (
    HELD,
    POINTWISE,
    WHOLE,
    Adaptive,
    Fractional,
    Interpolated,
    Nearest,
    Sliding,
    Somewhere,
)
from archcalc.spec.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.formula import Derived


class Row(NamedTuple):
    op: Op
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    window: Any = POINTWISE
    params: int = 0
    buffers: int = 0
    mult_adds: int = 0
    flops: int = 0
    connections: int = 0
    neurons: int = 0


def row(
    kind: str,
    fields: dict[str, Any],
    inputs: list[tuple[int, ...]] | tuple[int, ...],
    outputs: list[tuple[int, ...]] | tuple[int, ...],
    window: Any = POINTWISE,
    **facts: int,
) -> Row:
    """A row; one input or output needs no list."""
    shapes = inputs if isinstance(inputs, list) else [inputs]
    gives = outputs if isinstance(outputs, list) else [outputs]
    return Row(KINDS[kind](**fields), tuple(shapes), tuple(gives), window, **facts)


C3_TABLE = [  # LeCun et al. 1998, Table I: the maps of S2 that each map of C3 sees
    [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 0], [5, 0, 1]],
    [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 0], [4, 5, 0, 1], [5, 0, 1, 2]],
    [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]],
    [[0, 1, 2, 3, 4, 5]],
]

CONVOLUTIONS = [
    # Krizhevsky et al. 2012, conv1: 55x55x96, (11*11*3 + 1)*96 parameters.
    row(
        "conv",
        {"out": 96, "kernel": 11, "stride": 4},
        (3, 227, 227),
        (96, 55, 55),
        (Sliding(11, 4), Sliding(11, 4)),
        params=34_944,
        mult_adds=105_415_200,
        flops=2 * 105_415_200 + 290_400,
        connections=105_705_600,
        neurons=290_400,
    ),
    # conv2, two groups of 48 and 128 channels: 256*(48*5*5 + 1); 27*27*256*48*25.
    row(
        "conv",
        {"out": 256, "kernel": 5, "padding": 2, "groups": 2},
        (96, 27, 27),
        (256, 27, 27),
        (Sliding(5, 1, 2, 2), Sliding(5, 1, 2, 2)),
        params=307_456,
        mult_adds=223_948_800,
        flops=2 * 223_948_800 + 27 * 27 * 256,
        connections=27 * 27 * 256 * (48 * 25 + 1),
        neurons=27 * 27 * 256,
    ),
    # Howard et al. 2017, the second depthwise layer: 9 weights a channel, no bias.
    row(
        "conv",
        {"out": 64, "kernel": 3, "stride": 2, "padding": 1, "groups": 64, "bias": False},
        (64, 112, 112),
        (64, 56, 56),
        (Sliding(3, 2, 1, 1), Sliding(3, 2, 1, 1)),
        params=576,
        mult_adds=56 * 56 * 576,
        flops=2 * 56 * 56 * 576,
        connections=56 * 56 * 576,
        neurons=56 * 56 * 64,
    ),
    # Dilation 2 spreads 3 taps over 5: with padding 2 the size stays.
    row(
        "conv",
        {"out": 4, "kernel": 3, "padding": 2, "dilation": 2},
        (8, 9, 9),
        (4, 9, 9),
        (Sliding(3, 1, 2, 2, 2), Sliding(3, 1, 2, 2, 2)),
        params=4 * (8 * 9 + 1),
        mult_adds=9 * 9 * 4 * 72,
        flops=9 * 9 * 4 * (2 * 72 + 1),
        connections=9 * 9 * 4 * 73,
        neurons=9 * 9 * 4,
    ),
    # The height stays 17; the width is (17 + 6 - 7)/2 + 1 = 9.
    row(
        "conv",
        {"out": 5, "kernel": [1, 7], "stride": [1, 2], "padding": [0, 3]},
        (16, 17, 17),
        (5, 17, 9),
        (Sliding(1), Sliding(7, 2, 3, 3)),
        params=5 * (16 * 7 + 1),
        mult_adds=17 * 9 * 5 * 112,
        flops=17 * 9 * 5 * (2 * 112 + 1),
        connections=17 * 9 * 5 * 113,
        neurons=17 * 9 * 5,
    ),
    # Padding after only: floor((224 + 0 + 1 - 3)/2) + 1 = 112.
    row(
        "conv",
        {"out": 2, "kernel": 3, "stride": 2, "padding": [[0, 1], [0, 1]], "bias": False},
        (3, 224, 224),
        (2, 112, 112),
        (Sliding(3, 2, 0, 1), Sliding(3, 2, 0, 1)),
        params=54,
        mult_adds=112 * 112 * 54,
        flops=2 * 112 * 112 * 54,
        connections=112 * 112 * 54,
        neurons=112 * 112 * 2,
    ),
    # PyTorch's same: 3 zeros for a kernel of 4, the odd one after.
    row(
        "conv",
        {"out": 1, "kernel": 4, "padding": "same"},
        (1, 6, 7),
        (1, 6, 7),
        (Sliding(4, 1, 1, 2), Sliding(4, 1, 1, 2)),
        params=17,
        mult_adds=42 * 16,
        flops=42 * 33,
        connections=42 * 17,
        neurons=42,
    ),
    # TensorFlow's same: ceil(224/2) = 112 needs (112 - 1)*2 + 3 - 224 = 1 zero, after;
    # ceil(225/2) = 113 needs (113 - 1)*2 + 3 - 225 = 2, one on each side.
    row(
        "conv",
        {"out": 1, "kernel": 3, "stride": 2, "padding": "same_tf", "bias": False},
        (1, 224, 225),
        (1, 112, 113),
        (Sliding(3, 2, 0, 1), Sliding(3, 2, 1, 1)),
        params=9,
        mult_adds=112 * 113 * 9,
        flops=2 * 112 * 113 * 9,
        connections=112 * 113 * 9,
        neurons=112 * 113,
    ),
    # A stride larger than the kernel leaves inputs out: ceil(7/4) = 2, no padding needed.
    row(
        "conv",
        {"out": 1, "kernel": 1, "stride": 4, "padding": "same_tf", "bias": False},
        (1, 7, 8),
        (1, 2, 2),
        (Sliding(1, 4), Sliding(1, 4)),
        params=1,
        mult_adds=4,
        flops=8,
        connections=4,
        neurons=4,
    ),
    # valid is no padding; a fraction is cut off: floor((8 - 3)/2) + 1 = 3.
    row(
        "conv",
        {"out": 1, "kernel": 3, "stride": 2, "padding": "valid", "bias": False},
        (1, 8, 8),
        (1, 3, 3),
        (Sliding(3, 2), Sliding(3, 2)),
        params=9,
        mult_adds=81,
        flops=162,
        connections=81,
        neurons=9,
    ),
    # One axis: (50 + 4 - 5)/1 + 1 = 50.
    row(
        "conv",
        {"out": 8, "kernel": 5, "padding": 2},
        (4, 50),
        (8, 50),
        (Sliding(5, 1, 2, 2),),
        params=8 * 21,
        mult_adds=50 * 8 * 20,
        flops=50 * 8 * 41,
        connections=50 * 8 * 21,
        neurons=400,
    ),
    # Three axes: depth (8 - 3) + 1 = 6, height and width (10 + 2 - 3) + 1 = 10.
    row(
        "conv",
        {"out": 2, "kernel": 3, "padding": [0, 1, 1], "groups": 2, "bias": False},
        (4, 8, 10, 10),
        (2, 6, 10, 10),
        (Sliding(3), Sliding(3, 1, 1, 1), Sliding(3, 1, 1, 1)),
        params=2 * 2 * 27,
        mult_adds=600 * 2 * 54,
        flops=2 * 600 * 2 * 54,
        connections=600 * 2 * 54,
        neurons=1200,
    ),
    # LeCun et al. 1998, C3: 1,516 parameters, 151,600 connections.
    row(
        "conv",
        {"out": 16, "kernel": 5, "table": C3_TABLE},
        (6, 14, 14),
        (16, 10, 10),
        (Sliding(5), Sliding(5)),
        params=1_516,
        mult_adds=150_000,  # 60 kernels of 25 weights at 100 places
        flops=2 * 150_000 + 1_600,
        connections=151_600,
        neurons=1_600,
    ),
    # A table whose rows alternate, without bias: 3 connections of 9 weights, at 4 places.
    row(
        "conv",
        {"out": 2, "kernel": 3, "table": [[0, 1], [1]], "bias": False},
        (2, 4, 4),
        (2, 2, 2),
        (Sliding(3), Sliding(3)),
        params=27,
        mult_adds=108,
        flops=216,
        connections=108,
        neurons=8,
    ),
]

TRANSPOSED = [
    # PyTorch: (n - 1)*s - 2p + k + output_padding: 4*2 - 2 + 3 + 1 = 10, 6*2 - 2 + 3 + 1 = 14.
    row(
        "convtranspose",
        {"out": 4, "kernel": 3, "stride": 2, "padding": 1, "extra": 1},
        (8, 5, 7),
        (4, 10, 14),
        (Fractional(3, 2, 1, 1), Fractional(3, 2, 1, 1)),
        params=8 * 4 * 9 + 4,
        mult_adds=5 * 7 * 8 * 4 * 9,
        flops=2 * 5 * 7 * 8 * 4 * 9 + 560,
        connections=5 * 7 * 8 * 4 * 9 + 560,
        neurons=560,
    ),
    # Dilation and groups: 5*2 + 2*2 + 1 = 15; a weight of 4x3x3x3.
    row(
        "convtranspose",
        {"out": 6, "kernel": 3, "stride": 2, "dilation": 2, "groups": 2, "bias": False},
        (4, 6, 6),
        (6, 15, 15),
        (Fractional(3, 2, 0, 0, 2), Fractional(3, 2, 0, 0, 2)),
        params=108,
        mult_adds=36 * 108,
        flops=2 * 36 * 108,
        connections=36 * 108,
        neurons=6 * 225,
    ),
    # Padding before only, one axis: 3*2 + 4 - 1 = 9.
    row(
        "convtranspose",
        {"out": 1, "kernel": 4, "stride": 2, "padding": [[1, 0]], "bias": False},
        (1, 4),
        (1, 9),
        (Fractional(4, 2, 1, 0),),
        params=4,
        mult_adds=16,
        flops=32,
        connections=16,
        neurons=9,
    ),
    # Extra on one of three axes: 2*3 + 3 + (0, 2, 0) = 9, 11, 9.
    row(
        "convtranspose",
        {"out": 1, "kernel": 3, "stride": 3, "extra": [0, 2, 0], "bias": False},
        (2, 3, 3, 3),
        (1, 9, 11, 9),
        (Fractional(3, 3), Fractional(3, 3), Fractional(3, 3)),
        params=54,
        mult_adds=27 * 54,
        flops=2 * 27 * 54,
        connections=27 * 54,
        neurons=891,
    ),
]

LINEAR = [
    # Krizhevsky et al. 2012, fc6.
    row(
        "linear",
        {"out": 4096},
        (9216,),
        (4096,),
        WHOLE,
        params=37_752_832,
        mult_adds=37_748_736,
        flops=2 * 37_748_736 + 4096,
        connections=37_752_832,
        neurons=4096,
    ),
    row(
        "linear",
        {"out": 10, "bias": False},
        (84,),
        (10,),
        WHOLE,
        params=840,
        mult_adds=840,
        flops=1680,
        connections=840,
        neurons=10,
    ),
    # LeCun et al. 1998, the output: 840 fixed centres; 3n - 1 operations an output.
    row(
        "rbf",
        {"out": 10},
        (84,),
        (10,),
        WHOLE,
        buffers=840,
        flops=10 * (3 * 84 - 1),
        connections=840,
        neurons=10,
    ),
]

POOLING = [
    # Krizhevsky et al. 2012, overlapping: (55 - 3)/2 + 1 = 27; 8 comparisons an output.
    row(
        "maxpool",
        {"kernel": 3, "stride": 2},
        (96, 55, 55),
        (96, 27, 27),
        (Sliding(3, 2), Sliding(3, 2)),
        flops=96 * 27 * 27 * 8,
    ),
    # Szegedy et al. 2014: 112 -> 56 needs ceil: ceil((112 - 3)/2) + 1.
    row(
        "maxpool",
        {"kernel": 3, "stride": 2, "ceil": True},
        (64, 112, 112),
        (64, 56, 56),
        (Sliding(3, 2), Sliding(3, 2)),
        flops=64 * 56 * 56 * 8,
    ),
    # PyTorch drops a last window that starts in the padding after: ceil((4 + 2 - 2)/3) + 1 = 3,
    # but the third would start at 6 of 1 + 4 + 1, so 2 are left.
    row(
        "maxpool",
        {"kernel": 2, "stride": 3, "padding": 1, "ceil": True},
        (1, 4, 6),
        (1, 2, 3),
        (Sliding(2, 3, 1, 1), Sliding(2, 3, 1, 1)),
        flops=2 * 3 * 3,
    ),
    # The stride is the kernel where left out; a second tensor holds the places.
    row(
        "maxpool",
        {"kernel": [2, 3], "switches": True},
        (8, 6, 6),
        [(8, 3, 2), (8, 3, 2)],
        (Sliding(2, 2), Sliding(3, 3)),
        flops=8 * 6 * 5,
    ),
    # Dilation 2 spreads 3 taps over 5, so 3 of 7 places are left.
    row(
        "maxpool",
        {"kernel": 3, "stride": 1, "dilation": 2},
        (2, 7, 7),
        (2, 3, 3),
        (Sliding(3, 1, 0, 0, 2), Sliding(3, 1, 0, 0, 2)),
        flops=2 * 9 * 8,
    ),
    # TensorFlow's same, odd and even: ceil(7/2) = 4 needs 2 zeros, ceil(8/2) = 4 needs 1.
    row(
        "maxpool",
        {"kernel": 3, "stride": 2, "padding": "same_tf"},
        (1, 7, 8),
        (1, 4, 4),
        (Sliding(3, 2, 1, 1), Sliding(3, 2, 0, 1)),
        flops=16 * 8,
    ),
    row("maxpool", {"kernel": 2}, (3, 8), (3, 4), (Sliding(2, 2),), flops=12),
    row(
        "maxpool",
        {"kernel": 2},
        (3, 4, 4, 4),
        (3, 2, 2, 2),
        (Sliding(2, 2), Sliding(2, 2), Sliding(2, 2)),
        flops=24 * 7,
    ),
    # n operations an output: n - 1 additions and a division.
    row(
        "avgpool",
        {"kernel": 7, "stride": 1},
        (1024, 7, 7),
        (1024, 1, 1),
        (Sliding(7), Sliding(7)),
        flops=1024 * 49,
    ),
    row(
        "avgpool",
        {"kernel": 3, "stride": 2, "padding": 1, "ceil": True, "count_padding": False},
        (2, 6, 7),
        (2, 4, 4),  # ceil((6 + 2 - 3)/2) + 1 = 4, its last window starts at 6 < 1 + 6
        (Sliding(3, 2, 1, 1), Sliding(3, 2, 1, 1)),
        flops=2 * 16 * 9,
    ),
    # 7 into 3: [0, 3), [2, 5), [4, 7), 9 inputs along an axis, 81 - 9 additions and 9 divisions.
    row(
        "adaptiveavgpool",
        {"size": 3},
        (4, 7, 7),
        (4, 3, 3),
        (Adaptive(7, 3), Adaptive(7, 3)),
        flops=4 * 81,
    ),
    # 10 into 4: [0, 3), [2, 5), [5, 8), [7, 10), 12 inputs; 6 into 3: 6.
    row(
        "adaptiveavgpool",
        {"size": [4, 3]},
        (2, 10, 6),
        (2, 4, 3),
        (Adaptive(10, 4), Adaptive(6, 3)),
        flops=2 * (12 * 6 - 12) + 2 * 12,
    ),
    # To more than there is, 2 into 3: [0, 1), [0, 2), [1, 2), 4 inputs.
    row("adaptiveavgpool", {"size": 3}, (1, 2), (1, 3), (Adaptive(2, 3),), flops=4),
    row("adaptiveavgpool", {"size": 1}, (5, 7, 7), (5, 1, 1), WHOLE, flops=5 * 49),
    row(
        "adaptivemaxpool",
        {"size": [3, 2]},
        (2, 7, 5),
        (2, 3, 2),
        (Adaptive(7, 3), Adaptive(5, 2)),  # 5 into 2: [0, 3), [2, 5)
        flops=2 * (9 * 6 - 6),
    ),
    row("globalavgpool", {}, (2048, 7, 7), (2048, 1, 1), WHOLE, flops=2048 * 49),
    row("globalavgpool", {}, (8, 5), (8, 1), WHOLE, flops=40),
    row("globalmaxpool", {}, (8, 4, 5), (8, 1, 1), WHOLE, flops=8 * 19),
    # LeCun et al. 1998, S2: 12 parameters, 5,880 connections; 5 operations an output.
    row(
        "subsample",
        {"kernel": 2},
        (6, 28, 28),
        (6, 14, 14),
        (Sliding(2, 2), Sliding(2, 2)),
        params=12,
        flops=6 * 14 * 14 * 5,
        connections=5_880,
        neurons=1_176,
    ),
    row(
        "subsample",
        {"kernel": 3, "stride": 2, "padding": 1},
        (2, 6, 6),
        (2, 3, 3),
        (Sliding(3, 2, 1, 1), Sliding(3, 2, 1, 1)),
        params=4,
        flops=2 * 9 * 10,
        connections=2 * 9 * 10,
        neurons=18,
    ),
    row(
        "maxunpool",
        {"kernel": 2},
        [(8, 3, 3), (8, 3, 3)],
        (8, 6, 6),
        (Fractional(2, 2), Fractional(2, 2)),
    ),
    # The pool left the last row and column out: 7 is less than a stride from 6.
    row(
        "maxunpool",
        {"kernel": 2, "size": 7},
        [(8, 3, 3), (8, 3, 3)],
        (8, 7, 7),
        (Fractional(2, 2), Fractional(2, 2)),
    ),
    row(
        "maxunpool",
        {"kernel": 3, "stride": 2, "padding": 1},
        [(1, 4), (1, 4)],
        (1, 7),
        (Fractional(3, 2, 1, 1),),
    ),
]

NORMALIZATION = [
    row("batchnorm", {}, (64, 8, 8), (64, 8, 8), params=128, buffers=128, flops=2 * 4096),
    row("batchnorm", {"affine": False}, (10,), (10,), buffers=20, flops=20),
    # One group of m = 192: 7m + 2 (see `_Statistics`); 5m + 2 without scale and shift.
    row("layernorm", {}, (12, 4, 4), (12, 4, 4), params=2 * 12 * 4 * 4, flops=7 * 192 + 2),
    row("layernorm", {"affine": False}, (192,), (192,), flops=5 * 192 + 2),
    # Three groups of 64.
    row("groupnorm", {"groups": 3}, (12, 4, 4), (12, 4, 4), params=24, flops=7 * 192 + 6),
    # At each of 16 positions of 12 channels: 12 squares, 12 additions (epsilon's among them), a
    # root, 12 divisions and 12 products with the scale (Liu et al. 2016, ParseNet, equation 2).
    row("l2norm", {}, (12, 4, 4), (12, 4, 4), params=12, flops=16 * (4 * 12 + 1)),
    row("l2norm", {"affine": False}, (12, 4, 4), (12, 4, 4), flops=16 * (3 * 12 + 1)),
    row("l2norm", {}, (7,), (7,), params=7, flops=4 * 7 + 1),
    # Krizhevsky et al. 2012, section 3.3, n = 5: 2n + 3 operations an element.
    row("lrn", {"size": 5, "k": 2}, (96, 55, 55), (96, 55, 55), flops=290_400 * 13),
    row("lrn", {"size": 3}, (8,), (8,), flops=8 * 9),
]

ANCHORS: dict[str, Any] = {"scales": [4, 8], "ratios": [0.5, 1, 2]}  # six at each position
REGIONS = [
    # Ren et al. 2015, equation 2, solved for a region: of each of its two axes, the anchor's middle
    # (+1/2, over the map's size), plus the offset times the anchor's side; the side times an
    # exponential; half of it; the middle less and plus that: 4 additions, 3 products, 1 division,
    # 1 exponential.
    row(
        "proposals",
        {"number": 10, **ANCHORS},
        [(6, 5, 7), (24, 5, 7)],
        (10, 4),
        HELD,
        flops=10 * 2 * (4 + 3 + 1 + 1),
    ),
    # Two scores an anchor: that of an object less that of the background, for each of 6*5*7.
    row(
        "proposals",
        {"number": 210, **ANCHORS},
        [(12, 5, 7), (24, 5, 7)],
        (210, 4),
        HELD,
        flops=210 * 18 + 210,
    ),
    row(
        "proposals",
        {"number": 1, "scales": 16, "ratios": 1},
        [(1, 1, 1), (4, 1, 1)],
        (1, 4),
        HELD,
        flops=18,
    ),
    # A value between four: 4 products, 3 additions; 3 regions of 4 maps of 2x2.
    row("roialign", {"size": 2}, [(4, 6, 9), (3, 4)], (3, 4, 2, 2), CHOSEN, flops=3 * 16 * 7),
    row("roialign", {"size": [7, 1]}, [(4, 6, 9), (1, 4)], (1, 4, 7, 1), CHOSEN, flops=28 * 7),
    # The mean of 2x2 such values: 4*(4 + 3), 3 additions and a division more (He et al. 2017).
    row(
        "roialign",
        {"size": 2, "samples": 2},
        [(4, 6, 9), (3, 4)],
        (3, 4, 2, 2),
        CHOSEN,
        flops=3 * 16 * (4 * 7 + 3 + 1),
    ),
]

MAPS, ELEMENTS = (8, 5, 5), 200
ACTIVATIONS = [
    row("relu", {}, MAPS, MAPS, flops=ELEMENTS),
    row("relu", {}, (7,), (7,), flops=7),
    row("relu6", {}, MAPS, MAPS, flops=2 * ELEMENTS),
    row("leakyrelu", {}, MAPS, MAPS, flops=2 * ELEMENTS),
    row("prelu", {}, MAPS, MAPS, params=8, flops=2 * ELEMENTS),
    row("prelu", {"shared": True}, MAPS, MAPS, params=1, flops=2 * ELEMENTS),
    row("elu", {}, MAPS, MAPS, flops=4 * ELEMENTS),  # compare, exp, -1, times alpha
    row("sigmoid", {}, MAPS, MAPS, flops=3 * ELEMENTS),  # exp, +1, 1/
    row("tanh", {}, MAPS, MAPS, flops=ELEMENTS),
    row("scaledtanh", {}, MAPS, MAPS, flops=3 * ELEMENTS),  # times S, tanh, times A
    row("hardsigmoid", {}, MAPS, MAPS, flops=4 * ELEMENTS),  # +3, max, min, /6
    row("hardswish", {}, MAPS, MAPS, flops=5 * ELEMENTS),  # and times x
    row("silu", {}, MAPS, MAPS, flops=4 * ELEMENTS),  # a sigmoid, times x
    row("gelu", {}, MAPS, MAPS, flops=5 * ELEMENTS),  # /sqrt(2), erf, +1, x/2, times
    row("softplus", {}, MAPS, MAPS, flops=3 * ELEMENTS),  # exp, +1, log
    row("complement", {}, MAPS, MAPS, flops=ELEMENTS),  # one subtraction
    row("softmax", {}, (1000,), (1000,), flops=2_999),  # 1000 exp, 999 additions, 1000 divisions
    row("softmax", {}, (21, 8, 8), (21, 8, 8), flops=64 * (3 * 21 - 1)),  # at each position
    row("dropout", {"rate": 0.4}, MAPS, MAPS),
]

MOVING = [
    row("input", {"shape": [3, 4, 5]}, [], (3, 4, 5), None),
    row("identity", {}, MAPS, MAPS),
    row("flatten", {}, (256, 6, 6), (9216,)),
    row("flatten", {}, (7,), (7,)),
    row("channelshuffle", {"groups": 4}, MAPS, MAPS),
    # Channels 1 before and 2 after, 1 row on both sides, 0 and 3 columns.
    row(
        "pad",
        {"channels": [[1, 2]], "padding": [1, [0, 3]]},
        (4, 5, 5),
        (7, 7, 8),
        (Sliding(1, 1, 1, 1), Sliding(1, 1, 0, 3)),
    ),
    row("pad", {"padding": 2}, (4, 5), (4, 9), (Sliding(1, 1, 2, 2),)),
    row("pad", {"channels": 3}, (4,), (10,)),
    row("slice", {"start": 2, "stop": 5}, MAPS, (3, 5, 5)),
    row("slice", {"step": 3}, MAPS, (3, 5, 5)),  # 0, 3, 6
    row(
        "slice",
        {"axis": 1, "start": 1, "step": 2},
        MAPS,
        (8, 2, 5),  # rows 1, 3
        (Sliding(1, 2, -1), Sliding(1)),
    ),
    row("split", {"parts": 2}, MAPS, [(4, 5, 5), (4, 5, 5)]),
    row("split", {"parts": [1, 2, 5]}, MAPS, [(1, 5, 5), (2, 5, 5), (5, 5, 5)]),
    row(
        "upsample",
        {"scale": [2, 3]},
        (4, 5, 5),
        (4, 10, 15),
        (Fractional(2, 2), Fractional(3, 3)),  # each element spread over 2x3
    ),
    row("upsample", {"size": [7, 5]}, (4, 5, 5), (4, 7, 5), (Nearest(5, 7), Fractional(1))),
    # Bilinear: 4 products and 3 additions an element.
    row(
        "upsample",
        {"scale": 2, "mode": "linear"},
        (4, 5, 5),
        (4, 10, 10),
        (Interpolated(5, 10), Interpolated(5, 10)),
        flops=400 * 7,
    ),
    row(
        "upsample",
        {"size": 9, "mode": "linear"},
        (4, 6),
        (4, 9),
        (Interpolated(6, 9),),
        flops=36 * 3,
    ),
]

# Szegedy et al. 2014, inception (3a): 64 + 128 + 32 + 32 = 256 channels.
INCEPTION_3A = [(64, 28, 28), (128, 28, 28), (32, 28, 28), (32, 28, 28)]
JOINING = [
    row("concat", {}, INCEPTION_3A, (256, 28, 28)),
    row("concat", {}, [(3,), (4,)], (7,)),
    row("concat", {}, [(3, 4)], (3, 4)),
    row("add", {}, [MAPS, MAPS], MAPS, flops=ELEMENTS),
    row("add", {}, [MAPS, MAPS, MAPS], MAPS, flops=2 * ELEMENTS),
    row("add", {}, [MAPS], MAPS),
    row("multiply", {}, [MAPS], MAPS),
    row("multiply", {}, [MAPS, MAPS], MAPS, flops=ELEMENTS),
    # Hu et al. 2018: a gate with one value a channel.
    row("multiply", {"gates": [1]}, [MAPS, (8, 1, 1)], MAPS, flops=ELEMENTS),
    row("multiply", {"gates": [1]}, [MAPS, (8,)], MAPS, flops=ELEMENTS),
]

ROWS = [
    *CONVOLUTIONS,
    *TRANSPOSED,
    *LINEAR,
    *POOLING,
    *NORMALIZATION,
    *REGIONS,
    *ACTIVATIONS,
    *MOVING,
    *JOINING,
]
IDS = [f"{r.op.kind}{i}" for i, r in enumerate(ROWS)]
every_row = pytest.mark.parametrize("r", ROWS, ids=IDS)


@every_row
def test_contract(r: Row) -> None:
    facts = r.op.facts(r.inputs)
    flops = 2 * facts.mult_adds + sum(facts.operations)
    window = facts.windows[0] if facts.windows else None
    got = Row(
        r.op,
        facts.inputs,
        facts.outputs,
        window,
        facts.params,
        facts.buffers,
        facts.mult_adds,
        flops,
        facts.connections,
        facts.neurons,
    )
    assert got == r


@every_row
def test_params_are_the_tensors_sizes(r: Row) -> None:
    tensors = r.op.parameters(r.inputs)
    trainable = sum(math.prod(t.shape) for t in tensors if t.trainable)
    assert trainable == r.params == r.op.params(r.inputs).number
    assert sum(math.prod(t.shape) for t in tensors if not t.trainable) == r.buffers
    assert len({t.name for t in tensors}) == len(tensors)


def derivations(r: Row) -> Iterator[Derived]:
    """Every derived number of an op."""
    op, inputs, outputs = r.op, r.inputs, r.outputs
    yield from (d for shape in op.output(inputs) for d in shape if not isinstance(d, int))
    yield from (op.params(inputs), op.mult_adds(inputs, outputs))
    yield from op.operations(inputs, outputs).values()
    yield from (op.connections(inputs, outputs), op.neurons(inputs, outputs))


@every_row
def test_printed_text_evaluates_to_the_number(r: Row) -> None:
    """By the interpreter for specs, which shares no code with formulas."""
    for derived in derivations(r):
        assert Expression(derived.text())({}, ()) == derived.number, derived


@every_row
def test_symbols_have_the_same_form_as_the_numbers(r: Row) -> None:
    for derived in derivations(r):
        if isinstance(derived, Value):  # a sum's symbols show equal terms once
            symbols, numbers = (
                [c for c in t if c in "+*/,"] for t in (derived.symbols(), derived.text())
            )
            assert symbols == numbers


@every_row
def test_one_window_for_each_input_and_one_name_for_each_output(r: Row) -> None:
    assert len(r.op.windows(r.inputs)) == len(r.inputs)
    assert len(r.op.ports) == len(r.outputs)


@every_row
def test_operations_are_of_known_kinds(r: Row) -> None:
    assert r.op.operations(r.inputs, r.outputs).keys() <= set(OPERATIONS)


@every_row
def test_an_op_is_its_fields(r: Row) -> None:
    twin = type(r.op)(**r.op.values())
    assert twin == r.op
    assert hash(twin) == hash(r.op)
    assert twin.facts(r.inputs) == r.op.facts(r.inputs)


def test_a_default_equals_the_same_value_given() -> None:
    assert KINDS["lrn"]() == KINDS["lrn"](alpha=Fraction(1, 10_000), beta=Fraction(3, 4))
    assert KINDS["maxpool"](kernel=2) == KINDS["maxpool"](kernel=2, stride=None)
    assert hash(KINDS["lrn"]()) == hash(KINDS["lrn"](alpha=1e-4))


def test_defaults_are_the_papers_and_pytorchs() -> None:
    """Krizhevsky et al. 2012, section 3.3; LeCun et al. 1998, appendix A; torch.nn's modules."""
    assert KINDS["lrn"]() == KINDS["lrn"](size=5, alpha=1e-4, beta=0.75, k=2)
    assert KINDS["scaledtanh"]() == KINDS["scaledtanh"](amplitude=1.7159, slope=2 / 3)
    assert KINDS["dropout"]() == KINDS["dropout"](rate=0.5)
    assert KINDS["leakyrelu"]() == KINDS["leakyrelu"](slope=0.01)
    assert KINDS["elu"]() == KINDS["elu"](alpha=1)
    assert KINDS["conv"](out=1, kernel=1).values() == {
        "out": 1,
        "kernel": 1,
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "bias": True,
        "table": None,
    }


def test_a_number_above_0_or_a_list_of_them_becomes_a_tuple() -> None:
    """As they are written, decimals exactly."""
    op = KINDS["proposals"](number=1, scales=4, ratios=[0.5, 1, Fraction(1, 3)])
    assert op.values() == {
        "number": 1,
        "scales": (4,),
        "ratios": (Fraction(1, 2), 1, Fraction(1, 3)),
    }
    assert op == KINDS["proposals"](number=1, scales=(4,), ratios=(0.5, 1, Fraction(1, 3)))
    assert op != KINDS["proposals"](number=1, scales=[4, 4], ratios=[0.5, 1, Fraction(1, 3)])
    assert op != KINDS["proposals"](number=1, scales=4, ratios=[1, 0.5, Fraction(1, 3)])


def test_ops_differ_with_any_field() -> None:
    ops = {r.op for r in ROWS}
    assert len(ops) == len({(r.op.kind, repr(r.op)) for r in ROWS})
    assert KINDS["globalavgpool"]() != KINDS["globalmaxpool"]()
    assert KINDS["conv"](out=1, kernel=3) != KINDS["conv"](out=1, kernel=3, bias=False)
    assert KINDS["relu"]() != "relu"


def test_every_kind_has_a_row() -> None:
    assert {r.op.kind for r in ROWS} == set(KINDS)


def test_kinds_with_weights_and_only_they_have_neurons() -> None:
    """LeCun et al. 1998: what counts towards depth; norms and PReLU don't."""
    weighted = {kind for kind, op in KINDS.items() if op.weighted}
    assert weighted == {"conv", "convtranspose", "linear", "subsample", "rbf"}
    for r in ROWS:
        elements = sum(math.prod(shape) for shape in r.outputs)
        assert r.neurons == (elements if r.op.weighted else 0)


def test_gates_and_switches_are_held_constant() -> None:
    gate = KINDS["multiply"](gates=[1])
    assert gate.windows((MAPS, MAPS)) == (POINTWISE, HELD)
    assert KINDS["multiply"](gates=0).windows((MAPS, MAPS)) == (HELD, POINTWISE)
    assert KINDS["multiply"]().windows((MAPS, MAPS)) == (POINTWISE, POINTWISE)
    assert KINDS["maxunpool"](kernel=2).windows(((1, 2), (1, 2)))[1] == HELD
    assert HELD != POINTWISE != WHOLE


def test_the_choice_of_regions_is_held_constant_and_they_lie_somewhere() -> None:
    maps, regions = (4, 6, 9), (3, 4)
    proposals = KINDS["proposals"](number=3, scales=1, ratios=1)
    assert proposals.windows(((1, 6, 9), (4, 6, 9))) == (HELD, HELD)
    window, held = KINDS["roialign"](size=2).windows((maps, regions))
    assert isinstance(window, Somewhere)
    assert window.reason == "where the regions lie depends on the data"
    assert held == HELD


def test_an_unpooling_may_be_a_little_smaller() -> None:
    shapes = ((8, 3), (8, 3))
    assert KINDS["maxunpool"](kernel=2, size=5).facts(shapes).outputs == ((8, 5),)


def test_what_an_op_does_not_state_is_an_error() -> None:
    class Bare(Op):
        kind: ClassVar[str] = "bare"

    op = Bare()
    stated: dict[str, tuple[Any, ...]] = {
        "output": ((),),
        "parameters": ((),),
        "params": ((),),
        "mult_adds": ((), ()),
        "operations": ((), ()),
        "connections": ((), ()),
        "neurons": ((), ()),
        "windows": ((),),
    }
    for fact, arguments in stated.items():
        with pytest.raises(NotImplementedError, match="bare does not state its"):
            getattr(op, fact)(*arguments)


# Refusals.

REFUSED: list[tuple[str, dict[str, Any], list[tuple[int, ...]], str]] = [
    # shapes
    (
        "conv",
        {"out": 1, "kernel": 7},
        [(3, 5, 9)],
        "kernel: expected at most its padded input 5 (5 + 0 + 0), received 7",
    ),
    (
        "conv",
        {"out": 1, "kernel": 3, "dilation": 4, "padding": 1},
        [(3, 6, 9)],
        "kernel: expected at most its padded input 8 (6 + 1 + 1), received 9 (3 dilated by 4)",
    ),
    (
        "maxpool",
        {"kernel": 4},
        [(3, 9, 3)],
        "expected at most its padded input 3 (3 + 0 + 0), received 4",
    ),
    (
        "subsample",
        {"kernel": 4},
        [(3, 3, 3)],
        "kernel: expected at most its padded input 3 (3 + 0 + 0), received 4",
    ),
    (
        "conv",
        {"out": 1, "kernel": 3},
        [(10,)],
        "conv: expected an input with spatial axes, such as 3x224x224, received 10",
    ),
    ("globalavgpool", {}, [(10,)], "globalavgpool: expected an input with spatial axes"),
    ("pad", {"padding": 1}, [(10,)], "pad: expected an input with spatial axes"),
    (
        "linear",
        {"out": 10},
        [(256, 6, 6)],
        (
            "linear: expected a vector, received 256x6x6; "
            "put `flatten` before it (it gives 9216 features)"
        ),
    ),
    (
        "rbf",
        {"out": 10},
        [(84, 1, 1)],
        "rbf: expected a vector, received 84x1x1; put `flatten` before it",
    ),
    ("conv", {"out": 1, "kernel": [3, 3]}, [(3, 9)], "kernel: expected 1 number, received 2"),
    ("conv", {"out": 1, "kernel": 3, "padding": [1]}, [(3, 9, 9)], "padding: expected 2 items"),
    ("conv", {"out": 1, "kernel": 3, "stride": [1, 2, 3]}, [(3, 9, 9)], "stride: expected 2"),
    ("adaptiveavgpool", {"size": [1, 2, 3]}, [(3, 9, 9)], "size: expected 2 numbers"),
    ("conv", {"out": 1, "kernel": 3, "padding": "same", "stride": 2}, [(3, 9, 9)], "same_tf"),
    # channels
    (
        "conv",
        {"out": 8, "kernel": 1, "groups": 3},
        [(4, 5, 5)],
        "groups: expected a divisor of the 4 input channels, received 3",
    ),
    (
        "conv",
        {"out": 8, "kernel": 1, "groups": 3},
        [(9, 5, 5)],
        "groups: expected a divisor of the 8 output channels, received 3",
    ),
    (
        "convtranspose",
        {"out": 8, "kernel": 1, "groups": 3},
        [(4, 5, 5)],
        "groups: expected a divisor of the 4 input channels, received 3",
    ),
    (
        "groupnorm",
        {"groups": 5},
        [(8, 5, 5)],
        "groups: expected a divisor of the 8 channels, received 5",
    ),
    (
        "channelshuffle",
        {"groups": 3},
        [(8, 5, 5)],
        "groups: expected a divisor of the 8 channels, received 3",
    ),
    ("split", {"parts": 3}, [(8, 5, 5)], "parts: expected a divisor of the 8 channels, received 3"),
    ("split", {"parts": [3, 4]}, [(8, 5, 5)], "expected a sum of 8, the channels, received 7"),
    # joins
    (
        "add",
        {},
        [(8, 5, 5), (8, 5, 4)],
        "add: expected branches of one shape, received 8x5x5 and 8x5x4",
    ),
    (
        "concat",
        {},
        [(8, 5, 5), (3, 5, 4)],
        "expected branches of shape *x5x5, received 8x5x5 and 3x5x4",
    ),
    (
        "concat",
        {},
        [(8, 5, 5), (8,)],
        "concat: expected branches of shape *x5x5, received 8x5x5 and 8",
    ),
    (
        "multiply",
        {},
        [(8, 5, 5), (4, 1, 1)],
        (
            "multiply: expected branches of shape 8x5x5 or of one value a channel, "
            "received 8x5x5 and 4x1x1"
        ),
    ),
    (
        "multiply",
        {},
        [(8, 5, 5), (8, 5, 1)],
        "expected branches of shape 8x5x5 or of one value a channel, received",
    ),
    ("relu", {}, [(1,), (1,)], "relu: expected 1 input, received 2"),
    ("add", {}, [], "add: expected 1 or more inputs, received 0"),
    ("maxunpool", {"kernel": 2}, [(8, 3, 3)], "maxunpool: expected 2 inputs, received 1"),
    (
        "maxunpool",
        {"kernel": 2},
        [(8, 3, 3), (8, 3, 4)],
        "switches: expected the values' shape 8x3x3, received 8x3x4",
    ),
    ("maxunpool", {"kernel": 2, "size": 8}, [(8, 3), (8, 3)], "size: expected 6, or less than"),
    ("maxunpool", {"kernel": 2, "size": 4}, [(8, 3), (8, 3)], "size: expected 6, or less than"),
    # regions
    *(
        (
            "proposals",
            {"number": 1, **ANCHORS},
            [scores, boxes],
            "proposals: expected scores and boxes of images of one size, received " + received,
        )
        for scores, boxes, received in (
            ((6, 5, 7), (24, 5, 6), "6x5x7 and 24x5x6"),
            ((6, 5), (24, 5), "6x5 and 24x5"),
            ((6,), (24,), "6 and 24"),
            ((6, 5, 7, 2), (24, 5, 7, 2), "6x5x7x2 and 24x5x7x2"),
        )
    ),
    *(
        (
            "proposals",
            {"number": 1, **ANCHORS},
            [(scores, 5, 7), (offsets, 5, 7)],
            (
                "proposals: expected 6 or 12 scores and 24 offsets of 6 anchors "
                f"(scales times ratios), received {scores} and {offsets} channels"
            ),
        )
        for scores, offsets in ((18, 24), (5, 24), (6, 25), (12, 48))
    ),
    (
        "proposals",
        {"number": 211, **ANCHORS},
        [(6, 5, 7), (24, 5, 7)],
        "number: expected at most the 210 anchors, received 211",
    ),
    ("proposals", {"number": 1, **ANCHORS}, [(6, 5, 7)], "proposals: expected 2 inputs, received"),
    (
        "roialign",
        {"size": 2},
        [(4, 6), (3, 4)],
        "roialign: expected a map with height and width, received 4x6",
    ),
    (
        "roialign",
        {"size": 2},
        [(4, 6, 9), (3, 5)],
        "roialign: expected regions of 4 numbers each, such as 300x4, received 3x5",
    ),
    ("roialign", {"size": 2}, [(4, 6, 9), (4,)], "such as 300x4, received 4"),
    ("roialign", {"size": [2, 2, 2]}, [(4, 6, 9), (3, 4)], "size: expected 2 numbers"),
    ("roialign", {"size": 2}, [(4, 6, 9)], "roialign: expected 2 inputs, received 1"),
    # windows
    ("maxpool", {"kernel": 3, "padding": 2}, [(3, 9, 9)], "at most half the kernel 3, received 2"),
    ("avgpool", {"kernel": 2, "padding": [[0, 2]]}, [(3, 9)], "at most half the kernel 2"),
    ("convtranspose", {"out": 1, "kernel": 3, "extra": 1}, [(3, 9)], "less than the stride"),
    (
        "convtranspose",
        {"out": 1, "kernel": 1, "padding": 3},
        [(3, 5)],
        "expected output sizes of at least 1, received 1x-1",
    ),
    (
        "maxunpool",
        {"kernel": 2, "padding": 1},
        [(1, 1), (1, 1)],
        "expected output sizes of at least 1, received 1x0",
    ),
    (
        "upsample",
        {"scale": 10**9},
        [(1, 10**9)],
        "expected output sizes of at most 1000000000000000, received 1x1000000000000000000",
    ),
    ("slice", {"start": 8}, [(8, 5, 5)], "start: expected less than 8, where it ends, received 8"),
    ("slice", {"axis": 3}, [(8, 5, 5)], "axis: expected 0 to 2, received 3"),
    # tables
    ("conv", {"out": 2, "kernel": 1, "table": [[0], [4]]}, [(4, 5)], "maps 0 to 3, received 4"),
]


@pytest.mark.parametrize(("kind", "fields", "inputs", "message"), REFUSED)
def test_refused_inputs(
    kind: str, fields: dict[str, Any], inputs: list[tuple[int, ...]], message: str
) -> None:
    op = KINDS[kind](**fields)
    with pytest.raises(LayerError) as caught:
        op.facts(tuple(inputs))
    assert message in str(caught.value)
    assert "expected" in caught.value.message
    assert "received" in caught.value.message


REFUSED_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    (
        "conv",
        {"out": 1, "kernal": 3},
        "expected a field of conv, received 'kernal'; did you mean kernel?",
    ),
    ("relu", {"slope": 3}, "expected a field of relu, received 'slope'"),
    ("conv", {"kernel": 3}, "conv: expected 'out' (a whole number of at least 1), received none"),
    ("conv", {"out": None, "kernel": 3}, "out: expected a whole number of at least 1"),
    ("conv", {"out": 8, "kernel": None}, "kernel: expected a whole number"),
    ("conv", {"out": "8", "kernel": 3}, "out: expected a whole number of at least 1, received '8'"),
    (
        "conv",
        {"out": True, "kernel": 3},
        "out: expected a whole number of at least 1, received true",
    ),
    ("conv", {"out": 0, "kernel": 3}, "out: expected a whole number of at least 1, received 0"),
    ("conv", {"out": -4, "kernel": 3}, "out: expected a whole number of at least 1, received -4"),
    ("conv", {"out": Fraction(19, 2), "kernel": 3}, "received 19/2 = 9.5"),
    ("conv", {"out": 10**10, "kernel": 3}, "the largest size is 1000000000"),
    ("conv", {"out": 8, "kernel": []}, "kernel: expected a whole number of at least 1 or a list"),
    ("conv", {"out": 8, "kernel": [3, 0]}, "received [3, 0]"),
    ("conv", {"out": 8, "kernel": [[3]]}, "kernel: expected a whole number"),
    ("conv", {"out": 8, "kernel": 3, "bias": 1}, "bias: expected true or false, received 1"),
    (
        "conv",
        {"out": 8, "kernel": 3, "padding": -1},
        "padding: expected a whole number of at least",
    ),
    ("conv", {"out": 8, "kernel": 3, "padding": "sames"}, "same, same_tf, valid, received 'sames'"),
    ("conv", {"out": 8, "kernel": 3, "padding": [[1, 2, 3]]}, "padding: expected"),
    ("conv", {"out": 1, "kernel": 1, "table": []}, "table: expected a list"),
    ("conv", {"out": 1, "kernel": 1, "table": [[]]}, "table: expected a list"),
    ("conv", {"out": 1, "kernel": 1, "table": [[0, 0]]}, "table: expected a list"),
    ("conv", {"out": 3, "kernel": 1, "table": [[0], [1]]}, "expected 3 rows, one an output map"),
    ("conv", {"out": 1, "kernel": 1, "groups": 2, "table": [[0]]}, "no groups beside it"),
    ("convtranspose", {"out": 1, "kernel": 1, "padding": "same"}, "padding: expected numbers"),
    ("maxunpool", {"kernel": 1, "padding": "same"}, "padding: expected numbers, received 'same'"),
    ("pad", {"padding": "same"}, "padding: expected numbers, received 'same'"),
    ("upsample", {}, "upsample: expected 'scale' or 'size', received none"),
    ("upsample", {"scale": 2, "size": 4}, "upsample: expected 'scale' or 'size', received both"),
    ("upsample", {"scale": 2, "mode": "cubic"}, "mode: expected one of nearest, linear"),
    ("split", {"parts": 10**6}, "parts: expected at most 10000"),
    ("dropout", {"rate": "half"}, "rate: expected a number"),
    ("leakyrelu", {"slope": -1}, "slope: expected a number of at least 0, received -1"),
    ("roialign", {"size": 7, "samples": 0}, "samples: expected a whole number of at least 1"),
    ("roialign", {}, "roialign: expected 'size' (a whole number of at least 1 or a list"),
    (
        "proposals",
        {"number": 1, "scales": 1},
        "proposals: expected 'ratios' (a number above 0 or a list of them), received none",
    ),
    *(
        ("proposals", {"number": 1, "ratios": 1, "scales": scales}, message)
        for scales, message in (
            (0, "scales: expected a number above 0 or a list of them, received 0"),
            (-1, "received -1"),
            ([], "received []"),
            ([4, 0], "received [4, 0]"),
            ([4, [8]], "received [4, [8]]"),
            (True, "received true"),
            ([1, True], "received [1, true]"),
            ("4", "received '4'"),
            (["wide"], "received ['wide']"),
            (None, "received nothing"),
            (math.inf, "received inf"),
            ([math.nan], "received [nan]"),
            ([1] * 10_001, "received [1, 1, 1, 1, 1, 1, 1, 1, ...]"),
        )
    ),
]


@pytest.mark.parametrize(("kind", "fields", "message"), REFUSED_FIELDS)
def test_refused_fields(kind: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(LayerError) as caught:
        KINDS[kind](**fields)
    assert message in str(caught.value)
    assert "expected" in caught.value.message
    assert "received" in caught.value.message
