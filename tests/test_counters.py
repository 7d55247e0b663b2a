"""Counters leave nothing behind: a user's model is afterwards what it was, also after a failure."""

from __future__ import annotations

import hashlib

import pytest
import torch
from command import run
from torch import nn
from torch.nn import functional

import archcalc
from archcalc.pytorch import counters
from archcalc.pytorch.counters import COUNTERS, HOOKS, version

PACKAGES = {"torch": "torch", **{name: name for name in COUNTERS if name != "torch"}}


class Users(nn.Module):
    """A model as people have them: buffers, tied and frozen weights, hooks, own attributes."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.again = nn.Conv2d(4, 4, 1)
        self.once_more = nn.Conv2d(4, 4, 1)
        self.once_more.weight = self.again.weight
        self.act = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 5)
        self.register_buffer("steps", torch.tensor([3, 1, 4]))
        self.register_buffer("scratch", torch.rand(2), persistent=False)
        self.extra = {"names": ["a", "b"], "rate": 0.1}
        self.fails = fails
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        x = self.act(self.norm(self.conv(x)))
        x = functional.relu(self.once_more(self.again(x)))
        if self.fails:
            raise LookupError("the model's own error")
        return self.fc(x.mean((2, 3)))


def users_model(fails: bool = False) -> Users:
    torch.manual_seed(3)
    model = Users(fails)
    model.norm.eval()  # one module in another mode than the rest
    model.conv.weight.requires_grad_(False)
    model.fc.weight.grad = torch.ones_like(model.fc.weight)
    model.note = "the user's own"
    seen: list[str] = []
    model.fc.register_forward_hook(lambda *_: seen.append("after"))
    model.conv.register_forward_pre_hook(lambda *_: seen.append("before"))
    model.again.register_full_backward_hook(lambda *_: None)
    model.seen = seen
    return model


def told(value):
    """A value by which it can be compared: tensors by their bytes and where they lie."""
    if isinstance(value, torch.Tensor):
        content = hashlib.sha256(value.detach().numpy().tobytes()).hexdigest()
        grad = None if value.grad is None else told(value.grad)
        place = value.data_ptr(), value.untyped_storage().data_ptr(), value._version
        return id(value), content, place, value.dtype, value.requires_grad, grad
    if isinstance(value, dict):
        return [(key, told(one)) for key, one in value.items()]
    if isinstance(value, (list, tuple)):
        return [told(one) for one in value]
    return value if isinstance(value, (int, float, str, type(None))) else id(value)


def state_of(model):
    """Everything of every module: attributes, tensors, modes, hooks, and the classes themselves."""
    return {
        name: (
            type(module),
            told({key: one for key, one in vars(module).items() if key not in HOOKS}),
            {hook: told(dict(getattr(module, hook))) for hook in HOOKS},
            sorted(vars(type(module))),
        )
        for name, module in model.named_modules()
    }


def skip_if_missing(tool):
    if version(PACKAGES[tool]) is None:
        pytest.skip(f"{tool} is not installed")


def an_input():
    return torch.empty(1, 3, 8, 8, device="meta")


def assert_fails(tool):
    """The model's own error comes out; some tools raise another one from it."""
    model = users_model(fails=True)
    before = state_of(model)
    with pytest.raises((LookupError, RuntimeError)) as caught:
        COUNTERS[tool](model, an_input())
    causes = (caught.value, caught.value.__cause__, caught.value.__context__)
    assert any("the model's own error" in str(cause) for cause in causes)
    assert state_of(model) == before
    assert model.seen == []


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tool", COUNTERS)
def test_a_users_model_is_as_it_was(tool, training):
    skip_if_missing(tool)
    model = users_model()
    model.fc.train(training)
    before = state_of(model)
    counted = COUNTERS[tool](model, an_input())
    assert state_of(model) == before
    assert model.seen == []  # the user's hooks didn't run
    assert counted.total > 0


@pytest.mark.parametrize("tool", COUNTERS)
def test_also_after_an_exception_inside_forward(tool):
    skip_if_missing(tool)
    assert_fails(tool)


@pytest.mark.parametrize("tool", COUNTERS)
def test_pytorch_is_as_it_was(tool):
    """What some replace while they count is put back, also after an exception."""
    skip_if_missing(tool)
    COUNTERS[tool](users_model(), an_input())  # what imports add, is there
    owners = (torch, functional, torch.Tensor, nn.Module, nn.Conv2d, nn.Linear, nn.ReLU)
    before = [dict(vars(owner)) for owner in owners]
    torch.manual_seed(7)
    random = torch.get_rng_state()
    COUNTERS[tool](users_model(), an_input())
    assert_fails(tool)
    assert [dict(vars(owner)) for owner in owners] == before
    assert torch.is_grad_enabled()
    torch.manual_seed(7)
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("tool", COUNTERS)
def test_counting_twice_gives_the_same(tool):
    skip_if_missing(tool)
    model = users_model()
    assert COUNTERS[tool](model, an_input()) == COUNTERS[tool](model, an_input())


def test_the_state_can_tell():
    """Else the comparisons above would say nothing."""
    changes = [
        lambda model: model.norm.running_mean.add_(1),
        lambda model: model.fc.weight.mul_(2),
        lambda model: model.eval(),
        lambda model: model.norm.train(),
        lambda model: model.conv.weight.requires_grad_(True),
        lambda model: setattr(model.once_more, "weight", nn.Parameter(model.again.weight.clone())),
        lambda model: model.fc.register_forward_hook(lambda *_: None),
        lambda model: model.fc._forward_hooks.clear(),
        lambda model: model.act.register_buffer("total_ops", torch.zeros(1)),
        lambda model: model.extra["names"].append("c"),
        lambda model: model.fc.zero_grad(),
        lambda model: setattr(model, "note", 0),
        lambda model: setattr(model.fc, "__flops__", 0),
        lambda model: model(torch.rand(1, 3, 8, 8)),
    ]
    for change in changes:
        model = users_model()
        before = state_of(model)
        with torch.no_grad():
            change(model)
        assert state_of(model) != before, change


def test_a_copy_shares_what_was_shared_and_no_memory():
    model = users_model()
    for copied in (counters.meta_copy(model), counters.light_copy(model)):
        assert copied.again.weight is copied.once_more.weight
        assert not copied.conv.weight.requires_grad
        assert not copied.training
        assert not any(getattr(module, hook) for module in copied.modules() for hook in HOOKS)
        own = {one.untyped_storage().data_ptr() for one in model.state_dict().values()}
        assert not own & {
            one.untyped_storage().data_ptr() for one in copied.state_dict().values() if one.numel()
        } - {0}
    assert {one.device.type for one in counters.meta_copy(model).state_dict().values()} == {"meta"}


def test_what_takes_too_much_memory_is_not_run(monkeypatch):
    """A counter that computes values is left out with the reason; the others still count."""
    from archcalc.pytorch import devices

    monkeypatch.setattr(devices, "free_bytes", lambda _: 1000)
    verification = archcalc.verify("lenet5")
    left_out = {check.key: [one.reason for one in check.left_out] for check in verification.checks}
    assert any("and 1,000 are free" in reason for reason in left_out["fvcore"])
    found = archcalc.reconcile("lenet5", tools=["fvcore", "thop"])
    assert [one.tool for one in found.tools] == ["thop"]
    assert ["fvcore was not run on lenet5" in one for one in found.failures] == [True]


def test_a_file_with_an_at_sign_in_its_name(tmp_path):
    path = tmp_path / "a@b.yaml"
    path.write_text("name: a\ninput: [1, 4, 4]\nlayers:\n  - conv: {out: 2, kernel: 3}\n")
    ran = run("verify", str(path))
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("command", ["verify", "reconcile"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(command, monkeypatch):
    def never(*_, **__):
        pytest.fail("it began")

    monkeypatch.setattr(f"archcalc.pytorch.{command}.{command}", never)
    ran = run(command, "lenet5", "-o", "/no/such/place/x.md")
    assert (ran.code, ran.out) == (2, "")
    assert "can't write '/no/such/place/x.md'" in ran.err
