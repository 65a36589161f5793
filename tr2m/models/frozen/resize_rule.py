"""Which size a network wants its image in, given the size of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SameSize:
    """The image as it comes: its sides must already be multiples of the patch size (the sizes RSA feeds Depth
    Anything).
    """

    multiple_of: int

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        if height % self.multiple_of or width % self.multiple_of:
            raise ValueError(f"image of {height}x{width}: both sides must be multiples of {self.multiple_of}")
        return height, width


@dataclass(frozen=True)
class LowerBound:
    """Keeps the aspect; both sides at least `bound`, each rounded to a multiple (Depth Anything's own rule, bound
    518).
    """

    bound: int
    multiple_of: int

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        scale = self.bound / min(height, width)
        return self._round(scale * height), self._round(scale * width)

    def _round(self, side: float) -> int:
        nearest = round(side / self.multiple_of) * self.multiple_of
        return nearest if nearest >= self.bound else math.ceil(side / self.multiple_of) * self.multiple_of


@dataclass(frozen=True)
class FixedSize:
    """Always the same size, whatever the aspect (DPT and MiDaS, 384x384)."""

    height: int
    width: int

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        return self.height, self.width


ResizeRule = SameSize | LowerBound | FixedSize
