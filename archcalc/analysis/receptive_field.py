"""Receptive fields: a forward fold over the graph, exact for each output position.

Per axis a field has a size (the largest hull over output positions, borders and holes ignored), a
stride (input positions between neighbouring outputs; a fraction where needed) and a start (the
first input index seen by output 0; negative inside padding). For a chain of sliding windows these
are the recurrences of Araujo, Norris & Sim 2019 ("Computing Receptive Fields of Convolutional
Neural Networks", Distill), equations 1 to 4. Here every position's hull is followed, as sequences
that repeat with a period, so that transposed convolutions, adaptive pooling and branches whose
strides disagree come out exactly, too. Branches are united; channels are not told apart.
"""

from __future__ import annotations

from math import gcd, lcm
from typing import TYPE_CHECKING, NamedTuple

from archcalc.ops.window import HELD, POINTWISE, WHOLE, AxisWindow, Sliding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from archcalc.graph import Graph, Node

LONGEST_PERIOD = 4096
LARGEST = 2**62


class AxisField(NamedTuple):
    """The receptive field along one axis.

    `aligned` is False where branches' strides disagree, `uniform` False where positions differ.
    """

    size: int
    stride: int | Fraction
    start: int
    aligned: bool = True
    uniform: bool = True


class Unknown(NamedTuple):
    """A receptive field that can't be told, and why."""

    reason: str


class Even(NamedTuple):
    """The hull of output i along an axis: lo + i*jump to hi + i*jump."""

    lo: int
    hi: int
    jump: int


class Track(NamedTuple):
    """Hulls that repeat: output i + period sees what output i sees, `advance` inputs further on.

    A position that sees nothing has None for both ends.
    """

    period: int
    advance: int
    lo: tuple[int | None, ...]
    hi: tuple[int | None, ...]

    def at(self, i: int) -> tuple[int, int] | None:
        turn, r = divmod(i, self.period)
        lo, hi = self.lo[r], self.hi[r]
        if lo is None or hi is None:
            return None
        return lo + turn * self.advance, hi + turn * self.advance


class Uneven(NamedTuple):
    """Several tracks, one for each stride, over so many output positions."""

    positions: int
    tracks: tuple[Track, ...]


Along = Even | Uneven | Unknown | None  # None: everything is seen
State = tuple[Along, ...]


def receptive_fields(graph: Graph) -> list[State]:
    """The state of every node, in the graph's order; `fields` turns one into sizes and strides."""
    rank = len(graph.input.facts.outputs[0]) - 1
    states: list[State] = [(Even(0, 0, 1),) * rank]
    for node in graph.layers:
        states.append(_through(node, states))
    return states


def fields(state: State) -> tuple[AxisField | Unknown | None, ...]:
    """The receptive field along each of the network's spatial axes; None where all is seen."""
    return tuple(_field(along) for along in state)


def through(node: Node, states: Sequence[State], position: int) -> State | None:
    """What a node's output sees through one of its inputs; None where that one is held."""
    windows = node.facts.windows[position]
    state = states[node.inputs[position].node]
    if windows is HELD:
        return None
    if windows is POINTWISE:
        return state
    if windows is WHOLE:
        return (None,) * len(state)
    assert isinstance(windows, tuple)
    sizes = node.facts.outputs[0][1:]
    if len(sizes) == 2 and (state[0], windows[0], sizes[0]) == (state[1], windows[1], sizes[1]):
        return (_step(state[0], windows[0], sizes[0]),) * 2
    return tuple(map(_step, state, windows, sizes))


def _through(node: Node, states: list[State]) -> State:
    if len(node.inputs) == 1:
        only = through(node, states, 0)
        return only if only is not None else states[0]
    parts = [through(node, states, i) for i in range(len(node.inputs))]
    followed = [part for part in parts if part is not None]
    first = followed[0]
    if all(part is first or part == first for part in followed):
        return first
    sizes = _sizes(node, len(first))
    return tuple(
        _unite(list(along), n) for along, n in zip(zip(*followed, strict=True), sizes, strict=True)
    )


def _sizes(node: Node, rank: int) -> tuple[int, ...]:
    """Output positions along each axis; after flattening they are not told apart."""
    shape = node.facts.outputs[0][1:]
    return shape if len(shape) == rank else (1,) * rank


def _step(along: Along, window: AxisWindow, count: int) -> Along:
    """One axis through one window; `count` is the number of output positions."""
    if along is None or isinstance(along, Unknown):
        return along
    if isinstance(along, Even):
        if isinstance(window, Sliding):
            jump = along.jump
            first = along.lo - window.before * jump
            reach = (window.kernel - 1) * window.dilation * jump
            hi = along.hi - window.before * jump + reach
            return _bounded(Even(first, hi, jump * window.stride))
        along = Uneven(count, (Track(1, along.jump, (along.lo,), (along.hi,)),))
    tracks: list[Track] = []
    for track in along.tracks:
        stepped = _step_track(track, window)
        if stepped is None:
            return Unknown(f"its pattern repeats only after more than {LONGEST_PERIOD} positions")
        tracks.append(stepped)
    return _settle(count, tracks)


def _bounded(along: Even) -> Along:
    if -LARGEST < along.lo and along.hi < LARGEST and along.jump < LARGEST:
        return along
    return Unknown("it exceeds 2**62 input positions")


def _step_track(track: Track, window: AxisWindow) -> Track | None:
    turns = track.period // gcd(track.period, window.advance)
    period = window.period * turns
    if period > LONGEST_PERIOD:
        return None
    advance = track.advance * (window.advance * turns // track.period)
    hulls = [_hull(track, window.taps(i)) for i in range(period)]
    lo = tuple(hull[0] if hull else None for hull in hulls)
    hi = tuple(hull[1] if hull else None for hull in hulls)
    return Track(period, advance, lo, hi)


def _hull(track: Track, taps: range) -> tuple[int, int] | None:
    """The hull of what several inputs see. Ends never move back, so the outer taps decide."""
    first = next((hull for hull in map(track.at, taps[: track.period]) if hull), None)
    last = next((hull for hull in map(track.at, taps[::-1][: track.period]) if hull), None)
    return (first[0], last[1]) if first and last else None


def _unite(parts: list[Along], count: int) -> Along:
    """The union over branches along one axis."""
    for part in parts:
        if isinstance(part, Unknown):
            return part
    if any(part is None for part in parts):
        return None
    evens = [part for part in parts if isinstance(part, Even)]
    if len(evens) == len(parts) and all(even.jump == evens[0].jump for even in evens):
        return Even(min(e.lo for e in evens), max(e.hi for e in evens), evens[0].jump)
    tracks: list[Track] = []
    for part in parts:
        if isinstance(part, Even):
            tracks.append(Track(1, part.jump, (part.lo,), (part.hi,)))
        elif isinstance(part, Uneven):
            tracks.extend(part.tracks)
    return _settle(count, tracks)


def _settle(count: int, tracks: list[Track]) -> Along:
    """Tracks of one stride merged, periods reduced; Even where positions don't differ."""
    merged: dict[tuple[int, int], Track] = {}
    for track in tracks:
        shared = gcd(track.period, track.advance)
        slope = (track.advance // shared, track.period // shared)
        joined = _merge(merged[slope], track) if slope in merged else track
        if joined is None or len(merged) > 16:
            return Unknown(f"its pattern repeats only after more than {LONGEST_PERIOD} positions")
        merged[slope] = _reduced(joined)
    if len(merged) == 1:
        [track] = merged.values()
        lo, hi = track.lo[0], track.hi[0]
        if track.period == 1 and lo is not None and hi is not None:
            return _bounded(Even(lo, hi, track.advance))
    if any(track.advance >= LARGEST for track in merged.values()):
        return Unknown("it exceeds 2**62 input positions")
    return Uneven(count, tuple(merged.values()))


def _merge(one: Track, other: Track) -> Track | None:
    """The union of two tracks with the same stride."""
    period = lcm(one.period, other.period)
    if period > LONGEST_PERIOD:
        return None
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
    if along is None or isinstance(along, Unknown):
        return along
    if isinstance(along, Even):
        return AxisField(along.hi - along.lo + 1, along.jump, along.lo)
    hulls = [hull for i in _telling(along) if (hull := _union_at(along, i))]
    if not hulls:
        return Unknown("no output position sees the input")
    track = along.tracks[0]
    aligned = len(along.tracks) == 1
    origin = _union_at(along, 0) or hulls[0]
    return AxisField(
        max(hi - lo + 1 for lo, hi in hulls),
        _ratio(track.advance, track.period),
        origin[0],
        aligned,
        uniform=False,
    )


def _ratio(above: int, below: int) -> int | Fraction:
    if above % below == 0:
        return above // below
    from fractions import Fraction

    return Fraction(above, below)


def _telling(along: Uneven) -> list[int]:
    """Positions among which the largest hull is.

    Where i grows by a common period, each end moves evenly, so the hull of several tracks is
    convex: the first and the last position of each residue decide.
    """
    period = min(lcm(*(track.period for track in along.tracks)), along.positions)
    first = range(min(period, along.positions))
    last = range(max(along.positions - period, len(first)), along.positions)
    return [*first, *last]


def _union_at(along: Uneven, i: int) -> tuple[int, int] | None:
    hulls = [hull for track in along.tracks if (hull := track.at(i))]
    if not hulls:
        return None
    return min(lo for lo, _ in hulls), max(hi for _, hi in hulls)
