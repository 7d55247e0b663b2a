"""Devices: which there are, what they are called, how much memory they have."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from time import sleep
from typing import NamedTuple, TypeVar

import torch

from archcalc import machine, words
from archcalc.analysis.costs import check_built
from archcalc.errors import SettingError, received

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # a second, of /proc/stat
FEWEST_TICKS = 20  # of all cores together, to tell a load from
BUSY = 0.3  # of the cores, with other work: too much to time anything beside it


# How allocators, of the CPU and of GPUs, and their libraries say that there is no memory left.
NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


Placed = TypeVar("Placed", torch.Tensor, torch.nn.Module)


class Machine(NamedTuple):
    """What a time was measured on and with.

    `load` is that of other work, over the cores, just before or while it was measured: the larger;
    `tf32` whether a GPU's convolutions of float32 round their factors to TF32.
    """

    device: str
    name: str
    host: str
    torch: str
    cuda: str
    threads: int
    dtype: str
    channels_last: bool
    compiled: bool
    date: str
    load: float
    tf32: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether other work kept so many cores busy that times may be far too long."""
        return self.load > BUSY


def available() -> list[str]:
    """The devices that can be named here."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def find(name: str) -> torch.device:
    """The device of that name; raises SettingError, never another device in its place."""
    there = available()
    wanted = f"{name}:0" if name == "cuda" else name
    if wanted in there:
        return torch.device(wanted)
    kind = name.partition(":")[0]
    why = ""
    if kind == "cuda" and "cuda:0" not in there:
        why = f" (PyTorch {torch.__version__} finds no CUDA here)"
    hint = words.near("DEVICES", name, there) if kind not in ("cuda", "mps") else None
    raise SettingError(
        f"--device: expected one of {', '.join(there)}, received {received(name)}{why}", hint=hint
    )


def is_memory(error: Exception) -> bool:
    """Whether an error says that there is no memory left."""
    said = any(words in str(error) for words in NO_MEMORY)
    return said or isinstance(error, torch.OutOfMemoryError)


def touch(device: torch.device) -> None:
    """Use a device for the first time; raises SettingError where it is there, but can't be used."""
    try:
        torch.empty(1, device=device)
    except RuntimeError as error:
        raise _unusable(device, error) from None


def _unusable(device: torch.device, error: Exception) -> SettingError:
    reason = str(error).strip().splitlines()[0]
    return SettingError(f"--device: expected one that can be used, received {device} ({reason})")


def usable(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype, if the device convolves in it; raises SettingError."""
    check_built(dtype)
    kind: torch.dtype = getattr(torch, dtype)
    touch(device)
    try:
        x = torch.ones(1, 1, 3, 3, device=device, dtype=kind)
        torch.nn.functional.conv2d(x, x)
    except (RuntimeError, TypeError) as error:
        if is_memory(error):
            raise _unusable(device, error) from None
        reason = str(error).strip().splitlines()[0]
        raise SettingError(
            f"--dtype: expected one that {device} computes in, received {received(dtype)} "
            f"({reason})"
        ) from None
    return kind


def device_name(device: torch.device) -> str:
    """What its maker calls it."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return _cpu_name() if device.type == "cpu" else f"{_cpu_name()} ({device.type})"


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on a device; None where that can't be known.

    What PyTorch holds back on a GPU for later is to be had, too.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + held)
    return machine.free_bytes()


def cache_bytes(device: torch.device) -> int:
    """The size of the last cache before a device's memory; 0 where it can't be known."""
    if device.type == "cuda":
        return int(getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0))
    sizes = [0]
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError:
            continue
        number, unit = text.rstrip("KM"), {"K": 2**10, "M": 2**20}.get(text[-1:], 1)
        sizes.append(int(number) * unit if number.isdecimal() else 0)
    return max(sizes)


def place(x: Placed, device: torch.device, dtype: torch.dtype) -> Placed:
    """A tensor on the device, in the dtype; or a model, which is changed."""
    return x.to(device, dtype)


@cache
def load() -> float:
    """The share of the cores' time that other work takes; looked at once, for a fifth of a second.

    0 where it can't be known. Ask before this process itself has anything to do.
    """
    before = _ticks()
    if before is None:
        return 0.0
    sleep(0.2)
    busy, total = (b - a for a, b in zip(before, _ticks() or before, strict=True))
    return busy / total if total > 0 else 0.0


class Watch:
    """Looks at what other work does from now on."""

    def __init__(self) -> None:
        self._ticks = _ticks()
        self._own = _own_ticks()

    def load(self) -> float:
        """The share of the cores' time that other work has taken since; 0 if that is too short."""
        before, now = self._ticks, _ticks()
        if before is None or now is None or now[1] - before[1] < FEWEST_TICKS:
            return 0.0
        others = now[0] - before[0] - (_own_ticks() - self._own)
        return max(0.0, others / (now[1] - before[1]))


def _own_ticks() -> float:
    """What this process, all its threads, has had of the cores, in the unit of `_ticks`."""
    times = os.times()
    return (times.user + times.system) * TICKS


def _ticks() -> tuple[int, int] | None:
    """Time the cores were busy, and all of it, since the machine began (Linux)."""
    try:
        with open("/proc/stat", encoding="utf-8") as stream:
            ticks = list(map(int, stream.readline().split()[1:9]))
    except (OSError, ValueError):
        return None
    return sum(ticks) - sum(ticks[3:5]), sum(ticks)  # less idle and waiting for a disk


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
