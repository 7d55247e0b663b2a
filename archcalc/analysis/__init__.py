"""Folds over the graph: costs, receptive field, depth, and the rows they make."""

from __future__ import annotations

from archcalc.analysis.analysis import Analysis

__all__ = ["Analysis"]
