"""The card of a network: paper, settings, variants, and its spec as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.spec.model import Spec


def card(spec: Spec) -> str:
    """The card as text."""
    return "\n".join(_lines(spec)) + "\n"


def _lines(spec: Spec) -> Iterator[str]:
    yield f"{spec.network}: {spec.title}"
    for key, value in spec.paper.items():
        yield f"  {key}: {value}"
    aliases = spec.variant.aliases if spec.variant else spec.aliases
    if aliases:
        yield f"  also called: {', '.join(aliases)}"
    if spec.settings:
        yield "settings:"
        yield from (f"  {line}" for line in _settings(spec))
    if spec.variants:
        yield "variants in the same file:"
        for variant in spec.variants.values():
            own = ", ".join(f"{name}={shown(value)}" for name, value in variant.settings.items())
            yield f"  {variant.name}: {variant.title}" + (f" ({own})" if own else "")
    if spec.tables:
        yield f"declared tables (--columns): {', '.join(spec.tables)}"
    yield f"spec, {spec.file}:"
    yield ""
    yield from spec.text.rstrip().expandtabs(4).splitlines()


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
