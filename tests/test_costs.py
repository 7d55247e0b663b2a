"""Costs: by hand, as sums, and at other batch sizes and element types."""

from __future__ import annotations

import math
from typing import Any

import pytest
from zoo import EACH_NETWORK

from archcalc import GraphBuilder, analyze
from archcalc.analysis import Analysis
from archcalc.analysis.costs import NOTHING, Costs, total
from archcalc.errors import GraphError, SettingError
from archcalc.graph import Output
from archcalc.ops import KINDS, OPERATIONS

ADDED = Costs._fields


def chain(*layers: tuple[str, dict[str, Any]], shape: tuple[int, ...] = (3, 8, 8)) -> Any:
    builder = GraphBuilder("chain")
    tensor = builder.input(shape)
    for i, (kind, own) in enumerate(layers):
        tensor = builder.add(KINDS[kind](**own), [tensor], f"{kind}{i}").tensor()
    return builder.finish([Output("out", tensor)])


SMALL = chain(
    ("conv", {"out": 4, "kernel": 3, "padding": 1}),
    ("batchnorm", {}),
    ("relu", {}),
    ("maxpool", {"kernel": 2}),
    ("flatten", {}),
    ("linear", {"out": 10}),
    ("softmax", {}),
)


def test_a_convolution_by_hand() -> None:
    """3x8x8 to 4x8x8 with a 3x3 kernel: each of 256 outputs sees 27 values and a bias."""
    row = Analysis(SMALL).layers[0]
    assert row.params == 4 * 27 + 4 == 112
    assert row.mult_adds == 256 * 27 == 6912
    assert dict(zip(OPERATIONS, row.operations, strict=True)) == {
        "additions": 256, "multiplications": 0, "divisions": 0, "comparisons": 0,
        "transcendentals": 0,
    }  # fmt: skip
    assert row.flops == 2 * 6912 + 256 == 14_080
    assert row.connections == 256 * 28 == 7168
    assert row.neurons == 256
    assert row.output_elements == 256
    assert row.output_bytes == 1024
    assert row.weight_bytes == 448
    assert row.bytes_moved == 4 * (3 * 8 * 8 + 256 + 112) == 2240
    assert row.arithmetic_intensity == pytest.approx(6912 / 2240)


def test_a_small_network_by_hand() -> None:
    """Per element: bias 1, batch norm 2, ReLU 1, a 2x2 max pool 3, softmax 3 less 1 a vector."""
    totals = Analysis(SMALL).totals
    pooled, classes = 4 * 4 * 4, 10
    assert totals.params == 112 + 2 * 4 + classes * (pooled + 1)
    assert totals.buffers == 2 * 4
    assert totals.mult_adds == 6912 + classes * pooled
    others = 256 + 2 * 256 + 256 + 3 * pooled + classes + (3 * classes - 1)
    assert totals.flops == 2 * totals.mult_adds + others
    assert totals.connections == 7168 + classes * (pooled + 1)
    assert totals.neurons == 256 + classes
    assert totals.output_elements == 256 * 3 + pooled * 2 + classes * 2
    assert totals.weight_bytes == 4 * (totals.params + totals.buffers)
    read = 192 + 256 * 3 + pooled * 2 + classes
    assert totals.bytes_moved == 4 * (read + totals.output_elements + totals.params + 8)


def test_totals_of_lenet5_as_the_paper_gives_them() -> None:
    """LeCun et al. 1998, section II.B: 340,908 connections, 60,000 trainable parameters."""
    totals = analyze("lenet5").totals
    assert (totals.connections, totals.params) == (340_908, 60_000)


# Sums.


@pytest.mark.parametrize("network", EACH_NETWORK)
def test_totals_are_the_sum_of_the_layers(network: str) -> None:
    analysis = analyze(network)
    assert analysis.totals.costs == total(row.costs for row in analysis.layers)
    for name in ADDED:
        summed = sum(getattr(row.costs, name) for row in analysis.layers)
        assert getattr(analysis.totals.costs, name) == summed


@pytest.mark.parametrize("network", EACH_NETWORK)
def test_blocks_are_the_sum_of_the_layers_under_their_names(network: str) -> None:
    analysis = analyze(network)
    for block in analysis.blocks:
        inside = [row for row in analysis.layers if row.name.startswith(f"{block.name}/")]
        assert inside
        for name in ADDED:
            summed = sum(getattr(row.costs, name) for row in inside)
            assert getattr(block.costs, name) == summed, (block.name, name)


@pytest.mark.parametrize("network", EACH_NETWORK)
def test_shares_add_up_to_one(network: str) -> None:
    analysis = analyze(network)
    for name in ("share", "params_share"):
        assert math.isclose(sum(getattr(row, name) for row in analysis.layers), 1)
        assert getattr(analysis.totals, name) == 1


def test_a_sum_of_nothing() -> None:
    assert total([]) == NOTHING


def test_a_network_without_weights() -> None:
    totals = Analysis(chain(("relu", {}))).totals
    assert (totals.params, totals.mult_adds, totals.share, totals.params_share) == (0, 0, 0, 0)
    assert totals.arithmetic_intensity == 0


# Batch and element type.


@pytest.mark.parametrize("network", ["lenet5", "googlenet", "resnet50"])
def test_batch_scales_work_and_activations_only(network: str) -> None:
    one, seven = analyze(network), analyze(network, batch=7)
    for a, b in zip([*one.layers, one.totals], [*seven.layers, seven.totals], strict=True):
        for scaled in ("mult_adds", "flops", "output_bytes"):
            assert getattr(b, scaled) == 7 * getattr(a, scaled)
        assert b.operations == tuple(7 * count for count in a.operations)
        for same in ("params", "buffers", "connections", "neurons", "weight_bytes", "share"):
            assert getattr(b, same) == getattr(a, same)
        weights = 4 * a.costs.read
        assert b.bytes_moved == 7 * (a.bytes_moved - weights) + weights
        assert b.receptive_field == a.receptive_field


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("float64", 8), ("float32", 4), ("float16", 2), ("bfloat16", 2), ("float8", 1), ("int8", 1)],
)
def test_bytes_of_an_element(dtype: str, size: int) -> None:
    """SMALL has 112 + 8 + 650 parameters, 8 buffers and 916 output elements."""
    totals = Analysis(SMALL, dtype=dtype).totals
    assert totals.weight_bytes == 778 * size
    assert totals.output_bytes == 916 * size
    assert totals.mult_adds == Analysis(SMALL).totals.mult_adds


@pytest.mark.parametrize("batch", [0, -1, 10**10, 1.5, True, "2"])
def test_a_batch_that_cannot_be(batch: Any) -> None:
    with pytest.raises(SettingError, match="batch: expected a whole number"):
        Analysis(SMALL, batch=batch)


def test_an_unknown_dtype_is_answered_with_a_near_one() -> None:
    with pytest.raises(SettingError, match=r"received 'floot32'; did you mean float32"):
        Analysis(SMALL, dtype="floot32")


# Shared parameters, and sub-networks applied several times.


def conv(**own: Any) -> Any:
    return KINDS["conv"](**{"out": 4, "kernel": 3, "padding": 1, **own})


def test_shared_parameters_are_counted_once_and_read_twice() -> None:
    builder = GraphBuilder("shared")
    first = builder.add(conv(), [builder.input((4, 8, 8))], "first")
    again = builder.add(conv(), [first.tensor()], "again", shared_with=first)
    third = builder.add(conv(), [again.tensor()], "third", shared_with=again)
    analysis = Analysis(builder.finish([Output("out", third.tensor())]))
    rows = analysis.layers
    assert [row.params for row in rows] == [148, 0, 0]
    assert [row.shared_with for row in rows] == [None, "first", "first"]
    assert len({row.mult_adds for row in rows}) == 1
    assert len({row.bytes_moved for row in rows}) == 1
    assert [row.weight_bytes for row in rows] == [592, 0, 0]
    assert analysis.totals.params == 148
    assert analysis.totals.mult_adds == 3 * 256 * 36
    assert analysis.totals.bytes_moved == 3 * 4 * (256 + 256 + 148)


def test_shared_buffers_are_counted_once() -> None:
    builder = GraphBuilder("shared")
    first = builder.add(KINDS["batchnorm"](), [builder.input((4, 8, 8))], "first")
    again = builder.add(KINDS["batchnorm"](), [first.tensor()], "again", shared_with=first)
    totals = Analysis(builder.finish([Output("out", again.tensor())])).totals
    assert (totals.params, totals.buffers) == (8, 8)


def test_parameters_of_another_shape_cannot_be_shared() -> None:
    builder = GraphBuilder("shared")
    first = builder.add(conv(), [builder.input((4, 8, 8))], "first")
    with pytest.raises(GraphError) as caught:
        builder.add(conv(kernel=1, padding=0), [first.tensor()], "again", shared_with=first)
    assert caught.value.layer == "again"
    assert caught.value.message == (
        "shared_with: expected parameters weight 4x4x1x1, bias 4, "
        "received those of first: weight 4x4x3x3, bias 4"
    )


def repeated(times: int, inner: int = 1) -> Analysis:
    """A part that is applied `times` times, and in it another that is applied `inner` times.

    A ReLU of all of it comes before them. The outer part's own layer is a 1x3x3 convolution of
    `inner` maps of 4x8x8, the inner part's one of 3x3, of 4 maps of 8x8.
    """
    builder = GraphBuilder("repeated")
    x = builder.add(KINDS["relu"](), [builder.input((times, inner, 4, 8, 8))], "stem").tensor()
    with builder.enter("head", "head", x, applications=times) as head:
        deep = conv(out=inner, kernel=(1, 3, 3), padding=(0, 1, 1))
        y = builder.add(deep, [builder.seen(x)], "a").tensor()
        with builder.enter("part", "part", y, applications=inner) as part:
            part.exit = builder.add(conv(), [builder.seen(y)], "b").tensor()
        assert part.exit.shape == (inner, 4, 8, 8)
        head.exit = part.exit
    assert head.exit.shape == (times, inner, 4, 8, 8)
    return Analysis(builder.finish([Output("out", head.exit)]))


def test_times_multiplies_work_but_not_parameters() -> None:
    once, often = repeated(1), repeated(5)
    a, b = once.find("head"), often.find("head")
    assert b.params == a.params == (9 + 1) + 148
    for name in ("mult_adds", "flops", "output_elements", "output_bytes", "neurons", "connections"):
        assert getattr(b, name) == 5 * getattr(a, name), name
    assert b.operations == tuple(5 * count for count in a.operations)
    assert b.weight_bytes == a.weight_bytes == 4 * 158
    assert often.totals.mult_adds == 5 * (256 * 9 + 256 * 36)
    assert often.totals.connections == 5 * (256 * 10 + 256 * 37)
    assert often.totals.neurons == 5 * 2 * 256
    assert often.totals.params == 158
    assert [row.times for row in often.layers] == [1, 5, 5]


def test_weights_are_read_once_for_all_applications() -> None:
    for times in (1, 5):
        row = repeated(times).find("head/part/b")
        assert row.bytes_moved == 4 * (times * (256 + 256) + 148)


def test_batch_and_applications_multiply() -> None:
    [_, _, b] = Analysis(repeated(5, inner=3).graph, batch=7).layers
    assert b.mult_adds == 7 * 15 * 256 * 36
    assert b.output_bytes == 7 * 15 * 256 * 4
    assert b.bytes_moved == 4 * (7 * 15 * (256 + 256) + 148)
    assert (b.params, b.neurons) == (148, 15 * 256)


def test_times_of_scopes_inside_each_other_multiply() -> None:
    analysis = repeated(5, inner=3)
    assert [row.times for row in analysis.layers] == [1, 5, 15]
    deep, flat = 3 * 256 * 3 * 9, 256 * 36
    assert analysis.totals.mult_adds == 5 * deep + 15 * flat
    assert analysis.find("head/part").times == 15
    assert analysis.totals.params == 3 * (3 * 9 + 1) + 148


def test_shapes_inside_are_those_of_one_application() -> None:
    analysis = repeated(5, inner=3)
    assert [row.output for row in analysis.layers] == [(5, 3, 4, 8, 8), (3, 4, 8, 8), (4, 8, 8)]
    head, part = analysis.blocks
    assert (head.input, head.output) == ((5, 3, 4, 8, 8), (5, 3, 4, 8, 8))
    assert (part.input, part.output) == ((3, 4, 8, 8), (3, 4, 8, 8))
    assert analysis.totals.output == (5, 3, 4, 8, 8)


def test_equal_layers_do_not_share_costs_across_times() -> None:
    """Costs of equal layers are one record only where they are equal."""
    builder = GraphBuilder("both")
    x = builder.input((5, 4, 8, 8))
    first = builder.add(KINDS["slice"](stop=1), [x], "first").tensor()
    ends = []
    for name, tensor, times in (("alone", first, 1), ("all", x, 5)):
        with builder.enter(name, "part", tensor, applications=times) as part:
            part.exit = builder.add(conv(), [builder.seen(tensor)], "conv").tensor()
        ends.append(part.exit)
    end = builder.add(KINDS["concat"](), ends, "end").tensor()
    assert end.shape == (6, 4, 8, 8)
    analysis = Analysis(builder.finish([Output("out", end)]))
    alone, every = analysis.find("alone/conv"), analysis.find("all/conv")
    assert alone.node is not None
    assert every.node is not None
    assert alone.node.facts is every.node.facts
    assert every.mult_adds == 5 * alone.mult_adds == 5 * 256 * 36


def refusal(shape: tuple[int, ...], times: int) -> str:
    builder = GraphBuilder("refused")
    x = builder.input(shape)
    with pytest.raises(GraphError) as caught:
        builder.enter("part", "part", x, applications=times)
    assert caught.value.layer == "part"
    return caught.value.message


def test_what_comes_in_has_as_many_in_front_as_there_are_applications() -> None:
    wanted = "applications: expected what comes in to have 3 in front, as {} has, received {}"
    assert refusal((4, 8, 8), 3) == wanted.format("3x8x8", "4x8x8")
    assert refusal((3,), 3) == wanted.format("3x64x14x14", "3")


def test_applications_in_all_are_bounded() -> None:
    """As sizes of an axis are: figures stay printable."""
    builder = GraphBuilder("refused")
    x = builder.input((10**9, 10**9, 2))
    with (
        builder.enter("outer", "part", x, applications=10**9),
        pytest.raises(GraphError) as caught,
    ):
        builder.enter("inner", "part", builder.seen(x), applications=10**9)
    assert caught.value.message == (
        "applications: expected at most 1,000,000,000,000,000 applications in all, "
        "received 1,000,000,000,000,000,000"
    )


def test_a_part_sees_nothing_from_outside_but_what_comes_in() -> None:
    builder = GraphBuilder("refused")
    x = builder.input((3, 4, 8, 8))
    other = builder.add(KINDS["relu"](), [x], "other").tensor()
    with (
        builder.enter("part", "part", x, applications=3),
        pytest.raises(GraphError) as caught,
    ):
        builder.add(conv(), [other], "conv")
    assert caught.value.layer == "part/conv"
    assert caught.value.message == (
        "expected a layer inside part, which is applied 3 times, or what comes into it, "
        "received other"
    )
