"""Between shells and completion: how a line is taken apart, and how words are handed back.

typer knows the commands and options, and installs the scripts. Its scripts for bash and zsh lose
`@`, `=` and apostrophes, so there are others here, and what they ask is answered here.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from typing import Any

import typer
from typer import _completion_shared
from typer._completion_classes import BashComplete, FishComplete, PowerShellComplete

from archcalc.cli.completion import COMPLETERS, Before, Choice, choices

VARIABLE = "_ARCHCALC_COMPLETE"
OPEN = ("=", ",", "@", "/")  # after these a word goes on

# It reads the line itself, for bash takes words apart at `@` and `=`. No blank is added by bash.
BASH = r"""
%(complete_func)s() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(env COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_BREAKS="$COMP_WORDBREAKS" \
        %(autocomplete_var)s=complete_bash "$1" 2>/dev/null)
}

complete -o default -o nospace -F %(complete_func)s %(prog_name)s
"""

# Words come as they are, one a line with what they are after a tab; zsh quotes them.
ZSH = r"""
#compdef %(prog_name)s

%(complete_func)s() {
    local -a lines closed opened
    local line tab=$'\t' word
    lines=("${(@f)$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \
        %(autocomplete_var)s=complete_zsh %(prog_name)s 2>/dev/null)}")
    for line in $lines; do
        word=${line%%%%$tab*}
        line="${word//:/\\:}:${line#*$tab}"
        if [[ $word == *[=,@/] ]]; then opened+=("$line"); else closed+=("$line"); fi
    done
    (( $#closed )) && _describe -t values value closed
    (( $#opened )) && _describe -t values value opened -S ''
    (( $#closed + $#opened )) || _files
}

if [[ $funcstack[1] == _%(prog_name)s ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


def use_scripts() -> None:
    """Let `--show-completion` and `--install-completion` give these scripts."""
    _completion_shared._completion_scripts.update(bash=BASH, zsh=ZSH)  # noqa: SLF001


def is_asked() -> bool:
    """Whether a shell asks for completions."""
    return os.environ.get(VARIABLE, "").partition("_")[2] in SHELLS


def answer(app: typer.Typer) -> int:
    """Print the words that a shell may complete; its exit code. Nothing else is ever printed."""
    shell = SHELLS[os.environ[VARIABLE].partition("_")[2]]
    command = typer.main.get_command(app)
    text, code = "", 0
    with redirect_stderr(StringIO()):
        try:
            text = shell(command, {}, "archcalc", VARIABLE).complete()
        except SystemExit as done:  # fish asks by exit code whether there are words
            code = done.code if isinstance(done.code, int) else 1
        except Exception:  # noqa: BLE001 - whatever is wrong, a shell's prompt is no place to say so
            code = 1
    sys.stdout.write(text + "\n" * bool(text))
    return code


def _complete(name: str, args: list[str], context: typer.Context, word: str) -> list[Choice]:
    """What may be meant by a parameter's word, after the command's arguments so far."""
    command = context.command
    if args[-1:] and args[-1].startswith("-"):  # click reads nothing before an option without value
        context = command.make_context(command.name, args[1:-1], resilient_parsing=True)  # type: ignore[assignment]
    return choices(name, Before(command.name or "", context.params), word)


def taken_apart(line: str) -> tuple[list[str], str]:
    """The words of a line as a shell reads them, and the last one as it is written."""
    words, start, i = [""], 0, 0
    quote = ""
    while i < len(line):
        sign = line[i]
        if quote:
            if sign == quote:
                quote = ""
            elif sign == "\\" and quote == '"' and line[i + 1 : i + 2] in ('"', "\\", "$", "`"):
                i += 1
                words[-1] += line[i]
            else:
                words[-1] += sign
        elif sign in "'\"":
            quote = sign
        elif sign == "\\":
            i += 1
            words[-1] += line[i : i + 1]
        elif sign.isspace():
            if line[start:i]:
                words.append("")
            start = i + 1
        else:
            words[-1] += sign
        i += 1
    return words, line[start:]


class _Lines:
    """Words one a line. An option's value after `=` keeps the option, which click leaves out."""

    cli: Any

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        inner = self.cli.get_command(None, args[0]) if args else None
        for parameter in inner.params if inner else ():
            if parameter.name in COMPLETERS:
                parameter.shell_complete = partial(_complete, parameter.name, args)
        found = super().get_completions(args, incomplete)  # type: ignore[misc]
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            return [Choice(f"{option}={one.value}", one.help or "") for one in found]
        return list(found)


class Bash(_Lines, BashComplete):
    """bash replaces what follows the last of its word breaks, and takes words as they are given."""

    def complete(self) -> str:
        line = os.fsencode(os.environ["COMP_LINE"])[: int(os.environ["COMP_POINT"])]
        words, raw = taken_apart(os.fsdecode(line))
        found = self.get_completions(words[1:-1], words[-1])
        quote = raw[:1] if raw[:1] in ("'", '"') else ""
        head = "" if quote else raw[: _last_break(raw, os.environ.get("COMP_BREAKS", "@=:"))]
        skipped = len(taken_apart(head)[0][-1])
        return "\n".join(_for_bash(one.value, quote, skipped) for one in found)


def _last_break(raw: str, breaks: str) -> int:
    """How much of a word without quotes stands before what bash replaces: `@` is replaced, too."""
    at = [
        i if sign == "@" else i + 1
        for i, sign in enumerate(raw)
        if sign in breaks and raw[i - 1 : i] != "\\"
    ]
    return at[-1] if at else 0


def _for_bash(value: str, quote: str, skipped: int) -> str:
    """A word as it is typed in bash, within quotes that are already there or without any."""
    if quote == "'":
        return value.replace("'", "'\\''")
    special = '"\\$`' if quote else " \t'\"\\$`&|;<>()*?[]{}#~!"
    text = "".join(f"\\{sign}" if sign in special else sign for sign in value[skipped:])
    return text if quote or value.endswith(OPEN) else f"{text} "


class _Described(_Lines):
    """The whole line is given; what a word is stands behind a tab."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, _ = taken_apart(os.environ.get("_TYPER_COMPLETE_ARGS", ""))
        return words[1:-1], words[-1]

    def format_completion(self, item: Any) -> str:
        return f"{item.value}\t{' '.join((item.help or '').split())}"


class Zsh(_Described, BashComplete):
    """zsh quotes and compares by itself."""


class Fish(_Described, FishComplete):
    """fish quotes and compares by itself."""


class PowerShell(_Lines, PowerShellComplete):
    """PowerShell as typer has it."""


SHELLS: dict[str, Any] = {
    "bash": Bash, "zsh": Zsh, "fish": Fish, "powershell": PowerShell, "pwsh": PowerShell,
}  # fmt: skip
