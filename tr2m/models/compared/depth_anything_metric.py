"""Depth Anything with a metric head, trained as a whole: DA Single and DA Mix of Table 3, the plug-in of Table 8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForDepthEstimation

from tr2m.models.contract import RescalingModel
from tr2m.models.finite import check_finite
from tr2m.models.frozen.frozen_module import build_with_seed
from tr2m.models.frozen.position_embedding import use_in_transformers
from tr2m.models.frozen.relative_depth import load_depth_model
from tr2m.types import DepthOutput

# In the unit of the data set. The head ends in a sigmoid, whose 0 has no logarithm.
NEAREST = 1e-4


@dataclass(frozen=True)
class ImageFeatures:
    """Nothing is frozen here: the normalised image itself."""

    image: Float[Tensor, "B 3 H W"]
    grid: tuple[int, int]
    relative_depth: None = None
    precision: torch.dtype = torch.float32
    """Whatever the model's: metres out of a bfloat16 head would come in steps of 0.4 %."""


class BackboneTokens(nn.Module):
    """DINOv2 as Depth Anything has it. Its last tokens are what the contrast compares."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def feature_maps(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B L D"]]:
        """Tokens of four layers, the class token first."""
        return list(self.backbone(image).feature_maps)

    def forward(self, features: ImageFeatures) -> Float[Tensor, "B N D"]:
        return self.feature_maps(features.image)[-1][:, 1:]


class DepthAnythingMetric(RescalingModel):
    """Depth Anything whose last activation is max_depth * sigmoid, starting from the relative model's weights.

    Args:
        repo_id, architecture: of the relative model.
        max_depth: the farthest depth it can predict, in the unit of each data set.
        mean, std: per channel, of RGB in [0, 1].
        pretrained: start from the weights of `repo_id`; False gives random ones that depend on `seed` alone.
    """

    has_maps = False
    reads_captions = False

    mean: Tensor
    std: Tensor
    rescale_encoder: BackboneTokens

    def __init__(
        self,
        repo_id: str,
        architecture: dict,
        max_depth: int,
        mean: list[float],
        std: list[float],
        pretrained: bool,
        seed: int,
    ) -> None:
        super().__init__()
        config = AutoConfig.for_model(**architecture, depth_estimation_type="metric", max_depth=max_depth)
        if pretrained:
            network: Any = load_depth_model(repo_id, config)
            check_finite(dict(network.named_parameters()), repo_id)
        else:
            network = build_with_seed(lambda: AutoModelForDepthEstimation.from_config(config), seed)
        use_in_transformers(network, frozen=False)
        self.rescale_encoder = BackboneTokens(network.backbone)
        self.neck, self.head = network.neck, network.head
        self.patch_size: int = config.patch_size
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @property
    def size_multiple(self) -> int:
        return self.patch_size

    def encode(
        self,
        image: Float[Tensor, "B 3 H W"],
        captions: Sequence[str],
        relative_depth: Tensor | None = None,
        image_tokens: Tensor | None = None,
    ) -> ImageFeatures:
        """The normalised image, whose sides are multiples of the patch size; nothing else is looked at."""
        grid = (image.shape[-2] // self.patch_size, image.shape[-1] // self.patch_size)
        return ImageFeatures((image - self.mean) / self.std, grid)

    def rescale(self, features: ImageFeatures) -> DepthOutput:
        """The whole network."""
        maps = self.rescale_encoder.feature_maps(features.image)
        depth = self.head(self.neck(maps, *features.grid), *features.grid)
        return DepthOutput(maps[-1][:, 1:], features.grid, depth.clamp(min=NEAREST))

    def fingerprints(self) -> dict[str, str]:
        """Nothing is frozen: all weights are in the checkpoint."""
        return {}
