"""What the benchmark scripts share: measuring a child process, and printing a table.

On Linux a child's peak memory counts the pages of the parent it was forked from, until it
executes its own program. The measuring process must therefore stay small: heavy modules (rich,
statistics) are imported inside the functions that need them after the measurements.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

INSTALL_HINT = "pip install 'archcalc[bench]'"
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Sample(NamedTuple):
    """One run of a command as a whole process."""

    seconds: float
    mib: float
    output: str = ""
    cpu_seconds: float = 0.0


class CommandError(Exception):
    """A measured command ended with a nonzero status."""


def child_environment() -> dict[str, str]:
    """Return the environment of measured commands: compiled modules may always be cached."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def start(argv: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command, its standard output and errors joined in one pipe."""
    return subprocess.Popen(
        argv,
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def measure(argv: Sequence[str]) -> Sample:
    """Run a command to its end; return its wall time, peak memory, output and CPU time."""
    begin = time.perf_counter()
    with start(argv) as child:
        output = child.stdout.read() if child.stdout else ""
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        tail = output.strip()[-2000:]
        raise CommandError(f"exit status {child.returncode}: {' '.join(argv)}\n{tail}")
    mib = usage.ru_maxrss * _MAXRSS_UNIT / 2**20
    return Sample(seconds, mib, output, usage.ru_utime + usage.ru_stime)


def own_peak_mib() -> float:
    """Return this process's peak memory: no child can be seen to use less (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT / 2**20


def median(values: Iterable[float]) -> float:
    """Return the median."""
    import statistics

    return statistics.median(values)


def is_installed(module: str) -> bool:
    """Tell whether a top-level module can be found, without importing it."""
    from importlib.util import find_spec

    return find_spec(module) is not None


def positive(text: str) -> int:
    """Parse a command-line count: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def make_parser(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options common to all the benchmarks."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "-n", "--rounds", type=positive, default=rounds, help="measured rounds (%(default)s)"
    )
    parser.add_argument("--format", choices=("table", "markdown"), default="table")
    return parser


def print_table(style: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text, the first column left-aligned and the others right-aligned."""
    if style == "markdown":
        print_markdown(headers, rows)
    else:
        print_rich(headers, rows)


def print_markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    rule = [":--"] + ["--:"] * (len(headers) - 1)
    for cells in (headers, rule, *rows):
        print(f"| {' | '.join(cells)} |")


def print_rich(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for the terminal, 120 columns wide when redirected."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def verdict(name: str, ratio: float, goal: float | None = None) -> str:
    """Return one line of conclusion: a ratio and, where there is one, its goal."""
    line = f"{name}: {ratio:.1f}x"
    if goal is None:
        return line
    return f"{line} (goal >= {goal:g}x{'' if ratio >= goal else ', MISSED'})"
