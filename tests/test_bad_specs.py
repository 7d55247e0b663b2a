"""Specs that are refused: each file of tests/cases/bad says in its first lines what must be said.

    # expect: LINE:COLUMN: part of the message (the layer's name before it, the hint behind it)

One such line an error, and no error more. A file's stem says what it is about.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archcalc.errors import SpecError, SpecErrors
from archcalc.spec import library
from archcalc.spec.expansion import expand

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = sorted((Path(__file__).parent / "cases" / "bad").glob("*.yaml"))
EXPECT = re.compile(r"^# expect: (\d+):(\d+): (.+)$")


def expected(path: Path) -> Iterator[tuple[int, int, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        match = EXPECT.match(line)
        if not match:
            return
        yield int(match[1]), int(match[2]), match[3]


def errors(path: Path) -> tuple[SpecError, ...]:
    try:
        for network in library.variants(library.read(str(path))):
            expand(network)
    except SpecErrors as found:
        return found.errors  # type: ignore[return-value]
    except SpecError as found:
        return (found,)
    return ()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_bad_spec(path: Path) -> None:
    start = time.perf_counter()
    found = errors(path)
    assert time.perf_counter() - start < 3
    wanted = list(expected(path))
    assert wanted, "the file expects nothing"
    places = [(e.place.line, e.place.column) for e in found if e.place]
    assert places == [(line, column) for line, column, _ in wanted], "\n".join(map(str, found))
    for error, (line, column, text) in zip(found, wanted, strict=True):
        assert str(error).startswith(f"{path}:{line}:{column}: ")
        assert text in str(error)
        assert "expected" in str(error)
        assert "received" in str(error)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_message_is_a_sentence_that_can_be_printed(path: Path) -> None:
    for error in errors(path):
        assert str(error).isprintable()
        assert len(str(error)) < 700
        assert not str(error).endswith(".")


def test_there_are_cases() -> None:
    assert len(CASES) > 60
