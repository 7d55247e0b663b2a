"""Compare one recording, replayed on a million settings, with one analysis after another.

    python benchmarks/sweep.py [-n SETTINGS] [--analyzed COUNT]

MobileNet is recorded once, then replayed at random pairs of alpha (in thousandths, from 0.032 to
2) and resolution (from 32 to 512). At some of them, chosen at random, `analyze` must give the same
totals. Times are CPU times of one process; NumPy's integer arithmetic uses one core.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

import numpy as np
from harness import positive

import archcalc
from archcalc.analysis.figures import FIGURES
from archcalc.sweep import trace


def main() -> None:
    """Measure, compare and report."""
    parser = argparse.ArgumentParser(description="Compare a sweep with single analyses.")
    parser.add_argument("-n", "--settings", type=positive, default=1_000_000)
    parser.add_argument("--analyzed", type=positive, default=1000)
    options = parser.parse_args()
    chance = np.random.default_rng(0)
    alphas = chance.integers(32, 2001, options.settings)
    sides = chance.integers(32, 513, options.settings)
    spec = archcalc.load("mobilenet")

    begin = time.process_time()
    recording = trace(spec, {"alpha": 0.75, "resolution": 224})
    recorded = time.process_time()
    replay = recording.replay(alpha=(alphas, 1000), resolution=sides)
    replayed = time.process_time()
    if not replay.holds.all():
        raise SystemExit(f"{int((~replay.holds).sum()):,} settings belong to another regime")

    places = chance.choice(options.settings, min(options.analyzed, options.settings), replace=False)
    analyzing = time.process_time()
    analyses = [
        archcalc.analyze(spec, alpha=Fraction(int(alphas[i]), 1000), resolution=int(sides[i]))
        for i in places
    ]
    each = (time.process_time() - analyzing) / len(places)
    for i, analysis in zip(places, analyses, strict=True):
        for key, figures in replay.figures.items():
            if figures[i] != FIGURES[key].get(analysis.totals):
                raise SystemExit(f"{key} differs at alpha {alphas[i]}/1000, resolution {sides[i]}")

    seconds = replayed - recorded
    print(f"{recording!r}: {1e3 * (recorded - begin):.0f} ms")
    print(f"replayed at {options.settings:,} settings, all of which hold: {seconds:.2f} s")
    print(f"{len(places):,} of them are what analyze gives, at {1e3 * each:.2f} ms each")
    print(f"analyze / replay, per setting: {each * options.settings / seconds:,.0f}x")


if __name__ == "__main__":
    main()
