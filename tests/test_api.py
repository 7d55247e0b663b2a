"""The Python API, as the README uses it."""

from __future__ import annotations

import csv
import inspect
import os
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

import archcalc
from archcalc import GraphBuilder, api, values
from archcalc.errors import (
    ArchcalcError,
    ColumnError,
    NetworkNotFound,
    SettingError,
    SpecError,
    SpecErrors,
)
from archcalc.frontends import requests
from archcalc.graph import Output
from archcalc.ops import KINDS
from archcalc.report.columns import COLUMNS
from archcalc.report.model import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TINY = "input: [1, 8, 8]\nlayers: [conv: {name: only, out: 2, kernel: 3}]\n"


def graph(about: Any = None) -> Any:
    builder = GraphBuilder("own")
    node = builder.add(KINDS["conv"](out=4, kernel=3), [builder.input((3, 8, 8))], "a")
    return builder.finish([Output("out", node.tensor())], about)


# analyze.


def test_a_name_with_settings() -> None:
    """Howard et al. 2017, Table 6: alpha 0.5 has 149 M Mult-Adds and 1.3 M parameters."""
    totals = archcalc.analyze("mobilenet", alpha=0.5).totals
    assert (round(totals.mult_adds / 1e6), round(totals.params / 1e6, 1)) == (149, 1.3)


@pytest.mark.parametrize(
    "analysis",
    [
        lambda: archcalc.analyze("mobilenet", alpha=0.5),
        lambda: archcalc.analyze("mobilenet", settings={"alpha": 0.5}),
        lambda: archcalc.analyze("mobilenet@alpha=0.5"),
        lambda: archcalc.analyze("mobilenet@alpha=1", alpha=0.5),
        lambda: archcalc.analyze(archcalc.load("mobilenet"), alpha=0.5),
        lambda: archcalc.analyze("mobilenet", alpha=Fraction(1, 2)),
    ],
)
def test_ways_to_say_the_same(analysis: Any) -> None:
    found = analysis()
    assert found.totals.mult_adds == archcalc.analyze("mobilenet", alpha=0.5).totals.mult_adds
    assert found.label == "mobilenet@alpha=0.5"
    assert found.settings["alpha"] == Fraction(1, 2)


def test_decimals_are_exact() -> None:
    """0.7*1000 is 700, though the nearest float to 0.7 is less."""
    analysis = archcalc.analyze("mobilenet", alpha=0.7)
    assert analysis.find("separable12/pw").output == (716, 7, 7)  # int(0.7*1024) = 716
    assert analysis.find("conv1").output[0] == 22  # int(0.7*32) = 22
    assert values.exact([0.1, 2.0, "B", [True]]) == [Fraction(1, 10), 2, "B", [True]]


def test_a_spec_is_loaded_once_and_analyzed_often() -> None:
    spec = archcalc.load("resnet50")
    assert spec.network == "resnet50"
    assert [archcalc.analyze(spec, units=u).totals.depth for u in ([1] * 4, [3, 4, 6, 3])] == [
        14, 50
    ]  # fmt: skip


def test_a_graph_of_ones_own() -> None:
    analysis = archcalc.analyze(graph(), batch=2)
    assert analysis.totals.mult_adds == 2 * 6 * 6 * 4 * 27
    assert analysis.label == "own"
    table = archcalc.tabulate(analysis)
    assert table.title == "own, input 3x8x8"
    for refused in ({"input": (3, 9, 9)}, {"alpha": 1}):
        with pytest.raises(SettingError, match="a graph has no settings"):
            archcalc.analyze(graph(), **refused)  # type: ignore[arg-type]


def test_another_input_shape() -> None:
    analysis = archcalc.analyze("vgg16", input=(3, 256, 320))
    assert analysis.find("pool5").output == (512, 8, 10)


@pytest.mark.parametrize("shape", [(3, 0, 224), (3, 224.0, 224), (3, True, 4), ("3", 4, 4)])
def test_input_shapes_that_cannot_be(shape: Any) -> None:
    with pytest.raises(SettingError, match="input: expected"):
        archcalc.analyze("vgg16", input=shape)


def test_several_values_are_several_networks() -> None:
    analyses = api.analyze_all("mobilenet@alpha=[1.0,0.5]", batch=2)
    assert [one.label for one in analyses] == ["mobilenet", "mobilenet@alpha=0.5"]
    with pytest.raises(SettingError, match="received 2 networks"):
        archcalc.analyze("mobilenet@alpha=[1.0,0.5]")
    with pytest.raises(SettingError, match="at most 1000 combinations"):
        api.analyze_all("mobilenet", settings={"alpha": [1] * 40, "resolution": [224] * 40})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", Fraction(1, 2)),
        ("010", 10),
        ("1e-2", Fraction(1, 100)),
        ("true", True),
        ("no", "no"),
        ("B", "B"),
        ("[3, 4]", [3, 4]),
        ("[[1,2],[3]]", [[1, 2], [3]]),
        ("null", "null"),
    ],
)
def test_values_are_read_as_a_spec_reads_them(text: str, value: Any) -> None:
    assert requests.value_of(text) == value


# What names or is a network, and what stands for Python's own values.


@pytest.mark.parametrize("function", ["tabulate", "explain", "memory", "paths", "build"])
def test_functions_take_whatever_is_a_network(function: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text("settings: {n: 3}\n" + TINY.replace("out: 2", "out: n"))
    spec = archcalc.load(path)
    analysis = archcalc.analyze(spec, n=2)
    other = archcalc.expand(path, {"n": 2})
    call = getattr(archcalc, function)
    results = [
        call(path, n=2), call(str(path), settings={"n": 2}), call(f"{path}@n=2"), call(spec, n=2),
        call(analysis), call(other),
    ]  # fmt: skip
    assert len({_told(function, found) for found in results}) == 1
    with pytest.raises(SettingError, match=r"an Analysis has its settings.*received n"):
        call(analysis, n=2)


def _told(function: str, found: Any) -> str:
    if function == "memory":
        return str((found.peak, found.saved_activations))
    if function == "explain":
        return str([one.derivations for one in found])
    if function == "tabulate":
        return str([row.params for row in found.rows])
    return str(found)


@pytest.mark.usefixtures("few_networks")
def test_paths_of_files_and_directories(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "own.yaml"
    path.write_text(TINY)
    assert archcalc.load(path).network == "own"
    for where in (folder, str(folder), [folder], (str(folder),), [folder, folder]):
        assert archcalc.networks(specs=where)[0] == "own"  # type: ignore[arg-type]
        assert archcalc.analyze("own", specs=where).layers[0].name == "only"  # type: ignore[arg-type]
        assert archcalc.reproduce("own", specs=where) == []  # type: ignore[arg-type]
    assert archcalc.reproduce(path) == []


@pytest.mark.parametrize(
    "shape",
    [
        (1, 28, 28), [1, 28, 28], "1x28x28", "1X28X28", np.array([1, 28, 28]),
        np.array([1, 28, 28], dtype=np.uint8), torch.Size([1, 28, 28]), torch.tensor([1, 28, 28]),
        (np.int64(1), 28, torch.tensor(28)),
    ],
    ids=str,
)  # fmt: skip
def test_shapes_of_every_sort(shape: Any) -> None:
    found = archcalc.analyze(archcalc.spec.library.parse(TINY, "t.yaml"), input=shape)
    assert found.layers[0].input == (1, 28, 28)
    assert all(type(size) is int for size in found.layers[0].input)


def test_numbers_of_other_libraries() -> None:
    whole = archcalc.analyze("mobilenet", resolution=160, alpha=0.5, batch=4).totals.mult_adds
    for number in (np.int64(160), np.uint8(160), np.array(160), torch.tensor(160), Decimal(160)):
        for half in (np.float32(0.5), np.float64(0.5), torch.tensor(0.5), Decimal("0.5")):
            found = archcalc.analyze("mobilenet", resolution=number, alpha=half, batch=np.int16(4))
            assert found.totals.mult_adds == whole
            assert type(found.totals.mult_adds) is int
    # float(np.float32(0.7)) is 0.699999988079071 in Python, of which int(0.7*1000) makes 699.
    assert values.exact(np.float32(0.7)) == Fraction("0.699999988079071")
    assert values.exact([np.bool_(True), np.str_("B"), np.array([[1, 2]])]) == [True, "B", [[1, 2]]]
    assert values.exact(Decimal("0.1")) == Fraction(1, 10)


def test_fields_of_other_libraries_numbers() -> None:
    plain = KINDS["conv"](out=8, kernel=(3, 1), padding=[[1, 1], [0, 0]], bias=False)
    given = KINDS["conv"](
        out=np.int64(8), kernel=np.array([3, 1]), padding=np.array([[1, 1], [0, 0]]),
        bias=np.bool_(False),
    )  # fmt: skip
    assert (given, repr(given)) == (plain, repr(plain))
    dropout = KINDS["dropout"](rate=np.float32(0.5))
    assert repr(dropout) == repr(KINDS["dropout"](rate=0.5))
    builder = GraphBuilder("own")
    node = builder.add(given, [builder.input(np.array([3, 32, 32]))], "a")  # type: ignore[arg-type]
    assert node.tensor().shape == (8, 32, 32)


def test_dtypes_of_pytorch_and_numpy() -> None:
    for dtype in ("float16", torch.float16, np.dtype("float16")):
        assert archcalc.analyze("lenet5", dtype=dtype).itemsize == 2  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"expected one of float64, .*, received torch.int16"):
        archcalc.analyze("lenet5", dtype=torch.int16)  # type: ignore[arg-type]


# load and networks.


def test_networks_are_those_of_the_list() -> None:
    names = archcalc.networks()
    assert {"lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "mobilenet"} <= set(names)
    assert len(set(names)) == len(names)


def test_ones_own_come_first(tmp_path: Path) -> None:
    (tmp_path / "lenet5.yaml").write_text(TINY)
    specs = [str(tmp_path)]
    assert archcalc.networks(specs=specs)[0] == "lenet5"
    assert len(archcalc.analyze("lenet5", specs=specs).layers) == 1
    assert len(archcalc.analyze("lenet5").layers) == 14


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("lenet55", NetworkNotFound),
        ("", NetworkNotFound),
        ("#", NetworkNotFound),
        ("/nowhere/x.yaml", SpecError),
        ("lenet5@", SettingError),
        ("lenet5@classes", SettingError),
        ("lenet5@classes=", SettingError),
        ("lenet5@classes=1,,resolution=2", SettingError),
        ("lenet5@beta=1", SettingError),
        ("x" * 10_000, NetworkNotFound),
    ],
)
@pytest.mark.usefixtures("few_networks")
def test_requests_that_cannot_be(asked: str, error: type[ArchcalcError]) -> None:
    with pytest.raises(error) as caught:
        archcalc.analyze(asked)
    assert len(str(caught.value)) < 500


# Tables and explanations.


def test_a_table_as_a_frame() -> None:
    frame = archcalc.tabulate(archcalc.analyze("lenet5")).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert (frame.connections.sum(), frame.params.sum()) == (340_908, 60_000)
    assert frame.loc[frame.name == "C3", "params"].item() == 1516


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ("name,params", ["name", "params"]),
        (" params , name ", ["params", "name"]),
        (["mult_adds"], ["mult_adds"]),
        (("share", "name", "type"), ["share", "name", "type"]),
        (np.array(["name", "params"]), ["name", "params"]),
        ("all", list(COLUMNS)),
        (["all"], list(COLUMNS)),
    ],
)
def test_a_frame_has_the_columns_asked_for(columns: Any, keys: list[str]) -> None:
    table = archcalc.tabulate("lenet5", columns=columns)
    frame = table.to_pandas()
    assert list(frame.columns) == keys
    assert len(frame) == 14
    assert [column.key for column in table.columns] == keys
    if "params" in keys:
        assert frame.params.sum() == 60_000


def test_a_frame_of_the_papers_table() -> None:
    """Szegedy et al. 2014, Table 1: a line for each inception module, under the paper's heads."""
    frame = archcalc.tabulate("googlenet", columns="paper").to_pandas()
    printed = as_text(archcalc.tabulate("googlenet", columns=["paper"]), "csv").splitlines()
    assert list(frame.columns) == next(csv.reader(printed[:1]))
    assert len(frame) == len(printed) - 1
    with pytest.raises(ColumnError, match="expected a table that lenet5 declares"):
        archcalc.tabulate("lenet5", columns="paper")


def test_explanations_are_a_list() -> None:
    analysis = archcalc.analyze("lenet5")
    [one] = archcalc.explain(analysis, "C3")
    values = {derivation.quantity: derivation.value for derivation in one.derivations}
    assert (values["params"], values["connections"]) == (1516, 151_600)
    assert len(archcalc.explain(analysis)) == 15


# Errors.


def test_every_error_is_of_one_family() -> None:
    for error in (NetworkNotFound, SettingError, ColumnError, SpecError, SpecErrors):
        assert issubclass(error, archcalc.ArchcalcError)


class Untold:
    """An object of which nothing can be told."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


LOOP: list[Any] = []
LOOP.append(LOOP)
ODD: list[Any] = [
    None, 3, 0, -1, 1.5, float("nan"), float("inf"), 10**30, 10**5000, Fraction(10**400, 3), True,
    "", "x", "2", "3x32x32", "all", "\0", "\x1b[31m", "a" * 5000, b"x", [], [1], ["x"], (1, 2, 3),
    [None], {}, {"a": 1}, {1: 2}, set(), object(), Untold(), type, len, np.int64(2),
    np.float32(0.5), np.array([3, 32, 32]), np.array([[1]]), np.bool_(True), torch.float32,
    torch.tensor(2), torch.tensor([1.5]), torch.empty(3, device="meta"), Path("x.yaml"), Path("/"),
    [Path("/x")], Decimal("nan"), LOOP, range(10**12), iter([1]), ValueError("x"), 1j,
    np.complex64(1), torch.nn.ReLU(), torch.device("cpu"), "cuda:99", "@", "#", "lenet5@",
]  # fmt: skip
FEW = [3, 1.5, b"x", ["x"], {1: 2}, object(), np.int64(2), Path("x.yaml"), torch.nn.ReLU(), "#"]
FUNCTIONS = [name for name in archcalc.__all__ if inspect.isfunction(getattr(archcalc, name))]
COSTLY = {"verify", "reconcile"}  # they hand on to `analyze` what is not their own


def parameters(name: str) -> Iterator[str]:
    """The parameters of a function, those of `analyze` where it hands them on."""
    own = inspect.signature(getattr(archcalc, name)).parameters
    yield from (key for key, one in own.items() if one.kind is not inspect.Parameter.VAR_KEYWORD)
    if "more" in own:
        yield from {"batch", "dtype", "input", "specs", "settings", "classes"} - own.keys()


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, one) for name in FUNCTIONS for one in sorted(parameters(name))],
)
@pytest.mark.usefixtures("few_networks")
def test_whatever_is_given_works_or_is_refused_in_a_sentence(name: str, parameter: str) -> None:
    function: Callable[..., Any] = getattr(archcalc, name)
    first = next(iter(inspect.signature(function).parameters))
    given: dict[str, Any] = {first: "lenet5"} if first in ("network", "spec") else {}
    if name in COSTLY and parameter not in (first, "tools"):
        return
    for value in FEW if name in COSTLY else ODD:
        said = "it works"
        try:
            function(**{**given, parameter: value})
        except ArchcalcError as error:
            said = str(error)
        assert 0 < len(said) < 1500


@pytest.fixture
def few_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LeNet-5 alone, as a hint at what was meant reads every network there is."""
    (tmp_path / "lenet5.yaml").write_text(archcalc.load("lenet5").text, encoding="utf-8")
    monkeypatch.setattr(archcalc.spec.library, "shipped", lambda: str(tmp_path))


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_a_builder_refuses_in_a_sentence(value: Any) -> None:
    """Whatever stands for an argument of GraphBuilder, Analysis or a layer kind."""

    def begun() -> tuple[GraphBuilder, Any]:
        builder = GraphBuilder("own")
        return builder, builder.input((3, 8, 8))

    relu, (builder, image) = KINDS["relu"](), begun()
    for attempt in (
        lambda: GraphBuilder(value),
        lambda: GraphBuilder("own").input(value),
        lambda: builder.add(value, [image], "a"),
        lambda: builder.add(relu, value, "b"),
        lambda: builder.add(relu, [value], "c"),
        lambda: builder.add(relu, [image], value),
        lambda: builder.add(relu, [image], "d", shared_with=value),
        lambda: builder.enter(value, "kind", image),
        lambda: builder.enter("e", "kind", value),
        lambda: builder.enter("f", "kind", image, value),
        lambda: builder.finish([Output("out", value)]),
        lambda: builder.finish(value),
        lambda: archcalc.Analysis(value),
        lambda: graph(value),
        lambda: graph(archcalc.About(title=value)),
        lambda: graph(archcalc.About(paper=value)),
        lambda: graph(archcalc.About(settings=value)),
        lambda: graph(archcalc.About(tables=value)),
        lambda: archcalc.analyze(graph()).find(value),
        *(
            partial(kind, **{field: value})
            for kind in KINDS.values()
            for field in kind.fields
        ),
    ):  # fmt: skip
        said = "it works"
        try:
            attempt()
        except ArchcalcError as error:
            said = str(error)
        assert said


def test_files_that_are_no_networks(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("nothing")
    for path, error, message in (
        (tmp_path, SpecError, "can't read .*: Is a directory"),
        (tmp_path / "x.txt", SpecError, "expected a mapping with 'input' and 'layers'"),
        (tmp_path / "x.yaml", SpecError, "can't read .*: No such file"),
    ):
        with pytest.raises(ArchcalcError, match=message) as caught:
            archcalc.analyze(path)
        assert isinstance(caught.value, error)
        assert os.fspath(path) in str(caught.value)


def test_an_error_has_its_parts() -> None:
    with pytest.raises(SpecErrors) as caught:
        archcalc.spec.library.parse("input: [1]\nlayers: [rleu, tanhh]", "own.yaml")
    first, second = caught.value.errors
    assert str(first.place) == "own.yaml:2:10"
    assert "relu" in str(first.hint)
    assert second.place is not None
    assert second.place.line == 2
    assert str(caught.value).count("\n") == 1
