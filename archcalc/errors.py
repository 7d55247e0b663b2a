"""Everything archcalc refuses, as one tree.

    ArchcalcError                 the user can mend it: one sentence, exit code 2
    |-- SpecError                 a spec says something it can't
    |   `-- SpecErrors            all schema errors of one file, reported together
    |-- FieldError                a field or an argument that can't be
    |   |-- LayerError            an op can't take these fields or inputs
    |   `-- GraphError            a graph can't be built so: a name that is taken, and the like
    |-- NetworkNotFound           no network, file or variant of that name
    |-- SettingError              a setting, input shape, dtype or batch that can't be
    |-- ColumnError               a column, table or sort key that is not there
    |-- OutputError               a file that can't be written
    `-- PackageError              a package that isn't installed, or can't be imported

An error's text is one sentence, preceded by the place (file:line:column) and the layer where
there are any, and followed by what was expected, what was received and a hint where they are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


LAYOUT = "\n\u00a0\u3000"  # not "printable" in Python's sense, but harmless: wide blanks


class Place(NamedTuple):
    """Where something stands in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ArchcalcError(Exception):
    """Base of everything a user can mend.

    `message` is one sentence without its final stop; `place`, `layer` (full name) and `hint` are
    added to the text where they are known.
    """

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        layer: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.layer = layer
        self.hint = hint

    def __str__(self) -> str:
        parts = [str(self.place) if self.place else "", f"layer {self.layer}" if self.layer else ""]
        prefix = "".join(f"{part}: " for part in parts if part)
        return printable(prefix + self.message + (f"; {self.hint}" if self.hint else ""))


class InputWarning(UserWarning):
    """An input's shape is taken as it stands, but may be meant in another layout.

    The command line prints it as a note. In Python it is a warning, so that it reaches whoever
    gave the shape without changing what is returned, once per place, and can be filtered.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(printable(f"{place}: {message}" if place else message))
        self.message = message
        self.place = place


class SpecError(ArchcalcError):
    """A spec says something it can't."""


class SpecErrors(SpecError):
    """All the errors found in one file, in the order they stand in it."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(self.errors)} errors")

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class FieldError(ArchcalcError):
    """An error about a layer or graph that can't be built: `fact` says why, `field` which argument.

    Neither knows in which words a frontend's users write: a frontend has `fact` and `field` apart,
    and adds the place, its own words and its own hint.
    """

    def __init__(
        self,
        fact: str,
        *,
        field: str | None = None,
        place: Place | None = None,
        layer: str | None = None,
        hint: str | None = None,
    ) -> None:
        message = f"{field}: {fact}" if field else fact
        super().__init__(message, place=place, layer=layer, hint=hint)
        self.fact = fact
        self.field = field


class LayerError(FieldError):
    """An op can't take these fields or inputs; a graph's builder adds the layer (GraphError)."""


class GraphError(FieldError):
    """A graph can't be built so."""


class NetworkNotFound(ArchcalcError):
    """There is no network, file or variant of that name."""


class SettingError(ArchcalcError):
    """A setting, input shape, batch or dtype that can't be."""


class ColumnError(ArchcalcError):
    """A column, declared table or sort key that is not there."""


class OutputError(ArchcalcError):
    """A file that can't be written."""


class PackageError(ArchcalcError):
    """A package that isn't installed, or can't be imported."""


def printable(text: str) -> str:
    """`text` with control characters (terminal escapes among them) made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in LAYOUT else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """`text` printable and on one line."""
    return text if text.isprintable() else printable(" ".join(text.splitlines()))


def received(value: object, limit: int = 60) -> str:
    """How a received value is quoted in a message: short, on one line, printable."""
    text = value if isinstance(value, str) else _text(value)
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    quoted = f"'{text}'" if isinstance(value, str) else text
    return printable(quoted.replace("\n", "\\n"))


def _text(value: object) -> str:
    """A value of whatever kind as text, where it has any."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a number of thousands of digits, an object that can't tell
        return (
            f"a very long {type(value).__name__}" if isinstance(value, int) else repr(type(value))
        )


def shown(value: Any) -> str:
    """A setting's value as a person writes it: 0.5, true, [3, 4, 6, 3], B."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (int, str)):  # a Fraction
        decimal = float(value)
        return repr(decimal) if value == type(value)(repr(decimal)) else str(value)
    return str(value)


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """A hint naming the nearest known words, or None where none is as near as `cutoff`."""
    from difflib import get_close_matches

    choices = {plain(name): name for name in known}
    near = get_close_matches(plain(word)[:100], list(choices), n=3, cutoff=cutoff)
    if not near:
        return None
    return "did you mean " + " or ".join(choices[name] for name in near) + "?"


def plain(name: str) -> str:
    """A name without regard to case, `-`, `_` and blanks, as names are matched."""
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")
