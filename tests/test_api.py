"""The Python API, as the README uses it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import archcalc
from archcalc import GraphBuilder, api
from archcalc.errors import (
    ArchcalcError,
    ColumnError,
    NetworkNotFound,
    SettingError,
    SpecError,
    SpecErrors,
)
from archcalc.graph import Output
from archcalc.ops import KINDS

if TYPE_CHECKING:
    from pathlib import Path

TINY = "input: [1, 8, 8]\nlayers: [conv: {name: only, out: 2, kernel: 3}]\n"


def graph() -> Any:
    builder = GraphBuilder("own")
    node = builder.add(KINDS["conv"](out=4, kernel=3), [builder.input((3, 8, 8))], "a")
    return builder.finish([Output("out", node.tensor())])


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
    assert api.exact([0.1, 2.0, "B", [True]]) == [Fraction(1, 10), 2, "B", [True]]


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
    assert api.setting_value(text) == value


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
        ("mobilenet@", SettingError),
        ("mobilenet@alpha", SettingError),
        ("mobilenet@alpha=", SettingError),
        ("mobilenet@alpha=1,,resolution=2", SettingError),
        ("mobilenet@beta=1", SettingError),
        ("x" * 10_000, NetworkNotFound),
    ],
)
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


def test_an_error_has_its_parts() -> None:
    with pytest.raises(SpecErrors) as caught:
        archcalc.spec.library.parse("input: [1]\nlayers: [rleu, tanhh]", "own.yaml")
    first, second = caught.value.errors
    assert str(first.place) == "own.yaml:2:10"
    assert "relu" in str(first.hint)
    assert second.place is not None
    assert second.place.line == 2
    assert str(caught.value).count("\n") == 1
