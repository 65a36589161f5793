"""Networks as they were published, as evaluation methods."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from tr2m.evaluation.alignment import Kind
from tr2m.models.contract import RescalingModel
from tr2m.types import UNITS_PER_METRE, DepthBatch


@dataclass(frozen=True)
class DepthNetwork:
    """A network that sees the image and nothing else.

    Args:
        model: RGB (B, 3, H, W) in [0, 1] -> (B, H, W).
        kind: what it predicts: metres, whatever the unit of the data set, or relative depth. Relative depth that comes
            with the data is used in place of the model's.
    """

    model: nn.Module
    kind: Kind

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B h w"]:
        if self.kind == "relative_depth" and batch.relative_depth is not None:
            return batch.relative_depth
        prediction = self.model(batch.image)
        return prediction if self.kind == "relative_depth" else prediction * UNITS_PER_METRE[batch.unit]


@dataclass(frozen=True)
class CaptionedDepthNetwork:
    """A published network that reads the caption too, and predicts metres, whatever the unit of the data set."""

    model: RescalingModel
    kind: Kind = "metric_depth"

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B H W"]:
        depth = self.model(batch.image, batch.captions, batch.relative_depth).metric_depth
        return depth * UNITS_PER_METRE[batch.unit]
