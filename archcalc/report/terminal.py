"""The table at a terminal: indented names, right-aligned figures, a bar for shares.

The layout is ours, because laying out thousands of rows with a general table costs more than all
the analysis; rich renders the styles, and is imported only where there are any to render.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from itertools import chain, zip_longest
from operator import le
from typing import TYPE_CHECKING, NamedTuple, TextIO

from archcalc.errors import one_line
from archcalc.report.figures import figure
from archcalc.report.fitting import breadth, fit, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.analysis.rows import Row
    from archcalc.report.columns import Column
    from archcalc.report.fitting import Fitted
    from archcalc.report.table import Line, Table

BAR = 8  # cells of a full bar
PLAIN_WIDTH = 80  # columns where there is no terminal

Styled = tuple[str, str]  # text and rich style


class Signs(NamedTuple):
    """Characters drawn with: block elements, or ASCII where the encoding lacks them."""

    blocks: str
    rule: str
    cut: str


UNICODE = Signs("▏▎▍▌▋▊▉█", "─", "…")
ASCII = Signs("#", "-", "~")
DRAWN = frozenset("".join(UNICODE))  # each takes one cell: no need to ask rich


def show(table: Table, stream: TextIO | None = None, *, exact: bool = False) -> None:
    """Print a table; styled where the stream is a terminal (or FORCE_COLOR asks for it)."""
    stream = stream or sys.stdout
    lines = layout(table, text_width(stream), exact, signs_for(stream))
    if styled(stream):
        _print_styled(lines, stream)
    else:
        stream.writelines("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def styled(stream: TextIO) -> bool:
    """Whether colour belongs here: a terminal, unless NO_COLOR; FORCE_COLOR insists."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (
        stream.isatty() and os.environ.get("TERM") != "dumb"
    )


def signs_for(stream: TextIO) -> Signs:
    """The signs the stream's encoding can say."""
    try:
        "".join(UNICODE).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def _print_styled(lines: Sequence[Sequence[Styled]], stream: TextIO) -> None:
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    styles = {name: Style.parse(name) for line in lines for _, name in line if name}
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for start in range(0, len(lines), 1000):  # a long table appears as it is rendered
        segments = []
        for line in lines[start : start + 1000]:
            segments += [Segment(text, styles.get(style)) for text, style in line]
            segments.append(Segment.line())
        console.print(Segments(segments), end="")


def text_width(stream: TextIO | None = None) -> int:
    """The width for a stream: a terminal's own, elsewhere $COLUMNS or 80."""
    if stream is not None and stream.isatty():
        return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and 0 < len(given) < 6 and int(given) else PLAIN_WIDTH


def layout(
    table: Table, width: int | None, exact: bool, signs: Signs = UNICODE
) -> list[list[Styled]]:
    """The lines of a table, each a list of styled texts, in `width` cells (80 if left out).

    Where there is too little room, bars are the first to get shorter, then headings are broken,
    then texts are shortened (fitting.py says how); columns that find no room continue below.
    """
    width = width or text_width()
    total = _total_cells(table, table.total, exact) if table.total else None
    cells = _all_cells(table, total, width, exact, signs)
    parts = list(zip(cells, table.lines, strict=True))
    rows = [texts for texts, line in parts if not _is_heading(texts, line)]
    rows += [total] if total else []
    headings = _headings(table.columns, rows, width)
    fitted = fit([*headings, *rows], table.columns, width, cell_width)
    whole = _Whole(table, headings, parts, total, signs, width)
    lines: list[list[Styled]] = [[(text, "bold")] for text in _wrap(table.title, width)]
    lines += [[]] * bool(lines)
    for i, picked in enumerate(fitted.tables):
        lines += [[]] * (i > 0)
        lines += whole.lines(fitted.widths, picked)
    caption = (*_said(table.columns, fitted, width), *table.caption)
    notes = [text for note in caption for text in _wrap(note, width)]
    lines += [[]] * bool(notes) if not total else []
    return [*lines, *([(text, "dim")] for text in notes)]


class _Whole(NamedTuple):
    """A table's texts, of which some columns are laid out at a time."""

    table: Table
    headings: list[list[str]]
    parts: list[tuple[list[str], Line]]
    total: list[str] | None
    signs: Signs
    width: int

    def lines(self, widths: Sequence[int], picked: Sequence[int]) -> list[list[Styled]]:
        """The lines of the picked columns, from their headings to the total."""
        columns = [self.table.columns[i] for i in picked]
        own = [widths[i] for i in picked]

        def row(texts: Sequence[str], style: str) -> list[list[Styled]]:
            return _lines([texts[i] for i in picked], own, columns, style, self.signs)

        headings = [texts for texts in self.headings if any(texts[i] for i in picked)]
        rule: list[Styled] = [(self.signs.rule * min(breadth(own), self.width), "dim")]
        return [
            *chain.from_iterable(row(texts, "bold") for texts in headings),
            rule,
            *chain.from_iterable(self._body(texts, line, row) for texts, line in self.parts),
            *([rule, *row(self.total, "bold")] if self.total else []),
        ]

    def _body(
        self, texts: list[str], line: Line, row: Callable[[Sequence[str], str], list[list[Styled]]]
    ) -> list[list[Styled]]:
        if not _is_heading(texts, line):
            return row(texts, _style(line))
        return [[(text, _style(line))] for text in wrapped(texts[0], self.width, cell_width)]


def _said(columns: Sequence[Column], fitted: Fitted, width: int) -> Iterator[str]:
    """Which columns stand below the others."""
    below = [columns[i].heading for table in fitted.tables[1:] for i in table[1:]]
    if below:
        yield f"Below the others, to fit {width} columns: {', '.join(below)}."


def _all_cells(
    table: Table, total: list[str] | None, width: int, exact: bool, signs: Signs
) -> list[list[str]]:
    """The texts of every line, with bars as long as there is room for."""
    bars = _Bars(table, signs)
    cells = [_cells(table, line, exact, bars) for line in table.lines]
    rows = [[column.heading for column in table.columns], *cells, *([total] if total else [])]
    over = breadth([max(map(cell_width, texts)) for texts in zip(*rows, strict=True)]) - width
    if over <= 0 or not bars.largest:
        return cells
    shorter = _Bars(table, signs, max(0, BAR - -(-over // len(bars.largest))))
    return [_cells(table, line, exact, shorter) for line in table.lines]


def _is_heading(texts: Sequence[str], line: Line) -> bool:
    """A line that heads others and has one text alone: it may go on over the other columns."""
    return line.heads and len(texts) > 1 and not any(texts[1:])


def _shown_name(line: Line) -> str:
    return "  " * line.level + one_line(line.name)


def _style(line: Line) -> str:
    if line.heads:
        return "bold cyan"
    costs = getattr(line.row, "costs", None)
    if costs is None:
        return ""
    return "" if costs.params or costs.mult_adds or line.row.scope else "dim"


def _cells(table: Table, line: Line, exact: bool, bars: _Bars) -> list[str]:
    texts = []
    for column in table.columns:
        value = column.get(line.row)
        text = _shown_name(line) if column.key == "name" else figure(column, value, exact)
        texts.append(f"{bars(column, value)}{text:>6}" if column.style == "share" else text)
    return texts


def _total_cells(table: Table, row: Row, exact: bool) -> list[str]:
    """The total's figures; what describes a single layer is left blank."""
    texts = [
        figure(column, column.get(row), exact) if column.key in TOTALLED else ""
        for column in table.columns
    ]
    if texts and table.columns[0].key not in TOTALLED:
        texts[0] = "total"
    return texts


TOTALLED = frozenset(
    {
        "depth", "params", "params_share", "buffers", "mult_adds", "share", "flops", "additions",
        "multiplications", "divisions", "comparisons", "transcendentals", "connections", "neurons",
        "output_elements", "output_bytes", "weight_bytes", "bytes_moved", "arithmetic_intensity",
        "live_bytes", "saved_bytes",
    }
)  # fmt: skip


class _Bars:
    """Bars beside shares, and a blank; the largest share of a column has all `size` cells."""

    def __init__(self, table: Table, signs: Signs, size: int = BAR) -> None:
        self.blocks = signs.blocks
        self.size = size
        self.largest = {
            column.key: max((column.get(line.row) for line in table.lines), default=0)
            for column in table.columns
            if column.style == "share"
        }

    def __call__(self, column: Column, share: float) -> str:
        """A bar, in steps of an eighth of a cell where there are characters for it."""
        if not self.size:
            return ""
        steps = len(self.blocks)
        filled = round(share / (self.largest[column.key] or 1) * self.size * steps)
        full, part = divmod(filled, steps)
        bar = self.blocks[-1] * full + (self.blocks[part - 1] if part else "")
        return bar.ljust(self.size) + " "


def _headings(columns: Sequence[Column], rows: list[list[str]], width: int) -> list[list[str]]:
    """The headings, on several lines where one line would be wider than the terminal."""
    whole = [[column.heading for column in columns]]
    widths = [max(map(cell_width, texts)) for texts in zip(*whole, *rows, strict=True)]
    if breadth(widths) <= width:
        return whole
    parts = [_broken(column.heading) for column in columns]
    tall = max(map(len, parts))
    filled = [[""] * (tall - len(part)) + part for part in parts]
    return [list(texts) for texts in zip(*filled, strict=True)]


def _broken(heading: str) -> list[str]:
    """A heading's words, a slash ending one."""
    return re.sub(r"(/)| ", lambda gap: f"{gap[1] or ''}\n", heading).split("\n")


def cell_width(text: str) -> int:
    """Terminal cells a text takes; Chinese characters take two."""
    if text.isascii() or all(sign.isascii() or sign in DRAWN for sign in text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _lines(
    texts: Sequence[str], widths: Sequence[int], columns: Sequence[Column], style: str, signs: Signs
) -> list[list[Styled]]:
    """A row, on several lines where a text is wrapped."""
    if all(map(le, map(len, texts), widths)) or not any(c.fitted == "wrap" for c in columns):
        return [_line(texts, widths, columns, style, signs)]
    parts = [
        wrapped(text, width, cell_width) if column.fitted == "wrap" else [text]
        for text, width, column in zip(texts, widths, columns, strict=True)
    ]
    rows = zip_longest(*parts, fillvalue="")
    return [_line(row, widths, columns, style, signs) for row in rows]


def _line(
    texts: Sequence[str], widths: Sequence[int], columns: Sequence[Column], style: str, signs: Signs
) -> list[Styled]:
    aligned = [
        _fit(text, width, column, signs)
        for text, width, column in zip(texts, widths, columns, strict=True)
    ]
    text = "  ".join(aligned).rstrip()
    bar = re.search(f"[{re.escape(signs.blocks)}]+", text) if style == "" else None
    if bar is None or signs is ASCII:
        return [(text, style)]
    start, end = bar.span()
    return [(text[:start], style), (text[start:end], "green"), (text[end:], style)]


def _fit(text: str, width: int, column: Column, signs: Signs) -> str:
    """A text in its width: padded, or cut: titles at their end, names where they differ least."""
    own = cell_width(text)
    if own > width and column.fitted != "keep":
        tail = 0 if column.fitted == "cut" else width // 2
        text = text[: width - 1 - tail] + signs.cut + text[len(text) - tail :]
        own = cell_width(text)
    fill = " " * max(0, width - own)
    return fill + text if column.right else text + fill


def _wrap(text: str, width: int) -> Iterator[str]:
    import textwrap

    yield from textwrap.wrap(text, max(20, width))
