"""How hypothesis draws for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable


def drawn(examples: int, **more: Any) -> Callable[[Any], Any]:
    """The same examples in each run; `benchmarks/differential.py` draws others."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
