"""Sweeps: arithmetic that is recorded once, and replayed, gives what it gives in Python."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor, gcd, prod, trunc

import numpy as np
import pytest
from zoo import SAMPLED_NETWORKS

import archcalc
from archcalc.analysis.figures import FIGURES
from archcalc.errors import ArchcalcError, PackageError, SettingError
from archcalc.memo import Memo
from archcalc.spec import library
from archcalc.spec.expansion import expand
from archcalc.sweep import RECORDED, Recording, trace
from archcalc.sweep.numbers import Recorded, RecordedFraction
from archcalc.sweep.numbers import gcd as recorded_gcd
from archcalc.sweep.tape import Tape


def recorded(value):
    tape = Tape()
    return Recorded(tape, tape.input("x"), value)


def recording_of(function, **values):
    """What a function gives of whole numbers, recorded at these values."""
    tape = Tape()
    numbers = {name: Recorded(tape, tape.input(name), value) for name, value in values.items()}
    result = function(**numbers)
    step = result.step if isinstance(result, Recorded) else tape.constant(result)
    return Recording(tape, dict.fromkeys(values, False), {"result": step})


# Each takes two whole numbers, the second of them not 0.
FUNCTIONS = [
    lambda x, y: 3 * x - y * y + (x - 7) // y - -x % y,
    lambda x, y: (5 - x) // (2 - y * 2) + 17 % y + (x + 4 - 4 + y * 0),
    lambda x, y: max(x, y, 0) - min(x, 2 * y) + abs(x - y),
    lambda x, y: floor(x / y) + ceil(x / (y * 3)) - trunc(Fraction(-7, 3) * x / y),
    lambda x, y: (x / y + Fraction(1, 3) - y).__floor__() + (0.25 * x) // y,
    lambda x, y: (x * y if x / y > Fraction(1, 2) else x - y) + (2 * x / y % 3).__ceil__(),
    lambda x, y: x**3 - y**2 + (2 if x else 3) + recorded_gcd(x, y),
    lambda x, y: sum([x, y, x]) + prod([x, y, 2]) + (x if x == y else y) + x // x * (y != 3),
    lambda x, y: [5, 6, 7][x % 3] + len(range(y % 5)) + int(x % 2),
    lambda x, y: (x / y).numerator - (x / y).denominator * (1 if x / y <= 2.5 else 2),
]


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_a_replay_gives_what_python_gives(number):
    """At whatever numbers hold; those that do not are where a comparison comes out otherwise."""
    chance, function = random.Random(number), FUNCTIONS[number]
    pairs = [(chance.randint(-20, 20), chance.choice([-3, -1, 2, 3, 7])) for _ in range(300)]
    pairs = [(x, y) for x, y in pairs if x or number not in (7, 9)]
    held = 0
    for x, y in pairs[:20]:
        recording = recording_of(function, x=x, y=y)
        replay = recording.replay(x=[x for x, _ in pairs], y=[y for _, y in pairs])
        assert replay.holds[pairs.index((x, y))]
        results = [
            plain(function, x, y)
            for (x, y), holds in zip(pairs, replay.holds, strict=True)
            if holds
        ]
        assert replay.figures["result"].tolist() == results
        held += len(results)
        assert all(bool(replay.reason(i)) is not holds for i, holds in enumerate(replay.holds))
    assert held > 40


def plain(function, x, y):
    """In Python's fractions, in which x/y is exact."""
    return int(function(_Exact(x), _Exact(y)))


class _Exact(int):
    """A whole number whose quotients are fractions."""

    def __truediv__(self, other):
        return Fraction(int(self), int(other))

    def __rtruediv__(self, other):
        return Fraction(other) / int(self)


def test_equal_steps_are_recorded_once_and_trivial_ones_never():
    x = recorded(5)
    before = len(x.tape.steps)
    assert [x + 0, 1 * x, x // 1, 0 + x] == [x] * 4
    assert (x * 0, x - x, x % x, x // x, x % 1) == (0, 0, 0, 1, 0)
    assert len(x.tape.steps) == before + 1  # 0, which x was compared with: it divides
    assert (x + 2 - 3 + 1).step == x.step
    assert (x * 3 + 1).step == (3 * x + 1).step


def test_where_pythons_own_number_is_asked_for_it_is_the_same_from_then_on():
    uses = {
        "an index": lambda x: [1, 2, 3][x] - 1,
        "a length": lambda x: len(range(x)),
        "a text": lambda x: len(str(x)),
        "a part of a text": lambda x: len(f"{x:>2}"),
        "a float": lambda x: int(float(x)),
        "an exponent": lambda x: 2**x,
    }
    for use, function in uses.items():
        replay = recording_of(function, x=2).replay(x=[1, 2])
        assert replay.holds.tolist() == [False, True], use
        assert replay.reason(0) == "x == 2"


def test_a_recorded_number_is_no_key():
    for number in (recorded(5), RecordedFraction(recorded(5), 3)):
        with pytest.raises(TypeError, match="unhashable"):
            hash(number)
    with pytest.raises(TypeError):
        Fraction(recorded(5))  # which would lose it


def test_a_fraction_is_compared_with_whole_numbers_without_large_products():
    """Of a fraction and 10**18 no product fits into 64 bits."""
    tape = Tape()
    half = RecordedFraction(Recorded(tape, tape.input("above"), 1), 3)
    assert -(10**18) <= half <= 10**18
    assert half < 1
    assert half > 0
    recording = Recording(tape, {"above": False}, {"above": half.above.step})
    replay = recording.replay(above=[-1, 0, 1, 2, 3, 4])
    assert replay.figures["above"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("function", "most"),
    [
        (lambda x: x * x, 3_037_000_499),
        (lambda x: x + 2**62, 2**62 - 1),
        (lambda x: 0 - 2**62 - x, 2**62),
        (lambda x: (x * 2**40) // 2**40, 2**23 - 1),
    ],
)
def test_an_overflow_is_an_error_and_not_a_wrong_number(function, most):
    recording = recording_of(function, x=1)
    exact = recording.replay(x=[1, most]).figures["result"]
    assert exact.tolist() == [function(1), function(most)]
    with pytest.raises(OverflowError, match="64 bits"):
        recording.replay(x=[1, most + 1])


def test_a_setting_of_another_regime_can_not_overflow():
    recording = recording_of(lambda x: x * x if x < 10 else 0, x=1)
    replay = recording.replay(x=[3, 2**62])
    assert replay.figures["result"].tolist() == [9]
    assert replay.reason(1) == "x < 10"


# Networks.

MOBILENET = {"alpha": 0.75, "resolution": 224}


@pytest.fixture(scope="module")
def mobilenet():
    return trace(library.find("mobilenet"), MOBILENET)


def figures_of(analysis):
    return {key: FIGURES[key].get(analysis.totals) for key in RECORDED}


def figures_at(replay, place):
    return {key: int(figures[place]) for key, figures in replay.figures.items()}


def check_mobilenet(recording, count):
    """All random pairs hold, and are what `analyze` finds."""
    chance, spec = random.Random(count), library.find("mobilenet")
    alphas = [chance.randint(32, 2000) for _ in range(count)]
    sides = [chance.randint(32, 600) for _ in range(count)]
    replay = recording.replay(alpha=(alphas, 1000), resolution=sides)
    assert replay.holds.all()
    for i, (alpha, side) in enumerate(zip(alphas, sides, strict=True)):
        analysis = archcalc.analyze(spec, alpha=Fraction(alpha, 1000), resolution=side)
        assert figures_at(replay, i) == figures_of(analysis), (alpha, side)


def test_one_recording_of_mobilenet_holds_for_random_settings(mobilenet):
    check_mobilenet(mobilenet, 20)


@pytest.mark.slow
def test_one_recording_of_mobilenet_holds_for_a_thousand_settings(mobilenet):
    check_mobilenet(mobilenet, 1000)


def test_settings_of_the_paper(mobilenet):
    """Howard et al. 2017, Table 6: Mult-Adds and params, in millions."""
    replay = mobilenet.replay(alpha=[1, 0.75, 0.5, 0.25], resolution=224)
    millions = [round(count / 1e6) for count in replay.figures["mult_adds"].tolist()]
    assert millions == [569, 325, 149, 41]
    assert [round(count / 1e6, 1) for count in replay.figures["params"].tolist()] == [
        4.2, 2.6, 1.3, 0.5,
    ]  # fmt: skip


def test_fractions_are_taken_in_several_ways(mobilenet):
    expected = mobilenet.replay(alpha=([1, 13], [3, 40]), resolution=[96, 97]).figures["params"]
    for alphas in ([Fraction(1, 3), 0.325], np.array([Fraction(1, 3), Fraction(13, 40)])):
        found = mobilenet.replay(alpha=alphas, resolution=[96, 97]).figures["params"]
        assert found.tolist() == expected.tolist()
    for alpha in (0.325, 0.1 + 0.2):  # which prints as 0.30000000000000004
        replay = mobilenet.replay(alpha=alpha, resolution=97)
        assert figures_at(replay, 0) == figures_of(
            archcalc.analyze("mobilenet", alpha=alpha, resolution=97)
        )
    with pytest.raises(OverflowError):
        mobilenet.replay(alpha=[Fraction(10**17 + 1, 10**17 + 3), 0.5], resolution=97)


def test_what_alpha_leaves_nothing_of_belongs_to_another_regime(mobilenet):
    replay = mobilenet.replay(alpha=[0.03, 0.04, 0.005], resolution=224)
    assert replay.holds.tolist() == [False, True, False]
    assert len(replay.figures["params"]) == 1
    assert "alpha" in replay.reason(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 1}, "expected values of alpha, resolution, received alpha"),
        ({"alpha": "x", "resolution": 3}, "alpha: expected numbers, received 'x'"),
        ({"alpha": 1, "resolution": 2.5}, "resolution: expected whole numbers, received 2.5"),
        ({"alpha": ([1], [0]), "resolution": 3}, "alpha: expected denominators above 0"),
        ({"alpha": [1, 2], "resolution": [1] * 3}, "expected arrays of one length, received 2 an"),
        ({"alpha": [], "resolution": 3}, "alpha: expected numbers, received"),
        ({"alpha": [None], "resolution": 3}, "alpha: expected numbers, received"),
    ],
)
def test_settings_that_can_not_be_are_refused(mobilenet, settings, message):
    with pytest.raises(SettingError) as refused:
        mobilenet.replay(**settings)
    assert message in str(refused.value)


def test_without_numpy_the_error_says_what_installs_it(mobilenet, monkeypatch):
    monkeypatch.setattr("archcalc.packages.is_installed", lambda package: package != "numpy")
    with pytest.raises(PackageError, match=r"installs it: .*sweep"):
        mobilenet.replay(alpha=1, resolution=224)


def check_sizes(name):
    """A network at several sizes of its input: equal to `analyze`, or a guard says why not."""
    spec = library.find(name)
    shape = expand(spec).input.facts.outputs[0]
    sides = shape[1:] or shape
    named = ("side",) if len(shape) == 1 else (shape[0], "side", *shape[2:])
    if len(set(sides)) == 1:
        named = (*shape[:1], *["side"] * len(sides)) if len(shape) > 1 else named
    recording = trace(spec, {"side": sides[0]}, input=named)
    several = [sides[0], sides[0] + 1, sides[0] + 32, 2 * sides[0]]
    replay = recording.replay(side=several)
    assert replay.holds[0]
    place = 0
    for i, side in enumerate(several):
        size = tuple(side if axis == "side" else axis for axis in named)
        if replay.holds[i]:
            assert figures_at(replay, place) == figures_of(archcalc.analyze(spec, input=size)), side
            place += 1
        elif not refused(spec, size):
            assert replay.reason(i), side


def refused(spec, size):
    try:
        archcalc.analyze(spec, input=size)
    except ArchcalcError:
        return True
    return False


@pytest.mark.parametrize("name", SAMPLED_NETWORKS)
def test_networks_of_the_zoo_at_other_sizes(name):
    check_sizes(name)


def test_which_arithmetic_runs_does_not_depend_on_how_it_is_written():
    """Recorded where divisions leave nothing over, with groups and dilation, and without."""
    spec = library.parse(
        "settings: {side: 32, groups: 1, dilation: 1}\n"
        "input: [8, side, side]\n"
        "layers:\n"
        "  - conv: {out: 8, kernel: 3, stride: 2, padding: 1, groups: groups, dilation: dilation}\n"
        "  - maxpool: {kernel: 3, stride: 2, ceil: true}\n"
        "  - convtranspose: {out: 16, kernel: 2, stride: 2, groups: groups, dilation: dilation}\n"
        "  - avgpool: {kernel: 3, stride: 2, padding: same_tf}\n",
        "written.yaml",
    )
    for point in (
        {"side": 32, "groups": 1, "dilation": 1},
        {"side": 37, "groups": 4, "dilation": 2},
    ):
        recording = trace(spec, point)
        sides = [*range(24, 60)] * 4
        groups, dilations = [1] * 72 + [4] * 72, ([1] * 36 + [2] * 36) * 2
        replay = recording.replay(side=sides, groups=groups, dilation=dilations)
        assert replay.holds.all(), {replay.reason(i) for i in range(144)}
        for i in range(0, 144, 7):
            at = {"side": sides[i], "groups": groups[i], "dilation": dilations[i]}
            assert figures_at(replay, i) == figures_of(archcalc.analyze(spec, settings=at))


def test_without_a_memo_a_network_is_the_same():
    for name in ("googlenet", "resnet18"):
        spec = library.find(name)
        one, other = (archcalc.analyze(expand(spec, memo=memo)) for memo in (None, Memo(on=False)))
        assert [row.costs for row in one.layers] == [row.costs for row in other.layers]
        assert one.receptive_states == other.receptive_states


def test_greatest_common_divisors():
    assert [gcd(12, 18), recorded_gcd(12, 18)] == [6, 6]


@pytest.mark.parametrize(
    ("traced", "options", "message"),
    [
        ({}, {}, "expected a setting or a size to trace, received none"),
        ({"alpha": float("nan")}, {}, "alpha: expected a number, received"),
        ({"alpha": "half"}, {}, "alpha: expected a number, received 'half'"),
        (
            {"resolution": 224},
            {"input": (3, "side", "side")},
            "input: expected a traced size, received 'side'",
        ),
    ],
)
def test_what_can_not_be_traced(traced, options, message):
    with pytest.raises(SettingError, match=message):
        trace(archcalc.load("mobilenet"), traced, **options)


def test_numbers_of_numpy_are_traced_and_settings_may_be_floats():
    recording = trace(
        archcalc.load("mobilenet"), {"resolution": np.int64(224)}, settings={"alpha": 0.5}
    )
    found = recording.replay(resolution=[160]).figures["mult_adds"]
    assert found.tolist() == [
        archcalc.analyze("mobilenet", alpha=0.5, resolution=160).totals.mult_adds
    ]
