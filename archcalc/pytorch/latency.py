"""Forward latency of built models, end to end and layer by layer, on CPU and CUDA.

Weights and inputs are random, the mode is evaluation without autograd. Inputs are taken in turn:
together they take twice the device's last cache, as far as so many are allowed. On CUDA times are
those between events on the device's own clock (`events`); a replayed CUDA graph of the same pass
shows what launching costs. Layer times are the differences of stamps in one pass: they add up.
"""

from __future__ import annotations

import inspect
import itertools
import math
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from archcalc.errors import ArchcalcError, SettingError, one_line, received
from archcalc.pytorch import devices, roofline
from archcalc.pytorch.events import Row, Stamps
from archcalc.pytorch.model import build
from archcalc.pytorch.roofline import roof
from archcalc.pytorch.stepping import Stepper
from archcalc.pytorch.timing import INTERRUPTED, Series, Timing, bare, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.analysis import Analysis
    from archcalc.pytorch.devices import Machine
    from archcalc.pytorch.roofline import Roof

MOST_ROTATED = 2**29  # bytes of inputs that are taken in turn, and their number
MOST_INPUTS = 512
MOST_THREADS = 1024
COMPILERS = ("torch._dynamo", "torch._inductor")  # whose errors torch.compile raises
LACKING = "not implemented for"  # so a kernel says that it lacks a dtype


class Options(NamedTuple):
    """How to measure: `target` is half the 95% interval over the median, `budget` in seconds."""

    device: str = "cpu"
    dtype: str = "float32"
    threads: int | None = None
    channels_last: bool = False
    compiled: bool = False
    target: float = 0.01
    budget: float = 10.0
    warmup: int = 3


class LayerTime(NamedTuple):
    """A layer's own times: the differences of its stamps."""

    layer: str
    timing: Timing

    @property
    def seconds(self) -> float:
        """Their median."""
        return self.timing.median


class Latency(NamedTuple):
    """What was measured of one network at one batch size, for a forward pass of the whole batch.

    `replay` is that of a CUDA graph, or `no_replay` says why there is none; `layers` are those of
    `stepped`, passes with a stamp after each layer, whose samples were taken in turn with those of
    `forward`. `first` are the seconds of the first pass, which compiles or chooses algorithms, and
    `together` is of how many passes each sample of `forward` is the mean.
    """

    network: str
    batch: int
    machine: Machine
    forward: Timing
    replay: Timing | None = None
    stepped: Timing | None = None
    layers: tuple[LayerTime, ...] = ()
    no_replay: str = ""
    first: float = 0.0
    together: int = 1

    @property
    def throughput(self) -> float:
        """Inputs a second."""
        return self.batch / self.forward.median


class Prepared:
    """A model on its device with inputs to take in turn."""

    def __init__(
        self, analysis: Analysis, options: Options, model: torch.nn.Module | None = None
    ) -> None:
        """`model` is one of the same graph that may be taken in place of a new one, and changed."""
        self.analysis = analysis
        self.device = devices.find(options.device)
        self.dtype = devices.usable(options.dtype, self.device)
        self.options = options
        self._free = devices.free_bytes(self.device)
        _check_memory(analysis, self.device, self._free)
        with refused(analysis, self.device, options.dtype, self._free):
            if model is None:
                model = build(analysis.graph, device=self.device, dtype=self.dtype)
            self.layout = _layout(analysis, options)
            placed: Any = devices.place(model.eval(), self.device, self.dtype)
            self.model = placed.to(memory_format=self.layout)  # which its types lack
            self.inputs = self._inputs()
        self.plain = self.model
        if options.compiled:
            self.model = _compiled(self.model)
        self._turn = 0
        self._row = Row()

    def _inputs(self) -> list[torch.Tensor]:
        shape = self.analysis.batch, *self.analysis.graph.input.facts.outputs[0]
        count = number_of_inputs(self.analysis, self.device)
        generator = torch.Generator().manual_seed(0)
        one = devices.place(torch.randn(shape, generator=generator), self.device, self.dtype)
        made = [one] + [one.flip(0).neg() if i % 2 else one.clone() for i in range(1, count)]
        return [x.contiguous(memory_format=self.layout) for x in made]

    def next_input(self) -> torch.Tensor:
        """The inputs in turn."""
        self._turn = (self._turn + 1) % len(self.inputs)
        return self.inputs[self._turn]

    # Samples, in seconds.

    def forward(self) -> list[float]:
        """A forward pass by the clock, or a row of them by a GPU's events."""
        if self.device.type == "cuda":
            return self._row.timed(lambda: self.model(self.next_input()))
        start = perf_counter()
        self.model(self.next_input())
        devices.synchronize(self.device)
        return [perf_counter() - start]

    def sample(self) -> list[float]:
        """Forward passes; raises SettingError where there can be none, and then holds nothing."""
        try:
            with refused(self.analysis, self.device, self.options.dtype, self._free):
                return self.forward()
        except ArchcalcError as error:
            self.release()
            raise bare(error) from None

    def replay(self) -> Callable[[], list[float]]:
        """Samples of a CUDA graph of the forward pass.

        It holds several passes where one is short, of inputs that are taken in turn, too.
        """
        count = min(max(2, self._row.together), len(self.inputs))
        inputs = [self.next_input() for _ in range(count)]
        before: Any = torch.cuda.current_stream(self.device)
        side: Any = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        side.wait_stream(before)
        with torch.cuda.stream(side):
            for _ in range(3):
                self.model(inputs[0])
        before.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=side):
                for x in inputs:
                    self.model(x)
        finally:
            torch.cuda.set_stream(before)  # which a capture that fails leaves as it was in it
        row = Row()
        return lambda: [seconds / count for seconds in row.timed(graph.replay)]

    def stepped(self) -> tuple[Callable[[], list[float]], list[list[float]]]:
        """Samples of passes with stamps, and where the layers' own times are put."""
        stepper = Stepper(self.plain, self.analysis.graph)
        times: list[list[float]] = [[] for _ in stepper.steps]
        stamps = self._clock_stamps
        if self.device.type == "cuda":
            stamps = Stamps(len(times) + 1).timed

        def sample() -> list[float]:
            x = self.next_input()
            apart = stamps(lambda stamp: stepper.run(x, stamp))
            for own, seconds in zip(times, apart, strict=True):
                own.append(seconds)
            return [sum(apart)]

        return sample, times

    def _clock_stamps(self, run: Callable[[Callable[[], object]], object]) -> list[float]:
        stamps: list[float] = []

        def stamp() -> None:
            devices.synchronize(self.device)
            stamps.append(perf_counter())

        run(stamp)
        return [b - a for a, b in itertools.pairwise(stamps)]

    @property
    def together(self) -> int:
        """Of how many passes a sample is the mean."""
        return self._row.together

    def release(self) -> None:
        """Give back what the model and the inputs take."""
        self.model = self.plain = None
        self.inputs = []


def number_of_inputs(analysis: Analysis, device: torch.device) -> int:
    """How many inputs are taken in turn: twice the last cache, within bounds, two at least."""
    size = analysis.batch * math.prod(analysis.graph.input.facts.outputs[0]) * analysis.itemsize
    wanted = min(2 * devices.cache_bytes(device), MOST_ROTATED)
    return min(MOST_INPUTS, max(2, math.ceil(wanted / size)))


def _compiled(model: Any) -> Any:
    """The whole model through torch.compile, for these very sizes, whatever else was compiled."""
    known = inspect.signature(torch.compile).parameters
    alone = {"isolate_recompiles": True} if "isolate_recompiles" in known else {}
    compiler: Any = torch.compile  # whose types don't have all of these
    return compiler(model, fullgraph=True, dynamic=False, **alone)


def _layout(analysis: Analysis, options: Options) -> torch.memory_format:
    if not options.channels_last:
        return torch.contiguous_format
    shape = analysis.graph.input.facts.outputs[0]
    if len(shape) != 3:
        raise SettingError(
            f"--channels-last: expected images (three axes), received {analysis.label} with "
            f"{len(shape)}"
        )
    return torch.channels_last


def profile(
    analysis: Analysis,
    options: Options = Options(),  # noqa: B008 - immutable
    *,
    layers: bool = True,
    model: torch.nn.Module | None = None,
    seen: Callable[[float], None] = lambda share: None,
) -> Latency:
    """The latency of one network at the analysis' batch size.

    `seen` is told the share of the work that is done. `model` is one that `build` made of the
    same graph, to be taken in place of a new one, and moved to the device and dtype. Raises
    SettingError for a device, dtype or batch that can't be.
    """
    device = devices.find(options.device)
    with settled(options), refused(analysis, device, options.dtype, devices.free_bytes(device)):
        prepared = Prepared(analysis, options, model)
        series = [Series(prepared.forward, options.target)]
        times: list[list[float]] = []
        if layers:
            sample, times = prepared.stepped()
            series.append(Series(sample, options.target))
        first, *_ = (one.warm_up(_warmup(prepared), options.warmup) for one in tuple(series))
        no_replay = _add_replay(prepared, series) if prepared.device.type == "cuda" else ""
        for own in times:
            own.clear()
        watch = devices.Watch()
        timings = measure(series, budget=options.budget, seen=seen)
        if (error := series[0].error) is not None:
            raise error
    found = _latency(prepared, timings, times, watch.load())
    return found._replace(no_replay=no_replay, first=first)


def _add_replay(prepared: Prepared, series: list[Series]) -> str:
    """A CUDA graph to measure, too; where there can be none, why."""
    eager = tuple(series)
    try:
        series.append(Series(prepared.replay(), prepared.options.target))
        series[-1].warm_up(_warmup(prepared), prepared.options.warmup)
    except RuntimeError as error:  # what can't be captured, or needs more memory than eager passes
        series[:] = eager
        return one_line(str(error).strip().splitlines()[0])
    finally:
        for one in eager:  # capturing took from PyTorch the memory that it held for them
            one.sample()
    return ""


def profiles(
    analyses: Sequence[Analysis],
    options: Options,
    *,
    layers: bool,
    seen: Callable[[float], None],
) -> Iterator[tuple[Analysis, Latency, Roof | None]]:
    """Latencies one after another, with the device's roof where layers are timed.

    `seen` is told how many are done, parts of one included. What an interruption cut short comes
    last, then KeyboardInterrupt.
    """
    device = devices.find(options.device)
    found = None
    if layers:
        with settled(options):
            kind = devices.usable(options.dtype, device)
            found = _roof(machine(options, device), device, kind)
    for i, analysis in enumerate(analyses):
        latency = profile(analysis, options, layers=layers, seen=partial(_at, seen, i))
        yield analysis, latency, found
        if latency.forward.ended == INTERRUPTED:
            raise KeyboardInterrupt


def _roof(machine: Machine, device: torch.device, dtype: torch.dtype) -> Roof:
    try:
        return roof(machine, device, dtype)
    except RuntimeError as error:
        if not devices.is_memory(error):
            raise
        free = devices.free_bytes(device) or 0
        raise SettingError(
            f"--device: expected memory on {device} to measure its roof with, received {free:,} "
            "free bytes (--no-layers measures none)"
        ) from None


def _at(seen: Callable[[float], None], done: int, share: float) -> None:
    seen(done + share)


def _latency(
    prepared: Prepared, timings: list[Timing], times: list[list[float]], load: float
) -> Latency:
    """What was measured, while other work took that share of the cores."""
    where = machine(prepared.options, prepared.device)
    replayed = len(timings) > 1 + bool(times)
    found = Latency(
        prepared.analysis.label,
        prepared.analysis.batch,
        where._replace(load=max(where.load, load)),
        timings[0],
        replay=timings[-1] if replayed else None,
        together=prepared.together,
    )
    if not times:
        return found
    names = [node.path for node in prepared.analysis.graph.layers]
    own = zip(names, times, strict=True)
    ended = timings[1].ended
    each = tuple(LayerTime(name, Timing(tuple(seconds), ended)) for name, seconds in own)
    return found._replace(stepped=timings[1], layers=each)


def interleaved(
    analyses: Sequence[Analysis],
    options: Options = Options(),  # noqa: B008 - immutable
    *,
    seen: Callable[[float], None] = lambda share: None,
) -> list[Latency | ArchcalcError]:
    """Latencies of several networks, sampled in turn so that drift hits all alike.

    The budget is for each. A network that can't be measured has its error in its place.
    """
    found: list[Latency | ArchcalcError] = [SettingError("not measured") for _ in analyses]
    ready: list[tuple[int, Prepared, float]] = []
    devices.usable(options.dtype, devices.find(options.device))  # refused once, not of each
    with settled(options):
        for i, analysis in enumerate(analyses):
            try:
                ready.append((i, *_warm(analysis, options)))
            except ArchcalcError as error:
                found[i] = bare(error)
        series = [Series(prepared.sample, options.target) for _, prepared, _ in ready]
        watch = devices.Watch()
        timings = measure(series, budget=options.budget * len(ready), seen=seen) if ready else []
        load = watch.load()
    for (i, prepared, first), timing, one in zip(ready, timings, series, strict=True):
        if one.error is not None:
            found[i] = bare(one.error)
        else:
            found[i] = _latency(prepared, [timing], [], load)._replace(first=first)
    return found


def _warm(analysis: Analysis, options: Options) -> tuple[Prepared, float]:
    """A network ready to be sampled, and the seconds of its first pass."""
    prepared = Prepared(analysis, options)
    return prepared, Series(prepared.sample, 1).warm_up(_warmup(prepared), options.warmup)


def _warmup(prepared: Prepared) -> float:
    """Seconds of passes that don't count: enough on a GPU for its clock to rise."""
    wanted = min(prepared.options.budget / 10, 0.5)
    return max(wanted, 0.1) if prepared.device.type == "cuda" else wanted


# The machine around it.


@contextmanager
def settled(options: Options) -> Iterator[None]:
    """Inference, threads as asked for, denormal numbers as zero; as before when it is left.

    A CUDA device is the current one meanwhile: events and graphs are of its stream.
    """
    check(options)
    devices.load()  # of others, while there is nothing to do yet
    threads = torch.get_num_threads()
    device = devices.find(options.device)
    with ExitStack() as stack:
        devices.touch(device)
        if device.type == "cuda":
            stack.enter_context(torch.cuda.device(device))
        stack.enter_context(torch.inference_mode())
        if options.threads is not None:
            torch.set_num_threads(options.threads)
            stack.callback(torch.set_num_threads, threads)
        if torch.set_flush_denormal(True):  # of this thread, and of those that it starts
            stack.callback(torch.set_flush_denormal, False)
        if options.compiled:
            stack.enter_context(_compiling())
        yield


@contextmanager
def _compiling() -> Iterator[None]:
    """Nothing compiled before, and an error where PyTorch would run what it can't compile."""
    dynamo: Any = import_module("torch._dynamo")
    dynamo.reset()
    known = hasattr(dynamo.config, "fail_on_recompile_limit_hit")  # not in PyTorch 2.4
    with dynamo.config.patch({"fail_on_recompile_limit_hit": True} if known else {}):
        yield


def check(options: Options) -> None:
    """Raises SettingError for numbers that can't be."""
    threads = 1 if options.threads is None else options.threads
    budget, target = options.budget, options.target
    wrong = [
        f"--{name}: expected {expected}, received {received(found)}"
        for name, expected, found, fits in (
            ("budget", "seconds above 0", budget, 0 < budget < math.inf),
            ("precision", "a percentage above 0", 100 * target, 0 < target < math.inf),
            ("warmup", "at least 0", options.warmup, options.warmup >= 0),
            ("threads", f"1 to {MOST_THREADS}", threads, 1 <= threads <= MOST_THREADS),
        )
        if not fits
    ]
    if wrong:
        raise SettingError(wrong[0])


def machine(options: Options, device: torch.device) -> Machine:
    """The machine as it is now."""
    import platform

    return devices.Machine(
        device=str(device),
        name=devices.device_name(device),
        host=platform.platform(terse=True),
        torch=torch.__version__,
        cuda=torch.version.cuda or "",
        threads=options.threads or torch.get_num_threads(),
        dtype=options.dtype,
        channels_last=options.channels_last,
        compiled=options.compiled,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        load=devices.load(),
        tf32=device.type == "cuda" and options.dtype == "float32" and roofline.rounds(device),
    )


# When it can't.


def needed_bytes(analysis: Analysis, device: torch.device) -> int:
    """An estimate of what forward passes take.

    Weights, the inputs taken in turn, and the tensors alive at the peak, twice: convolutions copy
    them into layouts of their own, or unfold them.
    """
    from archcalc.analysis.memory import Memory

    memory = Memory(analysis)
    shape = analysis.graph.input.facts.outputs[0]
    one = analysis.batch * math.prod(shape) * analysis.itemsize
    return memory.weights + 2 * memory.peak + one * number_of_inputs(analysis, device)


def _check_memory(analysis: Analysis, device: torch.device, free: int | None) -> None:
    if free is not None and needed_bytes(analysis, device) > free:
        raise _too_large(analysis, device, free)


@contextmanager
def refused(
    analysis: Analysis, device: torch.device, dtype: str, free: int | None
) -> Iterator[None]:
    """Running out of memory, what a device lacks in a dtype, no compiler: as one sentence.

    `free` bytes were free before the network was put on the device.
    """
    try:
        yield
    except RuntimeError as error:
        if devices.is_memory(error):
            raise _ran_out(analysis, device, free) from None
        if LACKING in str(error):
            raise _lacking(analysis, device, dtype, error) from None
        if type(error).__module__.startswith(COMPILERS):
            reason = one_line(str(error).strip().splitlines()[0])
            raise SettingError(
                f"--compile: expected a network and a machine that torch.compile can do it on, "
                f"received {analysis.label} here ({reason})"
            ) from None
        raise


def _lacking(
    analysis: Analysis, device: torch.device, dtype: str, error: Exception
) -> SettingError:
    reason = str(error).strip().splitlines()[0]
    return SettingError(
        f"--dtype: expected one that {device} computes all of {analysis.label} in, "
        f"received {received(dtype)} ({reason})"
    )


def _ran_out(analysis: Analysis, device: torch.device, free: int | None) -> SettingError:
    """What happened though the estimate said that it fits."""
    needed = needed_bytes(analysis, device)
    left = "" if free is None else f", of {free:,} that were free"
    return SettingError(
        f"{analysis.label}: expected a batch that fits on {device}, received {analysis.batch}, "
        f"which ran out of memory; it was estimated at {needed:,} bytes{left}"
    )


def _too_large(analysis: Analysis, device: torch.device, free: int) -> SettingError:
    from archcalc.analysis import Analysis as Again

    needed = needed_bytes(analysis, device)
    low, high = 0, analysis.batch
    while high - low > 1:  # the largest batch that fits
        middle = (low + high) // 2
        again = Again(analysis.graph, batch=middle, dtype=analysis.dtype)
        low, high = (middle, high) if needed_bytes(again, device) <= free else (low, middle)
    fits = f"a batch of {low} should fit" if low else "not even a batch of 1 fits"
    return SettingError(
        f"{analysis.label}: expected at most {free:,} bytes, which are free on {device}, "
        f"received a batch of {analysis.batch} that takes about {needed:,}; {fits}"
    )
