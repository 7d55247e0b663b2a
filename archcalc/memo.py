"""The one memo: what was computed before, by what it was computed from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Memo:
    """Ops by their fields, facts by ops and shapes, blocks by arguments and shape.

    Its keys hold numbers. Recorded numbers (`archcalc.sweep`) stand for many at once and can't be
    in keys: for them it is off, and everything is computed each time.
    """

    __slots__ = ("_known",)

    def __init__(self, *, on: bool = True) -> None:
        self._known: dict[tuple[Any, ...], Any] | None = {} if on else None

    @property
    def on(self) -> bool:
        return self._known is not None

    def get(self, key: tuple[Any, ...]) -> Any:
        """What was kept under this key; None where there is nothing."""
        return None if self._known is None else self._known.get(key)

    def keep(self, key: tuple[Any, ...], value: T) -> T:
        """Keep a value under this key, and give it back."""
        if self._known is not None:
            self._known[key] = value
        return value

    def __reduce__(self) -> tuple[Callable[..., Memo], tuple[()]]:
        """As an empty one: what is in it can be computed again."""
        return partial(Memo, on=self.on), ()
