"""What a device can do at most: arithmetic by a large matrix product, memory by a large copy.

Williams et al. 2009, "Roofline": what a layer takes at least is its operations over the arithmetic
rate, and its bytes over the bandwidth. A layer can still be faster: where a convolution does fewer
operations than are counted (Winograd's algorithm), or where its data are still in a cache. What
calling a layer costs in itself is measured, too. All three are measured once for a device, its
threads and a dtype, and kept in the user's cache unless other work kept the machine busy.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from archcalc.errors import OutputError
from archcalc.files import write_file
from archcalc.pytorch.devices import Watch, synchronize
from archcalc.pytorch.events import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archcalc.pytorch.devices import Machine

VERSION = 4  # 1 had no TF32 on CUDA; 2 calls of a ReLU, CUDA by the host's clock; 3 one file
AMPERE = 8  # major compute capability
SECONDS = 0.1  # for each of the three, a round
ROUNDS = 3
FAR = 0.1  # of a roof, below which it isn't what bounds a layer
HALF = 0.5  # of a roof, from which on it is that, however short the layer is
FEW = 2  # calls; what takes less time is bound by calling it
COPIED = {"cuda": 2**29, "cpu": 2**27, "mps": 2**27}  # bytes: far beyond any cache
SIDE = {"cuda": 8192, "cpu": 1536, "mps": 4096}


class Roof(NamedTuple):
    """FLOPs a second, bytes a second (read and written), and seconds that a call takes at least."""

    flops: float
    bandwidth: float
    call: float

    def bound(self, flops: int, moved: int, seconds: float) -> tuple[float, str]:
        """The share of the roof that is reached, and what bounds the layer.

        `flops` and `moved` (bytes) are the layer's, `seconds` what it took. It is bound by
        overhead where it takes hardly longer than calling a layer does and is far from its roof,
        or has nothing to do, and by neither arithmetic nor memory where its code is far from what
        the device can do.
        """
        parts = {"arithmetic": flops / self.flops, "memory": moved / self.bandwidth}
        name = max(parts, key=parts.__getitem__)
        share = parts[name] / seconds
        if not share or (share < HALF and seconds < FEW * self.call):
            name = "overhead"
        elif share < FAR:
            name = "neither"
        return share, name


def roof(machine: Machine, device: torch.device, dtype: torch.dtype) -> Roof:
    """The device's roof: from the cache, or measured and put there if nothing disturbed that."""
    key = _key(machine)
    path = _path(key)
    known = _known(path, key) if path else None
    if known:
        return known
    watch = Watch()
    found = measured(device, dtype)
    busy = machine._replace(load=max(machine.load, watch.load())).is_busy
    if path and not busy and (path.is_file() or not path.exists()):  # nor into a pipe
        with suppress(OSError, OutputError):  # what can't be kept is measured again
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(str(path), [json.dumps({"key": key, "roof": found})])
    return found


def _path(key: str) -> Path | None:
    """Where a roof is kept: a file of its own, for several processes may write at the same time.

    None where there is no place for caches: the user has no home.
    """
    name = f"{sha256(key.encode()).hexdigest()[:16]}.json"
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # so XDG's specification says
        base = "" if os.environ.get("HOME") == "" else os.path.expanduser("~/.cache")
    return Path(base, "archcalc", f"roofline-{VERSION}", name) if os.path.isabs(base) else None


def _key(machine: Machine) -> str:
    settings = machine.threads if machine.device == "cpu" else f"tf32={machine.tf32}"
    parts = (machine.name, machine.device, machine.torch, settings, machine.dtype)
    return " | ".join(map(str, parts))


def _known(path: Path, key: str) -> Roof | None:
    """The roof that is kept there; None where nothing is, or something else."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(2**16))
        numbers = found["roof"] if found["key"] == key else []
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None
    if isinstance(numbers, list) and len(numbers) == 3 and all(map(_is_rate, numbers)):
        return Roof(*numbers)
    return None


def _is_rate(value: object) -> bool:
    return isinstance(value, float) and 0 < value < float("inf")


def rounds(device: torch.device) -> bool:
    """Whether the device's convolutions of float32 round their factors to TF32 (Ampere and on)."""
    if device.type != "cuda" or os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return False
    if torch.cuda.get_device_capability(device)[0] < AMPERE:
        return False
    try:
        return bool(torch.backends.cudnn.allow_tf32)
    except RuntimeError:  # so it is where the newer setting was used, of convolutions alone
        cudnn: Any = torch.backends.cudnn
        return bool(cudnn.conv.fp32_precision == "tf32")


@contextmanager
def as_convolutions(device: torch.device) -> Iterator[None]:
    """Matrix products as precise as convolutions are.

    PyTorch lets CUDA's convolutions of float32 round their factors to TF32 (10 bits), which is many
    times faster, and its matrix products not.
    """
    before = torch.get_float32_matmul_precision()
    if rounds(device):
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@torch.inference_mode()
def measured(device: torch.device, dtype: torch.dtype) -> Roof:
    """The roof, measured now: the best of many, for a roof is what can be reached."""
    side = SIDE[device.type]
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(side, side, generator=generator).to(device, dtype)
    source = torch.ones(COPIED[device.type], device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    one = torch.ones(1, 1, 1, 1, device=device, dtype=dtype)
    smallest = torch.nn.Conv2d(1, 1, 1, device=device, dtype=dtype)
    calls = (lambda: a @ a, lambda: target.copy_(source), lambda: smallest(one))
    with as_convolutions(device):  # in rounds: what disturbs one of them is over in the next
        rounds = [[_best(call, device) for call in calls] for _ in range(ROUNDS)]
    product, copy, least = map(min, zip(*rounds, strict=True))
    return Roof(2 * side**3 / product, 2 * len(source) / copy, least)


def _best(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest call; at least three are made.

    By the clock each is waited for; on CUDA they are launched in rows, and of a call that does
    hardly anything it is the launching that takes its time.
    """
    timed = Row().timed if device.type == "cuda" else partial(_clocked, device)
    least, end, calls = float("inf"), perf_counter() + SECONDS, 0
    call()
    synchronize(device)
    while calls < 3 or perf_counter() < end:
        least = min(least, *timed(call))
        calls += 1
    return least


def _clocked(device: torch.device, call: Callable[[], object]) -> list[float]:
    start = perf_counter()
    call()
    synchronize(device)
    return [perf_counter() - start]
