"""Edge-aware smoothness of the scale and shift maps (Sec. 3.4, after Godard et al. 2017)."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn


class EdgeAwareSmoothness(nn.Module):
    """mean |d map| * exp(-mean over channels |d image|), horizontally plus vertically.

    Args:
        space: "raw" takes the map itself; "log" its logarithm, so that a desk (maps near 1 / metre) and a street (near
            0.05 / metre) are smoothed alike.
    """

    def __init__(self, space: Literal["raw", "log"]) -> None:
        super().__init__()
        self.space = space

    def forward(self, positive_map: Float[Tensor, "B H W"], image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
        if self.space == "log":
            # A map that is switched off is 0 everywhere (Table 11): it is smooth, and has no logarithm.
            positive_map = positive_map.clamp(min=1e-6).log()
        edge_x = image.diff(dim=-1).abs().mean(dim=1)
        edge_y = image.diff(dim=-2).abs().mean(dim=1)
        return (positive_map.diff(dim=-1).abs() * (-edge_x).exp()).mean() + (
            positive_map.diff(dim=-2).abs() * (-edge_y).exp()
        ).mean()
