"""Depth: the counts that the papers themselves give."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc import GraphBuilder, analyze
from archcalc.analysis import Analysis
from archcalc.graph import Output
from archcalc.ops import KINDS

PUBLISHED = {
    "lenet5": 7,  # LeCun et al. 1998, section II.B: seven layers, not counting the input
    "alexnet": 8,  # Krizhevsky et al. 2012, section 3.5: eight layers with weights
    "caffenet": 8,
    # Simonyan & Zisserman 2014, Table 1: 11, 11, 13, 16, 16 and 19 weight layers
    "vgg11": 11,
    "vgg11-lrn": 11,
    "vgg13": 13,
    "vgg16-1x1": 16,
    "vgg16": 16,
    "vgg19": 19,
    "googlenet": 22,  # Szegedy et al. 2014, section 5: 22 layers with parameters
    # He et al. 2015, Table 1, and the plain networks of figure 3
    "resnet18": 18,
    "resnet34": 34,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152": 152,
    "plain18": 18,
    "plain34": 34,
    "mobilenet": 28,  # Howard et al. 2017, section 3.1: 28 layers
}


@pytest.mark.parametrize(("network", "depth"), PUBLISHED.items())
def test_depth_of_the_paper(network: str, depth: int) -> None:
    assert analyze(network).totals.depth == depth


def test_auxiliary_heads_do_not_count() -> None:
    analysis = analyze("googlenet", auxiliary=True)
    assert len(analysis.graph.outputs) == 3
    assert analysis.totals.depth == 22


@pytest.mark.parametrize("shortcuts", ["A", "B", "C", "none"])
def test_projections_lie_beside_the_longest_path(shortcuts: str) -> None:
    assert analyze("resnet50", shortcuts=shortcuts).totals.depth == 50


def test_depth_of_blocks_is_the_column_of_googlenets_table() -> None:
    """Szegedy et al. 2014, Table 1.

    1 for the first convolution, 2 for the second with its reduction, 2 for each module, 0 for
    pooling, dropout and softmax, 1 for the linear layer.
    """
    analysis = analyze("googlenet")
    blocks = {row.name: row.depth for row in analysis.blocks if "/" not in row.name}
    assert set(blocks.values()) == {2}
    assert len(blocks) == 10
    rows = {row.name: row.depth for row in analysis.layers if "/" not in row.name}
    assert {name for name, depth in rows.items() if depth} == {"conv1", "linear1"}
    path = [blocks.get(one, rows.get(one, 0)) for one in analysis.graph.root.children]
    assert sum(path) == 22


def test_depth_of_residual_units() -> None:
    """Three convolutions in a bottleneck, two in a basic unit; a shortcut has one at most."""
    blocks = {row.name: row.depth for row in analyze("resnet50").blocks}
    assert blocks["conv3_1"] == blocks["conv3_1/body"] == 3
    assert blocks["conv3_1/shortcut"] == 1
    assert analyze("resnet18").find("conv3_1").depth == 2


# By hand.


def conv(**own: Any) -> Any:
    return KINDS["conv"](**{"out": 4, "kernel": 1, **own})


def gated() -> Analysis:
    """conv, then a block: a convolution multiplied by a gate of two linears; then a convolution."""
    builder = GraphBuilder("gated")
    x = builder.add(conv(), [builder.input((4, 8, 8))], "first").tensor()
    with builder.enter("block", "se", x) as block:
        body = builder.add(conv(), [x], "body").tensor()
        with builder.enter("gate", "branch", body) as gate:
            squeezed = builder.add(KINDS["globalavgpool"](), [body], "squeeze").tensor()
            squeezed = builder.add(KINDS["flatten"](), [squeezed], "flatten").tensor()
            for name in ("down", "up"):
                squeezed = builder.add(KINDS["linear"](out=4), [squeezed], name).tensor()
            gate.exit = squeezed
        block.exit = builder.add(KINDS["multiply"](gates=1), [body, squeezed], "scale").tensor()
    last = builder.add(conv(), [block.exit], "last").tensor()
    return Analysis(builder.finish([Output("out", last)]))


def test_gates_are_not_followed() -> None:
    """Hu et al. 2018 call SE-ResNet-50 so, though each unit has two linears more."""
    analysis = gated()
    assert analysis.totals.depth == 3
    assert analysis.find("block").depth == 1
    assert analysis.find("block/gate").depth == 2


def test_a_dead_end_inside_a_block_does_not_count() -> None:
    """What leaves a block before its exit is on other paths than the block's own."""
    builder = GraphBuilder("forked")
    x = builder.input((4, 8, 8))
    with builder.enter("block", "block", x) as block:
        block.exit = builder.add(conv(), [x], "trunk").tensor()
        side = builder.add(conv(), [block.exit], "side").tensor()
    outputs = [Output("main", block.exit), Output("side", side, auxiliary=True)]
    analysis = Analysis(builder.finish(outputs))
    assert (analysis.find("block").depth, analysis.totals.depth) == (1, 1)


def test_a_block_counts_from_its_own_entry() -> None:
    analysis = analyze("resnet50")
    assert analysis.find("conv5_3").depth == 3
    assert analysis.find("fc").depth == 1
    assert analysis.find("pool1").depth == 0
