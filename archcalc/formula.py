"""Formula: an equation that is evaluated and printed from the same text.

    >>> size = Formula("(n - k + 2*p)/s + 1")(n=227, k=11, p=0, s=4)
    >>> size.number, size.text(), size.symbols()
    (55, '(227 - 11 + 2*0)/4 + 1', '(n - k + 2*p)/s + 1')

Formulas are plain arithmetic over integers: `+ - * /`, `floor`, `ceil`, `min`, `max`; `floor` and
`ceil` stand around one division, where it may leave a remainder. Elsewhere whoever chooses the
formula has made sure that a division leaves none. Evaluation never goes through floating point.
Text is made only when asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

FUNCTIONS = frozenset({"floor", "ceil", "min", "max"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_GLOBALS: dict[str, Any] = {"__builtins__": {}, "floor": int, "min": min, "max": max}


class Derived(Protocol):
    """A number that can show where it came from."""

    @property
    def number(self) -> int: ...

    def symbols(self) -> str: ...

    def text(self) -> str: ...

    def __index__(self) -> int: ...


class Formula:
    """An equation over named numbers; calling it with their values gives a `Value`."""

    __slots__ = ("_code", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._code: CodeType | None = None

    def __call__(self, **values: Any) -> Value:
        return self.of(values)

    def of(self, values: dict[str, Any]) -> Value:
        """The value for numbers by name; there may be more of them than the equation takes."""
        code = self._code
        if code is None:
            code = self._code = _compile(self.source)
        return Value(eval(code, _GLOBALS, values), self.source, values)  # noqa: S307 - our own text


_CACHE: dict[str, Formula] = {}


def formula(source: str) -> Formula:
    """The Formula of that text, made once."""
    found = _CACHE.get(source)
    if found is None:
        found = _CACHE[source] = Formula(source)
    return found


class Value:
    """The number a formula gave, with the formula and the values that went in."""

    __slots__ = ("_source", "_values", "number")

    def __init__(self, number: int, source: str, values: dict[str, int]) -> None:
        self.number = number
        self._source = source
        self._values = values

    def __index__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        return f"{self.text()} = {self.number}"

    def symbols(self) -> str:
        """The equation in symbols."""
        return self._source

    def text(self) -> str:
        """The equation with the numbers in."""
        if self._source in self._values:
            return str(self._values[self._source])

        def numbered(match: re.Match[str]) -> str:
            name = match.group()
            if name in FUNCTIONS:
                return name
            number = self._values[name]
            return str(number) if number >= 0 else f"({number})"

        return _NAME.sub(numbered, self._source)


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


def _compile(source: str) -> CodeType:
    """Python code for a formula, with `/` as exact integer division."""
    if "ceil(" not in source:  # floor(x//y) is x//y: no need to take the text apart
        return compile(source.replace("/", "//"), f"<{source}>", "eval")
    import ast

    class Exact(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.expr:
            inner = node.args[0]
            ceiling = isinstance(node.func, ast.Name) and node.func.id == "ceil"
            if not (ceiling and isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Div)):
                self.generic_visit(node)
                return node
            above, below = self.visit(inner.left), self.visit(inner.right)
            negative = ast.BinOp(ast.UnaryOp(ast.USub(), above), ast.FloorDiv(), below)
            return ast.UnaryOp(ast.USub(), negative)

        def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
            self.generic_visit(node)
            if isinstance(node.op, ast.Div):
                node.op = ast.FloorDiv()
            return node

    tree = ast.fix_missing_locations(Exact().visit(ast.parse(source, mode="eval")))
    return compile(tree, f"<{source}>", "eval")
