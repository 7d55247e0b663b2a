"""YAML to a marked tree: YAML 1.2 scalars, places, and everything a file can be refused for."""

from __future__ import annotations

import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from archcalc.errors import SpecError
from archcalc.spec import library, reader
from archcalc.spec.reader import Mapping, Scalar, Sequence

ROOT = Path(__file__).parents[1]


def tree(text: str) -> Mapping:
    return reader.read(text, "file.yaml")


def plain(node: Any) -> Any:
    """A tree as plain Python values."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        tree(text)
    return caught.value


def file_refusal(path: Path, data: bytes) -> SpecError:
    path.write_bytes(data)
    with pytest.raises(SpecError) as caught:
        library.read(str(path))
    return caught.value


# Scalars: the core schema of YAML 1.2 (yaml.org/spec/1.2.2, 10.3.2), decimals exact.

SCALARS = [
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("null", None),
    ("~", None),
    ("", None),
    ("none", "none"),
    ("010", 10),
    ("0", 0),
    ("-7", -7),
    ("+7", 7),
    ("0o17", 15),
    ("0x1F", 31),
    ("1_000", "1_000"),
    ("0b101", "0b101"),
    ("1:30", "1:30"),
    ("1e-5", Fraction(1, 100000)),
    ("1e3", 1000),
    ("1.5E+2", 150),
    ("0.1", Fraction(1, 10)),
    ("-.5", Fraction(-1, 2)),
    ("3.", 3),
    ("1704.04861", Fraction(170404861, 100000)),
    ("2014-09-17", "2014-09-17"),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("1e999999999", "1e999999999"),
    ("1e999", "1e999"),
    ("9" * 5000, "9" * 5000),
    ("0." + "1" * 5000, "0." + "1" * 5000),
    ("64x64", "64x64"),
    ('"3"', "3"),
    ("'true'", "true"),
    ('""', ""),
    ("'~'", "~"),
    ("|\n  3\n", "3\n"),
]


@pytest.mark.parametrize(("text", "expected"), SCALARS, ids=lambda value: str(value)[:20])
def test_scalar(text: str, expected: Any) -> None:
    got = plain(tree(f"x: {text}"))["x"]
    assert got == expected
    assert type(got) is type(expected)


def test_keys_are_words() -> None:
    assert list(tree("3: a\ntrue: b\n~: c\n0.5: d").entries) == ["3", "true", "~", "0.5"]


def test_anchors_stand_for_their_value() -> None:
    assert plain(tree("a: &x [1, 2]\nb: *x\nc: [*x, 3]")) == {
        "a": [1, 2],
        "b": [1, 2],
        "c": [[1, 2], 3],
    }


# Places.


def test_every_node_knows_its_place() -> None:
    root = tree("# a comment\na: 1\nlist:\n  - x\n  -   {k: [v]}\n")
    key, one = root.entries["a"]
    assert (key.line, key.column, one.line, one.column) == (1, 0, 1, 3)
    items = root.get("list")
    assert isinstance(items, Sequence)
    assert [(item.line, item.column) for item in items.items] == [(3, 4), (4, 6)]
    inner = items.items[1]
    assert isinstance(inner, Mapping)
    assert (inner.entries["k"][1].line, inner.entries["k"][1].column) == (4, 10)


def test_columns_count_characters_not_bytes() -> None:
    value = tree("{größe: 1, x: 2}").entries["x"][1]
    assert isinstance(value, Scalar)
    assert value.column == len("{größe: 1, x: ")


def test_an_alias_stands_where_its_anchor_does() -> None:
    root = tree("a: &x [1]\nb: *x\n")
    assert root.get("b") is root.get("a")


# Refusals: text, place, part of the message.

WRONG = [
    (
        "a: 1\nb: 2\na: 3\n",
        (3, 1),
        "duplicate key: expected a new one, received 'a' again, first in line 1",
    ),
    (
        "a: {b: 1, b: 2}",
        (1, 11),
        "duplicate key: expected a new one, received 'b' again, first in line 1",
    ),
    ("a: 1\n'a': 2\n", (2, 1), "duplicate key: expected a new one, received 'a' again"),
    ("a: !!python/object/apply:os.system [ls]", (1, 4), "plain data, received the tag"),
    ("a: !!str 3", (1, 4), "plain data, received the tag"),
    ("a: !x {b: 1}", (1, 4), "plain data, received the tag '!x'"),
    ("a: !!python/name:os.system", (1, 4), "plain data, received the tag"),
    ("a: *b", (1, 4), "expected the name of an anchor before it, received *b"),
    ("a: &x [1, *x]", (1, 11), "received *x, inside the value it names"),
    ("&r a: {b: *q}", (1, 11), "received *q, which no anchor before it names"),
    ("a: 1\n---\nb: 2\n", (2, 1), "one document, received a second"),
    ("a: 1\n...\n---\nb: 2\n", (3, 1), "one document, received a second"),
    ("", (1, 1), "received an empty file"),
    ("# nothing\n\n", (1, 1), "received an empty file"),
    ("---\n", (2, 1), "received nothing"),
    ("- a\n- b\n", (1, 1), "expected a mapping with 'input' and 'layers', received a list"),
    ("\nhello", (2, 1), "received 'hello'"),
    ("? [a]\n: b\n", (1, 3), "expected a word as key, received a list"),
    ("{a: 1}: 2", (1, 1), "expected a word as key, received a mapping"),
    (
        "a: [1, 2\n",
        (2, 1),
        "expected YAML, received text that is not: while parsing a flow sequence",
    ),
    ("a: b: c", (1, 5), "expected YAML, received text that is not: mapping values are not allowed"),
    ("a: 'x", (1, 6), "expected YAML, received text that is not: while scanning a quoted scalar"),
    ("a:\n\t- b", (2, 1), "expected YAML, received text that is not"),
    ("a: @x", (1, 4), "expected YAML, received text that is not"),
    ("a: 1\n b: 2\n", (2, 3), "expected YAML, received text that is not: mapping values"),
    (
        "a: \x07",
        (1, 4),
        "expected YAML, received text that is not: control characters are not allowed",
    ),
    ("größe: 1\nläuft: \x1b[31m", (2, 8), "received text that is not: control characters are not"),
    ("a: \x00", (1, 4), "expected YAML, received text that is not: control characters"),
    ("a: \ud800", (1, 4), "expected text, received half a character"),
]


@pytest.mark.parametrize(("text", "place", "message"), WRONG, ids=[repr(w[0])[:30] for w in WRONG])
def test_refused(text: str, place: tuple[int, int], message: str) -> None:
    error = refusal(text)
    assert message in error.message
    assert "expected" in error.message
    assert "received" in error.message
    assert error.place == ("file.yaml", *place)


def test_messages_hold_no_control_characters() -> None:
    text = str(refusal('a: "\\e[31m"\n"\\e[31m": 1\n"\\e[31m": 2\n'))
    assert "\x1b" not in text
    assert "\\x1b" in text


# What could take long or much.

BOMBS = {
    "aliases": "a0: &a0 [1]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)),
    "wide aliases": "a: &a [" + "1, " * 2000 + "1]\nb: [" + "*a, " * 2000 + "*a]\n",
    "mappings": "a0: &a0 {k: 1}\n"
    + "".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}\n" for i in range(1, 60)),
    "brackets": "a: " + "[" * 200_000,
    "closed brackets": "a: " + "[" * 100_000 + "]" * 100_000,
    "braces": "a: " + "{a: " * 50_000,
    "indented lists": "a:\n" + "- " * 50_000 + "x",
    "questions": "? " * 50_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_at_once(name: str) -> None:
    start = time.perf_counter()
    error = refusal(BOMBS[name])
    assert time.perf_counter() - start < 5
    assert "expected at most" in error.message
    assert "received more" in error.message
    assert error.place is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits a process's memory")
def test_bombs_take_no_memory() -> None:
    """A process of its own, which may not have more than 300 MB."""
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({300 * 2**20}, {300 * 2**20}))\n"
        "from archcalc.errors import SpecError\n"
        "from archcalc.spec import reader\n"
        "try:\n    reader.read(sys.stdin.read(), 'x')\n"
        "except SpecError as error:\n    print(error)\n"
    )
    for text in BOMBS.values():
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=text,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert done.stderr == ""
        assert "expected at most" in done.stdout


def test_many_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader.MOST_NODES == 1_200_000
    monkeypatch.setattr(reader, "MOST_NODES", 12_000)
    error = refusal("a: [" + "1," * 13_000 + "1]")
    assert "expected at most 12,000 YAML nodes (aliases in full), received more" in error.message


def test_deep_but_sensible_nesting_is_read() -> None:
    node: Any = tree("a: " + "[" * 90 + "1" + "]" * 90).get("a")
    for _ in range(90):
        [node] = node.items
    assert node.value == 1


# Files.


def test_not_utf8_has_line_and_column(tmp_path: Path) -> None:
    error = file_refusal(tmp_path / "a.yaml", "a: 1\nb: größe\n".encode("latin-1"))
    assert error.message == "expected UTF-8 text, received the byte 0xF6"
    assert error.place == (str(tmp_path / "a.yaml"), 2, 6)


def test_column_of_a_byte_counts_the_characters_before_it(tmp_path: Path) -> None:
    error = file_refusal(tmp_path / "a.yaml", "a: 1\nöä: ".encode() + b"\xff\n")
    assert error.place == (str(tmp_path / "a.yaml"), 2, 5)


def test_column_with_a_byte_order_mark(tmp_path: Path) -> None:
    error = file_refusal(tmp_path / "a.yaml", b"\xef\xbb\xbfa: \xff\n")
    assert error.message == "expected UTF-8 text, received the byte 0xFF"
    assert error.place == (str(tmp_path / "a.yaml"), 1, 4)


def test_utf16_is_not_utf8(tmp_path: Path) -> None:
    error = file_refusal(tmp_path / "a.yaml", "a: 1\n".encode("utf-16"))
    assert "expected UTF-8 text" in error.message
    assert error.place == (str(tmp_path / "a.yaml"), 1, 1)


def test_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as stream:
        stream.truncate(10 * 2**30)  # sparse: takes no disk, would take 10 GB of memory
    with pytest.raises(SpecError, match="expected at most 16 MiB, received more"):
        library.read(str(path))


@pytest.mark.parametrize("path", ["/nonexistent/a.yaml", "/"])
def test_unreadable_file_is_named(path: str) -> None:
    with pytest.raises(SpecError) as caught:
        library.read(path)
    assert f"can't read '{path}'" in caught.value.message


NETWORK = "input: [3, 8, 8]\nlayers:\n  - conv: {out: 4, kernel: 3}\n"


@pytest.mark.parametrize(
    "data",
    [
        NETWORK.encode(),
        NETWORK.encode("utf-8-sig"),
        NETWORK.replace("\n", "\r\n").encode(),
        NETWORK.encode("utf-8-sig").replace(b"\n", b"\r\n"),
        NETWORK.rstrip("\n").encode(),
        b"---\n" + NETWORK.encode() + b"...\n",
        b"%YAML 1.2\n---\n" + NETWORK.encode(),
    ],
    ids=["plain", "bom", "crlf", "bom and crlf", "no last newline", "marked", "directive"],
)
def test_ways_to_write_the_same_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(data)
    spec = library.read(str(path))
    assert spec.name == "net"
    assert len(spec.layers) == 1


def test_lines_count_with_crlf(tmp_path: Path) -> None:
    data = NETWORK.replace("\n", "\r\n").replace("out", "outt").encode()
    error = file_refusal(tmp_path / "a.yaml", data)
    places = [one.place for one in getattr(error, "errors", [error])]
    assert [(place.line, place.column) for place in places] == [(3, 5), (3, 12)]
