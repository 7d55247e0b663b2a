"""By which conventions a printed figure matches, and which of them a table may declare.

A convention holds for a column: for every cell of one figure in one table. It is declared there,
or by a single cell. A cell may not print differently from the rest of its column (cut off where
the others are rounded); it may count differently, and then says why.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.published.printed import PRINTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archcalc.published.printed import Printed

MATCH, CONVENTION, DIFFERS = "match", "convention", "differs"


def matches(value: Any, printed: Printed, conventions: tuple[str, ...]) -> bool:
    """Whether a computed value is what is printed, at the printed precision."""
    if printed.kind == "truth" or isinstance(value, bool):
        return value is (printed.low == 1) and printed.kind == "truth"
    if printed.kind == "size" or isinstance(value, tuple):
        return bool(value == printed.size)
    if value is None:
        return False
    value, figure = Fraction(value), printed
    if "1024s" in conventions:
        value *= Fraction(1000, 1024) ** printed.thousands
    for convention in conventions:
        if convention.startswith("digits-"):
            in_digits = figure.in_digits(int(convention[-1]), value)
            if in_digits is None:
                return False
            figure = in_digits
    return _close(value, figure, conventions)


def _close(value: Fraction, printed: Printed, conventions: tuple[str, ...]) -> bool:
    low, unit = printed.low, printed.unit
    if printed.kind == "below":
        return value < low
    if printed.kind == "above":
        return value > low
    if printed.kind == "range":
        return low <= value <= printed.high
    if printed.kind == "fraction":
        return value != 0 and abs(1 / value - low) <= unit / 2
    if "truncated" in conventions:
        return low <= value < low + unit and "rounded-up" not in conventions
    if "rounded-up" in conventions:
        return low - unit < value <= low
    return abs(value - low) <= unit / 2


class Judged(NamedTuple):
    """A printed figure beside the one that is computed.

    `value` counts by conventions; `shared` are those of the table or the column, `own` those of the
    cell or the claim alone.
    """

    value: Callable[[tuple[str, ...]], Any]
    printed: Printed
    shared: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    @property
    def conventions(self) -> tuple[str, ...]:
        """All that are declared for it, each once."""
        return tuple(dict.fromkeys((*self.shared, *self.own)))

    def holds(self, conventions: tuple[str, ...]) -> bool:
        """Whether it matches by these conventions."""
        return matches(self.value(conventions), self.printed, conventions)

    def verdict(self) -> tuple[str, Any]:
        """Match, convention or differs, and the value that this rests on."""
        counted = self.value(self.conventions)
        if not matches(counted, self.printed, self.conventions):
            return DIFFERS, self.value(self.shared)
        return (MATCH if self.holds(()) else CONVENTION), counted

    def needs(self, convention: str) -> bool:
        """Whether it matches by its conventions, but not without this one."""
        without = tuple(word for word in self.conventions if word != convention)
        return self.holds(self.conventions) and not self.holds(without)

    def keeps(self, convention: str) -> bool:
        """Whether it could stand in a column of this convention; all do that match by none.

        Of digits a column's cells have no more than the convention says; fewer are whole units.
        """
        if convention in self.conventions or not self.holds(self.conventions):
            return True
        if convention.startswith("digits-"):
            return self.printed.digits[0] <= int(convention[-1])
        return self.holds((*self.conventions, convention))


def printing(conventions: Iterable[str]) -> tuple[str, ...]:
    """Those that say how a figure is printed: its places, digits and units."""
    return tuple(word for word in conventions if word in PRINTING)


def counting(conventions: Iterable[str]) -> tuple[str, ...]:
    """Those that say what is counted."""
    return tuple(word for word in conventions if word not in PRINTING)
