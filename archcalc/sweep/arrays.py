"""A tape replayed on NumPy arrays of 64-bit integers, which never overflow silently.

The least and the largest value of every step follow from those of the inputs. They prove most
guards, and that most steps can't overflow; the others are looked at number by number. NumPy is
imported when a replay is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import SettingError, received
from archcalc.sweep.tape import CONSTANT, GCD, INPUT, Guard, Tape, compared, computed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy import int64
    from numpy.typing import NDArray

    Column = NDArray[int64]

LEAST, LARGEST = -(2**63), 2**63 - 1
CHUNK = 2**14  # settings at a time: the arrays in use stay in the processor's cache


class Range(NamedTuple):
    """The least and the largest value; a bound, which need not be reached."""

    least: int
    largest: int

    @property
    def fits(self) -> bool:
        """Whether all between are 64-bit numbers."""
        return self.least >= LEAST and self.largest <= LARGEST

    @property
    def size(self) -> int:
        """The largest value without its sign."""
        return max(abs(self.least), abs(self.largest))


class Action(NamedTuple):
    """What a replay does next: make a step, judge a guard or give a figure, then drop numbers."""

    what: str
    place: int
    dropped: Sequence[int]


class Plan:
    """How a tape is replayed on inputs within some ranges: what must be made and judged, in order.

    Guards that the ranges prove are left out, and numbers are dropped after their last use.
    """

    def __init__(self, tape: Tape, inputs: Sequence[Range], figures: Iterable[int]) -> None:
        self.tape = tape
        self.ranges = _ranges(tape, inputs)
        self.constants = {i: r.least for i, r in enumerate(self.ranges) if r.least == r.largest}
        self.actions = _with_drops(tape, list(self._wanted(set(self.constants), figures)))

    def _wanted(self, known: set[int], figures: Iterable[int]) -> Iterator[tuple[str, int]]:
        """Steps, guards and figures in the order in which they come."""
        for i, guard in enumerate(self.tape.guards):
            if not self.proven(guard):
                for place in self.tape.needed((guard.left, guard.right), known):
                    yield "step", place
                yield "guard", i
        for figure in figures:
            for place in self.tape.needed((figure,), known):
                yield "step", place
            yield "figure", figure

    def proven(self, guard: Guard) -> bool:
        """Whether a comparison comes out as it did at every setting, by the ranges alone."""
        a, b = self.ranges[guard.left], self.ranges[guard.right]
        if guard.sign == "==":
            if guard.outcome:
                return a.least == a.largest == b.least == b.largest
            return a.largest < b.least or b.largest < a.least
        if guard.outcome:
            return bool(compared(guard.sign, a.largest, b.least))
        return not compared(guard.sign, a.least, b.largest)


def _with_drops(tape: Tape, wanted: list[tuple[str, int]]) -> list[Action]:
    """Each with the numbers that nobody takes after it."""
    later: set[int] = set()
    found: list[Action] = []
    for what, place in reversed(wanted):
        if what == "step":
            used: tuple[int, ...] = tape.steps[place].operands
        else:
            used = (place,) if what == "figure" else tape.guards[place][1:3]
        found.append(Action(what, place, [i for i in set(used) if i not in later]))
        later.update(used)
    return found[::-1]


def _ranges(tape: Tape, inputs: Sequence[Range]) -> list[Range]:
    """The range of every step."""
    found: list[Range] = []
    for sign, left, right in tape.steps:
        if sign == INPUT:
            found.append(inputs[left])
        elif sign == CONSTANT:
            found.append(Range(left, left))
        else:
            found.append(_range(sign, found[left], found[right]))
    return found


def _range(sign: str, a: Range, b: Range) -> Range:
    """The range of an operation on numbers in these ranges; divisors are not 0."""
    if a.least == a.largest and b.least == b.largest and (b.least or sign not in ("//", "%")):
        value = computed(sign, a.least, b.least)
        return Range(value, value)
    if sign == "%":  # as large as the divisor, with its sign
        return Range(min(b.least + 1, 0), max(b.largest - 1, 0))
    if sign == GCD:
        return Range(0, max(a.size, b.size))
    if sign == "//" and b.least <= 0 <= b.largest:
        return Range(-a.size, a.size)
    corners = [computed(sign, x, y) for x in a for y in b]
    return Range(min(corners), max(corners))


class Chunk:
    """Some of the settings: those that hold so far, and the numbers made for them."""

    def __init__(self, plan: Plan, inputs: Sequence[Column]) -> None:
        import numpy as np

        self.plan = plan
        self.inputs = list(inputs)
        self.failed = np.full(len(inputs[0]), -1)
        self.held = np.arange(len(inputs[0]))
        self.numbers: dict[int, Any] = dict(plan.constants)
        self.functions: dict[str, Any] = {
            "+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide,
            "%": np.remainder, GCD: np.gcd,
        }  # fmt: skip

    def run(self) -> dict[int, Column]:
        """The figures at the settings that hold, by their steps."""
        import numpy as np

        figures: dict[int, Column] = {}
        for what, place, dropped in self.plan.actions:
            if what == "step":
                self.numbers[place] = self._made(place)
            elif what == "guard":
                self._judge(place)
            else:
                figures[place] = np.broadcast_to(self.numbers[place], len(self.held)).astype(
                    np.int64
                )
            for i in dropped:
                if i not in self.plan.constants:
                    del self.numbers[i]
        return figures

    def _made(self, place: int) -> Column:
        sign, left, right = self.plan.tape.steps[place]
        if sign == INPUT:
            return self.inputs[left]
        a, b = self.numbers[left], self.numbers[right]
        if self.plan.ranges[place].fits or _range(sign, seen(a), seen(b)).fits:
            return self.functions[sign](a, b)  # type: ignore[no-any-return]
        return _exactly(sign, a, b)

    def _judge(self, place: int) -> None:
        """Go on with the settings at which a guard holds."""
        import numpy as np

        sign, left, right, outcome = self.plan.tape.guards[place]
        holds = compared(sign, self.numbers[left], self.numbers[right]) == outcome
        if np.all(holds):
            return
        holds = np.broadcast_to(holds, len(self.held))
        self.failed[self.held[~holds]] = place
        self.held = self.held[holds]
        self.inputs = [column[holds] for column in self.inputs]
        for i, number in self.numbers.items():
            if i not in self.plan.constants:
                self.numbers[i] = number[holds]


def seen(number: Any) -> Range:
    """The range of the values that are there."""
    if isinstance(number, int):
        return Range(number, number)
    return Range(int(number.min()), int(number.max())) if number.size else Range(0, 0)


def _exactly(sign: str, a: Any, b: Any) -> Column:
    """An operation in Python's own numbers; raises OverflowError beyond 64 bits."""
    import numpy as np

    left, right = (np.asarray(number, dtype=object) for number in (a, b))
    numbers = computed(sign, left, right)
    if not Range(min(numbers), max(numbers)).fits:
        raise OverflowError("expected numbers of at most 64 bits, received a larger one")
    return numbers.astype(np.int64)  # type: ignore[no-any-return]


# The inputs.


def columns(settings: Mapping[str, Any], fractions: Mapping[str, bool]) -> list[Column]:
    """The inputs of a tape, all of one length."""
    import numpy as np

    found: list[Column] = []
    for name, is_fraction in fractions.items():
        found += _ratios(name, settings[name]) if is_fraction else [_whole(name, settings[name])]
    length = max(len(column) for column in found)
    if any(len(column) not in (1, length) for column in found):
        lengths = " and ".join(map(str, sorted({len(column) for column in found} - {1})))
        raise SettingError(f"expected arrays of one length, received {lengths}")
    return [np.broadcast_to(column, length) for column in found]


def _whole(name: str, values: Any) -> Column:
    import numpy as np

    array = np.atleast_1d(np.asarray(values))
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise SettingError(f"{name}: expected whole numbers, received {received(values)}")
    if array.dtype == np.uint64 and array.max() > LARGEST:
        raise OverflowError(f"{name}: expected numbers of at most 2**63 - 1, received more")
    return array.astype(np.int64)


def _ratios(name: str, values: Any) -> list[Column]:
    """Numerators and denominators."""
    import numpy as np

    if isinstance(values, tuple) and len(values) == 2:
        above, below = (_whole(name, part) for part in values)
        if below.min() < 1:
            raise SettingError(f"{name}: expected denominators above 0, received {below.min()}")
        return [above, below]
    array = np.atleast_1d(np.asarray(values))
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iufO":
        raise SettingError(f"{name}: expected numbers, received {received(values)}")
    if array.dtype.kind in "iu":
        return [_whole(name, array), np.ones(1, np.int64)]
    return _decimals(array) or _one_by_one(name, array)


def _decimals(array: Any) -> list[Column] | None:
    """Floats as they print, over one power of ten; None where 15 digits are not enough.

    Of decimals with at most 15 digits a float is the nearest of one only, so that is what it
    prints.
    """
    import numpy as np

    for digits in range(15 if array.dtype == np.float64 else 0):
        above = np.rint(array * 10.0**digits)
        if not np.all(np.abs(above) < 10.0**15):
            return None
        if np.array_equal(above / 10.0**digits, array):
            return [above.astype(np.int64), np.full(1, 10**digits)]
    return None


def _one_by_one(name: str, array: Any) -> list[Column]:
    """Numbers of any kind, each with its own denominator."""
    from fractions import Fraction

    import numpy as np

    try:
        exact = [Fraction(repr(x)) if isinstance(x, float) else Fraction(x) for x in array.tolist()]
    except (TypeError, ValueError):
        raise SettingError(f"{name}: expected numbers, received {received(array)}") from None
    return list(np.array([one.as_integer_ratio() for one in exact], np.int64).T)
