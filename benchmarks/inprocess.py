"""Compare the analysis alone, in one process: no imports, no model building, no printing.

    python benchmarks/inprocess.py [-n ROUNDS] [--format markdown]

archcalc analyzes GoogLeNet from a parsed spec; every other library analyzes a model that has
already been built. Each run gets a fresh spec or model, prepared outside of the timed part, so
that nothing can be kept from one run to the next. The totals are printed beside the times:
they differ by what each library counts besides convolutions and linear layers.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from harness import INSTALL_HINT, is_installed, make_parser, median, print_table, verdict

GOAL = 10


class Counter(NamedTuple):
    """A timed analysis: ``prepare`` (not timed) returns what ``analyze`` (timed) takes."""

    prepare: Callable[[], Any]
    analyze: Callable[[Any], int]


class Result(NamedTuple):
    """One run: seconds with Python's collector on, and off, and the total Mult-Adds found."""

    seconds: float
    uncollected: float
    mult_adds: int


def archcalc_counter() -> Counter:
    """Return archcalc's analysis of its bundled GoogLeNet spec, receptive fields and all."""
    import archcalc

    def analyze(spec: archcalc.Spec) -> int:
        analysis = archcalc.analyze(spec)
        if not analysis.layers[-1].receptive_field:
            raise ValueError("no receptive field")
        return analysis.totals.mult_adds

    return Counter(prepare=lambda: archcalc.load("googlenet"), analyze=analyze)


def peer_counters() -> dict[str, Counter]:
    """Return the counters of the installed peers."""
    if not is_installed("torch"):
        return {}
    from googlenet_torch import googlenet
    from peers import PEERS, Peer, example_input

    x = example_input()

    def counter(peer: Peer) -> Counter:
        return Counter(googlenet, lambda model: peer.total(model, x))

    return {name: counter(peer) for name, peer in PEERS.items() if is_installed(name)}


def timed(counter: Counter) -> tuple[float, int]:
    """Prepare a subject, then time one analysis of it."""
    subject = counter.prepare()
    gc.collect()
    start = time.perf_counter()
    mult_adds = counter.analyze(subject)
    return time.perf_counter() - start, mult_adds


def run_once(counter: Counter) -> Result:
    """Time a counter as users run it, then with the collector off, as timeit has it."""
    seconds, mult_adds = timed(counter)
    gc.disable()
    try:
        uncollected, _ = timed(counter)
    finally:
        gc.enable()
    return Result(seconds, uncollected, mult_adds)


def collect(counters: dict[str, Counter], rounds: int) -> dict[str, Result]:
    """Run all the counters in turn, round after round; drop the warm-up round."""
    runs: dict[str, list[Result]] = {name: [] for name in counters}
    for _ in range(rounds + 1):
        for name, counter in counters.items():
            runs[name].append(run_once(counter))
    return {
        name: Result(
            median(run.seconds for run in results[1:]),
            median(run.uncollected for run in results[1:]),
            results[-1].mult_adds,
        )
        for name, results in runs.items()
    }


def measure_all(counters: dict[str, Counter], rounds: int) -> dict[str, Result]:
    """Collect the results, without gradients where torch is there."""
    if "torch" not in sys.modules:
        return collect(counters, rounds)
    import torch

    with torch.no_grad():
        return collect(counters, rounds)


def table_rows(results: dict[str, Result]) -> Iterable[list[str]]:
    """Yield one line of the table per counter."""
    base = results["archcalc"]
    for name, result in results.items():
        yield [
            name,
            f"{result.seconds * 1e3:,.3f}",
            f"{result.seconds / base.seconds:,.1f}",
            f"{result.uncollected * 1e3:,.3f}",
            f"{result.uncollected / base.uncollected:,.1f}",
            f"{result.mult_adds:,}",
        ]


def report(style: str, results: dict[str, Result]) -> None:
    """Print the table and the conclusions, for the collector on and off."""
    heads = ("analysis", "median ms", "x time", "collector off", "x time", "Mult-Adds")
    print_table(style, heads, table_rows(results))
    peers = [name for name in results if name != "archcalc"]
    if not peers:
        print(f"\nno other library is installed ({INSTALL_HINT})")
        return
    print()
    for said, index in (("", 0), (", collector off", 1)):
        fastest = min(peers, key=lambda name: results[name][index])
        ratio = results[fastest][index] / results["archcalc"][index]
        print(verdict(f"fastest peer ({fastest}) / archcalc{said}", ratio, GOAL))


def main() -> None:
    """Measure and report."""
    options = make_parser("Compare the analysis alone, in one process.", rounds=15).parse_args()
    counters = {"archcalc": archcalc_counter(), **peer_counters()}
    report(options.format, measure_all(counters, options.rounds))


if __name__ == "__main__":
    main()
