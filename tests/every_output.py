"""Everything that is written of an analysis, in every format: for graphs of whatever source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.analysis.explain import explain
from archcalc.analysis.memory import Memory
from archcalc.analysis.paths import main_outputs, paths
from archcalc.report import comparison, explanations, formats, lengths, memory, study
from archcalc.report.model import as_text
from archcalc.report.table import listing, tabulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis import Analysis


def every_output(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Each kind of output by its name and format, as text."""
    every = [paths(analysis, output.name) for output in main_outputs(analysis.graph)]
    rows = [comparison.Compared(analysis, ())] * 2
    for name in formats.of_reports():
        found = {
            "table": tabulate(analysis),
            "all columns": tabulate(analysis, columns="all"),
            "folded": tabulate(analysis, depth=1, fold=True),
            "top": tabulate(analysis, sort="params", top=3),
            "counted": tabulate(analysis, counting="fvcore"),
            "list": listing([analysis]),
            "memory": memory.report([Memory(analysis)], "adam"),
            "compare": comparison.report(rows),
            "paths": lengths.report([(analysis, every)]),
        }
        yield from ((f"{key} {name}", as_text(one, name)) for key, one in found.items())
    for name in formats.of_explanations():
        yield f"explain {name}", explanations.as_text(explain(analysis), name)
    for name in formats.of_studies():
        yield f"report {name}", "".join(study.pieces([analysis], name))
