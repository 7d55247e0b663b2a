"""Networks side by side: what each costs, as ratios to the first, and what papers print of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import words
from archcalc.analysis.figures import COMPARED, FIGURES, USUAL
from archcalc.errors import ColumnError, one_line, received
from archcalc.report.columns import COLUMNS, Column
from archcalc.report.figures import figure, rounded
from archcalc.report.model import Line, Report, Table
from archcalc.report.profiling import (
    busy,
    duration,
    ended_notes,
    latency_record,
    machine_columns,
    machine_line,
    uncertainty,
)
from archcalc.report.records import SCHEMA_VERSION, network, plain, record
from archcalc.report.verdicts import cell_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from archcalc.analysis import Analysis
    from archcalc.published.verdicts import Verdict
    from archcalc.pytorch.latency import Latency


class Compared(NamedTuple):
    """A network beside others: its figures, the verdicts on what is printed of it, its latency."""

    analysis: Analysis
    printed: Sequence[Verdict]
    latency: Latency | None = None

    @property
    def name(self) -> str:
        """The network with the settings that are not its own."""
        return self.analysis.label

    def accuracy(self, key: str) -> Accuracy | None:
        """The printed accuracy (of `accuracy`, `top5`, `map`).

        Its own paper's before its authors' others, then the first that anybody prints.
        """
        found = [one for one in map(_accuracy, self.printed) if one and one.key == key]
        paper = self.analysis.about.paper
        author, year = str(paper.get("authors", "")).partition(",")[0], str(paper.get("year", ""))

        def strangeness(one: Accuracy) -> int:
            words = re.findall(r"\w+", one.source)
            return (author not in words) * 2 + (year not in words)

        return min(found, key=strangeness, default=None)


class Accuracy(NamedTuple):
    """A share of right answers that is printed, and where; `key` is accuracy, top5 or map.

    `accuracy` is top-1 wherever a paper has both, `map` mean average precision.
    """

    key: str
    value: Fraction
    source: str
    protocol: str

    @property
    def data_set(self) -> str:
        """What its protocol begins with: ImageNet, CIFAR-10; its source where that says nothing."""
        found = re.match(r"(ImageNet|ILSVRC|[A-Za-z]+)(?:[- ]?(\d+))?", self.protocol)
        if not found:
            return self.source
        if found[1] in ("ImageNet", "ILSVRC") and found[2] in (None, "2012"):
            return "ImageNet"
        return found[0]


class _Figure(NamedTuple):
    """A figure that networks are compared by; `sign` is 1 if less is better, -1 if more is."""

    column: Column
    get: Callable[[Compared], Any]
    sign: int
    more: str = ""  # the words of its ratio
    less: str = ""

    def text(self, value: Any, exact: bool) -> str:
        """A value as people read it."""
        if value != "" and self.column.key == "latency":
            return duration(value)
        if value != "" and self.column.key == "throughput":
            return rounded(value, ",.1f" if value < 1000 else ",.0f")
        return figure(self.column, value, exact)


def _of_row(key: str) -> _Figure:
    """A figure of the whole network; only those have words of which less, or more, is better."""
    column, known = COLUMNS[key], FIGURES.get(key)

    def get(one: Compared) -> Any:
        return column.get(one.analysis.totals)

    if known is None or known.less_is_better is None:
        return _Figure(column, get, 0)
    fewer = "fewer" if known.unit == "1" else "less"
    return _Figure(column, get, 1 if known.less_is_better else -1, "more", fewer)


def _of_print(key: str, heading: str) -> _Figure:
    def get(one: Compared) -> Any:
        found = one.accuracy(key)
        return float(found.value) if found else ""

    return _Figure(Column(key, heading, "share", get, "printed accuracy"), get, -1)


def _measured(key: str, heading: str, get: Callable[[Latency], float], sign: int) -> _Figure:
    def value(one: Compared) -> Any:
        return get(one.latency) if one.latency else ""

    return _Figure(Column(key, heading, "ratio", value, ""), value, sign)


BY_KEY = {
    one.column.key: one
    for one in (
        _measured("latency", "Time", lambda latency: latency.forward.median, 1),
        _measured("throughput", "Inputs/s", lambda latency: latency.throughput, -1),
        *map(_of_row, (*COMPARED, "receptive_field")),
        _of_print("accuracy", "Accuracy"),
        _of_print("top5", "Top-5"),
        _of_print("map", "mAP"),
    )
}
DEFAULT = tuple(key for key in USUAL if key != "flops")
MEASURED = ("latency", "throughput")
WITH_RATIO = ("params", "mult_adds", "latency")
SPARE = (*reversed(DEFAULT[2:]), "latency_interval", "accuracy", "map")


def report(
    rows: Sequence[Compared],
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    *,
    exact: bool = False,
) -> Report:
    """A line a network, and below what tables print of several; for programs raw figures."""

    def tables(width: int | None) -> list[Table]:
        together = printed_together([row.printed for row in rows], width)
        return [comparison(rows, columns, sort, exact=exact), *([together] if together else [])]

    return Report(tables, lambda: [flat_table(rows, columns, sort)])


def flat_table(
    rows: Sequence[Compared], columns: Sequence[str] | None = None, sort: str | None = None
) -> Table:
    """Raw figures, and their ratios to the first network's."""
    timed = any(row.latency for row in rows)
    known = [key for key in BY_KEY if timed or key not in MEASURED]
    keys = [_figure(key).column.key for key in columns or known]
    raw = tuple(_raw_columns(rows[0], keys))
    lines = tuple(Line(row, 0, row.name, False) for row in _sorted(rows, sort))
    return Table(raw, lines, None, "", (), False, _document(rows))


def comparison(
    rows: Sequence[Compared],
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    *,
    exact: bool = False,
) -> Table:
    """A line a network, with ratios to the first.

    Raises ColumnError for a column or sort key that networks are not compared by.
    """
    figures = [_figure(key) for key in columns or _default(rows)]
    shown = _sorted(rows, sort)
    lines = tuple(Line(row, 0, row.name, False) for row in shown)
    document = _document(rows)
    head = Column("name", "Network", "text", lambda row: row.name, "the network", "line")
    cells = [column for one in figures for column in _columns(one, rows, exact)]
    notes = tuple(dict.fromkeys(_notes(rows, figures)))  # a network named twice is said once
    spare = () if columns else SPARE
    return Table((head, *cells), lines, None, "", notes, False, document, spare)


def _default(rows: Sequence[Compared]) -> Iterator[str]:
    """The usual figures, in place of accuracy precision where all are detectors; measured ones."""
    yield from DEFAULT
    of_detectors = any(row.accuracy("map") for row in rows)
    yield "accuracy" if any(row.accuracy("accuracy") for row in rows) or not of_detectors else "map"
    if any(row.latency for row in rows):
        yield from MEASURED


def printed_together(printed: Sequence[Sequence[Verdict]], width: int | None = 80) -> Table | None:
    """What the tables print that have costs of several of the networks; None if none has."""
    networks = dict.fromkeys(map(tuple, printed))  # a network named twice is one
    own = [[one for one in each if one.figure in ("params", "mult_adds")] for each in networks]
    sources = Counter(
        source for each in own for source in dict.fromkeys(one.source for one in each)
    )
    shared = [source for source, count in sources.items() if count > 1]
    cells = [one for source in shared for each in own for one in each if one.source == source]
    found = list(dict.fromkeys(cells))
    if not found:
        return None
    return cell_table("", found, width)._replace(title="As tables print them")


def _figure(key: str) -> _Figure:
    if key in BY_KEY:
        return BY_KEY[key]
    hint = words.near("COLUMNS", key, BY_KEY) or f"there are {', '.join(BY_KEY)}"
    raise ColumnError(f"expected a figure of networks, received {received(key)}", hint=hint)


def _sorted(rows: Sequence[Compared], sort: str | None) -> list[Compared]:
    """The best first; those without the figure last."""
    if sort is None:
        return list(rows)
    one = _figure(sort)
    if not one.column.is_number:
        numeric = ", ".join(key for key, figure in BY_KEY.items() if figure.column.is_number)
        raise ColumnError(
            f"expected a figure with numbers, received {received(sort)}",
            hint=f"there are {numeric}",
        )
    having = [row for row in rows if one.get(row) != ""]
    having.sort(key=one.get, reverse=one.sign < 0)
    return having + [row for row in rows if one.get(row) == ""]


# Columns for people.


def _columns(one: _Figure, rows: Sequence[Compared], exact: bool) -> Iterator[Column]:
    column, values = one.column, [one.get(row) for row in rows]
    numbers = [value for value in values if value != ""]
    best = None
    if one.sign and len(set(numbers)) > 1 and _comparable(column.key, rows):
        best = min(numbers) if one.sign > 0 else max(numbers)
    if column.key in MEASURED and not _is_fastest(rows):
        best = None

    def get(row: Compared) -> str:
        value = one.get(row)
        return ("*" if value == best else "") + one.text(value, exact)

    yield column._replace(style="label", get=get)
    if column.key == "latency":
        yield Column("latency_interval", "± 95%", "label", _interval, "")
    if one.column.key in WITH_RATIO:
        heading = "of first" if len(rows) > 2 or len(rows[0].name) > 16 else f"of {rows[0].name}"
        yield Column(f"{column.key}_ratio", heading, "label", _ratio_text(one, rows[0]), "")


def _is_fastest(rows: Sequence[Compared]) -> bool:
    """Whether one is faster than all others by more than noise."""
    timings = sorted(
        (row.latency.forward for row in rows if row.latency), key=lambda timing: timing.median
    )
    return len(timings) > 1 and timings[0].differs_from(timings[1])


def _interval(row: Compared) -> str:
    return uncertainty(row.latency.forward) if row.latency else ""


def _accuracies(key: str, rows: Sequence[Compared]) -> list[Accuracy]:
    return [found for found in (row.accuracy(key) for row in rows) if found]


def _comparable(key: str, rows: Sequence[Compared]) -> bool:
    """Whether one can be the best: of accuracies only where all are of one data set."""
    return key not in ACCURACIES or len({one.data_set for one in _accuracies(key, rows)}) < 2


def _ratio_text(one: _Figure, first: Compared) -> Callable[[Compared], str]:
    def get(row: Compared) -> str:
        ratio = _ratio(one, row, first)
        if row is first or ratio is None:
            return ""
        if one.column.key == "latency" and not _apart(row, first):
            return "noise"
        return times(ratio)

    return get


def _apart(row: Compared, first: Compared) -> bool:
    """Whether two networks' times differ by more than noise."""
    both = row.latency, first.latency
    return all(both) and both[0].forward.differs_from(both[1].forward)  # type: ignore[union-attr]


def _ratio(one: _Figure, row: Compared, first: Compared) -> float | None:
    """The figure over the first network's."""
    value, base = one.get(row), one.get(first)
    return value / base if base and value != "" else None


AGREES = 1.5  # a factor between the ratios of Mult-Adds and of time that is not worth a word


def times(ratio: float) -> str:
    """A ratio as a person reads it: 27.2x, 0.0368x; three digits."""
    return rounded(ratio, ".3g" if ratio < 1000 else ",.0f") + "x"


# Below the table.


def _notes(rows: Sequence[Compared], figures: Sequence[_Figure]) -> Iterator[str]:
    if len(rows) > 1:
        yield "* the least; of accuracies and inputs per second the most."
    for row in rows[1:]:
        said = list(filter(None, (_said(one, row, rows[0]) for one in figures)))
        if said:
            yield f"{row.name}: {', '.join(said)} than {rows[0].name}."
        yield from _time_said(row, rows[0])
    for row in rows:
        if row.latency:
            yield from ended_notes(row.name, row.latency.forward)
    timed = next((row.latency for row in rows if row.latency), None)
    if timed:
        yield from busy(timed.machine)
        yield f"Time of a forward pass, batch {timed.batch}: {machine_line(timed.machine)}."
    for one in figures:
        if one.column.key in ACCURACIES:
            yield from _sources(one.column, rows)
    yield "Mult-Adds: multiply-accumulates of convolutions and linears, bias excluded."


def _time_said(row: Compared, first: Compared) -> Iterator[str]:
    """How the times compare, and whether that is what the Mult-Adds say."""
    if row.latency is None or first.latency is None:
        return
    own, base = row.latency.forward, first.latency.forward
    between = f"{row.name} and {first.name}"
    if own.is_short or base.is_short:
        yield f"{between}: too few runs to compare their times."
        return
    if not own.differs_from(base):
        yield f"{between}: the difference in time is within noise."
        return
    ratio = own.median / base.median
    faster = f"{times(1 / ratio)} faster" if ratio < 1 else f"{times(ratio)} slower"
    work = row.analysis.totals.mult_adds / max(first.analysis.totals.mult_adds, 1)
    if not work:
        yield f"{row.name}: {faster} than {first.name}."
        return
    less = f"{times(1 / work)} fewer" if work < 1 else f"{times(work)} more"
    less = "as many" if work == 1 else less
    same_way = work == 1 or (ratio < 1) == (work < 1)
    agree = max(ratio / work, work / ratio) < AGREES and same_way
    verdict = "" if agree else "; Mult-Adds and time disagree"
    yield f"{row.name}: {faster} than {first.name}, with {less} Mult-Adds{verdict}."


def _said(one: _Figure, row: Compared, first: Compared) -> str:
    """27.2x fewer Mult-Adds."""
    ratio = _ratio(one, row, first) if one.more else None
    if not ratio or ratio == 1:
        return ""
    word, factor = (one.more, ratio) if ratio > 1 else (one.less, 1 / ratio)
    if rounded(factor, ".3g") == "1":
        return ""
    heading = one.column.heading
    name = heading if FIGURES[one.column.key].quantity == heading else heading.lower()
    many = rounded(factor, ",.0f" if factor >= 100 else ".3g")
    return f"{many}x {word} {name}"


def _sources(column: Column, rows: Sequence[Compared]) -> Iterator[str]:
    if len({one.protocol for one in _accuracies(column.key, rows)}) > 1:
        yield f"{column.heading}: accuracies are of different data sets or protocols."
    for row in rows:
        found = row.accuracy(column.key)
        if found:
            yield one_line(f"{column.heading} of {row.name}: {found.source}.")


def _accuracy(one: Verdict) -> Accuracy | None:
    """A verdict's accuracy, where it is a plain share of a network's answers."""
    from archcalc.published.printed import printed

    key = _KEYS.get(one.figure)
    if key is None or one.layer:
        return None
    value = printed(one.printed)
    if value.kind != "number" or not 0 < value.low < 1:  # a difference, or a bound
        return None
    where = f"{one.figure} {one.printed}, {one.source}"
    where += f" ({one.protocol})" if one.protocol else ""
    share = 1 - value.low if "error" in one.figure else value.low
    return Accuracy(key, share, where, one.protocol)


ACCURACIES = ("accuracy", "top5", "map")
_KEYS = {
    "top1": "accuracy",
    "top1_error": "accuracy",
    "accuracy": "accuracy",
    "error": "accuracy",
    "top5": "top5",
    "top5_error": "top5",
    "map": "map",
}


# For machines.


def _raw_columns(first: Compared, keys: Sequence[str]) -> Iterator[Column]:
    yield Column("name", "name", "text", lambda row: row.name, "")
    for key in dict.fromkeys(keys):
        one = BY_KEY[key]
        yield Column(key, key, "label", one.get, "")
        if one.more or key == "latency":
            get = _raw_ratio(one, first)
            yield Column(f"{key}_ratio", f"{key}_ratio", "label", get, "")
        if key == "latency":
            yield Column("latency_low", "latency_low", "label", _interval_end(0), "")
            yield Column("latency_high", "latency_high", "label", _interval_end(1), "")
            yield Column("runs", "runs", "label", _runs, "")
    for key in filter(keys.__contains__, ACCURACIES):
        yield Column(f"{key}_source", f"{key}_source", "label", _source_of(key), "")
    if "latency" in keys:
        yield from machine_columns(lambda row: row.latency and row.latency.machine._asdict())


def _interval_end(which: int) -> Callable[[Compared], Any]:
    """An end of the 95% interval of the median, in seconds."""
    return lambda row: row.latency.forward.interval[which] if row.latency else ""


def _runs(row: Compared) -> Any:
    return len(row.latency.forward.samples) if row.latency else ""


def _raw_ratio(one: _Figure, first: Compared) -> Callable[[Compared], Any]:
    def get(row: Compared) -> Any:
        ratio = _ratio(one, row, first)
        return "" if ratio is None else ratio

    return get


def _source_of(key: str) -> Callable[[Compared], str]:
    def get(row: Compared) -> str:
        found = row.accuracy(key)
        return found.source if found else ""

    return get


def _document(rows: Sequence[Compared]) -> dict[str, Any]:
    first = rows[0]
    return {
        "schema_version": SCHEMA_VERSION,
        "networks": (
            {
                **network(row.analysis),
                "totals": record(row.analysis.totals),
                "ratios": {
                    key: _ratio(one, row, first)
                    for key, one in BY_KEY.items()
                    if one.more or (key == "latency" and row.latency)
                },
                "latency": latency_record(row.latency) if row.latency else None,
                "printed": [
                    {
                        "figure": one.figure,
                        "printed": one.printed,
                        "computed": plain(one.computed),
                        "verdict": one.kind,
                        "source": one.source,
                        "protocol": one.protocol,
                    }
                    for one in row.printed
                ],
            }
            for row in rows
        ),
    }
