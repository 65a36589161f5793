"""The coarse level of the later title's "dual-level scale-oriented contrast": images against images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tr2m.errors import UserError
from tr2m.ops.alignment import fit_scale_shift


class ImageContrast(nn.Module):
    """Pulls images of like scale together and pushes images of unlike scale apart (InfoNCE). Known from secondary
    sources only, which give neither rank distance nor temperature.

        feature_i = mean over the fused tokens of image i, at unit length
        rank_i = place of image i when the batch is sorted by the scale of each image's least-squares fit to 1 / depth
        positives of i: the other images whose ranks differ from rank_i by less than `rank_distance`; the rest negatives
        loss_i = mean over positives p of -log(s_ip / (s_ip + sum over negatives n of s_in)),
                 s_ij = exp(cosine of features i and j / temperature)

    averaged over the images that have a positive and a negative. An image without ground truth has no scale and is
    neither. Only the images of one part of the batch are compared, as in the fine level.
    """

    def __init__(self, rank_distance: int, temperature: float) -> None:
        """Raises UserError if no image could have a positive."""
        super().__init__()
        if rank_distance < 2:
            raise UserError(
                f"image_contrast.rank_distance={rank_distance}: expected at least 2, which makes the neighbours by "
                "rank positives; with less no image has any"
            )
        self.rank_distance = rank_distance
        self.temperature = temperature

    def forward(
        self,
        fused_tokens: Float[Tensor, "B N D"],
        relative_depth: Float[Tensor, "B H W"],
        depth: Float[Tensor, "B H W"],
        valid: Bool[Tensor, "B H W"],
    ) -> Float[Tensor, ""]:
        """The loss over the batch; 0, with a gradient path, if no image has both a positive and a negative."""
        scale, _ = fit_scale_shift(relative_depth, 1 / depth.where(valid, 1.0), valid)
        positive, negative = self.pairs(scale, valid.flatten(1).any(dim=1))
        features = F.normalize(fused_tokens.float().mean(dim=1), dim=1)
        logits = features @ features.T / self.temperature
        against = logits.masked_fill(~negative, float("-inf")).logsumexp(dim=1, keepdim=True)
        losses = (F.softplus(against - logits) * positive).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
        usable = positive.any(dim=1) & negative.any(dim=1)
        return (losses * usable).sum() / usable.sum().clamp(min=1)

    def pairs(
        self, scale: Float[Tensor, " B"], has_scale: Bool[Tensor, " B"]
    ) -> tuple[Bool[Tensor, "B B"], Bool[Tensor, "B B"]]:
        """Which images are positives and which are negatives of each."""
        rank = scale.where(has_scale, float("inf")).argsort(stable=True).argsort()
        near = (rank[:, None] - rank[None, :]).abs() < self.rank_distance
        itself = torch.eye(len(rank), dtype=torch.bool, device=rank.device)
        pair = has_scale[:, None] & has_scale[None, :] & ~itself
        return pair & near, pair & ~near
