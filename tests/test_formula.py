"""Formulas: the number and the text of one equation."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

import pytest

from archcalc.formula import ZERO, Formula, Sum, constant, formula
from archcalc.spec.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping

# Text, values, number, text with the numbers in: worked out by hand.
FORMULAS = [
    ("(n - k + 2*p)/s + 1", {"n": 227, "k": 11, "p": 0, "s": 4}, 55, "(227 - 11 + 2*0)/4 + 1"),
    ("floor((n - k)/s) + 1", {"n": 8, "k": 3, "s": 2}, 3, "floor((8 - 3)/2) + 1"),
    ("ceil((n - k)/s) + 1", {"n": 8, "k": 3, "s": 2}, 4, "ceil((8 - 3)/2) + 1"),
    ("ceil(n/s)", {"n": -7, "s": 2}, -3, "ceil(-7/2)"),
    ("floor(n/s)", {"n": -7, "s": 2}, -4, "floor(-7/2)"),
    ("ceil(n/s) + 1 - 1", {"n": 6, "s": 3}, 2, "ceil(6/3) + 1 - 1"),
    ("max((m - 1)*s + k - n, 0)", {"m": 4, "s": 2, "k": 3, "n": 9}, 0, "max((4 - 1)*2 + 3 - 9, 0)"),
    ("min(a, b)*c/d", {"a": 6, "b": 9, "c": 4, "d": 3}, 8, "min(6, 9)*4/3"),
    ("n_out*(n_in + 1)", {"n_out": 10, "n_in": 84}, 850, "10*(84 + 1)"),
    ("s - n", {"s": 1, "n": 3}, -2, "1 - 3"),
]


@pytest.mark.parametrize(("source", "values", "number", "text"), FORMULAS)
def test_formula(source: str, values: dict[str, int], number: int, text: str) -> None:
    value = Formula(source)(**values)
    assert value.number == number == int(value)
    assert value.text() == text
    assert value.symbols() == source
    assert repr(value) == f"{text} = {number}"


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_rounding_is_exact_far_beyond_floating_point(rounding: str) -> None:
    chance, rounded = random.Random(3), {"floor": floor, "ceil": ceil}[rounding]
    for _ in range(500):
        n, s = chance.randint(-(10**30), 10**30), chance.randint(1, 10**12)
        found = formula(f"{rounding}(n/s)")(n=n, s=s).number
        assert found == rounded(Fraction(n, s))
        assert type(found) is int


def test_text_evaluates_to_the_number() -> None:
    for source, values, number, _ in FORMULAS:
        assert Expression(Formula(source)(**values).text())({}, ()) == number


def test_a_sum_of_formulas() -> None:
    """LeCun et al. 1998, C3: 1,516 parameters, from maps that see 3, 4, 4 and 6 maps."""
    one = formula("m*(c*k*k + 1)")
    c3 = Sum(one(m=m, c=c, k=5) for m, c in [(6, 3), (6, 4), (3, 4), (1, 6)])
    assert c3.number == 1516
    assert c3.text() == "6*(3*5*5 + 1) + 6*(4*5*5 + 1) + 3*(4*5*5 + 1) + 1*(6*5*5 + 1)"
    assert c3.symbols() == "m*(c*k*k + 1)"  # equal terms once


def test_a_sum_of_nothing_is_zero() -> None:
    assert (Sum([]).number, Sum([]).text()) == (0, "0")


def test_constants() -> None:
    assert (constant(7).number, constant(7).text()) == (7, "7")
    assert ZERO.number == 0


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises((NameError, KeyError)):
        Formula("a + b")(a=1)


def test_equal_texts_are_one_formula() -> None:
    assert formula("a + b") is formula("a + b")


def test_a_notation_leaves_out_what_makes_no_difference() -> None:
    """It is asked for the text; the number comes from the equation whatever it says."""
    asked: list[int] = []

    def shorter(source: str, values: Mapping[str, int]) -> str:
        asked.append(values["n"])
        return "n/s" if values["n"] % values["s"] == 0 else source

    size = Formula("floor((n + r)/s)", shorter)
    even, odd = size(n=8, s=2, r=0), size(n=9, s=2, r=0)
    assert (even.number, odd.number, asked) == (4, 4, [])
    assert (even.symbols(), even.text()) == ("n/s", "8/2")
    assert odd.text() == "floor((9 + 0)/2)"


def test_floor_goes_down_of_exact_fractions_also() -> None:
    assert Formula("floor(n)").exactly(n=Fraction(-7, 2)).number == -4
