"""Depth: the most weight layers on any path, gates and auxiliary heads left out.

LeNet-5 7, AlexNet 8, GoogLeNet 22, ResNet-50 50, MobileNet 28; of a block it is what GoogLeNet's
Table 1 prints as "depth".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.formula import Sum, constant
from archcalc.ops.window import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archcalc.graph import Graph, Node, Scope


class Depth(Sum):
    """Weight layers on the longest path: one for a layer, the sum of its parts for a block."""

    __slots__ = ("names",)

    def __init__(self, parts: dict[str, int]) -> None:
        self.names = tuple(parts)
        super().__init__(map(constant, parts.values()))

    def symbols(self) -> str:
        """The parts that the path goes through."""
        return " + ".join(self.names) or "0"


def network_depth(graph: Graph) -> Depth:
    """Weight layers on the longest path from the input to an output that is not auxiliary."""
    return _depth(graph.root, longest_path(graph))


def longest_path(graph: Graph) -> list[Node]:
    """The path with the most weight layers to an output that is not auxiliary."""
    ends = [output.tensor.node for output in graph.outputs if not output.auxiliary]
    return _longest(graph.nodes, ends)


def path_to(nodes: Iterable[Node], end: int) -> list[Node]:
    """The path with the most weight layers to the node of index `end`."""
    return _longest(nodes, [end])


def followed_inputs(node: Node) -> list[int]:
    """The nodes whose outputs go into what a node computes; gates and the like only hold it."""
    return [
        tensor.node
        for tensor, windows in zip(node.inputs, node.facts.windows, strict=True)
        if windows is not HELD
    ]


def scope_depth(scope: Scope) -> Depth:
    """Weight layers on the longest path inside a scope to its exit."""
    ends = [scope.exit.node] if scope.exit else []
    return _depth(scope, _longest(scope.nodes(), ends))


def _depth(scope: Scope, path: Iterable[Node]) -> Depth:
    """The path's weight layers, counted by the scope's own layers and blocks."""
    parts: dict[str, int] = {}
    for node in path:
        if node.op.weighted:
            name = _child(scope, node)
            parts[name] = parts.get(name, 0) + 1
    return Depth(parts)


def _child(scope: Scope, node: Node) -> str:
    """The layer or block of `scope` in which a node is."""
    part: Node | Scope = node
    outer: Scope | None = node.scope
    while outer is not None and outer is not scope:
        part, outer = outer, outer.parent
    return part.name


def _longest(nodes: Iterable[Node], ends: Iterable[int]) -> list[Node]:
    """The path with the most weight layers to one of the ends that stays among these nodes."""
    found = {node.index: node for node in nodes}
    depths, before = longest_ways(found.values())
    at = max((end for end in ends if end in found), key=depths.__getitem__, default=-1)
    path = []
    while at >= 0:
        path.append(found[at])
        at = before[at]
    path.reverse()
    return path


def longest_ways(nodes: Iterable[Node]) -> tuple[dict[int, int], dict[int, int]]:
    """For each node the weight layers on its longest path, and the node before it there (or -1)."""
    depths: dict[int, int] = {}
    before: dict[int, int] = {}
    for node in nodes:
        nearest, most = -1, 0
        for tensor, windows in zip(node.inputs, node.facts.windows, strict=True):
            depth = depths.get(tensor.node, -1)
            if windows is not HELD and (depth > most or (depth == most and nearest < 0)):
                nearest, most = tensor.node, depth
        depths[node.index] = most + node.op.weighted
        before[node.index] = nearest
    return depths, before
