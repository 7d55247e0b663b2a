"""Files of `archcalc build` in ONNX: tensors by their names, named outputs, what they give."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

import pytest
import random_checks as checks
import torch
from command import bad, good
from test_build import DETECTOR, NESTED

import archcalc
from archcalc.pytorch import export

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from archcalc.pytorch import onnx_file  # noqa: E402 - it needs both

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archcalc.graph import Graph

# By hand: 3*4*3*3 + 4, 4 + 4, 4*2 + 2 are 130 params; running mean and variance are 8 more.
FOLDED = """
input: [3, 8, 8]
layers:
  - conv: {out: 4, kernel: 3}
  - batchnorm
  - relu
  - conv: {out: 2, kernel: 1}
"""

# Four outputs: a layer in the middle, one that changes nothing, and one that has the name of
# another layer; and another's weights.
WOVEN = """
input: [4]
layers:
  - linear: {name: first, out: 4}
  - linear: {name: again, out: 4, weights: first}
  - dropout: {name: kept}
  - linear: {name: apart, out: 2}
outputs: [first, {from: kept, name: dropped}, {from: again, name: apart}, {from: apart, name: last}]
"""


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx")
    (path / "folded.yaml").write_text(FOLDED)
    assert good("build", str(path / "folded.yaml"), "-o", str(path / "folded.onnx")) == ""
    return path


def test_a_file_has_every_tensor_by_its_name(folded: Path) -> None:
    program = onnx.load(folded / "folded.onnx")
    onnx.checker.check_model(program, full_check=True)
    assert [node.op_type for node in program.graph.node] == [
        "Conv", "BatchNormalization", "Relu", "Conv",
    ]  # fmt: skip
    assert {one.name: list(one.dims) for one in program.graph.initializer} == {
        "conv1.weight": [4, 3, 3, 3],
        "conv1.bias": [4],
        "batchnorm1.weight": [4],
        "batchnorm1.bias": [4],
        "batchnorm1.running_mean": [4],
        "batchnorm1.running_var": [4],
        "conv2.weight": [2, 4, 1, 1],
        "conv2.bias": [2],
    }
    [takes], [gives] = program.graph.input, program.graph.output
    assert (takes.name, checks.axes(takes)) == ("input", ["batch", 3, 8, 8])
    assert (gives.name, checks.axes(gives)) == ("conv2", ["batch", 2, 6, 6])


def test_optimize_folds_them(folded: Path) -> None:
    """The norm goes into the weights before it; names and the batch stay."""
    path = folded / "small.onnx"
    assert good("build", str(folded / "folded.yaml"), "--optimize", "-o", str(path)) == ""
    program = onnx.load(path)
    assert [node.op_type for node in program.graph.node] == ["Conv", "Relu", "Conv"]
    [gives] = program.graph.output
    assert (gives.name, checks.axes(gives)) == ("conv2", ["batch", 2, 6, 6])


def test_optimize_is_for_onnx() -> None:
    said = bad("build", "lenet5", "--optimize", "-o", "x.pt")
    assert "--optimize: expected the format onnx, received state-dict" in said


@pytest.mark.slow
def test_it_gives_what_the_model_gives() -> None:
    """With parts applied several times, in each other; and a choice among 64 anchors."""
    bare = "input: [2, 9]\nlayers: [conv: {out: 5, kernel: 3, bias: false}, batchnorm]\n"
    texts = [
        FOLDED,
        WOVEN,
        NESTED,
        bare,
        DETECTOR.replace("input: [3, 24, 32]", "input: [3, 12, 16]"),
    ]
    graphs = [checks.graph_of(text) for text in texts]
    graphs += [archcalc.analyze(name).graph for name in ("lenet5", "zfnet-deconv")]
    templates = onnx_file.Templates(torch.float32)
    templates.learn(graphs)
    for graph in graphs:
        checks.check_onnx(graph, templates)


@pytest.mark.slow
def test_pools_in_ceil_mode_are_pytorchs() -> None:
    """A last window that begins in the padding, and averages over fewer than the window holds."""
    windows = ((5, 2, 3, 1), (4, 2, 4, 1), (7, 3, 3, 0), (5, 4, 3, 1), (8, 3, 2, 0), (2, 2, 2, 1))
    graphs = [
        checks.graph_of(
            f"input: [1, {size}]\nlayers: [{kind}: "
            f"{{kernel: {kernel}, stride: {stride}, padding: {padding}, ceil: true}}, relu]\n"
        )
        for kind in ("maxpool", "avgpool")
        for size, kernel, stride, padding in windows
    ]
    templates = onnx_file.Templates(torch.float32)
    templates.learn(graphs)
    for graph in graphs:
        checks.check_onnx(graph, templates)


@pytest.mark.slow
def test_a_layer_that_onnx_lacks_is_named(tmp_path: Path) -> None:
    """PyTorch's exporter has no adaptive pools of three axes whose windows differ."""
    spec = tmp_path / "lacking.yaml"
    spec.write_text("input: [1, 5, 5, 5]\nlayers: [relu, adaptiveavgpool: {name: p, size: 3}]\n")
    said = bad("build", str(spec), "-o", str(tmp_path / "x.onnx"))
    assert "lacking.yaml:2:16: layer p: expected layers that PyTorch" in said
    assert "can write in ONNX, received adaptiveavgpool" in said


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, folded: Path) -> tuple[Any, Graph]:
    """A model and its graph, of which the translation is done already."""
    graph = checks.graph_of(FOLDED)
    model = archcalc.build(graph)
    templates = onnx_file.Templates(torch.float32)
    model_proto = onnx.load(folded / "folded.onnx")
    tensors = {name: one.detach() for name, one in model.state_dict().items() if one.dim()}
    model_proto.graph.ClearField("initializer")
    monkeypatch.setattr(onnx_file, "Templates", lambda _: templates)
    made = onnx_file.Network(model_proto, tensors)
    monkeypatch.setattr(onnx_file, "network", lambda *_: made)
    return model, graph


def test_large_tensors_lie_in_a_file_beside_it(
    written: tuple[Any, Graph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.onnx"
    monkeypatch.setattr(export, "MOST_BYTES", 100)
    export.save(*written, str(path))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["large.onnx", "large.onnx.data"]
    onnx.checker.check_model(str(path), full_check=True)
    found = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
    for name, tensor in written[0].state_dict().items():
        if tensor.dim():
            assert torch.equal(torch.from_numpy(found[name].copy()), tensor)


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files can have 300 bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("name", ["x.onnx", "beside.onnx", "x.pt", "x.pt2"])
def test_a_full_disk_keeps_the_old_file(
    name: str,
    written: tuple[Any, Graph],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyTorch's own writers give a traceback, or end the process."""
    path = tmp_path / name
    path.write_bytes(b"precious")
    if name == "beside.onnx":
        monkeypatch.setattr(export, "MOST_BYTES", 100)
    with pytest.raises(archcalc.ArchcalcError, match=r"^can't write '.*': File too large$"):
        export.save(*written, str(path))
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_every_network_has_its_parameters() -> None:
    """Names, shapes and numbers; without their values, which would be 5 GB."""
    graphs = [archcalc.analyze(name).graph for name in archcalc.networks()]
    templates = onnx_file.Templates(torch.float32)
    templates.learn(graphs)
    for graph in graphs:
        model = archcalc.build(graph, device="meta")
        made = onnx_file.network(model, graph, templates)
        stated = archcalc.analyze(graph).totals
        trainable = [one for one in made.tensors.values() if one.requires_grad]
        assert sum(map(torch.numel, trainable)) == stated.params, graph.name
        described = [onnx_file._described_tensor(*one) for one in made.tensors.items()]
        made.model.graph.initializer.extend(described)
        checks.check_tensors(graph, made.model)
        onnx.shape_inference.infer_shapes(made.model, strict_mode=True)  # raises what is wrong
        taken = {name for node in made.model.graph.node for name in node.input}
        assert set(made.tensors) <= taken, graph.name  # each is used
