"""Frozen models of metric depth, as they were published."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.models.frozen.relative_depth import RelativeDepthModel

# Metres: the range that Depth Pro's own reading of its output is cut to.
NEAREST, FARTHEST = 1e-4, 1e4


class MetricDepthModel(RelativeDepthModel):
    """A depth model of transformers with a metric head: ZoeDepth, Depth Anything V2, Depth Pro. Gives metres."""

    def read(self, output) -> Float[Tensor, "B h w"]:
        """Metres. Depth Pro gives inverse depth for a camera whose focal length is its image's width, and the field of
        view in degrees, which says how far the real camera is from that.
        """
        field_of_view = output.get("field_of_view")
        if field_of_view is None:
            return output.predicted_depth
        width_over_focal = 2 * torch.tan(torch.deg2rad(field_of_view.float()) / 2)
        inverse = output.predicted_depth.float() * width_over_focal.view(-1, 1, 1)
        return 1 / inverse.clamp(1 / FARTHEST, 1 / NEAREST)
