"""The equations of receptive fields along one axis.

The fold (`receptive_field`) computes with them, explanations (`field_way`) print them. A field has
size r, stride j and start a; a window has kernel k, stride s, padding p before, dilation d.
"""

from __future__ import annotations

import re

from archcalc.formula import EXTENT, Formula, Value, formula

# Through a sliding window (Araujo, Norris & Sim 2019, equations 1 to 4).
SIZE = Formula("r + (k - 1)*j")
SIZE_DILATED = Formula("r + d*(k - 1)*j")
STRIDE = Formula("j*s")
START = Formula("a - p*j")

END = Formula("a + r - 1")  # the last input that output 0 sees
MOVED = Formula("h + t*j")  # one end of what output t sees, where all outputs see alike
REPEATED = Formula("h + floor(t/P)*A")  # where they repeat: P outputs on, A inputs further

# Backwards: f outputs see so many inputs (the source documents' f_i = (f_(i+1) - 1)*s + k).
BACKWARD = Formula("(f - 1)*s + k")
BACKWARD_DILATED = Formula("(f - 1)*s + d*(k - 1) + 1")

size = SIZE.function("r", "k", "j")
size_dilated = SIZE_DILATED.function("r", "k", "j", "d")
stride = STRIDE.function("j", "s")
start = START.function("a", "p", "j")
end = END.function("a", "r")
moved = MOVED.function("h", "t", "j")
repeated = REPEATED.function("h", "t", "P", "A")
extent = EXTENT.function("first", "last")


def labelled(source: str, label: str, **values: int) -> Value:
    """A formula whose names bear a label (`a1 + r1 - 1`), where there are several of its kind."""
    if label:
        source = _NAME.sub(lambda match: match.group() + label, source)
        values = {name + label: value for name, value in values.items()}
    return formula(source).of(values)


_NAME = re.compile(r"\b[A-Za-z]\b")
