"""Compare whole processes: ``archcalc table googlenet`` and the same job with other libraries.

    python benchmarks/cold.py [-n ROUNDS] [--format markdown]

Every round runs every command once, in turn, so that a slow moment of the machine touches all
of them; one warm-up round comes first and is not counted. Wall time is that of the process
from start to end, memory is its peak resident set. For reference there are also the import of
torch alone, the imports that archcalc cannot do without (the floor), and a bare interpreter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from harness import (
    INSTALL_HINT,
    CommandError,
    Sample,
    is_installed,
    make_parser,
    measure,
    median,
    own_peak_mib,
    print_table,
    verdict,
)

ARCHCALC = "archcalc table googlenet"
IMPORT_TORCH = "import torch"
FLOOR = "import typer, rich (floor)"
BARE = "bare python"
PEERS = ("torchinfo", "fvcore", "thop", "ptflops")
PEERS_SCRIPT = str(Path(__file__).with_name("peers.py"))

Commands = dict[str, list[str]]
Samples = dict[str, list[Sample]]


class Summary(NamedTuple):
    """What the samples of one command come to."""

    seconds: float
    fastest: float
    mib: float


def peer_commands() -> Commands:
    """Return a command for each installed peer, and for torch itself."""
    if not is_installed("torch"):
        return {}
    commands = {name: [sys.executable, PEERS_SCRIPT, name] for name in PEERS if is_installed(name)}
    return {**commands, IMPORT_TORCH: [sys.executable, "-c", "import torch"]}


def all_commands() -> Commands:
    """Return every command to measure by its name in the table."""
    python = sys.executable
    return {
        ARCHCALC: [python, "-m", "archcalc", "table", "googlenet"],
        **peer_commands(),
        FLOOR: [python, "-c", "import typer, rich.console, rich.table"],
        BARE: [python, "-c", "pass"],
    }


def collect(commands: Commands, rounds: int) -> Samples:
    """Run all the commands in turn, round after round; drop the warm-up round."""
    samples: Samples = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, argv in commands.items():
            samples[name].append(measure(argv)._replace(output=""))
    return {name: runs[1:] for name, runs in samples.items()}


def summarize(runs: list[Sample]) -> Summary:
    """Reduce the samples of one command."""
    seconds = [run.seconds for run in runs]
    return Summary(median(seconds), min(seconds), median(run.mib for run in runs))


def table_rows(summaries: dict[str, Summary]) -> Iterable[list[str]]:
    """Yield one line of the table per command."""
    base = summaries[ARCHCALC]
    for name, summary in summaries.items():
        yield [
            name,
            f"{summary.seconds * 1e3:,.0f}",
            f"{summary.fastest * 1e3:,.0f}",
            f"{summary.mib:,.1f}",
            f"{summary.seconds / base.seconds:.2f}",
            f"{summary.mib / base.mib:.2f}",
        ]


def peer_verdicts(summaries: dict[str, Summary]) -> Iterable[str]:
    """Yield the conclusions about the peers that were measured."""
    base = summaries[ARCHCALC]
    peers = [name for name in PEERS if name in summaries]
    if peers:
        fastest = min(peers, key=lambda name: summaries[name].seconds)
        speed = summaries[fastest].seconds / base.seconds
        yield verdict(f"fastest peer ({fastest}) / archcalc", speed, goal=8)
        smallest = min(peers, key=lambda name: summaries[name].mib)
        memory = summaries[smallest].mib / base.mib
        yield verdict(f"smallest peer memory ({smallest}) / archcalc", memory, goal=8)


def verdicts(summaries: dict[str, Summary]) -> Iterable[str]:
    """Yield all the conclusions."""
    base = summaries[ARCHCALC]
    yield from peer_verdicts(summaries)
    if IMPORT_TORCH in summaries:
        ratio = summaries[IMPORT_TORCH].seconds / base.seconds
        yield verdict("import torch / archcalc", ratio, goal=6)
    yield verdict("archcalc / floor", base.seconds / summaries[FLOOR].seconds)


def report_missing(commands: Commands) -> None:
    """Name the peers that are left out."""
    for name in (*PEERS, IMPORT_TORCH):
        if name not in commands:
            print(f"{name}: not installed, skipped ({INSTALL_HINT})")


def report(style: str, summaries: dict[str, Summary], floor_mib: float) -> None:
    """Print the table and the conclusions."""
    headers = ("command", "median ms", "min ms", "peak MiB", "x time", "x memory")
    print_table(style, headers, table_rows(summaries))
    print()
    separator = "\n\n" if style == "markdown" else "\n"
    print(separator.join(verdicts(summaries)))
    print(f"\nPeaks below {floor_mib:.1f} MiB, this script's own, cannot be told apart.")


def main() -> int:
    """Measure and report; return the exit status."""
    options = make_parser("Compare whole processes.", rounds=7).parse_args()
    commands = all_commands()
    report_missing(commands)
    try:
        samples = collect(commands, options.rounds)
    except CommandError as failure:
        print(f"command failed: {failure}", file=sys.stderr)
        return 1
    floor_mib = own_peak_mib()
    report(options.format, {name: summarize(runs) for name, runs in samples.items()}, floor_mib)
    return 0


if __name__ == "__main__":
    sys.exit(main())
