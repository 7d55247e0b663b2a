"""Windows: the inputs an output sees, against the definitions spelled out by brute force.

Convolution and pooling: Dumoulin & Visin 2016, arXiv:1603.07285. Adaptive pooling, nearest and
linear upsampling (corners not aligned): PyTorch's documentation of AdaptiveAvgPool2d and Upsample.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

import pytest

from archcalc.errors import LayerError
from archcalc.ops.window import (
    Adaptive,
    Fractional,
    Interpolated,
    Nearest,
    Slide,
    Sliding,
    output_size,
    resolve,
    transposed_size,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIES = 2000


def slidings(kind: type[Sliding | Fractional]) -> Iterator[Sliding | Fractional]:
    chance = random.Random(1)
    for _ in range(TRIES):
        kernel, stride, dilation = chance.randint(1, 6), chance.randint(1, 6), chance.randint(1, 5)
        yield kind(kernel, stride, chance.randint(0, 5), chance.randint(0, 5), dilation)


def sizes() -> Iterator[tuple[int, int]]:
    return ((n, m) for n in range(1, 25) for m in range(1, 25))


def test_sliding_sees_its_taps() -> None:
    for w in slidings(Sliding):
        for i in range(8):
            expected = [i * w.stride - w.before + j * w.dilation for j in range(w.kernel)]
            assert list(w.taps(i)) == expected, w


def test_sliding_reaches_beyond_both_borders() -> None:
    assert list(Sliding(3, 2, 1, 1).taps(0)) == [-1, 0, 1]
    assert list(Sliding(3, 2, 1, 1, 2).taps(1)) == [1, 3, 5]
    assert list(Sliding(1, 2, -3).taps(2)) == [7]  # a slice that starts at 3


def test_fractional_sees_the_inputs_that_reach_it() -> None:
    """Input x is spread over the outputs x*stride - before + j*dilation."""
    for w in slidings(Fractional):
        for i in range(12):
            expected = [
                x
                for x in range(-40, 40)
                for j in range(w.kernel)
                if x * w.stride - w.before + j * w.dilation == i
            ]
            assert list(w.taps(i)) == expected, (w, i)


def test_fractional_may_see_nothing() -> None:
    assert list(Fractional(1, 2).taps(0)) == [0]
    assert list(Fractional(1, 2).taps(1)) == []


def test_adaptive_covers_its_share() -> None:
    for n, m in sizes():
        for i in range(m):
            start, end = floor(Fraction(i * n, m)), ceil(Fraction((i + 1) * n, m))
            assert list(Adaptive(n, m).taps(i)) == list(range(start, end)), (n, m, i)


def test_adaptive_windows_leave_no_input_out() -> None:
    for n, m in sizes():
        seen = {x for i in range(m) for x in Adaptive(n, m).taps(i)}
        assert seen == set(range(n)), (n, m)


def test_interpolated_sees_the_two_inputs_around_it() -> None:
    for n, m in sizes():
        for i in range(m):
            x = Fraction(2 * i + 1, 2) * Fraction(n, m) - Fraction(1, 2)
            expected = sorted({floor(x), ceil(x)})
            assert list(Interpolated(n, m).taps(i)) == expected, (n, m, i)


def test_interpolation_at_the_same_size_sees_one() -> None:
    assert [list(Interpolated(5, 5).taps(i)) for i in range(5)] == [[i] for i in range(5)]


def test_nearest_sees_one() -> None:
    for n, m in sizes():
        for i in range(m):
            assert list(Nearest(n, m).taps(i)) == [floor(Fraction(i * n, m))], (n, m, i)


EVERY = [
    *(
        w
        for kind in (Sliding, Fractional)
        for w, _ in zip(slidings(kind), range(200), strict=False)
    ),
    *(kind(n, m) for kind in (Adaptive, Interpolated, Nearest) for n, m in sizes()),
]


def test_the_pattern_repeats_after_a_period() -> None:
    for w in EVERY:
        for i in range(w.period + 3):
            shifted = [x + w.advance for x in w.taps(i)]
            assert list(w.taps(i + w.period)) == shifted, (w, i)


# Sizes, against counting positions one by one.


def positions(n: int, slide: Slide, before: int, after: int) -> int:
    """Starts at which all taps lie within the padded input."""
    last = n + before + after - ((slide.kernel - 1) * slide.dilation + 1)
    return len(range(0, last + 1, slide.stride))


def positions_up(n: int, slide: Slide, before: int, after: int) -> int:
    """Rounded up: one more, if part of the input is left, unless it starts in padding after.

    So is the first where it reaches beyond the input by less than a stride, as PyTorch has it.
    """
    count = positions(n, slide, before, after)
    reach = (slide.kernel - 1) * slide.dilation + 1
    left = (count - 1) * slide.stride + reach < n + before + after
    return count + (left and count * slide.stride < n + before)


def slides(ceil_mode: bool) -> Iterator[tuple[int, Slide]]:
    chance = random.Random(2)
    for _ in range(TRIES):
        pair = (chance.randint(0, 3), chance.randint(0, 3))
        padding = chance.choice([0, 1, 2, 3, pair])
        yield (
            chance.randint(1, 20),
            Slide(
                chance.randint(1, 5), chance.randint(1, 4), padding, chance.randint(1, 3), ceil_mode
            ),
        )


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_size_is_the_number_of_positions(ceil_mode: bool) -> None:
    counted = positions_up if ceil_mode else positions
    tried = 0
    for n, slide in slides(ceil_mode):
        before, after = slide.padding if isinstance(slide.padding, tuple) else (slide.padding,) * 2
        if counted(n, slide, before, after) < 1:
            with pytest.raises(LayerError, match=r"kernel: expected .* its padded input"):
                resolve(n, slide)
            continue
        window = resolve(n, slide)
        assert (window.before, window.after) == (before, after)
        assert output_size(n, slide, window).number == counted(n, slide, before, after), (n, slide)
        tried += 1
    assert tried > TRIES / 2


@pytest.mark.parametrize("kernel", range(1, 8))
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_gives_the_same_size(kernel: int, dilation: int) -> None:
    """PyTorch's `padding='same'`: d*(k - 1) zeros in all, the odd one after."""
    for n in range(1, 12):
        slide = Slide(kernel, 1, "same", dilation)
        window = resolve(n, slide)
        assert output_size(n, slide, window).number == n
        assert window.before + window.after == dilation * (kernel - 1)
        assert window.after - window.before in (0, 1)


@pytest.mark.parametrize("kernel", range(1, 6))
@pytest.mark.parametrize("stride", range(1, 5))
def test_same_tf_gives_an_output_for_each_stride(kernel: int, stride: int) -> None:
    """TensorFlow, tf.nn.convolution: out = ceil(n/s), the least padding that gives it."""
    for n in range(1, 12):
        slide = Slide(kernel, stride, "same_tf")
        window = resolve(n, slide)
        size = output_size(n, slide, window).number
        padding = window.before + window.after
        assert size == ceil(Fraction(n, stride))
        assert positions(n, slide, window.before, window.after) == size
        assert padding == 0 or positions(n, slide, 0, padding - 1) < size
        assert window.after - window.before in (0, 1)


def test_valid_pads_nothing() -> None:
    assert resolve(7, Slide(3, 2, "valid")) == Sliding(3, 2, 0, 0)


def test_transposed_size_is_one_beyond_the_last_output_reached() -> None:
    for w in slidings(Fractional):
        assert isinstance(w, Fractional)
        for n in (1, 2, 5):
            reached = [
                x * w.stride + j * w.dilation for x in range(n) for j in range(w.kernel)
            ]  # before cropping `before` and `after` positions
            expected = max(reached) + 1 - w.before - w.after
            assert transposed_size(n, w, 0).number == expected
            assert transposed_size(n, w, 2).number == expected + 2
