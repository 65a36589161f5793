"""The contract of a model that can be trained, scored and loaded here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

import tr2m  # its public names, which import on first use: what publishes a model stands above it
from tr2m.errors import UserError
from tr2m.models.frozen.frozen_module import FrozenModule
from tr2m.types import DepthOutput, Unit


class RescalingModel(nn.Module, ABC):
    """An image and captions to metric depth, in two halves: `encode` is frozen, `rescale` is trained.

    What `encode` returns is the model's own; `rescale` and `rescale_encoder` take it. It has `relative_depth` (None
    where the model has none) and, for the contrast, `grid` and `precision`.
    """

    has_maps: ClassVar[bool] = True
    """Whether `rescale` returns a TR2MOutput, with a scale map and a shift map."""
    reads_captions: ClassVar[bool] = True
    """Whether the prediction depends on the caption; then there is `with_captions`."""

    rescale_encoder: nn.Module
    """The trained encoder, features -> fused tokens: what the contrast's momentum branch copies."""

    def __init__(self) -> None:
        super().__init__()
        self.precision = torch.float32
        """What the networks compute in (`set_precision`)."""
        self.input_sizes: list[tuple[int, int]] = []
        """(height, width) of the images it was trained on; `load_model` fills in this and `units`."""
        self.units: dict[str, Unit] | None = None
        """Of each data set it was trained on; None for checkpoints from when depth was metres in all of them."""
        self.provenance: dict[str, Any] | None = None
        """Config, fingerprints and commit of the checkpoint that it was loaded from; None if it was built anew."""

    @classmethod
    def from_pretrained(
        cls, source: str | Path, device: str = "cpu", frozen: Literal["published", "random"] = "published"
    ) -> RescalingModel:
        """`tr2m.load_model`, for a checkpoint of this class: a folder of `tr2m export`, or a hub repository.

        Raises:
            UserError: as `load_model`, or a checkpoint of another class.
        """
        model = tr2m.load_model(source, device, frozen)
        if not isinstance(model, cls):
            raise UserError(f"{source} holds {type(model).__name__}, not {cls.__name__}: use tr2m.load_model")
        return model

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """`tr2m.push_to_hub` of this model, which must have been loaded from a checkpoint."""
        return tr2m.push_to_hub(self, repository, **options)

    def set_precision(self, precision: torch.dtype) -> None:
        """Let the networks compute in `precision`: frozen ones hold their weights in it, trained weights stay float32,
        as do maps, depth and losses. Their fingerprints stay those of the published weights.
        """
        self.precision = precision
        for module in self.modules():
            if isinstance(module, FrozenModule):
                module.set_precision(precision)

    @property
    @abstractmethod
    def size_multiple(self) -> int:
        """Both sides of an image, in pixels, must be multiples of it."""

    @abstractmethod
    def encode(
        self,
        image: Float[Tensor, "B 3 H W"],
        captions: Sequence[str],
        relative_depth: Float[Tensor, "B H W"] | None = None,
        image_tokens: Float[Tensor, "B N D"] | None = None,
    ) -> Any:
        """Features of RGB in [0, 1]. `relative_depth` and `image_tokens` are used in place of the networks' own."""

    @abstractmethod
    def rescale(self, features: Any) -> DepthOutput:
        """The trained part."""

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        captions: Sequence[str],
        relative_depth: Float[Tensor, "B H W"] | None = None,
    ) -> DepthOutput:
        return self.rescale(self.encode(image, captions, relative_depth))

    def map_encoder(self) -> nn.Module:
        """The trained encoder up to the features of the heads, features -> (B, C, h, w): what the contrast's momentum
        branch copies under `contrast.features=maps`. `rescale` returns them as `head_features`.
        """
        raise UserError(f"contrast.features=maps: {type(self).__name__} has no heads with features; use fused")

    def with_captions(self, features: Any, captions: Sequence[str]) -> Any:
        """`features` of a batch under other captions, one for each image; the images are not encoded again."""
        raise UserError(f"{type(self).__name__} reads no captions")

    def keep_captions(self, captions: Sequence[str]) -> None:
        """Encode at once captions that `encode` will be given soon. Nothing, for a model that reads none."""

    @abstractmethod
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each frozen part: a checkpoint is worth nothing with other encoders than it was trained on."""

    def require_maps(self, purpose: str) -> None:
        """Raise UserError if `purpose` needs scale and shift maps and the model has none."""
        if not self.has_maps:
            raise UserError(f"{purpose} needs a scale map and a shift map, and {type(self).__name__} predicts neither")

    def require_captions(self, purpose: str) -> None:
        """Raise UserError if `purpose` needs a model that reads captions and this one does not."""
        if not self.reads_captions:
            raise UserError(f"{purpose} needs a model that reads captions, and {type(self).__name__} reads none")
