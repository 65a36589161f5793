"""Photos from disk to files of predictions, batch by batch."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from tr2m.errors import CannotWriteError, UserError
from tr2m.inference.batches import ReadPhoto, batches, read_photos
from tr2m.inference.files import save_prediction
from tr2m.inference.inputs import describe_captions
from tr2m.inference.photos import Photo
from tr2m.inference.predict import Prediction, predict_batch
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.precision import Precision
from tr2m.models.frozen.relative_depth import StoredRelativeDepth
from tr2m.points.camera import Camera
from tr2m.points.files import load_trimesh, save_scene
from tr2m.types import Unit

KINDS_3D = {"points", "mesh"}


@dataclass(frozen=True)
class PredictSettings:
    """What holds for all photos of a run; the options of `tr2m predict`."""

    out: Path
    kinds: Sequence[str]
    checkpoint: str
    checkpoint_sha256: str
    precision: Precision
    """Of the model's networks: float32 or bfloat16."""
    input_size: int | None
    model_unit: Unit
    """Of what the network outputs."""
    unit: Unit
    """Of what is written."""
    focal_px: float | None
    fov_deg: float | None
    batch_size: int

    def facts(self, photo: Photo) -> dict[str, Any]:
        """What prediction.json states of how `photo` is predicted, and what a resumed run compares."""
        return {
            "image": str(photo.path),
            "captions": describe_captions(photo.captions),
            "checkpoint": self.checkpoint,
            "checkpoint_sha256": self.checkpoint_sha256,
            "precision": self.precision,
            "input_size": self.input_size,
            "model_unit": self.model_unit,
            "unit": self.unit,
            "relative_depth": None if photo.relative_depth is None else str(photo.relative_depth),
            "given_focal_px": self.focal_px,
            "given_fov_deg": self.fov_deg,
        }


def predict_photos(model: RescalingModel, photos: Sequence[Photo], settings: PredictSettings) -> dict[Photo, str]:
    """Predict `photos` and write the files of each. Returns those that failed, each with the reason: one bad photo must
    not cost the others.

    Raises:
        UserError: the model has no maps, or no relative depth of its own where a photo has none; points are asked for
            and trimesh is not installed; or the disk is full.
    """
    model.require_maps("predict")
    if isinstance(model.relative_depth, StoredRelativeDepth) and any(photo.relative_depth is None for photo in photos):
        raise UserError(StoredRelativeDepth.REFUSAL)
    if KINDS_3D & set(settings.kinds):
        load_trimesh()
    failed: dict[Photo, str] = {}
    assumed: list[Camera] = []
    written, start = 0, time.perf_counter()
    for batch in batches(read_photos(photos, failed), settings.batch_size):
        try:
            predictions = predict_together(model, batch, settings)
        except UserError as error:
            failed |= {read.photo: str(error) for read in batch}
            continue
        for read, prediction in zip(batch, predictions, strict=True):
            try:
                prediction.require_finite()
                camera = save(read, prediction, settings)
            except CannotWriteError as error:
                raise UserError("\n       ".join([*problems(failed), str(error)])) from error
            except UserError as error:
                failed[read.photo] = str(error)
                continue
            assumed += [camera] if camera is not None and camera.is_assumed else []
            written += 1
            state = progress(written + len(failed), len(photos), time.perf_counter() - start)
            place = settings.out / read.photo.name
            print(f"{state}{read.photo.path.name}: {summary(prediction)}; written to {place}", flush=True)
    if assumed:
        found = f"{len(assumed)} of {len(photos)} photos have no focal length, {assumed[0].source}"
        print(f"{found}; give --focal-px or --fov-deg", file=sys.stderr)
    return failed


def problems(failed: Mapping[Photo, str]) -> list[str]:
    """What is wrong with each photo, and with which."""
    return [m if str(photo.path) in m else f"{photo.path}: {m}" for photo, m in failed.items()]


def progress(done: int, count: int, seconds: float) -> str:
    """How many of `count` photos are done after `seconds`, and the time left; nothing where there is one photo."""
    left = tqdm.format_interval(seconds / done * (count - done))
    return f"{done}/{count}, {left} left: " if count > 1 else ""


def predict_together(
    model: RescalingModel, batch: Sequence[ReadPhoto], settings: PredictSettings
) -> Iterator[Prediction]:
    """`predict_batch`, for photos. Raises UserError also if they do not fit into memory."""
    images, captions = [read.image for read in batch], [read.photo.captions for read in batch]
    given = [read.relative_depth for read in batch if read.relative_depth is not None] or None
    try:
        return predict_batch(model, images, captions, settings.input_size, given, settings.model_unit)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{len(batch)} photos at once do not fit into the device's memory: give a smaller --batch-size, or a "
            "smaller --input-size"
        ) from error


def save(read: ReadPhoto, prediction: Prediction, settings: PredictSettings) -> Camera | None:
    """Write the files of one photo. Returns the camera of its points and mesh; None where neither is asked for."""
    out, facts = settings.out / read.photo.name, settings.facts(read.photo)
    converted = prediction.in_unit(settings.unit)
    if not KINDS_3D & set(settings.kinds):
        save_prediction(converted, out, facts, settings.kinds)
        return None
    size = (read.image.shape[0], read.image.shape[1])
    camera = Camera.given_or_stated(size, settings.focal_px, settings.fov_deg, read.photo.path)
    metres = prediction.in_unit("m")

    def save_3d(folder: Path) -> dict[str, Any]:
        return save_scene(folder, metres.metric_depth, metres.shift_map, read.image, camera, settings.kinds)

    save_prediction(converted, out, facts, settings.kinds, save_3d)
    return camera


def summary(prediction: Prediction) -> str:
    low, middle, high = prediction.quantiles()
    unit, lost = prediction.unit, prediction.nonfinite_pixels
    depth = f"{low:.3g} to {high:.3g} {unit} (5 % to 95 %), median {middle:.3g} {unit}"
    return f"{depth}; {lost:,} pixels are NaN or infinite" if lost else depth
