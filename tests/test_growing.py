"""A figure and a format are each added in one place, and are then there wherever they belong."""

from __future__ import annotations

import ast
import csv
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command import bad, good
from jsonschema import Draft202012Validator

import archcalc
from archcalc.analysis.figures import COLUMN_KEYS, COMPARED, FIGURES, PUBLISHED, SUMMED
from archcalc.report import formats
from archcalc.report.formats import FORMATS, Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archcalc.report.model import Table

ROOT = Path(__file__).parents[1]

# 4 pJ for each Mult-Add, say. It is all that is added to the package.
ENERGY = """
    Figure(
        "energy", "Energy", "J", _number(_energy), "sum", True, "joules, at 4 for each Mult-Add",
        _energy, BATCH,
    ),
"""
EQUATION = """
def _energy(row: Row) -> Derived:
    from archcalc.formula import formula

    return formula("4*mult_adds")(mult_adds=row.mult_adds)


"""

SPEC = """
name: tiny
input: [1, 8, 8]
layers:
  - conv: {name: first, out: 2, kernel: 3}
  - conv: {name: second, out: 4, kernel: 1}
tables:
  mine: {columns: {Layer: name, Joules: energy}}
published:
  - source: Table 1
    network: {energy: 3744}
"""

# Prints what each command says, run one after another in one process.
SCRIPT = """
import json, sys
from command import run
print(json.dumps([run(*arguments) for arguments in json.loads(sys.argv[1])]))
"""

# 8x8 to 6x6 positions: 2 maps of 3x3 weights, then 4 maps of 2 weights.
FIRST, SECOND = 36 * 2 * 9, 36 * 4 * 2
ASKED = {
    "table": ["table", "tiny.yaml", "--columns", "name,energy", "--exact"],
    "rounded": ["table", "tiny.yaml", "--columns", "all", "--batch", "1000"],
    "declared": ["table", "tiny.yaml", "--columns", "mine"],
    "ranked": ["table", "tiny.yaml", "--sort", "energy", "--top", "1", "-f", "csv"],
    "json": ["table", "tiny.yaml", "-f", "json"],
    "csv": ["table", "tiny.yaml", "-f", "csv"],
    "list": ["list", "tiny.yaml", "--columns", "name,energy", "-f", "csv"],
    "compare": ["compare", "tiny.yaml", "lenet5", "--columns", "energy", "--sort", "energy"],
    "compare csv": ["compare", "tiny.yaml", "lenet5", "-f", "csv"],
    "compare json": ["compare", "tiny.yaml", "lenet5", "-f", "json"],
    "compare help": ["compare", "--help"],
    "explain": ["explain", "tiny.yaml", "first"],
    "explain all": ["explain", "tiny.yaml", "-f", "json"],
    "reproduce": ["reproduce", "tiny.yaml", "-f", "json"],
    "schema": ["schema"],
    "report": ["report", "tiny.yaml", "-o", "study.md"],
}  # fmt: skip


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with one more figure, in one of its files."""
    home = tmp_path_factory.mktemp("grown")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "archcalc", home / "archcalc", ignore=ignored)
    shutil.copytree(ROOT / "docs", home / "docs", ignore=ignored)
    (home / "specs").mkdir()
    shutil.copy(ROOT / "specs" / "lenet5.yaml", home / "specs")
    (home / "tiny.yaml").write_text(SPEC, encoding="utf-8")
    path = home / "archcalc" / "analysis" / "figures.py"
    before, tensors, after = path.read_text(encoding="utf-8").partition("TENSORS = (\n")
    first, counts, more = before.partition("# What the layers have and do.\n")
    path.write_text(
        first + EQUATION.lstrip("\n") + counts + more + tensors + ENERGY.lstrip("\n") + after,
        encoding="utf-8",
    )
    return home


def ran(home: Path, *arguments: str) -> str:
    """What a new process prints that imports the copy."""
    paths = os.pathsep.join([str(home), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, *arguments], cwd=home, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": paths},
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def said(grown: Path) -> dict[str, str]:
    """What the commands say that know of the figure."""
    told = json.loads(ran(grown, "-c", SCRIPT, json.dumps(list(ASKED.values()))))
    assert all((code, err) == (0, "") for code, _, err in told), told
    return {name: out for name, (_, out, _) in zip(ASKED, told, strict=True)}


def test_tables_have_a_new_figure(said: dict[str, str]) -> None:
    assert re.search(rf"^first +{4 * FIRST:,}$", said["table"], re.MULTILINE)
    assert re.search(rf"^total +{4 * (FIRST + SECOND):,}$", said["table"], re.MULTILINE)
    assert "3.74 MJ" in said["rounded"].replace("\n", " ")
    assert "Joules" in said["declared"]
    assert said["ranked"].splitlines()[1].startswith("first,")


def test_records_have_a_new_figure(said: dict[str, str]) -> None:
    document = json.loads(said["json"])
    assert [row["energy"] for row in document["layers"]] == [4 * FIRST, 4 * SECOND]
    assert document["totals"]["energy"] == 4 * (FIRST + SECOND)
    [first, _] = csv.DictReader(io.StringIO(said["csv"]))
    assert first["energy"] == str(4 * FIRST)
    assert said["list"] == f"name,energy\ntiny,{4 * (FIRST + SECOND)}\n"


def test_networks_are_compared_by_a_new_figure(said: dict[str, str]) -> None:
    tiny, lenet = csv.DictReader(io.StringIO(said["compare csv"]))
    ratio = int(lenet["energy"]) / int(tiny["energy"])
    assert float(lenet["energy_ratio"]) == ratio
    found = json.loads(said["compare json"])["networks"]
    assert found[1]["ratios"]["energy"] == ratio
    assert re.search(r"^tiny +\*3\.74 KJ", said["compare"], re.MULTILINE)
    assert "more energy than tiny" in said["compare"]
    assert "energy" in said["compare help"]


def test_a_new_figure_is_explained(said: dict[str, str]) -> None:
    assert f"4*mult_adds = 4*{FIRST} = {4 * FIRST:,}" in said["explain"]
    whole = json.loads(said["explain all"])["layers"][-1]
    [derived] = [one for one in whole["derivations"] if one["quantity"] == "energy"]
    assert derived["formula"] == "first + second"
    assert derived["expression"] == f"{4 * FIRST} + {4 * SECOND}"
    assert derived["value"] == 4 * (FIRST + SECOND)


def test_papers_may_print_a_new_figure(said: dict[str, str]) -> None:
    import yaml

    [verdict] = json.loads(said["reproduce"])["figures"]
    assert (verdict["figure"], verdict["verdict"]) == ("energy", "match")
    allowed = Draft202012Validator(json.loads(said["schema"]))
    assert allowed.is_valid(yaml.safe_load(SPEC))
    assert not allowed.is_valid(yaml.safe_load(SPEC.replace("energy: 3", "enrgy: 3")))


def test_the_report_and_the_pages_have_a_new_figure(said: dict[str, str], grown: Path) -> None:
    assert said["report"] == ""
    summary = (grown / "study.md").read_text(encoding="utf-8").partition("##")[0]
    assert "| Energy |" in summary
    ran(grown, "docs/figures.py")
    pages = {name: (grown / "docs" / name).read_text("utf-8") for name in DOCS}
    row = "| `energy` | Energy | J | joules, at 4 for each Mult-Add, for the whole batch |"
    assert row in pages["formats.md"]
    assert pages["formats.md"].count("| `energy` |") == 2
    assert pages["counting.md"].count("| `energy` |") == 1


# The figures that there are.

DOCS = {"formats.md": "formats", "counting.md": "counting"}


@pytest.mark.parametrize("page", DOCS)
def test_the_rows_of_figures_in_the_pages_are_current(page: str) -> None:
    spec = importlib.util.spec_from_file_location("figures_page", ROOT / "docs" / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert getattr(module, DOCS[page])(text) == text, "run python docs/figures.py"


def test_a_figure_says_how_a_block_has_it() -> None:
    analysis = archcalc.analyze("googlenet", batch=2)
    rows = [row for row in analysis.blocks if row.name == "inception_3a"]
    layers = {row.name: row for row in analysis.layers if row.name.startswith("inception_3a/")}
    for one in FIGURES.values():
        parts = [one.get(row) for row in layers.values()]
        if one.total in ("sum", "most"):
            assert one.get(rows[0]) == (sum(parts) if one.total == "sum" else max(parts)), one.key
        else:
            assert one.total in ("path", "ratio")
        assert one.derived is None or one.derived(rows[0]).number == one.get(rows[0])
        assert one.share is None or sum(map(one.share_of, analysis.layers)) == pytest.approx(1)


def test_each_key_is_one_figures() -> None:
    assert len(set(COLUMN_KEYS)) == len(COLUMN_KEYS)
    assert len(set(PUBLISHED)) == len(PUBLISHED)
    assert set(COMPARED) <= set(FIGURES)
    assert all(one.total == "sum" for one in SUMMED)


# Formats.

RUN = {
    "network": "lenet5", "input": [1, 32, 32], "batch": 1, "runs": 9, "median": 0.002,
    "low": 0.001, "high": 0.003,
    "machine": {
        "name": "a CPU", "device": "cpu", "torch": "2.4", "cuda": "", "threads": 4,
        "dtype": "float32", "channels_last": False, "compiled": False, "date": "2026-01-01",
    },
}  # fmt: skip
COMMANDS = {
    "table": ["table", "lenet5"],
    "list": ["list", "lenet5", "alexnet"],
    "explain": ["explain", "lenet5", "C3"],
    "reproduce": ["reproduce", "lenet5"],
    "paths": ["paths", "resnet20"],
    "memory": ["memory", "lenet5"],
    "compare": ["compare", "lenet5", "alexnet"],
    "runs": ["runs", "runs.json"],
    "verify": ["verify", "lenet5"],
    "reconcile": ["reconcile", "lenet5", "--tool", "torch"],
    "profile": ["profile", "lenet5", "--no-layers", "--budget", "0.1"],
    "report": ["report", "lenet5"],
}


def toml(document: Mapping[str, Any]) -> Iterator[str]:
    """The keys at the top, for a start."""
    yield from (f"{key} = ...\n" for key in document)


def tabs(records: Iterable[Mapping[str, Any]], heads: Iterable[str]) -> Iterator[str]:
    """A line for each record."""
    yield "\t".join(heads) + "\n"
    yield from ("\t".join(map(str, record.values())) + "\n" for record in records)


def lists(table: Table, exact: bool) -> Iterator[str]:
    """A line for each row."""
    yield f"{table.title} {exact}\n"
    yield from (f"- {line.name}\n" for line in table.lines)


TOYS = [
    Format("toml", (".toml",), "document", toml),
    Format("tabs", (".tsv",), "records", tabs),
    Format("lists", (".lst",), "tables", lists),
]


@pytest.fixture(params=TOYS, ids=lambda one: one.name)
def toy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Format:
    """A format that is registered, which is all that is done for it."""
    monkeypatch.setitem(FORMATS, request.param.name, request.param)
    return request.param  # type: ignore[no-any-return]


def takers(form: Format) -> set[str]:
    """The commands that have what a format takes."""
    without = {"document": {"report"}, "records": {"explain"}, "tables": {"explain", "report"}}
    return set(COMMANDS) - without[form.takes]


SLOW = ("reproduce", "compare", "verify", "reconcile", "profile")  # they read all specs, or measure


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in SLOW])
def test_a_new_format_writes_what_every_command_has(
    command: str, toy: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs.json").write_text(json.dumps({"runs": [RUN]}), encoding="utf-8")
    written_as_asked(command, toy)


@pytest.mark.slow
@pytest.mark.parametrize("command", SLOW)
def test_a_new_format_writes_what_slow_commands_have(
    command: str, toy: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written_as_asked(command, toy)


def written_as_asked(command: str, form: Format) -> None:
    """A file by its suffix, and the same by the format's name where there is an option for it."""
    asked, path = COMMANDS[command], f"out{form.suffixes[0]}"
    if command not in takers(form):
        assert f"received '{form.suffixes[0]}'" in bad(*asked, "-o", path)
        return
    assert good(*asked, "-o", path) == ""
    text = Path(path).read_text(encoding="utf-8")
    assert text
    if form.takes == "document":
        assert text.startswith("schema_version = ...\n")
    if command not in ("report", "profile"):
        assert good(*asked, "-f", form.name) == text


def test_suffixes_and_names_are_registered_once() -> None:
    every = [suffix for one in FORMATS.values() for suffix in one.suffixes]
    assert len(set(every)) == len(every)
    assert list(FORMATS) == [one.name for one in FORMATS.values()]
    for one in FORMATS.values():
        for writer in (one.write, one.explanation, one.study, one.show):
            assert writer is None or callable(formats.function(writer))


def asks(path: Path) -> bool:
    """Whether a file compares something with the name of a format."""
    compared = (
        part
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for part in ast.walk(node)
    )
    return any(isinstance(part, ast.Constant) and part.value in NAMES for part in compared)


NAMES = tuple(FORMATS)


def test_nobody_asks_which_format_was_chosen(tmp_path: Path) -> None:
    assert not list(filter(asks, (ROOT / "archcalc").rglob("*.py")))
    (tmp_path / "old.py").write_text("alone = chosen in ('csv', 'json')\n", encoding="utf-8")
    assert asks(tmp_path / "old.py")
