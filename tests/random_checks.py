"""What a network built in PyTorch says of the arithmetic: shapes, parameters, Mult-Adds, fields.

Every check raises Disagreement with the layer in it. Fields have two: one puts a NaN at one input
position after the other and looks where it comes out, node by node, at the network's own size; the
other is `verify`'s, by back-propagation on a longer axis, far from borders.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archcalc.analysis import Analysis
from archcalc.analysis.explain import explain
from archcalc.analysis.memory import tensor_bytes
from archcalc.analysis.paths import paths
from archcalc.analysis.receptive_field import (
    AxisField,
    Uneven,
    fields,
    receptive_fields,
    tracks_of,
)
from archcalc.analysis.storages import Copy, Storages
from archcalc.errors import OutputError
from archcalc.ops.window import HELD, POINTWISE
from archcalc.pytorch import gradients
from archcalc.pytorch import model as pytorch
from archcalc.pytorch.verify import verify
from archcalc.report.table import tabulate
from archcalc.spec import library
from archcalc.spec.expansion import expand

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archcalc.graph import Graph, Node, Output

Hull = tuple[int, int]

BATCH = 2
MODERATE = 1e3  # eight of them multiplied are still a float32
EXPONENT = 80  # what regions are decoded with is an exponential


class Disagreement(AssertionError):
    """PyTorch and the arithmetic say different things."""


def graph_of(text: str) -> Graph:
    """The graph of a spec's text; raises ArchcalcError where it is refused."""
    return expand(library.parse(text, "random.yaml"))


def same(node: Node, what: str, ours: Any, theirs: Any) -> None:
    if ours != theirs:
        raise Disagreement(f"layer {node.path}: {what}: archcalc {ours}, PyTorch {theirs}")


# Shapes, parameters, Mult-Adds: on the meta device.


def check_network(graph: Graph) -> None:
    """Every layer's output shapes, parameters and Mult-Adds, and the network's totals."""
    network = pytorch.build(graph, device="meta").eval()
    layers = list(pytorch.layers(network, graph))
    flops = check_shapes(network, layers, torch.empty(BATCH, *network.input_shape, device="meta"))
    owned: dict[int, Tensor] = {}
    for node, module in layers:
        ours = 2 * BATCH * node.times * node.facts.mult_adds
        same(node, "Mult-Adds", ours, flops.get(node.path, 0))
        check_parameters(node, module)
        new = [one for one in module.parameters() if id(one) not in owned]
        ours = 0 if node.shared_with else node.facts.params
        same(node, "params", ours, sum(one.numel() for one in new))
        owned |= {id(one): one for one in new}
    totals = Analysis(graph, batch=BATCH).totals
    same(layers[-1][0], "params in all", totals.params, sum(map(torch.numel, owned.values())))
    same(layers[-1][0], "Mult-Adds in all", 2 * totals.mult_adds, flops[""])


def check_shapes(
    network: nn.Module, layers: list[tuple[Node, nn.Module]], x: Tensor
) -> dict[str, int]:
    """Run the network; what FlopCounterMode counts, by the layer's name and in all ("")."""
    found: dict[int, Any] = {}

    def note(module: nn.Module, _: Any, output: Any) -> None:
        found[id(module)] = output if isinstance(output, tuple) else (output,)

    hooks = [module.register_forward_hook(note) for _, module in layers]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(x)
    for hook in hooks:
        hook.remove()
    for node, module in layers:
        theirs = [tuple(one.shape) for one in found[id(module)]]
        many = BATCH * node.times
        same(node, "output", [(many, *shape) for shape in node.facts.outputs], theirs)
    root = type(network).__name__ + "."
    counts = {name: sum(by.values()) for name, by in counter.get_flop_counts().items()}
    named = {name.removeprefix(root).replace(".", "/"): n for name, n in counts.items()}
    return {**named, "": counter.get_total_flops()}


def check_parameters(node: Node, module: nn.Module) -> None:
    """Named tensors and their shapes; a shared layer's own are its counterpart's."""
    stated = node.op.parameters(node.facts.inputs)
    ours = {one.name: one.shape for one in stated if one.trainable}
    theirs = {name: tuple(one.shape) for name, one in module.named_parameters()}
    same(node, "parameters", ours, theirs)
    buffers = {one.name: one.shape for one in stated if not one.trainable}
    kept = {name: tuple(module.get_buffer(name).shape) for name in buffers}
    same(node, "buffers", buffers, kept)


# Outputs: every path walked on its own, every tensor that is alive looked for.


def check_outputs(graph: Graph) -> int:
    """Table, paths, memory and derivations say of every output what follows from the graph.

    Returns how many outputs had few enough paths for each to be walked.
    """
    analysis = Analysis(graph, batch=BATCH)
    described = tabulate(analysis).as_document()["network"]["outputs"]
    ours = [(one["name"], tuple(one["shape"]), one["auxiliary"]) for one in described]
    theirs = [(one.name, one.tensor.shape, one.auxiliary) for one in graph.outputs]
    if ours != theirs or analysis.totals.outputs != tuple(shape for _, shape, _ in theirs):
        raise Disagreement(f"outputs: table {ours}, graph {theirs}")
    check_alive(analysis)
    check_derivations(analysis)
    return sum(check_paths(analysis, output) for output in graph.outputs)


def check_paths(analysis: Analysis, output: Output) -> bool:
    """The paths to an output, against all of them walked one by one; False where too many."""
    node = analysis.graph.nodes[output.tensor.node]
    walked = walked_paths(analysis.graph, node.index)
    if walked is None:
        return False
    found = paths(analysis, output.name)
    counted = {length: n for length, n in enumerate(found.lengths) if n}
    same(node, "paths by length", counted, dict(sorted(Counter(walked).items())))
    same(node, "mean length", found.mean, Fraction(sum(walked), len(walked)))
    same(node, "deviation", round(found.deviation, 9), round(statistics.pstdev(walked), 9))
    held = sum(found.low <= length <= found.high for length in walked)
    same(node, "held", found.held, Fraction(held, len(walked)))
    if found.bodies > found.branches or max(walked) > found.branches:
        raise Disagreement(f"layer {node.path}: more bodies or longer paths than branches")
    return True


MOST_PATHS = 20_000


def walked_paths(graph: Graph, end: int) -> list[int] | None:
    """The length of each path to a node; None where there are more than MOST_PATHS."""
    depths: list[int] = []
    every: list[list[int] | None] = []
    for node in graph.nodes[: end + 1]:
        before = [t.node for t, w in zip(node.inputs, node.facts.windows, strict=True) if w != HELD]
        behind = [depths[index] for index in before]
        depths.append(max(behind, default=0) + node.op.weighted)
        ways = [every[index] for index in before]
        if not ways:
            every.append([0])
        elif any(way is None for way in ways):
            every.append(None)
        elif node.op.kind == "add" and len(set(behind)) > 1:
            here = zip(ways, behind, strict=True)
            walked = [k + (depth > min(behind)) for way, depth in here for k in way or ()]
            every.append(walked if len(walked) <= MOST_PATHS else None)
        else:
            every.append(max(ways, key=lambda way: len(way or ())))
    return every[end]


def check_alive(analysis: Analysis) -> None:
    """When the last layer has run, all outputs are there, those in one memory once."""
    storages = Storages(analysis.graph, analysis.batch)
    homes = {storages.home(output.tensor[:2]) for output in analysis.graph.outputs}
    least = sum(tensor_bytes(analysis, home).number for home in homes)
    last = analysis.graph.nodes[-1]
    if analysis.memory.live[-1] < least:
        raise Disagreement(
            f"layer {last.path}: {analysis.memory.live[-1]} bytes alive, the outputs have {least}"
        )
    needed = {storages.home(tensor[:2]) for tensor in last.inputs} | homes
    most = sum(tensor_bytes(analysis, home).number for home in {*needed, (last.index, 0)})
    copies = sum(isinstance(home, Copy) for home in storages.born)
    if analysis.memory.live[-1] > most and not copies and len(last.facts.outputs) == 1:
        raise Disagreement(
            f"layer {last.path}: {analysis.memory.live[-1]} bytes alive, {most} are needed"
        )


def check_derivations(analysis: Analysis) -> None:
    """The derived figures are those of the table's rows; the layers' add up to the network's."""
    rows = [*analysis.layers, analysis.totals]
    summed = Counter[str]()
    for row, explanation in zip(rows, explain(analysis), strict=True):
        figures = {one.quantity: one.value for one in explanation.derivations}
        for quantity, key in FIGURES.items():
            wanted = getattr(row, key)
            found = figures.get(quantity, figures.get(f"{quantity} (counted at {row.shared_with})"))
            if found != wanted:
                raise Disagreement(f"{row.name}: {quantity}: derived {found}, table {wanted}")
            if row.node is None and summed[quantity] != wanted:
                raise Disagreement(f"{row.name}: {quantity}: layers {summed[quantity]}, {wanted}")
            summed[quantity] += wanted


FIGURES = {
    "params": "params", "Mult-Adds": "mult_adds", "FLOPs": "flops", "connections": "connections",
    "neurons": "neurons", "output elements": "output_elements", "output bytes": "output_bytes",
    "weight bytes": "weight_bytes", "bytes moved": "bytes_moved",
}  # fmt: skip


def check_verified(graph: Graph) -> None:
    """All of verify's checks agree."""
    verified = verify(Analysis(graph))
    if not verified.agrees:
        wrong = [one for check in verified.checks for one in check.disagreements]
        raise Disagreement(f"verify: {wrong[0]}")


# Values: on the CPU.


def check_values(graph: Graph) -> None:
    """A forward pass gives outputs of the stated shapes, all finite while inputs are moderate.

    A product of a tensor with itself, several times over, grows beyond any number; the layer that
    makes something infinite of something moderate is meant.
    """
    network = pytorch.build(graph).eval()
    for node, module in pytorch.layers(network, graph):
        module.register_forward_hook(_finite(node))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        found = network(torch.rand(BATCH, *network.input_shape, generator=generator))
    outputs = list(found.values()) if isinstance(found, dict) else [found]
    for output, value in zip(graph.outputs, outputs, strict=True):
        node = graph.nodes[output.tensor.node]
        same(node, "output", (BATCH, *output.tensor.shape), tuple(value.shape))


def _finite(node: Node) -> Any:
    def check(_: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        results = output if isinstance(output, tuple) else (output,)
        most = EXPONENT if node.op.kind == "proposals" else MODERATE
        moderate = all(bool((one.abs() < most).all()) for one in inputs)
        if moderate and not all(bool(one.isfinite().all()) for one in results):
            raise Disagreement(f"layer {node.path}: expected finite values, received others")

    return check


# Receptive fields: a NaN at each position in turn.


def check_fields(graph: Graph) -> int:
    """The hull of what each position sees, along each axis; how many positions were compared.

    A position is compared where all that it sees, at every layer on the way, lies inside; beside
    a border it must see nothing outside its claimed hull.
    """
    network = pytorch.build(graph, dtype="float64").eval()
    layers = list(pytorch.layers(network, graph))
    states = receptive_fields(graph)
    rank = len(network.input_shape) - 1
    with torch.no_grad():
        return sum(_Poisoned(graph, axis, rank).follow(layers, states) for axis in range(rank))


class _Poisoned:
    """One axis: `seen` has, for each tensor, which positions see which inputs (inputs x positions).

    None stands for a tensor that isn't followed: one that sees everything, or one without the axis.
    In a part that is applied several times, the first of the input's axes are the channels of one
    application: the axis is `own` to its layers.
    """

    def __init__(self, graph: Graph, axis: int, rank: int) -> None:
        self.axis = axis
        self.rank = rank
        self.count = graph.input.facts.outputs[0][1 + axis]
        self.own = axis
        self.seen: dict[int, Tensor | None] = {0: torch.eye(self.count, dtype=torch.bool)}
        self.inside: dict[int, list[bool]] = {0: [True] * self.count}

    def follow(self, layers: list[tuple[Node, nn.Module]], states: list[Any]) -> int:
        compared = 0
        for node, module in layers:
            state = states[node.index][self.axis]
            seen = None
            self.own = self.axis - node.scope.level
            if isinstance(state, (AxisField, Uneven)) and self._can(node):
                self.inside[node.index] = self._insides(node)
                seen = self._through(node, module)
                compared += self._compare(node, seen, state)
            self.seen[node.index] = seen
        return compared

    def _can(self, node: Node) -> bool:
        """Whether all that it takes is followed, and the other axes leave something to be seen."""
        dimensions = self.rank - node.scope.level + 1
        if self.own < 0 or len(node.facts.outputs[0]) != dimensions:
            return False
        for one, windows in zip(node.inputs, node.facts.windows, strict=True):
            if windows is HELD:
                continue
            if self.seen[one.node] is None or len(one.shape) != dimensions:
                return False
            if windows is not POINTWISE and not self._sighted(node, one.shape, windows):
                return False
        return True

    def _sighted(self, node: Node, shape: tuple[int, ...], windows: Any) -> bool:
        """Whether some window along each other axis has data in it, not padding alone."""
        outputs = node.facts.outputs[0]
        return all(
            any(0 <= tap < shape[1 + axis] for i in range(outputs[1 + axis]) for tap in taps(i))
            for axis, taps in enumerate(window.taps for window in windows)
            if axis != self.own
        )

    def _insides(self, node: Node) -> list[bool]:
        """Positions all of whose taps, at every layer on the way, are there."""
        found = [True] * node.facts.outputs[0][1 + self.own]
        for one, windows in zip(node.inputs, node.facts.windows, strict=True):
            if windows is HELD:
                continue
            below = self.inside[one.node]
            for i in range(len(found)):
                taps = [i] if windows is POINTWISE else windows[self.own].taps(i)
                found[i] &= all(0 <= tap < len(below) and below[tap] for tap in taps)
        return found

    def _through(self, node: Node, module: nn.Module) -> Tensor:
        """Where the NaNs at each input position come out, in any channel."""
        kind = node.op.kind
        if kind in ("layernorm", "groupnorm"):  # their statistics are held constant
            return self.seen[node.inputs[0].node]  # type: ignore[return-value]
        if kind == "maxunpool":
            return self._unpooled(node, module)
        if kind == "upsample" and node.op.mode == "nearest":
            return self._repeated(node)
        inputs = [self._input(node, i) for i in range(len(node.inputs))]
        if kind == "upsample":  # a NaN times 0 is a NaN: here seen is what isn't 0
            inputs = [one.isnan().double() for one in inputs]
            return self._along(module(*inputs).abs() > 1e-9)
        found = module(*inputs)
        return self._along((found[0] if isinstance(found, tuple) else found).isnan())

    def _repeated(self, node: Node) -> Tensor:
        """Nearest upsampling of this axis alone: of two, PyTorch rounds n/m to float32.

        So some sources come out one less than floor(i*n/m) (`gradients._repeating`).
        """
        seen = self.seen[node.inputs[0].node]
        assert seen is not None
        size = node.facts.outputs[0][1 + self.own]
        return functional.interpolate(seen.double().unsqueeze(1), size).squeeze(1) > 0

    def _input(self, node: Node, i: int) -> Tensor:
        tensor = node.inputs[i]
        x = torch.ones(self.count, *tensor.shape, dtype=torch.float64)
        if node.facts.windows[i] is HELD:
            return x
        seen = self.seen[tensor.node]
        assert seen is not None
        return x.masked_fill(self._over(seen, x.dim()), math.nan)

    def _over(self, seen: Tensor, rank: int) -> Tensor:
        """(inputs, positions) as a mask of (inputs, channels, *spatial)."""
        shape = [1] * rank
        shape[0], shape[2 + self.own] = seen.shape
        return seen.view(shape)

    def _along(self, mask: Tensor) -> Tensor:
        """(inputs, channels, *spatial) as (inputs, positions): in any channel, anywhere else."""
        moved = mask.movedim(2 + self.own, 1)
        return moved.flatten(2).any(2)

    def _unpooled(self, node: Node, module: nn.Module) -> Tensor:
        """Through all switches that a pool can give along this axis."""
        x = self._input(node, 0)
        sizes = node.facts.outputs[0][1:]
        found = torch.zeros(self.count, sizes[self.own], dtype=torch.bool)
        for q in range(_along_axis(node.op.kernel, self.own)):
            switches = self._switches(node.op, x.shape[2:], sizes, q).expand(x.shape).clone()
            found |= self._along(module(x, switches).isnan())
        return found

    def _switches(self, op: Any, counts: Any, sizes: tuple[int, ...], q: int) -> Tensor:
        """Each value at element q of its window along this axis, at the first along the others."""
        switches = torch.zeros(tuple(counts), dtype=torch.long)
        for axis, (n, size) in enumerate(zip(counts, sizes, strict=True)):
            stride = _along_axis(op.kernel if op.stride is None else op.stride, axis)
            padding = _along_axis(op.padding, axis)
            before = padding[0] if isinstance(padding, tuple) else padding
            element = q if axis == self.own else before
            places = (torch.arange(n) * stride - before + element).clamp(0, size - 1)
            switches = switches * size + places.view(
                [-1 if i == axis else 1 for i in range(len(sizes))]
            )
        return switches

    def _compare(self, node: Node, seen: Tensor, state: AxisField | Uneven) -> int:
        claims = [_hull(state, i) for i in range(seen.shape[1])]
        self._summed_up(node, claims, fields((state,))[0])
        compared = 0
        for i, (claimed, inside) in enumerate(zip(claims, self.inside[node.index], strict=True)):
            reached = seen[:, i].nonzero().flatten().tolist()
            theirs = (reached[0], reached[-1]) if reached else None
            if inside:
                compared += 1
                same(node, f"axis {self.axis}, position {i} sees", claimed, theirs)
            elif theirs and not (claimed and claimed[0] <= theirs[0] and theirs[1] <= claimed[1]):
                same(node, f"axis {self.axis}, position {i} by a border sees", claimed, theirs)
        return compared

    def _summed_up(self, node: Node, claims: list[Hull | None], field: Any) -> None:
        """The field of all positions, as it is printed: the largest hull, output 0's start."""
        if isinstance(field, AxisField):
            largest = max(claim[1] - claim[0] + 1 for claim in claims if claim)
            same(node, f"axis {self.axis}, size", field.size, largest)
            start = claims[0][0] if claims[0] else None
            same(node, f"axis {self.axis}, start", field.start, start)


def _hull(state: AxisField | Uneven, i: int) -> Hull | None:
    """What position i is claimed to see, from the first to the last, borders ignored."""
    hulls = [hull for track in tracks_of(state) if (hull := track.at(i))]
    return (min(u for u, _ in hulls), max(v for _, v in hulls)) if hulls else None


def _along_axis(value: Any, axis: int) -> Any:
    return value[axis] if isinstance(value, tuple) else value


# Receptive fields: back from an output position, on a longer axis.


class Reached(NamedTuple):
    """How many fields were compared, and how many were left out, by the reason."""

    fields: int
    left_out: Counter[str]


def check_gradients(graph: Graph) -> Reached:
    """Size, stride and start where the network is cut, along each axis."""
    left_out: Counter[str] = Counter()
    fields = 0
    for found in gradients.check_fields(graph, receptive_fields(graph)):
        if found.reason:
            left_out[_without_names(found.reason, graph)] += 1
        else:
            same(found.node, f"axis {found.axis} by gradients", found.stated, found.reached)
            fields += 1
    return Reached(fields, left_out)


def _without_names(reason: str, graph: Graph) -> str:
    """A reason without the network's own names and numbers, so that reasons can be counted."""
    paths = {node.path for node in graph.layers}
    short = re.sub(r"(can't take a longer axis): .*", r"\1", reason)
    words = ["a layer" if word in paths else word for word in short.split(" ")]
    return re.sub(r"\b\d[\d,]*", "N", " ".join(words))


# ONNX: what the file holds, and gives.


def check_onnx(graph: Graph, templates: Any = None) -> None:
    """An exported file has the spec's tensors, names and shapes, and gives what the model gives.

    Values that are too large to compare, or infinite, are not held against the evaluator's; nor are
    those of some pools, on which it breaks, and of an unpooling: it numbers the positions of maxima
    otherwise than ONNX says where the window is a single one, by which the exporter tells the maps
    apart.
    """
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    from archcalc.pytorch import onnx_file

    network = pytorch.build(graph).eval()
    made = onnx_file.network(network, graph, templates or onnx_file.Templates(torch.float32))
    program = onnx.ModelProto.FromString(b"".join(onnx_file.pieces(made)))
    onnx.checker.check_model(program, full_check=True)
    check_tensors(graph, program)
    x = torch.rand(BATCH + 1, *network.input_shape, generator=torch.Generator().manual_seed(0))
    if any(node.op.kind == "maxunpool" for node in graph.layers):
        return
    with torch.no_grad():
        wanted = network(x)
    wanted = list(wanted.values()) if isinstance(wanted, dict) else [wanted]
    try:
        with np.errstate(all="ignore"):  # its exponentials of large numbers are infinite, as ours
            found = ReferenceEvaluator(program).run(None, {program.graph.input[0].name: x.numpy()})
    except IndexError:
        assert any(node.op.kind == "maxpool" for node in graph.layers)
        return
    for output, ours, theirs in zip(graph.outputs, wanted, found, strict=True):
        node = graph.nodes[output.tensor.node]
        same(node, "output", (BATCH + 1, *output.tensor.shape), theirs.shape)
        near = torch.allclose(ours, torch.from_numpy(theirs), rtol=1e-3, atol=1e-3, equal_nan=True)
        same(node, "values", True, near or bool((ours.abs() > MODERATE).any()))


def check_written(graph: Graph) -> None:
    """The same, unless a layer is there that PyTorch can't write in ONNX."""
    with suppress(OutputError):
        check_onnx(graph)


def check_tensors(graph: Graph, program: Any) -> None:
    """The tensors of an ONNX file are the graph's: their names, shapes and number."""
    ours = {
        f"{node.path.replace('/', '.')}.{one.name}": one.shape
        for node in graph.layers
        for one in node.op.parameters(node.facts.inputs)
        if not (node.shared_with and one.trainable)
    }
    theirs = {one.name: tuple(one.dims) for one in program.graph.initializer}
    last = graph.nodes[-1]
    same(last, "tensors in the file", ours, theirs)
    takes, gives = program.graph.input, program.graph.output
    same(last, "outputs", [one.name for one in graph.outputs], [one.name for one in gives])
    shapes = [graph.input.facts.outputs[0], *(one.tensor.shape for one in graph.outputs)]
    stated = [["batch", *map(int, shape)] for shape in shapes]
    same(last, "axes", stated, [axes(one) for one in (*takes, *gives)])


def axes(value: Any) -> list[Any]:
    """The axes of an input or output of an ONNX file: numbers, and names where they may vary."""
    return [one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim]
