"""Query and key branches of the scale-oriented contrast (Sec. 3.3, A.3.3)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tr2m.limits import Share
from tr2m.models.frozen.precision import mixed_precision
from tr2m.types import ContrastFeatures


class Projector(nn.Module):
    """Two 1x1 convolutions, each followed by ReLU and max pooling (A.3.1: 0.19 M parameters).

    Args:
        width, hidden, out: channels in, between and out.
        pool: side of each max pooling; a partial window at the border counts as one cell.
    """

    def __init__(self, width: int, hidden: int, out: int, pool: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, hidden, kernel_size=1)
        self.expand = nn.Conv2d(hidden, out, kernel_size=1)
        self.pool = pool

    @property
    def stride(self) -> int:
        """Tokens per side of one projected cell."""
        return self.pool**2

    def forward(self, tokens: Float[Tensor, "B N D"], grid: tuple[int, int]) -> Float[Tensor, "B C h w"]:
        features = tokens.transpose(1, 2).unflatten(2, grid)
        features = F.max_pool2d(F.relu(self.reduce(features)), self.pool, ceil_mode=True)
        return F.max_pool2d(F.relu(self.expand(features)), self.pool, ceil_mode=True)


class MomentumContrast(nn.Module):
    """A projector for the queries, and a slowly moving copy of encoder and projector for the keys.

    Args:
        encoder: the model's trainable encoder, from features to tokens; copied here, never trained through this module.
        projector: projects the fused tokens.
        momentum: share of the old copy kept at each update.
    """

    def __init__(self, encoder: nn.Module, projector: Projector, momentum: Share) -> None:
        super().__init__()
        self.projector = projector
        self.momentum = momentum
        self.momentum_encoder = deepcopy(encoder).requires_grad_(False)
        self.momentum_projector = deepcopy(projector).requires_grad_(False)

    def forward(self, fused_tokens: Float[Tensor, "B N D"], features: Any) -> ContrastFeatures:
        """Queries from the model's fused tokens, keys from the same features through the moving copy.

        Args:
            features: what the encoder takes; its `grid` is the tokens'.
        """
        with mixed_precision(fused_tokens.device):
            queries = self.projector(fused_tokens, features.grid)
            with torch.no_grad():
                keys = self.momentum_projector(self.momentum_encoder(features), features.grid)
        return ContrastFeatures(queries, keys, another_image(len(keys), keys.device), self.projector.stride)

    @torch.no_grad()
    def update(self, encoder: nn.Module) -> None:
        """copy = momentum * copy + (1 - momentum) * original, after each optimiser step. There are no buffers."""
        for copy, original in ((self.momentum_encoder, encoder), (self.momentum_projector, self.projector)):
            copies, originals = dict(copy.named_parameters()), dict(original.named_parameters())
            if copies.keys() != originals.keys():
                raise ValueError(f"momentum branch differs in {sorted(copies.keys() ^ originals.keys())}")
            if copies:
                torch._foreach_lerp_(list(copies.values()), [originals[name] for name in copies], 1 - self.momentum)


class NoContrast(nn.Module):
    """Stands in the contrast's place for a model that is trained without it. `encoder` is not looked at."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()

    def forward(self, fused_tokens: Float[Tensor, "B N D"], features: Any) -> None:
        return None

    def update(self, encoder: nn.Module) -> None:
        """Nothing moves."""


def another_image(batch: int, device: torch.device) -> Int[Tensor, " B"] | None:
    """A random permutation of the batch without fixed points (one random cycle), or None for a batch of one."""
    if batch == 1:
        return None
    order = torch.randperm(batch)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner.to(device, non_blocking=True)
