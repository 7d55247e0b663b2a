"""Formats: exact and documented for programs, escaped for people; files are whole or untouched."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from command import bad, good
from test_explain import ODD_NAMES, cells, check_tex, everything
from zoo import EACH_NETWORK, SAMPLED_NETWORKS

from archcalc import analyze
from archcalc.errors import OutputError
from archcalc.files import write_file
from archcalc.ops import OPERATIONS
from archcalc.report import study
from archcalc.report.columns import COLUMNS
from archcalc.report.figures import unbroken
from archcalc.report.model import as_text
from archcalc.report.table import listing, tabulate
from archcalc.spec import library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archcalc.report.model import Table


# docs/formats.md, version 1. Renaming or removing one of these is a new version.
TOP = ["schema_version", "network", "settings", "conventions", "layers", "blocks", "totals"]
NETWORK = ["name", "label", "title", "paper", "input", "outputs"]
CONVENTIONS = [
    "batch", "dtype", "kilo", "mult_adds", "flops", "shapes", "receptive_field",
]  # fmt: skip
ROW = [
    "name", "kind", "type", "block", "input", "output", "inputs", "outputs", "kernel", "stride",
    "padding", "dilation", "groups", "arguments", "parameters", "params", "buffers", "mult_adds",
    "flops", "operations", "connections", "neurons", "output_elements", "output_bytes",
    "weight_bytes", "bytes_moved", "live_bytes", "saved_bytes", "arithmetic_intensity", "depth",
    "receptive_field", "share", "params_share", "shared_with", "times", "source",
]  # fmt: skip
PARAMETER = ["layer", "name", "shape", "size", "trainable"]
FIELD = ["size", "stride", "start", "aligned", "uniform"]
SUMMED = [
    "params", "buffers", "mult_adds", "flops", "connections", "neurons", "output_elements",
    "output_bytes", "weight_bytes", "bytes_moved", "saved_bytes", *OPERATIONS,
]  # fmt: skip

TINY = "input: [1, 8, 8]\nlayers: [conv: {name: only, out: 2, kernel: 3}]\n"

# 10^6 channels in and out, 3x3 kernels, 10^5 x 10^5 positions.
HUGE = """
input: [1000000, 100000, 100000]
layers: [conv: {name: vast, out: 1000000, kernel: 3, padding: 1}]
"""


def huge(**options: Any) -> Table:
    return tabulate(analyze(library.parse(HUGE, "huge.yaml"), **options))


def document(table: Table) -> dict[str, Any]:
    return dict(json.loads(as_text(table, "json")))


def rows_of(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_text(table, "csv"))))


# JSON.


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50", "mobilenet"])
def test_json_has_the_documented_keys(name: str) -> None:
    data = document(tabulate(analyze(name)))
    assert list(data) == TOP
    assert data["schema_version"] == 1
    assert list(data["network"]) == NETWORK
    assert list(data["conventions"]) == CONVENTIONS
    for row in [*data["layers"], *data["blocks"], data["totals"]]:
        assert list(row) == ROW
        assert list(row["operations"]) == list(OPERATIONS)
        assert all(list(one) == PARAMETER for one in row["parameters"])
        assert row["receptive_field"] is None or list(row["receptive_field"]) == FIELD


def test_json_of_a_layer_in_full() -> None:
    """AlexNet's second convolution: 48 maps of each tower to 128 with 5x5 kernels."""
    data = document(tabulate(analyze("alexnet", batch=2, dtype="float16")))
    [row] = [row for row in data["layers"] if row["name"] == "conv2"]
    source = row.pop("source")
    assert source["file"].endswith("alexnet.yaml")
    assert source["line"] > 1
    assert row.pop("share") == pytest.approx(223_948_800 / 724_406_816)
    assert row.pop("params_share") == pytest.approx(307_456 / 60_965_224)
    moved = 2 * (2 * (96 + 256) * 27 * 27 + 307_456)
    assert row.pop("arithmetic_intensity") == pytest.approx(447_897_600 / moved)
    assert row == {
        "name": "conv2",
        "kind": "conv",
        "type": "convolution",
        "block": "",
        "input": [96, 27, 27],
        "output": [256, 27, 27],
        "inputs": [[96, 27, 27]],
        "outputs": [[256, 27, 27]],
        "kernel": [5, 5],
        "stride": [1, 1],
        "padding": [[2, 2], [2, 2]],
        "dilation": [1, 1],
        "groups": 2,
        "arguments": {},
        "parameters": [
            {"layer": "conv2", "name": "weight", "shape": [256, 48, 5, 5], "size": 307_200,
             "trainable": True},
            {"layer": "conv2", "name": "bias", "shape": [256], "size": 256, "trainable": True},
        ],
        "params": 307_456,
        "buffers": 0,
        "mult_adds": 447_897_600,
        "flops": 2 * 447_897_600 + 2 * 186_624,
        "operations": {"additions": 2 * 186_624, "multiplications": 0, "divisions": 0,
                       "comparisons": 0, "transcendentals": 0},
        "connections": 223_948_800 + 186_624,
        "neurons": 186_624,
        "output_elements": 186_624,
        "output_bytes": 2 * 2 * 186_624,
        "weight_bytes": 2 * 307_456,
        "bytes_moved": moved,
        "live_bytes": 2 * 2 * (96 + 256) * 27 * 27,
        "saved_bytes": 2 * 2 * 96 * 27 * 27,
        "depth": 1,
        "receptive_field": {"size": [51, 51], "stride": [8, 8], "start": [-16, -16],
                            "aligned": True, "uniform": True},
        "shared_with": None,
        "times": 1,
    }  # fmt: skip


def test_json_of_the_network() -> None:
    data = document(tabulate(analyze("googlenet", auxiliary=True)))
    network = data["network"]
    assert (network["name"], network["label"]) == ("googlenet", "googlenet@auxiliary=true")
    assert network["input"] == [3, 224, 224]
    assert network["paper"]["year"] == "2014"
    assert [one["auxiliary"] for one in network["outputs"]] == [False, True, True]
    assert network["outputs"][0] == {"name": "softmax", "shape": [1000], "auxiliary": False}
    others = {"classes": 1000, "separable": False, "two_3x3": False}
    assert data["settings"] == {**others, "auxiliary": True}
    assert data["totals"]["kind"] == "network"
    assert data["totals"]["outputs"] == [[1000], [1000], [1000]]
    assert data["totals"]["depth"] == 22


def test_json_is_null_where_everything_is_seen() -> None:
    layers = document(tabulate(analyze("lenet5")))["layers"]
    found = {row["name"]: row["receptive_field"] for row in layers}
    assert found["F6"] is None
    assert found["C5"]["size"] == [32, 32]


def test_json_tells_why_a_field_is_unknown() -> None:
    text = """
    input: [1, 4]
    layers:
      - convtranspose: {out: 1, kernel: 1, stride: 2}
      - slice: {axis: 1, start: 1, step: 2}
    """
    last = document(tabulate(analyze(library.parse(text, "blind.yaml"))))["layers"][-1]
    assert last["receptive_field"]["size"] == [None]
    assert last["receptive_field"]["unknown"] == "no output position sees the input"


UNSEEN = """
input: [1, 50]
layers:
  - maxpool: {kernel: 2, stride: 3, dilation: 2}
  - convtranspose: {name: up, out: 1, kernel: 2, stride: 3, padding: 1, dilation: 2}
"""


def test_every_format_says_that_a_field_has_no_start(tmp_path: Path) -> None:
    path = tmp_path / "unseen.yaml"
    path.write_text(UNSEEN)
    field = json.loads(good("table", str(path), "-f", "json"))["layers"][1]["receptive_field"]
    assert field == {
        "size": [3], "stride": [1], "start": [None], "aligned": True, "uniform": False
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(good("table", str(path), "-f", "csv"))))
    assert [row["receptive_field_start_w"] for row in rows] == ["0", ""]
    table = good("table", str(path), "-c", "name,receptive_field,rf_start")
    assert re.search(r"^up +3 +none$", table, re.MULTILINE)
    assert "RF start none: output 0 sees nothing of the input." in table
    assert "none" not in good("table", str(path), "-c", "name,receptive_field")
    for name in ("terminal", "markdown"):
        text = good("explain", str(path), "up", "-f", name)
        assert "eceptive field start, width: none, output 0 sees nothing of the input" in text
    [one] = json.loads(good("explain", str(path), "up", "-f", "json"))["layers"]
    assert one["receptive_field_without_start"] == ["width"]
    assert one["receptive_field"][0]["forward"][-1]["start"] is None


def test_json_writes_large_integers_as_strings() -> None:
    totals = document(huge(batch=3))["totals"]
    assert totals["mult_adds"] == str(3 * 10**10 * 10**6 * 9 * 10**6)
    assert totals["params"] == 9 * 10**12 + 10**6
    assert totals["output_elements"] == str(10**16)
    assert 2**53 < 10**16


@pytest.mark.parametrize(("stride", "text"), [(2, 0.5), (3, "1/3"), (4, 0.25), (1, 1)])
def test_json_writes_strides_exactly(stride: int, text: object) -> None:
    spec = f"input: [1, 4, 4]\nlayers: [convtranspose: {{out: 1, kernel: 8, stride: {stride}}}]"
    [layer] = document(tabulate(analyze(library.parse(spec, "up.yaml"))))["layers"]
    assert layer["receptive_field"]["stride"] == [text, text]


@pytest.mark.parametrize("options", [{}, {"depth": 1}, {"fold": True}, {"sort": "params"}])
def test_json_layers_add_up_to_the_totals(options: dict[str, Any]) -> None:
    data = document(tabulate(analyze("googlenet", batch=2), **options))
    for key in SUMMED:
        flat = [{**row, **row["operations"]} for row in (*data["layers"], data["totals"])]
        assert sum(int(row[key]) for row in flat[:-1]) == int(flat[-1][key]), key


def test_json_of_a_list() -> None:
    table = listing([analyze("lenet5"), analyze("mobilenet", alpha=0.5)])
    data = document(table)
    assert list(data) == ["schema_version", "networks"]
    assert [one["label"] for one in data["networks"]] == ["lenet5", "mobilenet@alpha=0.5"]
    assert [one["totals"]["params"] for one in data["networks"]] == [60_000, 1_331_592]
    assert data["networks"][1]["settings"] == {
        "alpha": 0.5,
        "resolution": 224,
        "classes": 1000,
        "depthwise": True,
        "repeats": 5,
    }


def test_json_and_csv_are_the_same_from_the_command(tmp_path: Path) -> None:
    for suffix in ("json", "csv"):
        target = tmp_path / f"out.{suffix}"
        assert good("table", "lenet5", "-o", str(target)) == ""
        assert target.read_text("utf-8") == good("table", "lenet5", "--format", suffix)


# CSV and pandas.


@pytest.mark.parametrize("network", EACH_NETWORK)
def test_csv_sums_to_the_totals_in_pandas(network: str) -> None:
    analysis = analyze(network)
    frame = pd.read_csv(io.StringIO(as_text(tabulate(analysis), "csv")))
    assert len(frame) == len(analysis.layers)
    for key in SUMMED:
        assert frame[key].dtype == "int64", key
        wanted = dict(zip(OPERATIONS, analysis.totals.operations, strict=True)).get(key)
        assert int(frame[key].sum()) == (getattr(analysis.totals, key, None) if wanted is None
                                         else wanted), key  # fmt: skip


def test_csv_has_every_key_of_a_row_flattened() -> None:
    axes = ("h", "w")
    spread = {
        **{key: [f"{key}_{axis}" for axis in axes] for key in ("kernel", "stride", "dilation")},
        "padding": [f"padding_{side}_{axis}" for side in ("before", "after") for axis in axes],
        "operations": list(OPERATIONS),
        "receptive_field": [
            *(f"receptive_field_{part}_{axis}" for part in FIELD[:3] for axis in axes),
            "receptive_field_aligned",
            "receptive_field_uniform",
        ],
        "arguments": [],
        "source": [],
    }
    wanted = [column for key in ROW for column in spread.get(key, [key])]
    assert list(rows_of(tabulate(analyze("lenet5")))[0]) == wanted


def test_csv_of_a_layer() -> None:
    [row] = [row for row in rows_of(tabulate(analyze("alexnet"))) if row["name"] == "conv2"]
    assert row["input"] == "96x27x27"
    assert row["parameters"] == "weight:256x48x5x5 bias:256"
    assert (row["kernel_h"], row["padding_after_w"], row["groups"]) == ("5", "2", "2")
    assert (row["receptive_field_size_h"], row["receptive_field_start_w"]) == ("51", "-16")
    assert row["receptive_field_aligned"] == "true"
    assert row["shared_with"] == ""


@pytest.mark.parametrize(
    ("shape", "axes"), [("[1, 9]", ["w"]), ("[1, 9, 9]", ["h", "w"]), ("[1, 9, 9, 9]", list("dhw"))]
)
def test_csv_of_other_ranks(shape: str, axes: list[str]) -> None:
    spec = f"input: {shape}\nlayers: [conv: {{out: 1, kernel: 3}}]"
    [row] = rows_of(tabulate(analyze(library.parse(spec, "rank.yaml"))))
    found = [key for key in row if key.startswith("kernel_") and row[key] == "3"]
    assert found == [f"kernel_{axis}" for axis in axes]


def test_csv_keeps_integers_exact_however_large() -> None:
    frame = pd.read_csv(io.StringIO(as_text(huge(), "csv")))
    assert int(frame["mult_adds"][0]) == 9 * 10**22
    assert huge().to_pandas()["mult_adds"][0] == 9 * 10**22


def test_csv_of_chosen_columns() -> None:
    table = tabulate(analyze("lenet5"), columns=["name", "params", "window"])
    rows = rows_of(table)
    assert list(rows[0]) == ["name", "params", "window"]
    assert rows[0] == {"name": "C1", "params": "156", "window": "5x5/1"}


def test_csv_of_a_list() -> None:
    [row] = rows_of(listing([analyze("lenet5")]))
    assert list(row)[:3] == ["name", "year", "title"]
    assert (row["name"], row["year"], row["params"]) == ("lenet5", "1998", "60000")


def test_csv_quotes_what_needs_it() -> None:
    text = """
    input: [1, 8]
    layers: [conv: {name: a, out: 1, kernel: 1, label: 'one, "two"'}]
    """
    [row] = rows_of(tabulate(analyze(library.parse(text, "quoted.yaml"))))
    assert row["type"] == 'one, "two"'


def test_pandas_has_the_columns_of_the_csv() -> None:
    table = tabulate(analyze("googlenet"), depth=1)
    frame = table.to_pandas()
    assert list(frame.columns) == list(rows_of(table)[0])
    assert frame.params.sum() == analyze("googlenet").totals.params


# Markdown.


def table_lines(text: str) -> list[list[str]]:
    return [cells(line) for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("network", EACH_NETWORK)
def test_markdown_rows_have_as_many_cells_as_headings(network: str) -> None:
    table = tabulate(analyze(network))
    rows = table_lines(as_text(table, "markdown"))
    assert {len(row) for row in rows} == {len(table.columns)}
    assert len(rows) == len(table.lines) + 3
    left = ("name", "output", "window")
    assert rows[1] == [" :--- " if one.key in left else " ---: " for one in table.columns]
    assert len(table.columns) == 7 + any(row.times > 1 for row in table.rows)


def test_markdown_escapes_names_and_labels() -> None:
    analysis = analyze(library.parse(ODD_NAMES, "odd.yaml"))
    text = as_text(tabulate(analysis, columns=["name", "type", "params"]), "markdown")
    rows = table_lines(text)
    assert {len(row) for row in rows} == {3}
    assert r"e\|f\*g\_h\`" in text
    assert r"x\|y\*z next" in text
    assert not re.search(r"(?<!\\)[*_`](?!\*)", rows[3][0])


@pytest.mark.parametrize("text", ["<script>", "&lt;", "[a](b)", "~x~", "# y", "a\\b", "$x$"])
def test_markdown_shows_marks_as_they_are(text: str) -> None:
    from archcalc.report.writers import escaped

    assert re.sub(r"\\([\\|*_`<>\[\]#~$&])", r"\1", escaped(text)) == text
    assert escaped(text) != text


def test_markdown_keeps_a_figure_and_its_unit_on_one_line() -> None:
    for command in (
        ["table", "googlenet"], ["memory", "vgg16"], ["memory", "vgg16", "lenet5"],
        ["list", "vgg16", "lenet5"], ["compare", "vgg16", "lenet5"],
    ):  # fmt: skip
        text = good(*command, "-f", "markdown")
        assert re.search("\\d\u00a0[KMG]B? \\|", text), command
        assert not re.search(r"\d [KMGTPE]?B?(?!\w)(?<! )", text), command
    assert "118\u00a0M" in good("table", "googlenet", "-f", "markdown")
    for name in ("csv", "json"):
        assert "\u00a0" not in good("list", "vgg16", "-f", name)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("118 M", "118\u00a0M"), ("1.2 KB and 3 s", "1.2\u00a0KB and 3\u00a0s"),
        ("12.3 ms - 40 µs", "12.3\u00a0ms - 40\u00a0µs"), ("7 B", "7\u00a0B"),
        ("of 7 Modules", None), ("2 sets", None), ("16 Kernels", None),
        ("1 K = 1000", "1\u00a0K = 1000"),
    ],
)  # fmt: skip
def test_unbroken(text: str, kept: str | None) -> None:
    assert unbroken(text) == (kept or text)


# LaTeX.


@pytest.mark.parametrize("network", SAMPLED_NETWORKS)
@pytest.mark.parametrize("depth", [1, None])
def test_latex_is_balanced(network: str, depth: int | None) -> None:
    table = tabulate(analyze(network), depth=depth)
    text = as_text(table, "latex")
    check_tex(text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.columns) - 1}
    assert len(rows) == len(table.lines) + 2


def test_latex_takes_a_longtable_for_many_rows() -> None:
    long, short = (as_text(tabulate(analyze("resnet50"), depth=d), "latex") for d in (None, 1))
    assert r"\begin{longtable}" in long
    assert "booktabs,longtable" in long
    assert r"\endhead" in long
    assert r"\begin{tabular}" in short


def test_latex_escapes_names_labels_and_titles() -> None:
    spec = ODD_NAMES + 'title: "100% {of} it\\n\\\\input{secret} ^~"\n'
    analysis = analyze(library.parse(spec, "odd.yaml"))
    text = as_text(tabulate(analysis, columns=["name", "type", "params"]), "latex")
    check_tex(text)
    assert r"e\textbar{}f*g\_h`" in text
    comment, printed = [line for line in text.splitlines() if "secret" in line]
    assert comment.startswith("% ")
    assert r"\textbf{100\% \{of\} it \textbackslash{}input\{secret\}" in printed


def test_latex_prints_the_title_and_the_notes() -> None:
    table = tabulate(analyze("lenet5"))
    text = re.sub(r"(?m)^%.*$", "", as_text(table, "latex"))
    assert r"\textbf{LeNet-5, input 1x32x32}" in text
    for note in table.caption:
        assert note.replace("1 K", "1~K") in text


@pytest.mark.parametrize(
    ("command", "headings"),
    [
        (["memory", "lenet5"], ["Inference", "Training"]),
        (
            ["reproduce", "mobilenet"],
            ["Howard et al. 2017, Table 4 (ImageNet, top 1, crops not stated)"],
        ),
        (["reconcile", "lenet5", "-t", "fvcore"], ["fvcore "]),
    ],
)
def test_latex_headings_go_over_all_columns(command: list[str], headings: list[str]) -> None:
    text = good(*command, "-f", "latex")
    check_tex(text)
    for heading in headings:
        [line] = [line for line in text.splitlines() if rf"\textbf{{{heading}" in line]
        assert line.startswith(r"\multicolumn{")
        assert line.endswith(r" \\")
        assert not re.search(r"(?<!\\)&", line)


def latex_widths(text: str) -> Iterator[float]:
    """The share of the text's width that the columns that wrap take in each table."""
    for columns in re.findall(
        r"\\begin\{(?:tabular|longtable)\}(?:\[l\])?\{@\{\}(.*)@\{\}\}", text
    ):
        yield sum(map(float, re.findall(r"p\{([\d.]+)\\linewidth\}", columns)))


def test_latex_wraps_texts_and_splits_columns_that_do_not_fit() -> None:
    wide = as_text(tabulate(analyze("googlenet"), columns=["all"]), "latex")
    check_tex(wide)
    assert wide.count(r"\begin{longtable}") > 3
    assert wide.count("Layer & ") == wide.count(r"\begin{longtable}")  # each has the names
    for column in COLUMNS.values():
        heading = rf"(^|& ){re.escape(column.heading)} (&|\\\\)"
        assert re.search(heading, wide, re.MULTILINE), column.key
    titles = as_text(listing([analyze("vgg16-1x1"), analyze("faster-rcnn-mobilenet")]), "latex")
    assert titles.count(r"\begin{tabular}") == 1
    printed = good("reproduce", "mobilenet", "-f", "latex")
    assert r"\raggedright\arraybackslash}p{" in printed
    for text in (wide, titles, printed):
        assert all(share < 1 for share in latex_widths(text))


def test_latex_does_not_make_dashes_of_options() -> None:
    text = good("memory", "lenet5", "-f", "latex")
    assert "(-{}-in-place)" in text


def test_latex_of_a_title_of_ones_own() -> None:
    text = as_text(listing([analyze("vgg16-1x1"), analyze("vgg11-lrn")]), "latex")
    check_tex(text)
    assert "VGG-16 with 1x1 convolutions (column C)" in text


# The report.


def test_report_in_markdown(tmp_path: Path) -> None:
    target = tmp_path / "study.md"
    assert good("report", "lenet5", "mobilenet@alpha=0.5", "-o", str(target)) == ""
    text = target.read_text("utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings[0] == "# What these networks cost"
    assert "## lenet5" in headings
    assert r"## mobilenet@alpha=0.5" in headings
    assert headings.count("### Layers") == headings.count("### Derivations") == 2
    assert sum(line.startswith("#### ") for line in headings) == 14 + 1 + 85 + 1
    assert "340,908" in text
    assert text.count("<details>") == text.count("</details>") == 2
    groups = re.split(r"\n\n+", text)
    for group in groups:
        if group.startswith("|"):
            assert len({len(cells(line)) for line in group.splitlines()}) == 1


@pytest.mark.parametrize(
    ("arxiv", "linked"),
    [("1409.4842", True), ("cs/0112017", True), ("x) [a](javascript:y", False), ("1\n# h", False)],
)
def test_report_links_what_is_an_arxiv_number(arxiv: str, linked: bool) -> None:
    spec = library.parse(TINY + f"paper: {{title: t, arxiv: {json.dumps(arxiv)}}}\n", "tiny.yaml")
    text = "".join(study.pieces([analyze(spec)], "markdown"))
    assert (f"[arXiv:{arxiv}](https://arxiv.org/abs/{arxiv})" in text) is linked
    assert ("(http" in text) is linked


def test_report_in_csv(tmp_path: Path) -> None:
    target = tmp_path / "study.csv"
    good("report", "lenet5", "vgg16", "mobilenet@alpha=[1.0,0.5]", "-o", str(target))
    frame = pd.read_csv(target)
    assert list(frame.network.unique()) == [
        "lenet5", "vgg16", "mobilenet", "mobilenet@alpha=0.5"
    ]  # fmt: skip
    sums = frame.groupby("network").params.sum()
    assert sums["vgg16"] == 138_357_544
    assert sums["lenet5"] == 60_000


def test_report_of_networks_with_different_axes() -> None:
    flat = analyze(library.parse("input: [1, 9]\nlayers: [conv: {out: 1, kernel: 3}]", "a.yaml"))
    deep = analyze(
        library.parse("input: [1, 9, 9, 9]\nlayers: [conv: {out: 1, kernel: 3}]", "b.yaml")
    )
    for order in ([flat, deep], [deep, flat]):
        text = "".join(study.pieces(order, "csv"))
        rows = {row["network"]: row for row in csv.DictReader(io.StringIO(text))}
        assert (rows["a"]["kernel_w"], rows["a"]["kernel_d"]) == ("3", "")
        assert (rows["b"]["kernel_w"], rows["b"]["kernel_d"]) == ("3", "3")


def test_report_takes_no_other_format(tmp_path: Path) -> None:
    for name in ("a.json", "a.tex", "a"):
        assert "expected a file name that ends in .md, .markdown, .csv" in bad(
            "report", "lenet5", "-o", str(tmp_path / name)
        )
    assert not list(tmp_path.iterdir())


# Files.


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.md", "**LeNet-5, input 1x32x32**"),
        ("a.markdown", "**LeNet-5"),
        ("a.csv", "name,kind,"),
        ("a.json", '{\n  "schema_version": 1'),
        ("a.tex", "% LeNet-5"),
        ("a.txt", "LeNet-5, input"),
        ("A.MD", "**LeNet-5"),
    ],
)
def test_a_suffix_tells_the_format(tmp_path: Path, name: str, start: str) -> None:
    good("table", "lenet5", "-o", str(tmp_path / name))
    assert (tmp_path / name).read_text("utf-8").startswith(start)
    assert os.listdir(tmp_path) == [name]


def test_the_format_option_outweighs_the_suffix(tmp_path: Path) -> None:
    target = tmp_path / "a.md"
    good("table", "lenet5", "-f", "csv", "-o", str(target))
    assert target.read_text("utf-8").startswith("name,kind,")


@pytest.mark.parametrize("name", ["a", "a.xls", "a.jsn", "md"])
def test_a_suffix_without_a_format(tmp_path: Path, name: str) -> None:
    message = bad("table", "lenet5", "-o", str(tmp_path / name))
    assert "expected a file name that ends in .md, .markdown, .csv, .json, .tex, .txt" in message
    assert not list(tmp_path.iterdir())
    if name == "a.jsn":
        assert "did you mean .json?" in message


def test_an_existing_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "a.md"
    target.write_text("old " * 10_000)
    target.chmod(0o640)
    good("table", "lenet5", "-o", str(target))
    assert "old" not in target.read_text("utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.md"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        good("table", "lenet5", "-o", str(tmp_path / "a.md"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.md").stat().st_mode) == 0o640


def test_the_target_of_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "a.md", tmp_path / "link.md"
    real.write_text("old")
    link.symlink_to(real)
    good("table", "lenet5", "-o", str(link))
    assert link.is_symlink()
    assert real.read_text("utf-8").startswith("**LeNet-5")
    assert sorted(os.listdir(tmp_path)) == ["link.md", "real"]


def breaking() -> Iterator[str]:
    yield "half of it"
    raise RuntimeError


def test_what_breaks_midway_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.md"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        write_file(str(target), breaking())
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.md"]


def test_what_cannot_be_put_in_place_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.md"
    target.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match=r"can't write .*No space left on device"):
        write_file(str(target), ["new"])
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.md"]


def test_errors_before_writing_leave_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    for command in (
        ["table", "lenet55", "-o", str(target)],
        ["table", "lenet5", "--columns", "parms", "-o", str(target)],
        ["explain", "lenet5", "nothing", "-o", str(target)],
        ["list", "lenet5", "nothing", "-o", str(target)],
    ):
        bad(*command)
        assert target.read_text() == "old"
        assert os.listdir(tmp_path) == ["a.json"]


def test_a_file_without_write_permission_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory would allow to replace it; whoever protected it did not mean that."""
    target = tmp_path / "a.md"
    target.write_text("old")
    target.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # also where the test runs as root
    assert "Permission denied" in bad("table", "lenet5", "-o", str(target))
    assert target.read_text() == "old"


@pytest.mark.parametrize("place", ["missing/a.md", "file.md/a.md", "folder.md"])
def test_places_where_no_file_can_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "file.md").write_text("old")
    message = bad("table", "lenet5", "-o", str(tmp_path / place))
    assert "can't write" in message
    assert sorted(os.listdir(tmp_path)) == ["file.md", "folder.md"]
    assert not os.listdir(tmp_path / "folder.md")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_devices_are_written_to_and_not_replaced() -> None:
    good("table", "lenet5", "-f", "csv", "-o", os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert "No space left" in bad("table", "lenet5", "-f", "csv", "-o", "/dev/full")


@pytest.mark.parametrize("suffix", ["csv", "json", "md", "tex", "txt"])
def test_a_name_that_is_not_utf8(tmp_path: Path, suffix: str) -> None:
    """Half a character is spelled out, in files as on the terminal."""
    spec = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"n\xff.yaml"))
    with open(spec, "w", encoding="utf-8") as stream:
        stream.write("input: [1, 8, 8]\nlayers: [conv: {out: 2, kernel: 3}]\n")
    target = tmp_path / f"a.{suffix}"
    command = "list" if suffix == "csv" else "table"  # which has the network's name
    good(command, spec, "-o", str(target))
    assert "udcff" in target.read_text(encoding="utf-8")


def test_machine_formats_hold_one_network() -> None:
    for name in ("csv", "json"):
        message = bad("table", "mobilenet@alpha=[1.0,0.5]", "-f", name)
        assert f"{name} holds one network: expected one, received 2" in message


def test_several_networks_in_formats_for_people() -> None:
    for name in ("terminal", "markdown", "latex"):
        text = good("table", "mobilenet@alpha=[1.0,0.5]", "-f", name)
        shown = text.replace("% MobileNet v1", "")  # LaTeX has the title as a comment besides
        assert shown.count("MobileNet v1") == 2


def test_everything_in_every_format() -> None:
    table = tabulate(everything(batch=2))
    for name in ("terminal", "markdown", "csv", "json", "latex"):
        for exact in (False, True):
            assert as_text(table, name, exact).endswith("\n")
