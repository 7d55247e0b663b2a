"""What PyTorch really keeps in memory: saved by autograd, and alive while a model runs.

Both look at storages, so that tensors which share memory count once. They work on any device, on
"meta" without memory.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archcalc.pytorch.model import layers
from archcalc.pytorch.stepping import takes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archcalc.graph import Graph


def saved_bytes(model: nn.Module, *inputs: Tensor) -> int:
    """Bytes that autograd keeps after a forward pass, parameters and buffers apart.

    The inputs count where they are kept. The model runs in the mode in which it is; in training
    its running statistics move on.
    """
    own = {id(tensor.untyped_storage()) for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in own:
            kept[id(storage)] = storage
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one):
        result = model(*inputs)
    total = sum(storage.nbytes() for storage in kept.values())
    del result
    return total


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages of every tensor that an operation gives, from its making to its end."""

    def __init__(self, known: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known = known
        self.now: int = 0
        self.most: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in tree_leaves(result):
            if isinstance(one, Tensor):
                self.add(one.untyped_storage())
        self.most = max(self.most, self.now)
        return result

    def add(self, storage: torch.UntypedStorage) -> None:
        """Count a storage until it ends, once."""
        if id(storage) in self.known:
            return
        self.known.add(id(storage))
        self.now += storage.nbytes()
        weakref.finalize(storage, self._end, id(storage), storage.nbytes())

    def _end(self, name: int, size: int) -> None:
        self.known.discard(name)
        self.now -= size


def peak_bytes(model: nn.Module, x: Tensor) -> int:
    """The most bytes of activations alive at a time while `model(x)` runs, without gradients.

    The input counts, to the end: the caller holds it. So does everything that an operation of
    PyTorch gives inside a layer; what it needs inside itself doesn't.
    """
    own = [tensor.untyped_storage() for tensor in (*model.parameters(), *model.buffers())]
    alive = _Alive({id(storage) for storage in own})
    with torch.no_grad(), alive:
        alive.add(x.untyped_storage())
        model(x)
    return alive.most


def layerwise_bytes(model: nn.Module, graph: Graph, make: Callable[[], Tensor]) -> list[int]:
    """The most bytes alive while each layer runs, one after another, without gradients.

    Nobody holds a tensor longer than the layers after it need it, the input that `make` gives
    included; what a layer of the model makes for itself counts.
    """
    own = [tensor.untyped_storage() for tensor in (*model.parameters(), *model.buffers())]
    over = _last_uses(graph)
    found: list[int] = []
    alive = _Alive({id(storage) for storage in own})
    with torch.no_grad(), alive:
        tensors: dict[tuple[int, int], Tensor] = {(0, 0): make()}
        for node, module in layers(model, graph):
            alive.most = alive.now
            result = module(*[take.of(tensors[take.key]) for take in takes_of(graph, node)])
            results = result if isinstance(result, tuple) else (result,)
            tensors |= {(node.index, port): one for port, one in enumerate(results)}
            found.append(alive.most)
            del result, results
            for key in over.get(node.index, ()):
                del tensors[key]
    return found


def _last_uses(graph: Graph) -> dict[int, list[tuple[int, int]]]:
    """By layer the tensors that nobody needs after it; the network's outputs are not among them."""
    last = {
        (node.index, port): node.index
        for node in graph.nodes
        for port in range(len(node.facts.outputs))
    }
    for node in graph.layers:
        last |= {(one.node, one.port): node.index for one in node.inputs}
    for output in graph.outputs:
        last.pop((output.tensor.node, output.tensor.port), None)
    found: dict[int, list[tuple[int, int]]] = {}
    for key, index in last.items():
        found.setdefault(index, []).append(key)
    return found


@contextmanager
def in_place(modules: list[nn.Module]) -> Iterator[None]:
    """Let these activations write over their input, for a while."""
    before = [module.inplace for module in modules]
    for module in modules:
        module.inplace = True  # type: ignore[assignment]
    try:
        yield
    finally:
        for module, was in zip(modules, before, strict=True):
            module.inplace = was
