"""README and docs: what they print is what the commands print, and what they list is complete.

- In a ```console block, `$ archcalc ...` is run, and what follows it is compared with all that it
  prints. A line `...` stands for any lines, `...` inside a line for any text.
- ```python blocks are doctests; those of a page share their names.
- `<!-- file: NAME -->` in front of a block: the page's commands find it as that file.

docs/spec.md and docs/layers.md have conventions and tests of their own; here their links are followed.
"""

from __future__ import annotations

import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path
from re import DOTALL, MULTILINE

import pytest

from archcalc.analysis.costs import DTYPES
from archcalc.ops import KINDS, OPERATIONS
from archcalc.report.columns import COLUMNS, NETWORK_COLUMNS

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/counting.md", "docs/formats.md")


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    """The fenced blocks of a language, each with its line number."""
    text = text_of(page)
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, DOTALL | MULTILINE):
        yield text[: found.start()].count("\n") + 1, found[1]


# Commands.


def commands(page):
    """Every command of a page: its place, itself, and what it should print."""
    for line, block in blocks(page, "console"):
        assert block.startswith("$ "), f"{page}:{line}"
        for part in re.split(r"^\$ ", block, flags=MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield pytest.param(page, command, printed, id=f"{page}:{line}: {command}")


def files(page):
    return dict(
        re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", text_of(page), DOTALL | MULTILINE)
    )


def run(arguments, cwd):
    """What archcalc prints, standard error included, and its exit code."""
    environment = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.stdout, done.returncode


def pattern(printed):
    """A regular expression for what is printed, `...` standing for anything."""
    lines = printed.rstrip("\n").split("\n")
    return "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
        for line in lines
    )


@pytest.mark.parametrize(
    ("page", "command", "printed"), [one for page in PAGES for one in commands(page)]
)
def test_command_prints_what_the_page_says(page, command, printed, tmp_path):
    for name, content in files(page).items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    program, *arguments = shlex.split(command)
    assert program == "archcalc"
    found, code = run(arguments, tmp_path)
    assert re.fullmatch(pattern(printed), found.rstrip("\n") + "\n"), found
    assert code == (2 if "error: " in printed else 0)


def test_patterns_can_fail():
    assert re.fullmatch(pattern("a\n...\nb... c\n"), "a\n1\n2\nb 1 c\n")
    assert not re.fullmatch(pattern("a\nb\n"), "a\nb\nc\n")
    assert not re.fullmatch(pattern("a\n...\nb\n"), "a\n1\nb2\n")
    assert not re.fullmatch(pattern("3.1%"), "3x1%\n")


@pytest.mark.parametrize("page", PAGES)
def test_every_yaml_block_is_a_file_that_a_command_reads(page):
    named = files(page)
    assert text_of(page).count("```yaml\n") == len(named)
    for name in named:
        assert any(name in one.values[1] for one in commands(page)), name


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_has_a_known_language(page):
    fences = re.findall(r"^```(.*)$", text_of(page), MULTILINE)
    assert set(fences[::2]) <= {"bash", "console", "python", "yaml"}
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("page", [page for page in PAGES if list(blocks(page, "python"))])
def test_python_blocks_are_right(page):
    names = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for line, block in blocks(page, "python"):
        example = doctest.DocTestParser().get_doctest(block, names, page, page, line)
        assert example.examples, f"{page}:{line}"
        output = io.StringIO()
        with redirect_stdout(output):
            runner.run(example, clear_globs=False)
        assert not runner.failures, output.getvalue()
        names = example.globs


# Links.

LINKED = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
    "benchmarks/README.md",
)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=DOTALL | MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text_of(page), flags=DOTALL | MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        if path.startswith("https://"):
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.resolve().relative_to(ROOT)), link


# Tables in the pages.


def tables(page):
    """Every table of a page: the line of text before it, and its rows, without heading and rule."""
    found = re.findall(
        r"^(\S[^\n]*)\n\n\|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", text_of(page), MULTILINE
    )
    for before, rows in found:
        yield before, [
            [cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()
        ]


def table(page, before):
    """The rows of the one table that is introduced by a text ending so."""
    (rows,) = [rows for text, rows in tables(page) if text.endswith(before)]
    return rows


def codes(cell):
    return re.findall(r"`([^`]+)`", cell)


# docs/counting.md: what each kind counts.

COUNTING = "docs/counting.md"
IMAGE, VECTOR = ((6, 8, 10),), ((24,),)

# (heading in the first table, kind, fields, inputs): each row of that table is evaluated for them.
WEIGHTS = [
    ("conv", "conv", {"out": 4, "kernel": [3, 5], "stride": 2, "padding": 1}, IMAGE),
    ("conv", "conv", {"out": 4, "kernel": 3, "groups": 2, "bias": False}, IMAGE),
    ("conv", "conv", {"out": 4, "kernel": 3}, ((6, 9),)),
    ("conv with a table", "conv", {"out": 2, "kernel": 3, "table": [[0, 1], [2, 4, 5]]}, IMAGE),
    ("convtranspose", "convtranspose", {"out": 4, "kernel": 3, "stride": 2, "groups": 2}, IMAGE),
    ("convtranspose", "convtranspose", {"out": 4, "kernel": [2, 4], "bias": False}, IMAGE),
    ("linear", "linear", {"out": 7}, VECTOR),
    ("linear", "linear", {"out": 7, "bias": False}, VECTOR),
    ("subsample", "subsample", {"kernel": [2, 5]}, IMAGE),
    ("rbf", "rbf", {"out": 7}, VECTOR),
    ("batchnorm", "batchnorm", {}, IMAGE),
    ("batchnorm", "batchnorm", {"affine": False}, IMAGE),
    ("layernorm", "layernorm", {}, IMAGE),
    ("groupnorm", "groupnorm", {"groups": 3, "affine": False}, IMAGE),
    ("prelu", "prelu", {}, IMAGE),
    ("prelu", "prelu", {"shared": True}, IMAGE),
]


def built(kind, fields):
    """The op, its fields as a spec would give them."""
    return KINDS[kind](**fields)


def headings_of(rows):
    """Each heading of a first column with its row: several kinds may share one."""
    for row in rows:
        kinds = codes(row[0])
        if "with" in row[0]:
            yield f"{kinds[0]} with a {kinds[1]}", row
        elif kinds[-1].startswith("mode: "):
            yield f"{kinds[0]} {kinds[1]}", row
        else:
            yield from ((kind, row) for kind in kinds)


def weight_rows():
    return dict(headings_of(table(COUNTING, "or do Mult-Adds:")))


def symbols(op, facts):
    """What the letters of the two tables stand for."""
    channels, out = facts.inputs[0][0], facts.outputs[0]
    kernel = getattr(op, "kernel", 1)
    rank = len(facts.inputs[0]) - 1
    maps = getattr(op, "table", None) or ()
    return {
        "i": prod(facts.inputs[0]), "e": prod(out), "c_in": channels, "c_out": out[0],
        "p": Fraction(prod(out), out[0]), "k": prod(kernel) if isinstance(kernel, tuple) else kernel**rank,
        "g": getattr(op, "groups", 1), "b": int(getattr(op, "bias", False)),
        "t": sum(len(row) for rows in maps for row in rows), "a": int(getattr(op, "affine", False)),
        "s": 1 if getattr(op, "shared", False) else channels,
    }  # fmt: skip


def evaluated(cell, values):
    """A cell's formula, exactly; an empty cell is 0."""
    text = cell.strip("`")
    exact = {name: Fraction(value) for name, value in values.items()}
    return eval(text, {"__builtins__": {}}, exact) if text else 0


@pytest.mark.parametrize(("heading", "kind", "fields", "inputs"), WEIGHTS)
def test_weights_are_counted_as_the_page_says(heading, kind, fields, inputs):
    op = built(kind, fields)
    facts = op.facts(inputs)
    counts = (facts.params, facts.buffers, facts.mult_adds, facts.connections, facts.neurons)
    row = weight_rows()[heading]
    assert tuple(evaluated(cell, symbols(op, facts)) for cell in row[1:]) == (*counts, op.weighted)


def test_every_row_and_symbol_of_that_table_is_used():
    assert {heading for heading, *_ in WEIGHTS} == set(weight_rows())
    defined = {name for row in table_after(COUNTING, "| Symbol | Is |") for name in codes(row[0])}
    cells = [cell for row in weight_rows().values() for cell in row[1:]]
    assert {name for cell in cells for name in re.findall(r"[a-z]\w*", cell)} == defined


def table_after(page, heading):
    """The rows of the one table with this heading."""
    found = re.findall(rf"^{re.escape(heading)}\n\|[-|]+\|\n((?:\|.*\n)+)", text_of(page), MULTILINE)
    (rows,) = found
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


POOLS = {"kernel": [3, 2], "stride": 2, "padding": [1, 0]}

# The other kinds' fields and inputs, and what `n` is for them.
OTHERS = [
    ("conv", {"out": 4, "kernel": 3}, IMAGE, 0),
    ("conv", {"out": 4, "kernel": 3, "bias": False}, IMAGE, 0),
    ("convtranspose", {"out": 4, "kernel": 3}, IMAGE, 0),
    ("linear", {"out": 7}, VECTOR, 0),
    ("rbf", {"out": 7}, VECTOR, 24),
    ("subsample", {"kernel": [2, 5]}, IMAGE, 10),
    ("maxpool", POOLS, IMAGE, 6),
    ("maxpool", {**POOLS, "ceil": True, "switches": True}, IMAGE, 6),
    ("avgpool", {**POOLS, "count_padding": False}, IMAGE, 6),
    ("adaptivemaxpool", {"size": [4, 5]}, IMAGE, 4),
    ("adaptiveavgpool", {"size": [5, 4]}, IMAGE, Fraction(12 * 12, 5 * 4)),  # on average
    ("globalmaxpool", {}, IMAGE, 80),
    ("globalavgpool", {}, IMAGE, 80),
    ("batchnorm", {}, IMAGE, 0),
    ("layernorm", {}, IMAGE, 480),
    ("groupnorm", {"groups": 3, "affine": False}, IMAGE, 160),
    ("lrn", {"size": 5}, IMAGE, 5),
    *((kind, {}, IMAGE, 0) for kind in (
        "relu", "relu6", "leakyrelu", "prelu", "elu", "sigmoid", "tanh", "scaledtanh", "hardsigmoid",
        "hardswish", "silu", "gelu", "softplus", "dropout", "identity", "flatten",
    )),
    ("softmax", {}, IMAGE, 6),
    ("softmax", {}, VECTOR, 24),
    ("add", {}, IMAGE * 3, 3),
    ("multiply", {}, IMAGE * 2, 2),
    ("upsample mode: nearest", {"scale": 2}, IMAGE, 0),
    ("upsample mode: linear", {"scale": 2, "mode": "linear"}, IMAGE, 4),
    ("upsample mode: linear", {"scale": 2, "mode": "linear"}, ((3, 5),), 2),
    ("input", {"shape": [3, 4, 4]}, (), 0),
    ("concat", {}, IMAGE * 2, 0),
    ("channelshuffle", {"groups": 2}, IMAGE, 0),
    ("pad", {"padding": 1}, IMAGE, 0),
    ("slice", {"stop": 3}, IMAGE, 0),
    ("split", {"parts": 2}, IMAGE, 0),
    ("maxunpool", {"kernel": 2}, IMAGE * 2, 0),
]  # fmt: skip


def other_rows():
    return dict(headings_of(table(COUNTING, "`n` being what it takes in for it:")))


@pytest.mark.parametrize(("heading", "fields", "inputs", "n"), OTHERS)
def test_other_operations_are_counted_as_the_page_says(heading, fields, inputs, n):
    op = built(heading.split()[0], fields)
    facts = op.facts(inputs)
    values = {"n": n} if not inputs else {**symbols(op, facts), "n": n}
    row = other_rows()[heading]
    each = [evaluated(cell, values) for cell in row[2:]]
    out = prod(facts.outputs[0])
    assert [count * out for count in each[:-1]] == list(facts.operations)
    assert each[-1] == sum(each[:-1])


def test_every_kind_is_in_that_table_and_tested():
    assert {heading for heading, *_ in OTHERS} == set(other_rows())
    assert {heading.split()[0] for heading in other_rows()} == set(KINDS)


def test_kinds_that_the_first_table_leaves_out_have_no_weights():
    without = [case for case in OTHERS if case[0] not in weight_rows()]
    for heading, fields, inputs, _ in without:
        op = built(heading.split()[0], fields)
        facts = op.facts(inputs)
        counts = (facts.params, facts.buffers, facts.mult_adds, facts.connections, facts.neurons)
        assert (heading, *counts, op.weighted) == (heading, 0, 0, 0, 0, 0, False)


def test_the_page_names_every_dtype_with_its_bytes():
    text = " ".join(text_of(COUNTING).split())
    (stated,) = re.findall(r"activations alike: (.*?)\. ", text)
    found = {
        name: int(size)
        for group, size in re.findall(r"((?:`\w+`(?: and )?)+) (\d)", stated)
        for name in codes(group)
    }
    assert found == DTYPES


SUMS = [
    (line, side)
    for line in re.findall(r"^    [a-zA-Z0-9 -]+?  +(\S.* = .*)$", text_of(COUNTING), MULTILINE)
    for side in line.split(" = ")[:-1]
]


@pytest.mark.parametrize(("line", "side"), SUMS)
def test_sums_written_by_hand_are_right(line, side):
    result = int(line.rsplit(" = ", 1)[1].replace(",", ""))
    assert eval(side.replace(",", ""), {"__builtins__": {}}) == result


def test_there_are_sums():
    assert len(SUMS) >= 20


# docs/formats.md: every column and key.

FORMATS = "docs/formats.md"


def keys(rows):
    return [codes(row[0])[0] for row in rows]


def test_columns_are_all_there_with_their_headings():
    every, of_lists = (
        rows
        for _, rows in tables(FORMATS)
        if len(rows[0]) == 4 and rows[0][1][:1].isupper()
    )
    for rows, known in ((every, COLUMNS), (of_lists, NETWORK_COLUMNS)):
        assert [(key, row[1]) for key, row in zip(keys(rows), rows, strict=True)] == [
            (column.key, column.heading) for column in known.values()
        ]
        assert [bool(row[2]) for row in rows] == [column.is_number for column in known.values()]


SPEC = """
name: every
title: every key
paper: {title: A, authors: B, year: 2000, venue: C, arxiv: "1", doi: "2", url: "3"}
settings: {width_multiplier: 1}
input: [3, 32, 32]
blocks:
  unit:
    arguments: {out: required}
    layers: [conv: {out: out, kernel: 3}]
layers:
  - unit: {out: 8}
  - batchnorm
  - adaptiveavgpool: {size: 3001}
  - adaptiveavgpool: {size: 4999}
  - flatten
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("formats")
    (path / "every.yaml").write_text(SPEC, encoding="utf-8")
    return path


def printed_json(directory, *arguments):
    text, code = run([*arguments, "--format", "json"], directory)
    assert code == 0, text
    return json.loads(text)


def test_json_of_a_table_has_the_documented_keys(directory):
    document = printed_json(directory, "table", "every.yaml")
    assert list(document) == keys(table(FORMATS, "--format json` writes one object:")[:7])


@pytest.mark.parametrize("command", [("table", "every.yaml"), ("list", "every.yaml")])
def test_a_placeholder(command):
    pass
