"""Draw random networks and compare the arithmetic with PyTorch, as many as one likes.

The networks and the comparisons are those of tests/test_random_networks.py. Shapes, parameters and
Mult-Adds are compared layer by layer on the meta device, values and receptive fields on the CPU:
the fields by NaNs at the network's own size, position by position, and by back-propagation on a
longer axis. What that can't examine is counted, with the reason.
Of networks with several outputs every path is walked, and `verify` must agree. Specs with one word
changed must be refused with a place, or be right. A spec that fails is printed, made smaller, as
YAML ready for a regression test, and the exit status is 1. The same seed draws the same networks.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import random_checks as checks
from random_specs import LARGE, SMALL, WIDE, Limits, draw_spec, mutated, text_of

from archcalc.errors import ArchcalcError, SpecErrors
from archcalc.ops import KINDS

CHUNK = 20


class Sort(NamedTuple):
    """A sort of network, and what is compared of it."""

    limits: Limits
    checks: tuple[Callable[[Any], Any], ...]
    several_outputs: bool = False


SORTS = {
    "small": Sort(SMALL, (checks.check_network, checks.check_values)),
    "large": Sort(LARGE, (checks.check_network,)),
    "wide": Sort(WIDE, (checks.check_network, checks.check_fields, checks.check_gradients)),
    "changed": Sort(SMALL, (checks.check_network,)),
    "outputs": Sort(
        SMALL, (checks.check_network, checks.check_outputs, checks.check_verified), True
    ),
}


# With --onnx besides: to start PyTorch's exporter takes seconds for each.
ONNX = {"onnx": Sort(SMALL, (checks.check_written,))}


class Compared(NamedTuple):
    """What was compared of one network: layers by kind, positions and fields, those left out, too.

    `refused` is whether it was refused, as it may be.
    """

    kinds: Counter[str]
    positions: int = 0
    reached: checks.Reached = checks.Reached(0, Counter())
    refused: bool = False


class Result(NamedTuple):
    """What came of one network: what was compared, and what was wrong."""

    number: int
    sort: str
    compared: Compared
    problem: str = ""
    text: str = ""


class Wrong(Exception):
    """A comparison failed, or something that is no ArchcalcError came out."""


def draw(number: int, seed: int) -> tuple[str, str]:
    """Return the sort and the text of the network of that number."""
    sort = list(SORTS)[number % len(SORTS)]
    source = random.Random(f"{seed}/{number}")  # noqa: S311 - not a secret
    limits, _, several = SORTS[sort]
    text = draw_spec(source, limits, several_outputs=several)
    return sort, mutated(text, source) if sort == "changed" else text


def compare(sort: str, text: str) -> Compared:
    """Return what was compared of a spec. Raises Wrong."""
    try:
        graph = checks.graph_of(text)
    except ArchcalcError as error:
        told = error.errors if isinstance(error, SpecErrors) else (error,)
        if sort == "changed" and all(one.place for one in told):
            return Compared(Counter(), refused=True)
        raise Wrong(f"refused: {error}") from error
    except Exception as error:
        raise Wrong(f"expanding: {type(error).__name__}: {error}") from error
    compared = Compared(Counter(node.op.kind for node in graph.nodes))
    for check in SORTS[sort].checks:
        try:
            found = check(graph)
        except Exception as error:
            raise Wrong(f"{check.__name__}: {type(error).__name__}: {error}") from error
        if isinstance(found, checks.Reached):
            compared = compared._replace(reached=found)
        elif found and check is checks.check_fields:
            compared = compared._replace(positions=found)
    return compared


def examine(number: int, seed: int) -> Result:
    """Draw a network and compare; make it smaller if something is wrong."""
    sort, text = draw(number, seed)
    try:
        return Result(number, sort, compare(sort, text))
    except Wrong as wrong:
        small, problem = smaller(sort, text, str(wrong))
        return Result(number, sort, Compared(Counter()), problem, small)


def smaller(sort: str, text: str, problem: str) -> tuple[str, str]:
    """Leave out layer after layer as long as the same sort of thing is wrong."""
    spec, begun = yaml.safe_load(text), problem.split(":")[:2]
    shrunk = True
    while shrunk:
        shrunk = False
        for i in range(sum(len(one) for one in lists_in(spec))):
            tried = without(spec, i)
            try:
                compare(sort, text_of(tried))
            except Wrong as wrong:
                if str(wrong).split(":")[:2] == begun and not str(wrong).startswith("refused"):
                    spec, problem, shrunk = tried, str(wrong), True
                    break
    return text_of(spec), problem


def lists_in(value: Any) -> Iterator[list[Any]]:
    """Yield every list of layers of a spec, outer ones first."""
    children = value if isinstance(value, list) else value.values()
    if isinstance(value, list) and any(isinstance(one, (dict, str)) for one in value):
        yield value
    for child in children:
        if isinstance(child, (dict, list)):
            yield from lists_in(child)


def without(spec: Any, number: int) -> Any:
    """Return a copy of a spec without the layer of that number."""
    copy = deepcopy(spec)
    for one in lists_in(copy):
        if number < len(one):
            del one[number]
            break
        number -= len(one)
    return copy


def run(count: int, seed: int, jobs: int) -> Iterator[Result]:
    """Yield the results in order, from that many processes."""
    work = partial(examine, seed=seed)
    if jobs == 1:
        prepare()
        yield from map(work, range(count))
        return
    pool = ProcessPoolExecutor(jobs, initializer=prepare_worker)
    try:
        yield from pool.map(work, range(count), chunksize=CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


def prepare() -> None:
    """Small tensors are quicker on one thread."""
    torch.set_num_threads(1)


def prepare_worker() -> None:
    """Ctrl-C is for the process that prints."""
    prepare()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def followed(results: Iterable[Result], count: int) -> Iterator[Result]:
    """Yield the results beside a progress bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(results, "networks", total=count, console=console)


def report(results: list[Result], seconds: float, asked: int, seed: int) -> int:
    """Print what was compared, then every spec that is wrong; return the exit status."""
    print(f"{len(results):,} of {asked:,} networks, seed {seed}, {seconds:.0f} s")
    for sort in SORTS:
        own = [one.compared for one in results if one.sort == sort]
        print(f"  {sort}: {len(own):,}, refused {sum(one.refused for one in own):,}")
    report_compared([one.compared for one in results])
    wrong = [one for one in results if one.problem]
    print(f"{len(wrong):,} wrong")
    for one in wrong:
        print(f"\n# {one.sort} network {one.number} of seed {seed}")
        print("".join(f"# {line}\n" for line in one.problem.splitlines()) + one.text, end="")
    return 1 if wrong else 0


def report_compared(every: list[Compared]) -> None:
    """Print how much was compared, and what was not and why."""
    kinds = sum((one.kinds for one in every), Counter[str]())
    layers = kinds.total() - kinds["input"]
    print(f"{layers:,} layers, {sum(one.positions for one in every):,} positions compared")
    left_out = sum((one.reached.left_out for one in every), Counter[str]())
    fields = sum(one.reached.fields for one in every)
    print(f"{fields:,} fields compared by back-propagation, {left_out.total():,} left out")
    for reason, number in left_out.most_common():
        print(f"  {number:,}: {reason}")
    print("layers by kind: " + ", ".join(f"{kind} {n:,}" for kind, n in kinds.most_common()))
    if missing := sorted(set(KINDS) - set(kinds)):
        print("never drawn: " + ", ".join(missing))


def main() -> int:
    """Draw, compare and report; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=1000, help="networks (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="what is drawn (default: 0)")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--onnx", action="store_true", help="write some in ONNX and run these")
    options = parser.parse_args()
    SORTS.update(ONNX if options.onnx else {})
    if options.n < 1 or options.jobs < 1:
        parser.error("expected at least one network and one process")
    results: list[Result] = []
    begin = time.perf_counter()
    stopped = False
    try:
        with closing(run(options.n, options.seed, options.jobs)) as drawn:
            for result in followed(drawn, options.n):
                results.append(result)
                if result.problem:
                    print(f"wrong: network {result.number}: {result.problem}", file=sys.stderr)
    except KeyboardInterrupt:
        stopped = True
    status = report(results, time.perf_counter() - begin, options.n, options.seed)
    return 130 if stopped and not status else status


if __name__ == "__main__":
    sys.exit(main())
