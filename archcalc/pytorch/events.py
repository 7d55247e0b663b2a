"""Times on a GPU's own clock, between events that are recorded among its work.

Events are made once and used again, because making one takes as long as a launch.
"""

from __future__ import annotations

import itertools
import math
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[Callable[[], object]], object]  # of what stamps

LEAST = 1e-3  # seconds between two events, of which a row's own cost is a few tenths of a percent
MOST_TOGETHER = 64  # passes between two events
ROW = 0.01  # seconds that a row takes; a pass as long as that is alone
MOST = 32  # samples of a row
HELD = 0.05  # seconds that a GPU is kept waiting at the most
CLOCK = 2e9  # of a GPU, in Hz, or about that
EMPTY = 16  # pairs of events with nothing in between


class Row:
    """Passes in a row, an event after each: how long one takes where others come before and after.

    A pass that starts on an idle GPU waits for its first launch, and one that is waited for leaves
    the GPU idle before the next. In a row without waiting, all but the first run as they do in a
    loop: as fast as the GPU computes, or as fast as the CPU launches if that is slower. Passes
    shorter than a millisecond are timed several together. `length` is how many samples a row has,
    the first of which does not count if there are several; `together` how many passes each is the
    mean of. Both follow what a pass took when the row was taken last.
    """

    def __init__(self) -> None:
        self.length = self.together = 1
        self._events: list[Any] = []

    def timed(self, call: Callable[[], object]) -> list[float]:
        """Seconds of a call, a sample each."""
        _more(self._events, self.length + 1)
        edges, stream = self._events[: self.length + 1], torch.cuda.current_stream()
        edges[0].record(stream)
        for edge in edges[1:]:
            for _ in range(self.together):
                call()
            edge.record(stream)
        edges[-1].synchronize()
        found = [seconds / self.together for seconds in _apart(edges)]
        counted = found[1:] or found
        self._follow(max(min(counted), 1e-9))
        return counted

    def _follow(self, seconds: float) -> None:
        self.together = min(math.ceil(LEAST / seconds), MOST_TOGETHER)
        own = seconds * self.together
        self.length = 1 if own >= ROW else 1 + min(math.ceil(ROW / own), MOST)


class Stamps:
    """Stamps among the launches of one pass, which are held back until all of them are queued.

    So the time between two of them is what the GPU takes for what was launched between them,
    however slow launching is; but for more launches than its queue holds (about a thousand). What
    two stamps with nothing in between are apart is taken off.
    """

    def __init__(self, count: int) -> None:
        self._events: list[Any] = []
        _more(self._events, max(count, EMPTY + 1))
        self._count = count
        self._launching = HELD  # seconds, the least that was seen
        self._empty = 0.0
        for _ in range(2):  # the first makes the events
            self._empty = median(self._held(EMPTY + 1, self._nothing))

    def timed(self, run: Run) -> list[float]:
        """Seconds between the stamps of a pass; `run` is given what stamps."""
        return [max(0.0, one - self._empty) for one in self._held(self._count, self._watched(run))]

    def _watched(self, run: Run) -> Run:
        """The same, and a look at how long launching takes."""

        def watched(stamp: Callable[[], object]) -> None:
            start = perf_counter()
            run(stamp)
            self._launching = min(self._launching, perf_counter() - start)

        return watched

    def _held(self, count: int, run: Run) -> list[float]:
        edges, stream = self._events[:count], torch.cuda.current_stream()
        waiting = iter(edges)
        _hold(1.5 * self._launching)
        run(lambda: next(waiting).record(stream))
        edges[-1].synchronize()
        return _apart(edges)

    def _nothing(self, stamp: Callable[[], object]) -> None:
        for _ in range(EMPTY + 1):
            stamp()


def _hold(seconds: float) -> None:
    """Keep the GPU waiting, about so long, while the CPU goes on."""
    sleep = getattr(torch.cuda, "_sleep", None)  # of no promised interface
    if sleep is not None:
        sleep(int(min(seconds, HELD) * CLOCK))


def _more(events: list[Any], count: int) -> None:
    while len(events) < count:
        events.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]


def _apart(edges: list[Any]) -> list[float]:
    """Seconds from each event to the next."""
    return [a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(edges)]
