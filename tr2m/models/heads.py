"""From the decoder's features to one positive map: the scale head and the shift head."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tr2m.models.frozen.precision import full_precision
from tr2m.models.resize import resize

MAP_SCALE = 0.01
"""A map is 0.01 * exp(logit) (released)."""


class PositiveMap(NamedTuple):
    """What a head predicts."""

    values: Float[Tensor, "B H W"]
    features: Float[Tensor, "B C h w"] | None
    """The head's own features, at the decoder's resolution; None if it has none."""


class MapHead(nn.Module):
    """Two convolutions at the decoder's and at the image's resolution, a last one to the logit, exp       (released)

    Args:
        decoder_width, mid_width, hidden_width: channels of the decoder, and after each 3x3 convolution.
    """

    def __init__(self, decoder_width: int, mid_width: int, hidden_width: int) -> None:
        super().__init__()
        self.mid = nn.Conv2d(decoder_width, mid_width, kernel_size=3, padding=1)
        self.hidden = nn.Conv2d(mid_width, hidden_width, kernel_size=3, padding=1)
        self.to_logit = nn.Conv2d(hidden_width, 1, kernel_size=1)

    def forward(self, decoded: Float[Tensor, "B C h w"], size: tuple[int, int]) -> PositiveMap:
        """The map at `size` (H, W). It is not clamped: training skips a step whose map overflows, as it does any other
        that is not finite, and prediction counts such pixels.
        """
        features = self.mid(decoded)
        return PositiveMap(MAP_SCALE * self._logits(F.relu(self.hidden(resize(features, size)))).exp(), features)

    def _logits(self, hidden: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W"]:
        # Float32 needs no copy; compiled it is one kernel without one, and exported it takes any number of images.
        if hidden.dtype == torch.float32 or torch.compiler.is_compiling():
            return self._logit(hidden)
        # A float32 copy of all channels at full size: for one image at a time, and again in the backward pass.
        return torch.cat(
            [checkpoint(self._logit, image, use_reentrant=False, preserve_rng_state=False) for image in hidden.split(1)]
        )

    def _logit(self, hidden: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W"]:
        # In bfloat16, a logit near 5 is off by up to 0.016, and so would be depth, by as many parts of one.
        with full_precision(hidden.device):
            weight, bias = self.to_logit.parameters()
            cells = hidden.float().permute(0, 2, 3, 1)
            return (torch.mv(cells.flatten(0, 2), weight.flatten()) + bias).view(cells.shape[:3])


class FactorHead(nn.Module):
    """One factor for the whole image, from the mean token (Table 4, row 1: rescaling without maps)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.to_logit = nn.Linear(width, 1)

    def forward(self, tokens: Float[Tensor, "B D h w"], size: tuple[int, int]) -> PositiveMap:
        with full_precision(tokens.device):
            logit = self.to_logit(F.relu(self.hidden(tokens.float().mean(dim=(2, 3)))))
            factor = self.factor(logit)
        return PositiveMap(factor[:, :, None].expand(-1, *size), None)

    def factor(self, logit: Float[Tensor, "B 1"]) -> Float[Tensor, "B 1"]:
        return MAP_SCALE * logit.exp()


class ConstantHead(nn.Module):
    """The same value everywhere, nothing learned (Table 11: shift map 0 = scale only, scale map 1 = shift only)."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, decoded: Float[Tensor, "B C h w"], size: tuple[int, int]) -> PositiveMap:
        return PositiveMap(torch.full((decoded.shape[0], *size), self.value, device=decoded.device), None)
