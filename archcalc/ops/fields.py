"""Fields of a layer kind: what a spec may write there, and how it is checked.

A field knows the type it takes, its default and one line of documentation; the YAML reader, the
JSON Schema, the docs and the Python constructors all read it from here. `convert` takes plain
Python values (a spec's expressions are evaluated before) and says what it expected otherwise.
"""

from __future__ import annotations

from math import isfinite
from operator import index
from typing import Any

from archcalc.errors import LayerError, received
from archcalc.values import integral

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()
LARGEST = 10**9  # no size of a real network comes near; keeps every product small
MOST_ITEMS = 10_000  # of a list of sizes, or connections of a table

EXPRESSION = {"type": "string", "description": "an expression, such as `2 * channels`"}


class Field:
    """Base: name, default, documentation; `expected` is how a message names the type."""

    expected = "a value"
    words: frozenset[str] = frozenset()

    def __init__(self, default: Any, doc: str) -> None:
        self.name = ""
        self.default = default
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def convert(self, value: Any) -> Any:
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what a spec may write here."""
        raise NotImplementedError

    def refuse(self, value: object) -> LayerError:
        message = f"expected {self.expected}, received {_shown(value)}"
        return LayerError(message, field=self.name)


class Integer(Field):
    """A whole number."""

    def __init__(self, default: Any, doc: str, minimum: int = 1, maximum: int = LARGEST) -> None:
        super().__init__(default, doc)
        self.minimum = minimum
        self.maximum = maximum
        self.expected = _whole(minimum)

    def convert(self, value: Any) -> int:
        number = self.taken(value)
        if number is None:
            raise self.refuse(value)
        return number

    def taken(self, value: object) -> int | None:
        """The whole number, None where it is none in the field's bounds."""
        number: int | None = integral(value)
        within = number is not None and self.minimum <= number <= self.maximum
        return number if within else None

    def schema(self) -> dict[str, Any]:
        whole = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return {"anyOf": [whole, EXPRESSION]}


class Sizes(Field):
    """A whole number for all axes, or a list with one for each: `3` or `[1, 7]`."""

    def __init__(self, default: Any, doc: str, minimum: int = 1, maximum: int = LARGEST) -> None:
        super().__init__(default, doc)
        self.one = Integer(default, doc, minimum, maximum)
        self.expected = f"{_whole(minimum)} or a list of them, one an axis"

    def convert(self, value: Any) -> int | tuple[int, ...]:
        if (size := self.one.taken(value)) is not None:
            return size
        if not isinstance(value, (list, tuple)) or not 0 < len(value) <= MOST_ITEMS:
            raise self.refuse(value)
        sizes = [size for size in map(self.one.taken, value) if size is not None]
        if len(sizes) < len(value):
            raise self.refuse(value)
        return tuple(sizes)

    def schema(self) -> dict[str, Any]:
        one = self.one.schema()
        return {"anyOf": [*one["anyOf"], {"type": "array", "minItems": 1, "items": one}]}


class Padding(Field):
    """A number, one an axis, `[before, after]` pairs an axis, or a word."""

    expected = (
        "a whole number of at least 0, a list with one an axis, a list with a pair "
        "[before, after] an axis, or one of the words same, same_tf, valid"
    )
    words = frozenset({"same", "same_tf", "valid"})

    def convert(self, value: Any) -> int | str | tuple[int | tuple[int, int], ...]:
        if isinstance(value, str) and value in self.words:
            return value
        if (size := _size(value)) is not None:
            return size
        if isinstance(value, (list, tuple)) and value:
            return tuple(self._side(value, item) for item in value)
        raise self.refuse(value)

    def _side(self, whole: object, item: Any) -> int | tuple[int, int]:
        if (size := _size(item)) is not None:
            return size
        if isinstance(item, (list, tuple)) and len(item) == 2:
            before, after = map(_size, item)
            if before is not None and after is not None:
                return (before, after)
        raise self.refuse(whole)

    def schema(self) -> dict[str, Any]:
        size = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": LARGEST}, EXPRESSION]}
        pair = {"type": "array", "minItems": 2, "maxItems": 2, "items": size}
        sides = {"type": "array", "minItems": 1, "items": {"anyOf": [*size["anyOf"], pair]}}
        words = {"enum": sorted(self.words)}
        return {"anyOf": [words, *size["anyOf"], sides]}


class Boolean(Field):
    """true or false."""

    expected = "true or false"

    def convert(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise self.refuse(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, EXPRESSION]}


class Word(Field):
    """One of a few words."""

    def __init__(self, default: Any, doc: str, choices: tuple[str, ...]) -> None:
        super().__init__(default, doc)
        self.words = frozenset(choices)
        self.expected = "one of " + ", ".join(choices)

    def convert(self, value: Any) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise self.refuse(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": sorted(self.words)}, EXPRESSION]}


class Real(Field):
    """A number, kept exactly (an int or a Fraction)."""

    def __init__(
        self, default: Any, doc: str, minimum: int = 0, maximum: int | None = None
    ) -> None:
        super().__init__(default, doc)
        self.minimum = minimum
        self.maximum = maximum
        self.expected = f"a number of at least {minimum}"
        if maximum is not None:
            self.expected = f"a number from {minimum} to {maximum}"

    def convert(self, value: Any) -> Any:
        if isinstance(value, float) and isfinite(value):
            from fractions import Fraction

            value = Fraction(repr(value))
        if isinstance(value, (bool, float)) or not hasattr(value, "denominator"):
            raise self.refuse(value)
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "minimum": self.minimum}
        if self.maximum is not None:
            number["maximum"] = self.maximum
        return {"anyOf": [number, EXPRESSION]}


class Reals(Field):
    """A number above 0 or a list of them, kept exactly; `convert` gives a tuple."""

    expected = "a number above 0 or a list of them"

    def __init__(self, default: Any, doc: str) -> None:
        super().__init__(default, doc)
        self.one = Real(default, doc)

    def convert(self, value: Any) -> tuple[Any, ...]:
        items = value if isinstance(value, (list, tuple)) else (value,)
        if not 0 < len(items) <= MOST_ITEMS:
            raise self.refuse(value)
        try:
            found = tuple(map(self.one.convert, items))
        except LayerError:
            raise self.refuse(value) from None
        if not all(found):
            raise self.refuse(value)
        return found

    def schema(self) -> dict[str, Any]:
        one = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, EXPRESSION]}
        return {"anyOf": [*one["anyOf"], {"type": "array", "minItems": 1, "items": one}]}


class Table(Field):
    """A connection table: for each output map the input maps it sees.

    Either a list of rows, or a list of groups of rows where the paper's table is read in groups
    (LeNet-5's C3); `convert` gives groups of rows.
    """

    expected = "a list with, for each output map, the list of the input maps it sees"

    def convert(self, value: Any) -> tuple[tuple[tuple[int, ...], ...], ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not value:
            raise self.refuse(value)
        grouped = all(isinstance(g, (list, tuple)) and g and _is_row(g[0]) for g in value)
        groups = value if grouped else _runs(value)
        table = tuple(tuple(self._row(row) for row in group) for group in groups)
        if (count := sum(len(row) for group in table for row in group)) > MOST_ITEMS:
            raise LayerError(
                f"expected at most {MOST_ITEMS} connections, received {count}", field="table"
            )
        return table

    def _row(self, row: Any) -> tuple[int, ...]:
        if not _is_row(row) or not row or any(_size(item) is None for item in row):
            raise self.refuse(row)
        places = tuple(map(index, row))  # which maps are connected, not how many: Python's own
        if len(set(places)) < len(places):
            raise self.refuse(row)
        return places

    def schema(self) -> dict[str, Any]:
        index = {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]}
        row = {"anyOf": [{"type": "array", "minItems": 1, "items": index}, EXPRESSION]}
        group = {"type": "array", "minItems": 1, "items": row}
        rows = {"type": "array", "minItems": 1, "items": {"anyOf": [*row["anyOf"], group]}}
        return {"anyOf": [rows, EXPRESSION]}


def _is_row(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _runs(rows: Any) -> list[list[Any]]:
    """Rows one after another with equally many inputs, together."""
    groups: list[list[Any]] = []
    for row in rows:
        size = len(row) if _is_row(row) else -1
        if groups and _is_row(groups[-1][0]) and len(groups[-1][0]) == size:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _size(value: object) -> int | None:
    """A size, None for what is none."""
    size: int | None = integral(value)
    return size if size is not None and 0 <= size <= LARGEST else None


def _whole(minimum: int) -> str:
    return "a whole number" if minimum < 0 else f"a whole number of at least {minimum}"


def _shown(value: Any) -> str:
    """A value as the user may have meant it: fractions as decimals beside themselves."""
    if isinstance(value, (list, tuple)):
        text = "[" + ", ".join(_shown(item) for item in value[:8])
        return text + (", ...]" if len(value) > 8 else "]")
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if hasattr(value, "denominator") and value.denominator != 1:
        return received(value) + (f" = {float(value):g}" if abs(value) < 10**18 else "")
    if isinstance(value, int) and value > LARGEST:
        return f"{received(value)} (the largest size is {LARGEST})"
    return received(value)


# Field specifiers, typed as what an op's attribute holds.


def integer(default: Any = REQUIRED, *, doc: str, minimum: int = 1) -> Any:
    """A whole number."""
    return Integer(default, doc, minimum)


def sizes(default: Any = REQUIRED, *, doc: str, minimum: int = 1) -> Any:
    """A whole number, or one an axis."""
    return Sizes(default, doc, minimum)


def padding(default: Any = 0, *, doc: str) -> Any:
    """Padding: numbers or a word."""
    return Padding(default, doc)


def boolean(default: Any = REQUIRED, *, doc: str) -> Any:
    """True or false."""
    return Boolean(default, doc)


def word(default: Any = REQUIRED, *, doc: str, choices: tuple[str, ...]) -> Any:
    """One of a few words."""
    return Word(default, doc, choices)


def real(default: Any = REQUIRED, *, doc: str, minimum: int = 0, maximum: int | None = None) -> Any:
    """A number, kept exactly."""
    return Real(default, doc, minimum, maximum)


def reals(default: Any = REQUIRED, *, doc: str) -> Any:
    """Numbers above 0, kept exactly."""
    return Reals(default, doc)


def table(default: Any = None, *, doc: str) -> Any:
    """A connection table."""
    return Table(default, doc)
