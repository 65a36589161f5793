"""TR2M: the whole method on one screen (Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.encoders import ImageEncoder, RelativeDepthEstimator, TextEncoder
from tr2m.models.frozen.precision import mixed_precision
from tr2m.models.heads import MapHead
from tr2m.models.rescale_encoder import MapEncoder, RescaleEncoder
from tr2m.types import FrozenFeatures, TR2MOutput

# Depth ends at 100,000 units of the data set: where a map is switched off (Table 11) and relative depth is 0, and where
# both maps underflow.
MIN_INVERSE_DEPTH = 1e-5


class TR2M(RescalingModel):
    """Turns the relative depth of a frozen model into metric depth, given an image and a sentence about it.

    Args:
        image_encoder: RGB -> image tokens, frozen.
        text_encoder: captions -> text tokens, frozen.
        relative_depth: RGB -> relative depth, frozen.
        text_projection: text width D' -> token width D.
        fusion: image and text tokens -> fused tokens.
        decoder: fused tokens -> a feature map for both heads.
        scale_head, shift_head: that feature map -> one positive map each.
    """

    rescale_encoder: RescaleEncoder
    image_encoder: ImageEncoder
    text_encoder: TextEncoder

    def __init__(
        self,
        image_encoder: ImageEncoder,
        text_encoder: TextEncoder,
        relative_depth: RelativeDepthEstimator,
        text_projection: nn.Module,
        fusion: nn.Module,
        decoder: nn.Module,
        scale_head: nn.Module,
        shift_head: nn.Module,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.relative_depth = relative_depth
        self.rescale_encoder = RescaleEncoder(text_projection, fusion)
        self.decoder = decoder
        self.scale_head = scale_head
        self.shift_head = shift_head

    @property
    def size_multiple(self) -> int:
        return self.image_encoder.patch_size

    @torch.no_grad()
    def encode(
        self,
        image: Float[Tensor, "B 3 H W"],
        captions: Sequence[str],
        relative_depth: Float[Tensor, "B H W"] | None = None,
        image_tokens: Float[Tensor, "B N D"] | None = None,
    ) -> FrozenFeatures:
        """Outputs of the frozen encoders, once per batch. What is given is used as it is."""
        tokens = self.image_encoder(image) if image_tokens is None else image_tokens
        text_tokens, text_valid = self.text_encoder(captions)
        relative = self.relative_depth(image) if relative_depth is None else relative_depth
        grid = self.image_encoder.grid(image.shape[-2], image.shape[-1])
        # A cache holds them in float16.
        return FrozenFeatures(tokens.float(), grid, text_tokens, text_valid, relative.float(), self.precision)

    def rescale(self, features: FrozenFeatures) -> TR2MOutput:
        """The trained part: two maps, and the metric depth they make of the relative one."""
        size = features.relative_depth.shape[-2:]
        with mixed_precision(features.relative_depth.device, features.precision):
            fused_tokens = self.rescale_encoder(features).float()
            decoded = self.decoder(fused_tokens, features.grid)
            scale_map, scale_features = self.scale_head(decoded, size)
            shift_map, shift_features = self.shift_head(decoded, size)
        metric_depth = rescale_depth(features.relative_depth, scale_map, shift_map)
        head_features = tuple(f for f in (scale_features, shift_features) if f is not None)
        return TR2MOutput(fused_tokens, features.grid, metric_depth, scale_map, shift_map, head_features)

    def with_captions(self, features: FrozenFeatures, captions: Sequence[str]) -> FrozenFeatures:
        text_tokens, text_valid = self.text_encoder(captions)
        return replace(features, text_tokens=text_tokens, text_valid=text_valid)

    def map_encoder(self) -> nn.Module:
        heads = [head for head in (self.scale_head, self.shift_head) if isinstance(head, MapHead)]
        return MapEncoder(self.rescale_encoder, self.decoder, heads) if heads else super().map_encoder()

    def keep_captions(self, captions: Sequence[str]) -> None:
        if captions:
            self.text_encoder(captions)

    def fingerprints(self) -> dict[str, str]:
        return {name: getattr(self, name).fingerprint() for name in ("image_encoder", "text_encoder", "relative_depth")}


def rescale_depth(
    relative_depth: Float[Tensor, "*B H W"], scale_map: Float[Tensor, "*B H W"], shift_map: Float[Tensor, "*B H W"]
) -> Float[Tensor, "*B H W"]:
    """metric_depth = 1 / (scale_map * relative_depth + shift_map)                                        (Eq. 3)"""
    return 1 / (scale_map * relative_depth + shift_map).clamp(min=MIN_INVERSE_DEPTH)
