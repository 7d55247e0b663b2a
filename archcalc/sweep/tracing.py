"""A network's arithmetic recorded: its totals as steps of a tape."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any

from archcalc import values
from archcalc.analysis import Analysis
from archcalc.analysis.figures import FIGURES
from archcalc.errors import SettingError, received
from archcalc.memo import Memo
from archcalc.spec.expansion import expand
from archcalc.sweep.numbers import Recorded, RecordedFraction
from archcalc.sweep.recording import Recording
from archcalc.sweep.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.spec.model import Spec

# The totals that are recorded; what training keeps is found along another way.
RECORDED = tuple(
    key for key, figure in FIGURES.items() if figure.total == "sum" and key != "saved_bytes"
)


def trace(
    spec: Spec,
    traced: Mapping[str, int | float | Fraction],
    *,
    settings: Mapping[str, Any] | None = None,
    input: Sequence[int | str] | None = None,  # noqa: A002 - the option's name
    batch: int = 1,
    dtype: str = "float32",
) -> Recording:
    """Record a network's totals as functions of some numbers.

    `traced` names these, with the values at which they are recorded: a whole number stands for
    whole numbers, a float or a Fraction for fractions. They are settings of the spec, or sizes
    that `input` names: `trace(spec, {"side": 224}, input=(3, "side", "side"))`. Other settings
    have the values in `settings`. Raises what `expand` raises where it can't be expanded so.

        >>> from archcalc import load
        >>> recording = trace(load("mobilenet"), {"alpha": 0.5, "resolution": 224})
        >>> recording.replay(alpha=[0.25, 1.0], resolution=[128, 224]).figures["params"]
        array([ 470072, 4231976])
    """
    if not traced:
        raise SettingError("expected a setting or a size to trace, received none")
    tape = Tape()
    numbers = {name: _variable(tape, name, value) for name, value in traced.items()}
    sizes: Any = None
    if input is not None:
        if unknown := [size for size in input if isinstance(size, str) and size not in numbers]:
            raise SettingError(f"input: expected a traced size, received {received(unknown[0])}")
        sizes = [numbers[size] if isinstance(size, str) else size for size in input]
    own = {name: number for name, number in numbers.items() if name not in (input or ())}
    settled = values.exact_settings(settings)
    graph = expand(spec, {**settled, **own}, sizes, memo=Memo(on=False))
    totals = Analysis(graph, batch=batch, dtype=dtype).totals
    figures = {key: _step(tape, FIGURES[key].get(totals)) for key in RECORDED}
    fractions = {name: isinstance(number, RecordedFraction) for name, number in numbers.items()}
    return Recording(tape, fractions, figures)


def _variable(tape: Tape, name: str, value: Any) -> Recorded | RecordedFraction:
    """A number that stands for many; a fraction is two of them."""
    value = values.plain_value(value)
    if isinstance(value, float) and isfinite(value):
        value = Fraction(repr(value))
    if isinstance(value, Fraction):
        above = Recorded(tape, tape.input(f"{name}'s numerator"), value.numerator)
        below = Recorded(tape, tape.input(f"{name}'s denominator"), value.denominator)
        return RecordedFraction(above, below)
    if isinstance(value, int) and not isinstance(value, bool):
        return Recorded(tape, tape.input(name), value)
    raise SettingError(f"{name}: expected a number, received {received(value)}")


def _step(tape: Tape, figure: Recorded | int) -> int:
    return figure.step if isinstance(figure, Recorded) else tape.constant(figure)
