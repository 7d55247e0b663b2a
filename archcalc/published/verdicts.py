"""Printed figures against computed ones: a verdict for each cell and each claim.

A cell matches if the computed number rounds to the printed one at the printed precision; or it
does so under the conventions its table declares; or it differs, which must carry a reason. A
difference without a reason is a problem, and so is a reason for a difference that is not there.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from archcalc.errors import ArchcalcError, SpecError, SpecErrors, one_line, plain
from archcalc.published import reasons
from archcalc.published.computed import COMPUTED, computed, number, shaped
from archcalc.published.conventions import (
    CONVENTION,
    DIFFERS,
    MATCH,
    Judged,
    counting,
    matches,
    printing,
)
from archcalc.published.printed import ERROR_OF, QUOTED, ROUNDING, Quotation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from fractions import Fraction

    from archcalc.analysis.analysis import Analysis
    from archcalc.analysis.rows import Row
    from archcalc.errors import Place
    from archcalc.published.printed import Cell, Claim, Figure, Published

    Resolve = Callable[[str], "Subject"]  # of a request such as `mobilenet@alpha=0.5`


class Subject(Protocol):
    """A network at some settings; analyzed only if it is asked for."""

    @property
    def label(self) -> str: ...

    @property
    def analysis(self) -> Analysis: ...


__all__ = [
    "CONVENTION", "DIFFERS", "MATCH", "QUOTE", "Verdict", "about", "matches", "of_network",
    "refusals", "verdicts",
]  # fmt: skip

QUOTE = "quoted"

UNEXPLAINED = "differs without a reason"
UNFOUNDED = "a reason for a difference that is not there"
UNNEEDED = "a convention that is not needed"
MISPRINTED = "a misprint of a figure that differs"
UNSHARED = "counts differently from the rest of its column without a reason"


class Verdict(NamedTuple):
    """One printed figure and what became of it.

    `kind` is match, convention, differs or quoted; `computed` is a number, a tuple of sizes, true,
    false or None; `conventions` those that made it match; `problem` what is wrong with the entry
    itself, empty where nothing is.
    """

    network: str
    layer: str
    figure: str
    source: str
    url: str
    protocol: str
    note: str
    printed: str
    computed: Any
    kind: str
    conventions: tuple[str, ...]
    why: str
    misprint: str
    problem: str
    place: Place

    @property
    def is_claim(self) -> bool:
        """Whether it is a relation; `figure` is then what is said."""
        return self.figure not in COMPUTED and self.figure not in QUOTED

    @property
    def name(self) -> str:
        """What the figure is of, or what a claim says."""
        return self.figure if self.is_claim else f"{self.network} {self.layer}".strip()


def verdicts(
    tables: Iterable[Published],
    claims: Iterable[Claim],
    resolve: Resolve,
    whole: Iterable[Published],
) -> Iterator[Verdict]:
    """A verdict for every cell and every claim; `whole` are all tables of the file."""
    return (judge() for judge in _judges(tables, claims, resolve, whole))


def refusals(
    tables: Iterable[Published], claims: Iterable[Claim], resolve: Resolve
) -> Iterator[ArchcalcError]:
    """The errors of cells and claims that can't be judged, or not by the conventions declared."""
    tables = tuple(tables)
    for judge in _judges(tables, claims, resolve, tables):
        try:
            verdict = judge()
        except ArchcalcError as error:
            yield error
        else:
            if verdict.problem and verdict.problem not in (UNEXPLAINED, UNFOUNDED):
                yield SpecError(verdict.problem, place=verdict.place)


def _judges(
    tables: Iterable[Published],
    claims: Iterable[Claim],
    resolve: Resolve,
    whole: Iterable[Published],
) -> Iterator[Callable[[], Verdict]]:
    whole = tuple(whole)
    quoted, columns = _Quoted(whole, resolve), _Columns(whole, resolve)
    for table in tables:
        for cell in table.cells:
            yield partial(_of_cell, cell, table, resolve, columns)
    claims = tuple(claims)
    for claim in claims:
        yield partial(_of_claim, claim, claims, resolve, quoted)


class _Quoted:
    """Accuracies that the tables print, for claims about them; each source's are its own."""

    def __init__(self, tables: Iterable[Published], resolve: Resolve) -> None:
        self.resolve = resolve
        self.cells = [
            (table, cell) for table in tables for cell in table.cells if cell.figure in QUOTED
        ]

    def __call__(self, figure: Figure, source: str) -> Fraction:
        """The accuracy that the figure's source prints, or else the claim's; SpecError if not one.

        The claim's own source is its table, or else another of the same paper.
        """
        label = self.resolve(figure.network).label
        cells = [
            (table, cell.printed.low)
            for table, cell in self.cells
            if cell.figure == figure.figure and self.resolve(cell.network).label == label
        ]
        named = figure.source or source
        values = {
            value
            for table, value in cells
            if table.source == named and figure.protocol in ("", table.protocol)
        }
        if not values and not figure.source:
            values = {value for table, value in cells if _paper(table.source) == _paper(source)}
        if len(values) == 1:
            return values.pop()
        where = figure.source or _paper(source)
        raise SpecError(
            f"expected one {figure.figure} of {figure.network} printed in {where}, "
            f"received {len(values)}"
        )


def _paper(source: str) -> str:
    """The paper alone, without its table or section."""
    return source.partition(",")[0]


def about(
    names: Collection[str], tables: Iterable[Published], claims: Iterable[Claim]
) -> tuple[tuple[Published, ...], tuple[Claim, ...]]:
    """The cells and the claims about networks of these (plain) names only."""
    own = []
    for table in tables:
        cells = tuple(cell for cell in table.cells if _base(cell.network) in names)
        own += [table._replace(cells=cells)] if cells else []
    said = [
        claim for claim in claims if any(_base(network) in names for network in _networks(claim))
    ]
    return tuple(own), tuple(said)


def _networks(claim: Claim) -> dict[str, None]:
    """The requests for the networks that a claim is about, each once."""
    figures = claim.figures.values()
    return dict.fromkeys((*(claim.of,) * bool(claim.of), *(figure.network for figure in figures)))


def of_network(
    label: str, figures: Collection[str], tables: Iterable[Published], resolve: Resolve
) -> Iterator[Verdict]:
    """Verdicts on those figures of one whole network, at the settings that its label tells."""
    for table in tables:
        for cell in table.cells:
            if not cell.layer and cell.figure in figures and resolve(cell.network).label == label:
                yield _of_cell(cell, table, resolve)


def _base(request: str) -> str:
    return plain(request.partition("@")[0])


def _of_cell(
    cell: Cell, table: Published, resolve: Resolve, columns: _Columns | None = None
) -> Verdict:
    try:
        subject = resolve(cell.network)
        kind, value, problem = QUOTE, None, UNNEEDED if cell.own else ""
        accuracy = columns.accuracy(cell, table) if columns else None
        if accuracy is not None:
            kind, value = Judged(lambda _: 1 - accuracy, cell.printed).verdict()
            problem = problem or _reasoned(kind, cell.why)
        elif cell.figure not in QUOTED:
            judged = _cell_judged(cell, resolve)
            kind, value = judged.verdict()
            problem = columns.problem(cell, table, kind) if columns else ""
        problem = problem or reasons.problem(cell.why, cell.printed, value)
        problem = problem or _misprinted(kind, cell.misprint)
        if cell is table.cells[0]:
            problem = problem or reasons.problem(table.note)
    except ArchcalcError as error:
        raise _placed(error, cell.place) from None
    used = cell.conventions if kind == CONVENTION else ()
    return Verdict(
        subject.label, cell.layer, cell.figure, table.source, table.url, table.protocol,
        table.note, cell.printed.text, value, kind, used, cell.why, cell.misprint, problem,
        cell.place,
    )  # fmt: skip


def _cell_judged(cell: Cell, resolve: Resolve) -> Judged:
    """A cell beside the computed figure of its network or layer."""
    subject = resolve(cell.network)
    return Judged(partial(_figure, subject, cell), cell.printed, cell.shared, cell.own)


class _Columns:
    """What the other cells of a table say of a cell: a column keeps its conventions."""

    def __init__(self, tables: tuple[Published, ...], resolve: Resolve) -> None:
        self.tables = tables
        self.resolve = resolve

    def problem(self, cell: Cell, table: Published, kind: str) -> str:
        """What is wrong with the cell's conventions or its reason; empty where nothing is."""
        judged = _cell_judged(cell, self.resolve)
        if not all(map(judged.needs, cell.own)):
            return UNNEEDED
        if refuted := self._refuted(cell, table):
            return refuted
        alone = kind != DIFFERS and any(
            self._breaking(word, cell, table) for word in counting(cell.own)
        )
        if alone and not cell.why:
            return UNSHARED
        return self._idle(cell, table) or ("" if alone else _reasoned(kind, cell.why))

    def accuracy(self, cell: Cell, table: Published) -> Fraction | None:
        """The accuracy that the same entry prints of the network, where the cell is an error."""
        figure = ERROR_OF.get(cell.figure)
        cells = (other for one in self.tables if one.place == table.place for other in one.cells)
        subject = (cell.network, cell.layer, figure)
        found = (other for other in cells if (other.network, other.layer, other.figure) == subject)
        return next((other.printed.low for other in found), None)

    def _refuted(self, cell: Cell, table: Published) -> str:
        """The cell of its column that is not printed as it says."""
        for word in printing(cell.conventions):
            if other := self._breaking(word, cell, table):
                name = f"{self.resolve(other.network).label} {other.layer}".strip()
                return f"a convention ({word}) that {name} in the same column contradicts"
        return ""

    def _breaking(self, convention: str, cell: Cell, table: Published) -> Cell | None:
        """The first cell of its column that matches, but would not by this convention."""
        column = (
            other
            for other in self._cells(table)
            if other.figure == cell.figure and other.place != cell.place
        )
        return next(
            (one for one in column if not _cell_judged(one, self.resolve).keeps(convention)), None
        )

    def _idle(self, cell: Cell, table: Published) -> str:
        """A convention of its table or column that no cell needs, reported at the first cell."""
        for word in cell.shared:
            of_column = word not in table.conventions.get("", ())
            cells = [
                other
                for other in self._cells(table)
                if word in other.shared and (not of_column or other.figure == cell.figure)
            ]
            if cells[0] == cell and not any(
                _cell_judged(other, self.resolve).needs(word) for other in cells
            ):
                where = "column" if of_column else "table"
                return f"a convention ({word}) that no cell of its {where} needs"
        return ""

    def _cells(self, table: Published) -> list[Cell]:
        """All that are judged of the table; one source may be several entries of a spec."""
        tables = (one for one in self.tables if one.source == table.source)
        return [cell for one in tables for cell in one.cells if cell.figure not in QUOTED]


def _figure(subject: Subject, cell: Cell, conventions: tuple[str, ...]) -> Any:
    """What a cell should print, counted by these conventions."""
    row = _row(subject.analysis, cell.layer)
    return shaped(computed(row, cell.figure, conventions), cell.printed, conventions)


def _claim_judged(claim: Claim, resolve: Resolve, quoted: _Quoted) -> Judged:
    """A claim beside what its relation gives."""

    def one(row: Row, figure: Figure, conventions: tuple[str, ...]) -> Any:
        return number(computed(row, figure.figure, conventions), figure.figure, row)

    def value(figure: Figure | Quotation, conventions: tuple[str, ...]) -> Any:
        if isinstance(figure, Quotation):
            return figure.printed.low
        try:
            if figure.figure in QUOTED:
                return quoted(figure, claim.source)
            analysis = resolve(figure.network).analysis
            if figure.is_of_layers:
                return [one(row, figure, conventions) for row in _matching(analysis, figure.layer)]
            return one(_row(analysis, figure.layer), figure, conventions)
        except ArchcalcError as error:
            raise _placed(error, figure.place) from None

    def related(conventions: tuple[str, ...]) -> Any:
        where = claim.where.items()
        return claim.relation({letter: value(figure, conventions) for letter, figure in where})

    return Judged(related, claim.printed, own=claim.conventions)


def _of_claim(
    claim: Claim, claims: tuple[Claim, ...], resolve: Resolve, quoted: _Quoted
) -> Verdict:
    judged = _claim_judged(claim, resolve, quoted)
    try:
        kind, value = judged.verdict()
        problem = "" if all(map(judged.needs, claim.conventions)) else UNNEEDED
    except ArchcalcError as error:
        raise _placed(error, claim.place) from None
    problem = problem or _rounded_otherwise(claim, claims, resolve, quoted)
    problem = problem or _reasoned(kind, claim.why)
    problem = problem or reasons.problem(claim.why, claim.printed, value)
    problem = problem or _misprinted(kind, claim.misprint)
    if not problem and kind != DIFFERS and (wrong := next(reasons.false_equations(claim.says), "")):
        problem = f"arithmetic that is false, and yet it matches: {wrong}"
    networks = _networks(claim)
    used = claim.conventions if kind == CONVENTION else ()
    return Verdict(
        ", ".join(networks), "", one_line(claim.says), claim.source, claim.url, "", "",
        claim.printed.text, value, kind, used, claim.why, claim.misprint, problem, claim.place,
    )  # fmt: skip


def _rounded_otherwise(
    claim: Claim, claims: tuple[Claim, ...], resolve: Resolve, quoted: _Quoted
) -> str:
    """A claim of the same source that is rounded where this one is cut off, or rounded up."""
    others = [other for other in claims if other.source == claim.source]
    for word in set(claim.conventions) & set(ROUNDING):
        for other in others:
            if not _claim_judged(other, resolve, quoted).keeps(word):
                says = one_line(other.says)
                return f"a convention ({word}) that the same source contradicts: {says}"
    return ""


def _reasoned(kind: str, why: str) -> str:
    """Whether a figure that differs has a reason, and none that does not."""
    if kind == DIFFERS:
        return "" if why else UNEXPLAINED
    return UNFOUNDED if why else ""


def _misprinted(kind: str, misprint: str) -> str:
    """Whether what differs is called a misprint: it needs a reason instead."""
    return MISPRINTED if misprint and kind == DIFFERS else reasons.problem(misprint)


def _placed(error: ArchcalcError, place: Place) -> SpecError:
    if isinstance(error, SpecErrors):  # of another file: each has its place
        return error
    return SpecError(error.message, place=error.place or place, layer=error.layer, hint=error.hint)


def _row(analysis: Analysis, layer: str) -> Row:
    """The layer or block of exactly that name, or the network."""
    if not layer:
        return analysis.totals
    row = analysis.find(layer)
    if row.name != layer:
        wanted = f"expected a layer of {analysis.label}, received '{layer}'"
        raise SpecError(wanted, hint=f"did you mean {row.name}?")
    return row


def _matching(analysis: Analysis, pattern: str) -> list[Row]:
    """The layers whose full name a pattern matches (`conv*`); those of a kind, or its blocks."""
    key, _, kind = pattern.rpartition("=")
    if key == "kind":
        rows = [row for row in (*analysis.layers, *analysis.blocks) if row.kind == kind]
    else:
        rows = [row for row in analysis.layers if fnmatchcase(row.name, pattern)]
    if rows:
        return rows
    wanted = f"expected layers of {analysis.label}, by a pattern (conv*) or a kind (kind=conv)"
    raise SpecError(f"{wanted}, received '{pattern}', which matches none")
