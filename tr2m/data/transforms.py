"""From a decoded frame to tensors of the size that the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from tr2m.types import Frame

Tensors = tuple[UInt8[Tensor, "3 H W"], Float[Tensor, "Hd Wd"], Float[Tensor, "H W"] | None]


def resized_first(frame: Frame, image_size: Sequence[int] | None) -> Frame:
    """The frame with its image, not its depth, resized to (height, width) before anything else; as it is for None.

    Bilinear with antialiasing, as the code of published rows does for HyperSim and DIODE.
    """
    if image_size is None:
        return frame
    pixels = torch.from_numpy(np.ascontiguousarray(frame.image)).permute(2, 0, 1)
    return replace(frame, image=F.resize(pixels, list(image_size)).permute(1, 2, 0).numpy())


def training_tensors(frame: Frame, size: Sequence[int]) -> Tensors:
    """Image, depth and relative depth, all at `size` (height, width).

    Depth is resized by nearest neighbour: sparse lidar points keep their values and holes stay holes. "Exact": the
    plain variant rounds towards the upper left, which shifts depth against the image by half a pixel or so.
    """
    image, depth, relative_depth = evaluation_tensors(frame, size)
    resized = F.resize(depth[None], list(size), InterpolationMode.NEAREST_EXACT)
    return image, resized[0], relative_depth


def evaluation_tensors(frame: Frame, size: Sequence[int] | None) -> Tensors:
    """Image and relative depth at `size`, or as they are read; depth keeps the size of its file, where it is scored."""
    # A window of a larger picture is copied first, or torch takes its slow way.
    pixels = torch.from_numpy(np.ascontiguousarray(frame.image)).permute(2, 0, 1)
    relative_depth = None if frame.relative_depth is None else torch.from_numpy(frame.relative_depth)
    if size is not None:
        pixels = F.resize(pixels, list(size), InterpolationMode.BICUBIC)
        if relative_depth is not None:
            relative_depth = F.resize(relative_depth[None], list(size), InterpolationMode.BILINEAR)[0]
    return pixels, torch.from_numpy(frame.depth), relative_depth
