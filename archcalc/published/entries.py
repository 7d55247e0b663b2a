"""What papers print of a network: the keys `published:` and `claims:` of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.figures import PUBLISHED
from archcalc.errors import SpecError, did_you_mean, received, shown
from archcalc.published.printed import (
    CONVENTIONS,
    QUOTED,
    Cell,
    Claim,
    Figure,
    PrintedError,
    Published,
    Quotation,
)
from archcalc.published.printed import printed as parsed
from archcalc.spec.expressions import typed
from archcalc.spec.model import Term, TermError
from archcalc.spec.reader import Mapping, Marked, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archcalc.published.printed import Printed
    from archcalc.spec.checker import Checker

TABLE = (
    "source", "url", "of", "protocol", "note", "convention", "network", "layers", "networks",
)  # fmt: skip
CELL = ("printed", "convention", "why", "misprint")
CLAIM = (
    "source", "url", "says", "of", "where", "is", "printed", "convention", "why", "misprint",
)  # fmt: skip
QUOTATION = ("quoted", "source")
ACCURACY = ("figure", "source", "protocol")


def tables(checker: Checker, node: Marked | None) -> tuple[Published, ...]:
    """Tables and passages that print figures."""
    items = checker.sequence(node, "a list of tables, each with its source")
    return tuple(table for item in items if (table := _table(checker, item)))


def claims(checker: Checker, node: Marked | None) -> tuple[Claim, ...]:
    """Relations that are printed."""
    items = checker.sequence(node, "a list of claims, each with its source")
    return tuple(claim for item in items if (claim := _claim(checker, item)))


# Tables.


def _table(checker: Checker, node: Marked) -> Published | None:
    mapping = _with_source(checker, node, "a table", TABLE)
    if mapping is None:
        return None
    shared = _shared(checker, mapping.get("convention"))
    cells = tuple(_cells(checker, mapping, shared))
    if missing := [name for name in shared if name and name not in {cell.figure for cell in cells}]:
        wanted = "convention: expected a figure that the table has"
        checker.error(
            mapping.entries["convention"][1], f"{wanted}, received {received(missing[0])}"
        )
    return Published(
        checker.text(mapping.get("source"), "the paper and its table, or the document"),
        checker.text(mapping.get("url"), "an address"),
        checker.text(mapping.get("protocol"), "how accuracy was measured"),
        checker.text(mapping.get("note"), "text"),
        shared,
        cells,
        checker.place(mapping),
    )


def _shared(checker: Checker, node: Marked | None) -> dict[str, tuple[str, ...]]:
    """Conventions of the whole table, or of columns, each named by its figure."""
    if isinstance(node, Mapping):
        columns = node.entries.items()
        return {figure: conventions(checker, words) for figure, (_, words) in columns}
    return {"": conventions(checker, node)}


def _with_source(
    checker: Checker, node: Marked, what: str, keys: tuple[str, ...]
) -> Mapping | None:
    mapping = checker.mapping(node, f"{what} with its source")
    if mapping is None:
        return None
    checker.keys(mapping, keys, what)
    if "source" not in mapping.entries:
        checker.error(mapping, f"{what}: expected 'source', received none")
    return mapping


def _cells(checker: Checker, table: Mapping, shared: dict[str, tuple[str, ...]]) -> Iterator[Cell]:
    """The cells of the network itself, of its layers, and of several networks."""
    of = checker.text(table.get("of"), "a network")
    if own := table.get("network"):
        yield from _figures(checker, own, of, "", shared)
    for key in ("layers", "networks"):
        rows = checker.mapping(table.get(key), f"{key} with their figures")
        for name, (named, figures) in rows.entries.items() if rows else ():
            if not name:
                checker.error(named, f"{key}: expected a name, received none")
                continue
            subject = (of, name) if key == "layers" else (name, "")
            yield from _figures(checker, figures, *subject, shared)


def _figures(
    checker: Checker,
    node: Marked,
    network: str,
    layer: str,
    shared: dict[str, tuple[str, ...]],
) -> Iterator[Cell]:
    mapping = checker.mapping(node, "figures, such as {params: 4.2M, mult_adds: 569M}")
    for figure, (key, value) in mapping.entries.items() if mapping else ():
        if figure not in PUBLISHED and figure not in QUOTED:
            hint = did_you_mean(figure, [*PUBLISHED, *QUOTED])
            checker.error(key, f"expected a figure, received {received(figure)}", hint)
            continue
        cell = value if isinstance(value, Mapping) else Mapping(value.line, value.column)
        checker.keys(cell, CELL, f"figure {figure}")
        own = conventions(checker, cell.get("convention"))
        said = printed(checker, cell.get("printed") if isinstance(value, Mapping) else value, cell)
        if said is not None:
            why, misprint = _remarks(checker, cell)
            words = shared.get("") or shared.get(figure, ())
            yield Cell(network, layer, figure, said, words, own, why, misprint, checker.place(key))


def _remarks(checker: Checker, mapping: Mapping) -> tuple[str, str]:
    """Why a figure differs, or what is misprinted where it is right."""
    why = checker.text(mapping.get("why"), "text")
    misprint = checker.text(mapping.get("misprint"), "text")
    if why and misprint:
        wanted = "expected 'why' of a figure that differs or 'misprint' of one that is right"
        checker.error(mapping.entries["misprint"][0], f"{wanted}, received both")
    return why, misprint


def printed(checker: Checker, node: Marked | None, around: Marked) -> Printed | None:
    """A figure as it is printed."""
    if node is None:
        checker.error(around, "expected 'printed', received none")
        return None
    if isinstance(node, Scalar):
        try:
            return parsed(node.text)
        except PrintedError:
            pass
    checker.expected(node, "a figure as printed, such as 569M, 55%, 112x112x64 or 1/8")
    return None


def conventions(checker: Checker, node: Marked | None) -> tuple[str, ...]:
    """One convention, or a list of them."""
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else [node]
    found = []
    for item in items:
        word = checker.text(item, "a convention")
        if word and word not in CONVENTIONS:
            known = ", ".join(CONVENTIONS)
            hint = did_you_mean(word, CONVENTIONS) or f"there are {known}"
            checker.error(item, f"expected a convention, received {received(word)}", hint)
        found.append(word)
    return tuple(found)


# Claims.


def _claim(checker: Checker, node: Marked) -> Claim | None:
    mapping = _with_source(checker, node, "a claim", CLAIM)
    if mapping is None:
        return None
    for needed in ("where", "is", "printed"):
        if needed not in mapping.entries:
            checker.error(mapping, f"a claim: expected {needed!r}, received none")
    errors = len(checker.errors)
    where = dict(_where(checker, mapping.get("where")))
    of = checker.text(mapping.get("of"), "a network")
    named = of or any(isinstance(figure, Figure) for figure in where.values())
    if "where" in mapping.entries and not named and len(checker.errors) == errors:
        wanted = "a claim without a figure of a network: expected 'of' with its network"
        checker.error(mapping, f"{wanted}, received none")
    relation, value = mapping.get("is"), mapping.get("printed")
    if relation is None or value is None:
        return None
    said = printed(checker, value, mapping)
    if said is None:
        return None
    if said.kind == "size":
        checker.expected(value, "a number, true or false: the value of a claim is no size")
        return None
    why, misprint = _remarks(checker, mapping)
    return Claim(
        checker.text(mapping.get("source"), "the paper or the document"),
        checker.text(mapping.get("url"), "an address"),
        checker.text(mapping.get("says"), "text"),
        of,
        where,
        _relation(checker, relation, frozenset(where), said),
        said,
        conventions(checker, mapping.get("convention")),
        why,
        misprint,
        checker.place(mapping),
    )


class Relation:
    """A relation as a function of the figures it names: a number, or whether it is true."""

    def __init__(self, term: Term, is_truth: bool) -> None:
        self.term = term
        self.is_truth = is_truth

    def __call__(self, figures: dict[str, Any]) -> Any:
        """The relation's value; raises SpecError where it is not of the kind that is printed."""
        try:
            value = self.term(figures, ())
        except TermError as error:
            raise SpecError(error.message, place=error.place) from None
        if problem := self.problem(value):
            raise SpecError(problem, place=self.term.place)
        return value

    def problem(self, value: Any) -> str:
        """Why the value can't be compared with what is printed; empty where it can."""
        wanted = "true or false" if self.is_truth else "a number"
        if typed(value) == wanted:
            return ""
        return f"is: expected {wanted}, as is printed, received {received(shown(value))}"


def _relation(checker: Checker, node: Marked, names: frozenset[str], said: Printed) -> Relation:
    """The relation; it must use each letter, and be of the kind that is printed."""
    errors = len(checker.errors)
    relation = Relation(checker.term(node, names), said.kind == "truth")
    if isinstance(node, Sequence):
        checker.expected(node, "is: a number, or true or false")
    elif len(checker.errors) == errors:
        problem = relation.problem(relation.term.value) if relation.term.constant else ""
        if problem := problem or _unused(relation, names):
            checker.error(node, problem)
    return relation


def _unused(relation: Relation, names: frozenset[str]) -> str:
    """A relation compares all figures of its claim: one of constants alone judges nothing."""
    used = {name for term in relation.term.expressions() for name in _names(term)}
    if not used:
        return "is: expected a relation of the letters in 'where', received one without letters"
    if left := sorted(names - used):
        return f"is: expected a relation of all letters in 'where', received one without {left[0]}"
    return ""


def _names(term: Term) -> Iterator[str]:
    if term.expression is not None:
        yield from term.expression.names


def _where(checker: Checker, node: Marked | None) -> Iterator[tuple[str, Figure | Quotation]]:
    """Letters with the figures they stand for: `{a: alexnet params}`."""
    entries = checker.few(node, "letters", "with the figures they stand for")
    for letter, (key, value) in entries.items():
        if not checker.identifier(key, "a letter"):
            continue
        read: Callable[[Checker, Any], Figure | Quotation | None] = _figure
        if isinstance(value, Mapping):
            read = _quotation if "quoted" in value.entries else _accuracy
        if (figure := read(checker, value)) is not None:
            yield letter, figure


def _figure(checker: Checker, node: Marked) -> Figure | None:
    words: Any = checker.text(node, "a figure, such as 'vgg16 conv1_1 params'").split()
    if not 2 <= len(words) <= 3 or words[-1] not in (*PUBLISHED, *QUOTED):
        hint = did_you_mean(words[-1], [*PUBLISHED, *QUOTED]) if words else None
        checker.expected(node, "a network, a layer if there is one, and a figure", hint)
        return None
    layer = words[1] if len(words) == 3 else ""
    if layer and words[-1] in QUOTED:
        checker.expected(node, f"{words[-1]} of a network, which no layer has")
    return Figure(words[0], layer, words[-1], checker.place(node))


def _accuracy(checker: Checker, mapping: Mapping) -> Figure | None:
    """An accuracy that another source prints."""
    checker.keys(mapping, ACCURACY, "an accuracy")
    if not {"figure", "source"} <= mapping.entries.keys():
        checker.expected(mapping, "'figure' and 'source', or 'quoted' and 'source'")
        return None
    figure = _figure(checker, mapping.entries["figure"][1])
    if figure is None:
        return None
    if figure.figure not in QUOTED:
        wanted = "expected an accuracy, which a source prints"
        checker.error(mapping.entries["figure"][1], f"{wanted}, received {received(figure.figure)}")
    source = checker.text(mapping.get("source"), "the source of a table of this file")
    return figure._replace(source=source, protocol=checker.text(mapping.get("protocol"), "text"))


def _quotation(checker: Checker, mapping: Mapping) -> Quotation | None:
    """A figure of a source that can't be computed."""
    checker.keys(mapping, QUOTATION, "a quoted figure")
    if "source" not in mapping.entries:
        checker.error(mapping, "a quoted figure: expected 'source', received none")
    said = printed(checker, mapping.entries["quoted"][1], mapping)
    if said is not None and said.kind not in ("number", "fraction"):
        checker.expected(mapping.entries["quoted"][1], "a number")
        return None
    source = checker.text(mapping.get("source"), "the paper and its table or section")
    return None if said is None else Quotation(said, source, checker.place(mapping))
