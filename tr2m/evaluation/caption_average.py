"""One image under several captions: their mean depth, and how far they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.data.depth_dataset import DepthDataset
from tr2m.evaluation.alignment import Kind
from tr2m.models.contract import RescalingModel
from tr2m.types import DepthBatch, TR2MOutput, with_maps


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

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B H W"]:
        captions = [self.dataset.captions.lines(self.dataset.split, sample_id) for sample_id in batch.sample_ids]
        if len({len(sentences) for sentences in captions}) > 1:
            return torch.cat([self(frame) for frame in batch.split()])
        features = self.model.encode(batch.image, [sentences[0] for sentences in captions], batch.relative_depth)
        output, spread = average_over_captions(self.model, features, captions)
        self.spreads |= dict(zip(batch.sample_ids, spread.mean(dim=(1, 2)).tolist(), strict=True))
        return output.metric_depth


@torch.no_grad()
def average_over_captions(
    model: RescalingModel, features: Any, captions: Sequence[Sequence[str]]
) -> tuple[TR2MOutput, Float[Tensor, "B H W"]]:
    """Geometric mean over each image's `captions` of both maps and of the depth, and the standard deviation of
    ln(depth).

    The spread is how far the scale of each pixel hangs on the wording: 0.1 is about 10 %.

    Args:
        features: of the images, encoded under the first caption of each.
        captions: for each image equally many.
    """
    return mean_output(outputs_under(model, features, captions))


def outputs_under(model: RescalingModel, features: Any, captions: Sequence[Sequence[str]]) -> list[TR2MOutput]:
    """The output under the first caption of each image, under the second, ...; arguments as above."""
    _, *others = zip(*captions, strict=True)
    again = (model.rescale(model.with_captions(features, list(other))) for other in others)
    return [with_maps(model.rescale(features)), *map(with_maps, again)]


def mean_output(outputs: Sequence[TR2MOutput]) -> tuple[TR2MOutput, Float[Tensor, "B H W"]]:
    """The mean and the spread that `average_over_captions` describes."""
    if len(outputs) == 1:
        return outputs[0], torch.zeros_like(outputs[0].metric_depth)

    def mean(name: str) -> Float[Tensor, "B H W"]:
        return torch.stack([getattr(output, name) for output in outputs]).log().mean(dim=0).exp()

    spread = torch.stack([output.metric_depth for output in outputs]).log().std(dim=0, correction=0)
    maps = {name: mean(name) for name in ("scale_map", "shift_map", "metric_depth")}
    return replace(outputs[0], **maps), spread
