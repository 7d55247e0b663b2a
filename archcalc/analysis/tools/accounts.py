"""A tool's count of a network beside archcalc's, the difference split into named terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archcalc.analysis.tools.base import Term, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archcalc.analysis.analysis import Analysis
    from archcalc.analysis.tools.base import Tool


class Account(NamedTuple):
    """What a tool counts of one figure, what archcalc counts, and the terms of the difference."""

    counted: int
    own: int
    terms: tuple[Term, ...]

    @property
    def difference(self) -> int:
        return self.counted - self.own

    @property
    def unexplained(self) -> int:
        """What no term accounts for."""
        return self.difference - sum(term.number for term in self.terms)


class Reconciled(NamedTuple):
    """One tool on one network: Mult-Adds, params (None where it counts none), each layer's."""

    tool: str
    version: str
    mult_adds: Account
    params: Account | None
    layers: Mapping[str, Account]

    @property
    def unexplained_layers(self) -> dict[str, Account]:
        """Layers of which something is left, also where it cancels in the sum."""
        return {name: one for name, one in self.layers.items() if one.unexplained}


class Reconciliation(NamedTuple):
    """What the counters say of a network; `failures` has a sentence for each that broke.

    `missing` are the tools that are not installed, `torch` is PyTorch's version.
    """

    analysis: Analysis
    tools: tuple[Reconciled, ...]
    failures: tuple[str, ...]
    missing: tuple[str, ...]
    torch: str


def reconciled(
    tool: Tool,
    version: str,
    analysis: Analysis,
    total: int,
    params: int | None,
    layers: Mapping[str, int],
) -> Reconciled:
    """A tool's counts, in Mult-Adds for one input, beside those of an analysis.

    `layers` are its counts by layer (`block/conv`); one that it does not name counts 0.
    """
    nodes = analysis.graph.layers
    own = {node.path: node.facts.mult_adds * node.times for node in nodes}
    terms = {node.path: tuple(tool.mult_add_terms(node)) for node in nodes}
    return Reconciled(
        tool.name,
        version,
        _account(total, sum(own.values()), [term for some in terms.values() for term in some]),
        None
        if params is None
        else _account(
            params,
            analysis.totals.params,
            [term for node in nodes for term in tool.params_terms(node)],
        ),
        {name: Account(layers.get(name, 0), count, terms[name]) for name, count in own.items()},
    )


def _account(counted: int, own: int, terms: Iterable[Term]) -> Account:
    return Account(counted, own, together(terms))
