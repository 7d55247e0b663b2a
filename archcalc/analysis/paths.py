"""The unravelled view of residual networks: the paths through them, by length.

A path takes, at each sum, the shortcut or a deeper branch (`residual.py`); its length is the number
of deeper branches it goes through: in a residual network the bodies, which Veit, Wilber & Belongie
2016, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks" (arXiv:1605.06431),
call residual modules. Other joins (concatenations, products, sums of equally deep branches) are
parts of one way and multiply nothing. Paths go from the input to one output; what does not lead
there is left out. Counts are exact up to the bounds that `path_counts.py` names.

Under stochastic depth (Huang et al. 2016) a body is kept with the `survival` of its block, and
what lies in it counts with that probability.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, exp, lgamma, log10, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.depth import followed_inputs, path_to
from archcalc.analysis.path_counts import EXACT_LENGTH, Counts, Join, count
from archcalc.analysis.residual import deeper_branches, residual_bodies
from archcalc.errors import SettingError, did_you_mean, received
from archcalc.ops.window import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archcalc.analysis.rows import Whole
    from archcalc.graph import Graph, Node, Output, Scope

MIDDLE = Fraction(95, 100)


class Paths(NamedTuple):
    """The paths from the input to one output of a network.

    A path's length is the number of deeper branches of sums it goes through: there are `branches`
    on the way to the output, of which `bodies` are residual bodies. `low` to `high` are the
    lengths that hold 95% of the paths, taken from the commonest outwards, and `held` their share.
    `depth` (weight layers on the longest path) and `mult_adds` are those of what leads to the
    output; `expected_bodies`, `expected_depth` and `expected_mult_adds` those of training under
    stochastic depth, None where no survival probability is declared.

    Where `exact` is false, paths are too long to be counted one by one: shares, `mean` and
    `deviation` are floats, right to nine digits, and `lengths` and `total` raise SettingError.
    """

    output: str
    counts: Counts
    exact: bool
    branches: int
    bodies: int
    low: int
    high: int
    held: Fraction | float
    depth: int
    mult_adds: int
    expected_bodies: Fraction | None
    expected_depth: Fraction | None
    expected_mult_adds: Fraction | None

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many paths go through 0, 1, 2 ... deeper branches."""
        self._check_exact()
        return (0,) * self.counts.first + tuple(map(int, self.counts.numbers))

    @property
    def total(self) -> int:
        """All paths."""
        self._check_exact()
        return int(sum(self.counts.numbers))

    @property
    def log10_total(self) -> float:
        """The decimal logarithm of the number of all paths."""
        return self._log10(sum(self.counts.numbers))

    @property
    def shares(self) -> dict[int, Fraction | float]:
        """The share of all paths that each length has, where there are any (or not too few)."""
        total = sum(self.counts.numbers)
        counted = enumerate(self.counts.numbers, self.counts.first)
        return {length: self._over(number, total) for length, number in counted if number}

    def log10_paths(self, length: int) -> float:
        """The decimal logarithm of the number of paths of that length."""
        return self._log10(self.counts.numbers[length - self.counts.first])

    def share(self, first: int, last: int) -> Fraction | float:
        """The share of paths of length `first` to `last`."""
        start = self.counts.first
        own = slice(max(0, first - start), max(0, last + 1 - start))
        return self._over(sum(self.counts.numbers[own]), sum(self.counts.numbers))

    def kept(self, length: int, deleted: int) -> Fraction | float:
        """The share of the paths of that length that go through none of `deleted` branches.

        It is an average over all choices of branches: of n branches a path of length k has n - k
        beside it, so that C(n - k, d) of C(n, d) choices leave it. Raises SettingError where there
        are fewer branches.
        """
        branches = self.branches
        if not 0 <= deleted <= branches:
            raise SettingError(
                f"without: expected 0 to {branches:,} branches that are deleted, "
                f"received {received(deleted)}"
            )
        if self.exact:
            return Fraction(comb(branches - length, deleted), comb(branches, deleted))
        if deleted > branches - length:
            return 0.0
        return exp(_log_comb(branches - length, deleted) - _log_comb(branches, deleted))

    def left(self, deleted: int) -> Fraction | float:
        """The share of all paths that is left when `deleted` branches are deleted.

        Veit et al. 2016, section 4, delete residual modules of a trained network. In a chain of
        units 2**-`deleted` of the paths are left, whichever units they are; elsewhere it is the
        average over all choices of branches. Raises SettingError as `kept` does.
        """
        self.kept(0, deleted)
        parts = (share * self.kept(length, deleted) for length, share in self.shares.items())
        return sum(parts, Fraction(0) if self.exact else 0.0)

    @property
    def mean(self) -> Fraction | float:
        """The mean length."""
        first, numbers = self.counts.first, self.counts.numbers
        return first + self._over(sum(i * n for i, n in enumerate(numbers)), sum(numbers))

    @property
    def deviation(self) -> float:
        """The standard deviation of the lengths."""
        numbers, total = self.counts.numbers, sum(self.counts.numbers)
        near = (
            sum(i * n for i, n in enumerate(numbers)) // total
        )  # about the mean, floats lose little
        first, second = (sum((i - near) ** k * n for i, n in enumerate(numbers)) for k in (1, 2))
        return sqrt(self._over(second * total - first * first, total * total))

    def _over(self, above: Any, below: Any) -> Fraction | float:
        return Fraction(above, below) if self.exact else above / below

    def _log10(self, number: float) -> float:
        return log10(number) + self.counts.exponent * log10(2)

    def _check_exact(self) -> None:
        if not self.exact:
            raise SettingError(
                f"paths: expected paths through at most {EXACT_LENGTH:,} branches to be counted "
                f"one by one, received up to {self.counts.last - 1:,}",
                hint="share(), mean, deviation and log10_total are known",
            )


def _log_comb(number: int, chosen: int) -> float:
    """The natural logarithm of the number of ways to choose some of a number of things."""
    return lgamma(number + 1) - lgamma(chosen + 1) - lgamma(number - chosen + 1)


def output_of(graph: Graph, name: object) -> Output:
    """The output of that name, or the only one that is not auxiliary; raises SettingError."""
    every = {output.name: output for output in graph.outputs}
    if name is not None:
        if isinstance(name, str) and name in every:
            return every[name]
        raise SettingError(
            f"expected an output of {graph.name}, received {received(name)}",
            hint=did_you_mean(name if isinstance(name, str) else "", every)
            or f"there are {_listed(every)}",
        )
    if len(main := main_outputs(graph)) == 1:
        return main[0]
    raise SettingError(
        f"expected one of the {len(main)} outputs of {graph.name} that paths lead to, "
        f"received none; there are {_listed([output.name for output in main])}"
    )


def main_outputs(graph: Graph) -> list[Output]:
    """The outputs that are not auxiliary; all where there are no others."""
    return [one for one in graph.outputs if not one.auxiliary] or graph.outputs


def _listed(names: Iterable[str], most: int = 12) -> str:
    every = list(names)
    return ", ".join(every[:most]) + (" ..." if len(every) > most else "")


def paths(analysis: Whole, output: str | None = None) -> Paths:
    """The paths to the output of that name, or to the only one that is not auxiliary.

    Raises SettingError where there is no such output, or where counting would take too much.
    """
    found = output_of(analysis.graph, output)
    return paths_to(analysis, found.tensor.node, found.name)


def paths_to(analysis: Whole, end: int, name: str) -> Paths:
    """The paths to the node of index `end`, which is called `name`, counted once."""
    counted: Paths | None = analysis.folds.get(("paths", end))
    if counted is None:
        counted = analysis.folds["paths", end] = _paths_to(analysis, end)
    return counted._replace(output=name)


def _paths_to(analysis: Whole, end: int) -> Paths:
    """The paths to a node, without the name of the output."""
    nodes = _leading_to(analysis.graph.nodes, [end], all_inputs=True)
    followed = _leading_to(analysis.graph.nodes, [end], all_inputs=False)
    deeper = deeper_branches(followed)
    bodies = residual_bodies(analysis.graph.nodes, deeper)
    counts, exact = count(_joins(followed, deeper))
    low, high = middle(counts.numbers)
    found = Paths(
        "",
        counts,
        exact,
        sum(map(len, deeper.values())),
        sum(map(len, bodies.values())),
        counts.first + low,
        counts.first + high,
        0,
        sum(node.op.weighted for node in path_to(followed, end)),
        sum(analysis.row(node).mult_adds for node in nodes if node.inputs),
        None, None, None,
    )  # fmt: skip
    found = found._replace(held=found.share(found.low, found.high))
    if all(scope.survival is None for scope in analysis.graph.root.walk()):
        return found
    kept = _Survival(analysis.graph.nodes, deeper)
    return found._replace(
        expected_bodies=kept.bodies(bodies),
        expected_depth=kept.expected(
            (node, 1) for node in path_to(followed, end) if node.op.weighted
        ),
        expected_mult_adds=kept.expected(
            (node, analysis.row(node).mult_adds) for node in nodes if node.inputs
        ),
    )


def middle(lengths: Sequence[int] | Sequence[float], share: Fraction = MIDDLE) -> tuple[int, int]:
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


def _leading_to(nodes: Sequence[Node], ends: Iterable[int], *, all_inputs: bool) -> list[Node]:
    """The nodes on the ways to some others, in their order; with `all_inputs` gates as well."""
    waiting = list(ends)
    found = set(waiting)
    while waiting:
        node = nodes[waiting.pop()]
        before = [t.node for t in node.inputs] if all_inputs else followed_inputs(node)
        new = set(before) - found
        found |= new
        waiting += new
    return [nodes[index] for index in sorted(found)]


def _joins(nodes: Sequence[Node], deeper: dict[int, list[int]]) -> list[Join]:
    """The sums and joins among these nodes; what lies between stands for what it takes."""
    origins: dict[int, int] = {}
    joins = []
    for node in nodes:
        through = deeper.get(node.index, ())
        parts = [
            (origins[tensor.node], i in through)
            for i, (tensor, windows) in enumerate(zip(node.inputs, node.facts.windows, strict=True))
            if windows is not HELD
        ]
        if not through and len(set(parts)) < 2:
            origins[node.index] = parts[0][0] if parts else 0
        else:
            origins[node.index] = node.index
            joins.append(Join(node.index, tuple(parts), bool(through)))
    return joins


class _Survival:
    """With which probability each layer is there in training."""

    def __init__(self, nodes: Sequence[Node], bodies: dict[int, list[int]]) -> None:
        self.scopes: dict[Scope, Fraction] = {}
        self.additions: dict[int, Fraction] = {}
        for index, positions in bodies.items():
            node = nodes[index]
            kept = self.additions[index] = _declared(node.scope)
            exits = {node.inputs[i].node for i in positions}
            for branch in node.scope.branches.values():
                if branch.exit is not None and branch.exit.node in exits:
                    self.scopes[branch] = kept

    def bodies(self, bodies: dict[int, list[int]]) -> Fraction:
        """The expected number of these residual bodies that are there."""
        counts = (self.additions[index] * len(positions) for index, positions in bodies.items())
        return sum(counts, Fraction(0))

    def expected(self, counts: Iterable[tuple[Node, int]]) -> Fraction:
        """What is expected of a sum over layers."""
        totals: dict[Scope, int] = {}
        for node, number in counts:
            totals[node.scope] = totals.get(node.scope, 0) + number
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
