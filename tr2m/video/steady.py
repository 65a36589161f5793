"""One scale for a shot: the scale and shift maps averaged over time, from the start of the shot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from tr2m.inference.predict import Prediction
from tr2m.models.tr2m import rescale_depth

SHOT_CHANGE = 0.5
"""Our choice: share of the pixels that change their colour from one frame to the next, of BINS^3 colours, where a new
shot begins. A camera that moves changes few; the place of a colour does not matter.
"""
BINS = 8


@dataclass(frozen=True)
class Steady:
    """What is remembered of the frames before: as much after an hour as after a frame."""

    shot: int
    """Counted from 0."""
    colours: Float[np.ndarray, " C"]
    """Shares of the last frame's pixels."""
    scale_map: Float[np.ndarray, "H W"]
    """Averaged over the shot so far."""
    shift_map: Float[np.ndarray, "H W"]
    """Averaged over the shot so far."""


def steady_depth(
    prediction: Prediction, image: UInt8[np.ndarray, "H W 3"], before: Steady | None, smooth: float
) -> tuple[Float[np.ndarray, "H W"], Steady]:
    """The depth of a frame from its own relative depth and the shot's averaged maps, and what to remember.

        ln mean(t) = smooth * ln mean(t - 1) + (1 - smooth) * ln map(t),   mean = map in the first frame of a shot

    for both maps, then Eq. 3. Geometric, as the mean over captions is: a map is a factor. With `smooth` 0 each frame
    has the depth of its own prediction.
    """
    colours = colour_shares(image)
    maps = prediction.scale_map, prediction.shift_map
    if before is None or is_new_shot(before.colours, colours):
        return prediction.metric_depth, Steady(0 if before is None else before.shot + 1, colours, *maps)
    if smooth == 0:
        return prediction.metric_depth, Steady(before.shot, colours, *maps)
    means = [average(old, new, smooth) for old, new in zip((before.scale_map, before.shift_map), maps, strict=True)]
    depth = rescale_depth(*(torch.from_numpy(values) for values in (prediction.relative_depth, *means)))
    return depth.numpy(), Steady(before.shot, colours, *means)


def average(old: Float[np.ndarray, "H W"], new: Float[np.ndarray, "H W"], smooth: float) -> Float[np.ndarray, "H W"]:
    """Geometric mean; 0, a map that is switched off, stays 0. Where one of the two is NaN or infinite it is the other:
    a pixel that is lost in one frame is not lost for the rest of the shot.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(smooth * np.log(old) + (1 - smooth) * np.log(new))
    return np.where(~np.isfinite(old), new, np.where(~np.isfinite(new), old, mean))


def colour_shares(image: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, " C"]:
    """The share of the pixels in each of BINS^3 colours."""
    bins = image // (256 // BINS)
    index = (bins[..., 0].astype(np.int64) * BINS + bins[..., 1]) * BINS + bins[..., 2]
    return np.bincount(index.ravel(), minlength=BINS**3) / index.size


def is_new_shot(before: Float[np.ndarray, " C"], now: Float[np.ndarray, " C"]) -> bool:
    """Whether more than SHOT_CHANGE of the pixels must have changed their colour (total variation)."""
    return float(np.abs(before - now).sum()) / 2 > SHOT_CHANGE
