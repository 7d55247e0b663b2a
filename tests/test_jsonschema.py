"""The JSON Schema of the spec language: valid, as strict as the checker, and no stricter."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from archcalc.errors import SpecError
from archcalc.ops.fields import REQUIRED
from archcalc.published.jsonschema import json_schema, of_printed_figures
from archcalc.spec import library
from archcalc.spec.layers import COMMON, JOINS, LAYER_KINDS, STRUCTURE
from archcalc.spec.schema import TOP

SPECS = sorted(Path(library.shipped()).glob("*.yaml"))
PUBLISHED = sorted(Path(library.shipped()).glob("published/*.yaml"))
SCHEMA = json_schema()
DEFINITIONS = SCHEMA["$defs"]
VALIDATOR = Draft202012Validator(SCHEMA)


SMALL = {"input": [1, 8, 8], "layers": ["relu"]}


def in_a_network(*layers):
    return "input: [16, 32, 32]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


def with_part(part):
    return f"{part}\n" + in_a_network("relu")


def problems(text):
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_it_is_plain_json_and_its_own():
    assert json.loads(json.dumps(json_schema())) == SCHEMA
    json_schema()["properties"].clear()
    assert json_schema() == SCHEMA


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_validate(path):
    assert problems(path.read_text(encoding="utf-8")) == []


def test_there_are_shipped_specs():
    assert len(SPECS) >= 6


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_shipped_files_of_printed_figures_validate(path):
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(Draft202012Validator(of_printed_figures()).iter_errors(entries)) == []
    assert [error.message for error in VALIDATOR.iter_errors({**SMALL, **entries})] == []


def test_there_are_shipped_files_of_printed_figures():
    assert len(PUBLISHED) >= 6


@pytest.mark.parametrize(
    "entries",
    [
        {"published": 3},
        {"claims": [{"source": "a", "is": "a", "printed": "3"}]},
        {"published": [{"source": "a", "network": {"parms": 3}}]},
        SMALL,
    ],
)
def test_wrong_files_of_printed_figures_do_not_validate(entries):
    schema = of_printed_figures()
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(entries))


RIGHT = {
    "kind with nothing after it": in_a_network("relu:"),
    "padding of every form": in_a_network(
        "conv: {out: 8, kernel: [3, 3], padding: [[0, 1], 2]}",
        "conv: {out: 8, kernel: 3, padding: same_tf}",
        "conv: {out: 8, kernel: 1, padding: [0, height // 8]}",
        "conv: {out: 8, kernel: 1, padding: height // 8}",
    ),
    "table of rows": in_a_network("conv: {out: 2, kernel: 1, table: [[0, 1], [2]]}"),
    "table of groups": in_a_network("conv: {out: 2, kernel: 1, table: [[[0, 1], [2]]]}"),
    "table from a setting": "settings: {t: [[0, 1], [2]]}\n"
    + in_a_network("conv: {out: 2, kernel: 1, table: t}"),
    "names with expressions": in_a_network(
        'relu: {name: "a{1 + 1}_{channels}", label: "a b {height}", when: channels == 16}'
    ),
    "a number as name": in_a_network("relu: {name: 5}", "tanh: {from: 5}"),
    "join of layers": in_a_network("relu", "add: {from: [input, relu1]}"),
    "join of layers by a loop": in_a_network(
        "relu", "add: {from: [input, {each: {i: [1], j: range(1)}, layer: 'relu{i + j}'}]}"
    ),
    "join of a loop's layers alone": in_a_network(
        "relu", "add: {from: {each: {i: [1]}, layer: 'relu{i}'}}"
    ),
    "outputs of a loop": with_part(
        "outputs: [{each: {i: [1]}, from: 'relu{i}', name: 'out{i}', when: i > 0}]"
    ),
    "numbers above 0": in_a_network(
        "proposals: {from: [input, input], number: 1, scales: 0.5, ratios: [0.5, 1, 2 / 3]}",
        "proposals: {from: [input, input], number: 1, scales: 2 * width, ratios: 1}",
    ),
    "applied several times": "blocks: {b: {layers: [relu]}}\n"
    + in_a_network("b: {times: 16}", "b: {times: 2 * 8, from: input, survival: 0.5}"),
    "join of branches": in_a_network("concat: {1x1: [relu], label: both, 3x3: []}"),
    "unpooling": in_a_network(
        "maxpool: {kernel: 2, switches: true}", "maxunpool: {kernel: 2, switches: maxpool1}"
    ),
    "structure": in_a_network(
        "repeat: {times: 2, index: i, layers: [relu]}",
        "for: {each: {k: [1, 3], j: range(2)}, layers: [conv: {out: 8 + j, kernel: k}]}",
        "when: {condition: true, else: [relu]}",
    ),
    "blocks": "blocks:\n  b:\n    doc: one\n    arguments: {out: required, k: 3, s: [1, 1]}\n"
    "    layers: [conv: {out: out, kernel: k, stride: s}]\n"
    + in_a_network("b: {out: 8, name: x}", "b: {out: channels * 2, s: [1, 2], when: true}"),
    "settings": with_part(
        "settings: {a: 1, b: [1, [2, x]], c: true, d: word, e: {default: 2, choices: [1, 2]}}"
    ),
    "outputs": with_part("outputs: [relu1, {from: input, auxiliary: true, name: x, when: true}]"),
    "variants": with_part("settings: {a: 1}\nvariants: {v-1: {}, v2: {settings: {a: 2}}}"),
    "tables": with_part(
        "tables: {paper: {source: T1, depth: 1, fold: true, hide: [relu], columns: {a: [params]}}}"
    ),
    "paper": with_part("paper: {title: T, authors: A, year: 2014, arxiv: '1409.4842'}"),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_what_archcalc_takes_validates(text):
    library.parse(text, "network.yaml")
    assert problems(text) == []


WRONG = {
    "unknown key of the file": with_part("authors: nobody"),
    "unknown key of a kind": in_a_network("conv: {out: 8, kernel_size: 3, kernel: 3}"),
    "unknown key of repeat": in_a_network("repeat: {times: 2, name: x, layers: [relu]}"),
    "unknown key of a block": with_part("blocks: {b: {args: {}, layers: [relu]}}"),
    "unknown key of a paper": with_part("paper: {author: X}"),
    "unknown key of an output": with_part("outputs: [{from: relu1, aux: true}]"),
    "unknown key of a table": with_part("tables: {t: {rows: 1, columns: {a: params}}}"),
    "missing input": "layers: [relu]\n",
    "missing layers": "input: [1, 2, 3]\n",
    "missing field": in_a_network("conv: {out: 8}"),
    "missing fields, kind alone": in_a_network("conv"),
    "missing fields, nothing after it": in_a_network("linear:"),
    "missing switches": in_a_network("maxunpool: {kernel: 2}"),
    "missing times": in_a_network("repeat: {layers: [relu]}"),
    "missing condition": in_a_network("when: {layers: [relu]}"),
    "when without layers": in_a_network("when: {condition: true}"),
    "missing default": with_part("settings: {a: {minimum: 1}}"),
    "missing columns": with_part("tables: {t: {depth: 1}}"),
    "join without branches": in_a_network("add"),
    "loop in from without lists": in_a_network("relu", "add: {from: {layer: relu1}}"),
    "loop in from without a layer": in_a_network("relu", "add: {from: {each: {i: [1]}}}"),
    "join with from and branches": in_a_network("relu", "add: {from: input, body: [relu]}"),
    "branch that is no list": in_a_network("concat: {a: relu, b: []}"),
    "two kinds in an item": in_a_network("{relu: , tanh: }"),
    "fields beside their kind": in_a_network("conv:\n    out: 8\n    kernel: 3"),
    "no kind in an item": in_a_network("{}"),
    "nothing as an item": in_a_network(""),
    "fields that are a number": in_a_network("conv: 64"),
    "type: negative": in_a_network("conv: {out: -8, kernel: 3}"),
    "type: fraction": in_a_network("conv: {out: 2.5, kernel: 3}"),
    "type: true for a size": in_a_network("conv: {out: true, kernel: 3}"),
    "type: empty list": in_a_network("conv: {out: 8, kernel: []}"),
    "type: number for true": in_a_network("conv: {out: 8, kernel: 3, bias: 1}"),
    "type: mapping": in_a_network("conv: {out: 8, kernel: {h: 3}}"),
    "type: nothing": in_a_network("conv: {out: 8, kernel: }"),
    "type: text for layers": "input: [1, 2, 3]\nlayers: relu\n",
    "type: text for input": "input: 3x224x224\nlayers: [relu]\n",
    "type: text for outputs": with_part("outputs: relu1"),
    "empty outputs": with_part("outputs: []"),
    "empty variants": with_part("variants: {}"),
    **{
        f"numbers above 0: {value}": in_a_network(
            f"proposals: {{from: [input, input], number: 1, ratios: 1, scales: {value}}}"
        )
        for value in ("0", "-1", "[]", "[4, 0]", "true", "[[1]]", "{a: 1}")
    },
    **{
        f"applied {value} times": "blocks: {b: {layers: [relu]}}\n"
        + in_a_network(f"b: {{times: {value}}}")
        for value in ("0", "-2", "1.5", "true", "[2]")
    },
    "a kind applied several times": in_a_network("relu: {times: 2}"),
    "argument called times": with_part("blocks: {b: {arguments: {times: 1}, layers: [relu]}}"),
    "name with blanks": with_part("name: my network"),
    "layer's name with a slash": in_a_network("relu: {name: a/b}"),
    "setting called channels": with_part("settings: {channels: 1}"),
    "argument called from": with_part("blocks: {b: {arguments: {from: 1}, layers: [relu]}}"),
    "block called relu": with_part("blocks: {relu: {layers: [tanh]}}"),
    "index that is no name": in_a_network("repeat: {times: 2, index: 2i, layers: [relu]}"),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=list(WRONG))
def test_what_does_not_validate_archcalc_refuses(text):
    assert problems(text) != []
    with pytest.raises(SpecError):
        library.parse(text, "network.yaml")


# Drift: the checker says itself which keys it takes.

UNKNOWN = "qqqqqqqqqq"


def keys_the_checker_takes(text):
    """From its message about a key that is near nothing."""
    with pytest.raises(SpecError) as caught:
        library.parse(text, "network.yaml")
    said = str(caught.value)
    listed = re.search(
        rf"expected a key it takes, received '{UNKNOWN}'; it takes ([\w, ]+)$", said, re.MULTILINE
    )
    assert listed, said
    return set(listed[1].split(", "))


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_fields_of_every_kind_are_those_the_checker_takes(kind):
    taken = keys_the_checker_takes(in_a_network(f"{kind}: {{from: input, {UNKNOWN}: 1}}"))
    assert set(DEFINITIONS[kind]["properties"]) == taken
    assert set(LAYER_KINDS[kind].fields) - {"gates"} <= taken


PARTS = {
    "file": (with_part(f"{UNKNOWN}: 1"), SCHEMA),
    "paper": (with_part(f"paper: {{{UNKNOWN}: 1}}"), SCHEMA["properties"]["paper"]),
    "setting": (
        with_part(f"settings: {{a: {{default: 1, {UNKNOWN}: 1}}}}"),
        SCHEMA["properties"]["settings"]["additionalProperties"]["anyOf"][1],
    ),
    "block": (
        with_part(f"blocks: {{b: {{layers: [relu], {UNKNOWN}: 1}}}}"),
        SCHEMA["properties"]["blocks"]["additionalProperties"],
    ),
    "output": (
        with_part(f"outputs: [{{from: relu1, {UNKNOWN}: 1}}]"),
        SCHEMA["properties"]["outputs"]["items"]["anyOf"][1],
    ),
    "variant": (
        with_part(f"variants: {{v: {{{UNKNOWN}: 1}}}}"),
        SCHEMA["properties"]["variants"]["additionalProperties"],
    ),
    "table": (
        with_part(f"tables: {{t: {{{UNKNOWN}: 1}}}}"),
        SCHEMA["properties"]["tables"]["additionalProperties"],
    ),
    "call": (
        "blocks: {b: {layers: [relu]}}\n" + in_a_network(f"b: {{{UNKNOWN}: 1}}"),
        DEFINITIONS["call"],
    ),
    **{key: (in_a_network(f"{key}: {{{UNKNOWN}: 1}}"), DEFINITIONS[key]) for key in STRUCTURE},
}


@pytest.mark.parametrize(("text", "part"), PARTS.values(), ids=list(PARTS))
def test_keys_of_every_part_are_those_the_checker_takes(text, part):
    assert set(part["properties"]) == keys_the_checker_takes(text)


def test_every_kind_and_structure_can_be_completed():
    alone, one_key = DEFINITIONS["layer"]["anyOf"]
    assert set(one_key["properties"]) == {*LAYER_KINDS, *STRUCTURE}
    assert one_key["minProperties"] == one_key["maxProperties"] == 1
    assert {"relu", "batchnorm", "flatten"} <= set(alone["anyOf"][0]["enum"])
    assert set(alone["anyOf"][0]["enum"]).isdisjoint({"conv", *JOINS, *STRUCTURE})


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_required_fields_and_defaults_are_the_ops(kind):
    schema, fields = DEFINITIONS[kind], LAYER_KINDS[kind].fields
    required = {name for name, field in fields.items() if field.default is REQUIRED}
    assert set(schema.get("required", [])) - {"switches"} == required
    for name, shown in schema["properties"].items():
        if "default" in shown:
            assert shown["default"] == pytest.approx(fields[name].default)


def test_every_key_is_described():
    parts = [SCHEMA, DEFINITIONS["common"], *(part for _, part in PARTS.values())]
    for part in parts + [DEFINITIONS[kind] for kind in LAYER_KINDS]:
        for name, schema in part["properties"].items():
            assert schema.get("description") or "$ref" in schema, name
    for kind in LAYER_KINDS:
        assert DEFINITIONS[kind]["title"]
        assert DEFINITIONS[kind]["description"]


def test_the_tables_are_all_there():
    assert tuple(SCHEMA["properties"]) == TOP
    assert tuple(DEFINITIONS["common"]["properties"]) == COMMON


def references(schema):
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def test_every_reference_leads_somewhere():
    for reference in set(references(SCHEMA)):
        found = SCHEMA
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found
