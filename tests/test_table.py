"""Tables: which rows and columns are shown, what they add up to, and how figures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_costs import repeated
from zoo import EACH_NETWORK, SAMPLED_NETWORKS

from archcalc import GraphBuilder, analyze
from archcalc.analysis import Analysis
from archcalc.analysis.costs import total
from archcalc.errors import ColumnError, SettingError
from archcalc.graph import Output
from archcalc.ops import KINDS
from archcalc.report.cells import ASCII
from archcalc.report.columns import COLUMNS, DEFAULT
from archcalc.report.figures import figure, prefixed
from archcalc.report.model import as_text
from archcalc.report.table import listing, tabulate
from archcalc.report.terminal import layout, text_width
from archcalc.report.wrapping import wrapped
from archcalc.report.writers import text_rows
from archcalc.spec import library

if TYPE_CHECKING:
    from archcalc.report.model import Table


def names(table: Table) -> list[str]:
    """The shown names, indented by their levels."""
    return ["  " * line.level + line.name for line in table.lines]


def lines(table: Table, **options: Any) -> list[str]:
    return as_text(table, "terminal", **options).splitlines()


# Rows.


def test_the_tree_of_a_network_without_blocks_is_flat() -> None:
    """LeCun et al. 1998, figure 2, with the squashing functions between."""
    assert names(tabulate(analyze("lenet5"))) == [
        "C1", "scaledtanh1", "S2", "scaledtanh2", "C3", "scaledtanh3", "S4", "scaledtanh4", "C5",
        "scaledtanh5", "flatten1", "F6", "scaledtanh6", "output",
    ]  # fmt: skip


def test_blocks_head_their_layers_and_branches_add_no_line() -> None:
    shown = names(tabulate(analyze("googlenet")))
    start = shown.index("inception_3a")
    assert shown[start : start + 16] == [
        "inception_3a",
        "  1x1/conv1", "  1x1/relu1",
        "  3x3/reduce", "  3x3/relu1", "  3x3/conv1", "  3x3/relu2",
        "  5x5/reduce", "  5x5/relu1", "  5x5/conv1", "  5x5/relu2",
        "  pool/maxpool1", "  pool/proj", "  pool/relu1",
        "  concat1",
        "inception_3b",
    ]  # fmt: skip
    heads = [line.name for line in tabulate(analyze("googlenet")).lines if line.heads]
    assert len(heads) == 10


def test_a_level_of_blocks_at_a_time() -> None:
    analysis = analyze("googlenet")
    assert "inception_3a" in names(tabulate(analysis, depth=1))
    assert "  3x3" in names(tabulate(analysis, depth=2))
    assert "  3x3/conv1" in names(tabulate(analysis, depth=3))
    assert names(tabulate(analysis, depth=3)) == names(tabulate(analysis))


@pytest.mark.parametrize("network", EACH_NETWORK)
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, None])
def test_rows_add_up_to_the_totals(network: str, fold: bool, depth: int | None) -> None:
    analysis = analyze(network)
    table = tabulate(analysis, depth=depth, fold=fold)
    assert total(row.costs for row in table.rows) == analysis.totals.costs
    assert table.total is analysis.totals


def test_rows_of_a_repeated_scope_add_up() -> None:
    analysis = repeated(5, inner=3)
    for depth in (1, 2, None):
        rows = tabulate(analysis, depth=depth).rows
        assert total(row.costs for row in rows) == analysis.totals.costs


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_that_cannot_be(depth: int) -> None:
    with pytest.raises(SettingError, match="depth: expected a whole number of at least 1"):
        tabulate(analyze("lenet5"), depth=depth)


# Folding.


def kinds(table: Table) -> dict[str, str]:
    return {row.name: row.kind for row in table.rows}


def test_norms_and_activations_are_folded_into_the_layer_they_follow() -> None:
    found = kinds(tabulate(analyze("resnet18"), fold=True))
    assert found["conv1"] == "conv+batchnorm+relu"
    assert found["conv2_1/body/conv1"] == "conv+batchnorm+relu"
    assert found["conv2_1/body/conv2"] == "conv+batchnorm"
    assert found["conv2_1/relu1"] == "relu"  # it follows the addition
    assert found["conv3_1/shortcut/conv1"] == "conv+batchnorm"
    assert "batchnorm1" not in found


def test_what_follows_a_pool_or_lies_in_another_block_is_not_folded() -> None:
    found = kinds(tabulate(analyze("googlenet"), fold=True))
    assert found["conv1"] == "conv+relu"
    assert found["norm1"] == "lrn"
    found = kinds(tabulate(analyze("alexnet"), fold=True))
    assert found["conv1"] == "conv+relu"
    assert found["pool1/lrn1"] == "lrn"
    assert found["fc6"] == "linear+relu"
    assert found["softmax1"] == "softmax"
    assert found["dropout1"] == "dropout"


def test_a_folded_row_has_the_figures_of_all_it_holds() -> None:
    analysis = analyze("resnet18")
    [row] = [row for row in tabulate(analysis, fold=True).rows if row.name == "conv1"]
    parts = [analysis.find(name) for name in ("conv1", "batchnorm1", "relu1")]
    assert row.params == sum(part.params for part in parts) == 9408 + 128
    assert row.flops == sum(part.flops for part in parts)
    assert (row.input, row.output) == ((3, 224, 224), (64, 112, 112))
    assert row.receptive_field == parts[-1].receptive_field
    assert row.window == parts[0].window


def forked(taken_twice: bool, as_output: bool) -> Analysis:
    """conv, relu, conv; the first convolution's output is perhaps taken elsewhere, too."""
    builder = GraphBuilder("forked")
    conv = KINDS["conv"](out=2, kernel=1)
    first = builder.add(conv, [builder.input((2, 4, 4))], "first").tensor()
    relu = builder.add(KINDS["relu"](), [first], "relu").tensor()
    last = builder.add(conv, [relu], "last").tensor()
    if taken_twice:
        last = builder.add(KINDS["add"](), [last, first], "add").tensor()
    outputs = [Output("out", last), *([Output("early", first)] if as_output else [])]
    return Analysis(builder.finish(outputs))


@pytest.mark.parametrize(("taken_twice", "as_output"), [(True, False), (False, True)])
def test_what_somebody_else_takes_is_not_folded(taken_twice: bool, as_output: bool) -> None:
    found = kinds(tabulate(forked(taken_twice, as_output), fold=True))
    assert found["relu"] == "relu"
    assert kinds(tabulate(forked(False, False), fold=True)) == {
        "first": "conv+relu",
        "last": "conv",
    }


# Ranking.


def test_the_largest_first() -> None:
    table = tabulate(analyze("vgg16"), sort="params", top=3)
    assert [row.name for row in table.rows] == ["fc6", "fc7", "fc8"]
    assert table.rows[0].params == 25_088 * 4096 + 4096
    assert table.caption[0] == "The top 3 of 40 rows."
    assert table.total is not None
    assert table.total.params == 138_357_544


@pytest.mark.parametrize("key", [key for key, column in COLUMNS.items() if column.is_number])
def test_every_numeric_column_ranks(key: str) -> None:
    table = tabulate(analyze("googlenet"), sort=key)
    values = [COLUMNS[key].get(row) for row in table.rows]
    assert values == sorted(values, reverse=True)
    assert len(values) == len(analyze("googlenet").layers)


def test_top_alone_ranks_by_mult_adds() -> None:
    """27*27*256*48*5*5 = 223,948,800: AlexNet's second convolution, in two groups."""
    table = tabulate(analyze("alexnet"), top=1)
    assert [(row.name, row.mult_adds) for row in table.rows] == [("conv2", 223_948_800)]


def test_blocks_are_ranked_at_their_depth() -> None:
    table = tabulate(analyze("googlenet"), depth=1, sort="params", top=2)
    assert [row.name for row in table.rows] == ["inception_5b", "inception_5a"]
    assert all(line.level == 0 for line in table.lines)


def test_ranking_folded_rows() -> None:
    table = tabulate(analyze("resnet50"), fold=True, sort="mult_adds", top=1)
    assert table.rows[0].kind == "conv+batchnorm+relu"


@pytest.mark.parametrize("key", ["name", "output", "window", "receptive_field", "sizes"])
def test_words_cannot_be_ranked(key: str) -> None:
    wanted = f"expected a column with numbers, received '{key}'; there are depth,"
    with pytest.raises(ColumnError, match=wanted):
        tabulate(analyze("lenet5"), sort=key)


@pytest.mark.parametrize("top", [0, -3])
def test_a_top_that_cannot_be(top: int) -> None:
    with pytest.raises(SettingError, match="top: expected a whole number of at least 1"):
        tabulate(analyze("lenet5"), top=top)


def test_more_than_there_are_is_all() -> None:
    table = tabulate(analyze("lenet5"), top=1000)
    assert len(table.rows) == 14
    assert not table.caption[0].startswith("The top")


# Columns.


def test_columns_in_the_order_asked_for() -> None:
    table = tabulate(analyze("lenet5"), columns=["params", "name", "kernel"])
    assert [column.heading for column in table.columns] == ["Params", "Layer", "Kernel"]


def test_all_columns() -> None:
    table = tabulate(analyze("lenet5"), columns=["all"])
    assert [column.key for column in table.columns] == list(COLUMNS)
    assert set(DEFAULT) < set(COLUMNS)


@pytest.mark.parametrize(
    ("key", "hint"),
    [("parms", "did you mean params"), ("mult-adds", "did you mean mult_adds"),
     ("fliters", "did you mean filters"), ("zzz", "columns: name, kind")],
)  # fmt: skip
def test_an_unknown_column_is_answered_with_near_ones(key: str, hint: str) -> None:
    with pytest.raises(ColumnError, match=f"expected a column, received '{key}'; {hint}"):
        tabulate(analyze("resnet50"), columns=["name", key])


def test_no_column_at_all() -> None:
    with pytest.raises(ColumnError, match="expected at least one column"):
        tabulate(analyze("lenet5"), columns=[])


def test_arguments_of_blocks_are_columns() -> None:
    """He et al. 2015, Table 1: 64, 128, 256 and 512 filters."""
    table = tabulate(analyze("resnet50"), columns=["name", "filters", "params"], depth=1)
    cells = {row[0]: row[1] for row in text_rows(table, True, lambda _: "", str)}
    assert set(cells) == {""}
    found = {row.name: row.arguments.get("filters") for row in table.rows}
    assert [found[f"conv{stage}_1"] for stage in (2, 3, 4, 5)] == [64, 128, 256, 512]
    assert found["conv1"] is None
    shown = [line for line in lines(table) if line.startswith("conv3_1")]
    assert shown[0].split()[:2] == ["conv3_1", "128"]


def cell(network: str, layer: str, key: str, **settings: Any) -> str:
    column = COLUMNS[key]
    return figure(column, column.get(analyze(network, **settings).find(layer)), exact=True)


@pytest.mark.parametrize(
    ("network", "layer", "key", "text"),
    [
        ("alexnet", "conv1", "window", "11x11/4"),
        ("alexnet", "conv1", "kernel", "11"),
        ("alexnet", "conv1", "padding", "0"),
        ("alexnet", "conv2", "groups", "2"),
        ("alexnet", "conv1", "input", "3x227x227"),
        ("alexnet", "conv1", "output", "96x55x55"),
        ("alexnet", "conv1", "output_hwc", "55x55x96"),
        ("alexnet", "fc8", "output_hwc", "1x1x1000"),
        ("alexnet", "fc8", "window", ""),
        ("alexnet", "fc8", "receptive_field", "all"),
        ("alexnet", "conv5", "receptive_field", "163"),
        ("alexnet", "conv5", "rf_stride", "16"),
        ("alexnet", "conv5", "rf_start", "-64"),
        ("alexnet", "conv1", "neurons", "290,400"),
        ("alexnet", "relu1", "depth", "0"),
        ("googlenet", "inception_3a", "window", ""),
        ("googlenet", "conv2", "window", "3x3/1"),
        ("googlenet", "conv2", "type", "convolution"),
        ("resnet50", "conv2_1/body/conv2", "block", "conv2_1/body"),
    ],
)
def test_cells(network: str, layer: str, key: str, text: str) -> None:
    assert cell(network, layer, key) == text


def test_cells_of_axes_that_differ() -> None:
    spec = """
    input: [1, 20, 30]
    layers:
      - conv: {name: a, out: 1, kernel: [1, 7], stride: [1, 3], padding: [0, [2, 3]], dilation: 1}
    """
    row = analyze(library.parse(spec, "a.yaml")).find("a")
    shown = {
        key: figure(COLUMNS[key], COLUMNS[key].get(row), exact=False)
        for key in ("window", "kernel", "stride", "padding", "receptive_field", "rf_start")
    }
    assert shown == {
        "window": "1x7/1x3",
        "kernel": "1x7",
        "stride": "1x3",
        "padding": "0x2+3",
        "receptive_field": "1x7",
        "rf_start": "0x-2",
    }


# The paper's own table.

# Szegedy et al. 2014, Table 1, as document 002 prints it; params and ops, which are rounded and in
# part misprinted there, are judged with the published figures.
HEADINGS = [
    "type", "patch size/stride", "output size", "depth", "#1x1", "#3x3 reduce", "#3x3",
    "#5x5 reduce", "#5x5", "pool proj", "params", "ops",
]  # fmt: skip
PAPER = """
convolution    | 7x7/2 | 112x112x64 | 1 |     |     |     |    |     |
max pool       | 3x3/2 | 56x56x64   | 0 |     |     |     |    |     |
convolution    | 3x3/1 | 56x56x192  | 2 |     | 64  | 192 |    |     |
max pool       | 3x3/2 | 28x28x192  | 0 |     |     |     |    |     |
inception (3a) |       | 28x28x256  | 2 | 64  | 96  | 128 | 16 | 32  | 32
inception (3b) |       | 28x28x480  | 2 | 128 | 128 | 192 | 32 | 96  | 64
max pool       | 3x3/2 | 14x14x480  | 0 |     |     |     |    |     |
inception (4a) |       | 14x14x512  | 2 | 192 | 96  | 208 | 16 | 48  | 64
inception (4b) |       | 14x14x512  | 2 | 160 | 112 | 224 | 24 | 64  | 64
inception (4c) |       | 14x14x512  | 2 | 128 | 128 | 256 | 24 | 64  | 64
inception (4d) |       | 14x14x528  | 2 | 112 | 144 | 288 | 32 | 64  | 64
inception (4e) |       | 14x14x832  | 2 | 256 | 160 | 320 | 32 | 128 | 128
max pool       | 3x3/2 | 7x7x832    | 0 |     |     |     |    |     |
inception (5a) |       | 7x7x832    | 2 | 256 | 160 | 320 | 32 | 128 | 128
inception (5b) |       | 7x7x1024   | 2 | 384 | 192 | 384 | 48 | 128 | 128
avg pool       | 7x7/1 | 1x1x1024   | 0 |     |     |     |    |     |
dropout (40%)  |       | 1x1x1024   | 0 |     |     |     |    |     |
linear         |       | 1x1x1000   | 1 |     |     |     |    |     |
softmax        |       | 1x1x1000   | 0 |     |     |     |    |     |
"""


def cells_of(table: Table) -> list[list[str]]:
    rows = text_rows(table, False, lambda line: line.name if line else "total", str)
    return [[cell.replace("\u00a0", " ") for cell in row] for row in rows]


@pytest.mark.parametrize("auxiliary", [False, True])
def test_the_table_of_googlenets_paper(auxiliary: bool) -> None:
    analysis = analyze("googlenet", auxiliary=auxiliary)
    table = tabulate(analysis, depth=1, columns=["paper"])
    assert [column.heading for column in table.columns] == HEADINGS
    published = [[cell.strip() for cell in row.split("|")] for row in PAPER.strip().splitlines()]
    *rows, summed = cells_of(table)
    assert [row[:10] for row in rows] == published
    assert summed[:4] == ["total", "", "", "22"]


def test_ops_of_googlenets_paper_where_they_are_not_misprinted() -> None:
    """The same table, in millions; 34M and 54M (7x7 convolution, 5a) contradict the text."""
    analysis = analyze("googlenet")
    printed = {
        "conv2": 360, "inception_3a": 128, "inception_3b": 304, "inception_4b": 88,
        "inception_4c": 100, "inception_4d": 119, "inception_4e": 170, "inception_5b": 71,
        "linear1": 1,
    }  # fmt: skip
    found = {name: round(analysis.find(name).mult_adds / 10**6) for name in printed}
    assert found == printed


@pytest.mark.parametrize("network", ["vgg16", "lenet5", "resnet50"])
def test_a_paper_table_that_is_not_declared(network: str) -> None:
    wanted = f"expected a table that {network} declares, received 'paper'; .* 'tables:'"
    with pytest.raises(ColumnError, match=wanted):
        tabulate(analyze(network), columns=["paper"])


DECLARED = """
input: [3, 8, 8]
blocks:
  pair:
    arguments: {maps: required, deep: true}
    layers: [conv: {out: maps, kernel: 3, padding: 1}, batchnorm, relu]
layers:
  - pair: {name: a, maps: 4, label: first pair}
  - maxpool: {name: p, kernel: 2}
  - pair: {name: b, maps: 6, deep: false}
  - flatten
tables:
  mine:
    source: Nobody 2020, Table 2
    depth: 1
    hide: [flatten]
    columns: {what: type, maps or pool: [maps, window], deep: deep, cost: params}
"""


def test_a_declared_table_of_ones_own() -> None:
    analysis = analyze(library.parse(DECLARED, "own.yaml"))
    table = tabulate(analysis, columns=["mine"])
    assert cells_of(table) == [
        ["first pair", "4", "true", "120"],
        ["max pool", "2x2/2", "", "0"],
        ["pair", "6", "false", "234"],
        ["total", "", "", "354"],
    ]
    assert table.caption[:2] == (
        "As Nobody 2020, Table 2 heads its columns.",
        "Rows left out, though in the total: flatten.",
    )
    wanted = "expected a table that own declares, received 'paper'; it declares mine"
    with pytest.raises(ColumnError, match=wanted):
        tabulate(analysis, columns=["paper"])


def test_a_declared_table_can_be_ranked_and_folded() -> None:
    analysis = analyze(library.parse(DECLARED, "own.yaml"))
    ranked = tabulate(analysis, columns=["mine"], sort="params", top=2)
    assert [row.name for row in ranked.rows] == ["b", "a"]
    assert "The top 2 of 3 rows." in ranked.caption
    assert len(tabulate(analysis, columns=["mine"], depth=2).rows) == 7
    assert len(tabulate(analysis, columns=["mine"], depth=2, fold=True).rows) == 3


# At a terminal.


@pytest.mark.parametrize("network", SAMPLED_NETWORKS)
@pytest.mark.parametrize("options", [{}, {"fold": True}, {"depth": 1}, {"top": 5}])
def test_default_columns_fit_100_characters(network: str, options: dict[str, Any]) -> None:
    table = tabulate(analyze(network), **options)
    for exact in (False, True):
        assert max(map(len, lines(table, exact=exact))) <= 100


def test_googlenet_with_heads_fits_too() -> None:
    table = tabulate(analyze("googlenet", auxiliary=True, batch=1024))
    assert max(map(len, lines(table))) <= 100


def test_a_table_of_152_layers_can_be_read() -> None:
    """A heading for each unit, short names under it, and every line told from its neighbours."""
    table = tabulate(analyze("resnet152"))
    shown = names(table)
    heads = [line.name for line in table.lines if line.heads]
    assert heads == [
        f"conv{stage}_{i + 1}"
        for stage, count in ((2, 3), (3, 8), (4, 36), (5, 3))
        for i in range(count)
    ]
    assert max(map(len, shown)) <= 24
    at = shown.index("conv4_17")
    block = shown[at + 1 : shown.index("conv4_18")]
    assert len(set(block)) == len(block) == 10
    assert all(name.startswith("  ") for name in block)
    folded = tabulate(analyze("resnet152"), fold=True)
    assert len(folded.rows) < len(table.rows) / 1.8
    assert len(tabulate(analyze("resnet152"), depth=1).rows) == 50 + 8


LONG = "the_first_of_two_convolutions_that_look_at_the_whole_image"


def drawn(table: Table, width: int) -> list[str]:
    return ["".join(part for part, _ in line) for line in layout(table, width, False, ASCII)]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_names_are_cut_in_the_middle_where_the_terminal_is_narrow(width: int) -> None:
    text = f"input: [1, 8, 8]\nlayers: [conv: {{name: {LONG}, out: 2, kernel: 3}}]\n"
    table = tabulate(
        analyze(library.parse(text, "long.yaml")), columns=["name", "output", "params"]
    )
    lines = drawn(table, width)
    assert max(map(len, lines)) <= width
    row = lines[4].split()
    assert row[1:] == ["2x6x6", "20"]
    before, _, after = row[0].partition("~")
    assert LONG.startswith(before)
    assert LONG.endswith(after)
    assert (row[0] == LONG) == (width == 80)


@pytest.mark.parametrize("width", [40, 80, 100, 120])
@pytest.mark.parametrize("columns", [None, ["all"], ["paper"]])
def test_no_table_is_wider_than_its_place_and_no_figure_is_lost(
    width: int, columns: list[str] | None
) -> None:
    table = tabulate(analyze("googlenet"), columns=columns)
    lines = drawn(table, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for row in table.rows:
        for column in table.columns:
            if column.style in ("count", "bytes", "ratio"):
                assert figure(column, column.get(row), False) in text


def test_titles_of_a_list_are_cut_and_names_are_whole() -> None:
    table = listing([analyze("faster-rcnn-mobilenet", resolution=300), analyze("caffenet")])
    lines = drawn(table, 80)
    assert max(map(len, lines)) <= 80
    faster, caffenet = lines[3:5]
    assert faster.startswith("faster-rcnn-mobilenet@resolution=300  2015  ")
    assert caffenet.startswith("caffenet ")
    assert "~" in caffenet
    assert caffenet.split()[-4:] == ["61.0", "M", "724", "M"]
    assert "To fit a width of 80, Title is cut; " in " ".join(lines)


def test_long_texts_are_wrapped_behind_slashes_and_keep_their_place() -> None:
    assert wrapped("  a/bc/def/ghij", 8, hang=2) == ["  a/bc/", "    def/", "    ghij"]
    assert wrapped("match (truncated)", 12) == ["match", "(truncated)"]
    assert wrapped("short", 12) == ["short"]


def test_a_terminal_has_its_width_and_a_pipe_has_80(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, width in (("", 80), ("120", 120), ("0", 80), ("x", 80), ("9" * 5000, 80)):
        monkeypatch.setenv("COLUMNS", said)
        assert text_width() == width


def test_bars_get_shorter_where_there_is_little_room() -> None:
    """The widest line of LeNet-5 with bars of 8 cells takes 70."""
    table = tabulate(analyze("lenet5"))
    for width, cells in ((100, 8), (70, 8), (68, 6), (64, 2), (61, 0)):
        text = ["".join(part for part, _ in line) for line in layout(table, width, False)]
        assert max(sum(sign in "▏▎▍▌▋▊▉█" for sign in line) for line in text) == cells, width
        assert max(map(len, text[:17])) <= width


def test_figures_are_right_aligned() -> None:
    text = lines(tabulate(analyze("lenet5"), columns=["name", "params", "mult_adds"]), exact=True)
    rows = [line for line in text[2:17] if line.strip()]
    assert {len(line) for line in rows if not line.startswith("─")} == {len(rows[0])}


def test_bars_show_shares() -> None:
    text = lines(tabulate(analyze("lenet5"), columns=["name", "share"]))
    bars = {line.split()[0]: line.split()[1:] for line in text[4:]}
    assert bars["total"] == ["100.0%"]
    assert bars["C3"] == ["████████", "46.1%"]  # the largest: 150,000 of 325,680
    assert bars["C1"] == ["██████▎", "36.1%"]  # 8 * 117,600/150,000 = 6.27: 6 cells and 2/8
    assert bars["S2"] == ["0.0%"]


def test_the_total_leaves_blank_what_describes_a_layer() -> None:
    table = tabulate(analyze("lenet5"), columns=["name", "output", "kernel", "params"])
    summed = cells_of(table)[-1]
    assert summed == ["total", "", "", "60.0 K"]


def test_conventions_are_told() -> None:
    caption = " ".join(tabulate(analyze("lenet5", batch=3, dtype="float16")).caption)
    assert "bias excluded (batch 3, float16)" in caption
    assert "1 K = 1000" in caption
    assert "RF: receptive field" in caption
    assert "FLOPs" not in caption  # nothing is told of what is not shown
    flops = " ".join(tabulate(analyze("lenet5"), columns=["name", "flops"]).caption)
    assert flops == "FLOPs = 2 x Mult-Adds + other operations. 1 K = 1000."


def test_the_title_tells_what_was_set() -> None:
    table = tabulate(analyze("mobilenet", alpha=0.5, resolution=160))
    assert table.title == "MobileNet v1 (alpha=0.5, resolution=160), input 3x160x160"
    assert tabulate(analyze("mobilenet", alpha=1)).title == "MobileNet v1, input 3x224x224"


def test_wide_characters_take_two_cells() -> None:
    from rich.cells import cell_len

    text = """
    input: [1, 8]
    layers:
      - conv: {name: a, out: 1, kernel: 1, label: 卷积}
      - relu: {label: activation}
    """
    table = tabulate(analyze(library.parse(text, "wide.yaml")), columns=["type", "params"])
    rows = [line for line in lines(table) if line.startswith(("卷积", "activation"))]
    assert [cell_len(row) for row in rows] == [len("activation") + 2 + len("Params")] * 2


# Figures.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 K"),
        (9_994, "9.99 K"),
        (9_996, "10.0 K"),
        (34_944, "34.9 K"),
        (99_949, "99.9 K"),
        (99_951, "100 K"),
        (999_499, "999 K"),
        (999_501, "1.00 M"),
        (60_965_224, "61.0 M"),
        (15_470_264_320, "15.5 G"),
        (10**15, "1.00 P"),
        (10**18, "1.00 E"),
        (123 * 10**18, "123 E"),
        (1234 * 10**18, "1.23e+21"),  # no prefix beyond
    ],
)
def test_prefixes(value: int, text: str) -> None:
    assert prefixed(value) == text


def test_bytes() -> None:
    assert prefixed(0, "B") == "0 B"
    assert prefixed(999, "B") == "999 B"
    assert prefixed(1_161_600, "B") == "1.16 MB"


def test_exact_figures_have_separators() -> None:
    row = analyze("vgg16").totals
    assert figure(COLUMNS["params"], row.params, exact=True) == "138,357,544"
    assert figure(COLUMNS["params"], row.params, exact=False) == "138 M"


# Several networks.


def test_a_list_has_a_line_for_each_network() -> None:
    table = listing([analyze("lenet5"), analyze("mobilenet", alpha=0.5)])
    assert cells_of(table) == [
        ["lenet5", "1998", "LeNet-5", "60.0 K", "326 K"],
        ["mobilenet@alpha=0.5", "2017", "MobileNet v1", "1.33 M", "149 M"],
    ]
    assert table.total is None
