"""Commands that compute: none of them imports PyTorch, but `compare` where it measures."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archcalc.analysis.figures import COMPARED
from archcalc.cli.options import (
    BatchOption,
    BudgetOption,
    ChannelsLastOption,
    CompileOption,
    DerivationFormatOption,
    DtypeOption,
    ExactOption,
    FormatOption,
    InputOption,
    NetworkArgument,
    NetworksArgument,
    OutputOption,
    PrecisionOption,
    SetOption,
    SpecsOption,
    ThreadsOption,
    WarmupOption,
    how_long,
)
from archcalc.cli.streams import (
    Complaints,
    analyses_of,
    check_asked,
    check_targets,
    chosen_format,
    complain,
    progress,
    progress_bar,
    progress_of_writing,
    start_torch,
    terminal_width,
    write,
    write_report,
)
from archcalc.errors import ArchcalcError, SettingError
from archcalc.packages import require
from archcalc.report.formats import FORMATS, listed, of_explanations, of_reports, of_studies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.analysis import Analysis
    from archcalc.report.comparison import Compared
    from archcalc.spec.model import Spec


_STUDY_FILES = listed([f"FILE{FORMATS[name].suffixes[0]}" for name in of_studies()])


def table(
    network: NetworkArgument,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", "-d", metavar="N", help="Levels of blocks to show.  [default: all]"
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            "-c",
            metavar="KEY,KEY",
            help="Columns, 'all', or a table the spec declares: 'paper'.",
        ),
    ] = None,
    fold: Annotated[
        bool, typer.Option("--fold", help="Merge norms and activations into their layer.")
    ] = False,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="Rank layers by a column.")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top", "-n", metavar="N", help="Show only the N largest, by Mult-Adds or --sort."
        ),
    ] = None,
    counting: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="TOOL",
            help="Count Mult-Adds and params as fvcore, thop, torch, torchinfo, ptflops, calflops "
            "or the 'paper' does.",
        ),
    ] = None,
    settings: SetOption = None,
    input_shape: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = "float32",
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
    exact: ExactOption = False,
) -> None:
    """What a network costs, layer by layer."""
    from archcalc.api import tabulate
    from archcalc.report.model import same_for_all

    chosen = chosen_format(format_name, output, of_reports())
    tables = [
        tabulate(
            analysis,
            columns=[key.strip() for key in columns.split(",") if key.strip()] if columns else None,
            depth=depth,
            fold=fold,
            sort=sort,
            top=top,
            counting=counting,
        )
        for analysis in analyses_of([network], settings, input_shape, batch, dtype, specs)
    ]
    write_report(same_for_all(tables), chosen, output, exact)


def explain(
    network: NetworkArgument,
    layer: Annotated[
        str | None,
        typer.Argument(metavar="[LAYER]", help="A layer or block; a unique part of its name."),
    ] = None,
    settings: SetOption = None,
    input_shape: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = "float32",
    specs: SpecsOption = None,
    format_name: DerivationFormatOption = None,
    output: OutputOption = None,
) -> None:
    """How each number comes about."""
    from archcalc.analysis.explain import explain as derive
    from archcalc.report import explanations

    chosen = chosen_format(format_name, output, of_explanations())
    analyses = analyses_of([network], settings, input_shape, batch, dtype, specs)
    found = [derive(analysis, layer) for analysis in analyses]  # refused before the first word
    count = sum(1 if layer else len(analysis.layers) + 1 for analysis in analyses)
    every = progress_of_writing(chain.from_iterable(found), count, "explaining", output)
    write(explanations.pieces(every, chosen, terminal_width(chosen, output)), output)


def report(
    networks: NetworksArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help=f"{_STUDY_FILES}.", show_default=False
        ),
    ],
    settings: SetOption = None,
    input_shape: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = "float32",
    no_derivations: Annotated[
        bool, typer.Option("--no-derivations", help="Leave out how each number comes about.")
    ] = False,
    specs: SpecsOption = None,
) -> None:  # fmt: skip
    """Write the study of networks to a file."""
    from archcalc.api import reproduce as judged
    from archcalc.report import study

    chosen = chosen_format(None, output, of_studies())
    check_targets(output)
    analyses = analyses_of(networks, settings, input_shape, batch, dtype, specs)
    judges = FORMATS[chosen].study is not None  # records have no verdicts
    known = {one.graph.name: one for one in analyses if judges}
    errors = Complaints()
    verdicts = {
        name: judged(known[name], specs=specs or (), on_error=errors)
        for name in progress(known, len(known), "judging")
    }
    layers = sum(len(one.graph.layers) for one in analyses)
    with progress_bar("writing", layers) as seen:
        text = study.pieces(analyses, chosen, verdicts, derivations=not no_derivations, seen=seen)
        write(text, output)
    errors.exit()


def list_networks(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...",
            help="Networks, or patterns: 'resnet*', 'mobilenet@alpha=[1.0,0.5]'.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", "-c", metavar="KEY,KEY", help="Columns, as for table."),
    ] = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
    exact: ExactOption = False,
) -> None:  # fmt: skip
    """Networks, one line each."""
    from archcalc.api import analyze, analyze_all
    from archcalc.report.model import Report
    from archcalc.report.table import listing, listings
    from archcalc.spec import library

    chosen = chosen_format(format_name, output, of_reports())
    errors = Complaints()
    if networks:
        asked = library.matching(networks, specs or ())
        analyses = [one for name in asked for one in analyze_all(name, specs=specs or ())]
    else:
        found = library.networks(specs or (), on_error=errors)
        analyses = list(errors.left_out(analyze, found))
        analyses.sort(key=lambda one: one.about.paper.get("year", ""))
    keys = [key.strip() for key in columns.split(",")] if columns else None
    shown = Report(
        lambda _: [listing(analyses, keys)] if networks else listings(analyses, keys),
        lambda: [listing(analyses, keys)],
    )
    write_report(shown, chosen, output, exact)
    errors.exit()


def reproduce(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...", help="Networks whose printed figures are judged.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All networks, in numbers.")] = False,
    differs: Annotated[
        bool, typer.Option("--differs", help="Only figures that differ, with the reasons.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="TEXT",
            help="Only sources that contain this text, such as 'Table 1'.",
        ),
    ] = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:  # fmt: skip
    """What papers print, against what is computed."""
    from archcalc.api import reproduce as judged
    from archcalc.api import reproduce_all
    from archcalc.report import verdicts
    from archcalc.spec import library

    chosen = chosen_format(format_name, output, of_reports())
    check_asked("reproduce", networks, every)
    errors = Complaints()
    if networks:
        asked = library.matching(networks, specs or ())
        found = {name: judged(name, specs=specs or (), on_error=errors) for name in asked}
    else:
        found = reproduce_all(specs=specs or (), on_error=errors)
    if source is not None:
        found = verdicts.of_source(found, source)
    write_report(verdicts.report(found, every, differs), chosen, output, exact=True)
    errors.exit()
    if any(one.problem for some in found.values() for one in some):
        raise typer.Exit(1)


def compare(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...", help="Networks, as for table; ratios are to the first.",
            show_default=False,
        ),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", "-c", metavar="KEY,KEY",
            help=f"Figures to compare by: latency, throughput, {', '.join(COMPARED)}, "
            "receptive_field, accuracy, top5 or map.",
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="Put the best of a figure first.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="DEVICE",
            help="Measure as well, on cpu, cuda, cuda:N or mps.  [default: do not measure]",
        ),
    ] = None,
    threads: ThreadsOption = None,
    channels_last: ChannelsLastOption = False,
    compiled: CompileOption = False,
    precision: PrecisionOption = None,
    budget: BudgetOption = None,
    warmup: WarmupOption = None,
    settings: SetOption = None,
    input_shape: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = "float32",
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
    exact: ExactOption = False,
) -> None:  # fmt: skip
    """Networks side by side."""
    from archcalc.analysis.costs import check_built
    from archcalc.api import printed_of
    from archcalc.report.comparison import Compared, comparison
    from archcalc.report.comparison import report as compared

    chosen = chosen_format(format_name, output, of_reports())
    keys = [key.strip() for key in columns.split(",") if key.strip()] if columns else None
    if device is None:
        numbers = {"threads": threads, "precision": precision, "budget": budget, "warmup": warmup}
        flags = {"channels-last": channels_last, "compile": compiled}
        _refuse_measuring({**numbers, **flags}, {*(keys or ()), sort or ""})
    else:
        require("torch", "compare --device")
        check_built(dtype)
    analyses = analyses_of(networks, settings, input_shape, batch, dtype, specs)
    errors = Complaints()
    printed = [printed_of(one, specs=specs or (), on_error=errors) for one in analyses]
    rows = [Compared(*pair) for pair in zip(analyses, printed, strict=True)]
    comparison(rows, keys, sort)  # refused before anything is measured
    code = 0
    if device is not None:
        check_targets(output)
        how = how_long(precision, budget, warmup)
        rows, code = _measured(rows, (device, dtype, threads, channels_last, compiled, *how))
    write_report(compared(rows, keys, sort, exact=exact), chosen, output, exact)
    if code:
        raise typer.Exit(code)
    errors.exit()


def _measured(rows: Sequence[Compared], options: tuple[Any, ...]) -> tuple[list[Compared], int]:
    """The rows with their latencies, measured in turn; and the exit code.

    That is 130 where it was interrupted, and 2 where a network can't be measured, which is said.
    """
    found = list(rows)
    try:
        start_torch("compare --device")
        from archcalc.pytorch.latency import Options, interleaved

        with progress_bar("measuring", 1) as seen:
            analyses = [row.analysis for row in rows]
            latencies = interleaved(analyses, Options(*options), seen=seen)
    except KeyboardInterrupt:
        sys.stderr.write("archcalc: interrupted before anything was measured\n")
        return found, 130
    code = 0
    for i, latency in enumerate(latencies):
        if isinstance(latency, ArchcalcError):
            complain(latency)
            code = code or 2
        else:
            found[i] = found[i]._replace(latency=latency)
            code = 130 if latency.forward.ended == "interrupted" else code
    return found, code


def _refuse_measuring(options: Mapping[str, object], keys: set[str]) -> None:
    """What is of a measurement only, where nothing is measured; raises SettingError."""
    from archcalc.report.comparison import MEASURED

    given = [
        f"--{name}" for name, value in options.items() if value is not None and value is not False
    ]
    for name in (*given, *(key for key in MEASURED if key in keys)):
        raise SettingError(f"{name}: expected together with --device, received without")


def paths(
    network: NetworkArgument,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NAME",
            help="The output that paths lead to.  [default: each that is not auxiliary]",
        ),
    ] = None,
    without: Annotated[
        int | None,
        typer.Option(
            "--without",
            metavar="N",
            min=0,
            show_default=False,
            help="Also show how many paths are left when N bodies are deleted.",
        ),
    ] = None,
    settings: SetOption = None,
    input_shape: InputOption = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """The paths through a network's sums, by length."""
    from archcalc.analysis.paths import main_outputs
    from archcalc.analysis.paths import paths as followed
    from archcalc.report import lengths

    chosen = chosen_format(format_name, output, of_reports())
    analyses = analyses_of([network], settings, input_shape, 1, "float32", specs)
    found = []
    for analysis in analyses:
        names = [one.name for one in main_outputs(analysis.graph)] if to is None else [to]
        every = [followed(analysis, name) for name in progress(names, len(names), "paths")]
        found.append((analysis, every))
    write_report(lengths.report(found, without), chosen, output, exact=True)


def memory(
    networks: NetworksArgument,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Let activations write over their input.")
    ] = False,
    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="sgd, momentum or adam.",
        ),
    ] = "momentum",
    settings: SetOption = None,
    input_shape: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = "float32",
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
    exact: ExactOption = False,
) -> None:
    """What a network keeps in memory, at inference and in training."""
    from archcalc.api import memory as kept
    from archcalc.report.memory import report as needed

    chosen = chosen_format(format_name, output, of_reports())
    analyses = analyses_of(networks, settings, input_shape, batch, dtype, specs)
    found = [kept(analysis, in_place=in_place) for analysis in analyses]
    write_report(needed(found, optimizer), chosen, output, exact)


def show(
    network: NetworkArgument,
    specs: SpecsOption = None,
    spec_only: Annotated[bool, typer.Option("--spec", help="The spec's text alone.")] = False,
) -> None:
    """The card of a network: its paper, costs, settings and variants."""
    from archcalc.api import opened
    from archcalc.report.card import card
    from archcalc.report.terminal import text_width

    spec, settings = opened(network, specs or ())
    if spec_only:
        write([f"{line}\n" for line in spec.text.expandtabs(4).splitlines()], None)
        return
    write([card(spec, _costs(spec, settings), text_width(sys.stdout))], None)


def _costs(spec: Spec, settings: Mapping[str, Any]) -> Analysis | ArchcalcError:
    """The analysis, or why there is none: a card is shown all the same."""
    from archcalc.api import analyze

    try:
        return analyze(spec, settings=settings)
    except ArchcalcError as error:
        return error


def schema(
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Print the schema of files of printed figures.")
    ] = False,
) -> None:
    """The JSON Schema of specs, for editors."""
    import json

    from archcalc.published.jsonschema import json_schema, of_printed_figures

    made = of_printed_figures() if published else json_schema()
    write([json.dumps(made, indent=2, ensure_ascii=False), "\n"], output)


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Specs, or files of printed figures.", show_default=False
        ),
    ],
    specs: SpecsOption = None,
) -> None:
    """Check specs and files of printed figures."""
    wrong = 0
    for path in files:
        try:
            checked = _checked(path, specs or ())
        except ArchcalcError as error:
            wrong += 1
            complain(error)
        else:
            write([f"{path}: correct, {checked}\n"], None)
    if wrong:
        raise typer.Exit(2)


def _checked(path: str, specs: Sequence[str]) -> str:
    """How much there is in a file in which nothing is wrong: networks, or printed figures alone."""
    from archcalc.api import check_printed
    from archcalc.published import literature
    from archcalc.spec import library
    from archcalc.spec.expansion import expand

    if literature.is_alone(path):
        family = literature.of_path(path)
        check_printed(family, specs=specs)
        count = len(family.claims) + sum(len(table.cells) for table in family.tables)
        return f"{count} printed figure{'s' * (count != 1)}"
    spec = library.read(path)
    variants = library.variants(spec)
    for variant in variants:
        expand(variant)
    check_printed(literature.of_spec(spec), specs=specs)
    return f"{len(variants)} network{'s' * (len(variants) != 1)}"
