"""RSA: one scale and one shift for the whole image, from the sentence alone (the paper's reference [72])."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tr2m.errors import UserError
from tr2m.models.contract import RescalingModel
from tr2m.models.finite import check_finite
from tr2m.models.frozen.encoders import RelativeDepthEstimator, TextEncoder
from tr2m.models.tensor_file import read_tensors
from tr2m.models.tr2m import rescale_depth
from tr2m.models.weight_kinds import weights_in
from tr2m.types import TR2MOutput

# What the public repository calls the network in its checkpoints: its training and its older evaluation program.
CHECKPOINT_KEYS = ("model", "LanScale_model")


@dataclass(frozen=True)
class TextFeatures:
    """Outputs of RSA's frozen networks for a batch."""

    text: Float[Tensor, "B D"]
    relative_depth: Float[Tensor, "B H W"]


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with leaky ReLU between them."""
    layers = [layer for width, following in pairwise(widths) for layer in (nn.Linear(width, following), nn.LeakyReLU())]
    return nn.Sequential(*layers[:-1])


class RSAFactors(nn.Module):
    """The text feature to log scale and log shift. Named as in the public repository, so that its checkpoints load.

    Args:
        text_width: 1024 with CLIP RN50, which makes 1,494,274 parameters.
    """

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.scene_feat_net = perceptron(text_width, 512, 512, 512, 256, 256)
        self.shift_net = perceptron(256, 256, 128, 128, 64, 1)
        self.scale_net = perceptron(256, 256, 128, 128, 64, 1)

    def forward(self, text: Float[Tensor, "B D"]) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Scale and shift, both positive, per unit of depth."""
        scene = self.scene_feat_net(text)
        return self.scale_net(scene)[:, 0].exp(), self.shift_net(scene)[:, 0].exp()


class RSA(RescalingModel):
    """metric_depth = 1 / (scale * relative_depth + shift), both numbers from the sentence.

    Args:
        text_encoder, relative_depth: frozen.
        text_width: width of the text encoder's pooled feature.
        checkpoint: the public repository's file, or None to train.
    """

    def __init__(
        self, text_encoder: TextEncoder, relative_depth: RelativeDepthEstimator, text_width: int, checkpoint: str | None
    ) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.relative_depth = relative_depth
        self.rescale_encoder = RSAFactors(text_width)
        if checkpoint is not None:
            load_published(self.rescale_encoder, Path(checkpoint))

    @property
    def size_multiple(self) -> int:
        return self.relative_depth.size_multiple

    @torch.no_grad()
    def encode(
        self,
        image: Float[Tensor, "B 3 H W"],
        captions: Sequence[str],
        relative_depth: Float[Tensor, "B H W"] | None = None,
        image_tokens: Tensor | None = None,
    ) -> TextFeatures:
        """Outputs of the frozen networks; a given `relative_depth` is used as it is, tokens of the image not at all."""
        text_tokens, _ = self.text_encoder(captions)
        relative = self.relative_depth(image) if relative_depth is None else relative_depth
        return TextFeatures(text_tokens.mean(dim=1), relative.float())

    def rescale(self, features: TextFeatures) -> TR2MOutput:
        """The trained part; both maps are constant."""
        scale, shift = (
            factor[:, None, None].expand_as(features.relative_depth) for factor in self.rescale_encoder(features.text)
        )
        depth = rescale_depth(features.relative_depth, scale, shift)
        return TR2MOutput(features.text[:, None], (1, 1), depth, scale, shift)

    def with_captions(self, features: TextFeatures, captions: Sequence[str]) -> TextFeatures:
        return replace(features, text=self.text_encoder(captions)[0].mean(dim=1))

    def keep_captions(self, captions: Sequence[str]) -> None:
        if captions:
            self.text_encoder(captions)

    def fingerprints(self) -> dict[str, str]:
        return {name: getattr(self, name).fingerprint() for name in ("text_encoder", "relative_depth")}


def load_published(factors: RSAFactors, path: Path) -> None:
    """Load a checkpoint of the public RSA repository, written on one GPU or on several.

    Raises:
        UserError: it is damaged, no such checkpoint, or one of other widths; or a weight is NaN or infinite.
    """
    content = read_tensors(path, expected="a checkpoint file of the public RSA repository")
    inside = [content[key] for key in CHECKPOINT_KEYS if isinstance(content, Mapping) and key in content]
    weights = {name.removeprefix("module."): weight for name, weight in weights_in(next(iter(inside), None)).items()}
    check_finite(weights, str(path))
    try:
        factors.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path} is no RSA checkpoint with {' or '.join(CHECKPOINT_KEYS)} inside ({error})") from error
