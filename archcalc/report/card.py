"""The card of a network on one screen: paper, costs, settings, variants, and where its spec is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from archcalc.errors import ArchcalcError, one_line, shown
from archcalc.ops import spelled
from archcalc.report.figures import prefixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis import Analysis
    from archcalc.spec.model import Spec

WIDTH = 80  # columns
HEIGHT = 24  # lines


def card(spec: Spec, analysis: Analysis | ArchcalcError) -> str:
    """The card as text, at most 80 columns wide; an error says why there are no costs.

    Where the card would be higher than a screen, variants are shown by their names alone.
    """
    lines = list(_lines(spec, analysis, _variants(spec)))
    if len(lines) > HEIGHT:
        lines = list(_lines(spec, analysis, _names(spec)))
    return "\n".join(lines) + "\n"


def _lines(spec: Spec, analysis: Analysis | ArchcalcError, variants: list[str]) -> Iterator[str]:
    yield from _wrapped(f"{spec.network}: {spec.title}", "", "  ")
    for key, value in spec.paper.items():
        yield from _wrapped(f"{key}: {value}")
    aliases = spec.variant.aliases if spec.variant else spec.aliases
    if aliases:
        yield from _wrapped(f"also called: {', '.join(aliases)}")
    yield from _wrapped(f"costs: {_costs(analysis)}")
    if spec.settings:
        yield "settings:"
        for setting in _settings(spec):
            yield from _wrapped(setting)
    if variants:
        yield "variants in the same file:"
        for variant in variants:
            yield from _wrapped(variant)
    if spec.tables:
        yield from _wrapped(f"declared tables (--columns): {', '.join(spec.tables)}", "", "  ")
    yield f"spec: {one_line(spec.file)} (--spec prints it)"


def _wrapped(text: str, first: str = "  ", rest: str = "    ") -> list[str]:
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _costs(analysis: Analysis | ArchcalcError) -> str:
    if isinstance(analysis, ArchcalcError):
        return f"not known: {analysis}"
    totals = analysis.totals
    inputs = spelled(analysis.graph.input.facts.outputs[0])
    return (
        f"{prefixed(totals.params)} params, {prefixed(totals.mult_adds)} Mult-Adds, "
        f"depth {totals.depth}, input {inputs}"
    )


def _variants(spec: Spec) -> list[str]:
    """Each variant with its title and the settings that it changes."""
    return [
        f"{variant.name}: {variant.title}"
        + (f" ({', '.join(f'{k}={shown(v)}' for k, v in variant.settings.items())})")
        * bool(variant.settings)
        for variant in spec.variants.values()
    ]


def _names(spec: Spec) -> list[str]:
    return [", ".join(spec.variants)]


def _settings(spec: Spec) -> Iterator[str]:
    for name, value in spec.defaults.items():
        setting = spec.settings[name]
        notes = []
        if setting.choices:
            notes.append("one of " + ", ".join(map(shown, setting.choices)))
        if setting.minimum is not None:
            notes.append(f"at least {shown(setting.minimum)}")
        if setting.doc:
            notes.append(setting.doc)
        yield f"{name}={shown(value)}" + (f"  ({'; '.join(notes)})" if notes else "")
