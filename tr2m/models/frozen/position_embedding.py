"""Position embeddings of a DINOv2 network at other grids than its own, as its official code interpolates them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

OFFSET = 0.1
"""DINOv2's official code adds it to the new side before it divides by the old one (`interpolate_offset`)."""
GRIDS_KEPT = 16


def interpolate_positions(table: Float[Tensor, "1 L D"], grid: tuple[int, int]) -> Float[Tensor, "1 N D"]:
    """`table`, the class token's embedding and those of a square grid, for a `grid` of (h, w) patches.

    Plain bicubic at a scale factor of (h + 0.1) / side, without antialiasing. timm antialiases and transformers has no
    offset: by either, features at 434x560 differ from the published ones.
    """
    side = round((table.shape[1] - 1) ** 0.5)
    if grid == (side, side):
        return table
    square = table[:, 1:].float().transpose(1, 2).unflatten(2, (side, side))
    factors = [(new + OFFSET) / side for new in grid]
    patches = F.interpolate(square, scale_factor=factors, mode="bicubic", antialias=False)
    return torch.cat([table[:, :1], patches.flatten(2).transpose(1, 2).to(table.dtype)], dim=1)


class PositionCache:
    """Interpolates the embeddings of a frozen network once for each grid and keeps the last few.

    Outside of what torch.compile traces: inside it, each grid would be interpolated in every step.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, torch.device, torch.dtype], Tensor] = {}
        self._recorded: list[Tensor] = []
        """CUDA graphs go on reading these."""

    @torch.compiler.disable
    def __call__(self, table: Float[Tensor, "1 L D"], grid: tuple[int, int]) -> Float[Tensor, "1 N D"]:
        key = (*grid, table.device, table.dtype)
        recording = table.is_cuda and torch.cuda.is_current_stream_capturing()
        if key in self._kept:
            if recording:
                self._recorded.append(self._kept[key])
            return self._kept[key]
        with torch.no_grad():
            positions = interpolate_positions(table, grid)
        # What is recorded has no values before it is replayed, and is not kept.
        if not recording:
            if len(self._kept) >= GRIDS_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = positions
        return positions


def use_in_timm(network: Any) -> None:
    """Give a frozen timm vision transformer the official position embeddings."""
    # Any: what torch.compiler.disable returns has no type.
    positions: Any = PositionCache()

    def add_positions(patches: Float[Tensor, "B h w D"]) -> Float[Tensor, "B N D"]:
        embedding = positions(network.pos_embed, (patches.shape[1], patches.shape[2]))
        class_token = network.cls_token.expand(patches.shape[0], -1, -1)
        return torch.cat([class_token, patches.flatten(1, 2)], dim=1) + embedding

    network._pos_embed = add_positions


def use_in_transformers(network: nn.Module, frozen: bool) -> None:
    """Give every DINOv2 inside a network of transformers the official position embeddings; kept if it is `frozen`."""
    for module in network.modules():
        if type(module).__name__ == "Dinov2Embeddings":
            _replace_interpolation(module, PositionCache() if frozen else interpolate_positions)


def _replace_interpolation(embeddings: Any, positions: Any) -> None:
    def interpolate(tokens: Tensor, height: int, width: int) -> Tensor:
        patch = embeddings.patch_size
        return positions(embeddings.position_embeddings, (height // patch, width // patch))

    embeddings.interpolate_pos_encoding = interpolate
