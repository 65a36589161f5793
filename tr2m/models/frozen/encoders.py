"""What TR2M needs of its frozen networks, whichever library they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tr2m.models.frozen.frozen_module import FrozenModule


class ImageEncoder(FrozenModule, ABC):
    """RGB in [0, 1] to one token for each square patch."""

    patch_size: int
    """Pixels a side."""

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Size (h, w) of the token grid. Raises ValueError unless both sides are multiples of the patch size."""
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"image of {height}x{width} pixels: both sides must be multiples of {self.patch_size}; "
                "set the data set's input_size accordingly"
            )
        return height // self.patch_size, width // self.patch_size

    @abstractmethod
    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N D"]:
        """Tokens, row by row."""


class TextEncoder(FrozenModule, ABC):
    """Captions to features; each caption is encoded once and kept."""

    @abstractmethod
    def forward(self, captions: Sequence[str]) -> tuple[Float[Tensor, "B T D"], Bool[Tensor, "B T"]]:
        """Features of the captions and which of them are not padding."""

    @abstractmethod
    def encode(self, captions: list[str]) -> tuple[Float[Tensor, "B T D"], Bool[Tensor, "B T"]]:
        """The same, computed anew."""

    @abstractmethod
    def forget(self) -> None:
        """Drop every caption that is kept."""


class RelativeDepthEstimator(nn.Module, ABC):
    """RGB in [0, 1] to inverse depth up to an unknown scale and shift, larger is nearer."""

    num_weights: int

    @property
    @abstractmethod
    def size_multiple(self) -> int:
        """Both sides of an image must be multiples of it."""

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of its weights."""

    @abstractmethod
    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B h w"]: ...
