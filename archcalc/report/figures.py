"""How figures are written: exact with separators, or with unit prefixes (1 K = 1000)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcalc.report.columns import Column

PREFIXES = ("", "K", "M", "G", "T", "P", "E")


def figure(column: Column, value: Any, exact: bool) -> str:
    """A cell's text."""
    if value == "" or value is None:
        return ""
    if column.style == "count":
        return f"{value:,}" if exact else prefixed(value, column.unit)
    if column.style == "bytes":
        return f"{value:,}" if exact else prefixed(value, "B")
    if column.style == "ratio":
        return rounded(value, ".2f")
    if column.style == "share":
        return percent(value, ".1f")
    return argument(value)


def rounded(value: float, form: str) -> str:
    """A number by a format such as `.1f`, `,.0f`, `.3g` or `+,`; what comes to zero has no sign."""
    text = format(value, form)
    return text.lstrip("+-") if not text.strip("+-0.,e") else text


def percent(share: float, form: str) -> str:
    """A share in percent: 0.123 is 12.3% by `.1f`, and +12.3% by `+.1f`."""
    return rounded(100 * share, form) + "%"


def argument(value: Any) -> str:
    """A plain value: true, a fraction as a decimal, a list in brackets."""
    from archcalc.errors import one_line, shown

    return one_line(shown(value))


def prefixed(value: int, unit: str = "") -> str:
    """Three significant digits and a prefix: 34944 is 34.9 K. Numbers below 1000 stay exact."""
    if value >= 10**21:
        return f"{rounded(value, '.2e')} {unit}".rstrip()
    power, scaled = 0, float(value)
    while round(scaled, 2 - _digits(scaled)) >= 1000 and power < len(PREFIXES) - 1:
        scaled, power = scaled / 1000, power + 1
    if power == 0:
        return f"{value} {unit}".rstrip()
    places = max(0, 2 - _digits(scaled))
    return f"{rounded(scaled, f'.{places}f')} {PREFIXES[power]}{unit}"


_UNIT = re.compile(r"(?<=\d) (?=(?:[KMGTPE]?B|[KMGTPE]|s|ms|µs|ns|GFLOP/s)(?!\w))")


def unbroken(text: str) -> str:
    """Text in which no line ends between a figure and its unit: there is a no-break space."""
    return _UNIT.sub("\u00a0", text)


def _digits(scaled: float) -> int:
    """0 for 1 to 9.99, 1 up to 99.9, 2 up to 999."""
    return 0 if scaled < 9.995 else 1 if scaled < 99.95 else 2
