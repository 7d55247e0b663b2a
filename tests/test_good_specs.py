"""Small networks, one for each thing the language can do: tests/cases/good.

The comments at a file's start say what must come of it, in the order of the network:

    # network: NAME                 the following are of this variant
    # set: {SETTING: VALUE, ...}    and these settings
    # layer: FULL NAME = SHAPE      several shapes where a layer has several outputs
    # shares: FULL NAME = FULL NAME whose parameters a layer uses (all such layers)
    # applied: FULL NAME = SHAPE    what comes out of a part applied several times (all such parts)
    # output: NAME                  (auxiliary) behind it, where it is (all outputs)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from archcalc.ops import spelled
from archcalc.spec import library, reader
from archcalc.spec.expansion import expand

if TYPE_CHECKING:
    from archcalc.graph import Graph

CASES = sorted((Path(__file__).parent / "cases" / "good").glob("*.yaml"))


class Section(NamedTuple):
    """What is expected at one variant and its settings."""

    network: str
    settings: dict[str, Any]
    layers: list[str]
    shares: list[str]
    applied: list[str]
    outputs: list[str]


def sections(path: Path) -> list[Section]:
    found: list[Section] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.removeprefix("# ").partition(": ")
        if not line.startswith("#"):
            break
        if word == "network" or not found:
            found.append(Section(rest if word == "network" else "", {}, [], [], [], []))
        if word == "set":
            if found[-1].layers:
                found.append(Section(found[-1].network, {}, [], [], [], []))
            found[-1].settings.update(values(rest))
        for kind in ("layer", "shares", "applied", "output"):
            if word == kind:
                getattr(found[-1], {"layer": "layers", "output": "outputs"}.get(kind, kind)).append(
                    rest
                )
    return [section for section in found if section.layers]


def values(text: str) -> dict[str, Any]:
    """Settings written as a YAML mapping."""
    root = reader.read(text, "settings")
    return {key: plain(node) for key, (_, node) in root.entries.items()}


def plain(node: Any) -> Any:
    return [plain(item) for item in node.items] if hasattr(node, "items") else node.value


def layers(graph: Graph) -> list[str]:
    return [f"{node.path} = {', '.join(map(spelled, node.facts.outputs))}" for node in graph.layers]


def outputs(graph: Graph) -> list[str]:
    return [f"{o.name} (auxiliary)" if o.auxiliary else o.name for o in graph.outputs]


def shares(graph: Graph) -> list[str]:
    return [f"{n.path} = {n.shared_with.path}" for n in graph.layers if n.shared_with]


def applied(graph: Graph) -> list[str]:
    parts = [scope for scope in graph.root.walk() if scope.applications is not None]
    return [f"{part.path} = {spelled(part.exit.shape if part.exit else ())}" for part in parts]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_good_spec(path: Path) -> None:
    for section in sections(path):
        spec = library.find(f"{path}#{section.network}".rstrip("#"))
        graph = expand(spec, section.settings)
        assert layers(graph) == section.layers
        assert shares(graph) == section.shares
        assert applied(graph) == section.applied
        if section.outputs:
            assert outputs(graph) == section.outputs


def test_every_file_expects_something() -> None:
    assert len(CASES) >= 19
    for path in CASES:
        assert sections(path), path
    assert sum(len(sections(path)) for path in CASES) >= 24


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_layers_and_scopes_agree(path: Path) -> None:
    """Every layer stands in the tree of scopes once, in the order of the network."""
    spec = library.variants(library.read(str(path)))[0]
    graph = expand(spec)
    assert list(graph.root.nodes()) == graph.layers
    names = [node.path for node in graph.layers]
    assert len(set(names)) == len(names)
    for scope in graph.root.walk():
        assert scope.exit is not None
        assert scope.entry is not None


def test_override_of_the_input() -> None:
    path = next(path for path in CASES if path.stem == "incoming_shape")
    graph = expand(library.find(str(path)), input=(5, 4, 6))
    assert layers(graph)[:2] == ["conv1 = 10x4x6", "conv2 = 4x4x6"]


def test_expansion_leaves_the_spec_as_it_was() -> None:
    path = next(path for path in CASES if path.stem == "settings")
    spec = library.find(str(path))
    before = layers(expand(spec))
    expand(spec, {"norm": False})
    assert layers(expand(spec)) == before
