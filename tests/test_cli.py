"""The command line: every command, its exit codes, and what it prints where."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
import typer
from command import bad, good, run
from zoo import SAMPLED_NETWORKS

import archcalc
from archcalc import cli, networks
from archcalc.cli import built, computed
from archcalc.report.wrapping import cell_width
from archcalc.spec import library

if TYPE_CHECKING:
    from pathlib import Path

TINY = "input: [1, 8, 8]\nlayers: [conv: {name: only, out: 2, kernel: 3}]\n"


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m archcalc ARGUMENTS...` as a user runs it."""
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**clean, **environment},
        timeout=60,
        check=False,
    )


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


# Which commands there are.


def test_every_command_is_registered() -> None:
    """A public function that is defined among the commands is one of them."""
    functions = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in (built, computed)
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and name[0].islower()
    }
    assert set(cli.COMMANDS.values()) == functions
    assert len(cli.COMMANDS) == len(functions)
    listed = good("--help").partition("Commands:\n")[2]
    assert re.findall(r"^  ([\w-]+)", listed, re.MULTILINE) == list(cli.COMMANDS)


@pytest.mark.parametrize("command", ["show lenet5", "paths --help"])
def test_no_command_is_built_but_the_one_that_is_called(command: str) -> None:
    inspect = typer.main.get_params_from_function
    with patch("typer.main.get_params_from_function", side_effect=inspect) as seen:
        good(*command.split())
    names = {call.args[0].__name__ for call in seen.call_args_list}
    assert {*cli.COMMANDS, "list_networks"} & names == {command.split(maxsplit=1)[0]}


# As a process.


def test_a_process_prints_a_table() -> None:
    ran = process("table", "lenet5")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("LeNet-5, input 1x32x32\n")
    assert "\x1b" not in ran.stdout


def test_a_process_refuses_with_a_sentence() -> None:
    ran = process("table", "lenet55")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(
        "error: expected a network, received 'lenet55'; did you mean lenet5"
    )
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("when", ["prepare_streams", "app", "complain"])
def test_an_interruption_is_no_traceback(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, when, interrupted)
    assert run("table", "nothing") == (130, "", "")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    for command in ("table resnet152", "explain resnet152", "table resnet152 -f csv", "schema"):
        line = f"{sys.executable} -m archcalc {command} | head -n 1; echo ${{PIPESTATUS[0]}} >&2"
        ran = subprocess.run(
            ["bash", "-c", line], capture_output=True, encoding="utf-8", timeout=60, check=False
        )
        assert (ran.stderr, ran.stdout.count("\n")) == ("0\n", 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["table lenet5", "show lenet5", "--version"])
def test_output_that_cannot_be_written_is_an_error(command: str) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "archcalc", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr == "error: can't write the output: No space left on device\n"


@pytest.mark.parametrize("closing", [">&-", "2>&-"])
def test_closed_streams(closing: str) -> None:
    line = f"{sys.executable} -m archcalc table lenet5 {closing}"
    ran = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0


def test_ascii_terminals_get_ascii() -> None:
    ran = process("table", "lenet5", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert ran.stdout.isascii()
    assert "###" in ran.stdout
    assert "-----" in ran.stdout
    assert "\\u" not in ran.stdout


def test_what_ascii_lacks_is_spelled_out(tmp_path: Path) -> None:
    path = tmp_path / "titled.yaml"
    path.write_text("title: 卷积网络\n" + TINY, encoding="utf-8")
    ran = run("table", str(path), encoding="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("\\u5377\\u79ef\\u7f51\\u7edc, input 1x8x8")
    assert good("table", str(path)).startswith("卷积网络, input 1x8x8")


# Help, version, usage.

COMMANDS = ["table", "explain", "report", "list", "show", "schema", "validate"]


@pytest.mark.parametrize("command", [[], *([one] for one in COMMANDS)])
def test_help(command: list[str]) -> None:
    for option in ("-h", "--help"):
        assert good(*command, option).startswith("Usage: archcalc")


def test_help_names_every_command() -> None:
    text = good("--help")
    assert all(f"\n  {command} " in text for command in COMMANDS)


def test_version() -> None:
    assert good("--version") == f"archcalc {archcalc.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["table"],
        ["bogus"],
        ["table", "lenet5", "--bogus"],
        ["table", "lenet5", "extra"],
        ["table", "lenet5", "--batch", "x"],
        ["table", "lenet5", "--depth", "1.5"],
        ["table", "lenet5", "--top"],
        ["verify", "lenet5", "--jobs", "0"],
        ["verify", "lenet5", "--jobs", "9" * 5000],
        ["report", "lenet5"],
        ["explain"],
        ["show"],
        ["validate"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert "Traceback" not in ran.err


# table.


def test_table_options_go_together() -> None:
    text = good(
        "table", "mobilenet", "--set", "alpha=0.5", "-s", "resolution=160", "--batch", "8",
        "--dtype", "float16", "--fold", "--sort", "params", "--top", "2", "--exact",
        "--columns", "name,params,output_bytes",
    )  # fmt: skip
    lines = text.splitlines()
    assert lines[0] == "MobileNet v1 (alpha=0.5, resolution=160), input 3x160x160"
    assert lines[4].split()[:2] == ["fc", "513,000"]  # 512*1000 + 1000
    assert lines[4].split()[-1] == "16,000"  # 1000 outputs, 8 inputs, 2 bytes


def test_input_replaces_the_shape() -> None:
    text = good("table", "mobilenet", "--input", "3x192x192", "--columns", "name,output")
    assert "input 3x192x192" in text
    assert "32x96x96" in text
    assert good("table", "mobilenet", "-i", "3×192×192").startswith("MobileNet v1, input 3x192")


@pytest.mark.parametrize(
    "shape",
    ["", "3x", "ax4", "3x224x", "3x-1x4", "3x0x4", "3,224,224", "1x1x1x1x1x1x1x1x1", "²x3x3",
     "3x99999999999999x3", "3"],
)  # fmt: skip
def test_inputs_that_cannot_be(shape: str) -> None:
    bad("table", "mobilenet", "--input", shape)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "alpha"], "expected key=value, received 'alpha'"),
        (["--set", "=1"], "expected key=value, received '=1'"),
        (
            ["--set", "alpa=1"],
            "expected a setting of mobilenet, received 'alpa'; did you mean alpha?",
        ),
        (["--set", "alpha=wide"], "alpha"),
        (["--set", "alpha=-1"], "alpha"),
        (["--set", "resolution=31.5"], "resolution"),
        (["--set", "alpha=[1,"], "expected a list such as [1, 2], received '[1,'"),
        (["--batch", "0"], "batch: expected a whole number from 1 to 1,000,000,000, received 0"),
        (["--dtype", "float31"], "dtype: expected one of float64, float32"),
        (["--dtype", "half"], "received 'half'; here that is float16"),
        (["--format", "html"], "--format: expected one of terminal, markdown, csv, json, latex"),
        (["--format", "markdwn"], "did you mean markdown?"),
        (["--columns", "parms"], "expected a column, received 'parms'; did you mean params"),
        (["--columns", "paper"], "expected a table that mobilenet declares, received 'paper'"),
        (["--columns", ","], "column"),
        (["--sort", "name"], "expected a column with numbers, received 'name'; there are depth,"),
        (["--top", "0"], "top: expected a whole number of at least 1, received 0"),
        (["--depth", "0"], "depth: expected a whole number of at least 1, received 0"),
        (["--specs", "/nowhere"], "expected a directory of specs, received '/nowhere'"),
        (["-o", "/nowhere/a.md"], "can't write '/nowhere/a.md': No such file or directory"),
    ],
)
def test_table_says_what_is_wrong(arguments: list[str], said: str) -> None:
    assert said in bad("table", "mobilenet", *arguments)


# Howard et al. 2017, Tables 6 and 7: the width multiplier and the resolution (160: 290.7, cut off).
WIDTHS = [("1.0", 569, 4.2), ("0.75", 325, 2.6), ("0.5", 149, 1.3), ("0.25", 41, 0.5)]
RESOLUTIONS = [("224", 569), ("192", 418), ("160", 290), ("128", 186)]


def test_a_list_of_values_is_the_papers_width_table() -> None:
    text = good("list", "mobilenet@alpha=[1.0,0.75,0.5,0.25]", "-f", "json")
    totals = [one["totals"] for one in json.loads(text)["networks"]]
    for (_, mult_adds, params), row in zip(WIDTHS, totals, strict=True):
        assert round(row["mult_adds"] / 10**6) == mult_adds
        assert round(row["params"] / 10**6, 1) == params
    shown = good("list", "mobilenet@alpha=[1.0,0.75,0.5,0.25]")
    assert [line.split()[0] for line in shown.splitlines()[2:6]] == [
        "mobilenet", "mobilenet@alpha=0.75", "mobilenet@alpha=0.5", "mobilenet@alpha=0.25"
    ]  # fmt: skip


def test_a_list_of_values_is_the_papers_resolution_table() -> None:
    text = good("list", "mobilenet@resolution=[224,192,160,128]", "-f", "json")
    found = [one["totals"]["mult_adds"] for one in json.loads(text)["networks"]]
    for count, (_, printed) in zip(found, RESOLUTIONS, strict=True):
        assert abs(count / 10**6 - printed) < 1


def test_lists_of_two_settings_are_every_combination() -> None:
    text = good("list", "mobilenet@alpha=[1.0,0.5],resolution=[224,128]", "-c", "name")
    assert [line.strip() for line in text.splitlines()[2:6]] == [
        "mobilenet", "mobilenet@resolution=128", "mobilenet@alpha=0.5",
        "mobilenet@alpha=0.5,resolution=128",
    ]  # fmt: skip


def test_a_setting_that_is_a_list_itself_is_one_network() -> None:
    text = good("list", "resnet50@units=[3,4,23,3]", "-f", "json")
    [one] = json.loads(text)["networks"]
    assert one["totals"]["depth"] == 101
    text = good("list", "resnet50@units=[[3,4,6,3],[3,4,23,3]]", "-f", "json")
    assert [one["totals"]["depth"] for one in json.loads(text)["networks"]] == [50, 101]


def test_settings_after_the_name_and_by_option() -> None:
    assert good("table", "mobilenet@alpha=0.5") == good("table", "mobilenet", "-s", "alpha=0.5")
    text = good("table", "mobilenet@alpha=0.5", "-s", "alpha=0.25")
    assert "(alpha=0.25)" in text


# list.


def test_list_shows_every_network() -> None:
    text = good("list", "--exact", COLUMNS="80")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    found = [line.split()[0] for line in lines if re.search(r" [12]\d\d\d  ", line)]
    assert sorted(found) == sorted(networks())
    before, _, modules = text.partition("\nModules\n")
    assert "inception-naive" in modules
    assert "Module" not in before + modules
    assert "mobilenet " not in modules
    [lenet] = [line for line in lines if line.startswith("lenet5")]
    assert lenet.split() == ["lenet5", "1998", "LeNet-5", "60,000", "325,680"]


def test_list_goes_by_year_and_says_what_is_broken(tmp_path: Path, tiny: str) -> None:
    (tmp_path / "broken.yaml").write_text("layers: {")
    (tmp_path / "unfit.yaml").write_text(TINY.replace("kernel: 3", "kernel: 9"))
    ran = run("list", "--specs", str(tmp_path), "-f", "json")
    assert ran.code == 2
    broken, unfit = ran.err.splitlines()
    assert broken.startswith(f"error: {tmp_path}/broken.yaml:")
    assert unfit.startswith(f"error: {tmp_path}/unfit.yaml:2:45: layer only: kernel: ")
    listed = json.loads(ran.out)["networks"]
    assert [one["name"] for one in listed].count("tiny") == 1
    years = [one["paper"].get("year", "") for one in listed]
    assert years == sorted(years)
    assert tiny


@pytest.fixture
def two_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if only these were shipped: one network is well, the other does not fit."""
    printed = "published: [{source: x, network: {depth: 1}}]\n"
    (tmp_path / "tiny.yaml").write_text(TINY + printed)
    (tmp_path / "unfit.yaml").write_text(TINY.replace("kernel: 3", "kernel: 9") + printed)
    monkeypatch.setattr(library, "shipped", lambda: str(tmp_path))


@pytest.mark.parametrize(
    "command", ["verify --all -f csv", "reproduce --all -f json", "list -f csv"]
)
@pytest.mark.usefixtures("two_shipped")
def test_a_broken_spec_is_reported_and_the_others_are_shown(command: str) -> None:
    ran = run(*command.split())
    assert ran.code == 2
    [said] = ran.err.splitlines()
    assert said.startswith("error: specs/unfit.yaml:2:45: layer only: kernel: ")
    assert "tiny" in ran.out
    assert "unfit" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["table", "lenet5", "--depth", "9" * 5000], "'--depth' / '-d': '999"),
        (["9" * 5000], "No such command '999"),
        (["--" + "9" * 5000], "No such option: --999"),
        (["table", "--" + "9" * 5000], "No such option: --999"),
        (["x\x1b[31m"], "No such command 'x\\x1b[31m'"),
        (["table", "lenet5", "--top", "\x1b[31m"], "'\\x1b[31m' is not a valid int"),
    ],
    ids=range(6),
)
def test_usage_errors_are_short_and_printable(arguments: list[str], said: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err) < 300
    assert "\x1b" not in ran.err


def test_a_column_asked_for_twice_keeps_its_key() -> None:
    text = good("table", "lenet5", "-c", "params,name,params", "-f", "csv")
    assert text.splitlines()[:2] == ["params,name", "156,C1"]


# show, schema, validate.


@pytest.mark.parametrize("network", SAMPLED_NETWORKS)
def test_show(network: str) -> None:
    text = good("show", network)
    lines = text.splitlines()
    assert text.startswith(f"{network}: ")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert re.search(r"\n  costs: .* params, .* Mult-Adds, depth \d+, input [\dx]+\n", text)
    assert re.search(r"\nspec: specs/\S+\.yaml \(--spec prints it\)\n$", text)
    assert "\nlayers:\n" in good("show", network, "--spec")


def test_show_tells_settings_and_variants() -> None:
    text = good("show", "googlenet")
    assert "declared tables (--columns): paper" in text
    text = good("show", "inception-v3")
    assert "  inception-v2: Inception-v2 (Table 1, filters of the authors' code)\n" in text
    text = good("show", "resnet50")
    assert "costs: 25.6 M params, 3.86 G Mult-Adds, depth 50, input 3x224x224" in text
    assert "  resnet18, resnet34, resnet50, resnet101, resnet152, plain18, plain34\n" in text
    assert "shortcuts=B (one of A, B, C, none; section 3.3; none: the plain network)" in text
    assert "authors: He, Zhang, Ren, Sun" in text
    assert "resolution=224 (at least 1)" in text


def test_show_of_a_file_with_tabs_and_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "dos.yaml"
    path.write_bytes((TINY + "# a\tcomment\n").replace("\n", "\r\n").encode())
    assert "\\" not in good("show", str(path))
    assert good("show", str(path), "--spec").endswith("# a comment\n")


def test_show_where_the_costs_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text("settings: {out: 2}\ninput: [1, 4, 4]\nlayers: [conv: {out: out, kernel: 9}]\n")
    text = good("show", str(path)).replace("\n    ", " ")
    assert "costs: not known: " in text
    assert "padded input 4" in text


def test_patterns_stand_for_networks() -> None:
    listed = json.loads(good("list", "ResNet_1*", "-f", "json"))["networks"]
    names = [network["name"] for network in listed]
    assert names == ["resnet110", "resnet1202", "resnet18", "resnet101", "resnet152"]
    found = json.loads(good("compare", "lenet5", "vgg1?@resolution=64", "-f", "json"))
    assert [one["label"] for one in found["networks"]][1:3] == [
        "vgg11@resolution=64", "vgg13@resolution=64",
    ]  # fmt: skip
    assert "--columns" not in bad("build", "lenet*5*x", "-o", "x.pt")
    said = bad("list", "zz*")
    assert "received 'zz*', which matches none of" in said
    assert good("table", "lenet*") == good("table", "lenet5")


def test_schema_is_json() -> None:
    assert json.loads(good("schema"))["$schema"].startswith("https://json-schema.org/")


def test_schema_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "archcalc.schema.json"
    assert good("schema", "-o", str(target)) == ""
    assert target.read_text("utf-8") == good("schema")


def test_validate_good_and_bad_files(tmp_path: Path, tiny: str) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("input: [1, 8, 8]\nlayers: [conv: {out: 2, kernl: 3}, rleu]\n")
    ran = run("validate", tiny, str(wrong), str(tmp_path / "missing.yaml"), tiny)
    assert ran.code == 2
    assert ran.out == f"{tiny}: correct, 1 network\n" * 2
    lines = ran.err.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    assert sum(f"{wrong}:2:" in line for line in lines) == 3
    assert any("did you mean kernel?" in line for line in lines)
    assert any("did you mean relu" in line for line in lines)
    assert "missing.yaml" in lines[-1]


def test_validate_checks_every_variant(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "input: [1, 8, 8]\nsettings: {k: 3}\nlayers: [conv: {out: 1, kernel: k}]\n"
        "variants: {fine: {}, large: {settings: {k: 9}}}\n"
    )
    message = bad("validate", str(path))
    assert "two.yaml:3" in message
    assert "kernel: expected at most its padded input 8 (8 + 0 + 0), received 9" in message


@pytest.mark.parametrize("network", ["vgg", "resnet", "googlenet", "alexnet"])
def test_shipped_specs_validate(network: str) -> None:
    path = archcalc.load({"vgg": "vgg16", "resnet": "resnet50"}.get(network, network)).file
    assert f"{path}: correct, " in good("validate", path)


# Finding networks.


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("VGG-16", "VGG-16 (column D)"),
        ("vgg_16", "VGG-16 (column D)"),
        ("resnet_50", "ResNet-50"),
        ("ResNet 50", "ResNet-50"),
        ("GoogLeNet", "GoogLeNet (Inception v1)"),
        ("inception-v1", "GoogLeNet (Inception v1)"),
        ("lenet", "LeNet-5"),
    ],
)
def test_names_are_matched_loosely(asked: str, title: str) -> None:
    assert good("table", asked, "--depth", "1").startswith(f"{title}, input")


def test_a_path_is_a_network(tiny: str) -> None:
    assert good("table", tiny).startswith("tiny, input 1x8x8")
    assert "only: convolution" in good("explain", tiny, "only")


def test_a_directory_of_ones_own(tmp_path: Path, tiny: str) -> None:
    for options, environment in (
        (["--specs", str(tmp_path)], {}),
        ([], {"ARCHCALC_SPECS": str(tmp_path)}),
        ([], {"ARCHCALC_SPECS": os.pathsep.join(["", str(tmp_path)])}),
    ):
        assert good("table", "tiny", *options, **environment).startswith("tiny, input")
        assert "\ntiny " in good("list", "tiny", *options, **environment)
    assert "expected a network, received 'tiny'" in bad("table", "tiny")
    assert tiny


def test_a_variant_of_a_file() -> None:
    path = archcalc.load("vgg16").file
    assert good("table", f"{path}#vgg19").startswith("VGG-19")
    said = bad("table", path)
    assert f"expected one network, received {path} with " in said
    assert "name one" in said
    said = bad("table", f"{path}#vgg17")
    assert f"expected a variant of {path}, received 'vgg17'; did you mean vgg" in said


@pytest.mark.parametrize("environment", ["/nowhere", "/nowhere:/neither"])
def test_an_environment_variable_that_names_no_directory(environment: str) -> None:
    assert "expected a directory of specs" in bad("list", ARCHCALC_SPECS=environment)


# explain.


def test_explain_a_layer() -> None:
    text = good("explain", "alexnet", "conv1")
    assert "(227 - 11 + 2*0)/4 + 1 = 55" in text
    assert "10*10*1,516 = 151,600" in good("explain", "lenet5", "C3")


def test_explain_all() -> None:
    text = good("explain", "lenet5")
    assert text.count("declared at") == 14
    assert text.count("FLOPs") == 15


@pytest.mark.parametrize("name", ["terminal", "markdown", "latex", "json"])
def test_explain_formats(name: str) -> None:
    assert good("explain", "lenet5", "C3", "--format", name)
    said = bad("explain", "lenet5", "nothing", "--format", name)
    assert "expected a layer of lenet5, received 'nothing'" in said
    said = bad("explain", "lenet5", "s", "--format", name)
    assert "expected one layer, received 's', a part of " in said


def test_explain_has_no_csv(tmp_path: Path) -> None:
    assert "--format: expected one of terminal, markdown, latex, json" in bad(
        "explain", "lenet5", "-f", "csv"
    )
    bad("explain", "lenet5", "-o", str(tmp_path / "a.csv"))


def test_explain_several() -> None:
    text = good("explain", "mobilenet@alpha=[1.0,0.5]", "fc")
    assert "1000*(1024 + 1)" in text.replace(",", "")
    assert "1000*(512 + 1)" in text.replace(",", "")


# Colours.


def test_colours_are_for_terminals() -> None:
    plain = good("table", "googlenet", "--depth", "1")
    forced = good("table", "googlenet", "--depth", "1", FORCE_COLOR="1")
    assert "\x1b" not in plain
    assert "\x1b[1m" in forced
    assert "\x1b" not in good("table", "googlenet", FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b" not in good("table", "googlenet", "-f", "markdown", FORCE_COLOR="1")


def test_colours_of_errors() -> None:
    ran = run("table", "lenet55", FORCE_COLOR="1")
    assert ran.err.startswith("\x1b[1;31merror:\x1b[0m ")
    assert run("table", "lenet55", FORCE_COLOR="1", NO_COLOR="1").err.startswith("error: ")


@pytest.mark.parametrize("columns", ["40", "80", "100", ""])
def test_pipes_and_files_are_as_wide_as_columns_says_or_80(tmp_path: Path, columns: str) -> None:
    width = int(columns or 80)
    for arguments in (("table", "googlenet", "-c", "paper"), ("list", "resnet*", "-c", "all")):
        text = good(*arguments, COLUMNS=columns)
        assert max(map(cell_width, text.splitlines())) <= width
        path = tmp_path / "table.txt"
        good(*arguments, "-o", str(path), COLUMNS=columns)
        assert path.read_text("utf-8") == text
        assert (text.count("─\n") > 2) == (width < 96 or "all" in arguments)  # rules


def test_a_list_has_a_line_for_each_network_and_says_that_titles_are_cut() -> None:
    apart = good("list", COLUMNS="80").partition("Modules\n")
    first, second = (part.partition("To fit a width of 80, Title is cut; ") for part in apart[::2])
    assert first[1]
    rows = [*first[0].splitlines()[2:], *second[0].splitlines()[3:]]
    assert sorted(row.split()[0] for row in rows if row) == sorted(networks())
    assert "To fit" not in good("list", "lenet5", COLUMNS="80")


@pytest.mark.parametrize("network", ["mobilenet", "resnet50", "inception-v3"])
def test_a_card_is_as_wide_as_its_place_and_no_wider_than_80(network: str) -> None:
    at_80 = good("show", network, COLUMNS="80")
    assert good("show", network, COLUMNS="200") == at_80
    for width in (40, 60):
        text = good("show", network, COLUMNS=str(width))
        assert max(map(len, text.splitlines())) <= width
        assert text.split() == at_80.split() or "variants" in at_80  # names alone


def test_a_card_of_a_network_without_variants_has_no_heading_for_them() -> None:
    assert "variants" not in good("show", "mobilenet", COLUMNS="40")


def test_a_real_terminal() -> None:
    """A pseudo-terminal: colours, and names cut to its width."""
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    ran = subprocess.Popen(
        [sys.executable, "-m", "archcalc", "table", "resnet50"],
        stdout=follower,
        stdin=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "60"},
    )
    os.close(follower)
    text = b""
    while True:
        try:
            some = os.read(leader, 4096)
        except OSError:  # Linux' way to say that the other side is closed
            break
        if not some:
            break
        text += some
    assert ran.wait(timeout=60) == 0
    assert b"\x1b[1m" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text.decode())
    assert max(map(len, plain.splitlines())) <= 60
    assert "To fit a width of 60, Window and RF are left out; " in plain


# What a file holds can't steer a terminal.

HOSTILE = """
input: [1, 8, 8]
title: "ti\\e[31mtle\\x9b2J\\r\\u202ereversed"
doc: "\\e]0;owned\\a"
paper: {title: "pa\\e[32mper", authors: "au\\x1bthors"}
settings: {word: red}
aliases: ["al\\e[34mias"]
blocks:
  part:
    arguments: {how: "x"}
    layers: [conv: {out: 1, kernel: 1}]
layers:
  - conv: {name: a, out: 2, kernel: 3, label: "la\\e[35mbel\\nnext {word}"}
  - part: {how: "'\\e[36mhow'"}
tables: {mine: {source: "so\\e[37murce", columns: {"he\\e[38mading": type, how: how}}}
"""


ESCAPE = "\x1b[31m"


def shown_safely(tmp_path: Path, command: str) -> int:
    """Run a command on the hostile file; whatever it prints is printable."""
    path = tmp_path / f"hostile{ESCAPE}.yaml"
    path.write_text(HOSTILE)
    places = {"FILE": str(path), "ESC": ESCAPE}
    words = command.split(" ")
    for mark, text in places.items():
        words = [word.replace(mark, text) for word in words]
    ran = run(*words)
    assert "Traceback" not in ran.err
    for text in (ran.out, ran.err):
        assert all(sign.isprintable() or sign == "\n" for sign in text)
    return ran.code


@pytest.mark.parametrize(
    "command",
    [
        "table FILE",
        "table FILE --columns name,type,how",
        "table FILE --columns mine",
        "table FILE --columns mine -f markdown",
        "table FILE --columns name,type,how -f csv",
        "table FILE -f json",
        "table FILE --columns name,type,how -f latex",
        "explain FILE",
        "explain FILE a",
        "explain FILE -f markdown",
        "explain FILE -f json",
        "explain FILE -f latex",
        "list FILE",
        "list FILE -f json",
        "show FILE",
        "validate FILE",
    ],
)
def test_no_escape_sequence_of_a_file_reaches_the_terminal(tmp_path: Path, command: str) -> None:
    assert shown_safely(tmp_path, command) == 0


@pytest.mark.parametrize(
    "command",
    [
        "table FILE -s word=ESC",
        "table FILE -s ESCword=1",
        "explain FILE ESCno",
        "validate ESCno.yaml",
        "table FILE --columns ESCno",
        "table FILE --sort ESCno",
        "table FILE --dtype ESCno",
        "table FILE -f ESCno",
        "table FILE -o ESCno",
        "table FILE -i ESCno",
        "table ESCno",
        "table FILE#ESCno",
        "table lenet5@ESCno=1",
        "list --specs ESCno",
    ],
)
def test_no_escape_sequence_of_an_argument_comes_back(tmp_path: Path, command: str) -> None:
    assert shown_safely(tmp_path, command) in ((0, 2) if "-s word" in command else (2,))


def test_json_of_hostile_text_is_still_json(tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(HOSTILE)
    data = json.loads(good("table", str(path), "-f", "json"))
    assert data["network"]["title"] == "ti\x1b[31mtle\x9b2J\r\u202ereversed"
