"""Depth: the most weight layers on any path, gates and auxiliary heads left out.

LeNet-5 7, AlexNet 8, GoogLeNet 22, ResNet-50 50, MobileNet 28; of a block it is what GoogLeNet's
Table 1 prints as "depth".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.ops.window import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archcalc.graph import Graph, Node, Scope


def network_depth(graph: Graph) -> int:
    """Weight layers on the longest path from the input to an output that is not auxiliary."""
    depths = _depths(graph.nodes)
    return max((depths[o.tensor.node] for o in graph.outputs if not o.auxiliary), default=0)


def scope_depth(scope: Scope) -> int:
    """Weight layers on the longest path inside a scope to its exit."""
    exit_node = scope.exit.node if scope.exit else -1
    return _depths(scope.nodes()).get(exit_node, 0)


def _depths(nodes: Iterable[Node]) -> Mapping[int, int]:
    """Weight layers on the longest path to each node that stays among these nodes."""
    depths: dict[int, int] = {}
    for node in nodes:
        below = 0
        for tensor, windows in zip(node.inputs, node.facts.windows, strict=True):
            if windows is not HELD:
                below = max(below, depths.get(tensor.node, 0))
        depths[node.index] = below + node.op.weighted
    return depths
