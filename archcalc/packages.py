"""Packages that archcalc can do without: whoever needs one says which line installs it."""

from __future__ import annotations

from typing import Any

from archcalc.errors import PackageError, one_line

# Package -> what pip is asked for. An extra of archcalc brings what else the package takes.
REQUIREMENTS = {
    "torch": "archcalc[torch]",
    "fvcore": "archcalc[torch]",
    "thop": "archcalc[torch]",
    "numpy": "archcalc[sweep]",
    "pandas": "archcalc[pandas]",
    "onnx": "archcalc[onnx]",
    "onnxscript": "archcalc[onnx]",
    "torchinfo": "torchinfo",
    "ptflops": "ptflops",
    "calflops": "archcalc[bench]",
}


def installing(*packages: str) -> str:
    """The line that installs these packages for this Python; double quotes do in every shell."""
    wanted = dict.fromkeys(REQUIREMENTS[package] for package in packages)
    return " ".join([_installer(), *(f'"{one}"' for one in wanted)])


def _installer() -> str:
    """What installs packages where archcalc is; tools of uv have an environment without pip."""
    import os
    import shutil
    import sys

    here = f'"{sys.executable}"'
    if not _has_pip():
        return f"uv pip install --python {here}"
    first = shutil.which("python") or ""
    is_first = os.path.dirname(first) == os.path.dirname(sys.executable)
    return f"{'python' if is_first else here} -m pip install"


def _has_pip() -> bool:
    """Whether pip is there; looking for the module instead makes setuptools replace distutils."""
    from importlib import metadata

    try:
        return bool(metadata.version("pip"))
    except metadata.PackageNotFoundError:
        return False


def is_installed(package: str) -> bool:
    """Whether a package can be found; it is not imported."""
    from importlib.util import find_spec

    try:
        spec = find_spec(package)
    except ImportError:
        return False
    except ValueError:  # a module without a spec, which somebody put there
        return True
    return spec is not None and spec.origin is not None  # a mere folder of that name has none


def require(package: str, user: str) -> None:
    """Raise PackageError if a package isn't installed; `user` is what needs it."""
    if not is_installed(package):
        raise PackageError(
            f"{user}: expected the package {package}, received none",
            hint=f"this installs it: {installing(package)}",
        )


def imported(package: str, user: str) -> Any:
    """The package, imported; raises PackageError where it is missing, or can't be imported."""
    from importlib import import_module

    require(package, user)
    try:
        return import_module(package)
    except (ImportError, OSError) as error:  # a library of its own that can't be loaded
        if "failed to map segment" in str(error):  # so the loader says it
            raise MemoryError from error
        said = f"{type(error).__name__}: {one_line(str(error))}"
        raise PackageError(
            f"{user}: expected the package {package} to be importable, received {said}",
            hint="it is installed, but broken: install it again",
        ) from error
