"""Columns, defined once: what each is called, what it shows of a row, how its figures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import words
from archcalc.analysis.receptive_field import AxisField
from archcalc.errors import ColumnError, received
from archcalc.ops import OPERATIONS, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archcalc.analysis.rows import Row


class Column(NamedTuple):
    """One column: `key` is its name in options and machine formats.

    `style` is text, label (a short text to the right), plain (a number or argument as it is), count
    (unit prefixes), bytes, ratio or share (a bar); `get` takes a Row,
    or what another table has for rows. `fit` is what a terminal may do where there is no room: cut
    the text at its end, cut it in the middle, wrap it, give it a line of its own, or keep it whole;
    figures are always kept.
    """

    key: str
    heading: str
    style: str
    get: Callable[[Any], Any]
    doc: str
    fit: str = ""  # cut, middle, wrap, line or keep; by default as `fitted` says

    @property
    def fitted(self) -> str:
        """What may be done to a text that is too long."""
        if self.fit or self.style != "text":
            return self.fit or "keep"
        return "middle" if self.key == "name" else "wrap"

    @property
    def is_number(self) -> bool:
        """Whether rows can be ranked by it."""
        return self.style not in ("text", "label")

    @property
    def right(self) -> bool:
        """Whether its cells are aligned to the right."""
        return self.style != "text"


def _axes(values: Iterable[Any]) -> str:
    """Values an axis, once where they are equal: 7, or 1x7."""
    spelled_values = [str(value) for value in values]
    same = len(set(spelled_values)) == 1
    return spelled_values[0] if same and spelled_values else "x".join(spelled_values)


def _window(row: Row) -> str:
    """Patch size/stride, as papers print it: 7x7/2."""
    window = row.window
    if window is None:
        return ""
    return f"{spelled(window.kernel)}/{_axes(window.stride)}"


def _part(name: str) -> Callable[[Row], str]:
    def get(row: Row) -> str:
        window = row.window
        return _axes(getattr(window, name)) if window else ""

    return get


def _padding(row: Row) -> str:
    window = row.window
    if window is None:
        return ""
    return _axes(b if b == a else f"{b}+{a}" for b, a in window.padding)


def _hwc(row: Row) -> str:
    """Height x width x channels, as GoogLeNet's Table 1 prints output sizes; a vector is 1x1xC."""
    shape = row.output
    if len(shape) == 1:
        return spelled((1, 1, *shape))
    return spelled((*shape[1:], shape[0]))


def _field(name: str) -> Callable[[Row], str]:
    def get(row: Row) -> str:
        along = row.receptive_field
        if not along or all(axis is None for axis in along):
            return "all"
        return _axes(_axis(axis, name) for axis in along)

    return get


def _axis(axis: Any, name: str) -> str:
    if axis is None:
        return "all"
    if not isinstance(axis, AxisField):
        return "?"
    value = getattr(axis, name)
    return "none" if value is None else str(value)


def _paper(row: Row, key: str) -> str:
    spec = row.analysis.spec
    return spec.paper.get(key, "") if spec else ""


def _title(row: Row) -> str:
    spec = row.analysis.spec
    return spec.title if spec else row.analysis.graph.name


def _operation(position: int) -> Callable[[Row], int]:
    return lambda row: row.operations[position]


_ALL = (
    Column("name", "Layer", "text", lambda row: row.name, "full name"),
    Column("kind", "Kind", "text", lambda row: row.kind, "layer kind, or the block's name in the spec"),
    Column("type", "Type", "text", lambda row: row.type, "what the kind is called, or the spec's label"),
    Column("block", "Block", "text", lambda row: row.block, "the block around it"),
    Column("input", "Input", "text", lambda row: spelled(row.input), "input shape, channels first"),
    Column("output", "Output", "text", lambda row: spelled(row.output), "output shape, channels first"),
    Column("output_hwc", "Output size", "text", _hwc, "output shape, channels last"),
    Column("window", "Window", "text", _window, "kernel / stride; a block's is its exit's"),
    Column("kernel", "Kernel", "text", _part("kernel"), "kernel size"),
    Column("stride", "Stride", "text", _part("stride"), "stride"),
    Column("padding", "Padding", "text", _padding, "padding, before+after where they differ"),
    Column("dilation", "Dilation", "text", _part("dilation"), "dilation"),
    Column("groups", "Groups", "label", lambda row: row.groups or "", "groups of channels"),
    Column("receptive_field", "RF", "label", _field("size"), "receptive field: size"),
    Column("rf_stride", "RF stride", "label", _field("stride"), "receptive field: stride"),
    Column("rf_start", "RF start", "label", _field("start"), "receptive field: first input index"),
    Column("depth", "Depth", "plain", lambda row: row.depth, "weight layers on the longest path"),
    Column("params", "Params", "count", lambda row: row.params, "trainable parameters"),
    Column("params_share", "Params share", "share", lambda row: row.params_share, "share of all params"),
    Column("buffers", "Buffers", "count", lambda row: row.buffers, "elements that training leaves alone"),
    Column("mult_adds", "Mult-Adds", "count", lambda row: row.mult_adds, "multiply-accumulates"),
    Column("share", "Share", "share", lambda row: row.share, "share of all Mult-Adds"),
    Column("flops", "FLOPs", "count", lambda row: row.flops, "2 x Mult-Adds + other operations"),
    *(
        Column(name, name.capitalize(), "count", _operation(i), f"{name} that are not Mult-Adds")
        for i, name in enumerate(OPERATIONS)
    ),
    Column("connections", "Connections", "count", lambda row: row.connections, "in the sense of LeCun 1998"),
    Column("neurons", "Neurons", "count", lambda row: row.neurons, "outputs of kinds with weights"),
    Column("output_elements", "Elements", "count", lambda row: row.output_elements, "output elements"),
    Column("output_bytes", "Activations", "bytes", lambda row: row.output_bytes, "bytes of outputs"),
    Column("weight_bytes", "Weights", "bytes", lambda row: row.weight_bytes, "bytes of params and buffers"),
    Column("bytes_moved", "Moved", "bytes", lambda row: row.bytes_moved, "bytes read and written"),
    Column("live_bytes", "Alive", "bytes", lambda row: row.live_bytes, "bytes alive at inference"),
    Column("saved_bytes", "Saved", "bytes", lambda row: row.saved_bytes, "bytes kept for training"),
    Column(
        "arithmetic_intensity", "MAC/byte", "ratio", lambda row: row.arithmetic_intensity,
        "Mult-Adds per byte moved",
    ),
    Column("shared_with", "Shares with", "text", lambda row: row.shared_with or "", "whose params it uses"),
    Column("times", "Times", "plain", lambda row: row.times, "how often it is applied"),
)  # fmt: skip

# Of whole networks only.
NETWORK_COLUMNS = {
    "year": Column("year", "Year", "label", lambda row: _paper(row, "year"), "of the paper"),
    "title": Column("title", "Title", "text", _title, "the network's title"),
}

COLUMNS = {column.key: column for column in _ALL}
DEFAULT = ("name", "output", "window", "receptive_field", "params", "mult_adds", "share")


def column(key: str, arguments: Iterable[str] = ()) -> Column:
    """The column of that key, or one that shows a block's argument.

    Raises ColumnError with near names.
    """
    found = COLUMNS.get(key)
    if found is not None:
        return found
    known = list(arguments)
    if key in known:
        return argument_column(key, key)
    hint = (
        words.near("COLUMNS", key, [*COLUMNS, *known])
        or f"columns: {', '.join([*COLUMNS, *known])}"
    )
    raise ColumnError(f"expected a column, received {received(key)}", hint=hint)


def argument_column(key: str, heading: str) -> Column:
    """A block's own argument as a column; blank where a row has none."""
    return Column(key, heading, "label", lambda row: row.arguments.get(key, ""), f"argument {key}")


def first_of(keys: tuple[str, ...], heading: str, arguments: Iterable[str]) -> Column:
    """A declared column: the first of several that a row has something for."""
    several = [column(key, arguments) for key in keys]
    if len(several) == 1:
        return several[0]._replace(heading=heading)

    def get(row: Row) -> Any:
        return next((value for one in several if (value := one.get(row)) != ""), "")

    return Column(keys[0], heading, several[0].style, get, heading)
