"""What a spec says, after reading and before expansion: settings, blocks, entries, terms.

A term is a field's value as written: constant, or with expressions that expansion evaluates.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import shown
from archcalc.spec.expressions import Expression, ExpressionError, measured
from archcalc.values import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archcalc.errors import Place
    from archcalc.graph import DeclaredTable
    from archcalc.memo import Memo
    from archcalc.ops import Op
    from archcalc.ops.base import Shape


class TermError(Exception):
    """An expression that can't be evaluated, with its place."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


class Term:
    """A value as written: `constant`, or an expression, or a list of terms."""

    __slots__ = ("constant", "expression", "items", "place", "value")

    def __init__(
        self,
        place: Place,
        value: Any = None,
        expression: Expression | None = None,
        items: list[Term] | None = None,
    ) -> None:
        self.place = place
        self.value = value
        self.expression = expression
        self.items = items
        self.constant = expression is None
        if items is not None:
            self.constant = all(item.constant for item in items)
            self.value = [item.value for item in items] if self.constant else None

    def __call__(self, names: Mapping[str, Any], incoming: Shape) -> Any:
        """The value, with these names defined and this incoming shape; raises TermError."""
        if self.constant:
            return self.value
        if self.items is not None:
            values = [item(names, incoming) for item in self.items]
            self.measure(values)
            return values
        assert self.expression is not None
        try:
            return self.expression(names, incoming)
        except ExpressionError as error:
            place = self.place._replace(column=self.place.column + error.offset)
            raise TermError(f"{error.message}, in '{self.expression.text}'", place) from None

    def measure(self, value: Any) -> int:
        """How many items a value of this term has; raises TermError if too many."""
        try:
            return measured(value)
        except ExpressionError as error:
            raise TermError(error.message, self.place) from None

    @property
    def cost(self) -> int:
        """What evaluating it may cost, in tokens of its expressions."""
        if self.items is not None:
            return sum(item.cost for item in self.items)
        return 0 if self.expression is None else self.expression.cost

    def expressions(self) -> list[Term]:
        """The terms below that are expressions."""
        if self.items is not None:
            return [inner for item in self.items for inner in item.expressions()]
        return [] if self.expression is None else [self]


class Template:
    """A name or label, with `{expression}` parts filled in at expansion."""

    __slots__ = ("literal", "parts", "place")

    def __init__(self, parts: list[str | Term], place: Place) -> None:
        self.parts = parts
        self.place = place
        only = parts[0] if len(parts) == 1 else None
        self.literal = only if isinstance(only, str) else None  # nothing has to be filled in

    def __call__(self, names: Mapping[str, Any], incoming: Shape) -> str:
        if self.literal is not None:
            return self.literal
        return "".join(
            part if isinstance(part, str) else _shown(part(names, incoming)) for part in self.parts
        )

    @property
    def cost(self) -> int:
        return sum(part.cost for part in self.parts if isinstance(part, Term))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Reference(NamedTuple):
    """A layer named by `from:`, `weights:` or `outputs:`, its port after a dot.

    With `each`, one layer for each turn of its lists, which go in step.
    """

    template: Template
    place: Place
    each: Mapping[str, Term] | None = None


class Common:
    """What every entry may carry."""

    __slots__ = ("_cost", "label", "name", "place", "sources", "terms", "weights", "when")

    def __init__(self, place: Place, terms: dict[str, Term]) -> None:
        self.place = place
        self.terms = terms
        self._cost: int | None = None
        self.name: Template | None = None
        self.label: Template | None = None
        self.sources: list[Reference] | None = None
        self.weights: Reference | None = None
        self.when: Term | None = None

    @property
    def cost(self) -> int:
        """What evaluating its expressions may cost, in tokens."""
        if self._cost is None:
            references = [*(self.sources or ()), *([self.weights] if self.weights else ())]
            parts = [self.name, self.label, self.when, *(r.template for r in references)]
            own = sum([term.cost for term in self.terms.values() if not term.constant])
            self._cost = own + sum(part.cost for part in parts if part)
        return self._cost


class Layer(Common):
    """A layer of a built-in kind; `named` are inputs with keys of their own (`switches:`)."""

    __slots__ = ("changing", "named", "op")

    def __init__(self, place: Place, op: type[Op], terms: dict[str, Term]) -> None:
        super().__init__(place, terms)
        self.op = op
        self.changing = tuple(name for name, term in terms.items() if not term.constant)
        self.named: list[Reference] = []


class Join(Layer):
    """add, concat or multiply over named branches (or over `from:` layers, as a plain Layer)."""

    __slots__ = ("branches",)

    def __init__(
        self, place: Place, op: type[Op], terms: dict[str, Term], branches: dict[str, list[Entry]]
    ) -> None:
        super().__init__(place, op, terms)
        self.branches = branches


class Call(Common):
    """A block used as a layer, with its arguments; `times`: how often it is applied."""

    __slots__ = ("block", "survival", "times")

    def __init__(self, place: Place, block: str, terms: dict[str, Term]) -> None:
        super().__init__(place, terms)
        self.block = block
        self.survival: Term | None = None
        self.times: Term | None = None

    @property
    def cost(self) -> int:
        return super().cost + sum(term.cost for term in (self.survival, self.times) if term)


class Repeat(NamedTuple):
    """The same layers several times; `variable` counts from 0."""

    place: Place
    times: Term
    variable: str | None
    layers: list[Entry]


class ForEach(NamedTuple):
    """The layers once for each item of the lists, which go in step."""

    place: Place
    each: dict[str, Term]
    layers: list[Entry]


class When(NamedTuple):
    """Layers that are there if a condition holds, and those that are there if not."""

    place: Place
    condition: Term
    layers: list[Entry]
    otherwise: list[Entry]


Entry = Layer | Join | Call | Repeat | ForEach | When


class Setting(NamedTuple):
    """A setting of the network: its default, and what else it may be."""

    name: str
    default: Any
    choices: tuple[Any, ...] | None
    minimum: Any
    doc: str
    place: Place


class Argument(NamedTuple):
    """An argument of a block: required, or with a default; a word where the default is one."""

    name: str
    default: Term | None  # None: required

    @property
    def is_word(self) -> bool:
        return self.default is not None and isinstance(self.default.value, str)


class Block(NamedTuple):
    """Layers under a name, with arguments."""

    name: str
    doc: str
    arguments: dict[str, Argument]
    layers: list[Entry]
    place: Place


class Variant(NamedTuple):
    """One of several networks in a file: settings that differ, and how it is called."""

    name: str
    title: str
    aliases: tuple[str, ...]
    settings: dict[str, Any]
    place: Place


class NetworkOutput(NamedTuple):
    """An output as declared: the layer (or several, with `each`), and when it is one."""

    source: Reference
    name: Template | None
    auxiliary: bool
    when: Term | None


class Spec(NamedTuple):
    """A network family as its file declares it; `variant` picks one of several.

    `memo` has what expanding it has computed, for all variants and settings.
    """

    name: str
    title: str
    file: str
    text: str
    doc: str
    paper: dict[str, str]
    aliases: tuple[str, ...]
    settings: dict[str, Setting]
    input: Term
    blocks: dict[str, Block]
    layers: list[Entry]
    outputs: list[NetworkOutput]
    variants: dict[str, Variant]
    tables: dict[str, DeclaredTable]
    path: str
    variant: Variant | None
    place: Place
    memo: Memo

    @property
    def home(self) -> str:
        """The file it is in, however its path is written; of a text, what that is called."""
        return os.path.realpath(self.path) if self.path else self.file

    @property
    def network(self) -> str:
        """The network's name: the variant's where there is one."""
        return self.variant.name if self.variant else self.name

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings' values, the variant's where it has them."""
        values = {name: setting.default for name, setting in self.settings.items()}
        return {**values, **(self.variant.settings if self.variant else {})}

    def changed(self, settings: Mapping[str, Any]) -> list[str]:
        """The settings that differ from the network's own: `alpha=0.5`.

        Recorded numbers are left out: they stand for many, the network's own among them.
        """
        own = self.defaults
        known = {k: v for k, v in settings.items() if k in own and not isinstance(v, Number)}
        return [f"{k}={shown(v)}" for k, v in known.items() if own[k] != v]

    def label(self, settings: Mapping[str, Any]) -> str:
        """The network's name with these: `mobilenet@alpha=0.5,resolution=160`."""
        pairs = self.changed(settings)
        return f"{self.network}@{','.join(pairs)}" if pairs else self.network
