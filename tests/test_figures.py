"""How figures are written: rounded in one place, and what comes to zero has no sign."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcalc
from archcalc.report import profiling
from archcalc.report.columns import Column
from archcalc.report.figures import figure, percent, rounded
from archcalc.report.lengths import decimal
from archcalc.report.verdicts import shown

FORMS = [
    sign + comma + kind
    for sign in ("", "+")
    for comma in ("", ",")
    for kind in (".0f", ".1f", ".2f", ".3g", ".4g")
]
NUMBERS = st.floats(-1e30, 1e30) | st.floats(-1, 1) | st.floats(-0.06, 0.06)


@given(NUMBERS, st.sampled_from(FORMS))
def test_what_comes_to_zero_has_no_sign(number: float, form: str) -> None:
    for text in (rounded(number, form), percent(number, form).removesuffix("%")):
        value = float(text.replace(",", ""))
        signed = text[0] in "+-"
        assert signed == (value < 0 or (value > 0 and "+" in form))
        assert math.copysign(1, value) == (-1 if value < 0 else 1)
    assert rounded(number, form).lstrip("+-") == format(number, form).lstrip("+-")


@given(NUMBERS)
def test_no_column_puts_a_sign_on_zero(number: float) -> None:
    for style in ("ratio", "share"):
        text = figure(Column("key", "Key", style, lambda row: row, ""), number, False)
        assert not re.fullmatch(r"[+-][0.,]*%?", text)
    for text in (decimal(number), shown(number, "1%")):
        assert not re.fullmatch(r"[+-][0.,]*%?", text)


@given(st.integers())
def test_whole_numbers_are_exact_and_zero_is_plain(number: int) -> None:
    text = rounded(number, "+,")
    assert int(text.replace(",", "")) == number
    assert text.startswith("0" if number == 0 else "+" if number > 0 else "-")


@pytest.mark.parametrize(
    ("number", "form", "text"),
    [
        (-0.04, ".1f", "0.0"),
        (-0.05, "+.1f", "-0.1"),
        (-0.0, "g", "0"),
        (0, "+,", "0"),
        (-1e-30, "+.2f", "0.00"),
        (-0.0, ".2e", "0.00e+00"),
        (1234.5, "+,.0f", "+1,234"),
        (-math.inf, ".1f", "-inf"),
    ],
)
def test_rounded(number: float, form: str, text: str) -> None:
    assert rounded(number, form) == text


def test_a_length_that_rounds_up_to_five_digits() -> None:
    assert decimal(9999.4) == "9999"
    assert decimal(9999.7) == "10,000"


class _Timing(NamedTuple):
    median: float


def test_a_sum_that_is_the_median_but_for_rounding() -> None:
    for total in (1.0 - 1e-9, 1.0, 1.0 + 1e-9):
        assert profiling._beside(total, _Timing(1.0)).endswith("(0.0%)")  # type: ignore[arg-type]
    assert profiling._beside(0.9, _Timing(1.0)).endswith("(-10.0%)")  # type: ignore[arg-type]


def test_numbers_are_rounded_in_one_place() -> None:
    """Everything that is printed rounded or signed goes through `rounded`."""
    package = Path(archcalc.__file__).parent
    places = []
    for path in package.rglob("*.py"):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                form = "".join(
                    one.value
                    for one in ast.walk(part.format_spec)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )
                if re.search(r"[+%.]|[efg]$", form):
                    places.append(f"{path.relative_to(package).as_posix()}:{part.lineno}")
    assert [one for one in places if not one.startswith("ops/fields.py")] == []
