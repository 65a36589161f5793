"""The part of a training step that depends on what is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from tr2m.losses.objective import Objective
from tr2m.models.contract import RescalingModel
from tr2m.models.momentum import MomentumContrast, NoContrast
from tr2m.training.gradients import GradientBuffer
from tr2m.training.window import map_ranges
from tr2m.types import DepthBatch


@dataclass(frozen=True)
class Learning:
    """From the frozen features of a batch to the gradients of Eq. 9. On CUDA it is replayed as a graph: nothing in it
    waits for the device or draws at random.
    """

    model: RescalingModel
    contrast: MomentumContrast | NoContrast
    objective: Objective
    gradients: GradientBuffer

    def __call__(self, batch: DepthBatch, features: Any, partner: Int[Tensor, " B"] | None) -> Float[Tensor, "maps 2"]:
        """Add the gradient and the terms of one part of a batch; returns the ranges of its maps.

        Args:
            features: what `model.encode` made of its images and captions.
            partner: another image of the batch for each one, for the contrast.
        """
        output = self.model.rescale(features)
        contrast = self.contrast(output, features, partner)
        terms = self.objective(output, contrast, features.relative_depth, batch)
        self.gradients.add(terms, len(batch.image))
        return map_ranges(batch, output)
