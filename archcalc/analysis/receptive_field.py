"""Receptive fields: a forward fold over the graph, exact for each output position.

Per axis a field has a size (the largest hull over output positions, borders and holes ignored), a
stride (input positions between neighbouring outputs; a fraction where needed) and a start (the
first input index seen by output 0; negative inside padding; none where output 0 sees nothing,
as it may between the inputs of a transposed convolution). For a chain of sliding windows these
are the recurrences of Araujo, Norris & Sim 2019 ("Computing Receptive Fields of Convolutional
Neural Networks", Distill), equations 1 to 4. Here every position's hull is followed, as sequences
that repeat with a period, so that transposed convolutions, adaptive pooling and branches whose
strides disagree come out exactly, too. Branches are united; channels are not told apart. The
equations are in `field_equations`.

A state has an entry for each spatial axis of the network's input. In a part that is applied several
times, to the items along an axis, the input's first spatial axes are the channels of one item: its
layers go along the axes from `level` on.

What that may cost is bounded (`Effort`), so that no network, however odd, keeps anyone waiting.
"""

from __future__ import annotations

from math import gcd, inf, lcm
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis import field_equations as eq
from archcalc.formula import formula
from archcalc.graph import collector_paused
from archcalc.ops.window import HELD, POINTWISE, WHOLE, AxisWindow, Sliding, Somewhere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from archcalc.formula import Value
    from archcalc.graph import Graph, Node

LONGEST_PERIOD = 4096
MOST_EFFORT = 4_000_000  # hulls looked at, for a whole network
LARGEST = 2**62


class AxisField(NamedTuple):
    """The receptive field along one axis.

    `start` is None where output 0 sees nothing, `aligned` False where branches' strides disagree,
    `uniform` False where positions differ.
    """

    size: int
    stride: int | Fraction
    start: int | None
    aligned: bool = True
    uniform: bool = True

    @property
    def first(self) -> int:
        """The start of a field that all positions have alike."""
        assert self.start is not None
        return self.start


class Unknown(NamedTuple):
    """A receptive field that can't be told, and why.

    `lasting` if no later layer can tell, either: one that sees all of a part that the data choose
    does not see all of the input.
    """

    reason: str
    lasting: bool = False


class Track(NamedTuple):
    """Hulls that repeat: output i + period sees what output i sees, `advance` inputs further on.

    A position that sees nothing has None for both ends.
    """

    period: int
    advance: int
    lo: tuple[int | None, ...]
    hi: tuple[int | None, ...]

    def at(self, i: int) -> tuple[int, int] | None:
        """The first and the last input that output i sees."""
        r = i % self.period
        lo, hi = self.lo[r], self.hi[r]
        if lo is None or hi is None:
            return None
        return self.moved(lo, i), self.moved(hi, i)

    def moved(self, end: Any, i: int) -> Any:
        """An end of what output i sees, from the same end a whole number of periods before."""
        if self.period == 1:
            return eq.moved(end, i, self.advance)
        return eq.repeated(end, i, self.period, self.advance)


class Uneven(NamedTuple):
    """Several tracks, one for each slope, and the field they make.

    `widest` is the output position that sees furthest.
    """

    tracks: tuple[Track, ...]
    stride: int | Fraction
    field: AxisField | Unknown
    widest: int = 0


# Along one axis; an AxisField where every position sees alike, None where everything is seen.
Along = AxisField | Uneven | Unknown | None
State = tuple[Along, ...]

TOO_LONG = Unknown(f"its pattern repeats only after more than {LONGEST_PERIOD} positions")
TOO_LARGE = Unknown("it exceeds 2**62 input positions")
TOO_COSTLY = Unknown("the network's patterns are too many to follow")
HELD_ONLY = Unknown("all that it takes is held constant")
BLIND = Unknown("no output position sees the input")
OTHER_AXES = Unknown("its axes are not those of the network's input")


class Effort:
    """How much work is left for patterns that repeat; even ones cost next to nothing."""

    def __init__(self) -> None:
        self.left = MOST_EFFORT

    def allows(self, hulls: int) -> bool:
        """Spend it, if there is enough."""
        self.left -= hulls
        return self.left >= 0


def receptive_fields(graph: Graph) -> list[State]:
    """The state of every node, in the graph's order; `fields` turns one into sizes and strides."""
    rank = len(graph.input.facts.outputs[0]) - 1
    states: list[State] = [(AxisField(1, 1, 0),) * rank]
    effort = Effort()
    with collector_paused():
        for node in graph.layers:
            windows = node.facts.windows
            if len(windows) == 1 and windows[0] is POINTWISE and not node.scope.level:
                states.append(states[node.inputs[0].node])
            else:
                states.append(_through(node, states, effort))
    return states


def fields(state: State, level: int = 0) -> tuple[AxisField | Unknown | None, ...]:
    """The receptive field along each of the network's spatial axes; None where all is seen.

    In a part of that `level`, along the axes from there on.
    """
    return tuple(_field(along) for along in state[level:] or state[-1:])


def _through(node: Node, states: list[State], effort: Effort) -> State:
    """What a node's output sees: the union over its inputs."""
    parts = [_through_one(node, states, i, effort) for i in range(len(node.inputs))]
    followed = [part for part in parts if part is not None]
    if not followed:
        return (HELD_ONLY,) * len(states[0])
    first = followed[0]
    if all(part is first or part == first for part in followed):
        return first
    level = min(node.scope.level, len(first))
    sizes = (1,) * level + _sizes(node, len(first) - level)
    return tuple(
        _unite(list(along), n, effort)
        for along, n in zip(zip(*followed, strict=True), sizes, strict=True)
    )


def _through_one(
    node: Node, states: Sequence[State], position: int, effort: Effort
) -> State | None:
    """What a node's output sees through one of its inputs; None where that one is held."""
    windows = node.facts.windows[position]
    level = node.scope.level
    state = _inside(states[node.inputs[position].node], level)
    if windows is HELD:
        return None
    if windows is POINTWISE:
        return state
    if windows is WHOLE:
        return tuple(map(_whole, state))
    if isinstance(windows, Somewhere):
        return (Unknown(windows.reason, lasting=True),) * len(state)
    assert isinstance(windows, tuple)
    if len(windows) != len(state) - level:
        return tuple(map(_elsewhere, state))
    own = _slid(state[level:], windows, node.facts.outputs[0][1:], effort)
    return state[:level] + own if level else own


def _inside(state: State, level: int) -> State:
    """A state as the layers of a part see it: all of what are channels to them, they see."""
    if not level:
        return state
    return (*map(_whole, state[:level]), *state[level:])


def _whole(along: Along) -> Unknown | None:
    """An axis of which all is seen."""
    return along if isinstance(along, Unknown) and along.lasting else None


def _elsewhere(along: Along) -> Unknown | None:
    """An axis along which a window no longer goes."""
    return along if along is None or isinstance(along, Unknown) else OTHER_AXES


def _slid(
    state: State, windows: tuple[AxisWindow, ...], sizes: tuple[int, ...], effort: Effort
) -> State:
    """Each axis through its window; `sizes` are the numbers of output positions."""
    steps = zip(state, windows, sizes, strict=True)
    return tuple(_step(along, window, count, effort) for along, window, count in steps)


def _sizes(node: Node, rank: int) -> tuple[int, ...]:
    """Output positions along each axis; after flattening they are not told apart."""
    shape = node.facts.outputs[0][1:]
    return shape if len(shape) == rank else (1,) * max(rank, 0)


def _step(along: Along, window: AxisWindow, count: int, effort: Effort) -> Along:
    """One axis through one window; `count` is the number of output positions."""
    if along is None or isinstance(along, Unknown):
        return along
    if isinstance(along, AxisField) and isinstance(window, Sliding):
        return _slide(along, window)
    tracks: list[Track] = []
    for track in tracks_of(along):
        stepped = _step_track(track, window, effort)
        if isinstance(stepped, Unknown):
            return stepped
        tracks.append(stepped)
    stride = next_stride(along, window).number
    return _settle(count, tracks, stride, effort)


def _slide(field: AxisField, window: Sliding) -> AxisField | Unknown:
    """A sliding window over positions that see alike."""
    r, j, a, _, _ = field
    k, s, p, _, d = window
    r = eq.size(r, k, j) if d == 1 else eq.size_dilated(r, k, j, d)
    return _bounded(AxisField(r, eq.stride(j, s), eq.start(a, p, j)))


def next_stride(along: AxisField | Uneven, window: AxisWindow) -> Value:
    """The stride after a window, an int or a Fraction."""
    values = {"j": along.stride, **window.numbers()}
    return formula(window.rate).exactly(**values)


def tracks_of(along: AxisField | Uneven) -> tuple[Track, ...]:
    """The hulls of all positions."""
    if isinstance(along, Uneven):
        return along.tracks
    assert isinstance(along.stride, int)
    return (Track(1, along.stride, (along.start,), (eq.end(along.start, along.size),)),)


def _bounded(field: AxisField) -> AxisField | Unknown:
    first = field.first
    if first > -LARGEST and first + field.size < LARGEST and field.stride < LARGEST:
        return field
    return TOO_LARGE


def _step_track(track: Track, window: AxisWindow, effort: Effort) -> Track | Unknown:
    turns = track.period // gcd(track.period, window.advance)
    period = window.period * turns
    if period > LONGEST_PERIOD:
        return TOO_LONG
    if not effort.allows(4 * period):
        return TOO_COSTLY
    advance = track.advance * (window.advance * turns // track.period)
    taps = [window.taps(i) for i in range(period)]
    levels = max(map(len, taps)).bit_length()
    if not effort.allows(levels * track.period):
        return TOO_COSTLY
    lo = _least(track.lo, track.advance, taps)
    hi = _least([None if end is None else -end for end in track.hi], -track.advance, taps)
    return Track(period, advance, tuple(lo), tuple(None if end is None else -end for end in hi))


def _least(ends: Sequence[int | None], advance: int, taps: Sequence[range]) -> list[int | None]:
    """The least end at the taps of each output, of ends that repeat `advance` further on.

    After a transposed convolution ends may move back, so the outer taps don't decide. Tables hold
    the least of 1, 2, 4 ... ends, a step of the taps apart, from each position on; two entries of
    one cover any number of taps.
    """
    period, step = len(ends), max(some.step for some in taps)
    tables: list[list[float]] = [[inf if end is None else end for end in ends]]

    def at(table: Sequence[float], position: int) -> float:
        return eq.repeated(table[position % period], position, period, advance)  # type: ignore[no-any-return]

    longest = max(map(len, taps))
    while 1 << len(tables) <= longest:
        half, last = step << len(tables) - 1, tables[-1]
        tables.append([min(last[r], at(last, r + half)) for r in range(period)])
    found: list[int | None] = []
    for some in taps:
        level = len(some).bit_length() - 1
        covers = (some[0], some[-(1 << level)]) if some else ()
        least = min((at(tables[level], position) for position in covers), default=inf)
        found.append(None if least == inf else int(least))
    return found


def _unite(parts: list[Along], count: int, effort: Effort) -> Along:
    """The union over branches along one axis."""
    for part in parts:
        if isinstance(part, Unknown):
            return part
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if isinstance(part, (AxisField, Uneven))]
    evens = [part for part in known if isinstance(part, AxisField)]
    stride = known[0].stride
    if len(evens) == len(known) and all(even.stride == stride for even in evens):
        first = min(even.first for even in evens)
        last = max(eq.end(even.start, even.size) for even in evens)
        return AxisField(eq.extent(first, last), stride, first)
    return _settle(count, [track for part in known for track in tracks_of(part)], stride, effort)


def _settle(
    count: int, tracks: list[Track], stride: int | Fraction, effort: Effort
) -> AxisField | Uneven | Unknown:
    """Tracks of one slope merged, periods reduced; an even field where positions don't differ."""
    merged: dict[tuple[int, int], Track] = {}
    for track in tracks:
        shared = gcd(track.period, track.advance)
        slope = (track.advance // shared, track.period // shared)
        joined = _merge(merged[slope], track, effort) if slope in merged else track
        if isinstance(joined, Unknown):
            return joined
        merged[slope] = _reduced(joined)
    if any(track.advance >= LARGEST for track in merged.values()):
        return TOO_LARGE
    if len(merged) == 1:
        [track] = merged.values()
        lo, hi = track.lo[0], track.hi[0]
        if track.period == 1 and lo is not None and hi is not None:
            return _bounded(AxisField(eq.extent(lo, hi), stride, lo))
    return _uneven(tuple(merged.values()), stride, count, effort)


def _merge(one: Track, other: Track, effort: Effort) -> Track | Unknown:
    """The union of two tracks with the same stride."""
    period = lcm(one.period, other.period)
    if period > LONGEST_PERIOD:
        return TOO_LONG
    if not effort.allows(2 * period):
        return TOO_COSTLY
    advance = one.advance * (period // one.period)
    hulls = [[hull for hull in (one.at(i), other.at(i)) if hull] for i in range(period)]
    lo = tuple(min((hull[0] for hull in some), default=None) for some in hulls)
    hi = tuple(max((hull[1] for hull in some), default=None) for some in hulls)
    return Track(period, advance, lo, hi)


def _reduced(track: Track) -> Track:
    """The same hulls with the shortest period."""
    for period in range(1, track.period):
        if track.period % period or track.advance * period % track.period:
            continue
        advance = track.advance * period // track.period
        short = Track(period, advance, track.lo[:period], track.hi[:period])
        if all(short.at(i) == track.at(i) for i in range(track.period)):
            return short
    return track


def _field(along: Along) -> AxisField | Unknown | None:
    return along.field if isinstance(along, Uneven) else along


def _uneven(
    tracks: tuple[Track, ...], stride: int | Fraction, count: int, effort: Effort
) -> Uneven:
    """What `count` output positions that differ see."""
    period = min(lcm(*(track.period for track in tracks)), count)
    if not effort.allows(2 * period * len(tracks)):
        return Uneven(tracks, stride, TOO_COSTLY)
    hulls = [(i, *hull) for i in _telling(period, count) if (hull := _union_at(tracks, i))]
    if not hulls:
        return Uneven(tracks, stride, BLIND)
    opening = _union_at(tracks, 0)
    widest, first, last = max(hulls, key=lambda hull: hull[2] - hull[1])
    aligned = len(tracks) == 1
    start = opening[0] if opening else None
    field = AxisField(eq.extent(first, last), stride, start, aligned, uniform=False)
    return Uneven(tracks, stride, field, widest)


def _telling(period: int, count: int) -> list[int]:
    """Positions among which the largest hull is.

    Where i grows by a common period, each end moves evenly, so the hull of several tracks is
    convex: the first and the last position of each residue decide.
    """
    return [*range(period), *range(max(count - period, period), count)]


def _union_at(tracks: tuple[Track, ...], i: int) -> tuple[int, int] | None:
    hulls = [hull for track in tracks if (hull := track.at(i))]
    if not hulls:
        return None
    return min(lo for lo, _ in hulls), max(hi for _, hi in hulls)
