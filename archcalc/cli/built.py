"""Commands that build the network in PyTorch: to keep it, to check against it, to time it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from archcalc.cli.options import (
    BudgetOption,
    ChannelsLastOption,
    CompileOption,
    DeviceOption,
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
    names,
    progress,
    progress_bar,
    shape_of,
    start_torch,
    write_report,
)
from archcalc.errors import ArchcalcError, SettingError, printable, received
from archcalc.packages import require
from archcalc.report.formats import of_reports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.pytorch.verify import Verification
    from archcalc.report.profiling import Profiled

# Copies of the weights, those of the model among them, while they are written or folded.
OPTIMIZED = 4
PROGRAM = 3
MANY = 6  # networks that several processes verify sooner than one


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
        typer.Option("--format", "-f", metavar="FORMAT",
            help="state-dict, pt2 or onnx.  [default: the file's]",
        ),
    ] = None,
    settings: SetOption = None,
    input_shape: InputOption = None,
    dtype: Annotated[str, typer.Option(
            "--dtype", metavar="TYPE",
            help="Type of the weights: float32, float16, bfloat16 or float64.",
        ),
    ] = "float32",
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the initial weights.")
    ] = 0,
    optimize: Annotated[
        bool,
        typer.Option("--optimize", help="Fold layers of ONNX into each other; tensors are lost."),
    ] = False,
    specs: SpecsOption = None,
) -> None:  # fmt: skip
    """A network as a PyTorch model, in a file."""
    from archcalc.analysis.costs import built_bytes, check_built
    from archcalc.machine import check_memory

    for package in ("torch", *(("onnx", "onnxscript") if _is_onnx(output, format_name) else ())):
        require(package, "build")
    analyses = analyses_of([network], settings, input_shape, 1, "float32", specs)
    if len(analyses) > 1:
        raise SettingError(f"build: expected one network, received {len(analyses)}")
    check_built(dtype)
    [analysis] = analyses
    is_program = format_name == "pt2" or (format_name is None and output.lower().endswith(".pt2"))
    copies = OPTIMIZED if optimize else PROGRAM if is_program else 1
    needed = copies * built_bytes(analysis.graph.layers, dtype)
    check_memory(analysis.label, "its model" if copies == 1 else "its model and copies", needed)
    start_torch("build")
    from archcalc.pytorch import export
    from archcalc.pytorch.model import build as built

    chosen = export.format_of(output, format_name)
    export.check_optimize(chosen, optimize)
    model = built(analysis.graph, dtype=dtype, seed=seed)
    export.save(model, analysis.graph, output, chosen, optimize=optimize)


def _is_onnx(output: str, format_name: str | None) -> bool:
    """Whether ONNX is to be written; which other formats there are `export` says."""
    return format_name == "onnx" or (format_name is None and output.lower().endswith(".onnx"))


def verify(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...", help="Networks, as for table.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All networks.")] = False,
    settings: SetOption = None,
    input_shape: InputOption = None,
    processes: Annotated[
        int | None,
        typer.Option("--jobs", "-j", metavar="N", min=1,
            help="Networks to check in parallel.  [default: one per core, 1 below 6 networks]",
        ),
    ] = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:  # fmt: skip
    """The arithmetic against the built model and other counters."""
    from archcalc.api import verify_all
    from archcalc.frontends.requests import pair
    from archcalc.report import checks
    from archcalc.spec.library import matching

    require("torch", "verify")
    chosen = chosen_format(format_name, output, of_reports())
    check_asked("verify", networks, every)
    check_targets(output)
    errors = Complaints()
    start_torch("verify")
    asked = matching(networks or names(specs or (), errors), specs or ())
    count, coming = verify_all(
        asked,
        processes=processes or _processes(len(asked)),
        input=shape_of(input_shape),
        specs=specs or (),
        settings=dict(pair(text) for text in settings or ()),
        on_error=errors if every else None,
    )
    found: list[Verification] = []
    try:
        for one in progress(coming, count, "verifying"):
            if isinstance(one, ArchcalcError):
                errors(one)
            else:
                found.append(one)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:  # also after an error: what is finished is printed
        if found:
            write_report(checks.report(found, count), chosen, output, exact=True)
    errors.exit()
    if not all(one.agrees for one in found):
        raise typer.Exit(1)


def _processes(networks: int) -> int:
    """How many processes are worth their start."""
    return 1 if networks < MANY else min(os.cpu_count() or 1, networks)


def reconcile(
    networks: NetworksArgument,
    tools: Annotated[
        list[str] | None,
        typer.Option(
            "--tool", "-t", metavar="TOOL",
            help="A counter; repeatable.  [default: all that are installed]",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Show differences layer by layer.")
    ] = False,
    settings: SetOption = None,
    input_shape: InputOption = None,
    specs: SpecsOption = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
) -> None:  # fmt: skip
    """Why other counters count otherwise, term by term."""
    from archcalc.api import check_tools
    from archcalc.api import reconcile as compared
    from archcalc.report import reconciliation

    require("torch", "reconcile")
    check_tools(tools or ())
    chosen = chosen_format(format_name, output, of_reports())
    analyses = analyses_of(networks, settings, input_shape, 1, "float32", specs)
    check_targets(output)
    start_torch("reconcile")
    coming = (compared(analysis, tools=tools or ()) for analysis in analyses)
    found = []
    try:
        for one in progress(coming, len(analyses), "counting"):
            found.append(one)
            for failure in one.failures:
                sys.stderr.write(f"archcalc: {printable(failure)}\n")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:  # also after an error: what is finished is printed
        if found:
            write_report(reconciliation.report(found, layers), chosen, output, exact=True)


def profile(
    networks: NetworksArgument,
    device: DeviceOption = "cpu",
    batch: Annotated[
        str,
        typer.Option(
            "--batch", "-b", metavar="N,N",
            help="Inputs in a batch; several are measured in turn: 1,8,32.",
        ),

    ] = "1",
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype", metavar="TYPE", help="float32, float16, bfloat16 or float64."
        ),

    ] = "float32",
    threads: ThreadsOption = None,
    channels_last: ChannelsLastOption = False,
    compiled: CompileOption = False,
    layers: Annotated[bool, typer.Option(help="Time every layer as well.")] = True,
    top: Annotated[
        int | None,
        typer.Option("--top", "-n", metavar="N", help="Show only the N slowest layers."),
    ] = None,
    precision: PrecisionOption = None,
    budget: BudgetOption = None,
    warmup: WarmupOption = None,
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
    """How long a forward pass takes here, and each layer of it."""
    from archcalc.analysis.costs import check_built
    from archcalc.report import profiling

    require("torch", "profile")
    chosen = chosen_format(format_name, output, of_reports())
    if top is not None and top < 1:
        raise SettingError(f"--top: expected at least 1, received {top}")
    check_targets(output, save)
    check_built(dtype)
    analyses = [
        analysis
        for network in networks
        for size in _batches(batch)
        for analysis in analyses_of([network], settings, input_shape, size, dtype, specs)
    ]
    start_torch("profile")
    from archcalc.pytorch.latency import Options, profiles

    options = Options(
        device, dtype, threads, channels_last, compiled, *how_long(precision, budget, warmup)
    )
    found: list[profiling.Profiled] = []
    try:
        with progress_bar("measuring", len(analyses)) as seen:
            for one in profiles(analyses, options, layers=layers, seen=seen):
                found.append(profiling.Profiled(*one))  # noqa: PERF401 - what is finished is kept
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:  # also after an error: what is finished is printed
        if found:
            _write_profiles(found, chosen, top, output, save)


def _batches(text: str) -> list[int]:
    """The batch sizes of `1,8,32`."""
    sizes = [size.strip() for size in text.split(",")]
    if not all(size.isdecimal() and len(size) < 10 and int(size) for size in sizes):
        raise SettingError(
            "--batch: expected whole numbers of at least 1, such as 1,8,32, "
            f"received {received(text)}"
        )
    return list(map(int, sizes))


def _write_profiles(
    found: Sequence[Profiled], chosen: str, top: int | None, output: str | None, save: str | None
) -> None:
    """The tables, then the samples; each of the two also where the other can't be written."""
    from archcalc.report import profiling

    try:
        write_report(profiling.report(found, top), chosen, output, exact=True)
    finally:
        if save:
            profiling.save(found, save)


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

    chosen = chosen_format(format_name, output, of_reports())
    found = [run for path in files for run in profiling.load(path)]
    write_report(profiling.saved_report(found), chosen, output, exact=True)
