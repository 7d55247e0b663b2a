"""archcalc: what convolutional networks cost, layer by layer, and why.

    import archcalc

    analysis = archcalc.analyze("mobilenet", alpha=0.5, resolution=160)
    analysis.totals.mult_adds, analysis.totals.params
    archcalc.tabulate(analysis, depth=1).to_pandas()
    archcalc.explain("mobilenet", "fc")
    model = archcalc.build("mobilenet", alpha=0.5)

Nothing is imported before it is used; torch and pandas only by what needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from archcalc.analysis import Analysis as Analysis
    from archcalc.api import analyze as analyze
    from archcalc.api import build as build
    from archcalc.api import expand as expand
    from archcalc.api import explain as explain
    from archcalc.api import load as load
    from archcalc.api import memory as memory
    from archcalc.api import networks as networks
    from archcalc.api import paths as paths
    from archcalc.api import paths_by_output as paths_by_output
    from archcalc.api import reconcile as reconcile
    from archcalc.api import reproduce as reproduce
    from archcalc.api import tabulate as tabulate
    from archcalc.api import verify as verify
    from archcalc.errors import ArchcalcError as ArchcalcError
    from archcalc.graph import About as About
    from archcalc.graph import DeclaredTable as DeclaredTable
    from archcalc.graph import Graph as Graph
    from archcalc.graph import GraphBuilder as GraphBuilder
    from archcalc.graph import Output as Output
    from archcalc.ops import KINDS as KINDS
    from archcalc.report.model import Table as Table
    from archcalc.spec.model import Spec as Spec

_HOMES = {
    "About": "graph",
    "Analysis": "analysis",
    "ArchcalcError": "errors",
    "DeclaredTable": "graph",
    "Graph": "graph",
    "GraphBuilder": "graph",
    "KINDS": "ops",
    "Output": "graph",
    "Spec": "spec.model",
    "Table": "report.table",
    "analyze": "api",
    "build": "api",
    "expand": "api",
    "explain": "api",
    "load": "api",
    "memory": "api",
    "networks": "api",
    "paths": "api",
    "paths_by_output": "api",
    "reconcile": "api",
    "reproduce": "api",
    "tabulate": "api",
    "verify": "api",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 - the names above


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archcalc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"archcalc.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
