"""Pseudo metric depth with a threshold (Eq. 5, 6): supervision where there is no ground truth."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tr2m.limits import Share
from tr2m.losses.silog import SILogLoss
from tr2m.ops.alignment import fit_scale_shift


class PseudoDepthLoss(nn.Module):
    """1(delta1 > threshold) * silog(prediction, pseudo depth)                                            (Eq. 6)

    Pseudo depth is the relative depth fitted to the ground truth of its image by one scale and one shift.

    Args:
        silog: compares prediction and pseudo depth.
        threshold: rho, the share of ground-truth pixels for which the fit must be within a factor of 1.25.
        space: "inverse_depth" fits 1 / depth, as Eq. 3 and every relative model want it; "depth" is the literal Eq. 5.
    """

    def __init__(self, silog: SILogLoss, threshold: Share, space: Literal["inverse_depth", "depth"]) -> None:
        super().__init__()
        self.silog = silog
        self.threshold = threshold
        self.space = space

    def forward(
        self,
        prediction: Float[Tensor, "B H W"],
        relative_depth: Float[Tensor, "B H W"],
        depth: Float[Tensor, "B H W"],
        valid: Bool[Tensor, "B H W"],
        depth_range: tuple[float, float],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss, averaged over all images of the batch, and the share of images that pass the gate."""
        pseudo_depth, usable = self.pseudo_depth(relative_depth, depth, valid, depth_range)
        passes = self.passes(pseudo_depth, usable, depth, valid)
        loss = self.silog(prediction, pseudo_depth, usable)
        return (loss * passes).mean(), passes.float().mean()

    def pseudo_depth(
        self,
        relative_depth: Float[Tensor, "B H W"],
        depth: Float[Tensor, "B H W"],
        valid: Bool[Tensor, "B H W"],
        depth_range: tuple[float, float],
    ) -> tuple[Float[Tensor, "B H W"], Bool[Tensor, "B H W"]]:
        """Fitted depth, and where it can be used: positive and inside the data set's range."""
        target = 1 / depth.where(valid, 1.0) if self.space == "inverse_depth" else depth
        scale, shift = fit_scale_shift(relative_depth, target, valid)
        fitted = scale[:, None, None] * relative_depth + shift[:, None, None]
        positive = fitted > 0
        pseudo = fitted.where(positive, 1.0)
        pseudo = 1 / pseudo if self.space == "inverse_depth" else pseudo
        return pseudo, positive & (pseudo > depth_range[0]) & (pseudo < depth_range[1])

    def passes(
        self,
        pseudo_depth: Float[Tensor, "B H W"],
        usable: Bool[Tensor, "B H W"],
        depth: Float[Tensor, "B H W"],
        valid: Bool[Tensor, "B H W"],
    ) -> Bool[Tensor, " B"]:
        """Whether delta1 of the pseudo depth over the ground truth exceeds the threshold; unusable pixels count as
        wrong.
        """
        ratio = pseudo_depth / depth.where(valid, 1.0)
        close = valid & usable & (ratio < 1.25) & (ratio > 1 / 1.25)
        delta1 = close.sum(dim=(1, 2)) / valid.sum(dim=(1, 2)).clamp(min=1)
        return delta1 > self.threshold
