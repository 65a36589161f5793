"""Scale-oriented contrast (Eq. 7, 8), exact in time and memory linear in pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tr2m.limits import PositiveInt
from tr2m.ops.depth_classes import NO_CLASS


class ScaleOrientedContrast(nn.Module):
    """Pulls features of like depth together and pushes those of unlike depth apart.

    For query pixel i of class y, over the keys of its own image and of a partner image:

        S^p = mean of cosines with all keys of class y, both images pooled
        S^n = sum over the two images of the mean of cosines with keys of other classes
        loss = -log(exp(S^p) / (exp(S^p) + exp(S^n))), averaged over queries that have a class   (Eq. 8)

    A mean of cosines is a cosine-like product with a mean of unit vectors. So per image and class the sum of unit
    keys is all that is needed, and no pixel-by-pixel similarity is ever built.

    Args:
        classes: |C| of Eq. 7, which makes classes + 1 labels.
    """

    def __init__(self, classes: PositiveInt) -> None:
        super().__init__()
        self.classes = classes

    def forward(
        self,
        queries: Float[Tensor, "B C h w"],
        keys: Float[Tensor, "B C h w"],
        labels: Int[Tensor, "B h w"],
        partner: Int[Tensor, " B"] | None,
    ) -> Float[Tensor, ""]:
        """The loss over the batch; 0, with a gradient path, if no query can be used."""
        queries = F.normalize(queries.float(), dim=1).flatten(2)
        keys = F.normalize(keys.float(), dim=1).flatten(2)
        labels = labels.flatten(1)
        member = F.one_hot(labels.clamp(min=0), self.classes + 1) * (labels != NO_CLASS)[..., None]
        member = member.float()
        class_sums = torch.einsum("bcn,bny->byc", keys, member)
        class_counts = member.sum(dim=1)
        if partner is None:
            sums, counts = class_sums[:, None], class_counts[:, None]
        else:
            sums = torch.stack([class_sums, class_sums[partner]], dim=1)
            counts = torch.stack([class_counts, class_counts[partner]], dim=1)
        # (B, images, labels, C): what is not of a class is the total minus the class.
        other_sums = sums.sum(dim=2, keepdim=True) - sums
        other_counts = counts.sum(dim=2, keepdim=True) - counts
        positive = sums.sum(dim=1) / counts.sum(dim=1).clamp(min=1)[..., None]
        negative = (other_sums / other_counts.clamp(min=1)[..., None]).sum(dim=1)
        # Each query meets only the row of its own class.
        gap = torch.einsum("bcn,byc->bny", queries, negative - positive)
        gap = gap.gather(2, labels.clamp(min=0)[..., None])[..., 0]
        # A query with a class has a positive: the key at its own place.
        usable = labels != NO_CLASS
        return (F.softplus(gap) * usable).sum() / usable.sum().clamp(min=1)
