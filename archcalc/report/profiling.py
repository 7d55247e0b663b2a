"""Measured latency as tables: networks in short, and layer by layer against the roofline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import OutputError, one_line, received
from archcalc.report.columns import Column
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.table import Line, Table, title
from archcalc.report.writers import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from archcalc.analysis import Analysis
    from archcalc.analysis.rows import Row
    from archcalc.pytorch.devices import Machine
    from archcalc.pytorch.latency import Latency
    from archcalc.pytorch.roofline import Roof
    from archcalc.pytorch.timing import Timing

BUSY = 0.3  # of the cores
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
    seconds: float
    share: float
    roof: float | None
    bound: str

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def flops_rate(self) -> float:
        """FLOPs a second."""
        return self.row.flops / self.seconds if self.seconds else 0.0

    @property
    def bytes_rate(self) -> float:
        """Bytes a second, read and written."""
        return self.row.bytes_moved / self.seconds if self.seconds else 0.0


def duration(seconds: float) -> str:
    """Seconds as a person reads them, to three digits: 12.3 ms."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds / 1e-9)} ns"


def _three(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def busy(machine: Machine) -> Iterator[str]:
    """A word on other work that ran beside the measurement."""
    if machine.load > BUSY and machine.device == "cpu":
        yield (
            f"Other work kept the cores {100 * machine.load:.0f}% busy just before: times may be "
            "far too long."
        )


def machine_line(machine: Machine) -> str:
    """What it was measured on, in one line."""
    cuda = f", CUDA {machine.cuda}" if machine.cuda else ""
    threads = f", {machine.threads} threads" if machine.device == "cpu" else ""
    more = ", channels last" * machine.channels_last + ", compiled" * machine.compiled
    return (
        f"{machine.name} ({machine.device}), PyTorch {machine.torch}{cuda}{threads}, "
        f"{machine.dtype}{more}, {machine.date}"
    )


def tables(found: Sequence[Profiled], format: str, top: int | None) -> list[Table]:  # noqa: A002
    """The networks in short, then each by layer; for machines all in one."""
    if format in ("csv", "json"):
        return [flat_table(found)]
    by_layer = [layer_table(one, top) for one in found if one.latency.layers]
    return [summary_table(found), *by_layer]


def save(found: Sequence[Profiled], path: str) -> None:
    """Keep runs in a file, whole or not at all; raises OutputError."""
    write_file(path, [json.dumps(document(found), indent=1), "\n"])


# Saved runs.


class Saved(NamedTuple):
    """A run that was kept: of which network, on what machine, how long."""

    network: str
    batch: int
    machine: Mapping[str, Any]
    median: float
    low: float
    high: float

    @property
    def name(self) -> str:
        return self.network


def load(path: str) -> list[Saved]:
    """The runs of a file that `save` wrote; raises OutputError for another."""
    wanted = "runs that 'archcalc profile --save' kept"
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except OSError as error:
        raise OutputError(f"can't read {received(path, 1000)}: {error.strerror or error}") from None
    except ValueError:
        raise OutputError(f"{path}: expected {wanted}, received no JSON") from None
    try:
        return [_saved(run) for run in found["runs"]]
    except (KeyError, TypeError, ValueError):
        raise OutputError(f"{path}: expected {wanted}, received other JSON") from None


def _saved(run: Mapping[str, Any]) -> Saved:
    numbers = [float(run[key]) for key in ("median", "low", "high")]
    machine = run["machine"]
    for key in ("name", "device", "torch", "dtype", "threads", "date"):
        if key not in machine:
            raise KeyError(key)
    if not 0 < numbers[0] < float("inf"):
        raise ValueError(numbers[0])
    return Saved(str(run["network"]), int(run["batch"]), machine, *numbers)


def saved_table(runs: Sequence[Saved]) -> Table:
    """Runs of several machines: each beside the first of its network and batch."""
    first: dict[tuple[str, int], Saved] = {}
    for run in runs:
        first.setdefault((run.network, run.batch), run)
    order = list(first)
    shown = sorted(runs, key=lambda run: order.index((run.network, run.batch)))

    def ratio(run: Saved) -> str:
        base = first[run.network, run.batch]
        return "" if run is base else f"{run.median / base.median:.3g}x"

    columns = (
        Column("network", "Network", "text", lambda run: run.network, ""),
        Column("batch", "Batch", "plain", lambda run: run.batch, ""),
        Column("machine", "Machine", "text", lambda run: _machine_name(run.machine), ""),
        Column("median", "Median", "label", lambda run: duration(run.median), ""),
        Column("interval", "± 95%", "label", _half_interval, ""),
        Column("throughput", "Inputs/s", "label", lambda run: _three(run.batch / run.median), ""),
        Column("ratio", "of first", "label", ratio, ""),
    )
    lines = tuple(Line(run, 0, run.network, False) for run in shown)
    return Table(
        columns, lines, None, "Saved runs", (), False, {"runs": [r._asdict() for r in runs]}
    )


def _half_interval(run: Saved) -> str:
    return f"{100 * (run.high - run.low) / 2 / run.median:.1f}%"


def _machine_name(machine: Mapping[str, Any]) -> str:
    threads = f", {machine['threads']} threads" if machine["device"] == "cpu" else ""
    return one_line(
        f"{machine['name']}, PyTorch {machine['torch']}{threads}, {machine['dtype']}, "
        f"{str(machine['date'])[:10]}"
    )


# Networks in short.


def summary_table(found: Sequence[Profiled]) -> Table:
    """A line for each network and batch: what a forward pass takes, and how sure that is."""
    columns = [
        _column("name", "Network", lambda one: one.analysis.label, style="text"),
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
    caption = tuple(dict.fromkeys((*busy(found[0].latency.machine), *notes)))
    return Table(tuple(columns), lines, None, heading, caption, False, document(found))


def _column(key: str, heading: str, get: Callable[[Profiled], Any], style: str = "label") -> Column:
    return Column(key, heading, style, get, "")


def uncertainty(timing: Timing) -> str:
    """Half the median's interval, in percent of it."""
    share = timing.uncertainty
    return f"{100 * share:.1f}%" if share < 10 else "unknown"


def _between(pair: tuple[float, float]) -> str:
    return " - ".join(map(duration, pair))


def _replay(one: Profiled) -> str:
    return duration(one.latency.replay.median) if one.latency.replay else ""


def _notes(one: Profiled) -> Iterator[str]:
    timing = one.latency.forward
    ended = ENDED[timing.ended]
    if ended:
        runs = f"{len(timing.samples)} run" + "s" * (len(timing.samples) != 1)
        if timing.uncertainty < 10:
            yield f"{one.name}: {ended}; after {runs} the median is known to {uncertainty(timing)}."
        else:
            yield f"{one.name}: {ended}; {runs} are too few to know the median."
    if one.latency.replay is not None:
        extra = one.latency.forward.median - one.latency.replay.median
        share = max(extra, 0) / one.latency.forward.median
        yield f"{one.name}: launching takes {100 * share:.0f}% of the eager time."


# Layer by layer.


def layer_table(one: Profiled, top: int | None = None) -> Table:
    """Each layer's own time, what it reaches of its roof, and what bounds it."""
    rows = list(_layers(one))
    if top:
        rows.sort(key=lambda row: row.seconds, reverse=True)
    shown = rows[:top] if top else rows
    columns = tuple(_layer_columns(one.roof is not None))
    lines = tuple(Line(row, 0, row.name, False) for row in shown)
    heading = f"{title(one.analysis)}, batch {one.analysis.batch}: time by layer"
    caption = tuple(_layer_notes(one, rows, len(shown)))
    return Table(columns, lines, None, heading, caption, False, document([one]))


def _layers(one: Profiled) -> Iterator[_Layer]:
    by_name: Mapping[str, float] = {each.layer: each.seconds for each in one.latency.layers}
    total = sum(by_name.values()) or 1.0
    for row in one.analysis.layers:
        seconds = by_name[row.name]
        reached: tuple[float | None, str] = None, ""
        if one.roof is not None and seconds > 0:
            reached = one.roof.bound(row.flops, row.bytes_moved, seconds)
        yield _Layer(row, seconds, seconds / total, *reached)


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
    return "" if row.roof is None else f"{100 * row.roof:.0f}%"


def _layer_notes(one: Profiled, rows: Sequence[_Layer], shown: int) -> Iterator[str]:
    if shown < len(rows):
        yield f"The {shown} slowest of {len(rows)} layers."
    yield machine_line(one.latency.machine) + "."
    total, forward = sum(row.seconds for row in rows), one.latency.forward.median
    yield (
        f"Layers add up to {duration(total)}, a forward pass takes {duration(forward)} "
        f"({100 * (total / forward - 1):+.1f}%)."
    )
    if one.latency.machine.compiled:
        yield "Layers are timed as they are without torch.compile, which merges them."
    roof = one.roof
    if roof is not None:
        yield (
            f"Roof: {_three(roof.flops / 1e9)} GFLOP/s (matrix product), "
            f"{_three(roof.bandwidth / 1e9)} GB/s (copy); a call takes {duration(roof.call)}."
        )
        yield from _shares(rows)


def _shares(rows: Sequence[_Layer]) -> Iterator[str]:
    total = sum(row.seconds for row in rows) or 1.0
    parts = {
        bound: sum(row.seconds for row in rows if row.bound == bound) / total
        for bound in ("arithmetic", "memory", "overhead")
    }
    said = ", ".join(f"{100 * share:.0f}% {bound}" for bound, share in parts.items())
    yield f"Of the time, layers bound by: {said}."


# For machines.


def flat_table(found: Sequence[Profiled]) -> Table:
    """One line a layer and batch, in seconds and operations, for spreadsheets."""
    rows = [(one, row) for one in found for row in _layers(one)] if found[0].latency.layers else []
    if not rows:
        return _flat_summary(found)
    lines = tuple(Line(pair, 0, pair[1].name, False) for pair in rows)
    columns = tuple(
        Column(key, key, "label", _getter(get), "")
        for key, get in {
            "network": lambda one, row: one.analysis.label,
            "batch": lambda one, row: one.analysis.batch,
            "layer": lambda one, row: row.name,
            "kind": lambda one, row: row.row.kind,
            "seconds": lambda one, row: row.seconds,
            "time_share": lambda one, row: row.share,
            "mult_adds": lambda one, row: row.row.mult_adds,
            "flops": lambda one, row: row.row.flops,
            "bytes_moved": lambda one, row: row.row.bytes_moved,
            "roof": lambda one, row: "" if row.roof is None else row.roof,
            "bound": lambda one, row: row.bound,
        }.items()
    )
    return Table(columns, lines, None, "", (), False, document(found))


def _getter(get: Callable[[Profiled, _Layer], Any]) -> Callable[[Any], Any]:
    return lambda pair: get(*pair)


def _flat_summary(found: Sequence[Profiled]) -> Table:
    lines = tuple(Line(one, 0, one.name, False) for one in found)
    keys = ("median", "low", "high", "p90", "throughput", "runs", "ended")
    columns = (
        Column("network", "network", "label", lambda one: one.analysis.label, ""),
        Column("batch", "batch", "label", lambda one: one.analysis.batch, ""),
        *(Column(key, key, "label", _figure(key), "") for key in keys),
    )
    return Table(columns, lines, None, "", (), False, document(found))


def _figure(key: str) -> Callable[[Profiled], Any]:
    return lambda one: latency_record(one.latency)[key]


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
        "p90": latency.forward.p90,
        "throughput": latency.throughput,
        "runs": len(latency.forward.samples),
        "ended": latency.forward.ended,
        "samples": list(latency.forward.samples),
        "replay_samples": list(latency.replay.samples) if latency.replay else None,
        "stepped_samples": list(latency.stepped.samples) if latency.stepped else None,
        "layers": [{"layer": one.layer, "seconds": one.seconds} for one in latency.layers],
    }


def document(found: Sequence[Profiled]) -> dict[str, Any]:
    """All that was measured, samples included."""
    return {
        "schema_version": SCHEMA_VERSION,
        "runs": [
            {
                **latency_record(one.latency),
                "mult_adds": plain(one.analysis.totals.mult_adds),
                "params": plain(one.analysis.totals.params),
                "roof": one.roof._asdict() if one.roof else None,
            }
            for one in found
        ],
    }
