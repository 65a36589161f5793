"""The heads of `model=tr2m_equations`: A.3.1 read literally, without a shared decoder."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.models import heads
from tr2m.models.frozen.precision import full_precision
from tr2m.models.heads import PositiveMap


class Upsample2x(nn.ConvTranspose2d):
    """A 2x transposed convolution as one matrix product: its windows do not overlap, so each cell makes four.

    Channels come last, as in tokens. Parameters are those of torch's class, which is slower (docs/performance.md).
    """

    bias: nn.Parameter

    def __init__(self, width: int) -> None:
        super().__init__(width, width, kernel_size=2, stride=2)
        # Each output cell meets `width` weights. torch's default counts four times as many, and lets so little through
        # two layers that a new head sees little more than its own biases.
        nn.init.normal_(self.weight, std=(2 / width) ** 0.5)

    def forward(self, cells: Float[Tensor, "B h w D"]) -> Float[Tensor, "B 2*h 2*w D"]:
        matrix = self.weight.permute(2, 3, 1, 0).flatten(0, 2)
        made = F.linear(cells, matrix, self.bias.repeat(4)).unflatten(3, (2, 2, -1))
        # (B, h, w, row, column, D): rows beside rows, columns beside columns.
        return made.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class TokenwiseHead(nn.Module):
    """One 1x1 convolution, two 2x transposed convolutions, one convolution to one channel, exp            (A.3.1)

    A 1x1 convolution is a linear layer of each cell. Tokens exchange nothing.

    Args:
        width: token width D.
        max_logit: logits are clamped to [-max_logit, max_logit] before exp; log(1000 / metre) = 6.9 must fit.
    """

    def __init__(self, width: int, max_logit: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.upsample1 = Upsample2x(width)
        self.upsample2 = Upsample2x(width)
        self.to_logit = nn.Linear(width, 1)
        self.max_logit = max_logit

    def forward(self, tokens: Float[Tensor, "B D h w"], size: tuple[int, int]) -> PositiveMap:
        """The map at `size` (H, W). Logits, not the map, are interpolated: the map stays positive and its edges
        geometric.
        """
        cells = self.project(tokens.movedim(1, 3))
        cells = F.relu(self.upsample1(cells))
        cells = F.relu(self.upsample2(cells))
        # A logit near 5 in bfloat16 is off by up to 0.016, and so would be the share of every metre.
        with full_precision(tokens.device):
            logits = self.to_logit(cells.float()).permute(0, 3, 1, 2)
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)[:, 0]
            return PositiveMap(logits.clamp(-self.max_logit, self.max_logit).exp(), None)


class FactorHead(heads.FactorHead):
    """One factor for the whole image, its logit clamped to [-max_logit, max_logit]."""

    def __init__(self, width: int, max_logit: float) -> None:
        super().__init__(width)
        self.max_logit = max_logit

    def factor(self, logit: Float[Tensor, "B 1"]) -> Float[Tensor, "B 1"]:
        return logit.clamp(-self.max_logit, self.max_logit).exp()
