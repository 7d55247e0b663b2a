"""Verdicts on printed figures: each sort of verdict, and everything that is wrong with an entry."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import command
import pytest
from typer.testing import CliRunner

import archcalc
from archcalc import api
from archcalc.analysis.figures import PUBLISHED
from archcalc.cli import app
from archcalc.errors import SpecError, SpecErrors
from archcalc.published.literature import literature, of_path, of_spec
from archcalc.published.verdicts import CONVENTION, DIFFERS, MATCH, QUOTE, UNFOUNDED, computed
from archcalc.spec import library

if TYPE_CHECKING:
    from fractions import Fraction

    from archcalc.published.verdicts import Verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import ledger

# LeNet-5's first layers, whose figures are known by heart (LeCun et al. 1998): C1 156 params and
# 122,304 connections.
SPEC = """
name: small
settings: {out: 6}
input: [1, 32, 32]
layers:
  - conv: {name: C1, out: out, kernel: 5}
  - batchnorm: {name: norm}
  - maxpool: {name: S2, kernel: 2}
  - conv: {name: C3, out: 16, kernel: 5}
  - flatten
  - linear: {name: F, out: 10, bias: false}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return tmp_path / "small.yaml"


def judged(path: Path, entries: str) -> list[Verdict]:
    path.write_text(SPEC + entries, encoding="utf-8")
    return api.reproduce(str(path))


def one(path: Path, figures: str, more: str = "") -> Verdict:
    [verdict] = judged(path, f"published:\n  - source: a paper\n{more}    layers: {figures}\n")
    return verdict


def test_a_broken_spec_leaves_the_others(
    tmp_path: Path, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In numbers and for one network; the API raises unless it is told where errors go."""
    few = tmp_path / "shipped"
    few.mkdir()
    (few / "lenet5.yaml").write_bytes(Path(library.shipped(), "lenet5.yaml").read_bytes())
    monkeypatch.setattr(library, "shipped", lambda: str(few))
    printed = "published: [{source: a paper, of: {small: {params: 1}}}]\n"
    (tmp_path / "broken.yaml").write_text(SPEC.replace("small", "broken") + "layer: small\n")
    (tmp_path / "unfit.yaml").write_text(
        SPEC.replace("small", "unfit").replace("kernel: 2", "kernel: 99") + printed
    )
    spec.write_text(SPEC + "published: [{source: a paper, layers: {C1: {params: 156}}}]\n")
    for words in (["reproduce", "--all"], ["reproduce", "small"], ["compare", "small", "lenet5"]):
        ran = command.run(*words, "--specs", str(tmp_path))
        assert ran.code == 2
        assert "small" in ran.out
        assert ran.err.count("broken.yaml:") == 1
    for asked in (None, "small"):
        with pytest.raises((SpecError, SpecErrors)):
            api.reproduce(asked, specs=[str(tmp_path)])


def test_every_figure_of_the_language_is_computed() -> None:
    row = archcalc.analyze("lenet5").totals
    assert len(set(PUBLISHED)) == len(PUBLISHED)
    for figure in PUBLISHED:
        computed(row, figure, ())


@pytest.mark.parametrize(
    "figures",
    [
        "{C1: {params: 156}}",
        "{C1: {connections: '122,304'}}",
        "{C1: {output: 28x28x6}}",
        "{C1: {output: 28x28}}",
        "{C1: {output: 28}}",
        "{C1: {channels: 6}}",
        "{C1: {input: 32x32}}",
        "{C1: {neurons: 4704}}",
        "{C1: {mult_adds: 118K}}",  # 28*28*6*25 = 117,600
        "{C1: {depth: 1}}",
        "{C1: {receptive_field: 5}}",
        "{S2: {receptive_field: 6, }}",
        "{S2: {rf_stride: 2}}",
        "{S2: {weight_layers: 0}}",
        "{norm: {buffers: 12}}",
        "{norm: {params: 12}}",
        "{F: {output: 10}}",
        "{F: {output: 1x1x10}}",
        "{C1: {weight_bytes: <1KB}}",
        "{C1: {output_elements: 4.7K}}",
    ],
)
def test_matches(spec: Path, figures: str) -> None:
    verdict = one(spec, figures)
    assert (verdict.kind, verdict.problem) == (MATCH, "")


@pytest.mark.parametrize(
    ("figures", "conventions"),
    [
        ("{C1: {params: {printed: 150, convention: no-biases}}}", ["no-biases"]),
        ("{C1: {mult_adds: {printed: 235K, convention: doubled}}}", ["doubled"]),
        ("{C1: {mult_adds: {printed: '122,304', convention: with-biases}}}", ["with-biases"]),
        ("{C1: {mult_adds: {printed: 117K, convention: truncated}}}", ["truncated"]),
        ("{C1: {mult_adds: {printed: 114.8K, convention: 1024s}}}", ["1024s"]),
        ("{C1: {output: {printed: 6x28x28, convention: channels-first}}}", ["channels-first"]),
        ("{norm: {params: {printed: 24, convention: with-buffers}}}", ["with-buffers"]),
        (
            "{C1: {mult_adds: {printed: 114K, convention: [1024s, truncated]}}}",
            ["1024s", "truncated"],
        ),
    ],
)
def test_matches_by_convention(spec: Path, figures: str, conventions: list[str]) -> None:
    verdict = one(spec, figures)
    assert (verdict.kind, list(verdict.conventions)) == (CONVENTION, conventions)
    assert verdict.problem == ""


def test_a_network_by_kinds_of_layers(spec: Path) -> None:
    """156 + 12 + 16*(6*25 + 1) + 1600*10 = 18,584 params; convolutions 2,572, linears 16,000."""
    entries = """published:
  - source: a paper
    network:
      params: 18584
      weight_layers: 3
      depth: 3
  - source: its convolutions
    convention: convolutions
    network: {params: 2572}
  - source: its linears
    convention: linears
    network: {params: 16000}
  - source: without norms
    convention: [no-norms, no-biases]
    network: {params: 18550}
"""
    assert [verdict.kind for verdict in judged(spec, entries)] == [MATCH] * 3 + [CONVENTION] * 3


def test_a_difference_needs_a_reason(spec: Path) -> None:
    verdict = one(spec, "{C1: {params: 157}}")
    assert (verdict.kind, verdict.problem) == (DIFFERS, "differs without a reason")
    assert verdict.computed == 156
    verdict = one(spec, "{C1: {params: {printed: 157, why: a misprint}}}")
    assert (verdict.kind, verdict.problem, verdict.why) == (DIFFERS, "", "a misprint")


def test_a_reason_needs_a_difference(spec: Path) -> None:
    verdict = one(spec, "{C1: {params: {printed: 156, why: a misprint}}}")
    assert verdict.problem == "a reason for a difference that is not there"
    verdict = one(spec, "{C1: {params: {printed: 150, convention: no-biases, why: no}}}")
    assert verdict.problem == UNFOUNDED


def test_a_convention_must_be_needed(spec: Path) -> None:
    """A cell's own, each of several; a table's or a column's by some cell of it."""
    for figure in (
        "{printed: 156, convention: 1024s}",
        "{printed: 150, convention: [no-biases, 1024s]}",
        "{printed: 1, convention: no-biases, why: none}",
    ):
        verdict = one(spec, f"{{C1: {{params: {figure}}}}}")
        assert verdict.problem == "a convention that is not needed"
    for declared, where in (
        ("no-biases", "table"), ("{params: no-biases}", "column"), ("{params: 1024s}", "column"),
    ):  # fmt: skip
        verdict = one(spec, "{C1: {connections: '122,304'}}", "    convention: no-biases\n")
        assert verdict.problem == "a convention (no-biases) that no cell of its table needs"
        for cells in ("norm: {params: 12, output: 28}", "C1: {params: 156, output: 28}"):
            first, _ = judged(spec, TABLE.format(declared, cells))
            assert f"that no cell of its {where} needs" in first.problem
    found = judged(spec, TABLE.format("no-biases", "norm: {params: 12}, C1: {params: 150}"))
    assert [verdict.problem for verdict in found] == ["", ""]


TABLE = """published:
  - source: a paper
    convention: {}
    layers: {{{}}}
"""


def test_a_convention_holds_for_its_column(spec: Path) -> None:
    """Every cell of it is judged by it; columns for which it is not declared are not."""
    cells = "C1: {params: 156, mult_adds: 118K}, C3: {params: 2400, mult_adds: 240K}"
    found = judged(spec, TABLE.format("{params: no-biases}", cells))
    assert [verdict.kind for verdict in found] == [DIFFERS, MATCH, CONVENTION, MATCH]
    assert found[0].computed == 150
    found = judged(spec, TABLE.format("no-biases", "C1: {connections: 122304}, C3: {params: 2400}"))
    assert [(verdict.kind, verdict.problem) for verdict in found] == [(MATCH, ""), (CONVENTION, "")]


@pytest.mark.parametrize(("printed", "convention"), [("117K", "truncated"), ("115K", "1024s")])
def test_a_cell_is_printed_as_the_rest_of_its_column(
    spec: Path, printed: str, convention: str
) -> None:
    """117,600 may be cut off beside 16K for 16,000, but not beside 374K for 373,600."""
    cells = f"C1: {{mult_adds: {{printed: {printed}, convention: {convention}}}}}, F: {{depth: 1}}"
    first, *_ = judged(spec, TABLE.format("[]", cells + ", C3: {mult_adds: 0.2M}"))
    assert (first.kind, first.problem) == (CONVENTION, "")
    more = "  - source: a paper\n    network: {mult_adds: 374K}\n"
    first, *_ = judged(spec, TABLE.format("[]", cells) + more)
    assert first.problem == f"a convention ({convention}) that small in the same column contradicts"
    with pytest.raises(SpecError, match="that small in the same column contradicts"):
        validated(str(spec))


def test_claims_of_one_source_are_rounded_alike(spec: Path) -> None:
    """15.6 may be cut off to 15 beside 120.3 for 120, but not beside 1.95 for 2.0."""
    claim = "  - {{source: {}, says: b, where: {{a: small C1 params}}, is: {}, printed: {}{}}}\n"
    cut = claim.format("p", "a / 10", 15, ", convention: truncated")
    either = claim.format("p", "a / 13 * 10 + 1 / 3", 120, "")
    for others, problem in (
        (either, ""),
        (claim.format("q", "a / 80", "2.0", ""), ""),
        (either + claim.format("p", "a / 80", "2.0", ""), "that the same source contradicts: b"),
    ):
        first, *_ = judged(spec, "claims:\n" + cut + others)
        assert first.kind == CONVENTION
        assert problem in first.problem
        assert bool(problem) is bool(first.problem)


def test_a_cell_that_counts_unlike_its_column_says_why(spec: Path) -> None:
    cells = "C1: {{params: {{printed: 150, convention: no-biases{}}}}}, C3: {{params: {}}}"
    for more, other, problem in (
        ("", 2416, "counts differently from the rest of its column without a reason"),
        (", why: so it is", 2416, ""),
        (", why: so it is", "{printed: 2400, convention: no-biases}", UNFOUNDED),
        ("", "{printed: 2400, convention: no-biases}", ""),
        ("", "{printed: 2000, why: none}", ""),
    ):
        first, *_ = judged(spec, TABLE.format("[]", cells.format(more, other)))
        assert (first.kind, first.problem) == (CONVENTION, problem)


def test_false_arithmetic_is_a_problem(spec: Path) -> None:
    """In a reason, in a note, and in what a claim that matches says."""
    verdict = one(spec, "{C1: {params: {printed: 157, why: '6*25 + 6 = 157'}}}")
    assert verdict.problem == "arithmetic that is false: 6*25 + 6 = 157"
    verdict = one(spec, "{C1: {params: 156}}", "    note: it has 6*25 + 6 = 157\n")
    assert verdict.problem == "arithmetic that is false: 6*25 + 6 = 157"
    claim = "claims: [{source: a, says: 1 + 1 = 3 maps, where: {a: small C1 channels}, "
    [verdict] = judged(spec, claim + "is: a, printed: 6}]\n")
    assert verdict.problem == "arithmetic that is false, and yet it matches: 1 + 1 = 3"
    [verdict] = judged(spec, claim + "is: a, printed: 3, why: there are six}]\n")
    assert verdict.problem == ""


def test_accuracy_is_quoted(spec: Path) -> None:
    entries = """published:
  - source: a paper
    protocol: single crop
    network: {top1: 70.6%, top5_error: 10.07%}
"""
    found = judged(spec, entries)
    assert [verdict.kind for verdict in found] == [QUOTE, QUOTE]
    assert {verdict.protocol for verdict in found} == {"single crop"}


def test_an_error_beside_its_accuracy_is_judged(spec: Path) -> None:
    """It is 100% less that, in the same table of the same network; alone it is quoted."""
    entries = """published:
  - {source: a, network: {top1: 68.7%, top1_error: 31.3%, top5: 88.9%, top5_error: 11.2%}}
  - {source: b, network: {top1_error: 31.4%}}
"""
    found = judged(spec, entries)
    assert [verdict.kind for verdict in found] == [QUOTE, MATCH, QUOTE, DIFFERS, QUOTE]
    assert (float(found[3].computed), found[3].problem) == (0.111, "differs without a reason")


REFERRING = r"\b(rows? before|row above|as above|copied from|see above|ditto)\b"


def test_reasons_stand_alone() -> None:
    """No reason refers to another row's, nor to a paper without what the paper says."""
    for family in literature():
        entries = [*(cell for table in family.tables for cell in table.cells), *family.claims]
        leaning = [entry.place for entry in entries if re.search(REFERRING, entry.why)]
        assert not leaning


ACCURACIES = ("top1", "top5", "top1_error", "top5_error", "accuracy", "error", "map")
CROPS = r"\b(crops?|dense|fully convolutional)\b"
# Papers that have not been searched for how many crops they test on.
UNSEARCHED = ("Sandler et al. 2018", "Iandola et al. 2016", "Huang et al. 2016")


def test_protocols_tell_accuracies_apart() -> None:
    """Within a source and protocol a network has one accuracy; on ImageNet its crops are named."""
    values: dict[tuple[str, ...], set[Fraction]] = {}
    for family in literature():
        for table in family.tables:
            if table.source.startswith("course notes"):
                continue
            for cell in table.cells:
                if cell.figure not in ACCURACIES:
                    continue
                key = (table.source, table.protocol, cell.network, cell.figure)
                values.setdefault(key, set()).add(cell.printed.low)
    assert not [key for key, figures in values.items() if len(figures) > 1]
    assert not [source for source, protocol, *_ in values if not protocol]
    assert not [
        (source, protocol)
        for source, protocol, *_ in values
        if re.search("ImageNet|ILSVRC", protocol) and not source.startswith(UNSEARCHED)
        if not re.search(CROPS, protocol) and not protocol.startswith("change ")
    ]


def test_settings_and_other_networks(spec: Path) -> None:
    entries = """published:
  - source: a paper
    networks:
      small@out=12: {mult_adds: 4.7e5}
      "@out=3": {params: 17294}
      vgg16: {params: 138M}
  - source: another
    of: small@out=12
    layers: {C1: {params: 312}}
"""
    found = judged(spec, entries)
    # 28*28*12*25 + 10*10*16*300 = 715,200, and 16,000; 78 + 6 + 16*76 + 16000 = 17,300
    assert [verdict.kind for verdict in found] == [DIFFERS, DIFFERS, MATCH, MATCH]
    assert [verdict.computed for verdict in found[:2]] == [715_200 + 16_000, 17_300]


def test_claims(spec: Path) -> None:
    entries = """claims:
  - source: a paper
    says: C3 has 15 times the params of C1
    where: {a: small C1 params, b: small C3 params}
    is: b / a
    printed: 15
  - {source: b, says: more, where: {a: small params}, is: a > 6000, printed: true}
  - {source: c, says: a fraction, where: {a: small C1 params}, is: a / 1248, printed: 1/8}
  - {source: d, says: weights, where: {a: small C1 params}, is: a, printed: 150,
     convention: no-biases}
  - {source: e, says: never, where: {a: small C1 params}, is: a < 0, printed: true, why: no}
  - {source: f, says: side, where: {a: small C1 output, r: small C1 receptive_field}, is: a - r,
     printed: 23}
"""
    found = judged(spec, entries)
    assert [verdict.kind for verdict in found] == [
        MATCH, MATCH, MATCH, CONVENTION, DIFFERS, MATCH,
    ]  # fmt: skip
    assert found[0].figure == "C3 has 15 times the params of C1"
    assert float(found[0].computed) == pytest.approx(2416 / 156)
    assert not any(verdict.problem for verdict in found)


def test_claims_about_all_layers(spec: Path) -> None:
    """Figures of the layers that a pattern or a kind names, in the network's order."""
    entries = """claims:
  - {source: a, where: {k: small C* kernel}, is: min(k) == 5 and max(k) == 5, printed: true}
  - {source: b, where: {k: small kind=conv in_channels}, is: "k == [1, 6]", printed: true}
  - {source: c, where: {s: small kind=maxpool stride}, is: sum(s) / len(s), printed: 2}
  - {source: d, where: {g: small C? groups, o: small C? channels}, is: max(g) + sum(o), printed: 23}
"""
    found = judged(spec, entries)
    assert [verdict.kind for verdict in found] == [MATCH] * 4


def test_figures_of_layers(spec: Path) -> None:
    entries = """published:
  - {source: a, layers: {C3: {kernel: 5x5, stride: 1, in_channels: 6, groups: 1}}}
"""
    found = judged(spec, entries)
    assert [(verdict.kind, verdict.computed) for verdict in found] == [
        (MATCH, (5, 5)), (MATCH, 1), (MATCH, 6), (MATCH, 1),
    ]  # fmt: skip


def test_figures_that_are_quoted_for_a_claim(spec: Path) -> None:
    """Of another source, told apart by its protocol, or as that prints it."""
    entries = """published:
  - {source: A paper, protocol: one crop, network: {top1_error: 27.9%}}
  - {source: A paper, protocol: ten crops, network: {top1_error: 26.1%}}
claims:
  - source: notes
    where:
      a: {figure: small top1_error, source: A paper, protocol: one crop}
      b: {figure: small top1_error, source: A paper, protocol: ten crops}
    is: a - b
    printed: 1.8%
  - source: notes
    of: small
    where: {n: {quoted: 1.2 million, source: "A paper, section 2"}}
    is: n
    printed: "12,000"
    why: the paper has more
"""
    *_, crops, images = judged(spec, entries)
    assert (crops.kind, crops.network, crops.problem) == (MATCH, "small", "")
    assert (images.kind, images.network, images.computed) == (DIFFERS, "small", 1_200_000)
    with pytest.raises(SpecError, match="expected one top1_error of small printed in A paper, rec"):
        judged(spec, entries.replace(", protocol: one crop}\n      b", "}\n      b"))


def test_a_misprint_is_of_what_is_right(spec: Path) -> None:
    entries = """published:
  - source: a
    layers:
      C1: {params: {printed: 156, misprint: it is called C2}}
      C3: {params: {printed: 2417, misprint: it is called C2}}
claims:
  - {source: b, where: {p: small C1 params}, is: p, printed: 156, misprint: a lost word}
  - {source: b, where: {p: small C1 params}, is: p, printed: 156, misprint: 1 + 1 = 3}
"""
    found = judged(spec, entries)
    assert [(verdict.misprint, verdict.problem) for verdict in found] == [
        ("it is called C2", ""),
        ("it is called C2", "differs without a reason"),
        ("a lost word", ""),
        ("1 + 1 = 3", "arithmetic that is false: 1 + 1 = 3"),
    ]
    ran = CliRunner().invoke(app, ["reproduce", str(spec)])
    assert "misprint: it is called C2" in ran.stdout


ACCURACIES = """published:
  - source: A paper, Table 1
    network: {top1_error: 27.9%}
    networks: {small@out=12: {top1_error: 25.0%}}
  - {source: "A paper, Table 2", network: {top1_error: 26.9%}}
  - {source: another, network: {top1_error: 20%}}
claims:
  - source: "%s"
    says: better
    where: {a: small top1_error, b: small@out=12 top1_error}
    is: a - b
    printed: %s
"""


@pytest.mark.parametrize(
    ("source", "printed"), [("A paper, Table 1", "2.9%"), ("A paper, Table 2", "1.9%")]
)
def test_claims_about_accuracies_take_their_own_tables(
    spec: Path, source: str, printed: str
) -> None:
    """The same table's, or the same paper's where the table has none."""
    *_, verdict = judged(spec, ACCURACIES.replace("%s", source, 1).replace("%s", printed, 1))
    assert (verdict.kind, verdict.problem) == (MATCH, "")


@pytest.mark.parametrize(("source", "count"), [("A paper", 2), ("nobody", 0)])
def test_accuracies_that_are_not_one(spec: Path, source: str, count: int) -> None:
    with pytest.raises(SpecError, match=f"expected one top1_error of small .*, received {count}"):
        judged(spec, ACCURACIES.replace("%s", source, 1).replace("%s", "1%", 1))


# What is wrong with an entry.


@pytest.mark.parametrize(
    ("entries", "place", "message"),
    [
        ("published: 3", (12, 12), "expected a list of tables, each with its source"),
        ("published: [3]", (12, 13), "expected a table with its source, received '3'"),
        ("published: [{network: {}}]", (12, 13), "a table: expected 'source', received none"),
        (
            "published: [{source: a, nets: {}}]", (12, 25),
            "a table: expected a key it takes, received 'nets'; did you mean networks?",
        ),
        (
            "published: [{source: a, network: {parms: 3}}]", (12, 35),
            "expected a figure, received 'parms'; did you mean params or paths?",
        ),
        (
            "published: [{source: a, network: {params: many}}]", (12, 43),
            "expected a figure as printed, such as 569M, 55%, 112x112x64 or 1/8, received 'many'",
        ),
        (
            "published: [{source: a, network: {params: {why: no}}}]", (12, 43),
            "expected 'printed', received none",
        ),
        (
            "published: [{source: a, convention: {params: 1024s}, network: {depth: 3}}]", (12, 37),
            "convention: expected a figure that the table has, received 'params'",
        ),
        (
            "published: [{source: a, convention: rounded, network: {params: 3}}]", (12, 37),
            "expected a convention, received 'rounded'; did you mean rounded-up or truncated?",
        ),
        (
            "claims: [{source: a, of: small, where: {}, printed: 3}]", (12, 10),
            "a claim: expected 'is', received none",
        ),
        (
            "claims: [{source: a, of: small, where: {}, is: 3}]", (12, 10),
            "a claim: expected 'printed', received none",
        ),
        (
            "claims: [{source: a, of: small, is: 3, printed: 3}]", (12, 10),
            "a claim: expected 'where', received none",
        ),
        (
            "claims: [{source: a, where: {a: params}, is: a, printed: 3}]", (12, 33),
            "expected a network, a layer if there is one, and a figure, received 'params'",
        ),
        (
            "claims: [{source: a, where: {a: small parms}, is: a, printed: 3}]", (12, 33),
            "received 'small parms'; did you mean params or paths?",
        ),
        (
            "claims: [{source: a, where: {a: small params}, is: b, printed: 3}]", (12, 52),
            "expected a name defined here, received 'b'",
        ),
        (
            "claims: [{source: a, of: small, where: {}, is: '[1, 2]', printed: 3}]", (12, 48),
            "is: expected a number, as is printed, received '[1, 2]'",
        ),
        (
            "claims: [{source: a, of: small, where: {}, is: [1, 2], printed: 3}]", (12, 48),
            "expected is: a number, or true or false, received a list",
        ),
        (
            "claims: [{source: a, where: {a: small params}, is: a, printed: 3x3}]", (12, 64),
            "expected a number, true or false: the value of a claim is no size, received '3x3'",
        ),
        (
            "claims: [{source: a, where: {a: small params}, is: a, printed: 9..3}]", (12, 64),
            "expected a figure as printed, such as 569M, 55%, 112x112x64 or 1/8, received '9..3'",
        ),
        (
            "published: [{source: a, layers: {'': {params: 3}}}]", (12, 34),
            "layers: expected a name, received none",
        ),
        (
            "claims: [{source: a, where: {}, is: 3, printed: 3}]", (12, 10),
            "a claim without a figure of a network: expected 'of' with its network, received none",
        ),
        (
            "claims: [{source: a, where: {a: small params}, is: 2012 == 2015, printed: true}]",
            (12, 52), "is: expected a relation of the letters in 'where', received one without",
        ),
        (
            "claims: [{source: a, where: {a: small params, b: small depth}, is: a, printed: 3}]",
            (12, 68), "is: expected a relation of all letters in 'where', received one without b",
        ),
        (
            "claims: [{source: a, where: {a: small C1 top1}, is: a, printed: 3}]", (12, 33),
            "expected top1 of a network, which no layer has, received 'small C1 top1'",
        ),
        (
            "claims: [{source: a, of: small, where: {a: {quoted: 3}}, is: a, printed: 3}]",
            (12, 44), "a quoted figure: expected 'source', received none",
        ),
        (
            ("claims: [{source: a, of: small, where: {a: {quoted: 3x3, source: b}}, is: a, "
            "printed: 3}]"), (12, 53), "expected a number, received '3x3'",
        ),
        (
            ("claims: [{source: a, where: {a: {figure: small params, source: b}}, is: a, "
            "printed: 3}]"), (12, 42), "expected an accuracy, which a source prints, received",
        ),
        (
            "claims: [{source: a, where: {a: {figure: small top1}}, is: a, printed: 3}]",
            (12, 33), "expected 'figure' and 'source', or 'quoted' and 'source'",
        ),
        (
            ("claims: [{source: a, where: {a: small params}, is: a, printed: 3, why: b, "
            "misprint: c}]"), (12, 75), "expected 'why' of a figure that differs or 'misprint'",
        ),
    ],
)  # fmt: skip
def test_entries_that_say_nothing(entries: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        of_spec(library.parse(SPEC + entries + "\n", "small.yaml"))
    error = caught.value.errors[0]
    assert error.place is not None
    assert (error.place.line, error.place.column) == place
    assert message in str(error)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            "published: [{source: a, layers: {C9: {params: 3}}}]",
            "small.yaml:12:39: expected a layer of small, received 'C9'",
        ),
        (
            "published: [{source: a, layers: {S: {params: 3}}}]",
            "small.yaml:12:38: expected a layer of small, received 'S'; did you mean S2?",
        ),
        (
            "published: [{source: a, networks: {smal: {params: 3}}}]",
            "small.yaml:12:43: expected a network, received 'smal'",
        ),
        (
            "published: [{source: a, of: 'small@in=3', network: {params: 3}}]",
            "small.yaml:12:53: expected a setting of small, received 'in'",
        ),
        (
            "claims: [{source: a, where: {a: small C1 params}, is: a / 0, printed: 3}]",
            "small.yaml:12:57: expected a divisor other than 0, received 0",
        ),
        (
            "claims: [{source: a, where: {a: small C1 expected_depth}, is: a, printed: 3}]",
            "small.yaml:12:33: expected_depth of C1: expected one number, received none",
        ),
        (
            "claims: [{source: a, where: {a: small output_shape}, is: a, printed: 28}]",
            "small.yaml:12:33: expected a network, a layer if there is one, and a figure",
        ),
        (
            "claims: [{source: a, where: {a: small C1 params}, is: '[a, 2]', printed: 3}]",
            "small.yaml:12:56: is: expected a number, as is printed, received '[156, 2]'",
        ),
        (
            "claims: [{source: a, where: {a: small depth}, is: '[a] if a < 9 else a', printed: 3}]",
            "small.yaml:12:52: is: expected a number, as is printed, received '[3]'",
        ),
        (
            "claims: [{source: a, where: {a: small C1 params}, is: a > 3, printed: 3}]",
            "small.yaml:12:55: is: expected a number, as is printed, received 'true'",
        ),
        (
            "claims: [{source: a, where: {a: small C1 params}, is: a, printed: true}]",
            "small.yaml:12:55: is: expected true or false, as is printed, received '156'",
        ),
        (
            "claims: [{source: a, where: {a: small C1 params}, is: a ** 64, printed: 3}]",
            "small.yaml:12:57: expected numbers from -10**18 to 10**18, received more",
        ),
        (
            "claims: [{source: a, where: {b: vgg16 conv9 params}, is: b, printed: 3}]",
            "small.yaml:12:33: expected a layer of vgg16, received 'conv9'",
        ),
        (
            "claims: [{source: a, where: {k: small D* kernel}, is: max(k), printed: 3}]",
            (
                "small.yaml:12:33: expected layers of small, by a pattern (conv*) or a kind "
                "(kind=conv), received 'D*', which matches none"
            ),
        ),
        (
            "claims: [{source: a, where: {k: small * kernel}, is: max(k), printed: 3}]",
            "small.yaml:12:33: kernel of norm: expected one number, received none",
        ),
    ],
)
def test_entries_about_what_is_not_there(spec: Path, entries: str, message: str) -> None:
    """`reproduce` and `validate` refuse them alike."""
    spec.write_text(SPEC + entries + "\n", encoding="utf-8")
    for look in (api.reproduce, validated):
        with pytest.raises(SpecError) as caught:
            look(str(spec))
        assert message in str(caught.value).replace(str(spec), "small.yaml")


def validated(path: str) -> None:
    api.check_printed(of_path(path))


def test_validate_tells_every_entry_that_cannot_be_judged(spec: Path) -> None:
    wrong = "{source: a, where: {a: small C9 params}, is: a, printed: 3}"
    spec.write_text(SPEC + f"claims: [{wrong}, {wrong}]\n", encoding="utf-8")
    ran = CliRunner().invoke(app, ["validate", str(spec)])
    assert (ran.exit_code, ran.stderr.count("expected a layer of small")) == (2, 2)


def test_a_vector_has_no_receptive_field(tmp_path: Path) -> None:
    """There is no axis along which it could be one: a figure of 0 does not match."""
    path = tmp_path / "vector.yaml"
    path.write_text(
        "input: [8]\nlayers: [linear: {name: F, out: 2}]\n"
        "published: [{source: a, layers: {F: {receptive_field: 0}}}]\n"
    )
    [verdict] = api.reproduce(str(path))
    assert (verdict.kind, verdict.computed) == (DIFFERS, None)


def test_tables_are_read_only_where_they_are_asked_for() -> None:
    """A table of a network does not wait for what papers print of it; `validate` reads all."""
    wrong = SPEC + "published:\n  - {source: a, network: {parms: 3}}\n# said\nclaims:\n- {}\n"
    spec = library.parse(wrong, "small.yaml")
    with pytest.raises(SpecErrors) as caught:
        of_spec(spec)
    assert len(caught.value.errors) == 5


# Files of printed figures.


PRINTED = """published:
  - source: a paper
    layers: {C1: {params: 156}, C3: {params: 2417}}
claims:
  - {source: b, where: {p: small C1 params, v: vgg16 depth}, is: p / 156 + v, printed: 17}
"""


@pytest.fixture
def beside(spec: Path) -> Path:
    """A file of printed figures beside the spec."""
    spec.write_text(SPEC, encoding="utf-8")
    path = spec.parent / "published" / "small.yaml"
    path.parent.mkdir()
    path.write_text(PRINTED, encoding="utf-8")
    return path


@pytest.mark.parametrize("asked", ["small", "small.yaml", "published/small.yaml"])
def test_figures_in_a_file_beside_the_spec(
    beside: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.chdir(beside.parents[1])
    found = api.reproduce(asked, specs=".")
    assert [verdict.kind for verdict in found] == [MATCH, DIFFERS, MATCH]
    assert {verdict.place.file for verdict in found} <= {
        "./published/small.yaml", "published/small.yaml",
    }  # fmt: skip
    assert api.reproduce_all(specs=".")["small"] == api.reproduce("small", specs=".")


@pytest.mark.usefixtures("beside")
def test_figures_inside_the_spec_come_first(spec: Path) -> None:
    spec.write_text(SPEC + "published: [{source: c, network: {depth: 3}}]\n", encoding="utf-8")
    found = api.reproduce(str(spec))
    assert [verdict.source for verdict in found] == ["c", "a paper", "a paper", "b"]


def test_other_networks_know_what_is_printed_of_them(beside: Path) -> None:
    found = api.reproduce("vgg16", specs=str(beside.parents[1]))
    assert [one.network for one in found if one.source == "b"] == ["small, vgg16"]


def test_figures_of_a_shipped_network_in_a_directory_of_ones_own(tmp_path: Path) -> None:
    """`lenet5` is no spec there; what is shipped of it is judged as well."""
    path = tmp_path / "published" / "lenet5.yaml"
    path.parent.mkdir()
    path.write_text("published: [{source: mine, layers: {C1: {params: 156}}}]\n")
    for found in (
        api.reproduce("lenet5", specs=str(tmp_path)),
        api.reproduce_all(specs=str(tmp_path))["lenet5"],
    ):
        assert [one.kind for one in found if one.source == "mine"] == [MATCH]
        assert len(found) > 50
    [alone] = api.reproduce(str(path))
    assert alone.kind == MATCH


def test_validate_takes_files_of_printed_figures(beside: Path) -> None:
    ran = CliRunner().invoke(app, ["validate", str(beside), str(beside.parents[1] / "small.yaml")])
    assert (ran.exit_code, ran.stdout.splitlines()[0]) == (
        0,
        f"{beside}: correct, 3 printed figures",
    )
    beside.write_text("published: [{source: a, layers: {C9: {params: 3}}}]\n", encoding="utf-8")
    ran = CliRunner().invoke(app, ["validate", str(beside), str(beside.parents[1] / "small.yaml")])
    assert ran.exit_code == 2
    assert ran.stderr.count("published/small.yaml:1:39: expected a layer of small") == 2
    beside.write_text("name: small\n", encoding="utf-8")
    ran = CliRunner().invoke(app, ["validate", str(beside)])
    assert "a file of printed figures: expected a key it takes, received 'name'" in ran.stderr


def test_a_broken_file_of_printed_figures_leaves_the_others(beside: Path) -> None:
    beside.write_text("published: 3\n", encoding="utf-8")
    told: list[str] = []
    found = api.reproduce_all(
        specs=str(beside.parents[1]), on_error=lambda error: told.append(str(error))
    )
    assert "small" not in found
    assert "lenet5" in found
    [message] = told
    assert "small.yaml:1:12: expected a list of tables" in message


def test_a_directory_may_be_called_as_the_shipped_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are told apart by where they lie, and not by how messages call them."""
    (tmp_path / "specs" / "published").mkdir(parents=True)
    (tmp_path / "specs" / "lenet5.yaml").write_text(SPEC.replace("small", "mine"))
    (tmp_path / "specs" / "published" / "lenet5.yaml").write_text(
        "published: [{source: mine, networks: {lenet5: {depth: 7}, mine: {depth: 3}}}]\n"
    )
    monkeypatch.chdir(tmp_path)
    for directory in ("specs", "./specs", str(tmp_path / "specs")):
        found = api.reproduce_all(specs=directory)
        assert not [one for some in found.values() for one in some if one.problem]
        kinds = {one.network: one.kind for one in found["mine"]}
        assert kinds == {"lenet5": MATCH, "mine": MATCH}
        assert len(api.reproduce("lenet5", specs=directory)) > 50


def test_a_spec_may_lie_in_a_directory_called_published(tmp_path: Path) -> None:
    path = tmp_path / "published" / "net.yaml"
    path.parent.mkdir()
    path.write_text(SPEC + "published: [{source: mine, network: {depth: 3}}]\n")
    ran = CliRunner().invoke(app, ["validate", str(path)])
    assert (ran.exit_code, ran.stdout) == (0, f"{path}: correct, 1 network\n")
    [verdict] = api.reproduce(str(path))
    assert verdict.kind == MATCH


def test_claims_that_name_settings_alone_are_of_their_files_network(tmp_path: Path) -> None:
    path = tmp_path / "published" / "mobilenet.yaml"
    path.parent.mkdir()
    claim = '{source: mine, where: {p: "@alpha=0.5 params"}, is: p, printed: 1.3M}'
    path.write_text(f"claims: [{claim}]\n")
    for found in (api.reproduce(str(path)), api.reproduce("mobilenet", specs=str(tmp_path))):
        assert [(one.network, one.kind) for one in found if one.source == "mine"] == [
            ("mobilenet@alpha=0.5", MATCH)
        ]


@pytest.mark.parametrize(("text", "received"), [("", "an empty file"), ("- a\n", "a list")])
def test_files_of_printed_figures_that_are_no_mapping(
    tmp_path: Path, text: str, received: str
) -> None:
    path = tmp_path / "published" / "small.yaml"
    path.parent.mkdir()
    path.write_text(text)
    ran = CliRunner().invoke(app, ["validate", str(path)])
    assert ran.exit_code == 2
    assert f"expected a mapping with 'published' or 'claims', received {received}" in ran.stderr


# The command.

ENTRIES = """published:
  - source: a paper, Table 1
    layers:
      C1: {params: 156, connections: {printed: 1, why: a | reason}}
  - source: another
    protocol: single crop
    network: {top1: 70%, params: {printed: 18.6K, why: none}}
"""


def run(path: Path, *options: str) -> tuple[int, str]:
    path.write_text(SPEC + ENTRIES, encoding="utf-8")
    result = CliRunner().invoke(app, ["reproduce", str(path), *options])
    return result.exit_code, result.output


def test_command(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, text = run(spec)
    assert code == 1
    assert "a paper, Table 1\n" in text
    assert "another (single crop)" in text
    assert "4 figures: 2 match, 1 differs, 1 quoted; 1 problem" in text
    assert "    why: a | reason\n" in text
    assert "PROBLEM: a reason for a difference that is not there" in text


def test_reasons_stand_in_the_row_or_in_notes(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below their figure in at most two lines, and in one where several have it; else in notes."""
    reasons = ["short", "words " * 20, "words " * 50]
    entries = "published:\n  - source: a paper\n    layers:\n"
    entries += f"      C1: {{params: {{printed: 1, why: {reasons[0]}}}"
    entries += f", neurons: {{printed: 1, why: {reasons[1]}}}"
    entries += f", depth: {{printed: 2, why: {reasons[2]}}}}}\n"
    entries += "      C3: {params: {printed: 1, why: WHY}, neurons: {printed: 1, why: WHY}}\n"
    spec.write_text(SPEC + entries.replace("WHY", "shared " * 15), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(app, ["reproduce", str(spec)]).output
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    at = lines.index("    why: short")
    assert lines[at - 1].split() == ["small", "C1", "params", "1", "156", "differs"]
    assert lines[at + 1].split()[:3] == ["small", "C1", "neurons"]
    assert lines[at + 2].startswith("    why: words words")
    assert lines[at + 3].startswith("      words")
    assert [line.split()[-1] for line in lines[at + 4 : at + 7]] == ["[1]", "[2]", "[2]"]
    assert sum(line.startswith(("[1] words", "[2] shared")) for line in lines) == 2


@pytest.mark.parametrize("network", ["googlenet", "mobilenet"])
def test_reports_fit_80_columns(network: str) -> None:
    """In one piece: every row has its verdict beside it."""
    lines = command.run("reproduce", network, COLUMNS="80").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["Of", "Figure", "Printed", "Computed", "Verdict"]
    assert sum("Verdict" in line.split() for line in lines) == 1


def test_conventions_used_are_explained(spec: Path) -> None:
    entries = """published:
  - source: a paper
    convention: [1024s, truncated]
    layers: {C1: {params: 0.1K}, C3: {params: 2.3K}}
"""
    spec.write_text(SPEC + entries, encoding="utf-8")
    text = CliRunner().invoke(app, ["reproduce", str(spec)]).output
    assert "1024s: 1 K = 1024, 1 M = 1024 x 1024.\n" in text
    assert "truncated: cut off after the printed places, not rounded.\n" in text
    assert "rounded-up" not in text


@pytest.mark.parametrize("format_name", ["terminal", "markdown", "latex", "csv", "json"])
def test_only_what_differs(spec: Path, format_name: str) -> None:
    """Without figures that are reproduced or quoted; a wrong entry is shown all the same."""
    code, text = run(spec, "--differs", "-f", format_name)
    assert code == 1  # the entry with a reason for no difference
    assert "122,304" in text.replace("\\allowbreak{}", "") or "122304" in text
    assert "18.6K" in text
    assert "156" not in text
    assert "70" not in text.replace("70%", "70") or "top1" not in text
    if format_name not in ("csv", "json"):
        assert "1 of 4 figures differ; 1 problem." in text


@pytest.mark.parametrize("format_name", ["terminal", "markdown", "latex", "csv", "json"])
@pytest.mark.parametrize("text", ["Table 1", "PAPER, table"])
def test_only_sources_that_contain_a_text(spec: Path, format_name: str, text: str) -> None:
    code, found = run(spec, "--source", text, "-f", format_name)
    assert code == 0  # the wrong entry stands elsewhere
    assert "connections" in found
    assert "18.6K" not in found


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a papper", "did you mean a paper?"),
        ("zzz", "there are a paper; another"),
        ("", "there are a paper; another"),
    ],
)
def test_a_source_that_is_not_there(spec: Path, text: str, hint: str) -> None:
    spec.write_text(SPEC + ENTRIES, encoding="utf-8")
    ran = command.run("reproduce", str(spec), "--source", text)
    assert (ran.code, ran.out) == (2, "")
    assert "--source: expected text that a source of" in ran.err
    assert f"received '{text}'; {hint}" in ran.err


def test_what_differs_in_all_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of each network that differ in the sources asked for, then the numbers."""
    monkeypatch.setattr(library, "shipped", lambda: str(tmp_path))
    for name, printed in (("small", 156), ("large", 1)):
        text = SPEC.replace("small", name)
        entry = f"{{params: {{printed: {printed}{', why: wrong' * (printed == 1)}}}}}"
        text += f"published:\n  - {{source: a paper, layers: {{C1: {entry}}}}}\n"
        text += "  - {source: other, layers: {C1: {params: {printed: 2, why: no}}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    ran = command.run("reproduce", "--all", "--differs", "--source", "paper")
    assert ran.code == 0
    figures, _, numbers = ran.out.partition("Network")
    assert "large: printed and computed" in figures
    assert "small" not in figures
    assert "why: wrong" in figures
    rows = [line.split()[:5] for line in numbers.splitlines()[2:5]]
    assert rows[:2] == [["large", "1", "0", "0", "1"], ["small", "1", "1", "0", "0"]]


def test_command_for_machines(spec: Path) -> None:
    code, text = run(spec, "-f", "json")
    found = json.loads(text)
    assert code == 1
    assert [one["verdict"] for one in found["figures"]] == ["match", "differs", "quoted", "match"]
    assert found["figures"][1]["computed"] == 122_304
    assert found["schema_version"] == 1
    _, text = run(spec, "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["verdict"] for row in rows] == ["match", "differs", "quoted", "match"]
    assert rows[1]["why"] == "a | reason"
    _, text = run(spec, "-f", "markdown")
    assert r"a \| reason" in text


def test_command_needs_networks_or_all() -> None:
    for arguments in ([], ["lenet5", "--all"]):
        result = CliRunner().invoke(app, ["reproduce", *arguments])
        assert result.exit_code != 0


def test_variants_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    text = SPEC.replace("name: small\n", "variants: {one: {}, two: {settings: {out: 12}}}\n")
    text += """published:
  - source: a paper
    networks:
      one: {params: 18584}
      two: {depth: 3}
      two@out=3: {depth: 3}
claims:
  - {source: a, says: more, where: {a: one params, b: two params}, is: b > a, printed: true}
  - {source: a, says: b, where: {a: one params}, is: a, printed: 18584}
"""
    path.write_text(text, encoding="utf-8")
    assert [one.network for one in api.reproduce(f"{path}#one")] == ["one", "one, two", "one"]
    assert [one.name for one in api.reproduce(f"{path}#two")] == ["two", "two@out=3", "more"]


# All networks that ship.


def test_no_shipped_figure_is_left_without_a_verdict() -> None:
    """Every difference has a reason, every reason a difference, every convention its use."""
    found = ledger.verdicts()
    problems = [
        f"{verdict.place}: {verdict.name} {verdict.figure}: {verdict.problem}"
        for verdicts in found.values()
        for verdict in verdicts
        if verdict.problem
    ]
    assert not problems, "\n".join(problems)
