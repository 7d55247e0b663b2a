"""Which tensors share memory: views, what is written over its input, and what PyTorch copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archcalc.ops.layout import in_one_piece, merged, strides_of

if TYPE_CHECKING:
    from archcalc.graph import Graph, Node, Scope, Tensor
    from archcalc.ops.base import Shape
    from archcalc.ops.layout import Strides

Key = tuple[int, int]  # a tensor: its node and port


class Copy(NamedTuple):
    """A view that is copied as it goes into a part applied several times."""

    node: int
    port: int
    part: str


class Taken(NamedTuple):
    """A tensor as a layer takes it: in whose memory it lies, and its strides if it has gaps."""

    home: Key | Copy
    sizes: Shape  # with the batch
    strides: Strides | None


class Storages:
    """Which tensors share memory, for a batch of that size.

    Of those with memory of their own, `born` has the layers that make them, `last` the last ones
    that need them.
    """

    def __init__(
        self, graph: Graph, batch: int, *, training: bool = False, in_place: bool = False
    ) -> None:
        self.graph = graph
        self.batch = batch
        self._homes: dict[Key | Copy, Key | Copy] = {}  # of tensors that lie in another's memory
        self._strides: dict[Key, Strides] = {}  # of those that have gaps
        for node in graph.layers:
            if node.op.is_view(node.facts.inputs, training):
                self._settle(node)
        self.born: dict[Key | Copy, int] = {
            (node.index, port): node.index
            for node in graph.nodes
            for port in range(len(node.facts.outputs))
            if (node.index, port) not in self._homes
        }
        self.last = self._last_uses()
        if in_place:
            self._overwrite()

    def home(self, key: Key | Copy) -> Key | Copy:
        """The tensor in whose memory this one lies; itself if it has its own."""
        return self._homes.get(key, key)

    def taken(self, node: Node, tensor: Tensor) -> Taken:
        """A tensor as a layer takes it, perhaps across the borders of parts."""
        key = _key(tensor)
        home, strides = self.home(key), self._strides.get(key)
        sizes = (self.batch * node.times, *tensor.shape)
        origin = self.graph.nodes[tensor.node]
        if strides is None or origin.scope is node.scope:
            return Taken(home, sizes, strides)
        own = (self.batch * origin.times, *origin.facts.outputs[tensor.port])
        across = _across(origin.scope.applied(), node.scope.applied(), own, strides)
        if isinstance(across, tuple):
            return Taken(home, sizes, None if in_one_piece(sizes, across) else across)
        return Taken(Copy(*key, across.path), sizes, None)

    def _settle(self, node: Node) -> None:
        """Note in whose memory a view lies, unless there is no view of what it takes."""
        home, sizes, strides = self.taken(node, node.inputs[0])
        given = node.op.strides(sizes, strides_of(sizes) if strides is None else strides)
        if given is None:
            return
        for port, shape in enumerate(node.facts.outputs):
            self._homes[node.index, port] = home
            if not in_one_piece((sizes[0], *shape), given):
                self._strides[node.index, port] = given

    def _last_uses(self) -> dict[Key | Copy, int]:
        """The last uses; of what is copied, the copy is used from then on."""
        last = dict(self.born)
        for node in self.graph.layers:
            for tensor in node.inputs:
                home = self.taken(node, tensor).home if self._strides else self._home_of(tensor)
                if isinstance(home, Copy) and home not in self.born:
                    self.born[home] = last[self._home_of(tensor)] = node.index
                last[home] = node.index
        for output in self.graph.outputs:
            last[self._home_of(output.tensor)] = len(self.graph.nodes)
        return last

    def _home_of(self, tensor: Tensor) -> Key | Copy:
        return self.home(_key(tensor))

    def _overwrite(self) -> None:
        """Let activations write over inputs that nobody needs after them; never the network's."""
        found: dict[Key | Copy, Key | Copy] = {}
        for node in self.graph.layers:
            own = (node.index, 0)
            if own in self._homes:
                continue
            home = self.taken(node, node.inputs[0]).home
            home = found.get(home, home)
            given = home[0] == 0 and not isinstance(home, Copy)
            if node.op.overwrites and not given and self.last[home] == node.index:
                found[own] = home
                self.last[home] = self.last.pop(own)
                del self.born[own]
        self._homes = {key: found.get(home, home) for key, home in self._homes.items()} | found


def _key(tensor: Tensor) -> Key:
    return tensor.node, tensor.port


def _across(out: list[Scope], into: list[Scope], sizes: Shape, strides: Strides) -> Strides | Scope:
    """The strides of a tensor that leaves some parts and goes into others (nearest first).

    Outside a part, (batch*times, ...) is (batch, times, ...). A part at which both can't be one
    axis again without a copy is given instead.
    """
    for part in out:
        if part not in into:
            times = part.applications or 1
            sizes = (sizes[0] // times, times, *sizes[1:])
            strides = (strides[0] * times, *strides)
    for part in reversed(into):
        if part not in out:
            both = merged(sizes[:2], strides[:2])
            if both is None:
                return part
            sizes, strides = (sizes[0] * sizes[1], *sizes[2:]), (both, *strides[2:])
    return strides
