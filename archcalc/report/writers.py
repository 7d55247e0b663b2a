"""Tables as text: markdown, CSV, JSON, LaTeX, plain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import one_line, printable
from archcalc.report.figures import figure, unbroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from archcalc.report.columns import Column
    from archcalc.report.model import Line, Table


def json_pieces(value: Mapping[str, Any]) -> Iterator[str]:
    """A JSON object, a line for each key and for each item of an iterator: easy to grep."""
    import json
    from collections.abc import Iterator as Items

    encoder = json.JSONEncoder(ensure_ascii=False)

    def encode(item: Any) -> str:
        text = encoder.encode(item)
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)

    separator = "{"
    for key, item in value.items():
        yield f"{separator}\n  {encode(key)}: "
        separator = ","
        if not isinstance(item, Items):
            yield encode(item)
            continue
        start = "["
        for one in item:
            yield f"{start}\n    {encode(one)}"
            start = ","
        yield "[]" if start == "[" else "\n  ]"
    yield "\n}\n"


def csv_pieces(records: Iterable[Mapping[str, Any]], columns: Iterable[str] = ()) -> Iterator[str]:
    """Lines of CSV under one heading: `columns`, or the first record's keys.

    Every record has these keys in this order; without records `columns` stand alone.
    """
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    heads = list(dict.fromkeys(columns))
    if heads:
        writer.writerow(map(_csv_value, heads))
    for record in records:
        if not heads:
            heads = list(record)
            writer.writerow(map(_csv_value, heads))
        assert list(record) == heads, "the records of one file have the same keys"
        writer.writerow(map(_csv_value, record.values()))
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()
    yield stream.getvalue()


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return printable(value)
    return "" if value is None else value


def to_markdown(table: Table, exact: bool) -> Iterator[str]:
    """A table that GitHub renders, the title above, the conventions below."""
    if table.title:
        yield f"**{escaped(table.title)}**\n\n"
    yield from markdown_lines(table, exact)
    yield "\n" if table.caption else ""
    notes = (escaped(unbroken(note)) for note in table.caption)
    yield "  \n".join(notes) + ("\n" if table.caption else "")


def markdown_lines(table: Table, exact: bool) -> Iterator[str]:
    """The table alone, line by line."""
    headings = [escaped(column.heading) for column in table.columns]
    rules = ["---:" if column.right else ":---" for column in table.columns]
    for cells in (headings, rules):
        yield f"| {' | '.join(cells)} |\n"
    for cells in text_rows(table, exact, _markdown_name, escaped):
        yield f"| {' | '.join(cells)} |\n"


_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\|*_`<>[]#~$&"})


def escaped(text: str) -> str:
    """Text with everything that markdown would take for its own."""
    return one_line(text).translate(_MARKDOWN)


def _markdown_name(line: Line | None) -> str:
    if line is None:
        return "**total**"
    name = escaped(line.row.name)
    return f"**{name}**" if line.heads else name


_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\u00a0": "~",
    "×": r"$\times$", "±": r"$\pm$", "µ": r"$\mu$", "−": "$-$", "→": r"$\to$", "≥": r"$\ge$",
    "≤": r"$\le$",
})  # fmt: skip


def latex(text: str) -> str:
    """Text with LaTeX's own characters escaped."""
    return one_line(text).translate(_LATEX).replace("--", "-{}-")


def text_rows(
    table: Table,
    exact: bool,
    name: Callable[[Line | None], str],
    escape: Callable[[str], str],
) -> Iterator[list[str]]:
    """The cells of every line as text, the total last where there is one."""
    for line in table.lines:
        yield [
            name(line) if c.key == "name" else escape(_figure(c, line.row, exact))
            for c in table.columns
        ]
    if table.total is None:
        return
    total = [escape(_figure(c, table.total, exact)) if c.is_totalled else "" for c in table.columns]
    if not table.columns[0].is_totalled:
        total[0] = name(None)
    yield total


def _figure(column: Column, row: Any, exact: bool) -> str:
    """A cell's text, which keeps a figure and its unit on one line."""
    return unbroken(figure(column, column.get(row), exact))
