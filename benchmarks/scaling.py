"""Check that time and memory grow linearly with the number of layers.

    python benchmarks/scaling.py [-n ROUNDS] [--format markdown]

Two shapes of chain, of about 1,000 to 100,000 layers: plain convolutions in a ``repeat``, and
convolution, batch normalization and ReLU in a block that the ``repeat`` calls. Each is loaded
and analyzed in a process of its own, after a chain of a single repetition has warmed it up;
memory is compared with a process that analyzes only that one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from harness import CommandError, Sample, make_parser, measure, median, print_table

SIZES = (1_000, 10_000, 100_000)

CONV_CHAIN = """\
name: chain
input: [16, 32, 32]
layers:
  - repeat: {{times: {times}, layers: [{{conv: {{out: 16, kernel: 3, padding: 1}}}}]}}
"""

BLOCK_CHAIN = """\
name: chain
input: [16, 32, 32]
blocks:
  unit:
    layers:
      - conv: {{out: 16, kernel: 3, padding: 1, bias: false}}
      - batchnorm
      - relu
layers:
  - repeat: {{times: {times}, layers: [unit]}}
"""


class Shape(NamedTuple):
    """A kind of chain: its spec, and the layers and parameters of one repetition."""

    spec: str
    layers: int
    params: int


SHAPES = {
    "conv": Shape(CONV_CHAIN, 1, 16 * 16 * 9 + 16),
    "block of conv, batchnorm, relu": Shape(BLOCK_CHAIN, 3, 16 * 16 * 9 + 2 * 16),
}


class Point(NamedTuple):
    """One size of one chain."""

    layers: int
    seconds: float
    mib: float
    baseline_mib: float

    @property
    def per_layer(self) -> float:
        """Microseconds per layer."""
        return self.seconds * 1e6 / self.layers

    @property
    def bytes_per_layer(self) -> float:
        """Bytes per layer above the baseline."""
        return (self.mib - self.baseline_mib) * 2**20 / self.layers


def load_and_analyze(path: str) -> int:
    """Load and analyze a spec, receptive fields and all; return its number of parameters."""
    import archcalc

    analysis = archcalc.analyze(archcalc.load(path))
    if not analysis.layers[-1].receptive_field:
        raise ValueError("no receptive field")
    return int(analysis.totals.params)


def child(paths: list[str]) -> None:
    """Load and analyze the specs; print the seconds and parameters of the last."""
    for path in paths:
        start = time.perf_counter()
        params = load_and_analyze(path)
        seconds = time.perf_counter() - start
    print(seconds, params)


def run_child(paths: list[Path], params: int) -> Sample:
    """Run a process on some specs; return the seconds that it spent on the last."""
    sample = measure([sys.executable, __file__, "--child", *map(str, paths)])
    seconds, found = sample.output.split()[-2:]
    if int(found) != params:
        raise ValueError(f"{paths[-1]}: {found} parameters, expected {params}")
    return sample._replace(seconds=float(seconds))


def write_spec(folder: Path, shape: Shape, times: int) -> Path:
    """Write the spec of a chain to a file."""
    path = folder / f"chain{times}.yaml"
    path.write_text(shape.spec.format(times=times), encoding="utf-8")
    return path


def measure_size(folder: Path, shape: Shape, layers: int, rounds: int) -> Point:
    """Measure one size of a chain, and the baseline beside it."""
    times = layers // shape.layers
    warm_up = write_spec(folder, shape, 1)
    spec = write_spec(folder, shape, times)
    baseline = [run_child([warm_up], shape.params) for _ in range(rounds)]
    samples = [run_child([warm_up, spec], shape.params * times) for _ in range(rounds)]
    return Point(
        times * shape.layers,
        median(sample.seconds for sample in samples),
        median(sample.mib for sample in samples),
        median(sample.mib for sample in baseline),
    )


def collect(shape: Shape, rounds: int) -> list[Point]:
    """Measure all the sizes of a chain."""
    with tempfile.TemporaryDirectory() as folder:
        return [measure_size(Path(folder), shape, layers, rounds) for layers in SIZES]


def table_rows(points: list[Point]) -> Iterable[list[str]]:
    """Yield one line of the table per size."""
    for point in points:
        yield [
            f"{point.layers:,}",
            f"{point.seconds:.3f}",
            f"{point.per_layer:.2f}",
            f"{point.mib:,.1f}",
            f"{point.bytes_per_layer:,.0f}",
            f"{point.per_layer / points[0].per_layer:.2f}",
        ]


def report(style: str, results: dict[str, list[Point]]) -> None:
    """Print one table per shape of chain."""
    headers = ("layers", "seconds", "us/layer", "peak MiB", "bytes/layer", "x us/layer")
    for name, points in results.items():
        print(f"\nchain: {name} (x us/layer of about 1 is linear)\n")
        print_table(style, headers, table_rows(points))


def main() -> int:
    """Measure and report; return the exit status."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return 0
    options = make_parser("Check that cost is linear in the layers.", rounds=3).parse_args()
    try:
        results = {name: collect(shape, options.rounds) for name, shape in SHAPES.items()}
    except (CommandError, ValueError) as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    report(options.format, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
