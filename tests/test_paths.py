"""Paths through residual networks, against binomials, brute force and the papers' formulas."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from fractions import Fraction
from itertools import combinations
from math import comb, log2, log10, sqrt
from typing import TYPE_CHECKING

import pytest
from command import bad, good
from typer.testing import CliRunner

import archcalc
from archcalc import analyze
from archcalc.analysis import path_counts
from archcalc.analysis.path_counts import Counts, Join
from archcalc.analysis.paths import middle, paths
from archcalc.cli import app
from archcalc.errors import SettingError, SpecError
from archcalc.spec import library

if TYPE_CHECKING:
    from pathlib import Path

    from archcalc.analysis import Analysis
    from archcalc.graph import Graph

CHAIN = """
settings: {{n: {n}, p: {p}}}
input: [4, 8, 8]
blocks:
  unit:
    layers:
      - add:
          body:
            - conv: {{out: channels, kernel: 3, padding: 1}}
            - relu
            - conv: {{out: channels, kernel: 1}}
          shortcut: []
layers:
  - conv: {{name: first, out: 4, kernel: 3, padding: 1}}
  - for: {{each: {{l: "range(1, n + 1)"}}, layers: [unit: {{survival: 1 - l / n * (1 - p)}}]}}
  - globalavgpool
"""


def chain(n: int, p: str = "0.5") -> Analysis:
    return analyze(library.parse(CHAIN.format(n=n, p=p), "chain.yaml"))


def by_walking(graph: Graph, bodies: dict[int, set[int]]) -> dict[int, int]:
    """Every path on its own, from the output back to the input; the branches here are alike."""
    found: dict[int, int] = {}
    waiting = [(graph.outputs[0].tensor.node, 0)]
    while waiting:
        index, length = waiting.pop()
        node = graph.nodes[index]
        if not node.inputs:
            found[length] = found.get(length, 0) + 1
        here = bodies.get(index)
        for position, tensor in enumerate(node.inputs if here else node.inputs[:1]):
            waiting.append((tensor.node, length + (position in (here or ()))))
    return found


@pytest.mark.parametrize("n", [1, 2, 7, 54])
def test_a_chain_of_residual_blocks_is_binomial(n: int) -> None:
    """Veit et al. 2016, section 3: 2^n paths, the lengths a binomial distribution with mean n/2."""
    found = paths(chain(n))
    assert found.lengths == tuple(comb(n, k) for k in range(n + 1))
    assert found.total == 2**n
    assert found.mean == Fraction(n, 2)
    assert found.bodies == n


def test_projections_count_nothing() -> None:
    """ResNet-50 has 16 blocks, four of them with a projection shortcut (He et al. 2016)."""
    for name in ("resnet50", "resnet34"):
        found = paths(analyze(name))
        assert found.lengths == tuple(comb(16, k) for k in range(17))


@pytest.mark.parametrize("network", ["vgg16", "googlenet", "densenet121"])
def test_networks_without_additions_have_one_path(network: str) -> None:
    """Branches that are concatenated are parts of one way."""
    found = paths(analyze(network))
    assert found.lengths == (1,)
    assert (found.bodies, found.low, found.high, found.held) == (0, 0, 0, 1)


def test_modules_of_branches_are_one_body() -> None:
    """Inception-ResNet-v1 has 5 + 10 + 5 residual units (Szegedy et al. 2016, figure 15)."""
    assert paths(analyze("inception-resnet-v1")).lengths == tuple(comb(20, k) for k in range(21))


def test_all_sorts_of_joins_against_every_path_walked() -> None:
    """Branches of one body, bodies of several branches, a gate, additions from afar."""
    text = """
input: [4, 8, 8]
layers:
  - conv: {name: first, out: 4, kernel: 3, padding: 1}
  - add:
      name: wide
      body: [concat: {a: [conv: {out: 2, kernel: 1}], b: [conv: {out: 2, kernel: 3, padding: 1}]}]
      shortcut: []
  - add:
      name: two
      left: [conv: {out: 4, kernel: 1}]
      right: [conv: {out: 4, kernel: 3, padding: 1}, relu]
      shortcut: []
  - conv: {name: on, out: 4, kernel: 1}
  - add: {name: far, from: [on, first]}
  - add: {name: alike, one: [conv: {out: 4, kernel: 1}], other: [conv: {out: 4, kernel: 1}]}
"""
    analysis = analyze(library.parse(text, "sorts.yaml"))
    indices = {node.path: node.index for node in analysis.graph.layers}
    bodies = {
        indices["wide/add"]: {0}, indices["two/add"]: {0, 1}, indices["far"]: {0},
    }  # fmt: skip
    found = paths(analysis)
    walked = by_walking(analysis.graph, bodies)
    assert {k: count for k, count in enumerate(found.lengths) if count} == walked
    assert found.bodies == 4
    assert sum(walked.values()) == 2 * 3 + 1


def test_a_gate_is_no_path() -> None:
    text = """
input: [4, 8, 8]
layers:
  - add:
      body:
        - conv: {out: 4, kernel: 3, padding: 1}
        - multiply: {body: [], gate: [globalavgpool, flatten, linear: {out: channels}, sigmoid]}
      shortcut: []
"""
    assert paths(analyze(library.parse(text, "gate.yaml"))).lengths == (1, 1)


@pytest.mark.parametrize("n", [1, 5, 16, 54, 333])
def test_the_middle_holds_95_percent_and_no_length_less_would(n: int) -> None:
    counts = [comb(n, k) for k in range(n + 1)]
    low, high = middle(counts)
    assert low == n - high
    assert 100 * sum(counts[low : high + 1]) >= 95 * 2**n
    assert high - low < 2 or 100 * sum(counts[low + 1 : high]) < 95 * 2**n


def test_veit_and_others_say_19_to_35_of_54() -> None:
    """Section 4.1: more than 95% of the paths of ResNet-110 have 19 to 35 modules.

    20 to 34 would do (95.9%); 19 to 35 hold 98.0%.
    """
    found = paths(chain(54))
    assert (found.low, found.high) == (20, 34)
    assert found.share(19, 35) > Fraction(95, 100)
    assert found.share(20, 34) == Fraction(sum(comb(54, k) for k in range(20, 35)), 2**54)


def test_a_thousand_layers_stay_exact() -> None:
    found = paths(chain(500))
    assert found.lengths[250] == comb(500, 250)
    assert found.total == 2**500


def test_stochastic_depth_leaves_three_quarters() -> None:
    """Huang et al. 2016, section 3: E(L) = (3L - 1)/4 with p_L = 0.5; 40 of 54 blocks."""
    found = paths(chain(54))
    assert found.expected_bodies == Fraction(3 * 54 - 1, 4)
    assert found.expected_depth == 1 + 2 * Fraction(3 * 54 - 1, 4)
    analysis = chain(54)
    first = analysis.find("first").mult_adds
    per_block = (analysis.totals.mult_adds - first) // 54
    assert found.expected_mult_adds == first + per_block * Fraction(3 * 54 - 1, 4)


def test_without_survival_nothing_is_expected() -> None:
    found = paths(analyze("resnet18"))
    assert found.expected_bodies is None
    assert found.expected_depth is None
    assert found.expected_mult_adds is None


@pytest.mark.parametrize("p", ["1.5", "-0.1", "true", "'0.5'"])
def test_survival_is_a_probability(p: str) -> None:
    """As a number or as an expression (in quotes the expression 0.5, which is one)."""
    text = CHAIN.format(n=2, p="0.5").replace("1 - l / n * (1 - p)", p)
    spec = library.parse(text, "chain.yaml")
    if p == "'0.5'":
        assert paths(analyze(spec)).expected_bodies == 1
        return
    with pytest.raises(
        SpecError, match=r"survival: expected a number from 0 to 1, received"
    ) as caught:
        analyze(spec)
    assert (caught.value.place.line, caught.value.layer) == (15, "unit1")  # type: ignore[union-attr]


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_a_chain_keeps_half_of_its_paths_for_each_body_deleted(n: int) -> None:
    """Veit et al. 2016: each residual module that is deleted halves the number of paths."""
    found = paths(chain(n))
    for deleted in range(n + 1):
        assert found.left(deleted) == Fraction(1, 2**deleted)
        for length in range(n + 1):  # of a shorter chain there are as many as are left of this one
            kept = comb(n, length) * found.kept(length, deleted)
            assert kept == comb(n - deleted, length)


def test_what_is_left_is_the_average_over_all_choices() -> None:
    """A sum within a body: every choice of branches is taken, and the paths it leaves counted."""
    text = """
input: [4, 8, 8]
layers:
  - add:
      body:
        - conv: {out: 4, kernel: 1}
        - add: {inner: [conv: {out: 4, kernel: 1}], shortcut: []}
      shortcut: []
  - add: {body: [conv: {out: 4, kernel: 1}], shortcut: []}
"""
    # Branches a (outer), b (inner, only through a) and c; a path is the set of those it takes.
    first = [set(), {"a"}, {"a", "b"}]
    every = [taken | more for taken in first for more in (set(), {"c"})]
    found = paths(analyze(library.parse(text, "nested.yaml")))
    assert found.total == len(every)
    for deleted in range(4):
        choices = list(combinations("abc", deleted))
        left = sum(not taken & set(choice) for taken in every for choice in choices)
        assert found.left(deleted) == Fraction(left, len(every) * len(choices))


def test_floats_tell_what_is_left_as_whole_numbers_do() -> None:
    """2**-d of the paths of a chain, beyond what is counted one by one."""
    unit = "add: {body: [conv: {out: 4, kernel: 1}], shortcut: []}"
    text = f"input: [4, 8, 8]\nlayers: [repeat: {{times: 2500, layers: [{unit}]}}]"
    found = paths(analyze(library.parse(text, "deep.yaml")))
    assert not found.exact
    for deleted in (0, 1, 3, 40):
        assert found.left(deleted) == pytest.approx(2.0**-deleted, rel=1e-6)


def test_command_without_bodies() -> None:
    text = good("paths", "resnet110", "--without", "2")
    assert "Without 2 of the 54 bodies, 25% of the paths are left" in " ".join(text.split())
    found = json.loads(good("paths", "resnet110", "--without", "2", "-f", "json"))
    assert (found["deleted"], found["left"]) == (2, 0.25)
    assert found["lengths"][27]["left"] == pytest.approx(27 * 26 / (54 * 53))
    assert json.loads(good("paths", "resnet110", "-f", "json"))["left"] is None
    [head, first, *_] = good("paths", "lenet5", "--without", "0", "-f", "csv").splitlines()
    assert head == "output,length,paths,share,log10_paths,left"
    assert first.endswith(",1.0")
    said = bad("paths", "resnet110", "--without", "55")
    assert "without: expected 0 to 54 branches that are deleted, received 55" in said


def test_command() -> None:
    result = CliRunner().invoke(app, ["paths", "resnet50"])
    assert result.exit_code == 0
    assert "65,536 paths through 16 residual bodies" in result.output
    found = json.loads(CliRunner().invoke(app, ["paths", "resnet50", "-f", "json"]).output)
    assert [one["paths"] for one in found["lengths"]] == [comb(16, k) for k in range(17)]
    assert found["paths"] == 2**16
    lines = CliRunner().invoke(app, ["paths", "resnet50", "-f", "csv"]).output.splitlines()
    assert lines[0] == "output,length,paths,share,log10_paths"
    assert lines[1].startswith("softmax1,0,1,")


@pytest.mark.parametrize(
    ("network", "bodies"),
    [
        ("resnet110", 54), ("resnet1202", 600), ("preresnet164", 54), ("preresnet1001", 333),
        ("resnext50-32x4d", 16), ("seresnet50", 16), ("highway-19", 5 + 6 + 6 - 3),
    ],
)  # fmt: skip
def test_networks_are_as_deep_as_their_papers_say(network: str, bodies: int) -> None:
    """(layers - 2)/2 units on CIFAR, /3 with bottlenecks; Highway: all but the first of a stage."""
    found = paths(analyze(network))
    assert found.bodies == bodies
    assert found.lengths == tuple(comb(bodies, k) for k in range(bodies + 1))


@pytest.mark.parametrize("form", ["a", "b", "c"])
def test_the_forms_of_resnext_have_the_same_bodies(form: str) -> None:
    """32 paths of a body, in forms (a) and (b), are parts of one way: the forms agree."""
    found = paths(analyze("resnext50-32x4d", form=form))
    assert found.lengths == tuple(comb(16, k) for k in range(17))


def test_stochastic_depth_of_the_shipped_networks() -> None:
    """Huang et al. 2016: 40 of 54 blocks on average."""
    found = paths(analyze("stochastic-resnet110"))
    assert found.expected_bodies == Fraction(161, 4)
    assert round(found.expected_bodies) == 40


# Several outputs.

OUTPUTS = """
input: [4, 8, 8]
blocks:
  unit:
    layers:
      - add: {body: [conv: {out: channels, kernel: 3, padding: 1}], shortcut: []}
layers:
  - for: {each: {i: "range(0, 10)"}, layers: [unit: {name: "u{i}"}]}
outputs: [u4, u9, {from: u6, name: head, auxiliary: true}]
"""


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    path = tmp_path / "outputs.yaml"
    path.write_text(OUTPUTS)
    return str(path)


def test_each_output_has_its_own_paths_and_bodies(outputs: str) -> None:
    every = archcalc.paths_by_output(outputs)
    assert {name: (one.total, one.bodies) for name, one in every.items()} == {
        "u4": (2**5, 5), "u9": (2**10, 10),
    }  # fmt: skip
    assert [one.output for one in every.values()] == ["u4", "u9"]
    assert every["u4"].depth == 5
    assert every["u4"].mult_adds * 2 == every["u9"].mult_adds == 10 * 8 * 8 * 4 * 4 * 9


def test_one_output_is_asked_for_by_its_name(outputs: str) -> None:
    assert archcalc.paths(outputs, "u9").total == 2**10
    assert archcalc.paths(outputs, output="head").total == 2**7
    assert archcalc.paths(archcalc.load(outputs), "u4").total == 2**5
    assert archcalc.paths(archcalc.analyze(outputs).graph, "u4").total == 2**5
    with pytest.raises(SettingError, match=r"received none; there are u4, u9$"):
        archcalc.paths(outputs)
    with pytest.raises(SettingError, match=r"received 'u8'; there are u4, u9, head"):
        archcalc.paths(outputs, "u8")


@pytest.mark.parametrize("format_name", ["terminal", "markdown", "latex"])
def test_tables_say_which_output_they_are_about(outputs: str, format_name: str) -> None:
    out = good("paths", outputs, "-f", format_name)
    first, _, second = out.partition("paths to u9 by length")
    assert "paths to u4 by length" in first
    assert "32 paths through 5 residual bodies" in first
    assert "1,024 paths through 10 residual bodies" in second
    assert "Auxiliary outputs have paths of their own: head." in second


def test_csv_and_json_have_a_record_for_each_output(outputs: str) -> None:
    rows = list(csv.DictReader(good("paths", outputs, "-f", "csv").splitlines()))
    assert [int(row["paths"]) for row in rows if row["output"] == "u4"] == [1, 5, 10, 10, 5, 1]
    assert sum(int(row["paths"]) for row in rows if row["output"] == "u9") == 2**10
    found = json.loads(good("paths", outputs, "-f", "json"))
    assert [(one["output"], one["paths"]) for one in found["outputs"]] == [("u4", 32), ("u9", 1024)]
    (one,) = json.loads(good("paths", outputs, "--to", "head", "-f", "json"))["outputs"]
    assert (one["output"], one["bodies"], one["branches"]) == ("head", 7, 7)
    assert "received 'u1'" in bad("paths", outputs, "--to", "u1")


def test_printed_figures_are_about_the_layer_they_name(tmp_path: Path) -> None:
    """A network with several outputs has no number of paths, its layers have."""
    printed = """
published:
  - {source: "Somebody 2016, table 1", layers: {u4: {paths: 32, bodies: 5}, u9: {path_mean: 5}}}
"""
    path = tmp_path / "outputs.yaml"
    path.write_text(OUTPUTS + printed)
    assert [one.kind for one in archcalc.reproduce(str(path))] == ["match"] * 3
    path.write_text(OUTPUTS + printed.replace("layers: {u4:", "network: {paths: 32}, layers: {u4:"))
    with pytest.raises(SpecError, match="one of the 2 outputs") as caught:
        archcalc.reproduce(str(path))
    assert caught.value.place is not None


# What sums are called.


def test_a_pyramid_has_branches_but_no_bodies() -> None:
    """Lin et al. 2017: the top-down way is no residual body of the lateral 1x1 convolution."""
    text = """
input: [3, 32, 32]
layers:
  - conv: {name: c2, out: 16, kernel: 3, stride: 2, padding: 1}
  - conv: {name: c3, out: 32, kernel: 3, stride: 2, padding: 1}
  - conv: {name: c4, out: 64, kernel: 3, stride: 2, padding: 1}
  - conv: {name: m4, out: 16, kernel: 1}
  - upsample: {name: up4, scale: 2}
  - conv: {name: l3, from: c3, out: 16, kernel: 1}
  - add: {name: m3, from: [l3, up4]}
  - upsample: {name: up3, scale: 2}
  - conv: {name: l2, from: c2, out: 16, kernel: 1}
  - add: {name: m2, from: [l2, up3]}
"""
    found = paths(analyze(library.parse(text, "fpn.yaml")))
    assert (found.lengths, found.branches, found.bodies) == ((1, 1, 1), 2, 0)
    refined = text + "  - add: {body: [conv: {out: 16, kernel: 3, padding: 1}], shortcut: []}\n"
    found = paths(analyze(library.parse(refined, "fpn.yaml")))
    assert (found.branches, found.bodies) == (3, 1)


@pytest.mark.parametrize(
    ("body", "shortcut", "bodies"),
    [
        ("conv: {out: 4, kernel: 3, padding: 1}", "", 1),
        ("conv: {out: 4, kernel: 3, padding: 1}, relu", "batchnorm, relu", 1),
        ("conv: {out: 8, kernel: 3, padding: 1}, conv: {out: 8, kernel: 1}",
         "conv: {out: 8, kernel: 1}, batchnorm", 1),
        ("conv: {out: 4, kernel: 1}, conv: {out: 4, kernel: 1}, conv: {out: 4, kernel: 1}",
         "conv: {out: 4, kernel: 1}, conv: {out: 4, kernel: 1}", 0),
        ("conv: {out: 4, kernel: 2, stride: 2}, convtranspose: {out: 4, kernel: 2, stride: 2}",
         "", 0),
        ("upsample: {scale: 2}, conv: {out: 4, kernel: 1}", "upsample: {scale: 2}", 1),
    ],
    ids=["identity", "norm", "projection", "two layers", "hourglass", "both enlarged"],
)  # fmt: skip
def test_a_residual_body_has_an_identity_or_a_projection_beside_it(
    body: str, shortcut: str, bodies: int
) -> None:
    """He et al. 2016, section 3.2."""
    layers = [f"[{', '.join(f'{{{one}}}' if ':' in one else one for one in _split(part))}]"
              for part in (body, shortcut)]  # fmt: skip
    text = f"""
input: [4, 8, 8]
layers:
  - conv: {{out: 4, kernel: 1}}
  - add: {{body: {layers[0]}, shortcut: {layers[1]}}}
"""
    found = paths(analyze(library.parse(text, "sum.yaml")))
    assert (found.lengths, found.branches, found.bodies) == ((1, 1), 1, bodies)


def _split(layers: str) -> list[str]:
    return [one for one in re.split(r", (?![^{]*})", layers) if one]


# Deep networks.


def counted(joins: list[Join], monkeypatch: pytest.MonkeyPatch, *, exact: bool) -> Counts:
    with monkeypatch.context() as patched:
        if not exact:
            patched.setattr(path_counts, "EXACT_LENGTH", -1)
        counts, was_exact = path_counts.count(joins)
    assert was_exact is exact
    return counts


def chain_of(*branches: int) -> list[Join]:
    """Sums one after another, each of a shortcut and so many branches."""
    return [
        Join(i + 1, ((i, False), *[(i, True)] * count), True) for i, count in enumerate(branches)
    ]


def dense(count: int) -> list[Join]:
    """Each sum takes all before it, the nearest through a branch."""
    return [
        Join(i, (*((k, False) for k in range(i - 1)), (i - 1, True)), True)
        for i in range(1, count + 1)
    ]


def nested(levels: int) -> list[Join]:
    """A sum around a sum around a sum: the shortcuts come from the first node."""
    return [Join(i, ((0, False), (i - 1, True)), True) for i in range(1, levels + 1)]


def towers(count: int) -> list[Join]:
    """A short tower of sums beside a long one: lengths with two maxima and a gap between."""
    first = [Join(i, ((i - 1, False), (i - 1, True)), True) for i in range(1, count + 1)]
    long = [
        Join(count + i, tuple((count + i - 1 if i > 1 else 0, k > 1) for k in range(3)), True)
        for i in range(1, 6 * count + 1)
    ]
    return [*first, *long, Join(7 * count + 1, ((count, False), (7 * count, True)), True)]


@pytest.mark.parametrize(
    "joins",
    [chain_of(*[1] * 300), chain_of(*range(1, 60), 5000), dense(120), nested(150), towers(40)],
    ids=["chain", "wide", "dense", "nested", "towers"],
)
def test_floats_agree_with_whole_numbers(
    joins: list[Join], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To nine digits, lengths of less than 1e-15 of the commonest left out."""
    exact = counted(joins, monkeypatch, exact=True)
    scaled = counted(joins, monkeypatch, exact=False)
    total, about = sum(exact.numbers), sum(scaled.numbers)
    assert abs(log2(total) - scaled.bits) < 1e-9 * log2(total)
    shares = {scaled.first + i: n / about for i, n in enumerate(scaled.numbers)}
    for i, number in enumerate(exact.numbers, exact.first):
        share = number / total
        assert shares.get(i, 0) == pytest.approx(share, rel=1e-9, abs=1e-14)


def test_a_product_of_whole_numbers_is_the_chain_of_its_sums() -> None:
    """(1 + x)(1 + 2x)(1 + 3x)...: the coefficients are Stirling numbers of the first kind."""
    counts, exact = path_counts.count(chain_of(1, 2, 3, 4))
    assert (counts.numbers, exact) == ((1, 10, 35, 50, 24), True)


def test_counting_that_would_take_too_long_is_refused_first() -> None:
    with pytest.raises(SettingError, match=r"paths: expected at most 320 MB .* received about"):
        path_counts.count(nested(30_000))


def test_deep_chains_are_counted_in_floats() -> None:
    """A binomial distribution of 3,000: mean 1,500, variance 750."""
    units = "repeat: {times: 3, layers: [repeat: {times: 1000, layers: [unit: {survival: 0.5}]}]}"
    text = CHAIN.format(n=1, p="0.5")
    start, end = text.index("  - for:"), text.index("  - globalavgpool")
    found = paths(analyze(library.parse(f"{text[:start]}  - {units}\n{text[end:]}", "deep.yaml")))
    assert not found.exact
    assert found.mean == pytest.approx(1500, rel=1e-12)
    assert found.deviation == pytest.approx(sqrt(750), rel=1e-10)
    assert found.log10_total == pytest.approx(3000 * log10(2), rel=1e-12)
    assert found.share(1500, 1500) == pytest.approx(comb(3000, 1500) / 2**3000, rel=1e-9)
    assert found.expected_bodies == 1500
    with pytest.raises(SettingError, match="at most 2,000 branches"):
        _ = found.total


def test_what_deep_networks_print_says_what_is_not_exact(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    units = "[add: {a: [conv: {out: 1, kernel: 1}], b: []}]"
    path.write_text(f"input: [1, 8, 8]\nlayers: [repeat: {{times: 2500, layers: {units}}}]\n")
    out = good("paths", str(path))
    assert "3.76e752 paths through 2,500 residual bodies" in out  # 2^2500 = 3.758e752
    assert "Paths through more than 2,000 branches are not counted one by one" in out
    assert "Less than 0.0000001% have at most 833" in out
    (found,) = json.loads(good("paths", str(path), "-f", "json"))["outputs"]
    assert (found["exact"], found["paths"]) == (False, None)
    assert found["log10_paths"] == pytest.approx(2500 * log10(2))
    assert abs(sum(one["share"] for one in found["lengths"]) - 1) < 1e-12


@pytest.mark.slow
def test_a_hundred_thousand_bodies_in_half_a_gigabyte(tmp_path: Path) -> None:
    """In a process of its own that may take no more address space."""
    path = tmp_path / "deep.yaml"
    unit = "add: {a: [conv: {out: 1, kernel: 1}], b: []}"
    repeat = f"  - repeat: {{times: 10000, layers: [{unit}]}}\n"
    path.write_text("input: [1, 8, 8]\nlayers:\n" + repeat * 10)
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (500_000_000,) * 2)\n"
        "from archcalc.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "paths", str(path), "-f", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["branches"] == found["bodies"] == 100_000
    assert found["mean"] == pytest.approx(50_000, rel=1e-9)
    assert found["deviation"] == pytest.approx(sqrt(25_000), rel=1e-9)
