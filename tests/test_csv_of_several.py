"""CSV of several networks: one set of columns fits every row, and figures equal those of JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from command import good, run

from archcalc import analyze
from archcalc.errors import LAYOUT
from archcalc.report import study
from archcalc.report.model import as_text
from archcalc.report.table import listing, tabulate
from archcalc.report.writers import csv_pieces

if TYPE_CHECKING:
    from pathlib import Path

# Images, a sound, a video, and regions whose tensors have an axis more than the image.
SPECS = {
    "sound": "input: [1, 64]\nlayers: [conv: {out: 2, kernel: 3}]\n",
    "video": "input: [3, 4, 8, 8]\nlayers: [conv: {out: 2, kernel: 3}, batchnorm]\n",
    "four": "input: [1, 3, 3, 3, 3]\nlayers: [relu]\n",
}
MIXED = ["lenet5", "faster-rcnn-mobilenet", "sound", "video"]


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("specs")
    for name, text in SPECS.items():
        (directory / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(directory)


def rectangular(text: str) -> list[dict[str, str]]:
    """The rows of a CSV, each with as many fields as there are headings, which all differ."""
    heads, *rows = csv.reader(io.StringIO(text))
    assert len(set(heads)) == len(heads)
    assert {len(row) for row in rows} <= {len(heads)}
    return [dict(zip(heads, row, strict=True)) for row in rows]


def same(field: Any, value: Any) -> bool:
    """Whether pandas' field is the JSON's value."""
    if value is None or value == "":
        return bool(pd.isna(field)) or field == ""
    if isinstance(value, (list, dict)):
        return True  # compared by other tests, key by key
    if isinstance(value, (bool, int, float)):
        return field == value or str(field) == json.dumps(value)
    return str(field) == str(value)


def assert_same_figures(text: str, records: list[dict[str, Any]]) -> None:
    rectangular(text)
    frame = pd.read_csv(io.StringIO(text), dtype={"printed": str}, low_memory=False)
    assert len(frame) == len(records)
    compared = 0
    for (_, row), record in zip(frame.iterrows(), records, strict=True):
        for key in set(frame.columns) & set(record):
            assert same(row[key], record[key]), (key, row[key], record[key])
            compared += isinstance(record[key], (int, float))
    assert compared > len(records) // 2


def flattened(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **row["operations"], "input": None, "output": None} | {
        key: "x".join(map(str, row[key])) for key in ("input", "output")
    }


def both(*arguments: str) -> tuple[str, dict[str, Any]]:
    return good(*arguments, "-f", "csv"), json.loads(good(*arguments, "-f", "json"))


def test_list(specs: str) -> None:
    text, document = both("list", *MIXED, "--specs", specs)
    assert_same_figures(text, [flattened(one["totals"]) for one in document["networks"]])
    chosen = good("list", *MIXED, "--specs", specs, "-f", "csv", "--columns", "name,params")
    assert [row["params"] for row in rectangular(chosen)] == [
        str(one["totals"]["params"]) for one in document["networks"]
    ]


@pytest.mark.slow
def test_list_of_all_networks() -> None:
    text = good("list", "-f", "csv")
    rows = rectangular(text)
    frame = pd.read_csv(io.StringIO(text)).set_index("name")
    assert len(rows) == len(frame)
    for name in ("vgg16", "faster-rcnn-mobilenet"):
        totals = analyze(name).totals
        assert frame.loc[name, "params"] == totals.params
        assert frame.loc[name, "mult_adds"] == totals.mult_adds


@pytest.mark.parametrize("network", ["faster-rcnn-mobilenet", "video"])
def test_table(network: str, specs: str) -> None:
    text, document = both("table", network, "--specs", specs)
    assert_same_figures(text, [flattened(row) for row in document["layers"]])


def test_report(tmp_path: Path, specs: str) -> None:
    for networks in (MIXED, MIXED[::-1]):
        good("report", *networks, "--specs", specs, "-o", str(tmp_path / "study.csv"))
        text = (tmp_path / "study.csv").read_text(encoding="utf-8")
        records = []
        for name in networks:
            rows = json.loads(good("table", name, "--specs", specs, "-f", "json"))["layers"]
            records += [{"network": name, **flattened(row)} for row in rows]
        assert_same_figures(text, records)
        first = rectangular(text)[0]
        assert {"kernel_d", "kernel_h", "kernel_w", "receptive_field_size_d"} <= set(first)


def test_axes_are_named_alike_whatever_stands_first(specs: str) -> None:
    rows = [analyze(name, specs=[specs]) for name in ("four", "sound")]
    for analyses in (rows, rows[::-1]):
        text = "".join(study.pieces(analyses, "csv"))
        assert {"kernel_x1", "kernel_x4"} <= set(rectangular(text)[0])


def test_compare(specs: str) -> None:
    text, document = both("compare", *MIXED, "--specs", specs)
    networks = document["networks"]
    figures = [
        {**flattened(one["totals"]), **{f"{k}_ratio": v for k, v in one["ratios"].items()}}
        for one in networks
    ]
    for figure in figures:
        del figure["receptive_field"]  # CSV writes a comparison's as text
    assert_same_figures(text, figures)


def test_memory(specs: str) -> None:
    text, document = both("memory", *MIXED, "--specs", specs)
    assert_same_figures(text, document["networks"])


def test_reproduce() -> None:
    text, document = both("reproduce", "lenet5", "squeezenet1-0", "faster-rcnn-mobilenet")
    assert_same_figures(text, document["figures"])


def test_reproduce_without_printed_figures_has_a_heading(specs: str) -> None:
    text, document = both("reproduce", "sound", "--specs", specs)
    assert document["figures"] == []
    assert list(pd.read_csv(io.StringIO(text))["verdict"]) == []


def test_paths() -> None:
    text, document = both("paths", "resnet20")
    assert_same_figures(text, document["lengths"])


def test_verify(specs: str) -> None:
    text, document = both("verify", "lenet5", "sound", "--specs", specs)
    records = [
        {
            "network": one["network"],
            **check,
            "left_out": sum(o["number"] for o in check["left_out"]),
        }
        for one in document["networks"]
        for check in one["checks"]
    ]
    assert_same_figures(text, records)


@pytest.mark.parametrize("options", [[], ["--layers"]])
def test_reconcile(options: list[str]) -> None:
    ran = ("reconcile", "lenet5", "resnet20", "--tool", "torch", "--tool", "thop", *options)
    text, document = both(*ran)
    rows = rectangular(text)
    for one in document["networks"]:
        for tool in one["tools"]:
            counted = [
                row["number"]
                for row in rows
                if (row["network"], row["tool"]) == (one["network"], tool["tool"])
                and (row["figure"], row["layer"], row["name"]) == ("mult_adds", "", "counted")
            ]
            assert counted == [str(tool["mult_adds"]["counted"])]


def test_profile_and_runs(tmp_path: Path) -> None:
    kept = str(tmp_path / "runs.json")
    quick = ("--batch", "1,2", "--budget", "0.1", "--warmup", "0", "--no-layers")
    text = good("profile", "lenet5", *quick, "--save", kept, "-f", "csv")
    saved = json.loads((tmp_path / "runs.json").read_text())["runs"]
    frame = pd.read_csv(io.StringIO(text))
    assert list(frame["batch"]) == [1, 2] == [one["batch"] for one in saved]
    assert list(frame["median"]) == [one["median"] for one in saved]
    text, document = both("runs", kept, kept)
    assert_same_figures(text, document["runs"])


def test_profile_by_layer(tmp_path: Path, specs: str) -> None:
    kept = tmp_path / "runs.json"
    quick = ("--budget", "0.01", "--warmup", "0", "--save", str(kept))
    text = good("profile", "sound", "video", "--specs", specs, *quick, "-f", "csv")
    saved = json.loads(kept.read_text())["runs"]
    layers = [{"network": one["network"], **layer} for one in saved for layer in one["layers"]]
    assert_same_figures(text, layers)


def test_pandas_has_one_set_of_columns(specs: str) -> None:
    analyses = [analyze(name, specs=[specs]) for name in MIXED]
    frame = listing(analyses).to_pandas()
    text = as_text(listing(analyses), "csv")
    assert list(frame.columns) == list(rectangular(text)[0])
    assert not any(isinstance(column, int) for column in frame.columns)
    for analysis in analyses:
        assert len(tabulate(analysis).to_pandas()) == len(analysis.layers)


def test_records_with_other_keys_are_never_written() -> None:
    with pytest.raises(AssertionError):
        "".join(csv_pieces([{"a": 1, "b": 2}, {"a": 1}]))


# Control characters.

ESCAPE = (
    'name: "e\\ec"\ntitle: "a\\e[31mred\\u0000\\u0007\\u009b"\ninput: [1, 4, 4]\nlayers: [relu]\n'
)


@pytest.mark.parametrize("command", ["table", "explain", "report", "list", "compare", "memory"])
@pytest.mark.parametrize("suffix", ["csv", "md", "json", "tex", "txt"])
def test_no_control_character_reaches_a_file(tmp_path: Path, command: str, suffix: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(ESCAPE, encoding="utf-8")
    target = tmp_path / f"out.{suffix}"
    ran = run(command, str(path), "-o", str(target))
    if ran.code == 2:  # the command has no such format
        assert "expected a file name that ends in" in ran.err
        return
    text = target.read_text(encoding="utf-8")
    assert all(sign.isprintable() or sign in LAYOUT for sign in text)
