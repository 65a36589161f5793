"""How the authors' evaluation code resizes an image: to a frame's size, then to the network's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from tr2m.limits import Size
from tr2m.types import Frame

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class TwoStepResize:
    """The second step is bilinear with aligned corners and without antialiasing.

    The released code resizes what is normalised already, our networks normalise what they get. The weights of a
    bilinear resize sum to 1, so the order does not matter, as long as nothing is rounded to bytes in between.

    Args:
        frame_size: (height, width) of the first step; None: as the frame is read.
        first: "tensor" is bilinear with antialiasing on floats; "picture" the same on bytes, as PIL does it.
        depth_too: ground truth is resized, by nearest neighbour, in the first step; False: it keeps its own size.
        normalised: False for images that reach the networks in [0, 1]: here they are stretched so that the networks'
            normalisation undoes it.
    """

    frame_size: Size | None = None
    first: Literal["tensor", "picture"] = "tensor"
    depth_too: bool = False
    normalised: bool = True

    def __call__(
        self, frame: Frame, size: Sequence[int]
    ) -> tuple[Float[Tensor, "3 H W"], Float[Tensor, "Hd Wd"], Float[Tensor, "H W"] | None]:
        """Image at `size` (height, width) in floats, depth, and relative depth at `size`, if there is any."""
        image, depth = self.at_frame_size(frame.image), torch.from_numpy(frame.depth)
        if self.depth_too and self.frame_size is not None:
            depth = F.resize(depth[None], list(self.frame_size), InterpolationMode.NEAREST_EXACT)[0]
        image = aligned_corners(image, size)
        if not self.normalised:
            image = image * torch.tensor(IMAGENET_STD).view(3, 1, 1) + torch.tensor(IMAGENET_MEAN).view(3, 1, 1)
        relative = None if frame.relative_depth is None else torch.from_numpy(frame.relative_depth)[None]
        return image, depth, None if relative is None else aligned_corners(relative, size)[0]

    def at_frame_size(self, image: UInt8[np.ndarray, "H W 3"]) -> Float[Tensor, "3 Hf Wf"]:
        """RGB in [0, 1] after the first step."""
        if self.frame_size is not None and self.first == "picture":
            height, width = self.frame_size
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        if self.frame_size is not None and self.first == "tensor":
            pixels = F.resize(pixels, list(self.frame_size), InterpolationMode.BILINEAR, antialias=True)
        return pixels


def aligned_corners(values: Float[Tensor, "C h w"], size: Sequence[int]) -> Float[Tensor, "C H W"]:
    """Bilinear, the centres of the corner pixels on one another."""
    return functional.interpolate(values[None], size, mode="bilinear", align_corners=True)[0]
