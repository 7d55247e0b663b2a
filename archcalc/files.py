"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from archcalc.errors import OutputError, received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def check_target(path: str) -> None:
    """Raises OutputError where a file can't be written, before anything is measured for it."""
    folder = os.path.dirname(_real(path))
    if os.path.isdir(path):
        reason = "Is a directory"
    elif not os.path.isdir(folder):
        reason = f"expected a directory, received {received(folder, 1000)}"
    elif os.path.exists(path) and not os.access(path, os.W_OK):
        reason = "Permission denied"
    elif (os.path.isfile(path) or not os.path.exists(path)) and not os.access(folder, os.W_OK):
        reason = f"Permission denied in {received(folder, 1000)}"
    else:
        return
    raise _unwritable(path, reason)


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except FileNotFoundError:
        raise _unwritable(path, "the working directory was deleted") from None


def _unwritable(path: str, reason: object) -> OutputError:
    return OutputError(f"can't write {received(path, 1000)}: {reason}")


def write_file(path: str, text: Iterable[str]) -> None:
    """Replace a file's whole content at once, or raise OutputError and leave the old one.

    What is no character alone (half of one, in a file's name) is spelled out.
    """
    opened = _opened(path)

    def save(name: str) -> None:
        file = name if opened is None else os.dup(opened)
        with open(file, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.writelines(text)
            stream.flush()
            if name != path:
                os.fsync(stream.fileno())

    save_file(path, save)


def save_file(path: str, save: Callable[[str], object]) -> None:
    """Replace a file at once by what `save` writes to the path it is given.

    Raises OutputError and leaves the old file where it can't be written.
    """
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(21, "Is a directory")
        if _opened(path) is not None or (os.path.exists(path) and not os.path.isfile(path)):
            save(path)  # a pipe or a device: there is nothing to keep
        else:
            _replace(_real(path), save)
    except BrokenPipeError:
        return  # the pipe's reader has seen enough
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from None


def _opened(path: str) -> int | None:
    """The number of the open file that a path names, as `/dev/stdout` does.

    To open it by that name would empty the file that the shell appends to.
    """
    folder, _, number = path.rpartition("/")
    if folder in ("/dev/fd", "/proc/self/fd") and number.isdecimal() and len(number) < 9:
        return int(number)
    return {"/dev/stdout": 1, "/dev/stderr": 2}.get(path)


_unfinished: set[str] = set()  # files that are to replace others, or to be removed


def discard_unfinished() -> None:
    """Remove what is half-written, for the process ends now."""
    for path in tuple(_unfinished):
        with suppress(OSError):
            os.unlink(path)


def _replace(path: str, save: Callable[[str], object]) -> None:
    exists = os.path.exists(path)
    mode = os.stat(path).st_mode & 0o7777 if exists else 0o666 & ~_umask()
    if exists and not os.access(path, os.W_OK):
        raise PermissionError(13, "Permission denied")
    suffix = os.path.splitext(path)[1]  # some formats look at it
    name = f".archcalc-{os.urandom(8).hex()}{suffix}"
    temporary = os.path.join(os.path.dirname(path), name)
    _unfinished.add(temporary)  # before it is there: an interruption can come at any moment
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        save(temporary)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):  # it has replaced the other
            os.unlink(temporary)
        _unfinished.discard(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
