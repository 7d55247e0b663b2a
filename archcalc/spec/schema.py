"""The tree of a file to a Spec: every rule of the language that needs no network to be built.

All errors of a file are found in one go and reported together. The JSON Schema for editors is in
`jsonschema.py`; what a layer kind's fields take, both read from `ops`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archcalc.errors import Place, SpecError, SpecErrors, did_you_mean, plain, received, shown
from archcalc.ops import KINDS
from archcalc.ops.fields import REQUIRED
from archcalc.spec import hints, published
from archcalc.spec import model as m
from archcalc.spec.expressions import (
    DEEPEST_LIST,
    INCOMING,
    RESERVED,
    Expression,
    ExpressionError,
    measured,
)
from archcalc.spec.reader import Mapping, Marked, Scalar, Sequence, described

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archcalc.ops import Op
    from archcalc.ops.fields import Field

LAYER_KINDS = {name: op for name, op in KINDS.items() if name != "input"}
JOINS = ("add", "concat", "multiply")
STRUCTURE = ("repeat", "for", "when")
COMMON = ("name", "from", "weights", "when", "label")
OF_BLOCKS = ("survival",)  # what a block used as a layer takes besides
TOP = (
    "name", "title", "doc", "paper", "aliases", "settings", "input", "blocks", "layers", "outputs",
    "variants", "tables", "published", "claims",
)  # fmt: skip
PAPER = ("title", "authors", "year", "venue", "arxiv", "doi", "url")
MOST_ERRORS = 50

# What a declared table's columns may show, block arguments apart: the keys of report/columns.py,
# which this room does not know (a test holds the two equal).
FIGURES = (
    "name", "kind", "type", "block", "input", "output", "output_hwc", "window", "kernel", "stride",
    "padding", "dilation", "groups", "receptive_field", "rf_stride", "rf_start", "depth", "params",
    "params_share", "buffers", "mult_adds", "share", "flops", "additions", "multiplications",
    "divisions", "comparisons", "transcendentals", "connections", "neurons", "output_elements",
    "output_bytes", "weight_bytes", "bytes_moved", "arithmetic_intensity", "shared_with", "times",
)  # fmt: skip
MOST_LAYERS = 200_000
MOST_BLOCKS = 500
MOST_NAMES = 200  # settings, arguments of a block, variables of a loop
DEEPEST = 60  # blocks, joins, loops and conditions inside each other
LONGEST_NAME = 200
MOST_STEPS = 10_000_000  # tokens of all expressions of a file

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"[^\s/.@#,=:\"'{}\[\]]+")
_WORD = re.compile(r"[^\W\d][\w.-]*")
_HOLE = re.compile(r"\{([^{}]*)\}")

Names = frozenset[str]


def check(root: Mapping, file: str, text: str, stem: str) -> m.Spec:
    """The Spec of a file's tree; raises SpecErrors with everything that is wrong."""
    checker = Checker(file)
    spec = checker.spec(root, text, stem)
    if checker.errors:
        checker.errors.sort(key=lambda error: error.place or Place(file, 0, 0))
        raise SpecErrors(checker.errors)
    return spec


class _TooMany(Exception):
    """Enough errors to show."""


class Checker:
    """Collects errors while it turns nodes into the model."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[SpecError] = []
        self.blocks: set[str] = set()
        self.arguments: dict[str, dict[str, m.Argument]] = {}
        self.layer: str | None = None
        self.written = 0
        self.cost = 0

    # Reporting, and taking nodes apart.

    def place(self, node: Marked) -> Place:
        return Place(self.file, node.line + 1, node.column + 1)

    def error(self, node: Marked, message: str, hint: str | None = None, offset: int = 0) -> None:
        place = self.place(node)
        place = place._replace(column=place.column + offset)
        self.errors.append(SpecError(message, place=place, layer=self.layer, hint=hint))
        if len(self.errors) >= MOST_ERRORS:
            raise _TooMany

    def expected(self, node: Marked, what: str, hint: str | None = None) -> None:
        self.error(node, f"expected {what}, received {described(node)}", hint)

    def mapping(self, node: Marked | None, what: str) -> Mapping | None:
        if isinstance(node, Mapping):
            return node
        if node is not None:
            self.expected(node, what)
        return None

    def few(
        self, node: Marked | None, of: str, what: str, most: int = MOST_NAMES
    ) -> dict[str, tuple[Scalar, Marked]]:
        """The entries of a mapping that can't have many."""
        mapping = self.mapping(node, f"{of} {what}")
        entries = mapping.entries if mapping else {}
        if node is not None and len(entries) > most:
            self.error(node, f"expected at most {most} {of}, received {len(entries):,}")
            return {}
        return entries

    def sequence(self, node: Marked | None, what: str) -> list[Marked]:
        if isinstance(node, Sequence):
            return node.items
        if node is not None:
            self.expected(node, what)
        return []

    def keys(self, node: Mapping, known: Iterable[str], of: str) -> None:
        """Every key must be one of the known ones."""
        known = dict.fromkeys(known)
        for name, (key, _) in node.entries.items():
            if name not in known:
                hint = hints.field(name, known) or f"it takes {', '.join(known) or 'none'}"
                self.error(key, f"{of}: expected a key it takes, received {received(name)}", hint)

    def text(self, node: Marked | None, what: str) -> str:
        """Free text: a scalar, taken as written."""
        if isinstance(node, Scalar) and node.text:
            return node.text
        if node is not None:
            self.expected(node, what)
        return ""

    def boolean(self, node: Marked | None, what: str) -> bool:
        if node is None:
            return False
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.expected(node, f"{what}: true or false")
        return False

    def identifier(self, key: Scalar, what: str) -> bool:
        if not _IDENTIFIER.fullmatch(key.text):
            self.error(key, f"expected {what} of letters, digits and _, received {described(key)}")
        elif key.text in RESERVED:
            hint = "it is a size of what comes in" if key.text in INCOMING else None
            got = f"{received(key.text)}, a word of the language"
            self.error(key, f"expected a name for {what}, received {got}", hint)
        else:
            return True
        return False

    # The file.

    def spec(self, root: Mapping, text: str, stem: str) -> m.Spec:
        try:
            return self._spec(root, text, stem)
        except _TooMany:
            raise SpecErrors(self.errors) from None

    def _spec(self, root: Mapping, text: str, stem: str) -> m.Spec:
        self.keys(root, TOP, "the spec")
        for needed in ("input", "layers"):
            if needed not in root.entries:
                self.error(root, f"the spec: expected {needed!r}, received none")
        name = self.text(root.get("name"), "the network's name") or stem
        settings = self.settings(root.get("settings"))
        names = frozenset(settings)
        blocks = self._blocks(root.get("blocks"), names)
        spec = m.Spec(
            name=name,
            title=self.text(root.get("title"), "a title") or name,
            file=self.file,
            text=text,
            doc=self.text(root.get("doc"), "text"),
            paper=self.paper(root.get("paper")),
            aliases=self.words(root.get("aliases"), "a list of names"),
            settings=settings,
            input=self._input(root, names),
            blocks=blocks,
            layers=self.layers(root.get("layers"), names | INCOMING),
            outputs=self.outputs(root.get("outputs"), names),
            variants=self.variants(root.get("variants"), settings),
            tables=self.tables(root.get("tables")),
            published=self.printed(published.tables, root.get("published")),
            claims=self.printed(published.claims, root.get("claims")),
            variant=None,
            place=self.place(root),
        )
        self._check_name(root.get("name"), name)
        if spec.variants and (aliases := root.get("aliases")):
            self.error(aliases, "aliases: expected under each variant, received beside 'variants'")
        self._nesting(spec.layers, blocks)
        return spec

    def printed(self, read: Any, node: Marked | None) -> Any:
        """What is printed of the networks; most specs of one's own have nothing here."""
        self.layer = None
        return () if node is None else read(self, node)

    def _check_name(self, node: Marked | None, name: str) -> None:
        if node is not None and not _NAME.fullmatch(name):
            self.expected(node, "a name without blanks and / . @ # , = :")

    def _input(self, root: Mapping, names: Names) -> m.Term:
        node = root.get("input")
        if node is None:
            return m.Term(self.place(root), value=[1])
        if not isinstance(node, Sequence) or not node.items:
            self.expected(node, "the input's shape, such as [3, 224, 224]")
            return m.Term(self.place(node), value=[1])
        if len(node.items) > 8:
            self.error(node, f"expected at most 8 sizes, received {len(node.items)}")
        return self.term(node, names)

    def paper(self, node: Marked | None) -> dict[str, str]:
        mapping = self.mapping(node, "the paper's title, authors, year ...")
        if mapping is None:
            return {}
        self.keys(mapping, PAPER, "paper")
        return {key: self.text(value, "text") for key, (_, value) in mapping.entries.items()}

    def words(self, node: Marked | None, what: str) -> tuple[str, ...]:
        return tuple(self.text(item, "a word") for item in self.sequence(node, what))

    # Settings and variants.

    def settings(self, node: Marked | None) -> dict[str, m.Setting]:
        found: dict[str, m.Setting] = {}
        for name, (key, value) in self.few(node, "settings", "with their defaults").items():
            if self.identifier(key, "a setting"):
                found[name] = self._setting(name, key, value)
        return found

    def _setting(self, name: str, key: Scalar, node: Marked) -> m.Setting:
        place = self.place(key)
        if not isinstance(node, Mapping):
            return m.Setting(name, self.value(node), None, None, "", place)
        self.keys(node, ("default", "choices", "minimum", "doc"), f"setting {name}")
        if "default" not in node.entries:
            self.error(node, f"setting {name}: expected 'default', received none")
        default, choices = node.get("default"), node.get("choices")
        value = self.value(default) if default else 0
        allowed = tuple(map(self.value, self.sequence(choices, "a list"))) if choices else None
        least = self._minimum(node.get("minimum"))
        doc = self.text(node.get("doc"), "text")
        setting = m.Setting(name, value, allowed, least, doc, place)
        if default and (problem := setting_problem(setting, value)):
            self.error(default, problem)
        return setting

    def _minimum(self, node: Marked | None) -> Any:
        if node is None:
            return None
        value = self.value(node)
        if _type_of(value) != "a number":
            self.expected(node, "minimum: a number")
            return None
        return value

    def value(self, node: Marked) -> Any:
        """A plain value: a number, true or false, a word, a list of these."""
        value = self._plain(node)
        try:
            measured(value)
        except ExpressionError as error:
            self.error(node, error.message)
        return value

    def _plain(self, node: Marked) -> Any:
        if isinstance(node, Sequence):
            return [self._plain(item) for item in node.items]
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and not _WORD.fullmatch(value):
            self.expected(node, "a number, true, false or a word: settings hold no expressions")
        elif value is not None:
            return value
        else:
            self.expected(node, "a number, true, false, a word or a list of these")
        return 0

    def variants(self, node: Marked | None, settings: dict[str, m.Setting]) -> dict[str, m.Variant]:
        mapping = self.mapping(node, "variants: names with their settings")
        if mapping is None:
            return {}
        if not mapping.entries:
            self.expected(mapping, "at least one variant")
        first: dict[str, str] = {}
        for name, (key, _) in mapping.entries.items():
            other = first.setdefault(plain(name), name)
            if other != name:
                self.error(
                    key,
                    f"expected variants with different names, received {name} after {other}",
                    "case, - and _ don't count",
                )
        return {
            name: self._variant(name, key, value, settings)
            for name, (key, value) in mapping.entries.items()
        }

    def _variant(
        self, name: str, key: Scalar, node: Marked, settings: dict[str, m.Setting]
    ) -> m.Variant:
        self._check_name(key, name)
        mapping = self.mapping(node, "title, aliases and settings of a variant") or Mapping(0, 0)
        self.keys(mapping, ("title", "aliases", "settings"), f"variant {name}")
        own = self.mapping(mapping.get("settings"), "settings with their values") or Mapping(0, 0)
        values = {}
        for setting, (setting_key, value) in own.entries.items():
            if setting not in settings:
                hint = did_you_mean(setting, settings)
                what = f"variant {name}: expected a setting, received {received(setting)}"
                self.error(setting_key, what, hint)
                continue
            values[setting] = self.value(value)
            problem = setting_problem(settings[setting], values[setting])
            if problem:
                self.error(value, f"variant {name}: {problem}")
        return m.Variant(
            name,
            self.text(mapping.get("title"), "a title") or name,
            self.words(mapping.get("aliases"), "a list of names"),
            values,
            self.place(key),
        )

    # Terms: values with expressions.

    def term(
        self, node: Marked, names: Names, words: frozenset[str] = frozenset(), depth: int = 0
    ) -> m.Term:
        place = self.place(node)
        if isinstance(node, Sequence):
            if depth >= DEEPEST_LIST:
                self.error(
                    node, f"expected at most {DEEPEST_LIST} lists inside each other, received more"
                )
                return m.Term(place, value=1)
            items = [self.term(item, names, words, depth + 1) for item in node.items]
            return m.Term(place, items=items)
        if not isinstance(node, Scalar) or node.value is None:
            self.expected(node, "a number, an expression or a list of them")
            return m.Term(place, value=1)
        value = node.value
        if not isinstance(value, str) or value in words:
            return m.Term(place, value=value)
        return self.expression(node, value, names, words)

    def expression(
        self,
        node: Scalar,
        text: str,
        names: Names,
        words: frozenset[str] = frozenset(),
        skip: int = 0,
    ) -> m.Term:
        """An expression with its names defined; `skip` characters of the node stand before it."""
        start = skip if node.plain else skip + 1
        place = self.place(node)
        place = place._replace(column=place.column + start)
        try:
            expression = Expression(text)
        except ExpressionError as error:
            message = f"{error.message}, in '{received(text)[1:-1]}'"
            self.error(node, message, error.hint, start + error.offset)
            return m.Term(place, value=1)
        self.cost += expression.cost
        if self.cost > MOST_STEPS:
            self.error(node, f"expected expressions of at most {MOST_STEPS:,} steps, received more")
            raise _TooMany
        for name, offset in expression.names.items():
            if name not in names:
                hint = _hint_words(name, names, words)
                what = f"expected a name defined here, received {received(name)}"
                self.error(node, what, hint, start + offset)
                return m.Term(place, value=1)
        if not expression.names:
            try:
                return m.Term(place, value=expression({}, ()))
            except ExpressionError as error:
                self.error(node, f"{error.message}, in '{text}'", None, start + error.offset)
        return m.Term(place, expression=expression)

    def condition(self, node: Marked | None, names: Names) -> m.Term | None:
        return None if node is None else self.term(node, names)

    def template(self, node: Marked | None, names: Names, free: bool = False) -> m.Template | None:
        """A name (or, `free`, a label), with `{expression}` parts."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or not node.text or (node.plain and node.value is None):
            self.expected(node, "a name")
            return None
        if len(node.text) > LONGEST_NAME:
            self.error(
                node, f"expected at most {LONGEST_NAME} characters, received {len(node.text)}"
            )
            return None
        parts: list[str | m.Term] = []
        at = 0
        for hole in _HOLE.finditer(node.text):
            parts += [node.text[at : hole.start()]] if hole.start() > at else []
            parts.append(self.expression(node, hole[1], names, skip=hole.start(1)))
            at = hole.end()
        parts += [node.text[at:]] if at < len(node.text) else []
        if not free:
            self._literal_parts(node, parts)
        return m.Template(parts, self.place(node))

    def _literal_parts(self, node: Scalar, parts: list[str | m.Term]) -> None:
        for part in parts:
            if isinstance(part, str) and not layer_name(part):
                self.error(
                    node,
                    "expected a name without blanks and / . @ # , = :, "
                    f"received {received(node.text)}",
                )
                return

    def reference(self, node: Marked | None, names: Names) -> m.Reference | None:
        """A layer's name: `relu1`, `stem/pool1`, `pool1.switches`."""
        if not isinstance(node, Scalar) or not node.text:
            if node is not None:
                self.expected(node, "the name of an earlier layer")
            return None
        template = self.template(node, names, free=True)
        return m.Reference(template, self.place(node)) if template else None

    def references(self, node: Marked | None, names: Names) -> list[m.Reference] | None:
        if node is None:
            return None
        nodes = node.items if isinstance(node, Sequence) else [node]
        if not nodes:
            self.expected(node, "the names of earlier layers")
        found = [self.reference(item, names) for item in nodes]
        return [reference for reference in found if reference]

    # Blocks.

    def _blocks(self, node: Marked | None, names: Names) -> dict[str, m.Block]:
        entries = self.few(node, "blocks", "by name", MOST_BLOCKS)
        for name, (key, value) in entries.items():
            self._block_name(name, key)
            self.blocks.add(name)
            self.arguments[name] = self._arguments(value, names)
        return {
            name: self._block(name, key, value, names) for name, (key, value) in entries.items()
        }

    def _block_name(self, name: str, key: Scalar) -> None:
        if name in LAYER_KINDS or name in STRUCTURE:
            self.error(key, f"expected a block's name, received {received(name)}, a layer kind")
        self._check_name(key, name)

    def _arguments(self, node: Marked, names: Names) -> dict[str, m.Argument]:
        arguments = node.get("arguments") if isinstance(node, Mapping) else None
        found = {}
        for name, (key, value) in self.few(arguments, "arguments", "with their defaults").items():
            if name in (*COMMON, *OF_BLOCKS):
                got = f"{received(name)}, which layers or blocks take"
                self.error(key, f"expected an argument's name, received {got}")
            elif self.identifier(key, "an argument"):
                found[name] = self._argument(name, value, names)
        return found

    def _argument(self, name: str, node: Marked, names: Names) -> m.Argument:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            if node.plain and node.text == "required":
                return m.Argument(name, None)
            if node.text not in names | INCOMING and _WORD.fullmatch(node.text):
                return m.Argument(name, m.Term(self.place(node), value=node.text))
        return m.Argument(name, self.term(node, names | INCOMING))

    def _block(self, name: str, key: Scalar, node: Marked, names: Names) -> m.Block:
        mapping = self.mapping(node, "a block's arguments and layers") or Mapping(0, 0)
        self.keys(mapping, ("doc", "arguments", "layers"), f"block {name}")
        if isinstance(node, Mapping) and "layers" not in mapping.entries:
            self.error(node, f"block {name}: expected 'layers', received none")
        arguments = self.arguments[name]
        inner = names | INCOMING | frozenset(arguments)
        layers = self.layers(mapping.get("layers"), inner)
        doc = self.text(mapping.get("doc"), "text")
        return m.Block(name, doc, arguments, layers, self.place(key))

    def _nesting(self, layers: list[m.Entry], blocks: dict[str, m.Block]) -> None:
        """No block may contain itself, directly or through others; nothing may be nested deep."""
        depths: dict[str, int] = {}
        for name in self._inner_first(blocks):
            depths[name] = _depth(blocks[name].layers, depths)
        deepest = max([_depth(layers, depths), *depths.values()])
        if deepest > DEEPEST:
            place = next((b.place for n, b in blocks.items() if depths.get(n, 0) > DEEPEST), None)
            message = (
                f"expected at most {DEEPEST} blocks, joins, loops and conditions inside each "
                f"other, received {deepest}"
            )
            self.errors.append(SpecError(message, place=place or layers[0].place))

    def _inner_first(self, blocks: dict[str, m.Block]) -> list[str]:
        """The blocks, each after those it uses; none where one contains itself, an error."""
        calls = {name: _called(block.layers) for name, block in blocks.items()}
        done: dict[str, None] = {}
        for start in blocks:
            chain: list[str] = []
            waiting: list[str | None] = [start]
            while waiting:
                name = waiting.pop()
                if name is None:
                    done[chain.pop()] = None
                elif name in chain:
                    cycle = " -> ".join([*chain[chain.index(name) :], name])
                    place = blocks[name].place
                    self.errors.append(
                        SpecError(
                            f"expected a block that does not contain itself, received {cycle}",
                            place=place,
                        )
                    )
                    return []
                elif name not in done:
                    chain.append(name)
                    waiting.append(None)
                    waiting.extend(call for call in calls.get(name, ()) if call in blocks)
        return list(done)

    # Layers.

    def layers(self, node: Marked | None, names: Names) -> list[m.Entry]:
        found = [self.entry(item, names) for item in self.sequence(node, "a list of layers")]
        return [entry for entry in found if entry is not None]

    def entry(self, node: Marked, names: Names) -> m.Entry | None:
        """`relu`, or one key with its fields: `conv: {out: 64, kernel: 3}`."""
        self.layer = None
        self.written += 1
        if self.written > MOST_LAYERS:
            self.error(node, f"expected at most {MOST_LAYERS:,} layers, received more")
            raise _TooMany
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
            self.expected(value, f"the fields of {kind}, such as {{{example}}}")
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
        elif kind in self.blocks:
            entry = self.call(key, kind, fields, names)
        else:
            known = [*LAYER_KINDS, *self.blocks, *STRUCTURE]
            hint = hints.kind(kind, known)
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
        entry.sources = self.references(fields.get("from"), names)
        entry.weights = self.reference(fields.get("weights"), names)
        entry.when = self.condition(fields.get("when"), names)
        if not isinstance(entry, m.Join):
            self._sources(entry, fields)

    def _sources(self, entry: m.Layer | m.Call, fields: Mapping) -> None:
        """A layer takes as many inputs as its kind does; one where nothing is said."""
        fewest, most = entry.op.arity if isinstance(entry, m.Layer) else (1, 1)
        kind = entry.op.kind if isinstance(entry, m.Layer) else f"block {entry.block}"
        count = len(entry.sources) if entry.sources is not None else 1
        count += len(entry.op.references) if isinstance(entry, m.Layer) else 0
        node = fields.get("from") or fields
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
            from archcalc.errors import LayerError

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
            self._check_name(branch_key, name)
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
            elif argument.is_word and isinstance(value, Scalar) and value.text not in names:
                terms[name] = m.Term(self.place(value), value=value.text)
            else:
                terms[name] = self.term(value, names)
        call = m.Call(self.place(key), block, terms)
        if survival := fields.get("survival"):
            call.survival = self.term(survival, names)
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
        if times and term.constant and (type(term.value) is not int or term.value < 0):
            self.expected(times, "times: a whole number of at least 0")
        inner = names | {variable} if variable else names
        return m.Repeat(self.place(key), term, variable, self.layers(layers, inner))

    def for_each(self, key: Scalar, node: Mapping, names: Names) -> m.ForEach:
        self.keys(node, ("each", "layers"), "for")
        what = "with their lists, such as {out: [64, 128]}"
        each = self.few(node.get("each"), "names", what)
        needed = ("each", "layers")
        if node.get("each") is None or node.get("layers") is None:
            self.error(key, f"for: expected 'each' and 'layers', received {_listed(node, needed)}")
        lists = {}
        for name, (name_key, value) in each.items():
            if self.identifier(name_key, "a loop variable"):
                lists[name] = self.term(value, names)
                if lists[name].constant and not isinstance(lists[name].value, list):
                    self.expected(value, "a list")
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

    # Outputs and declared tables.

    def outputs(self, node: Marked | None, names: Names) -> list[m.NetworkOutput]:
        self.layer = None
        found = [
            self._output(item, names) for item in self.sequence(node, "a list of layers' names")
        ]
        if isinstance(node, Sequence) and not node.items:
            self.expected(node, "at least one layer's name")
        return [output for output in found if output]

    def _output(self, node: Marked, names: Names) -> m.NetworkOutput | None:
        if not isinstance(node, Mapping):
            reference = self.reference(node, names)
            return m.NetworkOutput(reference, None, False, None) if reference else None
        self.keys(node, ("from", "name", "auxiliary", "when"), "output")
        if "from" not in node.entries:
            self.error(node, "output: expected 'from' (a layer's name), received none")
        reference = self.reference(node.get("from"), names)
        if reference is None:
            return None
        name = self.text(node.get("name"), "a name") or None
        auxiliary = self.boolean(node.get("auxiliary"), "auxiliary")
        return m.NetworkOutput(reference, name, auxiliary, self.condition(node.get("when"), names))

    def tables(self, node: Marked | None) -> dict[str, m.DeclaredTable]:
        mapping = self.mapping(node, "tables by name")
        return {
            name: self._table(name, key, value)
            for name, (key, value) in (mapping.entries.items() if mapping else ())
        }

    def _table(self, name: str, key: Scalar, node: Marked) -> m.DeclaredTable:
        mapping = self.mapping(node, "a table's columns") or Mapping(0, 0)
        self.keys(mapping, ("source", "depth", "fold", "hide", "columns"), f"table {name}")
        columns = self.mapping(mapping.get("columns"), "headings with what stands below them")
        if columns is None and isinstance(node, Mapping):
            self.error(node, f"table {name}: expected 'columns', received none")
        depth = mapping.get("depth")
        level = depth.value if isinstance(depth, Scalar) else None
        if depth and (type(level) is not int or level < 1):
            self.expected(depth, "depth: a whole number of at least 1")
        return m.DeclaredTable(
            name,
            self.text(mapping.get("source"), "text"),
            level,
            self.boolean(mapping.get("fold"), "fold"),
            self._kinds(mapping.get("hide")),
            {
                heading: self._column(value)
                for heading, (_, value) in (columns.entries if columns else {}).items()
            },
            self.place(key),
        )

    def _kinds(self, node: Marked | None) -> tuple[str, ...]:
        found = []
        for item in self.sequence(node, "a list of layer kinds"):
            kind = self.text(item, "a layer kind")
            if kind not in LAYER_KINDS and kind not in self.blocks:
                hint = did_you_mean(kind, [*LAYER_KINDS, *self.blocks])
                self.error(
                    item, f"expected a layer kind or a block, received {received(kind)}", hint
                )
            found.append(kind)
        return tuple(found)

    def _column(self, node: Marked) -> tuple[str, ...]:
        """A column, or several of which the first that a row has is shown; each must exist."""
        items = node.items if isinstance(node, Sequence) else [node]
        known = [*FIGURES, *{name for arguments in self.arguments.values() for name in arguments}]
        found = []
        for item in items:
            name = self.text(item, "a column or a block's argument")
            if name and name not in known:
                hint = did_you_mean(name, known)
                self.error(
                    item,
                    f"expected a column or a block's argument, received {received(name)}",
                    hint,
                )
            found.append(name)
        return tuple(found)


_WHEN = ("condition", "layers", "else")
_STRUCTURE: dict[str, Any] = {
    "repeat": Checker.repeat,
    "for": Checker.for_each,
    "when": Checker.when,
}


def setting_problem(setting: m.Setting, value: Any) -> str | None:
    """Why a setting can't have this value; None where it can."""
    kind, wanted = _type_of(value), _type_of(setting.default)
    if setting.choices is not None and not any(_same(value, one) for one in setting.choices):
        choices = ", ".join(map(shown, setting.choices))
        wanted, kind = f"one of {choices}", ""
    if kind != wanted:
        return f"setting {setting.name}: expected {wanted}, received {received(shown(value))}"
    if setting.minimum is not None and (kind != "a number" or value < setting.minimum):
        least = shown(setting.minimum)
        return f"setting {setting.name}: expected at least {least}, received {shown(value)}"
    return None


def _same(value: Any, other: Any) -> bool:
    return _type_of(value) == _type_of(other) and bool(value == other)


def _type_of(value: Any) -> str:
    from archcalc.spec.expressions import typed

    return typed(value)


def _hint_words(name: str, names: Names, words: frozenset[str]) -> str:
    if words and not did_you_mean(name, [*names, *words]):
        return f"words allowed here: {', '.join(sorted(words))}"
    return hints.name(name, [*names, *words])


def _hint_layer(node: Marked) -> str | None:
    if isinstance(node, Mapping) and len(node.entries) > 1:
        first = next(iter(node.entries))
        return f"indent the fields below '{first}:', or put them in braces"
    return None


def _of_port(reference: m.Reference, port: str) -> m.Reference:
    """The layer's output of that name, where the reference names the layer alone."""
    parts = reference.template.parts
    if str(parts[-1]).endswith(f".{port}"):
        return reference
    return reference._replace(template=m.Template([*parts, f".{port}"], reference.place))


def _listed(node: Mapping, needed: Iterable[str]) -> str:
    """Which of the needed keys a mapping has, for messages."""
    return " and ".join(repr(key) for key in needed if key in node.entries) or "none"


def layer_name(text: str) -> bool:
    """Whether a layer can be called so."""
    return len(text) <= LONGEST_NAME and text.isprintable() and bool(_NAME.fullmatch(text))


def _depth(entries: list[m.Entry], depths: dict[str, int]) -> int:
    """How many entries stand inside each other; `depths` tells it of the blocks they use."""
    return max((1 + _inside(entry, depths) for entry in entries), default=0)


def _inside(entry: m.Entry, depths: dict[str, int]) -> int:
    if isinstance(entry, m.Call):
        return depths.get(entry.block, 0)
    if isinstance(entry, m.Join):
        return max((_depth(branch, depths) for branch in entry.branches.values()), default=0)
    if isinstance(entry, (m.Repeat, m.ForEach)):
        return _depth(entry.layers, depths)
    if isinstance(entry, m.When):
        return max(_depth(entry.layers, depths), _depth(entry.otherwise, depths))
    return 0


def _called(entries: list[m.Entry]) -> list[str]:
    """The blocks that entries use, inner lists included."""
    found: list[str] = []
    for entry in entries:
        if isinstance(entry, m.Call):
            found.append(entry.block)
        elif isinstance(entry, m.Join):
            found += [name for branch in entry.branches.values() for name in _called(branch)]
        elif isinstance(entry, (m.Repeat, m.ForEach)):
            found += _called(entry.layers)
        elif isinstance(entry, m.When):
            found += _called(entry.layers) + _called(entry.otherwise)
    return list(dict.fromkeys(found))
