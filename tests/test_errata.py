"""docs/errata.md: errors worth knowing, the documents, and all that differs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archcalc import api
from archcalc.published.verdicts import DIFFERS, QUOTE

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import errata
import ledger

if TYPE_CHECKING:
    from archcalc.published.verdicts import Verdict

PAGE = errata.PAGE.read_text(encoding="utf-8")
PARTS = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))

SPEC = """
name: small
input: [1, 32, 32]
layers:
  - conv: {name: C1, out: 6, kernel: 5}  # 156 params, 4704 neurons
published:
  - {source: "A, Table 1", layers: {C1: {params: {printed: 78, why: half}}}}
  - {source: "B, Table 2", layers: {C1: {params: {printed: 78, why: A has it}}}}
  - source: "A, Table 3"
    layers:
      C1:
        neurons: {printed: 47K, why: a misprint}
        mult_adds: {printed: 119K, why: rounded}
        connections: {printed: 9, why: "unexplained: no rule gives it"}
        output: {printed: 27x27, why: padding}
        channels: {printed: 7, why: one more}
claims:
  - {source: course notes 000, says: no, where: {a: small params}, is: a < 0, printed: true, why: b}
  - {source: A, says: more, where: {a: small params}, is: a > 157, printed: true, why: 156}
  - {source: A, says: ... and less, where: {a: small params}, is: a < 2, printed: true, why: 156}
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    path = tmp_path_factory.mktemp("errata") / "small.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return api.reproduce(str(path))


def test_the_page_is_current() -> None:
    """docs/errata.md is what docs/errata.py writes."""
    assert errata.page() == PAGE, "run python docs/errata.py"


def test_errors_worth_knowing(verdicts: list[Verdict]) -> None:
    """Papers' statements, then notes', then figures by how far off; what nobody explains is none.

    119K for 117,600 is off by 1.2%, 7 for 6 is a whole number in full; statements have no amount.
    """
    entries = errata.worth_knowing(verdicts)
    assert [(one.verdict.figure, one.sources) for one in entries] == [
        ("output", ("A, Table 3",)),
        ("more", ("A",)),
        ("no", ("course notes 000",)),
        ("neurons", ("A, Table 3",)),
        ("params", ("A, Table 1", "B, Table 2")),
        ("channels", ("A, Table 3",)),
    ]


def test_how_far_off(verdicts: list[Verdict]) -> None:
    amounts = {one.figure: errata.off(one) for one in verdicts}
    assert amounts["params"] == 2
    assert amounts["neurons"] == pytest.approx(47_000 / 4704)
    assert amounts["channels"] == pytest.approx(7 / 6)
    assert amounts["output"] is amounts["more"] is None


def test_errors_worth_knowing_are_explained() -> None:
    section = SECTIONS["Errors worth knowing"]
    assert "| unexplained" not in section
    assert "conv1, params | 2.7K | 9,408 | 3.5 times |" in section
    assert len(section.splitlines()) < 150


def test_every_source_is_told_once() -> None:
    """Where all is reproduced in one table, else below its network with all that differs."""
    reproduced = SECTIONS["Sources where all is reproduced"]
    for name, some in ledger.verdicts().items():
        differing = [one for one in some if one.kind == DIFFERS]
        assert (name in SECTIONS) == bool(differing)
        section = SECTIONS.get(name, "")
        assert section.count(" figures reproduced.\n") == len({one.source for one in differing})
        rows = [line for line in section.splitlines() if line.startswith("| ")]
        assert len(rows) - 2 * section.count("| Of |") == len(differing)
        whole = {one.source for one in some if one.kind != QUOTE}
        whole -= {one.source for one in differing}
        papers = {source.partition(", ")[0] for source in whole}
        assert len(re.findall(rf"^\| {re.escape(name)} \| ", reproduced, re.MULTILINE)) == len(
            papers
        )


def test_course_notes_are_introduced() -> None:
    for one in ledger.ledgers():
        assert one.title in SECTIONS["Documents"]
        assert f"](documents/{one.document}.md)" in SECTIONS["Documents"]
