"""Fitting relative depth to metric depth with a single scale and shift per image (Eq. 5, 10-12)."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from tr2m.ops.float64 import to_float64

# Relative depth below this counts as this where it is inverted: Depth Anything ends in a ReLU and does give 0.
MIN_RELATIVE_DEPTH = 1e-3


def fit_scale_shift(
    relative: Float[Tensor, "B H W"], target: Float[Tensor, "B H W"], valid: Bool[Tensor, "B H W"]
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Least squares: the scale and shift of each image that minimise the sum over valid pixels of
    (scale * relative + shift - target)^2                                                             (Eq. 12)

    Solved in float64 around the means. A constant `relative` gives scale 0 and the mean target as shift; an image
    without a valid pixel gives 0 and 0.
    """
    weight = to_float64(valid).flatten(1)
    count = weight.sum(dim=1).clamp(min=1)
    x = to_float64(relative).flatten(1).where(weight > 0, 0.0)
    y = to_float64(target).flatten(1).where(weight > 0, 0.0)
    mean_x = (weight * x).sum(dim=1) / count
    mean_y = (weight * y).sum(dim=1) / count
    dx = (x - mean_x[:, None]) * weight
    variance = (dx**2).sum(dim=1)
    covariance = (dx * (y - mean_y[:, None])).sum(dim=1)
    # Rounding leaves a constant image a variance of about (1e-16 * mean)^2 per pixel: that is no slope to fit.
    has_slope = variance > 1e-20 * count * (1 + mean_x**2)
    scale = (covariance / variance.where(has_slope, 1.0)).where(has_slope, 0.0)
    return scale.to(relative), (mean_y - scale * mean_x).to(relative)


def masked_median(values: Float[Tensor, "B H W"], valid: Bool[Tensor, "B H W"]) -> Float[Tensor, " B"]:
    """Median over the valid pixels of each image (the mean of the middle two), NaN where there is none."""
    return values.where(valid, float("nan")).flatten(1).nanquantile(0.5, dim=1)
