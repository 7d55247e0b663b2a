"""Every network before every witness. A counter runs once for all that judge its count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.counting import INSTALLED, assert_explained, page

import archcalc
from archcalc.pytorch import counters

if TYPE_CHECKING:
    from collections.abc import Callable

    from archcalc.analysis.tools.accounts import Reconciliation
    from archcalc.pytorch.verify import Verification

ALWAYS = ("fvcore", "thop", "torch")
PAGE = page()

# Networks that all installed counters count, at full size; the others are for those of ALWAYS.
GOLDEN = {
    "lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "mobilenet", "mobilenet-v2",
    "densenet121", "inception-v3", "seresnet50", "resnext50-32x4d", "squeezenet1-1", "nin",
    "bn-inception", "zfnet-deconv", "highway-19", "inception-resnet-v2", *PAGE.NETWORKS,
}  # fmt: skip

OF_REGIONS = {  # of detectors that look at regions their own scores choose
    "archcalc states none: all that it takes is held constant",
    "archcalc states none: where the regions lie depends on the data",
}


def once(counter: Callable[..., Any]) -> Callable[..., Any]:
    """A counter that counts one model and says the same ever after."""
    known: list[Any] = []

    def counted(*arguments: Any) -> Any:
        if not known:
            known.append(counter(*arguments))
        return known[0]

    return counted


@pytest.fixture
def each_counter_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool, counter in list(counters.COUNTERS.items()):
        counted = once(counter)
        monkeypatch.setitem(counters.COUNTERS, tool, counted)
        monkeypatch.setattr(counters, counter.__name__, counted)


@pytest.mark.slow
@pytest.mark.usefixtures("each_counter_once")
@pytest.mark.parametrize("name", dict.fromkeys([*archcalc.networks(), *PAGE.NETWORKS]))
def test_witnesses_agree_and_nothing_is_unexplained(name: str) -> None:
    tools = INSTALLED if name in GOLDEN else ALWAYS
    found = archcalc.reconcile(name, tools=tools)
    assert_explained(found, tools)
    if name in PAGE.NETWORKS:
        page_has(found)
    agree(archcalc.verify(name))


def agree(verification: Verification) -> None:
    """Nothing is left out, but by counters that count something else, and of detectors' regions."""
    assert verification.agrees, verification
    checks = {check.key: check for check in verification.checks}
    assert list(checks) == ["shapes", "parameters", "torch", "fvcore", "thop", "fields"]
    assert all(check.compared for check in checks.values())
    assert not any(checks[key].left_out for key in ("shapes", "parameters", "torch"))
    reasons = {left.reason for left in checks["fields"].left_out}
    assert reasons == (OF_REGIONS if verification.network.startswith("faster-rcnn") else set())


def page_has(found: Reconciliation) -> None:
    """The numbers that docs/tools.md prints are those that the tools count."""
    rows = [
        line.removeprefix("| ").split(" | ")
        for line in PAGE.PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    [printed] = [cells for cells in rows if cells[0] == found.analysis.label]
    heading = next(cells for cells in rows if "fvcore" in cells)
    for one in found.tools:
        assert printed[heading.index(one.tool)] == f"{one.mult_adds.counted:,}", one.tool
