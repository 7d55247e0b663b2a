"""The command line, run inside the test process: quick, and with its own streams."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, NamedTuple
from unittest.mock import patch

from typer.main import get_command

from archcalc import cli


class Ran(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


def commands() -> dict[str, Any]:
    """All commands as typer builds them, by name."""
    group = get_command(cli.app)
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


def run(*arguments: str, encoding: str = "utf-8", **environment: str) -> Ran:
    """`archcalc ARGUMENTS...` with these environment variables besides the process' own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="") for _ in range(2))
    clean = {"NO_COLOR": "", "FORCE_COLOR": "", "ARCHCALC_SPECS": "", "COLUMNS": "100"}
    clean |= environment
    with (
        patch.object(sys, "argv", ["archcalc", *arguments]),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
        patch.dict(os.environ, clean),
    ):
        ended = cli.run() or 0
    code = ended if isinstance(ended, int) else 1
    for stream in (out, err):
        stream.flush()
    return Ran(code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err)))


def good(*arguments: str, **environment: str) -> str:
    """The output of a command that succeeds."""
    ran = run(*arguments, **environment)
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.out


def bad(*arguments: str, **environment: str) -> str:
    """The sentence of a command that is refused: exit code 2, nothing else printed."""
    ran = run(*arguments, **environment)
    assert (ran.code, ran.out) == (2, ""), ran
    assert ran.err.startswith("error: "), ran
    assert "Traceback" not in ran.err
    return ran.err
