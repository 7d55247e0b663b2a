"""Layers of a spec: kinds with their fields, joins, blocks used as layers, loops and conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from archcalc import words
from archcalc.errors import LayerError, did_you_mean, received
from archcalc.ops import KINDS
from archcalc.ops.fields import REQUIRED
from archcalc.spec import model as m
from archcalc.spec.checker import LONGEST_NAME, WORD, Checker, Names, TooMany
from archcalc.spec.reader import Mapping, Marked, Scalar, Sequence
from archcalc.values import integral

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archcalc.ops import Op
    from archcalc.ops.fields import Field

LAYER_KINDS = {name: op for name, op in KINDS.items() if name != "input"}
JOINS = ("add", "concat", "multiply")
STRUCTURE = ("repeat", "for", "when")
COMMON = ("name", "from", "weights", "when", "label")
OF_BLOCKS = ("times", "survival")  # what a block used as a layer takes besides
MOST_LAYERS = 200_000

_WHEN = ("condition", "layers", "else")


class LayersChecker(Checker):
    """Lists of layers; `arguments` are those of the file's blocks."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.arguments: dict[str, dict[str, m.Argument]] = {}
        self.written = 0

    def layers(self, node: Marked | None, names: Names) -> list[m.Entry]:
        found = [self.entry(item, names) for item in self.sequence(node, "a list of layers")]
        return [entry for entry in found if entry is not None]

    def entry(self, node: Marked, names: Names) -> m.Entry | None:
        """`relu`, or one key with its fields: `conv: {out: 64, kernel: 3}`."""
        self.layer = None
        self.written += 1
        if self.written > MOST_LAYERS:
            self.error(node, f"expected at most {MOST_LAYERS:,} layers, received more")
            raise TooMany
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return self.layer_of(node, node.text, Mapping(node.line, node.column), names)
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            self.expected(node, "a layer: a kind, or one kind with its fields", _hint_layer(node))
            return None
        [(kind, (key, value))] = node.entries.items()
        if isinstance(value, Scalar) and value.plain and value.value is None:
            value = Mapping(value.line, value.column)
        if not isinstance(value, Mapping):
            op = LAYER_KINDS.get(kind)
            example = f"{next(iter(op.fields))}: ..." if op and op.fields else "name: ..."
            hint = _hint_join(kind, value) if kind in JOINS else None
            self.expected(value, f"the fields of {kind}, such as {{{example}}}", hint)
            return None
        return self.layer_of(key, kind, value, names)

    def layer_of(self, key: Scalar, kind: str, fields: Mapping, names: Names) -> m.Entry | None:
        if kind in STRUCTURE:
            structure: m.Entry = _STRUCTURE[kind](self, key, fields, names)
            return structure
        name = fields.get("name")
        self.layer = name.text[:LONGEST_NAME] if isinstance(name, Scalar) else None
        entry: m.Layer | m.Call
        if kind in JOINS and "from" in fields.entries:
            self._either_way(kind, fields)
        if kind in JOINS and "from" not in fields.entries:
            entry = self.join(key, LAYER_KINDS[kind], fields, names)
        elif kind in LAYER_KINDS:
            entry = self.plain_layer(key, LAYER_KINDS[kind], fields, names)
        elif kind in self.arguments:
            entry = self.call(key, kind, fields, names)
        else:
            known = [*LAYER_KINDS, *self.arguments, *STRUCTURE]
            hint = words.kind(kind, known)
            self.error(key, f"expected a layer kind or a block, received {received(kind)}", hint)
            return None
        self.common(entry, fields, names)
        self.layer = None
        return entry

    def _either_way(self, kind: str, fields: Mapping) -> None:
        """A join has branches, or takes layers by `from:`."""
        for name, (key, value) in fields.entries.items():
            if isinstance(value, Sequence) and name not in COMMON:
                self.error(key, f"{kind}: expected branches or 'from', received both")
                fields.entries = {k: v for k, v in fields.entries.items() if v[0] is not key}

    def common(self, entry: m.Layer | m.Call, fields: Mapping, names: Names) -> None:
        entry.name = self.template(fields.get("name"), names)
        entry.label = self.template(fields.get("label"), names, free=True)
        before = len(self.errors)
        entry.sources = self.references(fields.get("from"), names)
        understood = len(self.errors) == before
        entry.weights = self.reference(fields.get("weights"), names)
        entry.when = self.condition(fields.get("when"), names)
        if understood and not isinstance(entry, m.Join):
            self._sources(entry, fields)

    def _sources(self, entry: m.Layer | m.Call, fields: Mapping) -> None:
        """A layer takes as many inputs as its kind does; one where nothing is said."""
        fewest, most = entry.op.arity if isinstance(entry, m.Layer) else (1, 1)
        kind = entry.op.kind if isinstance(entry, m.Layer) else f"block {entry.block}"
        count = len(entry.sources) if entry.sources is not None else 1
        count += len(entry.op.references) if isinstance(entry, m.Layer) else 0
        node = fields.get("from") or fields
        if any(reference.each is not None for reference in entry.sources or ()):
            if most == 1:
                self.error(node, f"{kind}: expected 1 input, received a loop")
            return  # how many is seen when the lists are
        if not fewest <= count <= most:
            wanted = "1 input" if most == 1 else f"{fewest} inputs"
            wanted += " or more" if most > fewest else ""
            self.error(node, f"{kind}: expected {wanted}, received {count}")

    def plain_layer(self, key: Scalar, op: type[Op], fields: Mapping, names: Names) -> m.Layer:
        known = [name for name in op.fields if name not in op.hidden]
        self.keys(fields, [*known, *op.references, *COMMON], op.kind)
        layer = m.Layer(self.place(key), op, self.fields(op, fields, names))
        self._required(
            key, op.kind, (f for f in op.fields.values() if f.default is REQUIRED), fields
        )
        for port in op.references:
            if port not in fields.entries:
                what = f"{op.kind}: expected {port!r} (a layer with {port}: true), received none"
                self.error(key, what)
            elif reference := self.reference(fields.get(port), names):
                layer.named.append(_of_port(reference, port))
        return layer

    def fields(self, op: type[Op], fields: Mapping, names: Names) -> dict[str, m.Term]:
        return {
            name: self.field(field, value, names)
            for name, field in op.fields.items()
            if (value := fields.get(name)) is not None
        }

    def field(self, field: Field, node: Marked, names: Names) -> m.Term:
        """A field's term; a constant one is checked here, an expression when it is evaluated."""
        before = len(self.errors)
        term = self.term(node, names, field.words)
        if term.constant and len(self.errors) == before:
            try:
                field.convert(term.value)
            except LayerError as error:
                self.error(node, error.message)
        return term

    def _required(self, key: Scalar, kind: str, needed: Iterable[Field], fields: Mapping) -> None:
        for field in needed:
            if field.name not in fields.entries:
                what = f"{kind}: expected {field.name!r} ({field.expected}), received none"
                self.error(key, what)

    def join(self, key: Scalar, op: type[Op], fields: Mapping, names: Names) -> m.Join:
        """Branches: every key that is not a field is one; the empty list is the identity."""
        own = [name for name in op.fields if name not in op.hidden]
        branches = {}
        for name, (branch_key, value) in fields.entries.items():
            if name in COMMON or name in own:
                continue
            self.check_name(branch_key, name)
            if not isinstance(value, Sequence):
                what = f"a branch: a list of layers under {received(name)}"
                self.expected(value, what, did_you_mean(name, [*own, *COMMON]))
                continue
            branches[name] = self.layers(value, names)
        if not branches:
            self.error(
                key,
                f"{op.kind}: expected branches (named lists of layers) or 'from', received none",
            )
        return m.Join(self.place(key), op, self.fields(op, fields, names), branches)

    def call(self, key: Scalar, block: str, fields: Mapping, names: Names) -> m.Call:
        arguments = self.arguments[block]
        self.keys(fields, [*arguments, *COMMON, *OF_BLOCKS], f"block {block}")
        terms = {}
        for name, argument in arguments.items():
            value = fields.get(name)
            if value is None:
                if argument.default is None:
                    self.error(key, f"block {block}: expected its argument {name!r}, received none")
            elif argument.is_word and _is_word(value) and value.text not in names:
                terms[name] = m.Term(self.place(value), value=value.text)
            else:
                terms[name] = self.term(value, names)
        call = m.Call(self.place(key), block, terms)
        if survival := fields.get("survival"):
            call.survival = self.term(survival, names)
        if times := fields.get("times"):
            call.times = self.term(times, names)
            value = call.times.value
            if call.times.constant and (integral(value) is None or value < 1):
                self.expected(times, "times: a whole number of at least 1")
        return call

    # Structure.

    def repeat(self, key: Scalar, node: Mapping, names: Names) -> m.Repeat:
        self.keys(node, ("times", "index", "layers"), "repeat")
        times, layers = node.get("times"), node.get("layers")
        needed = ("times", "layers")
        if times is None or layers is None:
            self.error(
                key, f"repeat: expected 'times' and 'layers', received {_listed(node, needed)}"
            )
        index = node.get("index")
        variable = (
            index.text if isinstance(index, Scalar) and self.identifier(index, "an index") else None
        )
        term = self.term(times, names) if times else m.Term(self.place(key), value=1)
        if times and term.constant and (integral(term.value) is None or term.value < 0):
            self.expected(times, "times: a whole number of at least 0")
        inner = names | {variable} if variable else names
        return m.Repeat(self.place(key), term, variable, self.layers(layers, inner))

    def for_each(self, key: Scalar, node: Mapping, names: Names) -> m.ForEach:
        self.keys(node, ("each", "layers"), "for")
        needed = ("each", "layers")
        if node.get("each") is None or node.get("layers") is None:
            self.error(key, f"for: expected 'each' and 'layers', received {_listed(node, needed)}")
        lists = self.lists(node.get("each"), names)
        inner = names | frozenset(lists)
        return m.ForEach(self.place(key), lists, self.layers(node.get("layers"), inner))

    def when(self, key: Scalar, node: Mapping, names: Names) -> m.When:
        self.keys(node, _WHEN, "when")
        condition = node.get("condition")
        if condition is None or (node.get("layers") is None and node.get("else") is None):
            what, needed = "when: expected 'condition', and 'layers' or 'else'", _WHEN
            self.error(key, f"{what}, received {_listed(node, needed)}")
        term = self.term(condition, names) if condition else m.Term(self.place(key), value=True)
        return m.When(
            self.place(key),
            term,
            self.layers(node.get("layers"), names),
            self.layers(node.get("else"), names),
        )


_STRUCTURE: dict[str, Any] = {
    "repeat": LayersChecker.repeat,
    "for": LayersChecker.for_each,
    "when": LayersChecker.when,
}


def _is_word(node: Marked) -> TypeGuard[Scalar]:
    """Whether it is a word, and no number or expression."""
    return (
        isinstance(node, Scalar) and isinstance(node.value, str) and bool(WORD.fullmatch(node.text))
    )


def _hint_layer(node: Marked) -> str | None:
    if isinstance(node, Mapping) and len(node.entries) > 1:
        first = next(iter(node.entries))
        return f"indent the fields below '{first}:', or put them in braces"
    return None


def _hint_join(kind: str, value: Marked) -> str | None:
    """A list under a join: earlier layers, or layers of a branch that has no name."""
    if not isinstance(value, Sequence):
        return None
    names = [item.text for item in value.items if isinstance(item, Scalar)]
    if names and len(names) == len(value.items) and not LAYER_KINDS.keys() & set(names):
        return f"earlier layers stand under 'from': {kind}: {{from: [{', '.join(names[:3])}]}}"
    return f"a branch is a list with a name: {kind}: {{body: [...], shortcut: []}}"


def _of_port(reference: m.Reference, port: str) -> m.Reference:
    """The layer's output of that name, where the reference names the layer alone."""
    parts = reference.template.parts
    if str(parts[-1]).endswith(f".{port}"):
        return reference
    return reference._replace(template=m.Template([*parts, f".{port}"], reference.place))


def _listed(node: Mapping, needed: Iterable[str]) -> str:
    """Which of the needed keys a mapping has, for messages."""
    return " and ".join(repr(key) for key in needed if key in node.entries) or "none"
