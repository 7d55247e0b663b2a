"""Memory as a table: one network's figures one below the other, several networks' side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.memory import OPTIMIZERS
from archcalc.report.columns import Column
from archcalc.report.model import Line, Report, Table
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.titles import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcalc.analysis.memory import Memory

WORDS = {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam"}


class Part(NamedTuple):
    """One line of a network's table; a heading has no bytes."""

    name: str
    bytes: int | None = None
    note: str = ""


class Needs(NamedTuple):
    """What one network needs, with an optimizer."""

    memory: Memory
    optimizer: str

    @property
    def name(self) -> str:
        return self.memory.analysis.label

    @property
    def peak_at(self) -> str:
        return self.memory.peak_at.path

    @property
    def state(self) -> int:
        return self.memory.optimizer_state(self.optimizer)

    def record(self) -> dict[str, Any]:
        """All figures under their keys, with what they were worked out for."""
        memory = self.memory
        return {
            "network": self.name,
            "batch": memory.analysis.batch,
            "dtype": memory.analysis.dtype,
            "in_place": memory.in_place,
            "optimizer": self.optimizer,
            "weights": memory.weights,
            "activations": memory.activations,
            "peak": memory.peak,
            "peak_at": self.peak_at,
            "inference": memory.inference(),
            "saved": memory.saved_activations,
            "gradients": memory.gradients,
            "optimizer_state": self.state,
            "training": memory.training(self.optimizer),
        }


def report(found: Sequence[Memory], optimizer: str) -> Report:
    """Of one network every figure with what it is, of several one line each.

    Programs get one line a network, with all figures. Raises SettingError for an unknown optimizer.
    """
    needs = [Needs(memory, optimizer) for memory in found]
    document = _document([one.record() for one in needs])
    return Report(lambda _: [_table(needs, document)], lambda: [_flat(needs, document)])


def _table(needs: Sequence[Needs], document: dict[str, Any]) -> Table:
    return _single(needs[0], document) if len(needs) == 1 else _comparison(needs, document)


def _document(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "networks": ({key: plain(value) for key, value in one.items()} for one in records),
    }


# One network.


def _single(one: Needs, document: dict[str, Any]) -> Table:
    columns = (
        Column("name", "Memory", "text", lambda row: row.name, "what is kept"),
        Column("bytes", "Bytes", "bytes", lambda row: row.bytes, "bytes"),
        Column("note", "Is", "text", lambda row: row.note, "what it is"),
    )
    lines = tuple(
        Line(row, int(row.bytes is not None), row.name, row.bytes is None) for row in _figures(one)
    )
    analysis = one.memory.analysis
    heading = f"{title(analysis)}: memory at batch {analysis.batch}, {analysis.dtype}"
    return Table(columns, lines, None, heading, tuple(_notes(one)), False, document)


def _figures(one: Needs) -> Iterator[Part]:
    memory = one.memory
    yield Part("Inference")
    yield Part("weights", memory.weights, "params and buffers")
    yield Part("peak", memory.peak, f"activations alive at a time, at {one.peak_at}")
    yield Part("in all", memory.inference(), "weights + peak")
    yield Part("activations", memory.activations, "if none were given back")
    yield Part("Training")
    yield Part("weights", memory.weights, "params and buffers")
    yield Part("gradients", memory.gradients, "of the params")
    yield Part("optimizer", one.state, f"{WORDS[one.optimizer]}: {_state(one.optimizer)}")
    yield Part("saved", memory.saved_activations, "activations kept for the backward pass")
    yield Part("in all", memory.training(one.optimizer), "their sum")


def _state(optimizer: str) -> str:
    count = OPTIMIZERS[optimizer]
    return f"{count} number{'s' * (count != 1)} a param"


# Several networks.


def _comparison(needs: Sequence[Needs], document: dict[str, Any]) -> Table:
    columns = (
        Column("name", "Network", "text", lambda one: one.name, "the network", "line"),
        *(Column(key, heading, style, _getter(key), doc) for key, heading, style, doc in _COMPARED),
    )
    lines = tuple(Line(one, 0, one.name, False) for one in needs)
    analysis = needs[0].memory.analysis
    heading = f"Memory at batch {analysis.batch}, {analysis.dtype}, {WORDS[needs[0].optimizer]}"
    notes = tuple(_notes(needs[0]))
    return Table(columns, lines, None, heading, notes, False, document, SPARE)


SPARE = ("peak_at", "gradients", "optimizer_state", "activations", "saved")


def _flat(needs: Sequence[Needs], document: dict[str, Any]) -> Table:
    columns = tuple(
        Column(key, key, "plain", _getter(key), "") for key in (needs[0].record() if needs else ())
    )
    lines = tuple(Line(one, 0, one.name, False) for one in needs)
    return Table(columns, lines, None, "", (), False, document)


def _getter(key: str) -> Any:
    return lambda one: one.record()[key]


_COMPARED = (
    ("weights", "Weights", "bytes", "params and buffers"),
    ("peak", "Peak", "bytes", "activations alive at a time at inference"),
    ("peak_at", "At", "text", "the layer at which they are"),
    ("activations", "Activations", "bytes", "all of them together"),
    ("saved", "Saved", "bytes", "activations kept for the backward pass"),
    ("gradients", "Gradients", "bytes", "of the params"),
    ("optimizer_state", "Optimizer", "bytes", "its state"),
    ("training", "Training", "bytes", "weights, gradients, optimizer state, saved activations"),
)


def _notes(one: Needs) -> Iterator[str]:
    """The assumptions."""
    written = (
        "activations are written over their input where nobody else needs it"
        if one.memory.in_place
        else "nothing is written over its input (--in-place)"
    )
    yield (
        "Peak: layers in the order of the spec; a tensor is alive from the layer that makes it to "
        f"the last that takes it, the network's input, too; views cost nothing; {written}."
    )
    yield (
        "Saved: what PyTorch's autograd keeps, each tensor once, the network's input among them; "
        f"training is their sum with weights, gradients and {WORDS[one.optimizer]}'s state."
    )
    yield (
        "Left out: what a layer needs while it runs, gradients of activations, the loss, "
        "what an allocator holds back. 1 K = 1000."
    )
    dtype = one.memory.analysis.dtype
    if dtype in ("int8", "float8"):
        yield f"Training in {dtype} is arithmetic alone: PyTorch keeps gradients in wider types."
