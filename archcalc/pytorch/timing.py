"""Samples of time, taken until their median is known well enough.

One sample is one call, in seconds; a device may take several in a row. The median's confidence
interval is that of order statistics, which holds for any distribution of the samples: between the
l-th and u-th of n sorted samples with l = n/2 - 1.96*sqrt(n)/2 and u = 1 + n/2 + 1.96*sqrt(n)/2
lies the true median with 95%.
"""

from __future__ import annotations

import math
from statistics import quantiles
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from archcalc.errors import ArchcalcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PRECISE, BUDGET, INTERRUPTED = "precise", "budget", "interrupted"
FEWEST = 8  # of samples, below which no interval is known
SHOWN_EVERY = 0.1  # seconds, between two words on progress


class Timing(NamedTuple):
    """Samples in seconds, in the order they were taken, and why there are no more.

    `ended` is precise (the interval is as narrow as was asked for), budget or interrupted.
    """

    samples: tuple[float, ...]
    ended: str

    @property
    def median(self) -> float:
        ordered = sorted(self.samples)
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true median lies with 95%; all samples where they are few."""
        ordered, n = sorted(self.samples), len(self.samples)
        reach = 1.96 * math.sqrt(n) / 2
        low, high = round(n / 2 - reach), round(1 + n / 2 + reach)  # the how-manieth
        return ordered[max(low, 1) - 1], ordered[min(high, n) - 1]

    @property
    def uncertainty(self) -> float:
        """Half the interval over the median; infinite where too few samples tell of none."""
        if self.is_short:
            return math.inf
        low, high = self.interval
        if high == low:
            return 0.0
        return (high - low) / 2 / self.median if self.median else math.inf

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the samples lies below the first, a quarter above the second."""
        if len(self.samples) < 2:
            return self.samples[0], self.samples[0]
        low, _, high = quantiles(self.samples, n=4, method="inclusive")
        return low, high

    @property
    def p90(self) -> float:
        """90% of the samples lie below."""
        if len(self.samples) < 2:
            return self.samples[0]
        return quantiles(self.samples, n=10, method="inclusive")[-1]

    @property
    def is_short(self) -> bool:
        """Whether there are too few samples to know an interval from."""
        return len(self.samples) < FEWEST

    def differs_from(self, other: Timing) -> bool:
        """Whether the intervals are known and apart: else the difference may be noise."""
        if self.is_short or other.is_short:
            return False
        (low, high), (least, most) = self.interval, other.interval
        return high < least or most < low


class Series:
    """One of several things measured in turn: a call that gives its samples, in seconds."""

    def __init__(self, sample: Callable[[], Sequence[float]], target: float) -> None:
        self.sample = sample
        self.target = target
        self.samples: list[float] = []
        self.uncertainty = math.inf  # as it was when last looked at
        self.error: ArchcalcError | None = None  # why it could not go on
        self._looked = 0

    def warm_up(self, seconds: float, fewest: int) -> float:
        """Call until so much time has passed and so many calls are made; calls so long stop it.

        The first does not count: it may compile, or choose algorithms. Its seconds are returned.
        """
        start = perf_counter()
        self.sample()
        first = perf_counter() - start
        end, calls = perf_counter() + seconds, 0
        while calls < fewest or perf_counter() < end:
            self.sample()
            calls += 1
            if perf_counter() > end + 10 * seconds:  # one call takes longer than all of it
                break
        return first

    @property
    def is_precise(self) -> bool:
        """Whether the median is known well enough; looked at after every tenth more samples."""
        if len(self.samples) >= max(1.1 * self._looked, FEWEST):
            return self.look()
        return self.uncertainty <= self.target

    def look(self) -> bool:
        """Whether the median is known well enough by all samples that there are now."""
        self._looked = len(self.samples)
        self.uncertainty = Timing(tuple(self.samples), PRECISE).uncertainty
        return self.uncertainty <= self.target


def bare(error: ArchcalcError) -> ArchcalcError:
    """An error without what it was raised from: that would keep tensors in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def measure(
    series: Sequence[Series],
    *,
    budget: float,
    seen: Callable[[float], None] = lambda share: None,
) -> list[Timing]:
    """Sample each in turn (A B B A ...) until all are precise or the budget (seconds) is spent.

    Drift of the machine hits all alike, and so does what the first of a round pays for the
    bookkeeping before it. At least one sample of each is taken; `seen` is told the share of the
    work that is done. One that raises an ArchcalcError keeps it and is left out from then on.
    KeyboardInterrupt ends it with what there is, unless that is nothing.
    """
    try:
        ended = _sample(series, budget, seen)
    except KeyboardInterrupt:
        if not all(one.samples or one.error for one in series):
            raise
        ended = INTERRUPTED
    return [
        Timing(tuple(one.samples), PRECISE if one.samples and one.look() else ended)
        for one in series
    ]


def _sample(series: Sequence[Series], budget: float, seen: Callable[[float], None]) -> str:
    """Rounds of samples until there are enough; says why there are no more."""
    start = told = perf_counter()
    order = list(series)
    while order and not _precise(order):
        now = perf_counter()
        if now - start > budget and order[0].samples:
            seen(1.0)
            return BUDGET
        if now - told >= SHOWN_EVERY:
            seen(_share(order, (now - start) / budget))
            told = now
        for one in tuple(order):
            try:
                one.samples += one.sample()
            except ArchcalcError as error:
                one.error = bare(error)
                order.remove(one)
        order.reverse()
    seen(1.0)
    return PRECISE


def _precise(series: Sequence[Series]) -> bool:
    """Whether all are precise, once more by all their samples before that is believed."""
    return all(one.is_precise for one in series) and all(one.look() for one in series)


def _share(series: Sequence[Series], spent: float) -> float:
    """How far the slowest is: the interval narrows with the root of the samples."""
    reached = [1.0 if one.is_precise else (one.target / one.uncertainty) ** 2 for one in series]
    return min(1.0, max(spent, min(reached)))
