"""Which part of a frame is scored. The numbers of each data set's protocol stand in its config."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor


@dataclass(frozen=True)
class FullFrame:
    """Everything."""

    def mask(self, height: int, width: int) -> Bool[Tensor, "{height} {width}"]:
        """True where a frame of this size, in pixels, is scored."""
        return torch.ones(height, width, dtype=torch.bool)

    @property
    def description(self) -> str:
        return "whole frame"


@dataclass(frozen=True)
class PixelBox:
    """Rows top to bottom and columns left to right, the second excluded, whatever the size of the frame."""

    top: int
    bottom: int
    left: int
    right: int

    def mask(self, height: int, width: int) -> Bool[Tensor, "{height} {width}"]:
        """True where a frame of this size, in pixels, is scored; what of the box lies outside the frame is cut off."""
        mask = torch.zeros(height, width, dtype=torch.bool)
        mask[self.top : self.bottom, self.left : self.right] = True
        return mask

    @property
    def description(self) -> str:
        return f"rows {self.top}:{self.bottom}, columns {self.left}:{self.right}"


@dataclass(frozen=True)
class FractionBox:
    """A box given in shares of the height and the width, cut to whole pixels towards zero."""

    top: float
    bottom: float
    left: float
    right: float

    def mask(self, height: int, width: int) -> Bool[Tensor, "{height} {width}"]:
        """True where a frame of this size, in pixels, is scored."""
        rows = int(self.top * height), int(self.bottom * height)
        columns = int(self.left * width), int(self.right * width)
        return PixelBox(*rows, *columns).mask(height, width)

    @property
    def description(self) -> str:
        return f"rows {self.top}-{self.bottom} of the height, columns {self.left}-{self.right} of the width"


Region = FullFrame | PixelBox | FractionBox
