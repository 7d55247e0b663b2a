"""docs/spec.md and docs/layers.md: every example runs, every figure is right, nothing is left out.

An example's kind is told by a comment in front of it, which a reader doesn't see:

    <!-- layers: 16x32x32 -->   a list of layers, for an input of this shape
    <!-- part -->               a part of a spec
    <!-- wrong: FILE -->        a spec that is refused; the text block after it is what is printed
    <!-- printed: FILE -->      a whole spec with printed figures, which are judged
    nothing                     a whole spec

"Gives `SHAPE`; FIGURES." after an example says what comes out of it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from re import DOTALL, MULTILINE
from typing import NamedTuple

import pytest
import yaml
from jsonschema import Draft202012Validator

from archcalc import api
from archcalc.analysis import figures as computed
from archcalc.errors import ArchcalcError
from archcalc.ops import KINDS, fields
from archcalc.published.entries import CELL, CLAIM, TABLE
from archcalc.published.jsonschema import json_schema
from archcalc.published.printed import CONVENTIONS, PRINTING, QUOTED
from archcalc.spec import checker, expansion, expressions, layers, library, reader, schema
from archcalc.spec.expressions import FUNCTIONS, RESERVED, Expression
from archcalc.spec.layers import COMMON, LAYER_KINDS, OF_BLOCKS
from archcalc.spec.schema import PAPER, TOP

DOCS = Path(__file__).parents[1] / "docs"
SPEC = (DOCS / "spec.md").read_text(encoding="utf-8")
LAYERS = (DOCS / "layers.md").read_text(encoding="utf-8")
PAGES = {"spec.md": SPEC, "layers.md": LAYERS}


# Examples.

FENCE = re.compile(
    r"(?:<!-- (?P<mark>layers|part|wrong|printed)(?:: (?P<argument>[^ ]+))? -->\n)?"
    r"```yaml\n(?P<text>.*?)^```\n"
    r"(?:\n```text\n(?P<printed>.*?)```\n)?"
    r"(?:\nGives `(?P<shape>[\dx]+)`(?P<figures>[^.]*)\.)?",
    DOTALL | MULTILINE,
)


class Example(NamedTuple):
    place: str
    mark: str | None
    argument: str | None
    text: str
    printed: str | None
    shape: str | None
    figures: str

    @property
    def spec(self) -> str:
        """The example as a whole spec."""
        if self.mark == "layers":
            shape = self.argument.replace("x", ", ")
            return f"input: [{shape}]\nlayers:\n" + re.sub(r"(?m)^", "  ", self.text)
        if self.mark == "part":
            return f"input: [3, 32, 32]\nlayers: [relu]\n{self.text}"
        return self.text

    @property
    def graph(self):
        return expansion.expand(library.parse(self.spec, self.argument or "example.yaml"))


def examples_of(name, text):
    for found in FENCE.finditer(text):
        line = text[: found.start("text")].count("\n") + 1
        groups = found.groupdict()
        yield Example(f"{name}:{line}", **{**groups, "figures": groups["figures"] or ""})


EXAMPLES = [example for name, text in PAGES.items() for example in examples_of(name, text)]
RIGHT = [example for example in EXAMPLES if example.mark != "wrong"]
WRONG = [example for example in EXAMPLES if example.mark == "wrong"]
GIVING = [example for example in EXAMPLES if example.shape]


def by_place(examples):
    return pytest.mark.parametrize("example", examples, ids=lambda example: example.place)


@pytest.mark.parametrize(("name", "text"), PAGES.items())
def test_every_fence_mark_and_figure_was_read(name, text):
    own = [example for example in EXAMPLES if example.place.startswith(f"{name}:")]
    assert len(own) == text.count("```yaml\n")
    assert sum(1 for example in own if example.mark) == text.count("<!-- ")
    assert sum(1 for example in own if example.shape) == text.count("\nGives ")
    assert sum(1 for example in own if example.printed) == text.count("```text\n")
    assert not re.search(r"^\n(?:    |\t)", text, MULTILINE), "code that nothing tests"
    assert text.count("```") == 2 * len(re.findall(r"^```(?:yaml|text|console)\n", text, MULTILINE))


@by_place(RIGHT)
def test_example_expands(example):
    assert len(example.graph.layers) >= 1


@by_place(RIGHT)
def test_example_validates(example):
    validator = Draft202012Validator(json_schema())
    assert [error.message for error in validator.iter_errors(yaml.safe_load(example.spec))] == []


@by_place([example for example in EXAMPLES if example.mark == "printed"])
def test_printed_figures_of_an_example_are_judged(example, tmp_path):
    path = tmp_path / example.argument
    path.write_text(example.text, encoding="utf-8")
    found = api.reproduce(str(path))
    assert found
    assert not [verdict for verdict in found if verdict.problem]


@by_place(WRONG)
def test_wrong_example_prints_what_the_docs_print(example):
    with pytest.raises(ArchcalcError) as caught:
        _ = example.graph
    assert str(caught.value) == example.printed.rstrip("\n")


def figures_of(graph):
    """What the words after "Gives" count."""
    facts = [(node, node.facts) for node in graph.layers]
    return {
        "params": sum(fact.params for node, fact in facts if node.shared_with is None),
        "buffers": sum(fact.buffers for node, fact in facts if node.shared_with is None),
        "Mult-Adds": sum(fact.mult_adds for _, fact in facts),
        "other operations": sum(sum(fact.operations) for _, fact in facts),
        "connections": sum(fact.connections for _, fact in facts),
        "neurons": sum(fact.neurons for _, fact in facts),
    }


@by_place(GIVING)
def test_example_gives_what_the_docs_say(example):
    graph = example.graph
    assert "x".join(map(str, graph.outputs[0].tensor.shape)) == example.shape
    figures = figures_of(graph)
    stated = re.findall(r"([\d,]+) ([a-zA-Z -]+)", example.figures)
    assert example.figures == "".join(
        f"{'; ' if i == 0 else ', '}{number} {what}" for i, (number, what) in enumerate(stated)
    )
    for number, what in stated:
        assert figures[what] == int(number.replace(",", "")), what


# SqueezeNet, against its paper's Table 1 (parameters before pruning).

PUBLISHED = {
    "conv1": ("111x111x96", 14_208),
    "fire2": ("55x55x128", 11_920),
    "fire3": ("55x55x128", 12_432),
    "fire4": ("55x55x256", 45_344),
    "fire5": ("27x27x256", 49_440),
    "fire6": ("27x27x384", 104_880),
    "fire7": ("27x27x384", 111_024),
    "fire8": ("27x27x512", 188_992),
    "fire9": ("13x13x512", 197_184),
    "conv10": ("13x13x1000", 513_000),
}
PUBLISHED_TOTAL = 1_248_424


def squeezenet_example():
    (whole,) = [example for example in EXAMPLES if "  - conv: {name: conv10" in example.text]
    return whole


def channels_last(shape):
    return "x".join(map(str, (*shape[1:], shape[0])))


def test_squeezenet_has_the_papers_parameters_and_sizes():
    graph = squeezenet_example().graph
    found = {}
    for name in PUBLISHED:
        part = graph.root.children[name]
        nodes = list(part.nodes()) if hasattr(part, "nodes") else [part]
        shape = nodes[-1].facts.outputs[0]
        found[name] = (channels_last(shape), sum(node.facts.params for node in nodes))
    assert found == PUBLISHED
    assert figures_of(graph)["params"] == PUBLISHED_TOTAL == sum(n for _, n in PUBLISHED.values())


def test_squeezenets_table_in_the_docs_is_the_papers():
    rows = re.findall(r"^(\w+) +(\d+x[\dx]+) .* ([\d,]+)$", SPEC, MULTILINE)
    shown = {name: (size, int(params.replace(",", ""))) for name, size, params in rows}
    pools = {name: shown.pop(name) for name in ("pool1", "pool4", "pool8", "pool10")}
    assert shown == PUBLISHED
    assert {params for _, params in pools.values()} == {0}
    assert f"classes has {PUBLISHED_TOTAL:,} of them" in SPEC
    assert re.search(rf"^total .* {PUBLISHED_TOTAL:,}$", SPEC, MULTILINE)


# Commands.

COMMANDS = re.findall(r"^\$ (archcalc [^\n]*)\n(.*?)^```", SPEC, DOTALL | MULTILINE)


@pytest.mark.parametrize(("command", "printed"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_command_runs_and_prints_what_the_docs_say(command, printed, tmp_path):
    (tmp_path / "squeezenet.yaml").write_text(squeezenet_example().text, encoding="utf-8")
    ours = command.replace("archcalc", f"{shlex.quote(sys.executable)} -m archcalc", 1)
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent), "PYTHONUTF8": "1"}
    done = subprocess.run(
        ours, shell=True, cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    output = done.stdout.decode("utf-8")
    assert done.returncode == 0, done.stderr.decode("utf-8")
    assert printed in re.sub(r" +$", "", output, flags=MULTILINE)
    assert output or ">" in command


def test_every_command_was_read():
    assert len(COMMANDS) == SPEC.count("$ archcalc ") == SPEC.count("```console\n") == 4


# Layer kinds: a section for each, a row for each field.

SECTION = re.compile(r"^### (.+?)\n(.*?)(?=^##|\Z)", DOTALL | MULTILINE)
ROW = re.compile(r"^\| `([\w#-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", MULTILINE)


def kind_sections():
    for heading, body in SECTION.findall(LAYERS):
        for kind in re.findall(r"`(\w+)`", heading):
            yield kind, re.sub(r"no\s+fields", "no fields", body)


SECTIONS = dict(kind_sections())


def test_every_kind_has_its_section():
    assert sorted(kind for kind, _ in kind_sections()) == sorted(LAYER_KINDS)
    assert set(KINDS) - set(LAYER_KINDS) == {"input"}


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_kind_has_an_example_of_its_own(kind):
    used = [example for example in RIGHT if example.mark == "layers"]
    inside = [example for example in used if example.text in SECTIONS[kind]]
    if "no fields" not in SECTIONS[kind]:  # a section of several plain kinds has one
        inside = [one for one in inside if re.search(rf"^- {kind}\b", one.text, MULTILINE)]
    assert inside


TYPES = {
    fields.Integer: "whole number",
    fields.Sizes: "sizes",
    fields.Padding: "padding",
    fields.Boolean: "true or false",
    fields.Real: "number",
    fields.Reals: "numbers",
    fields.Table: "table",
}


def type_of(field):
    """The type as the docs begin it."""
    if isinstance(field, fields.Word):
        return " or ".join(f"`{word}`" for word in sorted(field.words, reverse=True))
    counted = isinstance(field, (fields.Integer, fields.Sizes))
    from_zero = counted and field.schema()["anyOf"][0]["minimum"] == 0
    return TYPES[type(field)] + (", from 0" if from_zero else "")


def default_of(field):
    """The default as the docs write it; numbers are compared as numbers."""
    if field.default is fields.REQUIRED:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, str):
        return f"`{field.default}`"
    return float(field.default)


def read_default(text):
    return float(Fraction(text)) if text[0].isdigit() else text


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_field_is_there_with_its_type_and_default(kind):
    rows = {name: (kind_of, read_default(default)) for name, kind_of, default, _ in own_rows(kind)}
    own = {name: field for name, field in LAYER_KINDS[kind].fields.items() if name != "gates"}
    if kind == "maxunpool":
        assert rows.pop("switches") == ("a layer's name", "required")
    expected = {name: (type_of(field), default_of(field)) for name, field in own.items()}
    assert rows == expected
    assert own or "no fields" in SECTIONS[kind]


def own_rows(kind):
    rows = ROW.findall(SECTIONS[kind])
    return [row for row in rows if row[0] not in LAYER_KINDS]


@pytest.mark.parametrize("kind", ["relu", "hardswish", "softplus", "sigmoid", "silu", "gelu"])
def test_operations_an_element_of_plain_activations(kind):
    graph = expansion.expand(library.parse(f"input: [1]\nlayers: [{kind}]", "one.yaml"))
    (stated,) = re.findall(rf"^\| `{kind}` \|.*\| (\d+) \|$", LAYERS, MULTILINE)
    assert int(stated) == figures_of(graph)["other operations"]


# Keys of the file, and of every part of it.


def the(pattern):
    """What the group of a pattern stands for in spec.md."""
    found = re.search(pattern, SPEC, DOTALL | MULTILINE)
    assert found, pattern
    return found[1]


def table_below(heading):
    """The rows `| key | default | meaning |` between a heading of spec.md and the next."""
    body = the(rf"^#+ {re.escape(heading)}\n(.*?)(?=^## |^### |\Z)")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", body, MULTILINE)
    return {key: default for key, default, _ in rows}


def keys_in_schema(*path):
    found = json_schema()
    for step in path:
        found = found[step]
    return found


OF_A_TABLE = ("additionalProperties",)
PARTS = {
    "The file": ((), TOP),
    "What every layer takes": (("$defs", "common"), COMMON),
    "Settings": (("properties", "settings", "additionalProperties", "anyOf", 1), None),
    "Variants": (("properties", "variants", "additionalProperties"), None),
    "Outputs": (("properties", "outputs", "items", "anyOf", 1), None),
    "Declared tables": (("properties", "tables", "additionalProperties"), None),
}


@pytest.mark.parametrize(("heading", "part"), PARTS.items())
def test_every_key_is_in_its_table_with_its_default(heading, part):
    path, known = part
    found = keys_in_schema(*path)
    table = table_below(heading)
    assert set(table) == set(found["properties"])
    assert known is None or set(table) == set(known)
    required = {key for key, default in table.items() if default == "required"}
    assert required == set(found.get("required", []))


def test_keys_of_printed_figures_and_claims():
    definitions = json_schema()["properties"]
    keys = set(definitions["published"]["items"]["properties"])
    table = table_below("Printed figures")
    assert set(table) == {*TABLE, *CELL} == {*keys, *CELL}
    assert required(table) == {"source", "printed"}
    table = table_below("Claims")
    claim = definitions["claims"]["items"]
    assert set(table) == set(CLAIM) == set(claim["properties"])
    assert required(table) == set(claim["required"])


def required(table):
    return {key for key, default in table.items() if default == "required"}


def test_figures_and_conventions_are_listed():
    figures = the(r"^A figure is one of (.*?)\. What is printed")
    assert set(re.findall(r"`(\w+)`", figures)) == {*computed.PUBLISHED, *QUOTED}
    printing, counting = (
        set(re.findall(r"`([\w-]+)`", the(pattern)))
        for pattern in (
            r"^Some conventions say how a figure is printed: (.*?)The others",
            r"The others say what is counted: (.*?)\n\n",
        )
    )
    assert printing == set(PRINTING) - {"digits-2"}
    assert counting == set(CONVENTIONS) - set(PRINTING)


def test_what_blocks_take_is_told():
    body = the(r"^### What every layer takes\n(.*?)^### ")
    assert all(f"`{key}`" in body for key in OF_BLOCKS)


def test_keys_of_repeat_for_and_when():
    table = table_below("repeat, for and when")
    definitions = json_schema()["$defs"]
    known = {key for name in layers.STRUCTURE for key in definitions[name]["properties"]}
    assert set(table) == known


def test_every_key_of_a_paper_and_a_block_is_there():
    (row,) = re.findall(r"^\| `paper` \|.*$", SPEC, MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == {"paper", *PAPER}
    for key in keys_in_schema("properties", "blocks", "additionalProperties", "properties"):
        assert re.search(rf"^    {key}:", SPEC, MULTILINE), key


# Expressions, scalars, limits, links.

NAMES = {"alpha": Fraction(3, 4), "i": 2, "mode": "B", "units": [3, 4, 6, 3]}


def expression_rows():
    body = re.search(r"^\| Expression \| Value \|\n\|---\|---\|\n((?:\|.*\n)+)", SPEC, MULTILINE)[1]
    return re.findall(r"^\| `(.+?)` \| (.+?) \|$", body, MULTILINE)


@pytest.mark.parametrize(("text", "value"), expression_rows())
def test_expression_has_the_value_the_docs_say(text, value):
    found = Expression(text)(NAMES, (64, 28, 14))
    stated = yaml.safe_load(value) if value.startswith("[") else reader.scalar(value)
    assert found == stated
    assert isinstance(found, bool) == isinstance(stated, bool)


def test_the_names_of_that_table_are_as_the_docs_say():
    assert len(expression_rows()) >= 15
    assert "With `alpha` 0.75, `i` 2, `mode` B, `units` [3, 4, 6, 3], and a 64x28x14 tensor" in SPEC


def test_functions_and_reserved_words_are_listed():
    listed = the(r"^Functions: (.*?)\n\n")
    assert set(re.findall(r"`(\w+)`", listed)) == FUNCTIONS
    words = the(r"^The words of the language (.*?)functions' names\.")
    assert set(re.findall(r"`(\w+)`", words)) == RESERVED - FUNCTIONS


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((text, 10) for text in ("10", "010", "+10")),
        ("0x10", 16),
        ("0o17", 15),
        ("0.1", Fraction(1, 10)),
        ("1e-4", Fraction(1, 10_000)),
        (".5", Fraction(1, 2)),
        ("true", True),
        ("false", False),
        *((word, word) for word in ("yes", "no", "on", "off")),
        *((text, None) for text in ("", "null", "~")),
    ],
)
def test_scalars_are_what_the_docs_say(written, value):
    body = the(r"^### Scalars\n(.*?)^###")
    assert f"`{written}`" in body if written else "| nothing, " in body
    found = reader.scalar(written)
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


LIMITS = {
    "a file": f"{reader.LARGEST_FILE // 2**20} MiB",
    "YAML nodes, aliases counted in full": f"{reader.MOST_NODES:,}",
    "lists and mappings inside each other": f"{reader.DEEPEST}",
    "blocks in a file": f"{schema.MOST_BLOCKS}",
    "settings; arguments of a block; variables of a loop": f"{checker.MOST_NAMES}",
    "blocks, joins, loops and conditions inside each other": f"{schema.DEEPEST}",
    "layers": f"{layers.MOST_LAYERS:,}",
    f"steps: {expansion.ENTRY_COST} for a layer or a turn of a loop, and 1 for each word or sign "
    "of an expression": f"{expansion.MOST_STEPS:,}",
    "axes of the input, channels included": "8",
    "a size, such as `out` or `kernel`": f"{fields.LARGEST:,}",
    "a list of sizes, or the connections of a table": f"{fields.MOST_ITEMS:,}",
    "an expression": f"{expressions.LONGEST} characters, "
    f"{expressions.DEEPEST} levels of parentheses",
    "a number in an expression, numerator and denominator included": "`10**18`",
    "a list in an expression": f"{expressions.LONGEST_LIST:,} items, "
    f"{expressions.DEEPEST_LIST} lists inside each other",
    "a layer's name, its full name, its label": f"{checker.LONGEST_NAME}, "
    f"{expansion.LONGEST_NAME}, {expansion.LONGEST_LABEL} characters",
    "errors reported at once": f"{checker.MOST_ERRORS}",
}


def test_limits_are_the_codes():
    body = the(r"^## Limits\n(.*?)^## ")
    stated = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", body, MULTILINE)[1:])
    assert stated == LIMITS
    assert expressions.LARGEST == 10**18
    with pytest.raises(ArchcalcError, match="at most 8 sizes"):
        library.parse(f"input: {[1] * 9}\nlayers: [relu]", "nine.yaml")


def anchor(heading):
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(("name", "text"), PAGES.items())
def test_links_lead_somewhere(name, text):
    prose = re.sub(r"^```.*?^```", "", text, flags=DOTALL | MULTILINE)
    links = re.findall(r"\]\(([^)]+)\)", prose)
    assert len(links) > 20
    for link in links:
        page, _, to = link.partition("#")
        if page.startswith("https://"):
            continue
        headings = re.findall(r"^#+ (.+)$", PAGES[page or name], MULTILINE)
        assert not to or to in map(anchor, headings), link
