"""Graphs with every layer kind, for the tests of how tools count: all ranks, odd paddings."""

from __future__ import annotations

from typing import Any

from archcalc.graph import Graph, GraphBuilder, Output
from archcalc.ops import KINDS

CHANNELS = 6
SIZES = {0: (), 1: (14,), 2: (14, 11), 3: (6, 7, 5)}

Fields = dict[str, Any]

POINTWISE: list[tuple[str, Fields]] = [
    ("relu", {}), ("relu6", {}), ("leakyrelu", {}), ("prelu", {}), ("prelu", {"shared": True}),
    ("elu", {}), ("sigmoid", {}), ("tanh", {}), ("scaledtanh", {}), ("hardsigmoid", {}),
    ("hardswish", {}), ("silu", {}), ("gelu", {}), ("softplus", {}), ("complement", {}),
    ("softmax", {}), ("dropout", {}), ("identity", {}), ("flatten", {}),
    ("batchnorm", {}), ("batchnorm", {"affine": False}),
    ("layernorm", {}), ("layernorm", {"affine": False}),
    ("groupnorm", {"groups": 3}), ("groupnorm", {"groups": 2, "affine": False}),
    ("l2norm", {}), ("l2norm", {"affine": False}),
    ("lrn", {}), ("lrn", {"size": 4}),
    ("channelshuffle", {"groups": 2}), ("slice", {"start": 1, "step": 2}),
    ("split", {"parts": 3}), ("split", {"parts": (1, 5)}), ("pad", {"channels": 1}),
]  # fmt: skip

SPATIAL: list[tuple[str, Fields]] = [
    ("conv", {"out": 4, "kernel": 3}),
    ("conv", {"out": 4, "kernel": 3, "padding": 1, "bias": False}),
    ("conv", {"out": 12, "kernel": 3, "stride": 2, "padding": 1, "groups": 3}),
    ("conv", {"out": 4, "kernel": 2, "padding": "same"}),
    ("conv", {"out": 4, "kernel": 3, "padding": "same", "dilation": 2}),
    ("conv", {"out": 4, "kernel": 3, "stride": 2, "padding": "same_tf"}),
    ("conv", {"out": 4, "kernel": 3, "stride": 2, "padding": "same_tf", "bias": False}),
    ("conv", {"out": 4, "kernel": 2, "padding": "valid"}),
    ("conv", {"out": 2, "kernel": 2, "table": (((0, 1, 2), (3, 4)),)}),
    ("conv", {"out": 2, "kernel": 2, "table": (((0, 1, 2), (3, 4)),), "bias": False}),
    ("convtranspose", {"out": 4, "kernel": 3, "stride": 2}),
    ("convtranspose", {"out": 4, "kernel": 3, "stride": 2, "padding": 1, "bias": False}),
    ("convtranspose", {"out": 12, "kernel": 2, "stride": 2, "groups": 3, "extra": 1}),
    ("convtranspose", {"out": 6, "kernel": 2, "groups": 6}),
    ("maxpool", {"kernel": 2}),
    ("maxpool", {"kernel": 3, "stride": 2, "padding": 1, "ceil": True}),
    ("maxpool", {"kernel": 3, "stride": 2, "padding": "same_tf"}),
    ("maxpool", {"kernel": 2, "dilation": 2}),
    ("avgpool", {"kernel": 3, "stride": 1, "padding": 1, "count_padding": False}),
    ("avgpool", {"kernel": 2, "ceil": True}),
    ("avgpool", {"kernel": 3, "stride": 2, "padding": "same_tf"}),
    ("adaptiveavgpool", {"size": 2}),
    ("adaptiveavgpool", {"size": 3}),
    ("adaptiveavgpool", {"size": 4}),
    ("adaptivemaxpool", {"size": 3}),
    ("globalavgpool", {}),
    ("globalmaxpool", {}),
    ("subsample", {"kernel": 2}),
    ("upsample", {"scale": 2}),
    ("upsample", {"size": 9, "mode": "linear"}),
    ("upsample", {"size": 9}),
    ("pad", {"padding": 1}),
    ("slice", {"axis": 1, "start": 2}),
]

# One number before and another after, on every axis.
UNEVEN: list[tuple[str, Fields]] = [
    ("conv", {"out": 4, "kernel": 3}),
    ("convtranspose", {"out": 4, "kernel": 3, "stride": 2}),
    ("maxpool", {"kernel": 3}),
    ("avgpool", {"kernel": 3}),
    ("subsample", {"kernel": 2}),
]

VECTOR: list[tuple[str, Fields]] = [
    ("linear", {"out": 7}),
    ("linear", {"out": 7, "bias": False}),
    ("rbf", {"out": 5}),
]


def layers(rank: int) -> list[tuple[str, Fields]]:
    """Kinds with one input, for so many spatial axes."""
    if rank == 0:
        return [*POINTWISE, *VECTOR]
    uneven = [(kind, {**fields, "padding": ((0, 1),) * rank}) for kind, fields in UNEVEN]
    return [*POINTWISE, *SPATIAL, *uneven]


def every_kind(rank: int, leave: tuple[str, ...] = ()) -> Graph:
    """A graph of layers side by side, kinds in `leave` left out; each layer is an output."""
    builder = GraphBuilder(f"rank{rank}")
    x = builder.input((CHANNELS, *SIZES[rank]))
    first = builder.add(KINDS["identity"](), [x], "entry").tensor()  # so that a layer may share
    made = _side_by_side(builder, first, layers(rank), leave)
    joins = ("add", "multiply", "concat")
    made += [builder.add(KINDS[kind](), [first, first], kind) for kind in joins]
    made += _shared(builder, first, rank)
    if rank:
        pool = builder.add(KINDS["maxpool"](kernel=2, switches=True), [first], "switching")
        tensors = [pool.tensor(0), pool.tensor(1)]
        unpool = KINDS["maxunpool"](kernel=2, size=SIZES[rank])
        made.append(builder.add(unpool, tensors, "unpool"))
    if rank == 2:
        made += _regions(builder, first, leave)
    if rank == 3:  # each of the six maps of 6x7x5 is six of 7x5
        made += _each(builder, first, layers(2), leave)
    if rank == 1:
        made += _each(builder, first, [*VECTOR, ("batchnorm", {}), ("softmax", {})], leave)
    ports = [(node, port) for node in made for port in range(len(node.op.ports))]
    return builder.finish(
        [Output(f"{node.path}_{port}", builder.seen(node.tensor(port))) for node, port in ports]
    )


def _side_by_side(
    builder: GraphBuilder, x: Any, kinds: list[tuple[str, Fields]], leave: tuple[str, ...]
) -> list[Any]:
    return [
        builder.add(KINDS[kind](**fields), [x], f"{kind}{i}")
        for i, (kind, fields) in enumerate(kinds)
        if kind not in leave
    ]


def _regions(builder: GraphBuilder, x: Any, leave: tuple[str, ...]) -> list[Any]:
    """What a map has in its best regions, and each layer kind applied to each of them."""
    made = []
    for scores, ratios in ((2, 1), (3, (1, 2, 3))):  # two an anchor, one an anchor
        own = KINDS["proposals"](number=3, scales=4, ratios=ratios)
        offsets = 4 * own.anchors
        anchors = builder.add(KINDS["conv"](out=scores + offsets, kernel=1), [x], f"rpn{scores}")
        parts = KINDS["split"](parts=(scores, offsets))
        both = builder.add(parts, [anchors.tensor()], f"maps{scores}")
        made.append(builder.add(own, [both.tensor(0), both.tensor(1)], f"proposals{scores}"))
    regions = made[-1].tensor()
    made.append(builder.add(KINDS["roialign"](size=(2, 5), samples=3), [x, regions], "fine"))
    crops = builder.add(KINDS["roialign"](size=SIZES[2]), [x, regions], "crops").tensor()
    return [*made, *_each(builder, crops, layers(2), leave)]


def _each(
    builder: GraphBuilder, x: Any, kinds: list[tuple[str, Fields]], leave: tuple[str, ...]
) -> list[Any]:
    """Layers applied to each of the tensors along the axis in front."""
    with builder.enter("each", "part", x, applications=x.shape[0]) as part:
        made = _side_by_side(builder, builder.seen(x), kinds, leave)
        part.exit = made[-1].tensor()
    return made


def _shared(builder: GraphBuilder, x: Any, rank: int) -> list[Any]:
    """Layers that use the parameters of another."""
    pairs: list[tuple[str, Fields]] = [
        ("batchnorm", {}), ("groupnorm", {"groups": 3}), ("layernorm", {}), ("prelu", {}),
    ]  # fmt: skip
    if rank:
        pairs += [
            ("conv", {"out": 4, "kernel": 3, "padding": 1}),
            ("conv", {"out": 4, "kernel": 2, "padding": "same"}),
            ("convtranspose", {"out": 4, "kernel": 3}),
            ("subsample", {"kernel": 2}),
        ]
    else:
        pairs.append(("linear", {"out": 3}))
    made = []
    for i, (kind, fields) in enumerate(pairs):
        op = KINDS[kind](**fields)
        own = builder.add(op, [x], f"own{i}")
        made += [own, builder.add(op, [x], f"reuse{i}", shared_with=own)]
    return made
