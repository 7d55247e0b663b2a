"""The texts of a table column by column, and how they stand side by side in their widths.

A table of thousands of rows is laid out by columns, for that is many times as fast as by rows.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from archcalc.errors import one_line
from archcalc.report.figures import figure
from archcalc.report.fitting import LEAST, NAME, Need
from archcalc.report.wrapping import (
    cell_width,
    cut,
    in_syllables,
    in_words,
    is_plain,
    pieces,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.analysis.rows import Row
    from archcalc.report.columns import Column
    from archcalc.report.fitting import Block
    from archcalc.report.model import Line, Table


class Signs(NamedTuple):
    """Characters drawn with: block elements, or ASCII where the encoding lacks them."""

    blocks: str
    rule: str
    cut: str


UNICODE = Signs("▏▎▍▌▋▊▉█", "─", "…")
ASCII = Signs("#", "-", "~")


class Cells:
    """A table's texts: a list for each column, the total's text its last."""

    def __init__(self, table: Table, exact: bool, signs: Signs) -> None:
        self.table, self.signs = table, signs
        self.totals = total_texts(table, table.total, exact) if table.total else []
        self.texts = [self._texts(column, exact) for column in table.columns]
        self.alone = [
            line.heads and len(self.texts) > 1 and not any(texts[at] for texts in self.texts[1:])
            for at, line in enumerate(table.lines)
        ]
        for i, texts in enumerate(self.texts):
            texts.append(self.totals[i] if self.totals else "")
        self.shares = {i for i, column in enumerate(table.columns) if column.style == "share"}

    @staticmethod
    def name(line: Line) -> str:
        """A row's name, further in where it is part of another's."""
        return "  " * line.level + one_line(line.name)

    def _texts(self, column: Column, exact: bool) -> list[str]:
        if column.key == "name":
            return [self.name(line) for line in self.table.lines]
        texts = [figure(column, column.get(line.row), exact) for line in self.table.lines]
        return [text.rjust(6) for text in texts] if column.style == "share" else texts

    # How much room they take.

    def needs(self) -> list[Need]:
        """The room that each column takes; a name alone on a line goes on over all of them."""
        beside = [at for at, alone in enumerate((*self.alone, False)) if not alone]
        return [
            _need(column, [texts[at] for at in beside], i == 0)
            for i, (column, texts) in enumerate(zip(self.table.columns, self.texts, strict=True))
        ]

    # How they stand side by side.

    def headings(self, block: Block) -> Iterator[str]:
        """The lines of the headings, which are broken where they are wider than their columns."""
        headings = [self.table.columns[i].heading for i in block.columns]
        parts = list(map(_broken, headings, block.widths))
        tall = max(map(len, parts))
        for texts in zip(*([""] * (tall - len(part)) + part for part in parts), strict=True):
            yield self._joined(texts, block)

    def rows(self, block: Block) -> Iterator[list[str]]:
        """Each row's lines, the total's last: one, or several where texts need them."""
        columns = [self._with_bars(i, block.bar) for i in block.columns]
        rights = [self.table.columns[i].right for i in block.columns]
        padded = map(_all_padded, columns, block.widths, rights)
        long = {at for pair in zip(columns, block.widths, strict=True) for at in _too_long(*pair)}
        for at, texts in enumerate(zip(*padded, strict=True)):
            if at in long:
                yield list(self._lines([column[at] for column in columns], block))
            else:
                yield ["  ".join(texts).rstrip()]

    def _with_bars(self, i: int, size: int) -> list[str]:
        """A column's texts, shares with a bar in front: the largest share's has `size` cells.

        Bars grow in steps of an eighth of a cell where there are signs for it.
        """
        texts, column, blocks = self.texts[i], self.table.columns[i], self.signs.blocks
        if i not in self.shares or not size:
            return texts
        shares = [column.get(line.row) or 0 for line in self.table.lines]
        largest = max(shares, default=0) or 1
        barred = []
        for text, share in zip(texts, shares, strict=False):
            full, part = divmod(round(share / largest * size * len(blocks)), len(blocks))
            bar = blocks[-1] * full + (blocks[part - 1] if part else "")
            barred.append(f"{bar:<{size}} {text}")
        return [*barred, texts[-1]]

    def _lines(self, texts: Sequence[str], block: Block) -> Iterator[str]:
        """A row of which texts are cut or wrapped; long names are on a line of their own."""
        parts = []
        for i, text, width in zip(block.columns, texts, block.widths, strict=True):
            fit = self.table.columns[i].fitted
            if cell_width(text) <= width:
                parts.append([text])
            elif fit == "wrap" and (i > 0 or _longest_piece(text, 2) <= width):
                parts.append(wrapped(text, width, hang=2 * (i == 0)))
            elif fit in ("cut", "middle"):
                parts.append([cut(text, width, self.signs.cut, at_end=fit == "cut")])
            else:
                yield text
                parts.append([""])
        for each in zip_longest(*parts, fillvalue=""):
            if joined := self._joined(each, block):
                yield joined

    def _joined(self, texts: Sequence[str], block: Block) -> str:
        rights = [self.table.columns[i].right for i in block.columns]
        return "  ".join(map(_padded, texts, block.widths, rights)).rstrip()


def _need(column: Column, texts: Sequence[str], is_first: bool) -> Need:
    heading = column.heading
    headings = ([heading], in_words(heading), in_syllables(heading))
    whole, words, syllables = (max(map(cell_width, parts)) for parts in headings)
    widest = max(map(len if is_plain("".join(texts)) else cell_width, texts))
    return Need(
        column.key,
        column.fitted,
        widest,
        min(widest, _floor(column, texts, is_first)),
        (whole, words, syllables),
        column.style == "share",
    )


def _floor(column: Column, texts: Sequence[str], is_first: bool) -> int:
    """As little of a column's texts as must be there."""
    if column.fitted != "wrap":
        return LEAST if column.fitted == "cut" else NAME
    return max(LEAST, *(_longest_piece(text, 2 * is_first) for text in {"", *texts}))


def _longest_piece(text: str, hang: int) -> int:
    """The cells of the longest piece of a text, and of what is left blank in front of it."""
    blank = len(text) - len(text.lstrip(" ")) + hang
    return blank + max((cell_width(piece) for _, piece in pieces(text)), default=0)


def _broken(heading: str, width: int) -> list[str]:
    """A heading on as few lines as its column's width allows."""
    lines: list[str] = []
    for word in heading.split(" "):
        parts = [word] if cell_width(word) <= width else in_words(word)
        parts = parts if max(map(cell_width, parts)) <= width else in_syllables(word)
        if lines and cell_width(f"{lines[-1]} {parts[0]}") <= width:
            lines[-1] += f" {parts.pop(0)}"
        lines += parts
    return lines


def _all_padded(texts: Sequence[str], width: int, right: bool) -> list[str]:
    if not is_plain("".join(texts)):
        return [_padded(text, width, right) for text in texts]
    return [text.rjust(width) if right else text.ljust(width) for text in texts]


def _padded(text: str, width: int, right: bool) -> str:
    fill = " " * (width - cell_width(text))
    return fill + text if right else text + fill


def _too_long(texts: Sequence[str], width: int) -> Iterator[int]:
    """The rows of which a text is wider than its column."""
    cells = len if is_plain("".join(texts)) else cell_width
    yield from (at for at, text in enumerate(texts) if cells(text) > width)


def total_texts(table: Table, row: Row, exact: bool) -> list[str]:
    """The total's figures; what describes a single layer is left blank."""
    texts = [
        figure(column, column.get(row), exact) if column.is_totalled else ""
        for column in table.columns
    ]
    if texts and not table.columns[0].is_totalled:
        texts[0] = "total"
    return texts
