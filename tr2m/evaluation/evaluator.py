"""Scoring a method on a data set: one loop for models and baselines, one pass for all"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Subset
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.loading import data_loader
from tr2m.data.mixing import collate
from tr2m.distributed import gather, is_main, process_count, process_rank
from tr2m.errors import UserError
from tr2m.evaluation.alignment import Kind
from tr2m.evaluation.protocol import Protocol
from tr2m.models.contract import RescalingModel
from tr2m.ops.metrics import METRICS
from tr2m.types import DepthBatch


@typing.runtime_checkable
class Method(typing.Protocol):
    """Anything that predicts depth for a batch of frames of one size. It never looks at the ground truth."""

    @property
    def kind(self) -> Kind:
        """What it predicts; the protocol's alignment goes by it."""
        ...

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B h w"]: ...


@dataclass(frozen=True)
class ModelMethod:
    """A model that was trained here as an evaluation method."""

    model: RescalingModel
    kind: Kind = "metric_depth"

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B H W"]:
        return self.model(batch.image, batch.captions, batch.relative_depth).metric_depth


@dataclass(frozen=True)
class EvaluationSet:
    """A data set's evaluation frames, and the protocol they are scored under."""

    dataset: DepthDataset
    protocol: Protocol


@dataclass(frozen=True)
class Evaluation:
    """A result: what goes into the JSON file, and one row of metrics per image."""

    result: dict[str, Any]
    rows: list[dict[str, Any]]


class EvaluationFrames(Dataset):
    """For every frame what each reading of it gives: a batch of one, or None for a reading that leaves it out.

    Readings are the same data set under protocols that decode, mask or select its frames differently.
    """

    def __init__(self, readings: Sequence[DepthDataset]) -> None:
        self.readings = list(readings)
        self.positions = [{name: index for index, name in enumerate(reading.sample_ids)} for reading in readings]
        self.sample_ids = list(dict.fromkeys(name for reading in readings for name in reading.sample_ids))

    def __len__(self) -> int:
        return len(self.sample_ids)

    def __getitem__(self, index: int) -> list[DepthBatch | None]:
        name = self.sample_ids[index]
        return [
            collate([(reading, reading.evaluation_sample(positions[name]))]) if name in positions else None
            for reading, positions in zip(self.readings, self.positions, strict=True)
        ]


Read = tuple[int, list[DepthBatch | None]]
"""A frame's number, and what `EvaluationFrames` gives for it."""


def in_batches(frames: Iterable[Read], batch_size: int) -> Iterator[list[Read]]:
    """Up to `batch_size` frames at a time that follow each other, are left out by the same readings, and are equal in
    the sizes of their maps.
    """

    def shapes(read: Read) -> list[Any]:
        return [batch and batch.shapes for batch in read[1]]

    for _, alike in groupby(frames, shapes):
        while together := list(islice(alike, batch_size)):
            yield together


@dataclass
class Predictions:
    """The predictions for a batch: computed once for all protocols that show the method the same input."""

    method: Method
    _known: list[tuple[DepthBatch, bool, Tensor]] = field(default_factory=list)

    def __call__(self, batch: DepthBatch, flip: bool) -> Float[Tensor, "B h w"]:
        for known, flipped, prediction in self._known:
            if flipped == flip and known.shows_the_same(batch):
                return prediction
        prediction = self.method(batch)
        if flip:
            prediction = (prediction + self.method(batch.mirrored()).flip(-1)) / 2
        self._known.append((batch, flip, prediction))
        return prediction


@torch.no_grad()
def evaluate(
    method: Method,
    sets: Sequence[EvaluationSet],
    device: torch.device,
    workers: int,
    on_prediction: Callable[[int, DepthBatch, Tensor], None] | None = None,
    batch_size: int = 1,
) -> list[Evaluation]:
    """Score `method` on every frame.

    Several processes take turns at the frames; each gets the whole result, the same as that of one process.

    Args:
        sets: one data set under one or several protocols; the method runs once for all of them where it can.
        batch_size: most frames, of one size, that the method sees at once. Predictions are those of one frame at a
            time up to rounding.
        on_prediction: called with the frame's number, its batch of one and the prediction (h, w) for the first of
            `sets`: for pictures.

    Raises:
        UserError: under some protocol no frame has enough valid pixels.
    """
    readings = list(dict.fromkeys(entry.dataset for entry in sets))
    frames = EvaluationFrames(readings)
    own = range(process_rank(), len(frames), process_count())
    loader = data_loader(Subset(frames, own), workers, batch_size=None)
    scores: list[dict[int, dict[str, Any]]] = [{} for _ in sets]
    title = f"evaluate {sets[0].dataset.name}"
    progress = tqdm(loader, desc=title, leave=False, disable=None if is_main() else True)
    for together in in_batches(zip(own, progress, strict=True), batch_size):
        numbers, reads = zip(*together, strict=True)
        batches = [
            None if parts[0] is None else DepthBatch.joined(parts).to(device) for parts in zip(*reads, strict=True)
        ]
        predict = Predictions(method)
        for position, entry in enumerate(sets):
            batch = batches[readings.index(entry.dataset)]
            if batch is None:
                continue
            predictions = predict(batch, entry.protocol.flip_tta)
            for number, frame, prediction in zip(numbers, batch.split(), predictions, strict=True):
                if on_prediction is not None and position == 0:
                    on_prediction(number, frame, prediction)
                metrics = entry.protocol.score(prediction, frame.depth[0], frame.valid[0], method.kind)
                scores[position][number] = {"sample_id": frame.sample_ids[0], **(metrics or {})}
    parts = gather(scores)
    return [summarise([part[i] for part in parts], entry) for i, entry in enumerate(sets)]


def summarise(parts: Sequence[dict[int, dict[str, Any]]], entry: EvaluationSet) -> Evaluation:
    """Metrics averaged over images in the order of the frames, with the protocol they were measured under.

    Args:
        parts: what each process scored, by the frame's number; a frame without metrics had too few valid pixels.
    """
    merged = {number: score for part in parts for number, score in part.items()}
    scores = [merged[number] for number in sorted(merged)]
    rows = [score for score in scores if len(score) > 1]
    skipped = [score["sample_id"] for score in scores if len(score) == 1]
    dataset, protocol = entry.dataset, entry.protocol
    if not rows:
        raise UserError(
            f"{dataset.name}: none of {len(skipped)} frames has {protocol.min_pixels} valid pixels between "
            f"{protocol.min_depth} and {protocol.max_depth} {dataset.unit}; check the unit its depth files decode to"
        )
    result = {
        "dataset": dataset.name,
        "n_images": len(rows),
        "n_skipped": len(skipped),
        "skipped": skipped,
        "nonfinite_pixels": sum(row["nonfinite_pixels"] for row in rows),
        "metrics": {name: sum(row[name] for row in rows) / len(rows) for name in METRICS},
        "unit": dataset.unit,
        "protocol": {**protocol.conditions(), **dataset.conditions()},
    }
    return Evaluation(result, rows)
