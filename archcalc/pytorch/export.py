"""Models in files: a state_dict, a program of torch.export, or ONNX."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import torch

from archcalc import words
from archcalc.errors import OutputError, SettingError, did_you_mean, received
from archcalc.files import save_file
from archcalc.packages import imported
from archcalc.pytorch.counters import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archcalc.graph import Graph
    from archcalc.pytorch.model import Network

SUFFIXES = {".pt": "state-dict", ".pth": "state-dict", ".pt2": "pt2", ".onnx": "onnx"}
FORMATS = ("state-dict", "pt2", "onnx")
MOST_BYTES = 2**31 - 2**24  # of tensors in an ONNX file, which can have 2 GiB: others lie beside it


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
        f"received {received(suffix) if suffix else 'a name without a suffix'}",
        hint=did_you_mean(suffix, SUFFIXES) if suffix else "or say --format",
    )


def save(
    model: Network, graph: Graph, path: str, name: str | None = None, *, optimize: bool = False
) -> None:
    """Write a graph's model to a file, whole or not at all, in the format named or its suffix's.

    ONNX has every tensor of the spec by its name; with `optimize`, tensors and layers are folded
    into each other. Raises OutputError where the file can't be written, and leaves the old one.
    """
    chosen = format_of(path, name)
    check_optimize(chosen, optimize)
    if chosen == "onnx":
        save_onnx(model, graph, path, optimize=optimize)
    elif chosen == "pt2":
        save_file(path, lambda temporary: save_program(model, temporary))
    else:
        save_file(path, lambda temporary: save_state_dict(model, temporary))


def check_optimize(name: str, optimize: bool) -> None:
    """Raises SettingError where a format can't be optimized."""
    if optimize and name != "onnx":
        raise SettingError(f"--optimize: expected the format onnx, received {name}")


def save_state_dict(model: Network, path: str) -> None:
    """Weights and buffers by their names, for `load_state_dict`."""
    with _opened(path) as stream:
        torch.save(model.state_dict(), stream)


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
    program = exported(model)
    with _opened(path) as stream, quiet():
        torch.export.save(program, stream)


def save_onnx(model: Network, graph: Graph, path: str, *, optimize: bool = False) -> None:
    """ONNX with the spec's tensors and names; raises PackageError where its packages are missing.

    Tensors that are too large for one file lie in a second one beside it, FILE.data.
    """
    for package in ("onnx", "onnxscript"):
        imported(package, "ONNX")
    from archcalc.pytorch import onnx_file

    made = onnx_file.network(model, graph, onnx_file.Templates(_dtype(model)))
    size = sum(tensor.nbytes for tensor in made.tensors.values())
    if size <= MOST_BYTES:
        whole = [onnx_file.optimized(made)] if optimize else onnx_file.pieces(made)
        save_file(path, lambda temporary: _write(temporary, whole))
        return
    if optimize:
        raise SettingError(
            f"--optimize: expected a network of at most {MOST_BYTES:,} bytes of weights, "
            f"received one of {size:,}"
        )
    _save_beside(made, path)


def _save_beside(made: Any, path: str) -> None:
    """ONNX in two files, both written before one of them is in its place."""
    from archcalc.pytorch import onnx_file

    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(
            f"expected a file, beside which the weights find their place, received {received(path)}"
        )
    data = os.path.realpath(path) + ".data"
    whole = onnx_file.outside(made, os.path.basename(data))

    def both(temporary: str) -> None:
        _write(temporary, onnx_file.contents(made.tensors.values()))
        save_file(path, lambda file: _write(file, whole))

    save_file(data, both)


def _write(path: str, parts: Iterable[Any]) -> None:
    with open(path, "wb") as stream:
        stream.writelines(parts)


class _Sink:
    """A file for PyTorch's own writer, which ends the process where a write fails.

    So none fails: the first error is kept, and what comes after it is dropped.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.error: BaseException | None = None

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                self.stream.write(data)
            except BaseException as error:  # noqa: BLE001 - an interruption, too, is raised later
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Nothing: the stream is flushed when it is closed."""


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """A file for PyTorch to write to; what went wrong meanwhile is raised afterwards."""
    with open(path, "wb") as stream:
        sink = _Sink(stream)
        try:
            yield sink
        finally:
            if sink.error is not None:
                raise sink.error


def _dtype(model: Network) -> torch.dtype:
    return next((one.dtype for one in model.parameters()), torch.float32)


def _device(model: Network) -> torch.device:
    return next((one.device for one in model.parameters()), torch.device("cpu"))
