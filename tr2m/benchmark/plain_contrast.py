"""Eq. 8 taken literally, time and memory quadratic in pixels: what the project's linear form is measured against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from tr2m.losses.contrast import ScaleOrientedContrast


class PlainContrast(ScaleOrientedContrast):
    """Every query against every key. `rows` queries at a time, recomputed in the backward pass, because the whole
    similarity matrix would not fit into memory.
    """

    def __init__(self, classes: int, rows: int = 2048) -> None:
        super().__init__(classes)
        self.rows = rows

    def forward(
        self,
        queries: Float[Tensor, "B C h w"],
        keys: Float[Tensor, "B C h w"],
        labels: Int[Tensor, "B h w"],
        partner: Int[Tensor, " B"] | None,
    ) -> Float[Tensor, ""]:
        queries, keys = (F.normalize(x.flatten(2), dim=1).transpose(1, 2) for x in (queries, keys))
        labels = labels.flatten(1)

        def block(query: Tensor, label: Tensor, images: list[int]) -> tuple[Tensor, Tensor]:
            similarity = [query @ keys[image].T for image in images]
            same = [label[:, None] == labels[image][None] for image in images]
            known = [(labels[image] >= 0)[None].expand_as(mask) for image, mask in zip(images, same, strict=True)]
            positives = torch.stack([mask.sum(1) for mask in same]).sum(0)
            alike = [(s * mask).sum(1) for s, mask in zip(similarity, same, strict=True)]
            positive = torch.stack(alike).sum(0) / positives.clamp(min=1)
            others = [k & ~mask for k, mask in zip(known, same, strict=True)]
            unlike = [(s * o).sum(1) / o.sum(1).clamp(min=1) for s, o in zip(similarity, others, strict=True)]
            negative = torch.stack(unlike).sum(0)
            loss = -torch.log(positive.exp() / (positive.exp() + negative.exp()))
            usable = (label >= 0) & (positives > 0)
            return (loss * usable).sum(), usable.sum()

        total, used = queries.sum() * 0, torch.zeros((), dtype=torch.int64, device=queries.device)
        for image in range(len(queries)):
            images = [image] if partner is None else [image, int(partner[image])]
            for start in range(0, queries.shape[1], self.rows):
                part = slice(start, start + self.rows)
                loss, count = checkpoint(block, queries[image, part], labels[image, part], images, use_reentrant=False)
                total, used = total + loss, used + count
        return total / used.clamp(min=1)
