"""Draws docs/table.svg, the picture in README, from what the command prints.

    python docs/picture.py            draws it
    python docs/picture.py --check    exit code 1 where the picture on disk shows another text

The picture is rich's SVG export of a terminal of 100 columns. It loads no fonts: each cell of the
table has its own place and width, so any font of fixed width will do. The same table always gives
the same file; `--check` compares the text alone: another version of rich may frame it differently.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.segment import Segment, Segments
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "table.svg"
COMMAND = ("table", "googlenet", "--depth", "1")
WIDTH = 100
SVG = "{http://www.w3.org/2000/svg}"


def printed() -> str:
    """What the command prints at a terminal with colours."""
    plain = {
        key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLORTERM")
    }
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "archcalc", *COMMAND],
        cwd=ROOT,
        env={**plain, **terminal, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


def draw() -> str:
    """The picture: the command, and what it prints."""
    console = Console(
        width=WIDTH, height=50, color_system="256", no_color=False, record=True, file=io.StringIO()
    )
    text = Text.from_ansi(f"$ archcalc {' '.join(COMMAND)}\n{printed()}".rstrip())
    console.print(Segments(cells(text, console)))
    svg = console.export_svg(title="archcalc", unique_id="archcalc")
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def cells(text: Text, console: Console) -> list[Segment]:
    """The text in pieces, parted at runs of blanks: each is put in its place, whatever its font."""
    return [
        Segment(piece, segment.style)
        for segment in text.render(console)
        for piece in re.split(r"( {2,}|\n)", segment.text)
        if piece
    ]


def shown(svg: str) -> list[str]:
    """The lines of text a picture shows, whatever their frame, colours and blanks."""
    lines: dict[float, str] = {}
    for text in ET.fromstring(svg).iter(f"{SVG}text"):  # noqa: S314 - our own file
        if "clip-path" in text.attrib:  # the window's title is not
            height = float(text.get("y", "0"))
            lines[height] = lines.get(height, "") + "".join(text.itertext())
    texts = ["".join(lines[height].split()) for height in sorted(lines)]
    return [text for text in texts if text]


def main() -> int:
    """Draw the picture, or check it."""
    if "--check" not in sys.argv[1:]:
        PICTURE.write_text(draw(), encoding="utf-8", newline="\n")
        return 0
    if PICTURE.exists() and shown(PICTURE.read_text(encoding="utf-8")) == shown(draw()):
        return 0
    print(f"{PICTURE} is not current; python docs/picture.py draws it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
