"""What papers print of networks: figures as printed, the tables and claims they stand in.

Figures are `569M`, `1.8x10^9`, `112x112x64`, `55%`, `1/8`, `<5MB`, `19..35`, true; a printed number
stands for every number that rounds to it: 4.2M is 4.15M to 4.25M.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from archcalc.errors import Place

# What a cell may print beside what is computed (`analysis.figures.PUBLISHED`).
QUOTED = ("top1", "top5", "top1_error", "top5_error", "accuracy", "error", "map")
# An error is 100% less the accuracy that the same table prints for the same network.
ERROR_OF = {"top1_error": "top1", "top5_error": "top5", "error": "accuracy"}

# How a table counts where it does not count as archcalc does.
CONVENTIONS = {
    "truncated": "cut off after the printed places, not rounded",
    "rounded-up": "rounded up at the printed places",
    "1024s": "1 K = 1024, 1 M = 1024 x 1024",
    "digits-1": "one significant digit",
    "digits-2": "two significant digits",
    "digits-3": "three significant digits",
    "no-biases": "biases of weight layers left out",
    "no-norms": "normalization left out",
    "convolutions": "convolutions alone",
    "linears": "linears alone",
    "with-buffers": "buffers counted in",
    "with-biases": "the addition of a bias is one more",
    "doubled": "a Mult-Add is two operations",
    "channels-first": "channels before height and width",
}
# Those that say how a number is printed; the others say what is counted.
ROUNDING = ("truncated", "rounded-up")
PRINTING = (*ROUNDING, "1024s", "digits-1", "digits-2", "digits-3")

_POWERS = {
    "K": 1,
    "k": 1,
    "M": 2,
    "G": 3,
    "B": 3,
    "T": 4,
    "thousand": 1,
    "million": 2,
    "billion": 3,
}
_NUMBER = re.compile(
    r"(?P<minus>-?)(?P<whole>\d{1,3}(?:,\d{3})+|\d*)(?:\.(?P<places>\d+))?"
    r"(?:e(?P<e>-?\d{1,2})|\s*[x×*]\s*10\^(?P<ten>-?\d{1,2}))?"
    r"\s*(?P<unit>KB|MB|GB|[kKMGBT]|thousand|million|billion)?(?P<percent>\s*%)?"
)
_SIZE = re.compile(r"\d+(?:\s*[x×]\s*\d+)+")
LONGEST = 60


class PrintedError(Exception):
    """Text that is no printed figure."""


class Printed(NamedTuple):
    """A printed figure.

    `kind` is number, size, fraction (1/n), range, below, above, or truth; `low` is the number (the
    lower end of a range), `high` the upper end, `unit` one of the last printed place. `thousands`
    says how many times a unit of 1000 is in it.
    """

    text: str
    kind: str
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    unit: Fraction = Fraction(0)
    thousands: int = 0
    size: tuple[int, ...] = ()

    @property
    def digits(self) -> tuple[int, int]:
        """The fewest and the most significant digits it is printed in; a size has none."""
        if not self.unit:
            return 0, 0
        written = str(abs(self.low) / self.unit)
        return len(written if "." in self.text else written.rstrip("0")), len(written)

    def in_digits(self, digits: int, value: Fraction) -> Printed | None:
        """The same figure to so many digits of a value; none if it is not printed in so many.

        15300M is printed in three digits, or in four or five; 1.5K is printed in two, and so can't
        be a number of which one digit counts. 180 is no number of one digit either.
        """
        fewest, most = self.digits
        if not fewest <= digits <= most:
            return None
        power = 0
        while abs(value) >= Fraction(10) ** (power + 1):
            power += 1
        while value and abs(value) < Fraction(10) ** power:
            power -= 1
        unit = Fraction(10) ** (power - digits + 1)
        return None if self.low % unit else self._replace(unit=unit)


def printed(text: str) -> Printed:
    """What is printed; raises PrintedError where it is no figure."""
    text = text.strip()
    if len(text) > LONGEST:
        raise PrintedError(text)
    if text in ("true", "false"):
        return Printed(text, "truth", low=Fraction(text == "true"))
    if _SIZE.fullmatch(text):
        return Printed(text, "size", size=tuple(map(int, re.findall(r"\d+", text))))
    if ".." in text:
        first, last = (_number(part) for part in text.split("..", 1))
        if first.low > last.low:
            raise PrintedError(text)
        return Printed(text, "range", first.low, last.low, last.unit, last.thousands)
    if text.startswith(("<", ">")):
        kind = "below" if text[0] == "<" else "above"
        return _number(text[1:].strip())._replace(text=text, kind=kind)
    if match := re.fullmatch(r"1/(\d+)", text):
        return Printed(text, "fraction", low=Fraction(int(match[1])), unit=Fraction(1))
    return _number(text.removeprefix("~"))._replace(text=text)


def _number(text: str) -> Printed:
    match = _NUMBER.fullmatch(text.strip())
    if not match or not (match["whole"] or match["places"]):
        raise PrintedError(text)
    places, unit = match["places"] or "", match["unit"] or ""
    thousands = _POWERS.get(unit.removesuffix("B") or unit, 0)
    scale = Fraction(10) ** (int(match["e"] or match["ten"] or 0) + 3 * thousands)
    if match["percent"]:
        scale /= 100
    digits = int((match["whole"] or "").replace(",", "") + places or 0)
    one = scale / 10 ** len(places)
    value = digits * one * (-1 if match["minus"] else 1)
    return Printed(text, "number", value, value, one, thousands)


# Where it stands.


class Cell(NamedTuple):
    """One printed figure: of the network itself (`layer` empty), or of a layer or block.

    `network` is the request it holds for (`mobilenet@alpha=0.5`). `shared` are the conventions of
    its table or column, `own` those of this cell; `why` says why it differs from what is computed,
    or why it counts differently from the rest of its column; `misprint` what is misprinted around a
    figure that is right.
    """

    network: str
    layer: str
    figure: str
    printed: Printed
    shared: tuple[str, ...]
    own: tuple[str, ...]
    why: str
    misprint: str
    place: Place

    @property
    def conventions(self) -> tuple[str, ...]:
        """Those of its table or column and its own."""
        return (*self.shared, *(word for word in self.own if word not in self.shared))


class Published(NamedTuple):
    """A table or a passage that prints figures: where it stands, and its cells.

    `conventions` are those of all its figures, under "", and those of single columns, under the
    name of the figure that stands in them.
    """

    source: str
    url: str
    protocol: str
    note: str
    conventions: dict[str, tuple[str, ...]]
    cells: tuple[Cell, ...]
    place: Place


class Figure(NamedTuple):
    """A figure that a claim names: of a network, or of a layer or block of it.

    Where `layer` is a pattern (`conv*`, or `kind=conv`) it is the list of what its layers have. An
    accuracy is the one that `source` prints (with this `protocol`, if it is given).
    """

    network: str
    layer: str
    figure: str
    place: Place
    source: str = ""
    protocol: str = ""

    @property
    def is_of_layers(self) -> bool:
        """Whether it is a list: of each layer that its pattern matches."""
        return any(sign in self.layer for sign in "*?=")


class Quotation(NamedTuple):
    """A figure that a claim takes from a source, for it can't be computed."""

    printed: Printed
    source: str
    place: Place


class Claim(NamedTuple):
    """A relation that is printed: a function of figures, and the value it has in print.

    `of` is the network that it is about, where no figure of a network is in it.
    """

    source: str
    url: str
    says: str
    of: str
    where: dict[str, Figure | Quotation]
    relation: Callable[[dict[str, Any]], Any]
    printed: Printed
    conventions: tuple[str, ...]
    why: str
    misprint: str
    place: Place

    @property
    def figures(self) -> dict[str, Figure]:
        """The letters that stand for figures of networks."""
        return {
            letter: figure for letter, figure in self.where.items() if isinstance(figure, Figure)
        }
