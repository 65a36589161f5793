"""The trainable encoder that both contrast branches carry: text projection and fusion."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

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
