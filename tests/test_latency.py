"""archcalc profile and compare --device: what is measured, and what is said where it can't be.

No test asserts how long anything takes. CUDA is replaced by a fake at its boundary, which has its
own clock; the tests of a real one skip where there is none.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from command import run

import archcalc
from archcalc import files
from archcalc.cli import streams
from archcalc.errors import LayerError, OutputError, SettingError
from archcalc.pytorch import devices, latency, roofline, timing
from archcalc.pytorch.events import Row, Stamps
from archcalc.pytorch.latency import Options, interleaved, profile
from archcalc.pytorch.model import build
from archcalc.pytorch.roofline import Roof
from archcalc.pytorch.stepping import Stepper
from archcalc.report import profiling
from archcalc.spec import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archcalc.report.model import Table

QUICK = Options(budget=0.2, warmup=1)
HAS_CUDA = torch.cuda.is_available()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A roof that is known, and no file in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(roofline, "measured", lambda *_: Roof(1e10, 1e10, 1e-6))
    return tmp_path / "cache"


# What is measured.


@pytest.mark.parametrize("name", ["lenet5", "googlenet@auxiliary=true", "zfnet-deconv", "resnet20"])
def test_stepping_runs_each_layer_once_in_order(name: str) -> None:
    graph = archcalc.analyze(name).graph
    model = build(graph, device="meta").eval()
    stepper = Stepper(model, graph)
    ran: list[str] = []
    for step in stepper.steps:
        step.module.register_forward_hook(lambda *_, node=step.node: ran.append(node.path))
    stamps: list[int] = []
    stepper.run(torch.empty(2, *model.input_shape, device="meta"), lambda: stamps.append(len(ran)))
    assert ran == [node.path for node in graph.layers]
    assert stamps == list(range(len(graph.layers) + 1))  # one before, one after each


def test_stepping_computes_what_the_model_does() -> None:
    graph = archcalc.analyze("lenet5").graph
    model = build(graph).eval()
    found: list[torch.Tensor] = []
    model.get_submodule("output").register_forward_hook(lambda *args: found.append(args[2]))
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        expected = model(x)
        Stepper(model, graph).run(x, lambda: None)
    assert torch.equal(found[-1], expected)


def test_a_profile_has_samples_layers_and_the_machine() -> None:
    found = profile(archcalc.analyze("lenet5", batch=2), QUICK)
    graph = archcalc.analyze("lenet5").graph
    assert found.batch == 2
    assert all(seconds > 0 for seconds in found.forward.samples)
    assert [one.layer for one in found.layers] == [node.path for node in graph.layers]
    assert found.stepped is not None
    assert len(found.stepped.samples) == len(found.forward.samples)  # taken in turn
    assert found.throughput == 2 / found.forward.median
    assert (found.machine.device, found.machine.dtype) == ("cpu", "float32")
    assert found.machine.torch == torch.__version__
    assert found.replay is None


def test_layer_times_of_a_pass_add_up_to_it() -> None:
    prepared = latency.Prepared(archcalc.analyze("lenet5"), QUICK)
    sample, times = prepared.stepped()
    with torch.inference_mode():
        totals = [total for _ in range(5) for total in sample()]
    for i, total in enumerate(totals):
        assert sum(own[i] for own in times) == pytest.approx(total)


@pytest.mark.parametrize(
    ("network", "cache", "count"),
    [
        ("mobilenet", 2**20, 4),  # 602,112 bytes each: 4 of them are more than 2 MiB
        ("mobilenet", 2**10, 2),
        ("mobilenet", 2**40, 512),  # 512 MiB hold 891 of them
        ("lenet5", 2**40, 512),
    ],
)
def test_inputs_are_taken_in_turn_from_more_than_a_cache_holds(
    network: str, cache: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cache_bytes", lambda _: cache)
    analysis = archcalc.analyze(network)
    assert latency.number_of_inputs(analysis, torch.device("cpu")) == count
    if count < 10:
        prepared = latency.Prepared(analysis, QUICK)
        seen = [prepared.next_input().data_ptr() for _ in prepared.inputs]
        assert len(set(seen)) == len(seen) == count


@pytest.mark.skipif(not Path("/sys/devices/system/cpu/cpu0/cache").exists(), reason="not told here")
def test_the_size_of_a_cache() -> None:
    assert 2**15 <= devices.cache_bytes(torch.device("cpu")) < 2**34


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="Linux alone tells")
def test_other_work_is_seen_while_it_is_measured() -> None:
    """Own work is not counted, that of another process is."""
    watch = devices.Watch()
    _spin(0.4)
    own = watch.load()
    watch = devices.Watch()
    spin = "import time\nend = time.perf_counter() + 1\nwhile time.perf_counter() < end: pass"
    with subprocess.Popen([sys.executable, "-c", spin]) as other:
        other.wait()
    cores = os.cpu_count() or 1
    assert watch.load() > 0.5 / cores
    assert own < 1  # other tests may run beside this one


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_busy_machine_is_said_whenever_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "load", lambda: 0.0)
    monkeypatch.setattr(devices.Watch, "load", lambda _: 0.8)
    analysis = archcalc.analyze("lenet5")
    found = profile(analysis, QUICK, layers=False)
    assert found.machine.load == 0.8
    table = profiling.summary_table([profiling.Profiled(analysis, found, None)])
    assert any("80% busy meanwhile" in note for note in table.caption)


def test_what_is_set_for_a_measurement_is_set_back() -> None:
    threads = torch.get_num_threads()
    tiny = torch.tensor(1e-40)
    with latency.settled(Options(threads=1)):
        assert torch.get_num_threads() == 1
        assert torch.is_inference_mode_enabled()
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled()
    assert float(tiny * 1) > 0  # denormal numbers are numbers again


def test_images_last_in_memory() -> None:
    prepared = latency.Prepared(archcalc.analyze("resnet20"), QUICK._replace(channels_last=True))
    assert prepared.next_input().is_contiguous(memory_format=torch.channels_last)
    weight = prepared.plain.get_parameter("conv2_1.body.conv1.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_other_types(dtype: str) -> None:
    found = profile(archcalc.analyze("lenet5"), QUICK._replace(dtype=dtype), layers=False)
    assert found.machine.dtype == dtype
    assert found.forward.samples


def test_networks_are_sampled_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    forward = latency.Prepared.forward

    def noted(self: latency.Prepared) -> list[float]:
        order.append(self.analysis.label)
        return forward(self)

    monkeypatch.setattr(latency.Prepared, "forward", noted)
    names = ["lenet5", "resnet20"]
    found = interleaved([archcalc.analyze(name) for name in names], QUICK)
    assert [one.network for one in found] == names
    counts = [len(one.forward.samples) for one in found]
    assert counts[0] == counts[1]
    turns = (names + names[::-1]) * counts[0]
    assert order[-2 * counts[0] :] == turns[: 2 * counts[0]]


# The roofline.


def test_the_nearer_roof_bounds_a_layer() -> None:
    roof = Roof(flops=1e9, bandwidth=1e8, call=1e-6)
    assert roof.bound(flops=10**9, moved=10**6, seconds=2.0) == (0.5, "arithmetic")
    assert roof.bound(flops=10**6, moved=10**8, seconds=4.0) == (0.25, "memory")
    share, bound = roof.bound(flops=10, moved=10, seconds=1.6e-6)
    assert bound == "overhead"
    assert share == pytest.approx(1 / 16)
    assert roof.bound(flops=10, moved=10, seconds=1.0)[1] == "neither"  # calls don't take so long
    assert roof.bound(flops=0, moved=150, seconds=1.8e-6)[1] == "memory"  # however short it is
    assert roof.bound(flops=0, moved=0, seconds=1.0) == (0, "overhead")  # there is nothing else
    assert roof.bound(flops=0, moved=0, seconds=1e-6) == (0, "overhead")
    assert roof.bound(flops=10**9, moved=10**6, seconds=11.0)[1] == "neither"
    assert roof.bound(flops=10**6, moved=10**8, seconds=9.0)[1] == "memory"


def by_layer(seconds: float, roof: Roof) -> Any:
    """The table by layer of AlexNet, each of whose layers takes as long."""
    analysis = archcalc.analyze("alexnet")
    timing_ = timing.Timing((seconds,), "")
    layers = tuple(latency.LayerTime(row.name, timing_) for row in analysis.layers)
    own = timing.Timing((seconds,) * 10, "precise")
    device = latency.machine(QUICK, torch.device("cpu"))
    found = latency.Latency("alexnet", 1, device, own, stepped=own, layers=layers)
    return profiling.layer_table(profiling.Profiled(analysis, found, roof))


def test_too_few_passes_are_told_of_layers() -> None:
    roof = Roof(1e9, 1e6, 1e-9)
    assert "Layer times are of 1 pass: too few to know how sure they are." in (
        by_layer(1.0, roof).caption
    )


def test_a_machine_without_a_gpu_has_no_cuda() -> None:
    machine = latency.machine(QUICK, torch.device("cpu"))._replace(cuda="13.0")
    assert "CUDA" not in profiling.machine_line(machine)
    assert ", CUDA 13.0, " in profiling.machine_line(machine._replace(device="cuda:0"))


def test_a_view_moves_nothing() -> None:
    table = by_layer(1.0, Roof(1e9, 1e6, 1e-9))
    rows = {row.name: row for row in table.rows}
    views = [name for name, row in rows.items() if row.row.kind in ("dropout", "flatten")]
    assert views
    assert {(rows[name].moved, rows[name].bound) for name in views} == {(0, "overhead")}
    assert rows["conv1"].moved == rows["conv1"].row.bytes_moved


def test_layers_far_from_their_roof_and_above_it_are_explained() -> None:
    slow = "\n".join(by_layer(1000.0, Roof(1e9, 1e9, 1e-12)).caption)
    assert "Neither: below 10% of the roof" in slow
    assert "110%" not in slow
    fast = "\n".join(by_layer(1e-9, Roof(1e9, 1e9, 1e-12)).caption)
    assert "above 110% of the roof: fast convolution algorithms (Winograd's)" in fast
    assert "Neither" not in fast


def test_a_roof_measured_beside_other_work_is_not_kept(own_cache: Path) -> None:
    device = torch.device("cpu")
    machine = latency.machine(QUICK, device)._replace(load=devices.BUSY + 0.1)
    assert roofline.roof(machine, device, torch.float32) == Roof(1e10, 1e10, 1e-6)
    assert not own_cache.exists()


@pytest.mark.parametrize(("threads", "said"), [(1, ", 1 thread,"), (2, ", 2 threads,")])
def test_one_thread_is_no_plural(threads: int, said: str) -> None:
    machine = latency.machine(QUICK, torch.device("cpu"))._replace(threads=threads)
    assert said in profiling.machine_line(machine)


def test_a_roof_is_measured_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def fake(*_: object) -> Roof:
        measured.append(1)
        return Roof(2e9, 3e9, 4e-6)

    monkeypatch.setattr(roofline, "measured", fake)
    device = torch.device("cpu")
    machine = latency.machine(QUICK, device)._replace(load=0.0)
    first, again = (roofline.roof(machine, device, torch.float32) for _ in range(2))
    assert first == again == Roof(2e9, 3e9, 4e-6)
    assert len(measured) == 1
    roofline.roof(machine._replace(threads=99), device, torch.float32)
    assert len(measured) == 2
    assert len(list((own_cache / "archcalc").rglob("*.json"))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "{", '{"a": 1}', '{"key": "KEY", "roof": [1.0, "x", 2.0]}', '"roof"', "\udcff\0",
        '{"key": "KEY", "roof": [1.0, 2.0', '{"key": "KEY", "roof": {"a": 1}}', "[" * 200_000,
        '{"key": "another", "roof": [1.0, 2.0, 3.0]}', '{"key": "KEY", "roof": [1e999, 1.0, 1.0]}',
        '{"key": "KEY", "roof": [' + "9" * 5000 + "]}",
    ],
    ids=range(13),
)  # fmt: skip
def test_a_broken_cache_is_measured_again(own_cache: Path, text: str) -> None:
    device = torch.device("cpu")
    machine = latency.machine(QUICK, device)._replace(load=0.0)
    file = roofline._path(roofline._key(machine))
    assert file is not None
    assert own_cache in file.parents
    file.parent.mkdir(parents=True)
    file.write_bytes(text.replace("KEY", roofline._key(machine)).encode(errors="surrogateescape"))
    assert roofline.roof(machine, device, torch.float32) == Roof(1e10, 1e10, 1e-6)


@pytest.mark.parametrize(
    "base", ["file", "file/none", "proc", "pipe"], ids=["file", "below", "kernel", "pipe"]
)
def test_a_cache_that_cannot_be_used_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self" if base == "proc" else str(tmp_path / base))
    device = torch.device("cpu")
    machine = latency.machine(QUICK, device)._replace(load=0.0)
    if base == "pipe":  # to open it would wait for ever
        path = roofline._path(roofline._key(machine))
        assert path is not None
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
    assert roofline.roof(machine, device, torch.float32) == Roof(1e10, 1e10, 1e-6)


@pytest.mark.parametrize("home", ["", "~", "relative", None])
def test_a_user_without_a_home_has_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """As in a container that runs as a user whom its /etc/passwd does not know."""

    def unknown(_: object) -> None:
        raise KeyError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    for base in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", base)
        device = torch.device("cpu")
        machine = latency.machine(QUICK, device)._replace(load=0.0)
        assert roofline.roof(machine, device, torch.float32) == Roof(1e10, 1e10, 1e-6)
        assert roofline._path("key") is None
    assert os.listdir(tmp_path) == []


def test_roofs_kept_at_the_same_time_are_all_kept(own_cache: Path) -> None:
    """What another process has written since this one looked is still there."""
    device = torch.device("cpu")
    machine = latency.machine(QUICK, device)._replace(load=0.0)

    def measured(*_: object) -> Roof:
        if measured.others:  # type: ignore[attr-defined]
            others, measured.others = measured.others, ()  # type: ignore[attr-defined]
            for other in others:
                roofline.roof(other, device, torch.float32)
        return Roof(1e10, 1e10, 1e-6)

    many = [machine._replace(threads=threads) for threads in range(1, 9)]
    measured.others = many[1:]  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roofline, "measured", measured)
        roofline.roof(many[0], device, torch.float32)
        patch.setattr(roofline, "measured", lambda *_: pytest.fail("measured again"))
        for one in many:
            roofline.roof(one, device, torch.float32)
    assert len(list(own_cache.rglob("*.json"))) == 8


@pytest.mark.slow
def test_a_real_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = roofline.measured(torch.device("cpu"), torch.float32)
    assert all(0 < one < float("inf") for one in found)


# The command.


def quickly(*arguments: str) -> Any:
    return run(*arguments, "--budget", "0.2", "--warmup", "1")


def test_the_report_opens_with_the_machine() -> None:
    ran = quickly("profile", "lenet5", "--batch", "1,4", "--top", "3")
    assert (ran.code, ran.err) == (0, "")
    opening = ran.out.splitlines()[0]
    for part in ("cpu", f"PyTorch {torch.__version__}", " thread", "float32", "20"):
        assert part in opening
    assert ran.out.count("time by layer") == 2
    assert "The 3 slowest of 14 layers." in ran.out
    assert "Layers add up to" in ran.out
    assert "Roof:" in ran.out


def test_json_has_every_sample_and_csv_a_line_a_layer() -> None:
    found = json.loads(quickly("profile", "lenet5", "--format", "json").out)
    [own] = found["runs"]
    assert own["runs"] == len(own["samples"]) > 0
    assert own["machine"]["torch"] == torch.__version__
    assert own["replay"] is own["replay_samples"] is None
    assert own["mult_adds"] == archcalc.analyze("lenet5").totals.mult_adds
    records = list(csv.DictReader(quickly("profile", "lenet5", "-f", "csv").out.splitlines()))
    assert [one["layer"] for one in records] == [one["layer"] for one in own["layers"]]
    assert sum(float(one["time_share"]) for one in records) == pytest.approx(1)
    assert {one["torch"] for one in records} == {torch.__version__}
    short = list(
        csv.DictReader(quickly("profile", "lenet5", "--no-layers", "-f", "csv").out.splitlines())
    )
    assert len(short) == 1
    assert float(short[0]["low"]) <= float(short[0]["median"]) <= float(short[0]["high"])
    assert float(short[0]["quartile1"]) <= float(short[0]["quartile3"]) <= float(short[0]["p90"])
    assert (short[0]["device"], short[0]["dtype"], short[0]["replay"]) == ("cpu", "float32", "")


def test_json_has_the_median_of_a_replayed_graph() -> None:
    device = latency.machine(QUICK, torch.device("cpu"))
    own, replay = timing.Timing((3.0,), "budget"), timing.Timing((1.0, 2.0, 1.5), "budget")
    record = profiling.latency_record(latency.Latency("a", 1, device, own, replay=replay))
    assert (record["replay"], record["replay_samples"]) == (1.5, [1.0, 2.0, 1.5])


def test_saved_runs_are_compared(tmp_path: Path) -> None:
    files = [str(tmp_path / f"{i}.json") for i in range(2)]
    for file in files:
        assert quickly("profile", "lenet5", "--no-layers", "--save", file).code == 0
    first, second = (json.loads(Path(file).read_text())["runs"][0] for file in files)
    ran = run("runs", *files, COLUMNS="200")
    assert (ran.code, ran.err) == (0, "")
    assert f"{second['median'] / first['median']:.3g}x" in ran.out
    assert len(ran.out.splitlines()) == 6
    assert "1x32x32" in ran.out
    records = list(csv.DictReader(run("runs", *files, "-f", "csv").out.splitlines()))
    assert float(records[1]["median"]) == second["median"]
    assert float(records[0]["low"]) <= first["median"] <= float(records[0]["high"])
    assert (records[0]["input"], records[0]["runs"]) == ("1x32x32", str(first["runs"]))
    assert (records[0]["channels_last"], records[0]["compiled"]) == ("false", "false")
    found = json.loads(run("runs", *files, "-f", "json").out)
    assert found["schema_version"] == 1
    assert found["runs"][1]["input"] == [1, 32, 32]


def kept(**changes: Any) -> dict[str, Any]:
    """A run as it is kept, changed."""
    machine = latency.machine(QUICK, torch.device("cpu"))._asdict()
    own = {"network": "a", "input": [3, 8, 8], "batch": 1, "machine": machine, "runs": 40}
    return {**own, "median": 2.0, "low": 1.0, "high": 3.0, **changes}


def read_back(path: Path, *runs: dict[str, Any]) -> list[profiling.Saved]:
    path.write_text(json.dumps({"runs": runs}))
    return profiling.load(str(path))


def test_a_table_and_its_runs_need_two_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    (tmp_path / "link.json").symlink_to(path)
    for other in ("a.json", "x/../a.json", "link.json"):
        ran = quickly("profile", "lenet5", "-o", str(path), "--save", str(tmp_path / other))
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"error: expected two files to write to, received '{path}' twice\n"
    assert not path.exists()


def test_saved_runs_of_other_inputs_are_not_compared(tmp_path: Path) -> None:
    runs = read_back(tmp_path / "a", kept(), kept(input=[3, 4, 4]), kept(median=1.0))
    table = profiling.saved_table(runs)
    cells = {column.key: [column.get(row) for row in table.rows] for column in table.columns}
    assert cells["input"] == ["3x8x8", "3x8x8", "3x4x4"]
    assert cells["ratio"] == ["", "0.5x, within noise", ""]


def test_saved_runs_say_what_is_noise(tmp_path: Path) -> None:
    apart = kept(median=6.0, low=5.0, high=7.0)
    close = kept(median=2.5, low=2.0, high=3.5)
    few = kept(median=6.0, low=5.0, high=7.0, runs=7)
    table = profiling.saved_table(read_back(tmp_path / "a", kept(), apart, close, few))
    [ratio] = [column for column in table.columns if column.key == "ratio"]
    found = [ratio.get(row) for row in table.rows]
    assert found == ["", "3x", "1.25x, within noise", "3x, too few runs"]


def test_saved_runs_say_how_they_were_measured(tmp_path: Path) -> None:
    machine = kept()["machine"]
    gpu = {**machine, "device": "cuda:0", "cuda": "12.4", "channels_last": True, "compiled": True}
    table = profiling.saved_table(read_back(tmp_path / "a", kept(machine=gpu), kept(runs=7)))
    cells = {column.key: [column.get(row) for row in table.rows] for column in table.columns}
    for part in ("CUDA 12.4", "channels last", "compiled"):
        assert part in cells["machine"][0]
        assert part not in cells["machine"][1]
    assert cells["interval"] == ["50.0%", "unknown"]
    assert cells["runs"] == [40, 7]


@pytest.mark.parametrize(
    "changes",
    [
        {"median": float("inf"), "high": float("inf")},
        {"high": 10**400},
        {"low": 0.0},
        {"low": 2.5},
        {"high": float("nan")},
        {"batch": 0},
        {"batch": 1.5},
        {"runs": 0},
        {"machine": "x"},
        {"machine": []},
        {"network": ["a"]},
        {"input": 3},
    ],
    ids=str,
)
def test_runs_that_cannot_be_are_no_saved_runs(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(OutputError, match="expected runs that 'archcalc profile --save' kept"):
        read_back(tmp_path / "a", kept(**changes))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"runs": 1}',
        '{"runs": []}',
        '{"runs": [{}]}',
        '{"runs": [{"network": "a"}]}',
        '{"runs": ' + "9" * 5000 + "}",
        '{"runs": [{"network": "a"}]',
        "{\0}",
        pytest.param("[" * 200_000, id="deep"),
        pytest.param('{"runs":' + "[" * 200_000, id="deep below"),
    ],
)
def test_other_files_are_no_saved_runs(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(text)
    ran = run("runs", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert "expected runs that 'archcalc profile --save' kept, received" in ran.err
    assert run("runs", str(tmp_path / "none.json")).code == 2


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "."])
def test_what_never_ends_is_no_saved_run(device: str) -> None:
    ran = run("runs", device)
    assert (ran.code, ran.out) == (2, "")
    assert "received no JSON" in ran.err or "Is a directory" in ran.err


def test_saved_runs_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "LARGEST_FILE", 2**20)
    (tmp_path / "a.json").write_text('{"runs": [' + " " * 2**20)
    assert "a.json: expected at most 1 MiB, received more" in run("runs", f"{tmp_path}/a.json").err


def test_compare_says_how_mult_adds_and_time_agree() -> None:
    ran = quickly("compare", "resnet20", "lenet5", "--device", "cpu")
    assert (ran.code, ran.err) == (0, "")
    assert "Time" in ran.out.partition("───")[0]
    assert any(
        words in ran.out
        for words in ("faster than resnet20", "within noise", "too few runs to compare")
    )
    found = json.loads(
        quickly("compare", "resnet20", "lenet5", "--device", "cpu", "-f", "json").out
    )
    times = [one["latency"]["median"] for one in found["networks"]]
    assert found["networks"][1]["ratios"]["latency"] == times[1] / times[0]


def compared(*samples: tuple[float, ...], ended: str = "precise") -> str:
    """The notes of a comparison of VGG-16 and MobileNet with these samples of time."""
    return "\n".join(comparison_of(*samples, ended=ended).caption)


def times_shown(*samples: tuple[float, ...]) -> list[tuple[str, str]]:
    """What such a comparison shows of each network's time, and of its ratio to the first's."""
    table = comparison_of(*samples)
    columns = {column.key: column for column in table.columns}
    return [
        (columns["latency"].get(line.row), columns["latency_ratio"].get(line.row))
        for line in table.lines
    ]


def comparison_of(
    *samples: tuple[float, ...],
    ended: str = "precise",
    names: tuple[str, str] = ("vgg16", "mobilenet"),
) -> Table:
    from archcalc.report.comparison import Compared, comparison

    machine = latency.machine(QUICK, torch.device("cpu"))
    rows = [
        Compared(
            archcalc.analyze(name),
            (),
            latency.Latency(name, 1, machine, timing.Timing(own, ended)),
        )
        for name, own in zip(names, samples, strict=True)
    ]
    return comparison(rows)


def test_too_few_runs_are_not_compared() -> None:
    said = compared((1.0,) * 7, (0.25,) * 40, ended="budget")
    assert "mobilenet and vgg16: too few runs to compare their times." in said
    assert "within noise" not in said
    assert "slower" not in said
    assert "faster" not in said


def test_a_comparison_says_how_sure_its_times_are() -> None:
    said = compared((1.0, 1.2) * 20, (0.25,) * 3, ended="budget")
    assert "vgg16: the time budget ended first; after 40 runs the median is known to 9.1%." in said
    assert "mobilenet: the time budget ended first; 3 runs are too few to know the median." in said
    assert "interrupted" in compared((1.0,) * 20, (2.0,) * 20, ended="interrupted")
    ran = quickly("compare", "lenet5", "--device", "cpu", "-c", "latency")
    assert "± 95%" in ran.out.splitlines()[0]


def test_an_interrupted_comparison_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def sample(_: latency.Prepared) -> list[float]:
        calls.append(1)
        if len(calls) > 40:
            raise KeyboardInterrupt
        return [1e-3 * (1 + len(calls) % 7)]

    monkeypatch.setattr(latency.Prepared, "forward", sample)
    monkeypatch.setattr(timing.Series, "warm_up", lambda *_: None)
    ran = run("compare", "lenet5", "resnet20", "--device", "cpu")
    assert ran.code == 130
    assert "lenet5: interrupted; after 20 runs" in ran.out


def test_csv_of_the_slowest_layers() -> None:
    text = quickly("profile", "lenet5", "-f", "csv", "--top", "3", "--batch", "1,2").out
    records = list(csv.DictReader(text.splitlines()))
    assert [one["batch"] for one in records] == ["1"] * 3 + ["2"] * 3
    seconds = [float(one["seconds"]) for one in records[:3]]
    assert seconds == sorted(seconds, reverse=True)


def test_differences_within_noise_are_called_that() -> None:
    assert "within noise" in compared((1.0, 1.2) * 20, (1.1, 1.15) * 20)
    said = compared((1.0,) * 40, (0.25,) * 40)
    assert "4x faster than vgg16, with 27.2x fewer Mult-Adds; Mult-Adds and time disagree" in said
    agreeing = compared((2.72,) * 40, (0.1,) * 40)
    assert "27.2x faster than vgg16, with 27.2x fewer Mult-Adds." in agreeing


def test_the_fastest_is_marked_where_that_is_no_noise() -> None:
    assert times_shown((1.0,) * 40, (0.25,) * 40) == [("1.00 s", ""), ("*250 ms", "0.25x")]
    near = times_shown((1.0, 1.2) * 20, (1.1, 1.15) * 20)
    assert near == [("1.10 s", ""), ("1.12 s", "noise")]
    assert times_shown((1.0,) * 7, (0.25,) * 7) == [("1.00 s", ""), ("250 ms", "noise")]


@pytest.mark.parametrize("other", [0.9, 1.1])
def test_as_many_mult_adds_in_about_as_much_time_agree(other: float) -> None:
    table = comparison_of((1.0,) * 40, (other,) * 40, names=("vgg16", "vgg16"))
    [said] = [note for note in table.caption if "as many Mult-Adds" in note]
    assert "disagree" not in said
    slow = comparison_of((1.0,) * 40, (2.0,) * 40, names=("vgg16", "vgg16"))
    assert any("as many Mult-Adds; Mult-Adds and time disagree" in note for note in slow.caption)


def test_a_comparison_interrupted_before_it_measures_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(_: latency.Prepared) -> list[float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(latency.Prepared, "forward", interrupted)
    ran = run("compare", "lenet5", "resnet20", "--device", "cpu")
    assert ran.code == 130
    assert "resnet20: 4.5x more params" in ran.out
    assert ran.err == "archcalc: interrupted before anything was measured\n"


@pytest.mark.parametrize(
    "command",
    [
        ["profile", "--no-layers"],
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (["compare", "--device", "cpu"], ["verify"])
        ),
    ],
)
def test_an_interruption_while_pytorch_is_imported_is_not_lost(command: list[str]) -> None:
    """Importing it loses the exception, which Python raises as soon as the signal comes."""
    program = """
import os, signal, sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch._utils":
            sys.meta_path.remove(self)
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.1)
            except KeyboardInterrupt:
                pass

sys.meta_path.insert(0, Finder())
from archcalc import cli
sys.exit(cli.run())
"""
    quick = [] if command == ["verify"] else ["--budget", "0.1"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "lenet5", *quick],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert "runs" not in done.stdout


def test_an_interruption_afterwards_is_for_whoever_handles_it() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        with streams.interruption_afterwards():
            signal.raise_signal(signal.SIGINT)
            assert not came
        assert came == [signal.SIGINT]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with streams.interruption_afterwards():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_pytorch_is_imported_in_any_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(streams.start_torch, "build").result()


def test_progress_is_drawn_by_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take the interpreter from what is measured."""
    err = io.StringIO()
    monkeypatch.setattr(err, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    before = threading.active_count()
    with streams.progress_bar("measuring", 2) as seen:
        assert threading.active_count() == before
        assert " 50%" not in err.getvalue()
        seen(1.0)
        assert " 50%" in err.getvalue()


def test_commands_without_a_device_import_no_torch() -> None:
    program = (
        "import sys\nfrom archcalc import cli\n"
        "sys.argv = ['archcalc', 'compare', 'vgg16', 'lenet5']\n"
        "cli.run()\nsys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0


# When it can't.


HALF = (
    "error: dtype: expected one of float32, float16, bfloat16, float64, received 'half'; "
    "here that is float16\n"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "cuda:7"), "--device: expected one of cpu"),
        (("--device", "gpu"), "received 'gpu'"),
        (("--dtype", "int8"), "dtype: expected one of float32, float16"),
        (("--dtype", "half"), HALF),
        (("--batch", "0"), "--batch: expected whole numbers of at least 1"),
        (("--batch", "9" * 5000), "--batch: expected whole numbers of at least 1"),
        (("--batch", "1,x"), "--batch: expected whole numbers of at least 1"),
        (("--top", "0"), "--top: expected at least 1"),
        (("--threads", "0"), "--threads: expected 1 to 1024, received 0"),
        (("--threads", "1025"), "--threads: expected 1 to 1024, received 1025"),
        (("--threads", "9" * 400), "--threads: expected 1 to 1024, received 999"),
        (("--budget", "0"), "--budget: expected seconds above 0, received 0"),
        (("--budget", "nan"), "--budget: expected seconds above 0, received nan"),
        (("--budget", "inf"), "--budget: expected seconds above 0, received inf"),
        (("--precision", "0"), "--precision: expected a percentage above 0, received 0"),
        (("--precision", "-1"), "--precision: expected a percentage above 0, received -1"),
        (("--precision", "inf"), "--precision: expected a percentage above 0, received inf"),
        (("--warmup", "-1"), "--warmup: expected at least 0, received -1"),
    ],
)
def test_what_cannot_be_measured(arguments: tuple[str, ...], message: str) -> None:
    ran = run("profile", "lenet5", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_compare_refuses_the_same() -> None:
    ran = run("compare", "lenet5", "--device", "cpu", "--budget", "-1")
    assert (ran.code, ran.out) == (2, "")
    assert "--budget: expected seconds above 0, received -1" in ran.err
    ran = run("compare", "lenet5", "--device", "cpu", "--dtype", "half")
    assert (ran.code, ran.out, ran.err) == (2, "", HALF)


def test_warming_up_several_is_bounded_as_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[float] = []
    monkeypatch.setattr(timing.Series, "warm_up", lambda _, seconds, fewest: warmed.append(seconds))
    monkeypatch.setattr(latency.Prepared, "forward", lambda _: [1e-3])
    for budget in (1.0, 1000.0):
        interleaved([archcalc.analyze("lenet5")], QUICK._replace(budget=budget))
    assert warmed == [0.1, 0.5]


@pytest.mark.parametrize("flag", ["--output", "--save"])
def test_a_place_that_cannot_be_written_is_refused_before(
    flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "profile", lambda *_, **__: pytest.fail("measured"))
    for path in (tmp_path / "none" / "a.csv", tmp_path / "folder.csv"):
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        ran = quickly("profile", "lenet5", flag, str(path))
        assert (ran.code, ran.out) == (2, "")
        assert "can't write" in ran.err
    if flag == "--output":
        ran = quickly("compare", "lenet5", "--device", "cpu", flag, str(tmp_path / "no" / "a.md"))
        assert (ran.code, ran.out) == (2, "")
        assert "expected a directory" in ran.err


def test_the_table_is_written_even_if_the_samples_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "check_target", lambda _: None)
    ran = quickly("profile", "lenet5", "--no-layers", "--save", str(tmp_path / "none" / "a.json"))
    assert ran.code == 2
    assert "Forward latency" in ran.out
    assert "can't write" in ran.err


LACKING = "\"max_pool2d\" not implemented for 'Half'"


def test_a_layer_without_a_dtype_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: latency.Prepared) -> list[float]:
        raise RuntimeError(LACKING)

    monkeypatch.setattr(latency.Prepared, "forward", fails)
    half = QUICK._replace(dtype="bfloat16")
    message = (
        f"--dtype: expected one that cpu computes all of lenet5 in, received 'bfloat16' ({LACKING})"
    )
    with pytest.raises(SettingError) as caught:
        profile(archcalc.analyze("lenet5"), half, layers=False)
    assert str(caught.value) == message
    [found] = interleaved([archcalc.analyze("lenet5")], half)
    assert str(found) == message


def test_others_are_measured_where_one_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(graph: archcalc.Graph, **options: Any) -> Any:
        if graph.name == "lenet5":
            raise LayerError("expected another layer")
        return build(graph, **options)

    monkeypatch.setattr(latency, "build", fails)
    first, second = interleaved([archcalc.analyze("lenet5"), archcalc.analyze("resnet20")], QUICK)
    assert isinstance(first, LayerError)
    assert isinstance(second, latency.Latency)


@pytest.mark.skipif(HAS_CUDA, reason="there is a CUDA device here")
def test_never_another_device_in_its_place() -> None:
    ran = quickly("compare", "lenet5", "resnet20", "--device", "cuda")
    assert ran.code == 2
    assert "finds no CUDA here" in ran.err
    assert "Time" not in ran.out.splitlines()[0] if ran.out else True


def test_vectors_have_no_channels_last(tmp_path: Path) -> None:
    path = tmp_path / "vector.yaml"
    path.write_text("name: v\ninput: [8]\nlayers:\n  - linear: {out: 4}\n")
    ran = quickly("profile", str(path), "--channels-last")
    assert ran.code == 2
    assert "expected images (three axes), received v with 1" in ran.err


def test_too_large_a_batch_says_which_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    free = 700_000_000
    monkeypatch.setattr(devices, "cache_bytes", lambda _: 0)
    monkeypatch.setattr(devices, "free_bytes", lambda _: free)
    with pytest.raises(SettingError, match=r"vgg16: expected at most 700,000,000 bytes") as caught:
        profile(archcalc.analyze("vgg16", batch=64), QUICK)
    fits = int(str(caught.value).rpartition("a batch of ")[2].split()[0])
    device = torch.device("cpu")
    assert latency.needed_bytes(archcalc.analyze("vgg16", batch=fits), device) <= free
    assert latency.needed_bytes(archcalc.analyze("vgg16", batch=fits + 1), device) > free
    monkeypatch.setattr(devices, "free_bytes", lambda _: 1000)
    with pytest.raises(SettingError, match="not even a batch of 1 fits"):
        profile(archcalc.analyze("vgg16"), QUICK)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
    ],
)
def test_running_out_of_memory_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: latency.Prepared) -> list[float]:
        if self.analysis.label == "lenet5":
            raise error
        return [1e-3]

    monkeypatch.setattr(latency.Prepared, "forward", fails)
    with pytest.raises(
        SettingError, match=r"lenet5: expected a batch that fits on cpu, received 1"
    ):
        profile(archcalc.analyze("lenet5"), QUICK, layers=False)
    ran = quickly("compare", "resnet20", "lenet5", "--device", "cpu")  # the other is still measured
    assert ran.code == 2
    assert ran.err.count("error:") == 1
    assert "lenet5: expected a batch that fits on cpu, received 1, which ran out" in ran.err
    assert "1.00 ms" in ran.out


def test_what_was_free_is_told_as_it_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network takes itself is not free any more when it runs out of memory."""
    free = iter([40 * 10**9])
    monkeypatch.setattr(devices, "free_bytes", lambda _: next(free, 10**5))

    def fails(_: latency.Prepared) -> list[float]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(latency.Prepared, "forward", fails)
    found = interleaved([archcalc.analyze("resnet18", batch=64)], QUICK)
    assert "which ran out of memory" in str(found[0])
    assert "of 40,000,000,000 that were free" in str(found[0])


def test_one_that_ran_out_of_memory_holds_none_while_the_other_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward, held, alive = latency.Prepared.forward, [], []

    def fails(self: latency.Prepared) -> list[float]:
        if self.analysis.label == "lenet5" and held:
            activation = torch.empty(10)
            held.extend([weakref.ref(activation), weakref.ref(self.plain)])
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if self.analysis.label == "lenet5":
            held.append(weakref.ref(self.inputs[0]))
            return [1e-3]
        alive.append(len(held) > 1 and sum(one() is not None for one in held))
        return forward(self)

    monkeypatch.setattr(latency.Prepared, "forward", fails)
    monkeypatch.setattr(timing.Series, "warm_up", lambda self, *_: self.sample())
    gc.disable()  # what only a cycle holds would be held for long
    try:
        networks = [archcalc.analyze(name) for name in ("lenet5", "resnet20")]
        lost, kept = interleaved(networks, QUICK._replace(budget=1.0, target=1e-9))
    finally:
        gc.enable()
    assert isinstance(lost, SettingError)
    assert isinstance(kept, latency.Latency)
    assert len(alive) > 5
    assert not any(alive)


def test_running_out_of_memory_later_loses_no_other_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def fails(self: latency.Prepared) -> list[float]:
        calls.append(self.analysis.label)
        if calls.count("lenet5") > 12 and self.analysis.label == "lenet5":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [1e-3 * (1 + len(calls) % 7)]

    monkeypatch.setattr(latency.Prepared, "forward", fails)
    monkeypatch.setattr(timing.Series, "warm_up", lambda self, *_: self.sample())
    networks = [archcalc.analyze(name) for name in ("lenet5", "resnet20")]
    lost, kept = interleaved(networks, QUICK._replace(budget=0.5, target=1e-9))
    assert isinstance(lost, SettingError)
    assert lost.__context__ is None
    assert lost.__traceback__ is None  # they would keep the model in memory
    assert isinstance(kept, latency.Latency)
    assert len(kept.forward.samples) > 12


def test_a_cuda_graph_that_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCuda(monkeypatch)

    def fails(_: latency.Prepared) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(latency.Prepared, "replay", fails)
    analysis = archcalc.analyze("lenet5")
    assert profile(analysis, QUICK, layers=False).forward.ended == "precise"
    found = profile(analysis, QUICK)
    assert found.replay is None
    assert found.layers
    table = profiling.summary_table([profiling.Profiled(analysis, found, None)])
    assert any("operation not permitted when stream is capturing)" in one for one in table.caption)


def test_a_cuda_graph_that_cannot_be_replayed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda(monkeypatch)

    def fails() -> None:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(fake, "replay", fails)
    for layers in (False, True):
        found = profile(archcalc.analyze("lenet5"), QUICK, layers=layers)
        assert found.replay is None
        assert found.no_replay == "CUDA error: out of memory"
        assert found.forward.ended == "precise"


def test_a_device_that_is_there_but_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nmore")

    monkeypatch.setattr(devices.torch, "empty", fails)
    ran = run("profile", "lenet5", "--device", "cpu")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: --device: expected one that can be used, received cpu "
        "(CUDA error: all CUDA-capable devices are busy or unavailable)\n"
    )


def test_a_model_that_is_there_already_is_taken() -> None:
    analysis = archcalc.analyze("lenet5")
    model = build(analysis.graph)
    found = profile(analysis, QUICK._replace(dtype="bfloat16"), layers=False, model=model)
    assert found.forward.samples
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}


@pytest.mark.slow
def test_what_cannot_be_compiled_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    program = (
        "import sys\nfrom archcalc import cli\n"
        "sys.argv = ['archcalc', 'profile', 'lenet5', '--compile', '--no-layers']\n"
        "sys.exit(cli.run())"
    )
    environment = {**os.environ, "CXX": "/no/such/compiler"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --compile: expected")
    assert "Traceback" not in done.stderr


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: latency.Prepared) -> list[float]:
        raise RuntimeError("something else")

    monkeypatch.setattr(latency.Prepared, "forward", fails)
    with pytest.raises(RuntimeError, match="something else"):
        profile(archcalc.analyze("lenet5"), QUICK, layers=False)


def test_an_interruption_prints_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def sample(_: latency.Prepared) -> list[float]:
        calls.append(1)
        if len(calls) > 40:
            raise KeyboardInterrupt
        return [1e-3 * (1 + len(calls) % 7)]

    monkeypatch.setattr(latency.Prepared, "forward", sample)
    monkeypatch.setattr(timing.Series, "warm_up", lambda *_: None)
    ran = run("profile", "lenet5", "resnet20", "--no-layers")
    assert ran.code == 130
    assert "lenet5" in ran.out
    assert "Traceback" not in ran.err


# CUDA: a fake at its boundary, with a clock of its own.


FEW_LAYERS = "input: [1, 8, 8]\nlayers: [conv: {out: 1, kernel: 3}, relu, relu]"  # 0.3 ms


class FakeCuda:
    """Stands for torch.cuda: events on a clock that each layer's call moves by 0.1 ms.

    The first call after a wait takes 5 ms more, as launches do that find the device idle.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.idle = True
        self.replays = 0
        self.captured = 0.0
        self.device: object = None
        fake = SimpleNamespace(
            Stream=lambda _: SimpleNamespace(wait_stream=lambda _: None),
            current_stream=lambda _=None: SimpleNamespace(wait_stream=lambda _: None),
            set_stream=lambda _: None,
            _sleep=self.held,
            get_device_capability=lambda _: (9, 0),
            stream=self.nothing,
            CUDAGraph=lambda: SimpleNamespace(replay=self.replay),
            graph=self.capture,
            Event=lambda **_: self.event(),
            device=self.current,
            get_device_properties=lambda _: SimpleNamespace(L2_cache_size=2**20),
            OutOfMemoryError=torch.OutOfMemoryError,
        )
        device = SimpleNamespace(type="cuda")
        monkeypatch.setattr(latency.torch, "cuda", fake)
        monkeypatch.setattr(devices, "find", lambda _: device)
        monkeypatch.setattr(devices, "touch", lambda _: None)
        monkeypatch.setattr(devices, "usable", lambda *_: torch.float32)
        monkeypatch.setattr(devices, "place", lambda x, *_: x)
        monkeypatch.setattr(devices, "free_bytes", lambda _: 10**12)
        monkeypatch.setattr(devices, "device_name", lambda _: "Fake GPU")
        monkeypatch.setattr(latency, "build", self.build)

    @contextmanager
    def nothing(self, _: object) -> Iterator[None]:
        yield

    @contextmanager
    def current(self, device: object) -> Iterator[None]:
        self.device = device
        yield
        self.device = None

    @contextmanager
    def capture(self, _: object, stream: object) -> Iterator[None]:
        start, self.idle = self.now, False
        yield
        self.captured = (self.now - start) / 28  # milliseconds that a replay takes

    def replay(self) -> None:
        self.replays += 1
        self.runs(self.captured)

    def runs(self, milliseconds: float) -> None:
        self.now += milliseconds + 5 * self.idle
        self.idle = False

    def waits(self) -> None:
        self.idle = True

    def held(self, cycles: int) -> None:
        self.now += cycles / 2e6
        self.idle = False

    def event(self) -> Any:
        event = SimpleNamespace(at=None, synchronize=self.waits)

        def record(_: object) -> None:
            assert self.device is not None  # events are of the current device's stream
            event.at = self.now

        event.record = record

        def elapsed(other: Any) -> float:
            assert other.at is not None
            return other.at - event.at

        event.elapsed_time = elapsed
        return event

    def build(self, graph: archcalc.Graph, **_: object) -> Any:
        model = build(graph)
        for step in Stepper(model, graph).steps:
            step.module.register_forward_hook(lambda *_: self.runs(0.1))
        return model


def test_cuda_is_timed_by_its_own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda(monkeypatch)
    found = profile(archcalc.analyze("lenet5"), QUICK)
    layers = len(archcalc.analyze("lenet5").graph.layers)
    assert min(found.forward.samples) == pytest.approx(layers * 1e-4)  # milliseconds to seconds
    assert max(found.forward.samples) == pytest.approx(layers * 1e-4)
    assert [one.seconds for one in found.layers] == pytest.approx([1e-4] * layers)
    assert found.replay is not None
    assert all(one == pytest.approx(0.5e-4) for one in found.replay.samples)
    assert fake.captured
    assert fake.replays >= len(found.replay.samples)


def test_passes_on_cuda_follow_each_other_without_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda(monkeypatch)
    fake.device = "current"
    row, calls = Row(), 0

    def taking(milliseconds: float) -> Callable[[], None]:
        def call() -> None:
            nonlocal calls
            calls += 1
            fake.runs(milliseconds)

        return call

    assert row.timed(taking(1.0)) == [pytest.approx(6e-3)]  # none is known to be short yet
    calls = 0
    assert row.timed(taking(1.0)) == [pytest.approx(1e-3)] * 2  # ten milliseconds, but the first
    assert calls == 3
    row.timed(taking(1.0))
    assert (row.length, row.together) == (1 + 10, 1)
    row.timed(taking(50.0))
    assert (row.length, row.together) == (1, 1)
    row.timed(taking(0.3))
    assert row.timed(taking(0.3)) == [pytest.approx(0.3e-3)] * 2
    assert (row.length, row.together) == (1 + 9, 4)  # 1.2 milliseconds
    calls = 0
    assert row.timed(taking(0.3)) == [pytest.approx(0.3e-3)] * 9
    assert calls == 40
    row.timed(taking(1e-4))
    assert (row.length, row.together) == (1 + 32, 64)


def test_no_event_is_made_while_time_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda(monkeypatch)
    fake.device = "current"
    made: list[float] = []
    events = fake.event
    monkeypatch.setattr(fake, "event", lambda: made.append(fake.now) or events())
    row = Row()
    row.timed(lambda: fake.runs(20.0))
    assert made == [0.0, 0.0]
    row.timed(lambda: fake.runs(20.0))
    assert len(made) == 2


def test_layers_on_cuda_are_queued_before_they_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps that take 0.01 ms each of the device's time; launching is held back meanwhile."""
    fake = FakeCuda(monkeypatch)
    fake.device = "current"
    held: list[int] = []
    monkeypatch.setattr(torch.cuda, "_sleep", lambda n: held.append(n) or fake.held(n))
    event = fake.event

    def slow() -> Any:
        one = event()
        record = one.record

        def recorded(stream: object) -> None:
            fake.now += 0.01
            record(stream)

        one.record = recorded
        return one

    monkeypatch.setattr(fake, "event", slow)

    def run(stamp: Callable[[], object]) -> None:
        stamp()
        for milliseconds in (0.1, 0.0, 0.3):
            fake.runs(milliseconds)
            stamp()

    stamps = Stamps(4)
    for _ in range(3):
        assert stamps.timed(run) == pytest.approx([1e-4, 0.0, 3e-4], abs=1e-9)
    assert held[-1] < held[0]  # launching took less than was feared


def test_a_cuda_report_shows_what_launching_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCuda(monkeypatch)
    analysis = archcalc.analyze("lenet5")
    one = profiling.Profiled(analysis, profile(analysis, QUICK), None)
    table = profiling.summary_table([one])
    assert "CUDA graph" in [column.heading for column in table.columns]
    assert "Fake GPU" in table.title
    assert "float32 (convolutions in TF32)" in table.title  # PyTorch's default
    assert any("launching takes 96% of the eager time" in note for note in table.caption)
    assert not any("mean of" in note for note in table.caption)
    caption = "\n".join(profiling.layer_table(one).caption)
    assert (
        "Layers add up to 1.40 ms, a forward pass takes 1.40 ms (0.0%), "
        "replayed as a CUDA graph 50.0 µs (+2700.0%)." in caption
    )


def test_a_report_says_of_how_many_passes_a_run_is_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FakeCuda(monkeypatch)
    analysis = archcalc.analyze("googlenet")
    few = archcalc.analyze(library.parse(FEW_LAYERS, "few.yaml"))
    for one, said in ((few, 4), (analysis, 1)):
        found = profile(one, QUICK, layers=False)
        assert found.together == said
        notes = profiling.summary_table([profiling.Profiled(one, found, None)]).caption
        told = [note for note in notes if f"each run is the mean of {said} passes" in note]
        assert len(told) == (said > 1)


def test_what_pytorch_holds_back_on_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        mem_get_info=lambda _: (100, 1000),
        memory_reserved=lambda _: 500,
        memory_allocated=lambda _: 200,
    )
    monkeypatch.setattr(devices.torch, "cuda", fake)
    assert devices.free_bytes(torch.device("cuda")) == 100 + 300


@pytest.mark.parametrize(
    ("kind", "tf32", "expected"),
    [("cuda", True, "high"), ("cpu", True, "highest"), ("cuda", False, "highest")],
)
def test_a_roof_rounds_as_convolutions_do(
    monkeypatch: pytest.MonkeyPatch, kind: str, tf32: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", tf32)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    with roofline.as_convolutions(torch.device(kind)):
        assert torch.get_float32_matmul_precision() == expected
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.skipif(not HAS_CUDA, reason="there is no CUDA device here")
def test_real_cuda() -> None:
    found = profile(archcalc.analyze("resnet50", batch=8), Options(device="cuda", budget=5))
    assert found.replay is not None
    assert found.replay.median <= 1.1 * found.forward.median
    total = sum(one.seconds for one in found.layers)
    assert total == pytest.approx(found.replay.median, rel=0.3)
