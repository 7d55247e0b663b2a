"""Packages that archcalc can do without: one sentence where they are missing, before any work."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import bad
from packaging.requirements import Requirement

import archcalc
from archcalc import packages
from archcalc.analysis.tools import TOOLS
from archcalc.errors import PackageError

ROOT = Path(__file__).parents[1]
INSTALLS_TORCH = f"this installs it: {packages.installing('torch')}"
NOBODY = "no-such-network"  # it is never looked for


def without(monkeypatch, *names):
    """As if these packages were not installed: Python's own mark for that."""
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("command", "user"),
    [
        (["build", NOBODY, "-o", "x.pt"], "build"),
        (["build", NOBODY, "-o", "x.onnx"], "build"),
        (["verify", NOBODY], "verify"),
        (["verify", "--all"], "verify"),
        (["reconcile", NOBODY], "reconcile"),
        (["reconcile", NOBODY, "--tool", "thop"], "reconcile"),
        (["profile", NOBODY], "profile"),
        (["compare", NOBODY, "--device", "cpu"], "compare --device"),
    ],
)
def test_commands_without_torch_say_what_installs_it(monkeypatch, tmp_path, command, user):
    monkeypatch.chdir(tmp_path)
    without(monkeypatch, "torch")
    wanted = f"error: {user}: expected the package torch, received none; {INSTALLS_TORCH}\n"
    assert bad(*command) == wanted
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "function", [archcalc.build, archcalc.verify, archcalc.reconcile], ids=lambda one: one.__name__
)
def test_functions_without_torch_say_so(monkeypatch, function):
    without(monkeypatch, "torch")
    with pytest.raises(PackageError, match="torch, received none; this installs it"):
        function(NOBODY)


def test_a_data_frame_without_pandas(monkeypatch):
    table = archcalc.tabulate(archcalc.analyze("lenet5"))
    without(monkeypatch, "pandas")
    with pytest.raises(PackageError, match=r"to_pandas: .* \S*archcalc\[pandas\]"):
        table.to_pandas()


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
@pytest.mark.parametrize("target", [["-o", "x.ONNX"], ["-o", "x", "--format", "onnx"]])
def test_onnx_without_its_packages(monkeypatch, tmp_path, package, target):
    monkeypatch.chdir(tmp_path)
    without(monkeypatch, package)
    said = bad("build", NOBODY, *target)
    assert f"build: expected the package {package}, received none" in said
    assert packages.installing("onnx") in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tool", [name for name in TOOLS if name != "torch"])
def test_a_tool_that_is_asked_for_and_is_not_installed(monkeypatch, tool):
    without(monkeypatch, tool)
    said = bad("reconcile", NOBODY, "--tool", tool)
    assert f"reconcile --tool {tool}: expected the package {tool}, received none" in said
    assert packages.installing(tool) in said


# The rest works. The question is asked of a fresh process, where nothing is imported yet.

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Blocker())
from archcalc.cli import main
sys.argv = {arguments!r}
main()
"""


@pytest.mark.parametrize(
    ("arguments", "code"), [(["table", "lenet5", "--as", "thop"], 0), (["verify", "lenet5"], 2)]
)
def test_a_process_in_which_nothing_heavy_can_be_imported(arguments, code):
    names = {"torch", "numpy", "pandas", "fvcore", "thop", "onnx"}
    program = BLOCKED.format(names=names, arguments=["archcalc", *arguments])
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == code, ran
    assert (INSTALLS_TORCH in ran.stderr) == (code == 2)
    assert "Traceback" not in ran.stderr


def test_verify_carries_on_without_other_peoples_counters(monkeypatch):
    from archcalc.pytorch import counters

    known = counters.version
    lacking = {"fvcore", "thop"}
    monkeypatch.setattr(counters, "version", lambda tool: None if tool in lacking else known(tool))
    checks = {check.key: check for check in archcalc.verify("lenet5").checks}
    for name in lacking:
        [left_out] = checks[name].left_out
        assert checks[name].witness == name
        assert left_out.reason == f"it is not installed; {INSTALLS_TORCH}"
    assert checks["torch"].compared


# The line names the Python that archcalc runs in: `pipx` and `uv` have environments of their own.


@pytest.mark.parametrize(
    ("first", "has_pip", "line"),
    [
        ("/a/venv/bin/python", True, 'python -m pip install "archcalc[torch]"'),
        ("/usr/bin/python", True, '"/a/venv/bin/python3" -m pip install "archcalc[torch]"'),
        (None, True, '"/a/venv/bin/python3" -m pip install "archcalc[torch]"'),
        (None, False, 'uv pip install --python "/a/venv/bin/python3" "archcalc[torch]"'),
    ],
)
def test_the_line_is_for_the_python_that_runs(monkeypatch, first, has_pip, line):
    monkeypatch.setattr(sys, "executable", "/a/venv/bin/python3")
    monkeypatch.setattr("shutil.which", lambda name: first)
    monkeypatch.setattr(packages, "_has_pip", lambda: has_pip)
    assert packages.installing("torch") == line
    assert packages.installing("thop", "fvcore") == line
    both = line + ' "ptflops"'
    assert packages.installing("torch", "ptflops") == both


# A package that is there but broken is no missing one.


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "raise ImportError('libcudart.so.13: cannot open shared object file')",
            "received ImportError: libcudart.so.13: cannot open shared object file",
        ),
        ("import numpy_of_old", "received ModuleNotFoundError: No module named 'numpy_of_old'"),
        ("raise OSError('a DLL\\nis missing')", "received OSError: a DLL is missing"),
    ],
)
def test_a_broken_package(monkeypatch, tmp_path, code, said):
    (tmp_path / "broken_package.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PackageError) as raised:
        packages.imported("broken_package", "verify")
    expected = "verify: expected the package broken_package to be importable, "
    assert str(raised.value).startswith(expected + said)
    assert "pip install" not in str(raised.value)


def test_a_broken_torch_ends_a_command_with_a_sentence(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        "raise ImportError('libtorch.so: no such file')"
    )
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    program += "sys.argv = ['archcalc', 'verify', 'lenet5']\nfrom archcalc.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "error: verify: expected the package torch to be importable, received ImportError: "
        "libtorch.so: no such file; it is installed, but broken: install it again\n"
    )


def test_a_mere_folder_is_no_package(monkeypatch, tmp_path):
    (tmp_path / "hollow").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not packages.is_installed("hollow")
    assert packages.is_installed("json")
    assert not packages.is_installed("surely_not_there")


# The lines that are printed are true.


def extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        name: [Requirement(text) for text in texts]
        for name, texts in project["optional-dependencies"].items()
    }


def brought_by(extra):
    """The packages that an extra installs, those of extras that it includes among them."""
    for requirement in extras()[extra]:
        if requirement.name == "archcalc":
            for inner in requirement.extras:
                yield from brought_by(inner)
        else:
            yield requirement.name


@pytest.mark.parametrize("package", packages.REQUIREMENTS)
def test_what_is_said_to_install_a_package_does(package):
    wanted = Requirement(packages.REQUIREMENTS[package])
    brought = [one for extra in wanted.extras for one in brought_by(extra)] or [wanted.name]
    assert package in brought
    assert packages.REQUIREMENTS[package] in packages.installing(package)


def test_every_tool_is_known():
    assert set(TOOLS) <= set(packages.REQUIREMENTS)


def test_what_needs_no_torch_is_small():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {Requirement(text).name for text in project["dependencies"]}
    assert names == {"typer", "rich", "PyYAML"}
    assert {"torch", "pandas", "onnx", "onnxscript"} <= set(brought_by("all"))
    for extra in ("onnx", "bench", "test", "dev"):
        assert "torch" in set(brought_by(extra))
