"""What a machine still has; and machines that have less than Linux, or too little memory."""

from __future__ import annotations

import ast
import os
import re
import resource
import sys
from typing import TYPE_CHECKING

import pytest
from command import bad, run
from test_architecture import PACKAGE

import archcalc
from archcalc import machine
from archcalc.errors import SettingError

if TYPE_CHECKING:
    from pathlib import Path

# Of `os` and `signal`, and whole modules, that Windows lacks.
POSIX = {
    "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups",
    "getloadavg", "getpgid", "getpgrp", "getpriority", "getuid", "killpg", "mkfifo", "nice",
    "sched_getaffinity", "setsid", "setuid", "statvfs", "sysconf", "uname", "wait3", "wait4",
    "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "SIGALRM",
    "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGXFSZ",
    "alarm", "pthread_kill", "pthread_sigmask", "setitimer", "sigwait",
}  # fmt: skip
GUARDS = ("hasattr(", "sys.platform", "except ImportError", "except AttributeError")
MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "syslog"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose files say nothing, and whose processes have no limit."""
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.delattr(os, "sysconf")
    return tmp_path


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.usefixtures("root")
def test_where_nothing_tells_nothing_is_known() -> None:
    assert machine.free_bytes() is None
    machine.check_memory("net", "its model", 10**30)


def test_memory_of_the_machine(root: Path) -> None:
    write(root, proc__meminfo="MemTotal: 9 kB\nMemAvailable:      5 kB\n")
    assert machine.free_bytes() == 5 * 1024


def test_memory_of_a_container(root: Path) -> None:
    """What is used is 700, of which files have 100 that are given back: 1000 - 600."""
    write(root, proc__self__cgroup="0::/\n")
    group = root / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("700\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 100\n")
    assert machine.free_bytes() == 400


def test_memory_of_a_group_around_it(root: Path) -> None:
    """The limit of the outer group is the smaller one; the inner one has none."""
    write(root, proc__self__cgroup="0::/outer/inner\n")
    for name, limit in (("outer", "500"), ("outer/inner", "max")):
        group = root / "sys/fs/cgroup" / name
        group.mkdir(parents=True)
        (group / "memory.max").write_text(limit)
        (group / "memory.current").write_text("200")
    assert machine.free_bytes() == 300


def test_memory_of_a_group_of_version_1(root: Path) -> None:
    write(root, proc__self__cgroup="5:cpu:/x\n4:memory:/docker/1\n")
    group = root / "sys/fs/cgroup/memory"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("1000")
    (group / "memory.usage_in_bytes").write_text("900")
    assert machine.free_bytes() == 100


def test_memory_that_a_limit_of_addresses_leaves(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, proc__self__statm="3 2 1")
    pages = resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10 * pages, 10 * pages))
    assert machine.free_bytes() == 7 * pages


def test_a_model_beyond_memory_is_refused_before_torch_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """60,840 weights and buffers of LeNet-5 take 243,360 bytes, in float64 twice that."""
    monkeypatch.setattr(machine, "free_bytes", lambda: 243_359)
    monkeypatch.setattr("archcalc.cli.built.start_torch", None)
    said = bad("build", "lenet5", "-o", str(tmp_path / "x.pt"))
    assert "expected its model to take at most 243,359 bytes, which are free here" in said
    assert "received a network that takes about 243,360" in said
    assert "about 486,720" in bad("build", "lenet5", "--dtype", "float64", "-o", "x.onnx")
    with pytest.raises(SettingError, match="about 243,360"):
        archcalc.build("lenet5")
    assert not list(tmp_path.iterdir())


def test_a_counter_that_copies_weights_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A linear of 30,000 x 30,000 took 3.6 GB: one zero, seen at every index, is copied."""
    spec = tmp_path / "wide.yaml"
    spec.write_text("input: [30000]\nlayers: [linear: {out: 30000}]\n")
    monkeypatch.setattr(machine, "free_bytes", lambda: 3 * 10**9)
    ran = run("verify", str(spec))
    assert ran.code == 0
    assert "1 it runs the network, which takes about 3,60" in ran.out.replace("\n", " ")


def test_nothing_is_asked_that_windows_lacks() -> None:
    """Unless the same function asks for it first, or handles its absence."""
    paths = sorted(PACKAGE.rglob("*.py"))
    files = {path: path.read_text(encoding="utf-8") for path in paths}
    word = re.compile(r"\b(" + "|".join(sorted(POSIX | MODULES)) + r")\b")
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path, text in files.items()
        if word.search(text)
        for line in unguarded(ast.parse(text))
    ]
    assert not wrong


def unguarded(tree: ast.AST) -> list[int]:
    """The lines that use a name of POSIX alone."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.Try, ast.If, ast.Assign)) and any(
            word in ast.unparse(node) for word in GUARDS
        ):
            continue
        if uses_posix(node):
            found.append(node.lineno)  # type: ignore[attr-defined]
        found += unguarded(node)
    return found


def uses_posix(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id in ("os", "signal") and node.attr in POSIX
    if isinstance(node, ast.Import):
        return not MODULES.isdisjoint(alias.name for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module in MODULES


@pytest.mark.slow
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "lenet5"),
        ("reconcile", "lenet5"),
        ("profile", "lenet5", "--budget", "0.1", "--no-layers"),
        ("compare", "lenet5", "nin-cifar", "--device", "cpu", "--budget", "0.1"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_ask_for_memory_run_without_posix(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("getloadavg", "getuid", "geteuid", "fchmod", "uname"):
        monkeypatch.delattr(os, name)
    for name in ("resource", "pwd"):
        monkeypatch.setitem(sys.modules, name, None)
    ran = run(*arguments, XDG_CACHE_HOME=str(tmp_path))
    assert (ran.code, "AttributeError" in ran.err) == (0, False), ran.err
