"""GoogLeNet as a plain ``torch.nn.Module``, for the benchmarks against torch-based counters.

This is the main network of Szegedy et al., "Going Deeper with Convolutions" (2015), written
from its Table 1: biased convolutions without batch normalization, real 5x5 branches, local
response normalization around the second stage, ceil-mode max pooling, no auxiliary heads.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import nn

INPUT_SHAPE = (3, 224, 224)
PARAMS = 6_998_552


class Filters(NamedTuple):
    """One inception row of Table 1: the number of filters of each convolution."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    pool_proj: int

    @property
    def out(self) -> int:
        """Channels after the four branches are concatenated."""
        return self.one + self.three + self.five + self.pool_proj


STAGES: dict[str, dict[str, Filters]] = {
    "3": {
        "inception3a": Filters(64, 96, 128, 16, 32, 32),
        "inception3b": Filters(128, 128, 192, 32, 96, 64),
    },
    "4": {
        "inception4a": Filters(192, 96, 208, 16, 48, 64),
        "inception4b": Filters(160, 112, 224, 24, 64, 64),
        "inception4c": Filters(128, 128, 256, 24, 64, 64),
        "inception4d": Filters(112, 144, 288, 32, 64, 64),
        "inception4e": Filters(256, 160, 320, 32, 128, 128),
    },
    "5": {
        "inception5a": Filters(256, 160, 320, 32, 128, 128),
        "inception5b": Filters(384, 192, 384, 48, 128, 128),
    },
}


def conv_relu(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a biased "same"-padded convolution followed by a ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
    return nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU()))


def max_pool() -> nn.MaxPool2d:
    """Return the 3x3/2 pooling between stages: no padding, output size rounded up."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class Inception(nn.Module):
    """Four parallel branches whose outputs are concatenated along the channels."""

    def __init__(self, in_channels: int, filters: Filters) -> None:
        """Build the branches."""
        super().__init__()
        self.branch1 = conv_relu(in_channels, filters.one, 1)
        self.branch3 = nn.Sequential(
            conv_relu(in_channels, filters.reduce3, 1),
            conv_relu(filters.reduce3, filters.three, 3),
        )
        self.branch5 = nn.Sequential(
            conv_relu(in_channels, filters.reduce5, 1),
            conv_relu(filters.reduce5, filters.five, 5),
        )
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            conv_relu(in_channels, filters.pool_proj, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the branches on the same input."""
        branches = (self.branch1, self.branch3, self.branch5, self.branch_pool)
        return torch.cat([branch(x) for branch in branches], dim=1)


def stem() -> OrderedDict[str, nn.Module]:
    """Return the layers before the first inception module."""
    return OrderedDict(
        conv1=conv_relu(3, 64, 7, stride=2),
        pool1=max_pool(),
        norm1=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        conv2_reduce=conv_relu(64, 64, 1),
        conv2=conv_relu(64, 192, 3),
        norm2=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        pool2=max_pool(),
    )


def head(channels: int, classes: int) -> OrderedDict[str, nn.Module]:
    """Return the classifier after the last inception module."""
    return OrderedDict(
        pool5=nn.AvgPool2d(7),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.4),
        loss3=nn.Linear(channels, classes),
        softmax=nn.Softmax(dim=1),
    )


def googlenet(classes: int = 1000) -> nn.Sequential:
    """Build GoogLeNet in evaluation mode, randomly initialized."""
    layers = stem()
    channels = 192
    for stage, modules in STAGES.items():
        for name, filters in modules.items():
            layers[name] = Inception(channels, filters)
            channels = filters.out
        if stage != "5":
            layers[f"pool{stage}"] = max_pool()
    layers.update(head(channels, classes))
    return nn.Sequential(layers).eval()


def main() -> None:
    """Check the parameter count and the output shape."""
    model = googlenet()
    params = sum(parameter.numel() for parameter in model.parameters())
    with torch.no_grad():
        shape = tuple(model(torch.zeros(1, *INPUT_SHAPE)).shape)
    print(f"params {params:,} (expected {PARAMS:,}), output {shape}")
    if params != PARAMS:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
