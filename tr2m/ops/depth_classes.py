"""Depth to classes of its own distribution (Eq. 7), at the resolution of the projected features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

NO_CLASS = -1


def depth_extent(
    depth: Float[Tensor, "B H W"], valid: Bool[Tensor, "B H W"]
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """d_min and d_max of each image over its valid pixels (inf and -inf where there is none)."""
    low = depth.where(valid, torch.inf).flatten(1).amin(dim=1)
    high = depth.where(valid, -torch.inf).flatten(1).amax(dim=1)
    return low, high


def depth_classes(
    depth: Float[Tensor, "B H W"],
    valid: Bool[Tensor, "B H W"],
    low: Float[Tensor, " B"],
    high: Float[Tensor, " B"],
    classes: int,
) -> Int[Tensor, "B H W"]:
    """Y = round((d_max - D) / (d_max - d_min) * classes), NO_CLASS where not valid                         (Eq. 7)

    As printed this gives classes + 1 labels, 0 (farthest) to `classes` (nearest); constant depth is all class 0.
    """
    low, high = low[:, None, None], high[:, None, None]
    spread = high - low
    has_spread = spread > 0
    position = (high - depth) / spread.where(has_spread, 1.0)
    label = torch.round(position.where(valid & has_spread, 0.0) * classes).long()
    return label.where(valid, NO_CLASS)


def cell_depth(
    depth: Float[Tensor, "B H W"], valid: Bool[Tensor, "B H W"], cell: int
) -> tuple[Float[Tensor, "B h w"], Bool[Tensor, "B h w"]]:
    """Mean depth over the valid pixels of each cell of `cell` x `cell` pixels, and which cells have any.

    Means, because sparse ground truth seldom has a point where nearest-neighbour sampling would look. Border cells
    may be partial, as the projector's pooling windows are.
    """
    weight = valid.float()
    height, width = depth.shape[1:]
    padded = F.pad(torch.stack([depth * weight, weight]), (0, -width % cell, 0, -height % cell))
    # torch's pooling is slow for windows of this size.
    total, count = padded.unflatten(3, (-1, cell)).sum(dim=4).unflatten(2, (-1, cell)).sum(dim=3)
    return total / count.clamp(min=1), count > 0
