"""Flags that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from archcalc.report.formats import listed, of_explanations, of_reports

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A network's name, a spec file, FILE#VARIANT, or NAME@key=value,key=value.",
        show_default=False,
    ),
]
NetworksArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NETWORK...",
        help="Networks, as for table.",
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
    typer.Option(
        "--input",
        "-i",
        metavar="CxHxW",
        help="Another input shape: 3x192x192.  [default: the spec's]",
    ),
]
BatchOption = Annotated[int, typer.Option("--batch", "-b", metavar="N", help="Inputs in a batch.")]
DtypeOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="TYPE",
        help="Element type, for bytes: float64, float32, float16, bfloat16, float8 or int8.",
    ),
]
SpecsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--specs",
        metavar="DIR",
        help="A directory of specs to look in first; repeatable.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{listed(of_reports())}.  [default: the file's, or terminal]",
    ),
]
DerivationFormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{listed(of_explanations())}.  [default: the file's, or terminal]",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to a file, in the format of its suffix."
    ),
]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="Write whole numbers, without unit prefixes.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="cpu, cuda, cuda:N or mps.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="CPU threads.  [default: PyTorch's]")
]
ChannelsLastOption = Annotated[
    bool, typer.Option("--channels-last", help="Keep images as NHWC in memory.")
]
CompileOption = Annotated[
    bool, typer.Option("--compile", help="Compile the network by torch.compile.")
]
PrecisionOption = Annotated[
    float | None,
    typer.Option(
        "--precision",
        metavar="PERCENT",
        help="Stop when the median is known to within PERCENT.  [default: 1]",
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="SECONDS",
        help="Spend at most SECONDS on a network.  [default: 10]",
    ),
]
WarmupOption = Annotated[
    int | None,
    typer.Option(
        "--warmup",
        metavar="N",
        help="Leave out N passes after the first.  [default: 3, fewer if they are slow]",
    ),
]


def how_long(
    precision: float | None, budget: float | None, warmup: int | None
) -> tuple[float, float, int]:
    """How well to know a median (a share of it), seconds, and passes that don't count."""
    return (
        0.01 if precision is None else precision / 100,
        10.0 if budget is None else budget,
        3 if warmup is None else warmup,
    )
