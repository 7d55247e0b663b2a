"""The installed counters on a network's model, each beside archcalc's arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from archcalc.analysis.tools import TOOLS, named
from archcalc.analysis.tools.accounts import Reconciled, Reconciliation, reconciled
from archcalc.errors import PackageError, one_line
from archcalc.packages import installing
from archcalc.pytorch.counters import COUNTERS, META, meta_input, too_large, version
from archcalc.pytorch.model import build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from archcalc.analysis import Analysis
    from archcalc.analysis.tools import Tool


def reconcile(analysis: Analysis, tools: Sequence[str] = ()) -> Reconciliation:
    """What counters count of a network for one input, in evaluation mode, and why it differs.

    `tools` are those that must be there; all that are installed if none is named. One that breaks
    is told among the failures, and the others carry on. Raises SettingError for a tool that isn't
    known, PackageError for one that isn't installed, LayerError for a network that can't be built.
    """
    chosen = [named(name) for name in dict.fromkeys(tools)] or list(TOOLS.values())
    missing = [tool.name for tool in chosen if version(tool.name) is None]
    if tools and missing:
        raise PackageError(
            f"reconcile: expected tools that are installed, received {', '.join(missing)}",
            hint=f"this installs what is missing: {installing(*missing)}",
        )
    model = build(analysis.graph, device="meta")
    found: list[Reconciled] = []
    failures: list[str] = []
    for tool in chosen:
        if tool.name in missing:
            continue
        lacking = "" if tool.name in META else too_large(analysis)
        if lacking:
            failures.append(f"{tool.name} was not run on {analysis.label}: {lacking}")
            continue
        try:
            found.append(_on(tool, model, analysis))
        except Exception as error:  # noqa: BLE001 - other people's code may raise anything
            failures.append(_failure(tool, analysis, error))
    return Reconciliation(
        analysis, tuple(found), tuple(failures), tuple(missing), torch.__version__
    )


def _on(tool: Tool, model: nn.Module, analysis: Analysis) -> Reconciled:
    """One counter on the model, in Mult-Adds."""
    shape = analysis.graph.input.facts.outputs[0]
    counted = COUNTERS[tool.name](model, meta_input(shape, torch.float32))
    layers = {
        name.replace(".", "/"): sum(counts.values()) // tool.unit
        for name, counts in counted.layers.items()
    }
    installed = version(tool.name) or ""
    total = counted.total // tool.unit
    return reconciled(tool, installed, analysis, total, counted.params, layers)


def _failure(tool: Tool, analysis: Analysis, error: Exception) -> str:
    said = one_line(str(error).strip().partition("\n")[0])
    reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{tool.name} {version(tool.name)} broke on {analysis.label} ({reason})"
