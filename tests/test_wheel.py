"""What is shipped: the wheel (made from the sdist) and the versions and pins around it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import archcalc

ROOT = Path(__file__).parents[1]


def build(target: str, project: Path, into: Path) -> Path:
    """The sdist or wheel of the project in a directory."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The sdist, unpacked."""
    archive = build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / f"archcalc-{archcalc.__version__}"


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel made from the sdist: text of its files by name."""
    with zipfile.ZipFile(build("wheel", sdist, tmp_path_factory.mktemp("wheel"))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def metadata(wheel, name):
    return wheel[f"archcalc-{archcalc.__version__}.dist-info/{name}"]


def test_wheel_holds_every_spec_and_module(wheel):
    specs = {f"archcalc/{path.relative_to(ROOT)}" for path in ROOT.glob("specs/**/*.yaml")}
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("archcalc/**/*.py")}
    shipped = {name for name in wheel if ".dist-info/" not in name}
    assert len(specs) >= 6
    assert shipped == specs | modules | {"archcalc/py.typed"}


def test_wheel_names_its_command_version_and_license(wheel):
    headers = HeaderParser().parsestr(metadata(wheel, "METADATA"))
    assert headers["Version"] == archcalc.__version__
    assert headers["License-Expression"] == "Apache-2.0"
    assert "archcalc = archcalc.__main__:main" in metadata(wheel, "entry_points.txt").splitlines()
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_sdist_can_be_tested(sdist):
    for name in ("tests/test_wheel.py", "specs/googlenet.yaml", "constraints.txt", "README.md"):
        assert (sdist / name).is_file()


def requirements():
    """Every requirement of the project and its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [project["dependencies"], *project["optional-dependencies"].values()]
    every = [Requirement(text) for group in texts for text in group]
    return [one for one in every if one.name != "archcalc"]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    parted = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in parted}


@pytest.mark.parametrize("requirement", requirements(), ids=lambda one: one.name)
def test_constraints_pin_what_is_required(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_changelog_describes_this_version():
    headings = [
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    ]
    assert headings[0].split()[1] == archcalc.__version__
