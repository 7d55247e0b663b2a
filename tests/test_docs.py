"""README and docs: what they print is what the commands print, and what they list is complete.

- In a ```console block, `$ archcalc ...` is run, and what follows it is compared with all that it
  prints. A line `...` stands for any lines, `...` inside a line for any text.
- ```python blocks are doctests; those of a page share their names.
- `<!-- file: NAME -->` in front of a block: the page's commands find it as that file.

docs/spec.md and docs/layers.md have their own conventions and tests; here their links are followed.
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
from contextlib import chdir, redirect_stdout
from fractions import Fraction
from math import prod
from pathlib import Path
from re import DOTALL, MULTILINE

import pytest
from command import bad, good

from archcalc.analysis.costs import DTYPES
from archcalc.ops import KINDS, OPERATIONS
from archcalc.report.columns import COLUMNS, NETWORK_COLUMNS
from archcalc.report.formats import suffixes
from archcalc.report.records import SCHEMA_VERSION

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/counting.md", "docs/formats.md", "docs/memory.md", "docs/verify.md")


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
    as_shown = re.fullmatch(pattern(printed), found.rstrip("\n") + "\n") is not None
    assert as_shown, f"{command} prints:\n{found}"
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
    *(f"docs/documents/{path.name}" for path in sorted((ROOT / "docs/documents").glob("*.md"))),
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


def tables(page, heading):
    """The tables under a heading, up to the next: rows of cells, without the heading's."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=DOTALL | MULTILINE)
    (body,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", prose, DOTALL | MULTILINE)
    for rows in re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", body, MULTILINE):
        yield [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()]


def codes(cell):
    return re.findall(r"`([^`]+)`", cell)


def keys(rows):
    return [key for row in rows for key in codes(row[0])]


# docs/counting.md: what each kind counts.

COUNTING = "docs/counting.md"
IMAGE, VECTOR = ((6, 8, 10),), ((24,),)

# A heading of the first table, and a layer whose figures its row must give.
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
    ("l2norm", "l2norm", {}, IMAGE),
    ("l2norm", "l2norm", {"affine": False}, IMAGE),
    ("prelu", "prelu", {}, IMAGE),
    ("prelu", "prelu", {"shared": True}, IMAGE),
]


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
    rows, _ = tables(COUNTING, "Params and buffers")
    return dict(headings_of(rows))


def symbols(op, facts):
    """What the letters of the two tables stand for."""
    channels, out = facts.inputs[0][0], facts.outputs[0]
    kernel = getattr(op, "kernel", 1)
    rank = len(facts.inputs[0]) - 1
    maps = getattr(op, "table", None) or ()
    return {
        "i": prod(facts.inputs[0]),
        "e": prod(out),
        "c_in": channels,
        "c_out": out[0],
        "p": prod(out[1:]),
        "k": prod(kernel) if isinstance(kernel, tuple) else kernel**rank,
        "g": getattr(op, "groups", 1),
        "b": getattr(op, "bias", False),
        "t": sum(len(row) for rows in maps for row in rows),
        "a": getattr(op, "affine", False),
        "s": 1 if getattr(op, "shared", False) else channels,
    }


def evaluated(cell, values):
    """A cell's formula, exactly; an empty cell is 0."""
    text = cell.strip("`")
    exact = {name: Fraction(value) for name, value in values.items()}
    return eval(text, {"__builtins__": {}}, exact) if text else 0


@pytest.mark.parametrize(("heading", "kind", "fields", "inputs"), WEIGHTS)
def test_weights_are_counted_as_the_page_says(heading, kind, fields, inputs):
    op = KINDS[kind](**fields)
    facts = op.facts(inputs)
    counts = (facts.params, facts.buffers, facts.mult_adds, facts.connections, facts.neurons)
    row = weight_rows()[heading]
    assert tuple(evaluated(cell, symbols(op, facts)) for cell in row[1:]) == (*counts, op.weighted)


def test_every_row_and_symbol_of_that_table_is_used():
    assert {heading for heading, *_ in WEIGHTS} == set(weight_rows())
    _, letters = tables(COUNTING, "Params and buffers")
    cells = [cell for row in weight_rows().values() for cell in row[1:]]
    assert {name for cell in cells for name in re.findall(r"[a-z]\w*", cell)} == set(keys(letters))


ANCHORS = {"number": 5, "scales": [4, 8], "ratios": 1}
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
    ("l2norm", {}, IMAGE, 6),
    ("l2norm", {"affine": False}, IMAGE, 6),
    ("lrn", {"size": 5}, IMAGE, 5),
    *((kind, {}, IMAGE, 0) for kind in (
        "relu", "relu6", "leakyrelu", "prelu", "elu", "sigmoid", "tanh", "scaledtanh",
        "hardsigmoid", "hardswish", "silu", "gelu", "softplus", "complement", "dropout", "identity",
        "flatten",
    )),
    ("softmax", {}, IMAGE, 6),
    ("softmax", {}, VECTOR, 24),
    ("add", {}, IMAGE * 3, 3),
    ("multiply", {}, IMAGE * 2, 2),
    ("upsample mode: nearest", {"scale": 2}, IMAGE, 0),
    ("upsample mode: linear", {"scale": 2, "mode": "linear"}, IMAGE, 4),
    ("upsample mode: linear", {"scale": 2, "mode": "linear"}, ((3, 5),), 2),
    ("proposals", ANCHORS, ((2, 8, 10), (8, 8, 10)), 0),
    ("proposals", ANCHORS, ((4, 8, 10), (8, 8, 10)), Fraction(2 * 8 * 10, 5)),
    ("roialign", {"size": [3, 2]}, (*IMAGE, (5, 4)), 1),
    ("input", {"shape": [3, 4, 4]}, (), 0),
    ("concat", {}, IMAGE * 2, 0),
    ("channelshuffle", {"groups": 2}, IMAGE, 0),
    ("pad", {"padding": 1}, IMAGE, 0),
    ("slice", {"stop": 3}, IMAGE, 0),
    ("split", {"parts": 2}, IMAGE, 0),
    ("maxunpool", {"kernel": 2}, IMAGE * 2, 0),
]  # fmt: skip


def other_rows():
    (rows,) = tables(COUNTING, "Other operations and FLOPs")
    return dict(headings_of(rows))


@pytest.mark.parametrize(("heading", "fields", "inputs", "n"), OTHERS)
def test_other_operations_are_counted_as_the_page_says(heading, fields, inputs, n):
    op = KINDS[heading.split()[0]](**fields)
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
        op = KINDS[heading.split()[0]](**fields)
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
    for line in re.findall(
        r"^    [a-zA-Z0-9 -]+?  +(\S.* = [\d,.]+)$", text_of(COUNTING), MULTILINE
    )
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


def test_columns_are_all_there_with_their_headings():
    for rows, known in zip(tables(FORMATS, "Columns"), (COLUMNS, NETWORK_COLUMNS), strict=True):
        found = [(key, row[1], bool(row[2])) for key, row in zip(keys(rows), rows, strict=True)]
        assert found == [(one.key, one.heading, one.is_number) for one in known.values()]


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


def printed_here(directory, *arguments):
    """What a command prints, run in this process, which imports PyTorch once."""
    with chdir(directory or "."):
        return good(*arguments)


def printed_json(directory, *arguments):
    return json.loads(printed_here(directory, *arguments, "--format", "json"))


@pytest.fixture(scope="module")
def document(directory):
    return printed_json(directory, "table", "every.yaml")


def test_json_of_a_table_has_the_documented_keys(document):
    whole, network, conventions = tables(FORMATS, "A table")
    assert keys(whole) == list(document)
    assert document["schema_version"] == SCHEMA_VERSION == 1
    assert keys(network) == list(document["network"])
    assert keys(conventions) == list(document["conventions"])
    stated = {row[0]: codes(row[1]) for row in network}
    assert stated["`paper`"] == list(document["network"]["paper"])
    assert stated["`outputs`"] == list(document["network"]["outputs"][0])


def test_rows_have_the_documented_keys(document):
    row_keys, parameter, operations, field = map(keys, tables(FORMATS, "A row"))
    every = [*document["layers"], *document["blocks"], document["totals"]]
    assert all(list(row) == row_keys for row in every)
    tensors = [tensor for row in every for tensor in row["parameters"]]
    assert tensors
    assert all(list(tensor) == parameter for tensor in tensors)
    assert all(list(row["operations"]) == operations == list(OPERATIONS) for row in every)
    fields = [list(row["receptive_field"]) for row in every]
    assert fields[0] == field[:-1]
    assert fields[-1] == field
    assert set(map(tuple, fields)) == {tuple(field[:-1]), tuple(field)}
    assert list(every[0]["source"]) == ["file", "line", "column"]


def test_printed_figures_have_the_documented_keys():
    whole, figure = tables(FORMATS, "Printed figures")
    found = printed_json(None, "reproduce", "lenet5")
    assert keys(whole) == list(found)
    assert all(list(one) == keys(figure) for one in found["figures"])


def test_paths_have_the_documented_keys():
    (whole,) = tables(FORMATS, "Paths")
    found = printed_json(None, "paths", "resnet18")
    assert keys(whole) == list(found)
    assert list(found["lengths"][0]) == codes(whole[-2][1])[:5]
    assert found["outputs"] == [{key: found[key] for key in keys(whole)[2:-1]}]
    for more, columns in (([], {"left"}), (["--without", "1"], set())):
        text, *_ = run(["paths", "resnet18", "-f", "csv", *more], None)
        header = text.splitlines()[0].split(",")
        assert {"output", *found["lengths"][0]} - columns == set(header)


def test_comparisons_have_the_documented_keys():
    found = printed_json(None, "compare", "vgg16", "mobilenet")
    (rows,) = tables(FORMATS, "Comparisons")
    assert list(found) == ["schema_version", "networks"]
    stated = {key: codes(row[1]) for key, row in zip(keys(rows), rows, strict=True)}
    for one in found["networks"]:
        assert list(one) == list(stated)
        assert [*one["ratios"], "latency"] == stated["ratios"]
        assert all(list(figure) == stated["printed"] for figure in one["printed"])
    assert all(one["printed"] for one in found["networks"])


def test_latencies_and_saved_runs_have_the_documented_keys(tmp_path):
    kept = str(tmp_path / "kept.json")
    quick = ["--budget", "0.1", "--warmup", "0"]
    found = printed_json(None, "profile", "lenet5", *quick, "--save", kept)
    rows, machine = tables(FORMATS, "Latencies")
    assert list(found) == ["schema_version", "runs"]
    (own,) = found["runs"]
    assert list(own) == keys(rows)
    stated = dict(zip(keys(rows), rows, strict=True))
    assert list(own["machine"]) == keys(machine)
    assert list(own["layers"][0]) == codes(stated["layers"][1])
    assert list(own["roof"]) == codes(stated["roof"][1])[:3]
    (rows,) = tables(FORMATS, "Saved runs")
    (saved,) = printed_json(None, "runs", kept)["runs"]
    assert list(saved) == keys(rows)
    assert set(keys(machine)) - set(saved["machine"]) == {"host", "load", "tf32"}


def columns_of(*arguments):
    text = printed_here(None, *arguments, "--format", "csv")
    return text.splitlines()[0].split(",")


def test_measured_csv_has_the_documented_columns(tmp_path):
    kept = str(tmp_path / "kept.json")
    quick = ["--budget", "0.1", "--warmup", "0"]
    text = text_of(FORMATS).partition("### Latencies")[2].partition("### Saved runs")[0]
    said = codes(text.rpartition("CSV has a line for each layer:")[2])
    machine = said[-9:]
    assert columns_of("profile", "lenet5", *quick) == [*said[:13], *machine]
    short = columns_of("profile", "lenet5", "--no-layers", *quick, "--save", kept)
    assert short == said[14:]  # after the option's name
    saved = codes(text_of(FORMATS).partition("### Saved runs")[2].partition("CSV has")[2])[:9]
    assert columns_of("runs", kept) == [*saved[:3], *machine, *saved[3:]]
    compared = columns_of("compare", "lenet5", "--device", "cpu", "--budget", "0.1")
    assert compared[-9:] == machine
    measured = {"latency", "latency_ratio", "throughput", "latency_low", "latency_high", "runs"}
    assert measured <= set(compared)


def test_what_tools_count_has_the_documented_keys():
    found = printed_json(None, "reconcile", "lenet5", "--layers")
    networks, tools = tables(FORMATS, "Tools")
    assert list(found) == ["schema_version", "networks"]
    (own,) = found["networks"]
    assert list(own) == keys(networks)
    account = ["counted", "archcalc", "difference", "terms", "unexplained"]
    assert codes(tools[2][1]) == account
    for tool in own["tools"]:
        assert list(tool) == [*keys(tools), "layers"]
        assert list(tool["mult_adds"]) == account


TYPES = {
    "text": str, "list": list, "list of lists": list, "object": dict, "integer": int,
    "number": (int, float), "null": type(None),
}  # fmt: skip


def test_rows_have_the_documented_types(document):
    rows, *_ = tables(FORMATS, "A row")
    for row in [*document["layers"], *document["blocks"], document["totals"]]:
        for (key,), kind in ((codes(cells[0]), cells[1]) for cells in rows):
            assert any(isinstance(row[key], TYPES[one]) for one in kind.split(" or ")), (key, kind)


def test_large_integers_are_strings_and_csv_has_them_exactly(directory):
    options = ["table", "vgg16", "--batch", "1000000", "--columns", "name,mult_adds"]
    document = printed_json(directory, *options)
    counts = [row["mult_adds"] for row in (*document["layers"], document["totals"])]
    assert {type(count) for count in counts} == {int, str}
    assert all((type(count) is str) == (int(count) > 2**53) for count in counts)
    assert int(counts[-1]) == sum(map(int, counts[:-1]))
    text, _ = run([*options, "--format", "csv"], directory)
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == list(map(str, counts[:-1]))


def test_json_of_a_list_has_the_documented_keys(directory):
    document = printed_json(directory, "list", "every.yaml")
    (whole,) = tables(FORMATS, "A list of networks")
    assert keys(whole)[:2] == list(document)
    _, network, _ = map(keys, tables(FORMATS, "A table"))
    (listed,) = document["networks"]
    assert list(listed) == [*network, "settings", "totals"]


def test_json_of_explain_has_the_documented_keys(directory):
    document = printed_json(directory, "explain", "every.yaml", "unit1/conv1")
    whole, explanation, derivation, way, step = map(keys, tables(FORMATS, "Derivations"))
    assert whole == list(document)
    (layer,) = document["layers"]
    assert explanation == list(layer)
    assert all(list(one) == derivation for one in layer["derivations"])
    (found,) = layer["receptive_field"]
    assert way == list(found)
    assert all(list(one) == step for one in (*found["forward"], *found["backward"]))


def documented_csv():
    """The headings of the CSV, from the rows' keys and the table that flattens them."""
    (flattened,) = tables(FORMATS, "CSV")
    columns = {}
    for left, right in flattened[:-1]:
        for key in codes(left):
            apart = right != "left out" and not right.startswith(("a shape", "shapes", "tensors"))
            columns[key] = codes(right) if apart else [key] * (right != "left out")
    row_keys, *_ = map(keys, tables(FORMATS, "A row"))
    return [column for key in row_keys for column in columns.get(key, [key])]


def heading(text):
    return text.partition("\n")[0].split(",")


def test_csv_has_the_documented_columns(directory):
    known = documented_csv()
    assert heading(run(["table", "every.yaml", "-f", "csv"], directory)[0]) == known
    listed = heading(run(["list", "every.yaml", "-f", "csv"], directory)[0])
    assert listed == ["name", "year", "title", *known[1:]]
    assert run(["report", "every.yaml", "-o", "study.csv"], directory) == ("", 0)
    assert heading((directory / "study.csv").read_text("utf-8")) == ["network", *known]


def test_columns_of_other_axes_are_named_as_documented(directory):
    text = "input: [3, 9, 9, 9]\nlayers: [conv: {out: 2, kernel: 3}]\n"
    (directory / "video.yaml").write_text(text, encoding="utf-8")
    (directory / "signal.yaml").write_text(text.replace(", 9, 9]", "]"), encoding="utf-8")
    video = heading(run(["table", "video.yaml", "-f", "csv"], directory)[0])
    assert {"kernel_d", "kernel_h", "kernel_w"} < set(video)
    columns, line = run(["table", "signal.yaml", "-f", "csv"], directory)[0].splitlines()
    signal = dict(zip(columns.split(","), line.split(","), strict=True))
    assert (signal["kernel_h"], signal["kernel_w"]) == ("", "3")


OF_TABLES = ["terminal", "markdown", "csv", "json", "latex"]
FORMATS_OF = {
    "explain": ["terminal", "markdown", "latex", "json"],
    **dict.fromkeys(
        ["table", "list", "reproduce", "paths", "memory", "compare", "profile", "runs", "verify",
         "reconcile"], OF_TABLES,
    ),
}  # fmt: skip


def test_formats_of_each_command_are_the_documented_ones(directory):
    rows, *_ = tables(FORMATS, "Formats")
    stated = {codes(row[0])[0]: row[1].split(", ") for row in rows}
    assert stated == {**FORMATS_OF, "report": ["markdown", "csv"]}
    for command, formats in FORMATS_OF.items():
        with chdir(directory):
            message = bad(command, "every.yaml", "--format", "none")
        assert f"expected one of {', '.join(formats)}, received" in message


def test_suffixes_are_the_documented_ones():
    (stated,) = re.findall(r"the suffix of `--output` does: (.*?) \(", text_of(FORMATS), DOTALL)
    assert set(codes(stated)) == set(suffixes())
