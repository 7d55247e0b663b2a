"""The JSON Schema of the spec language (draft 2020-12), for editors to complete and check specs.

Built from the tables the checker reads: the keys of `schema` and `layers`, the kinds and fields of
`ops`. What needs more than one key to judge (names that are defined, shapes that match) is the
checker's alone: a spec that fails here is wrong, one that passes may still be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.figures import PUBLISHED
from archcalc.ops.fields import EXPRESSION, REQUIRED, Field
from archcalc.printed import CONVENTIONS, QUOTED
from archcalc.spec.expressions import RESERVED
from archcalc.spec.layers import COMMON, JOINS, LAYER_KINDS, OF_BLOCKS, STRUCTURE
from archcalc.spec.published import ACCURACY, CELL, CLAIM, QUOTATION, TABLE
from archcalc.spec.schema import PAPER, TOP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archcalc.ops import Op

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_IDENTIFIER = r"^[^\W\d]\w*$"
_NAME = r"""^[^\s/.@#,=:"'{}\[\]]+$"""
_TEMPLATE = r"""^([^\s/.@#,=:"'{}\[\]]|\{[^{}]*\})+$"""

Schema = dict[str, Any]


def json_schema() -> Schema:
    """The schema of a whole spec file, made anew."""
    return {
        "$schema": DRAFT,
        "title": "archcalc spec",
        "description": "A network, layer by layer, as archcalc reads it.",
        **_object(_top(), required=("input", "layers")),
        "$defs": {**_shared(), **_kinds(), **_structure()},
    }


# Small words.


def _object(
    properties: Schema, required: Iterable[str] = (), others: bool | Schema = False
) -> Schema:
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": others}
    if needed := list(required):
        made["required"] = needed
    return made


def _map(values: Schema, keys: Schema | None = None) -> Schema:
    """An object whose keys the user chooses."""
    made: Schema = {"type": "object", "additionalProperties": values}
    return {**made, "propertyNames": keys} if keys else made


def _nullable(schema: Schema) -> Schema:
    """`relu:` with nothing after it is `relu`."""
    return {**schema, "type": [schema["type"], "null"]}


def _list(items: Schema, least: int = 0) -> Schema:
    made: Schema = {"type": "array", "items": items}
    return {**made, "minItems": least} if least else made


def _described(what: str, schema: Schema) -> Schema:
    return {"description": what, **schema}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _spoken(doc: str | None) -> str:
    """A docstring as one line."""
    return " ".join((doc or "").split())


_TEXT: Schema = {"type": ["string", "number", "boolean"], "minLength": 1}  # a scalar, as written
_WORDS = _list(_TEXT)
_CONDITION: Schema = {"anyOf": [{"type": "boolean"}, EXPRESSION]}


# The file.


def _top() -> Schema:
    parts: Schema = {
        "name": _described("the network's name; the file's, if left out", _name(_NAME)),
        "title": _described("the network's title, as a heading", _TEXT),
        "doc": _described("what a reader should know about the network", _TEXT),
        "paper": _described("where the network was published", _paper()),
        "aliases": _described("other names the network is found by", _WORDS),
        "settings": _described("values a user can choose, with their defaults", _settings()),
        "input": _described("the input's shape: channels, then the spatial sizes", _input()),
        "blocks": _described("parts that are used as layers, with arguments", _blocks()),
        "layers": _ref("layers"),
        "outputs": _described("the network's outputs; the last layer, if left out", _outputs()),
        "variants": _described("several networks in one file, by name", _variants()),
        "tables": _described("tables as a paper heads them: `--columns NAME`", _tables()),
        "published": _described("what papers print, judged by `archcalc reproduce`", _published()),
        "claims": _described("relations that are printed, judged likewise", _claims()),
    }
    return {key: parts[key] for key in TOP}


def _name(pattern: str) -> Schema:
    return {**_TEXT, "pattern": pattern, "maxLength": 200}


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
    return _object({key: _described(parts[key], _TEXT) for key in PAPER})


def _identifiers(*but: str) -> Schema:
    """Keys that expressions can use as names."""
    return {"pattern": _IDENTIFIER, "not": {"enum": sorted(RESERVED.union(but))}}


def _settings() -> Schema:
    value = _ref("value")
    parts = {
        "default": _described("its value where none is chosen", value),
        "choices": _described("the only values it may have", _list(value)),
        "minimum": _described("the least number it may be", {"type": "number"}),
        "doc": _described("what it means", _TEXT),
    }
    return _map({"anyOf": [value, _object(parts, required=("default",))]}, _identifiers())


def _input() -> Schema:
    size = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
    return {**_list(size, least=1), "maxItems": 8}


def _blocks() -> Schema:
    arguments = _map(_ref("term"), _identifiers(*COMMON, *OF_BLOCKS))
    parts = {
        "doc": _described("what the block is", _TEXT),
        "arguments": _described("names with their defaults, or the word `required`", arguments),
        "layers": _ref("layers"),
    }
    taken = [*LAYER_KINDS, *STRUCTURE]
    return _map(_object(parts, required=("layers",)), {"pattern": _NAME, "not": {"enum": taken}})


def _outputs() -> Schema:
    parts = {
        "from": _described("the layer", _TEXT),
        "name": _described("what the output is called; the layer's name, if left out", _TEXT),
        "auxiliary": _described(
            "an auxiliary head: it doesn't count towards depth", {"type": "boolean"}
        ),
        "when": _described("whether there is such an output", _CONDITION),
        "each": _described("an output for each item of these lists", _each()),
    }
    return _list({"anyOf": [_TEXT, _object(parts, required=("from",))]}, least=1)


def _variants() -> Schema:
    parts = {
        "title": _described("the variant's title", _TEXT),
        "aliases": _described("other names the variant is found by", _WORDS),
        "settings": _described("settings that differ from their defaults", _map(_ref("value"))),
    }
    return {**_map(_object(parts), {"pattern": _NAME}), "minProperties": 1}


def _tables() -> Schema:
    column = {"anyOf": [_TEXT, _list(_TEXT)]}
    parts = {
        "source": _described("the paper's table", _TEXT),
        "depth": _described("the level of blocks it shows", {"type": "integer", "minimum": 1}),
        "fold": _described(
            "merge normalizations and activations into the layer before", {"type": "boolean"}
        ),
        "hide": _described("layer kinds and blocks it leaves out", _WORDS),
        "columns": _described(
            "headings, each with a column or a block's argument, or the first of several",
            _map(column),
        ),
    }
    return _map(_object(parts, required=("columns",)))


# What is printed.


def _published() -> Schema:
    figures = _ref("figures")
    parts = {
        "source": _described("the paper and its table, or the document", _TEXT),
        "url": _described("where it can be read", _TEXT),
        "of": _described("the network, with settings: mobilenet@alpha=0.5", _TEXT),
        "protocol": _described("how accuracy was measured", _TEXT),
        "note": _described("what else a reader should know", _TEXT),
        "convention": _described(
            "how the table counts, or how single columns do: {params: no-biases}",
            {"anyOf": [_conventions(), _object(dict.fromkeys(PUBLISHED, _conventions()))]},
        ),
        "network": _described("figures of the network", figures),
        "layers": _described("figures of layers and blocks, by full name", _map(figures)),
        "networks": _described("figures of several networks, by request", _map(figures)),
    }
    return _list(_object({key: parts[key] for key in TABLE}, required=("source",)))


def _claims() -> Schema:
    letters = _map({"anyOf": [_TEXT, _quotation(), _accuracy()]}, _identifiers())
    parts = {
        "source": _described("the paper or the document", _TEXT),
        "url": _described("where it can be read", _TEXT),
        "says": _described("what it says", _TEXT),
        "of": _described("the network it is about, where no figure of a network is in it", _TEXT),
        "where": _described("letters with figures: {a: vgg16 conv1_1 params}", letters),
        "is": _described("the relation, an expression over the letters", _ref("term")),
        "printed": _described("its value in print", _TEXT),
        "convention": _conventions(),
        "why": _described("why it differs", _TEXT),
        "misprint": _described("what is misprinted although it is right", _TEXT),
    }
    needed = ("source", "where", "is", "printed")
    return _list(_object({key: parts[key] for key in CLAIM}, required=needed))


def _quotation() -> Schema:
    parts = {
        "quoted": _described("a number that a source prints", _TEXT),
        "source": _described("the paper and its table or section", _TEXT),
    }
    return _object({key: parts[key] for key in QUOTATION}, required=QUOTATION)


def _accuracy() -> Schema:
    parts = {
        "figure": _described("a network and its accuracy: vgg16 top1_error", _TEXT),
        "source": _described("the source of a table of this file", _TEXT),
        "protocol": _described("the protocol of that table", _TEXT),
    }
    return _object({key: parts[key] for key in ACCURACY}, required=("figure", "source"))


def _figures() -> Schema:
    """Figures as printed: a value, or a value with its convention or why it differs."""
    parts = {
        "printed": _described("the figure as printed", _TEXT),
        "convention": _conventions(),
        "why": _described("why it differs", _TEXT),
        "misprint": _described("what is misprinted although the figure is right", _TEXT),
    }
    cell = _object({key: parts[key] for key in CELL}, required=("printed",))
    return _object({name: {"anyOf": [_TEXT, cell]} for name in (*PUBLISHED, *QUOTED)})


def _conventions() -> Schema:
    one = {"enum": list(CONVENTIONS)}
    return _described("how it counts", {"anyOf": [one, _list(one)]})


# What several places share.


def _shared() -> Schema:
    scalar = {"type": ["string", "number", "boolean"]}
    return {
        "value": _described(
            "a number, true, false, a word or a list of these",
            {"anyOf": [scalar, _list(_ref("value"))]},
        ),
        "term": _described(
            "a number, true, false, an expression or a list of these",
            {"anyOf": [scalar, _list(_ref("term"))]},
        ),
        "layers": _described("layers, each fed by the one before", _list(_ref("layer"))),
        "layer": _layer(),
        "common": _object(_every_layer(), others=True),
        "figures": _figures(),
        "call": _described(
            "a block used as a layer, with its arguments",
            _nullable(_object({**_common(), **_of_blocks()}, others=_ref("term"))),
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
                **_object({name: _ref(name) for name in known}, others=_ref("call")),
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    }


def _common() -> Schema:
    """What every layer takes, by reference."""
    return {key: _ref(f"common/properties/{key}") for key in COMMON}


def _every_layer() -> Schema:
    loop = _object({"each": _each(), "layer": _TEXT}, required=("each", "layer"))
    one = {"anyOf": [_TEXT, _described("a layer for each item of the lists", loop)]}
    references = {"anyOf": [*one["anyOf"], _list(one, least=1)]}
    parts = {
        "name": _described(
            "the layer's name, with `{expressions}`; kind and number, if left out",
            _name(_TEMPLATE),
        ),
        "from": _described("the earlier layers it takes; the one before, if left out", references),
        "weights": _described("an earlier layer or block whose parameters it shares", _TEXT),
        "when": _described("whether it is there", _CONDITION),
        "label": _described("what tables call it in place of its kind", _TEXT),
    }
    return {key: parts[key] for key in COMMON}


def _of_blocks() -> Schema:
    survival = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, EXPRESSION]}
    doc = "the probability that its residual bodies are kept in training (stochastic depth)"
    times = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
    often = "how often it is applied, with the same parameters, to the items in front of its input"
    parts = {"times": _described(often, times), "survival": _described(doc, survival)}
    return {key: parts[key] for key in OF_BLOCKS}


# Layer kinds.


def _kinds() -> Schema:
    return {name: _join(op) if name in JOINS else _kind(op) for name, op in LAYER_KINDS.items()}


def _kind(op: type[Op]) -> Schema:
    needed = _needs(op.kind)
    made = _object({**_own(op), **_common()}, required=needed)
    made = made if needed else _nullable(made)
    return {"title": op.title, "description": _spoken(op.__doc__), **made}


def _join(op: type[Op]) -> Schema:
    """Branches under names of their own, or earlier layers under `from`."""
    properties = {**_own(op), **_common()}
    known = {"propertyNames": {"enum": list(properties)}}
    branch = _described("a branch; the empty list passes the input on", _ref("layers"))
    return {
        "title": op.title,
        "description": _spoken(op.__doc__),
        **_object(properties, others=branch),
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
        port: _described(f"the layer whose {port} it uses", _TEXT) for port in op.references
    }


def _field(field: Field) -> Schema:
    made = _described(field.doc, field.schema())
    if field.default is not REQUIRED and field.default is not None:
        made["default"] = _plain(field)
    return made


def _plain(field: Field) -> Any:
    """A default as JSON has it."""
    value = field.default
    return value if isinstance(value, (bool, int, str)) else float(value)


# Structure.


def _structure() -> Schema:
    variable: Schema = {"type": "string", **_identifiers()}
    times = {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]}
    parts = {
        "repeat": _described(
            "the same layers several times, one after another",
            _object(
                {
                    "times": _described("how often", times),
                    "index": _described("a name for the turn, counted from 0", variable),
                    "layers": _ref("layers"),
                },
                required=("times", "layers"),
            ),
        ),
        "for": _described(
            "the layers once for each item of one or several lists, which go in step",
            _object(
                {
                    "each": _each(),
                    "layers": _ref("layers"),
                },
                required=("each", "layers"),
            ),
        ),
        "when": _described("layers that depend on a condition", _when()),
    }
    return {key: parts[key] for key in STRUCTURE}


def _each() -> Schema:
    lists = {"anyOf": [_list(_ref("term")), EXPRESSION]}
    return _described("names with their lists", _map(lists, _identifiers()))


def _when() -> Schema:
    parts = {
        "condition": _described("true or false", _CONDITION),
        "layers": _ref("layers"),
        "else": _described("layers where it is false", _ref("layers")),
    }
    either = [{"required": ["layers"]}, {"required": ["else"]}]
    return {**_object(parts, required=("condition",)), "anyOf": either}
