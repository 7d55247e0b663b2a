"""`--as`: a table whose Mult-Adds and params are counted as a tool or a paper counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc import words
from archcalc.analysis.counted import CountedAnalysis, Counting, as_tool
from archcalc.analysis.figures import FIGURES
from archcalc.analysis.tools import TOOLS
from archcalc.errors import SettingError, one_line, plain, received
from archcalc.published.computed import as_printed
from archcalc.published.printed import CONVENTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archcalc.analysis import Analysis
    from archcalc.published.printed import Cell, Published

PAPER = "paper"
COUNTINGS = (*TOOLS, PAPER)

# What the figures are called in a sentence.
_FIGURES = {key: FIGURES[key].heading for key in ("mult_adds", "params")}


def counted(
    analysis: Analysis, counting: str, printed: Callable[[], Iterable[Published]] = tuple
) -> CountedAnalysis:
    """The analysis, its Mult-Adds and params counted as a tool does, or as the paper's tables do.

    `printed` gives the published tables that are about the network. Raises SettingError for an
    unknown tool, or where no source prints either figure.
    """
    if not isinstance(counting, str):
        raise SettingError(
            f"expected a way of counting, one of {', '.join(COUNTINGS)}, received "
            + received(counting)
        )
    if counting == PAPER:
        return CountedAnalysis(analysis, _printed(analysis, printed()))
    if counting not in TOOLS:
        raise SettingError(
            f"expected a way of counting, one of {', '.join(COUNTINGS)}, received "
            + received(counting),
            hint=words.near("TOOLS", counting, COUNTINGS),
        )
    return CountedAnalysis(analysis, as_tool(TOOLS[counting]))


def _printed(analysis: Analysis, tables: Iterable[Published]) -> Counting:
    """The convention of the first source that prints Mult-Adds or params of the network.

    Rather of one that prints them at these settings.
    """
    for table in sorted(tables, key=lambda table: not _has(table, analysis)):
        words = {figure: _conventions(table, figure, analysis) for figure in _FIGURES}
        if any(found is not None for found in words.values()):
            source = one_line(table.source)
            notes = tuple(_note(source, figure, words[figure]) for figure in _FIGURES)
            return as_printed(source, words["params"] or (), words["mult_adds"] or (), notes)
    raise SettingError(
        "expected a network of which a published source prints Mult-Adds or params, "
        f"received {analysis.label}",
        hint=f"there are also {', '.join(TOOLS)}",
    )


def _has(table: Published, analysis: Analysis) -> bool:
    """Whether a table prints Mult-Adds or params of the network at these settings."""
    return any(
        cell.figure in _FIGURES and not cell.layer and _is_of(cell, analysis)
        for cell in table.cells
    )


def _is_of(cell: Cell, analysis: Analysis) -> bool:
    return plain(cell.network) == plain(analysis.label)


def _conventions(table: Published, figure: str, analysis: Analysis) -> tuple[str, ...] | None:
    """By which conventions a table prints a figure; None where it doesn't print it.

    Its cell at these settings, else at the network's own, else the first; rather the network's
    than a layer's.
    """

    def order(cell: Cell) -> tuple[bool, bool, bool]:
        return not _is_of(cell, analysis), "@" in cell.network, bool(cell.layer)

    cells = sorted((cell for cell in table.cells if cell.figure == figure), key=order)
    return cells[0].conventions if cells else None


def _note(source: str, figure: str, words: tuple[str, ...] | None) -> str:
    name = _FIGURES[figure]
    if words is None:
        return f"{name}: archcalc's; {source} prints none."
    if not words:
        return f"{name} as {source} counts them, which is as archcalc does."
    return f"{name} as {source} counts them: {'; '.join(CONVENTIONS[word] for word in words)}."
