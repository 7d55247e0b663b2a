"""Tables in LaTeX, made to be pasted into an article: no wider than its text, notes and all.

LaTeX itself can't tell how wide a table will be before it is set, so the widths are estimated, for
Computer Modern and the text of `article` at 10pt, the narrowest of the standard classes. What does
not fit is set smaller, then texts wrap, and then the columns are split over several tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from archcalc.report.figures import rounded, unbroken
from archcalc.report.writers import latex, text_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.report.model import Line, Table

TEXT_WIDTH = 345.0  # pt
LONG = 40  # rows that fit one page
NARROWEST = 0.15  # of the text's width: a wrapped column's


class _Size(NamedTuple):
    """A size of type by the width of two figures, and half the gap between columns, in pt."""

    command: str
    type: float
    gap: int


SIZES = (
    _Size("", 10, 6),
    _Size(r"\small", 9.25, 5),
    _Size(r"\footnotesize", 8.5, 4),
    _Size(r"\scriptsize", 8, 3),
)
SMALLEST = SIZES[-1]


class _Cells(NamedTuple):
    """A table's texts, each line as it is shown; headings have one text over all columns."""

    heads: list[str]
    rows: list[list[str]]
    lines: tuple[Line | None, ...]
    rights: list[bool]

    def width(self, column: int) -> float:
        """The width of a column's widest text, over the size of type."""
        shown = [
            _width(row[column], line, column)
            for row, line in zip(self.rows, self.lines, strict=True)
            if not _is_heading(row, line)
        ]
        return max([_width(self.heads[column], None, 1), *shown])


def pieces(table: Table, exact: bool) -> Iterator[str]:
    """The table with booktabs' rules, its title above and its notes below."""
    names = (lambda line: line.name if line else "total", lambda text: text)
    rows = list(text_rows(table, exact, *names))
    lines = (*table.lines, None) if table.total is not None else table.lines
    heads, rights = [one.heading for one in table.columns], [one.right for one in table.columns]
    cells = _Cells(heads, rows, lines, rights)
    yield f"% {table.title}\n" if table.title else ""
    long = ",longtable" * (len(table.lines) > LONG)
    yield f"% needs: \\usepackage{{booktabs{long},array}}\n"
    if table.title:
        yield f"{{\\raggedright\\textbf{{{latex(unbroken(table.title))}}}\\par}}\\smallskip\n"
    widths = [cells.width(i) for i in range(len(heads))]
    panels = _panels(widths, rights)
    size = min((_fitting([widths[i] for i in columns]) for columns in panels), key=_type_of)
    for i, columns in enumerate(panels):
        yield "\\par\\medskip\n" if i else ""
        yield from _panel(cells, columns, widths, size, bool(long))
    if table.caption:
        notes = "".join(f"{latex(unbroken(note))}\\par\n" for note in table.caption)
        yield f"\\par\\smallskip\n{{\\footnotesize\\raggedright\n{notes}}}\n"


def _panels(widths: Sequence[float], rights: Sequence[bool]) -> list[list[int]]:
    """The columns that stand beside each other; the first comes again in every table."""
    panels: list[list[int]] = [[0]]
    for i in range(1, len(widths)):
        if len(panels[-1]) > 1 and _least(widths, rights, [*panels[-1], i]) > TEXT_WIDTH:
            panels.append([0])
        panels[-1].append(i)
    return panels if len(widths) > 1 else [[0]]


def _least(widths: Sequence[float], rights: Sequence[bool], columns: Sequence[int]) -> float:
    """How wide these columns are at least, in pt."""
    texts = (
        widths[i] * SMALLEST.type
        if rights[i]
        else min(widths[i] * SMALLEST.type, NARROWEST * TEXT_WIDTH)
        for i in columns
    )
    return sum(texts) + 2 * SMALLEST.gap * (len(columns) - 1)


def _panel(
    cells: _Cells, columns: Sequence[int], widths: Sequence[float], size: _Size, long: bool
) -> Iterator[str]:
    """One table of some of the columns."""
    own = [widths[i] for i in columns]
    wrapped = _wrapped([(widths[i], cells.rights[i]) for i in columns], size)
    kinds = [
        _wrapping(share) if share else kind
        for share, kind in zip(
            wrapped, ("r" if cells.rights[i] else "l" for i in columns), strict=True
        )
    ]
    name = "longtable" if long else "tabular"
    head = " & ".join(latex(cells.heads[i]) for i in columns)
    place = "[l]" if long else ""
    yield f"{{{size.command}\\setlength{{\\tabcolsep}}{{{size.gap}pt}}"
    yield "" if long else "\\noindent"
    yield f"\n\\begin{{{name}}}{place}{{@{{}}{''.join(kinds)}@{{}}}}\n"
    yield f"\\toprule\n{head} \\\\\n\\midrule\n" + "\\endhead\n" * long
    span = TEXT_WIDTH if any(wrapped) else max(_total(own, size), TEXT_WIDTH / 2)
    for row, line in zip(cells.rows, cells.lines, strict=True):
        yield "\\midrule\n" if line is None else ""
        if _is_heading(row, line):
            yield _spanning(line, len(columns), span) + " \\\\\n"
            continue
        texts = (
            _text(row[i], line if i == 0 else None, bool(share), named=i == 0)
            for i, share in zip(columns, wrapped, strict=True)
        )
        yield " & ".join(texts) + " \\\\\n"
    yield f"\\bottomrule\n\\end{{{name}}}\\par}}\n"


def _fitting(widths: Sequence[float]) -> _Size:
    """The largest size at which columns fit beside each other, or the smallest of all."""
    return next((one for one in SIZES if _total(widths, one) <= TEXT_WIDTH), SMALLEST)


def _type_of(size: _Size) -> float:
    return size.type


def _total(widths: Sequence[float], size: _Size) -> float:
    return sum(widths) * size.type + 2 * size.gap * (len(widths) - 1)


def _wrapped(columns: Sequence[tuple[float, bool]], size: _Size) -> list[float]:
    """For each column the share of the text's width at which it wraps; 0 where it need not.

    The widest texts are the first to wrap; they share the room that the others leave.
    """
    shares = [0.0] * len(columns)
    room = TEXT_WIDTH - 2 * size.gap * (len(columns) - 1)
    room -= sum(width * size.type for width, right in columns if right)
    texts = sorted((width * size.type, i) for i, (width, right) in enumerate(columns) if not right)
    for position, (width, i) in enumerate(texts):
        fair = room / (len(texts) - position)
        if width > fair:
            shares[i] = max(fair, 1.0) / TEXT_WIDTH - 0.001  # and not more, when it is rounded
        room -= min(width, fair)
    return shares


def _is_heading(row: Sequence[str], line: Line | None) -> bool:
    """A line that heads others and has one text alone: it goes on over all columns."""
    return line is not None and line.heads and len(row) > 1 and not any(row[1:])


def _spanning(line: Line | None, columns: int, width: float) -> str:
    """A heading over all columns, which wraps where the table ends."""
    assert line is not None
    text = _text(line.name, line, True, named=True)
    if _width(line.name, line, 0) * SIZES[0].type <= width:
        return f"\\multicolumn{{{columns}}}{{@{{}}l@{{}}}}{{{text}}}"
    kind = _wrapping(width / TEXT_WIDTH)
    return f"\\multicolumn{{{columns}}}{{@{{}}{kind}@{{}}}}{{{text}}}"


def _wrapping(share: float) -> str:
    """A column in which texts wrap, as wide as a share of the text."""
    width = rounded(share, ".3f")
    return rf">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}"


_BREAKS = re.compile(r"(/|\\_|[,=@](?! ))")  # of names: a path, settings


def _text(text: str, line: Line | None, wraps: bool, *, named: bool) -> str:
    """A cell; a name that wraps does so after any sign that joins its parts."""
    shown = latex(text)
    if wraps:
        shown = _BREAKS.sub(r"\1\\allowbreak{}", shown)
    if not named:
        return shown
    if line is None:
        return rf"\textbf{{{shown}}}" if text == "total" else shown
    indent = rf"\hspace{{{line.level}em}}" if line.level else ""
    return indent + (rf"\textbf{{{shown}}}" if line.heads else shown)


# In ems, of signs that are much wider or narrower than the others (half an em, as figures are).
_NARROW, _USUAL, _WIDE, _WIDEST = 0.34, 0.53, 0.76, 0.95


def _width(text: str, line: Line | None, column: int) -> float:
    """An estimate of a text's width over the size of type."""
    width = 1.05 * sum(map(_sign_width, text))
    if line is None or column:
        return width
    return line.level + width * (1.15 if line.heads else 1)


def _sign_width(sign: str) -> float:
    if sign in "iljtfrI.,:;'|!()[]-/ \u00a0":
        return _NARROW
    if sign in "0123456789":
        return 0.5
    if sign in "mwMW%@":
        return _WIDEST
    return _WIDE if sign.isupper() or sign in "+=<>&" else _USUAL if sign.isascii() else _WIDEST
