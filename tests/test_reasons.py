"""The arithmetic in reasons is evaluated."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcalc.published.printed import printed
from archcalc.published.reasons import false_equations, problem


@pytest.mark.parametrize(
    "text",
    [
        "a separable one: 7*7*3*8 + 24*64 = 2,712; the 7x7 convolution has 9,408 weights",
        "112*112*2,712 = 34.0M",
        "1,582.7M - 118.0M + 34.0M are 1,498.7M",
        "(299/79)^2 is 14.3, and 16 if",
        "96 + 192 + 192 + 128 are 608 maps",
        "floor((112 - 3 + 1)/2) + 1 = 56",
        "three have only (3*3*3)/(7*7) = 55% of the parameters",
        "7.0M + 0.5M = 7.5 million",
        "2*3 = 2 + 4 = 6",
        "2.5/0.5 gives about 5",
        "35/17/8 grids, 3x3/2, of 2014-15; 1/N + 1/D^2, L(L + 1)/2 and n*(4 + 1) = 5",
        "35 / 0 is no number, and 2 * is none, nor ((3)",
        "2d^2k^2 and 3 + 2k are 4",
        "2*60M are 120M; 2*60 MB are 120MB",
    ],
)
def test_equations_that_are_true(text: str) -> None:
    assert list(false_equations(text)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("7.0M + 0.5M = 7.6M, and more", "7.0M + 0.5M = 7.6M"),
        ("of 7*7*3*8 + 24*64 = 2,713;", "7*7*3*8 + 24*64 = 2,713"),
        ("(55*48*96 = 253,444)", "55*48*96 = 253,444"),
        ("160 + 160 are 310 maps", "160 + 160 are 310"),
        ("2*3 = 6 = 2 + 5", "2*3 = 6 = 2 + 5"),
        ("243,860,896 / 1024 / 1024 = 232.57", "243,860,896 / 1024 / 1024 = 232.57"),  # 232.564
        ("floor((112 - 3)/2) + 1 = 56", "floor((112 - 3)/2) + 1 = 56"),
        ("10 - 3*2 = 14", "10 - 3*2 = 14"),
        ("2 + 2 = 4; 3 + 3 = 7", "3 + 3 = 7"),
    ],
)
def test_equations_that_are_not(text: str, wrong: str) -> None:
    assert list(false_equations(text)) == [wrong]
    assert wrong in problem(text)


@pytest.mark.parametrize(
    ("why", "said", "computed", "good"),
    [
        ("55*48*96; conv1's are 290,400", "253,440", 290_400, True),
        ("55*48*97; conv1's are 290,400", "253,440", 290_400, False),
        ("73.6M: cut off", "73M", 73_608_192, True),
        ("73.7M: cut off", "73M", 73_608_192, False),
        ("3.86: cut off", "3.8x10^9", 3_857_973_248, True),
        ("unexplained: 255.5; the others", "256MB", 267_893_088, True),
        ("unexplained: 256.5; the others", "256MB", 267_893_088, False),
        ("1/9; rounded", "1/8", Fraction(1111, 10_000), True),
        ("96% in AlexNet", "true", False, True),
        ("192, as before", "3x3", (1, 2), True),
        ("19.4M by the paper", "10.2M", 12, True),
    ],
)
def test_a_reason_begins_with_the_computed_figure(
    why: str, said: str, computed: object, good: bool
) -> None:
    """Or with arithmetic that gives the printed one."""
    assert (problem(why, printed(said), computed) == "") is good
