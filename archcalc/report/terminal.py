"""The table at a terminal: indented names, right-aligned figures, a bar for shares.

The layout is ours, because laying out thousands of rows with a general table costs more than all
the analysis; rich renders the styles, and is imported only where there are any to render.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple, TextIO

from archcalc.errors import one_line
from archcalc.report.figures import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.analysis.rows import Row
    from archcalc.report.columns import Column
    from archcalc.report.table import Line, Table

BAR = 8  # cells of a full bar
NARROWEST = 16  # cells a name keeps, however narrow the terminal
PLAIN_WIDTH = 100  # of captions where there is no terminal

Styled = tuple[str, str]  # text and rich style


class Signs(NamedTuple):
    """Characters drawn with: block elements, or ASCII where the encoding lacks them."""

    blocks: str
    rule: str
    cut: str


UNICODE = Signs("▏▎▍▌▋▊▉█", "─", "…")
ASCII = Signs("#", "-", "~")


def show(table: Table, stream: TextIO | None = None, *, exact: bool = False) -> None:
    """Print a table; styled where the stream is a terminal (or FORCE_COLOR asks for it)."""
    stream = stream or sys.stdout
    width = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns if stream.isatty() else None
    lines = layout(table, width, exact, signs_for(stream))
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


def layout(
    table: Table, width: int | None, exact: bool, signs: Signs = UNICODE
) -> list[list[Styled]]:
    """The lines of a table, each a list of styled texts, no wider than `width` if names allow."""
    cells = [_cells(table, line.row, _shown_name(line), exact, signs) for line in table.lines]
    total = _total_cells(table, table.total, exact, signs) if table.total else None
    headings = [column.heading for column in table.columns]
    widths = _widths([headings, *cells, *([total] if total else [])], table.columns, width)
    rule: list[Styled] = [(signs.rule * (sum(widths) + 2 * (len(widths) - 1)), "dim")]
    body = [
        _line(texts, widths, table.columns, _style(line), signs)
        for texts, line in zip(cells, table.lines, strict=True)
    ]
    title: list[list[Styled]] = [[(table.title, "bold")], []] if table.title else []
    summed = [rule, _line(total, widths, table.columns, "bold", signs)] if total else []
    return [
        *title,
        _line(headings, widths, table.columns, "bold", signs),
        rule,
        *body,
        *(summed or [[]]),
        *([(text, "dim")] for note in table.caption for text in _wrap(note, width or PLAIN_WIDTH)),
    ]


def _shown_name(line: Line) -> str:
    return "  " * line.level + one_line(line.name)


def _style(line: Line) -> str:
    if line.heads:
        return "bold cyan"
    costs = line.row.costs
    return "" if costs.params or costs.mult_adds or line.row.scope else "dim"


def _cells(table: Table, row: Row, name: str, exact: bool, signs: Signs) -> list[str]:
    return [
        name if column.key == "name" else _cell(column, row, exact, signs)
        for column in table.columns
    ]


def _total_cells(table: Table, row: Row, exact: bool, signs: Signs) -> list[str]:
    """The total's figures; what describes a single layer is left blank."""
    texts = [
        _cell(column, row, exact, signs) if column.key in TOTALLED else ""
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
    }
)  # fmt: skip


def _cell(column: Column, row: Row, exact: bool, signs: Signs) -> str:
    value = column.get(row)
    text = figure(column, value, exact)
    if column.style == "share":
        return f"{_bar(value, signs)} {text:>6}"
    return text


def _bar(share: float, signs: Signs) -> str:
    """A bar of `BAR` cells, in steps of an eighth where there are characters for it."""
    steps = len(signs.blocks)
    filled = round(share * BAR * steps)
    full, part = divmod(filled, steps)
    bar = signs.blocks[-1] * full + (signs.blocks[part - 1] if part else "")
    return bar.ljust(BAR)


def _widths(rows: list[list[str]], columns: Sequence[Column], width: int | None) -> list[int]:
    widths = [max(map(cell_width, texts)) for texts in zip(*rows, strict=True)]
    names = [i for i, column in enumerate(columns) if column.key == "name"]
    if width is not None and names:
        over = sum(widths) + 2 * (len(widths) - 1) - width
        if over > 0:
            widths[names[0]] = max(NARROWEST, widths[names[0]] - over)
    return widths


def cell_width(text: str) -> int:
    """Terminal cells a text takes; Chinese characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _line(
    texts: Sequence[str], widths: Sequence[int], columns: Sequence[Column], style: str, signs: Signs
) -> list[Styled]:
    aligned = [
        _fit(text, width, column.right, signs)
        for text, width, column in zip(texts, widths, columns, strict=True)
    ]
    return [("  ".join(aligned).rstrip(), style)]


def _fit(text: str, width: int, right: bool, signs: Signs) -> str:
    """A text in its width: padded, or cut in the middle, where names of layers differ least."""
    own = cell_width(text)
    if own > width:
        head = (width - 1) // 2
        text = text[:head] + signs.cut + text[len(text) - (width - 1 - head) :]
        own = cell_width(text)
    fill = " " * max(0, width - own)
    return fill + text if right else text + fill


def _wrap(text: str, width: int) -> Iterator[str]:
    import textwrap

    yield from textwrap.wrap(text, max(20, width))
