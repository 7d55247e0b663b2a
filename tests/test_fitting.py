"""Tables in a width: no line is wider, no figure is cut or broken, what gives way is named.

Widths, networks, columns and settings are drawn. What needs PyTorch to be found out (disagreements,
other counters' numbers, times) is made up here: only its layout is of interest.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from drawing import drawn as same_examples
from hypothesis import Phase, given
from hypothesis import strategies as st
from random_specs import SMALL, draw_spec
from zoo import LARGE, NETWORKS

from archcalc import analyze, explain, load
from archcalc.analysis.memory import OPTIMIZERS, Memory
from archcalc.analysis.paths import main_outputs, paths
from archcalc.analysis.tools.accounts import Account, Reconciled, Reconciliation
from archcalc.analysis.tools.base import Term
from archcalc.api import printed_of, reproduce
from archcalc.report import cells, checks, explanations, profiling, reconciliation, verdicts
from archcalc.report.card import card
from archcalc.report.columns import COLUMNS, NETWORK_COLUMNS, Column
from archcalc.report.comparison import BY_KEY, MEASURED, Compared, comparison, printed_together
from archcalc.report.figures import figure
from archcalc.report.lengths import length_tables
from archcalc.report.memory import report as needs
from archcalc.report.model import Line, Table
from archcalc.report.table import listing, listings, tabulate
from archcalc.report.terminal import layout
from archcalc.report.wrapping import cell_width, cut, in_syllables, in_words, pieces, wrapped
from archcalc.spec import library

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.analysis import Analysis

RANDOM = st.randoms(use_true_random=False)
WIDTHS = st.integers(40, 200)
MODERATE = [name for name in NETWORKS if name not in LARGE]
USUAL = (40, 60, 80, 100, 120)

LABELS = [
    "mobilenet@alpha=0.25,resolution=128,classes=12",
    "squeezenet1-0@resolution=300,classes=10",
    "lenet5",
    "nin",
    "alexnet",
]

# Long names, Chinese ones, and a declared table with headings of its own.
PECULIAR = """
title: "一个名字很长的网络, a network whose title goes on and on, as those of some papers do"
input: [3, 32, 32]
tables:
  mine:
    source: Nobody 2020, Table 2
    columns: {Type of the layer: type, Receptive field/stride: window, 参数: params, Ops: mult_adds}
layers:
  - conv: {name: the_first_of_two_convolutions_that_look_at_the_whole_image, out: 64, kernel: 3}
  - conv: {name: 卷积卷积卷积卷积卷积卷积, out: 8, kernel: 3, label: 一个卷积 of 3x3 with a label}
  - relu
  - flatten
  - linear: {name: x, out: 1000}
"""


def drawn(examples: int) -> Callable[[Any], Any]:
    """The same examples in each run; layouts are read as they are, not made small first."""
    return same_examples(examples, phases=[Phase.explicit, Phase.generate])


@cache
def analysis_of(label: str) -> Analysis:
    """An analysis that several tests share."""
    if label == "peculiar":
        return analyze(library.parse(PECULIAR, "peculiar.yaml"))
    return analyze(label)


# What holds of every table in every width.


def texts_of(table: Table, width: int, *, exact: bool) -> list[str]:
    return ["".join(text for text, _ in line) for line in layout(table, width, exact)]


def check(table: Table, width: int, *, exact: bool = False) -> None:
    lines = texts_of(table, width, exact=exact)
    where = (table.title, [column.key for column in table.columns], width)
    check_widths(lines, width, where)
    check_units(prose(table, lines), where)
    check_figures(table, lines, where, exact=exact)
    check_notes(table, lines, where)


def check_widths(lines: Sequence[str], width: int, where: object) -> None:
    """A name may be longer than a line: it then has one of its own."""
    for line in lines:
        assert cell_width(line) <= width or len(list(pieces(line.strip()))) == 1, (where, line)


def prose(table: Table, lines: Sequence[str]) -> list[str]:
    """The title, and the notes: below the total, or below an empty line."""
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"─"}]
    below = lines[rules[-1] + 2 :]
    if table.total is None:
        below = below[below.index("") :] if "" in below else []
    return [*lines[: rules[0]], "", *below]


def check_units(lines: Sequence[str], where: object) -> None:
    """No line of prose begins with the unit of a figure that ends the line before."""
    for line, after in pairwise(lines):
        is_prose = "  " not in line.strip() and " " in line.strip()
        assert not (is_prose and re.search(r"\d$", line) and UNIT.match(after)), (where, line)


UNIT = re.compile(r"\s*([KMGTPE]?B|[KMGTPE]|s|ms|µs|ns|GFLOP/s)\b(?! [ \d])")


def check_figures(table: Table, lines: Sequence[str], where: object, *, exact: bool) -> None:
    """All of the first rows stand whole, as do all names that are typed into commands."""
    text = re.sub("[▏▎▍▌▋▊▉█]", "", "  \n".join(lines))
    found = set(re.split(r"\s{2,}|\n", text))
    left_out = named(table, lines, "left out")
    for column in table.columns:
        if column.heading in left_out:
            continue
        if column.style != "text":
            values = {figure(column, column.get(line.row), exact) for line in table.lines[:40]}
            assert values <= found | {""}, (where, column.key)
        elif column.fitted in ("keep", "line"):
            assert {line.name for line in table.lines} <= found, (where, column.key)


def check_notes(table: Table, lines: Sequence[str], where: object) -> None:
    """Each column is there or left out by a note, and those that were asked for are there."""
    left_out, below = named(table, lines, "left out"), named(table, lines, "below the others")
    spare = {column.heading for column in table.columns if column.key in table.spare}
    assert left_out <= spare, where
    heads = headings(lines)
    for column in table.columns:
        first = any(is_headed(head, column.heading) for head in heads[:1])
        later = any(is_headed(head, column.heading) for head in heads[1:])
        assert first or column.heading in left_out or column.heading in below, (where, column.key)
        assert later or column.heading not in below, (where, column.key)
    if any("…" in line for line in lines[: lines.index("") if "" in lines else None]):
        assert named(table, lines, "cut"), where


def is_headed(head: str, heading: str) -> bool:
    """Whether a heading is there, whole or broken."""
    return all(
        any(
            all(part in head for part in parts)
            for parts in ([word], in_words(word), in_syllables(word))
        )
        for word in heading.split()
    )


def headings(lines: Sequence[str]) -> list[str]:
    """The lines of headings above the first rule of each block, side by side."""
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"─"}]
    found = []
    for rule in rules:
        start = next((i for i in reversed(range(rule)) if not lines[i]), -1) + 1
        if not any(start <= other < rule for other in rules):
            found.append(" ".join(lines[start:rule]))
    return found


def named(table: Table, lines: Sequence[str], verb: str) -> set[str]:
    """The columns of which the note says that they are cut, left out or below."""
    text = " ".join(" ".join(lines).split())
    note = re.search(r"To fit a width of \d+, (.*?); a width of \d+ has room for all\.", text)
    for part in note[1].split("; ") if note else ():
        said = re.fullmatch(rf"(.*) (?:is|are) {verb}", part)
        many = said and re.fullmatch(r"the \d+ columns from (.*) to (.*)", said[1])
        if many:
            headings = [column.heading for column in table.columns]
            return {*headings[headings.index(many[1]) : headings.index(many[2]) + 1]}
        if said:
            *some, last = said[1].split(" and ")
            return {last, *(name for each in some for name in each.split(", "))}
    return set()


# Tables of one network.


def tables(analysis: Analysis) -> Iterator[tuple[Table, bool]]:
    """The tables of one network, and whether figures are exact."""
    for exact in (False, True):
        yield tabulate(analysis), exact
        yield tabulate(analysis, columns=["all"]), exact
    yield tabulate(analysis, depth=1, fold=True), False
    yield tabulate(analysis, sort="params", top=9), False
    for name in analysis.about.tables:
        yield tabulate(analysis, columns=[name]), False
    for optimizer in OPTIMIZERS:
        yield needs([Memory(analysis)], optimizer).tables(None)[0], True
    if analysis.label in NETWORKS:
        yield verdicts.cell_table(analysis.label, reproduce(analysis.label)), True
    every = [paths(analysis, output.name) for output in main_outputs(analysis.graph)]
    for table in length_tables(analysis, every):
        yield table, True


@cache
def printed_in(label: str) -> Any:
    return printed_of(analysis_of(label))


@cache
def tables_of(label: str) -> tuple[tuple[Table, bool], ...]:
    return tuple(tables(analysis_of(label)))


@drawn(60)
@given(st.sampled_from(["lenet5", "resnet20", "peculiar"]), st.data(), WIDTHS)
def test_tables_fit(name: str, data: st.DataObject, width: int) -> None:
    table, exact = data.draw(st.sampled_from(tables_of(name)))
    check(table, width, exact=exact)


@pytest.mark.parametrize("name", ["lenet5", "peculiar"])
def test_tables_fit_the_usual_widths(name: str) -> None:
    for table, exact in tables_of(name):
        for width in USUAL:
            check(table, width, exact=exact)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODERATE[::2])
def test_tables_of_shipped_networks_fit(name: str) -> None:
    for table, exact in tables(analysis_of(name)):
        for width in (40, 80, 120):
            check(table, width, exact=exact)


@drawn(40)
@given(st.lists(st.sampled_from([*COLUMNS]), min_size=1, max_size=12, unique=True), st.data())
def test_columns_that_are_asked_for_are_there(keys: list[str], data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(["lenet5", "resnet20", "peculiar"]))
    width, exact = data.draw(WIDTHS), data.draw(st.booleans())
    check(tabulate(analysis_of(label), columns=keys), width, exact=exact)


@drawn(20)
@given(RANDOM, WIDTHS)
def test_tables_of_random_networks_fit(source: random.Random, width: int) -> None:
    check_random(source, width)


@pytest.mark.slow
@drawn(120)
@given(RANDOM, WIDTHS)
def test_tables_of_many_random_networks_fit(source: random.Random, width: int) -> None:
    check_random(source, width)


def check_random(source: random.Random, width: int) -> None:
    analysis = analyze(library.parse(draw_spec(source, SMALL), "random.yaml"))
    for table, exact in tables(analysis):
        check(table, width, exact=exact)
    check_derivations(analysis, width)


@pytest.mark.parametrize("name", ["resnet110", "resnet1202"])
def test_paths_fit_however_many_there_are(name: str) -> None:
    analysis = analyze(name)
    for table in length_tables(analysis, [paths(analysis)]):
        for width in (40, 80):
            check(table, width, exact=True)


# Tables of several networks.


def together(labels: Sequence[str], source: random.Random) -> Iterator[Table]:
    """The tables of commands that take several networks."""
    analyses = [analysis_of(label) for label in labels]
    printed = [printed_in(label) for label in labels]
    timed = source.random() < 0.5
    rows = [
        Compared(one, said, latency(one, source) if timed else None)
        for one, said in zip(analyses, printed, strict=True)
    ]
    keys = [key for key in BY_KEY if timed or key not in MEASURED]
    yield comparison(rows)
    yield comparison(rows, source.sample(keys, source.randint(1, len(keys))))
    optimizer = source.choice([*OPTIMIZERS])
    yield needs([Memory(one) for one in analyses], optimizer).tables(None)[0]
    yield from listings(analyses)
    known = ["name", *NETWORK_COLUMNS, *[*COLUMNS][1:]]
    yield listing(analyses, source.sample(known, source.randint(1, 9)))
    yield listing(analyses, ["all"])
    yield from filter(None, [printed_together(printed)])
    yield verdicts.summary(dict(zip(labels, map(list, printed), strict=True)))
    yield from measured(analyses, source)


def latency(analysis: Analysis, source: random.Random) -> Any:
    from archcalc.pytorch.devices import Machine
    from archcalc.pytorch.latency import Latency, LayerTime
    from archcalc.pytorch.timing import Timing

    def timing() -> Timing:
        median = 10 ** source.uniform(-8, 2)
        spread = [source.uniform(0.5, 2) for _ in range(source.choice([1, 3, 20]))]
        ended = source.choice(["budget", "precise", "interrupted"])
        return Timing(tuple(median * share for share in spread), ended)

    name = "A processor with a rather long name @ 3.20 GHz"
    machine = Machine(
        "cpu", name, "host", "2.4.1+cpu", "", 16, "float32", channels_last=True, compiled=True,
        date="2026-11-28T12:00:00+00:00", load=source.random(),
    )  # fmt: skip
    layers = tuple(LayerTime(row.name, timing()) for row in analysis.layers)
    replay = timing() if source.random() < 0.5 else None
    return Latency(
        analysis.label, 1, machine, timing(), replay, timing(), layers, "" if replay else "why not"
    )


def measured(analyses: Sequence[Analysis], source: random.Random) -> Iterator[Table]:
    """The tables of `profile`, `runs`, `verify` and `reconcile`, with made-up numbers."""
    from archcalc.pytorch.roofline import Roof

    roof = Roof(10**13.5, 10**12.2, 1e-6) if source.random() < 0.5 else None
    profiled = [profiling.Profiled(one, latency(one, source), roof) for one in analyses]
    yield profiling.summary_table(profiled)
    yield profiling.layer_table(profiled[0], top=source.choice([None, 5]))
    yield profiling.saved_table([saved(one, source) for one in [*profiled, *profiled]])
    yield from checks.report([verification(one, source) for one in analyses], 9).tables(None)
    yield from map(checks.check_table, [verification(one, source) for one in analyses])
    found = [reconciled(one, source) for one in analyses]
    yield from reconciliation.report(found, layers=True).tables(None)


def saved(one: profiling.Profiled, source: random.Random) -> profiling.Saved:
    median = 10 ** source.uniform(-8, 2)
    low, high = median * source.uniform(0.5, 1), median * source.uniform(1, 2)
    machine = one.latency.machine._asdict()
    runs = source.choice([1, 50])
    return profiling.Saved(one.analysis.label, (3, 224, 224), 1, machine, runs, median, low, high)


def verification(analysis: Analysis, source: random.Random) -> Any:
    from archcalc.pytorch.verify import Check, Disagreement, LeftOut, Verification

    def checked(key: str) -> Check:
        wrong = tuple(
            Disagreement(row.name, "shape", "64x112x112", "64x111x111")
            for row in source.sample(list(analysis.layers), source.choice([0, 1, 2]))
        )
        left_out = (LeftOut(source.randint(1, 10**4), "whose positions see different parts"),)
        number = 10 ** source.randint(0, 9)
        return Check(key, f"Mult-Adds by {key}", f"PyTorch's {key}", number, left_out, wrong)

    return Verification(analysis.label, tuple(map(checked, checks.HEADINGS)))


def reconciled(analysis: Analysis, source: random.Random) -> Reconciliation:
    def account(own: int) -> Account:
        terms = [
            Term(source.choice(TERMS), source.randint(-own, own))
            for _ in range(source.randint(0, 3))
        ]
        return Account(own + source.randint(0, own), own, tuple(terms))

    layers = {row.name: account(row.mult_adds + 10**9) for row in list(analysis.layers)[:20]}
    tools = [
        Reconciled(tool, "0.1.1.post2209072238", account(10**11), account(10**8), layers)
        for tool in ("fvcore", "thop", "torchinfo")
    ]
    return Reconciliation(analysis, tuple(tools), ("ptflops: broke",), ("calflops",), "2.4.1+cpu")


TERMS = ["biases", "batch norms, 2 each element", "padding that its rule for pools leaves out"]


@drawn(6)
@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=3), RANDOM, WIDTHS)
def test_tables_of_several_networks_fit(
    labels: list[str], source: random.Random, width: int
) -> None:
    for table in together(labels, source):
        check(table, width)


@pytest.mark.slow
@drawn(12)
@given(st.lists(st.sampled_from(MODERATE), min_size=2, max_size=4), RANDOM, WIDTHS)
def test_tables_of_any_networks_fit(labels: list[str], source: random.Random, width: int) -> None:
    for table in together(labels, source):
        check(table, width, exact=source.random() < 0.5)


# Derivations and cards.


def check_derivations(analysis: Analysis, width: int) -> None:
    text = "".join(explanations.pieces(explain(analysis), "terminal", width))
    check_widths(text.splitlines(), width, (analysis.label, "explain"))


@drawn(12)
@given(st.sampled_from(["lenet5", "resnet20", "peculiar"]), WIDTHS)
def test_derivations_fit(name: str, width: int) -> None:
    check_derivations(analysis_of(name), width)


@pytest.mark.parametrize("name", NETWORKS[::9])
def test_cards_fit(name: str) -> None:
    spec = load(name)
    for width in (40, 60, 80):
        check_widths(card(spec, analysis_of("lenet5"), width).splitlines(), width, name)


# Any table.


class Row(NamedTuple):
    """A row of texts and figures that mean nothing."""

    name: str
    cells: tuple[Any, ...]


WORDS = ["convolution", "3x3", "of", "118 M", "block_1/branch_2/reduce", "卷积", "a", "12.3 ms"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
HEADINGS = st.sampled_from(["Params", "patch size/stride", "Mult-Adds", "Activations", "参数", "A"])


@st.composite
def any_table(draw: Callable[[Any], Any]) -> Table:
    styles = draw(st.lists(st.sampled_from(["text", "count", "bytes", "share"]), max_size=9))
    columns = [Column("name", "Layer", "text", lambda row: row.name, "")]
    for i, style in enumerate(styles):
        fit = draw(st.sampled_from(["cut", "wrap"])) if style == "text" else ""
        heading = f"{draw(HEADINGS)} {i}"
        columns.append(Column(f"c{i}", heading, style, lambda row, i=i: row.cells[i], "", fit))
    makers = {"text": TEXTS, "share": st.floats(0, 1)}
    numbers = st.integers(0, 10**12)
    rows = draw(
        st.lists(
            st.builds(
                Row,
                TEXTS.map(lambda text: text.replace(" ", "_") or "x"),
                st.tuples(*(makers.get(style, numbers) for style in styles)),
            ),
            min_size=1,
            max_size=4,
        )
    )
    keys = st.sampled_from([column.key for column in columns[1:]] or [""])
    spare = draw(st.lists(keys, unique=True))
    lines = [Line(row, draw(st.integers(0, 2)), row.name, False) for row in rows]
    notes = (draw(TEXTS),)
    return Table(tuple(columns), tuple(lines), None, "", notes, False, spare=tuple(spare))


@drawn(150)
@given(any_table(), WIDTHS, st.booleans())
def test_any_table_fits(table: Table, width: int, exact: bool) -> None:
    check(table, width, exact=exact)


# By hand.


def heads(table: Table, width: int) -> list[str]:
    return headings(texts_of(table, width, exact=False))


def compared(*labels: str) -> Table:
    return comparison([Compared(one, printed_of(one)) for one in map(analysis_of, labels)])


def test_a_comparison_is_one_table_in_80_columns() -> None:
    few = compared("mobilenet", "vgg16", "googlenet")
    [head] = heads(few, 80)
    words = "of Mult- of Network Params first Adds first Depth Weights Activations Accuracy"
    assert head.split() == words.split()
    many = compared("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
    assert len(heads(many, 80)) == 1
    for table in (few, many):
        assert not any("To fit" in line for line in texts_of(table, 80, exact=False))
    lines = texts_of(few, 60, exact=False)
    assert named(few, lines, "left out") == {"Weights", "Activations"}


def test_memory_of_three_leaves_out_the_layer_and_keeps_what_training_takes() -> None:
    memories = [Memory(analysis_of(name)) for name in ("mobilenet", "vgg16", "googlenet")]
    table = needs(memories, "momentum").tables(None)[0]
    lines = texts_of(table, 80, exact=False)
    assert named(table, lines, "left out") == {"At"}
    assert "a width of 86 has room for all" in " ".join(lines)
    assert "Training" in headings(lines)[0]
    assert not named(table, texts_of(table, 86, exact=False), "left out")


def test_a_papers_table_goes_on_below() -> None:
    table = tabulate(analysis_of("googlenet"), columns=["paper"])
    lines = texts_of(table, 80, exact=False)
    assert named(table, lines, "below the others") == {"pool proj", "params", "ops"}
    assert sum(line.startswith("inception (3a) ") for line in lines) == 2
    assert len(heads(table, 95)) == 2
    assert len(heads(table, 96)) == 1


def test_long_names_of_networks_have_lines_of_their_own() -> None:
    table = listing([analysis_of(label) for label in LABELS[:3]])
    lines = texts_of(table, 40, exact=False)
    assert LABELS[0] in lines
    at = lines.index(LABELS[0])
    assert re.fullmatch(r" +[\d.]+ K +[\d.]+ M", lines[at + 1])
    assert any(line.startswith(f"{LABELS[0]}  ") for line in texts_of(table, 80, exact=False))


def test_a_figure_is_made_once_however_many_ways_to_fit_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[str, int]] = []

    def counted(column: Column, value: Any, exact: bool) -> str:
        made.append((column.key, id(value)))
        return figure(column, value, exact)

    monkeypatch.setattr(cells, "figure", counted)
    table = tabulate(analysis_of("lenet5"), columns=["all"])
    texts_of(table, 40, exact=False)
    totals = [column for column in table.columns if column.is_totalled]
    assert len(made) == (len(table.columns) - 1) * len(table.lines) + len(totals)


def test_text_is_wrapped_between_words_that_are_no_figures() -> None:
    assert wrapped("params 118 M and 1.57 GB moved", 12) == ["params 118 M", "and 1.57 GB", "moved"]
    assert wrapped("takes 12.3 ms", 10) == ["takes", "12.3 ms"]
    assert wrapped("  of Inception-v3 here", 14, 2) == ["  of", "    Inception-v3", "    here"]
    assert wrapped("卷积 卷积", 5) == ["卷积", "卷积"]
    assert wrapped("卷积卷积", 5) == ["卷积", "卷积"]


def test_a_text_that_is_cut_says_so_where_it_is_cut() -> None:
    assert cut("conv4_17/body/conv2", 9, "…", at_end=False) == "conv…onv2"
    assert cut("A long title", 7, "…", at_end=True) == "A long…"
    assert cell_width(cut("卷积卷积卷积", 6, "…", at_end=True)) <= 6


def test_headings_are_broken_where_words_are() -> None:
    assert in_words("patch size/stride") == ["patch", "size/", "stride"]
    assert in_words("Mult-Adds of first") == ["Mult-", "Adds", "of", "first"]
    assert in_words("± 95%") == ["±", "95%"]
    assert in_syllables("Activations") == ["Activa-", "tions"]
