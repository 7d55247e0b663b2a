"""Regions of an image: which ones a detector looks at, and what it sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import LayerError
from archcalc.formula import Derived, formula
from archcalc.ops import fields as f
from archcalc.ops.base import (
    INPUT,
    Dimensions,
    Saved,
    Shapes,
    Weightless,
    elements,
    per_axis,
    spelled,
)
from archcalc.ops.window import HELD, Somewhere, Windows, given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CORNERS = 4  # numbers of a region: its first row and column, its last row and column
CHOSEN = Somewhere("where the regions lie depends on the data")


class Proposals(Weightless):
    """The regions of the `number` anchors with the highest scores (Ren et al. 2015, section 3.1).

    Takes two maps, [scores, boxes]: of A anchors at each position, A scores (or 2A, those of the
    background before those of an object) and 4A offsets. Gives number x 4: the first row and
    column and the last, in parts of the image. An anchor's height and width are a scale times the
    root of a ratio, and over it. Decoding an offset (equation 2) is 8 additions, 6 products,
    2 divisions and 2 exponentials; finding the highest scores and dropping regions that overlap
    depend on the data, count 0, and the latter is left out.
    """

    kind = "proposals"
    title = "proposals"
    role = "shape"
    front = "regions"
    constant = True
    arity = (2, 2)
    number: int = f.integer(doc="how many regions")
    scales: tuple[Any, ...] = f.reals(doc="sides of the square anchors, in positions of the map")
    ratios: tuple[Any, ...] = f.reals(doc="heights of the anchors over their widths")

    @property
    def anchors(self) -> int:
        """Anchors at each position."""
        return len(self.scales) * len(self.ratios)

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        scores, boxes = inputs
        if len(scores) != 3 or scores[1:] != boxes[1:]:
            raise LayerError(
                "proposals: expected scores and boxes of images of one size, "
                f"received {spelled(scores)} and {spelled(boxes)}"
            )
        a = self.anchors
        if boxes[0] != CORNERS * a or scores[0] not in (a, 2 * a):
            raise LayerError(
                f"proposals: expected {a} or {2 * a} scores and {CORNERS * a} offsets of {a} "
                f"anchors (scales times ratios), received {scores[0]} and {boxes[0]} channels"
            )
        every = a * scores[1] * scores[2]
        if self.number > every:
            raise LayerError(
                f"expected at most the {every} anchors, received {self.number}", field="number"
            )
        return ((given(self.number), given(CORNERS)),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (HELD, HELD)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        additions = formula("8*n")(n=self.number)
        if inputs[0][0] == 2 * self.anchors:  # object less background
            h, w = inputs[0][1:]
            additions = formula("8*n + h*w*a")(n=self.number, h=h, w=w, a=self.anchors)
        return {
            "additions": additions,
            "multiplications": formula("6*n")(n=self.number),
            "divisions": formula("2*n")(n=self.number),
            "transcendentals": formula("2*n")(n=self.number),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        return ()


class RoIAlign(Weightless):
    """What a map has in each of several regions, at `size` positions (He et al. 2017, section 3).

    Takes [map, regions], the regions n x 4 as `proposals` gives them, and gives n maps of one size,
    n x channels x size. Each value is interpolated between four, or the mean of `samples` x
    `samples` such values: 4 products and 3 additions each. With one sample it is what TensorFlow's
    crop_and_resize costs.
    """

    kind = "roialign"
    title = "RoIAlign"
    role = "pooling"
    front = "regions"
    arity = (2, 2)
    size: int | tuple[int, ...] = f.sizes(doc="positions of a region")
    samples: int = f.integer(1, doc="samples of each position, a side")

    def output(self, inputs: Shapes) -> tuple[Dimensions, ...]:
        image, regions = inputs
        if len(image) != 3:
            raise LayerError(
                f"roialign: expected a map with height and width, received {spelled(image)}"
            )
        if len(regions) != 2 or regions[1] != CORNERS:
            raise LayerError(
                f"roialign: expected regions of {CORNERS} numbers each, such as 300x{CORNERS}, "
                f"received {spelled(regions)}"
            )
        sizes = per_axis(self.size, 2, "size")
        return ((given(regions[0]), given(image[0]), *map(given, sizes)),)

    def windows(self, inputs: Shapes) -> tuple[Windows, ...]:
        return (CHOSEN, HELD)

    def operations(self, inputs: Shapes, outputs: Shapes) -> Mapping[str, Derived]:
        regions, *shape = outputs[0]
        text, values = elements(tuple(shape))
        text, values = f"n*{text}", {"n": regions, **values}
        if self.samples == 1:
            return {
                "multiplications": formula(f"{text}*4")(**values),
                "additions": formula(f"{text}*3")(**values),
            }
        return {
            "multiplications": formula(f"{text}*4*s*s")(**values, s=self.samples),
            "additions": formula(f"{text}*(4*s*s - 1)")(**values, s=self.samples),
            "divisions": formula(text)(**values),
        }

    def saved(self, inputs: Shapes, outputs: Shapes, followed: Sequence[bool]) -> Sequence[Saved]:
        if not any(followed):
            return ()
        n, c, h, w = outputs[0]
        points = formula("n*h*w*s*s*2")(n=n, h=h, w=w, s=self.samples)
        found = [INPUT, Saved("places", elements=points)]
        if self.samples > 1:
            values = formula("n*c*h*w*s*s")(n=n, c=c, h=h, w=w, s=self.samples)
            found.append(Saved("samples", elements=values))
        if followed[1]:  # regions that are no proposals
            parts = formula("(h + w)*s")(h=h, w=w, s=self.samples)
            found.append(Saved("parts of a region", elements=parts, each=False))
        return found
