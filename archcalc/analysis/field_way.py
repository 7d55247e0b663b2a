"""A receptive field's way through a network: each layer's step, all steps forward, and backward.

Forward, a layer's field follows from those before it: by the recurrences where all positions see
alike, else by what the position that sees furthest takes from each input. Backward, the positions
that one output takes are followed down to the input; for sliding windows that is the documents'
f_i = (f_(i+1) - 1)*stride + kernel.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis import field_equations as eq
from archcalc.analysis.receptive_field import (
    AxisField,
    Track,
    Uneven,
    fields,
    next_stride,
    tracks_of,
)
from archcalc.formula import Derived, Extreme, Span, constant, formula
from archcalc.ops.base import AXIS_WORDS, axes
from archcalc.ops.window import HELD, POINTWISE, Ends, Sliding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.analysis.receptive_field import Along
    from archcalc.analysis.rows import Row, Whole
    from archcalc.graph import Node


class FieldStep(NamedTuple):
    """A layer's field along one axis; `taps` are positions on its inputs that it follows from.

    It has no start where output 0 sees nothing.
    """

    size: Derived
    stride: Derived
    start: Derived | None
    taps: dict[str, Derived]


class Step(NamedTuple):
    """One layer on a receptive field's way: the equation and the field's size after it."""

    layer: str
    symbols: str
    text: str
    size: int
    stride: Any
    start: int | None


class Path(NamedTuple):
    """A receptive field along one axis (or several that agree), forward and backward.

    `rule` says how one goes backward.
    """

    axis: str
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]
    rule: str
    note: str


def axis_words(rank: int) -> list[str]:
    """height and width, and so on."""
    return [AXIS_WORDS.get(axis, axis) for axis in axes(rank)]


# One layer.


class _Part(NamedTuple):
    """One input of a layer: what its positions see, and the window onto it (None: pointwise)."""

    along: AxisField | Uneven
    window: Any


def axes_of(row: Row) -> list[tuple[str, int]]:
    """The axes that a row's layers go along: what each is called, and which of the input's it is.

    None where the input has none that are theirs.
    """
    level = row.level
    rank = len(row.analysis.receptive_states[0]) - level
    return [(word, level + axis) for axis, word in enumerate(axis_words(max(rank, 0)))]


def field_step(analysis: Whole, node: Node, axis: int) -> FieldStep | None:
    """How a layer's field follows from those before it; None where it is no number."""
    after = analysis.receptive_states[node.index][axis]
    if not isinstance(_field(after), AxisField):
        return None
    parts = list(dict.fromkeys(_parts(analysis, node, axis)))
    if len(parts) == 1 and (step := _recurrence(parts[0])):
        return step
    even = all(part.window is None and isinstance(part.along, AxisField) for part in parts)
    if even and isinstance(after, AxisField):
        return _union(parts)
    return _hull(parts, after)


def _field(along: Along) -> Any:
    return along.field if isinstance(along, Uneven) else along


def _parts(analysis: Whole, node: Node, axis: int) -> Iterator[_Part]:
    for position, tensor in enumerate(node.inputs):
        if node.facts.windows[position] is not HELD:
            along = analysis.receptive_states[tensor.node][axis]
            assert isinstance(along, (AxisField, Uneven))
            yield _Part(along, window_of(node, position, axis))


def window_of(node: Node, position: int, axis: int) -> Any:
    """The window through which a node sees an input along an axis; None where pointwise."""
    windows = node.facts.windows[position]
    if windows is POINTWISE:
        return None
    return windows[axis - node.scope.level] if isinstance(windows, tuple) else windows


def _recurrence(part: _Part) -> FieldStep | None:
    """Unchanged, or through a sliding window over positions that see alike."""
    field, window = part.along, part.window
    if window is None:
        field = _field(field)
        r, j, a = field.size, field.stride, field.start
        start = None if a is None else formula("a")(a=a)
        return FieldStep(formula("r")(r=r), formula("j")(j=j), start, {})
    if not isinstance(window, Sliding) or isinstance(field, Uneven):
        return None
    values = {**window.numbers(), "r": field.size, "j": field.stride, "a": field.start}
    size = eq.SIZE if window.dilation == 1 else eq.SIZE_DILATED
    return FieldStep(size.of(values), eq.STRIDE.of(values), eq.START.of(values), {})


def _union(parts: Sequence[_Part]) -> FieldStep:
    """From the first input that any branch sees to the last one."""
    firsts: list[Derived] = []
    lasts: list[Derived] = []
    ends: dict[str, Derived] = {}
    for n, part in enumerate(parts, start=1):
        field = _field(part.along)
        end = eq.END(a=field.start, r=field.size)
        ends[f"last position e{n} that input {n} sees"] = end
        firsts.append(eq.labelled("a", str(n), a=field.start))
        lasts.append(eq.labelled("e", str(n), e=end.number))
    stride = formula("j")(j=_field(parts[0].along).stride)
    return FieldStep(Span(firsts, lasts), stride, Extreme("min", firsts), ends)


def _hull(parts: Sequence[_Part], after: Along) -> FieldStep:
    """What the position that sees furthest sees, through its taps on each input."""
    widest = after.widest if isinstance(after, Uneven) else 0
    taps: dict[str, Derived] = {}
    span = _span(parts, widest, taps)
    start = None
    if _field(after).start is not None:
        start = (span if widest == 0 else _span(parts, 0, taps)).first
    along, window = parts[0]
    stride = formula("j")(j=along.stride) if window is None else next_stride(along, window)
    return FieldStep(span, stride, start, taps)


def _span(parts: Sequence[_Part], i: int, taps: dict[str, Derived]) -> Span:
    """From the first to the last input that output i sees; its taps are added to `taps`."""
    firsts: list[Derived] = []
    lasts: list[Derived] = []
    for part, label in zip(parts, _labels(len(parts)), strict=True):
        own = range(i, i + 1)
        if part.window is not None:
            own = part.window.taps(i)
            taps |= _named_ends(part.window.ends(i), i, label)
        seen = list(_seen(part, own))
        if seen:
            first = min(seen, key=lambda one: one.first)
            last = max(seen, key=lambda one: one.last)
            firsts.append(_end(part, first.track, first.tap, label, "lo"))
            lasts.append(_end(part, last.track, last.tap, label, "hi"))
    return Span(firsts, lasts)


class _Seen(NamedTuple):
    """What one tap sees, by one of the tracks of its input."""

    track: Track
    tap: int
    first: int
    last: int


def _seen(part: _Part, taps: range) -> Iterator[_Seen]:
    """By each track, what those taps see among which the ones that see furthest must be."""
    for track in tracks_of(part.along):
        period = track.period
        for tap in (*taps[:period], *taps[max(period, len(taps) - period) :]):
            if hull := track.at(tap):
                yield _Seen(track, tap, *hull)


def _labels(count: int) -> list[str]:
    """Numbers for the terms of several inputs; none where there is one."""
    return [""] if count == 1 else [str(n + 1) for n in range(count)]


def _named_ends(ends: Ends | None, i: int, label: str) -> dict[str, Derived]:
    if ends is None:
        return {}
    of = f" of input {label}" if label else ""
    return {f"first tap u{of} for output {i}": ends[0], f"last tap v{of} for output {i}": ends[1]}


def _end(part: _Part, track: Track, t: int, label: str, side: str) -> Derived:
    """The first ("lo") or last ("hi") input that position t of a part sees; u and v name t."""
    named = str.maketrans("ht", "lu" if side == "lo" else "hv")
    if isinstance(part.along, AxisField):
        own = "a" if side == "lo" else eq.END.source
        values = {"a": part.along.first, "r": part.along.size, "j": track.advance}
        source = eq.MOVED.source.replace("h", own)
    else:
        source = eq.MOVED.source if track.period == 1 else eq.REPEATED.source
        values = {"h": getattr(track, side)[t % track.period], "j": track.advance}
        values |= {"P": track.period, "A": track.advance}
    values["t"] = t
    names = {name.translate(named): value for name, value in values.items()}
    return eq.labelled(re.sub(r"\b[ht]\b", lambda m: m[0].translate(named), source), label, **names)


# The whole way.


def paths(row: Row) -> Iterator[Path]:
    """The way of the receptive field along each axis; axes that agree are told once."""
    state = fields(row.analysis.receptive_states[row.last.index])
    told: dict[tuple[Any, ...], list[str]] = {}
    for word, axis in axes_of(row):
        field = state[axis]
        if isinstance(field, AxisField):
            told.setdefault(_way(row, axis, field), []).append(word)
    for (forward, backward, rule, note), words in told.items():
        yield Path(" and ".join(words), forward, backward, rule, note)


def _way(row: Row, axis: int, field: AxisField) -> tuple[Any, ...]:
    nodes = _widest_path(row, axis)
    windows = [(node, window_of(node, _taken(nodes, i), axis)) for i, node in enumerate(nodes)]
    windows = [(node, window) for node, window in windows if window is not None]
    forward = tuple(_forward(row.analysis, nodes, axis))
    if all(isinstance(window, Sliding) for _, window in windows):
        backward, rule = tuple(_recurrent(windows)), "f_i = (f_(i+1) - 1)*stride + kernel"
    else:
        after = row.analysis.receptive_states[row.last.index][axis]
        i = after.widest if isinstance(after, Uneven) else 0
        backward = tuple(_positions(windows, i))
        rule = f"from output {i}, what outputs u to v take"
    own = backward[-1].size if backward else 1
    return forward, backward, rule, _note(own, field.size)


def _note(own: int, size: int) -> str:
    """Whether both directions agree; only a branch sees less, only whole ranges see more."""
    if own == size:
        return f"Forward and backward agree: {size}."
    if own < size:
        return f"This widest single path sees {own}; the branches together see {size}."
    return f"Backward, the positions between taps are counted in, too: {own}; the taps see {size}."


def _widest_path(row: Row, axis: int) -> list[Node]:
    """From the input's first layer to the row's last: at each join the branch that sees most."""
    states, nodes = row.analysis.receptive_states, row.analysis.graph.nodes
    node, path = row.last, []
    while node.inputs:
        path.append(node)
        followed = [
            (tensor.node, fields(states[tensor.node])[axis])
            for tensor, windows in zip(node.inputs, node.facts.windows, strict=True)
            if windows is not HELD
        ]
        node = nodes[max(followed, key=lambda one: _size(one[1]))[0]]
    path.reverse()
    return path


def _size(field: Any) -> int:
    return field.size if isinstance(field, AxisField) else 0


def _taken(path: list[Node], i: int) -> int:
    """Which input of a node on the path the path comes through."""
    before = path[i - 1].index if i else 0
    return next(
        (position for position, tensor in enumerate(path[i].inputs) if tensor.node == before), 0
    )


def _forward(analysis: Whole, path: list[Node], axis: int) -> Iterator[Step]:
    """The steps at which the field changes."""
    for node in path:
        step = field_step(analysis, node, axis)
        if step is None:
            return
        size, stride, start, _ = step
        if size.symbols() != "r":
            own = None if start is None else start.number
            yield Step(node.path, size.symbols(), size.text(), size.number, stride.number, own)


def _recurrent(windows: Sequence[tuple[Node, Any]]) -> Iterator[Step]:
    """f_i = (f_(i+1) - 1)*stride + kernel, from one output position back to the input."""
    f, stride = 1, 1
    for node, window in reversed(windows):
        equation = eq.BACKWARD if window.dilation == 1 else eq.BACKWARD_DILATED
        derived = equation(f=f, **window.numbers())
        f, stride = derived.number, stride * window.stride
        yield Step(node.path, derived.symbols(), derived.text(), f, stride, 0)


def _positions(windows: Sequence[tuple[Node, Any]], i: int) -> Iterator[Step]:
    """From output i, the range of positions that each range of outputs takes of its inputs."""
    u = v = i
    stride: Any = 1
    for node, window in reversed(windows):
        first, last = _reached(window, u, v)
        derived = Span([first], [last])
        u, v = first.number, last.number
        stride = formula(window.rate).exactly(j=stride, **window.numbers()).number
        yield Step(node.path, derived.symbols(), derived.text(), derived.number, stride, u)


def _reached(window: Any, u: int, v: int) -> tuple[Derived, Derived]:
    """The first and the last position that outputs u to v take.

    The outermost outputs decide, except where a dilated transposed convolution moves back.
    """
    outputs = range(u, v + 1)
    firsts = [ends[0] for i in outputs[: window.period] if (ends := window.ends(i, "u"))]
    lasts = [ends[1] for i in outputs[-window.period :] if (ends := window.ends(i, "v"))]
    if not firsts or not lasts:
        return constant(u), constant(v)
    return min(firsts, key=lambda end: end.number), max(lasts, key=lambda end: end.number)
