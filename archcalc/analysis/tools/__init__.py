"""How other tools count our layers, written down: `archcalc table --as` and `reconcile` use it.

One file a tool, from its source code (the version and the file are named there). A rule gives, for
one layer, what the tool counts beyond archcalc's Mult-Adds (less where negative), as named terms; a
kind without a rule is counted as archcalc does, which is 0 for most. None of this runs a tool; the
tests run them all, on a network with every layer kind, and compare layer by layer.
"""

from __future__ import annotations

from archcalc import words
from archcalc.analysis.tools import calflops, flop_counter, fvcore, ptflops, thop, torchinfo
from archcalc.analysis.tools.base import Term, Tool, together
from archcalc.errors import SettingError, received

__all__ = ["TOOLS", "Term", "Tool", "named", "together"]

TOOLS: dict[str, Tool] = {
    module.TOOL.name: module.TOOL
    for module in (fvcore, thop, flop_counter, torchinfo, ptflops, calflops)
}


def named(name: str) -> Tool:
    """The tool of that name; raises SettingError for another, with the nearest."""
    if name in TOOLS:
        return TOOLS[name]
    raise SettingError(
        f"tool: expected one of {', '.join(TOOLS)}, received {received(name)}",
        hint=words.near("TOOLS", name, TOOLS),
    )
