"""A graph as a PyTorch module.

Blocks are modules, too, with the names that the spec gives them; `/` is `.` in a `state_dict`.
A block takes the tensors that come into it and gives those that are used outside of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from archcalc import values
from archcalc.analysis.costs import built_bytes, check_built
from archcalc.errors import LayerError, SettingError, received
from archcalc.graph import Node, Scope
from archcalc.pytorch.builders import build_layer
from archcalc.pytorch.conv import CONVS, TRANSPOSED_CONVS, TableConv
from archcalc.pytorch.devices import is_memory
from archcalc.pytorch.linear import RadialBasis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.graph import Graph
    from archcalc.graph import Tensor as Place

Key = tuple[int, int]  # a tensor: its node and port
Device = torch.device
Dtype = torch.dtype


class Borders(NamedTuple):
    """The tensors that a part needs and makes, and the last node in it."""

    needs: list[Key]
    makes: list[Key]
    end: int


class Step(NamedTuple):
    """One call of a block's forward: which of its slots a part takes, fills and leaves behind."""

    name: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    drops: tuple[int, ...]


class Plan(NamedTuple):
    """How a block runs: its steps, the slots of what it gives, and how many slots there are."""

    steps: list[Step]
    results: tuple[int, ...]
    slots: int


class Block(nn.Module):
    """Layers and blocks, called in the order of the network."""

    def __init__(
        self, parts: Mapping[str, nn.Module], steps: list[Step], results: tuple[int, ...]
    ) -> None:
        super().__init__()
        used = [slot for step in steps for slot in (*step.takes, *step.gives)]
        self._plan = Plan(steps, results, 1 + max(used, default=0))
        self._modules.update(parts)  # any name will do: `add_module` refuses 'type' and others

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode, also with a layer that is called `training`."""
        self.__dict__["training"] = mode
        for module in self.children():
            module.train(mode)
        return self

    def forward(self, *inputs: Tensor) -> Any:
        steps, results, count = self._plan
        slots: list[Any] = [*inputs, *[None] * (count - len(inputs))]
        for name, takes, gives, drops in steps:
            found = self._modules[name](*[slots[slot] for slot in takes])  # type: ignore[misc]
            for slot in drops:
                slots[slot] = None
            for slot, one in zip(
                gives, [found] if isinstance(found, Tensor) else found, strict=True
            ):
                slots[slot] = one
        found = [slots[slot] for slot in results]
        return found[0] if len(found) == 1 else tuple(found)


class Applied(Block):
    """Layers applied to each of several tensors: (batch, times, ...), as one larger batch."""

    _times: int

    def forward(self, *inputs: Tensor) -> Any:
        found = super().forward(*[together(x) for x in inputs])
        if isinstance(found, Tensor):
            return apart(found, self._times)
        return tuple(apart(one, self._times) for one in found)


def together(x: Tensor) -> Tensor:
    """(batch, times, ...) as (batch*times, ...)."""
    return x.flatten(0, 1)


def apart(x: Tensor, times: int) -> Tensor:
    """(batch*times, ...) as (batch, times, ...)."""
    return x.reshape(-1, times, *x.shape[1:])


class Network(Block):
    """A network: of (batch, *input_shape) its output, or a dictionary of its named outputs.

    `outputs` are their names (unless a layer is called so, which then has the attribute).
    """

    outputs: tuple[str, ...]
    input_shape: tuple[int, ...]
    _outputs: tuple[str, ...]
    _input_shape: tuple[int, ...]

    def _tell(self, outputs: tuple[str, ...], input_shape: tuple[int, ...]) -> None:
        """Keep what comes out and what goes in, whatever the layers are called."""
        own = {"outputs": outputs, "input_shape": input_shape}
        self.__dict__.update({f"_{key}": value for key, value in own.items()})
        self.__dict__.update({key: own[key] for key in own if key not in self._modules})

    def forward(self, *inputs: Tensor) -> Any:
        found = super().forward(*inputs)
        return found if len(self._outputs) == 1 else dict(zip(self._outputs, found, strict=True))


def build(
    graph: Graph,
    *,
    device: str | Device = "cpu",
    dtype: str | Dtype = "float32",
    seed: int = 0,
) -> Network:
    """The model of a graph, in training mode, its weights drawn anew from `seed`.

    Takes (batch, *input shape). On the device "meta" it has shapes and no memory. The random
    numbers of the program around it are left alone. Raises LayerError, with the layer and its
    place, for what PyTorch has no layers for (more than three spatial axes), and SettingError for
    a device or dtype that is not there.
    """
    kind, target = _dtype(dtype), _device(device)
    number = values.plain_value(seed)
    if type(number) is not int or not -(2**63) <= number < 2**64:
        raise SettingError(f"seed: expected a whole number of 64 bits, received {received(seed)}")
    with torch.device("meta"):
        model = _Assembly(graph).network()
    model.to(dtype=kind)
    if target.type != "meta":
        try:
            _fill(model, target, number)
        except RuntimeError as error:
            if not is_memory(error):
                raise
            raise SettingError(
                f"{graph.name}: expected a model that fits into memory, received one of "
                f"{built_bytes(graph.layers, str(kind).removeprefix('torch.')):,} bytes"
            ) from None
    _share(model, graph)
    return model


def _dtype(dtype: str | Dtype) -> torch.dtype:
    name = values.dtype_name(dtype)
    check_built(name)
    return getattr(torch, name)  # type: ignore[no-any-return]


def layers(model: nn.Module, graph: Graph) -> Iterator[tuple[Node, nn.Module]]:
    """Every layer of a graph with the module it was built into."""
    for node in graph.layers:
        module = model
        for name in node.path.split("/"):
            module = module._modules[name]  # type: ignore[assignment]
        yield node, module


# From the graph's scopes to blocks.


class _Assembly:
    """Who uses which tensor decides what a block takes and gives."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.last_use: dict[Key, int] = {}
        for node in graph.layers:
            for tensor in node.inputs:
                self.last_use[_key(tensor)] = node.index
        self.results = [_key(output.tensor) for output in graph.outputs]
        for key in self.results:
            self.last_use[key] = len(graph.nodes)

    def network(self) -> Network:
        graph = self.graph
        entry = [(graph.input.index, 0)]
        network = self._block(graph.root, entry, self.results, Network)
        assert isinstance(network, Network)
        names = tuple(output.name for output in graph.outputs)
        network._tell(names, graph.input.facts.outputs[0])
        return network

    def _block(self, scope: Scope, takes: list[Key], gives: list[Key], kind: type[Block]) -> Block:
        parts: dict[str, nn.Module] = {}
        steps: list[Step] = []
        slots = {key: slot for slot, key in enumerate(takes)}
        for name, child in scope.children.items():
            found = self._part(child)
            if found is not None:
                parts[name], borders = found
                steps.append(self._step(name, borders, slots, gives))
        return kind(parts, steps, tuple(slots[key] for key in gives))

    def _part(self, child: Node | Scope) -> tuple[nn.Module, Borders] | None:
        """A layer's or block's module with its borders; None for a branch without layers."""
        if isinstance(child, Node):
            needs = [_key(tensor) for tensor in child.inputs]
            makes = [(child.index, port) for port in range(len(child.op.ports))]
            return _layer(child), Borders(needs, makes, child.index)
        nodes = list(child.nodes())
        if not nodes:
            return None
        borders = self._borders(nodes)
        kind = Block if child.applications is None else Applied
        block = self._block(child, borders.needs, borders.makes, kind)
        block.__dict__["_times"] = child.applications
        return block, borders

    def _borders(self, nodes: list[Node]) -> Borders:
        first, last = nodes[0].index, nodes[-1].index
        needs = dict.fromkeys(
            _key(tensor) for node in nodes for tensor in node.inputs if tensor.node < first
        )
        made = [(node.index, port) for node in nodes for port in range(len(node.op.ports))]
        return Borders(list(needs), [key for key in made if self.last_use.get(key, 0) > last], last)

    def _step(self, name: str, borders: Borders, slots: dict[Key, int], kept: list[Key]) -> Step:
        needs, makes, end = borders
        over = {key for key in needs if self.last_use[key] <= end and key not in kept}
        takes = tuple(slots[key] for key in needs)
        for key in makes:
            slots[key] = len(slots)
        drops = tuple(sorted(slots[key] for key in over))
        return Step(name, takes, tuple(slots[key] for key in makes), drops)


def _key(tensor: Place) -> Key:
    return tensor.node, tensor.port


def _layer(node: Node) -> nn.Module:
    try:
        return build_layer(node.op, node.facts.inputs)
    except LayerError as error:
        error.place, error.layer = node.source, node.path
        raise


# Memory and values.


def _fill(model: nn.Module, device: Device, seed: int) -> None:
    """Give every tensor memory on the device, and values, layer by layer."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if not isinstance(module, Block):
            module.to_empty(device="cpu", recurse=False)
            initialize(module, generator)
    model.to(device)


def _device(device: object) -> Device:
    """The device; raises SettingError where it is not there."""
    if not isinstance(device, (str, torch.device)):
        what = "a name such as cpu, cuda:0 or meta, or a torch.device"
        raise SettingError(f"device: expected {what}, received {received(device)}")
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise SettingError(
            f"device: expected one that PyTorch {torch.__version__} can use here, "
            f"received {received(str(device))} ({reason})"
        ) from None
    return target


@torch.no_grad()
def initialize(module: nn.Module, generator: torch.Generator) -> None:
    """A layer's first values.

    Weights of convolutions and linears are normal with variance 2/fan-in (He et al. 2015,
    equation 10), their biases 0; radial basis centres are -1 or 1; all others begin as PyTorch
    has them.
    """
    if isinstance(module, RadialBasis):
        module.centres.bernoulli_(0.5, generator=generator).mul_(2).sub_(1)
        return
    reset = getattr(module, "reset_parameters", None)
    fan_in = _fan_in(module)
    if reset and fan_in is None:
        reset()
    if fan_in is not None:
        module.get_parameter("weight").normal_(0, math.sqrt(2 / fan_in), generator=generator)
        if module.bias is not None:
            module.get_parameter("bias").zero_()


def _fan_in(module: nn.Module) -> float | None:
    """How many inputs an output sees through weights, on average."""
    if isinstance(module, nn.Linear):
        return module.in_features
    if isinstance(module, CONVS):
        return module.in_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, TRANSPOSED_CONVS):
        seen = module.in_channels // module.groups * math.prod(module.kernel_size)
        return max(seen / math.prod(module.stride), 1)
    if isinstance(module, TableConv):
        return module.weight.numel() / module.out
    return None


def _share(model: nn.Module, graph: Graph) -> None:
    """Layers with another's weights get the very same parameters."""
    if not any(node.shared_with for node in graph.nodes):
        return
    built = {node.index: module for node, module in layers(model, graph)}
    for node in graph.layers:
        if node.shared_with is not None:
            own, other = built[node.index], built[node.shared_with.index]
            for name, parameter in own._parameters.items():
                if parameter is not None:
                    own._parameters[name] = other.get_parameter(name)
