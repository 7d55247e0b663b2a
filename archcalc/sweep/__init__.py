"""Many settings at once: the arithmetic is recorded once, and replayed on arrays of settings.

`trace` runs a network's unchanged arithmetic with numbers that record what is done to them, and
gives a `Recording`. Replaying it on NumPy arrays of settings gives the totals that `analyze` would
give at each of them. Where a comparison would come out differently than when it was recorded, the
setting belongs to another regime: it is left out, and the comparison is named.
"""

from archcalc.sweep.recording import Recording, Replay
from archcalc.sweep.tracing import RECORDED, trace

__all__ = ["RECORDED", "Recording", "Replay", "trace"]
