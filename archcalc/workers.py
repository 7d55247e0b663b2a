"""Work spread over several processes, each of which may be killed without harm to the others.

`concurrent.futures` gives up all that is not finished when one process is killed, and does not
say which task it had; here each process has a pipe of its own and one task at a time.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess


class Killed(NamedTuple):
    """In place of a result: how the process ended that should have given it."""

    code: int | None

    def __str__(self) -> str:
        if self.code is None or self.code >= 0:
            return f"its process ended with exit code {self.code}"
        name = signal.Signals(-self.code).name if -self.code in set(signal.Signals) else -self.code
        memory = ", as the system does when memory runs out" * (name == "SIGKILL")
        return f"its process was ended by {name}{memory}"


class _Failed(NamedTuple):
    """What a task raised."""

    error: Exception


class _Worker:
    """A process, our end of its pipe, and the number of the task that it has."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        from multiprocessing import get_context

        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(function, theirs))
        self.process.daemon = True  # it ends with this process
        with _interruption_blocked():
            self.process.start()
        theirs.close()
        self.task = -1

    def give(self, task: int, item: Any) -> None:
        self.task = task
        with suppress(OSError):  # where the process was killed, `result` says so
            self.pipe.send(item)

    def result(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return Killed(self.process.exitcode)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def spread(
    function: Callable[[Any], Any], items: Sequence[Any], processes: int
) -> Iterator[Any | Killed]:
    """`function` of each item, in their order; Killed for one whose process was killed.

    What `function` raises is raised here. No more processes are started than there are items, and
    none is left behind.
    """
    waiting = list(enumerate(items))[::-1]
    done: dict[int, Any] = {}
    workers: list[_Worker] = []
    try:
        for task in range(len(items)):
            while task not in done:
                while waiting and len(workers) < processes:
                    workers.append(_Worker(function))
                    workers[-1].give(*waiting.pop())
                _collect(workers, waiting, done)
            result = done.pop(task)
            if isinstance(result, _Failed):
                raise result.error
            yield result
    finally:
        for worker in workers:
            worker.end()


def _collect(workers: list[_Worker], waiting: list[tuple[int, Any]], done: dict[int, Any]) -> None:
    """Wait for results, and give those who are ready the next task, or let them go."""
    from multiprocessing.connection import wait

    ready = wait([worker.pipe for worker in workers])
    for worker in [worker for worker in workers if worker.pipe in ready]:
        result = done[worker.task] = worker.result()
        if waiting and not isinstance(result, Killed):
            worker.give(*waiting.pop())
        else:
            workers.remove(worker)
            worker.end()


def _work(function: Callable[[Any], Any], pipe: Connection) -> None:
    """One task after another, until nobody asks for more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that prints
    with suppress(EOFError, OSError):
        while True:
            item = pipe.recv()
            try:
                result = function(item)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                error.add_note(_traceback(error))
                result = _Failed(error)
            pipe.send(result)


def _traceback(error: Exception) -> str:
    from traceback import format_exception

    return "".join(format_exception(error))


@contextmanager
def _interruption_blocked() -> Iterator[None]:
    """Let Ctrl-C wait; a process that is started meanwhile never has it.

    It would have it before it can ignore it, while it still imports.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_all() -> None:
    """End every process that is still at work."""
    from multiprocessing import active_children

    for process in active_children():
        process.kill()
