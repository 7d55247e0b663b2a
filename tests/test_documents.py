"""docs/documents/: a page for each source document, in its order, with what derives each number."""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from pathlib import Path

import pytest
from command import good

from archcalc.published.verdicts import DIFFERS, MATCH, QUOTE
from archcalc.report.verdicts import shown

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import documents
import ledger

NUMBERS = ("000", "001", "002", "003", "004")
EXPLAINED = {"params", "mult_adds", "connections", "neurons", "receptive_field", "depth"}


def of_document(number):
    known = {one.document: one for one in ledger.ledgers()}
    return known.get(number, ledger.Ledger(number, "", "", "", ()))


@pytest.mark.slow
def test_pages_are_current():
    texts = documents.pages()
    assert tuple(texts) == NUMBERS
    assert sorted(path.stem for path in documents.PAGES.glob("*.md")) == list(NUMBERS)
    for number, text in texts.items():
        path = documents.PAGES / f"{number}.md"
        assert path.read_text(encoding="utf-8") == text, "run python docs/documents.py"


@pytest.mark.parametrize("number", NUMBERS)
def test_each_verdict_stands_once_on_its_page(number):
    """In order of the ledger, then what it does not name."""
    document = of_document(number)
    ordered = [one for passage in documents.passages(document) for one in passage.verdicts]
    assert Counter(map(id, ordered)) == Counter(map(id, documents.of_document(number)))
    begins = [one.begins for one in documents.passages(document)]
    of_ledger = [one for one in begins if one]
    lines = iter([line.begins for line in document.lines])
    assert all(one in lines for one in of_ledger), "in the same order"
    assert not any(begins[len(of_ledger) :])


def test_a_claim_is_shown_with_its_numbers():
    """C1 has 28*28*6 = 4704 neurons, S2 14*14*6 = 1176, a quarter."""
    [verdict] = [
        one
        for one in documents.of_document("002")
        if one.printed == "1/4" and one.network == "lenet5" and "S2" in one.figure
    ]
    assert documents.equations(verdict) == [
        "c = lenet5 C1 neurons = 4,704; s = lenet5 S2 neurons = 1,176",
        "s / c: 1176 / 4704 = 0.25",
    ]
    assert documents.commands(verdict) == [
        "archcalc explain lenet5 C1",
        "archcalc explain lenet5 S2",
    ]


def test_quoted_figures_have_their_source():
    """1.2 million images are a number of the paper: no network derives it."""
    verdicts = documents.of_document("003")
    [verdict] = [one for one in verdicts if one.figure.startswith("1.2 million images")]
    source = "the figure of Krizhevsky et al. 2012, section 2"
    assert documents.equations(verdict) == [f"i = {source} = 1,200,000"]
    assert [line.split()[:3] for line in documents.commands(verdict)] == [
        ["archcalc", "reproduce", "alexnet"]
    ]


def test_accuracies_of_other_sources_name_them():
    """AlexNet's 15.3% is the notes' own, the second place's 26.2% the paper's."""
    verdicts = documents.of_document("000")
    [verdict] = [one for one in verdicts if one.figure.startswith("its error is 10.9%")]
    assert documents.equations(verdict)[0] == (
        "a = alexnet top5_error = 15.3%; s = the figure of Krizhevsky et al. 2012, Table 2 = 26.2%"
    )
    [verdict] = [one for one in verdicts if one.figure.startswith("the deeper plain network, of")]
    paper = "b = plain18 top1_error of He et al. 2015, Table 2 = 27.94%"
    assert paper in documents.equations(verdict)[0]


def test_sums_are_shortened_within_their_numbers():
    [verdict] = [
        one
        for one in documents.of_document("003")
        if (one.name, one.figure, one.printed) == ("alexnet", "params", "60M")
    ]
    [equation] = documents.equations(verdict)
    layers = "34,944 + 307,456 + 885,120 + 663,936 + 442,624 + 37,752,832 + 16,781,312 + 4,097,000"
    assert equation == f"params: {layers} = 60,965,224"


@pytest.mark.parametrize("number", ["000", "002"])
def test_commands_print_what_they_derive(number):
    """Every sixtieth figure that is computed as printed, and every sixtieth claim."""
    every = documents.of_document(number)
    cells = [one for one in every if one.kind == MATCH and one.figure in EXPLAINED]
    for one in cells[::60]:
        [line] = documents.commands(one)
        value = re.escape(shown(one.computed))
        assert re.search(rf"\b{value}\b", good(*shlex.split(line)[1:])), line
    claims = [one for one in every if one.is_claim and one.kind != QUOTE]
    for one in claims[::60]:
        for line in documents.commands(one)[: documents.COMMANDS]:
            assert good(*shlex.split(line)[1:])


def test_a_letter_without_a_part_in_a_claim_derives_nothing():
    """It only says whose figure the paper prints; its depth proves nothing about an error."""
    every = documents.of_document("003")
    [one] = [one for one in every if one.figure.startswith("normalization lowers the top-1")]
    assert documents.commands(one) == [
        'archcalc reproduce alexnet --source "course notes 003, AlexNet, section 2.3"'
    ]


@pytest.mark.slow
def test_each_claim_has_its_numbers():
    for number in NUMBERS:
        for one in documents.of_document(number):
            heard = documents.heard()[one.place] if one.is_claim else None
            assert heard is None or heard.claim.where.keys() == heard.numbers.keys(), one.figure


@pytest.mark.slow
def test_equations_end_with_what_is_computed():
    for number in NUMBERS:
        for one in documents.of_document(number):
            if one.kind != QUOTE and one.figure in EXPLAINED - {"depth"}:
                for equation in documents.equations(one):
                    value = re.sub(r" \(\d+ terms\)$", "", equation).rpartition(" = ")[2]
                    assert value == shown(one.computed), (one.name, equation)


def test_a_convention_of_the_column_says_what_it_adds():
    """64.3G counts the additions of biases, which the layers' own Mult-Adds leave out."""
    [verdict] = [
        one
        for one in documents.of_document("000")
        if (one.name, one.printed) == ("faster-rcnn-vgg@resolution=300", "64.3G")
    ]
    [equation] = documents.equations(verdict)
    sums, _, counted = equation.partition("; ")
    assert sums.endswith(" = 64,304,090,112")
    assert counted == "with-biases: 64,304,090,112 + 26,982,564 = 64,331,072,676"


@pytest.mark.slow
def test_what_differs_stands_at_the_top():
    for number, text in documents.pages().items():
        _, _, table = text.partition("## What differs\n")
        rows = table.partition("\n## ")[0].strip().split("\n")[2:]
        kinds = [one.kind for one in documents.of_document(number)]
        assert len(rows) == kinds.count(DIFFERS)


def test_networks_that_archcalc_lacks_are_listed_until_they_come():
    texts = {number: (documents.PAGES / f"{number}.md").read_text("utf-8") for number in NUMBERS}
    for number, text in texts.items():
        lines = of_document(number).lines
        notes = [one.note for one in lines if one.why == "lacking" or "is lacking" in one.note]
        assert len(re.findall(r"^- .* \(section [\d.]+\)$", text, re.MULTILINE)) == len(notes)
    assert "- YOLO (section 4.9)" in texts["002"].splitlines()
    assert any(
        "FCN" in line and line.endswith("(section 4.9)") for line in texts["002"].split("\n")
    )
