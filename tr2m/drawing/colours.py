"""The colours of everything that is drawn, so that a map looks the same in every picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

# Okabe and Ito's colours, distinct for all common kinds of colour vision, each with a shape of its own.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "x")
# Names of matplotlib's colour maps: near is bright, in depth as in relative depth.
DEPTH, RELATIVE_DEPTH, MAP = "magma_r", "magma", "viridis"
DIFFERENCE = "RdBu_r"
"""Of a signed change, with 0 in the middle: blue is less, red is more."""
ABS_REL = {"cmap": "inferno", "vmin": 0, "vmax": 0.5}


def depth_style(depth: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"]) -> dict[str, Any]:
    """imshow's arguments for this depth and for predictions of it: from the 2nd to the 98th percentile of what is
    scored.
    """
    if not scored.any():
        return {"cmap": DEPTH, "vmin": 0.0, "vmax": 1.0}
    values = depth[scored][:: max(1, int(scored.sum()) // 100_000)]
    near, far = torch.quantile(values, torch.tensor([0.02, 0.98])).tolist()
    return {"cmap": DEPTH, "vmin": near, "vmax": far}


def holes(values: Float[Tensor, "H W"], scored: Bool[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """NaN, which is drawn as a hole, wherever nothing is scored."""
    return values.where(scored, float("nan"))


def colourise(
    values: Float[np.ndarray, "H W"], colours: str, limits: tuple[float, float] | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """BGR picture of a map between `limits` or its 2 % and 98 % quantiles; black where it is NaN or infinite."""
    from matplotlib import colormaps

    known = np.isfinite(values)
    low, high = limits or (np.quantile(values[known], [0.02, 0.98]) if known.any() else (0, 1))
    position = np.clip((np.where(known, values, low) - low) / max(high - low, 1e-12), 0, 1)
    # The map's own 256 colours, looked up: matplotlib's call would make four float64 a pixel.
    table = (colormaps[colours](np.arange(256))[:, 2::-1] * 255).round().astype(np.uint8)
    picture = table[np.minimum(position * 256, 255).astype(np.uint8)]
    picture[~known] = 0
    return picture
