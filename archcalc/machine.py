"""How much memory this machine still has; whoever needs more refuses before anything is allocated.

It is told by files and calls that not every system has. Where none tells, nothing is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

from archcalc.errors import SettingError

ROOT = Path("/")


def free_bytes() -> int | None:
    """Memory that this process can still have; None where that can't be known."""
    known = [
        size for size in (_available(), _left_to_group(), _left_to_process()) if size is not None
    ]
    return min(known, default=None)


def check_memory(label: str, what: str, needed: int) -> None:
    """Raises SettingError where a network needs more memory than there is."""
    free = free_bytes()
    if free is not None and needed > free:
        raise SettingError(
            f"{label}: expected {what} to take at most {free:,} bytes, which are free here, "
            f"received a network that takes about {needed:,}"
        )


def _text(path: str) -> str:
    """A small file of the system; empty where there is none."""
    try:
        return (ROOT / path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _available() -> int | None:
    """Memory that the machine can still give."""
    for line in _text("proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    sysconf = getattr(os, "sysconf", None)  # Windows has none
    try:
        return sysconf("SC_PAGE_SIZE") * sysconf("SC_AVPHYS_PAGES") if sysconf else None
    except (ValueError, OSError):
        return None


def _left_to_group() -> int | None:
    """Memory that the limits of a container, or of a group around it, leave (Linux).

    What files keep in memory counts as used there, but is given back when memory is asked for.
    """
    known = []
    for line in _text("proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        group = Path("sys/fs/cgroup", controllers)
        inner = Path(path.strip("/"))
        names = ("limit_in_bytes", "usage_in_bytes") if controllers else ("max", "current")
        for folder in {group, *(group / one for one in (inner, *inner.parents))}:
            limit, used = (_text(f"{folder}/memory.{name}") for name in names)
            if limit.isdecimal() and used.isdecimal():
                known.append(max(0, int(limit) - int(used) + _given_back(folder)))
    return min(known, default=None)


def _given_back(group: Path) -> int:
    for line in _text(f"{group}/memory.stat").splitlines():
        name, _, size = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and size.isdecimal():
            return int(size)
    return 0


def _left_to_process() -> int | None:
    """Memory that the limit of this process' addresses leaves, as `ulimit -v` sets it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _text("proc/self/statm").partition(" ")[0]
    if limit == resource.RLIM_INFINITY or not pages.isdecimal():
        return None
    return max(0, limit - int(pages) * resource.getpagesize())
