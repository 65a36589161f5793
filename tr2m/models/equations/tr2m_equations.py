"""The network that Eq. 1-2 and A.3.1 describe when they are read literally: `model=tr2m_equations`."""

from __future__ import annotations

from torch import nn

from tr2m.models.decoder import TokenGrid
from tr2m.models.frozen.encoders import ImageEncoder, RelativeDepthEstimator, TextEncoder
from tr2m.models.tr2m import TR2M


class TR2MEquations(TR2M):
    """TR2M whose heads take the fused tokens themselves; else as `TR2M`. It was the only network before the released
    one was known, so every checkpoint of format 1 is one.
    """

    def __init__(
        self,
        image_encoder: ImageEncoder,
        text_encoder: TextEncoder,
        relative_depth: RelativeDepthEstimator,
        text_projection: nn.Module,
        fusion: nn.Module,
        scale_head: nn.Module,
        shift_head: nn.Module,
    ) -> None:
        super().__init__(
            image_encoder, text_encoder, relative_depth, text_projection, fusion, TokenGrid(), scale_head, shift_head
        )
