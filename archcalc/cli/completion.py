"""What a shell completes: called by the shells' scripts, never by a command that does something.

A completer is a function from what stands before and the beginning of a word to the words that may
be meant. It is found by the parameter's name, so that options don't name theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from archcalc.graph import Graph
    from archcalc.spec.model import Spec


class Choice(NamedTuple):
    """A word that may be meant, and what it is."""

    value: str
    help: str = ""


class Before(NamedTuple):
    """What stands before the word: the command's name, and its parameters as far as known."""

    command: str
    given: Mapping[str, Any]

    def requests(self) -> list[str]:
        """The networks that are named."""
        names = self.given.get("network") or self.given.get("networks") or ()
        return [names] if isinstance(names, str) else list(names)

    def specs(self) -> tuple[str, ...]:
        return tuple(self.given.get("specs") or ())

    def found(self) -> Iterator[Spec]:
        """The specs of the networks that are named."""
        from archcalc.spec import library

        for request in self.requests():
            yield library.find(request.partition("@")[0], self.specs())


def networks(before: Before, word: str) -> Iterator[Choice]:
    """Networks by name; after `@` their settings."""
    from archcalc.spec import library

    name, at, rest = word.partition("@")
    if not at:
        for spec in library.networks(before.specs()):
            yield Choice(spec.network, spec.title)
        return
    *done, last = rest.split(",")
    used = {one.partition("=")[0] for one in done}
    head = word.removesuffix(last)
    for choice in settings_of(library.find(name, before.specs()), last):
        if choice.value.partition("=")[0] not in used:
            yield Choice(head + choice.value, choice.help)


def settings(before: Before, word: str) -> Iterator[Choice]:
    """Settings of the networks that are named."""
    for spec in before.found():
        yield from settings_of(spec, word)


def settings_of(spec: Spec, word: str) -> Iterator[Choice]:
    """A network's settings, `key=`; after that its values, where they are known."""
    from archcalc.errors import shown

    key, equals, _ = word.partition("=")
    if not equals:
        for name, setting in spec.settings.items():
            doc = " ".join(setting.doc.split())
            yield Choice(f"{name}=", doc or f"{shown(spec.defaults[name])} if left out")
    elif key in spec.settings:
        default = spec.defaults[key]
        values = spec.settings[key].choices or (
            (True, False) if isinstance(default, bool) else (default,)
        )
        for value in values:
            text = shown(value).replace(" ", "")
            yield Choice(f"{key}={text}", "if left out" if value == default else "")


def columns(before: Before, word: str) -> Iterator[Choice]:
    """Columns, one after another with commas; tables that the network declares."""
    from archcalc.report.columns import COLUMNS, NETWORK_COLUMNS
    from archcalc.report.comparison import BY_KEY

    *done, _ = word.split(",")
    head = "".join(f"{key}," for key in done)
    known = {key: column.doc for key, column in COLUMNS.items()}
    if before.command == "compare":
        known = {key: known.get(key, figure.column.heading) for key, figure in BY_KEY.items()}
    elif before.command == "list":
        known |= {key: column.doc for key, column in NETWORK_COLUMNS.items()}
    else:
        known |= dict(_tables_and_arguments(before, alone=not done))
    for key, doc in known.items():
        if key not in done:
            yield Choice(head + key, doc)


def _tables_and_arguments(before: Before, alone: bool) -> Iterator[tuple[str, str]]:
    """What a network adds to the columns; a table stands alone."""
    if alone:
        yield "all", "all columns"
    for spec in before.found():
        for table in spec.tables.values() if alone else ():
            yield table.name, table.source
        for block in spec.blocks.values():
            yield from ((name, f"argument of {block.name}") for name in block.arguments)


def sort_keys(before: Before, word: str) -> Iterator[Choice]:
    """Columns by which rows can be ranked."""
    from archcalc.report.columns import COLUMNS
    from archcalc.report.comparison import BY_KEY

    del word
    if before.command == "compare":
        yield from (Choice(key, figure.column.heading) for key, figure in BY_KEY.items())
        return
    for key, column in COLUMNS.items():
        if column.is_number:
            yield Choice(key, column.doc)


def layers(before: Before, word: str) -> Iterator[Choice]:
    """Layers and blocks by their full names, level by level as folders are."""
    from archcalc.graph import Scope

    above, slash, _ = word.rpartition("/")
    for graph in _graphs(before):
        scope: Any = graph.root
        for name in above.split("/") if slash else ():
            scope = scope.children[name]
        for name, child in scope.children.items():
            what = child.kind if isinstance(child, Scope) else child.op.title
            if what != "input":
                yield Choice(above + slash + name, what)


def outputs(before: Before, word: str) -> Iterator[Choice]:
    """The networks' outputs."""
    del word
    for graph in _graphs(before):
        yield from (Choice(output.name) for output in graph.outputs)


def _graphs(before: Before) -> Iterator[Graph]:
    """The networks that are named, at their settings so far."""
    from archcalc.api import analyze_all

    given = ",".join(before.given.get("settings") or ())
    for request in before.requests():
        asked = f"{request}{',' if '@' in request else '@'}{given}" if given else request
        yield analyze_all(asked, specs=before.specs())[0].graph


def formats(before: Before, word: str) -> Iterator[Choice]:
    """Formats that the command writes."""
    from archcalc.report.formats import of_explanations, of_reports

    del word
    of_models = {"state-dict": "weights", "pt2": "a program of torch.export", "onnx": "ONNX"}
    names = of_models if before.command == "build" else of_reports()
    yield from map(Choice, of_explanations() if before.command == "explain" else names)


def dtypes(before: Before, word: str) -> Iterator[Choice]:
    """Element types."""
    from archcalc.analysis.costs import BUILT_DTYPES, DTYPES

    del word
    yield from map(Choice, BUILT_DTYPES if before.command in ("build", "profile") else DTYPES)


def countings(before: Before, word: str) -> Iterator[Choice]:
    """Ways to count."""
    from archcalc.report.counting import COUNTINGS

    del before, word
    yield from map(Choice, COUNTINGS)


def sources(before: Before, word: str) -> Iterator[Choice]:
    """Papers and documents that print figures of the networks named; after a comma their parts."""
    from archcalc.published.literature import literature

    every = literature(before.specs(), on_error=lambda _: None)
    names = {spec.name for spec in before.found()}
    asked = [family for family in every if family.name in names or not names]
    printed = [table.source for family in asked for table in family.tables]
    printed += [claim.source for family in asked for claim in family.claims]
    whole = "," in word
    yield from map(
        Choice, dict.fromkeys(one if whole else one.partition(",")[0] for one in printed)
    )


def tools(before: Before, word: str) -> Iterator[Choice]:
    """Other counters."""
    from archcalc.analysis.tools import TOOLS

    del before, word
    yield from map(Choice, TOOLS)


def optimizers(before: Before, word: str) -> Iterator[Choice]:
    """Optimizers whose state is known."""
    from archcalc.analysis.memory import OPTIMIZERS

    del before, word
    yield from map(Choice, OPTIMIZERS)


def devices(before: Before, word: str) -> Iterator[Choice]:
    """Devices by kind: which of them are here only PyTorch knows, which takes a second to start."""
    del before, word
    yield from (Choice("cpu"), Choice("cuda", "NVIDIA's"), Choice("mps", "Apple's"))


COMPLETERS: dict[str, Callable[[Before, str], Iterable[Choice]]] = {
    "network": networks,
    "networks": networks,
    "settings": settings,
    "columns": columns,
    "sort": sort_keys,
    "layer": layers,
    "to": outputs,
    "format_name": formats,
    "dtype": dtypes,
    "counting": countings,
    "source": sources,
    "tools": tools,
    "optimizer": optimizers,
    "device": devices,
}


def choices(name: str, before: Before, word: str) -> list[Choice]:
    """What may be meant by a parameter's word; nothing where anything is wrong."""
    try:
        every = COMPLETERS[name](before, word)
        return [one for one in every if one.value.startswith(word) and one.value.isprintable()]
    except Exception:  # noqa: BLE001 - a spec that is wrong is told when it is read, not while typing
        return []
