"""How a table fits a terminal's width: long texts get shorter, then columns continue below.

Figures are never cut or broken, and no column is left out. Texts give way first, each as its column
allows (`Column.fitted`); where that isn't enough, the columns that find no room stand in a second
table below, each line of which is named again.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archcalc.report.columns import Column

GAP = 2  # cells between two columns
LEAST = 12  # cells that a text keeps, if it has as many
NAME = 24  # cells that the name of a layer keeps
WORD = 20  # cells of the longest word that is kept whole


class Fitted(NamedTuple):
    """Each column's width, and the tables (indexes of columns) that stand one below the other."""

    widths: list[int]
    tables: list[list[int]]


def fit(
    rows: Sequence[Sequence[str]],
    columns: Sequence[Column],
    width: int,
    cells: Callable[[str], int],
) -> Fitted:
    """Widths for `rows`, headings among them, in `width` cells; `cells` measures a text."""
    widths = [max(map(cells, texts)) for texts in zip(*rows, strict=True)]
    whole = list(range(len(widths)))
    over = breadth(widths) - width
    if over <= 0:
        return Fitted(widths, [whole])
    floors = [
        min(widths[i], _floor(column, [row[i] for row in rows])) for i, column in enumerate(columns)
    ]
    if breadth(floors) <= width:
        return Fitted(_shrunk(widths, floors, columns, over), [whole])
    room = max(width // 2, width - GAP - max(floors[1:], default=0))
    first = max(floors[0], min(widths[0], room))
    rest = width - GAP - first
    pairs = zip(widths[1:], floors[1:], strict=True)
    widths = [first, *(max(floor, min(natural, rest)) for natural, floor in pairs)]
    return Fitted(widths, _tables(widths, width))


def breadth(widths: Sequence[int]) -> int:
    """Cells that columns of these widths take, gaps included."""
    return sum(widths) + GAP * (len(widths) - 1)


def _floor(column: Column, texts: Sequence[str]) -> int:
    """The least width a column may get."""
    if column.fitted == "keep":
        return max(map(len, texts), default=0)
    if column.fitted == "wrap":
        longest = max((len(word) for text in texts for word in text.split()), default=0)
        return max(LEAST, min(WORD, longest))
    return NAME if column.fitted == "middle" else LEAST


def _shrunk(
    widths: Sequence[int], floors: Sequence[int], columns: Sequence[Column], over: int
) -> list[int]:
    """Widths that are `over` cells less: titles give way first, names of layers last."""
    shrunk = list(widths)
    for kind in ("cut", "wrap", "middle"):
        for i, column in reversed(list(enumerate(columns))):
            if column.fitted == kind:
                less = min(over, shrunk[i] - floors[i])
                shrunk[i], over = shrunk[i] - less, over - less
    return shrunk


def _tables(widths: Sequence[int], width: int) -> list[list[int]]:
    """The columns in as many tables as they need; each begins with the first column."""
    tables = [[0]]
    for i in range(1, len(widths)):
        taken = breadth([widths[j] for j in (*tables[-1], i)])
        if taken > width and len(tables[-1]) > 1:
            tables.append([0])
        tables[-1].append(i)
    return tables


def wrapped(text: str, width: int, cells: Callable[[str], int]) -> list[str]:
    """A text on as many lines as it needs, with more indentation below if it has any.

    A name that is longer than a line is broken behind a slash.
    """
    if cells(text) <= width:
        return [text]
    wide = cells(text) > len(text)  # Chinese characters take two cells
    room = max(4, width // 2 if wide else width)
    indent = " " * min(len(text) - len(text.lstrip()), width // 2)
    words = [_broken(word, room - len(indent) - 2 * bool(indent)) for word in text.split()]
    lines = textwrap.wrap(
        " ".join(words),
        room,
        initial_indent=indent,
        subsequent_indent=indent + "  " * bool(indent),
        break_on_hyphens=False,
    )
    return lines if "/ " in text else [line.replace("/ ", "/") for line in lines]


def _broken(word: str, width: int) -> str:
    """A long name in pieces that end with a slash and are as long as `width` allows."""
    if len(word) <= width or "/" not in word:
        return word
    pieces = [""]
    for part in word.replace("/", "/\n").split("\n"):
        if len(pieces[-1]) + len(part) > width:
            pieces.append("")
        pieces[-1] += part
    return " ".join(piece for piece in pieces if piece)
