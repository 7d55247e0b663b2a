"""A model's layers one after another, with a stamp after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.pytorch.model import layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from archcalc.graph import Graph, Node


class _Step(NamedTuple):
    module: nn.Module
    takes: tuple[tuple[int, int], ...]
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
            _Step(module, takes, tuple({key for key in takes if last[key] == node.index}), node)
            for node, module in layers(model, graph)
            for takes in [tuple((tensor.node, tensor.port) for tensor in node.inputs)]
        ]

    def run(self, x: Tensor, stamp: Callable[[], object]) -> None:
        """One forward pass; `stamp` is called at the start and when each layer has been called."""
        made: dict[tuple[int, int], Any] = {(self.entry, 0): x}
        stamp()
        for module, takes, drops, node in self.steps:
            found = module(*[made[key] for key in takes])
            if len(node.op.ports) == 1:
                made[node.index, 0] = found
            else:
                made.update(((node.index, port), one) for port, one in enumerate(found))
            del found
            for key in drops:
                del made[key]
            stamp()
