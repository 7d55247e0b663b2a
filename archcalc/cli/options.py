"""Flags that several commands have, and what a shell completes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLE_FORMATS = ("terminal", "markdown", "csv", "json", "latex")


def beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    """The words that begin as what was typed."""
    return [word for word in words if word.startswith(incomplete.lower())]


def complete_network(incomplete: str) -> list[str]:
    """Networks' names."""
    from archcalc.api import networks
    from archcalc.errors import ArchcalcError

    with suppress(ArchcalcError):  # of a directory of specs: the command says so when it is run
        return beginning(incomplete, networks())
    return []


def complete_dtype(incomplete: str) -> list[str]:
    """Element types."""
    from archcalc.analysis.costs import DTYPES

    return beginning(incomplete, DTYPES)


def complete_counting(incomplete: str) -> list[str]:
    """Ways to count."""
    from archcalc.report.counting import COUNTINGS

    return beginning(incomplete, COUNTINGS)


def complete_tool(incomplete: str) -> list[str]:
    """Other counters."""
    from archcalc.analysis.tools import TOOLS

    return beginning(incomplete, TOOLS)


NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A network's name, a spec file, FILE#VARIANT, or NAME@key=value,key=value.",
        autocompletion=complete_network,
        show_default=False,
    ),
]
NetworksArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NETWORK...",
        help="Networks, as for table.",
        autocompletion=complete_network,
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
    str, typer.Option("--dtype", help="Element type, for bytes.", autocompletion=complete_dtype)
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
        autocompletion=lambda incomplete: beginning(incomplete, TABLE_FORMATS),
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
    float | None,
    typer.Option(
        "--precision", metavar="PERCENT", help="How well to know the median; 1 if left out."
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget", metavar="SECONDS", help="The most to spend on a network; 10 if left out."
    ),
]
WarmupOption = Annotated[
    int | None,
    typer.Option(
        "--warmup",
        help="Passes that don't count, after the first; 3 if left out, fewer if very slow.",
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
