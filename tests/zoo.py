"""The shipped networks, as parameters of tests that look at each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import archcalc
from archcalc.spec.expansion import expand

if TYPE_CHECKING:
    from collections.abc import Iterable

NETWORKS = archcalc.networks()
MANY = 300  # layers
LARGE = {name for name in NETWORKS if len(expand(archcalc.load(name)).layers) > MANY}


# Networks of thousands of layers, and shorter ones with exactly the same layers, which hold for
# them what is held of each layer alone. Of this depth ResNet-1202 is looked at in every way.
REPEATED = {
    "plain1202": "plain110",
    "stochastic-resnet1202": "stochastic-resnet110",
    "preresnet1001": "preresnet164",
}


def with_slow(names: Iterable[str]) -> list[Any]:
    """The names, of which those of networks of many layers are for the slow tests."""
    return [
        pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n
        for n in names
        if n not in REPEATED
    ]


EACH_NETWORK = with_slow(NETWORKS)

SAMPLED = {name for name in NETWORKS[::5] if name not in LARGE} | {"lenet5", "googlenet"}
SAMPLED_NETWORKS = [
    n if n in SAMPLED else pytest.param(n, marks=pytest.mark.slow)
    for n in NETWORKS
    if n not in REPEATED
]
