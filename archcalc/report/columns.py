"""Columns, defined once: what each is called, what it shows of a row, how its figures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import words
from archcalc.analysis.figures import ALONG_PATHS, COUNTS, TENSORS
from archcalc.analysis.receptive_field import AxisField
from archcalc.errors import ColumnError, received
from archcalc.ops import spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archcalc.analysis.rows import Row


class Column(NamedTuple):
    """One column: `key` is its name in options and machine formats.

    `style` is text, label (a short text to the right), plain (a number or argument as it is), count
    (unit prefixes), bytes, ratio or share (a bar); `get` takes a Row,
    or what another table has for rows. `fit` is what a terminal may do where there is no room: cut
    the text at its end, cut it in the middle, wrap it, give it a line of its own, or keep it whole;
    figures are always kept. `is_totalled` is whether a total's line shows it, `unit` stands behind
    a count.
    """

    key: str
    heading: str
    style: str
    get: Callable[[Any], Any]
    doc: str
    fit: str = ""  # cut, middle, wrap, line or keep; by default as `fitted` says
    is_totalled: bool = False
    unit: str = ""

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


def _of_figures() -> Iterator[Column]:
    """A column for each figure, that of its share of the network's beside it."""
    for one in (*ALONG_PATHS, *COUNTS, *TENSORS):
        yield Column(
            one.key, one.heading, one.style, one.get, one.doc, is_totalled=True, unit=one.symbol
        )
        if one.share:
            key, heading = one.share
            doc = f"share of all {one.quantity}"
            yield Column(key, heading, "share", one.share_of, doc, is_totalled=True)


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
    *_of_figures(),
    Column("shared_with", "Shares with", "text", lambda row: row.shared_with or "", "whose params it uses"),
    Column("times", "Times", "plain", lambda row: row.times, "how often it is applied"),
)  # fmt: skip

# Of whole networks only.
NETWORK_COLUMNS = {
    "year": Column(
        "year",
        "Year",
        "label",
        lambda row: row.analysis.about.paper.get("year", ""),
        "of the paper",
    ),
    "title": Column(
        "title", "Title", "text", lambda row: row.analysis.about.title, "the network's title"
    ),
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

    return several[0]._replace(heading=heading, get=get, doc=heading, fit="")
