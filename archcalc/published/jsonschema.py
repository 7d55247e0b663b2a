"""The JSON Schema of printed figures and claims, in a file of their own or inside a spec."""

from __future__ import annotations

from archcalc.analysis.figures import PUBLISHED
from archcalc.published.entries import ACCURACY, CELL, CLAIM, QUOTATION, TABLE
from archcalc.published.printed import CONVENTIONS, QUOTED
from archcalc.spec import jsonschema
from archcalc.spec.schema_words import (
    TEXT,
    Schema,
    described,
    identifiers,
    list_of,
    map_of,
    object_of,
    ref,
)


def json_schema() -> Schema:
    """The schema of a whole spec file, printed figures included, made anew."""
    schema = jsonschema.json_schema()
    schema["properties"] |= _keys()
    schema["$defs"]["figures"] = _figures()
    return schema


def of_printed_figures() -> Schema:
    """The schema of a file of printed figures alone, made anew."""
    return {
        "$schema": jsonschema.DRAFT,
        "title": "printed figures for archcalc",
        "description": "What papers print of networks, as archcalc judges it.",
        **object_of(_keys()),
        "$defs": {"figures": _figures(), "term": jsonschema.json_schema()["$defs"]["term"]},
    }


def _keys() -> Schema:
    return {
        "published": described("what papers print, judged by `archcalc reproduce`", _published()),
        "claims": described("relations that are printed, judged likewise", _claims()),
    }


def _published() -> Schema:
    figures = ref("figures")
    parts = {
        "source": described("the paper and its table, or the document", TEXT),
        "url": described("where it can be read", TEXT),
        "of": described("the network, with settings: mobilenet@alpha=0.5", TEXT),
        "protocol": described("how accuracy was measured", TEXT),
        "note": described("what else a reader should know", TEXT),
        "convention": described(
            "how the table counts, or how single columns do: {params: no-biases}",
            {"anyOf": [_conventions(), object_of(dict.fromkeys(PUBLISHED, _conventions()))]},
        ),
        "network": described("figures of the network", figures),
        "layers": described("figures of layers and blocks, by full name", map_of(figures)),
        "networks": described("figures of several networks, by request", map_of(figures)),
    }
    return list_of(object_of({key: parts[key] for key in TABLE}, required=("source",)))


def _claims() -> Schema:
    letters = map_of({"anyOf": [TEXT, _quotation(), _accuracy()]}, identifiers())
    parts = {
        "source": described("the paper or the document", TEXT),
        "url": described("where it can be read", TEXT),
        "says": described("what it says", TEXT),
        "of": described("the network it is about, where no figure of a network is in it", TEXT),
        "where": described("letters with figures: {a: vgg16 conv1_1 params}", letters),
        "is": described("the relation, an expression over the letters", ref("term")),
        "printed": described("its value in print", TEXT),
        "convention": _conventions(),
        "why": described("why it differs", TEXT),
        "misprint": described("what is misprinted although it is right", TEXT),
    }
    needed = ("source", "where", "is", "printed")
    return list_of(object_of({key: parts[key] for key in CLAIM}, required=needed))


def _quotation() -> Schema:
    parts = {
        "quoted": described("a number that a source prints", TEXT),
        "source": described("the paper and its table or section", TEXT),
    }
    return object_of({key: parts[key] for key in QUOTATION}, required=QUOTATION)


def _accuracy() -> Schema:
    parts = {
        "figure": described("a network and its accuracy: vgg16 top1_error", TEXT),
        "source": described("the source of a table of this file", TEXT),
        "protocol": described("the protocol of that table", TEXT),
    }
    return object_of({key: parts[key] for key in ACCURACY}, required=("figure", "source"))


def _figures() -> Schema:
    """Figures as printed: a value, or a value with its convention or why it differs."""
    parts = {
        "printed": described("the figure as printed", TEXT),
        "convention": _conventions(),
        "why": described("why it differs", TEXT),
        "misprint": described("what is misprinted although the figure is right", TEXT),
    }
    cell = object_of({key: parts[key] for key in CELL}, required=("printed",))
    return object_of({name: {"anyOf": [TEXT, cell]} for name in (*PUBLISHED, *QUOTED)})


def _conventions() -> Schema:
    one = {"enum": list(CONVENTIONS)}
    return described("how it counts", {"anyOf": [one, list_of(one)]})
