"""Sums of branches: which inputs of an `add` are shortcuts, and which sums are residual.

Of a sum, the inputs with the fewest weight layers behind them are shortcuts, the others its deeper
branches: residual bodies, an FPN's top-down way beside its lateral convolution, the coarse scores
of a skip sum. A sum is residual (He et al. 2016, section 3.2) if a shortcut is the identity or a
projection, one weight layer at most, of what a deeper branch begins with, at that branch's
resolution: a branch that comes back from a coarser map is enlarged before it is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.analysis.depth import followed_inputs, longest_ways

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.graph import Node

SHORTCUT = 64  # layers of a shortcut at most: norms, gates, activations and the projection


def deeper_branches(nodes: Sequence[Node]) -> dict[int, list[int]]:
    """For each sum by its node's index, the positions of those inputs that are deeper branches."""
    depths, _ = longest_ways(nodes)
    found: dict[int, list[int]] = {}
    for node in nodes:
        if node.op.kind != "add":
            continue
        behind = [depths[tensor.node] for tensor in node.inputs]
        if deeper := [i for i, depth in enumerate(behind) if depth > min(behind)]:
            found[node.index] = deeper
    return found


def residual_bodies(nodes: Sequence[Node], deeper: dict[int, list[int]]) -> dict[int, list[int]]:
    """Those deeper branches that are residual bodies."""
    _, before = longest_ways(nodes)
    behind = _Behind(before)
    found: dict[int, list[int]] = {}
    for index, positions in deeper.items():
        inputs = nodes[index].inputs
        shortcuts = [
            list(_shortcut(nodes, tensor.node))
            for i, tensor in enumerate(inputs)
            if i not in positions
        ]
        bodies = [
            i
            for i in positions
            if any(_is_residual(nodes, way, inputs[i].node, behind) for way in shortcuts)
        ]
        if bodies:
            found[index] = bodies
    return found


def _is_residual(nodes: Sequence[Node], shortcut: list[Node], body: int, behind: _Behind) -> bool:
    for i, node in enumerate(shortcut):
        if behind.is_on_way(node.index, body):
            enlarged = any(map(_enlarges, _last_layers(nodes, body, node.index)))
            return not enlarged or any(map(_enlarges, shortcut[:i]))
    return False


def _shortcut(nodes: Sequence[Node], index: int) -> Iterator[Node]:
    """From a shortcut's end back, through one weight layer at most, to where it may begin."""
    weights = 0
    for _ in range(SHORTCUT):
        node = nodes[index]
        yield node
        inputs = followed_inputs(node)
        weights += node.op.weighted
        if len(inputs) != 1 or weights > 1:
            return
        index = inputs[0]


def _last_layers(nodes: Sequence[Node], index: int, start: int) -> Iterator[Node]:
    """A branch's last layers: back to its last one with weights, or to where others join."""
    for _ in range(SHORTCUT):
        node = nodes[index]
        if index == start:
            return
        yield node
        inputs = followed_inputs(node)
        if len(inputs) != 1 or node.op.weighted:
            return
        index = inputs[0]


def _enlarges(node: Node) -> bool:
    """Whether a layer's output is larger than its input along some spatial axis."""
    shapes = zip(node.facts.inputs[0][1:], node.facts.outputs[0][1:], strict=False)
    return any(after > before for before, after in shapes)


class _Behind:
    """Whether one node is on the longest way to another, by jumps that double.

    Each node knows the one before it and one further back (Myers 1983, "An applicative
    random-access stack"), so that asking takes a logarithm's time of the way's length.
    """

    def __init__(self, before: dict[int, int]) -> None:
        self.before = before
        self.jump: dict[int, int] = {}
        length: dict[int, int] = {-1: -1}
        self.jump[-1] = -1
        for index, nearest in before.items():
            length[index] = length[nearest] + 1
            far = self.jump[nearest]
            alike = length[nearest] - length[far] == length[far] - length[self.jump[far]]
            self.jump[index] = self.jump[far] if alike else nearest

    def is_on_way(self, node: int, end: int) -> bool:
        """Whether `node` is on the longest way to `end`; a node is on its own."""
        while end > node:
            end = self.jump[end] if self.jump[end] >= node else self.before[end]
        return end == node
