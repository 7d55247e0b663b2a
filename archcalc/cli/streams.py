"""Between flags and the API: what was asked for, and where results and complaints go."""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from archcalc.errors import (
    ArchcalcError,
    InputWarning,
    OutputError,
    SettingError,
    SpecErrors,
    printable,
    received,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archcalc.analysis import Analysis
    from archcalc.report.model import Report


MANY = 1000  # layers whose text takes long enough for a bar


def analyses_of(
    networks: Sequence[str],
    settings: Sequence[str] | None,
    input_shape: str | None,
    batch: int,
    dtype: str,
    specs: Sequence[str] | None,
) -> list[Analysis]:
    """The analyses of all networks asked for, at the settings given to all."""
    from archcalc.api import analyze_all
    from archcalc.frontends.requests import pair
    from archcalc.spec.library import matching

    given = dict(pair(text) for text in settings or ())
    shape = shape_of(input_shape)
    return [
        analysis
        for name in matching(networks, specs or ())
        for analysis in analyze_all(
            name, batch=batch, dtype=dtype, input=shape, specs=specs or (), settings=given
        )
    ]


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """The sizes of `3x224x224`; raises SettingError."""
    from archcalc import values

    sizes = None if text is None else values.shape(text)
    if isinstance(sizes, str):
        raise SettingError(f"--input: expected sizes such as 3x224x224, received {received(text)}")
    return sizes


def chosen_format(name: str | None, output: str | None, formats: Sequence[str]) -> str:
    """The format asked for, or the output file's; raises OutputError."""
    from archcalc import words
    from archcalc.report.formats import format_of

    if name is None:
        return format_of(output, formats) if output else formats[0]
    if name not in formats:
        raise OutputError(
            f"--format: expected one of {', '.join(formats)}, received {received(name)}",
            hint=words.near("FORMATS", name, formats),
        )
    return name


def check_targets(*paths: str | None) -> None:
    """Refuse files that can't be written before anything is measured for them."""
    from archcalc.files import check_target

    given = [path for path in paths if path is not None]
    for path in given:
        check_target(path)
    if len({os.path.realpath(path) for path in given}) < len(given):
        twice = received(given[0], 1000)
        raise OutputError(f"expected two files to write to, received {twice} twice")


def check_asked(command: str, networks: Sequence[str] | None, every: bool) -> None:
    """Raises SettingError unless there are either networks or all of them are asked for."""
    if every == bool(networks):
        got = "both" if every else "neither"
        raise SettingError(f"{command}: expected networks or --all, received {got}")


def start_torch(command: str) -> None:
    """Import PyTorch; from now on garbage is collected, for it leaves cycles with large tensors.

    Raises PackageError where it can't be imported.
    """
    from archcalc.packages import imported

    try:
        os.getcwd()
    except FileNotFoundError:  # PyTorch's libraries end the process then
        raise OutputError("expected a working directory, received one that was deleted") from None
    gc.enable()
    with interruption_afterwards():  # which is lost on the way: importing PyTorch catches it
        imported("torch", command)
        import archcalc.pytorch.model  # noqa: F401


@contextmanager
def interruption_afterwards() -> Iterator[None]:
    """Let an interruption wait until all is done, then let whoever handles it have it."""
    import signal
    import threading

    before, came = signal.getsignal(signal.SIGINT), []
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and callable(before)):  # no other thread may handle it, or it is ignored
        yield
        return
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


def write_report(report: Report, chosen: str, output: str | None, exact: bool) -> None:
    """A report in a format, to a file or to standard output, where a terminal's has colours."""
    from archcalc.report.formats import FORMATS, function

    form = FORMATS[chosen]
    width = table_width(output) if form.is_fitted else None
    if form.show is None or output is not None:
        write(report.pieces(chosen, exact, width), output)
        return
    tables, show = report.tables(width), function(form.show)
    with stdout() as stream:
        for i, one in enumerate(tables):
            stream.write("\n" * (i > 0))
            show(one, exact=exact)


def write(text: Iterable[str], output: str | None) -> None:
    """Text to a file, whole or not at all, or to standard output; never a control character."""
    text = map(printable, text)
    if output is None:
        with stdout() as stream:
            stream.writelines(text)
        return
    from archcalc.files import write_file

    write_file(output, text)


def progress(items: Iterable[Any], count: int, what: str) -> Iterator[Any]:
    """The items as they come, on a terminal with a bar on standard error."""
    if count < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    yield from track(items, what, total=count, console=console, transient=True)


def progress_of_writing(
    items: Iterable[Any], count: int, what: str, output: str | None
) -> Iterable[Any]:
    """Many items with a bar, unless their text goes to the same terminal."""
    if count < MANY or (output is None and sys.stdout.isatty()):
        return items
    return progress(items, count, what)


def terminal_width(chosen: str, output: str | None) -> int | None:
    """The columns of the terminal that text goes to; None where it goes elsewhere, or on and on."""
    import shutil

    from archcalc.report.formats import FORMATS

    if not FORMATS[chosen].is_fitted or output is not None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def table_width(output: str | None) -> int:
    """The columns that a table may take, be it at a terminal or elsewhere."""
    from archcalc.report.terminal import text_width

    return text_width(None if output else sys.stdout)


@contextmanager
def progress_bar(what: str, count: int) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal's stderr, told how many (parts) of `count` are done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=count)
        # No thread of its own, which would take the interpreter from what is measured.
        yield lambda done: bar.update(task, completed=done, refresh=True)


@contextmanager
def stdout() -> Iterator[TextIO]:
    """Standard output; once its reader has seen enough, silence."""
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()
    except OSError as error:
        close_stdout()
        raise OutputError(f"can't write the output: {error.strerror or error}") from None


def close_stdout() -> None:
    """Let what is still in the buffer go nowhere: there is no one to read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare_streams() -> None:
    """Closed streams go nowhere; characters that an encoding lacks are spelled out.

    What stderr can't take is lost, for there is no other place to say so.
    """
    if None in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        # Else the first file that is opened would be what C code writes its errors to.
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)
    if sys.__stdout__ is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if sys.__stderr__ is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    elif sys.stderr is sys.__stderr__:
        _let_stderr_fail()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _let_stderr_fail() -> None:
    buffer = sys.stderr.buffer  # Python takes none on Linux
    if type(getattr(buffer, "raw", buffer)) is not io.FileIO:  # a console of Windows
        return
    raw = _Lossy(sys.stderr.fileno(), "w", closefd=False)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw), sys.stderr.encoding, newline="\n", line_buffering=True
    )


class _Lossy(io.FileIO):
    """A file to which everything can be written; what does not fit is lost."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def complain(error: ArchcalcError) -> None:
    """An error on stderr: each sentence on a line of its own."""
    from archcalc.report.terminal import styled

    word = "\x1b[1;31merror:\x1b[0m" if styled(sys.stderr) else "error:"
    lines = error.errors if isinstance(error, SpecErrors) else (error,)
    for line in lines:
        sys.stderr.write(f"{word} {line}\n")


@contextmanager
def notes_on_stderr() -> Iterator[None]:
    """Inputs that may be meant otherwise are noted on stderr, each once, whatever Python's filters.

    Other warnings are shown as they were.
    """
    import warnings

    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, InputWarning):
            shown(message, category, *where, **more)
        elif str(message) not in said:
            said.add(str(message))
            sys.stderr.write(f"note: {message}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        shown, warnings.showwarning = warnings.showwarning, show
        yield


class Complaints:
    """Errors on stderr, each once, that leave the rest as it is, but for the exit code."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, error: ArchcalcError) -> None:
        if str(error) not in self.said:
            complain(error)
        self.said.add(str(error))

    def left_out(self, get: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """What `get` makes of each item, without those that it refuses."""
        for item in items:
            try:
                made = get(item)
            except ArchcalcError as error:
                self(error)
            else:
                yield made

    def exit(self) -> None:
        """End the command with exit code 2 if there were any."""
        if self.said:
            raise SystemExit(2)


def names(specs: Sequence[str], on_error: Callable[[ArchcalcError], None]) -> list[str]:
    """The names of all networks; `on_error` gets what is wrong with the files of others."""
    from archcalc.spec import library

    return [spec.network for spec in library.networks(specs, on_error=on_error)]
