"""Other people's counters, run so that they leave nothing behind.

Each runs on a copy of the model that holds no memory, without the model's hooks: whatever a counter
registers, patches or forgets stays in the copy, also when the forward pass fails. Some replace
functions of PyTorch while they count: those are put back. Their units are theirs: fvcore's and
thop's "FLOPs" are multiply-accumulates, FlopCounterMode's are twice that.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcalc.packages import installing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from archcalc.analysis import Analysis

HOOKS = (
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks",
    "_forward_hooks_always_called",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
)


class Counted(NamedTuple):
    """What a counter says of a model, in the counter's own unit.

    `layers` has its count by the module's name (`blocks.0.conv`, the model itself is ""), then by
    what it calls the operation; `params` is None where it doesn't count them.
    """

    total: int
    params: int | None
    layers: dict[str, dict[str, int]]


def meta_copy(model: nn.Module) -> nn.Module:
    """A copy without memory and hooks, in evaluation mode; shared parameters stay shared."""
    return _copy(model, lambda tensor: torch.empty_like(tensor, device="meta"))


def light_copy(model: nn.Module) -> nn.Module:
    """Such a copy that can run on the CPU: its tensors are one zero, seen at every index."""
    return _copy(model, _zeros)


def _zeros(tensor: Tensor) -> Tensor:
    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.zeros((), dtype=kind).expand(tensor.shape)


def _copy(model: nn.Module, like: Callable[[Tensor], Tensor]) -> nn.Module:
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(like(parameter), parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = like(buffer)
    twin = copy.deepcopy(model, memo)
    for module in twin.modules():
        for name in HOOKS:
            getattr(module, name, {}).clear()
    return twin.eval()


def meta_input(shape: tuple[int, ...], dtype: torch.dtype, batch: int = 1) -> Tensor:
    """An input of that shape, without memory."""
    return torch.empty(batch, *shape, device="meta", dtype=dtype)


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no log lines of other people's code."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def flop_counter_mode(model: nn.Module, x: Tensor) -> Counted:
    """torch.utils.flop_counter.FlopCounterMode: FLOPs of convolutions and matrix products."""
    from torch.utils.flop_counter import FlopCounterMode

    twin = meta_copy(model)
    with quiet(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(x)
    root = type(twin).__name__
    layers = {
        name.removeprefix(root).removeprefix("."): {str(op): n for op, n in counts.items()}
        for name, counts in counter.get_flop_counts().items()
        if name != "Global"
    }
    return Counted(counter.get_total_flops(), None, layers)


def fvcore(model: nn.Module, x: Tensor) -> Counted:
    """fvcore.nn.FlopCountAnalysis: what it calls flops are multiply-accumulates, and some more."""
    with quiet():  # it scripts functions when it is imported, which PyTorch deprecates
        tool = import_module("fvcore.nn")
    twin = light_copy(model)  # it traces the model, which PyTorch can't on the meta device
    with quiet(), torch.no_grad():
        analysis = tool.FlopCountAnalysis(twin, (torch.zeros(x.shape),))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        total = int(analysis.total())
        by_module = analysis.by_module_and_operator()
    layers = {
        name: {operator: int(count) for operator, count in counts.items()}
        for name, counts in by_module.items()
    }
    return Counted(total, tool.parameter_count(twin)[""], layers)


def thop(model: nn.Module, x: Tensor) -> Counted:
    """thop.profile: by the type of each module; what it does not know counts nothing."""
    twin = meta_copy(model)
    with quiet(), torch.no_grad():
        ops, params, tree = import_module("thop").profile(
            twin, inputs=(x,), verbose=False, ret_layer_info=True
        )
    layers = {name: {"thop": count} for name, count in _flat(tree, "")}
    return Counted(int(ops), int(params), layers)


def _flat(tree: Mapping[str, Any], above: str) -> Iterator[tuple[str, int]]:
    for name, (count, _, inner) in tree.items():
        path = f"{above}.{name}" if above else name
        yield path, int(count)
        yield from _flat(inner, path)


# Counters that replace functions of PyTorch, or print.


@contextmanager
def restored() -> Iterator[io.StringIO]:
    """Put back what is replaced in PyTorch meanwhile; what is printed goes into the stream given.

    Names new in a module stay (PyTorch imports parts of itself when they are first used).
    """
    before = [(owner, dict(vars(owner))) for owner in (functional, torch, torch.Tensor)]
    printed = io.StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield printed
    finally:
        for owner, names in before:
            for name, value in list(vars(owner).items()):
                if name in names and names[name] is not value:
                    setattr(owner, name, names[name])
                elif name not in names and owner is torch.Tensor:
                    delattr(owner, name)


def _leaves(model: nn.Module) -> dict[str, nn.Module]:
    return {name: one for name, one in model.named_modules() if not any(one.children())}


def torchinfo(model: nn.Module, x: Tensor) -> Counted:
    """torchinfo.summary: each module's `weight` and `bias`, convolutions' at each position."""
    with quiet(), restored():
        tool = import_module("torchinfo")
    twin = meta_copy(model)
    names = {id(module): name for name, module in twin.named_modules()}
    try:
        with quiet(), restored(), torch.no_grad():
            found = tool.summary(twin, input_data=x, verbose=0)
    finally:
        tool.torchinfo.clear_cached_forward_pass()  # it would keep the copy
    layers = {
        names[one.layer_id]: {"torchinfo": int(one.macs)}
        for one in found.summary_list
        if one.is_leaf_layer
    }
    return Counted(int(found.total_mult_adds), int(found.total_params), layers)


def ptflops(model: nn.Module, x: Tensor) -> Counted:
    """ptflops.get_model_complexity_info, its default backend: by modules, and by functions."""
    with quiet(), restored():
        tool = import_module("ptflops")
    twin = light_copy(model)  # on the meta device a linear calls functions that it would count, too
    watch = _PtflopsLayers(twin)
    with quiet(), restored() as printed, torch.no_grad():
        total, params = tool.get_model_complexity_info(
            twin, tuple(x.shape[1:]), print_per_layer_stat=False, as_strings=False
        )
    if total is None:  # it prints what happened, and goes on
        raise RuntimeError(printed.getvalue().partition(": \n")[2].partition("\n")[0])
    return Counted(int(total), int(params), watch.layers)


class _PtflopsLayers:
    """What ptflops counts in each layer: by its module, and by the functions that it calls.

    It says neither in numbers: while the model runs, the modules hold the first, and a list that
    all replaced functions share grows by the second.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers: dict[str, dict[str, int]] = {}
        self.modules = _leaves(model)
        for name, module in self.modules.items():
            self._watch(name, module)
        model.register_forward_hook(self._at_end)

    def _watch(self, name: str, module: nn.Module) -> None:
        marks = (0, 0)

        def before(*_: Any) -> None:
            nonlocal marks
            first, second = self._lists()
            marks = len(first), len(second)

        def after(*_: Any) -> None:
            new = [sum(one[mark:]) for one, mark in zip(self._lists(), marks, strict=True)]
            self.layers[name] = {"functions": int(sum(new))}

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)

    @staticmethod
    def _lists() -> tuple[list[Any], list[Any]]:
        """The counts of torch.nn.functional's functions, and of torch's."""
        both = (functional.relu, torch.mul)
        first, second = (getattr(function, "collector", []) for function in both)
        return first, second

    def _at_end(self, *_: Any) -> None:
        for name, module in self.modules.items():
            self.layers[name]["module"] = int(getattr(module, "__flops__", 0))


def calflops(model: nn.Module, x: Tensor) -> Counted:
    """calflops.calculate_flops, of which the MACs."""
    with quiet(), restored():
        tool = import_module("calflops")
        state = import_module("calflops.calculate_pipline")
    twin = light_copy(model)
    if next(twin.parameters(), None) is None:
        raise RuntimeError("it expects a model with parameters")
    layers: dict[str, dict[str, int]] = {}

    def at_end(*_: Any) -> None:
        for name, module in _leaves(twin).items():
            layers[name] = {"calflops": int(getattr(module, "__macs__", 0))}

    twin.register_forward_hook(at_end)
    try:
        with quiet(), restored(), torch.no_grad():
            _, macs, params = tool.calculate_flops(
                twin, tuple(x.shape), print_results=False, output_as_string=False
            )
    finally:  # what a forward pass that fails leaves behind
        for kept in (state.module_flop_count, state.module_mac_count, state.old_functions):
            kept.clear()
    return Counted(int(macs), int(params), layers)


COUNTERS: dict[str, Callable[[nn.Module, Tensor], Counted]] = {
    "fvcore": fvcore,
    "thop": thop,
    "torch": flop_counter_mode,
    "torchinfo": torchinfo,
    "ptflops": ptflops,
    "calflops": calflops,
}


META = frozenset({"thop", "torch", "torchinfo"})  # those that need no values


def too_large(analysis: Analysis) -> str:
    """Why a counter that runs the network on the CPU can't; empty where it can."""
    from archcalc.analysis.memory import Memory
    from archcalc.pytorch.devices import free_bytes

    free = free_bytes(torch.device("cpu"))
    # A convolution may unfold its input besides, and what multiplies copies the weights, of which
    # the model has one number only, to all their places.
    weights = max((node.facts.params for node in analysis.graph.layers), default=0)
    needed = 2 * Memory(analysis).peak + weights * analysis.itemsize
    if free is None or needed <= free:
        return ""
    return f"it runs the network, which takes about {needed:,} bytes, and {free:,} are free"


def called(tool: str) -> str:
    """A counter's name, with its version where it is installed."""
    return f"{tool} {version(tool) or ''}".rstrip()


def absent(tool: str) -> str:
    """Why a counter that isn't installed finds nothing; empty where it is installed."""
    return "" if version(tool) else f"it is not installed; this installs it: {installing(tool)}"


def version(tool: str) -> str | None:
    """The installed version of a counter, None where it is not installed."""
    try:
        return metadata.version(tool)
    except metadata.PackageNotFoundError:
        return None
