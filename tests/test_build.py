"""Specs as PyTorch models: names, weights, values, files, and that they learn."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from command import run
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from zoo import NETWORKS, SAMPLED_NETWORKS

import archcalc
from archcalc.errors import LayerError, SettingError
from archcalc.ops import KINDS
from archcalc.pytorch import export
from archcalc.pytorch.builders import build_layer
from archcalc.pytorch.conv import TableConv
from archcalc.pytorch.model import build, initialize, layers
from archcalc.pytorch.stepping import Stepper
from archcalc.spec import library
from archcalc.spec.expansion import expand

EVERY_KIND = (
    "lenet5",
    "zfnet-deconv",
    "googlenet@auxiliary=true",
    "seresnet50",
    "highway-19",
    "mobilenet",
)
IMAGENET = [
    name for name in NETWORKS if archcalc.load(name).paper and archcalc.analyze(name).graph.input
    .facts.outputs[0][-1] >= 224
]  # fmt: skip


def layer(kind: str, *shapes: tuple[int, ...], seed: int = 0, **fields: Any) -> nn.Module:
    """One layer's module with values, on the CPU."""
    module = build_layer(KINDS[kind](**fields), shapes).eval()
    initialize(module, torch.Generator().manual_seed(seed))
    return module


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_memory_can_be_given_later() -> None:
    """A model made without memory holds nothing but its state_dict."""
    model = archcalc.build("lenet5").eval()
    bare = archcalc.build("lenet5", device="meta").eval()
    bare.load_state_dict(model.state_dict(), assign=True)
    x = random(2, 1, 32, 32)
    assert torch.equal(bare(x), model(x))


# Parts applied several times, and regions.

DETECTOR = """
settings: {regions: 6}
input: [3, 24, 32]
blocks:
  head:
    layers:
      - conv: {out: 5, kernel: 3, padding: 1}
      - batchnorm
      - relu
      - pairs: {times: 5}
      - flatten
  pairs: # of rows: one axis is left
    layers:
      - conv: {out: 2, kernel: 3, padding: 1}
layers:
  - conv: {name: map, out: 4, kernel: 3, stride: 4, padding: 1}
  - l2norm
  - conv: {name: scores, from: map, out: 2 * 3, kernel: 1}
  - conv: {name: boxes, from: map, out: 4 * 3, kernel: 1}
  - proposals:
      {name: chosen, from: [scores, boxes], number: regions, scales: 2, ratios: [0.5, 1, 2]}
  - roialign: {name: crops, from: [l2norm1, chosen], size: [4, 3], samples: 2}
  - head: {times: regions}
  - head: {name: other, from: crops, times: regions, weights: head1}
  - add: {from: [head1, other]}
outputs: [add1, chosen]
"""


def detector(**settings: Any) -> tuple[archcalc.Graph, nn.Module]:
    graph = archcalc.expand(library.parse(DETECTOR, "detector.yaml"), settings)
    return graph, build(graph).eval()


def test_a_part_is_applied_to_each() -> None:
    """One after another, by hand, the same comes out as all together."""
    _, model = detector()
    x = random(2, 3, 24, 32)
    given: dict[str, torch.Tensor] = {}
    model.get_submodule("crops").register_forward_hook(
        lambda _module, _inputs, output: given.update(crops=output)
    )
    with torch.no_grad():
        found = model(x)["add1"]
        head = model.get_submodule("head1")
        conv, norm = head.get_submodule("conv1"), head.get_submodule("batchnorm1")
        rows = head.get_submodule("pairs1.conv1")
        assert given["crops"].shape == (2, 6, 4, 4, 3)
        for image in range(2):
            for region in range(6):
                one = torch.relu(norm(conv(given["crops"][image, region][None])))[0]
                each = torch.stack([rows(one[i][None])[0] for i in range(5)])
                wanted = 2 * each.flatten()
                assert torch.allclose(found[image, region], wanted, atol=1e-5)


def test_a_part_shares_its_parameters() -> None:
    graph, model = detector()
    head, other = model.get_submodule("head1"), model.get_submodule("other")
    assert head.get_parameter("conv1.weight") is other.get_parameter("conv1.weight")
    assert sum(p.numel() for p in model.parameters()) == archcalc.analyze(graph).totals.params


def test_stepping_through_applied_parts_gives_the_same() -> None:
    graph, model = detector()
    x = random(2, 3, 24, 32)
    outputs: list[torch.Tensor] = []
    last = model.get_submodule("add1")
    last.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    with torch.no_grad():
        model(x)
        Stepper(model, graph).run(x, lambda: None)
    together, stepped = outputs
    assert torch.equal(together.flatten(), stepped.flatten())


def test_roialign_of_a_ramp() -> None:
    """Values of a ramp are the places of the samples: a region's positions have them halfway in.

    A map of 4 rows and 8 columns: row r is at (r + 1/2)/4 of the image's height.
    """
    ramp = torch.stack([torch.arange(4.0).view(4, 1).expand(4, 8), torch.arange(8.0).expand(4, 8)])[
        None
    ]
    regions = torch.tensor([[[0.25, 0.25, 0.75, 0.75], [0.125, 0.5, 0.625, 0.75]]])
    found = layer("roialign", (2, 4, 8), (2, 4), size=2)(ramp, regions)
    assert found.shape == (1, 2, 2, 2, 2)
    rows = torch.tensor([[0.375, 0.625], [0.25, 0.5]]) * 4 - 0.5  # of both regions' positions
    columns = torch.tensor([[0.375, 0.625], [0.5625, 0.6875]]) * 8 - 0.5
    for region in range(2):
        assert torch.allclose(found[0, region, 0], rows[region].view(2, 1).expand(2, 2))
        assert torch.allclose(found[0, region, 1], columns[region].expand(2, 2))
    mean = layer("roialign", (2, 4, 8), (2, 4), size=2, samples=2)(ramp, regions)
    assert torch.allclose(mean, found, atol=1e-6)  # of samples evenly around, on a ramp
    one = layer("roialign", (2, 4, 8), (2, 4), size=1, samples=2)(ramp, regions)
    assert torch.allclose(one, found.mean((-1, -2), keepdim=True), atol=1e-6)


def test_proposals_are_decoded_as_the_paper_says() -> None:
    """Ren et al. 2015, equation 2: x = t_x*w_a + x_a and w = w_a*exp(t_w), worked out by hand."""
    choose = layer("proposals", (2, 2, 4), (8, 2, 4), number=2, scales=1, ratios=[1, 4])
    scores, boxes = torch.zeros(1, 2, 2, 4), torch.zeros(1, 8, 2, 4)
    scores[0, 1, 1, 2] = 3  # the second anchor, twice as high as wide, at row 1 and column 2
    scores[0, 0, 0, 3] = 2  # the first, a square of one position
    boxes[0, 4:, 1, 2] = torch.tensor([0.25, -0.5, 0.0, math.log(2)])
    found = choose(scores, boxes)
    assert found.shape == (1, 2, 4)
    # Heights are in parts of 2 rows, widths of 4 columns: the anchor is 2 by 1/2 positions.
    row, column = (1.5 + 0.25 * 2) / 2, (2.5 - 0.5 * 0.5) / 4
    height, width = 2 / 2, 0.5 * 2 / 4
    wanted = [row - height / 2, column - width / 2, row + height / 2, column + width / 2]
    assert torch.allclose(found[0, 0], torch.tensor(wanted))
    assert torch.allclose(found[0, 1], torch.tensor([0.0, 0.75, 0.5, 1.0]))


def test_of_two_scores_an_anchor_the_difference_counts() -> None:
    choose = layer("proposals", (4, 1, 2), (8, 1, 2), number=1, scales=[1, 2], ratios=1)
    scores = torch.zeros(1, 4, 1, 2)
    scores[0, 1, 0, 0] = 5  # the first anchor is an object ...
    scores[0, 0, 0, 0] = 5  # ... or background: as likely
    scores[0, 3, 0, 1] = 1
    found = choose(scores, torch.zeros(1, 8, 1, 2))
    assert torch.allclose(found, torch.tensor([[[-0.5, 0.25, 1.5, 1.25]]]))


def test_no_gradient_goes_through_the_choice_of_regions() -> None:
    _, model = detector()
    x = random(2, 3, 24, 32)
    found = model(x)["add1"]
    found.sum().backward()
    assert model.get_submodule("scores").weight.grad is None
    assert model.get_submodule("boxes").weight.grad is None
    assert model.get_submodule("map").weight.grad.abs().sum() > 0


def test_l2norm_gives_every_position_one_length() -> None:
    norm = layer("l2norm", (6, 3, 5))
    lengths = norm(random(2, 6, 3, 5)).norm(dim=1)
    assert torch.allclose(lengths, torch.full((2, 3, 5), 20.0))  # Liu et al. 2016: the first scale
    bare = layer("l2norm", (6,), affine=False)
    assert torch.allclose(bare(random(2, 6)).norm(dim=1), torch.ones(2))


@pytest.mark.slow
def test_a_detector_in_files(tmp_path: Any) -> None:
    spec = tmp_path / "detector.yaml"
    spec.write_text(DETECTOR)
    _, model = detector()
    x = random(3, 3, 24, 32)
    program = torch.export.load(_written(spec, tmp_path / "model.pt2"))
    with torch.no_grad():
        wanted, found = model(x), program.module()(x)
    for name, one in wanted.items():
        assert torch.allclose(found[name], one, atol=1e-5)
    bare = build(detector()[0], device="meta").eval()
    bare.load_state_dict(model.state_dict(), assign=True)
    with torch.no_grad():
        assert torch.equal(bare(x)["add1"], wanted["add1"])


def _written(spec: Any, path: Any) -> str:
    assert run("build", str(spec), "-o", str(path)).code == 0
    return str(path)


EACH = """
blocks:
  each:
    layers:
      - conv: {name: conv, out: 3, kernel: 3}
      - batchnorm: {name: norm}
      - relu
      - flatten
      - linear: {name: fc, out: 5}
"""


def model_of(text: str) -> nn.Module:
    return build(expand(library.parse(text, "model.yaml")))


@pytest.mark.parametrize("training", [False, True])
def test_a_part_is_its_block_on_each_tensor(training: bool) -> None:
    """In training with the batch's statistics over all of them, as of one larger batch."""
    part = model_of(EACH + "input: [4, 2, 6, 7]\nlayers: [each: {name: part, times: 4}]")
    alone = model_of(EACH + "input: [2, 6, 7]\nlayers: [each: {name: part}]")
    alone.load_state_dict(part.state_dict())
    x = random(3, 4, 2, 6, 7)
    found = part.train(training)(x)
    assert found.shape == (3, 4, 5)
    if training:
        torch.testing.assert_close(found.flatten(0, 1), alone(x.flatten(0, 1)))
    else:
        alone.eval()
        torch.testing.assert_close(found, torch.stack([alone(x[:, i]) for i in range(4)], 1))


def test_applications_share_their_parameters_and_gradients_add_up() -> None:
    part = model_of(EACH + "input: [4, 2, 6, 7]\nlayers: [each: {name: part, times: 4}]").eval()
    alone = model_of(EACH + "input: [2, 6, 7]\nlayers: [each: {name: part}]").eval()
    alone.load_state_dict(part.state_dict())
    x = random(3, 4, 2, 6, 7)
    part(x).square().sum().backward()
    sum(alone(x[:, i]).square().sum() for i in range(4)).backward()
    assert [name for name, _ in part.named_parameters()] == [
        "part.conv.weight", "part.conv.bias", "part.norm.weight", "part.norm.bias",
        "part.fc.weight", "part.fc.bias",
    ]  # fmt: skip
    for own, other in zip(part.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


def bilinear(image: torch.Tensor, down: float, across: float) -> float:
    """Between four values, by distance; around the image are those of its border."""
    rows, columns = image.shape
    y = min(max(down * rows - 0.5, 0), rows - 1)
    x = min(max(across * columns - 0.5, 0), columns - 1)
    total = 0.0
    for i in (math.floor(y), math.floor(y) + 1):
        for j in (math.floor(x), math.floor(x) + 1):
            if 0 <= i < rows and 0 <= j < columns:
                total += (1 - abs(y - i)) * (1 - abs(x - j)) * float(image[i, j])
    return total


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_roialign_is_the_mean_of_bilinear_samples(samples: int) -> None:
    """He et al. 2017, section 3: regularly sampled locations in each bin; also at the border."""
    image = random(5, 6)
    regions = [[0.1, 0.3, 0.8, 0.7], [-0.3, 0.6, 0.4, 1.2], [1.5, 1.5, 2, 2]]
    module = layer("roialign", (1, 5, 6), (3, 4), size=(2, 3), samples=samples)
    found = module(image[None, None], torch.tensor([regions]))
    for region, (top, left, bottom, right) in enumerate(regions):
        for i in range(2):
            for j in range(3):
                parts = [(k + 0.5) / samples for k in range(samples)]
                seen = [
                    bilinear(
                        image,
                        top + (bottom - top) * (i + down) / 2,
                        left + (right - left) * (j + across) / 3,
                    )
                    for down in parts
                    for across in parts
                ]
                mean = sum(seen) / samples**2
                assert float(found[0, region, 0, i, j]) == pytest.approx(mean, abs=1e-5)
    torch.testing.assert_close(found[0, 2, 0], image[-1:, -1:].expand(2, 3))  # it lies outside


def test_what_is_seen_of_a_constant_map_is_constant() -> None:
    """Also at the border, where samples lie outside of the outermost positions."""
    module = layer("roialign", (1, 8, 8), (2, 4), size=4, samples=2)
    regions = torch.tensor([[[0.0, 0.0, 0.2, 0.2], [0.7, 0.9, 1.0, 1.0]]])
    torch.testing.assert_close(module(torch.ones(1, 1, 8, 8), regions), torch.ones(1, 2, 1, 4, 4))


def test_anchors_of_every_scale_and_ratio() -> None:
    """Heights are scale*sqrt(ratio), widths scale/sqrt(ratio): all ratios of a scale together."""
    module = layer("proposals", (4, 1, 1), (16, 1, 1), number=4, scales=(2, 6), ratios=(1, 9))
    scores = torch.tensor([4.0, 3.0, 2.0, 1.0]).view(1, 4, 1, 1)
    found = module(scores, torch.zeros(1, 16, 1, 1))[0]
    sides = [(2, 2), (6, 2 / 3), (6, 6), (18, 2)]
    for region, (height, width) in zip(found, sides, strict=True):
        expected = [0.5 - height / 2, 0.5 - width / 2, 0.5 + height / 2, 0.5 + width / 2]
        assert region.tolist() == pytest.approx(expected)


def test_l2norm_divides_by_the_length_of_each_positions_vector() -> None:
    """Liu et al. 2016 (ParseNet), equation 2; SSD's begin with a scale of 20."""
    x = random(2, 3, 4, 5)
    module = layer("l2norm", (3, 4, 5))
    assert module.get_parameter("weight").tolist() == [20, 20, 20]
    with torch.no_grad():
        module.get_parameter("weight").copy_(torch.tensor([1.0, 2.0, 3.0]))
    expected = x * torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1) / x.norm(dim=1, keepdim=True)
    torch.testing.assert_close(module(x), expected)
    plain = layer("l2norm", (3,), affine=False)
    torch.testing.assert_close(plain(x[..., 0, 0]), functional.normalize(x[..., 0, 0]))
    assert not list(plain.parameters())
    assert module(torch.zeros(1, 3, 1, 1)).eq(0).all()  # of nothing, nothing


NESTED = """
input: [2, 3, 4]
blocks:
  outer: {layers: [inner: {name: inner, times: 3}, relu]}
  inner: {layers: [linear: {name: fc, out: 5}, sigmoid]}
layers:
  - outer: {name: outer, times: 2}
  - tanh: {name: whole}
  - softmax: {name: deep, from: outer/inner/fc}   # out of both at once
outputs: [whole, deep]
"""


def test_parts_inside_each_other() -> None:
    model = model_of(NESTED)
    x = random(7, 2, 3, 4)
    weight, bias = (model.get_parameter(f"outer.inner.fc.{one}") for one in ("weight", "bias"))
    found, linear = model(x), x @ weight.T + bias
    torch.testing.assert_close(found["whole"], linear.sigmoid().relu().tanh())
    torch.testing.assert_close(found["deep"], linear.softmax(1))


@pytest.mark.parametrize("text", [DETECTOR, NESTED], ids=["detector", "nested"])
def test_stepping_gives_what_the_model_gives_layer_by_layer(text: str) -> None:
    graph = expand(library.parse(text, "stepped.yaml"))
    model = build(graph).eval()
    given: list[torch.Tensor] = []
    for _, module in layers(model, graph):
        module.register_forward_hook(lambda *call: given.append(call[2]))
    x = random(3, *graph.input.facts.outputs[0])
    with torch.no_grad():
        model(x)
        whole, given[:] = given[:], []
        Stepper(model, graph).run(x, lambda: None)
    assert len(whole) == len(given) == len(graph.layers)
    assert all(map(torch.equal, whole, given))


# Names and weights.


@pytest.mark.parametrize("name", SAMPLED_NETWORKS)
def test_a_state_dict_has_the_names_of_the_spec(name: str) -> None:
    graph = archcalc.analyze(name).graph
    model = archcalc.build(name, device="meta")
    expected = {
        f"{node.path.replace('/', '.')}.{parameter.name}"
        for node in graph.layers
        for parameter in node.op.parameters(node.facts.inputs)
    }
    found = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
    assert found == expected


def test_a_partial_convolution_has_no_masked_weights() -> None:
    """LeCun et al. 1998: C3 has 1,516 trainable parameters and 151,600 connections, biases in."""
    model = archcalc.build("lenet5")
    c3 = model.get_submodule("C3")
    assert isinstance(c3, TableConv)
    assert sum(one.numel() for one in c3.parameters()) == 1516
    with FlopCounterMode(display=False) as counter:
        c3(random(1, 6, 14, 14))
    assert counter.get_total_flops() == 2 * (151_600 - 16 * 10 * 10)


def test_a_partial_convolution_is_a_masked_one() -> None:
    rows = (((0, 2), (1, 2)), ((0, 1, 2), (1,)))
    module = layer("conv", (3, 7, 6), out=4, kernel=(3, 2), stride=(2, 1), padding=1, table=rows)
    dense = torch.zeros(4, 3, 3, 2)
    kernels = iter(module.get_parameter("weight"))
    for out, row in enumerate(row for group in rows for row in group):
        for channel in row:
            dense[out, channel] = next(kernels)
    x = random(2, 3, 7, 6)
    expected = functional.conv2d(x, dense, module.get_parameter("bias"), (2, 1), 1)
    torch.testing.assert_close(module(x), expected)


def test_shared_weights_are_one_parameter() -> None:
    shared = [
        name for name in NETWORKS if any(n.shared_with for n in archcalc.analyze(name).graph.nodes)
    ]
    assert shared
    for name in shared:
        graph = archcalc.analyze(name).graph
        model = archcalc.build(name)
        built = dict(layers(model, graph))
        for node, module in built.items():
            if node.shared_with:
                other = built[node.shared_with]
                assert all(own is other.get_parameter(n) for n, own in module.named_parameters())
        count = sum(one.numel() for one in model.parameters())
        assert count == archcalc.analyze(name).totals.params


def test_the_seed_decides_and_other_random_numbers_are_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, same, other = (archcalc.build("lenet5", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.get_parameter("C1.weight") for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_weights_begin_as_he_et_al_say() -> None:
    """He et al. 2015, equation 10: the standard deviation is sqrt(2/fan-in)."""
    model = archcalc.build("vgg16").requires_grad_(False)
    assert float(model.get_parameter("conv5_3.weight").std()) == pytest.approx(
        (2 / 4608) ** 0.5, rel=0.01
    )
    assert not model.get_parameter("conv5_3.bias").any()
    depthwise = layer("conv", (64, 8, 8), out=64, kernel=5, groups=64).requires_grad_(False)
    assert float(depthwise.get_parameter("weight").std()) == pytest.approx(
        (2 / 25) ** 0.5, rel=0.05
    )


def test_types_and_devices() -> None:
    half = archcalc.build("lenet5", dtype="bfloat16")
    assert {one.dtype for one in half.parameters()} == {torch.bfloat16}
    assert half(torch.zeros(1, 1, 32, 32, dtype=torch.bfloat16)).dtype == torch.bfloat16
    moved = archcalc.build("lenet5").to(torch.float64)
    assert moved(torch.zeros(1, 1, 32, 32, dtype=torch.float64)).shape == (1, 10)
    bare = archcalc.build("vgg16", device="meta")
    assert {one.device.type for one in bare.state_dict().values()} == {"meta"}
    with pytest.raises(SettingError, match=r"dtype: expected one of float32.* received 'int8'"):
        archcalc.build("lenet5", dtype="int8")
    with pytest.raises(SettingError, match=r"device: expected one .* received 'cuda:99'"):
        archcalc.build("lenet5", device="cuda:99")


def test_several_outputs_have_their_names() -> None:
    model = archcalc.build("googlenet", auxiliary=True).eval()
    found = model(torch.zeros(1, 3, 224, 224))
    assert isinstance(found, dict)
    assert list(found) == list(model.outputs)
    assert len(found) == 3
    assert {tuple(one.shape) for one in found.values()} == {(1, 1000)}


def test_any_layer_name_will_do(tmp_path: Any) -> None:
    """Also those that a module has for itself."""
    words = (
        "outputs",
        "input_shape",
        "forward",
        "training",
        "type",
        "half",
        "children",
        "steps",
        "1x1",
    )
    lines = "".join(f"  - conv: {{name: {word!r}, out: 2, kernel: 1}}\n" for word in words)
    path = tmp_path / "names.yaml"
    path.write_text(f"name: names\ninput: [2, 4, 4]\nlayers:\n{lines}")
    model = archcalc.build(str(path))
    assert {key.split(".")[0] for key in model.state_dict()} == set(words)
    assert model(torch.zeros(1, 2, 4, 4)).shape == (1, 2, 4, 4)
    ran = run("build", str(path), "-o", str(tmp_path / "names.pt2"))
    assert ran.code == 2
    assert "layer forward: expected layer names that torch.export can take" in ran.err
    path.write_text(
        "name: own\ninput: [2, 4, 4]\nlayers:\n"
        + "".join(
            f"  - conv: {{name: {word}, out: 2, kernel: 1}}\n"
            for word in ("outputs", "input_shape", "steps", "results", "name")
        )
    )
    assert run("build", str(path), "-o", str(tmp_path / "own.pt2")).code == 0


def test_four_axes_are_refused_with_the_place(tmp_path: Any) -> None:
    path = tmp_path / "four.yaml"
    path.write_text("name: four\ninput: [1, 5, 5, 5, 5]\nlayers:\n  - conv: {out: 2, kernel: 3}\n")
    with pytest.raises(
        LayerError, match=r"four.yaml:4:5: layer conv1: conv: expected 1 to 3 spatial"
    ) as caught:
        archcalc.build(str(path))
    assert caught.value.place is not None


# Values: against definitions, or against PyTorch where it says the same in another way.


@pytest.mark.parametrize("sizes", [(7,), (7, 10), (6, 5, 9)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_tf_is_tensorflows_padding(sizes: tuple[int, ...], stride: int, kernel: int) -> None:
    """ceil(n/s) outputs; of the padding that takes, the smaller half comes first."""
    module = layer("conv", (2, *sizes), out=3, kernel=kernel, stride=stride, padding="same_tf")
    x = random(1, 2, *sizes)
    around = []
    for n in reversed(sizes):
        total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        around += [total // 2, total - total // 2]
    plain = (functional.conv1d, functional.conv2d, functional.conv3d)[len(sizes) - 1]
    weights = module.get_parameter("weight"), module.get_parameter("bias")
    found = module(x)
    torch.testing.assert_close(found, plain(functional.pad(x, around), *weights, stride))
    assert found.shape[2:] == tuple(-(-n // stride) for n in sizes)


@pytest.mark.parametrize("kind", ["maxpool", "avgpool"])
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("count_padding", [False, True])
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("n", [6, 7, 8])
def test_pools_padded_here_are_pytorchs(
    kind: str, ceil: bool, count_padding: bool, kernel: int, n: int
) -> None:
    """Where both take the padding."""
    from archcalc.pytorch.pooling import PaddedAvgPool, PaddedMaxPool
    from archcalc.pytorch.windows import Sides

    x = random(2, 3, n, n + 1)
    sides = Sides((1, 1), (kernel, kernel), (2, 2), (1, 1), ceil)
    if kind == "maxpool":
        own: nn.Module = PaddedMaxPool(sides, switches=False)
        theirs: nn.Module = nn.MaxPool2d(kernel, 2, 1, ceil_mode=ceil)
    else:
        own = PaddedAvgPool(sides, count_padding)
        theirs = nn.AvgPool2d(kernel, 2, 1, ceil_mode=ceil, count_include_pad=count_padding)
    torch.testing.assert_close(own(x), theirs(x))


def test_unpooling_is_pytorchs_where_it_has_one() -> None:
    x = random(2, 3, 9, 8)
    pool = layer("maxpool", (3, 9, 8), kernel=3, stride=2, padding=1, switches=True)
    values, places = pool(x)
    shapes = tuple(values.shape[1:]), tuple(places.shape[1:])
    unpool = layer("maxunpool", *shapes, kernel=3, stride=2, padding=1, size=(9, 8))
    theirs = functional.max_unpool2d(values, places, 3, 2, 1, output_size=(9, 8))
    assert torch.equal(unpool(values, places), theirs)


def test_switches_of_uneven_padding_are_places_in_the_input() -> None:
    x = random(1, 2, 7, 5)
    fields = {"kernel": 3, "stride": 2, "padding": ((0, 1), (1, 0)), "switches": True}
    values, places = layer("maxpool", (2, 7, 5), **fields)(x)
    assert torch.equal(x.flatten(2).gather(2, places.flatten(2)), values.flatten(2))


def test_transposed_convolution_cut_unevenly() -> None:
    fields = {"out": 3, "kernel": 4, "stride": 3, "extra": 1, "groups": 1}
    whole = layer("convtranspose", (2, 5), padding=0, **fields)
    cut = layer("convtranspose", (2, 5), padding=((2, 1),), **fields)
    x = random(1, 2, 5)
    torch.testing.assert_close(cut(x), whole(x)[..., 2:-1])


def test_normalization_across_channels_is_krizhevskys() -> None:
    """Krizhevsky et al. 2012, section 3.3: alpha is not divided by n."""
    module = layer("lrn", (7, 2, 2), size=5, alpha=0.1, beta=0.75, k=2)
    x = random(1, 7, 2, 2)
    expected = torch.empty_like(x)
    for i in range(7):
        near = x[:, max(0, i - 2) : min(6, i + 2) + 1]
        expected[:, i] = x[:, i] / (2 + 0.1 * (near * near).sum(1)) ** 0.75
    torch.testing.assert_close(module(x), expected)
    vector = layer("lrn", (7,), size=5, alpha=0.1, beta=0.75, k=2)
    torch.testing.assert_close(vector(x[..., 0, 0]), expected[..., 0, 0])


def test_lenets_own_kinds() -> None:
    """LeCun et al. 1998: S2, equations 6 and 7."""
    x = random(2, 3, 4, 4)
    pool = layer("subsample", (3, 4, 4), kernel=2)
    with torch.no_grad():
        pool.get_parameter("weight").copy_(torch.tensor([1.0, 2.0, 3.0]))
        pool.get_parameter("bias").fill_(0.5)
    sums = x.unfold(2, 2, 2).unfold(3, 2, 2).sum((-1, -2))
    expected = sums * torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1) + 0.5
    torch.testing.assert_close(pool(x), expected)
    squash = layer("scaledtanh", (3,))
    assert float(squash(torch.tensor(1.0))) == pytest.approx(1.0, abs=1e-4)  # f(1) = 1, by design
    radial = layer("rbf", (6,), out=4)
    centres = radial.get_buffer("centres")
    assert set(centres.flatten().tolist()) == {-1.0, 1.0}
    x = random(2, 6)
    torch.testing.assert_close(radial(x), torch.cdist(x, centres) ** 2)


def test_moving_and_joining() -> None:
    x = random(2, 6, 4, 5)
    shuffled = layer("channelshuffle", (6, 4, 5), groups=3)(x)
    assert torch.equal(shuffled, nn.ChannelShuffle(3)(x))
    gate = random(2, 6)
    product = layer("multiply", (6, 4, 5), (6,))(x, gate)
    assert torch.equal(product, x * gate[:, :, None, None])
    assert torch.equal(layer("slice", (6, 4, 5), axis=2, start=1, step=2)(x), x[..., 1::2])
    padded = layer("pad", (6, 4, 5), padding=((0, 1), 2), channels=((1, 0),))(x)
    assert torch.equal(padded, functional.pad(x, [2, 2, 0, 1, 1, 0]))
    parts = layer("split", (6, 4, 5), parts=(1, 5))(x)
    assert torch.equal(torch.cat(parts, 1), x)
    assert torch.equal(layer("complement", (6,))(gate), 1 - gate)


# Files, programs.


LARGE = ("googlenet@auxiliary=true", "seresnet50", "highway-19", "mobilenet", "zfnet-deconv")


@pytest.mark.parametrize(
    "network", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in EVERY_KIND]
)
def test_torch_export_keeps_it_and_takes_any_batch(network: str, tmp_path: Any) -> None:
    model = archcalc.build(network).eval()
    path = str(tmp_path / "model.pt2")
    export.save_program(model, path)
    program = torch.export.load(path).module()
    x = random(3, *model.input_shape)
    with torch.no_grad():
        torch.testing.assert_close(program(x), model(x))


@pytest.mark.parametrize(
    "network",
    [
        "lenet5",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("zfnet-deconv", "resnet20")),
    ],
)
def test_torch_compile_takes_it_in_one_graph(network: str) -> None:
    model = archcalc.build(network).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = random(2, *model.input_shape)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x))


def test_a_state_dict_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "weights.pt"
    assert run("build", "lenet5", "--seed", "7", "--output", str(path)).code == 0
    model = archcalc.build("lenet5", seed=8)
    model.load_state_dict(torch.load(path, weights_only=True))
    other = archcalc.build("lenet5", seed=7)
    assert torch.equal(model.get_parameter("C1.weight"), other.get_parameter("C1.weight"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "x.txt"), "x.txt: expected a file name that ends in .pt, .pth, .pt2, .onnx"),
        (("-o", "x.pt", "--format", "onxx"), "did you mean onnx?"),
        (
            ("-o", "x.pt", "--dtype", "int8"),
            "dtype: expected one of float32, float16",
        ),
        (("-o", "x.pt", "--seed", str(2**70)), "seed: expected a whole number of 64 bits"),
        (("-o", "no/such/x.pt"), "can't write 'no/such/x.pt'"),
        (("-o", "x.pt", "--set", "classes=[10,20]"), "build: expected one network, received 2"),
    ],
)
def test_what_cannot_be_built(
    arguments: tuple[str, ...], message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("build", "lenet5", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"precious")

    def fails(_: object, name: str) -> None:
        with open(name, "wb") as stream:
            stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "save_state_dict", fails)
    ran = run("build", "lenet5", "-o", str(path))
    assert (ran.code, path.read_bytes()) == (2, b"precious")
    assert list(tmp_path.iterdir()) == [path]


# They are real: numbers stay finite, and a loss goes down.


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGENET)
def test_a_forward_pass_gives_finite_numbers(name: str) -> None:
    """Detectors of regions at the smaller of the paper's resolutions."""
    settings = {"resolution": 300} if name.startswith("faster-rcnn") else {}
    model = archcalc.build(name, **settings)
    for mode, batch in ((True, 2), (False, 1)):  # a norm in training needs two
        with torch.no_grad():
            found = model.train(mode)(random(batch, *model.input_shape))
        for one in found.values() if isinstance(found, dict) else [found]:
            assert torch.isfinite(one).all()
            assert one.std() > 0


def patterns(shape: tuple[int, ...], classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy copies of one random picture a class."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(classes).repeat(4)
    pictures = torch.randn(classes, *shape, generator=generator)
    return pictures[labels] + 0.3 * torch.randn(len(labels), *shape, generator=generator), labels


@pytest.mark.parametrize("network", ["lenet5", pytest.param("resnet20", marks=pytest.mark.slow)])
def test_a_few_steps_of_training_reduce_the_loss(network: str) -> None:
    """LeNet-5 gives distances: the right class has the least (LeCun et al. 1998, equation 9)."""
    model = archcalc.build(network).train()
    graph = archcalc.analyze(network).graph
    last = graph.nodes[graph.outputs[0].tensor.node].op.kind
    x, labels = patterns(model.input_shape, 10)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.002 if last == "rbf" else 0.1, momentum=0.9
    )
    losses = []
    for _ in range(10):
        found = model(x)
        if last == "rbf":
            loss = functional.cross_entropy(-found, labels)
        else:  # the spec's network ends in a softmax
            loss = functional.nll_loss(found.clamp_min(1e-9).log(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2, losses
