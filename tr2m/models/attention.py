"""Attention: in many heads by torch's fused kernel, in a single wide one by two matrix products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V in `heads` heads, with projections of Q, K, V and of the result          (Eq. 1)

    `nn.MultiheadAttention` has the same parameters under the same names and the same first weights; in training it
    hands 3-D tensors to a slower kernel, and it has no way around the attention to a single token.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} does not divide into {heads} heads")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * width, width)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        queries: Float[Tensor, "B N D"],
        context: Float[Tensor, "B T D"],
        valid: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B N_or_1 D"]:
        """`queries` attend to `context`, only to its `valid` tokens if given.

        A context of one token has the weight 1 for every query: the result is one token for all of them, and the
        projections of queries and keys get no gradient.
        """
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        if context.shape[1] == 1:
            return self.out_proj(F.linear(context, weights[2], biases[2]))
        query, key, value = (
            F.linear(tokens, weight, bias).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for tokens, weight, bias in zip((queries, context, context), weights, biases, strict=True)
        )
        mask = None if valid is None else valid[:, None, None, :]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out_proj(attended.transpose(1, 2).flatten(2))


def single_head_attention(
    query: Float[Tensor, "B N D"],
    key: Float[Tensor, "B T D"],
    value: Float[Tensor, "B T D"],
    valid: Bool[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B N D"]:
    """softmax(Q K^T / sqrt(d)) V in one head as wide as the tokens                                        (Eq. 1)

    No fused kernel is made for a head of 1,024. The softmax is float32, only `valid` tokens of the context count.
    """
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if valid is not None:
        scores = scores.masked_fill(~valid[:, None, :], -torch.inf)
    return scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value
