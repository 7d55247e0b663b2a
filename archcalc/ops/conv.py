"""Convolution, dense, grouped and with a connection table, and transposed convolution."""

from __future__ import annotations

from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from archcalc.errors import LayerError
from archcalc.formula import Derived, Formula, Sum, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    AXIS_WORDS,
    INPUT,
    Dimensions,
    Op,
    Parameter,
    Saved,
    Shape,
    Shapes,
    axes,
    elements,
    per_axis,
    per_output,
    spatial,
)
from archcalc.ops.window import (
    Fractional,
    Slide,
    Sliding,
    Windows,
    given,
    output_size,
    resolve,
    same_padding,
    transposed_size,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Slid(NamedTuple):
    """An op's sliding windows, one per spatial axis, as written and with their padding."""

    slides: tuple[Slide, ...]
    windows: tuple[Sliding, ...]


def slid(op: Any, sizes: tuple[int, ...]) -> Slid:
    """The sliding windows of an op, which is asked several times in a row for the same sizes.

    These are the very same numbers: nothing is compared, which would tell recorded ones apart.
    """
    last: tuple[tuple[int, ...], Slid] | None = op.__dict__.get("_slid")
    if last is not None and len(last[0]) == len(sizes) and all(map(is_, last[0], sizes)):
        return last[1]
    own = slides(op, sizes)
    windows = Slid(own, tuple(map(resolve, sizes, own)))
    op.__dict__["_slid"] = sizes, windows
    return windows


def slides(op: Any, sizes: tuple[int, ...]) -> tuple[Slide, ...]:
    """The fields of an op with kernel, stride, padding, dilation and ceil, one an axis."""
    stride = op.kernel if op.stride is None else op.stride
    rank = len(sizes)
    padding = op.padding
    if tuple not in map(type, (op.kernel, stride, padding, op.dilation)):  # alike on all axes
        return (Slide(op.kernel, stride, padding, op.dilation, op.ceil),) * rank
    if not isinstance(padding, tuple):
        padding = (padding,) * rank
    elif len(padding) != rank:
        raise LayerError(
            f"expected {rank} items, one an axis, received {len(padding)}", field="padding"
        )
    along = (
        per_axis(op.kernel, rank, "kernel"),
        per_axis(stride, rank, "stride"),
        padding,
        per_axis(op.dilation, rank, "dilation"),
    )
    return tuple([Slide(*fields, op.ceil) for fields in zip(*along, strict=True)])


def slide_sizes(op: Any, sizes: tuple[int, ...]) -> tuple[Derived, ...]:
    """The derived output size along each axis."""
    own, windows = slid(op, sizes)
    return tuple(map(output_size, sizes, own, windows))


@lru_cache(maxsize=64)
def _kernel_names(rank: int) -> tuple[str, tuple[str, ...]]:
    names = tuple(f"k_{axis}" for axis in axes(rank))
    return "*".join(names), names


def kernel_text(kernel: tuple[int, ...]) -> tuple[str, dict[str, int]]:
    """`k_h*k_w` with its values, for a kernel of any rank."""
    text, names = _kernel_names(len(kernel))
    return text, dict(zip(names, kernel, strict=True))


def padding_words(op: Any, sizes: tuple[int, ...]) -> dict[str, Derived]:
    """The padding on both sides of each axis, where a word stands for it."""
    if not isinstance(op.padding, str) or op.padding == "valid":
        return {}
    words = [AXIS_WORDS.get(axis, axis) for axis in axes(len(sizes))]
    return {
        f"padding, {word}, both sides": same_padding(n, slide)
        for word, n, slide in zip(words, sizes, slides(op, sizes), strict=True)
    }


def pads_itself(op: Any, shape: Shape, *, pool: bool = False) -> bool:
    """Whether PyTorch's modules take such padding: one number for both sides of an axis.

    Pools take at most half the kernel. Otherwise the input is padded before it comes in.
    """
    own, windows = slid(op, shape[1:])
    return all(_takes(slide, window, pool) for slide, window in zip(own, windows, strict=True))


def padded(op: Any, shape: Shape) -> Saved:
    """The padded copy of the input; the input itself where there is no padding."""
    sizes = _padded_sizes(op, shape[1:])
    if sizes == shape[1:]:
        return INPUT
    text, values = elements((shape[0], *sizes), "in")
    return Saved("padded input", elements=formula(text)(**values))


def _padded_sizes(op: Any, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The spatial sizes with their padding, and with what windows overhang in ceil mode."""
    own, windows = slid(op, sizes)
    return tuple(
        (size.number - 1) * slide.stride + slide.reach
        if slide.ceil and slide.padding not in ("same", "same_tf")
        else n + window.before + window.after
        for n, size, slide, window in zip(sizes, slide_sizes(op, sizes), own, windows, strict=True)
    )


def _takes(slide: Slide, window: Sliding, pool: bool) -> bool:
    """Whether modules take this padding; of words those that are the same for every input."""
    if slide.padding in ("same", "same_tf"):
        fits = slide.stride == 1 and slide.reach % 2 == 1
        return fits and (not pool or 2 * (slide.reach // 2) <= slide.kernel)
    return window.before == window.after and (not pool or 2 * window.before <= slide.kernel)


class _Counts(NamedTuple):
    """The equations of a convolution without a table; `names` are the numbers they take.

    Without groups, g is 1 and is not written.
    """

    params: Formula
    mult_adds: Formula
    connections: Formula
    names: tuple[str, ...]


def _ungrouped(source: str, values: Mapping[str, int]) -> str:
    """Groups are written where there are several."""
    return source.replace("/g", "") if values["g"] == 1 else source


@lru_cache(maxsize=64)
def _counts(rank: int, bias: bool) -> _Counts:
    """An output sees c_in/g*k_h*k_w weights and a bias, at every position."""
    kernel, kernel_names = _kernel_names(rank)
    positions = tuple(f"{axis}_out" for axis in axes(rank))
    seen = f"c_in/g*{kernel}"
    each = f"({seen} + 1)" if bias else seen
    outputs = "*".join((*positions, "c_out"))
    return _Counts(
        formula(f"c_out*{each}", _ungrouped),
        formula(f"{outputs}*{seen}", _ungrouped),
        formula(f"{outputs}*{each}", _ungrouped),
        (*kernel_names, "c_in", "g", "c_out", *positions),
    )


class _Convolution(Op):
    """What the dense convolution and the transposed one have in common."""

    weighted = True
    has_window = True
    ceil: ClassVar = False
    out: int = f.integer(doc="output channels")
    kernel: int | tuple[int, ...] = f.sizes(doc="kernel size")
    stride: int | tuple[int, ...] = f.sizes(1, doc="stride")
    dilation: int | tuple[int, ...] = f.sizes(1, doc="distance between kernel elements")
    groups: int = f.integer(1, doc="groups of channels that are convolved apart")
    bias: bool = f.boolean(True, doc="a bias for each output channel")

    def _channels(self, inputs: Shapes) -> int:
        """Input channels; refuses channels that the groups don't divide."""
        channels = inputs[0][0]
        spatial(inputs[0], self)
        for name, count in (("input", channels), ("output", self.out)):
            if count % self.groups:
                raise LayerError(
                    f"expected a divisor of the {count} {name} channels, received {self.groups}",
                    field="groups",
                )
        return channels

    def _kernel(self, inputs: Shapes) -> tuple[int, ...]:
        return per_axis(self.kernel, len(inputs[0]) - 1, "kernel")

    def _counted(self, inputs: Shapes, positions: Shape = ()) -> tuple[_Counts, dict[str, int]]:
        """The equations of params, Mult-Adds and connections with the numbers they take."""
        kernel = self._kernel(inputs)
        counts = _counts(len(kernel), self.bias)
        numbers = (*kernel, inputs[0][0], self.groups, self.out, *positions)
        return counts, dict(zip(counts.names, numbers, strict=False))

    def params(self, inputs: Shapes) -> Derived:
        counts, values = self._counted(inputs)
        return counts.params.of(values)

    def neurons(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return per_output(outputs)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"additions": per_output(outputs)} if self.bias else {}


class Conv(_Convolution):
    """Convolution; depthwise where `groups` equals the channels.

    With `table` (LeCun et al. 1998, Table I) each output map sees only the input maps it lists.
    """

    kind = "conv"
    title = "convolution"
    padding: Any = f.padding(doc="zeros before and after, or same, same_tf, valid")
    table: tuple[tuple[tuple[int, ...], ...], ...] | None = f.table(
        doc="connection table: the input maps each output map sees, as rows or groups of rows"
    )

    def check(self) -> None:
        if self.table is None:
            return
        if self.groups > 1:
            raise LayerError("expected no groups beside it, received both", field="table")
        if (rows := sum(map(len, self.table))) != self.out:
            raise LayerError(
                f"expected {self.out} rows, one an output map, received {rows}", field="table"
            )

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        channels = self._channels(inputs)
        if (
            self.table
            and (last := max(max(row) for rows in self.table for row in rows)) >= channels
        ):
            raise LayerError(f"expected maps 0 to {channels - 1}, received {last}", field="table")
        return ((given(self.out), *slide_sizes(self, spatial(inputs[0], self))),)

    def resolved(self, inputs: Shapes) -> Mapping[str, Derived]:
        return padding_words(self, inputs[0][1:])

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (slid(self, spatial(inputs[0], self)).windows,)

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        kernel = self._kernel(inputs)
        if self.table is None:
            weight = Parameter("weight", (self.out, inputs[0][0] // self.groups, *kernel))
        else:  # one kernel for each connection of the table
            planes = sum(len(row) for rows in self.table for row in rows)
            weight = Parameter("weight", (planes, *kernel))
        return (weight, Parameter("bias", (self.out,))) if self.bias else (weight,)

    def params(self, inputs: Shapes) -> Derived:
        return super().params(inputs) if self.table is None else self._by_group(inputs, self.bias)

    def _by_group(self, inputs: Shapes, bias: bool) -> Derived:
        """6*(3*5*5 + 1) + 6*(4*5*5 + 1) + ...: a term for each group of the table."""
        text, values = kernel_text(self._kernel(inputs))
        one = formula(f"c_out*(c_in*{text} + 1)" if bias else f"c_out*c_in*{text}")
        return Sum(
            one(c_out=count, c_in=size, **values)
            for rows in self.table or ()
            for size, count in _sizes(rows).items()
        )

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        if self.table is not None:
            return self._at_each_position(inputs, outputs, bias=False)
        counts, values = self._counted(inputs, outputs[0][1:])
        return counts.mult_adds.of(values)

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        if self.table is not None:
            return self._at_each_position(inputs, outputs, bias=self.bias)
        counts, values = self._counted(inputs, outputs[0][1:])
        return counts.connections.of(values)

    def _at_each_position(self, inputs: Shapes, outputs: Shapes, bias: bool) -> Derived:
        """The table's weights (and biases) times the output positions at which they are used."""
        text, values = elements((1, *outputs[0][1:]))
        once = "params" if bias else "weights"
        values[once] = self._by_group(inputs, bias).number
        del values["c_out"]
        return formula(text.replace("c_out", once))(**values)

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        """Its input; with a table, the maps that the rows name, each as often as it is named."""
        if self.table is None:
            return (self._padded(inputs[0]),)
        maps = sum(len(row) for rows in self.table for row in rows)
        text, values = elements((maps, *_padded_sizes(self, inputs[0][1:])), "in")
        return (Saved("maps", elements=formula(text)(**values)),)

    def _padded(self, shape: Shape) -> Saved:
        """The input, or its padded copy; `same` copies it with the odd zero alone."""
        if pads_itself(self, shape):
            return INPUT
        own, windows = slid(self, shape[1:])
        if self.padding not in ("same", "same_tf") or any(window.stride > 1 for window in windows):
            return padded(self, shape)
        sizes = [n + (slide.reach - 1) % 2 for n, slide in zip(shape[1:], own, strict=True)]
        text, values = elements((shape[0], *sizes), "in")
        return Saved("padded input", elements=formula(text)(**values))


def _sizes(rows: tuple[tuple[int, ...], ...]) -> dict[int, int]:
    """How many rows there are of each length, in the order they come."""
    counts: dict[int, int] = {}
    for row in rows:
        counts[len(row)] = counts.get(len(row), 0) + 1
    return counts


class ConvTranspose(_Convolution):
    """Transposed convolution (Zeiler et al. 2010's deconvolution); its Mult-Adds count inputs."""

    kind = "convtranspose"
    title = "transposed convolution"
    padding: Any = f.padding(doc="zeros that a convolution with these fields would have")
    extra: int | tuple[int, ...] = f.sizes(
        0, doc="rows and columns added at the end (PyTorch's output_padding)", minimum=0
    )

    def check(self) -> None:
        if isinstance(self.padding, str):
            raise LayerError(f"expected numbers, received '{self.padding}'", field="padding")

    def _slides(self, inputs: Shapes) -> tuple[Fractional, ...]:
        own = slides(self, spatial(inputs[0], self))
        return tuple([Fractional(s.kernel, s.stride, *s.numbers(), s.dilation) for s in own])

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        self._channels(inputs)
        sizes = spatial(inputs[0], self)
        extra = per_axis(self.extra, len(sizes), "extra")
        windows = self._slides(inputs)
        for e, w in zip(extra, windows, strict=True):
            if e >= max(w.stride, w.dilation):
                raise LayerError(
                    f"expected less than the stride {w.stride} or the dilation "
                    f"{w.dilation}, received {e}",
                    field="extra",
                )
        return ((given(self.out), *map(transposed_size, sizes, windows, extra)),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (self._slides(inputs),)

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        shape = (inputs[0][0], self.out // self.groups, *self._kernel(inputs))
        weight = Parameter("weight", shape)
        return (weight, Parameter("bias", (self.out,))) if self.bias else (weight,)

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        text, values = elements(inputs[0], "in")
        kernel, sizes = kernel_text(self._kernel(inputs))
        values |= {**sizes, "c_out": self.out, "g": self.groups}
        return formula(f"{text}*c_out/g*{kernel}", _ungrouped)(**values)

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        weights = self.mult_adds(inputs, outputs)
        return Sum([weights, per_output(outputs)]) if self.bias else weights

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (INPUT,)
