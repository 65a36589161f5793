"""DINOv2: an image to patch tokens."""

from __future__ import annotations

from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.errors import UserError
from tr2m.models.frozen.encoders import ImageEncoder
from tr2m.models.frozen.frozen_module import build_with_seed
from tr2m.models.frozen.patch_embedding import embed_by_product
from tr2m.models.frozen.position_embedding import use_in_timm
from tr2m.models.frozen.weights import find_weights


class DINOv2ImageEncoder(ImageEncoder):
    """Normalised last-layer patch tokens of a timm vision transformer (paper, implementation details: DINOv2 ViT-L/14).

    Args:
        name: timm's name of the architecture, with the tag of its weights.
        width: token width D that the rest of the model is built for; must be the network's.
        pretrained: load the published weights; False gives random ones that depend on `seed` alone.
        architecture: keyword arguments of timm that make the network smaller.

    Raises:
        UserError: the network's width is not `width`, or its weights cannot be found or do not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, width: int, pretrained: bool, architecture: dict, seed: int) -> None:
        source = {"pretrained": False}
        if pretrained:
            path = find_weights(f"timm/{name}", "model.safetensors")
            source = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}
        options = {"num_classes": 0, "dynamic_img_size": True, **source, **architecture}
        try:
            network: Any = build_with_seed(lambda: timm.create_model(name, **options), seed)
        except RuntimeError as error:
            raise UserError(f"weights of timm/{name} do not fit its architecture: {str(error)[:300]}") from error
        if network.num_features != width:
            raise UserError(
                f"image encoder {name} gives tokens of width {network.num_features}, the config says {width}"
            )
        super().__init__(network)
        use_in_timm(network)
        embed_by_product(network)
        self.patch_size = network.patch_embed.patch_size[0]
        statistics = network.pretrained_cfg
        self.register_buffer("mean", torch.tensor(statistics["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(statistics["std"]).view(3, 1, 1), persistent=False)

    def pieces(self) -> list[nn.Module]:
        return [*self.network.blocks, self.network.norm]

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N D"]:
        """Tokens of RGB in [0, 1], row by row. Position embeddings are interpolated as DINOv2's official code
        does."""
        self.grid(*image.shape[-2:])
        normalised = (image - self.mean) / self.std
        tokens = self.network.forward_features(normalised.to(self.precision))
        return tokens[:, self.network.num_prefix_tokens :].float()
