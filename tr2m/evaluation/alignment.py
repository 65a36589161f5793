"""How a prediction is brought to the scale of the ground truth before it is scored (rows of Tables 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import least_squares
from torch import Tensor

from tr2m.errors import UserError
from tr2m.models.tr2m import MIN_INVERSE_DEPTH
from tr2m.ops.alignment import MIN_RELATIVE_DEPTH, fit_scale_shift, masked_median

Kind = Literal["metric_depth", "relative_depth"]
"""What a prediction is: metres, or inverse depth up to an unknown scale and shift."""


@runtime_checkable
class Alignment(Protocol):
    """Turns a prediction of either kind into metric depth, given the ground truth and which of its pixels count."""

    name: str
    """One word for result files and tables."""
    description: str
    """For readers: how ground truth was used."""

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]: ...


@dataclass(frozen=True)
class Unaligned:
    """Metric depth as it is predicted."""

    name: str = "none"
    description: str = "none"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        if kind == "relative_depth":
            raise UserError("relative depth has no unit: it cannot be scored without an alignment")
        return prediction


UNALIGNED = Unaligned()


@dataclass(frozen=True)
class MedianScale:
    """depth times the ratio of medians over the scored pixels of each image; 1 / relative_depth where it is that."""

    name: str = "median"
    description: str = "median of each image (uses ground truth)"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        predicted = 1 / prediction.clamp(min=MIN_RELATIVE_DEPTH) if kind == "relative_depth" else prediction
        ratio = masked_median(depth[None], scored[None]) / masked_median(predicted[None], scored[None])
        return predicted * ratio


@dataclass(frozen=True)
class LinearFit:
    """depth = 1 / (s * inverse + t), least squares in inverse depth over the scored pixels of each image."""

    name: str = "linear_fit"
    description: str = "linear fit of each image in inverse depth (uses ground truth)"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        inverse = inverse_depth(prediction, kind)
        scale, shift = fit_scale_shift(inverse[None], 1 / depth.where(scored, 1.0)[None], scored[None])
        return invert(scale * inverse + shift)


@dataclass(frozen=True)
class DepthLinearFit:
    """depth = s * prediction + t, least squares in depth: the literal Eq. 5, which inverse depth cannot satisfy."""

    name: str = "depth_fit"
    description: str = "linear fit of each image in depth (uses ground truth)"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        scale, shift = fit_scale_shift(prediction[None], depth[None], scored[None])
        return scale * prediction + shift


@dataclass(frozen=True)
class LevenbergMarquardtFit:
    """depth = 1 / (exp(a) * inverse + exp(b)), least squares in depth: both factors positive, as RSA's are (VGLD)."""

    name: str = "lm_fit"
    description: str = "Levenberg-Marquardt fit of each image in depth (uses ground truth)"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        inverse = inverse_depth(prediction, kind).clamp(min=MIN_RELATIVE_DEPTH)
        x, target = (values[scored].double().cpu().numpy() for values in (inverse, depth))

        def predicted(logs: np.ndarray) -> np.ndarray:
            return 1 / (np.exp(logs[0]) * x + np.exp(logs[1]))

        def slopes(logs: np.ndarray) -> np.ndarray:
            return -(predicted(logs) ** 2)[:, None] * np.exp(logs) * np.stack([x, np.ones_like(x)], axis=1)

        fitted = least_squares(lambda logs: predicted(logs) - target, np.zeros(2), slopes, method="lm", max_nfev=10_000)
        scale, shift = np.exp(fitted.x).tolist()
        return invert(scale * inverse + shift)


@dataclass(frozen=True)
class RobustFit:
    """Median and mean absolute deviation of inverse depth matched to those of 1 / depth, for each image (EndoDAC)."""

    name: str = "robust_fit"
    description: str = "median and deviation of each image in inverse depth (uses ground truth)"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        inverse, target = inverse_depth(prediction, kind), 1 / depth[scored]
        seen = inverse[scored]
        middle, deviation = seen.median(), (seen - seen.median()).abs().mean()
        target_deviation = (target - target.median()).abs().mean()
        return invert((inverse - middle) / deviation.clamp(min=1e-12) * target_deviation + target.median())


@dataclass(frozen=True)
class GlobalFit:
    """depth = 1 / (s * inverse + t) with one s and t for all images (`tr2m.evaluation.baselines.fit_global`)."""

    scale: float
    shift: float
    name: str = "global"
    description: str = "one scale and shift, fitted on training frames"

    def __call__(
        self,
        prediction: Float[Tensor, "H W"],
        kind: Kind,
        depth: Float[Tensor, "H W"],
        scored: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "H W"]:
        return invert(self.scale * inverse_depth(prediction, kind) + self.shift)


def inverse_depth(prediction: Float[Tensor, "*B H W"], kind: Kind) -> Float[Tensor, "*B H W"]:
    """Per metre where the prediction is metric, else up to scale and shift."""
    return prediction if kind == "relative_depth" else 1 / prediction


def invert(inverse: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B H W"]:
    """Metres; where the fit is not positive the point is far away, which the protocol's range then cuts."""
    return 1 / inverse.clamp(min=MIN_INVERSE_DEPTH)


DEFAULT_ALIGNMENTS: dict[Kind, Alignment] = {"metric_depth": UNALIGNED, "relative_depth": LinearFit()}
"""What a prediction is scored with where nothing else is asked for."""
