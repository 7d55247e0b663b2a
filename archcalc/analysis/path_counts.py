"""How many paths of each length lead through a graph of sums: exact, or scaled where that is large.

Counts are polynomials: the coefficient of x^k is the number of paths of length k. Only sums and
joins of branches matter (`Join`); what lies between passes paths on. Where all paths go through one
node, the polynomials before and after it multiply, so that a chain of n equal units is the n-th
power of one. A first pass estimates how long and how many the paths are (`Estimate`): it decides
whether coefficients are whole numbers, floats scaled by a power of two, or not found at all.

Whole numbers are exact. Scaled floats are sums of positive numbers, which lose nothing but
rounding; lengths whose paths are fewer than CUT times the commonest length's are dropped. Together
shares and means are right to nine digits.
"""

from __future__ import annotations

from collections import Counter
from math import ceil, log2, sqrt
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXACT_LENGTH = 2_000  # the longest path that is counted in whole numbers
EXACT_BITS = 10_000  # of the number of all paths: 3,000 digits
EXACT_BYTES = 64_000_000
EXACT_WORK = 20_000_000  # additions of whole numbers: a few seconds

MOST_BYTES = 320_000_000
MOST_WORK = 400_000_000  # additions of floats: a minute or two

CUT = 1e-15
SCALED_BITS = 600  # a float's exponent goes up to 1,023: rescaled in time
FLOAT_BYTES = 40  # of a float and its place in two lists, one of which is being made


class Join(NamedTuple):
    """A node where paths meet: where each comes from, and whether it goes through a branch there.

    At a sum paths add up; elsewhere the branch with the most paths stands for all of them.
    """

    node: int
    parts: tuple[tuple[int, bool], ...]
    is_sum: bool


Segment = tuple[Join, ...]  # from a node that all paths go through, here 0, to the next one


class Part(NamedTuple):
    """A segment, how often it comes, and the estimates of its nodes."""

    segment: Segment
    times: int
    estimates: list[Estimate]


class Estimate(NamedTuple):
    """The paths to a node: their shortest and longest length, log2 of their number, moments."""

    shortest: int
    longest: int
    bits: float
    mean: float
    variance: float

    def through(self) -> Estimate:
        """The same paths, each through one branch more."""
        return Estimate(
            self.shortest + 1, self.longest + 1, self.bits, self.mean + 1, self.variance
        )

    def then(self, other: Estimate, times: int) -> Estimate:
        """The paths that go on through some others, several times one after another."""
        pairs = zip(self, other, strict=True)
        return Estimate(*(own + times * more for own, more in pairs))  # type: ignore[arg-type]

    @property
    def lengths(self) -> int:
        """How many lengths there are from the shortest to the longest."""
        return self.longest - self.shortest + 1

    @property
    def width(self) -> float:
        """About how many of them are not dropped: 10 deviations to each side."""
        return min(self.lengths, 20 * sqrt(self.variance) + SCALED_BITS)


class Counts(NamedTuple):
    """`numbers[i]` * 2**`exponent` paths have length `first` + i."""

    first: int
    numbers: tuple[int, ...] | tuple[float, ...]
    exponent: int = 0

    def through(self) -> Counts:
        """The same paths, each through one branch more."""
        return self._replace(first=self.first + 1)

    @property
    def bits(self) -> float:
        """log2 of the number of all paths."""
        return self.exponent + log2(sum(self.numbers))

    @property
    def last(self) -> int:
        """The largest length, and one more."""
        return self.first + len(self.numbers)


ONE_PATH = Counts(0, (1,))
NOTHING = Estimate(0, 0, 0.0, 0.0, 0.0)


def count(joins: Sequence[Join]) -> tuple[Counts, bool]:
    """The paths to the last of the joins by length, and whether the counts are exact.

    Raises SettingError where counting would take too much memory or time.
    """
    segments = Counter(_segments(joins))
    parts = [Part(segment, times, _estimates(segment)) for segment, times in segments.items()]
    whole = NOTHING
    for part in parts:
        whole = whole.then(part.estimates[-1], part.times)
    if whole.longest <= EXACT_LENGTH and whole.bits <= EXACT_BITS:
        cost = _cost(parts, exact=True)
        if cost.numbers * (40 + whole.bits / 7) <= EXACT_BYTES and cost.work <= EXACT_WORK:
            return _product(parts, exact=True), True
    cost = _cost(parts, exact=False)
    if cost.numbers * FLOAT_BYTES > MOST_BYTES or cost.work > MOST_WORK:
        raise SettingError(
            f"paths: expected at most {MOST_BYTES // 10**6:,} MB and {MOST_WORK:,} additions for "
            f"counting, received about {ceil(cost.numbers * FLOAT_BYTES / 10**6):,} MB and "
            f"{ceil(cost.work):,} additions: {len(joins):,} joins with paths through up to "
            f"{whole.longest:,} branches"
        )
    return _product(parts, exact=False), False


def _segments(joins: Sequence[Join]) -> Iterator[Segment]:
    """The parts of the graph that follow one another, their nodes numbered from 0."""
    last = {node: i for i, join in enumerate(joins) for node, _ in join.parts}
    begun, needed, names = 0, last.get(0, 0), {0: 0}
    for i, join in enumerate(joins):
        if needed <= i:  # nobody after it takes anything from before it
            yield tuple(_renumbered(joins[begun : i + 1], names))
            begun, needed, names = i + 1, i, {join.node: 0}
        needed = max(needed, last.get(join.node, i))


def _renumbered(joins: Sequence[Join], names: dict[int, int]) -> Iterator[Join]:
    for i, join in enumerate(joins, start=1):
        names[join.node] = i
        yield Join(i, tuple([(names[node], body) for node, body in join.parts]), join.is_sum)


def _last_uses(segment: Segment) -> dict[int, int]:
    """For each node the last one that takes its paths."""
    return {node: join.node for join in segment for node, _ in join.parts}


# What it will take.


def _estimates(segment: Segment) -> list[Estimate]:
    found = [NOTHING]
    for join in segment:
        parts = [found[node].through() if body else found[node] for node, body in join.parts]
        most = max(parts, key=lambda part: part.bits)
        found.append(_estimated_sum(parts, most.bits) if join.is_sum else most)
    return found


def _estimated_sum(parts: Sequence[Estimate], most: float) -> Estimate:
    """The moments of all paths together, from those of each part and its share of the paths."""
    weights = [2.0 ** (part.bits - most) for part in parts]
    total = sum(weights)
    pairs = list(zip(weights, parts, strict=True))
    mean = sum(weight * part.mean for weight, part in pairs) / total
    squares = (weight * (part.variance + (part.mean - mean) ** 2) for weight, part in pairs)
    return Estimate(
        min(part.shortest for part in parts),
        max(part.longest for part in parts),
        most + log2(total),
        mean,
        sum(squares) / total,
    )


class Cost(NamedTuple):
    """The most numbers that are held at once, and how many are added."""

    numbers: float
    work: float


def _cost(parts: Sequence[Part], *, exact: bool) -> Cost:
    def size(estimate: Estimate) -> float:
        return estimate.lengths if exact else estimate.width

    most = work = 0.0
    whole = NOTHING
    for segment, times, estimates in parts:
        cost = _segment_cost(segment, list(map(size, estimates)))
        before, power = whole, NOTHING.then(estimates[-1], times)
        whole = before.then(power, 1)
        most = max(most, cost.numbers, 2 * (size(power) + size(before) + size(whole)))
        work += cost.work + size(power) * size(before)
        work += 2 * size(power) ** 2 if times > 1 else 0
    return Cost(most, work)


def _segment_cost(segment: Segment, sizes: Sequence[float]) -> Cost:
    last = _last_uses(segment)
    held = most = sizes[0]
    work = 0.0
    for join in segment:
        held += sizes[join.node]
        most = max(most, held)
        work += sum(sizes[node] for node, _ in join.parts)
        done = {node for node, _ in join.parts if last[node] == join.node}
        held -= sum(sizes[node] for node in done)
    return Cost(most, work)


# Counting.


def _product(parts: Sequence[Part], *, exact: bool) -> Counts:
    """The product over all segments, equal ones as a power."""
    whole = ONE_PATH if exact else Counts(0, (1.0,))
    for part in parts:
        power = _power(_counted(part, exact=exact), part.times, exact=exact)
        whole = _times(whole, power, exact=exact)
    return whole


def _power(counts: Counts, times: int, *, exact: bool) -> Counts:
    """The counts multiplied by themselves, by squaring."""
    if times == 1:
        return counts
    half = _power(counts, times // 2, exact=exact)
    square = _times(half, half, exact=exact)
    return _times(square, counts, exact=exact) if times % 2 else square


def _times(one: Counts, other: Counts, *, exact: bool) -> Counts:
    """The paths through one part and then the other."""
    first, exponent = one.first + other.first, one.exponent + other.exponent
    if exact:
        return Counts(first, _whole_product(one.numbers, other.numbers), exponent)
    short, long = sorted((one.numbers, other.numbers), key=len)
    numbers = [0.0] * (len(short) + len(long) - 1)
    for i, factor in enumerate(short):
        own = slice(i, i + len(long))
        numbers[own] = map(add, numbers[own], [factor * number for number in long])
    found = Counts(first, tuple(numbers), exponent)
    return _rescaled(found, found.bits)


def _whole_product(one: Sequence[Any], other: Sequence[Any]) -> tuple[int, ...]:
    """The product of two polynomials as one of two numbers (Kronecker 1882): x is a power of 256.

    Python multiplies large numbers in less time than all their digits take one by one.
    """
    size = (sum(one) * sum(other)).bit_length() // 8 + 1
    first, second = (
        int.from_bytes(b"".join(number.to_bytes(size, "little") for number in own), "little")
        for own in (one, other)
    )
    text = (first * second).to_bytes(size * (len(one) + len(other) - 1), "little")
    return tuple(int.from_bytes(text[i : i + size], "little") for i in range(0, len(text), size))


def _counted(part: Part, *, exact: bool) -> Counts:
    """The paths through a segment; with floats their sum is near 1."""
    segment, _, estimates = part
    last = _last_uses(segment)
    found = {0: ONE_PATH if exact else Counts(0, (1.0,))}
    for join in segment:
        parts = [found[node].through() if body else found[node] for node, body in join.parts]
        if not join.is_sum:
            found[join.node] = _most(parts, exact=exact)
        elif exact:
            found[join.node] = _sum(parts)
        else:
            total, bits = _sum(_on_one_scale(parts)), estimates[join.node].bits
            large = bits - total.exponent > SCALED_BITS
            found[join.node] = _rescaled(total, bits) if large else total
        for node in {node for node, _ in join.parts if last[node] == join.node}:
            del found[node]
    end = found[segment[-1].node]
    return end if exact else _rescaled(end, end.bits)


def _most(parts: Sequence[Counts], *, exact: bool) -> Counts:
    """The part with the most paths, the first of several that have as many."""
    if exact:
        return max(parts, key=lambda part: sum(part.numbers))
    bits = [part.bits for part in parts]
    most = max(bits) - 1e-9
    return next(part for part, own in zip(parts, bits, strict=True) if own >= most)


def _sum(parts: Sequence[Counts]) -> Counts:
    """The counts of several parts of one scale, length by length."""
    first = min(part.first for part in parts)
    numbers: list[Any] = [0] * (max(part.last for part in parts) - first)
    for part in parts:
        own = slice(part.first - first, part.last - first)
        numbers[own] = map(add, numbers[own], part.numbers)
    return Counts(first, tuple(numbers), parts[0].exponent)


def _on_one_scale(parts: Sequence[Counts]) -> list[Counts]:
    """The parts at the largest exponent among them; what vanishes beside it is left out."""
    most = max(part.exponent for part in parts)
    return [
        part if part.exponent == most else _scaled(part, most)
        for part in parts
        if part.exponent > most - 1000
    ]


def _scaled(counts: Counts, exponent: int) -> Counts:
    factor = 2.0 ** (counts.exponent - exponent)
    return Counts(counts.first, tuple([number * factor for number in counts.numbers]), exponent)


def _rescaled(counts: Counts, bits: float) -> Counts:
    """The same counts, 2**`bits` in all, with their sum near 1; rare lengths are dropped."""
    least = max(counts.numbers) * CUT
    kept = [i for i, number in enumerate(counts.numbers) if number > least]
    numbers = counts.numbers[kept[0] : kept[-1] + 1]
    return _scaled(counts._replace(first=counts.first + kept[0], numbers=numbers), ceil(bits))
