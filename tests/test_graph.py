"""GraphBuilder guards its own promises: what can't be a graph is refused where it is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import archcalc
from archcalc import KINDS, GraphBuilder, Output
from archcalc.errors import ArchcalcError, GraphError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archcalc.graph import Tensor

RELU = KINDS["relu"]()


class Begun:
    """A builder with an input and a layer `a`, and a tensor of another one."""

    def __init__(self) -> None:
        self.builder = GraphBuilder("begun")
        self.x = self.builder.input((4,))
        self.a = self.builder.add(RELU, [self.x], "a")
        other = GraphBuilder("other")
        self.foreign = other.input((4,))
        self.foreign_node = other.nodes[0]

    def add(self, name: Any, inputs: Any = None, op: Any = RELU, **more: Any) -> Any:
        return self.builder.add(op, [self.x] if inputs is None else inputs, name, **more)

    def block(self, name: str, entry: Tensor | None = None) -> Any:
        with self.builder.enter(name, "kind", entry or self.x) as scope:
            scope.exit = self.add("inside", [entry or self.x]).tensor()
        return scope

    def finish(self, *outputs: Any) -> Any:
        return self.builder.finish(list(outputs))


def again(begun: Begun) -> None:
    entered = begun.builder.enter("block", "kind", begun.x)
    with entered as scope:
        scope.exit = begun.add("inside").tensor()
    with entered:
        begun.add("another")


def again_empty(begun: Begun) -> None:
    """Nothing was added the first time, so that the block looks new."""
    entered = begun.builder.enter("block", "kind", begun.x)
    with entered as scope:
        scope.exit = begun.x
    with entered:
        begun.add("another")


def opened_twice(begun: Begun) -> None:
    """Two blocks of one name, opened before either has a layer."""
    first, second = (begun.builder.enter("block", "kind", begun.x) for _ in range(2))
    with first as scope:
        scope.exit = begun.add("inside").tensor()
    with second:
        begun.add("inside")


def left_with(exit_of: Callable[[Begun], Any]) -> Callable[[Begun], Any]:
    def leave(begun: Begun) -> None:
        with begun.builder.enter("block", "kind", begun.x) as scope:
            begun.add("inside")
            scope.exit = exit_of(begun)

    return leave


def repeated(scope: Callable[[Begun], Any]) -> Callable[[Begun], Any]:
    def repeat(begun: Begun) -> None:
        found = scope(begun)
        with begun.builder.enter("copy", "kind", begun.x):
            begun.builder.repeat(found)

    return repeat


def wider(begun: Begun) -> Any:
    """A block whose entry has another shape."""
    return begun.block("block", begun.add("wide", op=KINDS["linear"](out=5)).tensor())


def outward(begun: Begun) -> Any:
    """A block that takes something besides its entry."""
    with begun.builder.enter("block", "kind", begun.x) as scope:
        scope.exit = begun.add("sum", [begun.x, begun.a.tensor()], KINDS["add"]()).tensor()
    return scope


def without_layers(begun: Begun) -> Any:
    with begun.builder.enter("block", "kind", begun.x) as scope:
        scope.exit = begun.x
    return scope


def finished_inside(begun: Begun) -> None:
    with begun.builder.enter("block", "kind", begun.x):
        begun.finish(Output("a", begun.a.tensor()))


def finished(then: Callable[[Begun], Any]) -> Callable[[Begun], Any]:
    def run(begun: Begun) -> None:
        begun.finish(Output("a", begun.a.tensor()))
        then(begun)

    return run


TAKEN = "name: expected one that is not taken, received "
CHARACTERS = "name: expected one character or more, without / and ., received "
ELSEWHERE = "expected tensors of this builder, received one of another"

REFUSED: dict[str, tuple[Callable[[Begun], Any], str]] = {
    "a layer's name again": (lambda b: b.add("a"), f"{TAKEN}'a'"),
    "a block's name for a layer": (lambda b: (b.block("c"), b.add("c")), f"{TAKEN}'c'"),
    "a layer's name for a block": (lambda b: b.block("a"), f"{TAKEN}'a'"),
    "a block twice": (lambda b: (b.block("c"), b.block("c")), f"{TAKEN}'c'"),
    "the input's name": (lambda b: b.add("input"), f"{TAKEN}'input'"),
    "a path": (lambda b: b.add("a/b"), f"{CHARACTERS}'a/b'"),
    "a port": (lambda b: b.add("a.b"), f"{CHARACTERS}'a.b'"),
    "no characters": (lambda b: b.add(""), f"{CHARACTERS}''"),
    "a block with a path": (lambda b: b.block("a/b"), f"{CHARACTERS}'a/b'"),
    "a number for a name": (lambda b: b.add(5), "name: expected text, received 5"),
    "no name": (lambda b: b.add(None), "name: expected text, received None"),
    "a number for a network's name": (
        lambda _: GraphBuilder(5),  # type: ignore[arg-type]
        "name: expected text, received 5",
    ),
    "a kind for an op": (
        lambda b: b.add("b", op="relu"), "op: expected a layer's op, received 'relu'",
    ),
    "a class for an op": (
        lambda b: b.add("b", op=KINDS["relu"]), "op: expected a layer's op, received 'type'",
    ),
    "a second input": (
        lambda b: b.add("b", [], KINDS["input"](shape=[3])),
        "op: expected a layer's op, received 'Input'",
    ),
    "another's tensor": (lambda b: b.add("b", [b.foreign]), f"inputs: {ELSEWHERE}"),
    "a node for a tensor": (
        lambda b: b.add("b", [b.a]),
        "inputs: expected a tensor, such as a node's tensor(), received 'Node'",
    ),
    "a tensor for a list": (
        lambda b: b.add("b", b.x), "inputs: expected a list of tensors, received 'Tensor'",
    ),
    "another's weights": (
        lambda b: b.add("b", shared_with=b.foreign_node),
        "shared_with: expected a node of this builder, received 'Node'",
    ),
    "the input twice": (
        lambda b: b.builder.input((3,)),
        "expected the network's input once and first, received it later",
    ),
    "a number for an input's shape": (
        lambda _: GraphBuilder("b").input(3),  # type: ignore[arg-type]
        "shape: expected sizes such as (3, 224, 224), received 3",
    ),
    "a block into which another's tensor goes": (
        lambda b: b.block("b", b.foreign), f"entry: {ELSEWHERE}",
    ),
    "a number for a block's kind": (
        lambda b: b.builder.enter("b", 3, b.x), "kind: expected text, received 3",
    ),
    "a block applied no times": (
        lambda b: b.builder.enter("b", "kind", b.x, 0),
        "applications: expected a whole number of at least 1, received 0",
    ),
    "the same block entered again": (
        again,
        "expected a block to be entered once, where it was opened, received it elsewhere or again",
    ),
    "a block without layers entered again": (
        again_empty,
        "expected a block to be entered once, where it was opened, received it elsewhere or again",
    ),
    "two blocks of one name": (opened_twice, f"{TAKEN}'block'"),
    "a block without an exit": (
        left_with(lambda _: None),
        "expected a block's exit to be set before it is left, received none",
    ),
    "a node for an exit": (
        left_with(lambda b: b.a),
        "exit: expected a tensor, such as a node's tensor(), received 'Node'",
    ),
    "another's exit": (left_with(lambda b: b.foreign), f"exit: {ELSEWHERE}"),
    "another's tensor seen": (lambda b: b.builder.seen(b.foreign), f"tensor: {ELSEWHERE}"),
    "a repeat outside of a block": (
        lambda b: b.builder.repeat(b.block("b")),
        "expected to be in a block without layers yet, received another",
    ),
    "a repeat of no block": (
        repeated(lambda _: None), "scope: expected a block of this builder, received None",
    ),
    "a repeat of a block without layers": (
        repeated(without_layers),
        "scope: expected a block with layers and its exit set, received one without",
    ),
    "a repeat on another shape": (
        repeated(wider), "scope: expected the shape 5 that comes into it, received 4",
    ),
    "a repeat of what takes more than its entry": (
        repeated(outward),
        (
            "scope: expected a block that takes nothing from outside but what comes into it, "
            "received one that takes a"
        ),
    ),
    "no outputs": (
        lambda b: b.finish(), "outputs: expected a list of at least one Output, received []",
    ),
    "a tensor for an output": (
        lambda b: b.finish(b.a.tensor()), "outputs: expected an Output, received 'Tensor'",
    ),
    "another's output": (
        lambda b: b.finish(Output("a", b.foreign)), f"outputs: {ELSEWHERE}",
    ),
    "an output's name again": (
        lambda b: b.finish(*[Output("a", b.a.tensor())] * 2),
        "outputs: expected names that differ, received 'a'",
    ),
    "a layer that feeds nothing": (
        lambda b: (b.add("b"), b.add("c"), b.finish(Output("a", b.a.tensor()))),
        (
            "outputs: expected a layer that feeds an output of the network, received one that "
            "does not (and 1 more)"
        ),
    ),
    "inputs that a layer can't take": (
        lambda b: b.add("b", op=KINDS["conv"](out=2, kernel=1)),
        "conv: expected an input with spatial axes, such as 3x224x224, received 4",
    ),
    "a field that a layer can't have": (
        lambda b: b.add("b", op=KINDS["split"](parts=3)),
        "parts: expected a divisor of the 4 channels, received 3",
    ),
    "weights of another shape": (
        lambda b: b.add(
            "c",
            op=KINDS["linear"](out=3),
            shared_with=b.add("b", op=KINDS["linear"](out=2)),
        ),
        (
            "shared_with: expected parameters weight 3x4, bias 3, received those of b: "
            "weight 2x4, bias 2"
        ),
    ),
    "what has not as many in front": (
        lambda b: b.builder.enter("b", "kind", b.x, 3),
        (
            "applications: expected what comes in to have 3 in front, as 3x64x14x14 has, "
            "received 4"
        ),
    ),
    "finish inside of a block": (
        finished_inside, "expected finish after every block is left, received it inside of one",
    ),
    "finish again": (
        finished(lambda b: b.finish(Output("a", b.a.tensor()))),
        "expected finish once, received it again",
    ),
    "a layer after finish": (
        finished(lambda b: b.add("b")), "expected nothing after finish, received 'b'",
    ),
    "a block after finish": (
        finished(lambda b: b.block("b")), "expected nothing after finish, received 'b'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_be_no_graph_is_refused(what: str) -> None:
    act, message = REFUSED[what]
    with pytest.raises(GraphError) as caught:
        act(Begun())
    assert caught.value.message == message
    assert isinstance(caught.value, ArchcalcError)
    field, _, fact = message.partition(": ")
    if message.startswith(("expected", "conv: ")):  # a kind is no field
        field, fact = "", message
    assert (caught.value.field or "", caught.value.fact) == (field, fact)
    assert not re.search(r"\b(from|outputs|weights|times):", fact), "a spec's words"
    assert caught.value.place is None


def test_an_error_names_the_layer_in_its_block() -> None:
    begun = Begun()
    with begun.builder.enter("block", "kind", begun.x) as scope:
        scope.exit = begun.add("inside").tensor()
        with pytest.raises(GraphError, match="layer block/inside: name: expected one that is not"):
            begun.add("inside")


def test_a_builder_goes_on_after_an_error() -> None:
    """Nothing of the layer that was refused stays behind, and nothing of the others is lost."""
    begun = Begun()
    linear = KINDS["linear"](out=4)
    for name, more in (("a", {}), ("c", {"shared_with": begun.a}), ("d/e", {})):
        with pytest.raises(ArchcalcError):
            begun.add(name, [begun.a.tensor()], linear, **more)
    last = begun.add("c", [begun.a.tensor()], linear)
    analysis = archcalc.analyze(begun.finish(Output("c", last.tensor())))
    assert [row.name for row in analysis.layers] == ["a", "c"]
    assert analysis.totals.params == analysis.layers[1].params == 4 * 5


def test_layers_of_one_name_in_different_blocks_are_no_matter() -> None:
    begun = Begun()
    one = begun.block("one")
    two = begun.block("two", one.exit)
    graph = begun.finish(Output("a", begun.a.tensor()), Output("two", two.exit))
    assert [node.path for node in graph.layers] == ["a", "one/inside", "two/inside"]


def test_a_block_that_is_left_without_layers_is_no_part_of_the_graph() -> None:
    begun = Begun()
    with begun.builder.enter("block", "kind", begun.x) as scope:
        scope.exit = begun.x
    begun.add("block", [scope.exit])
    assert list(begun.builder.root.children) == ["a", "block"]


def test_an_input_that_is_too_small_is_a_graph_error() -> None:
    with pytest.raises(GraphError) as refused:
        GraphBuilder("small").input((3, 0, 8))
    assert (refused.value.field, refused.value.layer) == ("shape", "input")
