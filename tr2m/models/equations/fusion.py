"""The fusion of `model=tr2m_equations`: Eq. 1 and 2 read literally, and the variants of Table 5 in that reading."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tr2m.models.attention import single_head_attention


class SumOfAttentions(nn.Module):
    """F_out = F_I + Attn(Q_I, K_I, V_I) + Attn(Q_I, K_L, V_L), one head                              (Eq. 1-2)

    With the pooled text feature there is one text key, its softmax is 1, and its attention is its value at every
    pixel: the text key would get no gradient and is not made. `text_tokens="sequence"` has it.

    Args:
        width: token width D.
        text_tokens: "pooled" (T = 1, the paper) or "sequence".
        projection: "full" learns Q, K, V; "none" is the literal equation on the features themselves.
    """

    def __init__(
        self, width: int, text_tokens: Literal["pooled", "sequence"], projection: Literal["full", "none"]
    ) -> None:
        super().__init__()

        def make() -> nn.Module:
            return nn.Linear(width, width) if projection == "full" else nn.Identity()

        self.image_query, self.image_key, self.image_value, self.text_value = make(), make(), make(), make()
        self.text_key = make() if text_tokens == "sequence" else None

    def forward(
        self, image_tokens: Float[Tensor, "B N D"], text_tokens: Float[Tensor, "B T D"], text_valid: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N D"]:
        query = self.image_query(image_tokens)
        image_attention = single_head_attention(query, self.image_key(image_tokens), self.image_value(image_tokens))
        text_attention = self.text_value(text_tokens)
        if self.text_key is not None:
            text_attention = single_head_attention(query, self.text_key(text_tokens), text_attention, text_valid)
        return image_tokens + image_attention + text_attention


class ImageAttention(nn.Module):
    """F_out = F_I + Attn(Q_I, K_I, V_I): the image alone (Table 5, row 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.image_query, self.image_key, self.image_value = (nn.Linear(width, width) for _ in range(3))

    def forward(
        self, image_tokens: Float[Tensor, "B N D"], text_tokens: Float[Tensor, "B T C"], text_valid: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N D"]:
        return image_tokens + single_head_attention(
            self.image_query(image_tokens), self.image_key(image_tokens), self.image_value(image_tokens)
        )


class TextBroadcast(nn.Module):
    """F_out = V_L at every pixel: the sentence alone (Table 5, row 1). A sequence is averaged over its tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text_value = nn.Linear(width, width)

    def forward(
        self, image_tokens: Float[Tensor, "B N D"], text_tokens: Float[Tensor, "B T D"], text_valid: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N D"]:
        weight = text_valid[..., None].float()
        text = (text_tokens * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
        return self.text_value(text).expand_as(image_tokens)
