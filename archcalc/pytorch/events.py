"""Times on a GPU's own clock: passes launched in a row, an event before and after each.

A pass that starts on an idle GPU waits for its first launch, and one that is waited for leaves the
GPU idle before the next. Of passes in a row without waiting, all but the first run as they do in a
loop: as fast as the GPU computes, or as fast as the CPU launches if that is slower. Events are made
once and used again, because making one takes as long as a launch.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROW = 0.01  # seconds that a row takes; a pass as long as that is alone
MOST = 32  # passes of a row that count


class Row:
    """So many passes in a row, the first of which does not count if there are several.

    `length` follows what a pass took when a row was read last.
    """

    def __init__(self) -> None:
        self.length = 1
        self._made: list[Any] = []
        self._taken = 0

    def events(self, count: int) -> list[Any]:
        """Events that record times, of this row alone."""
        first, self._taken = self._taken, self._taken + count
        while len(self._made) < self._taken:
            self._made.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        return self._made[first : self._taken]

    def read(self, passes: Sequence[Sequence[Any]]) -> list[list[float]]:
        """Seconds between the events of each pass that counts, once all are over."""
        passes[-1][-1].synchronize()
        counted = passes[1:] or passes
        found = [[a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(one)] for one in counted]
        self._taken = 0
        shortest = min(map(sum, found))
        self.length = 1
        if shortest < ROW:
            self.length += math.ceil(min(ROW / max(shortest, 1e-9), MOST))
        return found

    def timed(
        self, call: Callable[[], object], before: Callable[[], object] | None = None
    ) -> list[float]:
        """Seconds of each call that counts; what is done `before` each is not in them."""
        passes = [self.events(2) for _ in range(self.length)]
        for first, last in passes:
            if before is not None:
                before()
            first.record()
            call()
            last.record()
        return [seconds for (seconds,) in self.read(passes)]
