"""Analyze GoogLeNet with a torch-based counter, layer by layer.

    python benchmarks/peers.py torchinfo|fvcore|thop|ptflops

does as a whole process the job of ``archcalc table googlenet``: it imports torch, builds the
model, counts with the named library and prints that library's own per-layer report. Each
library is used as its documentation shows, in evaluation mode, without gradients, and with
the warnings it can turn off turned off.

``PEERS[name].total(model, x)`` is the same analysis without printing; it returns the total
Mult-Adds as that library counts them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from googlenet_torch import INPUT_SHAPE, googlenet
from torch import nn

DEPTH = 5  # model > inception > branch > conv_relu > conv


class Peer(NamedTuple):
    """A library: print its per-layer report, or return its total Mult-Adds."""

    report: Callable[[nn.Module, torch.Tensor], None]
    total: Callable[[nn.Module, torch.Tensor], int]


def example_input() -> torch.Tensor:
    """Return a batch of one image."""
    return torch.zeros(1, *INPUT_SHAPE)


def torchinfo_summary(model: nn.Module, x: torch.Tensor, verbose: int) -> int:
    """Run torchinfo with columns for shapes, parameters and Mult-Adds."""
    import torchinfo

    stats = torchinfo.summary(
        model,
        input_size=tuple(x.shape),
        depth=DEPTH,
        col_names=("input_size", "output_size", "num_params", "mult_adds"),
        row_settings=("var_names",),
        verbose=verbose,
    )
    return int(stats.total_mult_adds)


def torchinfo_report(model: nn.Module, x: torch.Tensor) -> None:
    """Print torchinfo's table."""
    torchinfo_summary(model, x, verbose=1)


def torchinfo_total(model: nn.Module, x: torch.Tensor) -> int:
    """Return torchinfo's total, which counts one addition per output for each bias."""
    return torchinfo_summary(model, x, verbose=0)


def fvcore_analysis(model: nn.Module, x: torch.Tensor) -> Any:
    """Return fvcore's lazy analysis, its warnings turned off."""
    from fvcore.nn import FlopCountAnalysis  # type: ignore[import-untyped]

    analysis = FlopCountAnalysis(model, x)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analysis.tracer_warnings("none")


def fvcore_report(model: nn.Module, x: torch.Tensor) -> None:
    """Print fvcore's table, one line per module (not per weight tensor)."""
    from fvcore.nn import flop_count_table

    analysis = fvcore_analysis(model, x)
    print(flop_count_table(analysis, max_depth=DEPTH, show_param_shapes=False))


def fvcore_total(model: nn.Module, x: torch.Tensor) -> int:
    """Return fvcore's total: what it calls "flops" are multiply-adds."""
    return int(fvcore_analysis(model, x).by_module()[""])


def thop_profile(model: nn.Module, x: torch.Tensor) -> tuple[float, float, dict[str, Any]]:
    """Run thop; it leaves counting buffers behind on containers that it has no rule for."""
    from thop import profile  # type: ignore[import-untyped]

    macs, params, layers = profile(model, inputs=(x,), verbose=False, ret_layer_info=True)
    return macs, params, layers


def print_thop(layers: dict[str, Any], indent: str = "") -> None:
    """Print the nested per-layer results that thop returns (it has no table of its own)."""
    for name, (macs, params, children) in layers.items():
        print(f"{indent + name:<32}{int(params):>12,}{int(macs):>16,}")
        print_thop(children, indent + "  ")


def thop_report(model: nn.Module, x: torch.Tensor) -> None:
    """Print parameters and Mult-Adds per layer, and their totals."""
    macs, params, layers = thop_profile(model, x)
    print_thop({**layers, "total": (macs, params, {})})


def thop_total(model: nn.Module, x: torch.Tensor) -> int:
    """Return thop's total, which includes average pooling and softmax."""
    return int(thop_profile(model, x)[0])


def ptflops_info(model: nn.Module, x: torch.Tensor, per_layer: bool) -> int:
    """Run ptflops with its default backend, which is the faster of its two."""
    from ptflops import get_model_complexity_info  # type: ignore[import-untyped]

    macs, _ = get_model_complexity_info(
        model,
        tuple(x.shape[1:]),
        as_strings=False,
        print_per_layer_stat=per_layer,
        verbose=False,
    )
    return int(macs)


def ptflops_report(model: nn.Module, x: torch.Tensor) -> None:
    """Print ptflops' annotated module tree."""
    ptflops_info(model, x, per_layer=True)


def ptflops_total(model: nn.Module, x: torch.Tensor) -> int:
    """Return ptflops' total: biases and softmax too, each ReLU and pooling twice."""
    return ptflops_info(model, x, per_layer=False)


PEERS = {
    "torchinfo": Peer(torchinfo_report, torchinfo_total),
    "fvcore": Peer(fvcore_report, fvcore_total),
    "thop": Peer(thop_report, thop_total),
    "ptflops": Peer(ptflops_report, ptflops_total),
}


def main() -> None:
    """Print the named library's report on GoogLeNet."""
    parser = argparse.ArgumentParser(description="Report on GoogLeNet with another library.")
    parser.add_argument("library", choices=PEERS)
    peer = PEERS[parser.parse_args().library]
    with torch.no_grad():
        peer.report(googlenet(), example_input())


if __name__ == "__main__":
    main()
