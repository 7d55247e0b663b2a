"""Derivations: each text, evaluated by another interpreter than the formulas', gives the number."""

from __future__ import annotations

import io
import json
import random
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from random_specs import WIDE, draw_spec
from test_receptive_field import Grower
from zoo import NETWORKS, REPEATED, SAMPLED, with_slow

from archcalc import analyze
from archcalc.analysis import Analysis
from archcalc.analysis.explain import Explanation, explain
from archcalc.analysis.receptive_field import AxisField, fields
from archcalc.cli import streams
from archcalc.errors import NetworkNotFound
from archcalc.ops import OPERATIONS
from archcalc.report import explanations
from archcalc.report.formats import of_explanations
from archcalc.spec import library
from archcalc.spec.expressions import LONGEST, Expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis.explain import Derivation
    from archcalc.analysis.field_way import Path, Step
    from archcalc.analysis.rows import Row

MOST_BLOCKS = 25  # of one network; the blocks of very deep ones are all alike

# One of everything: padding words, dilation, groups, ceil mode, transposed convolutions, switches,
# gates, shared weights, several outputs, uneven receptive fields.
EVERYTHING = """
input: [4, 37, 29]
layers:
  - conv: {name: same, out: 8, kernel: [3, 5], padding: same, dilation: 2}
  - prelu
  - conv: {name: tf, out: 8, kernel: 4, stride: 3, padding: same_tf, groups: 4, bias: false}
  - groupnorm: {groups: 2}
  - hardswish
  - conv: {name: uneven, out: 8, kernel: 3, stride: 2, padding: [[0, 1], [1, 1]]}
  - layernorm
  - gelu
  - upsample: {scale: 3, mode: linear}
  - conv: {name: rough, out: 8, kernel: 3, padding: 1}
  - maxpool: {name: down, kernel: 3, stride: 2, ceil: true, switches: true}
  - conv: {name: inner, out: 8, kernel: 3, padding: 1}
  - sigmoid
  - conv: {name: again, out: 8, kernel: 3, padding: 1, weights: inner}
  - maxunpool: {kernel: 3, stride: 2, size: [18, 15], switches: down}
  - convtranspose: {name: up, out: 8, kernel: 4, stride: 2, padding: 1, extra: 1, groups: 2}
  - split: {name: halves, parts: 2}
  - conv: {name: left, from: halves.0, out: 6, kernel: 3, stride: 2}
  - conv: {name: right, from: halves.1, out: 6, kernel: 5, stride: 2, padding: 1}
  - add: {name: both, from: [left, right]}
  - concat:
      name: mixed
      plain: []
      wide: [conv: {out: 3, kernel: 3, padding: 1, dilation: 1}]
      halved: [avgpool: {kernel: 3, stride: 1, padding: 1}]
  - multiply:
      name: se
      body: []
      gate: [globalavgpool, flatten, linear: {out: channels}, hardsigmoid]
  - channelshuffle: {groups: 3}
  - slice: {axis: 2, start: 1, step: 2}
  - pad: {padding: [[0, 2], [1, 0]]}
  - adaptivemaxpool: {size: [5, 4]}
  - adaptiveavgpool: {size: 3}
  - lrn
  - subsample: {kernel: 2, stride: 1}
  - flatten
  - dropout
  - linear: {out: 12, bias: false}
  - elu
  - rbf: {name: far, out: 5}
  - softmax: {name: end}
outputs: [end]
"""


def everything(**options: Any) -> Analysis:
    return analyze(library.parse(EVERYTHING, "everything.yaml"), **options)


ANALYSES = {name: (lambda name=name: analyze(name)) for name in NETWORKS} | {
    "googlenet with heads": lambda: analyze("googlenet", auxiliary=True, batch=3),
    "resnet50 A": lambda: analyze("resnet50", shortcuts="A", stride_on_3x3=True),
    "resnet18 C": lambda: analyze("resnet18", shortcuts="C", resolution=193, dtype="int8"),
    "mobilenet thin": lambda: analyze("mobilenet", alpha=0.25, resolution=127),
    "everything": everything,
    "everything in a batch": lambda: everything(batch=7, dtype="bfloat16"),
}


# The evaluator: archcalc.spec.expressions shares no code with archcalc.formula.


def evaluated(text: str) -> Fraction:
    """A derivation's text, exactly; a long sum term by term, as expressions are bounded."""
    if len(text) <= LONGEST:
        return Fraction(Expression(text)({}, ()))
    return sum((evaluated(term) for term in terms(text)), Fraction(0))


def terms(text: str) -> Iterator[str]:
    """What is added at the top level."""
    depth, term = 0, ""
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "+" and depth == 0:
            yield term
            term = ""
        else:
            term += sign
    assert term != text, "one long term"
    yield term


def check(derivation: Derivation | Step, value: Any) -> None:
    """The text gives the value: exactly, or to the last bit where the value is a float."""
    result = evaluated(derivation.text)
    if isinstance(value, float):
        assert float(result) == value, derivation
    else:
        assert result == value, derivation


# What the table says of a quantity.


def figures(row: Row) -> dict[str, Any]:
    """Every quantity that must be derived, with the row's own figure."""
    found = {
        "params": row.params,
        "Mult-Adds": row.mult_adds,
        "FLOPs": row.flops,
        "connections": row.connections,
        "neurons": row.neurons,
        "output elements": row.output_elements,
        "output bytes": row.output_bytes,
        "weight bytes": row.weight_bytes,
        "bytes moved": row.bytes_moved,
        "live bytes": row.live_bytes,
        "saved bytes": row.saved_bytes,
        "arithmetic intensity": row.arithmetic_intensity,
        "share of Mult-Adds": row.share,
        "share of params": row.params_share,
    }
    scope = row.node.scope if row.node else row.scope
    if scope and scope.level:
        found["times"] = row.times
    if row.buffers:
        found["buffers"] = row.buffers
    if row.shared_with:
        found[f"params (counted at {row.shared_with})"] = found.pop("params")
    return found


def layer_figures(row: Row) -> dict[str, Any]:
    assert row.node is not None
    found = figures(row)
    if row.shared_with:
        found.pop("buffers", None)
    found |= {name: count for name, count in zip(OPERATIONS, row.operations, strict=True) if count}
    for tensor in row.node.op.parameters(row.node.facts.inputs):
        found[tensor.name if tensor.trainable else f"{tensor.name} (buffer)"] = tensor.size
    return found | field_figures(row)


def words(rank: int) -> list[str]:
    if rank > 3:
        return [f"x{i + 1}" for i in range(rank)]
    return ["depth", "height", "width"][3 - rank :]


def field_figures(row: Row) -> dict[str, Any]:
    along = row.receptive_field
    found: dict[str, Any] = {}
    for word, field in zip(words(len(along)), along, strict=True):
        if isinstance(field, AxisField):
            found[f"receptive field size, {word}"] = field.size
            if field.start is not None:  # output 0 sees something
                found[f"receptive field start, {word}"] = field.start
            found[f"receptive field stride, {word}"] = field.stride
    return found


def dimension(row: Row, quantity: str) -> int | None:
    """The output dimension that a quantity such as `output height of switches` names."""
    match = re.fullmatch(
        r"output (regions|channels|depth|height|width|features)(?: of (\w+))?", quantity
    )
    if not match:
        return None
    assert row.node is not None
    port = row.node.op.ports.index(match[2] or "output") if match[2] else 0
    front = ["regions"] if row.node.op.front else []
    rank = len(row.outputs[port]) - 1 - len(front)
    names = [*front, *(["channels", *words(rank)] if rank else ["features"])]
    return row.outputs[port][names.index(match[1])]


def padded(row: Row, quantity: str) -> int | None:
    match = re.fullmatch(r"padding, (depth|height|width|x\d), both sides", quantity)
    if not match:
        return None
    assert row.window is not None
    return sum(row.window.padding[words(len(row.window.padding)).index(match[1])])


def tap(row: Row, quantity: str) -> int | None:
    """The first or last position that an output takes of an input, from the window itself."""
    match = re.fullmatch(
        r"(first tap u|last tap v)(?: of input (\d+))? for output (\d+), (depth|height|width)",
        quantity,
    )
    if not match:
        return None
    assert row.node is not None
    windows: Any = row.node.facts.windows[int(match[2] or 1) - 1]
    taps = windows[words(len(windows)).index(match[4])].taps(int(match[3]))
    return taps[0] if match[1] == "first tap u" else taps[-1]  # type: ignore[no-any-return]


def last_seen(row: Row, quantity: str) -> int | None:
    """The last position of the network's input that one of several branches sees."""
    match = re.fullmatch(r"last position e(\d+) that input \1 sees, (depth|height|width)", quantity)
    if not match:
        return None
    assert row.node is not None
    axis = row.level + words(len(row.receptive_field)).index(match[2])
    states = [row.analysis.receptive_states[tensor.node] for tensor in row.node.inputs]
    field = list(dict.fromkeys(fields(state)[axis] for state in states))[int(match[1]) - 1]
    assert isinstance(field, AxisField)
    return field.start + field.size - 1


WITH_SLOW = with_slow(ANALYSES)


@pytest.mark.parametrize("name", WITH_SLOW)
def test_every_derivation_gives_the_number_in_the_table(name: str) -> None:
    analysis = ANALYSES[name]()
    explained = list(explain(analysis))
    assert [one.name for one in explained] == [
        *(row.name for row in analysis.layers), analysis.totals.name
    ]  # fmt: skip
    for row, one in zip(analysis.layers, explained, strict=False):
        check_layer(row, one)
    check_sums(analysis.totals, explained[-1])


@pytest.mark.parametrize("seed", range(30))
def test_every_derivation_of_random_networks(seed: int) -> None:
    """Any number of axes, parts applied several times, regions."""
    text = draw_spec(random.Random(seed), WIDE)
    analysis = analyze(library.parse(text, "random.yaml"), batch=seed % 3 + 1)
    for row, one in zip(analysis.layers, explain(analysis), strict=False):
        check_layer(row, one)
    for row in analysis.blocks[:MOST_BLOCKS]:
        [one] = explain(analysis, row.name)
        check_sums(row, one)
    for row in analysis.layers[:MOST_BLOCKS]:
        check_ways(row)


def check_ways(row: Row) -> None:
    """A way for each axis that has a field, with true steps and a true note."""
    [one] = explain(row.analysis, row.name)
    fields = dict(zip(words(len(row.receptive_field)), row.receptive_field, strict=True))
    told = [word for path in one.paths for word in path.axis.split(" and ")]
    assert sorted(told) == sorted(w for w, one in fields.items() if isinstance(one, AxisField))
    for path in one.paths:
        field = fields[path.axis.split(" and ")[0]]
        assert isinstance(field, AxisField)
        for step in (*path.forward, *path.backward):
            check(step, step.size)
        assert (path.forward[-1].size if path.forward else 1) == field.size
        check_note(path, field)


def named(derivation: Derivation) -> str:
    """The quantity, without what figures of memory and of applications say besides."""
    pattern = r"^(live|saved) bytes(, the most| \(the rest counted at .*\))$"
    applied = re.sub(r"^times t, as .* is applied$", "times", derivation.quantity)
    return re.sub(pattern, r"\1 bytes", applied)


def check_layer(row: Row, one: Explanation) -> None:
    wanted = layer_figures(row)
    for derivation in one.derivations:
        value = wanted.pop(named(derivation), None)
        if value is None:
            value = dimension(row, derivation.quantity)
        if value is None:
            value = padded(row, derivation.quantity)
        if value is None:
            value = tap(row, derivation.quantity)
        if value is None:
            value = last_seen(row, derivation.quantity)
        if value is None and derivation.quantity in OPERATIONS:
            value = 0
        assert value is not None, (row.name, derivation.quantity)
        assert derivation.value == value, (row.name, derivation)
        check(derivation, value)
    assert not wanted, row.name


def check_sums(row: Row, one: Explanation) -> None:
    wanted = {"buffers": row.buffers, "depth": row.depth, **figures(row)}
    for derivation in one.derivations:
        value = wanted.pop(named(derivation))
        assert derivation.value == value, (row.name, derivation)
        check(derivation, value)
    assert not wanted, row.name


@pytest.mark.parametrize("name", WITH_SLOW)
def test_every_derivation_of_a_block_is_the_sum_of_its_parts(name: str) -> None:
    analysis = ANALYSES[name]()
    blocks = analysis.blocks
    for row in blocks[:: len(blocks) // MOST_BLOCKS + 1]:
        [one] = explain(analysis, row.name)
        check_sums(row, one)


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16", "googlenet", "resnet50",
                                  "mobilenet", "resnet50 A", "everything"])  # fmt: skip
def test_every_step_of_every_way_gives_the_next_field(name: str) -> None:
    analysis = ANALYSES[name]()
    for row in analysis.layers:
        [one] = explain(analysis, row.name)
        known = [field for field in row.receptive_field if isinstance(field, AxisField)]
        assert sum(path.axis.count(" and ") + 1 for path in one.paths) == len(known)
        for path in one.paths:
            field = row.receptive_field[0 if path.axis.startswith("height") else 1]
            check_path(path, field, analysis)


def check_path(path: Path, field: Any, analysis: Analysis) -> None:
    for step in path.forward:
        check(step, step.size)
        own = analysis.find(step.layer).receptive_field
        along = own[0 if path.axis.startswith("height") else 1]
        assert (step.size, step.stride, step.start) == along[:3]
    for step in path.backward:
        check(step, step.size)
    assert (path.forward[-1].size if path.forward else 1) == field.size
    check_note(path, field)
    if path.rule.startswith("from output 0") and "agree" in path.note:
        assert path.backward[-1].start == field.start


def check_note(path: Path, field: AxisField) -> None:
    """The note says of both directions what is true of them."""
    back = path.backward[-1].size if path.backward else 1
    if path.note == f"Forward and backward agree: {field.size}.":
        assert back == field.size
        stride = path.backward[-1].stride if path.backward else 1
        assert stride == field.stride or not field.aligned
    elif path.note.startswith("This widest single path"):
        assert path.note == (
            f"This widest single path sees {back}; the branches together see {field.size}."
        )
        assert back < field.size
    else:
        assert path.note == (
            "Backward, the positions between taps are counted in, too: "
            f"{back}; the taps see {field.size}."
        )
        assert back > field.size


def test_ways_through_chains_agree_in_both_directions() -> None:
    """Where there is no branch, always."""
    for name in ("lenet5", "alexnet", "vgg19", "mobilenet"):
        analysis = analyze(name)
        for row in analysis.layers:
            [one] = explain(analysis, row.name)
            assert all(path.note.startswith("Forward and backward agree") for path in one.paths)


def test_derivations_of_random_graphs_hold() -> None:
    """Odd graphs of all sorts, one spatial axis."""
    notes = set()
    for number in range(60):
        analysis = Analysis(Grower(f"explain/{number}").graph(), batch=2)
        for row in analysis.layers:
            [one] = explain(analysis, row.name)
            wanted = field_figures(row)
            for derivation in one.derivations:
                check(derivation, derivation.value)
                value = wanted.pop(derivation.quantity, derivation.value)
                assert value == derivation.value, (row.name, derivation)
            assert not wanted, row.name
            for path in one.paths:
                for step in (*path.forward, *path.backward):
                    check(step, step.size)
                [field] = row.receptive_field
                assert isinstance(field, AxisField)
                check_note(path, field)
                notes.add(path.note.split()[0])
    assert notes == {"Forward", "This", "Backward,"}


@pytest.mark.parametrize("seed", [0, 116, 123, 133, 136, 162, 329, *range(200, 230)])
def test_odd_graphs_are_explained_in_both_directions(seed: int) -> None:
    """Among them branches that are uneven alone but even together, and outputs that see nothing."""
    analysis = Analysis(Grower(f"last/{seed}").graph())
    for row in analysis.layers:
        [one] = explain(analysis, row.name)
        wanted = field_figures(row)
        for derivation in one.derivations:
            assert wanted.pop(derivation.quantity, derivation.value) == derivation.value
        for path in one.paths:
            [field] = row.receptive_field
            assert isinstance(field, AxisField)
            check_note(path, field)


BACK_AND_FORTH = """
input: [3, 64, 64]
layers:
  - conv: {name: c1, out: 8, kernel: 3, stride: 2, padding: 1}
  - maxpool: {name: down, kernel: 2, switches: true}
  - conv: {name: c2, out: 8, kernel: 3, padding: 1}
  - maxunpool: {name: unpool, kernel: 2, switches: down}
  - convtranspose: {name: up, out: 8, kernel: 4, stride: 2, padding: 1}
  - upsample: {name: linear, scale: 2, mode: linear}
  - upsample: {name: nearest, size: [96, 96]}
  - conv: {name: c3, out: 8, kernel: 5, padding: 2}
  - adaptiveavgpool: {name: pool, size: 7}
"""


def test_back_and_forth_agree() -> None:
    """Down and up again: from one output's taps, each layer's, to the input's positions."""
    analysis = analyze(library.parse(BACK_AND_FORTH, "back.yaml"))
    for row in analysis.layers:
        [one] = explain(analysis, row.name)
        [path] = one.paths
        assert path.note.startswith("Forward and backward agree"), row.name
        assert path.backward[-1].layer == "c1"
        check_path(path, row.receptive_field[0], analysis)


def test_a_transposed_convolution_by_hand() -> None:
    """After conv 3/2/1 and pool 2/2 (r = 5, j = 4, a = -1), conv 3/1/1: r = 13, a = -5, j = 4.

    Unpooling by 2: output i sees position floor(i/2): the field stays 13, the stride is 2. Then
    transposed, kernel 4, stride 2, padding 1: output 0 is reached from positions -1 and 0, through
    elements 3 and 1 of the kernel: from those of c2's positions -1 and 0: -5 - 4 to -5 + 12, 17.
    """
    analysis = analyze(library.parse(BACK_AND_FORTH, "back.yaml"))
    assert analysis.find("c2").receptive_field[0] == AxisField(13, 4, -5)
    assert analysis.find("unpool").receptive_field[0] == AxisField(13, 2, -5, uniform=False)
    assert analysis.find("up").receptive_field[0] == AxisField(17, 1, -9, uniform=False)
    text = explanations.as_text(explain(analysis, "up"), "terminal")
    assert "ceil((i + p - k + 1)/s) = ceil((0 + 1 - 4 + 1)/2) = -1" in text
    assert "floor((i + p)/s) = floor((0 + 1)/2) = 0" in text
    assert "(7 + floor(0/2)*4) - (-5 + floor(-1/2)*4) + 1 = 17" in text


def test_the_check_can_fail() -> None:
    [one] = explain(analyze("lenet5"), "C1")
    wrong = one.derivations[0]._replace(text="6 + 1")
    with pytest.raises(AssertionError):
        check(wrong, wrong.value)


def test_repeated_scopes_are_multiplied_out() -> None:
    from test_costs import repeated

    analysis = repeated(5, inner=3)
    for row, one in zip(analysis.layers, explain(analysis), strict=False):
        check_layer(row, one)
    [one] = explain(analysis, "head")
    check_sums(analysis.find("head"), one)


# As one would write it by hand: the issue's own examples, literally.


def terminal(network: str, layer: str, **settings: Any) -> str:
    return explanations.as_text(explain(analyze(network, **settings), layer), "terminal")


def test_alexnets_first_convolution() -> None:
    """Document 002: (227 - 11 + 2*0)/4 + 1 = 55, and 96 kernels of 11x11x3."""
    text = terminal("alexnet", "conv1")
    assert "(227 - 11 + 2*0)/4 + 1 = 55" in text
    assert "96*(3*11*11 + 1) = 34,944" in text
    assert "55*55*96*3*11*11 = 105,415,200" in text


def test_lenets_third_layer() -> None:
    """LeCun et al. 1998: 1,516 parameters and 151,600 connections."""
    text = terminal("lenet5", "C3")
    rows = "6*(3*5*5 + 1) + 6*(4*5*5 + 1) + 3*(4*5*5 + 1) + 1*(6*5*5 + 1)"
    assert f"{rows} = 1,516" in text
    assert "10*10*1,516 = 151,600" in text


def test_lenets_subsampling() -> None:
    """12 parameters and 5,880 connections: four inputs and a bias at each of 14*14*6 outputs."""
    text = terminal("lenet5", "S2")
    assert "2*6 = 12" in text
    assert "14*14*6*(2*2 + 1) = 5,880" in text


def test_the_backward_formula_of_the_documents() -> None:
    """Document 003: f_i = (f_(i+1) - 1)*stride + kernel."""
    text = terminal("lenet5", "C3")
    assert "backward, f_i = (f_(i+1) - 1)*stride + kernel:" in text
    for line in ("C3  (1 - 1)*1 + 5 = 5", "S2  (5 - 1)*2 + 2 = 10", "C1  (10 - 1)*1 + 5 = 14"):
        assert line in text
    assert "Forward and backward agree: 14." in text


def test_the_form_a_person_would_choose() -> None:
    """No dilation where there is none, a floor only where there is a remainder."""
    assert "(224 - 3 + 2*1)/1 + 1 = 224" in terminal("vgg16", "conv1_1")
    assert "floor((224 - 7 + 2*3)/2) + 1 = 112" in terminal("resnet50", "conv1")
    text = explanations.as_text(explain(everything(), "same"), "terminal")
    assert "37 - 2*(3 - 1) - 1" in text


def test_where_it_is_declared() -> None:
    text = terminal("lenet5", "C3")
    assert re.search(r"declared at .*lenet5\.yaml:\d+:\d+", text)


# Which layer.


@pytest.mark.parametrize(
    ("network", "part", "name"),
    [
        ("lenet5", "C3", "C3"),
        ("lenet5", "c3", "C3"),
        ("lenet5", "put", "output"),
        ("googlenet", "3a", "inception_3a"),
        ("googlenet", "Inception 3a", "inception_3a"),
        ("googlenet", "4a/pool", "inception_4a/pool"),
        ("googlenet", "3a/pool/proj", "inception_3a/pool/proj"),
        ("resnet50", "conv1", "conv1"),
        ("resnet50", "5_3/body/conv2", "conv5_3/body/conv2"),
        ("vgg16", "conv53", "conv5_3"),
    ],
)
def test_a_unique_part_of_the_name_is_enough(network: str, part: str, name: str) -> None:
    [one] = explain(analyze(network), part)
    assert one.name == name


def test_an_ambiguous_part_lists_what_it_matches() -> None:
    with pytest.raises(
        NetworkNotFound, match=r"expected one layer, received 'S', a part of \d+ names; \w+"
    ) as caught:
        explain(analyze("lenet5"), "S")
    assert "S2" in str(caught.value)
    with pytest.raises(
        NetworkNotFound, match="expected one layer, received 'reduce', a part of 19 names"
    ) as caught:
        explain(analyze("googlenet"), "reduce")
    assert "inception_3a/3x3/reduce" in str(caught.value)


def test_an_unknown_layer_is_answered_with_near_ones() -> None:
    wanted = "expected a layer of alexnet, received 'covn5'; did you mean conv5"
    with pytest.raises(NetworkNotFound, match=wanted):
        explain(analyze("alexnet"), "covn5")


# Formats.


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "everything"])
def test_json_carries_every_derivation(name: str) -> None:
    analysis = ANALYSES[name]()
    data = json.loads(explanations.as_text(explain(analysis), "json"))
    assert data["schema_version"] == 1
    assert [one["name"] for one in data["layers"]] == [one.name for one in explain(analysis)]
    for layer in data["layers"]:
        for derivation in layer["derivations"]:
            assert set(derivation) == {"quantity", "formula", "expression", "value"}
            value = derivation["value"]
            value = Fraction(value) if isinstance(value, str) else value  # a stride such as 32/3
            result = evaluated(derivation["expression"])
            assert (float(result) if isinstance(value, float) else result) == value


def test_json_of_one_layer_has_its_way() -> None:
    data = json.loads(explanations.as_text(explain(analyze("lenet5"), "C3"), "json"))
    [way] = data["layers"][0]["receptive_field"]
    assert way["axis"] == "height and width"
    assert [step["layer"] for step in way["forward"]] == ["C1", "S2", "C3"]
    assert [step["size"] for step in way["backward"]] == [5, 10, 14]


def cells(line: str) -> list[str]:
    """The cells of a markdown table's line, split where GitHub splits them."""
    return re.split(r"(?<!\\)\|", line.strip()[1:-1])


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "everything"])
def test_markdown_tables_have_four_cells_in_every_line(name: str) -> None:
    text = explanations.as_text(explain(ANALYSES[name]()), "markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines
    assert {len(cells(line)) for line in lines} == {4}
    assert text.count("### ") == len(ANALYSES[name]().layers) + 1


ODD_NAMES = """
input: [1, 8, 8]
layers:
  - add:
      "a|b`c``d": [conv: {name: "e|f*g_h`", out: 1, kernel: 1, label: "x|y*z\\nnext"}]
      other: []
"""


def test_markdown_and_latex_of_odd_names() -> None:
    analysis = analyze(library.parse(ODD_NAMES, "odd.yaml"))
    for part in (None, "a|b`c``d"):
        text = explanations.as_text(explain(analysis, part), "markdown")
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(cells(line)) for line in lines} == {4}
        assert "next" not in text.splitlines()
    tex = explanations.as_text(explain(analysis), "latex")
    assert r"e\textbar{}f*g\_h`" in tex
    assert "next" in tex.split("\\begin", maxsplit=1)[0]
    check_tex(tex)


def check_tex(text: str) -> None:
    """Braces and environments are closed in order; nothing special is left unescaped in text."""
    plain = re.sub(r"(?m)(?<!\\)%.*$", "", text)
    depth = 0
    for brace in re.findall(r"(?<!\\)(?:\\\\)*([{}])", plain):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    opened: list[str] = []
    for which, name in re.findall(r"\\(begin|end)\{([^}]*)\}", plain):
        if which == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    assert len(re.findall(r"\\left\b|\\left(?=[(\\])", plain)) == len(
        re.findall(r"\\right\b|\\right(?=[)\\])", plain)
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one, marks=[pytest.mark.slow] * (one in NETWORKS and one not in SAMPLED))
        for one in ANALYSES
        if one not in REPEATED
    ],
)
def test_latex_is_balanced(name: str) -> None:
    analysis = ANALYSES[name]()
    text = explanations.as_text(explain(analysis), "latex")
    check_tex(text)
    assert text.count(r"\begin{align*}") == len(analysis.layers) + 1


NESTED = """
input: [2, 3, 4]
blocks:
  outer: {layers: [inner: {name: inner, times: 3}, relu]}
  inner: {layers: [linear: {name: fc, out: 5}, sigmoid]}
layers:
  - outer: {name: outer, times: 2}
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("crops", "eceptive field unknown: where the regions lie depends on the data"),
        ("rpn/regions", "eceptive field unknown: all that it takes is held constant"),
        ("stage2/separable12", "times t, as stage2 is applied"),
        ("stage2/separable12/pw", "(7*7*1,024*512*1*1)*300"),
    ],
)
def test_regions_are_explained(name: str, said: str) -> None:
    for format_name in ("terminal", "markdown"):
        text = explanations.as_text(explain(analyze("faster-rcnn-mobilenet"), name), format_name)
        wanted = said.rsplit(" = ", maxsplit=1)[-1] if format_name == "markdown" else said
        assert wanted.removeprefix("receptive field, ") in text


def test_applications_inside_each_other_are_a_product() -> None:
    analysis = analyze(library.parse(NESTED, "nested.yaml"))
    [one] = explain(analysis, "outer/inner/fc")
    found = one.derivations[0]
    assert found.quantity == "times t, as outer, outer/inner is applied"
    assert (found.symbols, found.text, found.value) == ("t1*t2", "2*3", 6)


def test_latex_writes_fractions_and_dots() -> None:
    text = explanations.as_text(explain(analyze("alexnet"), "conv1"), "latex")
    assert r"\frac{227 - 11 + 2 \cdot 0}{4} + 1 = 55" in text
    assert r"96 \cdot \left(3 \cdot 11 \cdot 11 + 1\right) = 34{,}944" in text
    text = explanations.as_text(explain(analyze("resnet50"), "conv1"), "latex")
    assert r"\left\lfloor \frac{224 - 7 + 2 \cdot 3}{2} \right\rfloor + 1 = 112" in text


def test_a_sum_of_many_parts_is_written_in_every_format() -> None:
    """The total of a long chain has as many terms as there are layers."""
    text = "input: [1, 4, 4]\nlayers: [repeat: {times: 3000, layers: [conv: {out: 1, kernel: 1}]}]"
    analysis = analyze(library.parse(text, "long.yaml"))
    total = list(explain(analysis))[-1]
    for name in of_explanations():
        written = explanations.as_text([total], name)
        assert written.count("+ 2 + 2") > 1000 or name == "json", name
    check_sums(analysis.totals, total)


def test_unpooling_takes_the_switches() -> None:
    """The pool's second tensor, whether its port is named or the pool alone."""
    for text in (
        BACK_AND_FORTH,
        BACK_AND_FORTH.replace("switches: down}", "switches: down.switches}"),
    ):
        analysis = analyze(library.parse(text, "back.yaml"))
        pool = analysis.find("down").node
        node = analysis.find("unpool").node
        assert pool is not None
        assert node is not None
        assert (node.inputs[1].node, node.inputs[1].port) == (pool.index, 1)


@pytest.mark.parametrize("format_name", of_explanations())
def test_the_text_of_a_deep_network_grows_with_its_layers(format_name: str) -> None:
    """Each layer has its own step from those before it, never the whole way again."""
    unit = "add: {body: [conv: {out: 2, kernel: 3, padding: 1}, relu], shortcut: []}"
    lengths = []
    for times in (40, 80):
        text = f"input: [2, 8, 8]\nlayers: [repeat: {{times: {times}, layers: [{unit}]}}]\n"
        analysis = analyze(library.parse(text, "deep.yaml"))
        lengths.append(sum(map(len, explanations.pieces(explain(analysis), format_name))))
    assert 1.9 * lengths[0] < lengths[1] < 2.2 * lengths[0]


def test_explanations_come_one_after_another() -> None:
    """What is written first does not wait for the last layer."""
    text = "input: [1, 4, 4]\nlayers: [repeat: {times: 50, layers: [conv: {out: 1, kernel: 1}]}]"
    coming = explain(analyze(library.parse(text, "long.yaml")))
    pieces = explanations.pieces(coming, "terminal")
    assert next(pieces) == ""
    assert "conv1: convolution" in next(pieces)
    assert len(list(coming)) == 50  # the other layers, and the network


@pytest.mark.parametrize(
    ("network", "layer"),
    [("lenet5", "C3"), ("googlenet", "inception_3a"), ("resnet18", "pool1"), ("zfnet", None)],
)  # fmt: skip
@pytest.mark.parametrize("width", [60, 80, 120])
def test_explanations_fit_a_terminal(network: str, layer: str | None, width: int) -> None:
    """The same words, in lines that are no longer; operators begin lines, and end none."""
    analysis = analyze(network)
    wide = explanations.as_text(explain(analysis, layer), "terminal")
    narrow = "".join(explanations.pieces(explain(analysis, layer), "terminal", width))
    assert narrow.split() == wide.split()
    lines = narrow.splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if line.endswith((" +", " -", " ="))]


def test_only_a_terminal_makes_lines_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "70")
    assert streams.terminal_width("terminal", None) == 70
    assert streams.terminal_width("markdown", None) is None
    assert streams.terminal_width("terminal", "file.txt") is None
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert streams.terminal_width("terminal", None) is None


def test_a_bar_is_drawn_where_much_is_written_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, if that is a terminal and the text itself is not on it."""
    err, out = io.StringIO(), io.StringIO()
    err.isatty = out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", err)
    every = range(streams.MANY)
    assert list(streams.progress_of_writing(every, len(every), "explaining", "x.md")) == [*every]
    assert "explaining" in err.getvalue()
    monkeypatch.setattr("sys.stdout", out)
    assert streams.progress_of_writing(every, len(every), "explaining", None) is every
    assert streams.progress_of_writing(every[1:], len(every) - 1, "explaining", "x.md") == every[1:]
