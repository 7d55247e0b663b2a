"""The words that JSON schemas are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.spec.expressions import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable

Schema = dict[str, Any]

IDENTIFIER = r"^[^\W\d]\w*$"
TEXT: Schema = {"type": ["string", "number", "boolean"], "minLength": 1}  # a scalar, as written


def object_of(
    properties: Schema, required: Iterable[str] = (), others: bool | Schema = False
) -> Schema:
    """An object of these keys."""
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": others}
    if needed := list(required):
        made["required"] = needed
    return made


def map_of(values: Schema, keys: Schema | None = None) -> Schema:
    """An object whose keys the user chooses."""
    made: Schema = {"type": "object", "additionalProperties": values}
    return {**made, "propertyNames": keys} if keys else made


def nullable(schema: Schema) -> Schema:
    """`relu:` with nothing after it is `relu`."""
    return {**schema, "type": [schema["type"], "null"]}


def list_of(items: Schema, least: int = 0) -> Schema:
    """A list of such items."""
    made: Schema = {"type": "array", "items": items}
    return {**made, "minItems": least} if least else made


def described(what: str, schema: Schema) -> Schema:
    """A schema with its description."""
    return {"description": what, **schema}


def ref(name: str) -> Schema:
    """A schema by the name of its definition."""
    return {"$ref": f"#/$defs/{name}"}


def identifiers(*but: str) -> Schema:
    """Keys that expressions can use as names."""
    return {"pattern": IDENTIFIER, "not": {"enum": sorted(RESERVED.union(but))}}
