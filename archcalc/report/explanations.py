"""Explanations as text: terminal, markdown, LaTeX, JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archcalc.errors import one_line
from archcalc.ops.base import AXIS_WORDS
from archcalc.report.figures import rounded
from archcalc.report.formats import FORMATS, function
from archcalc.report.records import SCHEMA_VERSION, plain
from archcalc.report.wrapping import cell_width, wrapped
from archcalc.report.writers import escaped, latex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from archcalc.analysis.explain import Derivation, Explanation
    from archcalc.analysis.field_way import Path

_LARGE = re.compile(r"\d{4,}")
_AXIS = re.compile(rf"(?<!\S)({'|'.join(AXIS_WORDS.values())})(?!\S)")


def grouped(text: str) -> str:
    """Numbers of four digits and more with separators: 10*10*1,516."""
    return _LARGE.sub(lambda match: f"{int(match.group()):,}", text)


def number(value: Any) -> str:
    """A derived number: exact if whole, else to four digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return rounded(float(value), ".4g")


def as_text(explanations: Iterable[Explanation], format: str) -> str:  # noqa: A002
    """Explanations in one of the formats."""
    return "".join(pieces(explanations, format))


def pieces(
    explanations: Iterable[Explanation],
    format: str,  # noqa: A002
    width: int | None = None,
) -> Iterator[str]:
    """The same text, one explanation after another; `width` is the terminal's, if there is one."""
    form = FORMATS[format]
    if form.explanation is None:
        records = (_record(one) for one in explanations)
        yield from function(form.write)({"schema_version": SCHEMA_VERSION, "layers": records})
        return
    lines = function(form.explanation)
    for i, one in enumerate(explanations):
        yield "\n" if i else ""
        yield "\n".join(lines(one, width)) + "\n"


def merged(derivations: Sequence[Derivation]) -> list[Derivation]:
    """Derivations that differ in their axis only, told once: `height and width`."""
    told: dict[tuple[str, ...], list[Derivation]] = {}
    for one in derivations:
        axis = _axis_of(one)
        pattern = one.quantity.replace(axis, "*", 1) if axis else one.quantity
        told.setdefault((pattern, one.symbols, one.text), []).append(one)
    return [
        same[0]._replace(quantity=pattern.replace("*", " and ".join(map(_axis_of, same))))
        if len(same) > 1
        else same[0]
        for (pattern, *_), same in told.items()
    ]


def _axis_of(one: Derivation) -> str:
    """The axis that a quantity is of, empty where it is of none."""
    found = _AXIS.search(one.quantity)
    return found.group() if found else ""


# Terminal.


def terminal(one: Explanation, width: int | None = None) -> Iterator[str]:
    """Lines no longer than `width`, where names and numbers allow.

    Without one each equation is a line, however long: for files, and for programs that look for
    lines.
    """
    layout = _Layout(width)
    yield from layout.text(f"{one.name}: {one.title}, {one.shapes}")
    if one.place:
        yield from layout.text(f"  declared at {one.place}")
    yield ""
    yield from layout.equations([(d.quantity, _equation(d)) for d in merged(one.derivations)])
    for path in one.paths:
        yield from _terminal_path(path, layout)
    for reason in one.unknown:
        yield ""
        yield from layout.text(f"  receptive field unknown: {reason}")
    if one.without_start:
        yield ""
        yield from layout.text(f"  {_without_start(one)}")


def _without_start(one: Explanation) -> str:
    along = " and ".join(one.without_start)
    return f"receptive field start, {along}: none, output 0 sees nothing of the input"


def _equation(derivation: Derivation) -> list[str]:
    """Symbols, numbers and result, without repeating what is said already."""
    parts = [derivation.symbols] if derivation.symbols != derivation.text else []
    text, value = grouped(derivation.text), number(derivation.value)
    if derivation.symbols == "n" or derivation.symbols.isidentifier():
        parts = []
    parts += [text] if text != value else []
    return [*parts, value]


def _terminal_path(path: Path, layout: _Layout) -> Iterator[str]:
    yield ""
    yield from layout.text(f"  receptive field, {path.axis}, forward (r size, j stride, k kernel):")
    rows = [
        (
            step.layer,
            f"{step.text} = {number(step.size)}",
            f"stride {step.stride}",
            f"start {'none' if step.start is None else step.start}",
        )
        for step in path.forward
    ]
    yield from layout.aligned(rows)
    if path.backward:
        yield ""
        yield from layout.text(f"  receptive field, {path.axis}, backward, {path.rule}:")
        yield from layout.aligned(
            [(step.layer, f"{step.text} = {number(step.size)}") for step in path.backward]
        )
    yield ""
    yield from layout.text(f"  {path.note}")


class _Layout:
    """Lines of an explanation, no longer than a terminal's width where there is one."""

    def __init__(self, width: int | None) -> None:
        self.width = width

    def text(self, text: str, indent: int = 4) -> list[str]:
        """Words, going on below where there are too many, further in."""
        if self.width is None or cell_width(text) <= self.width:
            return [text]
        own = len(text) - len(text.lstrip())
        return _wrapped(text.strip(), self.width, own, max(own, indent))

    def equations(self, rows: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
        """Quantities, and beside them what they equal: the longest quantities stand above it."""
        column = max((len(quantity) for quantity, _ in rows), default=0)
        if self.width is not None:
            column = min(column, self.width // 3)
        for quantity, parts in rows:
            line = f"  {quantity:<{column}}  {' = '.join(parts)}"
            if self.width is None or (len(quantity) <= column and cell_width(line) <= self.width):
                yield line
                continue
            lines = [f"  {quantity:<{column}}  {parts[0]}"]
            if len(quantity) > column:
                yield from self.text(f"  {quantity}")
                lines = [f"{'':{column + 4}}{parts[0]}"]
            for part in parts[1:]:
                longer = f"{lines[-1]} = {part}"
                if cell_width(longer) <= self.width:
                    lines[-1] = longer
                else:
                    lines.append(f"{'':{column + 4}}= {part}")
            for line in lines:
                yield from self._broken(line, column + 4)

    def _broken(self, line: str, indent: int) -> Iterator[str]:
        """A line of an equation in several, each but the first begun by its operator.

        Where a product is too long to stand beside the quantity, it stands below.
        """
        assert self.width is not None
        if cell_width(line) <= self.width:
            yield line
            return
        head, rest = line[:indent], line[indent:]
        if max(map(cell_width, rest.split())) > self.width - indent - 4:
            yield from self.text(head.rstrip()) if head.strip() else ()
            head, indent = "", 4
        for text in _wrapped(rest, self.width, indent, indent + 2):
            yield head + text[indent:] if head else text
            head = ""

    def aligned(self, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
        """Rows in columns; where that is too wide, the first cell above the others."""
        if not rows:
            return
        widths = [max(map(cell_width, column)) for column in zip(*rows, strict=True)]
        above = self.width is not None and 4 + sum(widths) + 2 * len(widths) - 2 > self.width
        for row in rows:
            cells = [
                cell + " " * (width - cell_width(cell))
                for cell, width in zip(row, widths, strict=True)
            ]
            if not above:
                yield ("    " + "  ".join(cells)).rstrip()
                continue
            yield f"    {row[0]}"
            yield from self._broken(f"      {'  '.join(cells[1:])}".rstrip(), 6)


def _wrapped(text: str, width: int, indent: int, further: int) -> list[str]:
    """Text in lines broken before its operators, or elsewhere between words."""
    bound = re.sub(r" ([-+=]) ", " \\1\u00a0", text)
    lines = wrapped(" " * indent + bound, width, hang=further - indent)
    return [line.replace("\u00a0", " ") for line in lines]


# Markdown.


def markdown(one: Explanation, _: int | None = None) -> Iterator[str]:
    """A table of equations, and one for each way of the receptive field."""
    yield f"### {escaped(one.name)}: {escaped(one.title)}, {one.shapes.replace('->', 'to')}"
    yield ""
    yield "| Quantity | Formula | With numbers | Value |"
    yield "| :--- | :--- | :--- | ---: |"
    for d in merged(one.derivations):
        quantity, value = escaped(d.quantity), number(d.value)
        yield f"| {quantity} | {_code(d.symbols)} | {_code(grouped(d.text))} | {value} |"
    for path in one.paths:
        yield from _markdown_path(path)
    for reason in one.unknown:
        yield ""
        yield f"Receptive field unknown: {escaped(reason)}."
    if one.without_start:
        yield ""
        yield f"{_without_start(one).capitalize()}."


def _markdown_path(path: Path) -> Iterator[str]:
    for name, steps in (("forward", path.forward), ("backward", path.backward)):
        if not steps:
            continue
        yield ""
        yield f"Receptive field, {path.axis}, {name}:"
        yield ""
        yield "| Layer | Formula | With numbers | Size |"
        yield "| :--- | :--- | :--- | ---: |"
        for step in steps:
            layer, size = escaped(step.layer), number(step.size)
            yield f"| {layer} | {_code(step.symbols)} | {_code(grouped(step.text))} | {size} |"
    yield ""
    yield escaped(path.note)


def _code(text: str) -> str:
    """A code span in a table's cell; names of layers may hold `|` and backticks."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    ticks, blank = "`" * (longest + 1), " " if longest else ""
    return ticks + blank + one_line(text).replace("|", r"\|") + blank + ticks


# LaTeX: aligned equations (amsmath), one block a layer.


def latex_lines(one: Explanation, _: int | None = None) -> Iterator[str]:
    """Aligned equations, one block a layer."""
    yield "% needs: \\usepackage{amsmath}"
    shapes = latex(one.shapes).replace(latex("->"), r"$\to$")
    yield rf"\paragraph{{{latex(one.name)}}} {latex(one.title)}, {shapes}"
    yield r"\begin{align*}"
    lines = [_latex_line(d.quantity, d.text, d.value) for d in merged(one.derivations)]
    for path in one.paths:
        for name, steps in (("forward", path.forward), ("backward", path.backward)):
            quantity = f"receptive field, {path.axis}, {name}, "
            lines += [_latex_line(quantity + step.layer, step.text, step.size) for step in steps]
    yield " \\\\\n".join(lines)
    yield r"\end{align*}"


def _latex_line(quantity: str, text: str, value: Any) -> str:
    result = number(value).replace(",", "{,}")
    equation = math(text)
    shown = equation if equation == result else f"{equation} = {result}"
    return rf"  \text{{{latex(quantity)}}} &: {shown}"


def math(text: str) -> str:
    """An equation's text as LaTeX mathematics: fractions, floors, dots for products."""
    import ast

    return " + ".join(_math(ast.parse(term, mode="eval").body) for term in _terms(text))


def _terms(text: str) -> Iterator[str]:
    """What stands between the outermost `+`: a block's sum is too long to be parsed whole."""
    depth = start = 0
    for i, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "+" and not depth:
            yield text[start:i].strip()
            start = i + 1
    yield text[start:].strip()


_SIGNS: dict[str, str] = {"Add": " + ", "Sub": " - ", "Mult": r" \cdot "}


def _math(node: Any) -> str:
    kind = type(node).__name__
    if kind == "Constant":
        return f"{node.value:,}".replace(",", "{,}")
    if kind == "Name":
        return rf"\text{{{latex(node.id)}}}"
    if kind == "UnaryOp":
        return f"(-{_math(node.operand)})"
    if kind == "Call":
        return _math_call(node)
    operation = type(node.op).__name__
    if operation == "Div":
        return rf"\frac{{{_math(node.left)}}}{{{_math(node.right)}}}"
    left, right = _math(node.left), _math(node.right)
    if operation == "Mult":
        left, right = _bracketed(node.left, left), _bracketed(node.right, right)
    if operation == "Sub" and _is_sum(node.right):
        right = rf"\left({right}\right)"
    return left + _SIGNS[operation] + right


def _is_sum(node: Any) -> bool:
    return type(node).__name__ == "BinOp" and type(node.op).__name__ in ("Add", "Sub")


def _bracketed(node: Any, text: str) -> str:
    return rf"\left({text}\right)" if _is_sum(node) else text


def _math_call(node: Any) -> str:
    inner = ", ".join(map(_math, node.args))
    name = node.func.id
    if name in ("floor", "ceil"):
        return rf"\left\l{name} {inner} \right\r{name}"
    return rf"\{name}\left({inner}\right)"


# JSON.


def _record(one: Explanation) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "type": one.title,
        "shapes": one.shapes,
        "derivations": [
            {
                "quantity": d.quantity,
                "formula": d.symbols,
                "expression": d.text,
                "value": plain(d.value),
            }
            for d in one.derivations
        ],
        "receptive_field": [
            {
                "axis": path.axis,
                "forward": [_step(step) for step in path.forward],
                "backward": [_step(step) for step in path.backward],
                "rule": path.rule,
                "note": path.note,
            }
            for path in one.paths
        ],
        "receptive_field_unknown": list(one.unknown),
        "receptive_field_without_start": list(one.without_start),
    }


def _step(step: Any) -> dict[str, Any]:
    return {
        "layer": step.layer,
        "formula": step.symbols,
        "expression": step.text,
        "size": plain(step.size),
        "stride": plain(step.stride),
        "start": plain(step.start),
    }
