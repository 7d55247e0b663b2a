"""The report: its progress, with and without derivations, and in linear time."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from command import good, run

from archcalc import analyze
from archcalc.cli import computed
from archcalc.report import study
from archcalc.report.formats import of_studies
from archcalc.spec import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHAIN = "input: [2, 8, 8]\nlayers: [repeat: {{times: {}, layers: [conv: {{out: 2, kernel: 1}}]}}]\n"
SUMS = """
input: [2, 8, 8]
layers:
  - repeat:
      times: {}
      layers: [add: {{body: [conv: {{out: 2, kernel: 1}}], skip: []}}]
"""


@pytest.mark.parametrize("options", [{}, {"derivations": False}])
@pytest.mark.parametrize("form", of_studies())
def test_progress_grows_to_the_number_of_layers(form: str, options: dict[str, bool]) -> None:
    analyses = [analyze("resnet152"), analyze("lenet5")]
    told: list[float] = []
    for _ in study.pieces(analyses, form, seen=told.append, **options):
        pass
    assert told == sorted(told)
    sizes = [len(one.graph.layers) for one in analyses]
    assert told[-2:] == [sizes[0], sum(sizes)]
    assert (len(told) > 2) is (form == "csv" or not options)  # within a long network as well


def test_a_report_without_derivations(tmp_path: Path) -> None:
    whole, short = tmp_path / "whole.md", tmp_path / "short.md"
    good("report", "lenet5", "-o", str(whole))
    good("report", "lenet5", "--no-derivations", "-o", str(short))
    text, all_of_it = short.read_text("utf-8"), whole.read_text("utf-8")
    assert all_of_it.startswith(text)
    assert "### Derivations" not in text
    assert "### Printed figures" in text
    assert "### Derivations" in all_of_it


def test_the_command_shows_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[tuple[str, int]] = []
    told: list[float] = []

    @contextmanager
    def bar(what: str, count: int) -> Iterator[Callable[[float], None]]:
        bars.append((what, count))
        yield told.append

    monkeypatch.setattr(computed, "progress_bar", bar)
    good("report", "lenet5", "alexnet", "-o", str(tmp_path / "a.md"))
    layers = [len(analyze(name).graph.layers) for name in ("lenet5", "alexnet")]
    assert bars == [("writing", sum(layers))]
    assert told == [layers[0], sum(layers)]


def test_csv_is_written_without_judging_printed_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archcalc import api

    monkeypatch.setattr(api, "reproduce", None)
    good("report", "lenet5", "-o", str(tmp_path / "a.csv"))


def test_a_target_that_cannot_be_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(computed, "analyses_of", None)
    ran = run("report", "lenet5", "-o", str(tmp_path / "missing" / "a.md"))
    assert ran.code == 2
    assert "can't write" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize("spec", [CHAIN, SUMS], ids=["chain", "sums"])
@pytest.mark.parametrize("form", of_studies())
def test_a_report_takes_linear_time(spec: str, form: str) -> None:
    """Four times the layers take about four times as long; sixteen times, if it were quadratic."""

    def seconds(count: int) -> float:
        analysis = analyze(library.parse(spec.format(count), "deep.yaml"))
        gc.collect()
        gc.disable()  # as in the process of a command
        start = time.process_time()
        try:
            for _ in study.pieces([analysis], form):
                pass
        finally:
            gc.enable()
        return time.process_time() - start

    seconds(200)  # which imports what it needs
    assert seconds(4000) < 8 * seconds(1000)
