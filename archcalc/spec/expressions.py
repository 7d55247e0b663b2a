"""Expressions: arithmetic over settings, arguments and the incoming shape; nothing can be executed.

    alpha * 32          int(alpha * out)        channels // 4         [64, 128][i]
    shortcut == 'B' and stride > 1              64 if wide else 32    2 ** (i + 6)

An expression is read once into closures and evaluated exactly (decimals are fractions). Its cost
is bounded: its length, its nesting, the size of every number and list it makes.
"""

from __future__ import annotations

import re
from math import ceil, floor, trunc
from operator import index
from typing import TYPE_CHECKING, Any

from archcalc.errors import did_you_mean, received
from archcalc.values import integral

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LONGEST = 500  # characters
DEEPEST = 40  # nested parentheses and operators
LARGEST = 10**18  # of any number, numerators and denominators included
LONGEST_LIST = 1_000  # items, those of the lists inside it included
DEEPEST_LIST = 20
LIST_COST = 400  # what a function of a list may cost, in tokens
SEARCH_COST = 100  # of `in`
COMPARISON_COST = 20  # of lists, by == and !=

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in")
INCOMING = frozenset({"channels", "height", "width"})
FUNCTIONS = frozenset({"int", "floor", "ceil", "round", "abs", "min", "max", "len", "sum", "range"})
WORDS = frozenset({"and", "or", "not", "if", "else", "in", "true", "false"})
RESERVED = INCOMING | FUNCTIONS | WORDS | {"required", "input"}

Shape = tuple[int, ...]
if TYPE_CHECKING:
    Evaluate = Callable[[Mapping[str, Any], Shape], Any]

_SIZES = re.compile(r"\s*\d+\s*[xX]\s*\d+")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|\.\d+)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign>\*\*|//|==|!=|<=|>=|[-+*/%()<>,\[\]]))"
)


class ExpressionError(Exception):
    """What is wrong, and at which character of the expression (from 0)."""

    def __init__(self, message: str, offset: int = 0, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint


class Expression:
    """A parsed expression: its text, the names it uses, its cost, and how to evaluate it."""

    __slots__ = ("_evaluate", "cost", "names", "text")

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        self.text = text
        self._evaluate = parser.whole()
        self.names: Mapping[str, int] = parser.names
        self.cost = len(parser.tokens) + parser.extra

    def __reduce__(self) -> tuple[type[Expression], tuple[str]]:
        return Expression, (self.text,)  # its closures can't be pickled

    def __call__(self, names: Mapping[str, Any], incoming: Shape) -> Any:
        """The value: an int, Fraction, bool, str or list. Raises ExpressionError."""
        return self._evaluate(names, incoming)


class _Parser:
    """Precedence climbing over tokens, straight into closures."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise ExpressionError(f"expected at most {LONGEST} characters, received {len(text)}")
        self.text = text
        self.names: dict[str, int] = {}
        self.tokens: list[tuple[str, str, int]] = list(_tokens(text))
        self.at = 0
        self.depth = 0
        self.extra = 0  # cost beyond the tokens'

    def whole(self) -> Evaluate:
        value = self.choice()
        kind, token, offset = self.tokens[self.at]
        if kind != "end":
            hint = "sizes of several axes are a list: [3, 3]" if _SIZES.match(self.text) else None
            raise ExpressionError(f"expected an operator, received {received(token)}", offset, hint)
        return value

    def take(self, *signs: str) -> str | None:
        """The next token if it is one of these signs or words."""
        kind, token, _ = self.tokens[self.at]
        if kind in ("sign", "name") and token in signs:
            self.at += 1
            return token
        return None

    def expect(self, sign: str) -> None:
        kind, token, offset = self.tokens[self.at]
        if not self.take(sign):
            got = "the end" if kind == "end" else received(token)
            hint = "inside braces, text with a comma needs quotes" if kind == "end" else None
            raise ExpressionError(f"expected '{sign}', received {got}", offset, hint)

    def choice(self) -> Evaluate:
        """Read `value if condition else other`."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError(
                f"expected at most {DEEPEST} nested levels, received more", self._offset()
            )
        value = self.either()
        if self.take("if"):
            offset = self._offset()
            condition = self.either()
            self.expect("else")
            value = _choice(value, condition, self.choice(), offset)
        self.depth -= 1
        return value

    def either(self) -> Evaluate:
        value = self.both()
        while self.take("or"):
            value = _either(value, self.both())
        return value

    def both(self) -> Evaluate:
        value = self.negation()
        while self.take("and"):
            value = _both(value, self.negation())
        return value

    def negation(self) -> Evaluate:
        count = 0
        while self.take("not"):
            count += 1
        value = self.comparison()
        if not count:
            return value
        return _negation(value, count % 2 == 1)

    def comparison(self) -> Evaluate:
        value = self.sum()
        offset = self._offset()
        if sign := self.take(*COMPARISONS):
            self.extra += SEARCH_COST if sign == "in" else COMPARISON_COST
            value = _operation(sign, value, self.sum(), offset)
            kind, token, offset = self.tokens[self.at]
            if kind != "text" and token in COMPARISONS:
                raise ExpressionError(
                    f"expected one comparison, received {received(token)} after it",
                    offset,
                    "join comparisons with 'and'",
                )
        return value

    def sum(self) -> Evaluate:
        value = self.product()
        offset = self._offset()
        while sign := self.take("+", "-"):
            value = _operation(sign, value, self.product(), offset)
            offset = self._offset()
        return value

    def product(self) -> Evaluate:
        value = self.signed()
        offset = self._offset()
        while sign := self.take("*", "/", "//", "%"):
            value = _operation(sign, value, self.signed(), offset)
            offset = self._offset()
        return value

    def signed(self) -> Evaluate:
        offset, minus = self._offset(), 0
        while sign := self.take("-", "+"):
            minus += sign == "-"
        value = self.power()
        return _operation("-", _constant(0), value, offset) if minus % 2 else value

    def power(self) -> Evaluate:
        value = self.item()
        offset = self._offset()
        if self.take("**"):
            self.depth += 1
            if self.depth > DEEPEST:
                raise ExpressionError(
                    f"expected at most {DEEPEST} nested levels, received more", offset
                )
            value = _operation("**", value, self.signed(), offset)
            self.depth -= 1
        return value

    def item(self) -> Evaluate:
        value = self.atom()
        while True:
            offset = self._offset()
            if not self.take("["):
                return value
            value = _item(value, self.choice(), offset)
            self.expect("]")

    def atom(self) -> Evaluate:
        kind, token, offset = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return _constant(_number(token, offset))
        if kind == "text":
            return _constant(token[1:-1])
        if kind == "name" and token not in WORDS - {"true", "false"}:
            return self._named(token, offset)
        if token == "(":
            value = self.choice()
            self.expect(")")
            return value
        if token == "[":
            return _list(self._until("]"), offset)
        self.at -= 1
        got = "the end" if kind == "end" else received(token)
        raise ExpressionError(f"expected a number, a name or '(', received {got}", offset)

    def _named(self, name: str, offset: int) -> Evaluate:
        if name in ("true", "false"):
            return _constant(name == "true")
        if name in FUNCTIONS:
            self.expect("(")
            arguments = self._until(")")
            if name == "range" or (len(arguments) == 1 and name in _OF_LISTS):
                self.extra += LIST_COST
            return _call(name, arguments, offset)
        if self.tokens[self.at][1] == "(":
            near = (
                did_you_mean(name, FUNCTIONS) or f"the functions are {', '.join(sorted(FUNCTIONS))}"
            )
            raise ExpressionError(f"expected a function, received {received(name)}", offset, near)
        self.names.setdefault(name, offset)
        if name in INCOMING:
            return _incoming(name, offset)
        return _name(name, offset)

    def _until(self, end: str) -> list[Evaluate]:
        """Values separated by commas, up to the closing sign."""
        values: list[Evaluate] = []
        while not self.take(end):
            if values:
                self.expect(",")
            values.append(self.choice())
        return values

    def _offset(self) -> int:
        return self.tokens[self.at][2]


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            hint = {"=": "equality is ==", "'": "the quote is not closed"}.get(text[at])
            what = f"expected a number, a name or an operator, received {received(text[at])}"
            raise ExpressionError(what, at, hint)
        kind = str(match.lastgroup)
        yield kind, match.group(kind), match.start(kind)
        at = match.end()
    yield "end", "", end


def _number(token: str, offset: int) -> Any:
    if token.isdecimal():
        return _bounded(int(token), offset)
    exponent = int(token.lower().partition("e")[2] or 0)
    if abs(exponent) > 18:
        raise ExpressionError(f"expected an exponent from -18 to 18, received {exponent}", offset)
    return decimal(token, offset)


def decimal(token: str, offset: int = 0) -> Any:
    """A decimal, exactly: an int where it is whole, else a Fraction."""
    from fractions import Fraction

    return _bounded(Fraction(token), offset)


def _bounded(value: Any, offset: int) -> Any:
    """The value, a Fraction as an int where it is whole; an error where it is too large."""
    if not isinstance(value, int):
        if value.denominator > LARGEST:
            raise ExpressionError("expected denominators of at most 10**18, received more", offset)
        value = _simplest(value)
    if -LARGEST <= value <= LARGEST:
        return value
    raise ExpressionError("expected numbers from -10**18 to 10**18, received more", offset)


def _simplest(value: Any) -> Any:
    """A Fraction as an int where it is whole; numbers of other arithmetics as they are."""
    from fractions import Fraction

    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def _is_number(value: Any) -> bool:
    return not isinstance(value, (bool, str, list, tuple))


def typed(value: Any) -> str:
    """A value's type in the language's words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a word"
    return "a list" if isinstance(value, (list, tuple)) else "a number"


def _constant(value: Any) -> Evaluate:
    return lambda names, incoming: value


def _name(name: str, offset: int) -> Evaluate:
    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        try:
            return names[name]
        except KeyError:
            raise ExpressionError(
                f"expected a name defined here, received '{name}'", offset
            ) from None

    return evaluate


def _incoming(name: str, offset: int) -> Evaluate:
    axis = {"channels": 0, "height": -2, "width": -1}[name]

    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        if axis and len(incoming) < 1 - axis:
            shape = "x".join(map(str, incoming))
            raise ExpressionError(f"expected an input with a {name}, received {shape}", offset)
        return incoming[axis]

    return evaluate


def _choice(value: Evaluate, condition: Evaluate, other: Evaluate, offset: int) -> Evaluate:
    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        chosen = condition(names, incoming)
        return value(names, incoming) if _truth(chosen, offset) else other(names, incoming)

    return evaluate


def _truth(value: Any, offset: int) -> bool:
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"expected true or false, received {typed(value)}", offset)


def _either(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda names, incoming: (
        True if _truth(left(names, incoming), 0) else _truth(right(names, incoming), 0)
    )


def _both(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda names, incoming: (
        _truth(right(names, incoming), 0) if _truth(left(names, incoming), 0) else False
    )


def _negation(value: Evaluate, odd: bool) -> Evaluate:
    return lambda names, incoming: _truth(value(names, incoming), 0) is not odd


def _list(values: list[Evaluate], offset: int) -> Evaluate:
    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        items = [value(names, incoming) for value in values]
        measured(items, offset)
        return items

    return evaluate


def measured(value: Any, offset: int = 0, depth: int = 0) -> int:
    """How many items a value has, those of the lists inside it included; an error if too many."""
    if not isinstance(value, (list, tuple)):
        return 1
    if depth >= DEEPEST_LIST:
        raise ExpressionError(
            f"expected at most {DEEPEST_LIST} lists inside each other, received more", offset
        )
    count = 1
    for item in value:
        count += measured(item, offset, depth + 1)
        if count > LONGEST_LIST + 1:
            raise ExpressionError(
                f"expected at most {LONGEST_LIST:,} items in a list, received more", offset
            )
    return count


def _item(value: Evaluate, index: Evaluate, offset: int) -> Evaluate:
    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        items, i = value(names, incoming), index(names, incoming)
        if not isinstance(items, (list, tuple)):
            raise ExpressionError(f"expected a list before '[', received {typed(items)}", offset)
        place = integral(i)
        if place is None or not -len(items) <= place < len(items):
            raise ExpressionError(
                f"expected an index from 0 to {len(items) - 1}, received {received(i)}", offset
            )
        return items[place]

    return evaluate


def _operation(sign: str, left: Evaluate, right: Evaluate, offset: int) -> Evaluate:
    apply = _OPERATIONS[sign]

    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        a, b = left(names, incoming), right(names, incoming)
        if sign in ("==", "!="):
            if typed(a) != typed(b):
                raise ExpressionError(
                    f"'{sign}': expected two of a kind, received {typed(a)} and {typed(b)}", offset
                )
            return (a == b) is (sign == "==")
        if sign == "in":
            return _contains(a, b, offset)
        if not (_is_number(a) and _is_number(b)):
            raise ExpressionError(
                f"'{sign}': expected numbers, received {typed(a)} and {typed(b)}", offset
            )
        return apply(a, b, offset)

    return evaluate


def _contains(item: Any, items: Any, offset: int) -> bool:
    if isinstance(items, (list, tuple)):
        truth = isinstance(item, bool)  # 1 == True in Python, but not here
        return item in items and any(
            item == one and isinstance(one, bool) is truth for one in items
        )
    raise ExpressionError(f"expected a list after 'in', received {typed(items)}", offset)


def _divide(a: Any, b: Any, offset: int) -> Any:
    if not b:
        raise ExpressionError("expected a divisor other than 0, received 0", offset)
    if not (isinstance(a, int) and isinstance(b, int)):
        return _bounded(a / b, offset)
    if a % b == 0:  # as mostly; fractions take their time to be imported
        return a // b
    from fractions import Fraction

    return _bounded(Fraction(a, b), offset)


def _floor_divide(a: Any, b: Any, offset: int) -> Any:
    if not b:
        raise ExpressionError("expected a divisor other than 0, received 0", offset)
    return _bounded(a // b, offset)


def _modulo(a: Any, b: Any, offset: int) -> Any:
    if not b:
        raise ExpressionError("expected a divisor other than 0, received 0", offset)
    return _bounded(a % b, offset)


def _power(a: Any, b: Any, offset: int) -> Any:
    exponent = integral(b)
    if exponent is None or abs(exponent) > 64:
        raise ExpressionError(
            f"expected a whole exponent from -64 to 64, received {received(b)}", offset
        )
    if exponent < 0:
        return _divide(1, _power(a, -exponent, offset), offset)
    return _bounded(a ** index(exponent), offset)


_OPERATIONS: dict[str, Any] = {
    "+": lambda a, b, offset: _bounded(a + b, offset),
    "-": lambda a, b, offset: _bounded(a - b, offset),
    "*": lambda a, b, offset: _bounded(a * b, offset),
    "/": _divide,
    "//": _floor_divide,
    "%": _modulo,
    "**": _power,
    "<": lambda a, b, offset: a < b,
    "<=": lambda a, b, offset: a <= b,
    ">": lambda a, b, offset: a > b,
    ">=": lambda a, b, offset: a >= b,
    "==": None,
    "!=": None,
    "in": None,
}


def _round_half_up(x: Any) -> Any:
    return (2 * x + 1) // 2


_OF_LISTS = frozenset({"len", "max", "min", "sum"})
_OF_ONE: dict[str, Callable[[Any], Any]] = {
    "int": trunc,
    "floor": floor,
    "ceil": ceil,
    "round": _round_half_up,
    "abs": abs,
}


def _call(name: str, arguments: list[Evaluate], offset: int) -> Evaluate:
    def evaluate(names: Mapping[str, Any], incoming: Shape) -> Any:
        return _apply(name, [value(names, incoming) for value in arguments], offset)

    return evaluate


def _apply(name: str, values: list[Any], offset: int) -> Any:
    if name in _OF_ONE:
        return _OF_ONE[name](*_numbers(name, values, 1, offset))
    if name == "range":
        return _range(_numbers(name, values, None, offset), offset)
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = list(values[0])
        if name == "len":
            return len(values)
    elif name in ("len", "sum"):
        raise ExpressionError(
            f"{name}(): expected one list, received {typed(values[0]) if values else 'none'}",
            offset,
        )
    numbers = _numbers(name, values, None, offset)
    if name == "sum":
        return _bounded(sum(numbers), offset)
    if not numbers:
        raise ExpressionError(f"{name}(): expected at least one number, received none", offset)
    return min(numbers) if name == "min" else max(numbers)


def _numbers(name: str, values: list[Any], count: int | None, offset: int) -> list[Any]:
    if count is not None and len(values) != count:
        raise ExpressionError(f"{name}(): expected {count} number, received {len(values)}", offset)
    for value in values:
        if not _is_number(value):
            raise ExpressionError(f"{name}(): expected numbers, received {typed(value)}", offset)
    return values


def _range(values: list[Any], offset: int) -> list[int]:
    """range(stop), range(start, stop), range(start, stop, step), as in Python."""
    whole = [integral(value) for value in values]
    if not 1 <= len(values) <= 3 or None in whole:
        got = ", ".join(map(received, values)) or "none"
        raise ExpressionError(
            f"range(): expected one to three whole numbers, received {got}", offset
        )
    if len(values) == 3 and whole[2] == 0:
        raise ExpressionError("range(): expected a step other than 0, received 0", offset)
    span = range(*whole)
    if span[LONGEST_LIST:]:  # its length may be more than len() can say
        raise ExpressionError(
            f"expected at most {LONGEST_LIST:,} items in a list, received more", offset
        )
    return list(span)
