"""Figures as printed, and what they stand for."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcalc.published.printed import PrintedError, printed
from archcalc.published.verdicts import matches


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("569M", 569 * 10**6, 10**6),
        ("4.2M", 4_200_000, 10**5),
        ("4.2 million", 4_200_000, 10**5),
        ("1.8e9", 18 * 10**8, 10**8),
        ("1.8x10^9", 18 * 10**8, 10**8),
        ("1.8 × 10^9", 18 * 10**8, 10**8),
        ("15.3B", 153 * 10**8, 10**8),
        ("2.7K", 2700, 100),
        ("60,000", 60_000, 1),
        ("650K", 650_000, 1000),
        ("70k", 70_000, 1000),
        ("138,357,544", 138_357_544, 1),
        ("0.5MB", 500_000, 100_000),
        ("55%", Fraction(55, 100), Fraction(1, 100)),
        ("28.19%", Fraction(2819, 10_000), Fraction(1, 10_000)),
        ("~4", 4, 1),
        ("-3", -3, 1),
        (".5", Fraction(1, 2), Fraction(1, 10)),
    ],
)
def test_numbers(text: str, value: int | Fraction, unit: int | Fraction) -> None:
    found = printed(text)
    assert (found.kind, found.low, found.unit, found.text) == ("number", value, unit, text)


def test_other_figures() -> None:
    assert printed("112x112x64").size == (112, 112, 64)
    assert printed("112 × 112").size == (112, 112)
    assert printed("<5MB").kind == "below"
    assert printed("> 100").kind == "above"
    found = printed("19..35")
    assert (found.kind, found.low, found.high) == ("range", 19, 35)
    assert (printed("1/8").kind, printed("1/8").low) == ("fraction", 8)
    assert (printed("true").kind, printed("false").low) == ("truth", 0)


NO_FIGURES = ["", "many", "1.2.3", "4,2M", "x3", "3x", "1/0x", "--3", "5 apples", "9" * 80, "1.."]


@pytest.mark.parametrize("text", [*NO_FIGURES, "<", "e9", "%", "K"])
def test_what_is_no_figure(text: str) -> None:
    with pytest.raises(PrintedError):
        printed(text)


@pytest.mark.parametrize(
    ("value", "text", "conventions", "same"),
    [
        (568_740_352, "569M", (), True),
        (568_499_999, "569M", (), False),
        (568_500_000, "569M", (), True),
        (569_500_001, "569M", (), False),
        (4_231_976, "4.2M", (), True),
        (9472, "9.3K", ("1024s",), True),  # 9.25 * 1024
        (9472, "9.3K", (), False),
        (163_696, "159K", ("1024s", "truncated"), True),  # 159.86 * 1024
        (163_696, "159K", ("1024s",), False),
        (163_696, "160K", ("rounded-up", "1024s"), True),
        (15_346_630_656, "15300M", (), False),
        (15_346_630_656, "15300M", ("digits-3",), True),
        (15_246_630_656, "15300M", ("digits-3",), False),
        (15_346_630_656, "15300M", ("digits-2",), False),  # 15000M
        (1036, "1.5K", ("digits-1",), False),  # two digits
        (156, "180", ("digits-1",), False),
        (156, "200", ("digits-1",), True),
        (104, "90", ("digits-1",), False),
        (97, "100", ("digits-1",), True),
        (Fraction(97, 1000), "10%", ("digits-1",), True),
        (Fraction(2756, 10_000), "30%", ("digits-1",), True),
        (1500, "1.50K", ("digits-2",), False),  # three digits
        (15, "15", ("digits-3",), False),
        (243_860_896, "230MB", ("digits-2", "1024s"), True),
        (243_860_896, "230MB", ("1024s", "digits-2"), True),
        (659_272, "650K", ("digits-2", "truncated"), True),
        (659_272, "650K", ("digits-2",), False),
        (117_600, "117K", ("truncated", "rounded-up"), False),
        (Fraction(1, 8) + Fraction(1, 200), "1/8", (), True),
        (Fraction(1, 9), "1/8", (), False),
        (0, "1/8", (), False),
        (Fraction(11, 20), "55%", (), True),
        (Fraction(5551, 10_000), "55%", (), False),
        (20, "19..35", (), True),
        (36, "19..35", (), False),
        (Fraction(4608, 521), "8..9", (), True),  # 8.84
        (Fraction(4608, 521), "9..10", (), False),
        (4_999_999, "<5MB", (), True),
        (5_000_000, "<5MB", (), False),
        (101, ">100", (), True),
        ((112, 112, 64), "112x112x64", (), True),
        ((112, 112, 65), "112x112x64", (), False),
        (True, "true", (), True),
        (False, "true", (), False),
        (True, "1", (), False),
        (None, "7", (), False),
    ],
)
def test_matching(
    value: int | Fraction | bool | tuple[int, ...] | None,
    text: str,
    conventions: tuple[str, ...],
    same: bool,
) -> None:
    assert matches(value, printed(text), conventions) is same
