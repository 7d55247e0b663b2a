"""Specs made to hang archcalc or to fill its memory: refused soon, with one clear message.

Those that can be written down are in tests/cases/bad; these are long.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest

from archcalc.errors import ArchcalcError, SpecErrors
from archcalc.spec import expansion
from archcalc.spec.expansion import expand
from archcalc.spec.library import parse

SETTINGS = "settings: {n: 1000, one: 1}\ninput: [3, 8, 8]\n"


def chain(count: int, entry: str, arguments: str = "") -> str:
    """Blocks b0 ... of which each holds the next, in `entry` where %s stands."""
    lines = [f"  b{i}: {{{arguments}layers: [{entry % f'b{i + 1}'}]}}" for i in range(count)]
    end = f"  b{count}: {{{arguments}layers: [relu]}}"
    return "\n".join([SETTINGS + "blocks:", *lines, end])


def wrapped(entry: str, around: str, times: int) -> str:
    for _ in range(times):
        entry = around % entry
    return entry


def repeated(entry: str, blocks: str = "", times: int = 50_000) -> str:
    text = SETTINGS + (f"blocks: {{{blocks}}}\n" if blocks else "")
    return text + f"layers:\n  - repeat: {{times: {times}, index: i, layers: [{entry}]}}\n"


JOIN, WHEN = "add: {a: [%s], b: [relu]}", "when: {condition: channels > 0, layers: [%s]}"
DEEP = "inside each other"
STEPS = "expected loops, blocks and expressions of at most 2,000,000 steps, received more"
MANY = ", ".join(f"x{i}: 1" for i in range(200))

HOSTILE = {
    "a chain of blocks": (chain(400, "%s") + "\nlayers: [b0]", DEEP),
    "conditions in blocks": (chain(40, wrapped("%s", WHEN, 20)) + "\nlayers: [b0]", DEEP),
    "joins in blocks": (chain(40, wrapped("%s", JOIN, 20)) + "\nlayers: [b0]", DEEP),
    "lists in arguments": (
        chain(40, "%s: {x: '[[[[x]]]]'}", "arguments: {x: required}, ") + "\nlayers: [b0: {x: 1}]",
        DEEP,
    ),
    "lists that double": (
        chain(40, "%s: {x: '[x, x]'}", "arguments: {x: required}, ") + "\nlayers: [b0: {x: 1}]",
        "at most 1,000 items in a list",
    ),
    "long names in blocks": (
        chain(9, "%s: {name: " + "x" * 190 + "}") + "\nlayers: [b0]",
        "at most 500 characters in a layer's full name",
    ),
    "long labels": (repeated("relu: {label: '" + "{n}" * 60 + "'}"), "at most 200 characters"),
    "sums of ranges": (
        repeated("relu: {when: '" + " + ".join(["sum(range(n))"] * 20) + " > 0'}"),
        STEPS,
    ),
    "long expressions": (repeated("relu: {when: '" + " + ".join(["one"] * 80) + " > 0'}"), STEPS),
    "lists as arguments": (
        repeated("unit: {x: range(n)}", "unit: {arguments: {x: 1}, layers: [relu]}"),
        STEPS,
    ),
    "many arguments": (repeated("unit", f"unit: {{arguments: {{{MANY}}}, layers: [relu]}}"), STEPS),
    "loops of nothing": (
        repeated(
            "unit: {x: n}", "unit: {arguments: {x: 1}, layers: [repeat: {times: x, layers: []}]}"
        ),
        STEPS,
    ),
    "searches in lists": (
        repeated(
            "unit: {x: range(n)}", "unit: {arguments: {x: 1}, layers: [relu: {when: -1 in x}]}"
        ),
        STEPS,
    ),
    "many outputs": (
        repeated("slice: {stop: 1}, pad: {channels: [[0, 999]]}, split: {parts: 1000}"),
        STEPS,
    ),
    "many inputs": (repeated("add: {from: [" + "input, " * 999 + "input]}"), STEPS),
    "growing channels": (
        repeated("concat: {a: [], b: []}"),
        "expected output sizes of at most 1000000000000000, received",
    ),
    "many settings": (
        f"settings: {{{MANY}, y: 1}}\ninput: [3]\nlayers: [relu]",
        "at most 200 settings",
    ),
    "many layers written": ("input: [3]\nlayers:\n" + "- relu\n" * 200_001, "at most 200,000"),
    "many errors": ("input: [3]\nlayers:\n" + "- rellu\n" * 200_001, "received 'rellu'"),
    "many holes": ("input: [3]\nlayers:\n- relu: {name: '" + "{1}" * 300_000 + "'}", "200 char"),
    "a long word": ("input: [3]\nlayers:\n- " + "x" * 10**6, "xxx...'"),
    "a long number": ("input: [3]\nlayers:\n- linear: {out: " + "9" * 10**6 + "}", "at most 500"),
}


@pytest.fixture(autouse=True)
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the steps, in a tenth of the time; 50,000 plain layers in a loop are allowed."""
    monkeypatch.setattr(expansion, "MOST_STEPS", expansion.MOST_STEPS // 10)


def refusal(text: str) -> ArchcalcError:
    with pytest.raises(ArchcalcError) as caught:
        expand(parse(text, "hostile.yaml"))
    return caught.value


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_spec_is_refused_soon(name: str) -> None:
    text, message = HOSTILE[name]
    start = time.perf_counter()
    error = refusal(text)
    assert time.perf_counter() - start < 10
    first = error.errors[0] if isinstance(error, SpecErrors) else error
    assert message in str(first)
    assert "expected" in str(first)
    assert "received" in str(first)
    assert first.place is not None
    assert len(str(error)) < 20_000


@pytest.mark.parametrize("name", ["lists as arguments", "many arguments", "many outputs"])
def test_hostile_spec_takes_little_memory(name: str) -> None:
    tracemalloc.start()
    refusal(HOSTILE[name][0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_a_hundred_thousand_layers_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    text = repeated("conv: {out: 'max(channels, 4)', kernel: 1}", times=100_000)
    graph = expand(parse(text, "long.yaml"))
    assert len(graph.layers) == 100_000
    assert graph.layers[-1].path == "conv100000"


def test_plain_layers_take_few_steps() -> None:
    """What the steps refuse above is no plain layer in a loop."""
    block = "unit: {arguments: {x: 1}, layers: [relu: {when: x == 1}]}"
    for text in (repeated("relu"), repeated("unit", block, 25_000)):
        assert len(expand(parse(text, "plain.yaml")).layers) >= 25_000


def test_sixty_levels_are_allowed() -> None:
    text = chain(57, "%s") + "\nlayers: [b0]"
    assert expand(parse(text, "deep.yaml")).layers[0].path.count("/") == 58
    text = "input: [3]\nlayers: [" + wrapped("relu", JOIN, 20) + "]"
    assert len(expand(parse(text, "deep.yaml")).layers) == 41


def test_the_deepest_expression_in_the_deepest_block() -> None:
    """Recursion ends well before Python's own limit."""
    deep = wrapped("relu: {when: '" + "+".join(["1"] * 240) + " > channels'}", JOIN, 20)
    text = chain(35, "%s").replace("layers: [relu]", f"layers: [{deep}]") + "\nlayers: [b0]"
    assert len(expand(parse(text, "deep.yaml")).layers) == 41
