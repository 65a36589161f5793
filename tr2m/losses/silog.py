"""Scale-invariant log loss (Eq. 4)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SILogLoss(nn.Module):
    """mean(e^2) - variance_focus * mean(e)^2, e = log(prediction) - log(depth), over the valid pixels of each image.

    Args:
        variance_focus: lambda; 0.15 in the paper.
        form: "eq4" is the equation as printed; "bts" is 10 times its square root, as BTS and its descendants have it
            (there lambda is 0.85); "zoedepth" is "bts" with the unbiased variance of torch.var.
    """

    def __init__(self, variance_focus: float, form: Literal["eq4", "bts", "zoedepth"]) -> None:
        super().__init__()
        self.variance_focus = variance_focus
        self.form = form

    def forward(
        self, prediction: Float[Tensor, "B H W"], depth: Float[Tensor, "B H W"], valid: Bool[Tensor, "B H W"]
    ) -> Float[Tensor, " B"]:
        """One value per image; an image without a valid pixel gives 0, with a gradient path."""
        weight = valid.float()
        count = weight.sum(dim=(1, 2))
        error = (prediction.log() - depth.where(valid, 1.0).log()) * weight
        mean = error.sum(dim=(1, 2)) / count.clamp(min=1)
        variance = (((error - mean[:, None, None]) * weight) ** 2).sum(dim=(1, 2)) / count.clamp(min=1)
        if self.form == "zoedepth":
            variance = variance * count / (count - 1).clamp(min=1)
        loss = variance + (1 - self.variance_focus) * mean**2
        if self.form == "eq4":
            return loss
        # The square root has no gradient at 0; an exact fit must not give NaN.
        return 10 * loss.where(loss > 0, 1.0).sqrt() * (loss > 0)


def mean_over_images(loss: Float[Tensor, " B"], valid: Bool[Tensor, "B H W"]) -> Float[Tensor, ""]:
    """Mean over the images that have a valid pixel; 0 if none has."""
    usable = valid.flatten(1).any(dim=1)
    return (loss * usable).sum() / torch.clamp(usable.sum(), min=1)
