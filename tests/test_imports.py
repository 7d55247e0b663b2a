"""What a command imports: nothing heavy. Each question is asked of a fresh process."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import archcalc

HEAVY = {"torch", "pandas", "numpy", "fvcore", "thop", "ptflops", "torchinfo", "pydantic"}

RUN = """
import sys
from archcalc.cli import main
sys.argv = {arguments!r}
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
"""


def imported(program: str) -> set[str]:
    """The modules that a program leaves imported, packages' inner ones included."""
    asked = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", program + asked],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return set(json.loads(ran.stderr.splitlines()[-1]))


def imported_by(*arguments: str) -> set[str]:
    return imported(RUN.format(arguments=["archcalc", *arguments]))


def rooms(modules: set[str], room: str) -> set[str]:
    return {name for name in modules if name == room or name.startswith(f"{room}.")}


COMMANDS = [
    ["table", "googlenet"],
    ["table", "googlenet", "-f", "csv"],
    ["table", "googlenet", "-f", "json"],
    ["table", "googlenet", "-f", "latex"],
    ["table", "googlenet", "--as", "fvcore"],
    ["table", "mobilenet", "--as", "paper"],
    ["table", "lenet5", "-c", "name,live_bytes,saved_bytes"],
    ["explain", "googlenet", "conv1"],
    ["compare", "vgg16", "mobilenet"],
    ["memory", "lenet5", "resnet50"],
    ["reproduce", "lenet5"],
    ["paths", "resnet20"],
    ["list"],
    ["show", "resnet50"],
    ["schema"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_import_nothing_heavy(arguments: list[str]) -> None:
    modules = imported_by(*arguments)
    assert not modules & HEAVY
    assert not rooms(modules, "archcalc.sweep")
    assert "archcalc.analysis.analysis" in modules or arguments[0] in ("show", "schema")


def test_other_commands_are_not_imported() -> None:
    assert not rooms(imported_by("table", "lenet5"), "archcalc.cli.built")
    assert not rooms(imported_by("runs", "--help"), "archcalc.cli.computed")


def test_rich_is_imported_for_terminals_only() -> None:
    """Its rendering costs more than all the rest; what goes into a pipe has no styles."""
    assert not rooms(imported_by("table", "googlenet"), "rich")


def test_the_question_can_be_answered_otherwise() -> None:
    """Else the tests above would say nothing."""
    assert imported(RUN.format(arguments=["archcalc", "--version"]) + "import pandas") & HEAVY
    forced = "import os\nos.environ['FORCE_COLOR'] = '1'\n"
    arguments = ["archcalc", "table", "lenet5"]
    assert "rich.console" in imported(forced + RUN.format(arguments=arguments))


def every_module() -> list[str]:
    found = pkgutil.walk_packages(archcalc.__path__, "archcalc.")
    return [one.name for one in found if not one.name.endswith("__main__")]


def test_no_module_outside_pytorch_imports_anything_heavy() -> None:
    names = [name for name in every_module() if "archcalc.pytorch" not in name]
    assert len(names) > 30
    modules = imported("\n".join(f"import {name}" for name in names))
    assert set(names) <= modules
    assert "archcalc.pytorch" not in modules
    assert not modules & HEAVY


def test_importing_archcalc_imports_next_to_nothing() -> None:
    assert rooms(imported("import archcalc"), "archcalc") == {"archcalc"}


def test_the_public_names_are_there() -> None:
    for name in archcalc.__all__:
        assert getattr(archcalc, name) is not None
    assert set(archcalc.__all__) <= set(dir(archcalc))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = archcalc.nothing


LIBRARY = """
from archcalc.analysis import Analysis
from archcalc.graph import GraphBuilder, Output
from archcalc.ops import KINDS

builder = GraphBuilder("own")
first = builder.add(KINDS["conv"](out=4, kernel=3, padding=1), [builder.input((3, 8, 8))], "a")
with builder.enter("block", "block", first.tensor()) as scope:
    scope.exit = builder.add(KINDS["relu"](), [first.tensor()], "b").tensor()
analysis = Analysis(builder.finish([Output("out", scope.exit)]))
assert analysis.totals.mult_adds == 8*8*4*27
assert analysis.find("b").receptive_field[0].size == 3
assert (analysis.totals.depth, analysis.label) == (1, "own")
"""


def test_graph_and_analysis_know_nothing_of_yaml() -> None:
    """A graph from elsewhere is analyzed without the spec language, also at run time."""
    modules = imported(LIBRARY)
    assert not rooms(modules, "yaml")
    assert not rooms(modules, "archcalc.spec")
    assert not rooms(modules, "archcalc.report")
    assert not modules & HEAVY
    assert rooms(modules, "archcalc.analysis")


@pytest.mark.parametrize("room", ["ops", "formula", "errors"])
def test_lower_floors_stand_alone(room: str) -> None:
    modules = rooms(imported(f"import archcalc.{room}"), "archcalc")
    upper = ("archcalc.graph", "archcalc.analysis", "archcalc.spec", "archcalc.report")
    assert not [name for name in modules if name.startswith(upper)]
