"""What an output position sees of an input along one axis, and the sizes that follow from it.

One rule for all axes and for convolution and pooling alike (Dumoulin & Visin 2016, "A guide to
convolution arithmetic for deep learning", arXiv:1603.07285, relationships 6, 15 and A.29).
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from archcalc.errors import LayerError
from archcalc.formula import Derived, Formula, constant, formula

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# Every window says which inputs output i sees (`taps`), the first and the last of them with their
# equations (`ends`, None if it sees nothing), that the pattern repeats after `period` outputs,
# `advance` inputs further on, and what becomes of a stride of j (`rate`).

Ends = tuple[Derived, Derived]

FIRST = "i*s - p"
LAST = "i*s - p + k - 1"
LAST_DILATED = "i*s - p + d*(k - 1)"

BACK_FIRST = "ceil((i + p - k + 1)/s)"
BACK_LAST = "floor((i + p)/s)"
BACK = "(i + p - d*q)/s"  # dilated: through the kernel's element q, for which it is whole


class Sliding(NamedTuple):
    """Output i sees inputs i*stride - before + q*dilation, q = 0 ... kernel-1."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def rate(self) -> str:
        return "j*s"

    @property
    def period(self) -> int:
        return 1

    @property
    def advance(self) -> int:
        return self.stride

    def numbers(self) -> dict[str, int]:
        return {"k": self.kernel, "s": self.stride, "p": self.before, "d": self.dilation}

    def ends(self, i: int, name: str = "i") -> Ends:
        last = LAST if self.dilation == 1 else LAST_DILATED
        return _at(FIRST, name, i, self.numbers()), _at(last, name, i, self.numbers())

    def taps(self, i: int) -> range:
        first = _function(FIRST, "i", "s", "p")(i, self.stride, self.before)
        return range(first, first + (self.kernel - 1) * self.dilation + 1, self.dilation)


class Fractional(NamedTuple):
    """A transposed convolution: input i reaches outputs i*stride - before + q*dilation."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def rate(self) -> str:
        return "j/s"

    @property
    def advance(self) -> int:
        return 1

    @property
    def period(self) -> int:
        return self.stride

    def numbers(self) -> dict[str, int]:
        return {"k": self.kernel, "s": self.stride, "p": self.before, "d": self.dilation}

    def ends(self, i: int, name: str = "i") -> Ends | None:
        fits, numbers = self._fits(i), self.numbers()
        if not fits:
            return None
        if self.dilation == 1:
            return _at(BACK_FIRST, name, i, numbers), _at(BACK_LAST, name, i, numbers)
        first, last = ({**numbers, "q": q} for q in (fits[-1], fits[0]))
        return _at(BACK, name, i, first), _at(BACK, name, i, last)

    def taps(self, i: int) -> range:
        """The inputs that reach output i; evenly spaced, possibly none."""
        fits = self._fits(i)
        if not fits:
            return range(0)
        tap = _function(BACK, "i", "p", "d", "q", "s")
        first = tap(i, self.before, self.dilation, fits[-1], self.stride)
        last = tap(i, self.before, self.dilation, fits[0], self.stride)
        return range(first, last + 1, fits.step * self.dilation // self.stride)

    def _fits(self, i: int) -> range:
        """The kernel's elements through which output i sees an input."""
        step = self.stride // gcd(self.stride, self.dilation)  # those that fit are `step` apart
        reach = i + self.before
        for q in range(min(step, self.kernel)):
            if (reach - q * self.dilation) % self.stride == 0:
                return range(q, self.kernel, step)
        return range(0)


class _Resampling(NamedTuple):
    """From n positions to m."""

    n: int
    m: int

    @property
    def rate(self) -> str:
        return "j*n/m"

    @property
    def period(self) -> int:
        return self.m // gcd(self.n, self.m)

    @property
    def advance(self) -> int:
        return self.n // gcd(self.n, self.m)

    def numbers(self) -> dict[str, int]:
        return {"n": self.n, "m": self.m}

    def texts(self) -> tuple[str, str]:
        """The first and the last input that output i sees."""
        raise NotImplementedError

    def ends(self, i: int, name: str = "i") -> Ends:
        first, last = (_at(text, name, i, self.numbers()) for text in self.texts())
        return first, last

    def taps(self, i: int) -> range:
        first, last = (_function(text, "i", "n", "m") for text in self.texts())
        return range(first(i, self.n, self.m), last(i, self.n, self.m) + 1)


class Adaptive(_Resampling):
    """Output i of m sees inputs floor(i*n/m) ... ceil((i+1)*n/m) - 1 of n."""

    __slots__ = ()

    def texts(self) -> tuple[str, str]:
        return "floor(i*n/m)", "ceil((i + 1)*n/m) - 1"


class Interpolated(_Resampling):
    """Linear interpolation from n to m, corners not aligned: output i is at (i + 1/2)*n/m - 1/2."""

    __slots__ = ()

    def texts(self) -> tuple[str, str]:
        return "floor(((2*i + 1)*n - m)/(2*m))", "ceil(((2*i + 1)*n - m)/(2*m))"


class Nearest(_Resampling):
    """Output i of m repeats input floor(i*n/m) of n."""

    __slots__ = ()

    def texts(self) -> tuple[str, str]:
        return "floor(i*n/m)", "floor(i*n/m)"


@lru_cache(maxsize=64)
def _function(text: str, *names: str) -> Callable[..., int]:
    return formula(text).function(*names)


def _at(text: str, name: str, i: int, numbers: dict[str, int]) -> Derived:
    """An equation of position i at a position that is called `name`."""
    return formula(_POSITION.sub(name, text)).of({**numbers, name: i})


_POSITION = re.compile(r"\bi\b")

AxisWindow = Sliding | Fractional | Adaptive | Interpolated | Nearest


class _Only:
    """A class with one object, by whose name it is pickled and copied: it stays the same one."""

    def __reduce__(self) -> str:
        return type(self).__name__.upper()


class Whole(_Only):
    """Every output sees the whole input (linear, global pooling)."""


class Pointwise(_Only):
    """Every output sees its own position only."""


class Held(_Only):
    """An input held constant: gates, switches. No receptive field and no depth goes through it."""


class Somewhere:
    """Every output sees a part of the input that the data decide; `reason` says how."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


WHOLE, POINTWISE, HELD = Whole(), Pointwise(), Held()

Windows = tuple[AxisWindow, ...] | Whole | Pointwise | Held | Somewhere


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

    def numbers(self) -> tuple[int, int]:
        """The padding before and after, which no word stands for."""
        assert not isinstance(self.padding, str)
        return self.padding if isinstance(self.padding, tuple) else (self.padding, self.padding)


def resolve(n: int, slide: Slide) -> Sliding:
    """The window on an axis of n inputs, its padding resolved to numbers before and after.

    `same` is PyTorch's (stride 1; the odd one goes after), `same_tf` TensorFlow's: an output for
    every stride-th input, the odd one after.
    """
    k, s, p, d, _ = slide
    if not isinstance(p, str):
        before, after = slide.numbers()
    elif p == "same" and s != 1:
        raise LayerError(
            f"expected stride 1 with the word same, received stride {s}",
            hint="same_tf allows it",
            field="padding",
        )
    else:
        wanted = same_padding(n, slide).number
        before, after = wanted // 2, wanted - wanted // 2
    if slide.reach - (n + before + after) >= (s if slide.ceil else 1):
        raise _too_large(n, slide, before, after)
    return Sliding(k, s, before, after, d)


def _too_large(n: int, slide: Slide, before: int, after: int) -> LayerError:
    """In ceil mode a window may reach beyond its padded input by less than the stride."""
    allowed = f"less than the stride {slide.stride} beyond" if slide.ceil else "at most"
    dilated = f" ({slide.kernel} dilated by {slide.dilation})" if slide.dilation > 1 else ""
    return LayerError(
        f"expected {allowed} its padded input {n + before + after} "
        f"({n} + {before} + {after}), received {slide.reach}{dilated}",
        field="kernel",
    )


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


SIZE = "floor((n - d*(k - 1) - 1 + p_before + p_after + r)/s) + 1"
TRANSPOSED_SIZE = "(n - 1)*s - p_before - p_after + d*(k - 1) + 1 + e"


def output_size(n: int, slide: Slide, window: Sliding) -> Derived:
    """The output positions along an axis of n inputs: one floor division, whatever is written.

    In ceil mode a last window may reach r = s - 1 positions beyond its padded input, or fewer,
    so that it does not begin in the padding behind.
    """
    k, s, before, after, d = window
    up = slide.ceil and slide.padding != "same_tf"
    return _SIZES["same_tf" if slide.padding == "same_tf" else up].of(
        {
            "n": n,
            "k": k,
            "s": s,
            "d": d,
            "p": before,
            "p_before": before,
            "p_after": after,
            "r": max(min(s - 1, slide.reach - 1 - after), 0) if up else 0,
        }
    )


def _same_tf(_: str, values: Mapping[str, int]) -> str:
    """TensorFlow's rule: an output for every s-th input."""
    return "n/s" if values["n"] % values["s"] == 0 else "ceil(n/s)"


def _rounded_down(_: str, values: Mapping[str, int]) -> str:
    above, span = _span(values)
    return f"({above})/s + 1" if span % values["s"] == 0 else f"floor(({above})/s) + 1"


def _rounded_up(_: str, values: Mapping[str, int]) -> str:
    above, span = _span(values)
    s = values["s"]
    if span % s == 0:
        return f"({above})/s + 1"
    last = -(-span // s) * s  # where the last window starts
    sees_padding_only = last >= values["n"] + values["p_before"]
    return f"ceil(({above})/s) + 1" + (" - 1" if sees_padding_only else "")


_SIZES: dict[str | bool, Formula] = {
    "same_tf": Formula(SIZE, _same_tf),
    True: Formula(SIZE, _rounded_up),
    False: Formula(SIZE, _rounded_down),
}


def _span(values: Mapping[str, int]) -> tuple[str, int]:
    """How far the window can move, as text and as a number."""
    n, k, d, before, after = (values[name] for name in ("n", "k", "d", "p_before", "p_after"))
    text = "n - k" if d == 1 else "n - d*(k - 1) - 1"
    text += " + 2*p" if before == after else " + p_before + p_after"
    return text, n - d * (k - 1) - 1 + before + after


def transposed_size(n: int, window: Fractional, extra: int) -> Derived:
    """Output positions of a transposed convolution (relationship A.29, with output padding)."""
    k, s, before, after, d = window
    ends = {"p": before, "p_before": before, "p_after": after}
    values = {"n": n, "k": k, "s": s, "d": d, **ends, "e": extra}
    return formula(TRANSPOSED_SIZE, _transposed).of(values)


def _transposed(_: str, values: Mapping[str, int]) -> str:
    text = "(n - 1)*s"
    text += " - 2*p" if values["p_before"] == values["p_after"] else " - p_before - p_after"
    text += " + k" if values["d"] == 1 else " + d*(k - 1) + 1"
    return text + (" + e" if values["e"] else "")


def given(n: int) -> Derived:
    """A size that is stated, not derived."""
    return constant(n)
