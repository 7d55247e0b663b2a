"""Writes docs/tools.md: how the known counters count, from the rules of `archcalc table --as`.

python docs/tools.py            writes it
python docs/tools.py --check    exit code 1 where the page on disk says something else
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import archcalc
from archcalc.analysis.tools import TOOLS, together
from archcalc.errors import ArchcalcError
from archcalc.published.reproduction import tables_of
from archcalc.report.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.analysis import Analysis

WIDTH = 100  # of a line of text
PAGE = Path(__file__).resolve().parent / "tools.md"

NETWORKS = (
    "lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "resnet50@stride_on_3x3=true",
    "resnext50-32x4d", "seresnet50", "densenet121", "inception-v3", "mobilenet", "mobilenet-v2",
    "squeezenet1-1", "zfnet-deconv",
)  # fmt: skip

OPENING = """# How other tools count

Ask six counters what a network costs and they give six numbers. Each counts something else, and
some have bugs. This page says what, in plain words, and by how much. Two commands say it of any
network:

```console
$ archcalc reconcile resnet50          # runs the installed counters, and says why they differ
$ archcalc table resnet50 --as fvcore  # counts as fvcore does, without running it
```

`reconcile` builds the network in PyTorch; `table --as` does not import it. What no rule explains
stands in the table as "unexplained", with its number.

The page is written by `python docs/tools.py` from the rules themselves; the tests run every tool
beside its rules, layer by layer. All counts are for one input, in evaluation mode, each tool at
its defaults, and of archcalc's own model: auxiliary heads count where a network is asked for with
them, and nowhere else.
"""

TOOLS_SAY = {
    "fvcore": (
        "Its *flops* are multiply-accumulates. It traces the model and counts operators, so "
        "that functions count as modules do: convolutions and matrix products as archcalc, no "
        "biases. Beyond that it adds 2 for each element of a batch norm (1 without scale and "
        "shift), 5 of a layer or group norm (4 without), 1 for each input of an adaptive or "
        "global average pool, and 1 or 4 for each output of nearest or bilinear upsampling, "
        "these for images only (two spatial axes); and 4 for each sample that `roialign` takes. "
        "Activations, other pools and additions are 0."
    ),
    "thop": (
        "It looks up the exact type of each module, and what it does not know has 0 "
        "operations **and 0 params**: group and L2 norms, and every subclass of a module it "
        "knows. Biases are 0. A batch or layer norm is 4 an element (2 without scale and shift), "
        "an average pool 1 an output, an adaptive one its window and 1 an output, a softmax 3 an "
        "element less 1 a vector, a PReLU 1 an element, upsampling 1, 5 or 11 an output. A "
        "transposed convolution is counted at its outputs, as if each saw a whole kernel: "
        "with stride 2 about four times too many. Shared parameters count at each layer."
    ),
    "torch": (
        "PyTorch's own `FlopCounterMode` counts 2 FLOPs a multiply-accumulate, of "
        "convolutions and matrix products, nothing else and no biases; half of it is "
        "archcalc's Mult-Adds on every network here. It counts no params. (Of its backward "
        "pass this page says nothing.)"
    ),
    "torchinfo": (
        "Its *mult-adds* are parameters times positions. A convolution's weights *and bias* "
        "count at each output position; of every other layer `weight` and `bias` count once: "
        "a linear as archcalc, and its bias, but a batch norm only 2 a channel however large "
        "the image (for each application, where a part is applied several times). What has no "
        "parameters is 0. A transposed convolution counts at its outputs. Shared parameters "
        "count at each layer."
    ),
    "ptflops": (
        "Its *MACs* include biases, and 2 for each element of a batch norm. It watches "
        "modules, by their exact type, and at the same time functions of "
        "`torch.nn.functional`; a module that calls one counts **twice**: ReLU, PReLU, ELU "
        "and GELU 2 an element, pools 2 for each *input*, upsampling 2 an output. ReLU6, "
        "LeakyReLU, SiLU and softmax are 1, and so is each sample that `roialign` takes the mean "
        "of. Subclasses of a module count 0. Sums written as `a + b` are not seen. Of a batch, "
        "and so of a part applied several times, upsampling as a module counts the first alone."
    ),
    "calflops": (
        "Of its two numbers the *MACs* are meant here: convolutions and linears without "
        "biases, as archcalc. Its FLOPs are twice that, and biases, norms, activations and "
        "pools besides. Two bugs: it divides a transposed convolution by its groups twice, "
        "and it breaks on upsampling by one scale an axis. Functions taken before it began "
        "are not seen (a connection table's convolutions)."
    ),
}


def page() -> str:
    """The whole page."""
    return "\n".join(_page()).rstrip() + "\n"


def _page() -> Iterator[str]:
    yield OPENING
    yield "## The tools"
    for name, tool in TOOLS.items():
        yield ""
        about = f"**{name}** {tool.version} (`{tool.what}`; `{tool.source}`). {TOOLS_SAY[name]}"
        yield fill(about, WIDTH, break_on_hyphens=False)
    yield ""
    yield "**paper** is the convention of a network's first published source, as the spec has it."
    yield ""
    yield "## Mult-Adds of well-known networks"
    yield ""
    yield from _table()
    yield ""
    yield from _resnet50()


def _table() -> Iterator[str]:
    yield f"| Network | archcalc | {' | '.join(TOOLS)} | paper |"
    yield f"| :--- | {'---: | ' * (len(TOOLS) + 2)}".rstrip()
    for name in NETWORKS:
        analysis = archcalc.analyze(name)
        counts = [f"{counted(analysis, tool).totals.mult_adds:,}" for tool in TOOLS]
        own = f"{analysis.totals.mult_adds:,}"
        yield f"| {analysis.label} | {own} | {' | '.join(counts)} | {_of_paper(name, analysis)} |"
    yield ""
    yield "A dash: the network's first source that prints Mult-Adds or params prints no Mult-Adds."


def _of_paper(name: str, analysis: Analysis) -> str:
    spec = archcalc.load(name.partition("@")[0])
    try:
        found = counted(analysis, "paper", partial(tables_of, spec))
    except ArchcalcError:
        return "-"
    printed = any(note.startswith("Mult-Adds as") for note in found.counting.notes)
    return f"{found.totals.mult_adds:,}" if printed else "-"


def _resnet50() -> Iterator[str]:
    paper = archcalc.analyze("resnet50")
    common = archcalc.analyze("resnet50@stride_on_3x3=true")
    first, second = paper.totals.mult_adds, common.totals.mult_adds
    yield "## Why is ResNet-50 3.8, 4.09, 4.11 or 4.13 GFLOPs?"
    yield ""
    yield fill(
        f"All are multiply-accumulates at 224x224. **3.8** is the paper's: {first:,}, cut off. "
        "Its stride is on the first 1x1 convolution of a bottleneck. Later implementations "
        "(torchvision's, called v1.5) have it on the 3x3, so that three 1x1 convolutions run at "
        f"four times the positions: {second - first:,} more, {second:,} in all: **4.09**. The rest "
        "is what a tool counts beyond that, of this second network:",
        WIDTH,
    )
    yield ""
    yield "| Tool | Its count | Above 4.09 G: |"
    yield "| :--- | ---: | :--- |"
    for name, tool in TOOLS.items():
        terms = together(term for node in common.graph.layers for term in tool.mult_add_terms(node))
        total = second + sum(term.number for term in terms)
        said = "; ".join(f"{term.number:,} {term.name}" for term in terms) or "nothing"
        yield f"| {name} | {total:,} | {said} |"
    yield ""
    softmax = {name: _softmax(common, name) for name in ("thop", "ptflops")}
    doubled = [f"{2 * count / 1e9:.1f}" for count in (first, second)]
    yield fill(
        "**4.11** is fvcore's, **4.13** thop's and ptflops'. The spec ends in a softmax, which "
        f"thop counts {softmax['thop']:,} and ptflops {softmax['ptflops']:,}; a model without it "
        f"has so much less. Where somebody says {' or '.join(doubled)} GFLOPs, a "
        "multiply-accumulate is two operations.",
        WIDTH,
    )


def _softmax(analysis: Analysis, tool: str) -> int:
    """What a tool counts of the softmax at the end."""
    return sum(term.number for term in TOOLS[tool].mult_add_terms(analysis.graph.layers[-1]))


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
