"""Feature maps at another size: bilinear, the centres of the corner cells stay in place (`align_corners`)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tr2m.models.frozen.precision import full_precision


def resize(features: Float[Tensor, "B C h w"], size: tuple[int, int]) -> Float[Tensor, "B C H W"]:
    """`features` at `size` (H, W), in their own precision."""
    if features.is_cuda and features.requires_grad:
        return ResizeByProducts.apply(features, size)
    return interpolate(features, size)


def interpolate(features: Float[Tensor, "B C h w"], size: tuple[int, int]) -> Float[Tensor, "B C H W"]:
    # Autocast would make a float32 copy; torch's kernels weigh in float32 whatever they read.
    with full_precision(features.device):
        return F.interpolate(features, size, mode="bilinear", align_corners=True)


class ResizeByProducts(torch.autograd.Function):
    """`interpolate`, whose gradient is two matrix products. torch's own kernels add every pixel of it to its four cells
    one after the other: a third of a compiled training step on an H200 (docs/performance.md).
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, size: tuple[int, int]) -> Tensor:
        ctx.size = features.shape[-2:]
        return interpolate(features, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return resize_gradient(gradients[0], ctx.size), None


def resize_gradient(gradient: Float[Tensor, "B C H W"], size: tuple[int, int]) -> Float[Tensor, "B C h w"]:
    """The gradient with respect to the features of `size` (h, w) that were resized."""
    rows, columns = (
        interpolation_matrix(old, new, gradient) for old, new in zip(size, gradient.shape[-2:], strict=True)
    )
    images, channels = gradient.shape[:2]
    # Channels are last in memory, so both views are free: first all columns of a row at once, then row by row.
    lines = gradient.permute(0, 2, 3, 1).flatten(2)
    lines = torch.bmm(rows.expand(images, -1, -1), lines).view(images * size[0], -1, channels)
    cells = torch.bmm(columns.expand(len(lines), -1, -1), lines)
    return cells.view(images, *size, channels).permute(0, 3, 1, 2)


def interpolation_matrix(old: int, new: int, like: Tensor) -> Float[Tensor, "old new"]:
    """The share of each of `old` cells in each of `new` ones, in the precision and on the device of `like`."""
    cells = torch.eye(old, device=like.device)
    return F.interpolate(cells[None], new, mode="linear", align_corners=True)[0].to(like.dtype)
