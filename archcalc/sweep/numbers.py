"""Numbers that record what is done to them: whole ones, and fractions of two of these.

Operations go to the tape and give recorded numbers. A comparison gives a bool, as code that
branches needs it, and goes to the tape as a guard. Where Python's own number is asked for (an
index, a length, a text), the guard is that the number is the one it was.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any

from archcalc.sweep.tape import CONSTANT, GCD, Step, Tape, compared, computed
from archcalc.values import Number

if TYPE_CHECKING:
    from collections.abc import Callable


class Recorded(Number):
    """A whole number: the step that gives it, and its value where it was recorded."""

    __slots__ = ("step", "tape", "value")

    def __init__(self, tape: Tape, step: int, value: int) -> None:
        self.tape = tape
        self.step = step
        self.value = value

    def whole(self) -> Recorded:
        return self

    @property
    def numerator(self) -> Recorded:
        return self

    @property
    def denominator(self) -> int:
        return 1

    # Where Python's own number is asked for.

    def pinned(self) -> int:
        """Its value, which it must have from now on."""
        self._is("==", self.value)
        return self.value

    __index__ = __int__ = pinned

    def __float__(self) -> float:
        return float(self.pinned())

    def __str__(self) -> str:
        return str(self.pinned())

    def __format__(self, how: str) -> str:
        return format(self.pinned(), how)

    def __repr__(self) -> str:
        return f"<recorded {self.value}>"

    # Comparisons.

    __hash__ = None  # type: ignore[assignment]  # which entry of a dictionary it is depends on it

    def _is(self, sign: str, other: int | Recorded) -> bool:
        """Compare, and record how it came out."""
        if not isinstance(other, Recorded):
            other = Recorded(self.tape, self.tape.constant(other), other)
        if other.step == self.step:
            return sign != "<"
        outcome: bool = compared(sign, self.value, other.value)
        self.tape.guard(sign, self.step, other.step, outcome)
        return outcome

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, Recorded)):
            return self._is("==", other)
        ratio = _ratio(other)
        return NotImplemented if ratio is None else bool(_fraction(self) == ratio)

    def __lt__(self, other: Any) -> bool:
        if isinstance(other, (int, Recorded)):
            return self._is("<", other)
        return bool(_fraction(self) < other)

    def __le__(self, other: Any) -> bool:
        if isinstance(other, (int, Recorded)):
            return self._is("<=", other)
        return bool(_fraction(self) <= other)

    def __gt__(self, other: Any) -> bool:
        return not self.__le__(other)

    def __ge__(self, other: Any) -> bool:
        return not self.__lt__(other)

    def __bool__(self) -> bool:
        return not self._is("==", 0)

    # Operations.

    def __add__(self, other: Any) -> Any:
        return _done("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _done("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _done("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _done("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _done("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _done("*", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _done("//", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _done("//", other, self)

    def __mod__(self, other: Any) -> Any:
        return _done("%", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _done("%", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _fraction(self) / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / _fraction(self)

    def __pow__(self, exponent: Any) -> Any:
        return _power(self, exponent)

    def __rpow__(self, base: Any) -> Any:
        return base ** self.pinned()

    def __neg__(self) -> Any:
        return 0 - self

    def __pos__(self) -> Recorded:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __trunc__(self) -> Recorded:
        return self

    __floor__ = __ceil__ = __trunc__


class RecordedFraction(Number):
    """A fraction of whole numbers, `below` above 0; it need not be in lowest terms."""

    __slots__ = ("above", "below")

    def __init__(self, above: int | Recorded, below: int | Recorded) -> None:
        self.above = above
        self.below = below

    def whole(self) -> Any:
        return self.above // self.below if self.above % self.below == 0 else None

    @property
    def numerator(self) -> Any:
        return self.above // gcd(self.above, self.below)

    @property
    def denominator(self) -> Any:
        return self.below // gcd(self.above, self.below)

    # Where Python's own number is asked for.

    def pinned(self) -> Fraction:
        """Its value, which it must have from now on."""
        return Fraction(int(self.above), int(self.below))

    def __float__(self) -> float:
        return float(self.pinned())

    def __str__(self) -> str:
        return str(self.pinned())

    def __format__(self, how: str) -> str:
        return format(str(self), how)

    def __repr__(self) -> str:
        return f"<recorded {_value(self.above)}/{_value(self.below)}>"

    # Comparisons. A whole number is compared with the fraction rounded, which is no larger than
    # the fraction's own numbers.

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        ratio = _ratio(other)
        if ratio is None:
            return NotImplemented
        return bool(self.above * ratio.below == ratio.above * self.below)

    def __lt__(self, other: Any) -> bool:
        if isinstance(other, (int, Recorded)):
            return bool(self.__floor__() < other)
        ratio = _needed(other)
        return bool(self.above * ratio.below < ratio.above * self.below)

    def __le__(self, other: Any) -> bool:
        if isinstance(other, (int, Recorded)):
            return bool(self.__ceil__() <= other)
        ratio = _needed(other)
        return bool(self.above * ratio.below <= ratio.above * self.below)

    def __gt__(self, other: Any) -> bool:
        return not self.__le__(other)

    def __ge__(self, other: Any) -> bool:
        return not self.__lt__(other)

    def __bool__(self) -> bool:
        return bool(self.above)

    # Operations.

    def __add__(self, other: Any) -> Any:
        ratio = _ratio(other)
        if ratio is None:
            return NotImplemented
        if _same(self.below, ratio.below):
            return RecordedFraction(self.above + ratio.above, self.below)
        above = self.above * ratio.below + ratio.above * self.below
        return RecordedFraction(above, self.below * ratio.below)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        ratio = _ratio(other)
        if ratio is None:
            return NotImplemented
        return RecordedFraction(self.above * ratio.above, self.below * ratio.below)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        ratio = _ratio(other)
        return NotImplemented if ratio is None else self * ratio.turned()

    def __rtruediv__(self, other: Any) -> Any:
        return self.turned() * other

    def turned(self) -> RecordedFraction:
        """One over it."""
        if self.above < 0:
            return RecordedFraction(-self.below, -self.above)
        if self.above == 0:
            raise ZeroDivisionError("division by zero")
        return RecordedFraction(self.below, self.above)

    def __floordiv__(self, other: Any) -> Any:
        return (self / other).__floor__()

    def __rfloordiv__(self, other: Any) -> Any:
        return (other / self).__floor__()

    def __mod__(self, other: Any) -> Any:
        return self - other * (self // other)

    def __rmod__(self, other: Any) -> Any:
        return other - self * (other // self)

    def __pow__(self, exponent: Any) -> Any:
        return _power(self, exponent)

    def __neg__(self) -> RecordedFraction:
        return RecordedFraction(-self.above, self.below)

    def __pos__(self) -> RecordedFraction:
        return self

    def __abs__(self) -> RecordedFraction:
        return -self if self.above < 0 else self

    def __floor__(self) -> Any:
        return self.above // self.below

    def __ceil__(self) -> Any:
        return -(-self.above // self.below)

    def __trunc__(self) -> Any:
        return self.__ceil__() if self.above < 0 else self.__floor__()

    def __int__(self) -> int:
        return int(self.__trunc__())


def gcd(left: Any, right: Any) -> Any:
    """The greatest common divisor of whole numbers, recorded where one of them is."""
    return _done(GCD, left, right)


def _value(number: Any) -> int:
    return number.value if isinstance(number, Recorded) else number


def _same(left: Any, right: Any) -> bool:
    """Whether two are the same number in every regime; nothing is recorded."""
    if isinstance(left, Recorded) and isinstance(right, Recorded):
        return left.step == right.step
    return isinstance(left, int) and isinstance(right, int) and left == right


def _fraction(number: Any) -> RecordedFraction:
    return RecordedFraction(number, 1)


def _ratio(value: Any) -> RecordedFraction | None:
    """A number of any kind as a fraction; None for all else."""
    if isinstance(value, RecordedFraction):
        return value
    if isinstance(value, (int, Recorded)):
        return RecordedFraction(value, 1)
    if isinstance(value, float) and isfinite(value):
        value = Fraction(value)
    return RecordedFraction(*value.as_integer_ratio()) if isinstance(value, Fraction) else None


def _needed(value: Any) -> RecordedFraction:
    """A number as a fraction; raises TypeError for what is none."""
    ratio = _ratio(value)
    if ratio is None:
        raise TypeError(f"expected a number, received {type(value).__name__}")
    return ratio


def _power(base: Any, exponent: Any) -> Any:
    """A power by multiplication; its exponent is what it was when recorded."""
    count = exponent if isinstance(exponent, int) else exponent.__index__()
    if count < 0:
        return 1 / _power(base, -count)
    product: Any = 1
    for _ in range(count):
        product = product * base
    return product


def _done(sign: str, left: Any, right: Any) -> Any:
    """An operation on whole numbers, one of which is recorded; recorded unless it is trivial."""
    if isinstance(left, (Fraction, float)) or isinstance(right, (Fraction, float)):
        return _of_fractions(sign, left, right)
    if not (isinstance(left, (int, Recorded)) and isinstance(right, (int, Recorded))):
        return NotImplemented
    if sign in ("//", "%") and right == 0:
        raise ZeroDivisionError("division by zero")
    if (plain := _trivial(sign, left, right)) is not None:
        return plain
    if sign == "-" and isinstance(right, int):
        sign, right = "+", -right
    if sign == "+" and (sums := _sums(left, right)):
        left, right = sums
        if right == 0:
            return left
    tape = left.tape if isinstance(left, Recorded) else right.tape
    steps = [n.step if isinstance(n, Recorded) else tape.constant(n) for n in (left, right)]
    if sign in ("+", "*", GCD):
        steps.sort()  # a*b and b*a are one step
    value: int = computed(sign, _value(left), _value(right))
    return Recorded(tape, tape.step(Step(sign, *steps)), value)


def _sums(left: Any, right: Any) -> tuple[Any, int] | None:
    """Of a sum of a recorded number and constants, the number and the constants' sum."""
    number, constant = (right, left) if isinstance(left, int) else (left, right)
    if not isinstance(constant, int):
        return None
    sign, *places = number.tape.steps[number.step]
    for inner, known in (places, places[::-1]):
        if sign == "+" and number.tape.steps[known].sign == CONSTANT:
            added = number.tape.steps[known].left
            return Recorded(number.tape, inner, number.value - added), constant + added
    return number, constant


def _of_fractions(sign: str, left: Any, right: Any) -> Any:
    return computed(sign, _needed(left), _needed(right))


def _trivial(sign: str, left: Any, right: Any) -> Any:
    """What an operation gives whatever the recorded number is; None where it depends on it."""
    if isinstance(left, int) and isinstance(right, int):
        return computed(sign, left, right)
    if _same(left, right) and sign in _OF_EQUALS:
        return _OF_EQUALS[sign](left)
    return _trivial_beside(sign, left, right)


_OF_EQUALS: dict[str, Callable[[Any], Any]] = {
    "-": lambda _: 0,
    "//": lambda _: 1,
    "%": lambda _: 0,
}


def _trivial_beside(sign: str, left: Any, right: Any) -> Any:
    """Of a recorded number and 0 or 1."""
    if isinstance(right, int) and (sign, right) in _TRIVIAL:
        return left if _TRIVIAL[sign, right] else 0
    if isinstance(left, int) and sign in ("+", "*") and (sign, left) in _TRIVIAL:
        return right if _TRIVIAL[sign, left] else 0
    return None


# Whether the other number is left as it is; else it gives 0.
_TRIVIAL = {
    ("+", 0): True,
    ("-", 0): True,
    ("*", 1): True,
    ("*", 0): False,
    ("//", 1): True,
    ("%", 1): False,
}
