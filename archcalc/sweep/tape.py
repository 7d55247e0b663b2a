"""The tape: every operation on whole numbers that was done, and how every comparison came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

INPUT, CONSTANT, GCD = "input", "constant", "gcd"
LONGEST_TEXT = 200  # characters of an equation in a message


class Step(NamedTuple):
    """One operation: `left sign right`, both numbers of earlier steps.

    Of an input, `left` is its place among the inputs; of a constant, its value.
    """

    sign: str
    left: int
    right: int = 0

    @property
    def operands(self) -> tuple[int, ...]:
        """The steps that it takes."""
        return () if self.sign in (INPUT, CONSTANT) else (self.left, self.right)


class Guard(NamedTuple):
    """A comparison of two steps, and how it came out: `==`, `<` or `<=`."""

    sign: str
    left: int
    right: int
    outcome: bool


class Tape:
    """Steps and guards in the order in which they were recorded, each once."""

    def __init__(self) -> None:
        self.inputs: list[str] = []
        self.steps: list[Step] = []
        self.guards: list[Guard] = []
        self._places: dict[Step, int] = {}
        self._judged: set[tuple[str, int, int]] = set()

    def input(self, name: str) -> int:
        """The step of a new input."""
        self.inputs.append(name)
        return self.step(Step(INPUT, len(self.inputs) - 1))

    def constant(self, value: int) -> int:
        return self.step(Step(CONSTANT, value))

    def step(self, step: Step) -> int:
        """The number of a step, which is recorded when it is first made."""
        place = self._places.setdefault(step, len(self.steps))
        if place == len(self.steps):
            self.steps.append(step)
        return place

    def guard(self, sign: str, left: int, right: int, outcome: bool) -> None:
        """Record how a comparison came out, when it is first made."""
        if (sign, left, right) not in self._judged:
            self._judged.add((sign, left, right))
            self.guards.append(Guard(sign, left, right, outcome))

    def needed(self, wanted: Iterable[int], known: set[int]) -> list[int]:
        """The steps that the wanted ones take, in an order in which they can be made.

        Each comes shortly before what takes it, so that few numbers are held at a time. Those
        that are `known` are left out, and the others become known.
        """
        found: list[int] = []
        waiting = list(wanted)
        while waiting:
            place = waiting[-1]
            missing = [i for i in self.steps[place].operands if i not in known]
            if place not in known and missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if place not in known:
                known.add(place)
                found.append(place)
        return found

    def said(self, guard: Guard) -> str:
        """A guard as a sentence says it: `resolution % 2 == 0`, `not alpha < 1`."""
        text = f"{self._text(guard.left)} {guard.sign} {self._text(guard.right)}"
        return text if guard.outcome else f"not {text}"

    def _text(self, place: int) -> str:
        """The equation of a step in the inputs' names; `...` where it is long."""
        texts: dict[int, str] = {}
        for i in self.needed([place], set()):
            sign, left, right = self.steps[i]
            if sign == INPUT:
                texts[i] = self.inputs[left]
            elif sign == CONSTANT:
                texts[i] = str(left)
            elif sign == GCD:
                texts[i] = f"gcd({texts[left]}, {texts[right]})"
            else:
                texts[i] = f"({texts[left]} {sign} {texts[right]})"
            if len(texts[i]) > LONGEST_TEXT:
                texts[i] = "(...)"
        text = texts[place]
        return text[1:-1] if text.startswith("(") and text != "(...)" else text


def computed(sign: str, left: Any, right: Any) -> Any:
    """An operation on Python's own numbers."""
    if sign == GCD:
        from math import gcd

        return gcd(left, right)
    return _PYTHON[sign](left, right)


def compared(sign: str, left: Any, right: Any) -> Any:
    """A comparison of numbers or arrays."""
    return _COMPARED[sign](left, right)


_PYTHON: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
_COMPARED: dict[str, Any] = {
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}
