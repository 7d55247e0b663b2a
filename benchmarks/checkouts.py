"""Compare two checkouts of archcalc by the CPU time of whole processes.

    python benchmarks/checkouts.py OLD NEW [-n ROUNDS] [-- table googlenet]
    python benchmarks/checkouts.py OLD NEW -n 20 --zoo

Every round runs the command once in each checkout, in turns who comes first, so that a slow moment
of the machine touches both; one warm-up round comes first and is not counted. CPU time is the
process's own, user and system. With `--zoo` it is that of analyzing every shipped network in one
process, without the start and without reading the specs. The ratio is the geometric mean of the
rounds' ratios, with the bounds between which it lies at 95% confidence.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from math import exp, log, sqrt

from harness import CommandError, measure, median, positive

ZOO = """
import time, archcalc
specs = [archcalc.load(name) for name in archcalc.networks()]
begin = time.process_time()
for spec in specs:
    assert archcalc.analyze(spec).layers[-1].receptive_field
print(time.process_time() - begin)
"""


def cpu_seconds(checkout: str, command: list[str]) -> float:
    """Run a command of the archcalc in a checkout; return the seconds of CPU time it took."""
    program = f"import sys; sys.path[0] = {checkout!r}; from archcalc.__main__ import main; main()"
    return measure([sys.executable, "-c", program, *command]).cpu_seconds


def zoo_seconds(checkout: str) -> float:
    """Analyze every network in a checkout; return the seconds of CPU time without the start."""
    program = f"import sys; sys.path[0] = {checkout!r}\n{ZOO}"
    return float(measure([sys.executable, "-c", program]).output)


def collect(
    one_run: Callable[[str], float], checkouts: list[str], rounds: int
) -> list[list[float]]:
    """Return each checkout's CPU seconds, round by round."""
    seconds: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for index in (0, 1) if number % 2 else (1, 0):
            seconds[index].append(one_run(checkouts[index]))
    return [runs[1:] for runs in seconds]


def ratio_with_bounds(old: list[float], new: list[float]) -> tuple[float, float, float]:
    """Return the geometric mean of new / old and its 95% bounds."""
    from statistics import mean, stdev

    logs = [log(after / before) for before, after in zip(old, new, strict=True)]
    middle, error = mean(logs), stdev(logs) / sqrt(len(logs))
    return exp(middle), exp(middle - 1.96 * error), exp(middle + 1.96 * error)


def main() -> int:
    """Measure and report; return the exit status."""
    parser = argparse.ArgumentParser(description="Compare two checkouts by CPU time.")
    parser.add_argument("checkouts", nargs=2, metavar="OLD NEW")
    parser.add_argument("-n", "--rounds", type=positive, default=200)
    parser.add_argument("--zoo", action="store_true", help="analyze every network in one process")
    parser.add_argument("command", nargs="*", default=["table", "googlenet"])
    options = parser.parse_args()
    one_run = zoo_seconds if options.zoo else partial(cpu_seconds, command=options.command)
    try:
        old, new = collect(one_run, options.checkouts, options.rounds)
    except CommandError as failure:
        print(f"command failed: {failure}", file=sys.stderr)
        return 1
    for checkout, runs in zip(options.checkouts, (old, new), strict=True):
        print(f"{checkout}: median {median(runs) * 1e3:.1f} ms of CPU time")
    print("new / old: {:.3f} (95%: {:.3f} to {:.3f})".format(*ratio_with_bounds(old, new)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
