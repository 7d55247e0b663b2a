"""Texts in a width of cells: wrapped between words, or cut with a sign that says so.

A figure stays in one piece, and its unit with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archcalc.report.figures import unbroken

if TYPE_CHECKING:
    from collections.abc import Iterator

_DRAWN = str.maketrans("", "", "▏▎▍▌▋▊▉█─…±µ–")  # each takes one cell: no need to ask rich

# Where headings of one long word are broken.
_SYLLABLES = {
    word.replace("-", ""): word
    for word in (
        "Accu-racy", "Activa-tions", "Addi-tions", "Compar-isons", "Com-pared", "Connec-tions",
        "Conven-tion", "Dif-ference", "Dis-agree", "Divi-sions", "Flop-Counter-Mode", "Gradi-ents",
        "Multipli-cations", "Opti-mizer", "Prob-lems", "Quar-tiles", "Train-ing",
        "Transcen-dentals",
    )
}  # fmt: skip


def cell_width(text: str) -> int:
    """Terminal cells a text takes; Chinese characters take two."""
    if is_plain(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def is_plain(text: str) -> bool:
    """Whether it is clear at once that each character takes one cell."""
    return text.isascii() or text.translate(_DRAWN).isascii()


def wrapped(text: str, width: int, hang: int = 0) -> list[str]:
    """A text on as many lines as it needs, those after the first `hang` cells further in.

    A word that is longer than a line stays whole, unless there is a slash to break it behind, or
    the sign between two factors.
    """
    if cell_width(text) <= width:
        return [text]
    indent = " " * min(len(text) - len(text.lstrip(" ")), width // 2)
    lines, line = [], indent
    for gap, piece in pieces(text, width - len(indent) - hang):
        longer = line + gap + piece if line.strip() else line + piece
        if line.strip() and cell_width(longer) > width:
            lines.append(line)
            longer = indent + " " * hang + piece
        line = longer
    return [*lines, line]


def pieces(text: str, width: int = 0) -> Iterator[tuple[str, str]]:
    """What may stand on lines of their own, each with the gap in front of it.

    These are words, a unit being part of its figure's, and parts of words longer than `width`.
    """
    for word in unbroken(text).split(" "):
        parts = _parts(word.replace("\u00a0", " "), width)
        yield from zip((" ", *[""] * len(parts)), parts, strict=False)


def _parts(word: str, width: int) -> list[str]:
    """A long word in parts that end with `/` or `*`; each Chinese character is a word by itself."""
    if len(word) * 2 <= width or cell_width(word) <= width:
        return [word] * bool(word)
    if cell_width(word) > len(word):
        return list(word)
    return re.findall(r"[^/*]*[/*]+(?=.)|[^/*]+[/*]*$|[/*]+$", word) or [word]


def cut(text: str, width: int, sign: str, *, at_end: bool) -> str:
    """A text that is wider than a width, without its end, or without its middle."""
    room = max(0, width - 1)
    tail = 0 if at_end else room // 2
    start = _first(text, room - tail)
    return (start.rstrip() if at_end else start) + sign + _first(text[::-1], tail)[::-1]


def _first(text: str, width: int) -> str:
    """As much of a text as a width takes."""
    end = width
    while not text.isascii() and cell_width(text[:end]) > width:
        end -= 1
    return text[:end]


def in_words(heading: str) -> list[str]:
    """A heading's words, each for a line; a slash or a hyphen ends one."""
    return re.sub(r"(?<=\w)([/-])(?=\w)| ", lambda gap: f"{gap[1] or ''}\n", heading).split("\n")


def in_syllables(heading: str) -> list[str]:
    """A heading's words and their parts, where long ones are broken."""
    return in_words(" ".join(_SYLLABLES.get(word, word) for word in heading.split(" ")))
