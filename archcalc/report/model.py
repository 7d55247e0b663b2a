"""What writers get: tables with their lines, and the report that a command gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import SettingError
from archcalc.packages import imported
from archcalc.report.columns import NETWORK_COLUMNS
from archcalc.report.formats import FORMATS, function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from archcalc.analysis.rows import Row
    from archcalc.report.columns import Column


class Line(NamedTuple):
    """A row as it is shown: its indentation, its shown name, whether it heads others.

    `row` is a Row; other tables have rows of their own, with a name.
    """

    row: Any
    level: int
    name: str
    heads: bool


class Table(NamedTuple):
    """The model that writers print: columns, lines, a total, a title and a caption.

    `spare` are the keys of columns that a terminal leaves out where there is no room for all, the
    first one first; columns that were asked for are not among them.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    total: Row | None
    title: str
    caption: tuple[str, ...]
    all_columns: bool  # no columns were asked for: machine formats carry every one
    document: Mapping[str, Any] | None = None  # the JSON object, where it is no analysis
    spare: tuple[str, ...] = ()

    def __str__(self) -> str:
        return as_text(self, "terminal")

    def _repr_markdown_(self) -> str:
        return as_text(self, "markdown")

    @property
    def rows(self) -> list[Row]:
        """The rows that add up: layers, and blocks that stand for theirs."""
        return [line.row for line in self.lines if not line.heads]

    def records(self, rank: int = 0) -> Iterator[dict[str, Any]]:
        """A flat dict for each row that adds up, as in CSV; a network has year and title besides.

        All have the same keys, for the largest number of spatial axes and at least for `rank`.
        """
        from archcalc.report.records import common_rank, flat

        rank = max(rank, common_rank(row.analysis for row in self.rows))
        for row in self.rows:
            record = flat(row, rank)
            if self.total is None:
                more = {key: one.get(row) for key, one in NETWORK_COLUMNS.items()}
                record = {"name": record.pop("name"), **more, **record}
            yield record

    def flat_records(self) -> tuple[Iterable[Mapping[str, Any]], Sequence[str]]:
        """The records for a file, and their keys: all there are, or the columns asked for."""
        if self.all_columns:
            return self.records(), ()
        heads = self.heads
        records = (
            {head: one.get(row) for head, one in zip(heads, self.columns, strict=True)}
            for row in self.rows
        )
        return records, heads

    def as_document(self) -> Mapping[str, Any]:
        """The JSON object: of an analysis or a list of networks, or what the table has instead."""
        from archcalc.report.records import of_analysis, of_networks

        if self.document is not None:
            return self.document
        if self.total is None:
            return of_networks(line.row.analysis for line in self.lines)
        return of_analysis(self.total.analysis, self.rows)

    @property
    def heads(self) -> list[str]:
        """How programs find the columns: by key, or by heading where several have one key."""
        columns = dict.fromkeys((column.key, column.heading) for column in self.columns)
        keys = [key for key, _ in columns]
        return [one.heading if keys.count(one.key) > 1 else one.key for one in self.columns]

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each layer, and the columns asked for or all of the CSV.

        Raises PackageError where pandas is not installed.
        """
        pandas = imported("pandas", "to_pandas")
        if self.all_columns:
            return pandas.DataFrame(list(self.records()))
        cells = [[column.get(row) for column in self.columns] for row in self.rows]
        return pandas.DataFrame(cells, columns=self.heads)


class Report(NamedTuple):
    """What a command found, for whoever reads it.

    `tables` are for people, in a medium of some width (None where it has none); `records` are for
    programs: a table with a line for each record, under keys, and with the document that JSON
    takes. There are several of these only where a command gives each network its own.
    """

    tables: Callable[[int | None], Sequence[Table]]
    records: Callable[[], Sequence[Table]]

    def pieces(
        self,
        format: str,  # noqa: A002
        exact: bool = False,
        width: int | None = None,
    ) -> Iterator[str]:
        """The report in a format, piece by piece: a long table never stands in memory whole.

        Raises SettingError, before the first piece, where records of several networks are apart.
        """
        form = FORMATS[format]
        write = function(form.write)
        if form.takes == "tables":
            return _one_below_the_other(self.tables(width), write, exact)
        tables = self.records()
        if len(tables) > 1:
            raise SettingError(
                f"{format} holds one network: expected one, received {len(tables)}",
                hint="'archcalc list' and 'archcalc report' take several",
            )
        [table] = tables
        taken = (table.as_document(),) if form.takes == "document" else table.flat_records()
        return write(*taken)  # type: ignore[no-any-return]


def _one_below_the_other(
    tables: Sequence[Table], write: Callable[[Table, bool], Iterator[str]], exact: bool
) -> Iterator[str]:
    for i, one in enumerate(tables):
        yield "\n" * (i > 0)
        yield from write(one, exact)


def same_for_all(tables: Sequence[Table]) -> Report:
    """A report whose tables are for people and programs alike."""
    return Report(lambda _: tables, lambda: tables)


def as_text(shown: Report | Table, format: str, exact: bool = False) -> str:  # noqa: A002
    """A report or a table in one of the formats, as text that ends with a newline."""
    report = shown if isinstance(shown, Report) else same_for_all([shown])
    return "".join(report.pieces(format, exact))
