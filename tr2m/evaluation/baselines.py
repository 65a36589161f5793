"""Methods that are not trained here: networks as they were published, and the alignment rows of Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from tr2m.data.mixing import collate
from tr2m.evaluation.alignment import GlobalFit, Kind, inverse_depth
from tr2m.evaluation.evaluator import Method, Scored
from tr2m.evaluation.protocol import resize_to
from tr2m.types import DepthBatch


@dataclass(frozen=True)
class DepthNetwork:
    """A network that sees the image and nothing else.

    Args:
        model: RGB (B, 3, H, W) in [0, 1] -> (B, H, W).
        kind: what it gives. Relative depth that the data bring along is used in place of the model's.
    """

    model: nn.Module
    kind: Kind

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B h w"]:
        if self.kind == "relative_depth" and batch.relative_depth is not None:
            return batch.relative_depth
        return self.model(batch.image)


@dataclass(frozen=True)
class FitGlobally:
    """Asks for `fit_global`: an alignment that is known only once the training frames have been seen."""


@torch.no_grad()
def fit_global(method: Method, scored: Sequence[Scored], device: torch.device) -> GlobalFit:
    """The scale and shift that fit 1 / depth best over all frames of `scored`, each frame with equal weight."""
    matrix, vector = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for entry in scored:
        for index in tqdm(range(len(entry.dataset)), desc=f"global fit {entry.dataset.name}", leave=False):
            batch = collate([(entry.dataset, entry.dataset.evaluation_sample(index))]).to(device)
            depth, counts = batch.depth[0], entry.protocol.scored(batch.depth[0], batch.valid[0])
            if not counts.any():
                continue
            predicted = resize_to(method(batch)[0], (depth.shape[0], depth.shape[1]))
            inverse = inverse_depth(predicted, method.kind)[counts]
            design = torch.stack([inverse, torch.ones_like(inverse)], dim=1).double().cpu()
            matrix += design.T @ design / len(design)
            vector += design.T @ (1 / depth[counts].double().cpu()) / len(design)
    scale, shift = torch.linalg.solve(matrix, vector).tolist()
    return GlobalFit(scale, shift)
