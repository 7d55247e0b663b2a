"""Which columns of a table fit a width, and how wide each of them is.

Where there is too little room, bars get shorter and headings are broken, then texts give way, each
as its column allows (`Column.fitted`), then the columns that a table can spare are left out in the
order that it states. What still finds no room stands below the others, each line named again: so do
all columns that were asked for. Figures are never cut or broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BAR = 8  # cells of a full bar
GAP = 2  # cells between two columns
NAME = 24  # cells that the name of a layer keeps, and any text before headings break for its sake
LEAST = 12  # cells that other texts keep, if they have as many
SHORTEST = 4  # cells that a name keeps beside a column that takes all others

GIVE_WAY = ("cut", "wrap", "line", "middle")  # titles first, names of layers last


class Need(NamedTuple):
    """How much room a column takes, in cells.

    `texts` of its widest text, `floor` of as little of it as must be there; `headings` of its
    heading on one line, of its widest word, of the widest part where words are broken as well.
    """

    key: str
    fit: str
    texts: int
    floor: int
    headings: tuple[int, int, int]
    has_bar: bool = False

    def width(self, bar: int, level: int) -> int:
        """Its width, nothing cut."""
        return max(self.headings[level], self.texts + (bar + 1 if self.has_bar and bar else 0))

    def least(self, level: int, most: int) -> int:
        """Its width with texts as short as they may be; `most` cells are enough for a floor."""
        floor = self.texts if self.fit == "keep" else min(self.texts, max(self.floor, most))
        return max(floor, self.headings[level])


class Block(NamedTuple):
    """Columns side by side: their positions in the table, their widths, the cells of a bar."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    bar: int

    @property
    def width(self) -> int:
        """Cells of the whole block, gaps included."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def fitted(needs: Sequence[Need], width: int, spare: Sequence[str] = ()) -> list[Block]:
    """The blocks of columns, one below the other, in which a table is laid out.

    `spare` are the keys of columns that may be left out, the first one first.
    """
    columns = list(range(len(needs)))
    for key in (None, *spare):
        columns = [i for i in columns if needs[i].key != key]
        if block := _fit(needs, columns, width):
            return [block]
    return _continued(needs, columns, width)


def room_for_all(needs: Sequence[Need]) -> int:
    """The least width in which all columns are side by side and none is cut."""
    is_cut = any(need.fit in ("cut", "middle") and need.floor < need.texts for need in needs)
    widths = [need.width(0, 2) if is_cut else _unlost(need) for need in needs]
    return sum(widths) + GAP * (len(widths) - 1)


def _unlost(need: Need) -> int:
    """The least width of a column that loses nothing: its texts may be wrapped."""
    return need.least(2, 0) if need.fit in ("wrap", "line") else need.width(0, 2)


# The order in which columns give way: how far headings are broken, what texts keep.
_STEPS = ((0, None), (1, None), (2, None), (0, NAME), (1, 0), (2, 0))


def _fit(needs: Sequence[Need], columns: Sequence[int], width: int) -> Block | None:
    """The columns side by side, or None where there is no room for them."""
    room = width - GAP * (len(columns) - 1)
    asked = [needs[i] for i in columns]
    bars = sum(need.has_bar for need in asked)
    for level, most in _STEPS:
        over = sum(need.width(BAR, level) for need in asked) - room
        bar = max(0, BAR - max(0, -(-over // bars))) if bars else BAR
        widths = [need.width(bar, level) for need in asked]
        if most is not None:
            _shorten(widths, asked, [need.least(level, most) for need in asked], room)
        if sum(widths) <= room:
            _widen(widths, asked, room)
            return Block(tuple(columns), tuple(widths), bar)
    return None


def _shorten(widths: list[int], needs: Sequence[Need], floors: Sequence[int], room: int) -> None:
    """Take cells from texts until all columns fit or no text can give more."""
    for fit in GIVE_WAY:
        for i in reversed(range(len(needs))):
            if needs[i].fit == fit and not needs[i].has_bar:
                widths[i] -= max(0, min(sum(widths) - room, widths[i] - floors[i]))


def _widen(widths: list[int], needs: Sequence[Need], room: int) -> None:
    """Give cells that are left to headings that need not be broken then, the shortest first."""
    for level in (1, 0):
        for i in sorted(range(len(needs)), key=lambda i: needs[i].headings[0]):
            more = needs[i].headings[level] - widths[i]
            if 0 < more <= room - sum(widths):
                widths[i] += more


def _continued(needs: Sequence[Need], columns: Sequence[int], width: int) -> list[Block]:
    """The columns in as many blocks as it takes, each with the rows' names in front."""
    label = next((i for i in columns if needs[i].key == "name"), columns[0])
    others = [i for i in columns if i != label]
    widest = max((needs[i].least(2, 0) for i in others), default=0)
    named = _named(needs[label], width, width - GAP - widest)
    asked = [named if i == label else need for i, need in enumerate(needs)]
    return [
        _fit(asked, block, width) or _squeezed(asked, block, width)
        for block in _filled(asked, label, others, width)
    ]


def _filled(
    needs: Sequence[Need], label: int, others: Sequence[int], width: int
) -> Iterator[list[int]]:
    """Each block with as many columns as it takes."""
    block = [label]
    for i in others:
        if len(block) > 1 and _fit(needs, [*block, i], width) is None:
            yield block
            block = [label]
        block.append(i)
    yield block


def _named(need: Need, width: int, room: int) -> Need:
    """The names in front of each block: whole, or as long as all blocks can have them."""
    texts = min(need.texts, max(min(need.floor, room), min(room, width // 2), SHORTEST))
    if need.fit == "keep" and room >= need.texts:
        texts = need.texts
    return need._replace(texts=texts, floor=texts)


def _squeezed(needs: Sequence[Need], columns: Sequence[int], width: int) -> Block:
    """A single column beside names, in a width that is too small for the two."""
    label, *others = (needs[i].least(2, 0) for i in columns)
    room = width - GAP * len(others) - sum(others)
    return Block(tuple(columns), (max(SHORTEST, min(label, room)), *others), 0)
