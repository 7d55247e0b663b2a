"""Memory: what a network keeps alive, at inference and in training, in bytes for the whole batch.

Tensors that share memory are one: views (`Op.is_view`) and, where asked for, activations that are
written over their input (`Op.overwrites`). A tensor is alive from the layer that makes it to the
last that takes it, in the order in which the layers are run; the network's input like any other,
its outputs to the end. What a layer needs for itself while it runs (workspaces, copies that it
gives back) is left out.

For training, what autograd keeps between forward and backward (`Op.saved`): every tensor once,
with the first layer that keeps it, the network's input among them. Parameters and buffers are
counted with the weights.
"""

from __future__ import annotations

from functools import cached_property, partial
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from archcalc import words
from archcalc.analysis.storages import Copy, Storages
from archcalc.errors import SettingError, received
from archcalc.formula import Derived, Sum, constant, formula
from archcalc.ops.base import INDEX_BYTES, elements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archcalc.analysis.rows import Whole
    from archcalc.analysis.storages import Key
    from archcalc.graph import Node
    from archcalc.ops.base import Saved

# Numbers an optimizer keeps beside each parameter, in its dtype.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}

SHOWN = 20  # tensors of an explanation; the others are summed


class Term:
    """The bytes of a tensor, from the text of its elements: `(c + 4)*h*w*b*e`."""

    __slots__ = ("elements", "factors", "name", "number")

    def __init__(self, name: str, count: Derived, factors: dict[str, int]) -> None:
        self.name = name
        self.elements = count
        self.factors = factors
        self.number = count.number * prod(factors.values())

    def __index__(self) -> int:
        return self.number

    def symbols(self) -> str:
        """What it is the memory of."""
        return self.name

    def text(self) -> str:
        """The equation with the numbers in: elements, batch, bytes of an element."""
        text = self.elements.text()
        parts = [f"({text})" if " " in text else text, *map(str, self.factors.values())]
        return "*".join(parts)


class Kept(NamedTuple):
    """What a layer adds to the saved activations, and the layers that keep the rest already."""

    bytes: Sum
    counted_at: tuple[str, ...]


class Memory:
    """What an analysis' network needs, in bytes.

    `live[i]` are the bytes alive while node i runs, `saved[i]` those that it adds to what autograd
    keeps.
    """

    def __init__(self, analysis: Whole, *, in_place: bool = False) -> None:
        self.analysis = analysis
        self.in_place = in_place
        self._storages = Storages(analysis.graph, analysis.batch, in_place=in_place)
        self._sweep = _Sweep(self._storages)

    def __reduce__(self) -> tuple[Callable[..., Memory], tuple[Whole]]:
        return partial(Memory, in_place=self.in_place), (self.analysis,)

    # Inference.

    @cached_property
    def live(self) -> list[int]:
        nodes = self.analysis.graph.nodes
        change = [0] * (len(nodes) + 2)
        for key, last in self._storages.last.items():
            size = self._size(key)
            change[self._storages.born[key]] += size
            change[last + 1] -= size
        found, alive = [], 0
        for more in change[: len(nodes)]:
            alive += more
            found.append(alive)
        return found

    @property
    def peak(self) -> int:
        """The most bytes alive at any layer."""
        return max(self.live)

    @property
    def peak_at(self) -> Node:
        """The first layer at which that is so."""
        return self.most(self.analysis.graph.nodes)

    def most(self, nodes: Iterable[Node]) -> Node:
        """The first of these with the most bytes alive."""
        return max(nodes, key=lambda node: self.live[node.index])

    @property
    def activations(self) -> int:
        """The bytes of all tensors together, if none were given back."""
        return sum(map(self._size, self._storages.born))

    @property
    def overwriting(self) -> list[Node]:
        """The layers that write their output over their input."""
        nodes = self.analysis.graph.layers
        home = self._storages.home
        return [n for n in nodes if n.op.overwrites and home((n.index, 0)) != (n.index, 0)]

    def live_bytes(self, node: Node) -> Sum:
        """The tensors alive while a layer runs, those that have been there longest first."""
        alive = self._sweep.at(node.index)
        shown = [self._term(key) for key in islice(alive, SHOWN)]
        rest = self.live[node.index] - sum(term.number for term in shown)
        if len(alive) > SHOWN:
            shown.append(Term(f"{len(alive) - SHOWN} others", constant(rest), {}))
        return Sum(shown)

    # Training.

    @cached_property
    def kept(self) -> list[Kept]:
        """What each layer adds to the saved activations, by the node's index."""
        return _Training(self.analysis).kept()

    @cached_property
    def saved(self) -> list[int]:
        return [one.bytes.number for one in self.kept]

    @property
    def weights(self) -> int:
        return self.analysis.totals.weight_bytes

    @property
    def saved_activations(self) -> int:
        return sum(self.saved)

    @property
    def gradients(self) -> int:
        """Of the parameters, as large as these."""
        return self.analysis.totals.params * self.analysis.itemsize

    def optimizer_state(self, optimizer: str) -> int:
        """What the optimizer keeps of each parameter; raises SettingError for an unknown one."""
        if optimizer not in tuple(OPTIMIZERS):  # which may be of any type
            raise SettingError(
                f"optimizer: expected one of {', '.join(OPTIMIZERS)}, "
                f"received {received(optimizer)}",
                hint=words.near("OPTIMIZERS", str(optimizer), OPTIMIZERS),
            )
        return OPTIMIZERS[optimizer] * self.gradients

    def inference(self) -> int:
        """Weights and the peak of activations."""
        return self.weights + self.peak

    def training(self, optimizer: str) -> int:
        """Weights, gradients, optimizer state and saved activations."""
        return (
            self.weights + self.gradients + self.optimizer_state(optimizer) + self.saved_activations
        )

    # Bytes of a tensor.

    def _size(self, key: Key | Copy) -> int:
        return tensor_bytes(self.analysis, key).number

    def _term(self, key: Key | Copy) -> Term:
        return tensor_bytes(self.analysis, key)


def tensor_bytes(analysis: Whole, key: Key | Copy) -> Term:
    """A tensor's bytes, under the name of the layer that makes it."""
    index, port = key[:2]
    node = analysis.graph.nodes[index]
    named = node.op.ports[port]
    size = INDEX_BYTES if named in node.op.indices else None
    name = node.path if port == 0 else f"{node.path}.{named}"
    if isinstance(key, Copy):
        name = f"{name} copied for {key.part}"
    text, values = elements(node.facts.outputs[port], "out")
    return Term(name, formula(text)(**values), _factors(analysis, node, size))


def _named(key: Key | Copy, term: Term) -> str:
    if isinstance(key, Copy):
        return term.name
    return f"output of {term.name}" if key[0] else "the network's input"


def _factors(analysis: Whole, node: Node, size: int | None, each: bool = True) -> dict[str, int]:
    """Applications, batch and bytes of an element, the first two where they are not 1.

    What is not for each input of the batch is not for each application, either: they are one batch.
    """
    found = {"t": node.times, "b": analysis.batch} if each else {}
    known = {letter: count for letter, count in found.items() if count != 1}
    return {**known, "e": analysis.itemsize if size is None else size}


class _Sweep:
    """The tensors alive at a layer; asked for one layer after another it goes on from the last."""

    def __init__(self, storages: Storages) -> None:
        self.storages = storages
        self.born: dict[int, list[Key | Copy]] = {}
        self.dead: dict[int, list[Key | Copy]] = {}
        for key in storages.last:
            self.born.setdefault(storages.born[key], []).append(key)
            self.dead.setdefault(storages.last[key] + 1, []).append(key)
        self.reached = -1
        self.alive: dict[Key | Copy, None] = {}

    def at(self, index: int) -> dict[Key | Copy, None]:
        if index < self.reached:
            self.reached, self.alive = -1, {}
        while self.reached < index:
            self.reached += 1
            for key in self.dead.get(self.reached, ()):
                self.alive.pop(key, None)
            self.alive.update(dict.fromkeys(self.born.get(self.reached, ())))
        return self.alive


class _Training:
    """What autograd keeps of each layer, as the graph is run in training."""

    def __init__(self, analysis: Whole) -> None:
        self.analysis = analysis
        self.storages = Storages(analysis.graph, analysis.batch, training=True)
        self.keepers: dict[Key | Copy, str] = {}  # by tensor the layer that keeps it first

    def kept(self) -> list[Kept]:
        found = [Kept(Sum(()), ())]  # of the input
        followed = bytearray(len(self.analysis.graph.nodes))  # where a gradient goes back
        for node in self.analysis.graph.layers:
            back = [bool(followed[tensor.node]) for tensor in node.inputs]
            facts = node.facts
            wanted = not node.op.constant and (any(back) or facts.params > 0)
            followed[node.index] = wanted
            saved = node.op.saved(facts.inputs, facts.outputs, back) if wanted else ()
            found.append(self._kept(node, saved))
        return found

    def _kept(self, node: Node, saved: Sequence[Saved]) -> Kept:
        terms: list[Term] = []
        already: list[str] = []
        for one in dict.fromkeys(saved):
            if one.what not in ("input", "output"):
                factors = _factors(self.analysis, node, one.size, one.each)
                terms.append(Term(f"its {one.what}", one.elements, factors))
                continue
            key = self._home(node, one)
            if key is None:
                terms.append(self._copied(node, one.port))
            elif key not in self.keepers:
                self.keepers[key] = node.path
                term = tensor_bytes(self.analysis, key)
                terms.append(Term(_named(key, term), term.elements, term.factors))
            elif self.keepers[key] != node.path:
                already.append(self.keepers[key])
        return Kept(Sum(terms), tuple(dict.fromkeys(already)))

    def _home(self, node: Node, saved: Saved) -> Key | Copy | None:
        """The tensor whose memory is kept; None for a copy of the layer's own."""
        if saved.what == "output":
            return self.storages.home((node.index, saved.port))
        taken = self.storages.taken(node, node.inputs[saved.port])
        return None if taken.strides and node.op.takes_one_piece else taken.home

    def _copied(self, node: Node, port: int) -> Term:
        text, values = elements(node.facts.inputs[port], "in")
        factors = _factors(self.analysis, node, None)
        return Term("its input in one piece", formula(text)(**values), factors)
