"""Writes the rows of figures into docs/formats.md and docs/counting.md, from the figures' records.

Run `python docs/figures.py` after a figure is added or changed in archcalc/analysis/figures.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from archcalc.analysis.figures import ALONG_PATHS, COUNTS, FIGURES, TENSORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archcalc.analysis.figures import Figure

DOCS = Path(__file__).parent
FORMATS, COUNTING = DOCS / "formats.md", DOCS / "counting.md"

OF_BLOCKS = {
    "sum": "the sum of its layers'",
    "most": "the most of its layers'",
    "path": "the sum along its longest path",
    "ratio": "the ratio of its own figures",
}
DIRECTIONS = {True: "less", False: "more", None: "neither"}
LARGER = {"most": "; of several layers the most", "path": "; 1 or 0 for a layer"}


def formats(text: str) -> str:
    """docs/formats.md with the rows of its columns and records written anew."""
    text = _with_rows(text, "Columns", list(_columns()))
    return _with_rows(text, "A row", list(_records()))


def counting(text: str) -> str:
    """docs/counting.md with the rows of its table of figures written anew."""
    return _with_rows(text, "Figures", list(_meanings()))


def _with_rows(text: str, heading: str, rows: list[str]) -> str:
    """The text with these rows in the first table below a heading that has any of them.

    They stand where the first was; rows about other things follow them.
    """
    keys = {row.split("`")[1] for row in rows}
    found = re.compile(rf"^\| `({'|'.join(keys)})` \|.*\n(?:\| `\w+` \|.*\n)*", re.MULTILINE)
    match = found.search(text, text.index(f"# {heading}\n"))
    assert match is not None
    kept = [line for line in match[0].splitlines() if line.split("`")[1] not in keys]
    return text[: match.start()] + "\n".join([*rows, *kept]) + "\n" + text[match.end() :]


def _columns() -> Iterator[str]:
    for one in (*ALONG_PATHS, *COUNTS, *TENSORS):
        yield f"| `{one.key}` | {one.heading} | {one.unit} | {_is(one)} |"
        if one.share:
            key, heading = one.share
            yield f"| `{key}` | {heading} | 1 | share of the network's {one.quantity}, 0 to 1 |"


def _records() -> Iterator[str]:
    told = False
    for one in FIGURES.values():
        kind = "number" if one.total == "ratio" else "integer"
        if not one.is_operation:
            more = LARGER.get(one.total, "")
            yield f"| `{one.key}` | {kind} | {one.unit} | {_is(one, more)} |"
        elif not told:
            told = True
            yield (
                "| `operations` | object | 1 | operations that are no Mult-Adds, by kind, for the "
                "whole batch: below |"
            )


def _meanings() -> Iterator[str]:
    for one in FIGURES.values():
        cells = (f"`{one.key}`", one.doc, one.unit, one.counted_for or "", OF_BLOCKS[one.total])
        yield f"| {' | '.join(cells)} | {DIRECTIONS[one.less_is_better]} |"


def _is(one: Figure, more: str = "") -> str:
    return one.doc + (f", for {one.counted_for}" if one.counted_for else "") + more


def _write(pages: Iterable[tuple[Path, str]]) -> None:
    for path, text in pages:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write(
        (path, made(path.read_text(encoding="utf-8")))
        for path, made in ((FORMATS, formats), (COUNTING, counting))
    )
