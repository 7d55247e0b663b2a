"""The tree of a file to a Spec: every rule of the language that needs no network to be built.

The JSON Schema for editors is in `jsonschema.py`; what a layer kind's fields take, both read from
`ops`.
"""

from __future__ import annotations

from archcalc import words
from archcalc.analysis.figures import COLUMN_KEYS
from archcalc.errors import Place, SpecError, SpecErrors, received
from archcalc.graph import DeclaredTable
from archcalc.memo import Memo
from archcalc.spec import model as m
from archcalc.spec.checker import WORD, Names, TooMany
from archcalc.spec.expressions import INCOMING
from archcalc.spec.layers import COMMON, LAYER_KINDS, OF_BLOCKS, STRUCTURE, LayersChecker
from archcalc.spec.reader import Mapping, Marked, Scalar, Sequence
from archcalc.spec.settings import SettingsChecker
from archcalc.values import integral

TOP = (
    "name", "title", "doc", "paper", "aliases", "settings", "input", "blocks", "layers", "outputs",
    "variants", "tables", "published", "claims",
)  # fmt: skip
ELSEWHERE = ("published", "claims")  # what papers print: the room `published` reads these keys
PAPER = ("title", "authors", "year", "venue", "arxiv", "doi", "url")

MOST_BLOCKS = 500
DEEPEST = 60  # blocks, joins, loops and conditions inside each other


def check(root: Mapping, file: str, text: str, stem: str) -> m.Spec:
    """The Spec of a file's tree; raises SpecErrors with everything that is wrong."""
    checker = FileChecker(file)
    spec = checker.spec(root, text, stem)
    if checker.errors:
        checker.errors.sort(key=lambda error: error.place or Place(file, 0, 0))
        raise SpecErrors(checker.errors)
    return spec


class FileChecker(SettingsChecker, LayersChecker):
    """A whole file."""

    def spec(self, root: Mapping, text: str, stem: str) -> m.Spec:
        try:
            return self._spec(root, text, stem)
        except TooMany:
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
            path="",
            variant=None,
            place=self.place(root),
            memo=Memo(),
        )
        self.check_name(root.get("name"), name)
        if spec.variants and (aliases := root.get("aliases")):
            self.error(aliases, "aliases: expected under each variant, received beside 'variants'")
        self._nesting(spec.layers, blocks)
        return spec

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

    # Blocks.

    def _blocks(self, node: Marked | None, names: Names) -> dict[str, m.Block]:
        entries = self.few(node, "blocks", "by name", MOST_BLOCKS)
        for name, (key, value) in entries.items():
            self._block_name(name, key)
            self.arguments[name] = self._arguments(value, names)
        return {
            name: self._block(name, key, value, names) for name, (key, value) in entries.items()
        }

    def _block_name(self, name: str, key: Scalar) -> None:
        if name in LAYER_KINDS or name in STRUCTURE:
            self.error(key, f"expected a block's name, received {received(name)}, a layer kind")
        self.check_name(key, name)

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
            if node.text not in names | INCOMING and WORD.fullmatch(node.text):
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
        self.keys(node, ("from", "name", "auxiliary", "when", "each"), "output")
        if "from" not in node.entries:
            self.error(node, "output: expected 'from' (a layer's name), received none")
        each = self.lists(node.get("each"), names) if "each" in node.entries else None
        inner = names | frozenset(each or ())
        reference = self.reference(node.get("from"), inner)
        name = self.template(node.get("name"), inner, free=True)
        auxiliary = self.boolean(node.get("auxiliary"), "auxiliary")
        condition = self.condition(node.get("when"), inner)
        if reference is None:
            return None
        return m.NetworkOutput(reference._replace(each=each), name, auxiliary, condition)

    def tables(self, node: Marked | None) -> dict[str, DeclaredTable]:
        mapping = self.mapping(node, "tables by name")
        return {
            name: self._table(name, key, value)
            for name, (key, value) in (mapping.entries.items() if mapping else ())
        }

    def _table(self, name: str, key: Scalar, node: Marked) -> DeclaredTable:
        mapping = self.mapping(node, "a table's columns") or Mapping(0, 0)
        self.keys(mapping, ("source", "depth", "fold", "hide", "columns"), f"table {name}")
        columns = self.mapping(mapping.get("columns"), "headings with what stands below them")
        if columns is None and isinstance(node, Mapping):
            self.error(node, f"table {name}: expected 'columns', received none")
        depth = mapping.get("depth")
        level = integral(depth.value) if isinstance(depth, Scalar) else None
        if depth and (level is None or level < 1):
            self.expected(depth, "depth: a whole number of at least 1")
        return DeclaredTable(
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
            if kind not in LAYER_KINDS and kind not in self.arguments:
                hint = words.kind(kind, [*LAYER_KINDS, *self.arguments])
                self.error(
                    item, f"expected a layer kind or a block, received {received(kind)}", hint
                )
            found.append(kind)
        return tuple(found)

    def _column(self, node: Marked) -> tuple[str, ...]:
        """A column, or several of which the first that a row has is shown; each must exist."""
        items = node.items if isinstance(node, Sequence) else [node]
        known = [
            *COLUMN_KEYS,
            *{name for arguments in self.arguments.values() for name in arguments},
        ]
        found = []
        for item in items:
            name = self.text(item, "a column or a block's argument")
            if name and name not in known:
                hint = words.near("COLUMNS", name, known)
                self.error(
                    item,
                    f"expected a column or a block's argument, received {received(name)}",
                    hint,
                )
            found.append(name)
        return tuple(found)


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
