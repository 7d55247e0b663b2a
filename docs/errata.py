"""Writes docs/errata.md from the printed figures in the specs.

python docs/errata.py            writes it
python docs/errata.py --check    exit code 1 where the page on disk says something else
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archcalc import api
from archcalc.analysis.published import CONVENTION, DIFFERS, MATCH, QUOTE, Verdict
from archcalc.printed import CONVENTIONS
from archcalc.report.verdicts import shown
from archcalc.report.writers import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parent / "errata.md"

OPENING = """# Errata and conventions of famous CNN tables

Every figure that a paper (or a text about it) prints of a network is data in the network's spec,
and `archcalc reproduce` judges it: it *matches* what follows from the architecture as printed, it
matches *by a convention* (units of 1024, cut off instead of rounded, biases left out), or it
*differs*, and then the spec says why. This page lists the conventions and the differences. It is
written from the specs by `python docs/errata.py`; the tests check that it is current.

Mult-Adds are multiply-accumulates of convolutions and linears, bias excluded. A figure matches if
the computed number rounds to it at its printed precision. Where nobody knows why a figure differs,
the reason says "unexplained".
"""


def page() -> str:
    """The whole page."""
    found = api.reproduce_all()
    return "\n".join(_page(found)).rstrip() + "\n"


def _page(found: dict[str, list[Verdict]]) -> Iterator[str]:
    yield OPENING
    yield "## In numbers"
    yield ""
    yield "| Spec | Printed figures | Match | By convention | Differ | Quoted |"
    yield "| :--- | ---: | ---: | ---: | ---: | ---: |"
    for name, verdicts in found.items():
        yield _counts(f"[{escaped(name)}](#{name})", verdicts)
    yield _counts("**all**", [one for verdicts in found.values() for one in verdicts])
    yield ""
    yield "## Conventions"
    yield ""
    for word, meaning in CONVENTIONS.items():
        yield f"- `{word}`: {meaning}"
    for name, verdicts in found.items():
        yield ""
        yield f"## {name}"
        yield from _network(verdicts)


def _counts(name: str, verdicts: list[Verdict]) -> str:
    kinds = [one.kind for one in verdicts]
    counts = [len(kinds), *map(kinds.count, (MATCH, CONVENTION, DIFFERS, QUOTE))]
    return f"| {name} | {' | '.join(map(str, counts))} |"


def _network(verdicts: list[Verdict]) -> Iterator[str]:
    sources = list(dict.fromkeys(one.source for one in verdicts))
    for source in sources:
        own = [one for one in verdicts if one.source == source]
        judged = [one for one in own if one.kind != QUOTE]
        if not judged:
            continue
        same = sum(one.kind in (MATCH, CONVENTION) for one in judged)
        yield ""
        yield f"**{escaped(source)}**: {same} of {len(judged)} figures reproduced."
        for note in dict.fromkeys(one.note for one in own if one.note):
            yield ""
            yield escaped(note)
        used = dict.fromkeys(word for one in judged for word in one.conventions)
        if used:
            yield ""
            yield f"Conventions needed: {', '.join(f'`{word}`' for word in used)}."
        differing = [one for one in judged if one.kind == DIFFERS]
        if differing:
            yield ""
            yield "| Of | Figure | Printed | Computed | Why |"
            yield "| :--- | :--- | ---: | ---: | :--- |"
        for one in differing:
            figure = "claim" if one.is_claim else one.figure
            cells = (one.name, figure, one.printed, shown(one.computed, one.printed), one.why)
            yield f"| {' | '.join(map(escaped, cells))} |"


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
