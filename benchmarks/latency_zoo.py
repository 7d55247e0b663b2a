"""Time a forward pass of every network, at several batch sizes and in several dtypes.

    python benchmarks/latency_zoo.py [--device cpu|cuda] [--batch 1,32]
        [--dtype float32,float16,bfloat16] [--budget SECONDS] [--limit SECONDS] [--save FILE]
        [NETWORK ...] [--format markdown]

A row a network; a column a dtype and batch (fp32 x8), each a median in milliseconds, with ~ where
its 95% interval is wider than 1% when the budget (of each cell) is over. On CUDA "graph" is that of
a replayed CUDA graph. What can't be measured is a dash, and is told below. Networks are all that
classify or detect; the small modules that papers reason about are left out. What has been measured
is printed, too, when the limit is over, on Ctrl-C and on SIGTERM; `--save` appends each cell, a
line of JSON, as it comes.
"""

from __future__ import annotations

import json
import signal
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from harness import make_parser, print_table

import archcalc
from archcalc.errors import ArchcalcError
from archcalc.pytorch.latency import Latency, Options, machine, profile
from archcalc.pytorch.model import build
from archcalc.report.profiling import machine_line

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from archcalc.pytorch.timing import Timing

TARGET = 0.01
SHORT = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}

Kind = tuple[str, int]  # a dtype and a batch


def main() -> None:
    """Measure and report; an interruption prints what has been measured."""
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kinds = [
        (dtype, int(b)) for dtype in options.dtype.split(",") for b in options.batch.split(",")
    ]
    rows: list[list[str]] = []
    failures: list[str] = []
    start = perf_counter()
    try:
        for name in options.networks or every_network():
            if perf_counter() - start > options.limit:
                failures.append(f"{name} and those after it: the limit was over.")
                break
            rows.append([name])
            for cells in measured(name, kinds, options, failures):
                rows[-1] += cells
    except KeyboardInterrupt:
        failures.append("Interrupted.")
    finally:
        report(options, kinds, rows, failures)


def arguments() -> Namespace:
    """What was asked for."""
    parser = make_parser("Latencies of every network.", rounds=1)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--dtype", default="float32,float16,bfloat16")
    parser.add_argument("--budget", type=float, default=0.5, help="seconds of a cell")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds of all")
    parser.add_argument("--save", metavar="FILE")
    return parser.parse_args()


def report(
    options: Namespace, kinds: list[Kind], rows: list[list[str]], failures: list[str]
) -> None:
    """The table, the machine, and what could not be."""
    headings = ["network"]
    for dtype, batch in kinds:
        headings.append(f"{SHORT.get(dtype, dtype)} x{batch}")
        headings += ["graph"] * options.device.startswith("cuda")
    width = len(headings)
    print_table(options.format, headings, [row + [""] * (width - len(row)) for row in rows])
    print()
    own = Options(device=options.device)
    print(f"Milliseconds. {machine_line(machine(own, torch.device(options.device)))}.")
    print("\n".join(dict.fromkeys(failures)), flush=True)


def every_network() -> list[str]:
    """All networks but the small modules, which have files of their own."""
    return [name for name in archcalc.networks() if "modules-" not in archcalc.load(name).file]


def measured(
    name: str, kinds: list[Kind], options: Namespace, failures: list[str]
) -> Iterator[list[str]]:
    """The cells of each dtype and batch of a network, which is built once."""
    graphs = options.device.startswith("cuda")
    model = None
    for dtype, batch in kinds:
        cells = ["-"] * (2 if graphs else 1)
        try:
            analysis = archcalc.analyze(name, batch=batch, dtype=dtype)
            model = model or build(analysis.graph, device=options.device)
            settings = Options(
                device=options.device, dtype=dtype, target=TARGET, budget=options.budget
            )
            found = profile(analysis, settings, layers=False, model=model)
        except (ArchcalcError, RuntimeError) as error:  # of one network, another's may still do
            failures.append(f"{name}, {dtype}, batch {batch}: {str(error).splitlines()[0]}")
            model = None
            yield cells
            continue
        if found.no_replay:
            failures.append(f"{name}, {dtype}, batch {batch}: no CUDA graph ({found.no_replay})")
        for i, timing in enumerate([found.forward, *([found.replay] if found.replay else [])]):
            cells[i] = cell(timing)
        print(f"{name} {dtype} {batch}: {' '.join(cells)} ms", file=sys.stderr, flush=True)
        if options.save:
            save(options.save, found)
        yield cells
        if found.forward.ended == "interrupted":
            raise KeyboardInterrupt


def cell(timing: Timing) -> str:
    """A median in milliseconds, and whether it is known well."""
    return f"{'~' if timing.uncertainty > TARGET else ''}{timing.median * 1e3:.3g}"


def save(path: str, found: Latency) -> None:
    """Append what was found, without its samples."""
    told: dict[str, Any] = {
        "network": found.network, "batch": found.batch, "machine": found.machine._asdict(),
        "together": found.together, "no_replay": found.no_replay,
    }  # fmt: skip
    for key, timing in (("forward", found.forward), ("replay", found.replay)):
        if timing:
            low, high = timing.interval
            told[key] = {
                "median": timing.median, "low": low, "high": high, "runs": len(timing.samples),
                "ended": timing.ended,
            }  # fmt: skip
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
