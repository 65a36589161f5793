"""From a photo and a sentence to files with metric depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from tr2m.data.transforms import evaluation_tensors
from tr2m.errors import UserError
from tr2m.evaluation.caption_average import average_over_captions
from tr2m.evaluation.protocol import resize_to
from tr2m.json_text import json_text
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.resize_rule import LowerBound
from tr2m.types import UNITS_PER_METRE, Frame, Unit, unit_range

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Prediction:
    """Maps at the size of the photo."""

    metric_depth: Float[np.ndarray, "H W"]
    """In `unit`."""
    scale_map: Float[np.ndarray, "H W"]
    """1 / `unit` per unit of relative depth."""
    shift_map: Float[np.ndarray, "H W"]
    """1 / `unit`."""
    caption_spread: Float[np.ndarray, "H W"]
    """Standard deviation of ln(metric_depth) over the captions: 0 where there is one only."""
    unit: Unit

    def quantiles(self) -> tuple[float, float, float]:
        """5 %, 50 % and 95 % of the depth, in `unit`."""
        low, middle, high = np.quantile(self.metric_depth, [0.05, 0.5, 0.95]).tolist()
        return low, middle, high

    def in_unit(self, unit: Unit) -> Prediction:
        """The same prediction, converted."""
        factor = np.float32(UNITS_PER_METRE[unit] / UNITS_PER_METRE[self.unit])
        maps = {"scale_map": self.scale_map / factor, "shift_map": self.shift_map / factor}
        return replace(self, metric_depth=self.metric_depth * factor, **maps, unit=unit)


def predict(
    model: RescalingModel,
    image: UInt8[np.ndarray, "H W 3"],
    captions: Sequence[str],
    input_size: int | None = None,
    relative_depth: Float[np.ndarray, "h w"] | None = None,
    unit: Unit = "m",
) -> Prediction:
    """Metric depth of one RGB image.

    Args:
        captions: one sentence, or several whose predictions are averaged.
        input_size: shorter side, in pixels, that the network sees; the aspect is kept up to a multiple of the patch
            size. None takes that of the training size whose aspect is nearest to the image's.
        relative_depth: used instead of the model's own relative depth.
        unit: what the model speaks for such images: "mm" for endoscopy, as its data sets are.
    """
    model.require_maps("predict")
    size = (image.shape[0], image.shape[1])
    rule = LowerBound(input_size or nearest_training_side(model, size), model.size_multiple)
    device = next(model.parameters()).device
    pixels, _, relative = evaluation_tensors(Frame(image, np.zeros(size, np.float32), relative_depth), rule(*size))
    relative = None if relative is None else relative[None].to(device)
    output, spread = average_over_captions(model, unit_range(pixels[None].to(device)), captions, relative)

    def at_photo_size(values: Float[Tensor, "1 h w"]) -> Float[np.ndarray, "H W"]:
        return resize_to(values[0], size).cpu().numpy()

    return Prediction(*map(at_photo_size, (output.metric_depth, output.scale_map, output.shift_map, spread)), unit)


def nearest_training_side(model: RescalingModel, size: tuple[int, int]) -> int:
    """Shorter side of the size, among those the model was trained at, whose aspect is nearest to that of `size`."""
    aspect = size[1] / size[0]
    return min(min(model.input_sizes, key=lambda s: abs(math.log(s[1] / s[0] / aspect))))


def list_images(path: Path) -> list[Path]:
    """The image `path`, or all images in the folder `path`. Raises UserError if there is none."""
    if not path.is_dir():
        return [path]
    images = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise UserError(f"{path}: no image in this folder, expected files ending in {', '.join(IMAGE_SUFFIXES)}")
    return images


def read_relative_depth(path: Path) -> Float[np.ndarray, "h w"]:
    """Relative depth (larger is nearer) from a .npy file. Raises UserError if it is no finite map."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as a .npy array ({error})") from error
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise UserError(f"{path}: got {values.dtype} of shape {values.shape}, expected a finite map of (height, width)")
    return values.astype(np.float32)


def save_prediction(prediction: Prediction, folder: Path) -> Path:
    """Write depth.npy (float32), depth.png (16 bit), both maps, the spread over captions, colour pictures, and
    prediction.json, which states the unit of the .npy files and how many units of depth.png make a metre. Returns
    `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    depth = prediction.metric_depth
    metres = depth / UNITS_PER_METRE[prediction.unit]
    units_per_metre = png_units_per_metre(float(metres.max()))
    np.save(folder / "depth.npy", depth)
    cv2.imwrite(str(folder / "depth.png"), np.round(metres * units_per_metre).clip(0, 65535).astype(np.uint16))
    cv2.imwrite(str(folder / "depth_colour.png"), colourise(depth, "magma_r"))
    for name in ("scale_map", "shift_map", "caption_spread"):
        values = getattr(prediction, name)
        np.save(folder / f"{name}.npy", values)
        cv2.imwrite(str(folder / f"{name}_colour.png"), colourise(values, "viridis"))
    low, middle, high = prediction.quantiles()
    facts = {
        "unit": prediction.unit,
        "png_units_per_metre": units_per_metre,
        "depth_quantiles": {"5": low, "50": middle, "95": high},
        "mean_caption_spread": float(prediction.caption_spread.mean()),
    }
    (folder / "prediction.json").write_text(json_text(facts) + "\n")
    return folder


def png_units_per_metre(farthest: float) -> float:
    """The largest power of ten with which `farthest` metres still fit into 16 bits: fine steps for a colon, range for
    a street.
    """
    return float(10.0 ** np.floor(np.log10(65535 / farthest)))


def colourise(values: Float[np.ndarray, "H W"], colours: str) -> UInt8[np.ndarray, "H W 3"]:
    """BGR picture of a map, from its 2 % to its 98 % quantile."""
    from matplotlib import colormaps

    low, high = np.quantile(values, [0.02, 0.98])
    position = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return (colormaps[colours](position)[..., 2::-1] * 255).round().astype(np.uint8)
