"""Metric depth of photos and sentences, in memory."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL.Image import Image
from torch import Tensor

from tr2m.data.transforms import evaluation_tensors
from tr2m.errors import UserError
from tr2m.evaluation.caption_average import average_over_captions, mean_output, outputs_under
from tr2m.evaluation.protocol import resize_to
from tr2m.inference.inputs import captions_of, relative_depth_of, rgb_of
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.resize_rule import MAX_TOKENS, LowerBound, check_tokens
from tr2m.types import UNITS_PER_METRE, Frame, TR2MOutput, Unit, unit_range

Picture = str | Path | Image | UInt8[np.ndarray, "H W C"]
"""A path to an image file, a PIL image, or an array of RGB or RGBA, 0 to 255."""


@dataclass(frozen=True)
class Prediction:
    """Maps at the size of the photo."""

    metric_depth: Float[np.ndarray, "H W"]
    """In `unit`."""
    scale_map: Float[np.ndarray, "H W"]
    """1 / `unit` per unit of relative depth."""
    shift_map: Float[np.ndarray, "H W"]
    """1 / `unit`."""
    relative_depth: Float[np.ndarray, "H W"]
    """Of the model of relative depth, or as given; larger is nearer."""
    caption_spread: Float[np.ndarray, "H W"]
    """Standard deviation of ln(metric_depth) over the captions: 0 where there is one only."""
    unit: Unit
    network_size: tuple[int, int]
    """(height, width) at which the network saw the photo."""

    @property
    def nonfinite_pixels(self) -> int:
        """Pixels whose depth is NaN or infinite."""
        return int((~np.isfinite(self.metric_depth)).sum())

    def require_finite(self) -> None:
        """Raise UserError if no pixel has a depth."""
        if self.nonfinite_pixels == self.metric_depth.size:
            raise UserError("every predicted pixel is NaN or infinite: the checkpoint does not fit such images")

    def quantiles(self) -> tuple[float, float, float]:
        """5 %, 50 % and 95 % of the finite depth, in `unit`."""
        known = self.metric_depth[np.isfinite(self.metric_depth)]
        low, middle, high = np.quantile(known, [0.05, 0.5, 0.95]).tolist()
        return low, middle, high

    def in_unit(self, unit: Unit) -> Prediction:
        """The same prediction, converted."""
        factor = np.float32(UNITS_PER_METRE[unit] / UNITS_PER_METRE[self.unit])
        maps = {"scale_map": self.scale_map / factor, "shift_map": self.shift_map / factor}
        return replace(self, metric_depth=self.metric_depth * factor, **maps, unit=unit)


def predict(
    model: RescalingModel,
    image: Picture,
    captions: str | Sequence[str],
    input_size: int | None = None,
    relative_depth: Float[np.ndarray, "h w"] | None = None,
    unit: Unit = "m",
) -> Prediction:
    """Metric depth of one image.

    Args:
        image: a path to an image file, a PIL image, or an array of RGB or RGBA, 0 to 255.
        captions: one sentence, or several whose predictions are averaged.
        input_size: shorter side, in pixels, that the network sees; the aspect is kept up to a multiple of the patch
            size. None takes that of the training size whose aspect is nearest to the image's.
        relative_depth: used instead of the model's own relative depth; of the image's size, larger is nearer.
        unit: the unit of the model's depth for such images: "mm" for endoscopy, as its data sets are.

    Raises:
        UserError: an image or captions that could mean two things, an image of too extreme an aspect, a relative depth
            that cannot be one, or a prediction without a finite pixel.
    """
    given = None if relative_depth is None else [relative_depth]
    (prediction,) = predict_batch(model, [image], [captions], input_size, given, unit)
    prediction.require_finite()
    return prediction


@torch.no_grad()
def predict_batch(
    model: RescalingModel,
    images: Sequence[Picture],
    captions: Sequence[str | Sequence[str]],
    input_size: int | None = None,
    relative_depths: Sequence[Float[np.ndarray, "h w"]] | None = None,
    unit: Unit = "m",
) -> Iterator[Prediction]:
    """Metric depth of images of one size, which go through the network at once. `predict` explains the arguments.

    Args:
        captions: of each image one sentence, or several whose predictions are averaged; equally many for all images.

    Returns:
        The prediction of each image, in order, resized to the image's size when it is read.

    Raises:
        UserError: as `predict`, but for a prediction without a finite pixel, which `Prediction.require_finite` refuses;
            or images that differ in size or in their number of sentences.
    """
    encoded = encode(model, images, captions, input_size, relative_depths)
    output, spread = average_over_captions(model, encoded.features, encoded.captions)
    return (encoded.at_photo_size(output, spread, number, unit) for number in range(len(images)))


@torch.no_grad()
def predict_each(
    model: RescalingModel,
    image: Picture,
    captions: Sequence[str],
    input_size: int | None = None,
    relative_depth: Float[np.ndarray, "h w"] | None = None,
    unit: Unit = "m",
) -> tuple[Prediction, list[Prediction]]:
    """What `predict` gives for all captions, and for each of them alone; the image is encoded once.

    Raises:
        UserError: as `predict`.
    """
    given = None if relative_depth is None else [relative_depth]
    encoded = encode(model, [image], [captions], input_size, given)
    outputs = outputs_under(model, encoded.features, encoded.captions)
    together = encoded.at_photo_size(*mean_output(outputs), 0, unit)
    together.require_finite()
    return together, [encoded.at_photo_size(*mean_output([output]), 0, unit) for output in outputs]


@dataclass(frozen=True)
class Encoded:
    """Images of one size after the frozen networks."""

    features: Any
    captions: list[list[str]]
    size: tuple[int, int]
    """(height, width) of the images."""
    seen: tuple[int, int]
    """(height, width) at which the network saw them."""

    def at_photo_size(self, output: TR2MOutput, spread: Float[Tensor, "B h w"], number: int, unit: Unit) -> Prediction:
        """The prediction of one of the images."""
        maps = {
            "metric_depth": output.metric_depth,
            "scale_map": output.scale_map,
            "shift_map": output.shift_map,
            "relative_depth": self.features.relative_depth,
            "caption_spread": spread,
        }
        resized = {name: resize_to(values[number], self.size).cpu().numpy() for name, values in maps.items()}
        return Prediction(**resized, unit=unit, network_size=self.seen)


def encode(
    model: RescalingModel,
    images: Sequence[Picture],
    captions: Sequence[str | Sequence[str]],
    input_size: int | None,
    relative_depths: Sequence[Float[np.ndarray, "h w"]] | None,
) -> Encoded:
    """Check what `predict_batch` is given, and encode the images under the first caption of each."""
    model.require_maps("predict")
    frames, sentences = [rgb_of(image) for image in images], [captions_of(caption) for caption in captions]
    require_equal("images of one size", [frame.shape[:2] for frame in frames])
    require_equal("as many sentences for each image", [len(caption) for caption in sentences])
    size = (frames[0].shape[0], frames[0].shape[1])
    given = [None] * len(frames) if relative_depths is None else [relative_depth_of(r, size) for r in relative_depths]
    require_equal("captions and maps for each image", [len(frames), len(sentences), len(given)])
    seen = network_size(model, size, input_size)
    resized = [
        evaluation_tensors(Frame(pixels, np.zeros(size, np.float32), relative), seen)
        for pixels, relative in zip(frames, given, strict=True)
    ]
    device = next(model.parameters()).device
    image = unit_range(torch.stack([pixels for pixels, _, _ in resized]).to(device))
    relatives = [relative for _, _, relative in resized if relative is not None]
    relative = torch.stack(relatives).to(device) if relatives else None
    features = model.encode(image, [caption[0] for caption in sentences], relative)
    return Encoded(features, sentences, size, seen)


def require_equal(what: str, values: Sequence[Hashable]) -> None:
    """Raise UserError unless `values` are all the same, and there are any."""
    if len(set(values)) != 1:
        got = ", ".join(map(str, dict.fromkeys(values))) or "none"
        raise UserError(f"a batch needs {what}, got {got}")


def network_size(model: RescalingModel, size: tuple[int, int], input_size: int | None) -> tuple[int, int]:
    """(height, width) at which the network sees an image of `size`. Raises UserError if that is less than a patch, or
    more than MAX_TOKENS.
    """
    patch = model.size_multiple
    side = nearest_training_side(model, size) if input_size is None else input_size
    if side < patch:
        raise UserError(f"--input-size {side}: expected at least {patch} pixels, the side of a patch")
    seen = LowerBound(side, patch)(*size)
    # The longer side may be rounded up by a patch.
    largest = int(math.sqrt(MAX_TOKENS * min(size) / max(size)) - 1) * patch
    smaller = f"give --input-size {largest} or less (input_size in Python), or " if largest >= patch else ""
    check_tokens(size, seen, patch, f" at --input-size {side}", f"{smaller}cut the image into pieces")
    return seen


def nearest_training_side(model: RescalingModel, size: tuple[int, int]) -> int:
    """Shorter side of the size, among those the model was trained at, whose aspect is nearest to that of `size`."""
    aspect = size[1] / size[0]
    return min(min(model.input_sizes, key=lambda s: abs(math.log(s[1] / s[0] / aspect))))
