"""The expression language: what it evaluates to, what it refuses and where, what it costs at most.

Values are by hand, from Python's documented precedence, and (random expressions) from Python's own
arithmetic on fractions.
"""

from __future__ import annotations

import random
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from archcalc.spec import expressions
from archcalc.spec.expressions import Expression, ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {
    "alpha": Fraction(1, 2),
    "units": [3, 4, 6, 3],
    "wide": True,
    "shortcut": "B",
    "i": 2,
    "pairs": [[1, 2], [3, 4]],
}
INCOMING = (64, 28, 14)  # channels, height, width


def value(text: str, names: dict[str, Any] = NAMES, incoming: tuple[int, ...] = INCOMING) -> Any:
    return Expression(text)(names, incoming)


def refusal(text: str, incoming: tuple[int, ...] = INCOMING) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text, incoming=incoming)
    return caught.value


VALUES = [
    # precedence, from the strongest: ** sign * / // % + - comparisons not and or if-else
    ("2 + 3 * 4", 14),
    ("(2 + 3) * 4", 20),
    ("2 * 3 ** 2", 18),
    ("2 ** 3 ** 2", 512),
    ("-2 ** 2", -4),
    ("2 ** -1", Fraction(1, 2)),
    ("-2 * -3", 6),
    ("--3", 3),
    ("+-+3", -3),
    ("10 - 4 - 3", 3),
    ("100 / 10 / 5", 2),
    ("100 // 7 * 7", 98),
    ("7 % 4 * 2", 6),
    ("1 + 2 == 3", True),
    ("not 1 == 2", True),
    ("not not true", True),
    ("true or false and false", True),
    ("(true or false) and false", False),
    ("not true or true", True),
    ("not false and false", False),
    ("1 if true else 2 if true else 3", 1),
    ("1 if false else 2 if false else 3", 3),
    ("(1 if true else 2) + 10", 11),
    ("1 if true else 2 + 10", 1),
    ("1 if 2 > 1 and 3 > 2 else 0", 1),
    # each operator
    ("7 + 2", 9),
    ("7 - 9", -2),
    ("7 * 2", 14),
    ("7 / 2", Fraction(7, 2)),
    ("8 / 2", 4),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("-7 % 3", 2),
    ("7.5 // 2", 3),
    ("7.5 % 2", Fraction(3, 2)),
    ("2 ** 10", 1024),
    ("0.5 ** 2", Fraction(1, 4)),
    ("3 < 3", False),
    ("3 <= 3", True),
    ("4 > 3", True),
    ("3 >= 4", False),
    ("3 != 4", True),
    ("6 in units", True),
    ("5 in units", False),
    ("1 in [true]", False),
    ("true in [1, true]", True),
    ("(1 < 2) == (3 < 4)", True),
    ("shortcut in ['A', 'B']", True),
    ("shortcut == 'B'", True),
    ('shortcut != "B"', False),
    ("[1, [2]] == [1, [2]]", True),
    # each function
    ("int(2.7)", 2),
    ("int(-2.7)", -2),
    ("floor(-2.7)", -3),
    ("ceil(2.1)", 3),
    ("ceil(-2.1)", -2),
    ("round(2.5)", 3),
    ("round(2.4)", 2),
    ("round(-2.5)", -2),
    ("abs(-3)", 3),
    ("min(3, 1, 2)", 1),
    ("max(3, 1, 2)", 3),
    ("min(units)", 3),
    ("max(units)", 6),
    ("len(units)", 4),
    ("len([])", 0),
    ("sum(units)", 16),
    ("sum([])", 0),
    ("range(3)", [0, 1, 2]),
    ("range(1, 4)", [1, 2, 3]),
    ("range(6, 0, -2)", [6, 4, 2]),
    ("range(0)", []),
    # lists, names, the incoming shape
    ("[64, 128, 256][i]", 256),
    ("units[-1]", 3),
    ("pairs[1][0]", 3),
    ("[]", []),
    ("[1, 2 + 3, alpha]", [1, 5, Fraction(1, 2)]),
    ("channels * 2", 128),
    ("height - width", 14),
    ("int(alpha * channels)", 32),
    ("64 if wide else 32", 64),
    (" 1+1 ", 2),
    # one side only is evaluated
    ("true or 1 / 0 > 1", True),
    ("false and 1 / 0 > 1", False),
    ("1 if true else 1 / 0", 1),
]


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_value(text: str, expected: Any) -> None:
    got = value(text)
    assert got == expected
    assert type(got) is type(expected)  # a whole fraction is an int, true is no 1


def test_every_function_is_tried() -> None:
    tried = {name for name in expressions.FUNCTIONS for text, _ in VALUES if f"{name}(" in text}
    assert tried == expressions.FUNCTIONS


EXACT = [  # what floating point gets wrong: int(0.29 * 100) is 28 there
    ("int(0.29 * 100)", 29),
    ("int(0.57 * 100)", 57),
    ("0.1 + 0.2 == 0.3", True),
    ("1.1 * 1.1 == 1.21", True),
    ("3 * (1 / 3)", 1),
    ("1e-5 * 1e5", 1),
    (".5 * 4", 2),
    ("1E3", 1000),
    ("0.75 * 1024", 768),
    ("2.50", Fraction(5, 2)),
]


@pytest.mark.parametrize(("text", "expected"), EXACT)
def test_decimals_are_exact(text: str, expected: Any) -> None:
    assert value(text) == expected


SHAPES = (
    "-{}", "({})", "{} ** 2", "{} * {}", "{} + {}", "{} - {}", "{} / {}", "{} // {}", "{} % {}",
    "({} + {})", "(({}) if ({}) > ({}) else {})",
)  # fmt: skip


def random_expression(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return str(chance.randint(0, 9))
    shape = chance.choice(SHAPES)
    parts = [random_expression(chance, depth - 1) for _ in range(shape.count("{}"))]
    return shape.format(*parts)


def as_python(text: str) -> Any:
    """Python's own value of the same text, numbers made fractions."""
    fractions = "".join(f"F({c})" if c.isdigit() else c for c in text).replace("** F(2)", "** 2")
    return eval(fractions, {"F": Fraction})


def samples(count: int) -> Iterator[tuple[str, Any]]:
    chance = random.Random(1998)
    while count:
        text = random_expression(chance, 3)
        try:
            expected = as_python(text)
        except ZeroDivisionError:
            continue
        if len(text) < 300 and max(abs(expected.numerator), expected.denominator) < 10**9:
            count -= 1
            yield text, expected


def test_random_expressions_are_as_in_python() -> None:
    for text, expected in samples(2000):
        assert value(text) == expected, text


REFUSED = [  # text, character from 0 at which it is wrong, a part of the message
    ("", 0, "received the end"),
    ("   ", 0, "received the end"),
    ("1 +", 3, "expected a number, a name or '(', received the end"),
    ("1 + * 2", 4, "received '*'"),
    ("(1 + 2", 6, "expected ')', received the end"),
    ("1 + 2)", 5, "expected an operator, received ')'"),
    ("[1, 2", 5, "expected ',', received the end"),
    ("[1 2]", 3, "expected ',', received '2'"),
    ("1 2", 2, "expected an operator, received '2'"),
    ("1.5.2", 3, "expected an operator, received '.2'"),
    ("2 if true", 9, "expected 'else', received the end"),
    ("int 3", 4, "expected '(', received '3'"),
    ("sqrt(2)", 0, "expected a function, received 'sqrt'"),
    ("1 + 'abc", 4, "expected a number, a name or an operator, received '"),
    ("a = 3", 2, "expected a number, a name or an operator, received '='"),
    ("3 & 4", 2, "expected a number, a name or an operator, received '&'"),
    ("1 + if", 4, "received 'if'"),
    ("nope + 1", 0, "expected a name defined here, received 'nope'"),
    ("1 + nope", 4, "expected a name defined here, received 'nope'"),
    ("1 / 0", 2, "expected a divisor other than 0, received 0"),
    ("1 // 0", 2, "expected a divisor other than 0, received 0"),
    ("1 % (i - 2)", 2, "expected a divisor other than 0, received 0"),
    ("0 ** -1", 2, "expected a divisor other than 0, received 0"),
    ("'a' + 1", 4, "'+': expected numbers, received a word and a number"),
    ("1 < units", 2, "'<': expected numbers, received a number and a list"),
    ("true + 1", 5, "'+': expected numbers, received true or false and a number"),
    ("-shortcut", 0, "'-': expected numbers, received a number and a word"),
    ("3 in 4", 2, "expected a list after 'in', received a number"),
    ("units[4]", 5, "expected an index from 0 to 3, received 4"),
    ("units[0.5]", 5, "expected an index"),
    ("3 not in units", 2, "expected an operator, received 'not'"),
    ("1 < 2 < 3", 6, "expected one comparison, received '<' after it"),
    ("1 == 1 == 1", 7, "expected one comparison, received '==' after it"),
    ("true == 1", 5, "'==': expected two of a kind, received true or false and a number"),
    ("shortcut != 2", 9, "'!=': expected two of a kind, received a word and a number"),
    ("i[0]", 1, "expected a list before '[', received a number"),
    ("1 if 2 else 3", 5, "expected true or false, received a number"),
    ("not 1", 0, "expected true or false, received a number"),
    ("len(3)", 0, "len(): expected one list, received"),
    ("sum(1, 2)", 0, "sum(): expected one list, received"),
    ("min()", 0, "min(): expected at least one number, received none"),
    ("max([])", 0, "max(): expected at least one number, received none"),
    ("2 * int(1, 2)", 4, "int(): expected 1 number, received 2"),
    ("abs('a')", 0, "abs(): expected numbers, received a word"),
    ("range(1, 2, 0)", 0, "range(): expected a step other than 0, received 0"),
    ("range(0.5)", 0, "range(): expected one to three whole numbers, received 1/2"),
    ("range(1, 2, 3, 4)", 0, "expected one to three whole numbers, received 1, 2, 3, 4"),
]


@pytest.mark.parametrize(("text", "offset", "message"), REFUSED)
def test_refusal_says_what_and_where(text: str, offset: int, message: str) -> None:
    error = refusal(text)
    assert message in error.message
    assert "expected" in error.message
    assert "received" in error.message
    assert error.offset == offset


def test_unknown_function_has_a_hint() -> None:
    assert refusal("cell(2)").hint == "did you mean ceil?"


def test_a_vector_has_no_height() -> None:
    assert value("channels", incoming=(10,)) == 10
    assert "expected an input with a height, received 10" in refusal("height", (10,)).message
    assert "expected an input with a height, received 10x5" in refusal("height", (10, 5)).message
    assert value("width", incoming=(10, 5)) == 5


def test_names_are_known_with_their_first_place() -> None:
    assert Expression("a + min(b, a) * height").names == {"a": 0, "b": 8, "height": 16}


BOUNDED = [
    ("9**9**9", "exponent"),
    ("2 ** 65", "exponent"),
    ("2 ** 0.5", "exponent"),
    ("10 ** 18 + 1", "expected numbers from -10**18 to 10**18"),
    ("999999999999 * 999999999999", "expected numbers from -10**18 to 10**18"),
    ("1000000000000000000000", "expected numbers from -10**18 to 10**18"),
    ("1e19", "expected an exponent from -18 to 18, received 19"),
    ("1e-19", "expected an exponent from -18 to 18, received -19"),
    ("1e999", "expected an exponent from -18 to 18, received 999"),
    ("1 / 3 ** 40", "expected numbers from -10**18 to 10**18"),
    ("1e-18 / 10", "expected denominators of at most 10**18"),
    ("range(1000000000)", "at most 1,000 items"),
    ("range(-10 ** 18, 10 ** 18)", "at most 1,000 items"),
    ("sum(range(1001))", "at most 1,000 items"),
    ("[range(600), range(600)]", "at most 1,000 items"),
    ("(" * 60 + "1" + ")" * 60, "nested levels"),
    ("[" * 60 + "1" + "]" * 60, "nested levels"),
    ("abs(" * 60 + "1" + ")" * 60, "nested levels"),
    ("1**" * 60 + "1", "nested levels"),
    ("1 if true else " * 33 + "1", None),  # 33 levels are allowed
    ("[" * 30 + "1" + "]" * 30, "lists inside each other"),
    ("1" + "+1" * 250, "at most 500 characters"),
]


@pytest.mark.parametrize(("text", "message"), BOUNDED)
def test_cost_is_bounded(text: str, message: str | None) -> None:
    start = time.perf_counter()
    if message is None:
        value(text)
    else:
        said = refusal(text).message
        assert message in said
        assert "expected" in said
        assert "received" in said
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("text", ["-" * 499 + "1", "not " * 124 + "true", "1" + "+1" * 249])
def test_long_chains_are_no_recursion(text: str) -> None:
    assert abs(value(text)) in (1, 250)


def applied(text: str, times: int) -> Any:
    """What comes of giving an expression its own value as `l`, again and again."""
    expression, items = Expression(text), [1]
    for _ in range(times):
        items = expression({"l": items}, INCOMING)
    return items


def test_a_doubling_list_is_refused() -> None:
    assert applied("[l, l]", 2) == [[[1], [1]], [[1], [1]]]
    with pytest.raises(ExpressionError, match="items in a list"):
        applied("[l, l]", 12)


def test_a_list_that_gets_deeper_is_refused() -> None:
    with pytest.raises(ExpressionError, match="inside each other"):
        applied("[l]", 100)


def test_cost_counts_tokens_and_lists_more() -> None:
    assert Expression("a + 1").cost == 4  # and the end
    assert Expression("max(a, 1)").cost < 10
    assert Expression("max(a)").cost > 100
    assert Expression("sum(range(a))").cost > 2 * 100


CODE = [
    "__import__('os')",
    "__import__('os').system('true')",
    "().__class__",
    "alpha.numerator",
    "units.append(1)",
    "(lambda: 1)()",
    "lambda x: x",
    "f'{alpha}'",
    "(a := 3)",
    "[x for x in units]",
    "{1: 2}",
    "{1}",
    "exec('1')",
    "open('/etc/passwd')",
    "print(1)",
    "eval('1')",
    "min(*units)",
    "min(units, key=abs)",
    "units[0:1]",
    "1; 2",
    "1\nimport os",
    "`ls`",
    "$HOME",
    "@alpha",
    "!!python/object/apply:os.system [ls]",
    "'%s' % 1",
    "'a' * 10",
    "'a' + 'b'",
    "\\x41",
    "alpha\x00",
]


@pytest.mark.parametrize("text", CODE)
def test_nothing_can_be_executed(text: str) -> None:
    refusal(text)


def test_python_keywords_are_only_names() -> None:
    assert "expected a name defined here, received 'None'" in refusal("None").message
    assert (
        "expected a name defined here, received '__builtins__'" in refusal("__builtins__").message
    )
    assert value("__class__", {"__class__": 3}) == 3
