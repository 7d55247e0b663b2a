"""YAML text to a marked tree: every node knows its line and column.

YAML 1.2 scalars (`no` is a word, `010` is ten, `1e-5` is a number), data only: tags are refused, so
nothing a file holds can name a type to make. The tree is built from libyaml's events, not by its
own recursive composer, and size, nesting and aliases are bounded while reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archcalc.errors import Place, SpecError, received

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_FILE = 16 * 2**20  # bytes
MOST_NODES = 1_200_000  # aliases counted as what they stand for
DEEPEST = 100  # nested lists and mappings


class Marked:
    """A YAML node and where it stands; line and column count from 0 here."""

    __slots__ = ("column", "line", "size")
    size: int

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


class Scalar(Marked):
    """A scalar as written; `plain` ones are numbers, true, false or null if they look like it."""

    __slots__ = ("plain", "text")

    def __init__(self, text: str, plain: bool, line: int, column: int) -> None:
        self.text = text
        self.plain = plain
        self.line = line
        self.column = column
        self.size = 1

    @property
    def value(self) -> Any:
        """The YAML 1.2 (core schema) value: int, Fraction, bool, None or str."""
        return scalar(self.text) if self.plain else self.text


class Sequence(Marked):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.items: list[Marked] = []
        self.size = 1


class Mapping(Marked):
    """A mapping, in the order it is written."""

    __slots__ = ("entries",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.entries: dict[str, tuple[Scalar, Marked]] = {}
        self.size = 1

    def get(self, key: str) -> Marked | None:
        found = self.entries.get(key)
        return found[1] if found else None


_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def scalar(text: str) -> Any:
    """The value of a plain scalar: `010` is ten, `0.5` an exact fraction, `no` a word."""
    if text in _WORDS:
        return _WORDS[text]
    if not (text[0] in "+-." or text[0].isdigit()):
        return text
    if len(text) <= 40 and _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if len(text) <= 40 and _DECIMAL.fullmatch(text):
        from archcalc.spec.expressions import ExpressionError, decimal

        exponent = re.search(r"[eE]([-+]?\d+)", text)
        if exponent and abs(int(exponent[1])) > 18:
            return text
        try:
            return decimal(text)
        except ExpressionError:
            return text
    return text


def read_file(path: str) -> str:
    """The text of a file; raises SpecError where it is unreadable, too large or not UTF-8."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SpecError(f"can't read {received(path, 1000)}: {error.strerror or error}") from None
    if len(data) > LARGEST_FILE:
        raise SpecError(f"{path}: expected at most {LARGEST_FILE // 2**20} MiB, received more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()  # the object is without the byte order mark
        byte = f"the byte 0x{error.object[error.start]:02X}"
        place = _at(before, path, len(before))
        raise SpecError(f"expected UTF-8 text, received {byte}", place=place) from None


SPEC = "a mapping with 'input' and 'layers'"


def read(text: str, file: str, wanted: str = SPEC) -> Mapping:
    """The tree of one YAML document, a mapping. Raises SpecError with the place."""
    import yaml

    from archcalc.spec.hints import not_yaml

    try:
        parser = getattr(yaml, "CLoader", yaml.Loader)(text)
    except UnicodeEncodeError as error:
        place = _at(text, file, error.start)
        raise SpecError("expected text, received half a character", place=place) from None
    try:
        root = _Reader(file).document(_events(parser))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        started = error.context_mark
        since = f"(from line {started.line + 1})" if error.context and started else None
        said = " ".join(part for part in (error.context, since, error.problem) if part)
        raise SpecError(
            f"expected YAML, received text that is not: {said}", place=place, hint=not_yaml(said)
        ) from None
    except yaml.reader.ReaderError as error:
        raise SpecError(
            f"expected YAML, received text that is not: {error.reason}",
            place=_at(text, file, _position(text, error)),
        ) from None
    finally:
        parser.dispose()
    if not isinstance(root, Mapping):
        place = Place(file, root.line + 1, root.column + 1) if root else Place(file, 1, 1)
        got = "an empty file" if root is None else described(root)
        raise SpecError(f"expected {wanted}, received {got}", place=place)
    return root


def _at(text: str, file: str, position: int) -> Place:
    before = text[:position]
    return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _position(text: str, error: Any) -> int:
    """Which character libyaml means: it counts bytes."""
    return len(text.encode()[: error.position].decode(errors="ignore"))


def _events(parser: Any) -> Iterator[Any]:
    while parser.check_event():
        yield parser.get_event()


def described(node: Marked) -> str:
    """What a node is, for messages."""
    if isinstance(node, Mapping):
        return "a mapping" if node.entries else "an empty mapping"
    if isinstance(node, Sequence):
        return "a list" if node.items else "an empty list"
    assert isinstance(node, Scalar)
    return "nothing" if node.plain and node.value is None else received(node.text)


class _Reader:
    """Builds the tree from events, on a stack of its own."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, Marked | None] = {}
        self.stack: list[tuple[Marked, str | None]] = []
        self.keys: list[Scalar | None] = []
        self.nodes = 0
        self.documents = 0
        self.root: Marked | None = None

    def document(self, events: Iterator[Any]) -> Marked | None:
        for event in events:
            handle = _HANDLERS.get(type(event).__name__)
            if handle:
                handle(self, event)
        return self.root

    def fail(self, message: str, event: Any) -> SpecError:
        return self.fail_at(message, event.start_mark)

    def fail_at(self, message: str, mark: Any) -> SpecError:
        return SpecError(message, place=Place(self.file, mark.line + 1, mark.column + 1))

    def start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self.fail("expected one document, received a second ('---')", event)

    def scalar(self, event: Any) -> None:
        self._check(event)
        mark = event.start_mark
        plain = event.style is None or event.style == ""
        self._place(Scalar(event.value, plain, mark.line, mark.column), event, event.anchor)

    def start(self, event: Any) -> None:
        self._check(event)
        if len(self.stack) >= DEEPEST:
            raise self.fail(
                f"expected at most {DEEPEST} nested lists and mappings, received more", event
            )
        mark = event.start_mark
        is_list = type(event).__name__ == "SequenceStartEvent"
        node = (Sequence if is_list else Mapping)(mark.line, mark.column)
        if event.anchor:
            self.anchors[event.anchor] = None  # not complete yet: can't stand inside itself
        self.stack.append((node, event.anchor))
        self.keys.append(None)

    def end(self, event: Any) -> None:
        node, anchor = self.stack.pop()
        self.keys.pop()
        self._place(node, event, anchor)

    def alias(self, event: Any) -> None:
        target = self.anchors.get(event.anchor)
        if target is None:
            known = event.anchor in self.anchors
            why = "inside the value it names" if known else "which no anchor before it names"
            raise self.fail(
                f"alias: expected the name of an anchor before it, received *{event.anchor}, {why}",
                event,
            )
        self.nodes += target.size
        self._count(event)
        self._place(target, event, None)

    def _check(self, event: Any) -> None:
        self.nodes += 1
        self._count(event)
        if event.tag and event.tag != "!":
            raise self.fail(f"expected plain data, received the tag {received(event.tag)}", event)

    def _count(self, event: Any) -> None:
        if self.nodes > MOST_NODES:
            raise self.fail(
                f"expected at most {MOST_NODES:,} YAML nodes (aliases in full), received more",
                event,
            )

    def _place(self, node: Marked, event: Any, anchor: str | None) -> None:
        """Put a finished node where it belongs: the document, a list, a mapping's key or value."""
        if anchor:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1][0]
        parent.size += node.size
        if isinstance(parent, Sequence):
            parent.items.append(node)
            if isinstance(node, Scalar) and _closes(node):
                self._taken_apart(parent.items)
        elif isinstance(parent, Mapping):
            self._entry(parent, node, event)

    def _entry(self, parent: Mapping, node: Marked, event: Any) -> None:
        key = self.keys[-1]
        if key is not None:
            parent.entries[key.text] = (key, node)
            self.keys[-1] = None
            if _closes(key) and isinstance(node, Scalar) and not node.text:
                self._taken_apart([one for entry in parent.entries.values() for one in entry])
            return
        if not isinstance(node, Scalar):
            raise self.fail_at(f"expected a word as key, received {described(node)}", node)
        if node.text in parent.entries:
            first = parent.entries[node.text][0]
            raise self.fail(
                f"duplicate key: expected a new one, received {received(node.text)} again, "
                f"first in line {first.line + 1}",
                event,
            )
        self.keys[-1] = node

    def _taken_apart(self, nodes: list[Marked]) -> None:
        """Refuse `range(1, 6)` without quotes in braces or brackets: a comma ends a value there."""
        parts: list[str] = []
        for node in reversed(nodes):
            if not isinstance(node, Scalar) or not node.plain:
                return
            if not node.text:  # no value of a key
                continue
            parts.append(node.text)
            if sum(part.count("(") - part.count(")") for part in parts) == 0:
                whole = received(", ".join(reversed(parts)))[1:-1]
                raise SpecError(
                    f"expected one value, received the {len(parts)} parts of {whole}, which the "
                    "commas take apart",
                    place=Place(self.file, node.line + 1, node.column + 1),
                    hint=f'inside braces and brackets it needs quotes: "{whole}"',
                )


def _closes(node: Scalar) -> bool:
    """Whether a plain scalar has a parenthesis that it doesn't open."""
    return ")" in node.text and node.plain and node.text.count(")") > node.text.count("(")


_HANDLERS = {
    "DocumentStartEvent": _Reader.start_document,
    "ScalarEvent": _Reader.scalar,
    "SequenceStartEvent": _Reader.start,
    "MappingStartEvent": _Reader.start,
    "SequenceEndEvent": _Reader.end,
    "MappingEndEvent": _Reader.end,
    "AliasEvent": _Reader.alias,
}
