"""Hints for what people write in specs: words of other tools, and what YAML takes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc import words
from archcalc.errors import did_you_mean, plain

if TYPE_CHECKING:
    from collections.abc import Collection


def field(word: str, known: Collection[str]) -> str | None:
    """A hint for a word that is no field."""
    if plain(word) == "times" and "times" not in known:
        return "blocks take it: put it into one"
    return words.near("FIELDS", word, known)


def name(word: str, known: Collection[str]) -> str:
    """A hint for a name that an expression uses and nobody defined."""
    if word.lower() in ("yes", "no", "on", "off"):
        return "write true or false"
    if said := words.said("NAMES", word, known):
        return said
    return did_you_mean(word, known) or f"a word stands in quotes: '{word}'"


def not_yaml(problem: str) -> str | None:
    """A hint for what YAML's own parser complains of."""
    if "cannot start any token" in problem:
        return "tabs can't indent YAML; text that starts with @, ` or % needs quotes"
    if "flow" in problem or "did not find expected" in problem:
        return "inside braces and brackets, text that holds , { } [ ] or : needs quotes"
    return None
