"""Forward latency of built models, end to end and layer by layer, on CPU and CUDA.

Weights and inputs are random, the mode is evaluation without autograd. Inputs are taken in turn
from enough memory that they don't stay in a cache. On CUDA a sample is the time between two events
on the device's own clock; a replayed CUDA graph of the same pass shows what launching costs.
Layer times are the differences of stamps in one pass, so that they add up to it.
"""

from __future__ import annotations

import itertools
import math
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from archcalc.errors import ArchcalcError, SettingError, one_line, received
from archcalc.pytorch import devices
from archcalc.pytorch.model import build
from archcalc.pytorch.roofline import roof
from archcalc.pytorch.stepping import Stepper
from archcalc.pytorch.timing import INTERRUPTED, Series, Timing, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.analysis import Analysis
    from archcalc.pytorch.devices import Machine
    from archcalc.pytorch.roofline import Roof

ROTATED = 32 * 1024**2  # bytes of inputs that are taken in turn
MOST_INPUTS = 64
MOST_THREADS = 1024
COMPILERS = ("torch._dynamo", "torch._inductor")  # whose errors torch.compile raises
NO_MEMORY = ("can't allocate memory", "not enough memory")  # so the CPU's allocator says it
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
    """A layer's own time, in seconds: the median of its stamps' differences."""

    layer: str
    seconds: float


class Latency(NamedTuple):
    """What was measured of one network at one batch size, for a forward pass of the whole batch.

    `replay` is that of a CUDA graph; `layers` are those of `stepped`, passes with a stamp after
    each layer, whose samples were taken in turn with those of `forward`.
    """

    network: str
    batch: int
    machine: Machine
    forward: Timing
    replay: Timing | None = None
    stepped: Timing | None = None
    layers: tuple[LayerTime, ...] = ()

    @property
    def throughput(self) -> float:
        """Inputs a second."""
        return self.batch / self.forward.median


class Prepared:
    """A model on its device with inputs to take in turn."""

    def __init__(self, analysis: Analysis, options: Options) -> None:
        self.analysis = analysis
        self.device = devices.find(options.device)
        self.dtype = devices.usable(options.dtype, self.device)
        self.options = options
        _check_memory(analysis, self.device)
        with refused(analysis, self.device, options.dtype):
            model = build(analysis.graph, device=self.device, dtype=self.dtype).eval()
            self.layout = _layout(analysis, options)
            to: Any = model.to  # whose types lack memory_format
            self.model = to(memory_format=self.layout)
            self.inputs = self._inputs()
        self.plain = self.model
        if options.compiled:
            self.model = torch.compile(self.model)
        self._turn = 0

    def _inputs(self) -> list[torch.Tensor]:
        shape = self.analysis.batch, *self.analysis.graph.input.facts.outputs[0]
        size = math.prod(shape) * self.dtype.itemsize
        count = min(MOST_INPUTS, max(2, math.ceil(ROTATED / size)))
        generator = torch.Generator().manual_seed(0)
        one = devices.place(torch.randn(shape, generator=generator), self.device, self.dtype)
        made = [one] + [one.flip(0).neg() if i % 2 else one.clone() for i in range(1, count)]
        return [x.contiguous(memory_format=self.layout) for x in made]

    def next_input(self) -> torch.Tensor:
        """The inputs in turn."""
        self._turn = (self._turn + 1) % len(self.inputs)
        return self.inputs[self._turn]

    # Samples, in seconds.

    def forward(self) -> float:
        """One forward pass."""
        return self._timed(lambda: self.model(self.next_input()))

    def _timed(self, call: Callable[[], object]) -> float:
        if self.device.type == "cuda":
            first, last = _event(), _event()
            first.record()
            call()
            last.record()
            last.synchronize()
            return float(first.elapsed_time(last)) / 1e3
        start = perf_counter()
        call()
        devices.synchronize(self.device)
        return perf_counter() - start

    def replay(self) -> Callable[[], float]:
        """Samples of a CUDA graph of the forward pass."""
        static = self.inputs[0].clone()
        side: Any = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(3):
                self.plain(static)
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.plain(static)

        def sample() -> float:
            static.copy_(self.next_input())
            return self._timed(graph.replay)

        return sample

    def stepped(self) -> tuple[Callable[[], float], list[list[float]]]:
        """Samples of passes with stamps, and where the layers' own times are put."""
        stepper = Stepper(self.plain, self.analysis.graph)
        times: list[list[float]] = [[] for _ in stepper.steps]
        stamps = self._event_stamps if self.device.type == "cuda" else self._clock_stamps

        def sample() -> float:
            apart = stamps(stepper)
            for own, seconds in zip(times, apart, strict=True):
                own.append(seconds)
            return sum(apart)

        return sample, times

    def _clock_stamps(self, stepper: Stepper) -> list[float]:
        stamps: list[float] = []

        def stamp() -> None:
            devices.synchronize(self.device)
            stamps.append(perf_counter())

        stepper.run(self.next_input(), stamp)
        return [b - a for a, b in itertools.pairwise(stamps)]

    def _event_stamps(self, stepper: Stepper) -> list[float]:
        events: list[Any] = []

        def stamp() -> None:
            events.append(_event())
            events[-1].record()

        stepper.run(self.next_input(), stamp)
        events[-1].synchronize()
        return [a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(events)]


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


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
    seen: Callable[[float], None] = lambda share: None,
) -> Latency:
    """The latency of one network at the analysis' batch size.

    `seen` is told the share of the work that is done. Raises SettingError for a device, dtype or
    batch that can't be.
    """
    device = devices.find(options.device)
    with settled(options), refused(analysis, device, options.dtype):
        prepared = Prepared(analysis, options)
        series = [Series(prepared.forward, options.target)]
        times: list[list[float]] = []
        if layers:
            sample, times = prepared.stepped()
            series.append(Series(sample, options.target))
        if prepared.device.type == "cuda":
            series.append(Series(prepared.replay(), options.target))
        for one in series:
            one.warm_up(_warmup(options), options.warmup)
        for own in times:
            own.clear()
        timings = measure(series, budget=options.budget, seen=seen)
    return _latency(prepared, timings, times)


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
            found = roof(machine(options, device), device, kind)
    for i, analysis in enumerate(analyses):
        latency = profile(analysis, options, layers=layers, seen=partial(_at, seen, i))
        yield analysis, latency, found
        if latency.forward.ended == INTERRUPTED:
            raise KeyboardInterrupt


def _at(seen: Callable[[float], None], done: int, share: float) -> None:
    seen(done + share)


def _latency(prepared: Prepared, timings: list[Timing], times: list[list[float]]) -> Latency:
    found = Latency(
        prepared.analysis.label,
        prepared.analysis.batch,
        machine(prepared.options, prepared.device),
        timings[0],
        replay=timings[-1] if prepared.device.type == "cuda" else None,
    )
    if not times:
        return found
    names = [node.path for node in prepared.analysis.graph.layers]
    own = zip(names, times, strict=True)
    each = tuple(LayerTime(name, Timing(tuple(seconds), "").median) for name, seconds in own)
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
    found: list[Latency | ArchcalcError] = []
    ready: list[tuple[int, Prepared]] = []
    with settled(options):
        for i, analysis in enumerate(analyses):
            try:
                prepared = Prepared(analysis, options)
                with refused(analysis, prepared.device, options.dtype):
                    Series(prepared.forward, 1).warm_up(_warmup(options), options.warmup)
                ready.append((i, prepared))
            except ArchcalcError as error:
                found.append(error)
                continue
            found.append(SettingError("not measured"))
        series = [Series(prepared.forward, options.target) for _, prepared in ready]
        timings = measure(series, budget=options.budget * len(ready), seen=seen) if ready else []
    for (i, prepared), timing in zip(ready, timings, strict=True):
        found[i] = _latency(prepared, [timing], [])
    return found


def _warmup(options: Options) -> float:
    """Seconds of passes that don't count."""
    return min(options.budget / 10, 0.5)


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
        if device.type == "cuda":
            stack.enter_context(torch.cuda.device(device))
        stack.enter_context(torch.inference_mode())
        if options.threads is not None:
            torch.set_num_threads(options.threads)
            stack.callback(torch.set_num_threads, threads)
        if torch.set_flush_denormal(True):
            stack.callback(torch.set_flush_denormal, False)
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
    )


# When it can't.


def needed_bytes(analysis: Analysis) -> int:
    """An estimate of what a forward pass takes: weights, and the tensors alive at the peak."""
    from archcalc.analysis.memory import Memory

    return Memory(analysis).inference()


def _check_memory(analysis: Analysis, device: torch.device) -> None:
    free = devices.free_bytes(device)
    if free is not None and needed_bytes(analysis) > free:
        raise _too_large(analysis, device)


@contextmanager
def refused(analysis: Analysis, device: torch.device, dtype: str) -> Iterator[None]:
    """Running out of memory, what a device lacks in a dtype, no compiler: as one sentence."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise _too_large(analysis, device) from None
    except RuntimeError as error:
        if LACKING in str(error):
            raise _lacking(analysis, device, dtype, error) from None
        if type(error).__module__.startswith(COMPILERS):
            reason = one_line(str(error).strip().splitlines()[0])
            raise SettingError(
                f"--compile: expected a network and a machine that torch.compile can do it on, "
                f"received {analysis.label} here ({reason})"
            ) from None
        if not any(words in str(error) for words in NO_MEMORY):
            raise
        raise _too_large(analysis, device) from None


def _lacking(
    analysis: Analysis, device: torch.device, dtype: str, error: Exception
) -> SettingError:
    reason = str(error).strip().splitlines()[0]
    return SettingError(
        f"--dtype: expected one that {device} computes all of {analysis.label} in, "
        f"received {received(dtype)} ({reason})"
    )


def _too_large(analysis: Analysis, device: torch.device) -> SettingError:
    from archcalc.analysis import Analysis as Again

    free = devices.free_bytes(device) or 0
    needed = needed_bytes(analysis)
    low, high = 0, analysis.batch
    while high - low > 1:  # the largest batch that fits
        middle = (low + high) // 2
        again = Again(analysis.graph, batch=middle, dtype=analysis.dtype)
        low, high = (middle, high) if needed_bytes(again) <= free else (low, middle)
    fits = f"a batch of {low} fits" if low else "not even a batch of 1 fits"
    return SettingError(
        f"{analysis.label}: expected at most {free:,} bytes, which are free on {device}, "
        f"received a batch of {analysis.batch} that takes about {needed:,}; {fits}"
    )
