"""The command line: parse flags, call the API, hand the result to a writer."""

from __future__ import annotations

import gc
import os
import re
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from archcalc import __version__
from archcalc.cli.streams import close_stdout, complain, notes_on_stderr, prepare_streams, stdout
from archcalc.errors import ArchcalcError, OutputError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = ("--show-completion", "--install-completion")


# Module and function of each command, in the order of --help.
COMMANDS = {
    "table": "computed.table",
    "explain": "computed.explain",
    "report": "computed.report",
    "list": "computed.list_networks",
    "reproduce": "computed.reproduce",
    "compare": "computed.compare",
    "paths": "computed.paths",
    "memory": "computed.memory",
    "build": "built.build",
    "verify": "built.verify",
    "reconcile": "built.reconcile",
    "profile": "built.profile",
    "runs": "built.runs",
    "show": "computed.show",
    "schema": "computed.schema",
    "validate": "computed.validate",
}


class Commands(TyperGroup):
    """The commands by name, each imported and built when it is asked for.

    A word of other tools gets the command that does that.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and self.commands[cmd_name] is None:
            module, _, function = COMMANDS[cmd_name].partition(".")
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name)(getattr(import_module(f"archcalc.cli.{module}"), function))
            self.commands[cmd_name] = typer.main.get_command(alone)
        return self.commands.get(cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _short_messages():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _short_messages():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            from archcalc import words

            if hint := words.said("COMMANDS", args[0], self.commands):
                ctx.fail(f"No such command '{args[0]}': {hint}.")
        return super().resolve_command(ctx, args)


@contextmanager
def _short_messages() -> Iterator[None]:
    """Errors of usage repeat no more than the beginning of a long word, and only what prints."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)
        if hasattr(error, "format_message") and isinstance(message, str):
            short = re.sub(r"(\S{57})\S{4,}?('?\.?)(?=\s|$)", r"\1...\2", message)
            error.message = printable(short)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="archcalc",
    cls=Commands,
    help="What convolutional networks cost, layer by layer, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Handle options that stand before a command."""
    if version:
        typer.echo(f"archcalc {__version__}")
        raise typer.Exit


def main() -> None:
    """The whole process: one command, without Python's cycle collector.

    What a command makes it needs until all is printed, so there is hardly any garbage to look for;
    and when the process ends, the last collection need not take it apart. PyTorch's libraries want
    to be taken apart: Triton's complain of leaks on stderr where they are not.
    """
    gc.disable()
    code = run()
    if "torch" not in sys.modules:
        gc.freeze()
    sys.exit(code)


def run() -> str | int | None:
    """Run the command line: exit code 0, or 2 with a sentence on stderr for what can be mended.

    An interruption is exit code 130, whenever it comes.
    """
    try:
        prepare_streams()
        if "_ARCHCALC_COMPLETE" in os.environ or any(word in SCRIPTS for word in sys.argv[1:]):
            from archcalc.cli import shells

            if shells.is_asked():
                return shells.answer(app)
            shells.use_scripts()
        with notes_on_stderr():
            return _complaining()
    except KeyboardInterrupt:
        return 130


def _complaining() -> str | int | None:
    try:
        code = _run()
        with stdout():
            return code  # once what is still in its buffer is written
    except ArchcalcError as error:
        complain(error)
    except MemoryError:
        complain(ArchcalcError("expected enough memory for this command, received less"))
    except BrokenPipeError:
        close_stdout()
        return 0
    except OSError as error:  # of what the parser of arguments prints
        close_stdout()
        complain(OutputError(f"can't write the output: {error.strerror or error}"))
    return 2


def _run() -> str | int | None:
    try:
        app(prog_name="archcalc")
    except SystemExit as done:
        # Typer puts a wrapper around a stream that nobody reads to the end, as of `--help | head`.
        return 0 if type(sys.stdout).__name__ == "PacifyFlushWrapper" else done.code
    return 0
