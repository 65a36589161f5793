"""The trainable encoders that the contrast's branches carry."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.models.heads import MapHead
from tr2m.types import FrozenFeatures


class RescaleEncoder(nn.Module):
    """F_L = Linear(F'_L); F_out = fusion(F_I, F_L)                                                     (Sec. 3.2)"""

    def __init__(self, text_projection: nn.Module, fusion: nn.Module) -> None:
        super().__init__()
        self.text_projection = text_projection
        self.fusion = fusion

    def forward(self, features: FrozenFeatures) -> Float[Tensor, "B N D"]:
        text_tokens = self.text_projection(features.text_tokens)
        return self.fusion(features.image_tokens, text_tokens, features.text_valid)


class MapEncoder(nn.Module):
    """The features of the heads, side by side: for `contrast.features=maps`."""

    def __init__(self, rescale_encoder: RescaleEncoder, decoder: nn.Module, heads: Sequence[MapHead]) -> None:
        super().__init__()
        self.rescale_encoder = rescale_encoder
        self.decoder = decoder
        self.mids = nn.ModuleList(head.mid for head in heads)

    def forward(self, features: FrozenFeatures) -> Float[Tensor, "B C h w"]:
        decoded = self.decoder(self.rescale_encoder(features), features.grid)
        return torch.cat([mid(decoded) for mid in self.mids], dim=1)
