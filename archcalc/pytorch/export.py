"""Models in files: a state_dict, a program of torch.export, or ONNX."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from archcalc import words
from archcalc.errors import OutputError, did_you_mean, received
from archcalc.packages import imported
from archcalc.pytorch.counters import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from archcalc.pytorch.model import Network

SUFFIXES = {".pt": "state-dict", ".pth": "state-dict", ".pt2": "pt2", ".onnx": "onnx"}


def format_of(path: str, name: str | None) -> str:
    """The format asked for, or the one that a file's suffix means; raises OutputError."""
    if name is not None:
        if name in FORMATS:
            return name
        raise OutputError(
            f"--format: expected one of {', '.join(FORMATS)}, received {received(name)}",
            hint=words.near("MODEL_FORMATS", name, FORMATS),
        )
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    raise OutputError(
        f"{path}: expected a file name that ends in {', '.join(SUFFIXES)}, "
        f"received {received(suffix or 'no suffix')}",
        hint=did_you_mean(suffix, SUFFIXES) if suffix else "or say --format",
    )


def save_state_dict(model: Network, path: str) -> None:
    """Weights and buffers by their names, for `load_state_dict`."""
    torch.save(model.state_dict(), path)


def exported(model: Network) -> torch.export.ExportedProgram:
    """The model in evaluation mode as a program that takes batches of any size."""
    _check_names(model)
    was_training = model.training
    example = torch.zeros(2, *model._input_shape, dtype=_dtype(model), device=_device(model))
    sizes = {0: torch.export.Dim("batch", min=1)}
    try:
        with quiet():
            return torch.export.export(model.eval(), (example,), dynamic_shapes=((sizes,),))
    finally:
        model.train(was_training)


def _check_names(model: Network) -> None:
    """torch.export finds submodules as attributes, where a module's own come first."""
    for path, module in model.named_modules():
        for name in module._modules:
            if hasattr(type(module), name) or name in module.__dict__:
                layer = f"{path}.{name}".removeprefix(".").replace(".", "/")
                raise OutputError(
                    "expected layer names that torch.export can take, received one that all of "
                    "PyTorch's modules have for themselves",
                    layer=layer,
                    hint="name it otherwise, or save a state_dict",
                )


def save_program(model: Network, path: str) -> None:
    """A program of torch.export, for `torch.export.load`."""
    torch.export.save(exported(model), path)


def save_onnx(model: Network, path: str) -> None:
    """ONNX with one input `x`; raises PackageError where its packages are missing."""
    for package in ("onnx", "onnxscript"):
        imported(package, "ONNX")
    with quiet():
        program: Any = torch.onnx.export(
            exported(model), dynamo=True, verbose=False, input_names=["x"], external_data=False
        )
        program.save(path, external_data=False)


def _dtype(model: Network) -> torch.dtype:
    return next((one.dtype for one in model.parameters()), torch.float32)


def _device(model: Network) -> torch.device:
    return next((one.device for one in model.parameters()), torch.device("cpu"))


FORMATS: dict[str, Callable[[Network, str], None]] = {
    "state-dict": save_state_dict,
    "pt2": save_program,
    "onnx": save_onnx,
}
