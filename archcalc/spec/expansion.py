"""A Spec and its settings to a Graph.

Layers are counted before anything is expanded, so that an absurd repeat is refused at once. Names:
unnamed layers get their kind and a running number in their scope; a repeat adds no level; a
block's only join adds none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import words
from archcalc.errors import (
    FieldError,
    GraphError,
    LayerError,
    Place,
    SettingError,
    SpecError,
    did_you_mean,
    received,
    shown,
)
from archcalc.graph import About, Graph, GraphBuilder, Node, Output, Scope, Tensor, collector_paused
from archcalc.memo import Memo
from archcalc.ops import spelled
from archcalc.ops.fields import LARGEST
from archcalc.spec import model as m
from archcalc.spec.checker import layer_name
from archcalc.spec.layers import MOST_LAYERS
from archcalc.spec.settings import setting_problem
from archcalc.values import integral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from fractions import Fraction

MOST_STEPS = 20_000_000  # tokens of the expressions evaluated, layers and turns at ENTRY_COST each
ENTRY_COST = 10
LONGEST_NAME = 500  # characters of a full name
LONGEST_LABEL = 200
MOST_LEFT_OUT = 1000  # conditions in a scope that a message may speak of


def expand(
    spec: m.Spec,
    settings: Mapping[str, Any] | None = None,
    input: Sequence[int] | None = None,  # noqa: A002 - the option's name
    memo: Memo | None = None,
) -> Graph:
    """The graph of a spec at these settings; `input` overrides its input shape.

    `memo` takes the place of the spec's own; numbers that can't be keys need one that is off.

    Raises SettingError for settings that can't be, SpecError for what the spec gets wrong.
    """
    values = settled(spec, settings or {})
    try:
        _count_layers(spec, values)
        with collector_paused():
            return _Expansion(spec, values, memo or spec.memo).network(input)
    except m.TermError as error:
        raise SpecError(error.message, place=error.place) from None
    except GraphError as error:
        raise _worded(error, spec.place) from None


def settled(spec: m.Spec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every setting: the given ones, the variant's, the defaults."""
    for name, value in settings.items():
        setting = spec.settings.get(name)
        if setting is None:
            known = ", ".join(spec.settings) or "none"
            hint = words.near("SETTINGS", name, spec.settings) or f"its settings: {known}"
            wanted = f"expected a setting of {spec.network}, received {received(name)}"
            raise SettingError(wanted, hint=hint)
        if problem := setting_problem(setting, value):
            raise SettingError(f"{spec.network}: {problem}")
    return {**spec.defaults, **settings}


def _about(spec: m.Spec, values: dict[str, Any]) -> About:
    """What the spec says of the network besides its layers."""
    blocks = spec.blocks.values()
    return About(
        title=spec.title,
        paper=spec.paper,
        settings=values,
        label=spec.label(values),
        tables=spec.tables,
        changed=tuple(spec.changed(values)),
        arguments=tuple(dict.fromkeys(name for block in blocks for name in block.arguments)),
        origin=spec,
    )


# Counting before expanding.


def _count_layers(spec: m.Spec, values: Mapping[str, Any]) -> None:
    """Refuse more layers than `MOST_LAYERS` before the first is made.

    A count that depends on a block's arguments or on shapes is taken as its least; expansion
    itself counts as well.
    """
    count = _Count(spec, values, values, {})
    total = count.entries(spec.layers, spec.place)
    count.check(total, spec.place)


class _Count:
    """Counts the layers of entries, with the `values` known where they stand."""

    def __init__(
        self,
        spec: m.Spec,
        settings: Mapping[str, Any],
        values: Mapping[str, Any],
        blocks: dict[str, int],
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.values = values
        self.blocks = blocks

    def check(self, count: int, place: Place) -> int:
        if count <= MOST_LAYERS:
            return count
        many = f"{count:,}" if count < 10**15 else "more than 10**15"
        raise SpecError(
            f"expected at most {MOST_LAYERS:,} layers and loop turns, received {many}", place=place
        )

    def entries(self, entries: list[m.Entry], place: Place) -> int:
        return sum(self.entry(entry) for entry in entries)

    def entry(self, entry: m.Entry) -> int:
        if isinstance(entry, m.Repeat):
            times = self.known(entry.times)
            turns = 1 if integral(times) is None else times
            return self.loop(entry, turns, [entry.variable] if entry.variable else [])
        if isinstance(entry, m.ForEach):
            lists = [self.known(term) for term in entry.each.values()]
            turns = min((len(items) for items in lists if isinstance(items, list)), default=1)
            return self.loop(entry, turns, entry.each)
        if isinstance(entry, m.When):
            return self.arms(entry)
        if self.known(entry.when) is False:
            return 0
        if isinstance(entry, m.Call):
            return self.check(self.block(entry.block), entry.place) if entry.when is None else 0
        inner = entry.branches.values() if isinstance(entry, m.Join) else ()
        return 1 + sum(self.entries(branch, entry.place) for branch in inner)

    def loop(self, entry: m.Repeat | m.ForEach, turns: int, variables: Iterable[str]) -> int:
        inner = self.hiding(variables).entries(entry.layers, entry.place)
        return self.check(turns * max(1, inner), entry.place)

    def hiding(self, names: Iterable[str]) -> _Count:
        """Inside a loop or a block, whose names are not the settings of the same name."""
        values = {name: value for name, value in self.values.items() if name not in names}
        return _Count(self.spec, self.settings, values, self.blocks)

    def arms(self, entry: m.When) -> int:
        condition = self.known(entry.condition)
        if condition is True:
            return self.entries(entry.layers, entry.place)
        if condition is False:
            return self.entries(entry.otherwise, entry.place)
        return 0

    def block(self, name: str) -> int:
        if name not in self.blocks:
            block = self.spec.blocks[name]
            outside = _Count(self.spec, self.settings, self.settings, self.blocks)
            inner = outside.hiding(block.arguments)
            self.blocks[name] = inner.entries(block.layers, block.place)
        return self.blocks[name]

    def known(self, term: m.Term | None) -> Any:
        """A term's value as far as settings alone give it, else None."""
        if term is None:
            return None
        try:
            return term(self.values, ())
        except (m.TermError, IndexError):
            return None


# Expanding.


class _Names:
    """What a scope's layers are called so far; the enclosing scopes' names behind it."""

    __slots__ = ("left_out", "numbers", "outer", "taken")

    def __init__(self, outer: _Names | None) -> None:
        self.outer = outer
        self.taken: dict[str, Node | Scope | Tensor] = {}
        self.left_out: list[_LeftOut] = []
        self.numbers: dict[str, int] = {}

    def numbered(self, kind: str) -> str:
        """kind1, kind2, ...: the next one that is free."""
        number = self.numbers.get(kind, 0) + 1
        while (name := f"{kind}{number}") in self.taken:
            number += 1
        self.numbers[kind] = number
        return name


class _LeftOut(NamedTuple):
    """Entries that a condition, or a loop without turns, leaves out, and what names are there."""

    why: str
    entries: Sequence[m.Entry]
    values: Mapping[str, Any]
    shape: tuple[int, ...]

    def has(self, name: str) -> bool:
        """Whether one of the entries is called so."""
        return any(name == self.called(entry) for entry in _all_named(self.entries))

    def called(self, entry: m.Layer | m.Call) -> str | None:
        try:
            return entry.name(self.values, self.shape) if entry.name else None
        except (m.TermError, LookupError):  # a loop's variable, which has no value
            return None


def _all_named(entries: Iterable[m.Entry]) -> Iterator[m.Layer | m.Call]:
    """The entries that can have a name, those inside loops and conditions among them."""
    for entry in entries:
        if isinstance(entry, (m.Layer, m.Call)):
            yield entry
        else:
            yield from _all_named(entry.layers)
            if isinstance(entry, m.When):
                yield from _all_named(entry.otherwise)


class _Context:
    """Where expansion stands: the names defined, and the scope's layers."""

    __slots__ = ("lone_join", "names", "shared", "values")

    def __init__(
        self,
        values: Mapping[str, Any],
        names: _Names,
        lone_join: m.Join | None = None,
        shared: Scope | None = None,
    ) -> None:
        self.values = values
        self.names = names
        self.lone_join = lone_join
        self.shared = shared  # the block whose parameters this one shares

    def with_values(self, values: Mapping[str, Any]) -> _Context:
        merged = {**self.values, **values}
        return _Context(merged, self.names, self.lone_join, self.shared)


class _Body:
    """A block's layers as expanded; `size` and `steps` are what it took."""

    __slots__ = ("length", "scope", "size", "steps")

    def __init__(self, scope: Scope, size: int, steps: int) -> None:
        self.scope = scope
        self.size = size
        self.steps = steps
        self.length = max(len(node.scope.path) + len(node.name) for node in scope.nodes()) + 1


class _Expansion:
    def __init__(self, spec: m.Spec, values: dict[str, Any], memo: Memo) -> None:
        self.spec = spec
        self.settings = values
        self.memo = memo
        self.builder = GraphBuilder(spec.network, memo)
        self.steps = 0
        self.outward = 0  # references out of a block
        self.bodies = Memo(on=memo.on)  # of this graph's blocks

    def network(self, shape: Sequence[int] | None) -> Graph:
        place = self.spec.input.place if shape is None else None  # given elsewhere
        tensor = self.builder.input(self.input_shape(shape), place)
        names = _Names(None)
        names.taken["input"] = tensor
        context = _Context(self.settings, names, _lone_join(self.spec.layers))
        tensor = self.walk(self.spec.layers, tensor, context)
        if len(self.builder.nodes) == 1:
            raise SpecError("expected at least one layer, received none", place=self.spec.place)
        outputs = self.outputs(tensor, context)
        try:
            return self.builder.finish(outputs, _about(self.spec, self.settings))
        except GraphError as error:  # a layer that feeds no output
            sources = {node.path: node.source for node in self.builder.nodes}
            raise SpecError(
                error.fact,
                place=sources.get(error.layer or "") or self.spec.place,
                layer=error.layer,
                hint="take it with 'from:', list it under 'outputs:', or leave it out",
            ) from None

    def input_shape(self, given: Sequence[int] | None) -> tuple[int, ...]:
        term = self.spec.input
        own = term(self.settings, ())
        shape = own if given is None else list(given)
        if len(shape) != len(own):
            wanted = f"{len(own)} sizes, such as {spelled(tuple(own))}"
            raise SettingError(f"input: expected {wanted}, received {spelled(tuple(shape))}")
        sizes = tuple([size for size in map(integral, shape) if size is not None])
        if len(sizes) == len(own) > 0 and all(1 <= size <= LARGEST for size in sizes):
            return sizes
        expected = f"input: expected whole sizes from 1 to {LARGEST:,}, received "
        if given is not None:
            raise SettingError(expected + (spelled(tuple(shape)) or "none"))
        raise SpecError(expected + received(shown(shape)), place=term.place)

    def outputs(self, last: Tensor, context: _Context) -> list[Output]:
        found: list[Output] = []
        for declared in self.spec.outputs:
            for output in self.declared(declared, last, context):
                if any(output.name == other.name for other in found):
                    raise SpecError(
                        f"expected an output's name once, received {received(output.name)} again",
                        place=declared.name.place if declared.name else declared.source.place,
                    )
                found.append(output)
        if all(output.auxiliary for output in found):
            found.insert(0, Output(self.builder.nodes[last.node].path, last))
        found.sort(key=lambda output: output.auxiliary)
        return found

    def declared(
        self, output: m.NetworkOutput, last: Tensor, context: _Context
    ) -> Iterator[Output]:
        """The outputs that one entry declares."""
        source = output.source
        turns = list(self.turns("output", source.each, source.place, last, context))
        if not turns and not output.auxiliary:
            raise SpecError(
                "expected an output for each of a list, received an empty list", place=source.place
            )
        for inner in turns:
            if output.when is not None and not self.truth(output.when, inner, last):
                continue
            tensor, name = self.resolve(source, inner, last)
            if output.name is not None:
                name = output.name(inner.values, last.shape)
            yield Output(name, tensor, output.auxiliary)

    # Entries.

    def walk(self, entries: list[m.Entry], tensor: Tensor, context: _Context) -> Tensor:
        for entry in entries:
            tensor = self.entry(entry, tensor, context)
        return tensor

    def step(self, place: Place, count: int = 1, cost: int = 0) -> None:
        """Count layers, loop turns or items of values, and what their expressions cost."""
        self.steps += ENTRY_COST * count + cost
        if len(self.builder.nodes) > MOST_LAYERS:
            raise SpecError(f"expected at most {MOST_LAYERS:,} layers, received more", place=place)
        if self.steps > MOST_STEPS:
            raise SpecError(
                f"expected loops, blocks and expressions of at most {MOST_STEPS:,} steps, "
                "received more",
                place=place,
            )

    def entry(self, entry: m.Entry, tensor: Tensor, context: _Context) -> Tensor:
        if isinstance(entry, (m.Layer, m.Call)):
            self.step(entry.place, cost=entry.cost)
            if entry.when is not None and not self.truth(entry.when, context, tensor):
                self.leave_out([entry], entry.when.place, context, tensor)
                return tensor
            if isinstance(entry, m.Call):
                return self.call(entry, tensor, context)
            if isinstance(entry, m.Join):
                return self.join(entry, tensor, context)
            return self.layer(entry, tensor, context)
        if isinstance(entry, m.Repeat):
            return self.repeat(entry, tensor, context)
        if isinstance(entry, m.ForEach):
            return self.for_each(entry, tensor, context)
        self.step(entry.place, cost=entry.condition.cost)
        holds = self.truth(entry.condition, context, tensor)
        other = entry.otherwise if holds else entry.layers
        self.leave_out(other, entry.condition.place, context, tensor)
        return self.walk(entry.layers if holds else entry.otherwise, tensor, context)

    def leave_out(
        self, entries: Sequence[m.Entry], place: Place, context: _Context, tensor: Tensor
    ) -> None:
        """Keep what a condition leaves out, for the message to whoever names one of its layers."""
        if len(context.names.left_out) < MOST_LEFT_OUT:
            why = f"the `when` in line {place.line}"
            context.names.left_out.append(_LeftOut(why, entries, context.values, tensor.shape))

    def truth(self, term: m.Term, context: _Context, tensor: Tensor) -> bool:
        value = term(context.values, tensor.shape)
        if isinstance(value, bool):
            return value
        raise SpecError(
            f"expected true or false, received {received(shown(value))}", place=term.place
        )

    def repeat(self, entry: m.Repeat, tensor: Tensor, context: _Context) -> Tensor:
        self.step(entry.place, cost=entry.times.cost)
        value = entry.times(context.values, tensor.shape)
        times: int | None = integral(value)
        if times is None or times < 0:
            raise SpecError(
                f"times: expected a whole number of at least 0, received {shown(value)}",
                place=entry.times.place,
            )
        self.step(entry.place, times)
        for turn in range(times):
            inner = context.with_values({entry.variable: turn}) if entry.variable else context
            tensor = self.walk(entry.layers, tensor, inner)
        return tensor

    def for_each(self, entry: m.ForEach, tensor: Tensor, context: _Context) -> Tensor:
        for inner in self.turns("for", entry.each, entry.place, tensor, context):
            tensor = self.walk(entry.layers, tensor, inner)
        return tensor

    def turns(
        self,
        what: str,
        each: Mapping[str, m.Term] | None,
        place: Place,
        tensor: Tensor,
        context: _Context,
    ) -> Iterator[_Context]:
        """The context with the variables of each turn of a loop; itself where there is none."""
        if each is None:
            yield context
            return
        lists = {name: self.items(name, term, tensor, context) for name, term in each.items()}
        lengths = {name: len(items) for name, items in lists.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise SpecError(f"{what}: expected lists of one length, received: {said}", place=place)
        self.step(place, min(lengths.values(), default=0))
        for turn in zip(*lists.values(), strict=True):
            yield context.with_values(dict(zip(lists, turn, strict=True)))

    def items(self, name: str, term: m.Term, tensor: Tensor, context: _Context) -> Sequence[Any]:
        """The list a loop's variable goes through."""
        items = term(context.values, tensor.shape)
        if not isinstance(items, (list, tuple)):
            raise SpecError(
                f"{name}: expected a list, received {received(shown(items))}", place=term.place
            )
        self.step(term.place, sum(map(term.measure, items)), term.cost)
        return items

    # Layers.

    def layer(self, entry: m.Layer, tensor: Tensor, context: _Context) -> Tensor:
        inputs = [tensor]
        if entry.sources is not None:
            inputs = list(self.sources(entry, entry.sources, context, tensor))
        name = self.name(entry, entry.op.kind, context, tensor)
        inputs += [self.resolve(reference, context, tensor)[0] for reference in entry.named]
        op = self.op(entry, inputs[0], context, name)
        return self.add(entry, op, inputs, name, context, tensor)

    def add(
        self,
        entry: m.Layer,
        op: Any,
        inputs: list[Tensor],
        name: str,
        context: _Context,
        tensor: Tensor,
    ) -> Tensor:
        if more := len(inputs) + len(op.ports) - 2:
            self.step(entry.place, more)
        label = self.label(entry, name, context, tensor) if entry.label else None
        sharing = entry.weights is not None or context.shared is not None
        shared = self.shared(entry, name, context, tensor) if sharing else None
        try:
            node = self.builder.add(
                op, inputs, name, source=entry.place, shared_with=shared, label=label
            )
        except GraphError as error:
            place = _field_place(entry, error) or entry.place
            raise _worded(error, place) from None
        context.names.taken[name] = node
        return node.tensor()

    def label(
        self, entry: m.Layer | m.Call, name: str, context: _Context, tensor: Tensor
    ) -> str | None:
        if entry.label is None:
            return None
        label = entry.label(context.values, tensor.shape)
        if len(label) > LONGEST_LABEL:
            message = f"label: expected at most {LONGEST_LABEL} characters, received {len(label)}"
            raise self.problem(entry.label.place, message, name)
        return label

    def shared(self, entry: m.Layer, name: str, context: _Context, tensor: Tensor) -> Node | None:
        """The layer whose parameters this one uses: by its own `weights:`, or by its block's."""
        if entry.weights is not None:
            found = self.find(entry.weights, context, tensor)
            wanted = f"weights: expected an earlier {entry.op.kind} with parameters"
            if not isinstance(found, Node):
                got = "a block" if isinstance(found, Scope) else "an input"
                raise self.problem(entry.weights.place, f"{wanted}, received {got}", name)
            if not found.op.parameters(found.facts.inputs):
                got = f"{found.op.kind}, which has none"
                raise self.problem(entry.weights.place, f"{wanted}, received {got}", name)
            return found
        twin = context.shared.children.get(name) if context.shared else None
        return twin if isinstance(twin, Node) and twin.op.parameters(twin.facts.inputs) else None

    def op(self, entry: m.Layer, tensor: Tensor, context: _Context, name: str, **fixed: Any) -> Any:
        """The op, made once for equal fields."""
        names, shape = context.values, tensor.shape
        values = {field: entry.terms[field](names, shape) for field in entry.changing}
        if values:
            sizes = [entry.terms[field].measure(value) for field, value in values.items()]
            self.step(entry.place, sum(sizes))
        key = (entry, *map(_frozen, values.values()))
        if (known := self.memo.get(key)) is not None:
            return known
        return self.memo.keep(key, self.made(entry, {**values, **fixed}, name))

    def made(self, entry: m.Layer, values: Mapping[str, Any], name: str) -> Any:
        """The op with these values of the changing fields, and the constant ones."""
        constant = {field: term.value for field, term in entry.terms.items() if term.constant}
        try:
            return entry.op(**constant, **values)
        except LayerError as error:
            place = _field_place(entry, error) or entry.place
            raise self.problem(place, error.message, name, error.hint) from None

    def problem(self, place: Place, message: str, name: str, hint: str | None = None) -> SpecError:
        scope = self.builder.scope.path
        return SpecError(
            message, place=place, layer=f"{scope}/{name}" if scope else name, hint=hint
        )

    def name(self, entry: m.Layer | m.Call, kind: str, context: _Context, tensor: Tensor) -> str:
        """The entry's name, or kind and number; an error where it is taken."""
        if entry.name is None:
            name = context.names.numbered(kind)
            self.check_length(name, entry.place)
            return name
        place, name = entry.name.place, entry.name(context.values, tensor.shape)
        self.check_length(name, place)
        if not layer_name(name):
            raise SpecError(
                f"expected a name without blanks and / . @ # , = :, received {received(name)}",
                place=place,
            )
        if name == "input":
            what = "expected a layer's name, received 'input', the network's or the block's input"
            raise self.problem(place, what, name)
        if name in context.names.taken:
            hint = _first(context, name, place)
            raise self.problem(place, _duplicate(name), name, hint)
        return name

    def check_length(self, name: str, place: Place) -> None:
        length = len(self.builder.scope.path) + 1 + len(name)
        if length > LONGEST_NAME:
            raise SpecError(
                f"expected at most {LONGEST_NAME} characters in a layer's full name, "
                f"received {length}",
                place=place,
            )

    # Joins and blocks.

    def join(self, entry: m.Join, tensor: Tensor, context: _Context) -> Tensor:
        if entry is context.lone_join:
            return self.branches(entry, tensor, context, None)
        name = self.name(entry, entry.op.kind, context, tensor)
        with self.builder.enter(name, entry.op.kind, tensor) as scope:
            inner = _Context(context.values, _Names(context.names), None, _twin(context, name))
            scope.exit = self.branches(entry, tensor, inner, entry.op.kind)
            scope.source = entry.place
        context.names.taken[name] = scope
        return scope.exit

    def branches(
        self, entry: m.Join, tensor: Tensor, context: _Context, name: str | None
    ) -> Tensor:
        """Expand the branches, then join them; `name` is the join's in its own scope."""
        inputs = [
            self.branch(branch, layers, tensor, context)
            for branch, layers in entry.branches.items()
        ]
        if name is None:
            own = self.name(entry, entry.op.kind, context, tensor)
        else:  # a branch may be called like the join
            own = name if name not in context.names.taken else context.names.numbered(name)
        fixed = {}
        if entry.op.gate in entry.branches:
            fixed["gates"] = [list(entry.branches).index(entry.op.gate)]
        op = self.op(entry, tensor, context, own, **fixed)
        return self.add(entry, op, inputs, own, context, tensor)

    def branch(self, name: str, layers: list[m.Entry], tensor: Tensor, context: _Context) -> Tensor:
        if not layers:
            return tensor
        if name in context.names.taken:
            hint = _first(context, name, layers[0].place)
            raise self.problem(layers[0].place, _duplicate(name), name, hint)
        self.check_length(name, layers[0].place)
        only = layers[0]
        if len(layers) == 1 and isinstance(only, m.Call) and only.name is None:
            return self.block_branch(name, only, tensor, context)
        with self.builder.enter(name, "branch", tensor) as scope:
            names, twin = _Names(context.names), _twin(context, name)
            inner = _Context(context.values, names, _lone_join(layers), twin)
            scope.exit = self.walk(layers, tensor, inner)
            scope.source = layers[0].place
        context.names.taken[name] = scope
        self.builder.scope.branches[name] = scope
        return scope.exit

    def block_branch(self, name: str, entry: m.Call, tensor: Tensor, context: _Context) -> Tensor:
        """A branch that is one unnamed block: the block takes the branch's name and level."""
        self.step(entry.place, cost=entry.cost)
        if entry.when is not None and not self.truth(entry.when, context, tensor):
            return tensor
        exit_tensor = self.call(entry, tensor, context, name)
        scope = context.names.taken[name]
        if isinstance(scope, Scope) and scope.children:
            self.builder.scope.branches[name] = scope
        return exit_tensor

    def call(
        self, entry: m.Call, tensor: Tensor, context: _Context, branch: str | None = None
    ) -> Tensor:
        block = self.spec.blocks[entry.block]
        origin = tensor
        if entry.sources is not None:
            origin = self.resolve(entry.sources[0], context, tensor)[0]
        name = branch or self.name(entry, entry.block, context, tensor)
        label = self.label(entry, name, context, tensor)
        arguments = self.arguments(block, entry, origin, context)
        shared = self.shared_block(entry, name, context, tensor)
        survival = self.survival(entry, name, context, origin)
        applications = self.applications(entry, name, context, origin)
        with self.enter(entry, name, origin, applications) as scope:
            scope.arguments = arguments
            scope.survival = survival
            scope.label = label
            scope.source = entry.place
            scope.exit = self.body(block, self.builder.seen(origin), scope, context, shared)
        context.names.taken[name] = scope
        return scope.exit

    def enter(
        self, entry: m.Call, name: str, origin: Tensor, applications: int | None
    ) -> AbstractContextManager[Scope]:
        try:
            return self.builder.enter(name, entry.block, origin, applications)
        except GraphError as error:
            raise _worded(error, entry.times.place if entry.times else entry.place) from None

    def applications(
        self, entry: m.Call, name: str, context: _Context, tensor: Tensor
    ) -> int | None:
        """How often the block is applied, where that is said."""
        if entry.times is None:
            return None
        value = entry.times(context.values, tensor.shape)
        times: int | None = integral(value)
        if times is not None and 1 <= times <= LARGEST:
            return times
        message = f"times: expected a whole number of at least 1, received {received(shown(value))}"
        raise self.problem(entry.times.place, message, name)

    def body(
        self, block: m.Block, tensor: Tensor, scope: Scope, context: _Context, shared: Scope | None
    ) -> Tensor:
        """A block's layers; copied where it was expanded before with these arguments and shape."""
        arguments = scope.arguments
        key = (block.name, tensor.shape, *arguments, *map(_frozen, arguments.values()))
        before: _Body | None = self.bodies.get(key) if shared is None else None
        if before and self.has_room(before, scope):
            self.steps += before.steps
            return self.builder.repeat(before.scope)
        names = _Names(context.names)
        names.taken["input"] = tensor
        values = {**self.settings, **arguments}
        inner = _Context(values, names, _lone_join(block.layers), shared)
        steps, nodes, outward = self.steps, len(self.builder.nodes), self.outward
        exit_tensor = self.walk(block.layers, tensor, inner)
        size = len(self.builder.nodes) - nodes
        if size and shared is None and outward == self.outward:
            self.bodies.keep(key, _Body(scope, size, self.steps - steps))
        return exit_tensor

    def has_room(self, body: _Body, scope: Scope) -> bool:
        """Whether the body may be there once more; if not, expanding it says what is too much."""
        return (
            len(self.builder.nodes) + body.size <= MOST_LAYERS
            and self.steps + body.steps <= MOST_STEPS
            and body.length + len(scope.path) - len(body.scope.path) <= LONGEST_NAME
        )

    def survival(
        self, entry: m.Call, name: str, context: _Context, tensor: Tensor
    ) -> int | Fraction | None:
        """The probability that the block's residual bodies are kept in training."""
        if entry.survival is None:
            return None
        value = entry.survival(context.values, tensor.shape)
        number = hasattr(value, "denominator") and not isinstance(value, bool)
        if number and 0 <= value <= 1:
            return value  # type: ignore[no-any-return]
        message = f"survival: expected a number from 0 to 1, received {received(shown(value))}"
        raise self.problem(entry.survival.place, message, name)

    def shared_block(
        self, entry: m.Call, name: str, context: _Context, tensor: Tensor
    ) -> Scope | None:
        if entry.weights is None:
            return _twin(context, name)
        found = self.find(entry.weights, context, tensor)
        if not isinstance(found, Scope) or found.kind != entry.block:
            got = f"a block {found.kind}" if isinstance(found, Scope) else "no block"
            message = f"weights: expected a block {entry.block}, received {got}"
            raise self.problem(entry.weights.place, message, name)
        return found

    def arguments(
        self, block: m.Block, entry: m.Call, tensor: Tensor, context: _Context
    ) -> dict[str, Any]:
        """The block's arguments: given ones in the caller's terms, defaults in the block's own."""
        values: dict[str, Any] = {}
        for name, argument in block.arguments.items():
            term = entry.terms.get(name, argument.default)
            if term is not None:
                names = context.values if name in entry.terms else self.settings
                values[name] = term(names, tensor.shape)
                self.step(entry.place, term.measure(values[name]), term.cost)
        return values

    # References.

    def sources(
        self,
        entry: m.Layer,
        references: Iterable[m.Reference],
        context: _Context,
        tensor: Tensor,
    ) -> Iterator[Tensor]:
        """What a layer takes by `from`; an error if loops name nothing."""
        count = 0
        for reference in references:
            for inner in self.turns("from", reference.each, reference.place, tensor, context):
                count += 1
                yield self.resolve(reference, inner, tensor)[0]
        if not count:
            what = f"{entry.op.kind}: expected 1 input or more, received none"
            raise SpecError(what, place=entry.place)

    def resolve(
        self, reference: m.Reference, context: _Context, tensor: Tensor
    ) -> tuple[Tensor, str]:
        """The tensor a reference names, and its name."""
        text = reference.template(context.values, tensor.shape)
        name, _, port = text.partition(".")
        found = self.lookup(name, reference, context)
        tensor, path = self.output_of(found, port, text, reference)
        try:
            return self.builder.seen(tensor), path
        except GraphError as error:
            raise _worded(error, reference.place) from None

    def output_of(
        self, found: Node | Scope | Tensor, port: str, text: str, reference: m.Reference
    ) -> tuple[Tensor, str]:
        """The tensor that something found by its name gives at a port ("": the first)."""
        if isinstance(found, Tensor):
            if port:
                raise self.no_port(text, ("output",), reference)
            return found, text
        if isinstance(found, Scope):
            if port or found.exit is None:
                raise self.no_port(text, ("output",), reference)
            return found.exit, found.path
        ports = found.op.ports
        if not port and len(ports) > 1 and ports[0] == "0":
            raise self.no_port(text, ports, reference)
        if port not in ports and (port in found.op.fields or port == "switches"):
            raise SpecError(
                f"expected a layer that gives {port}, received the {found.op.title} {found.path}",
                place=reference.place,
                hint=f"write {port}: true among its fields" if port in found.op.fields else None,
            )
        if port and port not in ports:
            raise self.no_port(text, ports, reference)
        return found.tensor(ports.index(port) if port else 0), found.path

    def no_port(self, text: str, ports: tuple[str, ...], reference: m.Reference) -> SpecError:
        name = text.partition(".")[0]
        some = [*ports[:4], "..."] if len(ports) > 5 else ports
        known = " or ".join(f"{name}.{port}" if len(ports) > 1 else name for port in some)
        return SpecError(f"expected {known}, received {received(text)}", place=reference.place)

    def find(
        self, reference: m.Reference, context: _Context, tensor: Tensor
    ) -> Node | Scope | Tensor:
        return self.lookup(reference.template(context.values, tensor.shape), reference, context)

    def lookup(self, path: str, reference: m.Reference, context: _Context) -> Node | Scope | Tensor:
        """An earlier layer or block by name, from the innermost scope outwards."""
        first, *rest = path.split("/")
        names: _Names | None = context.names
        while names is not None and first not in names.taken:
            self.outward += "input" in names.taken
            names = names.outer
        found: Any = names.taken[first] if names is not None else None
        for name in rest:
            found = found.children.get(name) if isinstance(found, Scope) else None
        if found is None:
            raise SpecError(
                f"expected an earlier layer, received {received(path)}",
                place=reference.place,
                layer=self.builder.scope.path or None,
                hint=_left_out(first, context) or did_you_mean(path, _reachable(context)),
            )
        return found  # type: ignore[no-any-return]


def _duplicate(name: str) -> str:
    return f"duplicate layer name: expected a new one, received {received(name)} again"


def _frozen(value: Any) -> Any:
    """A value that can be looked up; 1 and true are not the same."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return (bool, value) if isinstance(value, bool) else value


def _twin(context: _Context, name: str) -> Scope | None:
    """The scope of that name in the block whose parameters are shared."""
    twin = context.shared.children.get(name) if context.shared else None
    return twin if isinstance(twin, Scope) else None


def _lone_join(entries: list[m.Entry]) -> m.Join | None:
    """The only join of a block or branch, which adds no level; None if there are more."""
    joins = _joins(entries)
    return joins[0] if len(joins) == 1 else None


def _joins(entries: list[m.Entry]) -> list[m.Join | None]:
    """The joins of a scope; None for each that a loop may repeat."""
    found: list[m.Join | None] = []
    for entry in entries:
        if isinstance(entry, m.Join):
            found.append(entry)
        elif isinstance(entry, m.When):
            found += _joins(entry.layers) + _joins(entry.otherwise)
        elif isinstance(entry, (m.Repeat, m.ForEach)):
            found += [None] * len(_joins(entry.layers))
    return found


# What the graph's builder calls by another word than a spec.
_WORDS = {"shared_with": "weights", "applications": "times", "inputs": "from"}


def _worded(error: FieldError, place: Place) -> SpecError:
    """What can't be built, in a spec's words and with its place."""
    word = _WORDS.get(error.field or "", error.field)
    message = f"{word}: {error.fact}" if word else error.fact
    return SpecError(message, place=place, layer=error.layer, hint=error.hint)


def _field_place(entry: m.Layer, error: FieldError) -> Place | None:
    """Where the field stands that is wrong."""
    field = _WORDS.get(error.field or "", error.field)
    if field == "weights" and entry.weights is not None:
        return entry.weights.place
    if field in entry.op.references:
        return entry.named[entry.op.references.index(field)].place
    term = entry.terms.get(field) if field else None
    return term.place if term else None


def _first(context: _Context, name: str, place: Place) -> str | None:
    """Where a name was given first; in a loop it is the same line."""
    other = context.names.taken.get(name)
    if not isinstance(other, (Node, Scope)) or other.source is None:
        return None
    if other.source.line == place.line:
        return f"in a loop, put its index into the name: {name}{{i}}"
    return f"the first is in line {other.source.line}"


def _left_out(name: str, context: _Context) -> str | None:
    """Why a layer of that name is not there, where a condition leaves it out."""
    names: _Names | None = context.names
    while names is not None:
        for left_out in names.left_out:
            if left_out.has(name):
                return f"it is left out by {left_out.why}; the same `when` here leaves this out too"
        names = names.outer
    return None


def _reachable(context: _Context) -> list[str]:
    """Names that `from:` could take, the nearest scope's last."""
    found: list[str] = []
    names: _Names | None = context.names
    while names is not None and len(found) < 1000:
        found += list(names.taken)[-500:]
        names = names.outer
    return found
