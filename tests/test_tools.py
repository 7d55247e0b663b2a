"""How other tools count, as rules: every rule against its tool, layer by layer; `table --as`."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from typing import Any

import pytest
from command import run
from support.counting import page, present
from test_imports import HEAVY, imported_by
from tool_graphs import every_kind

import archcalc
from archcalc.analysis.tools import TOOLS
from archcalc.analysis.tools.modules import is_plain
from archcalc.errors import SettingError
from archcalc.ops import KINDS
from archcalc.pytorch.counters import version
from archcalc.pytorch.model import build, layers
from archcalc.report.columns import COLUMNS

RANKS = (0, 1, 2, 3)
WINDOWS = ("conv", "convtranspose", "maxpool", "avgpool")


@cache
def graph(rank: int, tool: str) -> Any:
    return every_kind(rank, ("upsample",) if tool == "calflops" else ())  # it breaks on it


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("tool", TOOLS)
def test_each_rule_against_its_tool(tool: str, rank: int) -> None:
    """Every layer kind, each layer on its own: two wrong rules can't make up for one another."""
    if not present(tool):
        pytest.skip(f"{tool} is not installed")
    [found] = archcalc.reconcile(graph(rank, tool), tools=[tool]).tools
    assert found.unexplained_layers == {}
    assert found.mult_adds.unexplained == 0
    assert sum(one.counted for one in found.layers.values()) == found.mult_adds.counted
    if found.params:
        assert found.params.unexplained == 0
    assert (found.params is None) == (tool == "torch")


def test_the_graphs_have_every_kind() -> None:
    kinds = {node.op.kind for rank in RANKS for node in every_kind(rank).layers}
    assert kinds == set(KINDS) - {"input"}


def test_rules_are_of_kinds_that_there_are() -> None:
    for tool in TOOLS.values():
        assert set(tool.rules) <= set(KINDS)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "torch"])
def test_the_versions_stated_are_those_that_are_tested(tool: str) -> None:
    if version(tool) is None:
        pytest.skip(f"{tool} is not installed")
    assert version(tool) == TOOLS[tool].version


@pytest.mark.parametrize("rank", RANKS[1:])
def test_plain_windows_are_modules_of_pytorch(rank: int) -> None:
    own = every_kind(rank)
    of_pytorch = set()
    for node, module in layers(build(own, device="meta"), own):
        if node.op.kind in WINDOWS:
            plain = type(module).__module__.startswith("torch.nn.modules")
            assert is_plain(node.op, node.facts) == plain, node
            of_pytorch.add((node.op.kind, plain))
    assert of_pytorch == {(kind, plain) for kind in WINDOWS for plain in (True, False)}


@pytest.mark.parametrize("name", ["inception-resnet-v2", "zfnet", "densenet121", "mobilenet-v2"])
def test_plain_windows_of_networks(name: str) -> None:
    own = archcalc.analyze(name).graph
    for node, module in layers(build(own, device="meta"), own):
        if node.op.kind in WINDOWS:
            plain = type(module).__module__.startswith("torch.nn.modules")
            assert is_plain(node.op, node.facts) == plain, node


# Multiply-accumulates at six digits, printed by calflops itself (README.md of
# MrYxJ/calculate-flops.pytorch at 086d419, "torchvision"). Left out: its networks that differ from
# ours, and densenet161, whose row has misprints (its FLOPs are 15.55 G and 1554650000).
CALFLOPS = {
    "vgg11": 7_609_090_000,
    "vgg13": 11_308_500_000,
    "vgg16": 15_470_300_000,
    "vgg19": 19_632_100_000,
    "resnet18": 1_814_070_000,
    "resnet34": 3_663_760_000,
    "resnet50@stride_on_3x3=true": 4_089_180_000,
    "resnet101@stride_on_3x3=true": 7_801_410_000,
    "resnet152@stride_on_3x3=true": 11_513_600_000,
    "densenet121": 2_834_160_000,
    "densenet169": 3_359_840_000,
    "densenet201": 4_291_370_000,
}


@pytest.mark.parametrize("name", CALFLOPS)
def test_what_calflops_prints_of_itself(name: str) -> None:
    counted = as_tool(name, "calflops").total.mult_adds
    assert float(f"{counted:.5e}") == CALFLOPS[name]


# Tables.


def as_tool(name: str, tool: str, **more: Any) -> Any:
    settings = {key: more.pop(key) for key in ("batch",) if key in more}
    return archcalc.tabulate(archcalc.analyze(name, **settings), counting=tool, **more)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", ["seresnet50", "lenet5", "zfnet-deconv"])
def test_rows_add_up_to_the_total(name: str, tool: str) -> None:
    for options in ({}, {"depth": 1}, {"fold": True}, {"sort": "mult_adds"}):
        table = as_tool(name, tool, **options)
        for figure in ("mult_adds", "params"):
            assert sum(getattr(row, figure) for row in table.rows) == getattr(table.total, figure)
        assert sum(row.share for row in table.rows) == pytest.approx(1)
        assert sum(row.params_share for row in table.rows) == pytest.approx(1)


def test_thop_counts_four_of_a_batch_norms_element() -> None:
    """A hand-made count: 16x32x32 elements after the first convolution of ResNet-20."""
    rows = {row.name: row for row in as_tool("resnet20", "thop").rows}
    assert rows["batchnorm1"].mult_adds == 4 * 16 * 32 * 32
    assert rows["batchnorm1"].params == 2 * 16
    folded = {row.name: row for row in as_tool("resnet20", "thop", fold=True).rows}
    assert folded["conv1"].mult_adds == 16 * 32 * 32 * 27 + 4 * 16 * 32 * 32


def test_thop_has_no_params_of_what_it_does_not_know() -> None:
    table = as_tool("lenet5", "thop")
    by_name = {row.name: row.params for row in table.rows}
    assert (by_name["C3"], by_name["S2"], by_name["C1"]) == (0, 0, 156)
    assert table.total.params == 60_000 - 1_516 - 12 - 32


@pytest.mark.parametrize("tool", TOOLS)
def test_counts_scale_with_the_batch(tool: str) -> None:
    once, often = (as_tool("resnet20", tool, batch=batch).total for batch in (1, 7))
    assert often.mult_adds == 7 * once.mult_adds
    assert often.params == once.params


def test_all_other_figures_stay() -> None:
    counted = {"mult_adds", "params", "share", "params_share"}
    own = archcalc.tabulate(archcalc.analyze("resnet20")).total
    others = as_tool("resnet20", "thop").total
    assert own is not None
    for key, column in COLUMNS.items():
        if key not in counted:
            assert column.get(own) == column.get(others), key
    assert own.mult_adds != others.mult_adds


def test_title_and_caption_say_who_counts() -> None:
    table = as_tool("resnet50", "ptflops")
    assert table.title.endswith("counted as by ptflops 0.7.5")
    assert "ptflops.get_model_complexity_info" in table.caption[0]
    assert not any("bias excluded" in note for note in table.caption)
    halved = as_tool("resnet50", "torch")
    assert "its FLOPs over 2" in halved.caption[0]
    assert "counts no params" in halved.caption[1]


def test_every_format() -> None:
    total = as_tool("resnet20", "thop").total.mult_adds
    told = json.loads(run("table", "resnet20", "--as", "thop", "-f", "json").out)
    assert told["totals"]["mult_adds"] == total
    assert "thop.profile" in told["conventions"]["mult_adds"]
    own = json.loads(run("table", "resnet20", "-f", "json").out)
    assert "bias excluded" in own["conventions"]["mult_adds"]
    lines = csv.DictReader(io.StringIO(run("table", "resnet20", "--as", "thop", "-f", "csv").out))
    assert sum(int(line["mult_adds"]) for line in lines) == total
    for format_name in ("terminal", "markdown", "latex"):
        said = run("table", "resnet20", "--as", "thop", "-f", format_name, "--exact").out
        assert f"{total:,}" in said or str(total) in said


def test_nothing_heavy_is_imported() -> None:
    assert not imported_by("table", "resnet50", "--as", "thop") & HEAVY
    assert not imported_by("table", "resnet50", "--as", "paper") & HEAVY


def test_unknown_tools_are_refused() -> None:
    ran = run("table", "lenet5", "--as", "fvcor")
    assert ran.code == 2
    assert ran.out == ""
    assert "one of fvcore, thop" in ran.err
    assert "did you mean fvcore?" in ran.err
    with pytest.raises(SettingError, match="received 'nobody'"):
        as_tool("lenet5", "nobody")


# Papers.


def test_a_paper_that_leaves_out_norms() -> None:
    """Sandler et al. 2018, Table 4: 3.4M parameters of MobileNetV2, its batch norms not counted."""
    analysis = archcalc.analyze("mobilenet-v2")
    norms = sum(row.params for row in analysis.layers if row.kind == "batchnorm")
    table = archcalc.tabulate(analysis, counting="paper")
    assert table.total is not None
    assert table.total.params == analysis.totals.params - norms
    assert norms > 0
    assert table.total.params // 10**5 == 34
    assert "normalization left out" in " ".join(table.caption)


def test_a_paper_that_counts_both_operations() -> None:
    """SqueezeNet v1.1's README prints operations: two a Mult-Add."""
    analysis = archcalc.analyze("squeezenet1-1")
    table = archcalc.tabulate(analysis, counting="paper")
    assert table.total is not None
    assert table.total.mult_adds == 2 * analysis.totals.mult_adds


def test_a_paper_that_counts_as_archcalc() -> None:
    table = as_tool("resnet50", "paper")
    assert table.total.mult_adds == archcalc.analyze("resnet50").totals.mult_adds
    assert "He et al. 2015" in table.title
    assert table.caption[0].endswith("Table 1 (FLOPs) counts them, which is as archcalc does.")


def test_a_paper_that_cuts_off() -> None:
    """Krizhevsky et al. 2012 print 60 million for 60,965,224."""
    table = as_tool("alexnet", "paper")
    assert table.total.params == archcalc.analyze("alexnet").totals.params
    assert "cut off" in " ".join(table.caption)


@pytest.mark.parametrize(("resolution", "printed"), [(600, 149.6), (300, 64.3)])
def test_a_paper_that_counts_by_the_table_of_these_settings(
    resolution: int, printed: float
) -> None:
    """Howard et al. 2017, Table 13: with biases at 600 and, by another of its entries, at 300."""
    analysis = archcalc.analyze("faster-rcnn-vgg", resolution=resolution)
    table = archcalc.tabulate(analysis, counting="paper")
    assert table.total is not None
    assert round(table.total.mult_adds / 1e9, 1) == printed
    assert "the addition of a bias is one more" in " ".join(table.caption)


def test_a_network_without_printed_figures() -> None:
    ran = run("table", "plain20", "--as", "paper")
    assert ran.code == 2
    assert "expected a network of which a published source prints Mult-Adds or params" in ran.err
    with pytest.raises(SettingError, match="published source"):
        archcalc.tabulate(archcalc.analyze(every_kind(0)), counting="paper")


# The page.


def test_the_page_is_current() -> None:
    """docs/tools.md is what docs/tools.py writes, and says something of each tool."""
    module = page()
    assert module.page() == module.PAGE.read_text(encoding="utf-8"), "run python docs/tools.py"
    assert set(module.TOOLS_SAY) == set(TOOLS)
