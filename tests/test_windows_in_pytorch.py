"""Windows against PyTorch: which it takes, which it refuses, and what size comes out.

Random convolutions, transposed convolutions, pools and unpoolings of one, two and three axes, each
asked of archcalc and of PyTorch's own module, on the CPU and on its device without memory. Where
they differ on purpose, `DIFFERENCES` says in which way, and docs/verify.md gives the reasons.
"""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcalc
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, GraphBuilder, Output
from archcalc.ops import KINDS
from archcalc.pytorch.model import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Shape = tuple[int, ...]
Answer = Shape | str  # the output's shape, or the refusal's words

PAGE = Path(__file__).parents[1] / "docs" / "verify.md"
DEVICES = ("cpu", "meta")
REFUSALS = (RuntimeError, ValueError)


class Case(NamedTuple):
    """A layer and the shape that comes in; an unpooling has its pool before it."""

    kind: str
    fields: dict[str, Any]
    shape: Shape


# Drawing.


def each(source: random.Random, rank: int, low: int, high: int) -> list[int]:
    return [source.randint(low, high) for _ in range(rank)]


def drawn(source: random.Random) -> Case:
    """Kernels beyond their input and padding of more than half of them among the others."""
    rank = source.randint(1, 3)
    kernel = each(source, rank, 1, 6)
    fields = {
        "kernel": kernel,
        "stride": each(source, rank, 1, 4),
        "padding": [source.choice([0, 0, 1, k // 2, k // 2 + 1]) for k in kernel],
    }
    kind = source.choice(list(MORE))
    MORE[kind](source, rank, fields)
    return Case(kind, fields, (2, *each(source, rank, 1, 7)))


def dilation(source: random.Random, rank: int) -> list[int]:
    return each(source, rank, 1, source.choice([1, 3]))


def more_of_a_convolution(source: random.Random, rank: int, fields: dict[str, Any]) -> None:
    fields |= {"out": 2, "dilation": dilation(source, rank)}
    padding = source.randint(0, 5)
    if padding == 0:
        fields |= {"padding": "same", "stride": source.choice([1, fields["stride"]])}
    if padding == 1:
        fields["padding"] = [each(source, 2, 0, 2) for _ in range(rank)]


def more_of_a_transposed_convolution(
    source: random.Random, rank: int, fields: dict[str, Any]
) -> None:
    extra = each(source, rank, 0, 3) if source.randint(0, 1) else 0
    fields |= {"out": 2, "dilation": dilation(source, rank), "extra": extra}


def more_of_a_max_pool(source: random.Random, rank: int, fields: dict[str, Any]) -> None:
    fields |= {"dilation": dilation(source, rank), "ceil": source.random() < 0.6}


def more_of_an_average_pool(source: random.Random, _rank: int, fields: dict[str, Any]) -> None:
    fields |= {"ceil": source.random() < 0.6, "count_padding": source.random() < 0.5}


def more_of_an_unpooling(source: random.Random, rank: int, fields: dict[str, Any]) -> None:
    """Its pool's size or another one; the pool's padding is one that pools take."""
    fields["padding"] = [
        min(p, k // 2) for p, k in zip(fields["padding"], fields["kernel"], strict=True)
    ]
    fields["size"] = source.choice([None, each(source, rank, 1, 7)])


MORE: dict[str, Callable[[random.Random, int, dict[str, Any]], None]] = {
    "conv": more_of_a_convolution,
    "convtranspose": more_of_a_transposed_convolution,
    "maxpool": more_of_a_max_pool,
    "avgpool": more_of_an_average_pool,
    "maxunpool": more_of_an_unpooling,
}


# Asking.


def graph_of(case: Case) -> Graph:
    builder = GraphBuilder("one layer")
    tensor = builder.input(case.shape)
    inputs = [tensor]
    if case.kind == "maxunpool":
        pool = {key: value for key, value in case.fields.items() if key != "size"}
        before = builder.add(KINDS["maxpool"](**pool, switches=True), inputs, "pool")
        inputs = [before.tensor(0), before.tensor(1)]
    node = builder.add(KINDS[case.kind](**case.fields), inputs, "layer")
    return builder.finish([Output("layer", node.tensor())])


def stated(case: Case) -> Answer:
    try:
        return graph_of(case).nodes[-1].facts.outputs[0]
    except ArchcalcError as error:
        return error.message


def built(case: Case, device: str) -> Shape:
    """What the model gives that archcalc builds of it."""
    model = build(graph_of(case), device=device)
    return tuple(model(torch.zeros(2, *case.shape, device=device)).shape[1:])


NAMES = {
    "conv": "Conv", "convtranspose": "ConvTranspose", "maxpool": "MaxPool", "avgpool": "AvgPool",
    "maxunpool": "MaxUnpool",
}  # fmt: skip
WORDS = {"extra": "output_padding", "ceil": "ceil_mode", "count_padding": "count_include_pad"}


def asked(case: Case, device: str, *, train: bool = False) -> Answer:
    """What PyTorch's own module says of it."""
    x = torch.rand(2, *case.shape, device=device, requires_grad=train)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of `same` with an uneven kernel, of empty tensors
            return tuple(theirs(case, x).shape[1:])
    except REFUSALS as error:
        return str(error).splitlines()[0]


def theirs(case: Case, x: Tensor) -> Tensor:
    fields = {WORDS.get(key, key): value for key, value in case.fields.items()}
    rank = len(case.shape) - 1
    module = getattr(nn, f"{NAMES[case.kind]}{rank}d")
    kernel, size, out = (fields.pop(key, None) for key in ("kernel", "size", "out"))
    if case.kind == "maxunpool":
        pool = getattr(nn, f"MaxPool{rank}d")(kernel, **fields, return_indices=True)
        return module(kernel, **fields)(*pool(x), output_size=size)  # type: ignore[no-any-return]
    if out is None:
        return module(kernel, **fields)(x)  # type: ignore[no-any-return]
    if case.kind == "conv" and isinstance(fields["padding"][0], list):
        x = functional.pad(x, [p for pair in reversed(fields.pop("padding")) for p in pair])
    return module(case.shape[0], out, kernel, device=x.device, **fields)(x)  # type: ignore[no-any-return]


# Where they differ on purpose.


class Difference(NamedTuple):
    """Who takes it, and in which words the other refuses it, on which of PyTorch's devices."""

    example: Case
    taken_by: str
    refused_as: str
    kinds: tuple[str, ...]
    devices: tuple[str, ...] = DEVICES

    def covers(self, case: Case, device: str, ours: Answer, theirs: Answer) -> bool:
        taken, refused = (ours, theirs) if self.taken_by == "archcalc" else (theirs, ours)
        differs = isinstance(taken, tuple) and self.refused_as in str(refused)
        return differs and case.kind in self.kinds and device in self.devices


DIFFERENCES = {
    "smaller than an average pool of three axes": Difference(
        Case("avgpool", {"kernel": 3, "stride": 1, "padding": 1}, (2, 2, 3, 3)),
        "archcalc",
        "smaller than kernel size",
        ("avgpool",),
    ),
    "an output without elements": Difference(
        Case("convtranspose", {"out": 2, "kernel": [1, 2], "padding": [0, 1]}, (2, 3, 1)),
        "PyTorch",
        "expected output sizes of at least 1",
        ("convtranspose", "maxunpool"),
    ),
    "an unpooling to another size": Difference(
        Case("maxunpool", {"kernel": 2, "size": [5]}, (2, 4)),
        "PyTorch",
        "the size of what was pooled",
        ("maxunpool",),
    ),
    "more added to a transposed convolution than its stride": Difference(
        Case("convtranspose", {"out": 2, "kernel": 3, "stride": 2, "extra": 2}, (2, 4)),
        "PyTorch",
        "expected less than the stride",
        ("convtranspose",),
        devices=("meta",),
    ),
}


def difference(case: Case, device: str, *, train: bool = False) -> str | None:
    """How the two differ about a case, None where they agree; any other way is an error."""
    ours, theirs = stated(case), asked(case, device, train=train)
    if ours == theirs or (isinstance(ours, str) and isinstance(theirs, str)):
        return None
    for name, known in DIFFERENCES.items():
        if known.covers(case, device, ours, theirs):
            return name
    raise AssertionError(f"{case} on {device}: archcalc says {ours}, PyTorch {theirs}")


def compared(seeds: Iterator[int]) -> set[str | None]:
    """All the ways in which they differ; what archcalc takes must be built with its size."""
    found = set()
    for seed in seeds:
        case = drawn(random.Random(seed))
        for device in DEVICES:
            found.add(difference(case, device, train=seed % 2 == 0))
        answer = stated(case)
        if isinstance(answer, tuple):
            assert built(case, DEVICES[seed // 2 % 2]) == answer, case
    return found


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors are quicker so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_windows_are_taken_and_refused_as_by_pytorch() -> None:
    compared(iter(range(60)))


@pytest.mark.slow
def test_many_windows_are_taken_and_refused_as_by_pytorch() -> None:
    """All differences that are listed occur, and no others."""
    assert compared(iter(range(5_000))) == {None, *DIFFERENCES}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", DIFFERENCES)
def test_they_differ_on_purpose(name: str, device: str) -> None:
    known = DIFFERENCES[name]
    expected = name if device in known.devices else None
    assert difference(known.example, device) == expected
    if known.taken_by == "archcalc":
        assert built(known.example, device) == stated(known.example)


def test_the_page_lists_the_differences() -> None:
    [body] = re.findall(
        r"<!-- windows -->\n\|.*\n\|.*\n((?:\|.*\n)+)", PAGE.read_text(encoding="utf-8")
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    assert {row[0]: row[1] for row in rows} == {
        name: known.taken_by + (" on `meta`" if known.devices == ("meta",) else "")
        for name, known in DIFFERENCES.items()
    }
    assert all(row[2].endswith(".") for row in rows)


# Pools in ceil mode whose window is larger than the padded input (sizes as PyTorch 2.13 has them).


@pytest.mark.parametrize("kind", ["maxpool", "avgpool"])
@pytest.mark.parametrize(
    ("size", "fields"),
    [
        (2, {"kernel": 3, "stride": 2}),
        (2, {"kernel": 4, "stride": 3}),
        (1, {"kernel": 4, "stride": 2, "padding": 1}),
    ],
)
def test_one_window_may_reach_beyond_its_input(
    kind: str, size: int, fields: dict[str, Any]
) -> None:
    for rank in (1, 2, 3):
        case = Case(kind, {**fields, "ceil": True}, (16, *(size,) * rank))
        assert stated(case) == (16, *(1,) * rank)
        assert built(case, "cpu") == (16, *(1,) * rank)
        if (kind, rank) != ("avgpool", 3):
            assert asked(case, "cpu") == (16, *(1,) * rank)


def test_a_window_that_reaches_a_stride_beyond_is_refused() -> None:
    case = Case("maxpool", {"kernel": 4, "stride": 2, "ceil": True}, (16, 2, 2))
    words = (
        "kernel: expected less than the stride 2 beyond its padded input 2 (2 + 0 + 0), received 4"
    )
    assert stated(case) == words
    assert isinstance(asked(case, "cpu"), str)


def test_squeezenet_takes_a_small_image() -> None:
    """Its third pool has a 3x3 window with stride 2 on an input of 2x2."""
    graph = archcalc.analyze("squeezenet1-0", input=(3, 21, 21)).graph
    assert graph.nodes[-1].facts.outputs == ((1000,),)
