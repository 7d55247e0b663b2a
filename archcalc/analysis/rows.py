"""Rows: what is known of one layer, one block or the whole network, ready for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis import receptive_field as rf
from archcalc.graph import Node, Scope
from archcalc.ops.window import Fractional, Sliding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.analysis.analysis import Analysis
    from archcalc.analysis.costs import Costs
    from archcalc.ops.base import Shape, Shapes


class Window(NamedTuple):
    """Kernel, stride, padding (before, after) and dilation, one an axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


class Row:
    """One layer (`node`), one block (`scope`), or several folded into one (`folded`).

    Figures that scale with the batch do: Mult-Adds, operations, bytes of activations.
    """

    __slots__ = ("analysis", "costs", "folded", "node", "scope")

    def __init__(
        self,
        analysis: Analysis,
        costs: Costs,
        node: Node | None = None,
        scope: Scope | None = None,
        folded: tuple[Node, ...] = (),
    ) -> None:
        self.analysis = analysis
        self.costs = costs
        self.node = node
        self.scope = scope
        self.folded = folded

    # What it is.

    @property
    def part(self) -> Node | Scope:
        part = self.node or self.scope
        assert part is not None
        return part

    @property
    def name(self) -> str:
        """The full name; the network's own for its total."""
        return self.part.path or self.analysis.label

    @property
    def block(self) -> str:
        """The full name of the block around it."""
        if self.node is not None:
            return self.node.scope.path
        parent = self.part.parent if isinstance(self.part, Scope) else None
        return parent.path if parent else ""

    @property
    def kind(self) -> str:
        """The layer kinds, joined by + where rows are folded, or the block's kind."""
        if self.node is None:
            assert self.scope is not None
            return self.scope.kind
        return "+".join(node.op.kind for node in (self.node, *self.folded))

    @property
    def type(self) -> str:
        """The label the spec gives it, or what its kind is called."""
        if self.part.label:
            return self.part.label
        return self.node.op.title if self.node else self.kind

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.scope.arguments if self.scope else {}

    # Shapes and windows.

    @property
    def last(self) -> Node:
        """The node whose output is the row's."""
        if self.node is not None:
            return self.folded[-1] if self.folded else self.node
        assert self.scope is not None
        assert self.scope.exit is not None
        return self.analysis.graph.nodes[self.scope.exit.node]

    @property
    def inputs(self) -> Shapes:
        if self.node is not None:
            return self.node.facts.inputs
        entry = self.scope.entry if self.scope else None
        return (entry.shape,) if entry else ()

    @property
    def outputs(self) -> Shapes:
        if self.node is not None:
            return self.last.facts.outputs
        if self.scope is self.analysis.graph.root:
            return tuple(output.tensor.shape for output in self.analysis.graph.outputs)
        assert self.scope is not None
        assert self.scope.exit is not None
        return (self.scope.exit.shape,)

    @property
    def input(self) -> Shape:
        return self.inputs[0]

    @property
    def output(self) -> Shape:
        return self.outputs[0]

    @property
    def window(self) -> Window | None:
        """The window of a layer; of a block, its exit's, where pointwise layers follow one."""
        node = self.node or self.last
        if self.node is None:
            node = self._windowed(node)
        windows = node.facts.windows[0] if node.facts.windows else None
        if not isinstance(windows, tuple) or node.op.kind in ("pad", "slice", "upsample"):
            return None
        slides = [window for window in windows if isinstance(window, (Sliding, Fractional))]
        return _window(slides) if slides and len(slides) == len(windows) else None

    def _windowed(self, node: Node) -> Node:
        """The exit, or the layer before it where norms and activations follow."""
        while node.op.role in ("normalization", "activation", "dropout") and node.inputs:
            before = self.analysis.graph.nodes[node.inputs[0].node]
            if self.scope is None or not before.path.startswith(f"{self.scope.path}/"):
                return node
            node = before
        return node

    @property
    def groups(self) -> int | None:
        return getattr(self.node.op, "groups", None) if self.node else None

    @property
    def receptive_field(self) -> tuple[rf.AxisField | rf.Unknown | None, ...]:
        """Per axis; None where everything is seen."""
        return rf.fields(self.analysis.receptive_states[self.last.index])

    # Figures.

    @property
    def params(self) -> int:
        return self.costs.params

    @property
    def buffers(self) -> int:
        return self.costs.buffers

    @property
    def mult_adds(self) -> int:
        return self.costs.mult_adds * self.analysis.batch

    @property
    def flops(self) -> int:
        return self.costs.flops * self.analysis.batch

    @property
    def operations(self) -> tuple[int, ...]:
        return tuple(count * self.analysis.batch for count in self.costs.operations)

    @property
    def connections(self) -> int:
        return self.costs.connections

    @property
    def neurons(self) -> int:
        return self.costs.neurons

    @property
    def output_elements(self) -> int:
        """Elements of all tensors the layers give, for one input of the batch."""
        return self.costs.outputs

    @property
    def output_bytes(self) -> int:
        """Bytes of all tensors the layers give, for the whole batch."""
        return self.costs.outputs * self.analysis.batch * self.analysis.itemsize

    @property
    def weight_bytes(self) -> int:
        """Bytes of parameters and buffers."""
        return (self.costs.params + self.costs.buffers) * self.analysis.itemsize

    @property
    def bytes_moved(self) -> int:
        """Bytes each layer reads (inputs, weights) and writes (outputs), once each."""
        activations = (self.costs.inputs + self.costs.outputs) * self.analysis.batch
        return (activations + self.costs.read) * self.analysis.itemsize

    @property
    def arithmetic_intensity(self) -> float:
        """Mult-Adds per byte moved."""
        return self.mult_adds / self.bytes_moved if self.bytes_moved else 0.0

    @property
    def depth(self) -> int:
        """1 for a weight layer, else 0; of a block or network, the most on any path."""
        if self.node is not None:
            return int(self.node.op.weighted)
        assert self.scope is not None
        return self.analysis.depth_of(self.scope)

    @property
    def share(self) -> float:
        """Share of the network's Mult-Adds, 0 to 1."""
        whole = self.analysis.totals.costs.mult_adds
        return self.costs.mult_adds / whole if whole else 0.0

    @property
    def params_share(self) -> float:
        """Share of the network's params, 0 to 1."""
        whole = self.analysis.totals.costs.params
        return self.costs.params / whole if whole else 0.0

    @property
    def shared_with(self) -> str | None:
        """The layer whose parameters this one uses."""
        return self.node.shared_with.path if self.node and self.node.shared_with else None

    @property
    def times(self) -> int:
        return self.part.times


def _window(own: Sequence[Sliding | Fractional]) -> Window:
    return Window(
        tuple(s.kernel for s in own),
        tuple(s.stride for s in own),
        tuple((s.before, s.after) for s in own),
        tuple(s.dilation for s in own),
    )
