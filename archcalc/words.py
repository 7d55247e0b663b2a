"""Hints for words that are not known here: what to write instead, or that there is no such thing.

The nearest spelling is offered only where archcalc's vocabulary has nothing to say: "attention" is
no slip for "flatten".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archcalc.errors import did_you_mean, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_AXES = re.compile(r"[123]d$")  # Conv2d, MaxPool3d: here a kind is for any number of axes


def near(topic: str, word: str, known: Collection[str]) -> str | None:
    """What the vocabulary says of a word, or the nearest spelling; None where neither helps.

    `topic` is the name of a table in `archcalc.vocabulary`.
    """
    return said(topic, word, known) or did_you_mean(word, known)


def said(topic: str, word: str, known: Collection[str]) -> str | None:
    """What the vocabulary says of a word; None where it says nothing, or what isn't known here."""
    from archcalc import vocabulary  # hundreds of words, which only errors need

    table: Mapping[str, str] = getattr(vocabulary, topic)
    for meant in table.get(plain(word), "").split(" | "):
        if " " in meant:
            return meant
        if meant in known:
            return f"here that is {meant}"
    return None


def kind(word: str, known: Collection[str]) -> str:
    """A hint for a word that is no layer kind: nn.Conv2d, MaxPooling2D, attention."""
    from archcalc.vocabulary import NO_KIND

    whole = plain(word.rpartition(".")[2])
    base = _AXES.sub("", whole)
    hint = said("KINDS", whole, known) or said("KINDS", base, known)
    if hint is None and base != plain(word) and base in known:
        hint = f"here that is {base}"
    return hint or did_you_mean(word, known) or NO_KIND


def network(word: str, known: Collection[str]) -> str:
    """A hint for a word that no network is called; near is what differs by a letter or two."""
    from archcalc.vocabulary import ABSENT_NETWORKS, NO_NETWORK

    if hint := said("NETWORKS", word, known):
        return hint
    if plain(word).startswith(ABSENT_NETWORKS):
        return NO_NETWORK
    return did_you_mean(word, known, cutoff=0.75) or "archcalc list shows all"


def other_source(name: str) -> str | None:
    """What a name means that is no spec: model.onnx, model.py:Net, timm:vit_base; else None."""
    from archcalc.vocabulary import FILES, ZOOS

    zoo, colon, _ = name.partition(":")
    if colon and zoo.lower() in ZOOS:
        return f"a name of {zoo}"
    path = zoo if colon and len(zoo) > 1 else name  # a drive has one letter
    suffix = re.search(r"\.\w+$", path)
    return FILES.get(suffix[0].lower()) if suffix else None
