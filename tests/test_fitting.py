"""Tables in a width: no line is wider, and no figure is cut or broken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from archcalc import analyze
from archcalc.analysis.memory import Memory
from archcalc.analysis.paths import paths
from archcalc.api import printed_of, reproduce
from archcalc.report.comparison import Compared, comparison, printed_together
from archcalc.report.figures import figure
from archcalc.report.lengths import length_tables
from archcalc.report.memory import memory_table
from archcalc.report.table import Table, listing, tabulate
from archcalc.report.terminal import layout
from archcalc.report.verdicts import cell_table
from archcalc.report.wrapping import cell_width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis import Analysis

WIDTHS = (80, 100, 120)


def check(table: Table, width: int, *, exact: bool) -> None:
    """No line with several words is too wide; all figures of the first rows stand whole."""
    lines = ["".join(text for text, _ in line) for line in layout(table, width, exact)]
    wide = [line for line in lines if cell_width(line) > width and " " in line.strip()]
    assert not wide, (table.title, width)
    text = re.sub("[▏▎▍▌▋▊▉█]", "", "  \n".join(lines))
    cells = set(re.split(r"\s{2,}|\n", text))
    for column in table.columns:
        if column.style in ("text", "label"):
            continue
        values = {figure(column, column.get(line.row), exact) for line in table.lines[:40]}
        assert values <= cells | {""}, (table.title, column.key, width)


def tables(analysis: Analysis) -> Iterator[tuple[Table, bool]]:
    """The tables of one network, and whether figures are exact."""
    for exact in (False, True):
        yield tabulate(analysis), exact
        yield tabulate(analysis, columns=["all"]), exact
    yield tabulate(analysis, sort="params", top=9), False
    for name in analysis.spec.tables if analysis.spec else ():
        yield tabulate(analysis, columns=[name]), False
    yield memory_table([Memory(analysis)], "adam", "terminal"), True
    yield cell_table(analysis.label, reproduce(analysis.graph.name)), True


@pytest.mark.parametrize("name", ["lenet5", "resnet18"])
def test_tables_fit(name: str) -> None:
    for table, exact in tables(analyze(name)):
        for width in WIDTHS:
            check(table, width, exact=exact)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "densenet121", "faster-rcnn-inception-v2"])
def test_tables_of_large_networks_fit(name: str) -> None:
    test_tables_fit(name)


@pytest.mark.parametrize("name", ["resnet110", "resnet1202"])
def test_paths_fit_however_many_there_are(name: str) -> None:
    analysis = analyze(name)
    for table in length_tables(analysis, [paths(analysis)]):
        check(table, 80, exact=True)


def test_tables_of_several_networks_fit() -> None:
    analyses = [analyze(name) for name in ("mobilenet", "vgg16", "googlenet")]
    printed = [printed_of(one) for one in analyses]
    rows = [Compared(one, said) for one, said in zip(analyses, printed, strict=True)]
    memories = [Memory(one) for one in analyses]
    made = [
        comparison(rows), memory_table(memories, "sgd", "terminal"), listing(analyses),
        listing(analyses, ["all"]), printed_together(printed),
    ]  # fmt: skip
    for table in filter(None, made):
        for width in WIDTHS:
            check(table, width, exact=False)
