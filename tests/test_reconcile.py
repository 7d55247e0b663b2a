"""Counters beside archcalc: nothing is left unexplained, and what would be can't be missed."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import torch
from command import run
from support.counting import INSTALLED, assert_explained
from torch import nn
from torch.nn import functional

import archcalc
from archcalc.analysis.tools import TOOLS, thop
from archcalc.analysis.tools.base import norm
from archcalc.cli import built
from archcalc.errors import PackageError
from archcalc.pytorch import counters, reconcile
from archcalc.report import reconciliation
from archcalc.report.model import as_text

# Small, and with everything that tools count differently: tables and subsampling, gates, shared
# transposed convolutions, LRN, groups, concatenations, auxiliary heads.
SMALL = (
    "lenet5", "resnet20", "plain20", "highway-10", "nin-cifar", "zfnet-deconv",
    "mobilenet@alpha=0.25,resolution=128", "squeezenet1-1", "googlenet@auxiliary=true",
    "separable-3x3", "residual-bottleneck", "inception-reduced",
)  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_unexplained(name: str) -> None:
    assert_explained(archcalc.reconcile(name, tools=INSTALLED), INSTALLED)


def test_terms_have_names_and_numbers() -> None:
    """ResNet-20's differences from thop, counted here by hand from its layers' shapes."""
    analysis = archcalc.analyze("resnet20")
    [found] = archcalc.reconcile(analysis, tools=["thop"]).tools
    elements = sum(
        row.output_elements for row in analysis.layers if row.kind == "batchnorm"
    )  # fmt: skip
    terms = {term.name: term.number for term in found.mult_adds.terms}
    assert terms["batch norm, 4 an element"] == 4 * elements
    assert terms["softmax, 3 an element less 1 a vector"] == 29
    assert terms["adaptive average pooling, a window and 1 an output"] == 64 * 64 + 64
    assert len(terms) == 3


# What is not explained.


@pytest.fixture
def wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """thop's batch norm is said to be 3 an element; it is 4."""
    rules = {**thop.TOOL.rules, "batchnorm": norm("batch norm", 3, 2)}
    monkeypatch.setitem(TOOLS, "thop", thop.TOOL._replace(rules=rules))


@pytest.mark.usefixtures("wrong_rule")
def test_a_wrong_rule_is_unexplained() -> None:
    found = archcalc.reconcile("resnet20", tools=["thop"])
    [tool] = found.tools
    norms = [row for row in found.analysis.layers if row.kind == "batchnorm"]
    elements = sum(row.output_elements for row in norms)
    assert tool.mult_adds.unexplained == elements > 0
    assert set(tool.unexplained_layers) == {row.name for row in norms}
    [table, layers] = reconciliation.report([found], layers=True).tables(None)
    assert [line.row.mult_adds for line in table.lines if line.name == "unexplained"] == [
        f"{elements:+,}"
    ]
    assert "unexplained" in as_text(layers, "markdown")
    [flat] = reconciliation.report([found]).records()
    told = json.loads(as_text(flat, "json"))
    assert told["networks"][0]["tools"][0]["mult_adds"]["unexplained"] == elements


@pytest.mark.usefixtures("wrong_rule")
def test_another_version_is_named_where_something_is_unexplained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconcile, "version", lambda tool: "9.9")
    [table] = reconciliation.report([archcalc.reconcile("resnet20", tools=["thop"])]).tables(None)
    assert any(line.name == "thop 9.9" for line in table.lines)
    assert f"thop: its terms are those of version {thop.TOOL.version}." in table.caption


def test_layers_that_cancel_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong rules whose sum is right."""
    right = counters.COUNTERS["thop"]

    def shifted(model: nn.Module, x: torch.Tensor) -> counters.Counted:
        found = right(model, x)
        moved = {"conv1": {"thop": found.layers["conv1"]["thop"] + 5}, "fc": {"thop": 640 - 5}}
        return found._replace(layers={**found.layers, **moved})

    monkeypatch.setitem(counters.COUNTERS, "thop", shifted)
    found = archcalc.reconcile("resnet20", tools=["thop"])
    assert found.tools[0].mult_adds.unexplained == 0
    assert {name: one.unexplained for name, one in found.tools[0].unexplained_layers.items()} == {
        "conv1": 5,
        "fc": -5,
    }
    [table] = reconciliation.report([found]).tables(None)
    assert "thop: unexplained in layers, though not in all: conv1, fc." in table.caption


def test_a_counter_that_breaks_is_told_and_the_others_carry_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> counters.Counted:
        raise AttributeError("no such thing\nin this version")

    monkeypatch.setitem(counters.COUNTERS, "fvcore", broken)
    ran = run("reconcile", "lenet5", "-t", "fvcore", "-t", "thop", "-f", "json")
    assert ran.code == 0
    sentence = (
        f"fvcore {counters.version('fvcore')} broke on lenet5 (AttributeError: no such thing)"
    )
    assert ran.err == f"archcalc: {sentence}\n"
    [told] = json.loads(ran.out)["networks"]
    assert [tool["tool"] for tool in told["tools"]] == ["thop"]
    assert told["failures"] == [sentence]


def test_tools_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = counters.version
    monkeypatch.setattr(
        reconcile, "version", lambda tool: None if tool == "ptflops" else known(tool)
    )
    monkeypatch.setattr(reconcile, "TOOLS", {name: TOOLS[name] for name in ("thop", "ptflops")})
    found = archcalc.reconcile("lenet5")
    assert [one.tool for one in found.tools] == ["thop"]
    assert found.missing == ("ptflops",)
    [table] = reconciliation.report([found]).tables(None)
    assert "Not installed: ptflops." in table.caption
    with pytest.raises(PackageError, match="expected tools that are installed, received ptflops"):
        archcalc.reconcile("lenet5", tools=["ptflops"])


# Nothing is left behind.


class Sensitive(nn.Module):
    """A model with hooks, buffers and a frozen parameter, whose forward may fail."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("scale", torch.ones(4))
        self.conv.weight.requires_grad_(False)
        self.fails = fails
        self.conv.register_forward_hook(lambda module, inputs, output: output * 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.conv(x)))
        if self.fails:
            raise ValueError("in the middle")
        return x.mul(2)


def state(model: nn.Module) -> Any:
    """All that a counter could change: tensors, modes, hooks, attributes."""
    tensors = {key: value.clone() for key, value in model.state_dict().items()}
    attributes = {
        name: {
            key: list(value.values()) if key.endswith("_hooks") else repr(value)
            for key, value in vars(module).items()
        }
        for name, module in model.named_modules()
    }
    return tensors, attributes


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("tool", INSTALLED)
def test_nothing_is_left_behind(tool: str, fails: bool, capfd: pytest.CaptureFixture[str]) -> None:
    counters.COUNTERS[tool](
        nn.Sequential(nn.Linear(2, 2)), counters.meta_input((2,), torch.float32)
    )
    model = Sensitive(fails).train()
    before, attributes = state(model)
    owners = (functional, torch, torch.Tensor)
    functions = [dict(vars(owner)) for owner in owners]
    capfd.readouterr()
    count = counters.COUNTERS[tool]
    x = counters.meta_input((3, 8, 8), torch.float32)
    if fails:
        with pytest.raises(Exception, match=r"in the middle|Failed to run torchinfo"):
            count(model, x)
    else:
        assert count(model, x).total >= 0
    after, attributes_after = state(model)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert attributes_after == attributes
    for owner, names in zip(owners, functions, strict=True):
        now = vars(owner)
        assert [name for name, value in names.items() if now.get(name) is not value] == []
    assert set(vars(torch.Tensor)) == set(functions[-1])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tool", ["ptflops", "calflops"])
def test_the_counters_do_replace_functions(tool: str) -> None:
    """Else the test above would show nothing of them."""
    if tool not in INSTALLED:
        pytest.skip(f"{tool} is not installed")
    seen = []

    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(functional.relu)
            return functional.relu(self.linear(x))

    own = functional.relu
    counters.COUNTERS[tool](Looking(), counters.meta_input((2,), torch.float32))
    assert seen
    assert all(one is not own for one in seen)
    assert functional.relu is own


# The command.


def test_the_table() -> None:
    ran = run("reconcile", "lenet5", "--tool", "thop", "--tool", "torch", "--layers")
    assert (ran.code, ran.err) == (0, "")
    assert f"PyTorch {torch.__version__}" in ran.out
    assert "convolution of a type unknown to it, not counted" in ran.out
    assert "torch.utils.flop_counter.FlopCounterMode, its FLOPs over 2" in ran.out
    assert ": no layer differs" in ran.out
    assert "unexplained" not in ran.out


def test_several_networks_for_machines() -> None:
    ran = run("reconcile", "lenet5", "resnet20", "-t", "thop", "-f", "csv", "--layers")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert {row["network"] for row in rows} == {"lenet5", "resnet20"}
    for network in ("lenet5", "resnet20"):
        for figure in ("mult_adds", "params"):
            own = {
                row["name"]: int(row["number"])
                for row in rows
                if (row["network"], row["figure"], row["layer"]) == (network, figure, "")
            }
            assert own.pop("counted") == sum(own.values())
            assert own["unexplained"] == 0
    assert {row["layer"] for row in rows if row["network"] == "lenet5"} == {"", "C3"}


def test_settings_and_input(tmp_path: Any) -> None:
    path = tmp_path / "found.md"
    ran = run("reconcile", "mobilenet", "-s", "alpha=0.25", "-i", "3x64x64", "-t", "fvcore", "-o",
              str(path))  # fmt: skip
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    own = archcalc.analyze("mobilenet", alpha=0.25, input=[3, 64, 64]).totals.mult_adds
    assert f"{own:,}" in path.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_refused_before(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built, "start_torch", lambda: pytest.fail("imported"))
    ran = run("reconcile", "lenet5", "-o", str(tmp_path / "none" / "a.md"))
    assert (ran.code, ran.out) == (2, "")
    assert "expected a directory" in ran.err


def test_what_can_not_be_asked_for() -> None:
    ran = run("reconcile", "lenet5", "-t", "thopp")
    assert ran.code == 2
    assert "did you mean thop?" in ran.err
    assert run("reconcile", "lenett5", "-t", "thop").code == 2
