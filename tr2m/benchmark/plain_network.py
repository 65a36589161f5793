"""The released network in plain functional calls: float32, every attention a matrix product.

Written from the description of the network alone, by the names of the authors' checkpoint: it shares nothing with
`tr2m.models` and is a second opinion on it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Weights = Mapping[str, Tensor]


def plain_maps(
    weights: Weights,
    image_tokens: Float[Tensor, "B N D"],
    text_tokens: Float[Tensor, "B T C"],
    grid: tuple[int, int],
    heads: int = 8,
) -> dict[str, Tensor]:
    """Scale map and shift map at 14 times the token grid, and the fused tokens."""
    text = quick_gelu(linear(weights, "align_mlp.a_fc", text_tokens))
    x = image_tokens
    normed = norm(weights, "crossattn.ln_1", x)
    x = x + attention(weights, "crossattn.attn", normed, normed, heads)
    queries, keys = norm(weights, "crossattn.ln_visual", x), norm(weights, "crossattn.ln_text", text)
    x = x + attention(weights, "crossattn.attn_cross", queries, keys, heads)
    inside = quick_gelu(linear(weights, "crossattn.mlp.c_fc", norm(weights, "crossattn.ln_2", x)))
    x = x + linear(weights, "crossattn.mlp.c_proj", inside)

    height, width = grid
    features = x.mT.reshape(len(x), -1, height, width)
    features = conv(weights, "projects", features)
    features = F.conv_transpose2d(features, weights["resize_layers.weight"], weights["resize_layers.bias"], stride=2)
    features = F.conv2d(features, weights["layer1_rn.weight"], padding=1)
    for unit, factor in ((1, 4), (2, 8)):
        inner = conv(weights, f"resConfUnit{unit}.conv1", features.relu())
        features = features + conv(weights, f"resConfUnit{unit}.conv2", inner.relu())
        features = resized(conv(weights, f"out_conv{unit}", features), height * factor, width * factor)
    maps = {"fused_tokens": x}
    for name in ("scale", "shift"):
        mid = resized(conv(weights, f"output_conv_{name}1", features), 14 * height, 14 * width)
        hidden = conv(weights, f"output_conv_{name}2.0", mid).relu()
        maps[f"{name}_map"] = 0.01 * conv(weights, f"output_conv_{name}2.2", hidden)[:, 0].exp()
    return maps


def attention(weights: Weights, name: str, queries: Tensor, context: Tensor, heads: int) -> Tensor:
    projections = zip(weights[f"{name}.in_proj_weight"].chunk(3), weights[f"{name}.in_proj_bias"].chunk(3), strict=True)
    inputs = zip((queries, context, context), projections, strict=True)
    # (B, heads, tokens, D / heads)
    q, k, v = (
        (tokens @ weight.T + bias).reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)
        for tokens, (weight, bias) in inputs
    )
    scores = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
    return linear(weights, f"{name}.out_proj", (scores @ v).transpose(1, 2).reshape(queries.shape))


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def conv(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Zero padding keeps the size."""
    kernel = weights[f"{name}.weight"]
    return F.conv2d(x, kernel, weights[f"{name}.bias"], padding=kernel.shape[-1] // 2)


def resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=True)


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)
