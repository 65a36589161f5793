"""Frozen models of relative depth: inverse depth up to an unknown scale and shift, larger is nearer."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForDepthEstimation,
    DepthAnythingForDepthEstimation,
    PreTrainedConfig,
)

from tr2m.errors import UserError
from tr2m.models.frozen.encoders import RelativeDepthEstimator
from tr2m.models.frozen.frozen_module import FrozenModule, build_with_seed
from tr2m.models.frozen.interpolation import Interpolation
from tr2m.models.frozen.patch_embedding import embed_by_product
from tr2m.models.frozen.position_embedding import use_in_transformers
from tr2m.models.frozen.resize_rule import FixedSize, ResizeRule, SameSize, check_tokens
from tr2m.models.frozen.weights import find_weights


class RelativeDepthModel(FrozenModule, RelativeDepthEstimator):
    """A depth model of transformers: Depth Anything, DPT, MiDaS.

    Args:
        repo_id: hub repository of the weights.
        architecture: `model_type` and what differs from its defaults in transformers.
        resize: which size the model wants its image in.
        image_interpolation: how the image is resized to it.
        depth_interpolation: how the map is resized to the image's size; None leaves it at the network's.
        mean, std: per channel, of RGB in [0, 1].
        pretrained: load the weights of `repo_id`; False gives random ones that depend on `seed` alone.

    Raises:
        UserError: the weights cannot be found or do not fit the architecture.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        repo_id: str,
        architecture: dict,
        resize: ResizeRule,
        image_interpolation: Interpolation,
        depth_interpolation: Interpolation | None,
        mean: list[float],
        std: list[float],
        pretrained: bool,
        seed: int,
    ) -> None:
        config = AutoConfig.for_model(**architecture)
        if pretrained:
            network = load_depth_model(repo_id, config)
        else:
            network = build_with_seed(lambda: AutoModelForDepthEstimation.from_config(config), seed)
        super().__init__(network)
        use_in_transformers(network, frozen=True)
        embed_by_product(network)
        self.resize = resize
        self.image_interpolation = image_interpolation
        self.depth_interpolation = depth_interpolation
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @property
    def size_multiple(self) -> int:
        """Both sides of an image must be multiples of it."""
        return self.resize.multiple_of if isinstance(self.resize, SameSize) else 1

    def set_precision(self, precision: torch.dtype) -> None:
        """As every frozen network, but for the layers that give depth itself: bfloat16 has steps of 0.4 %, which a
        point cloud shows as terraces.
        """
        if precision == self.precision:
            return
        super().set_precision(precision)
        for layer in self.network.modules():
            if isinstance(layer, nn.Conv2d) and layer.out_channels == 1:
                layer.float()
                layer.register_forward_pre_hook(in_float32)

    def pieces(self) -> list[nn.Module]:
        if not isinstance(self.network, DepthAnythingForDepthEstimation):
            return super().pieces()
        return [*self.network.backbone.encoder.layer, self.network.neck, self.network.head]

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B h w"]:
        """The map of RGB in [0, 1], raw as the network gives it."""
        pixels = self.preprocess(image).to(self.precision)
        return self.read(self.network(pixel_values=pixels), (image.shape[-2], image.shape[-1]))

    def preprocess(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 h w"]:
        """The image as the network wants it: resized and normalised. Raises UserError if that has too many patches."""
        size = (image.shape[-2], image.shape[-1])
        seen = self.resize(*size)
        if not isinstance(self.resize, FixedSize):
            check_tokens(size, seen, self.resize.multiple_of, "", "cut the image into pieces, or make it smaller")
        return (self.image_interpolation(image, seen) - self.mean) / self.std

    def read(self, output: Any, size: tuple[int, int]) -> Float[Tensor, "B h w"]:
        """The map in the network's output, for an image of `size`."""
        return self.resize_depth(output.predicted_depth.float(), size)

    def resize_depth(self, depth: Float[Tensor, "B h w"], size: tuple[int, int]) -> Float[Tensor, "B H W"]:
        """A map of the network at the image's size, unless it is to stay as it is."""
        return depth if self.depth_interpolation is None else self.depth_interpolation(depth[:, None], size)[:, 0]


def in_float32(layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """A forward pre-hook for a layer that stays in float32."""
    return (inputs[0].float(),)


class StoredRelativeDepth(RelativeDepthEstimator):
    """Stands where a model would: the data set provides the relative depth (the synthetic world, predictions on
    disk).
    """

    REFUSAL = (
        "this model was trained on relative depth that came with its data and cannot estimate it from an image: "
        "give it with the image (tr2m predict: --relative-depth file.npy)"
    )
    num_weights = 0

    @property
    def size_multiple(self) -> int:
        return 1

    def fingerprint(self) -> str:
        return "stored"

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B H W"]:
        raise UserError(self.REFUSAL)


def load_depth_model(repo_id: str, config: PreTrainedConfig) -> nn.Module:
    """The model of `config` with the weights of `repo_id`. Raises UserError unless every weight was found and fits."""
    path = find_weights(repo_id, "model.safetensors")
    network, info = AutoModelForDepthEstimation.from_pretrained(
        path.parent,
        config=config,
        local_files_only=True,
        dtype=torch.float32,
        # Reported, so that the error below can name them, instead of raised somewhere inside.
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    if wrong := sorted(map(str, {*info["missing_keys"], *info["mismatched_keys"]})):
        raise UserError(
            f"{path} does not fit model_type {config.model_type}: missing or misshapen {', '.join(wrong[:5])}"
        )
    return network
