"""Pooling: max, average, adaptive, global; LeNet-5's trainable subsampling; max unpooling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from archcalc.errors import LayerError
from archcalc.formula import ZERO, Derived, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    INDEX_BYTES,
    INPUT,
    Dimensions,
    Op,
    Parameter,
    Saved,
    Shape,
    Shapes,
    Weightless,
    axes,
    elements,
    per_axis,
    per_output,
    spatial,
    spelled,
)
from archcalc.ops.conv import (
    kernel_text,
    padded,
    padding_words,
    pads_itself,
    slid,
    slide_sizes,
    slides,
)
from archcalc.ops.window import (
    HELD,
    WHOLE,
    Adaptive,
    Fractional,
    Slide,
    Windows,
    given,
    transposed_size,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.ops.base import Facts


class _Pool(Weightless):
    """A sliding window over each channel."""

    role = "pooling"
    has_window = True
    dilation: int | tuple[int, ...] = 1  # MaxPool's can be chosen
    kernel: int | tuple[int, ...] = f.sizes(doc="window size")
    stride: int | tuple[int, ...] | None = f.sizes(
        None, doc="stride; the kernel's size if left out"
    )
    padding: Any = f.padding(doc="padding before and after, or same, same_tf, valid")
    ceil: bool = f.boolean(
        False, doc="round sizes up; a last window that would see padding only is dropped"
    )

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        sizes = spatial(inputs[0], self)
        self._check_padding(sizes)
        return ((given(inputs[0][0]), *slide_sizes(self, sizes)),)

    def _check_padding(self, sizes: tuple[int, ...]) -> None:
        """PyTorch's rule, at most half the kernel: no window lies in padding alone.

        A dilated one still may, where all its elements step over a small input; its maximum is
        then minus infinity, in PyTorch, too.
        """
        if self.padding == "same_tf":
            return
        for slide, window in zip(*slid(self, sizes), strict=True):
            if any(side > slide.kernel // 2 for side in (window.before, window.after)):
                raise LayerError(
                    f"expected at most half the kernel {slide.kernel}, "
                    f"received {max(window.before, window.after)}",
                    field="padding",
                )

    def resolved(self, inputs: Shapes) -> Mapping[str, Derived]:
        return padding_words(self, inputs[0][1:])

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (slid(self, spatial(inputs[0], self)).windows,)

    def _window_text(self, inputs: Shapes) -> tuple[str, dict[str, int]]:
        return kernel_text(per_axis(self.kernel, len(inputs[0]) - 1, "kernel"))


class MaxPool(_Pool):
    """Max pooling; with `switches` also the places of the maxima (Zeiler & Fergus 2014)."""

    kind = "maxpool"
    title = "max pool"
    dilation: int | tuple[int, ...] = f.sizes(1, doc="distance between window elements")
    switches: bool = f.boolean(False, doc="give the places of the maxima as a second tensor")
    indices = frozenset({"switches"})

    @property
    def ports(self) -> tuple[str, ...]:
        return ("output", "switches") if self.switches else ("output",)

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return super().output(inputs) * (2 if self.switches else 1)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        text, values = self._window_text(inputs)
        return {"comparisons": per_output(outputs, f"({text} - 1)", **values)}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        places = Saved("places", elements=per_output(outputs), size=INDEX_BYTES)
        if not pads_itself(self, inputs[0], pool=True):
            return padded(self, inputs[0]), places
        return INPUT, (Saved("output", 1) if self.switches else places)


class AvgPool(_Pool):
    """Average pooling."""

    kind = "avgpool"
    title = "avg pool"
    count_padding: bool = f.boolean(
        True, doc="divide by the whole window, padding included (the operations are the same)"
    )

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        text, values = self._window_text(inputs)
        return {
            "additions": per_output(outputs, f"({text} - 1)", **values),
            "divisions": per_output(outputs),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        if pads_itself(self, inputs[0], pool=True) and not self._is_larger(inputs[0]):
            return (INPUT,)
        text, values = elements((1, *outputs[0][1:]))
        divisors = Saved("divisors", elements=formula(text)(**values), each=False)
        return padded(self, inputs[0]), divisors

    def _is_larger(self, shape: Shape) -> bool:
        """Whether the window is larger than its input, which PyTorch refuses of three axes."""
        kernel = per_axis(self.kernel, len(shape) - 1, "kernel")
        return len(kernel) == 3 and any(k > n for k, n in zip(kernel, shape[1:], strict=True))


class _Adaptive(Weightless):
    """Pools any input to a given size; window i of m covers floor(i*n/m) to ceil((i+1)*n/m)."""

    role = "pooling"
    size: int | tuple[int, ...] = f.sizes(doc="output size")

    def _sizes(self, inputs: Shapes) -> tuple[int, ...]:
        return per_axis(self.size, len(spatial(inputs[0], self)), "size")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return ((given(inputs[0][0]), *map(given, self._sizes(inputs))),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        sizes = self._sizes(inputs)
        if all(size == 1 for size in sizes):
            return (WHOLE,)
        return (tuple(map(Adaptive, inputs[0][1:], sizes)),)

    def _inputs_seen(self, inputs: Shapes) -> tuple[str, dict[str, int]]:
        """The inputs seen by all outputs of a channel: windows' lengths, summed along each axis."""
        sizes = self._sizes(inputs)
        names = [f"l_{axis}" for axis in axes(len(sizes))]
        sums = [_covered(n, m) for n, m in zip(inputs[0][1:], sizes, strict=True)]
        return "*".join(names), dict(zip(names, sums, strict=True))

    def _but_one(self, inputs: Shapes, outputs: Shapes) -> Derived:
        """n-1 for each output, n its exact window: inputs seen less outputs, in each channel."""
        seen, values = self._inputs_seen(inputs)
        text, sizes = elements(outputs[0])
        positions = text.rsplit("*", 1)[0]
        return formula(f"c_out*({seen} - {positions})")(**values, **sizes)


def _covered(n: int, m: int) -> int:
    """The lengths of m adaptive windows over n inputs, summed.

    They tile n, and one input is seen twice at each inner border that does not fall between two.
    """
    return n + (m - math.gcd(n, m))


class AdaptiveAvgPool(_Adaptive):
    """Average pooling to a given size."""

    kind = "adaptiveavgpool"
    title = "adaptive avg pool"

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"additions": self._but_one(inputs, outputs), "divisions": per_output(outputs)}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return () if self.windows(inputs) == (WHOLE,) else (INPUT,)  # a mean needs its sizes only


class AdaptiveMaxPool(_Adaptive):
    """Max pooling to a given size."""

    kind = "adaptivemaxpool"
    title = "adaptive max pool"

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"comparisons": self._but_one(inputs, outputs)}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return INPUT, Saved("places", elements=per_output(outputs), size=INDEX_BYTES)


class _Global(Weightless):
    """Pools all positions of a channel into one; the spatial axes stay, with size 1."""

    role = "pooling"

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return ((given(inputs[0][0]), *(given(1) for _ in spatial(inputs[0], self))),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (WHOLE,)

    def _but_one(self, inputs: Shapes) -> Derived:
        text, values = elements(inputs[0], "in")
        positions = text.rsplit("*", 1)[0]
        return formula(f"c_in*({positions} - 1)")(**values)


class GlobalAvgPool(_Global):
    """Global average pooling (Lin et al. 2014)."""

    kind = "globalavgpool"
    title = "global avg pool"

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"additions": self._but_one(inputs), "divisions": per_output(outputs)}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return ()  # a mean needs its sizes only


class GlobalMaxPool(_Global):
    """Global max pooling."""

    kind = "globalmaxpool"
    title = "global max pool"

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {"comparisons": self._but_one(inputs)}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return INPUT, Saved("places", elements=per_output(outputs), size=INDEX_BYTES)


class Subsample(Op):
    """Trainable subsampling: the sum of a window, times a weight, plus a bias, one pair a map.

    LeCun et al. 1998, layers S2 and S4 of LeNet-5.
    """

    kind = "subsample"
    title = "subsampling"
    weighted = True
    has_window = True
    kernel: int | tuple[int, ...] = f.sizes(doc="window size")
    stride: int | tuple[int, ...] | None = f.sizes(
        None, doc="stride; the kernel's size if left out"
    )
    padding: Any = f.padding(doc="zeros before and after, or same, same_tf, valid")
    dilation: ClassVar = 1
    ceil: ClassVar = False

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        return ((given(inputs[0][0]), *slide_sizes(self, spatial(inputs[0], self))),)

    def resolved(self, inputs: Shapes) -> Mapping[str, Derived]:
        return padding_words(self, inputs[0][1:])

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (slid(self, spatial(inputs[0], self)).windows,)

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        return (Parameter("weight", inputs[0][:1]), Parameter("bias", inputs[0][:1]))

    def params(self, inputs: Shapes) -> Derived:
        return formula("2*c")(c=inputs[0][0])

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return ZERO

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        text, values = self._window_text(inputs)
        return {
            "additions": per_output(outputs, text, **values),  # one less for the sum; the bias
            "multiplications": per_output(outputs),
        }

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        text, values = self._window_text(inputs)
        return per_output(outputs, f"({text} + 1)", **values)

    def neurons(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return per_output(outputs)

    def _window_text(self, inputs: Shapes) -> tuple[str, dict[str, int]]:
        return kernel_text(per_axis(self.kernel, len(inputs[0]) - 1, "kernel"))

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        sums = Saved("sums", elements=per_output(outputs))
        return (padded(self, inputs[0]), sums) if followed[0] else (sums,)


class MaxUnpool(Weightless):
    """Puts each value back where a max pool took it from, zero elsewhere (Zeiler & Fergus 2014).

    Takes the values and the switches of a max pool with the same kernel, stride and padding.
    """

    kind = "maxunpool"
    title = "max unpool"
    role = "pooling"
    has_window = True
    references = ("switches",)
    arity = (2, 2)
    kernel: int | tuple[int, ...] = f.sizes(doc="the pool's window size")
    stride: int | tuple[int, ...] | None = f.sizes(
        None, doc="the pool's stride; the kernel's size if left out"
    )
    padding: Any = f.padding(doc="the pool's padding")
    size: int | tuple[int, ...] | None = f.sizes(
        None, doc="output size, where the pool did not use all of its input"
    )
    dilation: ClassVar = 1
    ceil: ClassVar = False

    def check(self) -> None:
        if isinstance(self.padding, str):
            raise LayerError(f"expected numbers, received '{self.padding}'", field="padding")

    def check_origin(self, given: Op, facts: Facts, port: int, outputs: Shapes) -> None:
        """The switches are places in their pool's input: what is unpooled has its size."""
        if not isinstance(given, MaxPool) or port != 1:
            raise LayerError(
                "expected those of a max pool that gives its switches, "
                f"received the output of {given.kind}",
                field="switches",
            )
        pooled, own = facts.inputs[0][1:], outputs[0][1:]
        if own != pooled:
            raise LayerError(
                f"expected {spelled(pooled)}, the size of what was pooled, received {spelled(own)}",
                field="size",
            )

    def _slides(self, inputs: Shapes) -> tuple[Fractional, ...]:
        sizes = spatial(inputs[0], self)
        return tuple(_back(slide) for slide in slides(self, sizes))

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        values, switches = inputs
        if values != switches:
            raise LayerError(
                f"expected the values' shape {spelled(values)}, received {spelled(switches)}",
                field="switches",
            )
        windows = self._slides(inputs)
        least = [transposed_size(n, w, 0) for n, w in zip(values[1:], windows, strict=True)]
        if self.size is None:
            return ((given(values[0]), *least),)
        wanted = per_axis(self.size, len(least), "size")
        for size, small, window in zip(wanted, least, windows, strict=True):
            if not small.number - window.stride < size < small.number + window.stride:
                raise LayerError(
                    f"expected {small.number}, or less than the stride {window.stride} "
                    f"away from it, received {size}",
                    field="size",
                )
        return ((given(values[0]), *map(given, wanted)),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (self._slides(inputs), HELD)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        return {}

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return (Saved("input", 1),)  # the switches


def _back(slide: Slide) -> Fractional:
    return Fractional(slide.kernel, slide.stride, *slide.numbers())
