"""Regions of an image: which ones a detector looks at, and what it sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcalc.ops import regions as ops
from archcalc.pytorch.base import builds, each_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.ops.base import Shapes


class Proposals(nn.Module):
    """The regions of the anchors with the highest scores; no gradient goes through the choice.

    Regions that overlap are not dropped, and those that reach over the image's border not clipped.
    """

    def __init__(self, number: int, scales: Sequence[float], ratios: Sequence[float]) -> None:
        super().__init__()
        self.number = number
        self.scales = tuple(scales)
        self.ratios = tuple(ratios)
        self.sides = [(s * r**0.5, s / r**0.5) for s in self.scales for r in self.ratios]

    def anchors(self, like: Tensor) -> Tensor:
        """Heights and widths of the anchors, in positions of the map; made where they are needed.

        Filled in on the device: nothing is copied to it, which a CUDA graph could not hold.
        """
        filled = [torch.full_like(like[:1, 0, 0, 0], side) for pair in self.sides for side in pair]
        return torch.cat(filled).reshape(-1, 2)

    def forward(self, scores: Tensor, boxes: Tensor) -> Tensor:
        scores, boxes = scores.detach(), boxes.detach()
        (height, width), count = scores.shape[2:], len(self.sides)
        if scores.shape[1] == 2 * count:
            pairs = scores.reshape(-1, count, 2, height, width)
            scores = pairs[:, :, 1] - pairs[:, :, 0]
        best = scores.flatten(1).topk(self.number, dim=1).indices
        offsets = boxes.reshape(-1, count, 4, height, width).movedim(2, -1).flatten(1, 3)
        offsets = offsets.gather(1, best.unsqueeze(-1).expand(-1, -1, 4))
        rows, columns = best // width % height, best % width
        anchors = self.anchors(boxes)[best // (height * width)]
        first_row, last_row = _ends(offsets, anchors, rows, 0, height)
        first_column, last_column = _ends(offsets, anchors, columns, 1, width)
        return torch.stack((first_row, first_column, last_row, last_column), -1)

    def extra_repr(self) -> str:
        return f"number={self.number}, scales={self.scales}, ratios={self.ratios}"


def _ends(
    offsets: Tensor, anchors: Tensor, positions: Tensor, axis: int, count: int
) -> tuple[Tensor, Tensor]:
    """Where regions begin and end along an axis of so many positions, in parts of the image."""
    side = anchors[..., axis] / count
    middle = offsets[..., axis] * side + (positions.to(offsets.dtype) + 0.5) / count
    half = offsets[..., axis + 2].exp() * side / 2
    return middle - half, middle + half


@builds(ops.Proposals)
def proposals(op: ops.Proposals, inputs: Shapes) -> nn.Module:
    return Proposals(op.number, [float(s) for s in op.scales], [float(r) for r in op.ratios])


class RoIAlign(nn.Module):
    """(batch, channels, h, w) and (batch, n, 4) as (batch, n, channels, *size).

    Outside of the outermost positions of the map is what these have.
    """

    def __init__(self, size: tuple[int, ...], samples: int) -> None:
        super().__init__()
        self.size = size
        self.samples = samples

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        rows, columns = (
            self._points(regions[..., axis], regions[..., axis + 2], size)
            for axis, size in enumerate(self.size)
        )
        shape = (*rows.shape[:2], rows.shape[2], columns.shape[2])  # batch, n, h, w
        grid = torch.stack(
            (columns.unsqueeze(2).expand(shape), rows.unsqueeze(3).expand(shape)), -1
        )
        found = functional.grid_sample(
            x, grid.flatten(1, 2), padding_mode="border", align_corners=False
        )
        if self.samples > 1:
            found = functional.avg_pool2d(found, self.samples)
        by_region = found.reshape(*found.shape[:2], -1, *self.size)
        return by_region.transpose(1, 2).contiguous()

    def _points(self, first: Tensor, last: Tensor, size: int) -> Tensor:
        """Where the samples are along an axis, from -1 to 1 over the whole image."""
        count = size * self.samples
        parts = (torch.arange(count, device=first.device, dtype=first.dtype) + 0.5) / count
        points = first.unsqueeze(-1) + (last - first).unsqueeze(-1) * parts
        return 2 * points - 1

    def extra_repr(self) -> str:
        return f"size={self.size}, samples={self.samples}"


@builds(ops.RoIAlign)
def roi_align(op: ops.RoIAlign, inputs: Shapes) -> nn.Module:
    return RoIAlign(each_axis(op.size, 2), op.samples)
