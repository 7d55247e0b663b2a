"""Show what each cache and shortcut saves: the same job with it and without it.

    python benchmarks/shortcuts.py [-n ROUNDS] [NAME ...]

There is one memo (`archcalc.memo`); every other cache or shortcut stays only as long as its line
here shows a gain. Every round runs the job both ways, in turns which comes first, in one process
and after a collection of garbage. The ratio of CPU times (without / with) is the geometric mean of
the rounds', with the bounds between which it lies at 95% confidence. NAMEs choose lines by a part
of what they are called.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple

from checkouts import ratio_with_bounds
from harness import is_installed, positive, print_table

import archcalc
from archcalc import api, formula, graph
from archcalc.analysis import analysis, costs, explain, memory, paths
from archcalc.errors import SpecError
from archcalc.memo import Memo
from archcalc.ops import base, conv, window
from archcalc.spec import expansion, library, model

FIVE = ("googlenet", "resnet50", "densenet121", "mobilenet", "vgg16")
UNEVEN = ("zfnet-deconv", "ssd300-vgg", "faster-rcnn-vgg")

Off = Callable[[], AbstractContextManager[None]]


class Shortcut(NamedTuple):
    """A cache or shortcut: ``prepare`` (not timed) gives what ``job`` (timed) takes."""

    name: str
    off: Off
    prepare: Callable[[], Any]
    job: Callable[[Any], object]


# Switching off.


@contextmanager
def swapped(old: Any, new: Any) -> Iterator[None]:
    """Put a function in another's place, under whatever name a module of archcalc has it."""
    modules = [module for name, module in sys.modules.items() if name.startswith("archcalc")]
    places = [
        (module, key) for module in modules for key, v in list(vars(module).items()) if v is old
    ]
    for module, key in places:
        setattr(module, key, new)
    try:
        yield
    finally:
        for module, key in places:
            setattr(module, key, old)


@contextmanager
def attribute(owner: Any, name: str, new: Any) -> Iterator[None]:
    """Put another attribute in a class."""
    old = vars(owner)[name]
    setattr(owner, name, new)
    try:
        yield
    finally:
        setattr(owner, name, old)


def uncached(function: Any) -> Off:
    """A function without its `lru_cache`."""
    return lambda: swapped(function, function.__wrapped__)


def recomputed(owner: Any, name: str) -> Off:
    """A `cached_property` as a plain one."""
    return lambda: attribute(owner, name, property(vars(owner)[name].func))


def replaced(owner: Any, name: str, new: Any) -> Off:
    """A method without what it keeps."""
    return lambda: attribute(owner, name, new)


def _count_block(count: Any, name: str) -> int:
    block = count.spec.blocks[name]
    outside = expansion._Count(count.spec, count.settings, count.settings, {})
    return outside.hiding(block.arguments).entries(block.layers, block.place)


def _entry_cost(entry: Any) -> int:
    entry._cost = None
    return COMMON_COST(entry)


COMMON_COST = model.Common.cost.fget


def _paths_to(network: Any, end: int, name: str) -> Any:
    return paths._paths_to(network, end)._replace(output=name)


def _slid_anew(op: Any, sizes: Any) -> Any:
    vars(op).pop("_slid", None)
    return SLID(op, sizes)


SLID = conv.slid


def _local_of(self: Any, row: Any, node: Any) -> tuple[Any, ...]:
    self.known.clear()
    return LOCAL_OF(self, row, node)


LOCAL_OF = explain._Local.of


@contextmanager
def probes_made_anew() -> Iterator[None]:
    """The gradient witness without the layers that it has built."""
    from archcalc.pytorch import gradients

    with swapped(gradients._probe, gradients._probe.__wrapped__):
        yield


# Jobs.


def loaded(*names: str) -> Callable[[], list[Any]]:
    """Fresh specs, which have nothing from before."""
    return lambda: [archcalc.load(name) for name in names]


def analyze(specs: list[Any]) -> None:
    """Analyze networks, receptive fields and all."""
    for spec in specs:
        assert archcalc.analyze(spec).layers[-1].receptive_field


@cache
def layers() -> list[Any]:
    """The layers of five networks."""
    return [node for name in FIVE for node in archcalc.analyze(name).graph.layers]


def facts(nodes: list[Any]) -> None:
    """State all the numbers of every layer."""
    for node in nodes:
        vars(node.op).pop("_slid", None)  # of the round before
        node.op.facts(node.facts.inputs)


def analyzed(name: str) -> Callable[[], Any]:
    """A fresh analysis, of which nothing was asked."""
    return lambda: archcalc.analyze(name)


def figures(*keys: str) -> Callable[[Any], object]:
    """Ask every row for some figures."""
    return lambda asked: [getattr(row, k) for row in (*asked.layers, *asked.blocks) for k in keys]


def chain() -> Any:
    """A chain of 10,000 layers."""
    pairs = "".join(f"- conv: {{name: c{i}, out: 8, kernel: 3}}\n- relu\n" for i in range(5000))
    return [library.parse(f"input: [8, 20000, 20000]\nlayers:\n{pairs}", "chain.yaml")]


def nested() -> Any:
    """Blocks of two of the next, eighteen deep: more layers than are taken."""
    inner = "".join(f"  b{i}: {{layers: [b{i + 1}, b{i + 1}]}}\n" for i in range(18))
    text = f"input: [8, 8, 8]\nblocks:\n{inner}  b18: {{layers: [relu]}}\nlayers: [b0]\n"
    return library.parse(text, "nested.yaml")


def refused(spec: Any) -> None:
    """Count the layers of a network that has too many."""
    try:
        archcalc.expand(spec)
    except SpecError:
        return
    raise AssertionError("expected more layers than are taken")


def pickled_rows(asked: Any) -> object:
    """Pickle each block's row alone."""
    return [row.__reduce__() for row in asked.blocks]


SHORTCUTS: tuple[Shortcut, ...] = (
    Shortcut(
        "the memo (ops, facts, blocks)",
        replaced(Memo, "get", lambda *_: None),
        loaded(*FIVE),
        analyze,
    ),
    Shortcut(
        "blocks are copied",
        replaced(expansion._Expansion, "has_room", lambda *_: False),
        loaded("resnet110", "resnet152"),
        analyze,
    ),
    Shortcut("formula.formula", uncached(formula.formula), layers, facts),
    Shortcut("ops.conv.slid", lambda: swapped(conv.slid, _slid_anew), layers, facts),
    Shortcut("ops.base._product", uncached(base._product), layers, facts),
    Shortcut("ops.conv._kernel_names", uncached(conv._kernel_names), layers, facts),
    Shortcut("ops.conv._counts", uncached(conv._counts), layers, facts),
    Shortcut("ops.window._function", uncached(window._function), loaded(*UNEVEN), analyze),
    Shortcut(
        "graph.collector_paused",
        lambda: swapped(graph.collector_paused, nullcontext),
        chain,
        analyze,
    ),
    Shortcut(
        "expansion._Count.blocks",
        replaced(expansion._Count, "block", _count_block),
        nested,
        refused,
    ),
    Shortcut(
        "model.Common.cost",
        replaced(model.Common, "cost", property(_entry_cost)),
        loaded(*FIVE),
        analyze,
    ),
    Shortcut(
        "costs.layer_costs",
        lambda: swapped(costs.layer_costs, lambda node, _: costs._costs(node)),
        lambda: archcalc.expand("resnet1202"),
        archcalc.Analysis,
    ),
    Shortcut(
        "Analysis.scopes",
        recomputed(analysis.Analysis, "scopes"),
        analyzed("googlenet"),
        pickled_rows,
    ),
    Shortcut(
        "Analysis.receptive_states",
        recomputed(analysis.Analysis, "receptive_states"),
        analyzed("lenet5"),
        figures("receptive_field"),
    ),
    Shortcut(
        "Analysis.memory",
        recomputed(analysis.Analysis, "memory"),
        analyzed("lenet5"),
        figures("live_bytes"),
    ),
    Shortcut(
        "Analysis._named",
        recomputed(analysis.Analysis, "_named"),
        analyzed("googlenet"),
        lambda a: [a.find(row.name) for row in a.layers],
    ),
    Shortcut(
        "paths.paths_to",
        lambda: swapped(paths.paths_to, _paths_to),
        loaded("resnet110"),
        lambda specs: archcalc.reproduce(specs[0]),
    ),
    Shortcut(
        "Memory.live", recomputed(memory.Memory, "live"), analyzed("lenet5"), figures("live_bytes")
    ),
    Shortcut(
        "Memory.kept", recomputed(memory.Memory, "kept"), analyzed("lenet5"), archcalc.explain
    ),
    Shortcut(
        "Memory.saved",
        recomputed(memory.Memory, "saved"),
        analyzed("googlenet"),
        figures("saved_bytes"),
    ),
    Shortcut(
        "explain._Local.known",
        replaced(explain._Local, "of", _local_of),
        analyzed("resnet110"),
        archcalc.explain,
    ),
    Shortcut(
        "api._Asked.analysis",
        recomputed(api._Asked, "analysis"),
        loaded("mobilenet"),
        lambda specs: archcalc.reproduce(specs[0]),
    ),
)

if is_installed("torch"):
    SHORTCUTS += (
        Shortcut(
            "pytorch.gradients._probe", probes_made_anew, analyzed("resnet20"), archcalc.verify
        ),
    )


def seconds(shortcut: Shortcut, off: bool) -> float:
    """Prepare, then time the job with the shortcut or without it."""
    subject = shortcut.prepare()
    gc.collect()
    with shortcut.off() if off else nullcontext():
        begin = time.process_time()
        shortcut.job(subject)
        return time.process_time() - begin


def collect(shortcut: Shortcut, rounds: int) -> tuple[list[float], list[float]]:
    """Run the job both ways, round after round; drop the warm-up round."""
    runs: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for off in (False, True) if number % 2 else (True, False):
            runs[off].append(seconds(shortcut, off))
    return runs[0][1:], runs[1][1:]


def table_rows(names: list[str], rounds: int) -> Iterator[list[str]]:
    """Measure the shortcuts; yield a line for each."""
    for shortcut in SHORTCUTS:
        if not names or any(name in shortcut.name for name in names):
            on, off = collect(shortcut, rounds)
            ratio, least, most = ratio_with_bounds(on, off)
            bounds, gain = f"{least:.2f} to {most:.2f}", "" if least > 1 else "none shown"
            yield [shortcut.name, f"{1e3 * min(on):,.1f}", f"{ratio:.2f}", bounds, gain]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="Show what each cache and shortcut saves.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("-n", "--rounds", type=positive, default=15)
    parser.add_argument("--format", choices=("table", "markdown"), default="table")
    options = parser.parse_args()
    heads = ("shortcut", "with it, ms", "without / with", "95%", "")
    print_table(options.format, heads, list(table_rows(options.names, options.rounds)))


if __name__ == "__main__":
    main()
