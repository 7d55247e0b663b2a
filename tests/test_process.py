"""archcalc as a process among others: signals, streams that fail, little memory."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from worker_tasks import task

import archcalc
from archcalc.workers import Killed, spread

ROOT = Path(archcalc.__file__).parent.parent
COMMAND = [sys.executable, "-m", "archcalc"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def started(*arguments: str, cwd: Path, **more: Any) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return subprocess.Popen(
        arguments,
        stdout=more.pop("stdout", subprocess.PIPE),
        stderr=more.pop("stderr", subprocess.PIPE),
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths},
        **more,
    )


def shell(line: str, cwd: Path) -> tuple[int, str, str]:
    """What bash gives back for a line, in which `archcalc` is this one."""
    line = line.replace("archcalc", f"{sys.executable} -m archcalc")
    ran = started("bash", "-c", line, cwd=cwd)
    out, err = ran.communicate(timeout=60)
    return ran.returncode, out, err


# Signals.

# A command as the installed script starts it, which stops where the signal is to come.
STOPPED = """
import sys, time, os

def stop():
    print("here", flush=True)
    time.sleep(60)

{patch}
sys.argv = ["archcalc", "table", "lenet5", "-o", "a.csv"]
from archcalc.__main__ import main
sys.exit(main())
"""
IMPORTING = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            stop()

sys.meta_path.insert(0, Finder())
"""
WRITING = """
import archcalc.files as files
save = files.save_file
def half(path, write):
    def writing(name):
        write(name)
        stop()
    save(path, writing)
files.save_file = half
"""
REPLACED = """
replace = os.replace
def replaced(*names):
    replace(*names)
    stop()
os.replace = replaced
"""
LOST = """
import archcalc.files as files
save = files.save_file
class Odd:
    def __del__(self):
        stop()
def half(path, write):
    def writing(name):
        write(name)
        Odd()
        time.sleep(60)
    save(path, writing)
files.save_file = half
"""


@pytest.mark.parametrize(
    ("when", "number"),
    [
        *((when, number) for when in (IMPORTING, WRITING) for number in SIGNALS),
        (REPLACED, signal.SIGINT),
        (LOST, signal.SIGINT),
    ],
    ids=range(8),
)
def test_a_signal_ends_the_process_and_leaves_nothing(
    tmp_path: Path, when: str, number: signal.Signals
) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    process = started(sys.executable, "-c", STOPPED.format(patch=when), cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", "")
    assert os.listdir(tmp_path) == ["a.csv"]
    assert target.read_text().startswith("name,kind" if when == REPLACED else "old")


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As under nohup, and Ctrl-C in a script's background."""

    def ignore() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    program = STOPPED.format(patch=IMPORTING).replace("60", "0.3")
    process = started(sys.executable, "-c", program, cwd=tmp_path, preexec_fn=ignore)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    for number in SIGNALS:
        process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert os.listdir(tmp_path) == ["a.csv"]


# A command that says when signals are handled: Python itself takes a while to start.
TOLD = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "archcalc.cli":
            print("here", flush=True)

sys.meta_path.insert(0, Finder())
sys.argv = {arguments}
from archcalc.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("arguments", [["table", "googlenet"], ["report", "vgg16", "resnet50"]])
def test_signals_at_random_moments(tmp_path: Path, arguments: list[str], seed: int) -> None:
    """A file is the old one or the new one, and nothing else is left, whenever they come."""
    target, pick = tmp_path / "a.csv", random.Random(seed)
    arguments = ["archcalc", *arguments, "-o", "a.csv"]
    command = [sys.executable, "-c", TOLD.format(arguments=arguments)]
    start = time.perf_counter()
    first = started(*command, cwd=tmp_path)
    first.communicate(timeout=60)
    assert first.returncode == 0
    lasts, new = time.perf_counter() - start, target.read_bytes()
    for _ in range(12):
        target.write_bytes(b"old")
        process = started(*command, cwd=tmp_path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pick.uniform(0, lasts))
        for number in pick.choices(SIGNALS, k=pick.choice([1, 1, 2])):
            process.send_signal(number)
        _, err = process.communicate(timeout=60)
        # Once all is done Python takes its handlers away before it ends.
        ends = {0, *(128 + number for number in SIGNALS), *(-number for number in SIGNALS)}
        assert process.returncode in ends
        assert err == ""
        assert os.listdir(tmp_path) == ["a.csv"]
        assert target.read_bytes() in ({new} if process.returncode == 0 else {b"old", new})


# verify in two processes, which stops when the first network is verified.
VERIFYING = """
import os, sys, time
from archcalc.cli import built

def coming(items, count, what):
    for item in items:
        yield item
        os.write(2, b"here\\n")  # an interrupted print would come again from its buffer
        time.sleep(60)

built.progress = coming
sys.argv = ["archcalc", "verify", "lenet5", "vgg19", "vgg16", "-j", "2"]
from archcalc.__main__ import main
main()
"""


@pytest.mark.slow
def test_an_interruption_of_several_processes_prints_what_was_finished(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group; those that work end with the one that prints."""
    process = started(sys.executable, "-c", VERIFYING, cwd=tmp_path, start_new_session=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "here\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert [word for word in ("lenet5", "vgg16", "vgg19") if word in out] == ["lenet5"]
    for _ in range(100):  # none is left of the group; the last ends a moment later
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("processes are left")


# The end of a process.


@pytest.mark.parametrize("imported", [False, True])
def test_what_pytorch_made_is_taken_apart_at_the_end(tmp_path: Path, imported: bool) -> None:
    """Else Triton, which comes with PyTorch for CUDA, tells of leaks on stderr at every end."""
    program = f"""
import atexit, gc, sys, types
sys.modules |= {{"torch": types.ModuleType("torch")}} if {imported} else {{}}
atexit.register(lambda: print(gc.get_freeze_count() > 0, file=sys.stderr))
sys.argv = ["archcalc", "table", "lenet5"]
from archcalc.__main__ import main
main()
"""
    process = started(sys.executable, "-c", program, cwd=tmp_path)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, f"{not imported}\n")


# Streams.

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


@FULL
@pytest.mark.parametrize("closing", ["2>/dev/full", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "code"), [("table lenet5", 0), ("table lenet5 --top x", 2)])
def test_stderr_changes_no_exit_code(tmp_path: Path, closing: str, command: str, code: int) -> None:
    assert shell(f"archcalc {command} -o a.csv {closing}", tmp_path) == (code, "", "")
    assert os.listdir(tmp_path) == ["a.csv"] * (code == 0)


def test_help_that_nobody_reads_to_the_end(tmp_path: Path) -> None:
    line = "archcalc --help | true; exit ${PIPESTATUS[0]}"
    assert shell(line, tmp_path) == (0, "", "")


@FULL
def test_both_streams_full(tmp_path: Path) -> None:
    assert shell("archcalc table lenet5 > /dev/full 2> /dev/full", tmp_path) == (2, "", "")


def test_a_file_never_becomes_a_closed_stream(tmp_path: Path) -> None:
    """Else what C code writes to stderr would stand in it."""
    program = """
import os, sys
from archcalc.cli.streams import prepare_streams
prepare_streams()
sys.exit(open("a.csv", "w").fileno() <= 2)
"""
    (tmp_path / "a.py").write_text(program)
    line = f"{sys.executable} a.py <&- >&- 2>&-"
    assert shell(line.replace("archcalc", ""), tmp_path)[0] == 0


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no /dev/stdout")
def test_standard_output_by_its_name(tmp_path: Path) -> None:
    line = "archcalc table resnet152 -f csv -o /dev/stdout | head -n 1; exit ${PIPESTATUS[0]}"
    code, out, err = shell(line, tmp_path)
    assert (code, out.count("\n"), err) == (0, 1, "")
    line = "echo old > a; archcalc table lenet5 -f csv -o /dev/fd/3 3>> a; cat a"
    code, out, err = shell(line, tmp_path)
    assert (code, out[:9], out.count("\n"), err) == (0, "old\nname,", 16, "")
    code, out, err = shell("archcalc table lenet5 -f csv -o /dev/fd/99", tmp_path)
    assert (code, err) == (2, "error: can't write '/dev/fd/99': Bad file descriptor\n")


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    line = "mkfifo p; (head -n 1 p) & archcalc table lenet5 -f csv -o p; echo $?; wait"
    code, out, err = shell(line, tmp_path)
    assert (code, err) == (0, "")
    assert min(out.splitlines()) == "0"
    assert "name,kind" in out
    assert os.listdir(tmp_path) == ["p"]


# Places.


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("table lenet5", 0, ""),
        ("table lenet5 -o x.csv", 2, "can't write 'x.csv': the working directory was deleted"),
        ("reconcile lenet5", 2, "expected a working directory, received one that was deleted"),
    ],
)
def test_a_working_directory_that_was_deleted(
    tmp_path: Path, command: str, code: int, said: str
) -> None:
    line = f"mkdir gone; cd gone; rmdir ../gone; archcalc {command} > ../out"
    got, _, err = shell(line, tmp_path)
    assert (got, err) == (code, f"error: {said}\n" if said else "")


# Memory.


@pytest.mark.slow
def test_little_memory_is_a_sentence(tmp_path: Path) -> None:
    """From what Python itself needs to start up to what the command needs."""
    codes = []
    for mebibytes in range(16, 80, 8):
        limit = mebibytes * 2**20
        process = started(
            *COMMAND, "table", "resnet152", "-o", "a.csv", cwd=tmp_path,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )  # fmt: skip
        out, err = process.communicate(timeout=60)
        codes.append(process.returncode)
        expected = "error: expected enough memory for this command, received less\n"
        assert (out, err) == ("", "" if process.returncode == 0 else expected)
        assert os.listdir(tmp_path) == ["a.csv"] * (process.returncode == 0)
    assert set(codes) == {0, 2}
    assert codes == sorted(codes, reverse=True)


# Processes of its own.


def test_a_killed_process_takes_no_other_along() -> None:
    items = ["a", "killed", "b", "c", "exits", "d"]
    results = list(spread(task, items, processes=2))
    assert [str(one).split(" by ")[0] for one in results if one[0] in items] == list("abcd")
    killed = {i: str(one) for i, one in enumerate(results) if isinstance(one, Killed)}
    assert killed == {
        1: "its process was ended by SIGKILL, as the system does when memory runs out",
        4: "its process ended with exit code 3",
    }


def test_what_a_task_raises_is_raised() -> None:
    coming = spread(task, ["a", "fails", "b"], processes=2)
    assert next(coming).startswith("a by ")
    with pytest.raises(ValueError, match="fails"):
        next(coming)


def test_no_more_processes_than_tasks() -> None:
    from multiprocessing import active_children

    before = len(active_children())
    coming = spread(task, ["a", "b"], processes=10**9)
    next(coming)
    assert len(active_children()) - before <= 2
    coming.close()
    assert len(active_children()) == before
