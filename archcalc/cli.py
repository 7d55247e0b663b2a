"""The command line: parse flags, call the API, hand the result to a writer."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from archcalc import __version__
from archcalc.errors import (
    ArchcalcError,
    OutputError,
    SettingError,
    SpecErrors,
    printable,
    received,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archcalc.analysis import Analysis
    from archcalc.report.profiling import Profiled

app = typer.Typer(
    name="archcalc",
    help="What convolutional networks cost, layer by layer, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MANY = 6  # networks that several processes verify sooner than one
TABLE_FORMATS = ("terminal", "markdown", "csv", "json", "latex")


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete.lower())]


def _complete_network(incomplete: str) -> list[str]:
    from archcalc.api import networks

    return _beginning(incomplete, networks())


def _complete_dtype(incomplete: str) -> list[str]:
    from archcalc.analysis.costs import DTYPES

    return _beginning(incomplete, DTYPES)


def _complete_counting(incomplete: str) -> list[str]:
    from archcalc.report.counting import COUNTINGS

    return _beginning(incomplete, COUNTINGS)


def _complete_tool(incomplete: str) -> list[str]:
    from archcalc.analysis.tools import TOOLS

    return _beginning(incomplete, TOOLS)


NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A network's name, a spec file, FILE#VARIANT, or NAME@key=value,key=value.",
        autocompletion=_complete_network,
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="A setting; repeatable.", show_default=False
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="CxHxW", help="Another input shape: 3x192x192."),
]
BatchOption = Annotated[int, typer.Option("--batch", "-b", help="Inputs in a batch.")]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="Element type, for bytes.", autocompletion=_complete_dtype)
]
SpecsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--specs", metavar="DIR", help="A directory of specs to look in first.", show_default=False
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="terminal, markdown, csv, json or latex.",
        autocompletion=lambda incomplete: _beginning(incomplete, TABLE_FORMATS),
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to a file; its suffix tells the format."
    ),
]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="Exact figures in place of unit prefixes.")
]


DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="cpu, cuda, cuda:N or mps.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", help="Of the CPU; as PyTorch has them if left out.")
]
ChannelsLastOption = Annotated[
    bool, typer.Option("--channels-last", help="Images as NHWC in memory.")
]
CompileOption = Annotated[bool, typer.Option("--compile", help="Through torch.compile.")]
PrecisionOption = Annotated[
    float, typer.Option("--precision", metavar="PERCENT", help="How well to know the median.")
]
BudgetOption = Annotated[
    float, typer.Option("--budget", metavar="SECONDS", help="The most to spend on a network.")
]
WarmupOption = Annotated[
    int,
    typer.Option("--warmup", help="Passes that don't count, after the first; fewer if very slow."),
]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Handle options that stand before a command."""
    if version:
        typer.echo(f"archcalc {__version__}")
        raise typer.Exit


@app.command()
def table(
    network: NetworkArgument,
    depth: Annotated[
        int | None, typer.Option("--depth", "-d", help="Levels of blocks to show.")
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
    top: Annotated[int | None, typer.Option("--top", "-n", help="Show the largest only.")] = None,
    counting: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="TOOL",
            help="Count Mult-Adds and params as a tool does, or as the 'paper'.",
            autocompletion=_complete_counting,
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
    from archcalc.report.table import tabulate

    chosen = _format(format_name, output, TABLE_FORMATS)
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
        for analysis in _analyses([network], settings, input_shape, batch, dtype, specs)
    ]
    _write_tables(tables, chosen, output, exact)


@app.command()
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
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """How each number comes about."""
    from archcalc.analysis.explain import explain as derive
    from archcalc.report import explanations

    chosen = _format(format_name, output, explanations.NAMES)
    analyses = _analyses([network], settings, input_shape, batch, dtype, specs)
    found = [derive(analysis, layer) for analysis in analyses]  # refused before the first word
    _write(explanations.pieces(chain.from_iterable(found), chosen), output)


@app.command()
def report(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...", help="Networks, as for table.", autocompletion=_complete_network,
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="FILE.md or FILE.csv.", show_default=False
        ),
    ],
    settings: SetOption = None,
    input_shape: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = "float32",
    specs: SpecsOption = None,
) -> None:  # fmt: skip
    """Write the study of networks to a file."""
    from archcalc.api import reproduce as judged
    from archcalc.report import study

    chosen = _format(None, output, tuple(study.FORMATS))
    analyses = _analyses(networks, settings, input_shape, batch, dtype, specs)
    known = {one.spec.network: one.spec for one in analyses if one.spec}
    verdicts = {name: judged(spec, specs=specs or ()) for name, spec in known.items()}
    _write(study.pieces(analyses, chosen, verdicts), output)


@app.command("list")
def list_networks(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...",
            help="Networks; a listed setting is several: mobilenet@alpha=[1.0,0.5].",
            autocompletion=_complete_network, show_default=False,
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
    from archcalc.report.table import listing
    from archcalc.spec import library

    chosen = _format(format_name, output, TABLE_FORMATS)
    if networks:
        analyses = [one for name in networks for one in analyze_all(name, specs=specs or ())]
    else:
        found = library.networks(specs or (), on_error=_complain)
        analyses = [analyze(spec) for spec in found]
        analyses.sort(key=lambda one: one.spec.paper.get("year", "") if one.spec else "")
    keys = [key.strip() for key in columns.split(",")] if columns else None
    _write_tables([listing(analyses, keys)], chosen, output, exact)


@app.command()
def reproduce(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...", help="Networks whose printed figures are judged.",
            autocompletion=_complete_network, show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All networks, in numbers.")] = False,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:  # fmt: skip
    """What papers print, against what is computed."""
    from archcalc.api import reproduce as judged
    from archcalc.api import reproduce_all
    from archcalc.report import verdicts

    chosen = _format(format_name, output, TABLE_FORMATS)
    if every == bool(networks):
        got = "both" if every else "neither"
        raise SettingError(f"reproduce: expected networks or --all, received {got}")
    if networks:
        found = {name: judged(name, specs=specs or ()) for name in networks}
    else:
        found = reproduce_all(specs=specs or ())
    _write_tables(verdicts.tables(found, every, chosen), chosen, output, exact=True)
    if any(one.problem for some in found.values() for one in some):
        raise typer.Exit(1)


@app.command()
def compare(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...", help="Networks, as for table; ratios are to the first.",
            autocompletion=_complete_network, show_default=False,
        ),
    ],
    columns: Annotated[
        str | None,
        typer.Option("--columns", "-c", metavar="KEY,KEY", help="Figures to compare by."),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="The best of a figure first.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="DEVICE", help="Measure there, too: cpu, cuda, mps."),
    ] = None,
    threads: ThreadsOption = None,
    channels_last: ChannelsLastOption = False,
    compiled: CompileOption = False,
    precision: PrecisionOption = 1.0,
    budget: BudgetOption = 10.0,
    warmup: WarmupOption = 3,
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
    from archcalc.api import printed_of
    from archcalc.report.comparison import Compared, comparison, printed_together

    chosen = _format(format_name, output, TABLE_FORMATS)
    keys = [key.strip() for key in columns.split(",") if key.strip()] if columns else None
    if device is None:
        _refuse_measuring(threads, channels_last, compiled, {*(keys or ()), sort or ""})
    analyses = _analyses(networks, settings, input_shape, batch, dtype, specs)
    printed = [printed_of(one, specs=specs or ()) for one in analyses]
    rows = [Compared(*pair) for pair in zip(analyses, printed, strict=True)]
    comparison(rows, keys, sort)  # refused before anything is measured
    failed, interrupted = 0, False
    if device is not None:
        _check_targets(output)
        options = (device, dtype, threads, channels_last, compiled, precision / 100, budget, warmup)
        latencies = _latencies(analyses, options)
        interrupted = not latencies
        for i, latency in enumerate(latencies):
            if isinstance(latency, ArchcalcError):
                _complain(latency)
                failed += 1
            else:
                rows[i] = rows[i]._replace(latency=latency)
    tables = [comparison(rows, keys, sort, chosen, exact=exact)]
    together = None if chosen in ("csv", "json") else printed_together(printed)
    _write_tables(tables + ([together] if together else []), chosen, output, exact)
    stopped = (row.latency and row.latency.forward.ended == "interrupted" for row in rows)
    if interrupted or any(stopped):
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(2)


def _latencies(analyses: Sequence[Analysis], options: tuple[Any, ...]) -> list[Any]:
    """What each takes, measured in turn; or why it can't be. Nothing if that is interrupted."""
    gc.enable()  # PyTorch leaves cycles with large tensors in them
    from archcalc.pytorch.latency import Options, interleaved

    try:
        with _progress_bar("measuring", 1) as seen:
            return list(interleaved(analyses, Options(*options), seen=seen))
    except KeyboardInterrupt:
        return []


def _refuse_measuring(
    threads: int | None, channels_last: bool, compiled: bool, keys: set[str]
) -> None:
    """What is of a measurement only, where nothing is measured; raises SettingError."""
    from archcalc.report.comparison import MEASURED

    asked = {
        "--threads": threads is not None,
        "--channels-last": channels_last,
        "--compile": compiled,
        **{key: key in keys for key in MEASURED},
    }
    for name, given in asked.items():
        if given:
            raise SettingError(f"{name}: expected together with --device, received without")


@app.command()
def paths(
    network: NetworkArgument,
    settings: SetOption = None,
    input_shape: InputOption = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """The paths through a residual network, by length."""
    from archcalc.analysis.paths import paths as followed
    from archcalc.report.lengths import length_table

    chosen = _format(format_name, output, TABLE_FORMATS)
    analyses = _analyses([network], settings, input_shape, 1, "float32", specs)
    tables = [length_table(analysis, followed(analysis)) for analysis in analyses]
    _write_tables(tables, chosen, output, exact=True)


@app.command()
def memory(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...",
            help="Networks, as for table.",
            autocompletion=_complete_network,
            show_default=False,
        ),
    ],
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Activations write over their input at inference.")
    ] = False,
    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="sgd, momentum or adam.",
            autocompletion=lambda incomplete: _beginning(incomplete, ("sgd", "momentum", "adam")),
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
    from archcalc.report.memory import memory_table

    chosen = _format(format_name, output, TABLE_FORMATS)
    analyses = _analyses(networks, settings, input_shape, batch, dtype, specs)
    found = [kept(analysis, in_place=in_place) for analysis in analyses]
    _write_tables([memory_table(found, optimizer, chosen)], chosen, output, exact)


@app.command()
def build(
    network: NetworkArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="FILE.pt, FILE.pt2 or FILE.onnx.",
            show_default=False,
        ),
    ],
    format_name: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="FORMAT", help="state-dict, pt2 or onnx."),
    ] = None,
    settings: SetOption = None,
    input_shape: InputOption = None,
    dtype: Annotated[str, typer.Option("--dtype", help="Type of the weights.")] = "float32",
    seed: Annotated[int, typer.Option("--seed", help="Of the first weights.")] = 0,
    specs: SpecsOption = None,
) -> None:  # fmt: skip
    """A network as a PyTorch model, in a file."""
    analyses = _analyses([network], settings, input_shape, 1, "float32", specs)
    if len(analyses) > 1:
        raise SettingError(f"build: expected one network, received {len(analyses)}")
    gc.enable()  # PyTorch leaves cycles with large tensors in them
    from archcalc.pytorch import export
    from archcalc.pytorch.model import build as built
    from archcalc.report.writers import save_file

    chosen = export.format_of(output, format_name)
    model = built(analyses[0].graph, dtype=dtype, seed=seed)
    save_file(output, lambda path: export.FORMATS[chosen](model, path))


@app.command()
def verify(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...", help="Networks, as for table.",
            autocompletion=_complete_network, show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All networks.")] = False,
    settings: SetOption = None,
    input_shape: InputOption = None,
    processes: Annotated[
        int | None,
        typer.Option("--jobs", "-j", metavar="N", help="Networks at once; one a core.", min=1),
    ] = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:  # fmt: skip
    """The arithmetic against the built model and other counters."""
    from archcalc.api import networks as known
    from archcalc.api import pair, verify_all
    from archcalc.report import checks

    chosen = _format(format_name, output, TABLE_FORMATS)
    if every == bool(networks):
        got = "both" if every else "neither"
        raise SettingError(f"verify: expected networks or --all, received {got}")
    _check_targets(output)
    asked, found = networks or known(specs=specs or ()), []
    gc.enable()  # PyTorch leaves cycles with large tensors in them
    count, coming = verify_all(
        asked,
        processes=processes or _processes(len(asked)),
        input=_shape(input_shape),
        specs=specs or (),
        settings=dict(pair(text) for text in settings or ()),
    )
    try:
        for one in _progress(coming, count, "verifying"):
            found.append(one)  # noqa: PERF402 - what is finished is kept
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:  # also after an error: what is finished is printed
        if found:
            _write_tables(checks.tables(found, count, chosen), chosen, output, exact=True)
    if not all(one.agrees for one in found):
        raise typer.Exit(1)


@app.command()
def reconcile(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...", help="Networks, as for table.", autocompletion=_complete_network,
            show_default=False,
        ),
    ],
    tools: Annotated[
        list[str] | None,
        typer.Option(
            "--tool", "-t", metavar="TOOL", help="A counter; repeatable. All that are installed.",
            autocompletion=_complete_tool, show_default=False,
        ),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Differences layer by layer.")] = False,
    settings: SetOption = None,
    input_shape: InputOption = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:  # fmt: skip
    """Why other counters count otherwise, term by term."""
    from archcalc.api import reconcile as compared
    from archcalc.report import reconciliation

    chosen = _format(format_name, output, TABLE_FORMATS)
    analyses = _analyses(networks, settings, input_shape, 1, "float32", specs)
    gc.enable()  # PyTorch leaves cycles with large tensors in them
    _check_targets(output)
    coming = (compared(analysis, tools=tools or ()) for analysis in analyses)
    found = []
    try:
        for one in _progress(coming, len(analyses), "counting"):
            found.append(one)
            for failure in one.failures:
                sys.stderr.write(f"archcalc: {printable(failure)}\n")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:  # also after an error: what is finished is printed
        if found:
            tables = reconciliation.tables(found, layers, chosen)
            _write_tables(tables, chosen, output, exact=True)


def _processes(networks: int) -> int:
    """How many processes are worth their start."""
    return 1 if networks < MANY else min(os.cpu_count() or 1, networks)


@app.command()
def profile(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...", help="Networks, as for table.", autocompletion=_complete_network,
            show_default=False,
        ),
    ],
    device: DeviceOption = "cpu",
    batch: Annotated[
        str, typer.Option("--batch", "-b", metavar="N,N", help="Inputs in a batch.")
    ] = "1",
    dtype: Annotated[
        str, typer.Option("--dtype", help="float32, float16, bfloat16 or float64.")
    ] = "float32",
    threads: ThreadsOption = None,
    channels_last: ChannelsLastOption = False,
    compiled: CompileOption = False,
    layers: Annotated[bool, typer.Option(help="Time every layer, too.")] = True,
    top: Annotated[int | None, typer.Option("--top", "-n", help="The slowest layers only.")] = None,
    precision: PrecisionOption = 1.0,
    budget: BudgetOption = 10.0,
    warmup: WarmupOption = 3,
    settings: SetOption = None,
    input_shape: InputOption = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="FILE", help="Keep the runs, with all samples, as JSON."),
    ] = None,
) -> None:  # fmt: skip
    """How long a forward pass takes, and each layer of it, on this machine."""
    from archcalc.report import profiling

    chosen = _format(format_name, output, TABLE_FORMATS)
    if top is not None and top < 1:
        raise SettingError(f"--top: expected at least 1, received {top}")
    _check_targets(output, save)
    analyses = [
        analysis
        for network in networks
        for size in _batches(batch)
        for analysis in _analyses([network], settings, input_shape, size, dtype, specs)
    ]
    gc.enable()  # PyTorch leaves cycles with large tensors in them
    from archcalc.pytorch.latency import Options, profiles

    options = Options(
        device, dtype, threads, channels_last, compiled, precision / 100, budget, warmup
    )
    found: list[profiling.Profiled] = []
    try:
        with _progress_bar("measuring", len(analyses)) as seen:
            for one in profiles(analyses, options, layers=layers, seen=seen):
                found.append(profiling.Profiled(*one))  # noqa: PERF401 - what is finished is kept
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:  # also after an error: what is finished is printed
        if found:
            _write_profiles(found, chosen, top, output, save)


def _check_targets(*paths: str | None) -> None:
    """Refuse files that can't be written before anything is measured for them."""
    from archcalc.report.profiling import check_target

    for path in paths:
        if path is not None:
            check_target(path)


def _write_profiles(
    found: Sequence[Profiled], chosen: str, top: int | None, output: str | None, save: str | None
) -> None:
    """The tables, then the samples; each of the two also where the other can't be written."""
    from archcalc.report import profiling

    try:
        _write_tables(profiling.tables(found, chosen, top), chosen, output, exact=True)
    finally:
        if save:
            profiling.save(found, save)


@app.command()
def runs(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="What 'archcalc profile --save' kept.", show_default=False
        ),
    ],
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Saved runs side by side."""
    from archcalc.report import profiling

    chosen = _format(format_name, output, TABLE_FORMATS)
    found = [run for path in files for run in profiling.load(path)]
    _write_tables([profiling.saved_table(found, chosen)], chosen, output, exact=True)


def _batches(text: str) -> list[int]:
    """The batch sizes of `1,8,32`."""
    sizes = [size.strip() for size in text.split(",")]
    if not all(size.isdecimal() and 0 < int(size) < 10**9 for size in sizes):
        raise SettingError(
            "--batch: expected whole numbers of at least 1, such as 1,8,32, "
            f"received {received(text)}"
        )
    return list(map(int, sizes))


@app.command()
def show(
    network: NetworkArgument,
    specs: SpecsOption = None,
    spec_only: Annotated[bool, typer.Option("--spec", help="The spec's text alone.")] = False,
) -> None:
    """A network's paper, settings and spec."""
    from archcalc.api import request
    from archcalc.report.card import card

    spec, _ = request(network, specs or ())
    _write([spec.text if spec_only else card(spec)], None)


@app.command()
def schema(
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
) -> None:
    """The JSON Schema of specs, for editors."""
    import json

    from archcalc.spec.jsonschema import json_schema

    _write([json.dumps(json_schema(), indent=2, ensure_ascii=False), "\n"], output)


@app.command()
def validate(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Spec files.", show_default=False)
    ],
) -> None:
    """Check spec files."""
    from archcalc.spec import library
    from archcalc.spec.expansion import expand

    wrong = 0
    for path in files:
        try:
            variants = library.variants(library.read(path, printed=True))
            for spec in variants:
                expand(spec)
        except ArchcalcError as error:
            wrong += 1
            _complain(error)
        else:
            many = "s" * (len(variants) != 1)
            _write([f"{path}: correct, {len(variants)} network{many}\n"], None)
    if wrong:
        raise typer.Exit(2)


# Between flags and the API.


def _analyses(
    networks: Sequence[str],
    settings: Sequence[str] | None,
    input_shape: str | None,
    batch: int,
    dtype: str,
    specs: Sequence[str] | None,
) -> list[Analysis]:
    from archcalc.api import analyze_all, pair

    given = dict(pair(text) for text in settings or ())
    shape = _shape(input_shape)
    return [
        analysis
        for name in networks
        for analysis in analyze_all(
            name, batch=batch, dtype=dtype, input=shape, specs=specs or (), settings=given
        )
    ]


def _shape(text: str | None) -> list[int] | None:
    if text is None:
        return None
    sizes = text.lower().replace("×", "x").split("x")
    if len(sizes) > 8 or not all(
        size.isdecimal() and size.isascii() and len(size) < 12 for size in sizes
    ):
        raise SettingError(f"--input: expected sizes such as 3x224x224, received {received(text)}")
    return [int(size) for size in sizes]


def _format(name: str | None, output: str | None, formats: Sequence[str]) -> str:
    from archcalc.errors import did_you_mean
    from archcalc.report.writers import format_of

    if name is None:
        return format_of(output, formats) if output else formats[0]
    if name not in formats:
        raise OutputError(
            f"--format: expected one of {', '.join(formats)}, received {received(name)}",
            hint=did_you_mean(name, formats),
        )
    return name


def _write_tables(tables: Sequence[Any], chosen: str, output: str | None, exact: bool) -> None:
    from archcalc.report import terminal
    from archcalc.report.writers import pieces

    if chosen in ("csv", "json") and len(tables) > 1:
        raise SettingError(
            f"{chosen} holds one network: expected one, received {len(tables)}",
            hint="'archcalc list' and 'archcalc report' take several",
        )
    if chosen == "terminal" and output is None:
        with _stdout() as stream:
            for i, one in enumerate(tables):
                stream.write("\n" * (i > 0))
                terminal.show(one, exact=exact)
        return

    def parts() -> Iterator[str]:
        for i, one in enumerate(tables):
            yield "\n" * (i > 0)
            yield from pieces(one, chosen, exact)

    _write(parts(), output)


def _progress(items: Iterable[Any], count: int, what: str) -> Iterator[Any]:
    """The items as they come, on a terminal with a bar on standard error."""
    if count < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    yield from track(items, what, total=count, console=console, transient=True)


@contextmanager
def _progress_bar(what: str, count: int) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal's stderr, told how many (parts) of `count` are done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=count)
        yield lambda done: progress.update(task, completed=done)


def _write(text: Iterable[str], output: str | None) -> None:
    if output is None:
        with _stdout() as stream:
            stream.writelines(map(printable, text))
        return
    from archcalc.report.writers import write_file

    write_file(output, text)


@contextmanager
def _stdout() -> Iterator[TextIO]:
    """Standard output; once its reader has seen enough, silence."""
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
    except OSError as error:
        _close_stdout()
        raise OutputError(f"can't write the output: {error.strerror or error}") from None


def _close_stdout() -> None:
    """Let what is still in the buffer go nowhere: there is no one to read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# Running.


def _complain(error: ArchcalcError) -> None:
    """An error on stderr: each sentence on a line of its own."""
    from archcalc.report.terminal import styled

    word = "\x1b[1;31merror:\x1b[0m" if styled(sys.stderr) else "error:"
    lines = error.errors if isinstance(error, SpecErrors) else (error,)
    for line in lines:
        sys.stderr.write(f"{word} {line}\n")


def main() -> None:
    """The whole process: one command, without Python's cycle collector.

    What a command makes it needs until all is printed, so there is hardly any garbage to look for;
    and when the process ends, the last collection need not take it apart.
    """
    gc.disable()
    code = run()
    gc.freeze()
    sys.exit(code)


def run() -> str | int | None:
    """Run the command line: exit code 0, or 2 with a sentence on stderr for what can be mended."""
    _prepare_streams()
    code: str | int | None = 0
    try:
        with _stdout():
            code = _run()
    except ArchcalcError as error:
        _complain(error)
        code = 2
    return code


def _prepare_streams() -> None:
    """Closed streams go nowhere; characters that an encoding lacks are spelled out."""
    if sys.__stdout__ is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if sys.__stderr__ is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _run() -> str | int | None:
    try:
        app(prog_name="archcalc")
    except SystemExit as done:
        return done.code
    return 0


if __name__ == "__main__":
    main()
