"""The report: the whole study of one or several networks as one markdown or CSV file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archcalc.analysis.explain import explain
from archcalc.analysis.figures import COMPARED
from archcalc.errors import shown
from archcalc.report import explanations, writers
from archcalc.report.formats import FORMATS, function
from archcalc.report.records import common_rank
from archcalc.report.table import CONVENTION, listing, tabulate
from archcalc.report.titles import title
from archcalc.report.verdicts import cell_table
from archcalc.report.writers import escaped, markdown_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archcalc.analysis import Analysis
    from archcalc.analysis.explain import Explanation
    from archcalc.published.verdicts import Verdict

SUMMARY = ("name", "year", "title", "depth", *(key for key in COMPARED if key != "depth"))


LAYERS = (
    "name", "type", "output", "window", "receptive_field", "params", "mult_adds", "flops", "share",
)  # fmt: skip


Verdicts = Mapping[str, Sequence["Verdict"]]  # of printed figures, by the network's name
STEP = 200  # layers after which progress is told


class _Progress:
    """How many layers are written: `seen` is told from time to time, and once a network is."""

    def __init__(self, seen: Callable[[float], object]) -> None:
        self.seen, self.done = seen, 0

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        for i, item in enumerate(items, 1):
            yield item
            if i % STEP == 0:
                self.seen(self.done + i)

    def finish(self, analysis: Analysis) -> None:
        self.done += len(analysis.graph.layers)
        self.seen(self.done)


def pieces(
    analyses: Sequence[Analysis],
    format: str,  # noqa: A002
    verdicts: Verdicts | None = None,
    *,
    derivations: bool = True,
    seen: Callable[[float], object] = lambda done: None,
) -> Iterator[str]:
    """The study as a text, or as records: every layer of every network, one line each.

    `seen` gets the number of layers that are written, as it grows. Records have neither verdicts
    nor derivations; their columns are those of the network with most axes.
    """
    form = FORMATS[format]
    if form.study is None:
        written = function(form.write)(_records(analyses, _Progress(seen)), ())
    else:
        written = function(form.study)(analyses, verdicts or {}, derivations, seen)
    return written  # type: ignore[no-any-return]


def _records(analyses: Sequence[Analysis], progress: _Progress) -> Iterator[dict[str, Any]]:
    rank = common_rank(analyses)
    for analysis in analyses:
        for record in progress.each(tabulate(analysis).records(rank)):
            yield {"network": analysis.label, **record}
        progress.finish(analysis)


def to_markdown(
    analyses: Sequence[Analysis],
    verdicts: Verdicts,
    derivations: bool,
    seen: Callable[[float], object],
) -> Iterator[str]:
    """A summary, then each network with its layers, printed figures and derivations."""
    progress = _Progress(seen)
    yield "# What these networks cost\n\n"
    yield from markdown_lines(listing(analyses, SUMMARY), exact=False)
    batch = f"batch {analyses[0].batch}, {analyses[0].dtype}"
    yield f"\n{escaped(CONVENTION.format(batch=batch))} 1 K = 1000.\n"
    for analysis in analyses:
        yield from _network(analysis, verdicts.get(analysis.graph.name, ()))
        if derivations:
            yield from _derivations(progress.each(explain(analysis)))
        progress.finish(analysis)


def _network(analysis: Analysis, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """One network: where it comes from, its settings, layers and printed figures."""
    yield f"\n## {escaped(analysis.label)}\n\n{escaped(title(analysis))}.\n"
    yield from _paper(analysis)
    yield "\n### Layers\n\n"
    table = tabulate(analysis, columns=LAYERS)
    yield from writers.to_markdown(table._replace(title=""), exact=True)
    if verdicts:
        yield "\n### Printed figures\n\n"
        printed = cell_table(analysis.label, verdicts, None)
        yield from writers.to_markdown(printed._replace(title=""), exact=True)


def _derivations(explained: Iterable[Explanation]) -> Iterator[str]:
    yield "\n### Derivations\n\n"
    yield "<details><summary>The equation of each number, layer by layer</summary>\n\n"
    for piece in explanations.pieces(explained, "markdown"):
        yield f"#{piece}" if piece.startswith("###") else piece
    yield "\n</details>\n"


def _paper(analysis: Analysis) -> Iterator[str]:
    paper = analysis.about.paper
    said = [paper.get(key, "") for key in ("authors", "title", "venue", "year")]
    if any(said):
        yield f"\n{escaped('. '.join(part for part in said if part))}."
        arxiv = paper.get("arxiv", "")
        known = re.fullmatch(r"[\w.-]+(/\d+)?", arxiv, re.ASCII)
        yield f" [arXiv:{arxiv}](https://arxiv.org/abs/{arxiv}).\n" if known else "\n"
    if analysis.settings:
        values = [f"{name} = {shown(value)}" for name, value in analysis.settings.items()]
        yield f"\nSettings: {escaped(', '.join(values))}.\n"
