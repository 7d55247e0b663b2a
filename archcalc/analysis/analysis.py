"""Analysis: the rows of a graph, rolled up over its blocks, at a batch size and dtype."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from archcalc import values, words
from archcalc.analysis.costs import DTYPES, Costs, layer_costs, total
from archcalc.analysis.depth import Depth, network_depth, scope_depth
from archcalc.analysis.receptive_field import receptive_fields
from archcalc.analysis.rows import Row
from archcalc.errors import NetworkNotFound, SettingError, did_you_mean, plain, received
from archcalc.graph import Graph, Node, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from archcalc.analysis.memory import Memory
    from archcalc.analysis.receptive_field import State
    from archcalc.graph import About

MOST_BATCH = 10**9


class Analysis:
    """What a network costs, layer by layer (`layers`), block by block, and in all (`totals`)."""

    def __init__(self, graph: Graph, *, batch: int = 1, dtype: str = "float32") -> None:
        if not isinstance(graph, Graph):
            raise SettingError(f"expected a Graph, received {received(graph)}")
        batch, given, dtype = _batch(batch), dtype, values.dtype_name(dtype)
        if dtype not in DTYPES:
            hint = words.near("DTYPES", dtype, DTYPES)
            raise SettingError(
                f"dtype: expected one of {', '.join(DTYPES)}, received {received(given)}", hint=hint
            )
        self.graph = graph
        self.batch = batch
        self.dtype = dtype
        self.itemsize = DTYPES[dtype]
        self.folds: dict[object, Any] = {}
        known: dict[int, Costs] = {}
        self.layers = [Row(self, layer_costs(node, known), node=node) for node in graph.layers]
        self._scope_costs = _roll_up(graph.root, self.layers)
        self.totals = Row(self, self._scope_costs[graph.root], scope=graph.root)

    def __reduce__(self) -> tuple[Callable[..., Analysis], tuple[Graph]]:
        """As what it is made of: pickle and copy make it, and its rows, anew."""
        return partial(type(self), batch=self.batch, dtype=self.dtype), (self.graph,)

    @property
    def about(self) -> About:
        """What is said of the network besides its layers."""
        return self.graph.about

    @property
    def label(self) -> str:
        """The network's name, with the settings that differ from its own."""
        return self.graph.about.label

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.graph.about.settings

    @cached_property
    def scopes(self) -> dict[Scope, int]:
        """Every scope with its number, outer ones first."""
        return {scope: i for i, scope in enumerate(self.graph.root.walk())}

    @cached_property
    def receptive_states(self) -> list[State]:
        """Receptive fields by node, found when first asked for."""
        return receptive_fields(self.graph)

    @property
    def rank(self) -> int:
        """The most spatial axes that any tensor has."""
        outputs = (shape for node in self.graph.nodes for shape in node.facts.outputs)
        return max(len(shape) for shape in outputs) - 1

    @cached_property
    def memory(self) -> Memory:
        """What is alive at each layer and what training keeps, found when first asked for."""
        from archcalc.analysis.memory import Memory

        return Memory(self)

    @cached_property
    def blocks(self) -> list[Row]:
        """Every scope below the network, outer ones first; the same rows each time."""
        scopes = [scope for scope in self.graph.root.walk() if scope.parent is not None]
        return [self.block(scope) for scope in scopes]

    def block(self, scope: Scope) -> Row:
        return Row(self, self._scope_costs[scope], scope=scope)

    def row(self, node: Node) -> Row:
        return self.layers[node.index - 1]

    def folded(self, head: Node, nodes: tuple[Node, ...]) -> Row:
        """One row for a layer and those that follow it."""
        costs = total(self.row(node).costs for node in (head, *nodes))
        return Row(self, costs, node=head, folded=nodes)

    def depth_of(self, scope: Scope) -> Depth:
        """Weight layers on a block's longest path, as the sum of its parts."""
        return network_depth(self.graph) if scope is self.graph.root else scope_depth(scope)

    @cached_property
    def _named(self) -> dict[str, Row]:
        """Rows by their full names; a layer before a block of the same name."""
        return {row.name: row for row in (self.totals, *reversed(self.blocks), *self.layers)}

    def find(self, name: str) -> Row:
        """The layer or block of that name; a unique part of the name is enough.

        Raises NetworkNotFound naming near or matching ones.
        """
        if not isinstance(name, str):
            raise NetworkNotFound(f"expected a layer's name, received {received(name)}")
        if not plain(name):
            raise NetworkNotFound("expected a layer's name, received none")
        if name in self._named:
            return self._named[name]
        rows = [*self.layers, *self.blocks, self.totals]
        for row in rows:
            if plain(row.name) == plain(name):
                return row
        wanted = plain(name)
        within = [row for row in rows[:-1] if wanted in plain(row.name)]
        ends = [row for row in within if plain(row.name).endswith(wanted)]
        found = _outermost(ends) if len(_outermost(ends)) == 1 else _outermost(within)
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(row.name for row in found[:6]) + (" ..." if len(found) > 6 else "")
            raise NetworkNotFound(
                f"expected one layer, received {received(name)}, a part of {len(found)} names",
                hint=shown,
            )
        hint = did_you_mean(name, [row.name for row in rows[:20_000]])
        raise NetworkNotFound(
            f"expected a layer of {self.graph.name}, received {received(name)}", hint=hint
        )


def _batch(batch: Any) -> int:
    count: int | None = values.integral(batch)
    if count is not None and 1 <= count <= MOST_BATCH:
        return count
    return values.whole("batch", batch, 1, MOST_BATCH)


def _outermost(rows: list[Row]) -> list[Row]:
    """The rows that lie in no block among them: what is in it bears its name, too."""
    blocks = {row.scope for row in rows if row.scope is not None}
    return [row for row in rows if not any(scope in blocks for scope in _around(row))]


def _around(row: Row) -> Iterator[Scope]:
    """The scopes around a row, the nearest first."""
    scope = row.node.scope if row.node else row.scope and row.scope.parent
    while scope is not None:
        yield scope
        scope = scope.parent


def _roll_up(root: Scope, layers: list[Row]) -> dict[Scope, Costs]:
    """The costs of every scope: the sum of what it holds."""
    scopes = list(root.walk())
    costs: dict[Scope, Costs] = {}
    for scope in reversed(scopes):  # inner ones first
        costs[scope] = total(
            costs[child] if isinstance(child, Scope) else layers[child.index - 1].costs
            for child in scope.children.values()
        )
    return costs
