"""--help: it fits 80 columns, lists the values that are taken, and says defaults as defaults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import typer
from command import bad, commands, good

from archcalc.analysis.costs import BUILT_DTYPES, DTYPES
from archcalc.analysis.memory import OPTIMIZERS
from archcalc.cli.options import how_long
from archcalc.pytorch import export
from archcalc.report.comparison import BY_KEY
from archcalc.report.counting import COUNTINGS
from archcalc.report.formats import of_explanations, of_reports, of_studies

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = commands()
FORMATS = {"build": export.FORMATS, "explain": of_explanations()}
DTYPES_OF = {"build": BUILT_DTYPES, "profile": BUILT_DTYPES}


def helps(command: str) -> dict[str, str]:
    """The help text of each option, on one line."""
    options = {}
    for parameter in COMMANDS[command].params:
        context = typer.Context(COMMANDS[command])
        name = next((name for name in parameter.opts if name.startswith("--")), None)
        if name is not None:
            options[name] = " ".join(parameter.get_help_record(context)[1].split())
    return options


def listed(text: str) -> set[str]:
    """The values that a help text lists: all between its colon or start and its full stop."""
    values = text.partition(" [")[0].rpartition(": ")[2].partition(".")[0]
    return set(re.split(r", | or ", values))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_eighty_columns(command: str) -> None:
    text = good(*command.split(), "--help", COLUMNS="80")
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"\w\.\.\.$", text, re.MULTILINE)  # no sentence is cut
    assert not re.search(r"if left out|by default|\(default|, too\b", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_formats_that_help_lists_are_those_that_exist(command: str, tmp_path: Path) -> None:
    text = helps(command).get("--format")
    if text is None:
        return
    assert listed(text) == set(FORMATS.get(command, of_reports()))
    assert "[default: the file's" in text
    if command != "runs":  # whose files are read later
        target = ("-o", str(tmp_path / "a.pt")) if command == "build" else ()
        received = bad(command, "lenet5", "-f", "html", *target)
        told = re.search(r"expected one of (.*), received 'html'", received)
        assert told is not None
        assert set(told[1].split(", ")) == listed(text)


def test_formats_are_those_of_the_writers() -> None:
    assert of_reports() == ("terminal", "markdown", "csv", "json", "latex")
    assert of_explanations() == ("terminal", "markdown", "latex", "json")
    assert of_studies() == ("markdown", "csv")
    assert helps("report")["--output"].startswith("FILE.md or FILE.csv.")


@pytest.mark.parametrize("command", [name for name in COMMANDS if "--dtype" in helps(name)])
def test_the_types_that_help_lists_are_those_that_exist(command: str, tmp_path: Path) -> None:
    text = helps(command)["--dtype"]
    assert listed(text) == set(DTYPES_OF.get(command, DTYPES))
    assert text.endswith("[default: float32]")
    target = ("-o", str(tmp_path / "a.md")) if command == "report" else ()
    target = ("-o", str(tmp_path / "a.pt")) if command == "build" else target
    message = bad(command, "lenet5", "--dtype", "float3", *target)
    told = re.search(r"one of (.*), received 'float3'", message)
    assert told is not None
    assert set(told[1].split(", ")) == listed(text)


def test_other_values_that_help_lists() -> None:
    assert listed(helps("memory")["--optimizer"]) == set(OPTIMIZERS)
    assert listed(helps("compare")["--columns"]) == set(BY_KEY)
    ways = helps("table")["--as"].removeprefix("Count Mult-Adds and params as ")
    assert set(re.split(r", | or the ", ways.partition(" does")[0].replace("'", ""))) == set(
        COUNTINGS
    )


def test_defaults_are_those_that_help_states() -> None:
    for command in ("compare", "profile"):
        texts = helps(command)
        stated = [texts[name].partition("[default: ")[2] for name in ("--precision", "--budget")]
        share, seconds, passes = how_long(None, None, None)
        assert [float(text.rstrip("]")) for text in stated] == [100 * share, seconds]
        assert f"[default: {passes}," in texts["--warmup"]
    for name, command in COMMANDS.items():
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.default not in (None, False):
                shown = helps(name).get(parameter.opts[0]) or helps(name)[parameter.opts[-1]]
                assert "[default: " in shown or "[required]" in shown, (name, parameter.opts)


@pytest.mark.parametrize("command", ["table", "report", "build"])
@pytest.mark.parametrize("name", ["a", ".csv", "a.", "folder.csv/a"])
def test_a_name_without_a_suffix_quotes_no_word_that_nobody_typed(
    tmp_path: Path, command: str, name: str
) -> None:
    message = bad(command, "lenet5", "-o", str(tmp_path / name))
    assert "expected a file name that ends in " in message
    quoted = re.findall(r"'([^']*)'", message)
    assert all(word in str(tmp_path / name) for word in quoted), message
    assert not list(tmp_path.iterdir())
