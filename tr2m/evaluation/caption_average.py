"""One image under several captions: their mean depth, and how far they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.data.depth_dataset import DepthDataset
from tr2m.evaluation.alignment import Kind
from tr2m.models.contract import RescalingModel
from tr2m.types import DepthBatch, TR2MOutput


@dataclass
class CaptionAverage:
    """A model as an evaluation method that reads all captions of a frame, not just the first."""

    model: RescalingModel
    dataset: DepthDataset
    kind: Kind = "metric_depth"
    spreads: dict[str, float] = field(default_factory=dict)
    """For each frame the mean over its pixels of the spread of `average_over_captions`."""

    def __post_init__(self) -> None:
        self.model.require_captions("captions=average")

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "1 H W"]:
        (sample_id,) = batch.sample_ids
        captions = self.dataset.captions.lines(self.dataset.split, sample_id)
        output, spread = average_over_captions(self.model, batch.image, captions, batch.relative_depth)
        self.spreads[sample_id] = spread.mean().item()
        return output.metric_depth


@torch.no_grad()
def average_over_captions(
    model: RescalingModel,
    image: Float[Tensor, "1 3 H W"],
    captions: Sequence[str],
    relative_depth: Float[Tensor, "1 H W"] | None = None,
) -> tuple[TR2MOutput, Float[Tensor, "1 H W"]]:
    """Geometric mean over `captions` of both maps and of the depth, and the standard deviation of ln(depth).

    The spread says how far the scale of each pixel hangs on the wording: 0.1 is about 10 %. The image is encoded once.
    """
    features = model.encode(image, captions[:1], relative_depth)
    if len(captions) == 1:
        output = model.rescale(features)
        return output, torch.zeros_like(output.metric_depth)
    outputs = [model.rescale(model.with_caption(features, caption)) for caption in captions]

    def mean(name: str) -> Float[Tensor, "1 H W"]:
        return torch.stack([getattr(output, name) for output in outputs]).log().mean(dim=0).exp()

    spread = torch.stack([output.metric_depth for output in outputs]).log().std(dim=0, correction=0)
    maps = {name: mean(name) for name in ("scale_map", "shift_map", "metric_depth")}
    return replace(outputs[0], **maps), spread
