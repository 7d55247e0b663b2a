"""Other people's counters, run so that they leave nothing behind.

Each runs on a copy of the model on the meta device, without the model's hooks: whatever a counter
registers, patches or forgets stays in the copy, also when the forward pass fails. Their units are
theirs: fvcore's and thop's "FLOPs" are multiply-accumulates, FlopCounterMode's are twice that.
"""

from __future__ import annotations

import copy
import logging
import warnings
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    from fvcore.nn import FlopCountAnalysis, parameter_count

    twin = light_copy(model)  # it traces the model, which PyTorch can't on the meta device
    with quiet(), torch.no_grad():
        analysis = FlopCountAnalysis(twin, (torch.zeros(x.shape),))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        total = int(analysis.total())
        by_module = analysis.by_module_and_operator()
    layers = {
        name: {operator: int(count) for operator, count in counts.items()}
        for name, counts in by_module.items()
    }
    return Counted(total, parameter_count(twin)[""], layers)


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


COUNTERS: dict[str, Callable[[nn.Module, Tensor], Counted]] = {
    "fvcore": fvcore,
    "thop": thop,
    "torch": flop_counter_mode,
}


def version(tool: str) -> str | None:
    """The installed version of a counter, None where it is not installed."""
    try:
        return metadata.version(tool)
    except metadata.PackageNotFoundError:
        return None
