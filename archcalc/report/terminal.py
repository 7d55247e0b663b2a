"""The table at a terminal: indented names, right-aligned figures, a bar for shares.

The layout is ours, because laying out thousands of rows with a general table costs more than all
the analysis; rich renders the styles, and is imported only where there are any to render.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from archcalc.report.cells import ASCII, UNICODE, Cells, Signs
from archcalc.report.fitting import fitted, room_for_all
from archcalc.report.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.report.fitting import Block, Need
    from archcalc.report.model import Line, Table

PLAIN_WIDTH = 80  # columns where there is no terminal
LEAST_WIDTH = 20
NAMED = 12  # columns that a note names one by one: more than a table of a paper has

Styled = tuple[str, str]  # text and rich style


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
    """The width for a stream: $COLUMNS, or a terminal's own, elsewhere 80; never below 20."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and 0 < len(given) < 6 and int(given):
        width = int(given)
    elif stream is not None and stream.isatty():
        width = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns
    else:
        width = PLAIN_WIDTH
    return max(LEAST_WIDTH, width)


def pieces(table: Table, exact: bool) -> Iterator[str]:
    """The terminal's layout without its styles."""
    for line in layout(table, None, exact):
        yield "".join(text for text, _ in line).rstrip() + "\n"


def layout(
    table: Table, width: int | None, exact: bool, signs: Signs = UNICODE
) -> list[list[Styled]]:
    """The lines of a table, each a list of styled texts, in `width` cells (80 if left out).

    What gives way where there is too little room is said in fitting.py, and below the table.
    """
    width = width or text_width()
    cells = Cells(table, exact, signs)
    needs = cells.needs()
    blocks = fitted(needs, width, table.spare)
    lines: list[list[Styled]] = []
    if table.title:
        lines = [[(text, "bold")] for text in wrapped(table.title, width)]
    for block in blocks:
        lines += [[]] * bool(lines)
        lines += _block_lines(cells, block, width)
    notes = [*_fitting_notes(table, needs, blocks, width), *table.caption]
    lines += [[]] * bool(notes and table.total is None)
    lines += [[(text, "dim")] for note in notes for text in wrapped(note, width)]
    return lines


def _block_lines(cells: Cells, block: Block, width: int) -> Iterator[list[Styled]]:
    """Headings, a rule, every line, and the total of some of the columns."""
    rule: list[Styled] = [(cells.signs.rule * min(block.width, width), "dim")]
    yield from ([(text, "bold")] for text in cells.headings(block))
    yield rule
    *rows, total = cells.rows(block)
    bar = _bar(cells, block)
    for line, alone, texts in zip(cells.table.lines, cells.alone, rows, strict=True):
        style = _style(line)
        if alone:  # a name goes on over all columns
            yield from ([(text, style)] for text in wrapped(cells.name(line), width, hang=2))
        elif bar and not style:
            yield from (_with_green(text, bar) for text in texts)
        else:
            yield from ([(text, style)] for text in texts)
    is_whole = len(block.columns) == len(cells.texts)
    if cells.totals and (is_whole or any(cells.totals[i] for i in block.columns[1:])):
        yield rule
        yield from ([(text, "bold")] for text in total)


def _style(line: Line) -> str:
    if line.heads:
        return getattr(line.row, "style", "bold cyan")
    costs = getattr(line.row, "costs", None)
    if costs is None:
        return ""
    return "" if costs.params or costs.mult_adds or line.row.scope else "dim"


def _bar(cells: Cells, block: Block) -> re.Pattern[str] | None:
    """A bar in a line, where the block has any."""
    if not block.bar or cells.signs is ASCII or cells.shares.isdisjoint(block.columns):
        return None
    return re.compile(f"[{re.escape(cells.signs.blocks)}]+")


def _with_green(text: str, bar: re.Pattern[str]) -> list[Styled]:
    found = bar.search(text)
    if found is None:
        return [(text, "")]
    start, end = found.span()
    return [(text[:start], ""), (text[start:end], "green"), (text[end:], "")]


def _fitting_notes(
    table: Table, needs: Sequence[Need], blocks: Sequence[Block], width: int
) -> Iterator[str]:
    """Which columns are cut, left out or below the others to fit a width."""
    shown = {i: w for block in blocks for i, w in zip(block.columns, block.widths, strict=True)}
    label = blocks[0].columns[0]
    verbs = {
        "cut": [
            i for i, w in shown.items() if w < needs[i].texts and needs[i].fit in ("cut", "middle")
        ],
        "left out": [i for i in range(len(needs)) if i not in shown],
        "below the others": [i for block in blocks[1:] for i in block.columns if i != label],
    }
    parts = [
        f"{_listed([table.columns[i].heading for i in columns])} {verb}"
        for verb, columns in verbs.items()
        if columns
    ]
    if parts:
        room = f"a width of {room_for_all(needs)} has room for all"
        yield f"To fit a width of {width}, {'; '.join(parts)}; {room}."


def _listed(names: Sequence[str]) -> str:
    """Columns in their order, as a subject with its verb; of many the first and the last."""
    *others, last = names
    if not others:
        return f"{last} is"
    if len(names) > NAMED:
        return f"the {len(names)} columns from {names[0]} to {last} are"
    return f"{', '.join(others)} and {last} are"
