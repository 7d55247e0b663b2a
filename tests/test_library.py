"""Finding networks: by name, by path, by variant, in directories of one's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archcalc.errors import ArchcalcError, NetworkNotFound, SpecError
from archcalc.spec import library
from archcalc.spec.library import find

if TYPE_CHECKING:
    from pathlib import Path

TINY = "input: [3, 8, 8]\nlayers: [relu]\n"
FAMILY = TINY + "variants:\n  small: {}\n  large: {aliases: [big-one], title: The large one}\n"

NAMES = [
    ("vgg16", "vgg16"),
    ("VGG-16", "vgg16"),
    ("vgg_16", "vgg16"),
    ("VGG 16", "vgg16"),
    ("vgg-d", "vgg16"),
    ("vgg16-1x1", "vgg16-1x1"),
    ("VGG-C", "vgg16-1x1"),
    ("resnet_50", "resnet50"),
    ("ResNet-50", "resnet50"),
    ("Inception-V1", "googlenet"),
    ("GoogLeNet", "googlenet"),
    ("LeNet", "lenet5"),
    ("lenet-5", "lenet5"),
    ("CaffeNet", "caffenet"),
    ("AlexNet", "alexnet"),
    ("mobilenet_v1", "mobilenet"),
]


@pytest.fixture(autouse=True)
def no_specs_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)


@pytest.mark.parametrize(("name", "network"), NAMES)
def test_names_match_loosely(name: str, network: str) -> None:
    assert find(name).network == network


def test_a_file_and_its_variant_of_one_name() -> None:
    """alexnet.yaml holds alexnet and caffenet."""
    assert find("alexnet").title == "AlexNet"
    assert find("caffenet").defaults["pool_first"] is True


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet5O", "resnet50"),
        ("vgg61", "vgg16"),
        ("gogolenet", "googlenet"),
        ("mobilnet", "mobilenet"),
        ("alexnett", "alexnet"),
        ("lennet5", "lenet5"),
    ],
)
def test_unknown_name_suggests_near_ones(name: str, near: str) -> None:
    with pytest.raises(NetworkNotFound) as caught:
        find(name)
    assert caught.value.message == f"expected a network, received '{name}'"
    assert near in (caught.value.hint or "")


def test_unknown_name_with_nothing_near() -> None:
    with pytest.raises(NetworkNotFound) as caught:
        find("qqqqqq")
    assert "did you mean" not in str(caught.value)
    assert "list" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", "#", "a#b", "vgg#vgg16", "\x1b[31m", "x" * 10_000])
def test_odd_names_are_not_found(name: str) -> None:
    with pytest.raises(NetworkNotFound) as caught:
        find(name)
    assert len(str(caught.value)) < 300
    assert "\x1b" not in str(caught.value)


# Files.


@pytest.fixture
def family(tmp_path: Path) -> Path:
    path = tmp_path / "family.yaml"
    path.write_text(FAMILY)
    return path


@pytest.mark.parametrize("variant", ["large", "LARGE", "big_one"])
def test_path_with_a_variant(family: Path, variant: str) -> None:
    spec = find(f"{family}#{variant}")
    assert (spec.network, spec.title) == ("large", "The large one")


def test_path_without_a_variant_names_them(family: Path) -> None:
    with pytest.raises(NetworkNotFound) as caught:
        find(str(family))
    assert caught.value.message == f"expected one network, received {family} with 2"
    assert f"{family}#small" in (caught.value.hint or "")


def test_path_with_an_unknown_variant(family: Path) -> None:
    with pytest.raises(NetworkNotFound) as caught:
        find(f"{family}#lagre")
    assert caught.value.message == f"expected a variant of {family}, received 'lagre'"
    assert "large" in (caught.value.hint or "")


def test_path_whose_variant_is_called_like_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(FAMILY)
    assert find(str(path)).network == "small"


def test_path_of_one_network(tmp_path: Path) -> None:
    path = tmp_path / "my-net.yml"
    path.write_text(TINY)
    assert find(str(path)).network == "my-net"
    assert find(f"{path}#My_Net").network == "my-net"


def test_path_without_a_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    assert find("spec").network == "spec"
    assert find("./spec").network == "spec"


def test_missing_file_is_named() -> None:
    with pytest.raises(SpecError, match=r"nowhere/net\.yaml"):
        find("nowhere/net.yaml")


# Directories.


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    where = tmp_path / "specs"
    where.mkdir()
    (where / "mine.yaml").write_text(TINY)
    (where / "vgg16.yaml").write_text(TINY)
    return where


def test_directory_by_environment(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, str(directory))
    assert find("Mine").file == str(directory / "mine.yaml")
    assert find("vgg-16").file == str(directory / "vgg16.yaml")  # one's own come first
    assert find("vgg19").network == "vgg19"


def test_directories_by_environment(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(TINY)
    monkeypatch.setenv(library.VARIABLE, os.pathsep.join([str(tmp_path), str(directory)]))
    assert find("mine").file == str(tmp_path / "mine.yaml")
    assert find("vgg16").file == str(directory / "vgg16.yaml")


def test_directory_by_option_goes_first(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(TINY)
    monkeypatch.setenv(library.VARIABLE, str(directory))
    assert find("mine", [str(tmp_path)]).file == str(tmp_path / "mine.yaml")


def test_directory_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "/nonexistent")
    with pytest.raises(NetworkNotFound, match="expected a directory of specs"):
        find("vgg16")


def test_broken_file_of_that_name_says_why(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "broken.yaml").write_text("input: [3, 8, 8]\nlayers: [nothing]\n")
    monkeypatch.setenv(library.VARIABLE, str(directory))
    with pytest.raises(SpecError, match="received 'nothing'"):
        find("broken")
    assert find("mine").network == "mine"


def test_networks_lists_every_variant_once(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "unreadable.yaml").write_bytes(b"\xff")
    monkeypatch.setenv(library.VARIABLE, str(directory))
    names = [spec.network for spec in library.networks()]
    assert len(set(names)) == len(names)
    assert {"mine", "vgg11", "vgg16", "resnet152", "plain34", "caffenet", "lenet5"} <= set(names)
    [own] = [spec for spec in library.networks() if spec.network == "vgg16"]
    assert own.file == str(directory / "vgg16.yaml")


def test_every_shipped_network_is_found_by_its_name() -> None:
    for spec in library.networks():
        assert find(spec.network).network == spec.network


# What lies in a directory beside specs.


def test_only_files_are_looked_at(directory: Path) -> None:
    """To open a pipe waits until somebody writes into it, and a device may never end."""
    os.mkfifo(directory / "pipe.yaml")
    (directory / "folder.yaml").mkdir()
    (directory / "device.yaml").symlink_to("/dev/zero")
    (directory / "linked.yaml").symlink_to(directory / "mine.yaml")
    (directory / "nowhere.yaml").symlink_to(directory / "none")
    (directory / "ring.yaml").symlink_to(directory / "ring.yaml")
    errors: list[ArchcalcError] = []
    assert library.networks([str(directory)], on_error=errors.append)[0].network == "linked"
    assert [str(error) for error in errors] == [
        f"can't read '{directory}/nowhere.yaml': No such file or directory",
        f"can't read '{directory}/ring.yaml': Too many levels of symbolic links",
    ]
    assert find("mine", [str(directory)]).network == "mine"
    with pytest.raises(SpecError, match=r"can't read '.*nowhere.yaml': No such file"):
        find("nowhere", [str(directory)])


def test_a_directory_that_cannot_be_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's user may be root, who can read everything."""

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    for name in ("vgg16", "nothing"):
        with pytest.raises(NetworkNotFound, match=r"can't read the directory .*: Permission"):
            find(name, [str(directory)])
