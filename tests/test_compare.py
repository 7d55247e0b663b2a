"""archcalc compare: networks side by side, with what papers print of them."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from command import run

import archcalc
from archcalc.api import printed_of


def records(*arguments: str) -> list[dict[str, str]]:
    ran = run("compare", *arguments, "--format", "csv")
    assert (ran.code, ran.err) == (0, "")
    return list(csv.DictReader(ran.out.splitlines()))


def test_figures_are_those_of_each_network() -> None:
    names = ["mobilenet@alpha=0.5", "vgg16", "googlenet"]
    for name, record in zip(names, records(*names), strict=True):
        totals = archcalc.analyze(name).totals
        assert record["name"] == name
        keys = ("params", "mult_adds", "flops", "depth", "weight_bytes", "output_bytes")
        assert [int(record[key]) for key in keys] == [getattr(totals, key) for key in keys]


def test_ratios_are_to_the_first() -> None:
    vgg, mobilenet = records("vgg16", "mobilenet")
    ratio = int(mobilenet["mult_adds"]) / int(vgg["mult_adds"])
    assert float(vgg["mult_adds_ratio"]) == 1
    assert float(mobilenet["mult_adds_ratio"]) == pytest.approx(ratio)
    said = run("compare", "vgg16", "mobilenet").out
    assert f"{1 / ratio:.3g}x fewer Mult-Adds" in said
    assert f"{int(vgg['params']) / int(mobilenet['params']):.3g}x fewer params" in said


def test_the_documents_comparison_table() -> None:
    """Course notes 000, section 3.4.3, and Howard et al. 2017, Table 8, as they print it."""
    ran = run("compare", "mobilenet", "googlenet", "vgg16")
    _, _, printed = ran.out.partition("As tables print them")
    for source in ("course notes 000, section 3.4.3", "Howard et al. 2017, Table 8"):
        assert source in printed
    lines = [line for line in printed.splitlines() if re.match(r"  \S", line)]
    rows = {tuple(line.split()[:3]) for line in lines}
    assert {
        ("mobilenet", "mult_adds", "569M"),
        ("googlenet", "mult_adds", "1550M"),
        ("vgg16", "mult_adds", "15300M"),
        ("mobilenet", "params", "4.2M"),
        ("googlenet", "params", "6.8M"),
        ("vgg16", "params", "138M"),
    } == rows
    assert "differs" in printed  # googlenet's, which its filter counts don't give
    assert "why: unexplained" in printed


def test_the_best_is_marked() -> None:
    lines = run("compare", "mobilenet", "vgg16", "-c", "params,accuracy").out.splitlines()
    first, second = lines[2].split(), lines[3].split()
    assert first[0] == "mobilenet"
    assert first[1].startswith("*")
    assert not second[1].startswith("*")
    assert second[-1].startswith("*")  # 73.0% against 70.6%
    same = run("compare", "mobilenet", "mobilenet", "-c", "params").out.splitlines()
    assert "*" not in same[2] + same[3]


def test_a_network_named_twice_is_printed_once() -> None:
    def cells(*names: str) -> str:
        return run("compare", *names).out.partition("As tables print them")[2]

    once = cells("mobilenet", "vgg16")
    assert once
    assert cells("mobilenet", "mobilenet", "vgg16") == once
    assert not cells("mobilenet", "mobilenet")


def test_accuracies_of_different_data_sets_have_no_best() -> None:
    """Of ResNet-20 a paper prints CIFAR-10's, of VGG-16 ImageNet's."""
    said = "Accuracy: accuracies are of different data sets or protocols."
    mixed = run("compare", "resnet20", "vgg16", "-c", "accuracy").out
    assert "*" not in "".join(mixed.splitlines()[2:4])
    assert said in mixed
    alike = run("compare", "mobilenet", "vgg16", "-c", "accuracy").out
    assert "*" in "".join(alike.splitlines()[2:4])  # ImageNet, and ILSVRC 2012 which is the same
    assert said in alike
    same = run("compare", "resnet20", "resnet56", "-c", "accuracy").out
    assert "*" in "".join(same.splitlines()[2:4])
    assert said not in same


def test_csv_has_the_figures_that_are_asked_for() -> None:
    [first, second] = records("vgg16", "mobilenet", "-c", "params,accuracy")
    assert list(first) == ["name", "params", "params_ratio", "accuracy", "accuracy_source"]
    assert int(second["params"]) == archcalc.analyze("mobilenet").totals.params


def test_accuracies_are_those_that_are_printed() -> None:
    """Howard et al. 2017, Table 8: 70.6%; Simonyan & Zisserman 2014, Table 3, D: 27.0% error."""
    mobilenet, vgg, small = records("mobilenet", "vgg16", "mobilenet@alpha=0.75,resolution=160")
    assert float(mobilenet["accuracy"]) == pytest.approx(0.706)
    assert float(vgg["accuracy"]) == pytest.approx(1 - 0.27)
    assert "Howard et al. 2017" in mobilenet["accuracy_source"]
    assert "top1_error 27.0%, Simonyan & Zisserman 2014, Table 3" in vgg["accuracy_source"]
    assert small["accuracy_source"] != mobilenet["accuracy_source"]


def test_an_accuracy_is_its_own_papers_then_its_authors() -> None:
    """Hu et al. printed SE-ResNet-50's in 2019, after the network's paper of 2017."""
    resnet, se, inception = records("resnet50", "seresnet50", "inception-v3")
    assert "He et al. 2015" in resnet["accuracy_source"]
    assert "Hu et al." in se["accuracy_source"]
    assert "Szegedy et al." in inception["accuracy_source"]


def test_differences_and_bounds_are_no_accuracies() -> None:
    """What AlexNet's paper prints of a change in error must not be taken for one."""
    printed = printed_of(archcalc.analyze("alexnet"))
    assert any(one.printed.startswith("-") for one in printed)
    [record] = records("alexnet")
    assert 0.5 < float(record["accuracy"]) < 1


def test_sorting_puts_the_best_first_and_the_unknown_last() -> None:
    names = ("vgg16", "resnet50@resolution=160", "googlenet")

    def order(key: str) -> list[str]:
        lines = run("compare", *names, "--sort", key, COLUMNS="200").out.splitlines()[2:5]
        return [line.split()[0] for line in lines]

    assert order("mult_adds") == ["googlenet", "resnet50@resolution=160", "vgg16"]
    assert order("top5")[0] == "vgg16" or order("top5")[0] == "googlenet"
    assert order("top5")[-1] == "resnet50@resolution=160"


def test_settings_of_one_and_of_all() -> None:
    ran = records("mobilenet@alpha=[1.0,0.5]", "vgg16", "--set", "classes=10")
    assert [one["name"] for one in ran] == [
        "mobilenet@classes=10",
        "mobilenet@alpha=0.5,classes=10",
        "vgg16@classes=10",
    ]


@pytest.mark.parametrize("format_name", ["terminal", "markdown", "latex", "json", "csv"])
def test_every_format(format_name: str, tmp_path) -> None:
    path = tmp_path / "out"
    arguments = ("compare", "vgg16", "mobilenet", "--format", format_name)
    ran = run(*arguments, "--output", str(path))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    text = path.read_text(encoding="utf-8")
    assert text == run(*arguments).out
    assert "mobilenet" in text


def test_json_has_figures_ratios_and_verdicts() -> None:
    found = json.loads(run("compare", "vgg16", "mobilenet", "-f", "json").out)
    vgg, mobilenet = found["networks"]
    assert mobilenet["totals"]["params"] == archcalc.analyze("mobilenet").totals.params
    assert mobilenet["ratios"]["params"] == mobilenet["totals"]["params"] / vgg["totals"]["params"]
    printed = {(one["figure"], one["printed"], one["verdict"]) for one in mobilenet["printed"]}
    assert ("mult_adds", "569M", "match") in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg16", "nothing-such"), "expected a network, received 'nothing-such'"),
        (("vgg16", "--sort", "dept"), "did you mean depth?"),
        (("vgg16", "-c", "parms"), "did you mean params?"),
        (("vgg16", "--sort", "receptive_field"), "expected a figure with numbers"),
    ],
)
def test_what_cannot_be_compared(arguments: tuple[str, ...], message: str) -> None:
    ran = run("compare", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_detectors_are_compared_by_their_precision() -> None:
    """Howard et al. 2017, Table 13; with a classifier among them by accuracy, as ever."""
    head, _, ssd, faster, *_ = run(
        "compare", "ssd300-mobilenet", "faster-rcnn-vgg", COLUMNS="200"
    ).out.splitlines()
    assert head.endswith(" mAP")
    assert ssd.endswith(" 19.3%")
    assert faster.endswith(" *25.7%")
    mixed = run("compare", "mobilenet", "ssd300-mobilenet", COLUMNS="200").out.splitlines()
    assert mixed[0].endswith(" Accuracy")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--threads", "1"], "--threads"),
        (["--compile"], "--compile"),
        (["--budget", "1"], "--budget"),
        (["--precision", "2"], "--precision"),
        (["--warmup", "0"], "--warmup"),
        (["--channels-last"], "--channels-last"),
        (["--sort", "latency"], "latency"),
        (["-c", "params,throughput"], "throughput"),
    ],
)
def test_what_is_of_a_measurement_needs_a_device(arguments: list[str], name: str) -> None:
    ran = run("compare", "lenet5", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: {name}: expected together with --device, received without\n"


def test_output_is_the_same_in_every_run() -> None:
    """Python's hashes of words differ from process to process."""
    program = "from archcalc import cli; cli.main()"
    said = {
        subprocess.run(
            [sys.executable, "-c", program, "compare", "mobilenet", "vgg16", "googlenet"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1
