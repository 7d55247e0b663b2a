"""Kinds that move data and compute nothing (upsampling's interpolation excepted)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import LayerError
from archcalc.formula import Derived, Sum, constant, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    Dimensions,
    Saved,
    Shape,
    Shapes,
    Weightless,
    elements,
    per_axis,
    per_output,
    spatial,
    spelled,
)
from archcalc.ops.layout import merged
from archcalc.ops.window import (
    POINTWISE,
    AxisWindow,
    Fractional,
    Interpolated,
    Nearest,
    Sliding,
    Windows,
    given,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.ops.layout import Strides


class _Move(Weightless):
    """Moving data is 0 operations, and going back needs to know no values."""

    role = "shape"

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return ()


class Input(_Move):
    """Where a tensor enters the network."""

    kind = "input"
    title = "input"
    arity = (0, 0)
    shape: tuple[int, ...] = f.sizes(doc="channels and spatial sizes")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return (self.shape,)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return ()


class Identity(_Move):
    """Passes its input on."""

    kind = "identity"
    title = "identity"

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return inputs

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return True


class Flatten(_Move):
    """All elements as one vector; each still sees what it saw before."""

    kind = "flatten"
    title = "flatten"

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        text, values = elements(inputs[0], "in")
        return ((formula(text)(**values),),)

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return True

    def strides(self, sizes: Shape, strides: Strides) -> Strides | None:
        along = merged(sizes[1:], strides[1:])
        return None if along is None else (strides[0], along)


class ChannelShuffle(_Move):
    """Interleaves the groups of a grouped convolution (Zhang et al. 2018, ShuffleNet)."""

    kind = "channelshuffle"
    title = "channel shuffle"
    groups: int = f.integer(doc="groups that are interleaved")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        if inputs[0][0] % self.groups:
            raise LayerError(
                f"expected a divisor of the {inputs[0][0]} channels, received {self.groups}",
                field="groups",
            )
        return inputs

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return self.groups in (1, inputs[0][0])  # nothing changes its place


class Pad(_Move):
    """Zeros around the spatial axes, and before and after the channels."""

    kind = "pad"
    title = "pad"
    padding: Any = f.padding(0, doc="zeros before and after, an axis")
    channels: Any = f.padding(0, doc="zero channels: a number on both sides, or [[before, after]]")

    def check(self) -> None:
        for name in ("padding", "channels"):
            if isinstance(getattr(self, name), str):
                raise LayerError(f"expected numbers, received '{getattr(self, name)}'", field=name)

    def _sides(self, inputs: Shapes) -> list[tuple[int, int]]:
        rank = len(inputs[0]) - 1
        if rank == 0 and self.padding != 0:  # a vector has no axis for it
            spatial(inputs[0], self)
        channels = _each(self.channels, 1, "channels")
        return [_pair(p) for p in (*channels, *_each(self.padding, rank, "padding"))]

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        added = formula("n + p_before + p_after", _padded)
        pairs = zip(inputs[0], self._sides(inputs), strict=True)
        return (tuple(added(n=n, p_before=b, p_after=a) for n, (b, a) in pairs),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        sides = self._sides(inputs)[1:]
        return (tuple(Sliding(1, 1, b, a) for b, a in sides) if sides else POINTWISE,)


def _padded(source: str, values: Mapping[str, int]) -> str:
    return source if values["p_before"] or values["p_after"] else "n"


def _each(value: Any, count: int, name: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise LayerError(f"expected {count} items, one an axis, received {len(value)}", field=name)
    return value


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


class Slice(_Move):
    """Some of the channels (axis 0) or of a spatial axis: start, start+step, ... before stop."""

    kind = "slice"
    title = "slice"
    axis: int = f.integer(0, doc="0 the channels, 1 and up the spatial axes", minimum=0)
    start: int = f.integer(0, doc="first index", minimum=0)
    stop: int | None = f.integer(None, doc="the index before which it ends; the end if left out")
    step: int = f.integer(1, doc="every step-th")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        shape = inputs[0]
        size = _axis_size(shape, self.axis)
        stop = size if self.stop is None else self.stop
        if stop > size:
            raise LayerError(f"expected at most the axis' {size}, received {stop}", field="stop")
        if self.start >= stop:
            raise LayerError(
                f"expected less than {stop}, where it ends, received {self.start}", field="start"
            )
        taken = formula("ceil((stop - start)/step)")(stop=stop, start=self.start, step=self.step)
        return ((*map(given, shape[: self.axis]), taken, *map(given, shape[self.axis + 1 :])),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        if self.axis == 0:
            return (POINTWISE,)
        own = Sliding(1, self.step, -self.start)
        ranks = range(1, len(inputs[0]))
        return (tuple(own if axis == self.axis else Sliding(1) for axis in ranks),)

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return True

    def strides(self, sizes: Shape, strides: Strides) -> Strides | None:
        own = 1 + self.axis
        return (*strides[:own], strides[own] * self.step, *strides[own + 1 :])


def _axis_size(shape: tuple[int, ...], axis: int) -> int:
    if axis >= len(shape):
        raise LayerError(f"expected 0 to {len(shape) - 1}, received {axis}", field="axis")
    return shape[axis]


class Split(_Move):
    """The channels in several parts, each a tensor at a port of its own: 0, 1, and so on."""

    kind = "split"
    title = "split"
    parts: int | tuple[int, ...] = f.sizes(
        doc="how many equal parts, or the list of their channels"
    )

    @property
    def ports(self) -> tuple[str, ...]:
        count = len(self.parts) if isinstance(self.parts, tuple) else self.parts
        return tuple(map(str, range(count)))

    def check(self) -> None:
        if not isinstance(self.parts, tuple) and self.parts > 10_000:
            raise LayerError(f"expected at most 10000, received {self.parts}", field="parts")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        channels, *rest = inputs[0]
        if not isinstance(self.parts, tuple):
            if channels % self.parts:
                raise LayerError(
                    f"expected a divisor of the {channels} channels, received {self.parts}",
                    field="parts",
                )
            part = formula("c/parts")(c=channels, parts=self.parts)
            shape: Dimensions = (part, *rest)
            return (shape,) * self.parts
        if sum(self.parts) != channels:
            raise LayerError(
                f"expected a sum of {channels}, the channels, received {sum(self.parts)}",
                field="parts",
            )
        return tuple((given(part), *rest) for part in self.parts)

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        return True


class Upsample(Weightless):
    """Larger spatial axes, by repeating the nearest element or by linear interpolation.

    Linear, per output element and r axes: 2^r products and 2^r - 1 additions.
    """

    kind = "upsample"
    title = "upsample"
    role = "shape"
    scale: int | tuple[int, ...] | None = f.sizes(None, doc="how many times larger")
    size: int | tuple[int, ...] | None = f.sizes(None, doc="the output size, in place of scale")
    mode: str = f.word("nearest", doc="interpolation", choices=("nearest", "linear"))

    def check(self) -> None:
        if (self.scale is None) == (self.size is None):
            got = "none" if self.scale is None else "both"
            raise LayerError(f"upsample: expected 'scale' or 'size', received {got}")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return ((given(inputs[0][0]), *self._grown(inputs)),)

    def _grown(self, inputs: Shapes) -> tuple[Derived, ...]:
        """The size along each axis."""
        sizes = spatial(inputs[0], self)
        if self.size is not None:
            return tuple(map(given, per_axis(self.size, len(sizes), "size")))
        scale = per_axis(self.scale or 1, len(sizes), "scale")
        return tuple(formula("n*s")(n=n, s=s) for n, s in zip(sizes, scale, strict=True))

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        sizes = (size.number for size in self._grown(inputs))
        pairs = zip(inputs[0][1:], sizes, strict=True)
        if self.mode == "linear":
            return (tuple(Interpolated(n, m) for n, m in pairs),)
        return (tuple(_nearest(n, m) for n, m in pairs),)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        if self.mode == "nearest":
            return {}
        corners = 2 ** (len(inputs[0]) - 1)
        return {
            "multiplications": per_output(outputs, "m", m=corners),
            "additions": per_output(outputs, "(m - 1)", m=corners),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return ()


def _nearest(n: int, m: int) -> AxisWindow:
    """Output i repeats input floor(i*n/m): one tap."""
    return Fractional(m // n, m // n) if m % n == 0 else Nearest(n, m)


class Concat(_Move):
    """The channels of several inputs, one after another (Szegedy et al. 2014)."""

    kind = "concat"
    title = "concat"
    role = "join"
    arity = (1, 100_000)

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        first = inputs[0]
        if any(len(shape) != len(first) or shape[1:] != first[1:] for shape in inputs):
            expected = "x".join(["*", *map(str, first[1:])])
            raise LayerError(
                f"concat: expected branches of shape {expected}, "
                f"received {' and '.join(map(spelled, inputs))}"
            )
        return ((Sum(constant(shape[0]) for shape in inputs), *map(given, first[1:])),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (POINTWISE,) * len(inputs)
