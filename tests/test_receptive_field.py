"""Receptive fields: against sets of positions followed one by one, and against published tables."""

from __future__ import annotations

import math
import random
import time
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from archcalc import GraphBuilder, analyze
from archcalc.analysis.receptive_field import (
    HELD_ONLY,
    OTHER_AXES,
    AxisField,
    Unknown,
    fields,
    receptive_fields,
)
from archcalc.errors import GraphError
from archcalc.graph import Graph, Output, Tensor
from archcalc.ops import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# The witness: for every output position, the set of input positions it sees, taken from the
# definition of each kind and from nothing that archcalc computes. A set of positions is the bits
# of a whole number. Borders are ignored: axes go on at both ends.

ORIGIN = 1 << 15


class Seen(NamedTuple):
    """A tensor, the positions each of its positions sees, and the strides of the ways to it."""

    tensor: Tensor
    positions: Callable[[int], int]
    strides: frozenset[Fraction]

    @property
    def count(self) -> int:
        return self.tensor.shape[-1]

    def hull(self, i: int) -> tuple[int, int] | None:
        bits = self.positions(i)
        if not bits:
            return None
        return (bits & -bits).bit_length() - 1 - ORIGIN, bits.bit_length() - 1 - ORIGIN


def sliding(k: int, s: int, p: int, d: int) -> Callable[[int], list[int]]:
    return lambda i: [i * s - p + j * d for j in range(k)]


def transposed(k: int, s: int, p: int, d: int) -> Callable[[int], list[int]]:
    """Input x is spread over outputs x*s - p + j*d."""
    spread = range(k)
    return lambda i: [(i + p - j * d) // s for j in spread if (i + p - j * d) % s == 0]


def adaptive(n: int, m: int) -> Callable[[int], range]:
    return lambda i: range(math.floor(Fraction(i * n, m)), math.ceil(Fraction((i + 1) * n, m)))


def nearest(n: int, m: int) -> Callable[[int], list[int]]:
    return lambda i: [math.floor(Fraction(i * n, m))]


def linear(n: int, m: int) -> Callable[[int], set[int]]:
    """Interpolation between the neighbours of (i + 1/2)*n/m - 1/2."""

    def taps(i: int) -> set[int]:
        at = Fraction((2 * i + 1) * n, 2 * m) - Fraction(1, 2)
        return {math.floor(at), math.ceil(at)}

    return taps


class Grower:
    """Grows a random graph with one spatial axis, and the witness beside it.

    With `front`, it is so many signals, and all layers but a few are applied to each of them.
    """

    def __init__(self, seed: str, front: tuple[int, ...] = ()) -> None:
        self.random = random.Random(seed)
        self.builder = GraphBuilder("random")
        self.front = front
        self.seen: dict[int, Seen] = {}
        start = self.builder.input((*front, 1, self.random.randint(6, 40)))
        self.last = self.note(start, lambda i: 1 << i + ORIGIN, frozenset([Fraction(1)]))

    def note(
        self, tensor: Tensor, positions: Callable[[int], int], strides: frozenset[Fraction]
    ) -> Seen:
        seen = self.seen[tensor.node] = Seen(tensor, cache(positions), strides)
        return seen

    def add(
        self, kind: str, inputs: list[Tensor], over: Seen, taps: Any, rate: Fraction, **own: Any
    ) -> Seen:
        """A layer through which output i sees what `over` sees at `taps(i)`."""
        node = self.builder.add(KINDS[kind](**own), inputs, f"l{len(self.builder.nodes)}")

        def positions(i: int) -> int:
            bits = 0
            for tap in taps(i):
                bits |= over.positions(tap)
            return bits

        return self.note(node.tensor(), positions, frozenset(s * rate for s in over.strides))

    # One layer.

    def layer(self, x: Seen) -> Seen:
        kinds = [
            self.conv, self.conv, self.pool, self.transposed, self.transposed, self.adaptive,
            self.upsample, self.pad, self.slice, self.pointwise, self.unpool, self.gate,
        ]  # fmt: skip
        while True:
            try:
                grown = self.random.choice(kinds)(x)
            except GraphError:  # a kernel larger than its input, and the like: try another
                continue
            if grown.count <= 200:
                return grown

    def conv(self, x: Seen) -> Seen:
        pick = self.random.randint
        k, s, p, d = pick(1, 4), pick(1, 3), pick(0, 3), pick(1, 3)
        own = {"out": 1, "kernel": k, "stride": s, "padding": p, "dilation": d}
        return self.add("conv", [x.tensor], x, sliding(k, s, p, d), Fraction(s), **own)

    def pool(self, x: Seen) -> Seen:
        kind = self.random.choice(["maxpool", "avgpool", "subsample"])
        k, s = self.random.randint(1, 4), self.random.randint(1, 3)
        p = self.random.randint(0, k // 2)
        own = {"kernel": k, "stride": s, "padding": p}
        if kind != "subsample":
            own["ceil"] = self.random.random() < 0.5
        return self.add(kind, [x.tensor], x, sliding(k, s, p, 1), Fraction(s), **own)

    def transposed(self, x: Seen) -> Seen:
        pick = self.random.randint
        k, s, p, d = pick(1, 4), pick(1, 4), pick(0, 2), pick(1, 3)
        own = {"out": 1, "kernel": k, "stride": s, "padding": p, "dilation": d}
        own["extra"] = self.random.choice([0, 0, s - 1])
        taps = transposed(k, s, p, d)
        return self.add("convtranspose", [x.tensor], x, taps, Fraction(1, s), **own)

    def adaptive(self, x: Seen) -> Seen:
        kind = self.random.choice(["adaptiveavgpool", "adaptivemaxpool"])
        n, m = x.count, self.random.randint(2, 12)
        return self.add(kind, [x.tensor], x, adaptive(n, m), Fraction(n, m), size=m)

    def upsample(self, x: Seen) -> Seen:
        n, mode = x.count, self.random.choice(["nearest", "linear"])
        own: dict[str, Any] = {"mode": mode}
        if self.random.random() < 0.5:
            own["scale"] = self.random.randint(1, 3)
            m = n * own["scale"]
        else:
            own["size"] = m = self.random.randint(2, 30)
        taps = nearest(n, m) if mode == "nearest" else linear(n, m)
        return self.add("upsample", [x.tensor], x, taps, Fraction(n, m), **own)

    def pad(self, x: Seen) -> Seen:
        before, after = self.random.randint(0, 3), self.random.randint(0, 3)
        sides = [(before, after)]
        return self.add("pad", [x.tensor], x, lambda i: [i - before], Fraction(1), padding=sides)

    def slice(self, x: Seen) -> Seen:
        start, step = self.random.randint(0, x.count - 1), self.random.randint(1, 3)
        own = {"axis": 1, "start": start, "step": step}
        return self.add("slice", [x.tensor], x, lambda i: [start + i * step], Fraction(step), **own)

    def pointwise(self, x: Seen) -> Seen:
        kind = self.random.choice(["relu", "batchnorm", "lrn", "sigmoid", "dropout"])
        return self.add(kind, [x.tensor], x, lambda i: [i], Fraction(1))

    def unpool(self, x: Seen) -> Seen:
        """A max pool, and its inverse: an output sees the windows that it lies in."""
        k, s = self.random.randint(1, 4), self.random.randint(1, 4)
        own = {"kernel": k, "stride": s}
        pool = self.add(
            "maxpool", [x.tensor], x, sliding(k, s, 0, 1), Fraction(s), **own, switches=True
        )
        switches = self.builder.nodes[pool.tensor.node].tensor(1)
        inputs = [pool.tensor, switches]
        own["size"] = x.tensor.shape[1]
        return self.add("maxunpool", inputs, pool, transposed(k, s, 0, 1), Fraction(1, s), **own)

    def gate(self, x: Seen) -> Seen:
        """A product with a branch that is held constant."""
        held = self.fitted(self.layer(x), x.count)
        gate = self.add("sigmoid", [held.tensor], held, lambda i: [i], Fraction(1))
        inputs = [x.tensor, gate.tensor]
        return self.add("multiply", inputs, x, lambda i: [i], Fraction(1), gates=1)

    # Branches.

    def fitted(self, x: Seen, count: int) -> Seen:
        """Padded or cut at the end to `count` positions."""
        if x.count < count:
            own = {"padding": [(0, count - x.count)]}
            return self.add("pad", [x.tensor], x, lambda i: [i], Fraction(1), **own)
        if x.count > count:
            own = {"axis": 1, "stop": count}
            return self.add("slice", [x.tensor], x, lambda i: [i], Fraction(1), **own)
        return x

    def branches(self, x: Seen) -> Seen:
        ends = [self.chain(x, self.random.randint(0, 3)) for _ in range(self.random.randint(2, 3))]
        count = min(end.count for end in ends)
        ends = [self.fitted(end, count) for end in ends]
        kind = self.random.choice(["add", "concat", "multiply"])
        node = self.builder.add(
            KINDS[kind](), [end.tensor for end in ends], f"l{len(self.builder.nodes)}"
        )

        def positions(i: int) -> int:
            bits = 0
            for end in ends:
                bits |= end.positions(i)
            return bits

        strides = frozenset(stride for end in ends for stride in end.strides)
        joined = self.note(node.tensor(), positions, strides)
        if kind != "concat":
            return joined
        return self.add(
            "conv", [joined.tensor], joined, lambda i: [i], Fraction(1), out=1, kernel=1
        )

    def chain(self, x: Seen, length: int) -> Seen:
        for _ in range(length):
            x = self.layer(x)
        return x

    def each(self, x: Seen, front: tuple[int, ...]) -> Seen:
        """Some layers on each of the signals."""
        if not front:
            for _ in range(self.random.randint(1, 2 if self.front else 4)):
                x = self.branches(x) if self.random.random() < 0.4 else self.layer(x)
            return x
        for _ in range(self.random.randint(1, 2)):
            if self.random.random() < 0.3:
                x = self.pointwise(x)
            name = f"part{len(self.builder.nodes)}"
            with self.builder.enter(name, "part", x.tensor, applications=front[0]) as part:
                x = self.each(x._replace(tensor=self.builder.seen(x.tensor)), front[1:])
                part.exit = x.tensor
            x = x._replace(tensor=part.exit)
        return x

    def graph(self) -> Graph:
        self.each(self.last, self.front)
        ends = [self.builder.seen(one.tensor) for one in self.seen.values()]
        return self.builder.finish([Output(f"out{i}", end) for i, end in enumerate(ends)])


def expected(seen: Seen) -> tuple[int, int | None, bool, bool] | None:
    """Size, start, aligned, uniform; None where no position sees anything.

    There is no start where the first position sees nothing.
    """
    hulls = [hull for i in range(seen.count) if (hull := seen.hull(i))]
    if not hulls:
        return None
    size = max(hi - lo + 1 for lo, hi in hulls)
    aligned = len(seen.strides) == 1
    opening = seen.hull(0)
    start = opening[0] if opening else None
    return size, start, aligned, aligned and is_uniform(seen, min(seen.strides))


def is_uniform(seen: Seen, stride: Fraction) -> bool:
    """Whether every position sees what the first one sees, so many strides further on."""
    origin = seen.hull(0)
    return origin is not None and all(
        seen.hull(i) == (origin[0] + i * stride, origin[1] + i * stride) for i in range(-60, 60)
    )


def check_seen(seen: Seen, field: Any, at: str) -> None:
    wanted = expected(seen)
    if wanted is None:
        assert isinstance(field, Unknown), at
        return
    assert isinstance(field, AxisField), at
    assert (field.size, field.start, field.aligned, field.uniform) == wanted, at
    assert field.stride in seen.strides, at


@pytest.mark.parametrize("block", range(20))
def test_fields_are_those_of_positions_followed_one_by_one(block: int) -> None:
    for number in range(30):
        seed = f"{block}/{number}"
        grower = Grower(seed)
        graph = grower.graph()
        states = receptive_fields(graph)
        for index, seen in grower.seen.items():
            [field] = fields(states[index])
            check_seen(seen, field, f"seed {seed}, {graph.nodes[index]}")


@pytest.mark.parametrize("front", [(3,), (1,), (2, 3)])
def test_fields_of_each_of_several_signals_are_those_of_one(front: tuple[int, ...]) -> None:
    """And of the axes that were channels to a layer on the way, all is seen."""
    for number in range(60):
        grower = Grower(f"{front}/{number}", front)
        graph = grower.graph()
        states = receptive_fields(graph)
        for index, seen in grower.seen.items():
            node = graph.nodes[index]
            at = f"seed {front}/{number}, {node}"
            *channels, field = fields(states[index])
            check_seen(seen, field, at)
            row = fields(states[index], node.scope.level)
            assert row == (*channels, field)[node.scope.level :], at
            if node.scope.level == len(front):
                assert channels == [None] * len(front), at
        outside = [node.index for node in graph.layers if not node.scope.level]
        after = [states[i] for i in outside if i > graph.layers[0].index]
        assert all(fields(state)[0] is None for state in after)


def test_the_random_graphs_are_of_every_sort() -> None:
    """Else the comparison above would say little."""
    found = set()
    for number in range(150):
        grower = Grower(f"0/{number}")
        states = receptive_fields(grower.graph())
        for index in grower.seen:
            [field] = fields(states[index])
            if isinstance(field, AxisField):
                found.add((field.aligned, field.uniform, isinstance(field.stride, Fraction)))
            else:
                found.add("nothing is seen")
    assert found >= {
        (True, True, False),
        (True, False, False),
        (True, False, True),
        (False, False, False),
        (False, False, True),
        "nothing is seen",
    }


# Single rules, by hand.


def graph_of(*layers: tuple[str, dict[str, Any]], shape: tuple[int, ...] = (1, 32, 32)) -> Graph:
    """A chain of layers."""
    builder = GraphBuilder("chain")
    tensor = builder.input(shape)
    for i, (kind, own) in enumerate(layers):
        tensor = builder.add(KINDS[kind](**own), [tensor], f"l{i}").tensor()
    return builder.finish([Output("out", tensor)])


def last_field(graph: Graph) -> tuple[Any, ...]:
    return fields(receptive_fields(graph)[-1])


@pytest.mark.parametrize(("count", "size"), [(2, 5), (3, 7)])
def test_stacked_3x3_convolutions_see_as_much_as_one_larger_kernel(count: int, size: int) -> None:
    """Simonyan & Zisserman 2014, section 2.3: two 3x3 layers see 5x5, three 7x7."""
    layers = [("conv", {"out": 1, "kernel": 3})] * count
    assert [axis.size for axis in last_field(graph_of(*layers))] == [size, size]


def test_dilated_convolutions() -> None:
    """Yu & Koltun 2016, figure 1: 3x3 kernels dilated by 1, 2, 4 see 3, 7, 15."""
    layers = [("conv", {"out": 1, "kernel": 3, "dilation": d}) for d in (1, 2, 4)]
    states = receptive_fields(graph_of(*layers))
    assert [fields(state)[0].size for state in states[1:]] == [3, 7, 15]


def test_axes_are_apart() -> None:
    graph = graph_of(
        ("conv", {"out": 1, "kernel": (1, 7), "stride": (1, 3), "padding": (0, 2)}),
        ("conv", {"out": 1, "kernel": (5, 1)}),
    )
    assert last_field(graph) == (AxisField(5, 1, 0), AxisField(7, 3, -2))


def test_depth_height_and_width() -> None:
    graph = graph_of(
        ("conv", {"out": 1, "kernel": (1, 2, 3)}), ("maxpool", {"kernel": 2}), shape=(1, 8, 8, 8)
    )
    assert last_field(graph) == (AxisField(2, 2, 0), AxisField(3, 2, 0), AxisField(4, 2, 0))


def test_linear_and_global_pooling_see_everything() -> None:
    for layers in (
        [("globalavgpool", {})],
        [("adaptiveavgpool", {"size": 1})],
        [("conv", {"out": 1, "kernel": 3}), ("flatten", {}), ("linear", {"out": 2})],
    ):
        assert last_field(graph_of(*layers)) == (None, None)


def test_a_flattened_map_sees_what_the_map_saw() -> None:
    graph = graph_of(("conv", {"out": 1, "kernel": 3, "stride": 2}), ("flatten", {}))
    assert last_field(graph) == (AxisField(3, 2, 0),) * 2


def test_a_transposed_convolution_has_a_fraction_of_a_stride() -> None:
    """Kernel 4, stride 2, padding 1: output i sees inputs floor((i - 1)/2) and the one after."""
    graph = graph_of(("convtranspose", {"out": 1, "kernel": 4, "stride": 2, "padding": 1}))
    assert last_field(graph)[0] == AxisField(2, Fraction(1, 2), -1, True, False)


def test_outputs_that_see_nothing() -> None:
    """Kernel 1, stride 2 leaves every other output empty; the slice takes those alone."""
    graph = graph_of(
        ("convtranspose", {"out": 1, "kernel": 1, "stride": 2}),
        ("slice", {"axis": 1, "start": 1, "step": 2}),
        shape=(1, 8),
    )
    assert isinstance(last_field(graph)[0], Unknown)


GAPS = ("convtranspose", {"out": 1, "kernel": 1, "stride": 3})  # outputs 1, 2, 4, 5 ... are empty


UNSEEN: list[tuple[list[tuple[str, dict[str, Any]]], AxisField]] = [
    (  # 3i - 1 and 3i + 1 are reached from input i, 0 is not
        [
            ("maxpool", {"kernel": 2, "stride": 3, "dilation": 2}),
            ("convtranspose", {"out": 1, "kernel": 2, "stride": 3, "padding": 1, "dilation": 2}),
        ],
        AxisField(3, 1, None, True, False),
    ),
    (
        [GAPS, ("slice", {"axis": 1, "start": 1})],
        AxisField(1, Fraction(1, 3), None, True, False),
    ),
    (  # positions 3, 4, 5 ... of the gaps: the first sees input 1
        [
            GAPS,
            ("slice", {"axis": 1, "start": 1}),
            ("relu", {}),
            ("slice", {"axis": 1, "start": 2}),
        ],
        AxisField(1, Fraction(1, 3), 1, True, False),
    ),
    (  # 1 and 2 of the gaps, 2 and 3, 3 and 4 ...
        [GAPS, ("slice", {"axis": 1, "start": 1}), ("maxpool", {"kernel": 2, "stride": 1})],
        AxisField(1, Fraction(1, 3), None, True, False),
    ),
    (  # 1 to 3, 4 to 6, ...
        [GAPS, ("slice", {"axis": 1, "start": 1}), ("maxpool", {"kernel": 3, "stride": 3})],
        AxisField(1, 1, 1),
    ),
]


@pytest.mark.parametrize(("layers", "field"), UNSEEN)
def test_where_output_0_sees_nothing_there_is_no_start(
    layers: list[tuple[str, dict[str, Any]]], field: AxisField
) -> None:
    assert last_field(graph_of(*layers, shape=(1, 50))) == (field,)


def test_a_branch_that_sees_something_gives_a_start() -> None:
    """Output 1 of the one is empty, of the other it sees input 1."""
    builder = GraphBuilder("branches")
    x = builder.input((1, 9))
    gaps = builder.add(KINDS["convtranspose"](out=1, kernel=1, stride=3), [x], "gaps").tensor()
    empty = builder.add(KINDS["slice"](axis=1, start=1, stop=10), [gaps], "empty").tensor()
    for other, start in ((x, 0), (empty, None)):
        name = f"with node {other.node}"
        joined = builder.add(KINDS["concat"](), [empty, other], name)
        [field] = fields(receptive_fields_of(builder)[joined.index])
        assert isinstance(field, AxisField)
        assert field.start == start


def receptive_fields_of(builder: GraphBuilder) -> list[Any]:
    last = builder.nodes[-1]
    return receptive_fields(Graph("", builder.nodes, builder.root, [Output("out", last.tensor())]))


def test_a_product_of_gates_alone_sees_nothing_that_is_followed() -> None:
    builder = GraphBuilder("gates")
    tensor = builder.input((1, 8))
    tensor = builder.add(KINDS["multiply"](gates=(0, 1)), [tensor, tensor], "gated").tensor()
    graph = builder.finish([Output("out", tensor)])
    assert isinstance(last_field(graph)[0], Unknown)


# Parts applied several times, by hand.


class Building:
    """Adds layers one after another; `fields` are those of the last, along the row's axes."""

    def __init__(self, *shape: int) -> None:
        self.builder = GraphBuilder("parts")
        self.tensor = self.builder.input(shape)

    def add(self, kind: str, *others: Tensor, **own: Any) -> tuple[Any, ...]:
        """The layer on what the last gives, and on others; its receptive field."""
        inputs = [self.tensor, *others]
        name = f"l{len(self.builder.nodes)}"
        node = self.builder.add(KINDS[kind](**own), inputs, name)
        self.tensor = node.tensor()
        graph = Graph("parts", self.builder.nodes, self.builder.root, [])
        return fields(receptive_fields(graph)[-1], node.scope.level)

    @contextmanager
    def each(self) -> Iterator[None]:
        """What is added is applied to each of the tensors along the axis in front."""
        count, name = self.tensor.shape[0], f"part{len(self.builder.nodes)}"
        with self.builder.enter(name, "part", self.tensor, applications=count) as part:
            self.tensor = self.builder.seen(self.tensor)
            yield
            part.exit = self.tensor
        assert part.exit is not None
        self.tensor = part.exit


def test_inside_a_part_the_field_is_along_the_axes_of_one_application() -> None:
    """3 and 5 before; inside + 2*1 = 5 and 7 at stride 2; + 2*2 = 9 and 11 after it."""
    net = Building(3, 1, 32, 32)
    assert net.add("conv", out=3, kernel=(1, 3, 5)) == (
        AxisField(1, 1, 0), AxisField(3, 1, 0), AxisField(5, 1, 0),
    )  # fmt: skip
    with net.each():
        found = net.add("conv", out=4, kernel=3, stride=2, padding=1)
        assert found == (AxisField(5, 2, -1), AxisField(7, 2, -1))
        assert net.add("relu") == found
    assert net.add("sigmoid") == (None, *found)
    found = net.add("conv", out=1, kernel=(2, 3, 3))
    assert found == (None, AxisField(9, 2, -1), AxisField(11, 2, -1))


def test_parts_inside_each_other() -> None:
    net = Building(2, 3, 1, 40)
    with net.each():
        assert net.add("conv", out=3, kernel=(1, 3)) == (AxisField(1, 1, 0), AxisField(3, 1, 0))
        with net.each():
            assert net.add("conv", out=5, kernel=3, stride=2) == (AxisField(5, 2, 0),)
        assert net.add("conv", out=3, kernel=(1, 2)) == (None, AxisField(7, 2, 0))
    assert net.add("conv", out=2, kernel=(1, 1, 2)) == (None, None, AxisField(9, 2, 0))


def test_what_leaves_a_part_has_seen_all_of_its_channels() -> None:
    """Channels are not told apart: also where each layer leaves them so."""
    net = Building(3, 4, 8, 8)
    with net.each():
        assert net.add("relu") == (AxisField(1, 1, 0),) * 2
    assert net.add("relu") == (None, AxisField(1, 1, 0), AxisField(1, 1, 0))


def test_a_part_joined_with_what_went_past_it() -> None:
    net = Building(3, 4, 8, 8)
    before = net.tensor
    with net.each():
        net.add("conv", out=4, kernel=3, padding=1)
    found = net.add("add", before)
    assert found == (None, AxisField(3, 1, -1), AxisField(3, 1, -1))


def test_a_part_that_sees_everything() -> None:
    net = Building(3, 4, 8, 8)
    with net.each():
        net.add("flatten")
        assert net.add("linear", out=5) == (None, None)
    assert net.add("softmax") == (None, None, None)
    assert net.add("conv", out=2, kernel=2) == (None, None, None)


def test_vectors_in_a_part_have_no_axis_but_their_features() -> None:
    net = Building(5, 7)
    with net.each():
        assert net.add("relu") == (None,)
        assert net.add("linear", out=3) == (None,)


def test_axes_that_are_no_longer_the_inputs() -> None:
    """Three vectors of 256: a window along these goes along none of the input's axes."""
    net = Building(3, 4, 8, 8)
    with net.each():
        net.add("flatten")
    assert net.add("conv", out=1, kernel=3) == (None, OTHER_AXES, OTHER_AXES)
    assert OTHER_AXES.reason == "its axes are not those of the network's input"


def regions_of(net: Building, number: int) -> Tensor:
    """Proposals on the last layer's map, the layers before them left as they are."""
    image = net.tensor
    net.add("conv", out=1, kernel=1)
    scores, net.tensor = net.tensor, image
    net.add("conv", out=4, kernel=1)
    boxes, net.tensor = net.tensor, scores
    assert net.add("proposals", boxes, number=number, scales=2, ratios=1) == (HELD_ONLY,) * 2
    regions, net.tensor = net.tensor, image
    return regions


def test_where_regions_lie_is_unknown_and_stays_so() -> None:
    """A linear on all of a region does not see all of the image; nor does what follows."""
    net = Building(3, 16, 16)
    net.add("conv", out=4, kernel=3)
    found = net.add("roialign", regions_of(net, 6), size=5)
    assert {type(one) for one in found} == {Unknown}
    assert {one.reason for one in found} == {"where the regions lie depends on the data"}
    with net.each():
        for kind, own in (
            ("conv", {"out": 4, "kernel": 3}),
            ("maxpool", {"kernel": 2}),
            ("globalavgpool", {}),
            ("flatten", {}),
            ("linear", {"out": 7}),
        ):
            assert net.add(kind, **own) == (found[0],), kind  # the last axis alone is theirs
    for kind in ("relu", "softmax", "flatten"):
        assert net.add(kind) == found, kind
    assert net.add("linear", out=2) == found


def test_what_sees_regions_and_everything_is_unknown_too() -> None:
    net = Building(3, 16, 16)
    image = net.tensor
    found = net.add("roialign", regions_of(net, 3), size=2)
    with net.each():
        net.add("globalavgpool")
        net.add("flatten")
    regions, net.tensor = net.tensor, image
    with net.each():
        net.add("flatten")
        net.add("linear", out=3)
    assert net.add("relu") == (None, None)
    assert net.add("add", regions) == found


def test_absurd_patterns_are_given_up_soon_and_said_to_be_unknown() -> None:
    """Each of these would take hours if it were followed to its end."""
    wide = ("convtranspose", {"out": 1, "kernel": 1, "stride": 4093})
    rough = [("conv", {"out": 1, "kernel": 4000})] * 2000
    long = [("convtranspose", {"out": 1, "kernel": 1, "stride": s}) for s in (4093, 4091)]
    started = time.perf_counter()
    for layers in ([wide, *rough], long):
        graph = graph_of(*layers, shape=(1, 4096))
        assert isinstance(last_field(graph)[0], Unknown)
    assert time.perf_counter() - started < 30  # a few seconds, on an idle machine


def test_strides_that_disagree_in_many_ways_are_given_up() -> None:
    """The pattern of all branches together repeats after 4093*4091*4079*4073 positions."""
    builder = GraphBuilder("disagreeing")
    start = builder.input((1, 10**9))
    ends = []
    for i, stride in enumerate((4093, 4091, 4079, 4073)):
        up = {"out": 1, "kernel": 1, "stride": stride}
        node = builder.add(KINDS["convtranspose"](**up), [start], f"up{i}")
        cut = KINDS["slice"](axis=1, stop=10**9)
        ends.append(builder.add(cut, [node.tensor()], f"cut{i}").tensor())
    total = builder.add(KINDS["add"](), ends, "sum").tensor()
    field = last_field(builder.finish([Output("out", total)]))[0]
    assert isinstance(field, Unknown)


# Published tables.


def rows(network: str, names: Iterable[str], **settings: Any) -> list[AxisField]:
    analysis = analyze(network, **settings)
    found = [analysis.find(name).receptive_field for name in names]
    assert all(height == width for height, width in found)
    return [along[0] for along in found]


# google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md, the library of Araujo, Norris & Sim
# 2019 (https://distill.pub/2019/computing-receptive-fields/): end-point, size, effective stride,
# effective padding. Their AlexNet is alexnet_v2, which has the same kernels, strides and paddings.
ALEXNET = [
    ("conv1", 11, 4, 0), ("pool1/maxpool1", 19, 8, 0), ("conv2", 51, 8, 16), ("conv3", 99, 16, 32),
    ("conv4", 131, 16, 48), ("conv5", 163, 16, 64), ("pool5", 195, 32, 64),
]  # fmt: skip
VGG_A = [
    ("conv1_1", 3, 1, 1), ("pool1", 4, 2, 1), ("conv2_1", 8, 2, 3), ("pool2", 10, 4, 3),
    ("conv3_1", 18, 4, 7), ("conv3_2", 26, 4, 11), ("pool3", 30, 8, 11), ("conv4_1", 46, 8, 19),
    ("conv4_2", 62, 8, 27), ("pool4", 70, 16, 27), ("conv5_1", 102, 16, 43),
    ("conv5_2", 134, 16, 59), ("pool5", 150, 32, 59),
]  # fmt: skip
VGG_16 = [
    ("conv1_1", 3, 1, 1), ("pool1", 6, 2, 2), ("conv2_1", 10, 2, 4), ("pool2", 16, 4, 6),
    ("conv3_1", 24, 4, 10), ("conv3_2", 32, 4, 14), ("pool3", 44, 8, 18), ("conv4_1", 60, 8, 26),
    ("conv4_2", 76, 8, 34), ("pool4", 100, 16, 42), ("conv5_1", 132, 16, 58),
    ("conv5_2", 164, 16, 74), ("pool5", 212, 32, 90),
]  # fmt: skip


@pytest.mark.parametrize(
    ("network", "published"),
    [("alexnet", ALEXNET), ("caffenet", ALEXNET), ("vgg11", VGG_A), ("vgg16", VGG_16)],
)
def test_sizes_strides_and_starts_of_the_distill_table(
    network: str, published: list[tuple[str, int, int, int]]
) -> None:
    found = rows(network, [name for name, *_ in published])
    assert [(one.size, one.stride, -one.start) for one in found] == [p[1:] for p in published]


# The same table. Their models pad in TensorFlow's way, so starts differ from ours.
MOBILENET = [
    (3, 2), (7, 2), (11, 4), (19, 4), (27, 8), (43, 8), (59, 16), (91, 16), (123, 16), (155, 16),
    (187, 16), (219, 16), (251, 32), (315, 32),
]  # fmt: skip


@pytest.mark.parametrize("alpha", [1, 0.75])
def test_mobilenet_of_the_distill_table(alpha: float) -> None:
    names = ["conv1", *(f"separable{i}/pw" for i in range(1, 14))]
    found = rows("mobilenet", names, alpha=alpha)
    assert [(one.size, one.stride) for one in found] == MOBILENET


# Theirs puts a stage's stride on its last unit, ours on the next stage's first: sizes agree at the
# end of every stage, strides at the end of the last.
@pytest.mark.parametrize(
    ("network", "units", "sizes"),
    [
        ("resnet50", (3, 4, 6, 3), (35, 99, 291, 483)),
        ("resnet101", (3, 4, 23, 3), (35, 99, 835, 1027)),
        ("resnet152", (3, 8, 36, 3), (35, 163, 1315, 1507)),
    ],
)
def test_resnets_of_the_distill_table(
    network: str, units: tuple[int, ...], sizes: tuple[int, ...]
) -> None:
    names = [f"conv{stage}_{count}" for stage, count in zip((2, 3, 4, 5), units, strict=True)]
    found = rows(network, names)
    assert tuple(one.size for one in found) == sizes
    assert [one.stride for one in found] == [4, 8, 16, 32]
    assert all(one.aligned and one.uniform for one in found)


def test_resnet50_with_its_stride_on_the_3x3() -> None:
    """By hand: 11 after pool1; 3x3 kernels add 2 strides each, taken before their own stride:
    3*2*4 to 35, 2*4 + 3*2*8 to 91, 2*8 + 5*2*16 to 267, 2*16 + 2*2*32 to 427."""
    names = ["conv2_3", "conv3_4", "conv4_6", "conv5_3"]
    found = rows("resnet50", names, stride_on_3x3=True)
    assert [one.size for one in found] == [35, 91, 267, 427]


def test_projections_and_subsampled_shortcuts_see_less_than_the_body() -> None:
    """Shortcuts of all three kinds are aligned with the bodies they are added to."""
    for shortcuts in ("A", "B", "C"):
        [field] = rows("resnet50", ["conv5_3"], shortcuts=shortcuts)
        assert (field.size, field.stride, field.aligned) == (483, 32, True)


def test_lenet5() -> None:
    """By hand: 5; + 1*1 = 6; + 4*2 = 14; + 1*2 = 16; + 4*4 = 32, all of the input."""
    found = rows("lenet5", ["C1", "S2", "C3", "S4", "C5"])
    assert [one.size for one in found] == [5, 6, 14, 16, 32]


def test_googlenet() -> None:
    """By hand: the 5x5 branch adds 4 strides to each module, 3x3 pools 2.

    conv1 7, pool1 + 2*2, conv2 + 2*4, pool2 + 2*4, then strides of 8 (3a, 3b, pool3), 16 (4a to
    4e, pool4) and 32 (5a, 5b), and pool5 + 6*32.
    """
    names = ["conv1", "pool1", "conv2", "pool2", "inception_3a", "inception_3b", "pool3"]
    names += [f"inception_4{one}" for one in "abcde"]
    names += ["pool4", "inception_5a", "inception_5b", "pool5"]
    found = rows("googlenet", names)
    sizes = [7, 11, 19, 27, 59, 91, 107, 171, 235, 299, 363, 427, 459, 587, 715, 907]
    assert [one.size for one in found] == sizes
    assert all(one.aligned and one.uniform for one in found)


# Cases of Araujo et al.'s own tests: receptive_field_computation_test.py in the same repository.


def joined(
    left: list[tuple[str, dict[str, Any]]], right: list[tuple[str, dict[str, Any]]]
) -> Graph:
    """Two branches over the input, added."""
    builder = GraphBuilder("branches")
    start = builder.input((1, 32, 32))
    ends = []
    for side, layers in (("left", left), ("right", right)):
        tensor = start
        for i, (kind, own) in enumerate(layers):
            tensor = builder.add(KINDS[kind](**own), [tensor], f"{side}{i}").tensor()
        ends.append(tensor)
    total = builder.add(KINDS["add"](), ends, "sum").tensor()
    return builder.finish([Output("out", total)])


def conv(kernel: int, stride: int) -> tuple[str, dict[str, Any]]:
    return "conv", {"out": 1, "kernel": kernel, "stride": stride}


PAD = ("pad", {"padding": [(1, 0), (1, 0)]})


def test_their_aligned_network() -> None:
    """create_test_network_1: size 3, stride 4, padding 1."""
    graph = joined([conv(1, 4)], [PAD, conv(3, 2), conv(1, 2)])
    assert last_field(graph) == (AxisField(3, 4, -1),) * 2


def test_their_unaligned_network() -> None:
    """create_test_network_3 has no padding: centres differ. We tell the union of the branches."""
    graph = joined([conv(1, 4)], [conv(3, 2), conv(1, 2)])
    assert last_field(graph) == (AxisField(3, 4, 0),) * 2


def test_strides_that_disagree_are_told() -> None:
    """Identity and stride 2 over 4 of their positions: output 3 sees 3 and 6 to 8."""
    graph = joined(
        [("slice", {"axis": 1, "stop": 4}), ("slice", {"axis": 2, "stop": 4})],
        [conv(3, 2), ("slice", {"axis": 1, "stop": 4}), ("slice", {"axis": 2, "stop": 4})],
    )
    [height, _] = last_field(graph)
    assert (height.size, height.start, height.aligned, height.uniform) == (6, 0, False, False)


# The documents' backward formula: f_i = (f_(i+1) - 1)*stride + kernel (document 003, VGG).


@pytest.mark.parametrize("seed", range(30))
def test_the_backward_formula_gives_the_same_size(seed: int) -> None:
    picked = random.Random(seed)
    layers = [(picked.randint(1, 7), picked.randint(1, 3)) for _ in range(picked.randint(1, 6))]
    size = 1
    for kernel, stride in reversed(layers):
        size = (size - 1) * stride + kernel
    graph = graph_of(*(conv(*layer) for layer in layers), shape=(1, 5000, 5000))
    assert [axis.size for axis in last_field(graph)] == [size, size]
