"""Compare commands over all networks with the import of torch alone.

    python benchmarks/zoo.py [-n ROUNDS] [--format markdown]

`archcalc list` analyzes every network, `archcalc reproduce --all` judges every printed figure; each
is a whole process. Every round runs every command once, in turn; one warm-up round is not counted.
"""

from __future__ import annotations

import sys

from harness import INSTALL_HINT, is_installed, make_parser, measure, median, print_table, verdict

TORCH = "import torch"


def main() -> None:
    """Measure and report."""
    options = make_parser("Commands over all networks.", rounds=7).parse_args()
    archcalc = [sys.executable, "-m", "archcalc"]
    commands = {
        "archcalc list": [*archcalc, "list"],
        "archcalc reproduce --all": [*archcalc, "reproduce", "--all"],
        "archcalc paths preresnet1001": [*archcalc, "paths", "preresnet1001"],
    }
    if is_installed("torch"):
        commands[TORCH] = [sys.executable, "-c", "import torch"]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(options.rounds + 1):
        for name, argv in commands.items():
            seconds[name].append(measure(argv).seconds)
    medians = {name: median(runs[1:]) for name, runs in seconds.items()}
    rows = [[name, f"{value * 1e3:,.0f}"] for name, value in medians.items()]
    print_table(options.format, ("command", "median ms"), rows)
    print()
    if TORCH not in medians:
        print(f"torch is not installed ({INSTALL_HINT})")
        return
    for name, value in medians.items():
        if name != TORCH:
            print(verdict(f"{TORCH} / {name}", medians[TORCH] / value, 1))


if __name__ == "__main__":
    main()
