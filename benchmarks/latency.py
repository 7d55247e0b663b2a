"""Compare archcalc's latencies with torch.utils.benchmark.Timer, and layer times with their sum.

    python benchmarks/latency.py [-n ROUNDS] [--device cpu|cuda] [--format markdown]

Every round times each network both ways, in turn: archcalc's samples, and a blocked autorange of
PyTorch's Timer on the same model and input; on CUDA also a loop of calls between two events. They
agree if the medians are within 3% (CUDA: 2%) or the 95% intervals of the medians overlap. Layers
are summed beside the whole pass; on CUDA, where their times are the device's, beside its replay as
a CUDA graph.
"""

from __future__ import annotations

import torch
from harness import make_parser, print_table, verdict
from torch.utils.benchmark import Timer

import archcalc
from archcalc.pytorch.devices import BUSY, Watch
from archcalc.pytorch.latency import Options, Prepared, settled
from archcalc.pytorch.timing import Series, Timing
from archcalc.report.figures import percent
from archcalc.report.profiling import duration

NETWORKS = (
    "lenet5", "alexnet", "squeezenet1-1", "mobilenet", "mobilenet-v2", "googlenet", "resnet18",
    "resnet50", "vgg16", "resnet20",
)  # fmt: skip
SUMMED = ("vgg16", "resnet50", "googlenet", "mobilenet")
SECONDS = 0.5  # of each way, a round


def main() -> None:
    """Measure and report."""
    parser = make_parser("Latencies beside PyTorch's Timer.", rounds=6)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    within = 0.02 if options.device.startswith("cuda") else 0.03
    watch = Watch()
    rows = []
    ways = ["Timer", *(["loop"] if options.device.startswith("cuda") else [])]
    for name in NETWORKS:
        own, others, summed, whole = timed(name, options.device, options.rounds)
        columns, agree = [name, duration(own.median)], True
        for theirs in others[: len(ways)]:
            off = own.median / theirs.median - 1
            agree &= abs(off) <= within or not own.differs_from(theirs)
            columns += [duration(theirs.median), percent(off, "+.1f")]
        gap = percent(summed / whole - 1, "+.1f") if name in SUMMED else ""
        rows.append([*columns, "yes" if agree else "NO", gap])
    compared = [heading for way in ways for heading in (way, "difference")]
    headings = ("network", "archcalc", *compared, "agree", "sum of layers")
    print_table(options.format, headings, rows)
    print()
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, {options.device}")
    if options.device == "cpu" and watch.load() > BUSY:
        print("Other work kept the cores busy meanwhile: this run says nothing.")
        return
    print(verdict("networks that agree", sum(row[-2] == "yes" for row in rows), 8))


def timed(name: str, device: str, rounds: int) -> tuple[Timing, list[Timing], float, float]:
    """archcalc's samples, Timer's and a loop's, the layers' sum and what that is set beside."""
    options = Options(device=device)
    with settled(options):
        prepared = Prepared(archcalc.analyze(name), options)
        stepped, layers = prepared.stepped()
        series = Series(prepared.forward, 0)
        names = {"model": prepared.model, "x": prepared.next_input()}
        timer = Timer("model(x)", globals=names, num_threads=torch.get_num_threads())
        series.warm_up(SECONDS, 3)
        replay = prepared.replay() if prepared.device.type == "cuda" else None
        replayed: list[float] = []
        theirs: list[float] = []
        looped: list[float] = []
        for _ in range(rounds):
            calls = max(8, round(SECONDS / sum(prepared.forward())))
            for _ in range(calls):
                series.samples += prepared.forward()
            if prepared.device.type == "cuda":
                looped += [loop(prepared) for _ in range(8)]
            if replay:
                replayed += [seconds for _ in range(8) for seconds in replay()]
            theirs += timer.blocked_autorange(min_run_time=SECONDS).times
            for _ in range(max(3, calls // 2)):
                stepped()
    summed = sum(Timing(tuple(own), "").median for own in layers)
    others = [Timing(tuple(samples), "") for samples in (theirs, looped)]
    own = Timing(tuple(series.samples), "")
    return own, others, summed, Timing(tuple(replayed), "").median if replayed else own.median


def loop(prepared: Prepared) -> float:
    """Seconds of a call, by two events around several calls in a row."""
    calls = max(1, round(SECONDS / 8 / min(prepared.forward())))
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(calls):
        prepared.model(prepared.next_input())
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / 1e3 / calls


if __name__ == "__main__":
    main()
