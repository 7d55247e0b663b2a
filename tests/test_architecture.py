"""The house's promises: rooms call downstairs only, heavy libraries stay where they are used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from archcalc.analysis.figures import COLUMN_KEYS
from archcalc.report.columns import COLUMNS

PACKAGE = Path(__file__).parent.parent / "archcalc"

# Floors from the ground up; a module imports from its own floor and from those below it.
FLOORS = (
    {"errors"},
    {"files", "formula", "machine", "memo", "packages", "values", "vocabulary", "workers"},
    {"words"},
    {"ops"},
    {"graph", "printed"},
    {"spec", "analysis"},
    {"frontends"},
    {"sweep"},
    {"report", "pytorch"},
    {"api"},
    {"cli"},
)
# Whether at the top of a module or inside a function; the room `pytorch` alone may, but that
# `sweep` has NumPy inside functions.
HEAVY = {"torch", "torchvision", "fvcore", "thop", "numpy", "pydantic"}

# Modules that are rooms.
TOP = {
    "errors", "files", "formula", "machine", "memo", "packages", "values", "vocabulary", "words",
    "workers", "graph", "api", "cli",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(
        path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in TOP
    )


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


def runtime_tree(path: Path) -> ast.Module:
    """A file's syntax tree without what stands under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


def floor(name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if name in rooms)


def rooms_called(path: Path) -> set[str]:
    called = set()
    for node in ast.walk(runtime_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            called |= {name.split(".")[1] for name in names if name.startswith("archcalc.")}
    return called & set().union(*FLOORS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_call_downstairs_only(path: Path) -> None:
    own = floor(room(path))
    upstairs = {name for name in rooms_called(path) if floor(name) > own}
    assert not upstairs


def test_only_the_language_and_who_opens_specs_know_of_them() -> None:
    """A graph says about itself what tables need; the card alone, which shows a spec, gets one."""
    rooms = [path for name in ("analysis", "report", "pytorch") for path in _room(name)]
    for path in [PACKAGE / "graph.py", *rooms]:
        assert "spec" not in rooms_called(path), path
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
