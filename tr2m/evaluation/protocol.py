"""How one data set is scored, in one object that every result carries along."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tr2m.data.eval_regions import Region
from tr2m.errors import UserError
from tr2m.evaluation.alignment import UNALIGNED, Alignment, Kind
from tr2m.limits import PositiveInt
from tr2m.ops.metrics import depth_metrics

# An image with fewer scored pixels is skipped and counted: a handful of pixels is no measurement.
MIN_PIXELS = 10
# Floor of predictions, in the unit of the data set, where a range starts at 0: log(0) is no error measure.
PREDICTION_FLOOR = 1e-3


@dataclass(frozen=True)
class Protocol:
    """Range, region, alignment, flip and resize rule of one data set's evaluation. Which frames, and which of their
    pixels have ground truth, is the reader's part; a result carries both. All depth is in the data set's unit.

    Args:
        name: "paper" for what published rows use, "clean" for what a careful person would do, "released" for what the
            authors' code does; results of different protocols never share a table.
        min_depth, max_depth: ground truth counts strictly between them, predictions are clamped to them.
        region: which pixels of the frame count.
        alignment: what is done with the ground truth before scoring.
        min_pixels: an image with fewer scored pixels is skipped and counted.
        flip_tta: average with the prediction for the mirrored image (captions may say left and right: off).
    """

    name: str
    min_depth: float
    max_depth: float
    region: Region
    alignment: Alignment = UNALIGNED
    flip_tta: bool = False
    min_pixels: PositiveInt = MIN_PIXELS

    def __post_init__(self) -> None:
        if not 0 <= self.min_depth < self.max_depth < math.inf:
            given = f"min_depth {self.min_depth:g}, max_depth {self.max_depth:g}"
            raise UserError(f"protocol {self.name}: {given}: expected two depths from 0, the smaller one first")

    def scored(self, depth: Float[Tensor, "H W"], valid: Bool[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
        """The pixels of a depth map that count: valid, strictly inside the range, inside the region."""
        inside = (depth > self.min_depth) & (depth < self.max_depth)
        return valid & inside & self.region.mask(*depth.shape).to(depth.device)

    def score(
        self,
        prediction: Float[Tensor, "h w"],
        depth: Float[Tensor, "H W"],
        valid: Bool[Tensor, "H W"],
        kind: Kind = "metric_depth",
    ) -> dict[str, float | int] | None:
        """Metrics of one image, or None if fewer than `min_pixels` pixels count.

        Pixels that are NaN or infinite are fitted nowhere, scored as the nearest or farthest depth, and counted
        (`nonfinite_pixels`): those of the prediction, and those that have no depth once it is aligned.
        """
        scored = self.scored(depth, valid)
        if int(scored.sum()) < self.min_pixels:
            return None
        resized = resize_to(prediction, (depth.shape[0], depth.shape[1]))
        aligned = self.alignment(resized, kind, depth, scored & resized.isfinite())
        lost = (~prediction.isfinite()).sum() + (resized.isfinite() & ~aligned.isfinite()).sum()
        low = max(self.min_depth, PREDICTION_FLOOR)
        predicted = aligned.nan_to_num(nan=low, posinf=self.max_depth).clamp(low, self.max_depth)
        return {**depth_metrics(predicted[scored], depth[scored]), "nonfinite_pixels": int(lost)}

    def conditions(self) -> dict[str, Any]:
        """For result files: what must be equal before two results may be compared."""
        return {
            "name": self.name,
            "range": [self.min_depth, self.max_depth],
            "crop": self.region.description,
            "resize": "prediction to ground-truth size, bilinear, align_corners=True",
            "alignment": self.alignment.name,
            "alignment_description": self.alignment.description,
            "flip_tta": self.flip_tta,
            "averaging": "mean over the valid pixels of an image, then mean over images",
            "min_pixels": self.min_pixels,
        }


def resize_to(prediction: Float[Tensor, "h w"], size: tuple[int, int]) -> Float[Tensor, "H W"]:
    """A map at another size, as the field's evaluations do it: bilinear, align_corners=True."""
    if tuple(prediction.shape) == size:
        return prediction
    return F.interpolate(prediction[None, None], size, mode="bilinear", align_corners=True)[0, 0]
