"""What stands above a network's tables, and by whose way of counting they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.errors import one_line
from archcalc.ops import spelled

if TYPE_CHECKING:
    from archcalc.analysis.counted import Counting
    from archcalc.analysis.rows import Whole


def title(analysis: Whole) -> str:
    """The network's title with its settings that differ from their defaults, and the input."""
    about = analysis.about
    changed = f" ({', '.join(about.changed)})" if about.changed else ""
    shape = spelled(analysis.graph.input.facts.outputs[0])
    counting = counting_of(analysis)
    by = f", counted as by {counting.by}" if counting else ""
    return one_line(f"{about.title}{changed}, input {shape}{by}")


def counting_of(analysis: Whole) -> Counting | None:
    """By whose way of counting its Mult-Adds and params are, where that is not archcalc's."""
    return getattr(analysis, "counting", None)
