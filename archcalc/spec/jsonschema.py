"""The JSON Schema of the spec language (draft 2020-12), for editors to complete and check specs.

Built from the tables the checker reads: the keys of `schema` and `layers`, the kinds and fields of
`ops`. What needs more than one key to judge (names that are defined, shapes that match) is the
checker's alone: a spec that fails here is wrong, one that passes may still be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.ops.fields import EXPRESSION, REQUIRED, Field
from archcalc.spec.layers import COMMON, JOINS, LAYER_KINDS, OF_BLOCKS, STRUCTURE
from archcalc.spec.schema import ELSEWHERE, PAPER, TOP
from archcalc.spec.schema_words import (
    TEXT,
    Schema,
    described,
    identifiers,
    list_of,
    map_of,
    nullable,
    object_of,
    ref,
)

if TYPE_CHECKING:
    from archcalc.ops import Op

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_NAME = r"""^[^\s/.@#,=:"'{}\[\]]+$"""
_TEMPLATE = r"""^([^\s/.@#,=:"'{}\[\]]|\{[^{}]*\})+$"""


def json_schema() -> Schema:
    """The schema of a whole spec file, made anew."""
    return {
        "$schema": DRAFT,
        "title": "archcalc spec",
        "description": "A network, layer by layer, as archcalc reads it.",
        **object_of(_top(), required=("input", "layers")),
        "$defs": {**_shared(), **_kinds(), **_structure()},
    }


def _spoken(doc: str | None) -> str:
    """A docstring as one line."""
    return " ".join((doc or "").split())


_WORDS = list_of(TEXT)
_CONDITION: Schema = {"anyOf": [{"type": "boolean"}, EXPRESSION]}


# The file.


def _top() -> Schema:
    parts: Schema = {
        "name": described("the network's name; the file's, if left out", _name(_NAME)),
        "title": described("the network's title, as a heading", TEXT),
        "doc": described("what a reader should know about the network", TEXT),
        "paper": described("where the network was published", _paper()),
        "aliases": described("other names the network is found by", _WORDS),
        "settings": described("values a user can choose, with their defaults", _settings()),
        "input": described("the input's shape: channels, then the spatial sizes", _input()),
        "blocks": described("parts that are used as layers, with arguments", _blocks()),
        "layers": ref("layers"),
        "outputs": described("the network's outputs; the last layer, if left out", _outputs()),
        "variants": described("several networks in one file, by name", _variants()),
        "tables": described("tables as a paper heads them: `--columns NAME`", _tables()),
    }
    return {key: parts[key] for key in TOP if key not in ELSEWHERE}


def _name(pattern: str) -> Schema:
    return {**TEXT, "pattern": pattern, "maxLength": 200}


def _paper() -> Schema:
    parts = {
        "title": "its title",
        "authors": "its authors",
        "year": "the year it appeared",
        "venue": "the conference or journal",
        "arxiv": "its arXiv number, in quotes: '1409.4842'",
        "doi": "its DOI",
        "url": "where it can be read",
    }
    return object_of({key: described(parts[key], TEXT) for key in PAPER})


def _settings() -> Schema:
    value = ref("value")
    parts = {
        "default": described("its value where none is chosen", value),
        "choices": described("the only values it may have", list_of(value)),
        "minimum": described("the least number it may be", {"type": "number"}),
        "doc": described("what it means", TEXT),
    }
    return map_of({"anyOf": [value, object_of(parts, required=("default",))]}, identifiers())


def _input() -> Schema:
    size = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
    return {**list_of(size, least=1), "maxItems": 8}


def _blocks() -> Schema:
    arguments = map_of(ref("term"), identifiers(*COMMON, *OF_BLOCKS))
    parts = {
        "doc": described("what the block is", TEXT),
        "arguments": described("names with their defaults, or the word `required`", arguments),
        "layers": ref("layers"),
    }
    names = {"pattern": _NAME, "not": {"enum": [*LAYER_KINDS, *STRUCTURE]}}
    return map_of(object_of(parts, required=("layers",)), names)


def _outputs() -> Schema:
    parts = {
        "from": described("the layer", TEXT),
        "name": described("what the output is called; the layer's name, if left out", TEXT),
        "auxiliary": described(
            "an auxiliary head: it doesn't count towards depth", {"type": "boolean"}
        ),
        "when": described("whether there is such an output", _CONDITION),
        "each": described("an output for each item of these lists", _each()),
    }
    return list_of({"anyOf": [TEXT, object_of(parts, required=("from",))]}, least=1)


def _variants() -> Schema:
    parts = {
        "title": described("the variant's title", TEXT),
        "aliases": described("other names the variant is found by", _WORDS),
        "settings": described("settings that differ from their defaults", map_of(ref("value"))),
    }
    return {**map_of(object_of(parts), {"pattern": _NAME}), "minProperties": 1}


def _tables() -> Schema:
    column = {"anyOf": [TEXT, list_of(TEXT)]}
    parts = {
        "source": described("the paper's table", TEXT),
        "depth": described("the level of blocks it shows", {"type": "integer", "minimum": 1}),
        "fold": described(
            "merge normalizations and activations into the layer before", {"type": "boolean"}
        ),
        "hide": described("layer kinds and blocks it leaves out", _WORDS),
        "columns": described(
            "headings, each with a column or a block's argument, or the first of several",
            map_of(column),
        ),
    }
    return map_of(object_of(parts, required=("columns",)))


# What several places share.


def _shared() -> Schema:
    scalar = {"type": ["string", "number", "boolean"]}
    return {
        "value": described(
            "a number, true, false, a word or a list of these",
            {"anyOf": [scalar, list_of(ref("value"))]},
        ),
        "term": described(
            "a number, true, false, an expression or a list of these",
            {"anyOf": [scalar, list_of(ref("term"))]},
        ),
        "layers": described("layers, each fed by the one before", list_of(ref("layer"))),
        "layer": _layer(),
        "common": object_of(_every_layer(), others=True),
        "call": described(
            "a block used as a layer, with its arguments",
            nullable(object_of({**_common(), **_of_blocks()}, others=ref("term"))),
        ),
    }


def _layer() -> Schema:
    """A kind or a block alone, or one key with its fields."""
    known = [*LAYER_KINDS, *STRUCTURE]
    fields = [name for name in known if name in STRUCTURE or name in JOINS or _needs(name)]
    alone = [name for name in known if name not in fields]
    return {
        "anyOf": [
            {
                "type": "string",
                "minLength": 1,
                "anyOf": [{"enum": alone}, {"type": "string", "not": {"enum": fields}}],
            },
            {
                **object_of({name: ref(name) for name in known}, others=ref("call")),
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    }


def _common() -> Schema:
    """What every layer takes, by reference."""
    return {key: ref(f"common/properties/{key}") for key in COMMON}


def _every_layer() -> Schema:
    loop = object_of({"each": _each(), "layer": TEXT}, required=("each", "layer"))
    one = {"anyOf": [TEXT, described("a layer for each item of the lists", loop)]}
    references = {"anyOf": [*one["anyOf"], list_of(one, least=1)]}
    parts = {
        "name": described(
            "the layer's name, with `{expressions}`; kind and number, if left out",
            _name(_TEMPLATE),
        ),
        "from": described("the earlier layers it takes; the one before, if left out", references),
        "weights": described("an earlier layer or block whose parameters it shares", TEXT),
        "when": described("whether it is there", _CONDITION),
        "label": described("what tables call it in place of its kind", TEXT),
    }
    return {key: parts[key] for key in COMMON}


def _of_blocks() -> Schema:
    survival = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, EXPRESSION]}
    doc = "the probability that its residual bodies are kept in training (stochastic depth)"
    times = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
    often = "how often it is applied, with the same parameters, to the items in front of its input"
    parts = {"times": described(often, times), "survival": described(doc, survival)}
    return {key: parts[key] for key in OF_BLOCKS}


# Layer kinds.


def _kinds() -> Schema:
    return {name: _join(op) if name in JOINS else _kind(op) for name, op in LAYER_KINDS.items()}


def _kind(op: type[Op]) -> Schema:
    needed = _needs(op.kind)
    made = object_of({**_own(op), **_common()}, required=needed)
    made = made if needed else nullable(made)
    return {"title": op.title, "description": _spoken(op.__doc__), **made}


def _join(op: type[Op]) -> Schema:
    """Branches under names of their own, or earlier layers under `from`."""
    properties = {**_own(op), **_common()}
    known = {"propertyNames": {"enum": list(properties)}}
    branch = described("a branch; the empty list passes the input on", ref("layers"))
    return {
        "title": op.title,
        "description": _spoken(op.__doc__),
        **object_of(properties, others=branch),
        "if": {"required": ["from"]},
        "then": known,
        "else": {"not": known},
    }


def _needs(kind: str) -> list[str]:
    """The fields a kind can't do without."""
    op = LAYER_KINDS[kind]
    needed = [field.name for field in op.fields.values() if field.default is REQUIRED]
    return [*needed, *op.references]


def _own(op: type[Op]) -> Schema:
    """A kind's own fields, and the inputs it takes by name (max unpooling's switches)."""
    own = {name: _field(field) for name, field in op.fields.items() if name not in op.hidden}
    return own | {
        port: described(f"the layer whose {port} it uses", TEXT) for port in op.references
    }


def _field(field: Field) -> Schema:
    made = described(field.doc, field.schema())
    if field.default is not REQUIRED and field.default is not None:
        made["default"] = _plain(field)
    return made


def _plain(field: Field) -> Any:
    """A default as JSON has it."""
    value = field.default
    return value if isinstance(value, (bool, int, str)) else float(value)


# Structure.


def _structure() -> Schema:
    variable: Schema = {"type": "string", **identifiers()}
    times = {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]}
    parts = {
        "repeat": described(
            "the same layers several times, one after another",
            object_of(
                {
                    "times": described("how often", times),
                    "index": described("a name for the turn, counted from 0", variable),
                    "layers": ref("layers"),
                },
                required=("times", "layers"),
            ),
        ),
        "for": described(
            "the layers once for each item of one or several lists, which go in step",
            object_of(
                {
                    "each": _each(),
                    "layers": ref("layers"),
                },
                required=("each", "layers"),
            ),
        ),
        "when": described("layers that depend on a condition", _when()),
    }
    return {key: parts[key] for key in STRUCTURE}


def _each() -> Schema:
    lists = {"anyOf": [list_of(ref("term")), EXPRESSION]}
    return described("names with their lists", map_of(lists, identifiers()))


def _when() -> Schema:
    parts = {
        "condition": described("true or false", _CONDITION),
        "layers": ref("layers"),
        "else": described("layers where it is false", ref("layers")),
    }
    either = [{"required": ["layers"]}, {"required": ["else"]}]
    return {**object_of(parts, required=("condition",)), "anyOf": either}
