"""The arithmetic in a reason: what it says with numbers alone is evaluated.

Checked are equations ("7*7*3*8 + 24*64 = 2,712", "384 + 384 + 384 are 1,152"), each result at its
printed precision, and the figure that a reason begins with, up to a colon or semicolon: it is the
computed one ("73.6M: cut off"), or else arithmetic that gives the printed one ("55*48*96; ...").
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archcalc.published.conventions import matches
from archcalc.published.printed import PrintedError, printed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.published.printed import Printed

_NUMBER = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s*%|(?:\s?(?:KB|MB|GB|[KMGBT]|thousand|million|billion))"
    r"(?![A-Za-z]))?(?![\w^]*[A-Za-z])"
)
_START = re.compile(r"(?<![\w.,/*+^x])(?:(?<![A-Za-z] )\(|floor\(|\d)")
_IS = re.compile(r"\s*(?:=|\b(?:is|are|gives?|makes?)\b)\s*(?:about\s+)?")
_ADDED, _TIMES = re.compile(r"\s*(\+)\s*|\s+(-)\s+"), re.compile(r"\s*(\*|/(?!\s*/))\s*")
_LED = re.compile(r"(?:unexplained: )?(?=[\d(])")
_ENDS = re.compile(r"[:;]|$")


class _NoneHere(Exception):
    """There is no arithmetic at this place of the text."""


class _Arithmetic:
    """An expression of numbers from a place of a text on, as far as it goes."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.end = start
        self.operations = 0
        self.value = self._sum()

    def _sum(self) -> Fraction:
        value = self._product()
        while found := _ADDED.match(self.text, self.end):
            sign = 1 if found[1] else -1
            more = self._after(found.end(), self._product)
            if more is None:
                break
            value += sign * more
        return value

    def _product(self) -> Fraction:
        value = self._power()
        while found := _TIMES.match(self.text, self.end):
            more = self._after(found.end(), self._power)
            if more is None or (found[1] == "/" and not more):
                break
            value = value * more if found[1] == "*" else value / more
        return value

    def _power(self) -> Fraction:
        base = self._atom()
        if found := re.compile(r"\^(\d{1,2})(?!\w)").match(self.text, self.end):
            self.end = found.end()
            self.operations += 1
            return base ** int(found[1])
        return base

    def _after(self, start: int, part: Any) -> Fraction | None:
        """The part behind an operator; where there is none, the expression ends before it."""
        before, self.end = self.end, start
        try:
            value: Fraction = part()
        except _NoneHere:
            self.end = before
            return None
        self.operations += 1
        return value

    def _atom(self) -> Fraction:
        for opening, function in (("floor(", math.floor), ("(", Fraction)):
            if self.text.startswith(opening, self.end):
                self.end += len(opening)
                value = self._sum()
                if not self.text.startswith(")", self.end):
                    raise _NoneHere
                self.end += 1
                return Fraction(function(value))
        return self._number().low

    def _number(self) -> Printed:
        found = _NUMBER.match(self.text, self.end)
        if not found:
            raise _NoneHere
        try:
            figure = printed(found[0])
        except PrintedError:
            raise _NoneHere from None
        self.end = found.end()
        return figure


def false_equations(text: str) -> Iterator[str]:
    """The equations of a text that are not true, each as it is written."""
    end = 0
    for started in _START.finditer(text):
        if started.start() < end:
            continue
        try:
            left = _Arithmetic(text, started.start())
        except _NoneHere:
            continue
        operations = left.operations
        while equal := _IS.match(text, left.end) if operations else None:
            try:
                right = _Arithmetic(text, equal.end())
            except _NoneHere:
                break
            if not _equal(left, right, text[equal.end() : right.end]):
                yield text[started.start() : right.end]
            left = right
        end = left.end


def _equal(left: _Arithmetic, right: _Arithmetic, written: str) -> bool:
    if right.operations:
        return left.value == right.value
    return matches(left.value, printed(written), ())


def problem(text: str, said: Printed | None = None, computed: Any = None) -> str:
    """What is false in a reason or a note, by its numbers alone; empty where nothing is."""
    for equation in false_equations(text):
        return f"arithmetic that is false: {equation}"
    if said and _begins_with_another_figure(text, said, computed):
        return "its reason begins with a figure that is neither computed nor printed"
    return ""


def _begins_with_another_figure(why: str, said: Printed, computed: Any) -> bool:
    led = _LED.match(why)
    if not led or isinstance(computed, (bool, tuple)) or computed is None:
        return False
    try:
        first = _Arithmetic(why, led.end())
    except _NoneHere:
        return False
    if not _ENDS.match(why, first.end):
        return False
    if first.operations and matches(first.value, said, ()):
        return False
    text = why[led.end() : first.end]
    return not any(_stands_for(text, Fraction(computed) / unit) for unit in _UNITS)


# 3.86 may be written for 3.86 billion, in units of 1000 or of 1024.
_UNITS = tuple(base**power for power in range(4) for base in (1000, 1024))


def _stands_for(text: str, value: Fraction) -> bool:
    try:
        return matches(value, printed(text), ())
    except PrintedError:
        return False
