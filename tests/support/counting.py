"""Other people's counters in tests: which can be run, what they must come to, the page of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archcalc
from archcalc.analysis.tools import TOOLS
from archcalc.pytorch.counters import version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.analysis.tools.accounts import Reconciliation


def present(tool: str) -> bool:
    """Whether a tool can be run here; calflops needs a package that it does not name."""
    needs = {"calflops": ("transformers",)}.get(tool, ())
    return version(tool) is not None and all(map(importlib.util.find_spec, needs))


INSTALLED = [tool for tool in TOOLS if present(tool)]


def assert_explained(found: Reconciliation, tools: Sequence[str]) -> None:
    """No tool broke, and no layer, total or number of params has anything left."""
    assert found.failures == ()
    assert [one.tool for one in found.tools] == list(tools)
    own = found.analysis.totals
    for one in found.tools:
        assert one.unexplained_layers == {}, one.tool
        assert one.mult_adds.unexplained == 0, one.tool
        assert one.mult_adds.own == own.mult_adds
        assert one.params is None or (one.params.unexplained, one.params.own) == (0, own.params)
        table = archcalc.tabulate(found.analysis, counting=one.tool)
        assert table.total is not None
        assert table.total.mult_adds == one.mult_adds.counted
        assert table.total.params == (one.params.counted if one.params else own.params)


def page() -> Any:
    """The script that writes docs/tools.md."""
    path = Path(__file__).parents[2] / "docs" / "tools.py"
    spec = importlib.util.spec_from_file_location("tools_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
