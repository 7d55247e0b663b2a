"""Layers that can't be: what a spec would say, and the same thing asked of PyTorch.

A fault takes a Drawer and the shape that comes in; it gives the layers, of which the one called
"bad" is wrong, and a function that does the same with PyTorch's own modules on (batch, *shape). It
gives None where the fault can't be had at that shape.
"""

# Functions of one signature; a module is made when it is asked for, which may be what fails.
# ruff: noqa: ARG001, PLW0108

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from random_specs import divisors
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from random_specs import Drawer, Entries, Shape

    Theirs = Callable[[Tensor], Any]
    Fault = Callable[[Drawer, Shape], tuple[Entries, Theirs] | None]

FAULTS: dict[str, Fault] = {}  # PyTorch refuses these, too
OURS: dict[str, Fault] = {}  # it takes these; the function says what it makes of them


def fault(function: Fault) -> Fault:
    FAULTS[function.__name__] = function
    return function


def ours(function: Fault) -> Fault:
    """A fault that PyTorch accepts, for the reason in the function's docstring."""
    OURS[function.__name__] = function
    return function


def of(name: str, shape: Shape) -> Any:
    """nn.Conv2d for "Conv" and images, and so on."""
    return getattr(nn, f"{name}{len(shape) - 1}d")


def bad(kind: str, **fields: Any) -> Entries:
    return [{kind: {"name": "bad", **fields}}]


def on_one_axis(drawer: Drawer, shape: Shape, usual: int, wrong: Callable[[int], int]) -> list[int]:
    """A number an axis, one of them wrong; `wrong` takes that axis' size."""
    values = [usual] * (len(shape) - 1)
    axis = drawer.integer(0, len(values) - 1)
    values[axis] = wrong(shape[1 + axis])
    return values


# Convolutions.


@fault
def kernel_larger_than_its_padded_input(drawer: Drawer, shape: Shape) -> Any:
    padding = drawer.integer(0, 2)
    kernel = on_one_axis(drawer, shape, 1, lambda n: n + 2 * padding + drawer.integer(1, 3))
    return bad("conv", out=2, kernel=kernel, padding=padding), lambda x: of("Conv", shape)(
        shape[0], 2, kernel, padding=padding
    )(x)


@fault
def kernel_dilated_beyond_its_input(drawer: Drawer, shape: Shape) -> Any:
    dilation = on_one_axis(drawer, shape, 1, lambda n: n + 2)
    kernel = [2 if d > 1 else 1 for d in dilation]
    return bad("conv", out=2, kernel=kernel, dilation=dilation), lambda x: of("Conv", shape)(
        shape[0], 2, kernel, dilation=dilation
    )(x)


@fault
def a_pool_rounded_up_a_stride_beyond_its_input(drawer: Drawer, shape: Shape) -> Any:
    stride = drawer.integer(1, 3)
    kernel = max(shape[1:]) + stride
    return bad("maxpool", kernel=kernel, stride=stride, ceil=True), lambda x: of("MaxPool", shape)(
        kernel, stride, ceil_mode=True
    )(x)


@fault
def groups_that_do_not_divide_the_input(drawer: Drawer, shape: Shape) -> Any:
    groups = drawer.pick([g for g in range(2, shape[0] + 3) if shape[0] % g])
    kind = drawer.pick(["conv", "convtranspose"])
    module = of("Conv" if kind == "conv" else "ConvTranspose", shape)
    return bad(kind, out=groups, kernel=1, groups=groups), lambda x: module(
        shape[0], groups, 1, groups=groups
    )(x)


@fault
def groups_that_do_not_divide_the_output(drawer: Drawer, shape: Shape) -> Any:
    if shape[0] == 1:
        return None
    groups = drawer.pick(divisors(shape[0])[1:])
    out = groups * drawer.integer(1, 3) + 1
    kind = drawer.pick(["conv", "convtranspose"])
    module = of("Conv" if kind == "conv" else "ConvTranspose", shape)
    return bad(kind, out=out, kernel=1, groups=groups), lambda x: module(
        shape[0], out, 1, groups=groups
    )(x)


@fault
def a_number_too_many_for_the_axes(drawer: Drawer, shape: Shape) -> Any:
    name = drawer.pick(["kernel", "stride", "dilation", "padding"])
    fields: dict[str, Any] = {"kernel": 1, name: [1] * len(shape)}
    return bad("conv", out=2, **fields), lambda x: of("Conv", shape)(
        shape[0], 2, fields.pop("kernel"), **fields
    )(x)


@fault
def same_with_a_stride(drawer: Drawer, shape: Shape) -> Any:
    fields = {"stride": drawer.integer(2, 3), "padding": "same"}
    return bad("conv", out=2, kernel=3, **fields), lambda x: of("Conv", shape)(
        shape[0], 2, 3, **fields
    )(x)


@fault
def a_size_of_zero(drawer: Drawer, shape: Shape) -> Any:
    name = drawer.pick(["kernel", "stride", "dilation", "groups"])
    fields: dict[str, Any] = {"kernel": 1, name: 0}
    return bad("conv", out=2, **fields), lambda x: of("Conv", shape)(
        shape[0], 2, fields.pop("kernel"), **fields
    )(x)


@fault
def negative_padding_of_a_convolution(drawer: Drawer, shape: Shape) -> Any:
    p = -drawer.integer(1, 3)
    return bad("conv", out=2, kernel=1, padding=p), lambda x: of("Conv", shape)(
        shape[0], 2, 1, padding=p
    )(x)


@fault
def a_table_with_a_missing_map(drawer: Drawer, shape: Shape) -> Any:
    table = [[0], [shape[0] + drawer.integer(0, 2)]]
    return bad("conv", out=2, kernel=1, table=table), lambda x: x.index_select(
        1, torch.tensor([i for row in table for i in row])
    )


@fault
def a_table_with_a_row_too_many(drawer: Drawer, shape: Shape) -> Any:
    out = drawer.integer(2, 4)
    table = [[0]] * (out + drawer.integer(1, 2))
    each = [-1, *(1 for _ in shape[1:])]
    return bad(
        "conv", out=out, kernel=1, table=table
    ), lambda x: x[:, [i for row in table for i in row]] + torch.zeros(out).view(each)


@fault
def a_convolution_of_a_vector(drawer: Drawer, shape: Shape) -> Any:
    layers = ["flatten", *bad("conv", out=2, kernel=1)]
    return layers, lambda x: nn.Conv2d(math.prod(shape), 2, 1)(x.flatten(1))


@fault
def weights_of_another_shape(drawer: Drawer, shape: Shape) -> Any:
    more = shape[0] + drawer.integer(1, 3)
    first = {"conv": {"name": "first", "out": more, "kernel": 1}}
    layers = [first, *bad("conv", out=more, kernel=1, weights="first")]
    weight = torch.zeros(more, shape[0], *(1 for _ in shape[1:]))
    convolve = getattr(functional, f"conv{len(shape) - 1}d")
    return layers, lambda x: convolve(convolve(x, weight), weight)


@fault
def a_transposed_convolution_that_leaves_nothing(drawer: Drawer, shape: Shape) -> Any:
    padding = on_one_axis(drawer, shape, 0, lambda n: n // 2 + drawer.integer(1, 2))
    return bad("convtranspose", out=2, kernel=1, padding=padding), lambda x: of(
        "ConvTranspose", shape
    )(shape[0], 2, 1, padding=padding)(x)


@fault
def extra_of_a_whole_stride(drawer: Drawer, shape: Shape) -> Any:
    stride = drawer.integer(1, 3)
    extra = stride + drawer.integer(0, 1)
    return bad("convtranspose", out=2, kernel=2, stride=stride, extra=extra), lambda x: of(
        "ConvTranspose", shape
    )(shape[0], 2, 2, stride, output_padding=extra)(x)


# Pools.


@fault
def a_pool_larger_than_its_input(drawer: Drawer, shape: Shape) -> Any:
    kind = drawer.pick(["MaxPool", "AvgPool"])
    kernel = on_one_axis(drawer, shape, 1, lambda n: n + drawer.integer(1, 3))
    return bad(kind.lower(), kernel=kernel, stride=1), lambda x: of(kind, shape)(kernel, 1)(x)


@fault
def padding_beyond_half_a_pool(drawer: Drawer, shape: Shape) -> Any:
    kind = drawer.pick(["MaxPool", "AvgPool"])
    kernel = drawer.integer(1, 3)
    padding = kernel // 2 + drawer.integer(1, 2)
    return bad(kind.lower(), kernel=kernel, stride=1, padding=padding), lambda x: of(kind, shape)(
        kernel, 1, padding
    )(x)


@fault
def padding_within_half_a_dilated_pool(drawer: Drawer, shape: Shape) -> Any:
    """More than half the kernel as it is written: windows could hold padding alone."""
    dilation = drawer.integer(2, 3)
    fields = {"kernel": 3, "stride": 1, "padding": 2, "dilation": dilation}
    return bad("maxpool", **fields), lambda x: of("MaxPool", shape)(3, 1, 2, dilation)(x)


def unpooling(then: Entries, **fields: Any) -> Entries:
    """A pool by 2, other layers, and its inverse."""
    pool = {"maxpool": {"name": "pool", "kernel": 2, "ceil": True, "switches": True}}
    return [pool, *then, *bad("maxunpool", kernel=2, switches="pool", **fields)]


@fault
def a_size_too_far_from_the_unpooled_one(drawer: Drawer, shape: Shape) -> Any:
    away = drawer.pick([-2, 2, 3])
    size = [max(1, -(-n // 2) * 2 + away) for n in shape[1:]]
    if any(n <= 2 for n in shape[1:]):
        return None

    def theirs(x: Tensor) -> Tensor:
        values, places = of("MaxPool", shape)(2, ceil_mode=True, return_indices=True)(x)
        unpooled: Tensor = of("MaxUnpool", shape)(2)(values, places, output_size=size)
        return unpooled

    return unpooling([], size=size), theirs


@fault
def switches_of_other_values(drawer: Drawer, shape: Shape) -> Any:
    if any(n < 2 for n in shape[1:]):
        return None
    before = drawer.integer(1, 2)
    layers = unpooling([{"pad": {"padding": [[before, 0]] * (len(shape) - 1)}}])

    def theirs(x: Tensor) -> Tensor:
        values, places = of("MaxPool", shape)(2, ceil_mode=True, return_indices=True)(x)
        more = functional.pad(values, [before, 0] * (len(shape) - 1))
        unpooled: Tensor = of("MaxUnpool", shape)(2)(more, places)
        return unpooled

    return layers, theirs


@fault
def an_adaptive_pool_with_a_number_too_many(drawer: Drawer, shape: Shape) -> Any:
    size = [2] * len(shape)
    return bad("adaptiveavgpool", size=size), lambda x: of("AdaptiveAvgPool", shape)(size)(x)


# Joins.


@fault
def a_sum_of_unlike_channels(drawer: Drawer, shape: Shape) -> Any:
    a = drawer.integer(2, 5)
    b = a + drawer.integer(1, 3)
    left, right = ([{"conv": {"out": out, "kernel": 1}}] for out in (a, b))
    sizes = shape[1:]
    return bad(
        "add", left=left, right=right
    ), lambda x: x.new_zeros(2, a, *sizes) + x.new_zeros(2, b, *sizes)


@fault
def a_concatenation_of_unlike_sizes(drawer: Drawer, shape: Shape) -> Any:
    axis = drawer.integer(1, len(shape) - 1)
    padding = [[1, 0] if i == axis else [0, 0] for i in range(1, len(shape))]
    larger = [n + (i == axis) for i, n in enumerate(shape)]
    return bad("concat", whole=[], padded=[{"pad": {"padding": padding}}]), lambda x: torch.cat(
        [x, x.new_zeros(2, *larger)], 1
    )


@fault
def a_map_joined_with_a_vector(drawer: Drawer, shape: Shape) -> Any:
    if shape[-1] == 1:  # PyTorch spreads it
        return None
    kind = drawer.pick(["concat", "add"])
    flat = math.prod(shape) + 1
    vector = ["flatten", {"linear": {"out": flat}}]

    def theirs(x: Tensor) -> Tensor:
        other = x.new_zeros(2, flat)
        return torch.cat([x, other], 1) if kind == "concat" else x + other

    return bad(kind, one=[], other=vector), theirs


@fault
def a_product_of_unlike_channels(drawer: Drawer, shape: Shape) -> Any:
    a = drawer.integer(2, 5)
    b = a + drawer.integer(1, 3)
    body = [{"conv": {"out": a, "kernel": 1}}]
    gate = ["globalavgpool", {"conv": {"out": b, "kernel": 1}}]
    ones = [1] * (len(shape) - 1)
    return bad(
        "multiply", body=body, gate=gate
    ), lambda x: x.new_zeros(2, a, *shape[1:]) * x.new_zeros(2, b, *ones)


# Others.


@fault
def a_linear_of_a_map(drawer: Drawer, shape: Shape) -> Any:
    if shape[-1] == math.prod(shape):
        return None
    return bad("linear", out=3), lambda x: nn.Linear(math.prod(shape), 3)(x)


@fault
def groups_of_a_norm_or_shuffle_that_do_not_divide(drawer: Drawer, shape: Shape) -> Any:
    groups = drawer.pick([g for g in range(2, shape[0] + 3) if shape[0] % g])
    kind = drawer.pick(["groupnorm", "channelshuffle"])
    module: Any = nn.ChannelShuffle if kind == "channelshuffle" else nn.GroupNorm
    own = () if kind == "channelshuffle" else (shape[0],)
    return bad(kind, groups=groups), lambda x: module(groups, *own)(x)


@fault
def a_split_that_does_not_divide(drawer: Drawer, shape: Shape) -> Any:
    parts = drawer.pick([p for p in range(2, shape[0] + 3) if shape[0] % p])
    return bad("split", parts=parts), lambda x: torch.split(x, [shape[0] // parts] * parts, 1)


@fault
def a_split_of_another_sum(drawer: Drawer, shape: Shape) -> Any:
    parts = [shape[0], drawer.integer(1, 3)]
    return bad("split", parts=parts), lambda x: torch.split(x, parts, 1)


@fault
def a_slice_of_no_axis(drawer: Drawer, shape: Shape) -> Any:
    axis = len(shape) + drawer.integer(0, 2)
    return bad("slice", axis=axis, stop=1), lambda x: x.narrow(1 + axis, 0, 1)


@fault
def an_upsampling_by_both_or_none(drawer: Drawer, shape: Shape) -> Any:
    fields = drawer.pick([{}, {"size": 4, "scale": 2}])
    return bad("upsample", **fields), lambda x: nn.Upsample(
        fields.get("size"), fields.get("scale")
    )(x)


@fault
def an_upsampling_with_a_number_too_many(drawer: Drawer, shape: Shape) -> Any:
    size = [2] * len(shape)
    return bad("upsample", size=size), lambda x: nn.Upsample(size)(x)


@fault
def padding_of_more_axes_than_there_are(drawer: Drawer, shape: Shape) -> Any:
    count = len(shape) + 2
    return bad("pad", padding=[1] * count), lambda x: functional.pad(x, [1, 1] * count)


@fault
def a_rate_above_one(drawer: Drawer, shape: Shape) -> Any:
    return bad("dropout", rate=1.5), lambda x: nn.Dropout(1.5)(x)


# Parts applied several times, and regions.


def each(drawer: Drawer, layer: Any, **fields: Any) -> Entries:
    """A block of one layer, used as the layer called "bad"."""
    drawer.blocks["each"] = {"layers": [layer]}
    return bad("each", **fields)


@fault
def a_part_applied_more_often_than_there_are_tensors(drawer: Drawer, shape: Shape) -> Any:
    times = shape[0] + drawer.integer(1, 3)
    return each(drawer, "relu", times=times), lambda x: [
        functional.relu(x[:, i]) for i in range(times)
    ]


@fault
def a_part_applied_to_single_numbers(drawer: Drawer, shape: Shape) -> Any:
    many = math.prod(shape)
    part = each(drawer, {"linear": {"out": 3}}, times=many)
    return ["flatten", *part], lambda x: [nn.Linear(1, 3)(x.flatten(1)[:, i]) for i in range(many)]


@fault
def more_proposals_than_anchors(drawer: Drawer, shape: Shape) -> Any:
    if len(shape) != 3:
        return None
    number = 3 * math.prod(shape[1:]) + drawer.integer(1, 3)
    maps = [
        {"conv": {"name": "scores", "out": 3, "kernel": 1}},
        {"conv": {"name": "boxes", "out": 12, "kernel": 1}},
    ]
    own = {"from": ["scores", "boxes"], "scales": 2, "ratios": [0.5, 1, 2]}
    scores = nn.Conv2d(shape[0], 3, 1)
    return [
        *maps,
        *bad("proposals", number=number, **own),
    ], lambda x: scores(x).flatten(1).topk(number)


# What PyTorch takes.


@ours
def a_part_applied_less_often_than_there_are_tensors(drawer: Drawer, shape: Shape) -> Any:
    """A loop over the first few leaves the others out; a spec says `slice`."""
    if shape[0] == 1:
        return None
    times = drawer.integer(1, shape[0] - 1)
    return each(drawer, "relu", times=times), lambda x: torch.stack(
        [functional.relu(x[:, i]) for i in range(times)], 1
    )


@ours
def a_sum_with_one_channel(drawer: Drawer, shape: Shape) -> Any:
    """PyTorch spreads a tensor of one channel over the others; a residual sum never means that."""
    if shape[0] == 1:
        return None
    one = [{"conv": {"out": 1, "kernel": 1}}]
    return bad("add", whole=[], one=one), lambda x: x + x[:, :1]


@ours
def a_linear_of_each_row(drawer: Drawer, shape: Shape) -> Any:
    """PyTorch's linear works along the last axis; a spec says `flatten`, or a 1x1 convolution."""
    return bad("linear", out=3), lambda x: nn.Linear(shape[-1], 3)(x)


@ours
def a_slice_beyond_the_end(drawer: Drawer, shape: Shape) -> Any:
    """Python's slices are cut off at the end; in a spec it is most often a slip."""
    stop = shape[0] + drawer.integer(1, 3)
    return bad("slice", stop=stop), lambda x: x[:, :stop]


@ours
def an_empty_slice(drawer: Drawer, shape: Shape) -> Any:
    """PyTorch has tensors without elements; no network does anything with one."""
    start = shape[0] + drawer.integer(0, 2)
    return bad("slice", start=start), lambda x: x[:, start:]


@ours
def no_outputs_at_all(drawer: Drawer, shape: Shape) -> Any:
    """Likewise: a convolution with 0 output channels."""
    return bad("conv", out=0, kernel=1), lambda x: of("Conv", shape)(
        shape[0], 0, 1, bias=False, device="meta"
    )


@ours
def negative_padding(drawer: Drawer, shape: Shape) -> Any:
    """PyTorch's pad cuts; a spec says `slice`."""
    cut = -drawer.integer(1, shape[1] - 1) if shape[1] > 1 else -1
    padding = [[0, cut], *([0, 0] for _ in shape[2:])]
    sides = [0, 0] * (len(shape) - 2) + [0, cut]
    return bad("pad", padding=padding), lambda x: functional.pad(x, sides)


@ours
def a_kernel_of_one_number_in_a_list(drawer: Drawer, shape: Shape) -> Any:
    """PyTorch repeats a list of one number in some places; archcalc wants as many as axes."""
    if len(shape) == 2:
        return None
    return bad("maxpool", kernel=[1]), lambda x: getattr(functional, f"max_pool{len(shape) - 1}d")(
        x, [1]
    )
