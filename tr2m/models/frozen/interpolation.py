"""How an image or a map is resized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Interpolation:
    """torch's interpolation with its three choices. Published networks differ in them, and their numbers with it.

    Args:
        mode: "bicubic" without antialiasing is OpenCV's INTER_CUBIC, with it Pillow's.
        align_corners: the corner pixels' centres keep their place, instead of the corners of the frame.
        antialias: average over all pixels that a smaller one covers; excludes `align_corners`.
    """

    mode: Literal["bilinear", "bicubic"]
    align_corners: bool
    antialias: bool

    def __call__(self, values: Float[Tensor, "B C h w"], size: tuple[int, int]) -> Float[Tensor, "B C H W"]:
        """`values` at `size` (height, width); untouched if they have that size."""
        if tuple(values.shape[-2:]) == tuple(size):
            return values
        return F.interpolate(values, size, mode=self.mode, align_corners=self.align_corners, antialias=self.antialias)
