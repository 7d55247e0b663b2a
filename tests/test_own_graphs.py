"""A graph that no spec is behind goes through everything that a spec's graph goes through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from every_output import every_output

import archcalc
from archcalc import KINDS, About, DeclaredTable, GraphBuilder, Output
from archcalc.errors import ColumnError, GraphError, NetworkNotFound, SettingError

if TYPE_CHECKING:
    from archcalc.graph import Graph

ABOUT = About(
    title="Residual",
    paper={"authors": "He, K. et al.", "year": "2016"},
    settings={"width": 4},
    label="residual@width=4",
    tables={
        "paper": DeclaredTable(
            "paper", "Table 1", 1, True, ("add",), {"layer": ("name",), "maps": ("maps", "kind")}
        )
    },
    changed=("width=4",),
)


def residual(about: About | None = None) -> Graph:
    """A 3x3 convolution of four maps, a residual block with its argument, and a classifier."""
    builder = GraphBuilder("residual")
    x = builder.input((3, 8, 8))
    conv = KINDS["conv"](out=4, kernel=3, padding=1)
    x = builder.add(conv, [x], "stem").tensor()
    with builder.enter("unit", "unit", x) as unit:
        unit.arguments = {"maps": 4}
        with builder.enter("body", "branch", x) as body:
            y = builder.add(conv, [x], "conv").tensor()
            y = builder.add(KINDS["batchnorm"](), [y], "norm").tensor()
            body.exit = builder.add(KINDS["relu"](), [y], "relu").tensor()
        unit.branches["body"] = body
        unit.exit = builder.add(KINDS["add"](), [body.exit, x], "sum").tensor()
    x = builder.add(KINDS["globalavgpool"](), [unit.exit], "pool").tensor()
    x = builder.add(KINDS["flatten"](), [x], "flat").tensor()
    x = builder.add(KINDS["linear"](out=2), [x], "fc").tensor()
    return builder.finish([Output("fc", x)], about)


# 4*(3*9 + 1) + 4*(4*9 + 1) + 2*4 (batch norm) + 2*(4 + 1); without its bias, at 8x8
PARAMS, MULT_ADDS = 112 + 148 + 8 + 10, 64 * 4 * 27 + 64 * 4 * 36 + 2 * 4


def test_every_writer_takes_a_graph_that_says_nothing_about_itself() -> None:
    analysis = archcalc.analyze(residual())
    assert (analysis.totals.params, analysis.totals.mult_adds) == (PARAMS, MULT_ADDS)
    assert (analysis.about.title, analysis.label) == ("residual", "residual")
    texts = dict(every_output(analysis))
    assert all(text for text in texts.values())
    assert f"{PARAMS}" in texts["table csv"] or f"{PARAMS}" in texts["list csv"]


def test_what_a_graph_says_about_itself_is_written() -> None:
    analysis = archcalc.analyze(residual(ABOUT))
    texts = dict(every_output(analysis))
    assert "Residual (width=4), input 3x8x8" in texts["table terminal"]
    record = json.loads(texts["table json"])
    assert record["network"]["label"] == "residual@width=4"
    assert record["network"]["paper"] == {"authors": "He, K. et al.", "year": "2016"}
    assert record["settings"] == {"width": 4}
    assert "He, K. et al.. 2016." in texts["report markdown"]
    assert "Settings: width = 4." in texts["report markdown"]
    assert "residual@width=4,2016,Residual," in texts["list csv"]


def test_a_declared_table_and_an_argument_are_columns() -> None:
    analysis = archcalc.analyze(residual(ABOUT))
    table = archcalc.tabulate(analysis, columns="paper")
    assert [column.heading for column in table.columns] == ["layer", "maps"]
    assert table.caption[0] == "As Table 1 heads its columns."
    [unit] = [row.arguments for row in table.rows if row.name == "unit"]
    assert unit == {"maps": 4}
    assert archcalc.tabulate(analysis, columns="name,maps").columns[1].key == "maps"
    with pytest.raises(ColumnError, match="expected a table that residual declares, received 'p"):
        archcalc.tabulate(residual(), columns="paper")


def test_what_needs_a_source_says_so() -> None:
    with pytest.raises(NetworkNotFound, match="expected a network with a spec"):
        archcalc.reproduce(residual())
    with pytest.raises(SettingError, match="of which a published source prints Mult-Adds"):
        archcalc.tabulate(residual(), counting="paper")


def test_a_specs_graph_has_all_that_its_analysis_has() -> None:
    """What a graph knows about itself does not depend on who analyzes it."""
    graph = archcalc.expand("mobilenet", {"alpha": 0.5})
    assert graph.about.label == "mobilenet@alpha=0.5"
    asked, given = archcalc.analyze("mobilenet", alpha=0.5), archcalc.analyze(graph)
    assert str(archcalc.tabulate(given)) == str(archcalc.tabulate(asked))
    assert archcalc.reproduce(graph) == archcalc.reproduce("mobilenet")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("Residual", "about: expected an About, received 'Residual'"),
        (About(title=3), "title: expected text, received 3"),  # type: ignore[arg-type]
        (About(paper={"year": 2016}), "paper.year: expected text, received 2016"),  # type: ignore[dict-item]
        (About(tables={"paper": {}}), "tables.paper: expected a DeclaredTable, received 'dict'"),  # type: ignore[dict-item]
        (About(settings=[]), "settings: expected a mapping with names, received []"),  # type: ignore[arg-type]
    ],
)
def test_what_can_be_no_about_is_refused(about: Any, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        residual(about)
    assert caught.value.message == message


def test_the_second_witness_takes_it() -> None:
    import torch

    from archcalc.pytorch.latency import Options, profile
    from archcalc.report import checks, formats, profiling, reconciliation
    from archcalc.report.model import as_text

    analysis = archcalc.analyze(residual())
    verified = archcalc.verify(analysis)
    assert verified.agrees
    model = archcalc.build(residual()).eval()
    assert sum(p.numel() for p in model.parameters()) == PARAMS
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 2)
    latency = profile(analysis, Options(budget=0.05, warmup=1))
    measured = [profiling.Profiled(analysis, latency, None)]
    reconciled = archcalc.reconcile(residual(), tools="torch")
    for name in formats.of_reports():
        assert as_text(checks.report([verified], 1), name)
        assert as_text(profiling.report(measured), name)
        assert as_text(reconciliation.report([reconciled], layers=True), name)
