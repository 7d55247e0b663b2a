"""Rows: what is known of one layer, one block or the whole network, ready for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from archcalc.analysis import receptive_field as rf
from archcalc.formula import Ratio
from archcalc.graph import Node, Scope
from archcalc.ops.window import WHOLE, Fractional, Sliding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from archcalc.analysis.costs import Costs
    from archcalc.analysis.depth import Depth
    from archcalc.graph import About, Graph
    from archcalc.ops.base import Shape, Shapes


class Window(NamedTuple):
    """Kernel, stride, padding (before, after) and dilation, one an axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


class Alive(Protocol):
    """What rows ask of the memory of their network: bytes by node, as `memory.Memory` has them."""

    @property
    def live(self) -> Sequence[int]: ...

    @property
    def saved(self) -> Sequence[int]: ...


class Whole(Protocol):
    """What rows ask of the analysis that they are part of, and what folds over a network take.

    It is the graph at a batch size and an element type, with its rows; `Analysis` is one. `folds`
    keeps what folds have worked out, by a key of their own.
    """

    folds: dict[object, Any]

    @property
    def graph(self) -> Graph: ...

    @property
    def about(self) -> About: ...

    @property
    def label(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def batch(self) -> int: ...

    @property
    def dtype(self) -> str: ...

    @property
    def itemsize(self) -> int: ...

    @property
    def rank(self) -> int: ...

    @property
    def scopes(self) -> Mapping[Scope, int]: ...

    @property
    def receptive_states(self) -> Sequence[rf.State]: ...

    @property
    def memory(self) -> Alive: ...

    @property
    def layers(self) -> Sequence[Row]: ...

    @property
    def blocks(self) -> Sequence[Row]: ...

    @property
    def totals(self) -> Row: ...

    def row(self, node: Node) -> Row: ...

    def block(self, scope: Scope) -> Row: ...

    def folded(self, head: Node, nodes: tuple[Node, ...]) -> Row: ...

    def depth_of(self, scope: Scope) -> Depth: ...


class Row:
    """One layer (`node`), one block (`scope`), or several folded into one (`folded`).

    Figures that scale with the batch do: Mult-Adds, operations, bytes of activations.
    """

    __slots__ = ("analysis", "costs", "folded", "node", "scope")

    def __init__(
        self,
        analysis: Whole,
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

    def __reduce__(self) -> tuple[Callable[..., Row], tuple[Any, ...]]:
        """As its place in its analysis, which pickle and copy make anew."""
        nodes = tuple(node.index for node in (self.node, *self.folded) if node)
        return _row_of, (
            self.analysis,
            nodes,
            self.analysis.scopes[self.scope] if self.scope else 0,
        )

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
        """The window of a layer; of a block without joins, its only one but 1x1 of stride 1.

        None where a layer of the block sees everything.
        """
        if self.node is not None:
            return _window(self.node)
        if self.scope is None or self.scope.parent is None:
            return None
        nodes = list(self.scope.nodes())
        if any(len(node.inputs) > 1 or WHOLE in node.facts.windows for node in nodes):
            return None
        windows = filter(None, map(_window, nodes))
        telling = [window for window in windows if {*window.kernel, *window.stride} != {1}]
        return telling[0] if len(telling) == 1 else None

    @property
    def groups(self) -> int | None:
        return getattr(self.node.op, "groups", None) if self.node else None

    @property
    def level(self) -> int:
        """How many parts that are applied several times are around it."""
        if self.node is not None:
            return self.node.scope.level
        outer = self.scope.parent if self.scope else None
        return outer.level if outer else 0

    @property
    def receptive_field(self) -> tuple[rf.AxisField | rf.Unknown | None, ...]:
        """Per axis (of the input from `level` on); None where everything is seen."""
        return rf.fields(self.analysis.receptive_states[self.last.index], self.level)

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
        return self.costs.flops(self.analysis.batch).number

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
        return self.costs.output_bytes(self.analysis.batch, self.analysis.itemsize).number

    @property
    def weight_bytes(self) -> int:
        """Bytes of parameters and buffers."""
        return self.costs.weight_bytes(self.analysis.itemsize).number

    @property
    def bytes_moved(self) -> int:
        """Bytes each layer reads (inputs, weights) and writes (outputs), once each."""
        return self.costs.bytes_moved(self.analysis.batch, self.analysis.itemsize).number

    @property
    def live_bytes(self) -> int:
        """Bytes of activations alive while it runs at inference; the most of several layers'."""
        live = self.analysis.memory.live
        return max((live[node.index] for node in self._nodes), default=0)

    @property
    def saved_bytes(self) -> int:
        """Bytes that training keeps for the backward pass and no earlier layer keeps already."""
        saved = self.analysis.memory.saved
        return sum(saved[node.index] for node in self._nodes)

    @property
    def _nodes(self) -> Iterable[Node]:
        """The layers whose figures the row's are."""
        if self.node is not None:
            return (self.node, *self.folded)
        return self.scope.nodes() if self.scope else ()

    @property
    def arithmetic_intensity(self) -> float:
        """Mult-Adds per byte moved."""
        return self.ratios()["arithmetic intensity"].number

    def ratios(self) -> dict[str, Ratio]:
        """The figures that are one number over another."""
        whole = self.analysis.totals.costs
        return {
            "arithmetic intensity": Ratio(self.mult_adds, self.bytes_moved),
            "share of Mult-Adds": Ratio(self.costs.mult_adds, whole.mult_adds),
            "share of params": Ratio(self.costs.params, whole.params),
        }

    @property
    def depth(self) -> int:
        """1 for a weight layer, else 0; of a block or network, the most on any path."""
        if self.node is not None:
            return int(self.node.op.weighted)
        assert self.scope is not None
        return self.analysis.depth_of(self.scope).number

    @property
    def share(self) -> float:
        """Share of the network's Mult-Adds, 0 to 1."""
        return self.ratios()["share of Mult-Adds"].number

    @property
    def params_share(self) -> float:
        """Share of the network's params, 0 to 1."""
        return self.ratios()["share of params"].number

    @property
    def shared_with(self) -> str | None:
        """The layer whose parameters this one uses."""
        return self.node.shared_with.path if self.node and self.node.shared_with else None

    @property
    def times(self) -> int:
        return self.part.times


def _row_of(analysis: Whole, nodes: Sequence[int], scope: int) -> Row:
    """The row of these layers, of the scope of that number, or of the network."""
    every = analysis.graph.nodes
    if len(nodes) > 1:
        return analysis.folded(every[nodes[0]], tuple(every[i] for i in nodes[1:]))
    if nodes:
        return analysis.row(every[nodes[0]])
    return analysis.blocks[scope - 1] if scope else analysis.totals


def _window(node: Node) -> Window | None:
    """Kernel, stride, padding and dilation of a layer that has them."""
    if not node.op.has_window:
        return None
    windows = node.facts.windows[0]
    assert isinstance(windows, tuple)
    own = [window for window in windows if isinstance(window, (Sliding, Fractional))]
    return Window(
        tuple(s.kernel for s in own),
        tuple(s.stride for s in own),
        tuple((s.before, s.after) for s in own),
        tuple(s.dilation for s in own),
    )
