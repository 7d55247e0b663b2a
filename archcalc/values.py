"""What Python programs give as archcalc holds it: NumPy's numbers, arrays, paths, shapes.

Only what is of none of Python's plain types takes the way through this module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archcalc.errors import SettingError, received

if TYPE_CHECKING:
    from collections.abc import Callable


class Number:
    """A number of another arithmetic than Python's, which goes through archcalc as it is.

    It has Python's operators, and compares with its numbers.
    """

    __slots__ = ()

    def whole(self) -> Any:
        """The number as a whole one, None where it is none."""
        raise NotImplementedError


def integral(value: Any) -> Any:
    """A whole number, of whatever arithmetic, as it is; None for all else, true and false too."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    return value.whole() if isinstance(value, Number) else None


MOST_ITEMS = 10_000  # of a list; longer ones are left as they are, and refused by who asked
DEEPEST = 20  # lists inside each other


def plain_value(value: Any, depth: int = 0) -> Any:
    """The value as Python's own numbers, text and lists; as it is where it is none of these.

    A whole number is whatever has `__index__`, a fractional one whatever `float` takes as a real
    number (a NumPy float32 is the float that Python makes of it); decimals stay exact.
    """
    if value is None or type(value) in (bool, int, str, float) or isinstance(value, Number):
        return value
    if depth > DEEPEST:
        raise SettingError(f"expected at most {DEEPEST} lists inside each other, received more")
    if isinstance(value, (str, bytes)):
        return str.__str__(value) if isinstance(value, str) else value
    items = value if isinstance(value, (list, tuple)) else _listed(value)
    if isinstance(items, (list, tuple)):
        return [plain_value(item, depth + 1) for item in items]
    return _number(items)


def _listed(value: Any) -> Any:
    """An array or a sequence as a list, an array's only item as a number; all else as it is."""
    found = _tried(getattr(value, "tolist", None))  # of NumPy, PyTorch, pandas, array
    if found is not None and type(found) is not type(value):
        return found
    from collections.abc import Sequence

    short = isinstance(value, Sequence) and len(value) <= MOST_ITEMS
    return list(value) if short else value


def _number(value: Any) -> Any:
    """A number of another library as Python's own; all else as it is."""
    if type(value) in (bool, int, str, float, type(None)):
        return value
    from numbers import Number, Rational, Real

    number = _tried(getattr(value, "__index__", None))
    if isinstance(number, int):
        return int(number)
    if isinstance(value, Rational):
        return value
    if isinstance(value, Real):
        return _tried(lambda: float(value), value)
    if isinstance(value, Number) and (ratio := _tried(getattr(value, "as_integer_ratio", None))):
        from fractions import Fraction  # of a Decimal

        return Fraction(*ratio)
    return value


def _tried(method: Callable[[], Any] | None, otherwise: Any = None) -> Any:
    """What a method of an object of whatever kind gives, if there is one and it can."""
    try:
        return otherwise if method is None else method()
    except (TypeError, ValueError, ArithmeticError, RuntimeError):  # a tensor of the meta device
        return otherwise


def whole(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """A whole number; raises SettingError where it is none of at least `least`."""
    number: int | None = integral(plain_value(value))
    if number is not None and number >= least and (most is None or number <= most):
        return number
    bounds = f"of at least {least:,}" if most is None else f"from {least:,} to {most:,}"
    raise SettingError(f"{name}: expected a whole number {bounds}, received {received(value)}")


def flag(name: str, value: Any) -> bool:
    """True or false; raises SettingError for anything else."""
    truth = plain_value(value)
    if isinstance(truth, bool):
        return truth
    raise SettingError(f"{name}: expected true or false, received {received(value)}")


def words(name: str, value: Any, what: str) -> tuple[str, ...]:
    """Words in a list, or in one text with commas; raises SettingError for anything else."""
    if isinstance(value, str):
        return tuple(word for part in value.split(",") if (word := part.strip()))
    items = plain_value(value)
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return tuple(items)
    raise SettingError(f"{name}: expected {what}, received {received(value)}")


def dtype_name(value: Any) -> str:
    """The name of an element type that may be PyTorch's or NumPy's own: float32."""
    return value if isinstance(value, str) else received(value).removeprefix("torch.")


def shape(value: Any) -> Any:
    """Sizes as a tuple, from a list, an array or `3x224x224`; all else as it is."""
    if isinstance(value, str):
        parts = value.lower().replace("×", "x").split("x")
        sizes = all(part.isascii() and part.isdecimal() and len(part) < 12 for part in parts)
        return tuple(map(int, parts)) if sizes and len(parts) <= 8 else value
    items = plain_value(value)
    return tuple(items) if isinstance(items, list) else value


def paths(name: str, value: Any) -> tuple[str, ...]:
    """Paths in a list, or a single one; raises SettingError for anything else."""
    if value is None:
        return ()
    if isinstance(value, (str, os.PathLike)):
        value = (value,)
    if isinstance(value, (list, tuple)):
        found = tuple(path_text(item) for item in value)
        if None not in found:
            return found  # type: ignore[return-value]
    raise SettingError(
        f"{name}: expected a directory or a list of them, received {received(value)}"
    )


def path_text(value: Any) -> str | None:
    """A path or any other text as a string; None for what is neither."""
    if isinstance(value, str):
        return value
    return os.fsdecode(value) if isinstance(value, os.PathLike) else None


def exact(value: Any) -> Any:
    """A Python value as settings hold it: floats as the decimals they print."""
    value = plain_value(value)
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, list):
        return [exact(item) for item in value]
    from fractions import Fraction
    from math import isfinite
    from numbers import Rational

    if isinstance(value, float) and isfinite(value):
        value = Fraction(repr(float(value)))
    if not isinstance(value, Rational):
        what = "a number, true, false, a word or a list of these"
        raise SettingError(f"expected {what}, received {received(value)}")
    above, below = int(value.numerator), int(value.denominator)
    return above if below == 1 else Fraction(above, below)


def exact_settings(settings: object) -> dict[str, Any]:
    """Every setting exactly; an error names the setting."""
    if settings is None:
        return {}
    if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
        what = "names with their values, such as {'alpha': 0.5}"
        raise SettingError(f"settings: expected {what}, received {received(settings)}")
    return {name: _exact_setting(name, value) for name, value in settings.items()}


def _exact_setting(name: str, value: Any) -> Any:
    try:
        return exact(value)
    except SettingError as error:
        raise SettingError(f"{name}: {error.message}") from None
