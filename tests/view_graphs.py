"""Random networks of views, and of layers that keep what lies in a view's memory.

Where `random_specs` draws a view now and then, here most layers are views: slices with steps along
any axis, splits and what hands a view on, before norms, flattening, and parts that are applied
several times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from random_specs import unlike_a_batch

from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, GraphBuilder, Output
from archcalc.ops import KINDS

if TYPE_CHECKING:
    import random

    from archcalc.graph import Tensor

HANDS_ON: list[tuple[str, dict[str, Any]]] = [
    ("identity", {}), ("dropout", {"rate": 0}), ("channelshuffle", {"groups": 1}), ("add", {}),
    ("multiply", {}), ("flatten", {}), ("flatten", {}),
]  # fmt: skip
KEEPS: list[tuple[str, dict[str, Any]]] = [
    ("groupnorm", {"groups": 1}), ("groupnorm", {"groups": 1, "affine": False}),
    ("groupnorm", {"groups": 2}), ("layernorm", {}), ("batchnorm", {}), ("l2norm", {}),
    ("lrn", {}), ("prelu", {}), ("relu", {}), ("gelu", {}), ("softmax", {}), ("scaledtanh", {}),
    ("linear", {"out": 4}), ("rbf", {"out": 2}), ("channelshuffle", {"groups": 2}),
    ("conv", {"out": 4, "kernel": 2, "padding": "same"}), ("conv", {"out": 4, "kernel": 1}),
    ("maxpool", {"kernel": 2, "ceil": True}), ("avgpool", {"kernel": 2, "ceil": True}),
    ("adaptiveavgpool", {"size": 2}), ("globalmaxpool", {}), ("upsample", {"scale": 2}),
    ("convtranspose", {"out": 4, "kernel": 2}), ("subsample", {"kernel": 1}), ("pad", {}),
]  # fmt: skip


class Views:
    """A network that grows at random; no layer is there that PyTorch couldn't take."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.builder = GraphBuilder("views")
        shape = tuple(source.randint(1, 6) for _ in range(source.randint(1, 4)))
        self.tensors = [self.builder.input(unlike_a_batch(shape))]
        self.number = 0

    def grown(self, steps: int) -> Graph:
        self.add("prelu", {}, self.tensors[0])  # so that a gradient goes back
        for _ in range(steps):
            self.step(self.source.choice(self.tensors[-3:]))
        nodes = self.builder.nodes
        taken = {(tensor.node, tensor.port) for node in nodes for tensor in node.inputs}
        ends = [t for t in self.tensors if (t.node, t.port) not in taken]
        return self.builder.finish([Output(f"out{i}", end) for i, end in enumerate(ends)])

    def step(self, tensor: Tensor) -> None:
        chance = self.source.random()
        if chance < 0.35:
            self.slice(tensor)
        elif chance < 0.45 and tensor.shape[0] > 1:
            self.add("split", {"parts": [1, tensor.shape[0] - 1]}, tensor)
        elif chance < 0.6 and len(tensor.shape) > 1 and len(self.builder.scope.path) < 4:
            self.part(tensor)
        else:
            self.add(*self.source.choice(HANDS_ON if chance < 0.75 else KEEPS), tensor)

    def slice(self, tensor: Tensor) -> None:
        axis = self.source.randrange(len(tensor.shape))
        size = tensor.shape[axis]
        start = self.source.randrange(size)
        stop = self.source.choice([None, self.source.randint(start + 1, size)])
        step = self.source.choice([1, 1, 2])
        self.add("slice", {"axis": axis, "start": start, "stop": stop, "step": step}, tensor)

    def part(self, tensor: Tensor) -> None:
        """Layers that are applied to each of the tensors along the first axis."""
        outside = self.tensors
        name = self.name("part")
        with self.builder.enter(name, "part", tensor, tensor.shape[0]) as scope:
            self.tensors = [self.builder.seen(tensor)]
            for _ in range(self.source.randint(1, 3)):
                self.step(self.source.choice(self.tensors))
            inside = self.tensors
            scope.exit = inside[-1]
        self.tensors = outside + [self.builder.seen(one) for one in inside[1:]]

    def add(self, kind: str, fields: dict[str, Any], tensor: Tensor) -> None:
        try:
            node = self.builder.add(KINDS[kind](**fields), [tensor], self.name(kind))
        except ArchcalcError:
            return
        self.tensors += [node.tensor(port) for port in range(len(node.op.ports))]

    def name(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"


def draw_views(source: random.Random) -> Graph:
    """A network of a few layers, most of them views."""
    return Views(source).grown(source.randint(3, 9))
