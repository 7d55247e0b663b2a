"""A network as an ONNX file that has the spec's tensors, and the spec's names for everything.

PyTorch's exporter translates single layers, and what it makes of each is put together here in the
order of the graph. An exporter that sees the whole network names values after its own operations
and folds tensors into each other; and it takes minutes for a thousand layers, of which few differ.
Layers are written as they run in evaluation mode.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper
from torch import Tensor, nn
from torch.onnx.errors import OnnxExporterError

from archcalc.errors import OutputError
from archcalc.ops import activation, conv, join, normalization, pooling, shape
from archcalc.pytorch.builders import build_layer
from archcalc.pytorch.counters import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from archcalc.graph import Graph, Node, Scope
    from archcalc.graph import Tensor as Place
    from archcalc.ops import Op
    from archcalc.ops.base import Shapes

BATCH = "batch"  # the name of the first axis of the input and of every output
TOGETHER = 128  # layers that are translated in one call of the exporter
FEW = 3  # channels of a layer that is translated for all numbers of channels
TYPES = {
    torch.float16: TensorProto.FLOAT16,
    torch.bfloat16: TensorProto.BFLOAT16,
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int64: TensorProto.INT64,
}
# Layers of which ONNX's operators need to know neither channels nor positions, or not the channels.
SIZELESS = (activation.Elementwise, join.Add, shape.Concat)
CHANNELLESS = (pooling.MaxPool, pooling.AvgPool, pooling.GlobalAvgPool, pooling.GlobalMaxPool)

Key = tuple["Op", "Shapes"]


class Template(NamedTuple):
    """The operators of a layer: how its inputs, outputs and tensors are called among them."""

    nodes: list[NodeProto]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: dict[str, str]


class Templates:
    """The operators of layers in one element type, each kind and size translated once."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.opsets: dict[str, int] = {}
        self.ir_version = 0
        self._known: dict[Key, Template] = {}

    def learn(self, graphs: Iterable[Graph]) -> None:
        """Translate those layers of some graphs that are not yet known.

        Raises OutputError for a layer that PyTorch can't write in ONNX.
        """
        nodes = {
            _alike(node.op, node.facts.inputs): node for graph in graphs for node in graph.layers
        }
        new = [key for key in nodes if key not in self._known]
        for start in range(0, len(new), TOGETHER):
            self._learn_layers([nodes[key] for key in new[start : start + TOGETHER]])

    def _learn_layers(self, layers: Sequence[Node]) -> None:
        """Translate layers together, or in halves, to find the first that can't be translated."""
        try:
            self._translate([_alike(node.op, node.facts.inputs) for node in layers])
        except OnnxExporterError:
            if len(layers) == 1:
                raise _lacking(layers[0]) from None
            middle = len(layers) // 2
            self._learn_layers(layers[:middle])
            self._learn_layers(layers[middle:])

    def of(self, node: Node) -> Template:
        """The operators of a layer of a graph that was learnt."""
        return self._known[_alike(node.op, node.facts.inputs)]

    def _translate(self, keys: Sequence[Key]) -> None:
        model = _translated(keys, self.dtype)
        self.opsets.update({one.domain: one.version for one in model.opset_import})
        self.ir_version = max(self.ir_version, model.ir_version)
        self._known.update(zip(keys, _templates(model.graph, keys), strict=True))


def _lacking(node: Node) -> OutputError:
    return OutputError(
        f"expected layers that PyTorch {torch.__version__} can write in ONNX, "
        f"received {node.op.kind}",
        place=node.source,
        layer=node.path,
    )


def _alike(op: Any, inputs: Shapes) -> Key:
    """A layer whose operators are those of this one, so that fewer layers are translated."""
    if isinstance(op, conv.Conv) and op.groups == 1 and op.table is None:
        return type(op)(**{**op.values(), "out": FEW}), ((FEW, *inputs[0][1:]),)
    if isinstance(op, CHANNELLESS):
        return op, tuple((FEW, *one[1:]) for one in inputs)
    affine = isinstance(op, normalization.BatchNorm) and op.affine  # else its ones are constants
    if affine or isinstance(op, SIZELESS):
        return op, tuple((FEW,) * len(one) for one in inputs)
    return op, inputs


class _Apart(nn.Module):
    """Layers that have nothing to do with each other, each with its own inputs and outputs."""

    def __init__(self, parts: Sequence[nn.Module], counts: Sequence[int]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._counts = counts

    def forward(self, *inputs: Tensor) -> list[Any]:
        waiting = iter(inputs)
        return [
            part(*[next(waiting) for _ in range(count)])
            for part, count in zip(self.parts, self._counts, strict=True)
        ]


def _translated(keys: Sequence[Key], dtype: torch.dtype) -> ModelProto:
    """Layers side by side in ONNX; their tensors are inputs, which nothing can be folded into."""
    import onnx_ir
    from onnxscript import optimizer

    with torch.device("meta"):
        parts = [build_layer(op, inputs).to(dtype) for op, inputs in keys]
        examples = tuple(x for key in keys for x in _examples(*key, dtype))
    # A batch of its own for each: the exporter takes a size from any input that has it.
    batches = [torch.export.Dim(f"batch{i}", min=1) for i in range(len(keys))]
    sizes = tuple({0: batch} for batch, (_, ins) in zip(batches, keys, strict=True) for _ in ins)
    module = _Apart(parts, [len(ins) for _, ins in keys]).eval()
    with quiet():
        program = torch.export.export(module, examples, dynamic_shapes=(sizes,))
        exported: Any = torch.onnx.export(program, dynamo=True, verbose=False, optimize=False)
        inner = exported.model.graph
        for name in list(inner.initializers):
            value = inner.initializers.pop(name)
            if name.startswith("parts."):
                value.const_value = None
                inner.inputs.append(value)
            else:
                inner.initializers[name] = value
        # Constants alone: rules that rewrite take a norm's epsilon of 1e-10 for 0.
        optimizer.inline(exported.model)
        optimizer.fold_constants(exported.model)
        optimizer.remove_unused_nodes(exported.model)
        return onnx_ir.serde.serialize_model(exported.model)


def _examples(op: Op, inputs: Shapes, dtype: torch.dtype) -> Iterator[Tensor]:
    """Two inputs of the batch; an unpooling's second ones are the positions of maxima."""
    for i, one in enumerate(inputs):
        is_index = isinstance(op, pooling.MaxUnpool) and i > 0
        yield torch.zeros(2, *one, dtype=torch.int64 if is_index else dtype)


def _templates(graph: GraphProto, keys: Sequence[Key]) -> Iterator[Template]:
    """Each layer's operators out of those of all."""
    constants = [
        helper.make_node("Constant", [], [one.name], value=one) for one in graph.initializer
    ]
    lengths = _lengths(graph)
    nodes = [*constants, *(one for node in graph.node for one in _floored(node, lengths))]
    nodes = [_bare(node) for node in nodes]
    makers = {name: i for i, node in enumerate(nodes) for name in node.output}
    inputs = iter([one.name for one in graph.input])
    outputs = iter([one.name for one in graph.output])
    for i, (op, shapes) in enumerate(keys):
        takes = tuple(next(inputs) for _ in shapes)
        gives = tuple(next(outputs) for _ in op.ports)
        prefix = f"parts.{i}."
        indices, sources = _before(nodes, makers, gives)
        tensors = {one: one.removeprefix(prefix) for one in sources if one.startswith(prefix)}
        assert sources <= {*takes, *tensors}, "a layer's operators take from another's"
        yield Template([nodes[j] for j in indices], takes, gives, tensors)


def _lengths(graph: GraphProto) -> dict[str, list[int]]:
    """The lengths of values along their spatial axes."""
    values = (*graph.input, *graph.value_info, *graph.output)
    return {
        one.name: [axis.dim_value for axis in one.type.tensor_type.shape.dim[2:]] for one in values
    }


def _floored(node: NodeProto, lengths: Mapping[str, list[int]]) -> list[NodeProto]:
    """A pool in ceil mode as one with so much padding after its input.

    PyTorch leaves a last window out that begins in the padding, and an average's divisor counts
    padding but not what lies beyond it; in ONNX's ceil mode neither is so.
    """
    fields = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type not in ("MaxPool", "AveragePool") or not fields.pop("ceil_mode", 0):
        return [node]
    own, given, kernel = lengths[node.input[0]], lengths[node.output[0]], fields["kernel_shape"]
    rank = len(kernel)
    strides = fields.get("strides") or [1] * rank
    dilations = fields.get("dilations") or [1] * rank
    pads = list(fields.get("pads") or [0] * (2 * rank))
    ends = [
        max(0, (given[i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - own[i] - pads[i])
        for i in range(rank)
    ]
    source, before = node.input[0], []
    if fields.pop("count_include_pad", 0) and any(pads):
        before = _zeros_around(node, pads)
        source = before[-1].output[0]
        ends = [max(0, end - after) for end, after in zip(ends, pads[rank:], strict=True)]
        pads = [0] * (2 * rank)
    fields["pads"] = [*pads[:rank], *ends]
    return [*before, helper.make_node(node.op_type, [source], list(node.output), **fields)]


def _zeros_around(pool: NodeProto, pads: Sequence[int]) -> list[NodeProto]:
    """Zeros that a pool counts."""
    rank = len(pads) // 2
    sizes = [0, 0, *pads[:rank], 0, 0, *pads[rank:]]
    name = f"{pool.output[0]}_pads"
    value = helper.make_tensor("", TensorProto.INT64, [len(sizes)], sizes)
    return [
        helper.make_node("Constant", [], [name], value=value),
        helper.make_node("Pad", [pool.input[0], name], [f"{pool.output[0]}_padded"]),
    ]


def _before(
    nodes: Sequence[NodeProto], makers: Mapping[str, int], ends: Iterable[str]
) -> tuple[list[int], set[str]]:
    """The operators that some values come from, in their order, and what they start with."""
    waiting, needed, sources = list(ends), set(), set()
    while waiting:
        name = waiting.pop()
        if name not in makers:
            sources.add(name)
        elif makers[name] not in needed:
            needed.add(makers[name])
            waiting += _taken(nodes[makers[name]])
    return sorted(needed), sources


def _taken(node: NodeProto) -> list[str]:
    """The values that an operator takes, those that its inner graphs take from outside included."""
    taken = [name for name in node.input if name]
    for inner in _inner_graphs(node):
        made = {one.name for one in (*inner.initializer, *inner.input)}
        made |= {name for one in inner.node for name in one.output}
        names = [name for one in inner.node for name in _taken(one)]
        taken += [name for name in names if name not in made]
    return taken


def _inner_graphs(node: NodeProto) -> list[GraphProto]:
    return [one.g for one in node.attribute if one.type == onnx.AttributeProto.GRAPH]


def _bare(node: NodeProto) -> NodeProto:
    """An operator without the notes of whoever exported it, which name files of this machine.

    And a convolution without the zeros that the exporter makes where it has no bias.
    """
    bare = NodeProto()
    bare.CopyFrom(node)
    if node.op_type in ("Conv", "ConvTranspose") and not node.input[-1].startswith("parts."):
        del bare.input[2:]
    bare.ClearField("doc_string")
    with suppress(ValueError):  # a field of newer versions of ONNX
        bare.ClearField("metadata_props")
    return bare


# From layers to the network.


class _Assembly:
    """The operators of a network, in the graph's order."""

    def __init__(self, graph: Graph, templates: Templates, owners: Mapping[str, str]) -> None:
        self.graph = graph
        self.templates = templates
        self.owners = owners
        self.nodes: list[NodeProto] = []
        self.values: dict[tuple[int, int], str] = {(graph.input.index, 0): graph.input.path}
        self._seen: dict[tuple[int, int, tuple[Scope, ...]], str] = {}
        self._taken = {graph.input.path, *owners.values(), *(one.name for one in graph.outputs)}
        self._wanted: dict[tuple[int, int], str] = {}
        for output in graph.outputs:
            if not graph.nodes[output.tensor.node].scope.applied():
                self._wanted.setdefault((output.tensor.node, output.tensor.port), output.name)

    def run(self) -> None:
        for node in self.graph.layers:
            self._layer(node)
        for output in self.graph.outputs:
            name = self._as_seen(output.tensor, self.graph.root)
            if name != output.name:
                self.nodes.append(helper.make_node("Identity", [name], [output.name]))

    def _layer(self, node: Node) -> None:
        template = self.templates.of(node)
        names = {"": ""}
        names.update(zip(template.inputs, self._inputs(node), strict=True))
        for value, tensor in template.tensors.items():
            names[value] = self.owners[f"{node.path.replace('/', '.')}.{tensor}"]
        for port, value in enumerate(template.outputs):
            if value not in names:  # else the layer gives what it takes
                names[value] = self._name(node, port)
            self.values[node.index, port] = names[value]
        for i, one in enumerate(template.nodes):
            named = _renamed(one, names, lambda name: self._free(f"{node.path}/{name}"))
            named.name = node.path if len(template.nodes) == 1 else f"{node.path}/{i}"
            self.nodes.append(named)

    def _inputs(self, node: Node) -> list[str]:
        return [self._as_seen(tensor, node.scope) for tensor in node.inputs]

    def _name(self, node: Node, port: int) -> str:
        wanted = self._wanted.get((node.index, port))
        if wanted is not None:
            return wanted
        return self._free(node.path if len(node.op.ports) == 1 else f"{node.path}:{port}")

    def _free(self, name: str) -> str:
        free, count = name, 1
        while free in self._taken:
            free, count = f"{name}_{count}", count + 1
        self._taken.add(free)
        return free

    def _as_seen(self, tensor: Place, scope: Scope) -> str:
        """A value outside the parts applied several times that made it, or in those that take it.

        Inside such a part the applications are a part of the batch.
        """
        name = self.values[tensor.node, tensor.port]
        node = self.graph.nodes[tensor.node]
        made, taken = node.scope.applied(), scope.applied()
        if made == taken:
            return name
        key = (tensor.node, tensor.port, tuple(taken))
        if key not in self._seen:
            sizes = node.facts.outputs[tensor.port]
            for part in made:
                if part not in taken:
                    assert part.applications is not None
                    sizes = (part.applications, *sizes)
            inward = sum(part not in made for part in taken)
            self._seen[key] = self._reshaped(name, sizes[inward:])
        return self._seen[key]

    def _reshaped(self, name: str, sizes: Sequence[int]) -> str:
        target, result = self._free(f"{name}/shape"), self._free(f"{name}/reshaped")
        value = helper.make_tensor("", TensorProto.INT64, [1 + len(sizes)], [-1, *sizes])
        self.nodes.append(helper.make_node("Constant", [], [target], value=value))
        self.nodes.append(helper.make_node("Reshape", [name, target], [result]))
        return result


def _renamed(node: NodeProto, names: dict[str, str], free: Any) -> NodeProto:
    """An operator with other values; those that are new in it are named by `free`."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    for name in node.output:
        if name not in names:
            names[name] = free(name)
    copy.output[:] = [names[name] for name in node.output]
    for inner in _inner_graphs(copy):
        for one in (*inner.input, *inner.initializer, *inner.output):
            one.name = names.setdefault(one.name, free(one.name))
        renamed = [_renamed(one, names, free) for one in inner.node]
        del inner.node[:]
        inner.node.extend(renamed)
    return copy


class Network(NamedTuple):
    """An ONNX model without its tensors, and these by their names."""

    model: ModelProto
    tensors: dict[str, Tensor]


def network(model: nn.Module, graph: Graph, templates: Templates) -> Network:
    """A built model in ONNX. Weights are not copied; a layer that shares them names the owner's."""
    state = {
        name: one
        for name, one in model.state_dict(keep_vars=True).items()
        if not name.endswith("num_batches_tracked")
    }
    first: dict[int, str] = {}
    owners = {name: first.setdefault(id(one), name) for name, one in state.items()}
    templates.learn([graph])
    assembly = _Assembly(graph, templates, owners)
    assembly.run()
    kind = TYPES[templates.dtype]
    takes = [_described(graph.input.path, kind, graph.input.facts.outputs[0])]
    gives = [_described(one.name, kind, one.tensor.shape) for one in graph.outputs]
    made = helper.make_graph(assembly.nodes, graph.name, takes, gives)
    opsets = [helper.make_opsetid(*pair) for pair in sorted(templates.opsets.items())]
    whole = helper.make_model(
        made, opset_imports=opsets, producer_name="archcalc", ir_version=templates.ir_version
    )
    return Network(whole, {name: state[name] for name in first.values()})


def _described(name: str, kind: int, sizes: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [BATCH, *sizes])


# Bytes. A message of protobuf is its fields one after the other, so tensors are written where they
# lie: a message with all of them in it would be a copy, and its bytes another.


def pieces(made: Network) -> Iterator[Any]:
    """The bytes of an ONNX file with the tensors in it, or where they lie if it says so."""
    fields = [_tensor_field(name, one) for name, one in made.tensors.items()]
    yield from _with_tensors(made.model, fields)


def outside(made: Network, file: str) -> Iterator[Any]:
    """The bytes of an ONNX file whose tensors are in another file, one after the other."""
    offset, fields = 0, []
    for name, one in made.tensors.items():
        proto = _described_tensor(name, one)
        proto.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", offset), ("length", one.nbytes)):
            proto.external_data.add(key=key, value=str(value))
        offset += one.nbytes
        fields.append(([proto.SerializeToString()], proto.ByteSize()))
    yield from _with_tensors(made.model, fields)


def contents(tensors: Iterable[Tensor]) -> Iterator[Any]:
    """The bytes of tensors."""
    for one in tensors:
        yield one.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data


Field = tuple[list[Any], int]  # its bytes in parts, and how many they are


def _tensor_field(name: str, tensor: Tensor) -> Field:
    head = _described_tensor(name, tensor).SerializeToString()
    head += _length(TensorProto, "raw_data", tensor.nbytes)
    return [head, tensor], len(head) + tensor.nbytes


def _described_tensor(name: str, tensor: Tensor) -> TensorProto:
    return TensorProto(name=name, dims=list(tensor.shape), data_type=TYPES[tensor.dtype])


def _with_tensors(model: ModelProto, fields: Sequence[Field]) -> Iterator[Any]:
    graph = model.graph.SerializeToString()
    heads = [_length(GraphProto, "initializer", size) for _, size in fields]
    total = len(graph) + sum(len(head) for head in heads) + sum(size for _, size in fields)
    around = ModelProto()
    around.CopyFrom(model)
    around.ClearField("graph")
    yield around.SerializeToString()
    yield _length(ModelProto, "graph", total)
    yield graph
    for head, (parts, _) in zip(heads, fields, strict=True):
        yield head
        for part in parts:
            yield from contents([part]) if isinstance(part, Tensor) else [part]


def _length(message: Any, field: str, size: int) -> bytes:
    """The bytes before a field of so many bytes."""
    number = message.DESCRIPTOR.fields_by_name[field].number
    return _varint(number << 3 | 2) + _varint(size)


def _varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first, marked where more follow."""
    groups = []
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def optimized(made: Network) -> bytes:
    """The model as onnxscript folds it, with the tensors in it."""
    from onnxscript import optimizer

    whole = ModelProto.FromString(b"".join(pieces(made)))
    with quiet():
        folded: bytes = optimizer.optimize(whole).SerializeToString()
    return folded
