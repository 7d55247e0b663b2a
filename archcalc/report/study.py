"""The report: the whole study of one or several networks as one markdown or CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.explain import explain
from archcalc.report import explanations
from archcalc.report.table import CONVENTION, listing, tabulate, title
from archcalc.report.writers import csv_text, escaped, markdown_table, text_rows, to_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archcalc.analysis import Analysis

SUMMARY = (
    "name",
    "year",
    "title",
    "depth",
    "params",
    "mult_adds",
    "flops",
    "weight_bytes",
    "output_bytes",
)


def as_text(analyses: Sequence[Analysis], format: str) -> str:  # noqa: A002
    """The study in markdown, or as CSV: every layer of every network, one line each."""
    return FORMATS[format](analyses)


def to_csv(analyses: Sequence[Analysis]) -> str:
    records: list[dict[str, Any]] = [
        {"network": analysis.label, **record}
        for analysis in analyses
        for record in tabulate(analysis).to_records()
    ]
    headings = list(dict.fromkeys(key for record in records for key in record))
    return csv_text(headings, [[record.get(key) for key in headings] for record in records])


def to_markdown_study(analyses: Sequence[Analysis]) -> str:
    parts = ["# What these networks cost", "", *_summary(analyses), ""]
    for analysis in analyses:
        parts += [*_network(analysis), ""]
    return "\n".join(parts).rstrip() + "\n"


def _summary(analyses: Sequence[Analysis]) -> Iterator[str]:
    table = listing(analyses, SUMMARY)
    yield markdown_table(table, text_rows(table, exact=False))
    yield ""
    batch = f"batch {analyses[0].batch}, {analyses[0].dtype}"
    yield escaped(CONVENTION.format(batch=batch)) + " 1 K = 1000."


def _network(analysis: Analysis) -> Iterator[str]:
    """One network: where it comes from, its settings, its layers, its derivations."""
    yield f"## {escaped(analysis.label)}"
    yield ""
    yield escaped(title(analysis)) + "."
    yield from _paper(analysis)
    yield ""
    yield "### Layers"
    yield ""
    keys = (
        "name",
        "type",
        "output",
        "window",
        "receptive_field",
        "params",
        "mult_adds",
        "flops",
        "share",
    )
    yield to_markdown(tabulate(analysis, columns=keys)._replace(title=""), exact=True)
    yield "### Derivations"
    yield ""
    yield "<details><summary>The equation of each number, layer by layer</summary>"
    yield ""
    yield (
        explanations.to_markdown(explain(analysis))
        .replace("\n### ", "\n#### ")
        .replace("### ", "#### ", 1)
    )
    yield "</details>"


def _paper(analysis: Analysis) -> Iterator[str]:
    spec = analysis.spec
    if spec is None or not spec.paper:
        return
    paper = spec.paper
    said = [paper.get(key, "") for key in ("authors", "title", "venue", "year")]
    yield ""
    link = (
        f" [arXiv:{paper['arxiv']}](https://arxiv.org/abs/{paper['arxiv']})."
        if "arxiv" in paper
        else ""
    )
    yield f"{escaped('. '.join(part for part in said if part))}.{link}"
    from archcalc.spec.schema import shown

    if analysis.settings:
        settings = ", ".join(
            f"{name} = {shown(value)}" for name, value in analysis.settings.items()
        )
        yield ""
        yield f"Settings: {escaped(settings)}."


FORMATS: dict[str, Callable[[Sequence[Analysis]], str]] = {
    "markdown": to_markdown_study,
    "csv": to_csv,
}
