"""The ledger of the source documents: every sentence with a number or a quantifier has its line.

python docs/ledger.py DIR               recounts the documents in DIR; exit code 1 if any is missed
python docs/ledger.py DIR --missing     prints the lines that the ledger lacks, to be filled in

docs/ledger/NNN.yaml lists, in the order of document NNN, the sentences in which there is a number
or a word such as "all" or "each" (and others that are judged). Each line names the claims that
judge its sentence, or says why none does:

    - {section: 3.4.2, begins: first few words, claims: ["mobilenet | section 3.4.2 | 32 times"]}
    - {section: 3.4.3, begins: Table 8, count: 4, claims: ["mobilenet | section 3.4.3, Table 8"]}
    - {section: 3.1.2, begins: first few words, why: training}

`count` is the number of counted sentences that the line stands for, 1 if left out, and 0 where the
sentence itself is not counted. A claim is a
spec, a source in it (the words after "course notes NNN, "), and the beginning of a claim's text or
of a figure's network, layer and name; without a beginning it is all that the source prints. `note`
is for people.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from archcalc import api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.published.verdicts import Verdict

LEDGER = Path(__file__).resolve().parent / "ledger"
WORDS = 16  # characters of a sentence that are enough to find it

REASONS = {
    "heading": "a title, a contents line, a caption, a date, a reference or an axis of a table",
    "data": "about a data set or how images are prepared",
    "training": "about how a network is trained or initialized",
    "hardware": "about devices, software and their speed",
    "history": "about years, people and ranks in competitions",
    "opinion": "a judgement that no figure decides",
    "definition": "explains a notion or a formula and says nothing of one network's figures",
    "measured": "a measurement (not accuracy) that can't be computed and that no table quotes",
    "lacking": "about a network or a method that archcalc lacks; `note` names it",
}

_ENDS = re.compile(r"(?<=[。！？；])")  # noqa: RUF001, the text is Chinese
_MARKS = re.compile(r"(?:</?b>|\*\*|[|\s])+")
# A heading's number, or that of an item of a list; numbers that begin a sentence are its own.
_NUMBERING = re.compile(
    r"^[ >*•·+-]*(?:#+ *(?:\d+(?:\.\d+)* )?)?(?:\(?\d+[)）.、](?=\D) *)?[ #>*+-]*"  # noqa: RUF001
)
_NUMBER = re.compile(r"\d|[两双二三四五六七八九十百千万亿]|倍|一半|第一")
_QUANTIFIER = re.compile(
    r"所有|全部|全都|每|都|任意|任何|总是|始终|永远|从不|最[大小多少高低]|均|各|仅|只有|唯一"
    r"|首[个次]|多[个次层]|若干|前面的|整个|大[多部]|越来越|完全|一直|从未|没有一"
    r"|\b(?:all|each|every|always|never|only|any|most|none)\b",
    re.IGNORECASE,
)


class Line(NamedTuple):
    """One line of the ledger."""

    section: str
    begins: str
    sentences: int
    claims: tuple[str, ...]
    why: str
    note: str


class Ledger(NamedTuple):
    """The ledger of one document; `title` as it is in the original, `english` translated."""

    document: str
    title: str
    english: str
    about: str
    lines: tuple[Line, ...]


@cache
def ledgers() -> tuple[Ledger, ...]:
    """All ledgers, in order of the documents."""
    return tuple(_read(path) for path in sorted(LEDGER.glob("*.yaml")))


def _read(path: Path) -> Ledger:
    data = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506, it makes texts only
    lines = tuple(
        Line(
            line.get("section", ""),
            line["begins"],
            int(line.get("count", 1)),
            tuple(line.get("claims", ())),
            line.get("why", ""),
            line.get("note", ""),
        )
        for line in data.get("sentences") or ()
    )
    return Ledger(path.stem, data["title"], data["english"], data.get("about", ""), lines)


# Sentences.


class Sentence(NamedTuple):
    """A sentence of a document; `counted` where there is a number or a quantifier in it."""

    text: str
    counted: bool


def sentences(text: str) -> Iterator[Sentence]:
    """The sentences of a document, or what is left of a line without its numbering and marks."""
    for line in text.splitlines():
        for part in _ENDS.split(line):
            words = _NUMBERING.sub("", _MARKS.sub(" ", part)).strip()
            if words:
                yield Sentence(words, bool(_NUMBER.search(words) or _QUANTIFIER.search(words)))


def beginning(sentence: str) -> str:
    """The first words of a sentence, by which the ledger knows it."""
    return sentence[:WORDS].strip()


def unmatched(ledger: Ledger, text: str) -> tuple[list[str], list[str]]:
    """The sentences that the ledger lacks, and the lines whose sentence the document lacks."""
    every, position = list(sentences(text)), 0
    missing: list[str] = []
    stray: list[str] = []
    for line in ledger.lines:
        rest = range(position, len(every))
        at = next((at for at in rest if every[at].text.startswith(line.begins)), None)
        if at is None:
            stray.append(f"{line.section}: {line.begins}")
            continue
        missing += [one.text for one in every[position:at] if one.counted]
        position, left = at + 1, line.sentences - every[at].counted
        while left > 0 and position < len(every):
            left -= every[position].counted
            position += 1
    return missing + [one.text for one in every[position:] if one.counted], stray


# Claims.


@cache
def verdicts() -> dict[str, list[Verdict]]:
    """All verdicts, by spec."""
    return api.reproduce_all()


def judged(ledger: Ledger, claim: str) -> list[Verdict]:
    """The verdicts that a line's claim names; none where it names nothing."""
    spec, source, *begins = claim.split(" | ")  # a beginning may end with a blank: "vgg16 "
    whole = f"course notes {ledger.document}, {source}"
    return [
        verdict
        for verdict in verdicts().get(spec, ())
        if verdict.source == whole and called(verdict).startswith(begins[0] if begins else "")
    ]


def called(verdict: Verdict) -> str:
    """What a claim says, or a figure's network, layer, name and what is printed."""
    if verdict.is_claim:
        return verdict.figure
    return f"{verdict.name} {verdict.figure} {verdict.printed}"


def problems(ledger: Ledger) -> Iterator[str]:
    """Faults of the ledger and of its agreement with the claims; nothing where all is well."""
    named: set[int] = set()
    for line in ledger.lines:
        place = f"{ledger.document}, {line.section}, {line.begins!r}"
        yield from (f"{place}: {fault}" for fault in _faults(line))
        for claim in line.claims:
            found = judged(ledger, claim)
            named |= {id(verdict) for verdict in found}
            if not found:
                yield f"{place}: no figure or claim is {claim!r}"
    start = f"course notes {ledger.document},"
    for spec, found in verdicts().items():
        for verdict in found:
            if verdict.source.startswith(start) and id(verdict) not in named:
                yield f"{spec} | {verdict.source} | {called(verdict)}: no sentence names it"


def _faults(line: Line) -> Iterator[str]:
    if bool(line.claims) == bool(line.why):
        yield "expected either claims or a reason why there is none"
    if line.why and line.why not in REASONS:
        yield f"expected a reason of {', '.join(REASONS)}, received {line.why!r}"
    if line.why == "lacking" and not line.note:
        yield "expected a note with what is lacking"
    if not 0 < len(line.begins) <= WORDS:
        yield f"expected at most {WORDS} characters of the sentence"


# The command.


def main() -> None:
    """Recount the documents in a directory, or print what the ledger lacks."""
    directory, *options = sys.argv[1:] or [""]
    only_missing = "--missing" in options
    documents = {path.name[:3]: path for path in sorted(Path(directory).glob("00*"))}
    if not directory or not documents:
        sys.exit("expected a directory with the documents 000 to 004")
    known = {ledger.document: ledger for ledger in ledgers()}
    failed = False
    for document, path in documents.items():
        ledger = known.get(document, Ledger(document, "", "", "", ()))
        text = path.read_text(encoding="utf-8")
        missing, stray = unmatched(ledger, text)
        if only_missing:
            print(f"# {document}")
            for sentence in missing:
                begins = json.dumps(beginning(sentence), ensure_ascii=False)
                print(f"- {{section: , begins: {begins}, why: }}  # {sentence}")
            continue
        total = sum(one.counted for one in sentences(text))
        _print_counts(ledger, total, len(missing))
        told = [f"no such sentence: {line}" for line in stray] + list(problems(ledger))
        print(*(f"  {problem}" for problem in told), sep="\n", end="\n" if told else "")
        failed = failed or bool(missing or told)
    sys.exit(failed)


def _print_counts(ledger: Ledger, total: int, missing: int) -> None:
    claimed = sum(line.sentences for line in ledger.lines if line.claims)
    reasons = [word for line in ledger.lines for word in [line.why] * line.sentences if word]
    why = ", ".join(f"{reasons.count(word)} {word}" for word in REASONS if word in reasons)
    print(
        f"{ledger.document}: {total} sentences with a number or a quantifier; {claimed} judged, "
        f"{len(reasons)} not ({why or 'none'}), {missing} without a line"
    )


if __name__ == "__main__":
    main()
