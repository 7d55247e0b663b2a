"""Op, the base of all layer kinds, and what each number means.

Params
    Trainable parameters. Buffers (running statistics, RBF centres) are counted apart.
Mult-Adds (MACs)
    Multiply-accumulates of convolution, linear and matmul kinds, bias excluded: what papers mean,
    and what many of them call "FLOPs". Padding and ceil-mode overhang count as data. A transposed
    convolution counts input positions. 0 for subsampling, RBF, LRN, norms, pooling, gates.
Other operations
    Everything else, by arithmetic kind (`OPERATIONS`). Per output element, with n inputs or window
    elements: bias 1, batch norm 2 (folded), LRN 2n+3, max pool n-1, average pool n, ReLU 1,
    sigmoid 3, softmax 3 (less 1 a vector), n-way add n-1, subsampling n+1 with its bias, RBF 3n-1.
    A transcendental function is 1; moving data is 0. Adaptive pooling: its exact windows.
FLOPs
    2 x Mult-Adds + every other operation.
Neurons
    Output elements of kinds with weights (convolution, linear, trainable subsampling, RBF); else 0.
Connections (LeCun et al. 1998)
    At each output, one per input value that reaches it through a weight, plus one per bias
    (subsampling: four inputs that share a weight are 4); 0 for norms and kinds without weights.
Window
    What an output position sees of an input, per spatial axis; POINTWISE: its own position;
    WHOLE: everything; HELD: nothing that a receptive field follows (a gate, a pool's switches).

Shapes are without the batch: (channels, *spatial) or (features,). An op holds fields only; every
fact is a function of the fields and the input shapes. A fact an op does not state is an error.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, dataclass_transform

from archcalc.errors import LayerError, SettingError, did_you_mean
from archcalc.formula import ZERO, Derived, formula
from archcalc.ops import fields as f
from archcalc.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archcalc.ops.layout import Strides
    from archcalc.ops.window import Windows

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
Dimensions = tuple["int | Derived", ...]

LARGEST_AXIS = 10**15  # of an output: keeps every product printable

OPERATIONS = ("additions", "multiplications", "divisions", "comparisons", "transcendentals")
NO_OPERATIONS = (0, 0, 0, 0, 0)


class Parameter(NamedTuple):
    """A named parameter tensor: its shape, and whether training changes it (a buffer otherwise)."""

    name: str
    shape: Shape
    trainable: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Saved(NamedTuple):
    """A tensor that autograd keeps between a layer's forward and backward pass.

    `what` is "input" or "output", the one at `port`, or names a tensor of the layer's own. Of those
    `elements` are for each input of the batch (or once: `each` is False), of `size` bytes where
    that is not the network's dtype.
    """

    what: str
    port: int = 0
    elements: Derived = ZERO
    size: int | None = None
    each: bool = True


INPUT, OUTPUT = Saved("input"), Saved("output")
INDEX_BYTES = 8  # places and switches are whole numbers of 64 bits


class Facts(NamedTuple):
    """What one op does with inputs of given shapes; computed once for equal ops and shapes."""

    inputs: Shapes
    outputs: Shapes
    windows: tuple[Windows, ...]
    params: int
    buffers: int
    mult_adds: int
    operations: tuple[int, int, int, int, int]
    connections: int
    neurons: int


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(f.integer, f.sizes, f.padding, f.boolean, f.word, f.real, f.reals, f.table),
)
class Op:
    """A layer kind. Subclasses declare fields as class attributes and state every fact below."""

    kind: ClassVar[str] = ""
    title: ClassVar[str] = ""
    role: ClassVar[str] = ""  # "normalization" and "activation" rows can be folded
    weighted: ClassVar[bool] = False  # counts towards depth
    has_window: ClassVar[bool] = False  # kernel and stride are shown for it
    hidden: ClassVar[frozenset[str]] = frozenset()  # fields that no spec writes
    references: ClassVar[tuple[str, ...]] = ()  # inputs a spec names by a key of their own
    gate: ClassVar[str] = ""  # the branch that is a gate
    arity: ClassVar[tuple[int, int]] = (1, 1)  # fewest and most inputs
    front: ClassVar[str] = ""  # what its outputs have in front: a tensor for each of them
    overwrites: ClassVar[bool] = False  # it may write its output over its input
    constant: ClassVar[bool] = False  # no gradient goes back through it
    takes_one_piece: ClassVar[bool] = False  # it copies an input that has gaps in memory
    indices: ClassVar[frozenset[str]] = frozenset()  # outputs that hold places, not numbers
    fields: ClassVar[dict[str, f.Field]] = {}
    defaults: ClassVar[dict[str, Any]] = {}  # as `convert` gives them
    key: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, f.Field)}
        cls.fields = {**cls.fields, **own}
        cls.defaults = {name: _default(field) for name, field in cls.fields.items()}

    def __init__(self, **values: Any) -> None:
        if not values.keys() <= self.fields.keys():
            name = min(values.keys() - self.fields.keys())
            raise LayerError(
                f"expected a field of {self.kind}, received '{name}'",
                hint=did_you_mean(name, self.fields),
            )
        own = self.defaults.copy()
        for name, value in values.items():
            own[name] = _field_value(self.fields[name], value)
        if f.REQUIRED in own.values():
            raise _missing(self, own)
        self.__setstate__(own)
        self.check()

    def __setstate__(self, own: dict[str, Any]) -> None:
        """Keep the values of the fields, and by what ops are equal."""
        key = (type(self), *own.values())
        self.__dict__ = own
        self.key = key

    def __getstate__(self) -> dict[str, Any]:
        return self.values()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values().items())
        return f"{type(self).__name__}({shown})"

    def values(self) -> dict[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in self.fields}

    def check(self) -> None:
        """Refuse fields that can't go together (raises LayerError)."""

    def check_origin(self, given: Op, facts: Facts, port: int, outputs: Shapes) -> None:
        """Refuse what a referred input comes from: an op, its facts, its port (raises LayerError).

        Asked of kinds with `references`, for the last input; `outputs` are this layer's own.
        """

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of the outputs, in order."""
        return ("output",)

    def resolved(self, inputs: Shapes) -> Mapping[str, Derived]:
        """Fields that are words, as the numbers they stand for with these inputs."""
        return {}

    # What every kind states.

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        """The shape of each output; a dimension may carry its derivation."""
        raise NotImplementedError(f"{self.kind} does not state its output shape")

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        """The named parameter tensors, buffers among them."""
        raise NotImplementedError(f"{self.kind} does not state its parameters")

    def params(self, inputs: Shapes) -> Derived:
        """The number of trainable parameters, as a person would write it."""
        raise NotImplementedError(f"{self.kind} does not state its params")

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        """Multiply-accumulates for one input of the batch."""
        raise NotImplementedError(f"{self.kind} does not state its Mult-Adds")

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        """Operations that are not Mult-Adds, by kind (`OPERATIONS`); kinds left out are 0."""
        raise NotImplementedError(f"{self.kind} does not state its operations")

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        """Connections in the sense of LeCun et al. 1998."""
        raise NotImplementedError(f"{self.kind} does not state its connections")

    def neurons(self, inputs: Shapes, outputs: Shapes) -> Derived:
        """Output elements, for kinds with weights."""
        raise NotImplementedError(f"{self.kind} does not state its neurons")

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        """For each input, what an output position sees of it."""
        raise NotImplementedError(f"{self.kind} does not state its windows")

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        """What PyTorch keeps for the backward pass, parameters and buffers apart.

        `followed` says of each input whether a gradient goes back to it.
        """
        raise NotImplementedError(f"{self.kind} does not state what it saves")

    def is_view(self, inputs: Shapes, training: bool) -> bool:
        """Whether its outputs lie in its (first) input's memory, where they can, and cost none."""
        return False

    def strides(self, sizes: Shape, strides: Strides) -> Strides | None:
        """Of a view, the strides of its outputs, the input having these (`ops.layout`).

        None where no strides will do, so that it copies. `sizes` are the input's; both have the
        batch in front.
        """
        return strides

    # What follows from it.

    def facts(self, inputs: Shapes) -> Facts:
        """All numbers at once, for inputs of these shapes.

        Raises LayerError when the op can't take them.
        """
        fewest, most = self.arity
        if not fewest <= len(inputs) <= most:
            raise self._wrong_arity(len(inputs))
        outputs = tuple([_shape(dimensions) for dimensions in self.output(inputs)])
        operations = self.operations(inputs, outputs)
        return Facts(
            inputs,
            outputs,
            self.windows(inputs),
            self.params(inputs).number,
            sum([math.prod(shape) for _, shape, trained in self.parameters(inputs) if not trained]),
            self.mult_adds(inputs, outputs).number,
            _in_order(operations) if operations else NO_OPERATIONS,
            self.connections(inputs, outputs).number,
            self.neurons(inputs, outputs).number,
        )

    def _wrong_arity(self, count: int) -> LayerError:
        fewest, most = self.arity
        wanted = str(fewest) if fewest == most else f"{fewest} or more"
        noun = "input" if wanted == "1" else "inputs"
        return LayerError(f"{self.kind}: expected {wanted} {noun}, received {count}")


class Unweighted(Op):
    """Kinds that are none "with weights", though they may have parameters (norms, PReLU)."""

    def mult_adds(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return ZERO

    def connections(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return ZERO

    def neurons(self, inputs: Shapes, outputs: Shapes) -> Derived:
        return ZERO


class Weightless(Unweighted):
    """Kinds without parameters: they state that everything weights would give is 0."""

    def parameters(self, inputs: Shapes) -> tuple[Parameter, ...]:
        return ()

    def params(self, inputs: Shapes) -> Derived:
        return ZERO


def _default(field: f.Field) -> Any:
    return field.convert(field.default) if type(field.default) is float else field.default


def _field_value(field: f.Field, value: Any) -> Any:
    """A field's value, checked; what equals its default needs no check (None, an empty tuple)."""
    default = field.default
    same = type(value) is type(default) and value == default and type(value) is not float
    if same or type(value) in (int, str, bool):
        return value if same else field.convert(value)
    try:
        return field.convert(plain_value(value))  # which may be NumPy's
    except SettingError as error:
        raise LayerError(error.message, field=field.name) from None


def _missing(op: Op, values: Mapping[str, Any]) -> LayerError:
    name = next(name for name, value in values.items() if value is f.REQUIRED)
    return LayerError(f"{op.kind}: expected '{name}' ({op.fields[name].expected}), received none")


def _shape(dimensions: tuple[Any, ...]) -> Shape:
    """The sizes alone, each within its bounds."""
    shape: Shape = tuple([getattr(size, "number", size) for size in dimensions])
    for size in shape:
        if size < 1:
            raise LayerError(f"expected output sizes of at least 1, received {spelled(shape)}")
        if size > LARGEST_AXIS:
            raise LayerError(
                f"expected output sizes of at most {LARGEST_AXIS}, received {spelled(shape)}"
            )
    return shape


def _in_order(operations: Mapping[str, Derived]) -> tuple[int, int, int, int, int]:
    counts = [operations[k].number if k in operations else 0 for k in OPERATIONS]
    return tuple(counts)  # type: ignore[return-value]


# Small words shared by the families.


def spelled(shape: Shape) -> str:
    """A shape as it is printed: 64x112x112."""
    return "x".join(map(str, shape))


AXES = {0: (), 1: ("w",), 2: ("h", "w"), 3: ("d", "h", "w")}
AXIS_WORDS = {"w": "width", "h": "height", "d": "depth"}


def axes(rank: int) -> tuple[str, ...]:
    """One letter a spatial axis: h and w for images."""
    return AXES.get(rank) or tuple(f"x{i + 1}" for i in range(rank))


def spatial(shape: Shape, op: Op) -> Shape:
    """The spatial sizes of (channels, *spatial); a vector has none, which is an error."""
    if len(shape) < 2:
        raise LayerError(
            f"{op.kind}: expected an input with spatial axes, such as 3x224x224, "
            f"received {spelled(shape)}"
        )
    return shape[1:]


def per_axis(value: int | tuple[int, ...], rank: int, name: str) -> tuple[int, ...]:
    """One number an axis: a single one is repeated."""
    if not isinstance(value, tuple):
        return (value,) * rank
    if len(value) != rank:
        wanted = "1 number" if rank == 1 else f"{rank} numbers, one an axis"
        raise LayerError(f"expected {wanted}, received {len(value)}", field=name)
    return value


def elements(shape: Shape, letter: str = "out") -> tuple[str, dict[str, int]]:
    """The text of a product over a shape, and its values: `c_out*h_out*w_out`.

    The spatial sizes come first, as one writes it by hand: 55*55*96.
    """
    text, names = _product(len(shape), letter)
    return text, dict(zip(names, (*shape[1:], shape[0]), strict=True))


@lru_cache(maxsize=64)
def _product(rank: int, letter: str) -> tuple[str, tuple[str, ...]]:
    if rank == 1:
        return f"n_{letter}", (f"n_{letter}",)
    names = (*(f"{axis}_{letter}" for axis in axes(rank - 1)), f"c_{letter}")
    return "*".join(names), names


def per_output(outputs: Shapes, times: str = "", **values: int) -> Derived:
    """Output elements times something an element: `55*55*96*(2*n + 3)`."""
    if not times:
        text, sizes = elements(outputs[0])
        return formula(text).of(sizes)
    text, sizes = elements(outputs[0])
    return formula(f"{text}*{times}")(**sizes, **values)
