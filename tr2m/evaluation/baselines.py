"""The alignment rows of Tables 1 and 2: relative depth brought to metres without a network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import collate
from tr2m.errors import UserError
from tr2m.evaluation.protocol import Protocol, resize_to
from tr2m.models.tr2m import MIN_INVERSE_DEPTH
from tr2m.ops.alignment import MIN_RELATIVE_DEPTH, fit_scale_shift, masked_median
from tr2m.types import DepthBatch


def relative_at_ground_truth(batch: DepthBatch) -> Float[Tensor, "1 H W"]:
    """The relative depth of a batch of one frame, at the size of its ground truth."""
    if batch.relative_depth is None:
        raise UserError(f"{batch.dataset}: alignment baselines need relative depth, and this data set brings none")
    return resize_to(batch.relative_depth[0], (batch.depth.shape[1], batch.depth.shape[2]))[None]


@dataclass(frozen=True)
class MedianScale:
    """depth = s / relative_depth, s the ratio of medians over the scored pixels of each image. Uses ground truth."""

    protocol: Protocol
    alignment: str = "median of each image (uses ground truth)"

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "1 H W"]:
        scored = self.protocol.scored(batch.depth[0], batch.valid[0])[None]
        inverted = 1 / relative_at_ground_truth(batch).clamp(min=MIN_RELATIVE_DEPTH)
        ratio = masked_median(batch.depth, scored) / masked_median(inverted, scored)
        return inverted * ratio[:, None, None]


@dataclass(frozen=True)
class LinearFit:
    """depth = 1 / (s * relative_depth + t), least squares in inverse depth over the scored pixels. Uses ground
    truth.
    """

    protocol: Protocol
    alignment: str = "linear fit of each image in inverse depth (uses ground truth)"

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "1 H W"]:
        scored = self.protocol.scored(batch.depth[0], batch.valid[0])[None]
        relative = relative_at_ground_truth(batch)
        scale, shift = fit_scale_shift(relative, 1 / batch.depth.where(scored, 1.0), scored)
        return invert(scale[:, None, None] * relative + shift[:, None, None])


@dataclass(frozen=True)
class GlobalFit:
    """depth = 1 / (s * relative_depth + t) with one s and t for all images."""

    scale: float
    shift: float
    alignment: str = "one scale and shift, fitted on training frames"

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "1 H W"]:
        return invert(self.scale * relative_at_ground_truth(batch) + self.shift)


def fit_global(datasets: list[tuple[DepthDataset, Protocol]]) -> GlobalFit:
    """The scale and shift that fit 1 / depth best over all frames of `datasets`, each frame with equal weight."""
    matrix, vector = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for dataset, protocol in datasets:
        for index in tqdm(range(len(dataset)), desc=f"global fit {dataset.name}", leave=False):
            sample = dataset.evaluation_sample(index)
            scored = protocol.scored(sample.depth, sample.valid)
            if not scored.any():
                continue
            relative = relative_at_ground_truth(collate([(dataset, sample)]))[0][scored]
            design = torch.stack([relative, torch.ones_like(relative)], dim=1).double()
            matrix += design.T @ design / len(design)
            vector += design.T @ (1 / sample.depth[scored].double()) / len(design)
    scale, shift = torch.linalg.solve(matrix, vector).tolist()
    return GlobalFit(scale, shift)


def invert(inverse_depth: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B H W"]:
    """Metres; where the fit is not positive the point is far away, which the protocol's range then cuts."""
    return 1 / inverse_depth.clamp(min=MIN_INVERSE_DEPTH)
