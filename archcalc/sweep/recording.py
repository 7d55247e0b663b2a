"""A recording, and what it gives when it is replayed on arrays of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.errors import SettingError
from archcalc.packages import imported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archcalc.sweep.tape import Tape


class Recording:
    """Figures of a network as steps of a tape, whose inputs are some of its numbers.

    `fractions` says of each of these, by name, whether it is a fraction.
    """

    def __init__(
        self, tape: Tape, fractions: Mapping[str, bool], figures: Mapping[str, int]
    ) -> None:
        self.tape = tape
        self.fractions = dict(fractions)
        self.figures = dict(figures)

    def __repr__(self) -> str:
        names = " and ".join(self.fractions)
        return f"<recording of {len(self.tape.steps):,} operations on {names}>"

    def replay(self, **settings: Any) -> Replay:
        """The figures at many settings: for each traced number a value or an array of them.

        Arrays have one length. A fraction is a float, taken as the decimal it prints, a Fraction,
        or a pair of arrays (numerators, denominators). Raises SettingError for others, and
        OverflowError where a number exceeds 64 bits. Needs NumPy.
        """
        np = imported("numpy", "a replay")
        from archcalc.sweep.arrays import CHUNK, Chunk, Plan, columns, seen

        if settings.keys() != self.fractions.keys():
            wanted, got = (", ".join(names) or "none" for names in (self.fractions, settings))
            raise SettingError(f"expected values of {wanted}, received {got}")
        inputs = columns(settings, self.fractions)
        plan = Plan(self.tape, list(map(seen, inputs)), self.figures.values())
        failed, found = [], []
        for start in range(0, len(inputs[0]), CHUNK):
            chunk = Chunk(plan, [column[start : start + CHUNK] for column in inputs])
            found.append(chunk.run())
            failed.append(chunk.failed)
        figures = {
            name: np.concatenate([part[step] for part in found])
            for name, step in self.figures.items()
        }
        return Replay(figures, np.concatenate(failed), self.tape)


class Replay(NamedTuple):
    """What a replay gives: figures at the settings that hold, in their order.

    `failed` is for each setting given the number of the guard that fails, -1 where all hold; the
    others belong to another regime, and have no figures.
    """

    figures: dict[str, Any]
    failed: Any
    tape: Tape

    @property
    def holds(self) -> Any:
        """For each setting whether it has figures."""
        return self.failed < 0

    def reason(self, setting: int) -> str:
        """Why a setting has no figures: the guard that fails; empty where it has."""
        guard = int(self.failed[setting])
        return "" if guard < 0 else self.tape.said(self.tape.guards[guard])
