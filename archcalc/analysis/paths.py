"""The unravelled view of residual networks: the paths through them, by length.

A path takes, at each residual addition, the shortcut or the body; its length is the number of
bodies it goes through (Veit, Wilber & Belongie 2016, "Residual Networks Behave Like Ensembles of
Relatively Shallow Networks", arXiv:1605.06431). Of an `add`, the inputs with the fewest weight
layers behind them are shortcuts (identity or projection: 0), deeper ones are residual bodies (1
each). Other joins (concatenations, products, sums of equally deep branches) are parts of one way
and multiply nothing. Counts are exact: a polynomial for each layer, whose coefficient k is the
number of paths of length k to it.

Under stochastic depth (Huang et al. 2016) a body is kept with the `survival` of its block, and
what lies in it counts with that probability.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, NamedTuple

from archcalc.analysis.depth import longest_path, weights_before
from archcalc.ops.window import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archcalc.analysis.analysis import Analysis
    from archcalc.graph import Node, Scope

Polynomial = tuple[int, ...]

MIDDLE = Fraction(95, 100)


class Paths(NamedTuple):
    """The paths of one network.

    `lengths[k]` paths go through k residual bodies. `low` to `high` are the lengths that hold 95%
    of the paths, taken from the commonest outwards, and `held` their share. `expected_bodies`,
    `expected_depth` (weight layers on the longest path) and `expected_mult_adds` are those of
    training under stochastic depth, None where no survival probability is declared.
    """

    lengths: Polynomial
    bodies: int
    low: int
    high: int
    held: Fraction
    depth: int
    mult_adds: int
    expected_bodies: Fraction | None
    expected_depth: Fraction | None
    expected_mult_adds: Fraction | None

    @property
    def total(self) -> int:
        """All paths."""
        return sum(self.lengths)

    def share(self, first: int, last: int) -> Fraction:
        """The share of paths of length `first` to `last`."""
        return Fraction(sum(self.lengths[first : last + 1]), self.total)

    @property
    def mean(self) -> Fraction:
        """The mean length."""
        return Fraction(sum(k * n for k, n in enumerate(self.lengths)), self.total)


def paths(analysis: Analysis) -> Paths:
    """The paths from the input to the network's first output."""
    graph = analysis.graph
    bodies = _residual_bodies(graph.nodes)
    lengths = _lengths(graph.nodes, bodies)[graph.outputs[0].tensor.node]
    low, high = middle(lengths)
    known = any(scope.survival is not None for scope in graph.root.walk())
    kept = _Survival(graph.nodes, bodies) if known else None
    found = Paths(
        lengths,
        sum(map(len, bodies.values())),
        low,
        high,
        Fraction(sum(lengths[low : high + 1]), sum(lengths)),
        analysis.totals.depth,
        analysis.totals.mult_adds,
        None, None, None,
    )  # fmt: skip
    if kept is None:
        return found
    on_path = longest_path(graph)
    return found._replace(
        expected_bodies=kept.bodies(),
        expected_depth=kept.expected((node, 1) for node in on_path if node.op.weighted),
        expected_mult_adds=kept.expected(
            (node, analysis.row(node).mult_adds) for node in graph.layers
        ),
    )


def middle(lengths: Sequence[int], share: Fraction = MIDDLE) -> tuple[int, int]:
    """The fewest neighbouring lengths around the commonest that hold this share of the paths."""
    low = high = max(range(len(lengths)), key=lengths.__getitem__)
    wanted, held = share * sum(lengths), lengths[low]
    while held < wanted:
        below = lengths[low - 1] if low else -1
        above = lengths[high + 1] if high + 1 < len(lengths) else -1
        if below >= above:
            low, held = low - 1, held + below
        if above >= below:
            high, held = high + 1, held + above
    return low, high


def _residual_bodies(nodes: Sequence[Node]) -> dict[int, list[int]]:
    """For each residual addition, which of its inputs are bodies."""
    depths = weights_before(nodes)
    found: dict[int, list[int]] = {}
    for node in nodes:
        if node.op.kind != "add":
            continue
        behind = [depths[tensor.node] for tensor in node.inputs]
        if deeper := [i for i, depth in enumerate(behind) if depth > min(behind)]:
            found[node.index] = deeper
    return found


def _lengths(nodes: Sequence[Node], bodies: dict[int, list[int]]) -> list[Polynomial]:
    """For each node, how many paths of each length lead to it."""
    found: list[Polynomial] = [(1,)]
    for node in nodes[1:]:
        followed = [
            (i, found[tensor.node])
            for i, (tensor, windows) in enumerate(zip(node.inputs, node.facts.windows, strict=True))
            if windows is not HELD
        ]
        through = bodies.get(node.index)
        if through:
            ways = [(0, *known) if i in through else known for i, known in followed]
            found.append(reduce(_sum, ways))
        elif len(followed) == 1:
            found.append(followed[0][1])
        else:  # branches of one way: the one with the most paths stands for all
            found.append(max((known for _, known in followed), key=sum, default=(1,)))
    return found


def _sum(one: Polynomial, other: Polynomial) -> Polynomial:
    longest = max(one, other, key=len)
    return (*map(add, one, other), *longest[min(len(one), len(other)) :])


class _Survival:
    """With which probability each layer is there in training."""

    def __init__(self, nodes: Sequence[Node], bodies: dict[int, list[int]]) -> None:
        self.scopes: dict[Scope, Fraction] = {}
        self.additions: list[Fraction] = []
        for index, positions in bodies.items():
            node = nodes[index]
            kept = _declared(node.scope)
            self.additions += [kept] * len(positions)
            exits = {node.inputs[i].node for i in positions}
            for branch in node.scope.branches.values():
                if branch.exit is not None and branch.exit.node in exits:
                    self.scopes[branch] = kept

    def bodies(self) -> Fraction:
        """The expected number of residual bodies that are there."""
        return sum(self.additions, Fraction(0))

    def expected(self, counts: Iterable[tuple[Node, int]]) -> Fraction:
        """What is expected of a sum over layers."""
        totals: dict[Scope, int] = {}
        for node, count in counts:
            totals[node.scope] = totals.get(node.scope, 0) + count
        return sum((self.of(scope) * total for scope, total in totals.items()), Fraction(0))

    def of(self, scope: Scope) -> Fraction:
        """The probability of a scope's layers: all bodies it lies in are kept."""
        kept = Fraction(1)
        outer: Scope | None = scope
        while outer is not None:
            if outer in self.scopes:
                kept *= self.scopes[outer]
            outer = outer.parent
        return kept


def _declared(scope: Scope | None) -> Fraction:
    """The survival probability of the nearest block that declares one; 1 where none does."""
    while scope is not None:
        if scope.survival is not None:
            return Fraction(scope.survival)
        scope = scope.parent
    return Fraction(1)
