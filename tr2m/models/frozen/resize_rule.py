"""Which size a network wants its image in, given the size of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tr2m.errors import UserError

MAX_TOKENS = 16_384
"""Patches of an image. Training has some 2,000, a panorama of 1:8 at Depth Anything's 518 pixels has 11,000; time grows
with their square, and a strip of 10x4000 would have hundreds of thousands.
"""


@dataclass(frozen=True)
class SameSize:
    """The image as it comes: its sides must already be multiples of the patch size (the sizes RSA feeds Depth
    Anything).
    """

    multiple_of: int

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        check_multiple(height, width, self.multiple_of)
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
class FitOneSide:
    """Keeps the aspect; the side that changes the scale least gets its wanted length, then both are rounded to a
    multiple ("minimal" in MiDaS and ZoeDepth), one at least.
    """

    height: int
    width: int
    multiple_of: int

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        scale = min(self.height / height, self.width / width, key=lambda scale: abs(1 - scale))
        return self._round(scale * height), self._round(scale * width)

    def _round(self, side: float) -> int:
        return max(1, round(side / self.multiple_of)) * self.multiple_of


@dataclass(frozen=True)
class FixedSize:
    """Always the same size, whatever the aspect (DPT and MiDaS, 384x384)."""

    height: int
    width: int
    multiple_of: int = 1

    def __post_init__(self) -> None:
        check_multiple(self.height, self.width, self.multiple_of)

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        return self.height, self.width


def check_multiple(height: int, width: int, multiple_of: int) -> None:
    """Raise UserError unless both sides are multiples of `multiple_of`."""
    if height % multiple_of or width % multiple_of:
        raise UserError(f"image of {height}x{width}: both sides must be multiples of {multiple_of}")


def check_tokens(image: tuple[int, int], seen: tuple[int, int], patch: int, at: str, advice: str) -> None:
    """Raise UserError, with `advice`, if an `image` that the network sees as `seen` has more than MAX_TOKENS patches.

    Args:
        image, seen: (height, width).
        at: what, beside the image, decided the size, as it stands in the message.
    """
    tokens = seen[0] * seen[1] // patch**2
    if tokens > MAX_TOKENS:
        raise UserError(
            f"image of {image[0]}x{image[1]} (height x width){at}: the network would see {seen[0]}x{seen[1]} pixels, "
            f"{tokens:,} patches, expected at most {MAX_TOKENS:,}; {advice}"
        )


ResizeRule = SameSize | LowerBound | FitOneSide | FixedSize
