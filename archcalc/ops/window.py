"""What an output position sees of an input along one axis, and the sizes that follow from it.

One rule for all axes and for convolution and pooling alike (Dumoulin & Visin 2016, "A guide to
convolution arithmetic for deep learning", arXiv:1603.07285, relationships 6, 15 and A.29).
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from archcalc.errors import LayerError
from archcalc.formula import Derived, constant, formula


class Sliding(NamedTuple):
    """Output i sees inputs i*stride - before + j*dilation, j = 0 ... kernel-1."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def period(self) -> int:
        return 1

    @property
    def advance(self) -> int:
        return self.stride

    def taps(self, i: int) -> range:
        first = i * self.stride - self.before
        return range(first, first + (self.kernel - 1) * self.dilation + 1, self.dilation)


class Fractional(NamedTuple):
    """A transposed convolution: input i reaches outputs i*stride - before + j*dilation."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def advance(self) -> int:
        return 1

    @property
    def period(self) -> int:
        return self.stride

    def taps(self, i: int) -> range:
        """The inputs that reach output i; evenly spaced, possibly none."""
        step = self.stride // gcd(self.stride, self.dilation)  # j that fit are `step` apart
        reach = i + self.before
        fits = (
            j
            for j in range(min(step, self.kernel))
            if (reach - j * self.dilation) % self.stride == 0
        )
        j = next(fits, None)
        if j is None:
            return range(0)
        last = (reach - j * self.dilation) // self.stride
        apart = step * self.dilation // self.stride
        count = (self.kernel - 1 - j) // step + 1
        return range(last - (count - 1) * apart, last + 1, apart)


class Adaptive(NamedTuple):
    """Output i of m sees inputs floor(i*n/m) ... ceil((i+1)*n/m) - 1 of n."""

    n: int
    m: int

    @property
    def period(self) -> int:
        return self.m // gcd(self.n, self.m)

    @property
    def advance(self) -> int:
        return self.n // gcd(self.n, self.m)

    def taps(self, i: int) -> range:
        return range(i * self.n // self.m, -(-(i + 1) * self.n // self.m))


class Interpolated(NamedTuple):
    """Linear interpolation from n to m, corners not aligned: output i is at (i + 1/2)*n/m - 1/2."""

    n: int
    m: int

    @property
    def period(self) -> int:
        return self.m // gcd(self.n, self.m)

    @property
    def advance(self) -> int:
        return self.n // gcd(self.n, self.m)

    def taps(self, i: int) -> range:
        above, below = (2 * i + 1) * self.n - self.m, 2 * self.m
        return range(above // below, -(-above // below) + 1)


class Nearest(NamedTuple):
    """Output i of m repeats input floor(i*n/m) of n."""

    n: int
    m: int

    @property
    def period(self) -> int:
        return self.m // gcd(self.n, self.m)

    @property
    def advance(self) -> int:
        return self.n // gcd(self.n, self.m)

    def taps(self, i: int) -> range:
        return range(i * self.n // self.m, i * self.n // self.m + 1)


AxisWindow = Sliding | Fractional | Adaptive | Interpolated | Nearest


class Whole:
    """Every output sees the whole input (linear, global pooling)."""


class Pointwise:
    """Every output sees its own position only."""


class Held:
    """An input held constant: gates, switches. No receptive field and no depth goes through it."""


WHOLE, POINTWISE, HELD = Whole(), Pointwise(), Held()

Windows = tuple[AxisWindow, ...] | Whole | Pointwise | Held


class Slide(NamedTuple):
    """The fields of a sliding window along one axis, padding not yet resolved."""

    kernel: int
    stride: int
    padding: int | str | tuple[int, int]
    dilation: int = 1
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Input positions from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1


def resolve(n: int, slide: Slide) -> Sliding:
    """The window on an axis of n inputs, its padding resolved to numbers before and after.

    `same` is PyTorch's (stride 1; the odd one goes after), `same_tf` TensorFlow's: an output for
    every stride-th input, the odd one after.
    """
    k, s, p, d, _ = slide
    if isinstance(p, tuple):
        before, after = p
    elif not isinstance(p, str):
        before = after = p
    elif p == "same" and s != 1:
        raise LayerError(
            f"padding same: expected stride 1, received stride {s}", hint="same_tf allows it"
        )
    else:
        wanted = same_padding(n, slide).number
        before, after = wanted // 2, wanted - wanted // 2
    if slide.reach > n + before + after:
        dilated = f" (dilated by {d} to {slide.reach})" if d > 1 else ""
        raise LayerError(
            f"kernel {k}{dilated} is larger than its padded input {n + before + after} "
            f"({n} + {before} + {after})"
        )
    return Sliding(k, s, before, after, d)


def same_padding(n: int, slide: Slide) -> Derived:
    """Padding before and after together, for the words `same`, `same_tf` and `valid`.

    Enough for ceil(n/s) outputs (TensorFlow's rule; with stride 1 it is PyTorch's).
    """
    if slide.padding == "valid":
        return formula("0")()
    outputs = -(-n // slide.stride)
    return formula("max((n_out - 1)*s + d*(k - 1) + 1 - n, 0)")(
        n_out=outputs, s=slide.stride, d=slide.dilation, k=slide.kernel, n=n
    )


def output_size(n: int, slide: Slide, window: Sliding) -> Derived:
    """The output positions along an axis of n inputs, derived as one writes it by hand."""
    if slide.padding == "same_tf":
        return formula("n/s" if n % slide.stride == 0 else "ceil(n/s)")(n=n, s=slide.stride)
    above, values = _span(n, window)
    span, s = n + window.before + window.after - slide.reach, window.stride
    values["s"] = s
    if span % s == 0:
        return formula(f"({above})/s + 1")(**values)
    if not slide.ceil:
        return formula(f"floor(({above})/s) + 1")(**values)
    if _last_start(span, s) >= n + window.before:  # it would see padding only: dropped
        return formula(f"ceil(({above})/s) + 1 - 1")(**values)
    return formula(f"ceil(({above})/s) + 1")(**values)


def _span(n: int, window: Sliding) -> tuple[str, dict[str, int]]:
    """How far the window can move, as text with its values."""
    values = {"n": n, "k": window.kernel}
    text = "n - k"
    if window.dilation > 1:
        text = "n - d*(k - 1) - 1"
        values["d"] = window.dilation
    if window.before == window.after:
        values["p"] = window.before
        return text + " + 2*p", values
    values |= {"p_before": window.before, "p_after": window.after}
    return text + " + p_before + p_after", values


def _last_start(span: int, stride: int) -> int:
    return -(-span // stride) * stride


def transposed_size(n: int, window: Fractional, extra: int) -> Derived:
    """Output positions of a transposed convolution (relationship A.29, with output padding)."""
    values = {"n": n, "k": window.kernel, "s": window.stride}
    text = "(n - 1)*s"
    if window.before == window.after:
        text, values["p"] = text + " - 2*p", window.before
    else:
        text += " - p_before - p_after"
        values |= {"p_before": window.before, "p_after": window.after}
    text += " + k" if window.dilation == 1 else " + d*(k - 1) + 1"
    if window.dilation > 1:
        values["d"] = window.dilation
    if extra:
        text, values["e"] = text + " + e", extra
    return formula(text)(**values)


def given(n: int) -> Derived:
    """A size that is stated, not derived."""
    return constant(n)
