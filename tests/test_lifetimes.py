"""What outlives its use: nothing of a user's network, however many a process goes through."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import archcalc
from archcalc.analysis import Analysis
from archcalc.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = """
input: [{channels}, 8, 8]
layers:
  - conv: {{name: first{number}, out: {channels}, kernel: 3, padding: 1}}
  - add: {{body: [conv: {{out: {channels}, kernel: 1}}], shortcut: []}}
  - concat: {{{branches}}}
  - globalavgpool
published:
  - source: Somebody 2016, table {number}
    network: {{paths: 2, bodies: 1, path_mean: 0.5, depth: 2}}
claims:
  - {{source: Somebody 2016, says: it has two paths, is: p, printed: 2, where: {{p: net paths}}}}
"""


def spec(number: int) -> str:
    """A network unlike all others: in names, channels, branches and what is printed of it."""
    branches = ", ".join(f"b{number}_{i}: [relu]" for i in range(2 + number % 70))
    return SPEC.format(number=number, channels=1 + number % 50, branches=branches)


def alive() -> int:
    gc.collect()
    return sum(type(one) in (Analysis, Graph) for one in gc.get_objects())


USES: dict[str, Callable[[str], Any]] = {
    "analyze": archcalc.analyze,
    "tabulate": lambda path: str(archcalc.tabulate(archcalc.analyze(path))),
    "explain": lambda path: archcalc.explain(archcalc.analyze(path)),
    "paths": archcalc.paths,
    "memory": lambda path: archcalc.memory(path).peak,
    "reproduce": archcalc.reproduce,
    "expand": lambda path: archcalc.expand(archcalc.load(path)),
}


def test_no_analysis_survives_its_use(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(spec(1))
    before = alive()
    for use in USES.values():
        use(str(path))
    assert alive() == before


@pytest.mark.slow
@pytest.mark.parametrize("use", [archcalc.build, archcalc.verify], ids=["build", "verify"])
def test_no_analysis_survives_pytorch(use: Callable[[str], Any], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(spec(1))
    use(str(path))
    before = alive()
    use(str(path))
    assert alive() == before


MANY = """
import gc, sys
import archcalc
from test_lifetimes import spec

def go_through(numbers):
    for number in numbers:
        with open("net.yaml", "w") as stream:
            stream.write(spec(number))
        verdicts = archcalc.reproduce("net.yaml")
        assert [one.kind for one in verdicts] == ["match"] * 5, verdicts
        if number % 10 == 0:
            archcalc.explain(archcalc.analyze("net.yaml"))
    gc.collect()
    return sys.getallocatedblocks()

first = go_through(range(200))  # what is made once: modules, equations
print(go_through(range(200, 1200)) - first)
"""


@pytest.mark.slow
def test_a_thousand_networks_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    """In blocks that Python allocated: an analysis of such a network has thousands."""
    ran = subprocess.run(
        [sys.executable, "-c", MANY],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(archcalc.__file__).parent.parent}"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 10_000
