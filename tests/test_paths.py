"""Paths through residual networks, against binomials, brute force and the papers' formulas."""

from __future__ import annotations

import json
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from archcalc import analyze
from archcalc.analysis.paths import middle, paths
from archcalc.cli import app
from archcalc.errors import SpecError
from archcalc.spec import library

if TYPE_CHECKING:
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


def test_command() -> None:
    result = CliRunner().invoke(app, ["paths", "resnet50"])
    assert result.exit_code == 0
    assert "65,536 paths through 16 residual bodies" in result.output
    found = json.loads(CliRunner().invoke(app, ["paths", "resnet50", "-f", "json"]).output)
    assert [one["paths"] for one in found["lengths"]] == [comb(16, k) for k in range(17)]
    assert found["paths"] == 2**16
    lines = CliRunner().invoke(app, ["paths", "resnet50", "-f", "csv"]).output.splitlines()
    assert lines[0] == "length,paths,share"
    assert lines[1].startswith("0,1,")


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
