"""Tables of networks: which rows and columns are shown.

Rows form the tree of the network: blocks head their layers, down to `depth`; `fold` merges norms
and activations into the layer they follow; `sort` and `top` give the layers alone, ranked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc import values, words
from archcalc.analysis.receptive_field import AxisField, Unknown
from archcalc.errors import ColumnError, SettingError, one_line, received
from archcalc.graph import Node, Scope
from archcalc.report.columns import (
    COLUMNS,
    DEFAULT,
    NETWORK_COLUMNS,
    Column,
    column,
    first_of,
)
from archcalc.report.model import Line, Table
from archcalc.report.titles import counting_of, title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archcalc.analysis import Analysis
    from archcalc.analysis.rows import Row
    from archcalc.graph import DeclaredTable
    from archcalc.published.printed import Published

FOLDED_ROLES = ("normalization", "activation")


def tabulate(  # noqa: PLR0913 - options, by name
    analysis: Analysis,
    *,
    columns: str | Sequence[str] | None = None,
    depth: int | None = None,
    fold: bool = False,
    sort: str | None = None,
    top: int | None = None,
    counting: str | None = None,
    printed: Callable[[], Iterable[Published]] = tuple,
) -> Table:
    """The table of an analysis.

    `columns` are column keys and arguments of blocks, in a list or as text with commas; "all"; or
    the one name of a table the spec declares;
    `depth` shows that many levels and sums what is below; `sort` a numeric column's key, largest
    first; `top` how many; `counting` a tool's name, or `paper`, by which Mult-Adds and params are
    counted; `printed` gives the published tables that are about the network. Raises ColumnError or
    SettingError.
    """
    if counting is not None:
        from archcalc.report.counting import counted

        analysis = counted(analysis, counting, printed)
    depth = None if depth is None else values.whole("depth", depth)
    top = None if top is None else values.whole("top", top)
    fold, keys = values.flag("fold", fold), _keys(columns)
    declared = _declared(analysis, keys)
    if declared is None:
        chosen, notes = _columns(analysis, keys), []
        lines = _tree(analysis, depth, fold, ())
    else:
        chosen, notes = _declared_columns(analysis, declared), _declared_notes(analysis, declared)
        tree = _tree(analysis, depth or declared.depth, fold or declared.fold, declared.hide)
        lines = [line for line in tree if not line.heads]
    if sort is not None or top is not None:
        lines, some = _ranked(lines, "mult_adds" if sort is None else sort, top)
        notes += some
    caption = (*notes, *_caption(analysis, chosen, lines))
    table = Table(chosen, tuple(lines), analysis.totals, title(analysis), caption, columns is None)
    return table._replace(spare=SPARE if columns is None else ())


SPARE = ("window", "receptive_field", "times", "output", "share")


def listing(analyses: Sequence[Analysis], columns: Sequence[str] | None = None) -> Table:
    """One line for each network, without a total."""
    keys = list(columns or ("name", "year", "title", "params", "mult_adds"))
    if keys == ["all"]:
        keys = ["name", *NETWORK_COLUMNS, *list(COLUMNS)[1:]]
    chosen = [NETWORK_COLUMNS.get(key) or column(key, NETWORK_COLUMNS) for key in keys]
    known = tuple(_of_networks(column) for column in chosen)
    lines = tuple(Line(analysis.totals, 0, analysis.label, False) for analysis in analyses)
    noted = _caption(analyses[0], known, ()) if analyses else ()
    table = Table(known, lines, None, "", tuple(noted), columns is None)
    return table._replace(spare=() if columns else ("title", "year"))


def _of_networks(column: Column) -> Column:
    """A column of a list of networks: names are whole, to be typed; titles may be cut."""
    if column.key == "name":
        return column._replace(heading="Network", fit="keep")
    return column._replace(fit="cut") if column.key == "title" else column


MODULE = "Module: "  # how the title of a part of a network begins that is listed apart


def listings(analyses: Sequence[Analysis], columns: Sequence[str] | None = None) -> list[Table]:
    """The networks' list, then that of the small modules, whose titles begin with "Module: "."""
    modules = [one for one in analyses if one.about.title.startswith(MODULE)]
    networks = [one for one in analyses if one not in modules]
    tables = [listing(some, columns) for some in (networks, modules) if some]
    if len(tables) < 2:
        return tables or [listing((), columns)]
    first, second = tables
    known = [_without_prefix(column) for column in second.columns]
    return [first._replace(caption=()), second._replace(title="Modules", columns=tuple(known))]


def _without_prefix(column: Column) -> Column:
    """A title that stands below "Modules" needs not say so again."""
    if column.key != "title":
        return column
    return column._replace(get=lambda row: str(column.get(row)).removeprefix(MODULE))


def _keys(columns: object) -> tuple[str, ...] | None:
    try:
        what = "columns' keys in a list or with commas, such as 'name,params'"
        return None if columns is None else values.words("columns", columns, what)
    except SettingError as error:
        raise ColumnError(error.message) from None


# Columns.


def _arguments(analysis: Analysis) -> list[str]:
    """The names of the arguments that blocks may have."""
    scopes = analysis.graph.root.walk()
    used = (name for scope in scopes for name in scope.arguments)
    return list(dict.fromkeys((*analysis.about.arguments, *used)))


def _columns(analysis: Analysis, keys: Sequence[str] | None) -> tuple[Column, ...]:
    if keys is None:
        return tuple(COLUMNS[key] for key in _default(analysis))
    if list(keys) == ["all"]:
        return tuple(COLUMNS.values())
    if not keys:
        raise ColumnError("expected at least one column, received none")
    arguments = _arguments(analysis) if not COLUMNS.keys() >= set(keys) else ()
    return tuple(column(key, arguments) for key in keys)


def _default(analysis: Analysis) -> Sequence[str]:
    """The usual columns, with `times` where a part is applied several times."""
    if not any(scope.level for scope in analysis.graph.root.walk()):
        return DEFAULT
    return (*DEFAULT[:2], "times", *DEFAULT[2:])


def _declared(analysis: Analysis, keys: Sequence[str] | None) -> DeclaredTable | None:
    """The spec's own table, where its name is the one thing asked for."""
    if keys is None or len(keys) != 1 or keys[0] in COLUMNS or keys[0] == "all":
        return None
    tables = analysis.about.tables
    if keys[0] in tables:
        return tables[keys[0]]
    if keys[0] == "paper":
        known = ", ".join(tables)
        raise ColumnError(
            f"expected a table that {analysis.graph.name} declares, received 'paper'",
            hint=f"it declares {known}" if known else "a spec declares it under 'tables:'",
        )
    return None


def _declared_columns(analysis: Analysis, declared: DeclaredTable) -> tuple[Column, ...]:
    arguments = _arguments(analysis)
    columns = declared.columns.items()
    return tuple(first_of(keys, one_line(heading), arguments) for heading, keys in columns)


def _declared_notes(analysis: Analysis, declared: DeclaredTable) -> list[str]:
    notes = [one_line(f"As {declared.source} heads its columns.")] if declared.source else []
    present = {row.kind for row in (*analysis.layers, *analysis.blocks)}
    hidden = ", ".join(kind for kind in declared.hide if kind in present)
    return notes + ([f"Rows left out, though in the total: {hidden}."] if hidden else [])


# Lines.


def _tree(analysis: Analysis, depth: int | None, fold: bool, hide: tuple[str, ...]) -> list[Line]:
    """The network as an indented tree, down to `depth` levels of scopes."""
    folds = _folds(analysis) if fold else {}
    folded = {id(row.node): row for row in _folded_rows(analysis, folds)}
    lines: list[Line] = []
    waiting: list[tuple[Scope | Node, int, int, str]] = [(analysis.graph.root, -1, 0, "")]
    while waiting:
        part, level, scopes, prefix = waiting.pop()
        if isinstance(part, Node):
            if part.index not in folds and part.op.kind not in hide:
                row = folded.get(id(part)) or analysis.row(part)
                lines.append(Line(row, level, prefix + part.name, False))
            continue
        if part.parent is not None:
            if part.kind in hide:
                continue
            if depth is not None and scopes >= depth:
                lines.append(Line(analysis.block(part), level, prefix + part.name, False))
                continue
            if part.kind == "branch" or not _worth_a_line(part):
                prefix, level = f"{prefix}{part.name}/", level - 1
            else:
                lines.append(Line(analysis.block(part), level, prefix + part.name, True))
                prefix = ""
        inner = reversed(part.children.values())
        waiting.extend((child, level + 1, scopes + 1, prefix) for child in inner)
    return lines


def _worth_a_line(scope: Scope) -> bool:
    """A block in a branch's place (a residual body) is told by its layers' names alone."""
    return scope.parent is None or scope.name not in scope.parent.branches


def _folded_rows(analysis: Analysis, folds: dict[int, Node]) -> Iterator[Row]:
    """A row for each weight layer that takes up the norms and activations after it."""
    followers: dict[Node, list[Node]] = {}
    for index, head in folds.items():
        followers.setdefault(head, []).append(analysis.graph.nodes[index])
    for head, nodes in followers.items():
        yield analysis.folded(head, tuple(nodes))


def _folds(analysis: Analysis) -> dict[int, Node]:
    """Norms and activations by index, with the weight layer whose row takes them up.

    They follow it in its scope, one after another, and nobody else takes what lies between.
    """
    nodes = analysis.graph.nodes
    uses = [0] * len(nodes)
    for node in nodes:
        for tensor in node.inputs:
            uses[tensor.node] += 1
    for output in analysis.graph.outputs:
        uses[output.tensor.node] += 1
    heads: dict[int, Node] = {}
    for node in analysis.graph.layers:
        if node.op.role not in FOLDED_ROLES or len(node.inputs) != 1:
            continue
        before = nodes[node.inputs[0].node]
        head = heads.get(before.index, before)
        if head.op.weighted and uses[before.index] == 1 and head.scope is node.scope:
            heads[node.index] = head
    return heads


def _ranked(lines: list[Line], key: Any, top: int | None) -> tuple[list[Line], list[str]]:
    """The rows that add up, largest first, under their full names; a note if some are left out."""
    by = COLUMNS.get(key) if isinstance(key, str) else None
    if by is None or not by.is_number:
        numeric = [name for name, one in COLUMNS.items() if one.is_number]
        raise ColumnError(
            f"expected a column with numbers, received {received(key)}",
            hint=words.said("COLUMNS", key if isinstance(key, str) else "", numeric)
            or f"there are {', '.join(numeric)}",
        )
    flat = [Line(line.row, 0, line.row.name, False) for line in lines if not line.heads]
    flat.sort(key=lambda line: by.get(line.row), reverse=True)
    if top is None or top >= len(flat):
        return flat, []
    return flat[:top], [f"The top {top} of {len(flat)} rows."]


# Title and caption.


CONVENTION = "Mult-Adds: multiply-accumulates of convolutions and linears, bias excluded ({batch})."


_OF_MEMORY = {
    "live_bytes": "Alive: activations, while the layer runs at inference; a block's are the most.",
    "saved_bytes": "Saved: activations that training keeps, each once.",
}


def _caption(analysis: Analysis, columns: Sequence[Column], lines: Sequence[Line]) -> Iterator[str]:
    """What the numbers shown mean, where a reader looks first."""
    shown = {column.key for column in columns}
    yield from _meaning(analysis, "mult_adds" in shown)
    notes = []
    if "receptive_field" in shown:
        notes.append("RF: receptive field.")
        notes += _unknown_fields(lines)
    if "rf_start" in shown and any(map(_has_no_start, lines)):
        notes.append("RF start none: output 0 sees nothing of the input.")
    if "share" in shown:
        notes.append("Share: of the Mult-Adds.")
    if "times" in shown:
        notes.append("Times: how often a part is applied; its layers' shapes are of one time.")
    if "flops" in shown:
        notes.append("FLOPs = 2 x Mult-Adds + other operations.")
    notes += [note for key, note in _OF_MEMORY.items() if key in shown]
    if any(column.style in ("count", "bytes") for column in columns):
        notes.append("1 K = 1000.")
    if any(line.heads for line in lines):
        notes.append("A block's row sums its layers.")
    if notes:
        yield " ".join(notes)


def _has_no_start(line: Line) -> bool:
    return any(
        isinstance(axis, AxisField) and axis.start is None for axis in line.row.receptive_field
    )


def _unknown_fields(lines: Sequence[Line]) -> list[str]:
    """What a question mark stands for."""
    reasons = dict.fromkeys(
        axis.reason
        for line in lines
        for axis in line.row.receptive_field
        if isinstance(axis, Unknown)
    )
    return [f"RF ?: {'; '.join(reasons)}."] if reasons else []


def _meaning(analysis: Analysis, shown: bool) -> Iterator[str]:
    """What Mult-Adds are: archcalc's, where they are shown, or somebody else's."""
    counting = counting_of(analysis)
    at = f"batch {analysis.batch}, {analysis.dtype}"
    if counting is not None:
        yield from counting.notes
        yield f"All other figures are archcalc's ({at})."
    elif shown:
        yield CONVENTION.format(batch=at)
