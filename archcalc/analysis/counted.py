"""An analysis whose Mult-Adds and params are counted as others count; all else stays ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.analysis import Analysis
from archcalc.analysis.rows import Row
from archcalc.formula import Ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archcalc.analysis.tools import Tool
    from archcalc.graph import Node, Scope


class Tally(NamedTuple):
    """What is counted of a layer or block: its params, and Mult-Adds for the whole batch."""

    params: int
    mult_adds: int


def summed(tallies: Iterable[Tally]) -> Tally:
    """The tally of several parts together."""
    found = list(tallies)
    return Tally(sum(one.params for one in found), sum(one.mult_adds for one in found))


class Counting(NamedTuple):
    """Somebody's way of counting: `by` whom, what they count (`notes`), and a layer's tally."""

    by: str
    notes: tuple[str, ...]
    tally: Callable[[Row], Tally]


def as_tool(tool: Tool) -> Counting:
    """As a tool counts in evaluation mode, its count at batch 1 times the batch."""
    what = "Mult-Adds and params" if tool.param_terms else "Mult-Adds"
    notes = [f"{what} as {tool.what} of {tool.name} {tool.version} counts them."]
    if tool.unit != 1:
        notes[0] = notes[0].replace("counts them", f"counts them, its FLOPs over {tool.unit}")
    if not tool.param_terms:
        notes.append("It counts no params: those are archcalc's.")
    return Counting(f"{tool.name} {tool.version}", tuple(notes), partial(_tool_tally, tool.name))


def _tool_tally(name: str, row: Row) -> Tally:
    from archcalc.analysis.tools import named

    assert row.node is not None
    tool = named(name)
    more = sum(term.number for term in tool.mult_add_terms(row.node))
    params = sum(term.number for term in tool.params_terms(row.node))
    return Tally(row.params + params, row.mult_adds + more * row.analysis.batch)


class CountedRow(Row):
    """A row with somebody else's Mult-Adds and params."""

    __slots__ = ("tally",)

    tally: Tally

    @property
    def params(self) -> int:
        return self.tally.params

    @property
    def mult_adds(self) -> int:
        return self.tally.mult_adds

    def ratios(self) -> dict[str, Ratio]:
        """Shares are of what is counted; the arithmetic intensity stays archcalc's."""
        whole = self.analysis.totals
        own = self.costs.mult_adds * self.analysis.batch
        return {
            "arithmetic intensity": Ratio(own, self.bytes_moved),
            "share of Mult-Adds": Ratio(self.mult_adds, whole.mult_adds),
            "share of params": Ratio(self.params, whole.params),
        }


class CountedAnalysis(Analysis):
    """The same graph at the same settings, its rows counted otherwise."""

    counting: Counting

    def __init__(self, analysis: Analysis, counting: Counting) -> None:
        super().__init__(analysis.graph, batch=analysis.batch, dtype=analysis.dtype)
        self.counting = counting
        self._tallies: dict[Node | Scope, Tally] = {
            node: counting.tally(row)
            for node, row in zip(self.graph.layers, self.layers, strict=True)
        }
        for scope in reversed(list(self.graph.root.walk())):  # inner ones first
            self._tallies[scope] = summed(self._tallies[one] for one in scope.children.values())
        self.layers = [self._counted(row) for row in self.layers]
        self.totals = self._counted(self.totals)

    def __reduce__(self) -> tuple[Callable[..., Analysis], tuple[Any, ...]]:
        analysis = Analysis(self.graph, batch=self.batch, dtype=self.dtype)
        return CountedAnalysis, (analysis, self.counting)

    def block(self, scope: Scope) -> Row:
        return self._counted(super().block(scope))

    def folded(self, head: Node, nodes: tuple[Node, ...]) -> Row:
        return self._counted(super().folded(head, nodes))

    def _counted(self, row: Row) -> Row:
        found = CountedRow(self, row.costs, row.node, row.scope, row.folded)
        found.tally = summed(self._tallies[part] for part in (row.part, *row.folded))
        return found
