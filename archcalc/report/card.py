"""The card of a network on one screen: paper, costs, settings, variants, and where its spec is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.errors import ArchcalcError, one_line, shown
from archcalc.ops import spelled
from archcalc.report.figures import prefixed
from archcalc.report.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis import Analysis
    from archcalc.spec.model import Spec

WIDTH = 80  # columns, and no more where a terminal is wider: lines stay easy to read
HEIGHT = 24  # lines


def card(spec: Spec, analysis: Analysis | ArchcalcError, width: int = WIDTH) -> str:
    """The card as text, at most `width` columns wide; an error says why there are no costs.

    Where the card would be higher than a screen, variants are shown by their names alone. Only a
    word that is longer than a line, as a path may be, makes a line wider.
    """
    width = min(width, WIDTH)
    lines = _wrapped(_lines(spec, analysis, _variants(spec)), width)
    if len(lines) > HEIGHT:
        lines = _wrapped(_lines(spec, analysis, _names(spec)), width)
    return "\n".join(lines) + "\n"


def _wrapped(lines: Iterator[str], width: int) -> list[str]:
    """The lines in a width; what goes on below is two cells further in."""
    return [part for line in lines for part in wrapped(one_line(line), width, hang=2)]


def _lines(spec: Spec, analysis: Analysis | ArchcalcError, variants: list[str]) -> Iterator[str]:
    yield f"{spec.network}: {spec.title}"
    yield from (f"  {key}: {value}" for key, value in spec.paper.items())
    aliases = spec.variant.aliases if spec.variant else spec.aliases
    if aliases:
        yield f"  also called: {', '.join(aliases)}"
    yield f"  costs: {_costs(analysis)}"
    if spec.settings:
        yield "settings:"
        yield from (f"  {setting}" for setting in _settings(spec))
    if variants:
        yield "variants in the same file:"
        yield from (f"  {variant}" for variant in variants)
    if spec.tables:
        yield f"declared tables (--columns): {', '.join(spec.tables)}"
    yield f"spec: {spec.file} (--spec prints it)"


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
    return [", ".join(spec.variants)] * bool(spec.variants)


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
        yield f"{name}={shown(value)}" + (f" ({'; '.join(notes)})" if notes else "")
