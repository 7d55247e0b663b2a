"""Completion: what is offered where, and that words survive the shells."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from command import commands, run

from archcalc.analysis.costs import BUILT_DTYPES, DTYPES
from archcalc.analysis.memory import OPTIMIZERS
from archcalc.analysis.tools import TOOLS
from archcalc.cli.completion import COMPLETERS
from archcalc.cli.shells import taken_apart
from archcalc.report.columns import COLUMNS, NETWORK_COLUMNS
from archcalc.report.comparison import BY_KEY
from archcalc.report.counting import COUNTINGS

fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))

ROOT = Path(__file__).parents[1]
BREAKS = " \t\n\"'@><=;|&(:"  # bash's own

ODD = """
input: [1, 8, 8]
settings: {classes: 10, mode: {default: fast, choices: [fast, slow]}, deep: false}
layers:
  - conv: {name: only, out: 2, kernel: 3}
tables: {mine: {columns: {layer: name}}}
variants:
  größe(1): {title: "It's [bold]odd[/bold]: yes"}
  odd$dollar: {title: Dollars}
"""


def bash(line: str, **environment: str) -> list[str]:
    """What bash is offered at the end of a line."""
    asked = {
        "COMP_LINE": line, "COMP_POINT": str(len(line.encode())), "COMP_BREAKS": BREAKS,
        "_ARCHCALC_COMPLETE": "complete_bash",
    }  # fmt: skip
    ran = run(**asked, **environment)
    assert ran.err == ""
    return ran.out.splitlines()


def offered(line: str, **environment: str) -> list[str]:
    """The whole words that zsh is offered."""
    asked = {"_TYPER_COMPLETE_ARGS": line, "_ARCHCALC_COMPLETE": "complete_zsh"}
    ran = run(**asked, **environment)
    assert ran.err == ""
    return [one.partition("\t")[0] for one in ran.out.splitlines()]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd specs")
    (folder / "odd.yaml").write_text(ODD)
    return str(folder)


# What is offered.


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("archcalc tab", {"table"}),
        ("archcalc table --fo", {"--fold", "--format"}),
        ("archcalc table mobilenet", {"mobilenet", "mobilenet-v2"}),
        ("archcalc table mobilenet@al", {"mobilenet@alpha="}),
        ("archcalc table mobilenet@alpha=", {"mobilenet@alpha=1"}),
        ("archcalc table mobilenet@alpha=0.5,al", set()),
        ("archcalc table mobilenet@alpha=0.5,res", {"mobilenet@alpha=0.5,resolution="}),
        (
            "archcalc table resnet50@shortcuts=",
            {f"resnet50@shortcuts={one}" for one in ("A", "B", "C", "none")},
        ),
        (
            "archcalc table googlenet@auxiliary=",
            {"googlenet@auxiliary=true", "googlenet@auxiliary=false"},
        ),
        ("archcalc compare vgg16 mobilenet@alpha=0.5,res", {"mobilenet@alpha=0.5,resolution="}),
        ("archcalc table mobilenet --set al", {"alpha="}),
        ("archcalc table mobilenet -s alpha=0.5 -s res", {"resolution="}),
        ("archcalc table resnet50 --set shortcuts=n", {"shortcuts=none"}),
        ("archcalc table mobilenet --set=al", {"--set=alpha="}),
        ("archcalc table --set al", set()),
        ("archcalc table vgg16 --columns par", {"params", "params_share"}),
        ("archcalc table vgg16 --columns name,params,par", {"name,params,params_share"}),
        ("archcalc table googlenet --columns pap", {"paper"}),
        ("archcalc table googlenet --columns name,pap", set()),
        ("archcalc table googlenet --columns name,3x3", set()),
        ("archcalc table --columns al", {"all"}),
        ("archcalc list --columns ye", {"year"}),
        ("archcalc list --columns al", set()),
        ("archcalc compare vgg16 --columns lat", {"latency"}),
        ("archcalc explain lenet5 C", {"C1", "C3", "C5"}),
        ("archcalc explain googlenet inception_3a/1", {"inception_3a/1x1"}),
        ("archcalc explain googlenet inception_3a/1x1/c", {"inception_3a/1x1/conv1"}),
        ("archcalc explain vgg16@batch_norm=true batchnorm1", {
            f"batchnorm{i}" for i in (1, *range(10, 14))
        }),
        ("archcalc explain vgg16 -s batch_norm=true batchnorm2", {"batchnorm2"}),
        ("archcalc explain vgg16 batchnorm", set()),
        ("archcalc paths googlenet@auxiliary=true --to aux", {"aux1", "aux2"}),
        ("archcalc build lenet5 --format ", {"state-dict", "pt2", "onnx"}),
        ("archcalc table lenet5 --format=j", {"--format=json"}),
        ("archcalc explain lenet5 -f c", set()),
        ("archcalc reproduce lenet5 --source LeC", {"LeCun et al. 1998"}),
        ("archcalc profile lenet5 --device c", {"cpu", "cuda"}),
        ("archcalc compare lenet5 alexnet --device ", {"cpu", "cuda", "mps"}),
    ],
)  # fmt: skip
def test_what_is_offered(line, words):
    assert set(offered(line)) == words


def test_sources_are_offered_by_document_and_then_by_section():
    assert "course notes 002" in offered("archcalc reproduce lenet5 --source cou")
    sections = offered("archcalc reproduce lenet5 --source 'course notes 002,")
    assert "course notes 002, section 4.1.2" in sections
    assert all(one.startswith("course notes 002, ") for one in sections)
    assert "Howard et al. 2017" in offered("archcalc reproduce --all --source How")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("archcalc table lenet5 --columns ", {*COLUMNS, "all"}),
        ("archcalc list --columns ", {*COLUMNS, *NETWORK_COLUMNS}),
        ("archcalc compare lenet5 --columns ", set(BY_KEY)),
        ("archcalc compare lenet5 --sort ", set(BY_KEY)),
        ("archcalc table lenet5 --sort ", {key for key, one in COLUMNS.items() if one.is_number}),
        ("archcalc table lenet5 --dtype ", set(DTYPES)),
        ("archcalc profile lenet5 --dtype ", set(BUILT_DTYPES)),
        ("archcalc table lenet5 --as ", set(COUNTINGS)),
        ("archcalc reconcile lenet5 --tool ", set(TOOLS)),
        ("archcalc memory lenet5 --optimizer ", set(OPTIMIZERS)),
    ],
)
def test_all_that_can_be_chosen_is_offered(line, words):
    assert set(offered(line)) == words


# Words that nobody can list: numbers, shapes, and files, which the shell completes itself.
FREE = {
    "batch", "budget", "depth", "files", "input_shape", "output", "precision", "processes", "save",
    "seed", "specs", "threads", "top", "warmup", "without",
}  # fmt: skip


def test_every_parameter_is_completed_or_free():
    flags = {"bool", "boolean"}
    named = {
        parameter.name
        for command in commands().values()
        for parameter in command.params
        if parameter.type.name not in flags
    }
    assert set(COMPLETERS) <= named
    assert not named - set(COMPLETERS) - FREE, "say how it is completed, or that it is free"


def test_networks_of_ones_own(odd):
    assert set(offered(f"archcalc table --specs '{odd}' odd")) == {"odd$dollar"}
    own = {"ARCHCALC_SPECS": odd}
    assert offered("archcalc table gr", **own) == ["größe(1)"]
    assert offered("archcalc table 'größe(1)' --columns mi", **own) == ["mine"]
    assert offered("archcalc table größe\\(1\\)@mode=s", **own) == ["größe(1)@mode=slow"]
    assert offered(f"archcalc explain '{odd}/odd.yaml#odd$dollar' o") == ["only"]
    path = odd.replace(" ", "\\ ")
    assert offered(f"archcalc table {path}/odd.yaml#odd\\$dollar --set m") == ["mode="]


def test_what_words_are_is_said():
    asked = {"_ARCHCALC_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    out = run(**asked, _TYPER_COMPLETE_ARGS="archcalc table mobilenet@").out
    assert "mobilenet@alpha=\twidth multiplier\n" in out
    out = run(**asked, _TYPER_COMPLETE_ARGS="archcalc table lenet5 -c ").out
    assert "params\ttrainable parameters\n" in out


# Nothing but words is printed.


WRONG = (
    "archcalc table no-such-network@", "archcalc table no-such-network --set ",
    "archcalc explain no-such-network ", "archcalc explain lenet5 no/such/la",
    "archcalc no-such-command ", "archcalc table --no-such-option ", "archcalc table 'lenet5",
    "archcalc table @", "archcalc table x@=", "archcalc", "archcalc table \\",
    "archcalc table --specs /nowhere ", "archcalc table --depth x lenet5 --columns zz",
)  # fmt: skip


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        *(("zsh", line) for line in WRONG),
        *((shell, line) for shell in ("bash", "fish", "powershell") for line in WRONG[3:5]),
    ],
)
def test_nothing_but_words_is_printed(shell, line):
    ran = run(
        _ARCHCALC_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_ARGS=line, COMP_LINE=line,
        COMP_POINT=str(len(line)), _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_WORD_TO_COMPLETE=line.rpartition(" ")[2],
    )  # fmt: skip
    assert ran.err == ""
    assert not {"Error", "error", "Traceback", "Usage"} & set(ran.out.replace(":", " ").split())


def test_a_broken_spec_is_no_note_at_the_prompt(tmp_path):
    (tmp_path / "broken.yaml").write_text("layers: {")
    assert offered("archcalc table lenet", ARCHCALC_SPECS=str(tmp_path)) == ["lenet5"]


def test_completing_imports_nothing_heavy():
    program = (
        "import os, sys\n"
        "os.environ |= {'_ARCHCALC_COMPLETE': 'complete_zsh', "
        "'_TYPER_COMPLETE_ARGS': 'archcalc compare lenet5 --device '}\n"
        "from archcalc import cli\nassert cli.run() == 0\n"
        "assert not {'torch', 'numpy', 'pandas', 'rich'} & set(sys.modules), 'heavy'\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout == b"cpu\t\ncuda\tNVIDIA's\nmps\tApple's\n"


# Lines.


@pytest.mark.parametrize(
    ("line", "words", "raw"),
    [
        ("", [""], ""),
        ("a b", ["a", "b"], "b"),
        ("a  b ", ["a", "b", ""], ""),
        ("a 'b c' d", ["a", "b c", "d"], "d"),
        ("a 'b c", ["a", "b c"], "'b c"),
        (r"a it\'s\ o", ["a", "it's o"], r"it\'s\ o"),
        (r'a "it\"s $x"', ["a", 'it"s $x'], r'"it\"s $x"'),
        ("a '' b", ["a", "", "b"], "b"),
        ("a b\\", ["a", "b"], "b\\"),
    ],
)
def test_lines_are_taken_apart_as_shells_do(line, words, raw):
    assert taken_apart(line) == (words, raw)


def test_bash_is_given_what_follows_its_last_break(odd):
    assert bash("archcalc table mobilenet@al") == ["@alpha="]
    assert bash("archcalc table mobilenet@alpha=0.5,res") == ["0.5,resolution="]
    assert bash("archcalc table resnet50@shortcuts=n") == ["none "]
    assert bash("archcalc table lenet5 --format=j") == ["json "]
    assert bash("archcalc table 'mobilenet@al") == ["mobilenet@alpha="]
    assert bash("archcalc table gr", ARCHCALC_SPECS=odd) == ["größe\\(1\\) "]
    assert bash('archcalc table "gr', ARCHCALC_SPECS=odd) == ["größe(1)"]
    assert bash("archcalc table odd", ARCHCALC_SPECS=odd) == ["odd\\$dollar "]
    assert bash('archcalc table "odd', ARCHCALC_SPECS=odd) == ["odd\\$dollar"]
    assert bash("archcalc table 'odd", ARCHCALC_SPECS=odd) == ["odd$dollar"]
    assert bash("archcalc table größe\\(1\\)@mo", ARCHCALC_SPECS=odd) == ["@mode="]


# Real shells, at a terminal of their own. A stand-in for archcalc keeps the words it is given.

STAND_IN = """#!/bin/sh
if [ -n "$_ARCHCALC_COMPLETE" ]; then
    {python} -m archcalc "$@"
    code=$?
    echo asked >> {asked}
    exit $code
fi
printf '%s\\n' "$@" > {words}.new
mv {words}.new {words}
"""
ZSH = ["zsh", "-f", "-i"]
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {script}"),
    "zsh": (ZSH, "autoload -Uz compinit; compinit -u -D; source {script}"),
    "zsh-installed": (ZSH, "fpath+=({folder}); autoload -Uz compinit; compinit -u -D"),
    "fish": (["fish", "--no-config", "--interactive"], "source {script}"),
}


class Shell:
    """A shell at a pseudo-terminal."""

    def __init__(self, name: str, folder: Path, specs: str) -> None:
        command, start = STARTS[name]
        self.is_fish = name == "fish"
        self.words, self.asked = folder / "words", folder / "asked"
        script = folder / "_archcalc"
        detect = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
        script.write_text(run("--show-completion", command[0], **detect).out)
        stand_in = folder / "bin" / "archcalc"
        stand_in.parent.mkdir()
        told = {"python": sys.executable, "words": self.words, "asked": self.asked}
        stand_in.write_text(STAND_IN.format(**told))
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
        self.leader, follower = pty.openpty()
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        environment = {
            "PATH": f"{stand_in.parent}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb",
            "PYTHONPATH": str(ROOT), "ARCHCALC_SPECS": specs, "LC_ALL": "C.UTF-8", "PS1": "$ ",
        }  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=follower, stdout=follower, stderr=follower, cwd=folder, env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads
        )  # fmt: skip
        os.close(follower)
        os.set_blocking(self.leader, False)
        self.shown = ""
        start = start.format(script=script, folder=folder)
        os.write(self.leader, f"{start}; echo rea''dy\r".encode())
        self.wait(lambda: "ready" in self.shown)

    def read(self, until_quiet: float) -> None:
        """Keep what is printed until nothing more is."""
        last = time.monotonic()
        while time.monotonic() - last < until_quiet:
            try:
                self.shown += os.read(self.leader, 65536).decode(errors="replace")
                last = time.monotonic()
            except OSError:
                time.sleep(0.02)

    def wait(self, happened) -> None:
        end = time.monotonic() + 10
        while not happened() and time.monotonic() < end:
            self.read(0.05)

    def completes(self, line: str) -> list[str]:
        """The words that a line with a tab at its end comes to."""
        self.words.unlink(missing_ok=True)
        self.asked.unlink(missing_ok=True)
        os.write(self.leader, f"{line}\t".encode())
        self.wait(self.asked.exists)
        self.read(1.0 if self.is_fish else 0.3)  # fish asks twice
        os.write(self.leader, b"\r")
        self.wait(self.words.exists)
        return self.words.read_text().splitlines() if self.words.exists() else []

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self.leader)


@pytest.fixture(params=STARTS, scope="module")
def shell(request, tmp_path_factory, odd):
    if shutil.which(STARTS[request.param][0][0]) is None:
        pytest.skip(f"{request.param} is not installed")
    started = Shell(request.param, tmp_path_factory.mktemp("shell"), odd)
    yield started
    started.end()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("archcalc rep", ["rep"]),  # report and reproduce begin alike
        ("archcalc table mobilenet@al", ["table", "mobilenet@alpha="]),
        ("archcalc table mobilenet@alpha=0.5,res", ["table", "mobilenet@alpha=0.5,resolution="]),
        ("archcalc table resnet50@shortcuts=no", ["table", "resnet50@shortcuts=none"]),
        ("archcalc table vgg16 -c name,buf", ["table", "vgg16", "-c", "name,buffers"]),
        ("archcalc table vgg16 --format=js", ["table", "vgg16", "--format=json"]),
        ("archcalc table resnet50 --set short", ["table", "resnet50", "--set", "shortcuts="]),
        ("archcalc explain lenet5 F", ["explain", "lenet5", "F6"]),
        ("archcalc table gr", ["table", "größe(1)"]),
        ("archcalc table 'od", ["table", "odd$dollar"]),
        ("archcalc table odd\\$dollar@mode=s", ["table", "odd$dollar@mode=slow"]),
        ("archcalc table lenet5 -o _arch", ["table", "lenet5", "-o", "_archcalc"]),
    ],
)
def test_real_shells(shell, line, words):
    assert shell.completes(line) == words, shell.shown[-500:]


@pytest.mark.slow
def test_apostrophes_survive_in_what_words_are(shell):
    """zsh's and fish's lists say what a command does; bash lists words alone."""
    if shell.process.args[0] == "bash":
        pytest.skip("bash lists words alone")
    every = commands()
    for name, command in every.items():
        text = command.get_short_help_str(200)
        if "'" in text and sum(other[0] == name[0] for other in every) > 1:
            line = f"archcalc {name[0]}"
            if shell.is_fish:  # its list has as many columns as fit, and cuts what doesn't
                os.write(shell.leader, f"complete -C '{line}'\r".encode())
                shell.wait(lambda wanted=text: wanted in shell.shown)
            else:
                shell.completes(line)
            assert text[:30] in shell.shown
            return
    pytest.fail("no command with an apostrophe is listed")
