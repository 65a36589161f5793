"""Scoring a method on a data set: one loop for models and baselines alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import EvaluationFrames, collate
from tr2m.errors import UserError
from tr2m.evaluation import protocol as protocols
from tr2m.models.tr2m import TR2M
from tr2m.ops.metrics import METRICS
from tr2m.types import DepthBatch


@runtime_checkable
class Method(Protocol):
    """Anything that gives metric depth for a batch of one frame."""

    alignment: str
    """"none", or how ground truth was used; part of the result's protocol."""

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B h w"]: ...


@dataclass(frozen=True)
class ModelMethod:
    """A TR2M model as an evaluation method."""

    model: TR2M
    alignment: str = "none"

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B H W"]:
        return self.model(batch.image, batch.captions, batch.relative_depth).metric_depth


@dataclass(frozen=True)
class Evaluation:
    """A data set's result: what goes into the JSON file, and one row of metrics per image."""

    result: dict[str, Any]
    rows: list[dict[str, Any]]


@torch.no_grad()
def evaluate(
    method: Method,
    dataset: DepthDataset,
    protocol: protocols.Protocol,
    device: torch.device,
    workers: int,
    on_prediction: Callable[[int, DepthBatch, Tensor], None] | None = None,
) -> Evaluation:
    """Score `method` on every frame of `dataset`, one frame at a time, so that results do not depend on a batch size.

    Args:
        on_prediction: called with the frame's number, its batch of one and the prediction (h, w): for pictures.

    Raises:
        UserError: no frame of the data set has enough valid pixels.
    """
    loader = DataLoader(EvaluationFrames(dataset), collate_fn=collate, num_workers=workers)
    rows, skipped = [], []
    for number, batch in enumerate(tqdm(loader, desc=f"evaluate {dataset.name}", leave=False)):
        batch = batch.to(device)
        prediction = method(batch)[0]
        if on_prediction is not None:
            on_prediction(number, batch, prediction)
        metrics = protocol.score(prediction, batch.depth[0], batch.valid[0])
        if metrics is None:
            skipped.append(batch.sample_ids[0])
        else:
            rows.append({"sample_id": batch.sample_ids[0], **metrics})
    if not rows:
        raise UserError(
            f"{dataset.name}: none of {len(skipped)} frames has {protocols.MIN_PIXELS} valid pixels between "
            f"{protocol.min_depth} and {protocol.max_depth} {protocol.unit}; check the unit its depth files decode to"
        )
    return Evaluation(summarise(rows, skipped, dataset, protocol, method.alignment), rows)


def summarise(
    rows: list[dict[str, Any]], skipped: list[str], dataset: DepthDataset, protocol: protocols.Protocol, alignment: str
) -> dict[str, Any]:
    """The result of a data set: metrics averaged over images, with the protocol they were measured under."""
    return {
        "dataset": dataset.name,
        "n_images": len(rows),
        "n_skipped": len(skipped),
        "skipped": skipped,
        "metrics": {name: sum(row[name] for row in rows) / len(rows) for name in METRICS},
        "unit": protocol.unit,
        "protocol": {**protocol.describe(), "alignment": alignment, **dataset.describe()},
    }
