"""Analyses, graphs, specs and errors go through pickle and copy, and say the same afterwards."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

import archcalc
from archcalc import GraphBuilder, Output
from archcalc.errors import ArchcalcError, GraphError, Place, SpecError, SpecErrors
from archcalc.ops import KINDS
from archcalc.ops.window import HELD, POINTWISE, WHOLE
from archcalc.published.literature import of_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from archcalc.analysis import Analysis
    from archcalc.graph import Graph


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


WAYS = [pickled, copy.deepcopy, copy.copy]
# Of several axes and kinds; with parts applied several times, shared weights, switches, survival.
NETWORKS = [
    "lenet5", "resnet18@classes=10", "faster-rcnn-mobilenet", "zfnet-deconv",
    "stochastic-resnet110", "googlenet@auxiliary=true",
]  # fmt: skip


def figures(analysis: Analysis) -> list[tuple[Any, ...]]:
    return [
        (
            row.name, row.kind, row.input, row.output, row.params, row.mult_adds, row.flops,
            row.connections, row.saved_bytes, row.live_bytes, row.depth, str(row.receptive_field),
            row.times, row.shared_with, row.part.source, dict(row.arguments),
        )
        for row in (*analysis.layers, *analysis.blocks, analysis.totals)
    ]  # fmt: skip


def deep(layers: int) -> Graph:
    builder = GraphBuilder("deep")
    tensor = builder.input((1, 4, 4))
    for i in range(layers):
        tensor = builder.add(KINDS["relu"](), [tensor], f"r{i}").tensor()
    return builder.finish([Output("out", tensor)])


def nested(scopes: int) -> Graph:
    """One layer in so many blocks, each in the one before."""
    builder = GraphBuilder("nested")
    tensor = builder.input((1, 4, 4))
    with ExitStack() as stack:
        around = [
            stack.enter_context(builder.enter(f"s{i}", "block", tensor)) for i in range(scopes)
        ]
        tensor = builder.add(KINDS["relu"](), [tensor], "r").tensor()
        for scope in around:
            scope.exit = tensor
    return builder.finish([Output("out", tensor)])


@pytest.fixture(scope="module", params=NETWORKS)
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return archcalc.analyze(request.param, batch=3, dtype="float16")


@pytest.mark.parametrize("way", WAYS)
def test_an_analysis_says_the_same(analysis: Analysis, way: Callable[[Any], Any]) -> None:
    found = way(analysis)
    assert (found.label, found.batch, found.dtype) == (analysis.label, 3, "float16")
    assert found.settings == analysis.settings
    assert figures(found) == figures(analysis)
    assert archcalc.api.paths_by_output(found) == archcalc.api.paths_by_output(analysis)
    rows = (*found.layers, *found.blocks, found.totals)
    assert {id(row.analysis) for row in rows} == {id(found)}


@pytest.mark.parametrize("way", WAYS)
def test_rows_stay_those_of_their_analysis(way: Callable[[Any], Any]) -> None:
    analysis = archcalc.analyze("resnet18")
    folded = [row for row in archcalc.tabulate(analysis, fold=True).rows if row.folded]
    rows = [analysis.layers[3], analysis.blocks[2], analysis.totals, folded[0]]
    for row in rows:
        assert way(row).name == row.name
        assert (way(row).params, way(row).kind) == (row.params, row.kind)
    together, *found = pickled([analysis, *rows])
    assert found[0] is together.layers[3]
    assert found[1] is together.blocks[2]
    assert found[2] is together.totals


@pytest.mark.parametrize("counting", ["thop", "paper"])
def test_rows_that_are_counted_otherwise(counting: str) -> None:
    rows = archcalc.tabulate("resnet20", counting=counting).rows
    found = pickled(rows)
    assert [(row.name, row.params, row.mult_adds) for row in found] == [
        (row.name, row.params, row.mult_adds) for row in rows
    ]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_found_of_a_network(way: Callable[[Any], Any]) -> None:
    memory = archcalc.memory("lenet5", in_place=True)
    found = way(memory)
    assert (found.in_place, found.peak, found.saved) == (True, memory.peak, memory.saved)
    for value in (
        archcalc.paths("resnet18"), archcalc.explain("lenet5"), archcalc.reproduce("lenet5"),
    ):  # fmt: skip
        assert way(value) == value


def test_a_verification() -> None:
    verification = archcalc.verify(deep(2))
    assert pickled(verification) == verification


@pytest.mark.parametrize("way", WAYS)
def test_specs_with_what_papers_print(way: Callable[[Any], Any]) -> None:
    family = of_spec(archcalc.load("mobilenet"))
    found = way(family)
    assert figures(archcalc.analyze(found.spec, alpha=0.5)) == figures(
        archcalc.analyze(family.spec, alpha=0.5)
    )
    assert family.claims
    for claim, other in zip(family.claims, found.claims, strict=True):
        numbers = dict.fromkeys(claim.where, 7)
        assert other.relation(numbers) == claim.relation(numbers)


@pytest.mark.parametrize("way", [pickled, copy.deepcopy])
def test_deep_and_nested_networks(way: Callable[[Any], Any]) -> None:
    """No link is followed from layer to layer, or from block to block: the stack would be full."""
    for graph in (deep(10_000), nested(400)):
        found = way(archcalc.analyze(graph))
        assert [node.path for node in found.graph.nodes] == [node.path for node in graph.nodes]
        assert [scope.path for scope in found.graph.root.walk()] == [
            scope.path for scope in graph.root.walk()
        ]
        assert found.totals.flops == archcalc.analyze(graph).totals.flops


@pytest.mark.parametrize("way", WAYS)
def test_what_there_is_once_stays_the_same(way: Callable[[Any], Any]) -> None:
    for window in (WHOLE, POINTWISE, HELD):
        assert way(window) is window


def test_ops_are_equal_in_another_process() -> None:
    """Hashes differ from process to process: an op that brought its own would be in no set."""
    code = (
        "import pickle, sys; from archcalc.ops import KINDS; "
        "op = pickle.load(sys.stdin.buffer); "
        "print(op in {KINDS['conv'](out=4, kernel=[3, 1], padding=1)})"
    )
    op = pickle.dumps(KINDS["conv"](out=4, kernel=[3, 1], padding=1))
    ran = subprocess.run([sys.executable, "-c", code], input=op, capture_output=True, check=True)
    assert ran.stdout.split() == [b"True"]


PLACE = Place("x.yaml", 3, 5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "error",
    [
        SpecError("no", place=PLACE, layer="a/b", hint="try"),
        SpecErrors([SpecError("no", place=PLACE), SpecError("nor this")]),
        GraphError("no", field="name", layer="a"),
        *(
            kind("no", place=PLACE, layer="a", hint="try")
            for kind in ArchcalcError.__subclasses__()
            if kind is not GraphError
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors(error: ArchcalcError, way: Callable[[Any], Any]) -> None:
    found = way(error)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found).keys() == vars(error).keys()
