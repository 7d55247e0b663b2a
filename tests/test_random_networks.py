"""Random networks: what the arithmetic says of them, and what PyTorch makes of them.

`benchmarks/differential.py` draws as many as one likes; a spec that it finds becomes a test here.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import random_checks as checks
import torch
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from random_faults import FAULTS, OURS
from random_specs import LARGE, SMALL, WIDE, Drawer, draw_spec, mutated, text_of

from archcalc.analysis import Analysis
from archcalc.analysis.paths import paths
from archcalc.errors import ArchcalcError, OutputError, SpecErrors
from archcalc.ops import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from random_faults import Fault
    from random_specs import Entries

    from archcalc.graph import Graph

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # A mutated spec's input may look as if it had the batch first: it is taken as it stands.
    pytest.mark.filterwarnings("ignore::archcalc.errors.InputWarning"),
]

RANDOM = st.randoms(use_true_random=False)  # its decisions are hypothesis', who makes them small


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small tensors are quicker so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@drawn(60)
@given(RANDOM)
def test_shapes_params_and_mult_adds(source: random.Random) -> None:
    checks.check_network(checks.graph_of(draw_spec(source, SMALL)))


@drawn(40)
@given(RANDOM)
def test_shapes_params_and_mult_adds_of_large_layers(source: random.Random) -> None:
    checks.check_network(checks.graph_of(draw_spec(source, LARGE)))


def test_several_outputs() -> None:
    """Table, paths, memory and derivations agree; few paths are so many that they aren't walked."""
    outputs, walked, branching = 0, 0, 0

    @drawn(25)
    @given(RANDOM)
    def check(source: random.Random) -> None:
        nonlocal outputs, walked, branching
        graph = checks.graph_of(draw_spec(source, SMALL, several_outputs=True))
        walked += checks.check_outputs(graph)
        outputs += len(graph.outputs)
        found = [paths(Analysis(graph), one.name).branches for one in graph.outputs]
        branching += any(found) and len(set(found)) > 1

    check()
    assert outputs > 50
    assert walked > 0.9 * outputs
    assert branching > 3


@pytest.mark.slow
@drawn(150)
@given(RANDOM)
def test_shapes_params_and_mult_adds_of_many(source: random.Random) -> None:
    checks.check_network(checks.graph_of(draw_spec(source, SMALL)))


@pytest.mark.slow
@drawn(40)
@given(RANDOM)
def test_several_outputs_are_verified(source: random.Random) -> None:
    graph = checks.graph_of(draw_spec(source, SMALL, several_outputs=True))
    checks.check_network(graph)
    checks.check_values(graph)
    checks.check_verified(graph)


@drawn(50)
@given(RANDOM)
def test_values_are_finite(source: random.Random) -> None:
    checks.check_values(checks.graph_of(draw_spec(source, SMALL)))


@drawn(80)
@given(RANDOM)
def test_receptive_fields(source: random.Random) -> None:
    checks.check_fields(checks.graph_of(draw_spec(source, WIDE)))


def test_receptive_fields_by_back_propagation() -> None:
    """A join that fits at one size only, say, can't be examined: no reason to compare few."""
    compared, left_out = 0, Counter[str]()

    @drawn(60)
    @given(RANDOM)
    def check(source: random.Random) -> None:
        nonlocal compared, left_out
        found = checks.check_gradients(checks.graph_of(draw_spec(source, WIDE)))
        compared, left_out = compared + found.fields, left_out + found.left_out

    check()
    assert compared > 50, left_out
    assert compared > left_out.total(), left_out


# A stride of 1,024 behind a window of 32; a skip connection cropped to what it joins, as U-Net's;
# and FCN's much padding, large transposed convolution and crop to the image.
LONG = """
input: [1, 32768]
layers:
  - conv: {out: 4, kernel: 32}
  - repeat: {times: 5, layers: [maxpool: {kernel: 4}, conv: {out: 4, kernel: 3}]}
"""
UNET = """
input: [1, 60, 60]
layers:
  - conv: {out: 4, kernel: 3, name: a}
  - maxpool: {kernel: 2}
  - conv: {out: 4, kernel: 3}
  - upsample: {scale: 2, name: up}
  - slice: {from: a, axis: 1, start: 2, stop: 56}
  - slice: {axis: 2, start: 2, stop: 56, name: crop}
  - concat: {from: [up, crop]}
  - conv: {out: 2, kernel: 3}
"""
FCN = """
input: [1, 64, 64]
layers:
  - conv: {out: 4, kernel: 3, padding: 50}
  - repeat: {times: 4, layers: [maxpool: {kernel: 2, ceil: true}, conv: {out: 4, kernel: 3}]}
  - conv: {out: 4, kernel: 5}
  - convtranspose: {out: 2, kernel: 32, stride: 16}
  - slice: {axis: 1, start: 10, stop: 64}
  - slice: {axis: 2, start: 10, stop: 64}
"""


@pytest.mark.parametrize(
    ("text", "fields"), [(LONG, 1), (UNET, 2), pytest.param(FCN, 2, marks=pytest.mark.slow)]
)
def test_no_field_is_left_out_behind_long_strides_and_crops(text: str, fields: int) -> None:
    found = checks.check_gradients(checks.graph_of(text))
    assert (found.fields, dict(found.left_out)) == (fields, {})


@pytest.mark.slow
def test_an_onnx_file_has_the_tensors_and_gives_the_values() -> None:
    """All are translated together: starting to takes longer than a layer."""
    onnx_file = pytest.importorskip("archcalc.pytorch.onnx_file")
    pytest.importorskip("onnxscript")
    graphs: list[Graph] = []

    @drawn(5)
    @given(RANDOM)
    def draw(source: random.Random) -> None:
        graphs.append(checks.graph_of(draw_spec(source, SMALL)))

    draw()
    templates = onnx_file.Templates(torch.float32)
    refused = []
    with suppress(ArchcalcError):  # of one layer of all that can't be written
        templates.learn(graphs)
    for graph in graphs:
        try:
            checks.check_onnx(graph, templates)
        except OutputError as error:
            refused.append(str(error))
    assert all("can write in ONNX" in said for said in refused)
    assert len(refused) < len(graphs) // 2, refused


@drawn(75)
@given(RANDOM)
def test_a_spec_with_one_word_changed_is_refused_or_right(source: random.Random) -> None:
    """Nothing but an ArchcalcError with its place comes out; what is accepted can be built."""
    text = mutated(draw_spec(source, SMALL), source)
    told: tuple[ArchcalcError, ...] = ()
    try:
        graph = checks.graph_of(text)
    except SpecErrors as error:
        told = error.errors
    except ArchcalcError as error:
        told = (error,)
    assert all(error.place for error in told)
    if not told:
        checks.check_network(graph)


# What was found, made smaller.

FOUND = {
    # a block's forward took the tuple of one part for the part itself
    "a_split_into_one_part": """
input: [5]
layers:
- split: {parts: 1}
- relu
""",
    # PyTorch's avg_pool3d alone compares the kernel with the input without its padding
    "a_3d_average_pool_larger_than_its_unpadded_input": """
input: [1, 6, 2, 8]
layers:
- avgpool: {kernel: [2, 3, 3], stride: 1, padding: 1, ceil: true}
""",
    # along the other axis the kernel sees padding alone, so that nothing is seen along this one
    "a_map_that_sees_padding_alone": """
input: [1, 1, 21]
layers:
- conv: {out: 3, kernel: 1, stride: 3, padding: 1, dilation: 3}
- relu
""",
    # back-propagation keeps the other axis short; so short that its windows held padding alone
    "a_stride_that_skips_a_short_axis": """
input: [2, 8, 17]
layers:
- conv: {out: 3, kernel: 3, stride: 3, padding: [[2, 3], [3, 1]]}
""",
    "a_pool_behind_which_nothing_is_seen": """
input: [1, 24, 15]
layers:
- maxpool: {kernel: 1, switches: true}
- conv: {out: 3, kernel: [2, 5], stride: 3, padding: [[2, 2], [2, 0]]}
""",
    "a_dilated_window_around_a_short_axis": """
input: [3, 19, 19]
layers:
- maxpool: {kernel: [1, 2], stride: [1, 2], padding: same_tf, dilation: 2}
""",
    "a_transposed_convolution_that_leaves_a_short_axis": """
input: [1, 12, 12]
layers:
- convtranspose: {out: 1, kernel: 1, stride: 3, padding: 1}
""",
    "an_unpooling_that_leaves_nothing_of_a_short_axis": """
input: [1, 13, 12]
layers:
- maxpool: {name: pool, kernel: 2, padding: 1, switches: true}
- maxunpool: {kernel: 2, padding: 1, size: [13, 12], switches: pool}
""",
    # PyTorch goes back through nearest upsampling with a ratio in float32, also for doubles
    "nearest_upsampling_with_another_way_back": """
input: [2, 10]
layers:
- upsample: {size: 23}
""",
    "nearest_upsampling_of_one_of_two_axes": """
input: [2, 13, 9]
layers:
- upsample: {size: [11, 9]}
""",
    # what comes out of the part has as many in front, but no axis of the input's
    "a_part_that_flattens": """
input: [2, 3, 49]
blocks:
  flat: {layers: [flatten]}
layers:
- flat: {times: 2}
- tanh
""",
    # whole positions, of which rounding made the next one seen with a weight of 1e-14
    "linear_upsampling_at_whole_positions": """
input: [2, 9]
layers:
- upsample: {size: 7, mode: linear}
""",
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    graph = checks.graph_of(FOUND[name])
    checks.check_network(graph)
    checks.check_values(graph)
    checks.check_fields(graph)
    assert not checks.check_gradients(graph).left_out


# What is drawn.


@cache
def specs() -> list[str]:
    return [draw_spec(random.Random(seed), SMALL) for seed in range(300)]


def test_every_kind_is_drawn_often() -> None:
    """Else the comparisons would say little: each kind in at least one of 50 networks."""
    found: Counter[str] = Counter()
    for text in specs():
        found.update({node.op.kind for node in checks.graph_of(text).nodes})
    assert set(found) == set(KINDS)
    rare = {kind: count for kind, count in found.items() if count < len(specs()) / 50}
    assert not rare


@pytest.mark.parametrize(
    "part",
    [
        "groups:", "dilation:", "padding: same", "padding: same_tf", "padding: valid", "ceil: true",
        "extra:", "table:", "switches: true", "count_padding:", "mode: linear", "scale:", "size:",
        "weights:", "from:", "gate:", "blocks:", "arguments:", "required", "repeat:", "for:",
        "when:", "outputs:", "auxiliary: true", "settings:", "channels", "width", "height", "base",
        "bias: false", "affine: false", "shared: true", ".0", "from: input", "times: 0",
        "times: channels", "samples:", "scales: [1, 2]", "ratios: [0.5, 1, 2]",
    ],
)  # fmt: skip
def test_the_whole_language_is_drawn(part: str) -> None:
    assert sum(part in text for text in specs()) >= 3


def sorts_of_parts(graph: Graph) -> set[str]:
    """What a network has of parts that are applied several times."""
    scopes = list(graph.root.walk())
    parts = [scope for scope in scopes if scope.applications is not None]
    called = {(scope.kind, scope.applications is None) for scope in scopes}
    entries = [part.entry for part in parts if part.entry is not None]
    exits = {scope.exit.node for scope in scopes if scope.exit is not None}
    taken = {(tensor.node, node.scope.level) for node in graph.layers for tensor in node.inputs}
    taken |= {(output.tensor.node, 0) for output in graph.outputs}
    deeper = {i for i, level in taken if graph.nodes[i].scope.level > level}
    found = {
        "several times": any((part.applications or 0) > 1 for part in parts),
        "once": any(part.applications == 1 for part in parts),
        "in another": any(part.level > 1 for part in parts),
        "on regions": "roialign" in {graph.nodes[entry.node].op.kind for entry in entries},
        "a block with and without": any((part.kind, True) in called for part in parts),
        "weights of another": any(node.shared_with and node.scope.level for node in graph.layers),
        "a layer inside taken outside": bool(deeper - exits),
    }  # fmt: skip
    return {name for name, holds in found.items() if holds}


def test_parts_applied_several_times_are_drawn_often() -> None:
    found: Counter[str] = Counter()
    for text in specs():
        found.update(sorts_of_parts(checks.graph_of(text)))
    assert found["several times"] > len(specs()) / 4
    assert len(found) == 7
    assert min(found.values()) >= 5, found


def test_inputs_of_every_rank_are_drawn() -> None:
    ranks: Counter[int] = Counter()
    for text in specs()[:100]:
        graph = checks.graph_of(text)
        ranks[len(graph.input.facts.outputs[0]) - 1] += 1
    assert set(ranks) == {0, 1, 2, 3}
    assert min(ranks.values()) >= 10


def test_many_positions_are_compared() -> None:
    """Positions beside borders are left out; most networks have others, at many layers."""
    compared = [
        checks.check_fields(checks.graph_of(draw_spec(random.Random(seed), WIDE)))
        for seed in range(20)
    ]
    assert sum(compared) > 3000
    assert sum(count > 50 for count in compared) >= 10


# That the comparisons can fail.


CHAIN = """
input: [2, 40]
layers:
- conv: {name: one, out: 4, kernel: 3, dilation: 2, groups: 2}
- maxpool: {name: two, kernel: 2}
- convtranspose: {name: three, out: 2, kernel: 3, stride: 2}
"""


@pytest.mark.parametrize("fact", ["outputs", "params", "mult_adds"])
def test_a_wrong_fact_is_found(fact: str) -> None:
    graph = checks.graph_of(CHAIN)
    node = graph.layers[0]
    wrong = {"outputs": ((4, 37),), "params": 1, "mult_adds": node.facts.mult_adds + 1}
    node.facts = node.facts._replace(**{fact: wrong[fact]})
    with pytest.raises(checks.Disagreement, match="layer one: "):
        checks.check_network(graph)


@pytest.mark.parametrize("check", [checks.check_fields, checks.check_gradients])
@pytest.mark.parametrize("layer", ["one", "two", "three"])
@pytest.mark.parametrize(("field", "change"), [("kernel", 1), ("before", 1), ("stride", 1)])
def test_a_wrong_window_is_found(
    layer: str, field: str, change: int, check: Callable[[Graph], Any]
) -> None:
    graph = checks.graph_of(CHAIN)
    node = next(node for node in graph.layers if node.path == layer)
    [[window]] = node.facts.windows
    wrong = window._replace(**{field: getattr(window, field) + change})
    node.facts = node.facts._replace(windows=((wrong,),))
    with pytest.raises(checks.Disagreement, match=f"layer {layer}: axis 0"):
        check(graph)


# Specs that can't be.


def around(bad: Entries, drawer: Drawer, before: Entries) -> dict[str, Any]:
    """The layers in the network itself, in a block or in a branch."""
    where = drawer.integer(0, 2)
    if where == 1:
        return {"blocks": {"box": {"layers": bad}}, "layers": [*before, {"box": {"name": "inner"}}]}
    if where == 2:
        return {"layers": [*before, {"concat": {"side": bad}}]}
    return {"layers": [*before, *bad]}


def faulty(fault: Fault, source: random.Random) -> tuple[str, Any, tuple[int, ...]] | None:
    """A spec with a fault behind a random layer or two, and PyTorch's version of the fault."""
    drawer = Drawer(source, SMALL)
    shape = (drawer.integer(1, 8), *drawer.axes_of(drawer.pick([2, 1, 3])))
    before: Entries = []
    drawer.flat = False
    out = drawer.chain(before, shape, drawer.integer(0, 2))
    found = fault(drawer, out)
    if found is None:
        return None
    layers, theirs = found
    spec = around(layers, drawer, before)
    blocks = {**drawer.blocks, **spec.get("blocks", {})}
    text = text_of({"input": list(shape), **spec, **({"blocks": blocks} if blocks else {})})
    return text, theirs, out


def refusal(text: str) -> ArchcalcError:
    with pytest.raises(ArchcalcError) as caught:
        checks.graph_of(text)
    error: Any = caught.value
    return error.errors[0] if isinstance(error, SpecErrors) else error  # type: ignore[no-any-return]


def names_the_layer(error: ArchcalcError, text: str) -> None:
    """Its name, its place in the file, what was expected and what was received."""
    assert error.layer is not None
    assert "bad" in error.layer.split("/"), error  # a join may be a level of its own
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines, start=1) if "name: bad" in line)
    assert error.place is not None
    assert at - 1 <= error.place.line <= at + 8, error
    assert "expected" in error.message
    assert "received" in error.message


REFUSALS = (RuntimeError, ValueError, IndexError, TypeError)


def asked(theirs: Any, shape: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensors without elements
        theirs(torch.zeros(2, *shape))


@pytest.mark.parametrize("name", FAULTS)
def test_what_can_not_be_is_refused_by_both(name: str) -> None:
    seen = 0

    @drawn(9)
    @given(RANDOM)
    def check(source: random.Random) -> None:
        nonlocal seen
        found = faulty(FAULTS[name], source)
        if found is None:
            return
        text, theirs, shape = found
        names_the_layer(refusal(text), text)
        with pytest.raises(REFUSALS):
            asked(theirs, shape)
        seen += 1

    check()
    assert seen >= 3


@pytest.mark.parametrize("name", OURS)
def test_what_archcalc_alone_refuses(name: str) -> None:
    """Each with its reason in its docstring; where PyTorch no longer takes it, it moves up."""
    seen = 0

    @drawn(6)
    @given(RANDOM)
    def check(source: random.Random) -> None:
        nonlocal seen
        found = faulty(OURS[name], source)
        if found is None:
            return
        text, theirs, shape = found
        names_the_layer(refusal(text), text)
        asked(theirs, shape)
        seen += 1

    check()
    assert OURS[name].__doc__
    assert seen >= 3


# The long run.


@pytest.fixture
def differential(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    return import_module("differential")


def test_a_long_run_prints_what_it_compared(
    differential: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["differential.py", "-n", "8", "--seed", "3"])
    assert differential.main() == 0
    out = capsys.readouterr().out
    assert "8 of 8 networks, seed 3" in out
    assert "small: 2, refused 0" in out
    assert "0 wrong" in out


def test_a_long_run_prints_a_small_spec_of_what_is_wrong(
    differential: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Say that every convolution were wrong: little more than one is left."""

    def wrong(graph: Graph) -> None:
        if any(node.op.kind == "conv" for node in graph.nodes):
            raise checks.Disagreement("layer conv: expected none, received one")

    sort = differential.Sort(SMALL, (wrong,))
    monkeypatch.setattr(differential, "SORTS", {"small": sort})
    monkeypatch.setattr("sys.argv", ["differential.py", "-n", "4"])
    assert differential.main() == 1
    captured = capsys.readouterr()
    assert "wrong: network " in captured.err
    spec = captured.out.split("\n# small network ")[1]
    text = "".join(line for line in spec.splitlines(True)[1:] if not line.startswith("#"))
    kinds = [node.op.kind for node in checks.graph_of(text).layers]
    assert "conv" in kinds
    assert len(kinds) <= 5


def test_a_long_run_that_is_stopped_prints_what_was_done(
    differential: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*given: int) -> Iterator[Any]:
        yield differential.examine(0, given[1])
        raise KeyboardInterrupt

    monkeypatch.setattr(differential, "run", stopped)
    monkeypatch.setattr("sys.argv", ["differential.py", "-n", "5"])
    assert differential.main() == 130
    assert "1 of 5 networks" in capsys.readouterr().out
