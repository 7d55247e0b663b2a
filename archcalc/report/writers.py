"""Tables as text: markdown, CSV, JSON, LaTeX, plain; and files that are replaced whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from archcalc.errors import OutputError, did_you_mean, received
from archcalc.report.columns import NETWORK_COLUMNS
from archcalc.report.figures import figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archcalc.report.table import Line, Table

SUFFIXES = {
    ".md": "markdown", ".markdown": "markdown", ".csv": "csv", ".json": "json", ".tex": "latex",
    ".txt": "terminal",
}  # fmt: skip


def as_text(table: Table, format: str, exact: bool = False) -> str:  # noqa: A002
    """A table in one of the formats, as text that ends with a newline."""
    return FORMATS[format](table, exact)


def format_of(path: str, formats: Sequence[str]) -> str:
    """The format a file's suffix means; raises OutputError where it means none of these."""
    suffix = os.path.splitext(path)[1].lower()
    found = SUFFIXES.get(suffix)
    if found in formats:
        return str(found)
    known = [known for known, name in SUFFIXES.items() if name in formats]
    raise OutputError(
        f"{path}: expected a file name that ends in {', '.join(known)}, "
        f"received {received(suffix or 'no suffix')}",
        hint=did_you_mean(suffix, known) if suffix else None,
    )


# Formats.


def to_terminal(table: Table, exact: bool) -> str:
    from archcalc.report.terminal import layout

    lines = layout(table, None, exact)
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def to_json(table: Table, exact: bool) -> str:
    from archcalc.report.records import document

    return json_text(document(table))


def json_text(value: dict[str, Any]) -> str:
    """A JSON object, a line for each key and for each object in a list: easy to read and to grep."""
    import json

    def line(item: Any) -> str:
        return json.dumps(item, ensure_ascii=False)

    parts = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = ",\n".join(f"    {line(one)}" for one in item)
            parts.append(f"  {line(key)}: [\n{rows}\n  ]")
        else:
            parts.append(f"  {line(key)}: {line(item)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def to_csv(table: Table, exact: bool) -> str:
    """Every column and exact figures, or the columns that were asked for."""
    if table.all_columns:
        records = table.to_records()
        if table.total is None:
            extra = [[c.get(row) for c in NETWORK_COLUMNS.values()] for row in table.rows]
            records = [
                {
                    "name": record.pop("name"),
                    **dict(zip(NETWORK_COLUMNS, more, strict=True)),
                    **record,
                }
                for record, more in zip(records, extra, strict=True)
            ]
        return csv_text(list(records[0]) if records else [], [list(r.values()) for r in records])
    headings = [column.key for column in table.columns]
    return csv_text(headings, [[column.get(row) for column in table.columns] for row in table.rows])


def csv_text(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([_csv_value(value) for value in row] for row in rows)
    return stream.getvalue()


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def to_markdown(table: Table, exact: bool) -> str:
    """A table that GitHub renders, the title above, the conventions below."""
    texts = text_rows(table, exact, _markdown_name)
    parts = [f"**{escaped(table.title)}**", ""] if table.title else []
    parts += [markdown_table(table, texts), ""]
    parts += [f"{escaped(note)}  " for note in table.caption]
    return "\n".join(parts).rstrip() + "\n"


def markdown_table(table: Table, rows: Sequence[Sequence[str]]) -> str:
    headings = [escaped(column.heading) for column in table.columns]
    rules = ["---:" if column.right else ":---" for column in table.columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))


def escaped(text: str) -> str:
    """Text with everything that markdown would take for its own."""
    return "".join("\\" + sign if sign in "\\|*_`<>[]#~$" else sign for sign in text)


def _markdown_name(line: Line | None) -> str:
    if line is None:
        return "**total**"
    name = escaped(line.row.name)
    return f"**{name}**" if line.heads else name


def to_latex(table: Table, exact: bool) -> str:
    """A booktabs tabular; `\\usepackage{booktabs}` (and longtable for many rows)."""
    long = len(table.lines) > 40
    environment = "longtable" if long else "tabular"
    alignment = "".join("r" if column.right else "l" for column in table.columns)
    head = " & ".join(latex(column.heading) for column in table.columns) + r" \\"
    rows = [" & ".join(cells) + r" \\" for cells in text_rows(table, exact, _latex_name, latex)]
    notes = [f"% {note}" for note in (table.title, *table.caption)]
    packages = "booktabs, longtable" if long else "booktabs"
    body = [rf"\begin{{{environment}}}{{{alignment}}}", r"\toprule", head, r"\midrule"]
    body += [r"\endhead"] if long else []
    summed = [r"\midrule", rows.pop()] if table.total else []
    body += [*rows, *summed, r"\bottomrule", rf"\end{{{environment}}}"]
    return (
        "\n".join([*notes, f"% needs: \\usepackage{{{packages.replace(' ', '')}}}", *body]) + "\n"
    )


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def latex(text: str) -> str:
    """Text with LaTeX's own characters escaped."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _latex_name(line: Line | None) -> str:
    if line is None:
        return r"\textbf{total}"
    indent = rf"\hspace{{{line.level}em}}" if line.level else ""
    name = latex(line.name)
    return indent + (rf"\textbf{{{name}}}" if line.heads else name)


def text_rows(
    table: Table,
    exact: bool,
    name: Callable[[Line | None], str] | None = None,
    escape: Callable[[str], str] = escaped,
) -> list[list[str]]:
    """The cells of every line as text, the total last where there is one."""
    from archcalc.report.terminal import TOTALLED

    name = name or _markdown_name
    rows = [
        [
            name(line)
            if column.key == "name"
            else escape(figure(column, column.get(line.row), exact))
            for column in table.columns
        ]
        for line in table.lines
    ]
    if table.total is None:
        return rows
    total = [
        escape(figure(column, column.get(table.total), exact)) if column.key in TOTALLED else ""
        for column in table.columns
    ]
    if table.columns[0].key not in TOTALLED:
        total[0] = name(None)
    return [*rows, total]


FORMATS: dict[str, Callable[[Table, bool], str]] = {
    "terminal": to_terminal,
    "markdown": to_markdown,
    "csv": to_csv,
    "json": to_json,
    "latex": to_latex,
}


# Files.


def write_file(path: str, text: str) -> None:
    """Replace a file's whole content at once; raises OutputError and leaves the old one otherwise."""
    real = os.path.realpath(path)
    try:
        if os.path.exists(real) and not os.path.isfile(real):  # a pipe or a device: nothing to keep
            if os.path.isdir(real):
                raise IsADirectoryError(21, "Is a directory")
            with open(real, "w", encoding="utf-8") as stream:
                stream.write(text)
            return
        _replace(real, text)
    except OSError as error:
        raise OutputError(f"can't write {received(path)}: {error.strerror or error}") from None


def _replace(path: str, text: str) -> None:
    import tempfile

    mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o666 & ~_umask()
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise PermissionError(13, "Permission denied")
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".archcalc-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
