"""Inputs that may be meant in another layout: taken as they stand, with a note that asks."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pytest
from command import run

import archcalc
from archcalc.errors import InputWarning
from archcalc.graph import layout_note
from archcalc.spec import library

ROOT = Path(__file__).parents[1]

BATCH_FIRST = """
input: [1, 3, 224, 224]
layers:
  - conv: {out: 64, kernel: 3, padding: 1}
"""
TAKEN = (
    "input 1x3x224x224 is taken as 1 channel of 3x224x224; archcalc's shapes are without the "
    "batch, channels first: if this one has the batch first, it should be 3x224x224"
)
CHANNELS_LAST = (
    "input 224x224x3 is taken as 224 channels of 224x3; archcalc's shapes are without the batch, "
    "channels first: if this one has its channels last, it should be 3x224x224"
)


@pytest.mark.parametrize(
    ("shape", "likely"),
    [
        ((224, 224, 3), "3x224x224"),
        ((16, 20, 1), "1x16x20"),
        ((20, 16, 4), "4x20x16"),
        ((1, 3, 224, 224), "3x224x224"),
        ((1, 1, 5, 7), "1x5x7"),
        ((1, 4, 2, 2), "4x2x2"),
    ],
)
def test_a_shape_that_may_be_meant_in_another_layout(shape: tuple[int, ...], likely: str) -> None:
    note = layout_note(shape)
    assert note
    assert note.endswith(f"it should be {likely}")


@pytest.mark.parametrize(
    "shape",
    [
        (3, 224, 224), (15, 224, 3), (224, 15, 3), (224, 224, 2), (224, 224, 5), (224, 224),
        (224, 3), (3,), (1, 2, 224, 224), (2, 3, 224, 224), (3, 1, 224, 224), (1, 16, 112, 112),
        (1, 1, 3, 224, 224), (224, 224, 3, 1),
    ],
)  # fmt: skip
def test_other_shapes_are_no_question(shape: tuple[int, ...]) -> None:
    assert layout_note(shape) is None


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "batch.yaml"
    file.write_text(BATCH_FIRST)
    return str(file)


@pytest.mark.parametrize(
    "command",
    ["table", "explain", "memory", "paths", "validate", "report", "compare", "build", "verify"],
)
def test_every_command_notes_it_once_and_goes_on(command: str, path: str) -> None:
    """Not in the output, and with the place at which the spec says it."""
    output = {"build": "network.pt", "report": "report.csv"}.get(command)
    more = ("-o", str(Path(path).with_name(output))) if output else ()
    networks = (path, "lenet5") if command == "compare" else (path,)
    ran = run(command, *networks, *more)
    assert (ran.code, ran.err) == (0, f"note: {path}:2:8: {TAKEN}\n")
    assert bool(ran.out) != bool(output)
    assert "taken as" not in ran.out


def test_a_list_notes_it_for_the_networks_in_a_directory(path: str) -> None:
    ran = run("list", "batch", "--specs", str(Path(path).parent))
    assert (ran.code, ran.err) == (0, f"note: {path}:2:8: {TAKEN}\n")


def test_the_option_is_noted_without_a_place() -> None:
    ran = run("table", "mobilenet", "-i", "224x224x3", "-f", "json")
    assert (ran.code, ran.err) == (0, f"note: {CHANNELS_LAST}\n")
    assert json.loads(ran.out)["layers"][0]["input"] == [224, 224, 3]


def test_filters_of_warnings_do_not_matter_to_the_command(path: str) -> None:
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)  # type: ignore[arg-type]
            assert run("validate", path).err == f"note: {path}:2:8: {TAKEN}\n"


def test_other_warnings_of_a_command_are_shown_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def complain(*_: object) -> None:
        warnings.warn("something else", UserWarning, stacklevel=1)

    monkeypatch.setattr("archcalc.cli._run", complain)
    with pytest.warns(UserWarning, match="something else"):
        run("schema")


def test_python_warns_whoever_gave_the_shape(path: str) -> None:
    """At the caller's own line, and what is returned is as ever."""
    with pytest.warns(InputWarning, match=re.escape(CHANNELS_LAST)) as caught:
        analysis = archcalc.analyze("mobilenet", input=(224, 224, 3))
    assert analysis.graph.input.facts.outputs == ((224, 224, 3),)
    assert [one.filename for one in caught] == [__file__]
    with pytest.warns(InputWarning, match=re.escape(f"{path}:2:8: {TAKEN}")) as caught:
        archcalc.memory(path)
    assert [one.filename for one in caught] == [__file__]
    with pytest.warns(InputWarning) as caught:
        archcalc.GraphBuilder("mine").input((1, 3, 224, 224))
    assert [one.filename for one in caught] == [__file__]


def test_no_shipped_network_is_noted() -> None:
    for spec in library.networks():
        graph = archcalc.expand(spec)  # a warning is an error in the tests
        assert layout_note(graph.input.facts.outputs[0]) is None, spec.network


def test_nothing_that_the_documents_and_the_tests_show_is_noted() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("tests/cases/**/*.yaml")]
    shapes = [
        tuple(map(int, re.findall(r"\d+", shape)))
        for page in pages
        for line in page.read_text(encoding="utf-8").splitlines()
        if not line.startswith(("Where it looks", "(`[1", "An input that looks"))
        for shape in re.findall(
            r"input: \[([\d, ]+)\]|(?:--input|-i) (\d+(?:x\d+)+)|input=\(([\d, ]+)\)", line
        )
        for shape in filter(None, shape)
    ]
    assert len(shapes) > 100
    assert [shape for shape in shapes if layout_note(shape)] == []
