"""README: its two commands, its options, its picture. What commands print: tests/test_docs.py."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import commands
from typer.main import get_command

from archcalc.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = commands()


def test_readme_has_the_command_to_start_with():
    first = "```bash\npython -m pip install -c constraints.txt . && archcalc table googlenet\n```\n"
    assert README.count(first) == 1


def test_readme_has_the_test_command_behind_its_marker():
    marked = (
        "\n<!-- test-command -->\n```bash\n"
        "python -m pip install -c constraints.txt -e '.[test]' && python -m pytest\n```\n"
    )
    assert README.count(marked) == 1
    assert README.count("test-command") == 1


def test_readme_names_the_extras_that_there_are():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    assert set(re.findall(r"'\.\[([a-z,]+)\]'", README)) == extras - {"dev"}
    rows = re.findall(r"^\| `'\.\[(\w+)\]'` \|.* (?:MB|GB).* \|$", README, re.MULTILINE)
    assert set(rows) == extras - {"test", "dev", "bench"}
    assert "](https://pytorch.org/get-started/locally/)" in README


def test_every_command_is_in_the_table_of_commands():
    rows = re.findall(r"^\| `archcalc (\w+)[^`]*` \| \w.* \|$", README, re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown_in_use(command):
    assert re.search(rf"^(\$ |.*`)archcalc {command} \S", README, re.MULTILINE)


def options(command):
    """A command's options: the long name, and the short ones."""
    for parameter in command.params:
        long = [name for name in parameter.opts if name.startswith("--")]
        short = [name for name in parameter.opts if re.fullmatch("-[a-z]", name)]
        yield from ((name, tuple(short)) for name in long)


def documented_options():
    """The table of options: (long, short) names with the commands that take them."""
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \| .* \|$", README, re.MULTILINE)
    for names, of in rows:
        long, *short = re.findall(r"(?<![a-z])-+[a-z]+(?:-[a-z]+)*", names)
        yield (long, tuple(short)), of.split(", ")


def test_every_option_is_documented_with_the_commands_that_take_it():
    taken = {}
    for name, command in COMMANDS.items():
        for option in options(command):
            taken.setdefault(option, set()).add(name)
    documented = {option: set(of) for option, of in documented_options()}
    assert documented.pop(("--help", ("-h",))) == {"all"}
    assert documented == taken


def test_options_of_archcalc_itself_are_documented():
    for option, _ in options(get_command(app)):
        assert f"`archcalc {option}`" in README


# The picture.


@pytest.fixture(scope="module")
def picture():
    """docs/picture.py as a module."""
    spec = importlib.util.spec_from_file_location("picture", ROOT / "docs" / "picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(picture):
    return picture.draw()


def test_the_picture_is_shown():
    assert README.count("](docs/table.svg)") == 1
    assert "`archcalc table googlenet --depth 1`" in README.partition("](docs/table.svg)")[0]


def test_the_picture_is_current():
    check = [sys.executable, str(ROOT / "docs" / "picture.py"), "--check"]
    done = subprocess.run(check, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_picture_shows_what_the_command_prints(picture, drawn):
    command = [sys.executable, "-m", "archcalc", "table", "googlenet", "--depth", "1"]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1", "COLUMNS": str(picture.WIDTH)}
    printed = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=True
    ).stdout
    lines = ["".join(line.split()) for line in printed.splitlines() if line]
    assert picture.shown(drawn) == ["$archcalctablegooglenet--depth1", *lines]


def test_the_picture_is_drawn_the_same_again_and_loads_nothing(picture, drawn, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    assert picture.draw() == drawn
    assert "@font-face" not in drawn
    assert set(re.findall(r"https?://[^\s\"<]*", drawn)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }


@pytest.mark.parametrize("old", ["22.7%", "inception_3a", "118&#160;M"])
def test_another_text_is_noticed(picture, drawn, old):
    assert old in drawn
    assert picture.shown(drawn.replace(old, "other")) != picture.shown(drawn)


def test_another_frame_is_not(picture, drawn):
    framed = drawn.replace("archcalc-r1", "rich-r1").replace("&#160;", " ")
    assert picture.shown(framed) == picture.shown(drawn)
