"""Time a forward pass of every network, at several batch sizes and in several dtypes.

    python benchmarks/latency_zoo.py [--device cpu|cuda] [--batch 1,32]
        [--dtype float32,float16,bfloat16] [--budget SECONDS] [NETWORK ...] [--format markdown]

A row a network; a column a dtype and batch (fp32 x8), each a median in milliseconds, with ~ where
its 95% interval is wider than 1% when the budget (of each cell) is over. On CUDA "graph" is that of
a replayed CUDA graph. What can't be measured is a dash, and is told below. Networks are all that
classify or detect; the small modules that papers reason about are left out.
"""

from __future__ import annotations

import sys

import torch
from harness import make_parser, print_table

import archcalc
from archcalc.errors import ArchcalcError
from archcalc.pytorch.latency import Latency, Options, machine, profile
from archcalc.report.profiling import machine_line

TARGET = 0.01
SHORT = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


def main() -> None:
    """Measure and report; Ctrl-C prints what has been measured."""
    parser = make_parser("Latencies of every network.", rounds=1)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--dtype", default="float32,float16,bfloat16")
    parser.add_argument("--budget", type=float, default=0.5)
    options = parser.parse_args()
    kinds = [
        (dtype, int(b)) for dtype in options.dtype.split(",") for b in options.batch.split(",")
    ]
    graphs = options.device.startswith("cuda")
    headings = ["network"]
    for dtype, batch in kinds:
        headings += [f"{SHORT.get(dtype, dtype)} x{batch}", *(["graph"] if graphs else [])]
    rows: list[list[str]] = []
    failures: list[str] = []
    try:
        for name in options.networks or every_network():
            rows.append([name])
            for dtype, batch in kinds:
                rows[-1] += cells(name, dtype, batch, options, failures)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    width = len(headings)
    print_table(options.format, headings, [row + [""] * (width - len(row)) for row in rows])
    print()
    own = Options(device=options.device)
    print(f"Milliseconds. {machine_line(machine(own, torch.device(options.device)))}.")
    print("\n".join(dict.fromkeys(failures)))


def every_network() -> list[str]:
    """All networks but the small modules, which have files of their own."""
    return [name for name in archcalc.networks() if "modules-" not in archcalc.load(name).file]


def cells(name: str, dtype: str, batch: int, options: object, failures: list[str]) -> list[str]:
    """What was measured of one network, in milliseconds."""
    device = getattr(options, "device", "cpu")
    graphs = device.startswith("cuda")
    try:
        analysis = archcalc.analyze(name, batch=batch, dtype=dtype)
        settings = Options(
            device=device, dtype=dtype, target=TARGET, budget=getattr(options, "budget", 0.5)
        )
        found: Latency = profile(analysis, settings, layers=False)
    except ArchcalcError as error:
        failures.append(f"{name}, {dtype}, batch {batch}: {error}")
        return ["-"] * (2 if graphs else 1)
    timings = [found.forward, *([found.replay] if found.replay else [])]
    print(f"{name} {dtype} {batch}: {timings[0].median * 1e3:.3g} ms", file=sys.stderr)
    return [f"{'~' if one.uncertainty > TARGET else ''}{one.median * 1e3:.3g}" for one in timings]


if __name__ == "__main__":
    main()
