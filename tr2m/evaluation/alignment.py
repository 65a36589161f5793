"""How a prediction is aligned with the ground truth before it is scored (rows of Tables 1 and 2)."""

from __future__ import annotations

import math
import typing
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import least_squares
from torch import Tensor

from tr2m.errors import UserError
from tr2m.models.tr2m import MIN_INVERSE_DEPTH
from tr2m.ops.alignment import MIN_RELATIVE_DEPTH, fit_scale_shift, masked_median

Kind = Literal["metric_depth", "relative_depth"]
"""What a prediction is: depth in the data set's unit, or inverse depth up to an unknown scale and shift."""
# Of one image, all at the size of its ground truth.
Map = Float[Tensor, "H W"]
Mask = Bool[Tensor, "H W"]


@typing.runtime_checkable
class Alignment(typing.Protocol):
    """Turns a prediction of either kind into metric depth, given the ground truth and the pixels to fit it on: those
    that count, where the prediction is finite.
    """

    @property
    def name(self) -> str:
        """One word for result files and tables."""
        ...

    @property
    def description(self) -> str:
        """For readers: how ground truth was used."""
        ...

    @property
    def uses_ground_truth(self) -> bool:
        """Whether it looks at the ground truth of the image that is scored: then it is no prediction."""
        ...

    def __call__(self, prediction: Map, kind: Kind, depth: Map, scored: Mask) -> Map: ...


@dataclass(frozen=True)
class Unaligned:
    """Metric depth as it is predicted."""

    name: str = "none"
    description: str = "none"
    uses_ground_truth: bool = False

    def __call__(self, prediction: Map, kind: Kind, depth: Map, scored: Mask) -> Map:
        if kind == "relative_depth":
            raise UserError("relative depth has no unit: it cannot be scored without an alignment")
        return prediction


UNALIGNED = Unaligned()


@dataclass(frozen=True)
class MedianScale:
    """depth times the ratio of medians over the scored pixels of each image; 1 / relative_depth where it is that."""

    name: str = "median"
    description: str = "median of each image (uses ground truth)"
    uses_ground_truth: bool = True

    def __call__(self, prediction: Map, kind: Kind, depth: Map, scored: Mask) -> Map:
        predicted = 1 / prediction.clamp(min=MIN_RELATIVE_DEPTH) if kind == "relative_depth" else prediction
        ratio = masked_median(depth[None], scored[None]) / masked_median(predicted[None], scored[None])
        return predicted * ratio


@dataclass(frozen=True)
class DepthLinearFit:
    """depth = s * prediction + t, least squares in depth: the literal Eq. 5, which inverse depth cannot satisfy."""

    name: str = "depth_fit"
    description: str = "linear fit of each image in depth (uses ground truth)"
    uses_ground_truth: bool = True

    def __call__(self, prediction: Map, kind: Kind, depth: Map, scored: Mask) -> Map:
        scale, shift = fit_scale_shift(prediction[None], depth[None], scored[None])
        return scale * prediction + shift


class InverseDepthFit(ABC):
    """depth = 1 / (scale * inverse + shift), as in Eq. 3; subclasses find the two numbers."""

    @abstractmethod
    def fit(self, inverse: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> tuple[float, float]:
        """Scale and shift from the scored pixels of one image."""

    def __call__(self, prediction: Map, kind: Kind, depth: Map, scored: Mask) -> Map:
        inverse = inverse_depth(prediction, kind)
        fitted = scored & inverse.isfinite()
        scale, shift = self.fit(inverse[fitted], depth[fitted])
        return invert(scale * inverse + shift)


@dataclass(frozen=True)
class LinearFit(InverseDepthFit):
    """Least squares in inverse depth over all scored pixels (MiDaS)."""

    name: str = "linear_fit"
    description: str = "linear fit of each image in inverse depth (uses ground truth)"
    uses_ground_truth: bool = True

    def fit(self, inverse: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> tuple[float, float]:
        everything = torch.ones_like(inverse, dtype=torch.bool)
        scale, shift = fit_scale_shift(inverse[None, None], 1 / depth[None, None], everything[None, None])
        return scale.item(), shift.item()


@dataclass(frozen=True)
class PositiveLinearFit(LinearFit):
    """As LinearFit, without the pixels whose prediction is not positive (Marigold's `least_square_disparity`)."""

    name: str = "positive_linear_fit"
    description: str = "linear fit of each image in inverse depth where the prediction is positive (uses ground truth)"

    def fit(self, inverse: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> tuple[float, float]:
        positive = inverse > 0
        # One point has no line, and none would put everything at the far end.
        return super().fit(inverse[positive], depth[positive]) if positive.sum() > 1 else (math.nan, math.nan)


@dataclass(frozen=True)
class LevenbergMarquardtFit(InverseDepthFit):
    """Least squares in depth over the logarithms of scale and shift: both positive, as RSA's are (VGLD)."""

    name: str = "lm_fit"
    description: str = "Levenberg-Marquardt fit of each image in depth (uses ground truth)"
    uses_ground_truth: bool = True

    def fit(self, inverse: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> tuple[float, float]:
        if len(inverse) < 2:  # SciPy refuses fewer points than numbers to fit
            return math.nan, math.nan
        x, target = inverse.clamp(min=MIN_RELATIVE_DEPTH).cpu().double().numpy(), depth.cpu().double().numpy()

        def predicted(logs: np.ndarray) -> np.ndarray:
            return 1 / (np.exp(logs[0]) * x + np.exp(logs[1]))

        def slopes(logs: np.ndarray) -> np.ndarray:
            return -(predicted(logs) ** 2)[:, None] * np.exp(logs) * np.stack([x, np.ones_like(x)], axis=1)

        options: dict[str, Any] = {"jac": slopes, "method": "lm", "max_nfev": 10_000}
        fitted = least_squares(lambda logs: predicted(logs) - target, np.zeros(2), **options)
        scale, shift = np.exp(fitted.x).tolist()
        return scale, shift


@dataclass(frozen=True)
class RobustFit(InverseDepthFit):
    """Median and mean absolute deviation of inverse depth matched to those of 1 / depth (EndoDAC)."""

    name: str = "robust_fit"
    description: str = "median and deviation of each image in inverse depth (uses ground truth)"
    uses_ground_truth: bool = True

    def fit(self, inverse: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> tuple[float, float]:
        (middle, spread), (target_middle, target_spread) = (
            (values.median().item(), (values - values.median()).abs().mean().item()) for values in (inverse, 1 / depth)
        )
        scale = target_spread / max(spread, 1e-12)
        return scale, target_middle - scale * middle


@dataclass(frozen=True)
class GlobalFit(InverseDepthFit):
    """One scale and shift for all images (`tr2m.evaluation.global_fit.fit_global`)."""

    scale: float
    shift: float
    name: str = "global"
    description: str = "one scale and shift, fitted on training frames"
    uses_ground_truth: bool = False

    def fit(self, inverse: Float[Tensor, " P"], depth: Float[Tensor, " P"]) -> tuple[float, float]:
        return self.scale, self.shift


def inverse_depth(prediction: Float[Tensor, "*B H W"], kind: Kind) -> Float[Tensor, "*B H W"]:
    """Of the data set's unit where the prediction is metric, else up to scale and shift; NaN where metric depth is not
    positive: there is no such place.
    """
    return prediction if kind == "relative_depth" else 1 / prediction.where(prediction > 0, math.nan)


def invert(inverse: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B H W"]:
    """Depth; where the fit is not positive the point is far away, which the protocol's range then cuts."""
    return 1 / inverse.clamp(min=MIN_INVERSE_DEPTH)


ALIGNMENTS = (
    Unaligned,
    MedianScale,
    DepthLinearFit,
    LinearFit,
    PositiveLinearFit,
    LevenbergMarquardtFit,
    RobustFit,
    GlobalFit,
)


def uses_ground_truth(name: str) -> bool:
    """Whether the alignment called `name` looks at the ground truth of the image that is scored."""
    return any(kind.name == name and kind.uses_ground_truth for kind in ALIGNMENTS)


DEFAULT_ALIGNMENTS: dict[Kind, Alignment] = {"metric_depth": UNALIGNED, "relative_depth": LinearFit()}
"""What a prediction is scored with where nothing else is asked for."""
