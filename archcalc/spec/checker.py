"""What every part of the checker shares: reporting errors, taking nodes apart, terms.

All errors of a file are found in one go and reported together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archcalc.errors import Place, SpecError, did_you_mean, received
from archcalc.spec import hints
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

MOST_ERRORS = 50
MOST_NAMES = 200  # settings, arguments of a block, variables of a loop
LONGEST_NAME = 200
MOST_STEPS = 10_000_000  # tokens of all expressions of a file

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"[^\s/.@#,=:\"'{}\[\]]+")
_HOLE = re.compile(r"\{([^{}]*)\}")
WORD = re.compile(r"[^\W\d][\w.-]*")

Names = frozenset[str]


class TooMany(Exception):
    """Enough errors to show."""


class Checker:
    """Collects errors while it turns nodes into the model."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[SpecError] = []
        self.layer: str | None = None
        self.cost = 0

    # Reporting, and taking nodes apart.

    def place(self, node: Marked) -> Place:
        return Place(self.file, node.line + 1, node.column + 1)

    def error(self, node: Marked, message: str, hint: str | None = None, offset: int = 0) -> None:
        place = self.place(node)
        place = place._replace(column=place.column + offset)
        self.errors.append(SpecError(message, place=place, layer=self.layer, hint=hint))
        if len(self.errors) >= MOST_ERRORS:
            raise TooMany

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

    def words(self, node: Marked | None, what: str) -> tuple[str, ...]:
        return tuple(self.text(item, "a word") for item in self.sequence(node, what))

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

    def check_name(self, node: Marked | None, name: str) -> None:
        if node is not None and not _NAME.fullmatch(name):
            self.expected(node, "a name without blanks and / . @ # , = :")

    # Plain values.

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
        if isinstance(value, str) and not WORD.fullmatch(value):
            self.expected(node, "a number, true, false or a word: settings hold no expressions")
        elif value is not None:
            return value
        else:
            self.expected(node, "a number, true, false, a word or a list of these")
        return 0

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
            raise TooMany
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
        found = [
            self._several(item, names) if isinstance(item, Mapping) else self.reference(item, names)
            for item in nodes
        ]
        return [reference for reference in found if reference]

    def _several(self, node: Mapping, names: Names) -> m.Reference | None:
        """Layers named by a loop: `{each: {i: range(3)}, layer: "unit{i}"}`."""
        self.keys(node, ("each", "layer"), "from")
        if "each" not in node.entries or "layer" not in node.entries:
            what = "from: expected 'each' and 'layer', received "
            self.error(node, what + (" and ".join(map(repr, node.entries)) or "none"))
            return None
        each = self.lists(node.get("each"), names)
        reference = self.reference(node.get("layer"), names | frozenset(each))
        return reference and reference._replace(each=each)

    def lists(self, node: Marked | None, names: Names) -> dict[str, m.Term]:
        """A loop's variables, each with its list."""
        found = {}
        what = "with their lists, such as {out: [64, 128]}"
        for name, (name_key, value) in self.few(node, "names", what).items():
            if self.identifier(name_key, "a loop variable"):
                found[name] = self.term(value, names)
                if found[name].constant and not isinstance(found[name].value, list):
                    self.expected(value, "a list")
        return found


def _hint_words(name: str, names: Names, words: frozenset[str]) -> str:
    if words and not did_you_mean(name, [*names, *words]):
        return f"words allowed here: {', '.join(sorted(words))}"
    return hints.name(name, [*names, *words])


def layer_name(text: str) -> bool:
    """Whether a layer can be called so."""
    return len(text) <= LONGEST_NAME and text.isprintable() and bool(_NAME.fullmatch(text))
