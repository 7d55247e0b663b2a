"""The graph: nodes, the tree of scopes, and the builder that every frontend uses.

`GraphBuilder.add` computes a node's shapes and facts as it is added, once for equal ops and input
shapes; `GraphBuilder.repeat` adds a block's layers once more. Nothing here knows where a graph
comes from: a node's `source` is opaque.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import values
from archcalc.errors import (
    ArchcalcError,
    GraphError,
    InputWarning,
    LayerError,
    Place,
    received,
)
from archcalc.memo import Memo
from archcalc.ops.base import LARGEST_AXIS, Op, spelled
from archcalc.ops.shape import Input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from archcalc.ops import Facts
    from archcalc.ops.base import Shape

_builders = count(1)

COLOURS = (1, 3, 4)  # channels of images: grey, colours, and colours with transparency


class Tensor(NamedTuple):
    """One output of one node: the node's index, the port, the shape (batch apart).

    The shape is that seen where the tensor is used: outside of a part that is applied N times,
    what comes out of it has N in front. `owner` is the number of the builder that made it.
    """

    node: int
    port: int
    shape: Shape
    owner: int


class Node:
    """One application of an op; `times` applications where it is in a part applied several times.

    Its facts and the shapes of its inputs are those of one application.
    """

    __slots__ = (
        "facts",
        "index",
        "inputs",
        "label",
        "name",
        "op",
        "scope",
        "shared_with",
        "source",
    )

    def __init__(
        self, index: int, name: str, op: Op, inputs: tuple[Tensor, ...], facts: Facts, scope: Scope
    ) -> None:
        self.index = index
        self.name = name
        self.op = op
        self.inputs = inputs
        self.facts = facts
        self.scope = scope
        self.source: Place | None = None
        self.label: str | None = None
        self.shared_with: Node | None = None

    @property
    def path(self) -> str:
        """The full name: the scopes' names and its own, joined by `/`."""
        return f"{self.scope.path}/{self.name}" if self.scope.path else self.name

    @property
    def times(self) -> int:
        return self.scope.times

    def tensor(self, port: int = 0) -> Tensor:
        return Tensor(self.index, port, self.facts.outputs[port], self.scope.owner)

    def __repr__(self) -> str:
        return f"<{self.path}: {self.op!r}>"


class Scope:
    """A named part of the network: a block, a branch of a join, or the network itself.

    `kind` is the block's name in the spec, or "branch", "network", or the join's kind; `survival`
    the probability that its residual bodies are kept in training (stochastic depth, Huang et al.
    2016), where that is said.

    A part with `applications` is applied so many times with the same parameters, to so many tensors
    of one shape: `entry` and `exit`, as seen from outside, have their number in front of it; the
    layers inside have the shapes of one application. `times` is how often all of it is applied (to
    one input of the batch), `level` how many such parts are around, itself counted in.
    """

    __slots__ = (
        "applications", "arguments", "branches", "children", "entry", "exit", "kind", "label",
        "level", "name", "owner", "parent", "path", "source", "survival", "times",
    )  # fmt: skip

    def __init__(
        self, name: str, kind: str, parent: Scope | None, applications: int | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.path: str = f"{parent.path}/{name}" if parent and parent.path else name
        self.applications = applications
        self.times: int = parent.times if parent else 1
        self.level: int = parent.level if parent else 0
        self.owner: int = parent.owner if parent else 0
        if applications is not None:
            self.times *= applications
            self.level += 1
        self.arguments: Mapping[str, Any] = {}
        self.branches: dict[str, Scope] = {}
        self.children: dict[str, Node | Scope] = {}
        self.entry: Tensor | None = None
        self.exit: Tensor | None = None
        self.label: str | None = None
        self.source: Place | None = None
        self.survival: int | Fraction | None = None

    def applied(self) -> list[Scope]:
        """The parts applied several times that are around, itself among them, the nearest first."""
        if not self.level:
            return []
        return [scope for scope in _upwards(self) if scope.applications is not None]

    def walk(self) -> Iterator[Scope]:
        """This scope and all below it, outer ones first."""
        waiting = [self]
        while waiting:
            scope = waiting.pop()
            yield scope
            inner = [child for child in scope.children.values() if isinstance(child, Scope)]
            waiting.extend(reversed(inner))

    def nodes(self) -> Iterator[Node]:
        """All nodes below, in the order of the network."""
        for child in self.children.values():
            if isinstance(child, Scope):
                yield from child.nodes()
            else:
                yield child


class Output(NamedTuple):
    """An output of the network; auxiliary ones don't count towards depth."""

    name: str
    tensor: Tensor
    auxiliary: bool = False


class DeclaredTable(NamedTuple):
    """Columns as a paper heads them: heading -> what stands in it, first that a row has."""

    name: str
    source: str
    depth: int | None
    fold: bool
    hide: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    place: Place | None = None


class About(NamedTuple):
    """What is said of a network besides its layers, whichever frontend it came by.

    `title` and `label` are the graph's name where they are empty; `paper` has keys such as
    `authors`, `title` and `year`. `changed` are the settings that differ from the network's own, as
    `alpha=0.5`; `arguments` the names under which its blocks may have arguments. `origin` is what
    the frontend made the graph of, and its own affair.
    """

    title: str = ""
    paper: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    label: str = ""
    tables: Mapping[str, DeclaredTable] = {}
    changed: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    origin: Any = None


class Graph:
    """A network: nodes in an order in which they can be run, the scopes, the outputs."""

    def __init__(
        self,
        name: str,
        nodes: list[Node],
        root: Scope,
        outputs: list[Output],
        about: About | None = None,
    ) -> None:
        self.name = name
        self.nodes = nodes
        self.root = root
        self.outputs = outputs
        about = about or About()
        self.about = about._replace(title=about.title or name, label=about.label or name)

    @property
    def input(self) -> Node:
        return self.nodes[0]

    @property
    def layers(self) -> list[Node]:
        """The nodes without the input."""
        return self.nodes[1:]

    def __reduce__(self) -> tuple[Callable[..., Graph], tuple[Any, ...]]:
        """As lists of nodes and scopes, for pickle and copy: they would follow links too deep."""
        scopes = list(self.root.walk())
        numbers = {scope: i for i, scope in enumerate(scopes)}
        nodes = [_flat_node(node, numbers) for node in self.nodes]
        flat = [_flat_scope(scope, numbers) for scope in scopes]
        return _unflattened, (self.name, nodes, flat, self.outputs, self.about)


_SCOPE = ("owner", "arguments", "entry", "exit", "label", "source", "survival")


def _flat_node(node: Node, numbers: Mapping[Scope, int]) -> tuple[Any, ...]:
    """What a node holds, with numbers for scopes and other nodes; its facts follow from its op."""
    shared = node.shared_with.index if node.shared_with else None
    return node.name, node.op, node.inputs, numbers[node.scope], node.label, node.source, shared


def _flat_scope(scope: Scope, numbers: Mapping[Scope, int]) -> tuple[Any, ...]:
    """What a scope holds, with numbers for other scopes (below 0 among children) and nodes."""
    parent = numbers[scope.parent] if scope.parent else None
    branches = {name: numbers[branch] for name, branch in scope.branches.items()}
    children = {
        name: -numbers[child] if isinstance(child, Scope) else child.index
        for name, child in scope.children.items()
    }
    others = [getattr(scope, name) for name in _SCOPE]
    return scope.name, scope.kind, parent, scope.applications, others, branches, children


def _facts(op: Op, inputs: Sequence[Tensor], memo: Memo) -> Facts:
    """What an op does with these tensors, computed once for equal ops and shapes."""
    shapes = tuple([tensor.shape for tensor in inputs])
    known: Facts | None = memo.get((op, shapes))
    return memo.keep((op, shapes), op.facts(shapes)) if known is None else known


def _unflattened(
    name: str,
    flat_nodes: Sequence[tuple[Any, ...]],
    flat_scopes: Sequence[tuple[Any, ...]],
    outputs: list[Output],
    about: About,
) -> Graph:
    """The graph of which these are the nodes and the scopes, outer scopes first."""
    scopes: list[Scope] = []
    for own, kind, parent, applications, others, _, _ in flat_scopes:
        scope = Scope(own, kind, None if parent is None else scopes[parent], applications)
        for key, value in zip(_SCOPE, others, strict=True):
            setattr(scope, key, value)
        scopes.append(scope)
    nodes: list[Node] = []
    memo = Memo()
    for own, op, inputs, number, label, source, shared in flat_nodes:
        node = Node(len(nodes), own, op, inputs, _facts(op, inputs, memo), scopes[number])
        node.label, node.source = label, source
        node.shared_with = None if shared is None else nodes[shared]
        nodes.append(node)
    for scope, (*_, branches, children) in zip(scopes, flat_scopes, strict=True):
        scope.branches = {key: scopes[i] for key, i in branches.items()}
        scope.children = {key: nodes[i] if i > 0 else scopes[-i] for key, i in children.items()}
    return Graph(name, nodes, scopes[0], outputs, about)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Python's cycle collector off while many objects are made, none of which is garbage yet.

    It would go through all of them again and again: half the time of a large network.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Entered:
    """Inside a `with` the builder adds to a scope, after it to the outer one again.

    A scope that is left without layers is no part of the graph.
    """

    __slots__ = ("builder", "entered", "outer", "scope")

    def __init__(self, builder: GraphBuilder, scope: Scope, outer: Scope) -> None:
        self.builder = builder
        self.scope = scope
        self.outer = outer
        self.entered = False

    def __enter__(self) -> Scope:
        if self.builder.scope is not self.outer or self.entered:
            raise GraphError(
                "expected a block to be entered once, where it was opened, received it elsewhere "
                "or again",
                layer=self.scope.path,
            )
        self.builder.check_name(self.scope.name)
        self.entered = True
        self.outer.children[self.scope.name] = self.scope
        self.builder.scope = self.scope
        return self.scope

    def __exit__(self, error: type[BaseException] | None, *more: object) -> None:
        self.builder.scope = self.outer
        if not self.scope.children:
            del self.outer.children[self.scope.name]
        if error is None:
            self.builder.leave(self.scope)


def _upwards(scope: Scope) -> Iterator[Scope]:
    """A scope and those around it, the nearest first."""
    at: Scope | None = scope
    while at is not None:
        yield at
        at = at.parent


class _Copy:
    """Appends layers once more, on another entry; each comes `shift` after the first time."""

    def __init__(self, nodes: list[Node], first: int, outside: Tensor, entry: Tensor) -> None:
        self.nodes = nodes
        self.outside = (outside.node, outside.port)
        self.first = first
        self.shift = len(nodes) - first
        self.entry = entry

    def fill(self, scope: Scope, copy: Scope) -> None:
        """Give the copy what the scope holds, in the same order."""
        for name, child in scope.children.items():
            if isinstance(child, Scope):
                copy.children[name] = self.scope(child, copy)
            else:
                copy.children[name] = self.node(child, copy)
        for name, branch in scope.branches.items():
            inner = copy.children.get(name)  # missing where all its layers were left out
            copy.branches[name] = inner if isinstance(inner, Scope) else self.scope(branch, copy)
        copy.exit = scope.exit and self.tensor(scope.exit)

    def scope(self, scope: Scope, outer: Scope) -> Scope:
        copy = Scope(scope.name, scope.kind, outer, scope.applications)
        copy.arguments = scope.arguments
        copy.entry = scope.entry and self.tensor(scope.entry)
        copy.label = scope.label
        copy.source = scope.source
        copy.survival = scope.survival
        self.fill(scope, copy)
        return copy

    def node(self, node: Node, scope: Scope) -> Node:
        inputs = tuple([self.tensor(tensor) for tensor in node.inputs])
        copy = Node(len(self.nodes), node.name, node.op, inputs, node.facts, scope)
        copy.source = node.source
        copy.label = node.label
        if node.shared_with is not None:
            copy.shared_with = self.nodes[node.shared_with.index + self.shift]
        self.nodes.append(copy)
        return copy

    def tensor(self, tensor: Tensor) -> Tensor:
        """The copy's; what came into the scope is now the new entry."""
        if tensor.node < self.first:
            if (tensor.node, tensor.port) != self.outside:
                raise GraphError(
                    "expected a block that takes nothing from outside but what comes into it, "
                    f"received one that takes {self.nodes[tensor.node].path}",
                    field="scope",
                )
            return Tensor(self.entry.node, self.entry.port, tensor.shape, tensor.owner)
        return Tensor(tensor.node + self.shift, tensor.port, tensor.shape, tensor.owner)


LEAST_IMAGE = 16  # positions along an image's side, so that it can be told from its colours


def layout_note(shape: Shape) -> str | None:
    """What an input's shape is taken as, where it may be meant in another layout; else None."""
    sides = shape[:2]
    if len(shape) == 3 and shape[2] in COLOURS and all(side >= LEAST_IMAGE for side in sides):
        meant, likely = "its channels last", (shape[2], *shape[:2])
    elif len(shape) == 4 and shape[0] == 1 and shape[1] in COLOURS:
        meant, likely = "the batch first", shape[1:]
    else:
        return None
    channels = f"{shape[0]:,} channel{'s' * (shape[0] != 1)} of {spelled(shape[1:])}"
    return (
        f"input {spelled(shape)} is taken as {channels}; archcalc's shapes are without the batch, "
        f"channels first: if this one has {meant}, it should be {spelled(likely)}"
    )


def _warn(warning: InputWarning) -> None:
    """Warn whoever called archcalc, from wherever in it this is called."""
    import inspect
    import warnings

    frame, level = inspect.currentframe(), 1
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == "archcalc":
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)


class GraphBuilder:
    """Builds a Graph node by node; the one way in for every frontend.

    Raises GraphError where what is asked for can't be a graph.
    """

    def __init__(self, name: str, memo: Memo | None = None) -> None:
        self.name = self._text(name, "name")
        self.root = Scope("", "network", None)
        self.root.owner = next(_builders)
        self.scope = self.root
        self._finished = False
        self.nodes: list[Node] = []
        self._applied = False  # whether any part is applied several times
        self._memo = Memo() if memo is None else memo

    def input(self, shape: Shape, source: Place | None = None) -> Tensor:
        """Where the network's input comes in; the first node."""
        if self.nodes or self.scope is not self.root:
            raise GraphError("expected the network's input once and first, received it later")
        shape = values.shape(shape)
        if not isinstance(shape, tuple):
            raise GraphError(
                f"expected sizes such as (3, 224, 224), received {received(shape)}", field="shape"
            )
        try:
            op = Input(shape=shape)
        except LayerError as error:
            raise GraphError(error.message, field="shape", layer="input") from None
        node = self._append(op, (), "input", source)
        self.root.entry = node.tensor()
        if note := layout_note(node.facts.outputs[0]):
            _warn(InputWarning(note, source))
        return node.tensor()

    def add(
        self,
        op: Op,
        inputs: Sequence[Tensor],
        name: str,
        *,
        source: Place | None = None,
        shared_with: Node | None = None,
        label: str | None = None,
    ) -> Node:
        """Append a layer; `source` is where the frontend has it from, which is its own affair."""
        self.check_name(name)
        self._check_layer(op, inputs, name)
        if self._applied:
            inputs = [self.seen(tensor, name) for tensor in inputs]
        node = self._append(op, tuple(inputs), name, source)
        node.label = label
        if op.references or shared_with is not None:
            self._refer(node, shared_with)
        self.scope.children[name] = node
        return node

    def _refer(self, node: Node, shared_with: Node | None) -> None:
        """Hold a node against the others that it refers to; without it where it can't be."""
        try:
            if node.op.references:
                self._check_origin(node)
            if shared_with is not None:
                self._share(node, shared_with)
        except ArchcalcError:
            self.nodes.pop()
            raise

    # What can't be a graph.

    def check_name(self, name: str) -> None:
        """Refuse names that are taken in this scope, or that a full name can't hold."""
        if self._finished:
            raise GraphError(f"expected nothing after finish, received {received(name)}")
        text = self._text(name, "name")
        if not text or "/" in text or "." in text:
            raise self._wrong("name", "one character or more, without / and .", text)
        if text in self.scope.children or (text == "input" and self.scope is self.root):
            raise self._wrong("name", "one that is not taken", text, text)

    def _checked(self, about: Any) -> About | None:
        if about is None:
            return None
        if not isinstance(about, About):
            raise self._wrong("about", "an About", about)
        self._text(about.title, "title")
        self._text(about.label, "label")
        for field in ("paper", "settings", "tables"):
            mapping = getattr(about, field)
            if not isinstance(mapping, Mapping) or not all(isinstance(key, str) for key in mapping):
                raise self._wrong(field, "a mapping with names", mapping)
        for key, value in about.paper.items():
            self._text(value, f"paper.{key}")
        for key, table in about.tables.items():
            if not isinstance(table, DeclaredTable):
                raise self._wrong(f"tables.{key}", "a DeclaredTable", table)
        return about

    def _check_layer(self, op: Any, inputs: Any, name: str) -> None:
        if not isinstance(op, Op) or isinstance(op, Input):
            raise self._wrong("op", "a layer's op", op, name)
        if not isinstance(inputs, (list, tuple)) or isinstance(inputs, Tensor):
            raise self._wrong("inputs", "a list of tensors", inputs, name)
        for tensor in inputs:
            if not self._owns(tensor):
                raise self._foreign("inputs", tensor, name)

    def _text(self, value: Any, field: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(field, "text", value)
        return value

    def _owns(self, value: object) -> bool:
        """Whether it is a tensor that this builder made."""
        return isinstance(value, Tensor) and value.owner == self.root.owner

    def _wrong(self, field: str, expected: str, value: Any, name: str = "") -> GraphError:
        """An argument that can't be, of the layer of that name where it has one."""
        empty = isinstance(value, (list, tuple)) and not value
        plain = value is None or empty or isinstance(value, (str, int, float))
        got = received(value if plain else type(value).__name__)
        layer = self._path(name) if name else None
        return GraphError(f"expected {expected}, received {got}", field=field, layer=layer)

    def _foreign(self, field: str, value: Any, name: str = "") -> GraphError:
        if not isinstance(value, Tensor):
            return self._wrong(field, "a tensor, such as a node's tensor()", value, name)
        layer = self._path(name) if name else None
        message = "expected tensors of this builder, received one of another"
        return GraphError(message, field=field, layer=layer)

    def _path(self, name: str) -> str:
        return f"{self.scope.path}/{name}" if self.scope.path else name

    def _check_origin(self, node: Node) -> None:
        tensor = node.inputs[-1]
        origin = self.nodes[tensor.node]
        try:
            node.op.check_origin(origin.op, origin.facts, tensor.port, node.facts.outputs)
        except LayerError as error:
            raise self._named(error, node.name) from None

    def _append(self, op: Op, inputs: tuple[Tensor, ...], name: str, source: Place | None) -> Node:
        try:
            facts = _facts(op, inputs, self._memo)
        except LayerError as error:
            raise self._named(error, name) from None
        node = Node(len(self.nodes), name, op, inputs, facts, self.scope)
        node.source = source
        self.nodes.append(node)
        return node

    def _share(self, node: Node, other: Any) -> None:
        if not isinstance(other, Node) or other.scope.owner != self.root.owner:
            raise self._wrong("shared_with", "a node of this builder", other, node.name)
        own = node.op.parameters(node.facts.inputs)
        theirs = other.op.parameters(other.facts.inputs)
        if not set(own) <= set(theirs):  # all that it needs is there; a bias more is no matter
            needed, given = (
                ", ".join(f"{p.name} {spelled(p.shape)}" for p in ps) or "none"
                for ps in (own, theirs)
            )
            wanted = "no parameters" if needed == "none" else f"parameters {needed}"
            raise GraphError(
                f"expected {wanted}, received those of {other.path}: {given}",
                field="shared_with",
                layer=node.path,
            )
        node.shared_with = other.shared_with or other

    def _named(self, error: LayerError, name: str) -> GraphError:
        """An op's error, of the layer of that name."""
        return GraphError(error.fact, field=error.field, layer=self._path(name), hint=error.hint)

    def enter(
        self, name: str, kind: str, entry: Tensor, applications: int | None = None
    ) -> _Entered:
        """A scope around the layers added inside the `with`; set its `exit` before leaving.

        With `applications`, the entry must have so many in front: (applications, *shape) are so
        many tensors of that shape, and each layer inside takes one of them, as `seen` tells its
        shape. A block that is left without layers is no part of the graph.
        """
        self.check_name(name)
        self._text(kind, "kind")
        if not self._owns(entry):
            raise self._foreign("entry", entry, name)
        applications = values.plain_value(applications)
        if applications is not None:
            applications = self._count(applications, name)
        outer = self.scope
        scope = Scope(name, kind, outer, applications)
        scope.entry = entry
        if applications is not None:
            self._applied = True
            if scope.times > LARGEST_AXIS:
                raise GraphError(
                    f"expected at most {LARGEST_AXIS:,} applications in all, received "
                    f"{scope.times:,}",
                    field="applications",
                    layer=scope.path,
                )
            if len(entry.shape) < 2 or entry.shape[0] != applications:
                like = (applications, *(entry.shape[1:] or (64, 14, 14)))
                raise GraphError(
                    f"expected what comes in to have {applications} in front, as "
                    f"{spelled(like)} has, received {spelled(entry.shape)}",
                    field="applications",
                    layer=scope.path,
                )
        return _Entered(self, scope, outer)

    def leave(self, scope: Scope) -> None:
        """Hold a block that is left against what a block must have, and see its exit from here."""
        if scope.exit is None and scope.children:
            message = "expected a block's exit to be set before it is left, received none"
            raise GraphError(message, layer=scope.path)
        if scope.exit is not None:
            if not self._owns(scope.exit):
                raise self._foreign("exit", scope.exit, scope.name)
            if scope.level:
                scope.exit = self.seen(scope.exit)

    def _count(self, applications: Any, name: str) -> int:
        """How often a part is applied."""
        count: int | None = values.integral(applications)
        if count is None or count < 1:
            raise self._wrong("applications", "a whole number of at least 1", applications, name)
        if count > 10**100:  # too long to be shown
            raise self._wrong("applications", f"at most {LARGEST_AXIS:,}", applications, name)
        return count

    def seen(self, tensor: Tensor, name: str = "") -> Tensor:
        """A tensor as it is seen from the scope that is being filled.

        Outside a repeated part a tensor's shape has a leading axis N, and inside it has none.
        Raises GraphError where a layer in such a part takes something from outside that is not what
        comes into the part: each application has its own.
        """
        if not self._owns(tensor):
            raise self._foreign("tensor", tensor, name)
        if not self._applied:
            return tensor
        node = self.nodes[tensor.node]
        shape = node.facts.outputs[tensor.port]
        around = list(_upwards(self.scope))
        within = set(around)
        scope: Scope | None = node.scope
        while scope is not None and scope not in within:
            if scope.applications is not None:
                shape = (scope.applications, *shape)
            scope = scope.parent
        inward = around[: around.index(scope)] if scope is not None else around
        for part in reversed(inward):
            if part.applications is None:
                continue
            entry = part.entry
            if entry is None or (entry.node, entry.port) != (tensor.node, tensor.port):
                raise GraphError(
                    f"expected a layer inside {part.path}, which is applied {part.applications} "
                    f"times, or what comes into it, received {node.path or node.name}",
                    layer=f"{self.scope.path}/{name}" if name else self.scope.path,
                )
            shape = shape[1:]
        return Tensor(tensor.node, tensor.port, shape, tensor.owner)

    def repeat(self, scope: Scope) -> Tensor:
        """Fill the scope entered with what another holds, and give its exit.

        The other must take nothing from outside but its entry; both entries have the same shape, so
        that every layer keeps its facts.
        """
        first, outside = self._repeated(scope)
        assert self.scope.entry is not None
        _Copy(self.nodes, first, outside, self.scope.entry).fill(scope, self.scope)
        assert self.scope.exit is not None
        return self.seen(self.scope.exit)

    def _repeated(self, scope: Any) -> tuple[int, Tensor]:
        """The first node of a block that can be filled in here, and what comes into it."""
        own = self.scope
        if own is self.root or own.children:
            raise GraphError("expected to be in a block without layers yet, received another")
        if not isinstance(scope, Scope) or scope.owner != self.root.owner:
            raise self._wrong("scope", "a block of this builder", scope)
        first = next(scope.nodes(), None)
        if first is None or scope.entry is None or scope.exit is None or own.entry is None:
            message = "expected a block with layers and its exit set, received one without"
            raise GraphError(message, field="scope")
        wanted, given = (
            one.entry.shape if one.applications is None else one.entry.shape[1:]
            for one in (scope, own)
            if one.entry
        )
        if wanted != given:
            message = f"expected the shape {spelled(wanted)} that comes into it, received "
            raise GraphError(message + spelled(given), field="scope", layer=own.path)
        return first.index, scope.entry

    def finish(self, outputs: list[Output], about: About | None = None) -> Graph:
        """The graph, with what is said about it; a layer that feeds no output is an error."""
        self._check_outputs(outputs)
        about = self._checked(about)
        reached = bytearray(len(self.nodes))
        waiting = [output.tensor.node for output in outputs]
        while waiting:
            index = waiting.pop()
            if not reached[index]:
                reached[index] = 1
                waiting.extend(tensor.node for tensor in self.nodes[index].inputs)
        unused = [node for node in self.nodes[1:] if not reached[node.index]]
        if unused:
            more = f" (and {len(unused) - 1} more)" if len(unused) > 1 else ""
            raise GraphError(
                f"expected a layer that feeds an output of the network, received one that does "
                f"not{more}",
                field="outputs",
                layer=unused[-1].path,
            )
        self.root.exit = outputs[0].tensor
        self._finished = True
        return Graph(self.name, self.nodes, self.root, outputs, about)

    def _check_outputs(self, outputs: Any) -> None:
        if self._finished:
            raise GraphError("expected finish once, received it again")
        if self.scope is not self.root:
            raise GraphError(
                "expected finish after every block is left, received it inside of one",
                layer=self.scope.path,
            )
        if not isinstance(outputs, (list, tuple)) or not outputs:
            raise self._wrong("outputs", "a list of at least one Output", outputs)
        names = set()
        for output in outputs:
            if not isinstance(output, Output):
                raise self._wrong("outputs", "an Output", output)
            if not self._owns(output.tensor):
                raise self._foreign("outputs", output.tensor)
            if self._text(output.name, "outputs") in names:
                raise self._wrong("outputs", "names that differ", output.name)
            names.add(output.name)
