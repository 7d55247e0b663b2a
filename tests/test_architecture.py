"""The house's promises: rooms call downstairs only, heavy libraries stay where they are used."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from archcalc.analysis.figures import COLUMN_KEYS
from archcalc.report.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping

PACKAGE = Path(__file__).parent.parent / "archcalc"

# Floors from the ground up; a module imports from its own floor and from those below it.
FLOORS = (
    {"errors"},
    {"files", "formula", "machine", "memo", "packages", "values", "vocabulary", "workers"},
    {"words"},
    {"ops"},
    {"graph"},
    {"analysis"},
    {"spec"},
    {"frontends"},
    {"published"},
    {"sweep"},
    {"pytorch"},
    {"report"},
    {"api"},
    {"cli"},
)
# Whether at the top of a module or inside a function; the room `pytorch` alone may, but that
# `sweep` has NumPy inside functions.
HEAVY = {"torch", "torchvision", "fvcore", "thop", "numpy", "pydantic"}

# The front door, which names what is inside, and what starts the command line.
DOORS = {PACKAGE / "__init__.py", PACKAGE / "__main__.py"}


def modules() -> list[Path]:
    return sorted(set(PACKAGE.rglob("*.py")) - DOORS)


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, those inside functions and for types only included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def floor(name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if name in rooms)


def rooms_called(path: Path) -> set[str]:
    """The rooms that a file imports from, for annotations too: a word of them is a call."""
    called = {name.split(".")[1] for name in imported(path) if name.startswith("archcalc.")}
    return called & set().union(*FLOORS)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def calls() -> dict[str, set[str]]:
    """For every module of the package those that it imports: at the top, inside functions, for
    annotations."""
    paths = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    return {name: called_by(name, path, paths) for name, path in paths.items()}


def called_by(name: str, path: Path, known: Container[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in known else node.module for one in names}
    return {one for one in found if one in known and one != name}


def circle(called: Mapping[str, Collection[str]]) -> list[str]:
    """Modules that call each other in a circle, the first again at the end; empty if none do."""
    finished: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name not in finished:
            for other in sorted(called[name]):
                if found := follow(other, [*way, name]):
                    return found
        finished.add(name)
        return []

    return next((found for name in sorted(called) if (found := follow(name, []))), [])


def test_no_modules_call_each_other_in_a_circle() -> None:
    assert circle(calls()) == []


def test_a_circle_would_be_found() -> None:
    assert circle({"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}) == ["b", "d", "b"]
    text = "if TYPE_CHECKING:\n    from archcalc.analysis.rows import Row\n"
    text += "def f(): from archcalc import files\n"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "new.py"
        path.write_text(text, encoding="utf-8")
        known = {"archcalc.files", "archcalc.analysis.rows"}
        assert called_by("archcalc.new", path, known) == known


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_call_downstairs_only(path: Path) -> None:
    own = floor(room(path))
    upstairs = {name for name in rooms_called(path) if floor(name) > own}
    assert not upstairs


def test_only_the_language_and_who_opens_specs_know_of_them() -> None:
    """A graph says about itself what tables need; the card alone, which shows a spec, gets one."""
    rooms = [path for name in ("analysis", "report", "pytorch") for path in _room(name)]
    for path in [PACKAGE / "graph.py", *rooms]:
        assert "spec" not in rooms_called(path) or path.name == "card.py", path
        assert not re.search(r"\b(analysis|one|row)\.spec\b", path.read_text("utf-8")), path


def _room(name: str) -> list[Path]:
    return sorted((PACKAGE / name).rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_heavy_imports(path: Path) -> None:
    found = {name.split(".")[0] for name in imported(path)} & HEAVY
    allowed = {"pytorch": HEAVY, "sweep": {"numpy"}}
    assert found <= allowed.get(room(path), set())


def test_declared_tables_know_every_column() -> None:
    assert tuple(COLUMNS) == COLUMN_KEYS
