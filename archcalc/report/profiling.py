"""Measured latency as tables: networks in short, and layer by layer against the roofline."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import OutputError, one_line, received
from archcalc.files import write_file
from archcalc.report.columns import Column
from archcalc.report.figures import percent, rounded
from archcalc.report.model import Line, Report, Table
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.titles import title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archcalc.analysis import Analysis
    from archcalc.analysis.rows import Row
    from archcalc.pytorch.devices import Machine
    from archcalc.pytorch.latency import Latency, LayerTime
    from archcalc.pytorch.roofline import Roof
    from archcalc.pytorch.timing import Timing

BOUNDS = ("arithmetic", "memory", "overhead", "neither")
MOST = 0.9  # of the time: the layers whose medians' certainty is told
LARGEST_FILE = 2**28  # bytes: every shipped network's samples take a tenth of it
EXCEEDED = 1.1  # times its roof: more than the roof's own uncertainty explains
ENDED = {
    "precise": "",
    "budget": "the time budget ended first",
    "interrupted": "interrupted",
}


class Profiled(NamedTuple):
    """A measured network: its analysis at that batch, its times, and the device's roof."""

    analysis: Analysis
    latency: Latency
    roof: Roof | None

    @property
    def name(self) -> str:
        """The network, with its batch."""
        return f"{self.analysis.label}, batch {self.analysis.batch}"


class _Layer(NamedTuple):
    """A layer's time beside what it costs."""

    row: Row
    timing: Timing
    share: float
    roof: float | None
    bound: str
    moved: int

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def seconds(self) -> float:
        """The median of its times."""
        return self.timing.median

    @property
    def flops_rate(self) -> float:
        """FLOPs a second."""
        return self.row.flops / self.seconds if self.seconds else 0.0

    @property
    def bytes_rate(self) -> float:
        """Bytes a second, read and written."""
        return self.moved / self.seconds if self.seconds else 0.0


def duration(seconds: float) -> str:
    """Seconds as a person reads them, to three digits: 12.3 ms."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds / 1e-9)} ns"


def _three(value: float) -> str:
    if value >= 100:
        return rounded(value, ",.0f")
    return rounded(value, ".1f" if value >= 10 else ".2f")


def busy(machine: Machine) -> Iterator[str]:
    """A word on other work that ran beside the measurement."""
    if machine.is_busy and machine.device == "cpu":
        yield (
            f"Other work kept the cores {percent(machine.load, '.0f')} busy meanwhile: times may "
            "be far too long, however sure they look."
        )


def machine_line(machine: Machine) -> str:
    """What it was measured on, in one line."""
    name = f"{machine.name} ({machine.device})"
    return _described({**machine._asdict(), "name": name}, _rounded(machine))


def _described(machine: Mapping[str, Any], rounded: str = "") -> str:
    """A machine, what ran on it, how, and when."""
    on_gpu = machine["cuda"] and machine["device"] != "cpu"
    parts = [
        machine["name"],
        f"PyTorch {machine['torch']}",
        f"CUDA {machine['cuda']}" * bool(on_gpu),
        _threads(machine["device"], machine["threads"]),
        machine["dtype"] + rounded,
        "channels last" * machine["channels_last"],
        "compiled" * machine["compiled"],
        machine["date"],
    ]
    return ", ".join(filter(None, parts))


def _rounded(machine: Machine) -> str:
    return " (convolutions in TF32)" if machine.tf32 else ""


def _threads(device: str, count: object) -> str:
    return f"{count} thread{'s' * (count != 1)}" if device == "cpu" else ""


def report(found: Sequence[Profiled], top: int | None = None) -> Report:
    """The networks in short, then each by layer; for programs all in one."""

    def tables(_: int | None) -> list[Table]:
        by_layer = [layer_table(one, top) for one in found if one.latency.layers]
        return [summary_table(found), *by_layer]

    return Report(tables, lambda: [flat_table(found, top)])


def save(found: Sequence[Profiled], path: str) -> None:
    """Keep runs in a file, whole or not at all; raises OutputError."""
    write_file(path, [json.dumps(document(found), indent=1), "\n"])


# Saved runs.


class Saved(NamedTuple):
    """A run that was kept: of which network, on what machine, how long."""

    network: str
    input: tuple[int, ...]
    batch: int
    machine: Mapping[str, Any]
    runs: int
    median: float
    low: float
    high: float

    @property
    def name(self) -> str:
        return self.network

    @property
    def task(self) -> tuple[Any, ...]:
        """What was run: times of the same can be compared."""
        return self.network, self.input, self.batch


_First = Mapping[tuple[Any, ...], Saved]  # the first run of each task


def load(path: str) -> list[Saved]:
    """The runs of a file that `save` wrote; raises OutputError for another."""
    wanted = "runs that 'archcalc profile --save' kept"
    try:
        found = json.loads(_json_text(path))
    except OSError as error:
        raise OutputError(f"can't read {received(path, 1000)}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise OutputError(f"{path}: expected {wanted}, received no JSON") from None
    try:
        runs = [_saved(run) for run in found["runs"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        runs = []
    if not runs:
        raise OutputError(f"{path}: expected {wanted}, received other JSON")
    return runs


def _json_text(path: str) -> bytes:
    """What stands in a file; raises ValueError where it begins otherwise than saved runs do.

    Most other files, and devices that never end, are told by that.
    """
    with open(path, "rb") as stream:
        head = stream.read(2**16)
        if not head.lstrip().startswith(b"{"):
            raise ValueError(path)
        data = head + stream.read(LARGEST_FILE - len(head) + 1)
    if len(data) > LARGEST_FILE:
        most = f"{LARGEST_FILE // 2**20} MiB"
        raise OutputError(f"{path}: expected at most {most}, received more")
    return data


_OF_MACHINE: dict[str, type] = {
    "name": str, "device": str, "torch": str, "cuda": str, "threads": int, "dtype": str,
    "channels_last": bool, "compiled": bool, "date": str,
}  # fmt: skip


def _saved(run: Mapping[str, Any]) -> Saved:
    """A run as it was kept; raises KeyError, TypeError, ValueError or OverflowError for another."""
    median, low, high = (float(run[key]) for key in ("median", "low", "high"))
    if not 0 < low <= median <= high < math.inf:
        raise ValueError(low, median, high)
    machine = {key: run["machine"][key] for key in _OF_MACHINE}
    if not all(type(machine[key]) is kind for key, kind in _OF_MACHINE.items()):
        raise TypeError(machine)
    if not isinstance(run["network"], str):
        raise TypeError(run["network"])
    shape = tuple(map(_count, run["input"]))
    batch, runs = _count(run["batch"]), _count(run["runs"])
    return Saved(one_line(run["network"]), shape, batch, machine, runs, median, low, high)


def _count(value: object) -> int:
    if type(value) is not int or not 1 <= value < 2**53:
        raise ValueError(value)
    return value


def saved_report(runs: Sequence[Saved]) -> Report:
    """Runs of several machines; for programs times in seconds."""
    return Report(
        lambda _: [saved_table(runs)],
        lambda: [_saved_as(runs, "", _saved_flat)],
    )


def saved_table(runs: Sequence[Saved]) -> Table:
    """Runs of several machines: each beside the first of its network, input and batch."""
    return _saved_as(runs, "Saved runs", _saved_columns)


def _saved_as(
    runs: Sequence[Saved], heading: str, columns: Callable[[_First], Iterable[Column]]
) -> Table:
    first: dict[tuple[Any, ...], Saved] = {}
    for run in runs:
        first.setdefault(run.task, run)
    order = {task: i for i, task in enumerate(first)}
    shown = sorted(runs, key=lambda run: order[run.task])
    lines = tuple(Line(run, 0, run.network, False) for run in shown)
    document = {"schema_version": SCHEMA_VERSION, "runs": [run._asdict() for run in shown]}
    return Table(tuple(columns(first)), lines, None, heading, (), False, document)


def _saved_columns(first: _First) -> tuple[Column, ...]:
    """For people."""

    def ratio(run: Saved) -> str:
        base = first[run.task]
        if run is base:
            return ""
        return f"{rounded(run.median / base.median, '.3g')}x{_doubt(run, base)}"

    return (
        Column("network", "Network", "text", lambda run: run.network, "", "line"),
        Column("input", "Input", "label", _input, ""),
        Column("batch", "Batch", "plain", lambda run: run.batch, ""),
        Column("median", "Median", "label", lambda run: duration(run.median), ""),
        Column("interval", "± 95%", "label", _half_interval, ""),
        Column("throughput", "Inputs/s", "label", lambda run: _three(run.batch / run.median), ""),
        Column("runs", "Runs", "plain", lambda run: run.runs, ""),
        Column("ratio", "of first", "label", ratio, ""),
        Column("machine", "Machine", "text", lambda run: _machine_name(run.machine), ""),
    )


def _doubt(run: Saved, base: Saved) -> str:
    """Why the ratio of two runs may mean nothing."""
    from archcalc.pytorch.timing import FEWEST

    if min(run.runs, base.runs) < FEWEST:
        return ", too few runs"
    return ", within noise" if run.low <= base.high and base.low <= run.high else ""


def _saved_flat(first: _First) -> Iterator[Column]:
    """For machines: times in seconds."""
    yield _flat("network", lambda run: run.network)
    yield _flat("input", _input)
    yield _flat("batch", lambda run: run.batch)
    yield from machine_columns(lambda run: run.machine)
    for key in ("median", "low", "high", "runs"):
        yield _flat(key, attrgetter(key))
    yield _flat("throughput", lambda run: run.batch / run.median)
    yield _flat("ratio", lambda run: run.median / first[run.task].median)


def _input(run: Saved) -> str:
    return "x".join(map(str, run.input))


def _half_interval(run: Saved) -> str:
    from archcalc.pytorch.timing import FEWEST

    if run.runs < FEWEST:
        return "unknown"
    return percent((run.high - run.low) / 2 / run.median, ".1f")


def _machine_name(machine: Mapping[str, Any]) -> str:
    return one_line(_described({**machine, "date": machine["date"][:10]}))


# Networks in short.


def summary_table(found: Sequence[Profiled]) -> Table:
    """A line for each network and batch: what a forward pass takes, and how sure that is."""
    columns = [
        Column("name", "Network", "text", lambda one: one.analysis.label, "", "line"),
        _column("batch", "Batch", lambda one: one.analysis.batch, style="plain"),
        _column("median", "Median", lambda one: duration(one.latency.forward.median)),
        _column("interval", "± 95%", lambda one: uncertainty(one.latency.forward)),
        _column("quartiles", "Quartiles", lambda one: _between(one.latency.forward.quartiles)),
        _column("p90", "p90", lambda one: duration(one.latency.forward.p90)),
        _column("throughput", "Inputs/s", lambda one: _three(one.latency.throughput)),
        _column("runs", "Runs", lambda one: len(one.latency.forward.samples), style="plain"),
    ]
    if any(one.latency.replay for one in found):
        columns.insert(3, _column("replay", "CUDA graph", _replay))
    lines = tuple(Line(one, 0, one.analysis.label, False) for one in found)
    heading = f"Forward latency: {machine_line(found[0].latency.machine)}"
    notes = (note for one in found for note in _notes(one))
    others = max((one.latency.machine for one in found), key=lambda machine: machine.load)
    caption = tuple(dict.fromkeys((*busy(others), *notes)))
    return Table(tuple(columns), lines, None, heading, caption, False, document(found))


def _column(key: str, heading: str, get: Callable[[Profiled], Any], style: str = "label") -> Column:
    return Column(key, heading, style, get, "")


def uncertainty(timing: Timing) -> str:
    """Half the median's interval, in percent of it."""
    share = timing.uncertainty
    return percent(share, ".1f") if share < 10 else "unknown"


def _between(pair: tuple[float, float]) -> str:
    return " - ".join(map(duration, pair))


def _replay(one: Profiled) -> str:
    return duration(one.latency.replay.median) if one.latency.replay else ""


def ended_notes(name: str, timing: Timing) -> Iterator[str]:
    """Why there are no more samples of a network, and how well its median is known."""
    ended = ENDED[timing.ended]
    if not ended:
        return
    many = len(timing.samples) != 1
    runs = f"{len(timing.samples)} run" + "s" * many
    if timing.uncertainty < 10:
        yield f"{name}: {ended}; after {runs} the median is known to {uncertainty(timing)}."
    else:
        yield f"{name}: {ended}; {runs} {'are' if many else 'is'} too few to know the median."


def _notes(one: Profiled) -> Iterator[str]:
    yield from ended_notes(one.name, one.latency.forward)
    if one.latency.together > 1:
        many = one.latency.together
        yield f"{one.name}: each run is the mean of {many} passes, for they are short."
    if one.latency.machine.compiled:
        yield f"{one.name}: compiled in {duration(one.latency.first)}, the first pass included."
    if one.latency.no_replay:
        yield f"{one.name}: no CUDA graph can be made of it here ({one.latency.no_replay})."
    if one.latency.replay is not None:
        extra = one.latency.forward.median - one.latency.replay.median
        share = max(extra, 0) / one.latency.forward.median
        yield f"{one.name}: launching takes {percent(share, '.0f')} of the eager time."


# Layer by layer.


def layer_table(one: Profiled, top: int | None = None) -> Table:
    """Each layer's own time, what it reaches of its roof, and what bounds it."""
    rows = list(_layers(one))
    shown = _slowest(rows, top)
    columns = tuple(_layer_columns(one.roof is not None))
    lines = tuple(Line(row, 0, row.name, False) for row in shown)
    heading = f"{title(one.analysis)}, batch {one.analysis.batch}: time by layer"
    caption = tuple(_layer_notes(one, rows, len(shown)))
    spare = ("gbytes", "gflops", "share", "kind", "roof")
    return Table(columns, lines, None, heading, caption, False, document([one]), spare)


def _slowest(rows: Sequence[_Layer], top: int | None) -> Sequence[_Layer]:
    """The slowest first where only some are asked for, else all in their order."""
    if top is None:
        return rows
    return sorted(rows, key=lambda row: row.seconds, reverse=True)[:top]


def _moved(row: Row) -> int:
    """Bytes that a layer reads and writes at inference: none where it gives a view."""
    node = row.node
    if node is not None and node.op.is_view(node.facts.inputs, False):
        return 0
    return row.bytes_moved


def _layers(one: Profiled) -> Iterator[_Layer]:
    by_name: Mapping[str, Timing] = {each.layer: each.timing for each in one.latency.layers}
    total = sum(each.seconds for each in one.latency.layers) or 1.0
    for row in one.analysis.layers:
        timing, moved = by_name[row.name], _moved(row)
        seconds = timing.median
        reached: tuple[float | None, str] = None, ""
        if one.roof is not None and seconds > 0:
            reached = one.roof.bound(row.flops, moved, seconds)
        yield _Layer(row, timing, seconds / total, *reached, moved)


def _layer_columns(with_roof: bool) -> Iterator[Column]:
    yield Column("name", "Layer", "text", lambda row: row.name, "")
    yield Column("kind", "Kind", "text", lambda row: row.row.kind, "")
    yield Column("time", "Time", "label", lambda row: duration(row.seconds), "")
    yield Column("time_share", "Of the time", "share", lambda row: row.share, "")
    yield Column("share", "Of the Mult-Adds", "share", lambda row: row.row.share, "")
    yield Column("gflops", "GFLOP/s", "label", lambda row: _three(row.flops_rate / 1e9), "")
    yield Column("gbytes", "GB/s", "label", lambda row: _three(row.bytes_rate / 1e9), "")
    if with_roof:
        yield Column("roof", "Roof", "label", _roof_share, "")
        yield Column("bound", "Bound by", "text", lambda row: row.bound, "")


def _roof_share(row: _Layer) -> str:
    return "" if row.roof is None else percent(row.roof, ".0f")


def _layer_notes(one: Profiled, rows: Sequence[_Layer], shown: int) -> Iterator[str]:
    if shown < len(rows):
        yield f"The {shown} slowest of {len(rows)} layers."
    yield machine_line(one.latency.machine) + "."
    total, replay = sum(row.seconds for row in rows), one.latency.replay
    told = [f"a forward pass takes {_beside(total, one.latency.forward)}"]
    if replay is not None:  # of which the layers are parts: what launching takes is in neither
        told.append(f"replayed as a CUDA graph {_beside(total, replay)}")
    yield f"Layers add up to {duration(total)}, {', '.join(told)}."
    yield from _layers_known(one)
    if one.latency.machine.compiled:
        yield "Layers are timed as they are without torch.compile, which merges them."
    roof = one.roof
    if roof is not None:
        yield (
            f"Roof: {_three(roof.flops / 1e9)} GFLOP/s (matrix product), "
            f"{_three(roof.bandwidth / 1e9)} GB/s (copy); a call takes {duration(roof.call)}."
        )
        yield from _shares(rows)


def _beside(total: float, timing: Timing) -> str:
    """A median, and how far a sum is from it."""
    return f"{duration(timing.median)} ({percent(total / timing.median - 1, '+.1f')})"


def _layers_known(one: Profiled) -> Iterator[str]:
    """How well the medians of those layers are known that take most of the time."""
    layers = sorted(one.latency.layers, key=lambda layer: layer.seconds, reverse=True)
    if not layers:
        return
    if layers[0].timing.is_short:
        passes = len(layers[0].timing.samples)
        many = f"{passes} pass" + "es" * (passes != 1)
        yield f"Layer times are of {many}: too few to know how sure they are."
        return
    total, reached, worst = sum(layer.seconds for layer in layers), 0.0, 0.0
    for layer in layers:
        reached, worst = reached + layer.seconds, max(worst, layer.timing.uncertainty)
        if reached >= MOST * total:
            break
    most = percent(MOST, ".0f")
    yield f"The medians of layers that take {most} of it are known to {percent(worst, '.1f')}."


def _shares(rows: Sequence[_Layer]) -> Iterator[str]:
    total = sum(row.seconds for row in rows) or 1.0
    parts = {
        bound: sum(row.seconds for row in rows if row.bound == bound) / total for bound in BOUNDS
    }
    said = ", ".join(f"{percent(share, '.0f')} {bound}" for bound, share in parts.items())
    yield f"Of the time, layers bound by: {said}."
    if parts["neither"]:
        yield "Neither: below 10% of the roof, the layer's code is far from what the device can do."
    over = sum(row.roof is not None and row.roof > EXCEEDED for row in rows)
    if over:
        yield (
            f"{over} layer{'s' * (over != 1)} above 110% of the roof: fast convolution algorithms "
            "(Winograd's) do fewer operations than are counted, and data may still be in a cache."
        )


# For machines.


def flat_table(found: Sequence[Profiled], top: int | None = None) -> Table:
    """One line a layer and batch, in seconds and operations, for spreadsheets."""
    if not found[0].latency.layers:
        return _flat_summary(found)
    rows = [(one, row) for one in found for row in _slowest(list(_layers(one)), top)]
    lines = tuple(Line(pair, 0, pair[1].name, False) for pair in rows)
    columns = [
        _flat(key, _getter(get))
        for key, get in {
            "network": lambda one, row: one.analysis.label,
            "batch": lambda one, row: one.analysis.batch,
            "layer": lambda one, row: row.name,
            "kind": lambda one, row: row.row.kind,
            "seconds": lambda one, row: row.seconds,
            "low": lambda one, row: row.timing.interval[0],
            "high": lambda one, row: row.timing.interval[1],
            "time_share": lambda one, row: row.share,
            "mult_adds": lambda one, row: row.row.mult_adds,
            "flops": lambda one, row: row.row.flops,
            "bytes_moved": lambda one, row: row.moved,
            "roof": lambda one, row: "" if row.roof is None else row.roof,
            "bound": lambda one, row: row.bound,
        }.items()
    ]
    columns += machine_columns(lambda pair: pair[0].latency.machine._asdict())
    return Table(tuple(columns), lines, None, "", (), False, document(found))


def _getter(get: Callable[[Profiled, _Layer], Any]) -> Callable[[Any], Any]:
    return lambda pair: get(*pair)


def _flat_summary(found: Sequence[Profiled]) -> Table:
    lines = tuple(Line(one, 0, one.name, False) for one in found)
    columns = [
        _flat("network", lambda one: one.analysis.label),
        _flat("batch", lambda one: one.analysis.batch),
        *(_flat(key, _figure(key)) for key in ("median", "low", "high")),
        _flat("quartile1", lambda one: one.latency.forward.quartiles[0]),
        _flat("quartile3", lambda one: one.latency.forward.quartiles[1]),
        *(_flat(key, _figure(key)) for key in ("p90", "throughput", "runs", "ended")),
        _flat("replay", lambda one: one.latency.replay.median if one.latency.replay else ""),
    ]
    columns += machine_columns(lambda one: one.latency.machine._asdict())
    return Table(tuple(columns), lines, None, "", (), False, document(found))


def _figure(key: str) -> Callable[[Profiled], Any]:
    return lambda one: latency_record(one.latency)[key]


def _flat(key: str, get: Callable[[Any], Any]) -> Column:
    """A column for machines."""
    return Column(key, key, "label", get, "")


def machine_columns(get: Callable[[Any], Mapping[str, Any] | None]) -> Iterator[Column]:
    """What a run was measured on, for machines; empty where `get` finds none."""
    for key in _OF_MACHINE:
        yield _flat("machine" if key == "name" else key, _item(get, key))


def _item(get: Callable[[Any], Mapping[str, Any] | None], key: str) -> Callable[[Any], Any]:
    def item(row: Any) -> Any:
        found = get(row)
        return "" if found is None else found[key]

    return item


def latency_record(latency: Latency) -> dict[str, Any]:
    """A measured network as plain data; times in seconds."""
    low, high = latency.forward.interval
    return {
        "network": latency.network,
        "batch": latency.batch,
        "machine": latency.machine._asdict(),
        "median": latency.forward.median,
        "low": low,
        "high": high,
        "quartiles": list(latency.forward.quartiles),
        "p90": latency.forward.p90,
        "throughput": latency.throughput,
        "runs": len(latency.forward.samples),
        "together": latency.together,
        "ended": latency.forward.ended,
        "samples": list(latency.forward.samples),
        "replay": latency.replay.median if latency.replay else None,
        "replay_samples": list(latency.replay.samples) if latency.replay else None,
        "stepped_samples": list(latency.stepped.samples) if latency.stepped else None,
        "first_pass": latency.first,
        "no_replay": latency.no_replay or None,
        "layers": [_layer_record(one) for one in latency.layers],
    }


def _layer_record(one: LayerTime) -> dict[str, Any]:
    low, high = one.timing.interval
    return {
        "layer": one.layer,
        "seconds": one.seconds,
        "low": low,
        "high": high,
        "samples": list(one.timing.samples),
    }


def document(found: Sequence[Profiled]) -> dict[str, Any]:
    """All that was measured, samples included."""
    return {
        "schema_version": SCHEMA_VERSION,
        "runs": [
            {
                **latency_record(one.latency),
                "input": list(one.analysis.graph.input.facts.outputs[0]),
                "mult_adds": plain(one.analysis.totals.mult_adds),
                "params": plain(one.analysis.totals.params),
                "roof": one.roof._asdict() if one.roof else None,
            }
            for one in found
        ],
    }
