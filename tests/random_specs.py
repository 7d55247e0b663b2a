"""Random networks, as the text of specs: every layer kind, and everything the language has.

`draw_spec` takes its decisions from a `random.Random`: a seeded one, or hypothesis' own
(`strategies.randoms(use_true_random=False)`), which makes failing networks small: the first of
several choices is the simplest. Shapes are followed here by a second, slower arithmetic (windows
are put down one by one), so that what is drawn is meant to be valid whatever archcalc says of it.
"""

# ruff: noqa: ARG001 - functions of one signature

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

Shape = tuple[int, ...]
Entries = list[Any]
Fields = dict[str, Any]
Pair = tuple[int, int]


class Limits(NamedTuple):
    """How large what is drawn may be; `sizes` has the input's, by the number of spatial axes."""

    channels: int
    sizes: dict[int, int]
    elements: int
    ranks: tuple[int, ...] = (2, 1, 3, 0)


SMALL = Limits(8, {0: 1, 1: 40, 2: 16, 3: 8}, 6_000)
MOST_AXES = 3  # that PyTorch has layers for
LARGE = Limits(256, {0: 1, 1: 4000, 2: 224, 3: 40}, 3_000_000)
WIDE = Limits(3, {1: 60, 2: 24}, 6_000, ranks=(1, 2))  # for fields: few channels, many positions


# The second arithmetic.


def positions(n: int, window: Window, ceil: bool = False) -> int:
    """How many windows there are on an axis, put down one after another."""
    k, s, before, after, d = window
    reach, end = d * (k - 1) + 1, before + n + after
    starts = [start for start in range(0, end, s) if start + reach <= end]
    if ceil:
        last = starts[-1] if starts else -s
        if last + reach < end and last + s < before + n:  # it begins in the input
            starts.append(last + s)
    return len(starts)


def blind(n: int, window: Window, count: int) -> bool:
    """Whether one of the windows has nothing of the input in it."""
    k, s, before, _, d = window
    return not all(
        any(0 <= i * s - before + q * d < n for q in range(k)) for i in range(min(count, 50))
    )


class Window(NamedTuple):
    """Kernel, stride, padding before and after, dilation, along one axis."""

    kernel: int
    stride: int
    before: int
    after: int
    dilation: int


def zeros(padding: Any, n: int, k: int, s: int, d: int) -> Pair:
    """What a padding comes to on an axis of n."""
    if padding in ("same", "same_tf"):
        outputs = -(-n // s)
        total = 0
        while (n + total - d * (k - 1) - 1) // s + 1 < outputs:
            total += 1
        return total // 2, total - total // 2
    if padding == "valid":
        return 0, 0
    return tuple(padding) if isinstance(padding, (list, tuple)) else (padding, padding)


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


# What stands under a name.


class Named(NamedTuple):
    name: str
    shape: Shape


class Weighted(NamedTuple):
    """A layer whose weights others can use."""

    name: str
    kind: str
    fields: Fields
    shape: Shape


class Block(NamedTuple):
    """A block drawn for inputs of one shape, what it was called with, and what is named in it."""

    name: str
    shape: Shape
    out: Shape
    arguments: Fields
    inside: list[Named]


class Called(NamedTuple):
    name: str
    block: Block


class Scope(NamedTuple):
    """What can be referred to by name, and the list in which `input` is what comes in."""

    top: Entries
    named: list[Named]
    weighted: list[Weighted]
    called: list[Called]

    def inner(self) -> Scope:
        """A branch's: it sees the names around it, which don't see its own."""
        return Scope(self.top, self.named[:], self.weighted[:], self.called[:])


Drawn = tuple[Fields, Shape]


class Drawer:
    """Draws one spec; `limits` say how large."""

    def __init__(
        self, source: random.Random, limits: Limits, *, several_outputs: bool = False
    ) -> None:
        self.random = source
        self.limits = limits
        self.several_outputs = several_outputs
        self.count = 0
        self.level = 0
        self.flat = True  # whether layers may change the number of axes
        self.suffix = ""  # of names, in a loop
        self.settings: Fields = {}
        self.arguments: Fields | None = None  # of the block that is being drawn
        self.blocks: Fields = {}
        self.known: list[Block] = []
        self.calls: set[str] = set()  # names of blocks, of which some have no layers
        self.scope = Scope([], [], [], [])

    # Decisions.

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, max(low, high))

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[self.integer(0, len(choices) - 1)]

    def chance(self, one_in: int) -> bool:
        return self.integer(1, one_in) == one_in

    # The whole spec.

    def spec(self) -> dict[str, Any]:
        rank = self.pick(self.limits.ranks)
        shape = (self.integer(1, self.limits.channels), *self.axes_of(rank))
        if rank == 0:
            shape = (self.integer(1, self.limits.channels * 8),)
        shape = unlike_a_batch(shape)
        if self.chance(3):
            self.settings = {"base": self.integer(1, 4)}
        layers: Entries = []
        self.scope = Scope(layers, [], [], [])
        out = shape
        if 0 < rank < 3 and self.chance(4):  # several images or signals
            shape = unlike_a_batch((self.integer(1, 4), *shape))
            out = applied(self, layers, shape) or shape
        out = self.chain(layers, out, self.integer(1, 9))
        if self.chance(2):
            self.head(layers, out)
        else:  # a layer at least: those before may all be left out
            layers.append(self.pick(["relu", "tanh", "identity"]))
        found = {"settings": self.settings, "input": list(shape), "blocks": self.blocks}
        spec = {key: value for key, value in found.items() if value}
        spec["layers"] = layers
        if self.several_outputs or self.chance(4):
            self.outputs(spec, layers)
        return spec

    def axes_of(self, rank: int) -> Shape:
        """Sizes of the input: equal ones or not, not too small."""
        most = self.limits.sizes[rank]
        if rank > 1 and self.chance(2):
            return (self.integer(max(3, most // 4), most),) * rank
        return tuple(self.integer(max(3, most // 4), most) for _ in range(rank))

    def head(self, layers: Entries, shape: Shape) -> None:
        """What classifiers end with."""
        if len(shape) > 1:
            if self.chance(2):
                layers.append(self.pick(["globalavgpool", "globalmaxpool"]))
                shape = (shape[0], *(1 for _ in shape[1:]))
            layers.append("flatten")
            shape = (math.prod(shape),)
        kinds = ["linear", "softmax", "linear", "dropout", "relu", "rbf"]
        for kind in kinds[: self.integer(1, len(kinds))]:
            fields, shape = PLAIN[kind](self, shape) or ({}, shape)
            layers.append(written(kind, fields))

    def outputs(self, spec: dict[str, Any], layers: Entries) -> None:
        """The last layer and some others, by name; some are auxiliary heads."""
        last = self.tail(layers, (0,))
        if last is None:
            return
        names = [one.name for one in self.scope.named if one.name != last]
        found: list[Any] = [last]
        for i, name in enumerate(dict.fromkeys(names)):
            if (self.several_outputs and len(found) == 1) or self.chance(2):
                forms = [name, {"from": name, "name": f"out{i}"}, {"from": name, "auxiliary": True}]
                found.append(self.pick(forms))
        spec["outputs"] = found

    # Lists of layers.

    def chain(self, entries: Entries, shape: Shape, length: int) -> Shape:
        for _ in range(length):
            shape = self.step(entries, shape)
        return shape

    def step(self, entries: Entries, shape: Shape) -> Shape:
        """One more layer, or several that belong together."""
        for _ in range(6):
            made: Shape | None = self.pick(MAKERS)(self, entries, shape)
            if made is not None:
                return made
        entries.append("relu")
        return shape

    def fits(self, shape: Shape) -> bool:
        return 0 < math.prod(shape) <= self.limits.elements

    def layer(
        self, entries: Entries, shape: Shape, kinds: Sequence[str], source: str | None = None
    ) -> Shape | None:
        """A layer of one of the kinds, on the layer before or on `source`."""
        kind = self.pick(kinds)
        if kind in (OF_MAPS if len(shape) == 1 else OF_VECTORS):
            return None
        drawn = PLAIN[kind](self, shape)
        if drawn is None or not self.fits(drawn[1]):
            return None
        fields, out = drawn
        if not self.flat and len(out) != len(shape):
            return None
        named = source or self.several_outputs or self.chance(3 if kind in SHARED else 10)
        name = {"name": self.name()} if named else {}
        common = {"from": source} if source else {}
        entries.append(written(kind, {**name, **common, **self.disguised(fields, shape)}))
        if name:
            self.note(name["name"] + (".0" if kind == "split" else ""), out)
            if kind in SHARED and not self.suffix and fields.get("affine", True):
                self.scope.weighted.append(Weighted(name["name"], kind, fields, shape))
        return out

    def sure(self, entries: Entries, shape: Shape, source: str) -> Shape:
        """A layer on `source`, whatever it is."""
        found = self.layer(entries, shape, SIMPLE, source)
        if found is None:
            entries.append({"identity": {"from": source}})
        return found or shape

    def inner(self, shape: Shape, length: int) -> tuple[Entries, Shape]:
        """A list of layers of its own, which leaves the number of axes as it is."""
        scope, flat = self.scope, self.flat
        self.scope, self.flat = scope.inner(), False
        self.level += 1
        entries: Entries = []
        out = self.chain(entries, shape, length)
        self.level -= 1
        self.scope, self.flat = scope, flat
        return entries, out

    # Names.

    def name(self) -> str:
        self.count += 1
        return f"x{self.count}{self.suffix}"

    def note(self, name: str, shape: Shape) -> None:
        self.scope.named.append(Named(name, shape))

    def tail(self, entries: Entries, shape: Shape) -> str | None:
        """The name of what the next layer takes; it gets one if it has none."""
        if not entries:
            return "input" if entries is self.scope.top else None
        last = entries[-1]
        kind, fields = (last, {}) if isinstance(last, str) else next(iter(last.items()))
        if kind in ("repeat", "for", "when") or "when" in fields or kind == "split":
            return None
        if "name" not in fields:
            name = self.name()
            entries[-1] = {kind: {"name": name, **fields}}
            self.note(name, shape)
            return name
        return str(fields["name"])

    def disguised(self, fields: Fields, shape: Shape) -> Fields:
        """Fields with some of the numbers as expressions."""
        found = dict(fields)
        for name in sorted(NUMBERS & fields.keys()):
            if type(fields[name]) is int and self.chance(4):
                found[name] = self.said(fields[name], shape)
        return found

    def said(self, value: int, shape: Shape) -> Any:
        """An expression that comes to the number where `shape` comes in."""
        if self.arguments is not None and self.chance(2):
            name = f"a{len(self.arguments)}"
            self.arguments[name] = value
            return name
        known = {"channels": shape[0], **self.settings}
        known |= dict(zip(("width", "height"), reversed(shape[1:]), strict=False))
        name = self.pick(list(known))
        n = known[name]
        if value == n:
            return name
        if value % n == 0:
            return f"{value // n} * {name}"
        return f"{name} // {n // value}" if value and n % value == 0 else f"{name} + {value - n}"

    # Fields of windows.

    def each(self, rank: int, low: int, high: int) -> Any:
        """One number for all axes, or one an axis."""
        if self.chance(3):
            return [self.integer(low, high) for _ in range(rank)]
        return self.integer(low, high)

    def padding(self, rank: int, most: int, words: Sequence[str]) -> Any:
        form = self.integer(0, 5)
        if form < 3:
            return self.integer(0, most) if form else 0
        if form == 3:
            return [self.integer(0, most) for _ in range(rank)]
        if form == 4:
            return [[self.integer(0, most), self.integer(0, most)] for _ in range(rank)]
        return self.pick(words) if words else 0

    def windows(
        self,
        sizes: Shape,
        *,
        dilated: bool,
        words: Sequence[str],
        half: bool = False,
        ceil: bool = False,
    ) -> tuple[Fields, list[Window]]:
        """Fields of a sliding window, and what they come to; kernel 1 where others don't fit."""
        rank = len(sizes)
        for _ in range(4):
            kernel, stride = self.each(rank, 1, 5), self.each(rank, 1, 3)
            dilation = self.each(rank, 1, 3) if dilated and self.chance(3) else 1
            least = min(kernel) if isinstance(kernel, list) else kernel
            padding = self.padding(rank, least // 2 if half else 3, words)
            if padding == "same":
                stride = 1
            fields = {
                "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
            }  # fmt: skip
            found = resolved(fields, sizes)
            if all(positions(n, w, ceil) for n, w in zip(sizes, found, strict=True)):
                return self.shortened(fields), found
        fields = {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1}
        return {"kernel": 1}, resolved(fields, sizes)

    def shortened(self, fields: Fields) -> Fields:
        """Without the defaults, most of the time."""
        defaults = {"padding": 0, "dilation": 1}
        return {k: v for k, v in fields.items() if v != defaults.get(k) or self.chance(6)}


def unlike_a_batch(shape: Shape) -> Shape:
    """With two channels in place of one where it would be noted (1x3x224x224)."""
    noted = len(shape) == 4 and shape[0] == 1 and shape[1] in (1, 3, 4)
    return (2, *shape[1:]) if noted else shape


def resolved(fields: Fields, sizes: Shape) -> list[Window]:
    """The window on each axis."""

    def along(name: str, axis: int) -> Any:
        value = fields[name]
        return value[axis] if isinstance(value, list) else value

    found = []
    for axis, n in enumerate(sizes):
        k, s, p, d = (along(one, axis) for one in ("kernel", "stride", "padding", "dilation"))
        found.append(Window(k, s, *zeros(p, n, k, s, d), d))
    return found


def written(kind: str, fields: Fields) -> Any:
    return {kind: fields} if fields else kind


def draw_spec(
    source: random.Random, limits: Limits = SMALL, *, several_outputs: bool = False
) -> str:
    """The text of a random valid spec, which may have several outputs, or is to have them."""
    return text_of(Drawer(source, limits, several_outputs=several_outputs).spec())


def text_of(spec: dict[str, Any]) -> str:
    return yaml.dump(spec, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=98)


class _Plain(yaml.SafeDumper):
    """Lists that stand in two places are written twice, not as an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def mutated(text: str, source: random.Random) -> str:
    """The text with one number or word of it changed."""
    places = list(re.finditer(r"\b(\d+|same_tf|same|valid|true|false|channels|width)\b", text))
    start, end = places[source.randint(0, len(places) - 1)].span()
    others = ["1", "0", "2", "3", "7", "-1", "4", "64", "same", "same_tf", "valid", "true", "false",
              "channels", "width", "[2, 3]", "[[0, 1]]", "1.5", "x1"]  # fmt: skip
    return text[:start] + others[source.randint(0, len(others) - 1)] + text[end:]


# Single layers: the fields, and the shape that comes out; None where the kind can't be here.

NUMBERS = {"out", "kernel", "stride", "groups", "size", "scale", "parts", "start", "stop", "step"}
WORDS = ("same", "same_tf", "valid")


def nothing(drawer: Drawer, shape: Shape) -> Drawn | None:
    return {}, shape


def conv(drawer: Drawer, shape: Shape) -> Drawn | None:
    channels, *sizes = shape
    fields, windows = drawer.windows(tuple(sizes), dilated=True, words=WORDS)
    groups = drawer.pick(divisors(channels)) if drawer.chance(3) else 1
    out = groups * drawer.integer(1, max(1, drawer.limits.channels // groups))
    found = {"out": out, **fields}
    if groups > 1:
        found["groups"] = groups
    elif out * channels <= 200 and drawer.chance(6):
        found["table"] = table(drawer, channels, out)
    bias(drawer, found)
    return found, (out, *counted(sizes, windows))


def counted(sizes: Sequence[int], windows: list[Window], ceil: bool = False) -> Shape:
    return tuple(positions(n, w, ceil) for n, w in zip(sizes, windows, strict=True))


def bias(drawer: Drawer, fields: Fields) -> None:
    if drawer.chance(3):
        fields["bias"] = drawer.chance(3)


def table(drawer: Drawer, channels: int, out: int) -> list[Any]:
    """A row for each output map: the input maps it sees; in groups of rows, sometimes."""
    rows = []
    for _ in range(out):
        maps = [i for i in range(channels) if drawer.chance(2)]
        rows.append(maps or [drawer.integer(0, channels - 1)])
    if drawer.chance(3):
        cut = drawer.integer(1, len(rows))
        return [group for group in (rows[:cut], rows[cut:]) if group]
    return rows


def convtranspose(drawer: Drawer, shape: Shape) -> Drawn | None:
    channels, *sizes = shape
    rank = len(sizes)
    fields = {
        "kernel": drawer.each(rank, 1, 5), "stride": drawer.each(rank, 1, 3),
        "padding": drawer.padding(rank, 2, ()), "dilation": drawer.each(rank, 1, 3),
    }  # fmt: skip
    windows = resolved(fields, tuple(sizes))
    extra = [drawer.integer(0, max(w.stride, w.dilation) - 1) for w in windows]
    outputs = [
        (n - 1) * w.stride + w.dilation * (w.kernel - 1) + 1 - w.before - w.after + e
        for n, w, e in zip(sizes, windows, extra, strict=True)
    ]
    least = [size - e for size, e in zip(outputs, extra, strict=True)]
    if min(least) < 1:  # PyTorch wants some without what is added at the end, too
        return None
    groups = drawer.pick(divisors(channels)) if drawer.chance(3) else 1
    out = groups * drawer.integer(1, max(1, drawer.limits.channels // groups))
    found = {"out": out, **drawer.shortened(fields)}
    if any(extra):
        found["extra"] = extra[0] if len(set(extra)) == 1 else extra
    if groups > 1:
        found["groups"] = groups
    bias(drawer, found)
    return found, (out, *outputs)


def max_pool(drawer: Drawer, shape: Shape) -> Drawn | None:
    return pool(drawer, shape, dilated=True)


def avg_pool(drawer: Drawer, shape: Shape) -> Drawn | None:
    drawn = pool(drawer, shape, dilated=False)
    if drawn is not None and drawer.chance(3):
        drawn[0]["count_padding"] = drawer.chance(2)
    return drawn


def pool(drawer: Drawer, shape: Shape, *, dilated: bool) -> Drawn | None:
    """No window lies in the padding alone: its maximum would be minus infinity."""
    channels, *sizes = shape
    words = ("same_tf", "valid")
    ceil = drawer.chance(3)
    fields, windows = drawer.windows(
        tuple(sizes), dilated=dilated, words=words, half=True, ceil=ceil
    )
    if not dilated:
        fields.pop("dilation", None)
    out = counted(sizes, windows, ceil)
    if any(blind(n, w, count) for n, w, count in zip(sizes, windows, out, strict=True)):
        return None
    fields.setdefault("stride", 1)
    if fields["stride"] == fields["kernel"]:  # the default
        fields.pop("stride")
    return {**fields, **({"ceil": True} if ceil else {})}, (channels, *out)


def subsample(drawer: Drawer, shape: Shape) -> Drawn | None:
    channels, *sizes = shape
    fields, windows = drawer.windows(tuple(sizes), dilated=False, words=WORDS)
    fields.pop("dilation", None)
    fields.setdefault("stride", 1)
    return fields, (channels, *counted(sizes, windows))


def adaptive(drawer: Drawer, shape: Shape) -> Drawn | None:
    size = drawer.each(len(shape) - 1, 1, 9)
    return {"size": size}, (shape[0], *spread(size, len(shape) - 1))


def spread(value: Any, rank: int) -> Shape:
    return tuple(value) if isinstance(value, list) else (value,) * rank


def everywhere(drawer: Drawer, shape: Shape) -> Drawn | None:
    return {}, (shape[0], *(1 for _ in shape[1:]))


def linear(drawer: Drawer, shape: Shape) -> Drawn | None:
    out = drawer.integer(1, drawer.limits.channels * 4)
    fields: Fields = {"out": out}
    bias(drawer, fields)
    return fields, (out,)


def rbf(drawer: Drawer, shape: Shape) -> Drawn | None:
    out = drawer.integer(1, 12)
    return {"out": out}, (out,)


def norm(drawer: Drawer, shape: Shape) -> Drawn | None:
    return ({"affine": drawer.chance(2)} if drawer.chance(2) else {}), shape


def group_norm(drawer: Drawer, shape: Shape) -> Drawn | None:
    return {"groups": drawer.pick(divisors(shape[0]))}, shape


def lrn(drawer: Drawer, shape: Shape) -> Drawn | None:
    if drawer.chance(2):
        return {}, shape
    fields = {"size": drawer.integer(1, 6), "alpha": 1e-3, "beta": 0.5, "k": drawer.integer(1, 2)}
    return fields, shape


def prelu(drawer: Drawer, shape: Shape) -> Drawn | None:
    return ({"shared": True} if drawer.chance(2) else {}), shape


def with_number(name: str, *values: float) -> Callable[[Drawer, Shape], Drawn | None]:
    def drawn(drawer: Drawer, shape: Shape) -> Drawn | None:
        return ({name: drawer.pick(values)} if drawer.chance(2) else {}), shape

    return drawn


def flatten(drawer: Drawer, shape: Shape) -> Drawn | None:
    return {}, (math.prod(shape),)


def shuffle(drawer: Drawer, shape: Shape) -> Drawn | None:
    return {"groups": drawer.pick(divisors(shape[0]))}, shape


def pad(drawer: Drawer, shape: Shape) -> Drawn | None:
    fields: Fields = {}
    rank = len(shape) - 1
    pairs: list[Pair] = [(0, 0)] * rank
    if rank and not drawer.chance(4):
        fields["padding"] = drawer.padding(rank, 3, ())
        pairs = [zeros(p, 0, 1, 1, 1) for p in spread(fields["padding"], rank)]
    around = (0, 0)
    if drawer.chance(3):
        fields["channels"] = drawer.padding(1, 2, ())
        around = zeros(spread(fields["channels"], 1)[0], 0, 1, 1, 1)
    sides = zip(shape, (around, *pairs), strict=True)
    return fields, tuple(n + before + after for n, (before, after) in sides)


def slice_(drawer: Drawer, shape: Shape) -> Drawn | None:
    axis = drawer.integer(0, len(shape) - 1)
    n = shape[axis]
    start = drawer.integer(0, min(n - 1, 3))
    stop = drawer.integer(start + 1, n)
    step = drawer.integer(1, 3)
    drawn = {"axis": axis, "start": start, "stop": stop, "step": step}
    plain = {"axis": 0, "start": 0, "stop": n, "step": 1}
    fields = {k: v for k, v in drawn.items() if v != plain[k]}
    taken = len(range(start, stop, step))
    return fields, (*shape[:axis], taken, *shape[axis + 1 :])


def split(drawer: Drawer, shape: Shape) -> Drawn | None:
    """Its first part is what the next layer takes."""
    parts = drawer.pick(divisors(shape[0]))
    if parts > 12 or drawer.chance(3):
        first = drawer.integer(1, shape[0])
        listed = [first, shape[0] - first] if first < shape[0] else [first]
        return {"parts": listed}, (first, *shape[1:])
    return {"parts": parts}, (shape[0] // parts, *shape[1:])


def upsample(drawer: Drawer, shape: Shape) -> Drawn | None:
    rank = len(shape) - 1
    fields: Fields = {}
    if drawer.chance(2):
        fields["size"] = drawer.each(rank, 1, 20)
        sizes = spread(fields["size"], rank)
    else:
        fields["scale"] = drawer.each(rank, 1, 3)
        scales = spread(fields["scale"], rank)
        sizes = tuple(n * s for n, s in zip(shape[1:], scales, strict=True))
    if drawer.chance(2):
        fields["mode"] = drawer.pick(["linear", "nearest"])
    return fields, (shape[0], *sizes)


PLAIN: dict[str, Callable[[Drawer, Shape], Drawn | None]] = {
    "conv": conv, "convtranspose": convtranspose, "linear": linear, "rbf": rbf,
    "maxpool": max_pool, "avgpool": avg_pool, "subsample": subsample,
    "adaptiveavgpool": adaptive, "adaptivemaxpool": adaptive,
    "globalavgpool": everywhere, "globalmaxpool": everywhere,
    "batchnorm": norm, "layernorm": norm, "l2norm": norm, "groupnorm": group_norm, "lrn": lrn,
    "relu": nothing, "relu6": nothing, "sigmoid": nothing, "tanh": nothing,
    "hardsigmoid": nothing, "hardswish": nothing, "silu": nothing, "gelu": nothing,
    "softplus": nothing, "complement": nothing, "softmax": nothing, "prelu": prelu,
    "leakyrelu": with_number("slope", 0.1, 0, 1), "elu": with_number("alpha", 0.5, 1),
    "scaledtanh": with_number("amplitude", 1, 2.5), "dropout": with_number("rate", 0, 0.25, 1),
    "flatten": flatten, "identity": nothing, "pad": pad, "upsample": upsample,
    "channelshuffle": shuffle, "slice": slice_, "split": split,
}  # fmt: skip

OF_VECTORS = {"linear", "rbf"}
POOLS = ("maxpool", "avgpool", "subsample")
RESIZED = ("adaptiveavgpool", "adaptivemaxpool", "upsample")
NORMS = ("batchnorm", "groupnorm", "lrn", "layernorm", "l2norm")
ACTIVATIONS = (
    "relu", "relu6", "sigmoid", "tanh", "hardsigmoid", "hardswish", "silu", "gelu", "softplus",
    "complement", "softmax", "prelu", "leakyrelu", "elu", "scaledtanh", "dropout", "identity",
)  # fmt: skip
MOVES = ("pad", "slice", "channelshuffle", "split")
NARROW = ("globalavgpool", "globalmaxpool", "flatten")
OF_MAPS = {"conv", "convtranspose", *POOLS, *RESIZED, "globalavgpool", "globalmaxpool"}
SHARED = {
    "conv", "convtranspose", "linear", "subsample", "batchnorm", "groupnorm", "layernorm", "l2norm",
    "prelu",
}  # fmt: skip
SIMPLE = ("conv", "relu", "batchnorm", "maxpool", "linear", "sigmoid")
KEEPING = ("relu", "batchnorm", "sigmoid", "prelu", "lrn", "identity", "channelshuffle")


def one_of(*kinds: str) -> Maker:
    return lambda drawer, entries, shape: drawer.layer(entries, shape, kinds)


# Several layers that belong together.


def fit(drawer: Drawer, entries: Entries, shape: Shape, target: Shape) -> None:
    """Layers that bring a tensor to another shape with as many axes."""
    if shape[1:] != target[1:]:
        for entry in resized(drawer, shape, target[1:]):
            entries.append(entry)
    if shape[0] == target[0]:
        return
    less = shape[0] < target[0]
    kind = "linear" if len(target) == 1 else "conv"
    kernel = {} if len(target) == 1 else {"kernel": 1}
    forms: list[Any] = [{kind: {"out": target[0], **kernel}}]
    if less:
        forms.append({"pad": {"channels": [[0, target[0] - shape[0]]]}})
    else:
        forms.append({"slice": {"stop": target[0]}})
    entries.append(drawer.pick(forms))


def resized(drawer: Drawer, shape: Shape, sizes: Shape) -> Entries:
    size = sizes[0] if len(set(sizes)) == 1 else list(sizes)
    form = drawer.integer(0, 3)
    if form < 2:
        return [{drawer.pick(["adaptiveavgpool", "adaptivemaxpool"]): {"size": size}}]
    if form == 2:
        return [{"upsample": {"size": size, "mode": drawer.pick(["nearest", "linear"])}}]
    found: Entries = []
    for axis, (n, m) in enumerate(zip(shape[1:], sizes, strict=True), start=1):
        if n > m:
            start = drawer.integer(0, n - m)
            found.append({"slice": {"axis": axis, "start": start, "stop": start + m}})
    missing = [max(m - n, 0) for n, m in zip(shape[1:], sizes, strict=True)]
    if any(missing):
        pairs = [[before := drawer.integer(0, all_), all_ - before] for all_ in missing]
        found.append({"pad": {"padding": pairs}})
    return found


def join(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """Branches over one tensor."""
    if drawer.level > 2:
        return None
    kind = drawer.pick(["add", "concat", "multiply"])
    target: Shape = ()
    channels = 0
    branches: Fields = {}
    for i in range(drawer.integer(1, 3)):
        body, out = drawer.inner(shape, drawer.integer(0, 3))
        target = target or out
        wanted = (out[0], *target[1:]) if kind == "concat" else target
        fit(drawer, body, out, wanted)
        channels += wanted[0]
        branches[f"b{i}"] = body
    if kind == "multiply" and not drawer.chance(3):
        name = "part" if drawer.chance(4) else "gate"
        branches[name] = gate(drawer, shape, target)
    entries.append({kind: branches})
    out = (channels, *target[1:]) if kind == "concat" else target
    if not drawer.fits(out):
        entries.pop()
        return None
    return out


def gate(drawer: Drawer, shape: Shape, target: Shape) -> Entries:
    """One value a channel, as a vector or a map of 1x1, or one a position."""
    last = drawer.pick(["sigmoid", "hardsigmoid", "relu"])
    if len(shape) == 1:
        return [{"linear": {"out": target[0]}}, last]
    form = drawer.integer(0, 2)
    if form == 2:
        body, out = drawer.inner(shape, 1)
        fit(drawer, body, out, target)
        return [*body, last]
    pooled: Entries = [
        drawer.pick(["globalavgpool", "globalmaxpool", {"adaptiveavgpool": {"size": 1}}])
    ]
    if form == 1:
        return [*pooled, {"conv": {"out": target[0], "kernel": 1}}, last]
    return [
        *pooled,
        "flatten",
        {"linear": {"out": 2}},
        "relu",
        {"linear": {"out": target[0]}},
        last,
    ]


def fork(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """Two ways from one layer, the second by `from:`, joined by `from: [...]`."""
    start = drawer.tail(entries, shape)
    if start is None:
        return None
    flat, drawer.flat = drawer.flat, False
    first = drawer.sure(entries, shape, start)
    first = drawer.chain(entries, first, drawer.integer(0, 2))
    entries.append({"identity": {"name": (one := drawer.name())}})
    second = drawer.sure(entries, shape, start)
    second = drawer.chain(entries, second, drawer.integer(0, 2))
    fit(drawer, entries, second, first)
    entries.append({"identity": {"name": (other := drawer.name())}})
    drawer.flat = flat
    taken = [one, other, *([start] if shape == first and drawer.chance(2) else [])]
    return joined(drawer, entries, first, taken)


def joined(drawer: Drawer, entries: Entries, shape: Shape, taken: list[str]) -> Shape:
    kind = drawer.pick(["add", "concat", "multiply"])
    entries.append({kind: {"from": taken}})
    return (shape[0] * len(taken), *shape[1:]) if kind == "concat" else shape


def skip(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A join with an earlier layer, by name, however far away."""
    found = [one for one in drawer.scope.named if one.shape == shape]
    name = drawer.tail(entries, shape)
    if not found or name is None:
        return None
    return joined(drawer, entries, shape, [name, drawer.pick(found).name])


def reach(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A join with a layer inside an earlier block, brought to the same shape."""
    inside = [
        one for one in drawer.scope.named if "/" in one.name and len(one.shape) == len(shape)
    ]  # fmt: skip
    name = drawer.tail(entries, shape)
    if not inside or name is None:
        return None
    found = drawer.pick(inside)
    entries.append({"identity": {"from": found.name}})
    fit(drawer, entries, found.shape, shape)
    entries.append({"identity": {"name": (other := drawer.name())}})
    return joined(drawer, entries, shape, [name, other])


def parts(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A split, each part by its port, joined again."""
    if shape[0] < 2:
        return None
    count = drawer.pick([d for d in divisors(shape[0]) if 1 < d <= 8] or [1])
    name = drawer.name()
    entries.append(
        {"split": {"name": name, "parts": drawer.disguised({"parts": count}, shape)["parts"]}}
    )
    part = (shape[0] // count, *shape[1:])
    taken = []
    for i in range(count):
        port = f"{name}.{i}"
        if drawer.chance(2):
            out = drawer.sure(entries, part, port)
            fit(drawer, entries, out, part)
            port = drawer.name()
            entries.append({"identity": {"name": port}})
        taken.append(port)
    return joined(drawer, entries, part, taken)


def unpooled(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A max pool with switches, some layers, and its inverse."""
    if len(shape) == 1:
        return None
    channels, *sizes = shape
    fields, windows = drawer.windows(tuple(sizes), dilated=False, words=(), half=True)
    fields = {k: v for k, v in fields.items() if k != "dilation"} | {
        "stride": fields.get("stride", 1)
    }
    ceil = drawer.chance(3)
    out = (channels, *counted(sizes, windows, ceil))
    name = drawer.name()
    pool = {"name": name, **fields, "switches": True, **({"ceil": True} if ceil else {})}
    entries.append({"maxpool": pool})
    for _ in range(drawer.integer(0, 2)):
        drawer.layer(entries, out, KEEPING)
    least = [
        (n - 1) * w.stride + w.kernel - w.before - w.after
        for n, w in zip(out[1:], windows, strict=True)
    ]
    if least != sizes or drawer.chance(3):
        fields = {**fields, "size": list(sizes)}
    entries.append({"maxunpool": {**fields, "switches": name}})
    return shape


def shared(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A layer with an earlier one's weights; without its bias, sometimes."""
    found = [
        one for one in drawer.scope.weighted
        if len(one.shape) == len(shape) and one.shape[0] == shape[0]
        and (one.kind not in ("layernorm", "linear") or one.shape == shape)
    ]  # fmt: skip
    if not found:
        return None
    name, kind, fields, _ = drawer.pick(found)
    fields = dict(fields)
    if (
        kind in ("conv", "convtranspose", "linear")
        and fields.get("bias", True)
        and drawer.chance(3)
    ):
        fields["bias"] = False
    out = shape
    if kind in ("conv", "subsample"):
        windows = resolved({"padding": 0, "dilation": 1, "stride": 1, **fields}, shape[1:])
        out = (fields.get("out", shape[0]), *counted(shape[1:], windows))
    elif kind == "convtranspose":
        fields |= {"stride": 1, "padding": 0, "dilation": 1, "extra": 0}
        grown = zip(shape[1:], spread(fields["kernel"], len(shape) - 1), strict=True)
        out = (fields["out"], *(n + k - 1 for n, k in grown))
    elif kind == "linear":
        out = (fields["out"],)
    if not drawer.fits(out):
        return None
    entries.append({kind: {**fields, "weights": name}})
    return out


def block(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A block with arguments: a new one, or one that was drawn for this shape."""
    return call(drawer, entries, chosen(drawer, shape), ())


def applied(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A block applied to each of the tensors along the axis in front."""
    if len(shape) == 1:
        return None
    return call(drawer, entries, chosen(drawer, shape[1:]), shape[:1])


def chosen(drawer: Drawer, shape: Shape) -> Block | None:
    if drawer.level > 2:
        return None
    known = [
        one for one in drawer.known
        if one.shape == shape and (drawer.flat or len(one.out) == len(shape))
    ]  # fmt: skip
    found: Block = drawer.pick(known) if known and drawer.chance(2) else new_block(drawer, shape)
    return found


def call(
    drawer: Drawer, entries: Entries, found: Block | None, front: Shape, **common: str
) -> Shape | None:
    """A block used as a layer, applied to as many tensors as `front` says where it says so."""
    if found is None:
        return None
    given, out = (*front, *found.shape), (*front, *found.out)
    if not drawer.fits(out) or len(out) > 1 + MOST_AXES:
        return None
    fields: Fields = {}
    if front:
        fields["times"] = drawer.said(front[0], given) if drawer.chance(2) else front[0]
    for name, value in found.arguments.items():
        default = drawer.blocks[found.name].get("arguments", {})[name]
        if default == "required" or drawer.chance(2):
            fields[name] = drawer.said(value, given) if drawer.chance(3) else value
    if not common:
        common = how_called(drawer, found)
    entries.append(written(found.name, {**common, **fields}))
    if common.get("name"):
        drawer.calls.add(common["name"])
        drawer.note(common["name"], out)
        for one in found.inside:
            drawer.note(f"{common['name']}/{one.name}", (*front, *one.shape))
    return out


def how_called(drawer: Drawer, found: Block) -> dict[str, str]:
    """A name, and the weights of an earlier call, or neither."""
    earlier = [one for one in drawer.scope.called if one.block is found]
    common = {"name": drawer.name()} if drawer.chance(2) else {}
    if earlier and drawer.chance(2):
        common["weights"] = drawer.pick(earlier).name
    elif common and not drawer.suffix:
        drawer.scope.called.append(Called(common["name"], found))
    return common


def twice(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A block applied twice to the same tensors, the second time with the first's weights."""
    start = drawer.tail(entries, shape)
    if len(shape) == 1 or start is None:
        return None
    found = chosen(drawer, shape[1:])
    names = [drawer.name(), drawer.name()]
    out = call(drawer, entries, found, shape[:1], name=names[0], **{"from": start})
    if out is None:
        return None
    shared = {"weights": names[0]} if drawer.chance(2) else {}
    call(drawer, entries, found, shape[:1], name=names[1], **{"from": start}, **shared)
    return joined(drawer, entries, out, names)


def new_block(drawer: Drawer, shape: Shape) -> Block:
    """A block's layers know no names and arguments but their own."""
    outer = drawer.scope, drawer.suffix, drawer.arguments
    layers: Entries = []
    drawer.scope, drawer.suffix, drawer.arguments = Scope(layers, [], [], []), "", {}
    drawer.level += 1
    out = drawer.chain(layers, shape, drawer.integer(1, 4))
    drawer.level -= 1
    arguments = drawer.arguments
    inside = [one for one in drawer.scope.named if one.name not in drawer.calls]
    drawer.scope, drawer.suffix, drawer.arguments = outer
    name = f"block{len(drawer.blocks)}"
    stated = {one: drawer.pick(["required", value]) for one, value in arguments.items()}
    drawer.blocks[name] = {**({"arguments": stated} if stated else {}), "layers": layers}
    found = Block(name, shape, out, arguments, inside)
    drawer.known.append(found)
    return found


def regions(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """Regions found on a map, what it or an earlier map has in them, and a block on each."""
    if len(shape) != 3 or not drawer.flat:
        return None
    earlier = [one for one in drawer.scope.named if len(one.shape) == 3]
    start = drawer.tail(entries, shape)
    if start is None:
        return None
    source = drawer.pick([Named(start, shape), *earlier])
    crops = cropped(drawer, entries, Named(start, shape), source, drawer.each(2, 1, 5))
    return applied(drawer, entries, crops) or crops


def both(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """A block on a map and then on each of its regions, with the same weights or its own."""
    if len(shape) != 3 or not drawer.flat or not drawer.fits((4, *shape)):
        return None
    drawer.flat = False
    found = chosen(drawer, shape)
    drawer.flat = True
    name = drawer.name()
    out = call(drawer, entries, found, (), name=name)
    if out is None:
        return None
    fit(drawer, entries, out, shape)
    end = drawer.name()
    entries.append({"identity": {"name": end}})
    whole = Named(end, shape)
    crops = cropped(drawer, entries, whole, whole, list(shape[1:]))
    shared = {"weights": name} if drawer.chance(2) else {}
    return call(drawer, entries, found, crops[:1], name=drawer.name(), **shared) or crops


def cropped(drawer: Drawer, entries: Entries, start: Named, source: Named, size: Any) -> Shape:
    """Proposals by two convolutions of one map, and another in these regions."""
    scales = drawer.pick([1, 3.5, [1, 2]])
    ratios = drawer.pick([1, [0.5, 1, 2]])
    anchors = len(spread(scales, 1)) * len(spread(ratios, 1))
    fields, windows = drawer.windows(start.shape[1:], dilated=False, words=WORDS)
    names = [drawer.name() for _ in range(3)]
    for name, out in zip(names, (anchors * drawer.pick([1, 2]), 4 * anchors), strict=False):
        entries.append({"conv": {"name": name, "from": start.name, "out": out, **fields}})
    most = anchors * math.prod(counted(start.shape[1:], windows))
    number = drawer.integer(1, min(4, most))
    own = {"name": names[2], "from": names[:2], "number": number}
    entries.append({"proposals": {**own, "scales": scales, "ratios": ratios}})
    samples = {"samples": drawer.integer(1, 3)} if drawer.chance(2) else {}
    entries.append({"roialign": {"from": [source.name, names[2]], "size": size, **samples}})
    return number, source.shape[0], *spread(size, 2)


def repeat(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """Layers that leave the shape as it is, several times, their names by the turn."""
    if drawer.level > 2 or drawer.suffix:
        return None
    drawer.suffix = "_{i}"
    layers, out = drawer.inner(shape, drawer.integer(1, 3))
    fit(drawer, layers, out, shape)
    drawer.suffix = ""
    fields = {"times": drawer.integer(0, 3), "index": "i", "layers": layers}
    entries.append({"repeat": fields})
    return shape


def loop(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """Convolutions with fields from lists that go in step."""
    if len(shape) == 1:
        return None
    turns = drawer.integer(1, 3)
    each = {
        "k": [drawer.integer(1, 5) for _ in range(turns)],
        "out": [drawer.integer(1, drawer.limits.channels) for _ in range(turns)],
    }
    out = shape
    for k, channels in zip(each["k"], each["out"], strict=True):
        out = (channels, *(n + 2 * (k // 2) - k + 1 for n in out[1:]))
    if not all(drawer.fits((channels, *shape[1:])) for channels in each["out"]):
        return None
    layer = {"conv": {"out": "out", "kernel": "k", "padding": "k // 2"}}
    entries.append({"for": {"each": each, "layers": [layer]}})
    return out if min(out) > 0 else entries.pop() and None


def condition(drawer: Drawer, entries: Entries, shape: Shape) -> Shape | None:
    """Layers by a condition, those that it leaves out among them."""
    if drawer.level > 2:
        return None
    holds = drawer.chance(2)
    body, out = drawer.inner(shape, drawer.integer(1, 2))
    other: Entries = [drawer.pick(["relu", {"conv": {"out": 3, "kernel": 99}}, "flatten"])]
    said = f"channels {'==' if holds else '!='} {shape[0]}"
    if drawer.chance(3):
        entries.append({"conv": {"out": 1, "kernel": 99, "when": f"channels != {shape[0]}"}})
    chosen = {"layers": body, "else": other} if holds else {"layers": other, "else": body}
    entries.append({"when": {"condition": said, **chosen}})
    return out


Maker = Any  # (drawer, entries, shape) -> the shape that comes out, or None

MAKERS: list[Maker] = [
    *[one_of("conv")] * 6, *[one_of(*POOLS)] * 4, *[one_of(*ACTIVATIONS)] * 5,
    *[one_of(*NORMS)] * 3, *[one_of("convtranspose")] * 3, *[one_of(*RESIZED)] * 3,
    *[one_of(*MOVES)] * 3, *[one_of(*sorted(OF_VECTORS))] * 2, one_of(*NARROW),
    *[join] * 4, *[fork] * 2, skip, reach, reach, parts, parts, unpooled, unpooled, shared, shared,
    block, block, applied, applied, applied, twice, regions, regions, both, repeat, loop, condition,
]  # fmt: skip
