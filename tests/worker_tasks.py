"""What the processes of test_process.py do: a module of its own, which is quick to import."""

from __future__ import annotations

import os
import signal


def task(item: str) -> str:
    if item == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "exits":
        os._exit(3)
    if item == "fails":
        raise ValueError(item)
    return f"{item} by {os.getpid()}"
