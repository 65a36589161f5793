"""Frozen models of metric depth, as they were published."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.models.frozen.relative_depth import RelativeDepthModel


class MetricDepthModel(RelativeDepthModel):
    """A depth model of transformers with a metric head: ZoeDepth, Depth Anything V2. Its map is in metres."""


class DepthPro(RelativeDepthModel):
    """Gives inverse depth for a camera whose focal length is its image's width, and the field of view in degrees, which
    states how far the real camera is from that. Read as ml-depth-pro does, into metres.
    """

    def read(self, output: Any, size: tuple[int, int]) -> Float[Tensor, "B H W"]:
        """Resized while it is inverse depth: between a near and a far pixel of metres lies nothing that exists."""
        width_over_focal = 2 * torch.tan(torch.deg2rad(output.field_of_view.float()) / 2)
        inverse_depth = output.predicted_depth.float() * width_over_focal.view(-1, 1, 1)
        return 1 / self.resize_depth(inverse_depth, size).clamp(1e-4, 1e4)
