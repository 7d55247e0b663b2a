"""Formula: an equation that is evaluated and printed from the same text.

    >>> size = Formula("(n - k + 2*p)/s + 1")(n=227, k=11, p=0, s=4)
    >>> size.number, size.text(), size.symbols()
    (55, '(227 - 11 + 2*0)/4 + 1', '(n - k + 2*p)/s + 1')

Formulas are plain arithmetic over integers: `+ - * /`, `floor`, `ceil`, `min`, `max`; `floor` and
`ceil` stand around one division, where it may leave a remainder. Elsewhere whoever chooses the
formula has made sure that a division leaves none, or asks for the exact fraction. Evaluation
never goes through floating point, and other numbers than Python's can flow through it.

Text is made only when asked for. A person leaves out what makes no difference: a rounding where
nothing is left over, a dilation of 1. A formula's `notation` does that, from the numbers, when
the text is made; which arithmetic runs never depends on it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

    Notation = Callable[[str, Mapping[str, Any]], str]  # the equation, its values -> as written

FUNCTIONS = frozenset({"floor", "ceil", "min", "max"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_GLOBALS: dict[str, Any] = {
    "__builtins__": {}, "floor": floor, "ceil": ceil, "min": min, "max": max,
}  # fmt: skip


class Derived(Protocol):
    """A number that can show where it came from."""

    @property
    def number(self) -> int: ...

    def symbols(self) -> str: ...

    def text(self) -> str: ...

    def __index__(self) -> int: ...


def _whole(source: str) -> str:
    """Python for a formula in whole numbers: a/b is a//b, and ceil(a/b) is -(-(a)//(b))."""
    text = source.replace("/", "//").replace("floor(", "(")
    while "ceil(" in text:
        head, _, rest = text.rpartition("ceil(")
        above, below, tail = _division(rest)
        text = f"{head}(-(-({above})//({below}))){tail}"
    return text


def _division(text: str) -> tuple[str, str, str]:
    """What stands above and below the line in `a//b) ...`, and what follows the bracket."""
    depth = line = end = 0
    while depth >= 0:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth and text.startswith("//", end):
            line = end
            end += 1
        end += 1
    if not line:
        raise ValueError(f"ceil stands around one division, not {text[: end - 1]!r}")
    return text[:line], text[line + 2 : end - 1], text[end:]


class Formula:
    """An equation over named numbers; calling it with their values gives a `Value`."""

    __slots__ = ("_code", "notation", "source")

    def __init__(self, source: str, notation: Notation | None = None) -> None:
        self.source = source
        self.notation = notation
        self._code: CodeType | None = None

    def __call__(self, **values: Any) -> Value:
        return self.of(values)

    def of(self, values: dict[str, Any]) -> Value:
        """The value for numbers by name; there may be more of them than the equation takes."""
        code = self._code
        if code is None:
            code = self._code = compile(_whole(self.source), f"<{self.source}>", "eval")
        number = eval(code, _GLOBALS, values)  # noqa: S307 - our own text
        return Value(number, self.source, values, self.notation)

    def exactly(self, **values: Any) -> Value:
        """The value where a division may leave a remainder: a Fraction, or an int if it is one."""
        from fractions import Fraction

        numbers = {name: Fraction(value) for name, value in values.items()}
        number = eval(self.source, _GLOBALS, numbers)  # noqa: S307 - our own text
        return Value(number if number.denominator > 1 else number.numerator, self.source, values)

    def function(self, *names: str) -> Callable[..., Any]:
        """The equation as a function of these numbers, for loops; it may leave some unused."""
        text = f"lambda {', '.join(names)}: {_whole(self.source)}"
        return eval(text, dict(_GLOBALS))  # type: ignore[no-any-return]  # noqa: S307


@lru_cache(maxsize=4096)
def formula(source: str, notation: Notation | None = None) -> Formula:
    """The Formula of that text, made once; some texts grow with what users write."""
    return Formula(source, notation)


class Value:
    """The number a formula gave, with the formula and the values that went in."""

    __slots__ = ("_notation", "_source", "_values", "number")

    def __init__(
        self,
        number: int,
        source: str,
        values: dict[str, int],
        notation: Notation | None = None,
    ) -> None:
        self.number = number
        self._source = source
        self._values = values
        self._notation = notation

    def __index__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        return f"{self.text()} = {self.number}"

    def symbols(self) -> str:
        """The equation in symbols."""
        if self._notation is None:
            return self._source
        return self._notation(self._source, self._values)

    def text(self) -> str:
        """The equation with the numbers in."""
        source = self.symbols()
        if source in self._values:
            return str(self._values[source])

        def numbered(match: re.Match[str]) -> str:
            name = match.group()
            if name in FUNCTIONS:
                return name
            number = self._values[name]
            before = source[: match.start()].rstrip()
            return str(number) if number >= 0 or before[-1:] in "(," else f"({number})"

        return _NAME.sub(numbered, source)


class Sum:
    """A formula that is a sum of formulas built from data, such as LeNet-5 C3's parameters."""

    __slots__ = ("number", "terms")

    def __init__(self, terms: Iterable[Derived]) -> None:
        self.terms = tuple(terms)
        self.number = sum(term.number for term in self.terms)

    def __index__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        return f"{self.text()} = {self.number}"

    def symbols(self) -> str:
        """The terms in symbols, equal ones once."""
        return " + ".join(dict.fromkeys(term.symbols() for term in self.terms)) or "0"

    def text(self) -> str:
        """The terms with the numbers in."""
        return " + ".join(term.text() for term in self.terms) or "0"


class Extreme:
    """The least or the largest of several: `min(a1, a2)`; of one, itself."""

    __slots__ = ("function", "number", "terms")

    def __init__(self, function: str, terms: Iterable[Derived]) -> None:
        self.function = function
        self.terms = tuple(terms)
        self.number: int = _GLOBALS[function](term.number for term in self.terms)

    def __index__(self) -> int:
        return self.number

    def symbols(self) -> str:
        """The terms in symbols."""
        return self._of([term.symbols() for term in self._distinct()])

    def text(self) -> str:
        """The terms with the numbers in."""
        return self._of([term.text() for term in self._distinct()])

    def _distinct(self) -> Iterable[Derived]:
        """Terms with the same numbers are told once."""
        return {term.text(): term for term in reversed(self.terms)}.values()

    def _of(self, terms: list[str]) -> str:
        return terms[0] if len(terms) == 1 else f"{self.function}({', '.join(reversed(terms))})"


class Span:
    """How many whole numbers there are from the least of some to the largest of others."""

    __slots__ = ("first", "last", "number")

    def __init__(self, firsts: Iterable[Derived], lasts: Iterable[Derived]) -> None:
        self.first = Extreme("min", firsts)
        self.last = Extreme("max", lasts)
        self.number = EXTENT(first=self.first.number, last=self.last.number).number

    def __index__(self) -> int:
        return self.number

    def symbols(self) -> str:
        """The equation in symbols."""
        return self._of(self.last.symbols(), self.first.symbols())

    def text(self) -> str:
        """The equation with the numbers in."""
        return self._of(self.last.text(), self.first.text())

    def _of(self, last: str, first: str) -> str:
        ends = {"last": _bracketed(last), "first": _bracketed(first)}
        return _NAME.sub(lambda match: ends[match.group()], EXTENT.source)


EXTENT = Formula("last - first + 1")


def _bracketed(text: str) -> str:
    """A term that can stand in a difference: brackets around sums and negative numbers."""
    return text if text.isalnum() or _is_call(text) else f"({text})"


def _is_call(text: str) -> bool:
    """Whether all of it is one function's: min(...), floor(...)."""
    name, _, rest = text.partition("(")
    depth = 1
    for i, sign in enumerate(rest, start=1):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if not depth:
            return name in FUNCTIONS and i == len(rest)
    return False


class Ratio:
    """One whole number over another; 0 over nothing is 0."""

    __slots__ = ("above", "below", "number")

    def __init__(self, above: int, below: int) -> None:
        self.above = above
        self.below = below or 1
        self.number = self.above / self.below

    def symbols(self) -> str:
        """The equation in symbols."""
        return "m/n"

    def text(self) -> str:
        """The equation with the numbers in."""
        return f"{self.above}/{self.below}"


def constant(number: int) -> Value:
    """A number that is given, not computed: its text is itself."""
    return Value(number, "n", {"n": number})


ZERO = constant(0)
