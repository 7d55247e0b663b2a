"""What a tool's file states: rules by layer kind, each giving named terms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from archcalc.graph import Node
    from archcalc.ops import Facts

    Rule = Callable[[Any, Facts], "Iterable[Term]"]


class Term(NamedTuple):
    """A named part of a difference, for one input of the batch; negative: counted less."""

    name: str
    number: int


class Tool(NamedTuple):
    """A counter: its rules, and what it is to be called.

    `name` is that of its package and in options, `version` the one whose source was read, `source`
    the file in which it counts, `what` the call. `param_terms` is None where it counts no params.
    `unit` is how many of its units are one Mult-Add. `again` are rules for each application of a
    layer after the first, where a layer is applied several times, besides its own rule.
    """

    name: str
    version: str
    what: str
    source: str
    rules: Mapping[str, Rule]
    param_terms: Callable[[Node], Iterable[Term]] | None
    unit: int = 1
    again: Mapping[str, Rule] = {}

    def mult_add_terms(self, node: Node) -> list[Term]:
        """How its count of a layer differs from our Mult-Adds, all applications together."""
        found: list[Term] = []
        for rules, times in ((self.rules, node.times), (self.again, node.times - 1)):
            rule = rules.get(node.op.kind)
            terms = rule(node.op, node.facts) if rule else ()
            found += [Term(name, count * times) for name, count in terms if count and times]
        return found

    def params_terms(self, node: Node) -> list[Term]:
        """How its count of a layer's params differs from ours."""
        found = self.param_terms(node) if self.param_terms else ()
        return [term for term in found if term.number]


def together(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms of one name added up, the largest first."""
    sums: dict[str, int] = {}
    for name, count in terms:
        sums[name] = sums.get(name, 0) + count
    found = [Term(name, count) for name, count in sums.items() if count]
    return tuple(sorted(found, key=lambda term: -abs(term.number)))


# What rules are made of.


def inputs(facts: Facts) -> int:
    """Elements of a layer's first input."""
    return math.prod(facts.inputs[0])


def outputs(facts: Facts) -> int:
    """Elements of a layer's first output."""
    return math.prod(facts.outputs[0])


def per_output(name: str, times: int = 1) -> Rule:
    """So many for each output element."""
    return lambda op, facts: [Term(f"{name}, {times} an output", times * outputs(facts))]


def per_input(name: str, times: int = 1) -> Rule:
    """So many for each input element."""
    return lambda op, facts: [Term(f"{name}, {times} an input", times * inputs(facts))]


def per_element(name: str, times: int = 1) -> Rule:
    """So many for each element of a layer whose output has its input's shape."""
    return lambda op, facts: [Term(f"{name}, {times} an element", times * inputs(facts))]


def per_sample(name: str, times: int = 1) -> Rule:
    """So many for each value between four that regions are made of."""
    return lambda op, facts: [
        Term(f"{name}, {times} a sample", times * outputs(facts) * op.samples**2)
    ]


def norm(name: str, scaled: int, bare: int) -> Rule:
    """A normalization: so many an element with a scale and shift, so many without."""

    def rule(op: Any, facts: Facts) -> list[Term]:
        if op.affine:
            return [Term(f"{name}, {scaled} an element", scaled * inputs(facts))]
        return [Term(f"{name} without a scale, {bare} an element", bare * inputs(facts))]

    return rule


def where(holds: Callable[[Any, Facts], bool], rule: Rule, other: Rule | None = None) -> Rule:
    """A rule for layers of which something holds, and another for the rest (0 if left out)."""

    def chosen(op: Any, facts: Facts) -> Iterable[Term]:
        if holds(op, facts):
            return rule(op, facts)
        return other(op, facts) if other else ()

    return chosen


def both(*rules: Rule) -> Rule:
    """The terms of several rules."""
    return lambda op, facts: [term for rule in rules for term in rule(op, facts)]


def missed(name: str) -> Rule:
    """Mult-Adds that are not counted at all."""
    return lambda op, facts: [Term(f"{name}, not counted", -facts.mult_adds)]


def biases(op: Any, facts: Facts) -> list[Term]:
    """The addition of a bias at each output."""
    return [Term("bias additions", outputs(facts) if op.bias else 0)]


def rank(facts: Facts) -> int:
    """How many spatial axes come in."""
    return len(facts.inputs[0]) - 1


def kernel(op: Any, facts: Facts) -> int:
    """Elements of a kernel."""
    each = op.kernel
    return math.prod(each) if isinstance(each, tuple) else int(each ** rank(facts))


def transposed_at_outputs(op: Any, facts: Facts) -> list[Term]:
    """A transposed convolution as if each output saw a whole kernel: every zero put in between."""
    channels = facts.inputs[0][0]
    at_outputs = outputs(facts) * (channels // op.groups) * kernel(op, facts)
    return [Term("transposed convolution counted at outputs (bug)", at_outputs - facts.mult_adds)]


def shared_again(node: Node) -> list[Term]:
    """Parameters that a layer shares with another, counted at both."""
    if node.shared_with is None:
        return []
    return [Term("shared parameters counted again", node.facts.params)]


def nothing(_: Node) -> list[Term]:
    """Params as archcalc counts them: every trainable tensor once."""
    return []
