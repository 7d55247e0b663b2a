"""A model's layers one after another, with a stamp after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.pytorch.model import apart, layers, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from archcalc.graph import Graph, Node


class Take(NamedTuple):
    """A tensor that a layer takes, perhaps across the borders of parts applied several times.

    `out` are the applications of those that it comes out of, `into` is how many it goes into.
    """

    key: tuple[int, int]
    out: tuple[int, ...]
    into: int

    def of(self, x: Tensor) -> Tensor:
        for times in self.out:
            x = apart(x, times)
        for _ in range(self.into):
            x = together(x)
        return x


class _Step(NamedTuple):
    module: nn.Module
    takes: tuple[Take, ...]
    drops: tuple[tuple[int, int], ...]
    node: Node


class Stepper:
    """Runs the layers of a built model as its forward does, but without the blocks around them."""

    def __init__(self, model: nn.Module, graph: Graph) -> None:
        last: dict[tuple[int, int], int] = {}
        for node in graph.layers:
            for tensor in node.inputs:
                last[tensor.node, tensor.port] = node.index
        for output in graph.outputs:
            last[output.tensor.node, output.tensor.port] = len(graph.nodes)
        self.entry = graph.input.index
        self.steps = [
            _Step(module, takes, tuple({t.key for t in takes if last[t.key] == node.index}), node)
            for node, module in layers(model, graph)
            for takes in [tuple(takes_of(graph, node))]
        ]

    def run(self, x: Tensor, stamp: Callable[[], object]) -> None:
        """One forward pass; `stamp` is called at the start and when each layer has been called."""
        made: dict[tuple[int, int], Any] = {(self.entry, 0): x}
        stamp()
        for module, takes, drops, node in self.steps:
            found = module(*[take.of(made[take.key]) for take in takes])
            if len(node.op.ports) == 1:
                made[node.index, 0] = found
            else:
                made.update(((node.index, port), one) for port, one in enumerate(found))
            del found
            for key in drops:
                del made[key]
            stamp()


def takes_of(graph: Graph, node: Node) -> Iterator[Take]:
    """What a layer takes, in its order."""
    into = node.scope.applied()
    for tensor in node.inputs:
        out = graph.nodes[tensor.node].scope.applied()
        shared = [scope for scope in out if scope in into]
        left = tuple(scope.applications or 1 for scope in out[: len(out) - len(shared)])
        yield Take((tensor.node, tensor.port), left, len(into) - len(shared))
