"""Samples of time: their statistics, and when there are enough of them."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

import pytest

from archcalc.errors import SettingError
from archcalc.pytorch import timing
from archcalc.pytorch.timing import BUDGET, INTERRUPTED, PRECISE, Series, Timing, measure

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that only samples move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(timing, "perf_counter", lambda: self.now)

    def takes(self, seconds: Iterator[float]) -> Series:
        def sample() -> list[float]:
            own = next(seconds)
            self.now += own
            return [own]

        return Series(sample, target=0.01)


def test_the_interval_of_a_median() -> None:
    """Tables of order statistics give the 40th and the 61st of 100 samples for 95%."""
    samples = [float(i) for i in range(1, 101)]
    random.Random(0).shuffle(samples)
    found = Timing(tuple(samples), PRECISE)
    assert found.interval == (40, 61)
    assert found.median == 50.5
    assert found.quartiles == (25.75, 75.25)
    assert found.p90 == pytest.approx(90.1)


@pytest.mark.parametrize("count", [10, 33, 100])
def test_the_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    generator = random.Random(1)
    held = 0
    for _ in range(1000):
        samples = tuple(generator.expovariate(1) for _ in range(count))  # far from normal
        low, high = Timing(samples, PRECISE).interval
        held += low <= math.log(2) <= high
    assert 930 <= held <= 995


def test_few_samples_know_nothing() -> None:
    assert Timing((1.0,) * 7, PRECISE).uncertainty == math.inf
    assert Timing((1.0,) * 8, PRECISE).uncertainty == 0
    one = Timing((2.0,), BUDGET)
    assert (one.median, one.p90, one.quartiles, one.interval) == (2, 2, (2, 2), (2, 2))


def test_differences_within_noise() -> None:
    slow, fast = Timing((2.0, 2.1) * 20, PRECISE), Timing((1.0, 1.1) * 20, PRECISE)
    noisy = Timing((1.05, 2.0) * 20, PRECISE)
    assert slow.differs_from(fast)
    assert fast.differs_from(slow)
    assert not noisy.differs_from(slow)


def test_few_samples_differ_in_nothing() -> None:
    few, many = Timing((1.0,) * 7, BUDGET), Timing((9.0,) * 40, PRECISE)
    assert not few.differs_from(many)
    assert not many.differs_from(few)
    assert Timing((1.0,) * 8, BUDGET).differs_from(many)


def test_it_ends_when_the_median_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    generator = random.Random(2)
    series = clock.takes(1 + generator.uniform(-0.05, 0.05) for _ in itertools.count())
    [found] = measure([series], budget=1000)
    assert found.ended == PRECISE
    assert found.uncertainty <= 0.01
    assert 8 < len(found.samples) < 400
    assert found.median == pytest.approx(1, abs=0.02)


def test_it_ends_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    [found] = measure([clock.takes(itertools.cycle([1.0, 2.0]))], budget=30)
    assert found.ended == BUDGET
    assert 20 <= len(found.samples) <= 22


def test_at_least_one_sample_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    found = measure([clock.takes(itertools.repeat(100.0)) for _ in range(3)], budget=1)
    assert [one.samples for one in found] == [(100.0,)] * 3
    assert {one.ended for one in found} == {BUDGET}


def test_several_samples_of_a_call_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def row() -> list[float]:
        clock.now += 3.0
        return [1.0, 2.0]

    found, other = measure([Series(row, 1e-9), clock.takes(itertools.cycle([1.0, 2.0]))], budget=9)
    assert found.samples == (1.0, 2.0) * len(other.samples)


def test_samples_are_taken_in_turn() -> None:
    """A B B A: what drifts hits both alike, and so does what the first of a round pays."""
    order: list[str] = []

    def sampling(name: str) -> Series:
        def sample() -> list[float]:
            order.append(name)
            return [1.0]

        return Series(sample, 0.01)

    measure([sampling("a"), sampling("b")], budget=10)
    rounds = len(order) // 2
    assert order == (["a", "b", "b", "a"] * rounds)[: len(order)]
    assert len(order) >= 16


def test_the_first_of_a_round_is_not_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that take the same time differ in no median where each round's first is slower."""
    clock = Clock(monkeypatch)
    calls = itertools.count()

    def seconds() -> Iterator[float]:
        while True:
            yield 1.0 if next(calls) % 2 else 1.5

    found = measure([clock.takes(seconds()) for _ in range(2)], budget=200)
    assert not found[0].differs_from(found[1])


def test_why_it_ended_is_told_by_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was precise when last looked at, after 21 samples, isn't any more after 23."""
    clock = Clock(monkeypatch)
    drifting = clock.takes(itertools.chain([1.0] * 16, itertools.repeat(2.0)))
    found, _ = measure([drifting, clock.takes(itertools.cycle([1.0, 2.0]))], budget=62)
    assert len(found.samples) == 23
    assert Timing(found.samples[:21], PRECISE).uncertainty == 0
    assert found.uncertainty == 0.5
    assert found.ended == BUDGET


def test_progress_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shares: list[float] = []
    quick = clock.takes(itertools.cycle([0.001, 0.002]))
    measure([quick], budget=1, seen=shares.append)
    assert len(quick.samples) > 600
    assert 5 <= len(shares) <= 12


def test_an_interruption_leaves_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def interrupted(after: int) -> Iterator[float]:
        yield from [1.0, 2.0] * after
        raise KeyboardInterrupt

    [found] = measure([clock.takes(interrupted(3))], budget=1000)
    assert found == Timing((1.0, 2.0) * 3, INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        measure([clock.takes(interrupted(0))], budget=1000)


def test_warming_up_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    quick = clock.takes(itertools.repeat(0.1))
    assert quick.warm_up(seconds=1, fewest=3) == pytest.approx(0.1)
    assert clock.now == pytest.approx(1.1, abs=0.11)
    slow = clock.takes(itertools.repeat(100.0))
    slow.warm_up(seconds=1, fewest=3)
    assert clock.now == pytest.approx(201, abs=0.3)
    assert not quick.samples


def test_a_first_call_that_compiles_is_no_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    calls = itertools.count()
    one = clock.takes(100.0 if next(calls) == 0 else 0.01 for _ in itertools.repeat(None))
    assert one.warm_up(seconds=0.01, fewest=5) == pytest.approx(100)
    assert next(calls) == 1 + 5


def test_one_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def failing() -> Iterator[float]:
        yield from [1.0] * 3
        raise SettingError("no memory")

    good, bad = clock.takes(itertools.repeat(1.0)), clock.takes(failing())
    found, lost = measure([good, bad], budget=1000)
    assert found.ended == PRECISE
    assert len(found.samples) >= 8
    assert len(lost.samples) == 3
    assert isinstance(bad.error, SettingError)
    assert good.error is None
    alone = clock.takes(failing())
    measure([alone], budget=1000)
    assert isinstance(alone.error, SettingError)


def test_progress_goes_from_nothing_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shares: list[float] = []
    measure([clock.takes(itertools.cycle([1.0, 1.5]))], budget=50, seen=shares.append)
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    assert shares[-1] == 1
