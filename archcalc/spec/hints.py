"""Hints for what people write who know other tools: their words for our kinds and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.errors import did_you_mean, plain

if TYPE_CHECKING:
    from collections.abc import Collection

# What other tools call a kind -> what it is here.
KINDS = {
    "bn": "batchnorm", "batchnormalization": "batchnorm", "batchnorm2d": "batchnorm",
    "convolution": "conv", "conv2d": "conv", "conv1d": "conv", "conv3d": "conv",
    "depthwise": "conv with groups: channels", "depthwiseconv2d": "conv with groups: channels",
    "deconv": "convtranspose", "deconvolution": "convtranspose", "transposedconv": "convtranspose",
    "fc": "linear", "dense": "linear", "fullyconnected": "linear", "innerproduct": "linear",
    "pool": "maxpool or avgpool", "pooling": "maxpool or avgpool",
    "maxpooling2d": "maxpool", "maxpool2d": "maxpool",
    "averagepool": "avgpool", "averagepooling2d": "avgpool", "avgpool2d": "avgpool",
    "gap": "globalavgpool", "globalpool": "globalavgpool", "globalaveragepool": "globalavgpool",
    "globalaveragepooling2d": "globalavgpool",
    "localresponsenorm": "lrn", "swish": "silu", "residual": "add", "sum": "add",
    "concatenate": "concat", "cat": "concat", "mul": "multiply", "loop": "repeat or for",
    "if": "when", "foreach": "for", "reshape": "flatten", "shuffle": "channelshuffle",
}  # fmt: skip

# What other tools call a field -> what it may be here.
FIELDS = {
    "filters": ("out",), "channels": ("out",), "outchannels": ("out",), "numoutput": ("out",),
    "units": ("out",), "features": ("out",), "outfeatures": ("out",), "planes": ("out",),
    "kernelsize": ("kernel",), "k": ("kernel",), "ksize": ("kernel",), "poolsize": ("kernel",),
    "size": ("kernel", "scale"), "s": ("stride",), "strides": ("stride",), "pad": ("padding",),
    "p": ("padding", "rate"), "dilationrate": ("dilation",), "group": ("groups",),
    "usebias": ("bias",), "ceilmode": ("ceil",), "countincludepad": ("count_padding",),
    "outputpadding": ("extra",), "outputsize": ("size",), "scalefactor": ("scale",),
    "input": ("from",), "inputs": ("from",), "share": ("weights",), "then": ("layers",),
    "if": ("condition", "when"), "n": ("times",), "body": ("layers",),
}  # fmt: skip


def kind(word: str, known: Collection[str]) -> str | None:
    """A hint for a word that is no layer kind."""
    if other := KINDS.get(plain(word)):
        return f"here that is {other}"
    return did_you_mean(word, known)


def field(word: str, known: Collection[str]) -> str | None:
    """A hint for a word that is no field."""
    for other in FIELDS.get(plain(word), ()):
        if other in known:
            return f"here that is {other}"
    if plain(word) == "times":
        return "blocks take it: put it into one"
    return did_you_mean(word, known)


def name(word: str, known: Collection[str]) -> str:
    """A hint for a name that an expression uses and nobody defined."""
    if word.lower() in ("yes", "no", "on", "off"):
        return "write true or false"
    return did_you_mean(word, known) or f"a word stands in quotes: '{word}'"


def not_yaml(problem: str) -> str | None:
    """A hint for what YAML's own parser complains of."""
    if "cannot start any token" in problem:
        return "tabs can't indent YAML; text that starts with @, ` or % needs quotes"
    if "flow" in problem or "did not find expected" in problem:
        return "inside braces and brackets, text that holds , { } [ ] or : needs quotes"
    return None
