"""The second witness: a network's numbers against the model that is built from its fields.

Each check compares layer by layer what archcalc states with what another witness finds: PyTorch
itself (shapes, parameters, back-propagated indicators) or a counter of other people. What a witness
can't tell is left out with its reason and counted, never passed over.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from archcalc.ops import spelled
from archcalc.pytorch import counters
from archcalc.pytorch.gradients import Found, check_fields
from archcalc.pytorch.model import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from archcalc.analysis import Analysis
    from archcalc.graph import Graph, Node

BATCH = 2  # of the model that is run for its shapes: a batch of 1 would hide a missing one
ALL = "(the network)"
NOT_OURS = "num_batches_tracked"  # of PyTorch's batch norms: no tensor of the network
MULTIPLIES = {"conv", "linear", "addmm", "matmul", "bmm"}  # fvcore's operators that are Mult-Adds
AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class Disagreement(NamedTuple):
    """Something of a layer that archcalc states otherwise than the witness finds it."""

    layer: str
    what: str
    stated: str
    found: str


class LeftOut(NamedTuple):
    """How much was not compared, and why."""

    number: int
    reason: str


class Check(NamedTuple):
    """One thing compared with one witness: how many of which, and where they disagree."""

    key: str
    name: str
    witness: str
    compared: int
    left_out: tuple[LeftOut, ...]
    disagreements: tuple[Disagreement, ...]


class Verification(NamedTuple):
    """All checks of one network."""

    network: str
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether no check found a disagreement."""
        return not any(check.disagreements for check in self.checks)


class Built(NamedTuple):
    """A network's analysis and its model on the meta device, its modules by the nodes' indices."""

    analysis: Analysis
    model: nn.Module
    modules: dict[int, nn.Module]

    @property
    def graph(self) -> Graph:
        return self.analysis.graph

    def layers(self) -> Iterator[tuple[Node, nn.Module]]:
        """Layers that the model has; a missing one is told by the check of parameters."""
        for node in self.graph.layers:
            if node.index in self.modules:
                yield node, self.modules[node.index]

    def input(self, batch: int = 1) -> Tensor:
        shape = self.graph.input.facts.outputs[0]
        return counters.meta_input(shape, torch.float32, batch)


def verify(analysis: Analysis, model: nn.Module | None = None) -> Verification:
    """Every check of a network, against the model that is built from it or the one given.

    The one given must have the layers' names; it is left as it is. Raises LayerError, with the
    layer, for what PyTorch has no layers for.
    """
    own = build(analysis.graph, device="meta") if model is None else model
    twin = counters.meta_copy(own)
    modules = {node.index: _module(twin, node.path) for node in analysis.graph.layers}
    there = {index: module for index, module in modules.items() if module is not None}
    built = Built(analysis, twin, there)
    with _one_thread():
        return Verification(analysis.label, tuple(_checks(built)))


def _module(model: nn.Module, path: str) -> nn.Module | None:
    module: nn.Module | None = model
    for name in path.split("/"):
        module = module._modules.get(name) if module is not None else None
    return module


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread: thousands of small operations only wait for others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _checks(built: Built) -> Iterator[Check]:
    shapes, failed = output_shapes(built)
    yield shapes
    yield parameters(built)
    for check in (mult_adds_by_torch, mult_adds_by_fvcore, params_by_thop):
        yield check(built, failed)
    yield receptive_fields(built)


# Shapes.


def output_shapes(built: Built) -> tuple[Check, str]:
    """Every output's shape when the model runs on the meta device; and why it doesn't, if so."""
    found: dict[int, Any] = {}
    running: list[Node] = []
    handles = [
        handle
        for node, module in built.layers()
        for handle in _watched(node, module, running, found)
    ]
    failed: list[Disagreement] = []
    try:
        with counters.quiet(), torch.no_grad():
            built.model(built.input(BATCH))
    except Exception as error:  # noqa: BLE001 - a wrong model may fail in any way
        layer = running[-1].path if running else ALL
        failed = [Disagreement(layer, "forward", "runs", _first_line(error))]
    finally:
        for handle in handles:
            handle.remove()
    wrong = failed + [
        one
        for node in built.graph.layers
        for one in _wrong_shapes(node, found.get(node.index), bool(failed))
    ]
    witness = f"PyTorch {_torch()} on meta, batch {BATCH}"
    missing = len(built.graph.layers) - len(found)
    left_out = (LeftOut(missing, "after the layer that failed"),) if failed and missing else ()
    check = Check("shapes", "output shapes", witness, len(found), left_out, tuple(wrong))
    return check, "the model does not run" if failed else ""


def _watched(
    node: Node, module: nn.Module, running: list[Node], found: dict[int, Any]
) -> Iterator[torch.utils.hooks.RemovableHandle]:
    """Hooks that note which layer runs, and what it gives."""

    def before(*_: Any) -> None:
        running.append(node)

    def after(_module: nn.Module, _inputs: Any, output: Any) -> None:
        found[node.index] = output if isinstance(output, tuple) else (output,)

    yield module.register_forward_pre_hook(before)
    yield module.register_forward_hook(after)


def _wrong_shapes(node: Node, outputs: Any, failed: bool) -> Iterator[Disagreement]:
    if outputs is None:
        if not failed:
            yield Disagreement(node.path, "output", spelled(node.facts.outputs[0]), "not called")
        return
    stated = [spelled((BATCH * node.times, *shape)) for shape in node.facts.outputs]
    given = [spelled(tuple(one.shape)) for one in outputs]
    if stated != given:
        yield Disagreement(node.path, "output", " and ".join(stated), " and ".join(given))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _torch() -> str:
    return torch.__version__.partition("+")[0]


# Parameters.


def parameters(built: Built) -> Check:
    """Names, shapes and kinds of all tensors a layer has, sharing, and the number of all."""
    wrong = [one for node in built.graph.layers for one in _wrong_layer(built, node)]
    wrong += _wrong_names(built)
    count = sum(len(_tensors(module)) for _, module in built.layers())
    owned = {id(p): p.numel() for p in built.model.parameters() if p.requires_grad}
    stated = built.analysis.totals.params
    if sum(owned.values()) != stated:
        wrong.append(Disagreement(ALL, "params", f"{stated:,}", f"{sum(owned.values()):,}"))
    return Check("parameters", "parameters", "the model's state_dict", count, (), tuple(wrong))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """A layer's parameters and lasting buffers by name, those of its own parts included."""
    every: dict[str, Tensor] = module.state_dict(keep_vars=True)
    return {name: one for name, one in every.items() if not name.endswith(NOT_OURS)}


def _wrong_layer(built: Built, node: Node) -> Iterator[Disagreement]:
    module = built.modules.get(node.index)
    if module is None:
        yield Disagreement(node.path, "layer", node.op.kind, "not in the model")
        return
    stated = {p.name: _said(p.shape, p.trainable) for p in node.op.parameters(node.facts.inputs)}
    tensors = _tensors(module)
    found = {name: _said(tuple(one.shape), one.requires_grad) for name, one in tensors.items()}
    for name in dict.fromkeys((*stated, *found)):
        if stated.get(name) != found.get(name):
            pair = stated.get(name, "none"), found.get(name, "none")
            yield Disagreement(node.path, name, *pair)
    yield from _wrong_sizes(node, tensors)
    if node.shared_with is not None:
        yield from _unshared(built, node, tensors)


def _said(shape: tuple[int, ...], trainable: bool) -> str:
    return f"{spelled(shape)} {'trainable' if trainable else 'buffer'}"


def _wrong_sizes(node: Node, tensors: Mapping[str, Tensor]) -> Iterator[Disagreement]:
    """The numbers of elements that the layer's row counts."""
    kinds = (("params", True, node.facts.params), ("buffers", False, node.facts.buffers))
    for what, trainable, stated in kinds:
        found = sum(one.numel() for one in tensors.values() if one.requires_grad == trainable)
        if found != stated:
            yield Disagreement(node.path, what, f"{stated:,}", f"{found:,}")


def _unshared(built: Built, node: Node, tensors: Mapping[str, Tensor]) -> Iterator[Disagreement]:
    """Parameters that should be another layer's own and are not."""
    assert node.shared_with is not None
    owner = node.shared_with
    theirs = _tensors(built.modules[owner.index]) if owner.index in built.modules else {}
    for name, one in tensors.items():
        if one.requires_grad and theirs.get(name) is not one:
            yield Disagreement(node.path, name, f"shared with {owner.path}", "its own")


def _wrong_names(built: Built) -> Iterator[Disagreement]:
    """Tensors of the model that lie in no layer."""
    within = {
        f"{node.path.replace('/', '.')}.{name}"
        for node, module in built.layers()
        for name in _tensors(module)
    }
    for name in _tensors(built.model):
        if name not in within:
            yield Disagreement(name.replace(".", "/"), "tensor", "none", "in no layer")


# Counters.


def mult_adds_by_torch(built: Built, failed: str) -> Check:
    """Mult-Adds of each layer against half of FlopCounterMode's FLOPs, forward only."""
    tool = f"FlopCounterMode/2, PyTorch {_torch()}"
    counted = _run(counters.flop_counter_mode, built, failed)
    if isinstance(counted, str):
        return _broken(Check("torch", "Mult-Adds", tool, 0, (), ()), built, counted)
    layers = {name: sum(by.values()) // 2 for name, by in counted.layers.items()}
    wrong = _wrong_mult_adds(built, layers, counted.total // 2)
    return Check("torch", "Mult-Adds", tool, len(built.graph.layers), (), wrong)


def mult_adds_by_fvcore(built: Built, failed: str) -> Check:
    """Mult-Adds of each layer against fvcore's convolutions, linears and matrix products.

    What else it counts (norms, adaptive pooling) has its own conventions and is left out.
    """
    tool = counters.called("fvcore")
    failed = failed or counters.absent("fvcore") or counters.too_large(built.analysis)
    counted = _run(counters.fvcore, built, failed)
    if isinstance(counted, str):
        return _broken(Check("fvcore", "Mult-Adds", tool, 0, (), ()), built, counted)
    layers = {
        name: sum(count for operator, count in by.items() if operator in MULTIPLIES)
        for name, by in counted.layers.items()
    }
    left_out = tuple(
        LeftOut(n, f"counts of {operator}, which are no Mult-Adds")
        for operator, n in _other_operators(built, counted.layers).items()
    )
    wrong = _wrong_mult_adds(built, layers, layers[""])
    return Check("fvcore", "Mult-Adds", tool, len(built.graph.layers), left_out, wrong)


def _other_operators(built: Built, layers: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """How many layers fvcore counts something else for, by what it calls the operator."""
    return Counter(
        operator
        for node in built.graph.layers
        for operator, count in layers.get(node.path.replace("/", "."), {}).items()
        if count and operator not in MULTIPLIES
    )


def _run(counter: Callable[[nn.Module, Tensor], Any], built: Built, failed: str) -> Any | str:
    """What a counter finds, or why it finds nothing."""
    if failed:
        return failed
    try:
        with counters.quiet():  # tools warn while they are imported, too
            return counter(built.model, built.input())
    except Exception as error:  # noqa: BLE001 - other people's code, on versions not yet there
        return f"it fails here: {_first_line(error)}"


def _broken(check: Check, built: Built, reason: str) -> Check:
    return check._replace(left_out=(LeftOut(len(built.graph.layers), reason),))


def _wrong_mult_adds(
    built: Built, found: Mapping[str, int], total: int
) -> tuple[Disagreement, ...]:
    """Every layer's Mult-Adds, and those of the network."""
    wrong = list(_wrong_counts("Mult-Adds", built.graph.layers, _mult_adds, found))
    stated = built.analysis.totals.mult_adds // built.analysis.batch
    if stated != total:
        wrong.append(Disagreement(ALL, "Mult-Adds", f"{stated:,}", f"{total:,}"))
    return tuple(wrong)


def _mult_adds(node: Node) -> int:
    return node.facts.mult_adds * node.times


def _wrong_counts(
    what: str, nodes: Iterable[Node], stated: Callable[[Node], int], found: Mapping[str, int]
) -> Iterator[Disagreement]:
    for node in nodes:
        own, theirs = stated(node), found.get(node.path.replace("/", "."), 0)
        if own != theirs:
            yield Disagreement(node.path, what, f"{own:,}", f"{theirs:,}")


def params_by_thop(built: Built, failed: str) -> Check:
    """Params of each layer of a type that thop has a rule for; of others it counts none.

    It counts shared ones wherever they are used, and so does the layer's own fact.
    """
    tool = counters.called("thop")
    found = _run(_thop_params, built, failed or counters.absent("thop"))
    if isinstance(found, str):
        return _broken(Check("thop", "params", tool, 0, (), ()), built, found)
    rules = import_module("thop.profile").register_hooks
    known = [node for node, module in built.layers() if type(module) in rules]
    wrong = _wrong_counts("params", known, lambda node: node.facts.params, found)
    unknown = Counter(
        type(module).__name__
        for node, module in built.layers()
        if type(module) not in rules and node.facts.params
    )
    left_out = [
        LeftOut(n, f"of type {kind}, for which it has no rule") for kind, n in unknown.items()
    ]
    without = len(built.modules) - len(known) - sum(unknown.values())
    if without:
        left_out.append(LeftOut(without, "without parameters and without a rule"))
    return Check("thop", "params", tool, len(known), tuple(left_out), tuple(wrong))


def _thop_params(model: nn.Module, x: Tensor) -> dict[str, int]:
    """thop's params of each layer that it has a rule for, by name."""
    with counters.quiet(), torch.no_grad():
        profiled = import_module("thop").profile(
            counters.meta_copy(model), inputs=(x,), verbose=False, ret_layer_info=True
        )
    return dict(_flat(profiled[2], ""))


def _flat(tree: Mapping[str, Any], above: str) -> Iterator[tuple[str, int]]:
    for name, (_, params, inner) in tree.items():
        yield above + name, int(params)
        yield from _flat(inner, f"{above}{name}.")


# Receptive fields.


def receptive_fields(built: Built) -> Check:
    """Fields where the network is cut, against the inputs that a gradient reaches."""
    graph = built.graph
    every = list(check_fields(graph, built.analysis.receptive_states))
    wrong = [_field_disagreement(graph, one) for one in every if not one.agrees]
    reasons = Counter(one.reason for one in every if one.reason)
    left_out = tuple(LeftOut(count, reason) for reason, count in reasons.items())
    compared = len(every) - sum(reasons.values())
    witness = "back-propagated indicators"
    return Check(
        "fields", "receptive fields", witness, compared, left_out, tuple(dict.fromkeys(wrong))
    )


def _field_disagreement(graph: Graph, one: Found) -> Disagreement:
    rank = len(graph.input.facts.outputs[0]) - 1
    axis = AXES[rank][one.axis] if rank in AXES else f"axis {one.axis + 1}"
    return Disagreement(one.node.path, f"receptive field, {axis}", one.stated, one.reached)
