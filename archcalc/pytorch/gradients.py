"""Receptive fields by back-propagation: which input positions reach an output position.

A witness of `analysis.receptive_field` that asks no op for its windows. Node by node, back from a
layer, each node's real module runs on a small tensor, and autograd carries an indicator of output
positions to the input positions that they depend on. The indicator is made binary again at each
node (nonzero anywhere over channels and other axes) and united where several consumers meet, so
that nothing over- or underflows in thousands of layers. One spatial axis is examined at a time, on
an input that is longer than the field, at interior positions: borders are not met.

What holds constant is what DESIGN says: the gates of a product and the switches of an unpooling are
not followed, and norms whose statistics come from the input are the identity. Batch norm is real,
in evaluation mode.

Why a reduced layer (`_reduced`) has the window of the whole one: a layer slides one kernel for all
its channels, so the positions that an output depends on are the same for each of them, and their
union is what a receptive field is. Groups and tables only choose among channels; so do the parts of
a split, a shuffle, and slices and zeros of channels. Other axes do not move what is seen along this
one: a kernel is a product of ranges, one an axis. All weights are 1 and all cotangents positive, so
that no two ways cancel; a gradient is 0, but for rounding, only where nothing is seen.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import lru_cache
from math import lcm, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from archcalc.analysis.receptive_field import (
    HELD_ONLY,
    AxisField,
    Track,
    Uneven,
    Unknown,
    tracks_of,
)
from archcalc.errors import one_line
from archcalc.ops import conv, join, linear, normalization, pooling, regions, shape
from archcalc.pytorch.base import each_axis
from archcalc.pytorch.builders import build_layer
from archcalc.pytorch.windows import pair, sides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archcalc.analysis.receptive_field import Along, State
    from archcalc.graph import Graph, Node, Scope
    from archcalc.ops import Op

CHANNELS = 2
LONGEST = 2**16  # positions of an axis that is still examined; twice that where strides ask it
MOST_ROWS = 256  # positions that one pattern may take to repeat, twice over
MOST_ELEMENTS = 2**21  # of one tensor on the way back
MOST_PROBED = 2**24  # weights and inputs of a reduced layer that is still run
NOISE = 1e-9  # weights that linear interpolation has for what it should not see are below
EXITS_UP_TO = 400  # nodes of a network whose blocks' exits are examined, too
LENGTHENED = 4  # times that an axis is tried, doubled each time
TOGETHER = 32  # layers examined in one sweep where the first wrong one is looked for

WHOLE_KINDS = (linear.Linear, linear.RBF, pooling.GlobalAvgPool, pooling.GlobalMaxPool)
SLIDING = (conv.Conv, pooling.MaxPool, pooling.AvgPool, pooling.Subsample)
ADAPTIVE = (pooling.AdaptiveAvgPool, pooling.AdaptiveMaxPool)
JOINS = (join.Add, join.Multiply, shape.Concat)
OWN_STATISTICS = (normalization.LayerNorm, normalization.GroupNorm)

Key = tuple[int, int]  # a tensor: its node and port


class Found(NamedTuple):
    """What came of one layer and axis: `reason` why it was not examined, or both witnesses' words.

    `axis` counts from 0; `agrees` is whether they say the same.
    """

    node: Node
    axis: int
    stated: str
    reached: str
    reason: str = ""

    @property
    def agrees(self) -> bool:
        return self.stated == self.reached


class CannotExamineError(Exception):
    """Why an axis can't be examined."""


class TooShortError(CannotExamineError):
    """A longer axis may do."""


class DoesNotFitError(CannotExamineError):
    """An axis several times as long as the network's own may do."""


class Target(NamedTuple):
    """A layer's positions that are followed back: `first` and the ones after it, twice a period."""

    node: Node
    port: int
    tracks: tuple[Track, ...]
    along: AxisField | Uneven

    @property
    def period(self) -> int:
        """After so many positions what is seen repeats."""
        return lcm(*(track.period for track in self.tracks))

    def at(self, i: int) -> tuple[int, int] | None:
        """What position i is stated to see: the union over branches whose strides disagree."""
        hulls = [hull for track in self.tracks if (hull := track.at(i))]
        if not hulls:
            return None
        return min(first for first, _ in hulls), max(last for _, last in hulls)


def check_fields(graph: Graph, states: Sequence[State]) -> Iterator[Found]:
    """Examine a network where it is cut: before the layers that see everything, and at its outputs.

    `states` are `analysis.receptive_field`'s, one a node. Where something disagrees, the first
    layer that does is looked for and given.
    """
    seen = _sees_all(graph)
    keys = _targets(graph, seen)
    yield from _stated_whole(graph, states, seen)
    for axis in range(len(graph.input.facts.outputs[0]) - 1):
        for found in _examined(graph, states, keys, axis):
            yield found if found.agrees else _first_wrong(graph, states, found)


# Where a network is cut.


def followed(node: Node) -> tuple[int, ...]:
    """The inputs through which a receptive field goes: no gates, switches or choice of regions."""
    if isinstance(node.op, regions.Proposals):
        return ()
    if isinstance(node.op, (pooling.MaxUnpool, regions.RoIAlign)):
        return (0,)
    gates = each_axis(node.op.gates, 1) if isinstance(node.op, join.Multiply) else ()
    return tuple(i for i in range(len(node.inputs)) if i not in gates)


def _is_whole(op: Op) -> bool:
    """Whether each output sees all positions."""
    if isinstance(op, ADAPTIVE):
        return set(each_axis(op.size, 1)) == {1}
    return isinstance(op, WHOLE_KINDS)


def _sees_all(graph: Graph) -> list[bool]:
    """For each node, whether a layer that sees everything is on its way from the input."""
    seen = [False]
    for node in graph.layers:
        through = any(seen[node.inputs[i].node] for i in followed(node))
        seen.append(through or _is_whole(node.op))
    return seen


def _targets(graph: Graph, seen: Sequence[bool]) -> list[Key]:
    """The last tensors before all is seen, the outputs, and small networks' blocks' exits."""
    ends = [
        node.inputs[i]
        for node in graph.layers
        for i in followed(node)
        if isinstance(node.op, shape.Flatten) or _is_whole(node.op)
    ]
    ends += [output.tensor for output in graph.outputs]
    if len(graph.nodes) <= EXITS_UP_TO:
        ends += [scope.exit for scope in _blocks(graph) if scope.exit is not None]
    return sorted(
        {
            (t.node, t.port)
            for t in ends
            if t.node and not seen[t.node] and len(graph.nodes[t.node].facts.outputs[t.port]) > 1
        }
    )


def _blocks(graph: Graph) -> list[Scope]:
    return [scope for scope in graph.root.walk() if scope.parent is graph.root]


def _stated_whole(graph: Graph, states: Sequence[State], seen: Sequence[bool]) -> Iterator[Found]:
    """The first layer that is wrongly stated to see everything, or not to, or nothing."""
    levels = _levels(graph)
    for node in graph.layers:
        for axis, along in enumerate(states[node.index]):
            if axis < levels[node.index]:  # to its layers, or to some before, it is the channels
                continue
            if along == HELD_ONLY and followed(node) and not _inherited(node, states, axis):
                yield Found(node, axis, HELD_ONLY.reason, "not all of it is held")
                return
            if (along is None) != seen[node.index] and not isinstance(along, Unknown):
                reached = "everything" if seen[node.index] else "a part"
                yield Found(node, axis, _words(along), reached)
                return


def _levels(graph: Graph) -> list[int]:
    """For each node the most parts applied several times that its way from the input goes into."""
    found = [0]
    for node in graph.layers:
        before = (found[tensor.node] for tensor in node.inputs)
        found.append(max(node.scope.level, *before) if node.inputs else node.scope.level)
    return found


def _inherited(node: Node, states: Sequence[State], axis: int) -> bool:
    """Whether something that it takes has no field already."""
    return any(isinstance(states[tensor.node][axis], Unknown) for tensor in node.inputs)


# One axis of one network.


def _examined(
    graph: Graph, states: Sequence[State], keys: Iterable[Key], axis: int
) -> Iterator[Found]:
    """Each layer's field along one axis as stated and as reached."""
    targets: list[Target] = []
    for index, port in keys:
        node = graph.nodes[index]
        target = _target(graph, node, port, states[index][axis])
        if isinstance(target, Target):
            targets.append(target)
        elif target:
            yield Found(node, axis, "", "", target)
    if not targets:
        return
    yield from _swept(graph, states, axis, targets)


def _swept(
    graph: Graph, states: Sequence[State], axis: int, targets: Sequence[Target]
) -> Iterator[Found]:
    """All targets in one sweep; each by itself where that can't be."""
    try:
        found = _hulls(graph, axis, targets, _strides(states, axis))
    except CannotExamineError as error:
        if len(targets) == 1:
            yield Found(targets[0].node, axis, "", "", str(error))
            return
        for target in targets:
            yield from _swept(graph, states, axis, [target])
        return
    for target, hulls in zip(targets, found, strict=True):
        yield _compared(target, axis, *hulls)


def _target(graph: Graph, node: Node, port: int, along: Along) -> Target | str:
    """What is followed back from a layer, or why nothing is; "" where it sees everything.

    "" too where it has not the input's axes: there a part applied several times flattened its own.
    """
    if along is None:
        return ""
    if isinstance(along, Uneven) and isinstance(along.field, Unknown):
        along = along.field
    if isinstance(along, Unknown):
        return f"archcalc states none: {along.reason}"
    if len(node.facts.outputs[port]) + node.scope.level != len(graph.input.facts.outputs[0]):
        return ""
    target = Target(node, port, tracks_of(along), along)
    if 2 * target.period > MOST_ROWS:
        return f"its pattern repeats only after {target.period} positions"
    return target


def _strides(states: Sequence[State], axis: int) -> list[int]:
    """Each layer's stride along an axis, or its numerator; 1 where it has none."""
    alongs = [state[axis] if axis < len(state) else None for state in states]
    return [
        Fraction(along.stride).numerator if isinstance(along, (AxisField, Uneven)) else 1
        for along in alongs
    ]


def _hulls(
    graph: Graph, axis: int, targets: Sequence[Target], strides: Sequence[int]
) -> list[tuple[int, Hulls]]:
    """A sweep on an axis so long that no border is met on the way."""
    own: int = graph.input.facts.outputs[0][1 + axis]
    margins = _margins(graph)
    longest = max(_size(one.along) + 4 * track.advance for one in targets for track in one.tracks)
    near = max((margins[node.index] + 4) * strides[node.index] for node in graph.nodes)
    more = max(0, longest + longest // 8 + 2 * near - own)
    failed: CannotExamineError = TooShortError("")
    for size in _sizes(own, more, lcm(*strides)):
        try:
            return _Sweep(graph, axis, targets, size, margins).run()
        except (TooShortError, DoesNotFitError) as error:
            failed = error
    if isinstance(failed, TooShortError):
        raise CannotExamineError(f"{failed}, also on the longest axis that is tried") from None
    raise failed


def _sizes(own: int, more: int, stride: int) -> Iterator[int]:
    """Lengths of an axis to try: longer by what every layer's stride divides, doubled each time.

    So each layer has so many more positions that words such as `same_tf` mean the same numbers as
    at the network's own size. Then whole multiples of that, where ratios of sizes mean the same.
    """
    tried = []
    for _ in range(LENGTHENED):
        added = -(-min(more, LONGEST) // stride) * stride
        if added > 2 * LONGEST:
            raise CannotExamineError(f"its strides divide only every {stride:,} positions")
        tried.append(own + added)
        more = 2 * added + own
    times = [max(2, -(-size // own)) for size in tried]
    multiples = [count * own for count in times if count * own <= max(*tried, 2 * LONGEST)]
    yield from dict.fromkeys([*tried, *multiples])


def _margins(graph: Graph) -> list[int]:
    """For each layer's positions, from which ends on a window on them or of them may reach over."""
    margins = [_reach(node.op) for node in graph.nodes]
    for node in graph.layers:
        for tensor in node.inputs:
            margins[tensor.node] = max(margins[tensor.node], _reach(node.op))
    return margins


def _reach(op: Any) -> int:
    """Positions next to a tensor's end from which a window may reach over it."""
    largest = 1
    for name in ("kernel", "padding"):
        value = getattr(op, name, 0)
        sides = [pair(one) for one in each_axis(value, 1)] if not isinstance(value, str) else []
        largest = max(largest, *(before + after for before, after in sides), 0)
    return int(largest * max(each_axis(getattr(op, "dilation", 1), 1)))


def _size(along: AxisField | Uneven) -> int:
    field = along.field if isinstance(along, Uneven) else along
    assert isinstance(field, AxisField)
    return field.size


Hulls = list[tuple[int, int] | None]


class _Sweep:
    """One way back over the graph for all targets at once: a row of indicators a position."""

    def __init__(
        self, graph: Graph, axis: int, targets: Sequence[Target], size: int, margins: Sequence[int]
    ) -> None:
        self.axis = axis
        self.targets = targets
        self.margins = margins
        self.needed = _ancestors(graph, [target.node.index for target in targets])
        self.lengths = {0: size}
        self.masks: dict[Key, Tensor] = {}

    def run(self) -> list[tuple[int, Hulls]]:
        """For each target its first position, and the hull that each of its positions reaches."""
        for node in self.needed:
            self.lengths[node.index] = self._length(node)
        firsts = [self._first(target) for target in self.targets]
        counts = [2 * target.period for target in self.targets]
        for start, target, first in zip(_running(counts), self.targets, firsts, strict=True):
            mask = self._mask((target.node.index, target.port), sum(counts))
            for row in range(2 * target.period):
                mask[start + row, first + row] = True
        for node in reversed(self.needed):
            self._back(node, sum(counts))
        reached = self._mask((0, 0), sum(counts))
        self._refuse_borders("the input", reached, self.margins[0])
        hulls = [_hull(row) for row in reached]
        return [
            (first, hulls[start : start + count])
            for first, start, count in zip(firsts, _running(counts), counts, strict=True)
        ]

    def _length(self, node: Node) -> int:
        try:
            return self._probe(node).length()
        except RuntimeError as error:
            raise DoesNotFitError(_in_words(node, error)) from None

    def _probe(self, node: Node) -> _Probe:
        inputs = followed(node)
        if any(len(node.facts.inputs[i]) < 2 for i in inputs):
            raise CannotExamineError(f"{node.path} takes one value for all positions")
        axis = self.axis - node.scope.level
        own = tuple(node.facts.inputs[i][1 + axis] for i in inputs)
        now = tuple(self.lengths[node.inputs[i].node] for i in inputs)
        rank = len(node.facts.inputs[0]) - 1
        return _probe(_reduced(node.op, own, now, axis, rank), now, axis, rank)

    def _first(self, target: Target) -> int:
        """A position in the middle of the layer, at a period's begin."""
        period = target.period
        length = self.lengths[target.node.index]
        if length < 4 * period:
            raise TooShortError(f"{target.node.path} has too few positions")
        return (length // 2 - period) // period * period

    def _refuse_borders(self, name: str, mask: Tensor, margin: int) -> None:
        """Near an end of a tensor a window may reach over it: less would be seen than elsewhere."""
        if mask[:, :margin].any() or mask[:, -margin:].any():
            raise TooShortError(f"{name} has no positions far enough from its ends")

    def _mask(self, key: Key, rows: int) -> Tensor:
        if key not in self.masks:
            self.masks[key] = torch.zeros(rows, self.lengths[key[0]], dtype=torch.bool)
        return self.masks[key]

    def _back(self, node: Node, rows: int) -> None:
        for port in range(len(node.op.ports)):
            mask = self.masks.pop((node.index, port), None)
            if mask is None:
                continue
            self._refuse_borders(node.path, mask, self.margins[node.index])
            active = mask.any(1).nonzero().flatten()
            if not len(active):
                continue
            probe = self._probe(node)
            for some in torch.split(active, probe.rows_at_once()):
                reached = probe.reached(port, mask[some])
                for i, part in zip(followed(node), reached, strict=True):
                    tensor = node.inputs[i]
                    self._mask((tensor.node, tensor.port), rows)[some] |= part


def _in_words(node: Node, error: RuntimeError) -> str:
    """Why a layer does not run on a longer axis."""
    if isinstance(node.op, JOINS):
        return f"{node.path} joins tensors whose lengths differ on a longer axis"
    text = one_line(str(error).partition("\n")[0])
    return f"{node.path} does not run on a longer axis: {text}"


def _running(counts: Sequence[int]) -> Iterator[int]:
    """Where each of several runs starts."""
    start = 0
    for count in counts:
        yield start
        start += count


def _ancestors(graph: Graph, ends: Iterable[int]) -> list[Node]:
    """The layers on followed ways to some layers, those included, in the graph's order."""
    needed = set(ends)
    for node in reversed(graph.layers):
        if node.index in needed:
            needed.update(node.inputs[i].node for i in followed(node))
    return [node for node in graph.layers if node.index in needed]


def _hull(row: Tensor) -> tuple[int, int] | None:
    places = row.nonzero().flatten()
    return (int(places[0]), int(places[-1])) if len(places) else None


# What is stated and what was reached.


def _compared(target: Target, axis: int, first: int, hulls: Hulls) -> Found:
    """Both witnesses' words: size, stride and start; or the first position where they differ."""
    stated, reached = _words(target.along), _reached(target, axis, first, hulls)
    if stated == reached or len(target.tracks) > 1:
        for i, hull in enumerate(hulls, first):
            if hull != target.at(i):
                return Found(target.node, axis, _seen(i, target.at(i)), _seen(i, hull))
        return Found(target.node, axis, stated, stated)
    return Found(target.node, axis, stated, reached)


def _words(along: Along) -> str:
    if along is None:
        return "everything"
    field = along.field if isinstance(along, Uneven) else along
    if isinstance(field, Unknown):
        return field.reason
    return _triple(field.size, field.stride, field.start)


def _triple(size: int, stride: Any, start: int | None) -> str:
    return f"size {size}, stride {stride}, start {'none' if start is None else start}"


def _seen(i: int, hull: tuple[int, int] | None) -> str:
    return f"position {i} sees " + (f"{hull[0]} to {hull[1]}" if hull else "nothing")


def _reached(target: Target, axis: int, first: int, hulls: Hulls) -> str:
    """Size, stride and start that the reached positions have.

    Of positions that differ only those count that the network at its own size has.
    """
    period = target.period
    own = axis - target.node.scope.level
    count = min(period, target.node.facts.outputs[target.port][1 + own])
    one = next((hull for hull in hulls[:count] if hull), None)
    if one is None:
        return "nothing is reached"
    again = hulls[hulls.index(one) + period]
    if again is None:
        return "the next position reaches nothing"
    size = max(hull[1] - hull[0] + 1 for hull in hulls[:count] if hull)
    advance = again[0] - one[0]
    opening = hulls[0]  # of a position that sees what output 0 sees, whole periods further on
    start = opening[0] - first * advance // period if opening else None
    return _triple(size, Fraction(advance, period), start)


def _first_wrong(graph: Graph, states: Sequence[State], wrong: Found) -> Found:
    """The first layer on the way to a wrong one that is wrong itself."""
    before = [(node.index, 0) for node in _ancestors(graph, [wrong.node.index])]
    for start in range(0, len(before), TOGETHER):
        for found in _examined(graph, states, before[start : start + TOGETHER], wrong.axis):
            if not found.agrees:
                return found
    return wrong


# Reduced layers.


class _Probe(NamedTuple):
    """A layer's module on few channels, with inputs whose examined axis is long.

    `inputs` have shape (places, channels, *spatial): where a maximum chooses, each place of its
    window is chosen in turn. `fixed` are inputs that are not followed.
    """

    module: nn.Module
    inputs: tuple[Tensor, ...]
    fixed: tuple[Tensor, ...]
    axis: int

    def length(self) -> int:
        """Positions of the output along the axis."""
        with torch.no_grad():
            result = self.module(*(x[:1] for x in (*self.inputs, *self.fixed)))
        one: Tensor = result[0] if isinstance(result, tuple) else result
        return int(one.shape[2 + self.axis])

    def rows_at_once(self) -> int:
        return max(1, MOST_ELEMENTS // max(x.numel() for x in self.inputs))

    def reached(self, port: int, mask: Tensor) -> list[Tensor]:
        """Of indicators (rows, output positions) those of each input, (rows, input positions)."""
        rows, places = len(mask), len(self.inputs[0])
        xs = [_each(x, rows).requires_grad_() for x in self.inputs]
        result = self.module(*xs, *(_each(x, rows) for x in self.fixed))
        y: Tensor = result[port] if isinstance(result, tuple) else result
        cotangent = _along(mask, y, self.axis).repeat(places, *(1 for _ in y.shape[1:]))
        weights = torch.arange(1.0, y.shape[1] + 1, dtype=y.dtype)  # softmax has none in their sum
        cotangent = (cotangent * weights.view(-1, *(1 for _ in y.shape[2:]))).expand_as(y)
        found = []
        for gradient in torch.autograd.grad(y, xs, cotangent):
            others = [d for d in range(1, gradient.dim()) if d != 2 + self.axis]
            nonzero = gradient.abs() > NOISE
            nonzero = nonzero.any(dim=others) if others else nonzero
            found.append(nonzero.view(places, rows, -1).any(0))
        return found


def _each(x: Tensor, rows: int) -> Tensor:
    """(places, ...) as (places*rows, ...)."""
    return x.repeat_interleave(rows, 0)


def _along(mask: Tensor, y: Tensor, axis: int) -> Tensor:
    """(rows, positions) with axes of length 1 besides, as a cotangent."""
    shape_ = [len(mask), *(1 for _ in y.shape[1:])]
    shape_[2 + axis] = -1
    return mask.to(y.dtype).view(shape_)


@lru_cache(maxsize=512)
def _probe(op: Op, lengths: tuple[int, ...], axis: int, rank: int) -> _Probe:
    """A reduced layer with the inputs it is run on; PyTorch refuses some with a RuntimeError."""
    if isinstance(op, shape.Upsample) and op.mode == "nearest":
        return _repeating(op, lengths[0], axis, rank)
    channels = len(op.ports) if isinstance(op, shape.Split) else CHANNELS
    others = [_shortest(op, other, rank) for other in range(rank)]
    shapes = tuple((channels, *others[:axis], length, *others[axis + 1 :]) for length in lengths)
    if isinstance(op, pooling.MaxUnpool):
        shapes = shapes * 2
    with torch.device("meta"):
        module = build_layer(op, shapes)
    elements = sum(x.numel() for x in module.parameters()) + sum(map(prod, shapes))
    if elements > MOST_PROBED:
        raise CannotExamineError(
            f"{op.kind} on two channels has {elements:,} weights and inputs, more than are tried"
        )
    module.to(dtype=torch.float64).to_empty(device="cpu")
    _set_ones(module)
    generator = torch.Generator().manual_seed(0)
    own = shapes[: len(lengths)]
    inputs = [torch.rand(1, *one, generator=generator, dtype=torch.float64) + 0.5 for one in own]
    return _chosen(op, _Probe(module.eval(), tuple(inputs), (), axis))


class _Repeat(nn.Module):
    """Repeats or leaves out positions of one axis."""

    def __init__(self, taken: Tensor) -> None:
        super().__init__()
        self.taken = taken

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(2, self.taken)


def _repeating(op: shape.Upsample, length: int, axis: int, rank: int) -> _Probe:
    """Nearest upsampling, its axis alone, with a gradient that goes where the forward pass takes.

    PyTorch (2.13) finds a position's source, floor(i*n/m), with a ratio rounded to float32: in the
    backward pass, whatever the type, and forward in small maps of two axes. So some whole numbers
    come out one less, such as 14 at i = 23 from 28 to 46. Forward along one axis it keeps doubles.
    """
    own = {"size": op.size, "scale": op.scale}
    line = _with(op, **{name: each_axis(v, rank)[axis] for name, v in own.items() if v is not None})
    positions = torch.arange(length, dtype=torch.float64).expand(1, CHANNELS, -1)
    taken = build_layer(line, ((CHANNELS, length),))(positions)[0, 0].long()
    x = torch.ones(1, CHANNELS, length, dtype=torch.float64)
    return _Probe(_Repeat(taken), (x,), (), 0)


@torch.no_grad()
def _set_ones(module: nn.Module) -> None:
    """Weights 1, biases 0, running statistics of nothing seen."""
    for name, parameter in module.named_parameters():
        parameter.fill_(0 if name == "bias" else 1).requires_grad_(False)
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.reset_running_stats()


def _chosen(op: Op, probe: _Probe) -> _Probe:
    """With one input for each place of a window, where a maximum or its switches choose one."""
    axis = probe.axis
    x = probe.inputs[0]
    length = x.shape[2 + axis]
    if isinstance(op, pooling.MaxPool):
        kernel, dilation = (each_axis(v, axis + 1)[axis] for v in (op.kernel, op.dilation))
        return probe._replace(inputs=(_combs(x, 2 + axis, min(kernel * dilation, length)),))
    if isinstance(op, pooling.AdaptiveMaxPool):
        return probe._replace(inputs=(_combs(x, 2 + axis, min(_widest(op, length, axis), length)),))
    if isinstance(op, pooling.MaxUnpool):
        switches = _switches(op, x, axis)
        return probe._replace(
            inputs=(x.repeat(len(switches), *(1 for _ in x.shape[1:])),), fixed=(switches,)
        )
    return probe


def _widest(op: Any, length: int, axis: int) -> int:
    return int(-(-length // each_axis(op.size, axis + 1)[axis]) + 1)


def _combs(x: Tensor, dim: int, period: int) -> Tensor:
    """(1, ...) as (period, ...): in the r-th, positions r, r + period, ... along `dim` are largest.

    Of any `period` positions in a row one is: each place of a window is its maximum in one of them.
    """
    positions = torch.arange(x.shape[dim]).view(-1, *(1 for _ in x.shape[dim + 1 :]))
    return torch.cat([x + (positions % period == r) for r in range(period)])


def _switches(op: pooling.MaxUnpool, x: Tensor, axis: int) -> Tensor:
    """Where each value goes, (places, channels, *spatial): to each place of its window in turn.

    Places in the padding, where no maximum is, become the nearest ones inside.
    """
    rank = x.dim() - 2
    stride = each_axis(op.kernel if op.stride is None else op.stride, rank)
    kernel, padding = each_axis(op.kernel, rank), each_axis(op.padding, rank)
    sizes = _unpooled(op, list(x.shape[2:]))
    flat = torch.zeros(kernel[axis], *x.shape[1:], dtype=torch.int64)
    for dim in range(rank):
        first = torch.arange(x.shape[2 + dim]) * stride[dim] - pair(padding[dim])[0]
        first = first.view(-1, *(1 for _ in range(rank - dim - 1)))
        place = torch.arange(kernel[axis]).view(-1, *(1 for _ in range(rank + 1)))
        at = first + place if dim == axis else first
        flat = flat * sizes[dim] + at.clamp(0, sizes[dim] - 1)
    return flat


def _unpooled(op: pooling.MaxUnpool, lengths: Sequence[int]) -> tuple[int, ...]:
    """Output positions of an unpooling, the fixed size or the one that follows."""
    rank = len(lengths)
    if op.size is not None:
        return each_axis(op.size, rank)
    return tuple(_least(op, n, axis, rank) for axis, n in enumerate(lengths))


def _least(op: Any, n: int, axis: int, rank: int) -> int:
    """Output positions along an axis of n that a transposed window covers."""
    stride = each_axis(op.kernel if op.stride is None else op.stride, rank)[axis]
    kernel, dilation = each_axis(op.kernel, rank)[axis], each_axis(op.dilation, rank)[axis]
    before, after = pair(each_axis(op.padding, rank)[axis])
    return int((n - 1) * stride + dilation * (kernel - 1) + 1 - before - after)


def _shortest(op: Any, axis: int, rank: int) -> int:
    """The fewest positions that an axis which isn't examined may have.

    One window along it must have data in it: where all hold padding alone, nothing is seen along
    the examined axis, either.
    """
    if isinstance(op, shape.Slice) and op.axis == axis + 1:
        return int(max(op.start + 1, op.stop or 0))
    if not isinstance(op, (*SLIDING, conv.ConvTranspose, pooling.MaxUnpool)):
        return 1
    return next(n for n in itertools.count(1) if _has_data(op, n, axis, rank))


def _has_data(op: Any, n: int, axis: int, rank: int) -> bool:
    """Whether one of the windows on an axis of n has a position of the input among its taps.

    Some n will do: at stride + reach, if not before, a sliding window begins inside. For transposed
    windows, the positions are the output's.
    """
    if isinstance(op, pooling.MaxUnpool):  # its switches are inside, wherever its windows are
        return _least(op, n, axis, rank) > 0
    strides = each_axis(op.kernel if op.stride is None else op.stride, rank)
    kernel, dilation = each_axis(op.kernel, rank)[axis], each_axis(op.dilation, rank)[axis]
    if isinstance(op, conv.ConvTranspose):
        before, _ = pair(each_axis(op.padding, rank)[axis])
        last = (n - 1) * strides[axis] - before
        end = _least(op, n, axis, rank) + each_axis(op.extra, rank)[axis]
    else:
        before, after = sides(op, rank, strides).of([n] * rank)[axis]
        last = n + after - dilation * (kernel - 1) - 1
        end = n
    starts = range(-before, last + 1, strides[axis])
    return any(0 <= start + q * dilation < end for start in starts for q in range(kernel))


def _reduced(op: Any, own: tuple[int, ...], now: tuple[int, ...], axis: int, rank: int) -> Op:
    """The layer with few channels, for inputs of `now` positions in place of its `own`.

    A fixed output size keeps its ratio to the input's, which is all that adaptive windows and
    interpolation go by; an unpooling's keeps what it has more than its windows cover.
    """
    if isinstance(op, OWN_STATISTICS):
        return shape.Identity()
    sized = _SIZED.get(type(op))
    if sized is not None and op.size is not None:
        along = [1] * rank
        along[axis] = sized(op, own[0], now[0], axis, rank)
        if isinstance(op, pooling.MaxUnpool):
            others = [_least(op, _shortest(op, i, rank), i, rank) for i in range(rank)]
            along = [*others[:axis], along[axis], *others[axis + 1 :]]
        return _with(op, size=along)
    if isinstance(op, shape.Slice) and op.axis == 1 + axis and op.stop is not None:
        stop = min(op.stop, own[0])  # a crop leaves out as many positions at the end as ever
        return _with(op, stop=stop + now[0] - own[0])
    changes = _FEWER.get(type(op))
    return _with(op, **changes(op)) if changes else op


def _with(op: Any, **changes: Any) -> Op:
    changed: Op = type(op)(**{**op.values(), **changes})
    return changed


_FEWER: dict[type[Op], Callable[[Any], dict[str, Any]]] = {
    conv.Conv: lambda op: {"out": CHANNELS, "groups": 1, "table": None},
    conv.ConvTranspose: lambda op: {"out": CHANNELS, "groups": 1},
    shape.ChannelShuffle: lambda op: {"groups": CHANNELS},
    shape.Pad: lambda op: {"channels": 0},
    shape.Split: lambda op: {"parts": len(op.ports)},
    shape.Slice: lambda op: {"start": 0, "stop": 1, "step": 1} if op.axis == 0 else {},
}


def _same_ratio(op: Any, own: int, now: int, axis: int, rank: int) -> int:
    size, rest = divmod(now * each_axis(op.size, rank)[axis], own)
    if rest:
        raise DoesNotFitError(f"a fixed size does not fit {now} positions in place of {own}")
    return int(size)


def _same_excess(op: Any, own: int, now: int, axis: int, rank: int) -> int:
    excess = each_axis(op.size, rank)[axis] - _least(op, own, axis, rank)
    return int(_least(op, now, axis, rank) + excess)


_SIZED: dict[type[Op], Callable[..., int]] = {
    pooling.AdaptiveAvgPool: _same_ratio,
    pooling.AdaptiveMaxPool: _same_ratio,
    shape.Upsample: _same_ratio,
    pooling.MaxUnpool: _same_excess,
}
