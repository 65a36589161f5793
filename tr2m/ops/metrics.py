"""The field's depth metrics over the valid pixels of one image (paper, Table 6; docs/choices.md for its misprints)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tr2m.ops.float64 import to_float64

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")


def depth_metrics(prediction: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> dict[str, float]:
    """Metrics of `prediction` against ground truth `depth`: positive values of P >= 1 pixels, both in the unit of the
    data set.

    `sq_rel` and `rmse` carry that unit; `rmse_log` is in natural log; `log10` is a mean absolute difference; `silog` is
    100 * sqrt(mean(e^2) - mean(e)^2), e = log(prediction) - log(depth). Computed in float64.
    """
    prediction, depth = to_float64(prediction), to_float64(depth)
    error = prediction - depth
    log_error = prediction.log() - depth.log()
    ratio = (prediction / depth).maximum(depth / prediction)
    values = {
        "abs_rel": (error.abs() / depth).mean(),
        "sq_rel": (error**2 / depth).mean(),
        "rmse": (error**2).mean().sqrt(),
        "rmse_log": (log_error**2).mean().sqrt(),
        "log10": (prediction.log10() - depth.log10()).abs().mean(),
        "silog": 100 * log_error.var(correction=0).sqrt(),
        "delta1": (ratio < 1.25).double().mean(),
        "delta2": (ratio < 1.25**2).double().mean(),
        "delta3": (ratio < 1.25**3).double().mean(),
    }
    return {name: value.item() for name, value in values.items()}
