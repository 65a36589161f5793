"""From fused tokens to the feature map that the scale head and the shift head share."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.models.resize import resize


class TokenGrid(nn.Module):
    """The tokens at their places, and nothing else: for heads that need no decoder."""

    def forward(self, tokens: Float[Tensor, "B N D"], grid: tuple[int, int]) -> Float[Tensor, "B D h w"]:
        return on_grid(tokens, grid)


class DPTDecoder(nn.Module):
    """A DPT decoder for one level of features                                                     (A.3.1; released)

    Projection, one learned and two bilinear doublings, each of the latter after a residual unit.

    Args:
        width: token width D.
        project_width, decoder_width: channels before and after the first 3x3 convolution.
    """

    UPSAMPLING = 8
    """Cells of the result per side of one token."""

    def __init__(self, width: int, project_width: int, decoder_width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, project_width, kernel_size=1)
        self.upsample = nn.ConvTranspose2d(project_width, project_width, kernel_size=2, stride=2)
        self.reduce = nn.Conv2d(project_width, decoder_width, kernel_size=3, padding=1, bias=False)
        self.residual1, self.residual2 = ResidualUnit(decoder_width), ResidualUnit(decoder_width)
        self.mix1, self.mix2 = (nn.Conv2d(decoder_width, decoder_width, kernel_size=1) for _ in range(2))

    def forward(self, tokens: Float[Tensor, "B N D"], grid: tuple[int, int]) -> Float[Tensor, "B C h8 w8"]:
        # Tokens on their grid have their channels last in memory, and cuDNN keeps that through all convolutions.
        features = self.reduce(self.upsample(self.project(on_grid(tokens, grid))))
        features = resize(self.mix1(self.residual1(features)), (4 * grid[0], 4 * grid[1]))
        return resize(self.mix2(self.residual2(features)), (8 * grid[0], 8 * grid[1]))


class ResidualUnit(nn.Module):
    """x + two 3x3 convolutions of x, a ReLU before each; no batch norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(2))

    def forward(self, features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        return features + self.conv2(F.relu(self.conv1(F.relu(features))))


def on_grid(tokens: Float[Tensor, "B N D"], grid: tuple[int, int]) -> Float[Tensor, "B D h w"]:
    """Tokens, which come row by row, as a feature map."""
    return tokens.transpose(1, 2).unflatten(2, grid)
