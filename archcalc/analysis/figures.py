"""The figures: one record for each number that is computed of a layer, a block or a network.

Columns of tables, keys of records, totals, the sums that `explain` shows, what `published:` may
name, what networks are compared by, and the rows of the documentation are derived from these
records. A figure is added here and nowhere else.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.formula import Ratio
from archcalc.ops import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archcalc.analysis.rows import Row
    from archcalc.formula import Derived


class Figure(NamedTuple):
    """One figure: what it is called, how a row gives it, how a block has it, what it means.

    `unit` is 1 for counts and ratios. `total` says how the figures of a block's parts make the
    block's: sum, most, path (the sum along the longest path), or ratio (of two sums).
    `less_is_better` is None where neither less nor more is. `derived` gives the equation of a
    layer's figure, where `explain` has none of its own for it. `counted_for` is the whole batch or
    one input, or empty where the batch doesn't matter. `share` is the key and the heading of a
    column with its share of the network's, `is_operation` marks the kinds of operations, which
    records hold apart. `published` is whether `published:` may name it.
    """

    key: str
    heading: str
    unit: str
    get: Callable[[Row], Any]
    total: str
    less_is_better: bool | None
    doc: str
    derived: Callable[[Row], Derived] | None = None
    counted_for: str = ""
    share: tuple[str, str] | None = None
    is_operation: bool = False
    published: bool = True

    @property
    def quantity(self) -> str:
        """What sentences and equations call it: params, Mult-Adds, weight bytes."""
        return self.heading if self.heading in _NAMES else self.key.replace("_", " ")

    @property
    def symbol(self) -> str:
        """The unit behind a number; counts have none."""
        return {"1": "", "byte": "B", "1/byte": ""}.get(self.unit, self.unit)

    def share_of(self, row: Row) -> float:
        """A row's share of the network's, 0 to 1."""
        return Ratio(self.get(row), self.get(row.analysis.totals)).number

    @property
    def style(self) -> str:
        """How a column writes it (`report.columns.Column`)."""
        styles = {"path": "plain", "ratio": "ratio"}
        return styles.get(self.total) or ("bytes" if self.unit == "byte" else "count")


_NAMES = ("Mult-Adds", "FLOPs")  # words that keep their capitals
BATCH, INPUT = "the whole batch", "one input"


def _number(derived: Callable[[Row], Derived]) -> Callable[[Row], Any]:
    return lambda row: derived(row).number


def _operation(position: int, kind: str) -> Figure:
    def get(row: Row) -> int:
        return row.costs.operations[position] * row.analysis.batch

    return Figure(
        kind, kind.capitalize(), "1", get, "sum", None, f"{kind} that are not Mult-Adds",
        counted_for=BATCH, is_operation=True, published=False,
    )  # fmt: skip


def _output_bytes(row: Row) -> Derived:
    return row.costs.output_bytes(row.analysis.batch, row.analysis.itemsize)


def _bytes_moved(row: Row) -> Derived:
    return row.costs.bytes_moved(row.analysis.batch, row.analysis.itemsize)


def _weight_bytes(row: Row) -> Derived:
    return row.costs.weight_bytes(row.analysis.itemsize)


def _flops(row: Row) -> Derived:
    return row.costs.flops(row.analysis.batch)


# What the layers have and do.
COUNTS = (
    Figure(
        "params", "Params", "1", attrgetter("params"), "sum", True, "trainable parameters",
        share=("params_share", "Params share"),
    ),
    Figure(
        "buffers", "Buffers", "1", attrgetter("buffers"), "sum", None,
        "elements that training leaves alone",
    ),
    Figure(
        "mult_adds", "Mult-Adds", "1", attrgetter("mult_adds"), "sum", True,
        "multiply-accumulates", counted_for=BATCH, share=("share", "Share"),
    ),
    Figure(
        "flops", "FLOPs", "1", _number(_flops), "sum", True, "2 x Mult-Adds + other operations",
        _flops, BATCH,
    ),
    *map(_operation, range(len(OPERATIONS)), OPERATIONS),
    Figure(
        "connections", "Connections", "1", attrgetter("connections"), "sum", None,
        "in the sense of LeCun 1998", counted_for=INPUT,
    ),
    Figure(
        "neurons", "Neurons", "1", attrgetter("neurons"), "sum", None,
        "outputs of kinds with weights", counted_for=INPUT,
    ),
)  # fmt: skip
# What the tensors take, between the layers and in them.
TENSORS = (
    Figure(
        "output_elements", "Elements", "1", attrgetter("output_elements"), "sum", None,
        "output elements", counted_for=INPUT,
    ),
    Figure(
        "output_bytes", "Activations", "byte", _number(_output_bytes), "sum", True,
        "bytes of outputs", _output_bytes, BATCH,
    ),
    Figure(
        "weight_bytes", "Weights", "byte", _number(_weight_bytes), "sum", True,
        "bytes of params and buffers", _weight_bytes,
    ),
    Figure(
        "bytes_moved", "Moved", "byte", _number(_bytes_moved), "sum", None,
        "bytes read and written", _bytes_moved, BATCH, published=False,
    ),
    Figure(
        "live_bytes", "Alive", "byte", attrgetter("live_bytes"), "most", None,
        "bytes alive at inference", counted_for=BATCH, published=False,
    ),
    Figure(
        "saved_bytes", "Saved", "byte", attrgetter("saved_bytes"), "sum", None,
        "bytes kept for training", counted_for=BATCH, published=False,
    ),
    Figure(
        "arithmetic_intensity", "MAC/byte", "1/byte", attrgetter("arithmetic_intensity"), "ratio",
        None, "Mult-Adds per byte moved", published=False,
    ),
)  # fmt: skip
# What is found along a path through the graph.
ALONG_PATHS = (
    Figure(
        "depth", "Depth", "1", attrgetter("depth"), "path", None,
        "weight layers on the longest path",
    ),
)  # fmt: skip

FIGURES = {one.key: one for one in (*COUNTS, *TENSORS, *ALONG_PATHS)}
SUMMED = tuple(one for one in FIGURES.values() if one.total == "sum" and not one.is_operation)
SHARES = {one.share[0]: one for one in reversed((*COUNTS, *TENSORS)) if one.share}

# By which networks are compared: first those that a reader looks for first.
USUAL = ("params", "mult_adds", "flops", "depth", "weight_bytes", "output_bytes")
COMPARED = tuple(
    dict.fromkeys(
        (*USUAL, *(key for key, one in FIGURES.items() if one.less_is_better is not None))
    )
)


def _published(figures: Iterable[Figure]) -> Iterator[str]:
    return (one.key for one in figures if one.published)


# What `published:` may name and is computed; published/computed.py computes them.
PUBLISHED = (
    "input", "output", "channels", *_published((*COUNTS, *ALONG_PATHS)), "weight_layers",
    "receptive_field", "rf_stride", "rf_start", *_published(TENSORS), "in_channels",
    "kernel", "stride", "groups", "paths", "bodies", "path_low", "path_high", "path_mean",
    "expected_bodies", "expected_depth", "expected_mult_adds",
)  # fmt: skip


def _column_keys() -> Iterator[str]:
    for one in (*ALONG_PATHS, *COUNTS, *TENSORS):
        yield one.key
        if one.share:
            yield one.share[0]


# The columns that a table can have: what describes a row, its figures, and what else it shares.
COLUMN_KEYS = (
    "name", "kind", "type", "block", "input", "output", "output_hwc", "window", "kernel", "stride",
    "padding", "dilation", "groups", "receptive_field", "rf_stride", "rf_start", *_column_keys(),
    "shared_with", "times",
)  # fmt: skip
