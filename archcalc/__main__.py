"""Where the process starts: `python -m archcalc` and the command `archcalc`.

Signals are handled before anything else is imported, for importing takes most of the time of a
short command, and an exception in the middle of it is a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


def main() -> None:
    """Run the command line; a signal ends the process with 128 + its number as exit code.

    SIGTERM and SIGHUP end it at once, whatever it does; so does Ctrl-C until all is imported and
    after all is done. In between Ctrl-C is a KeyboardInterrupt, for some commands then print what
    they have. A signal that whoever started the process ignores (nohup) stays ignored.
    """
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    handled = [*ENDING, signal.SIGINT] if interruptible else ENDING
    for number in handled:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    sys.unraisablehook = _lost
    try:
        from archcalc.cli import main as run

        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        end(signal.SIGINT)
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and "failed to map segment" not in str(error):
            raise
        _complain(b"error: expected enough memory for this command, received less\n")
        os._exit(2)
    finally:
        if interruptible:
            signal.signal(signal.SIGINT, end)
        _clean_up()


def end(number: int, _: FrameType | None = None) -> None:
    """End the process now, and leave nothing of it behind."""
    _clean_up()
    if os.isatty(2):
        _complain(SHOW_CURSOR)
    os._exit(128 + number)


def _clean_up() -> None:
    """Remove half-written files, and end the processes that still work."""
    for name, function in (("files", "discard_unfinished"), ("workers", "end_all")):
        module = sys.modules.get(f"archcalc.{name}")
        getattr(module, function, int)()  # it is not there yet while the module is imported


def _complain(words: bytes) -> None:
    with suppress(OSError):  # nobody may be there to read it
        os.write(2, words)


def _lost(lost: sys.UnraisableHookArgs) -> None:
    """End the process also where a KeyboardInterrupt came where Python can't raise it."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        end(signal.SIGINT)
    sys.__unraisablehook__(lost)


if __name__ == "__main__":
    main()
