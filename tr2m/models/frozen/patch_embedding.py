"""The patch embedding of a vision transformer as one matrix product."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def embed_by_product(network: nn.Module) -> None:
    """Let the patch embeddings in a frozen network run as matrix products: convolutions whose windows tile the image.
    Weights and their names stay as they are. cuDNN does 14x14 windows without tensor cores.
    """
    layers: list[Any] = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        if layer.in_channels == 3 and tiles(layer):
            layer.forward = partial(patch_product, layer)


def tiles(layer: nn.Conv2d) -> bool:
    """Whether each pixel is in one window of `layer` (those of a last, partial window are in none)."""
    return layer.kernel_size == layer.stride and layer.padding == (0, 0) and layer.dilation == (1, 1)


def patch_product(layer: nn.Conv2d, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
    """What `layer` computes, its patches as rows of one matrix."""
    height, width = layer.kernel_size
    rows, columns = image.shape[2] // height, image.shape[3] // width
    whole = image[:, :, : rows * height, : columns * width]
    patches = whole.unflatten(2, (rows, height)).unflatten(4, (columns, width)).permute(0, 2, 4, 1, 3, 5)
    return F.linear(patches.flatten(3), layer.weight.flatten(1), layer.bias).permute(0, 3, 1, 2)
