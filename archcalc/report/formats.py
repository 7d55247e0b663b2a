"""The formats: each is registered here once, with its suffixes, its writer, and what that takes.

A command gives a Report, which has tables for people and records or a document for programs; the
format takes what it can write. Nobody else asks which format was chosen. Writers are named and
imported when they are used, so that a start imports the one that it needs.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import words
from archcalc.errors import OutputError, did_you_mean, received

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Writer = str | Callable[..., Any] | None  # `module.function` of this room, or the function


class Format(NamedTuple):
    """A format: its name, the suffixes of its files, what its writer takes, and the writer.

    It `takes` tables (`write(table, exact)`), records (`write(records, heads)`) or a document
    (`write(document)`). Where it can, it writes explanations (`explanation(one, width)`, in lines)
    and studies (`study(analyses, verdicts, derivations, seen)`) in a way of its own. One that is
    `fitted` has lines of a limited width; `show(table, stream, exact=)` prints such a table itself,
    for a stream may have colours.
    """

    name: str
    suffixes: tuple[str, ...]
    takes: str
    write: Writer
    explanation: Writer = None
    study: Writer = None
    show: Writer = None
    is_fitted: bool = False


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            "terminal", (".txt",), "tables", "terminal.pieces", "explanations.terminal",
            show="terminal.show", is_fitted=True,
        ),
        Format(
            "markdown", (".md", ".markdown"), "tables", "writers.to_markdown",
            "explanations.markdown", "study.to_markdown",
        ),
        Format("csv", (".csv",), "records", "writers.csv_pieces"),
        Format("json", (".json",), "document", "writers.json_pieces"),
        Format("latex", (".tex",), "tables", "latex.pieces", "explanations.latex_lines"),
    )
}  # fmt: skip


def function(writer: Writer) -> Callable[..., Any]:
    """A writer's function, imported now if it is named."""
    if not isinstance(writer, str):
        assert writer is not None
        return writer
    module, _, name = writer.partition(".")
    return getattr(import_module(f"archcalc.report.{module}"), name)  # type: ignore[no-any-return]


# What a command offers.


def of_reports() -> tuple[str, ...]:
    """The formats of what a Report has: tables, records and a document."""
    return tuple(FORMATS)


def of_explanations() -> tuple[str, ...]:
    """The formats of explanations: those that write them in their way, and documents."""
    own = [one.name for one in FORMATS.values() if one.explanation]
    return (*own, *(one.name for one in FORMATS.values() if one.takes == "document"))


def of_studies() -> tuple[str, ...]:
    """The formats of whole studies: those that write them in their way, and records."""
    own = [one.name for one in FORMATS.values() if one.study]
    return (*own, *(one.name for one in FORMATS.values() if one.takes == "records"))


def listed(names: Sequence[str]) -> str:
    """Words as a sentence lists them: terminal, markdown or json."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def suffixes() -> dict[str, str]:
    """The format that each suffix means; few files are meant for a terminal, which comes last."""
    every = sorted(FORMATS.values(), key=lambda one: one.is_fitted)
    return {suffix: one.name for one in every for suffix in one.suffixes}


def format_of(path: str, formats: Sequence[str]) -> str:
    """The format a file's suffix means; raises OutputError where it means none of these."""
    suffix = os.path.splitext(path)[1].lower()
    found = suffixes().get(suffix)
    if found in formats:
        return str(found)
    known = [known for known, name in suffixes().items() if name in formats]
    raise OutputError(
        f"{path}: expected a file name that ends in {', '.join(known)}, "
        f"received {received(suffix) if suffix else 'a name without a suffix'}",
        hint=_of_suffix(suffix, known),
    )


def _of_suffix(suffix: str, known: Sequence[str]) -> str | None:
    """What to write in place of a suffix; nothing is near to none."""
    said = words.said("FORMATS", suffix.removeprefix("."), ())
    return said or (did_you_mean(suffix, known) if suffix else None)
