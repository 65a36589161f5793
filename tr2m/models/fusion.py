"""Joining image and text: the projection of the text, the cross-modality attention, and its variants of Table 5."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tr2m.models.attention import MultiHeadAttention


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), CLIP's activation."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class TextProjection(nn.Sequential):
    """Text width D' -> token width D                                                           (Sec. 3.2; released)"""

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__(nn.Linear(text_width, width), QuickGELU())


class MLP(nn.Sequential):
    """Four times as wide inside                                                                           (released)"""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 4 * width), QuickGELU(), nn.Linear(4 * width, width))


class CrossModalityAttention(nn.Module):
    """F_I + self-attention + attention to the text (Eq. 1-2), as one pre-norm transformer block           (released)

    Args:
        width: token width D.
        heads: of both attentions.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = MultiHeadAttention(width, heads)
        self.image_norm, self.text_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.text_attention = MultiHeadAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width)

    def forward(
        self, image_tokens: Float[Tensor, "B N D"], text_tokens: Float[Tensor, "B T D"], text_valid: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N D"]:
        tokens, normed = image_tokens, self.self_norm(image_tokens)
        tokens = tokens + self.self_attention(normed, normed)
        tokens = tokens + self.text_attention(self.image_norm(tokens), self.text_norm(text_tokens), text_valid)
        return tokens + self.mlp(self.mlp_norm(tokens))


class ImageAttention(nn.Module):
    """The same block without attention to the text: the image alone (Table 5, row 2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attention = MultiHeadAttention(width, heads)
        self.mlp = MLP(width)

    def forward(
        self, image_tokens: Float[Tensor, "B N D"], text_tokens: Float[Tensor, "B T C"], text_valid: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N D"]:
        normed = self.self_norm(image_tokens)
        tokens = image_tokens + self.self_attention(normed, normed)
        return tokens + self.mlp(self.mlp_norm(tokens))


class TextBroadcast(nn.Module):
    """F_L + MLP(F_L) at every token: the sentence alone (Table 5, row 1). A sequence is averaged over its tokens.

    Of the image only the size of its token grid is used.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width)

    def forward(
        self, image_tokens: Float[Tensor, "B N D"], text_tokens: Float[Tensor, "B T D"], text_valid: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N D"]:
        weight = text_valid[..., None].float()
        text = (text_tokens * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
        return (text + self.mlp(self.mlp_norm(text))).expand_as(image_tokens)
