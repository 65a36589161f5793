"""Query and key branches of the scale-oriented contrast (Sec. 3.3, A.3.3)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tr2m.errors import UserError
from tr2m.limits import Share
from tr2m.models.contract import RescalingModel
from tr2m.models.decoder import on_grid
from tr2m.models.frozen.precision import mixed_precision
from tr2m.types import ContrastFeatures, DepthOutput, with_maps


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
        """Cells of the features per side of one projected cell."""
        return self.pool**2

    def forward(self, features: Tensor, grid: tuple[int, int]) -> Float[Tensor, "B C h w"]:
        """Of tokens (B, N, D) on a `grid`, or of a feature map (B, D, h, w). Raises UserError for another width."""
        features = on_grid(features, grid) if features.ndim == 3 else features
        if features.shape[1] != (width := self.reduce.in_channels):
            raise UserError(
                f"contrast.projector.width={width}, and the features that the contrast compares have "
                f"{features.shape[1]} channels: set contrast.projector.width={features.shape[1]}"
            )
        features = F.max_pool2d(F.relu(self.reduce(features)), self.pool, ceil_mode=True)
        return F.max_pool2d(F.relu(self.expand(features)), self.pool, ceil_mode=True)


class MomentumContrast(nn.Module):
    """A projector for the queries, and a slowly moving copy of encoder and projector for the keys.

    Args:
        model: its encoder is copied here, and never trained through this module.
        features: "fused" compares the fused tokens (the paper's F_out, Sec. 3.3), "maps" the features of both heads
            (nearer to A.3.1's "higher dimensions with lower resolution"; which was used is not known).
        projector: projects them.
        momentum: share of the old copy kept at each update.
    """

    def __init__(
        self, model: RescalingModel, features: Literal["fused", "maps"], projector: Projector, momentum: Share
    ) -> None:
        super().__init__()
        self.features = features
        self.projector = projector
        self.momentum = momentum
        self.average = get_ema_multi_avg_fn(momentum)
        self.momentum_encoder = deepcopy(self.encoder_of(model)).requires_grad_(False)
        self.momentum_projector = deepcopy(projector).requires_grad_(False)

    def encoder_of(self, model: RescalingModel) -> nn.Module:
        """The encoder of `model` that the momentum branch follows."""
        return model.rescale_encoder if self.features == "fused" else model.map_encoder()

    def forward(self, output: DepthOutput, features: Any, partner: Int[Tensor, " B"] | None) -> ContrastFeatures:
        """Queries from what the model made of `features`, keys from the same features through the moving copy.

        Args:
            features: what the encoder takes; its `grid` is the tokens', its `precision` the networks'.
            partner: of `another_image`.
        """
        compared = (
            output.fused_tokens if self.features == "fused" else torch.cat(with_maps(output).head_features, dim=1)
        )
        with mixed_precision(output.metric_depth.device, features.precision):
            queries = self.projector(compared, features.grid)
            with torch.no_grad():
                keys = self.momentum_projector(self.momentum_encoder(features), features.grid)
        cells_per_token = 1 if compared.ndim == 3 else compared.shape[2] / features.grid[0]
        stride = self.projector.stride / cells_per_token
        return ContrastFeatures(queries, keys, partner, stride)

    @torch.no_grad()
    def update(self, model: RescalingModel) -> None:
        """copy = momentum * copy + (1 - momentum) * original, after each optimiser step; there are no buffers."""
        followed = self.encoder_of(model)
        for copy, original in ((self.momentum_encoder, followed), (self.momentum_projector, self.projector)):
            copies, originals = dict(copy.named_parameters()), dict(original.named_parameters())
            if copies.keys() != originals.keys():
                raise ValueError(f"momentum branch differs in {sorted(copies.keys() ^ originals.keys())}")
            if copies:
                self.average(list(copies.values()), [originals[name] for name in copies], None)


class NoContrast(nn.Module):
    """Stands in the contrast's place for a model that is trained without it. `model` is not looked at."""

    def __init__(self, model: RescalingModel) -> None:
        super().__init__()

    def forward(self, output: DepthOutput, features: Any, partner: Int[Tensor, " B"] | None) -> None:
        return None

    def update(self, model: RescalingModel) -> None:
        """Nothing moves."""


def another_image(batch: int, device: torch.device) -> Int[Tensor, " B"] | None:
    """A random permutation of the batch without fixed points (one random cycle), or None for a batch of one."""
    if batch == 1:
        return None
    order = torch.randperm(batch)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner.to(device, non_blocking=True)
