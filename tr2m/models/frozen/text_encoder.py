"""CLIP: a sentence to one feature, or to one feature per token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import open_clip
import torch
from jaxtyping import Bool, Float
from open_clip.transformer import QuickGELU, TextTransformer
from safetensors import safe_open
from torch import Tensor, nn

from tr2m.errors import UserError
from tr2m.models.frozen.encoders import TextEncoder
from tr2m.models.frozen.frozen_module import build_with_seed
from tr2m.models.frozen.weights import find_weights

CONTEXT_LENGTH = 77
"""Tokens of a caption that CLIP reads, start and end included; the rest is cut off."""


class CLIPTextEncoder(TextEncoder):
    """The text tower of CLIP ViT-L/14 (paper, implementation details). Each caption is encoded once and kept.

    Args:
        name: open_clip's name of the architecture. OpenAI's weights need the quick-GELU variant.
        width: feature width D' that the rest of the model is built for; must be the network's.
        text_tokens: "pooled" gives one feature, that of the end-of-text token (T = 1); "sequence" all 77, padding
            masked.
        pretrained: load OpenAI's weights; False gives random ones that depend on `seed` alone.
        architecture: keyword arguments of open_clip's TextTransformer that make it smaller.
        repo_id, filename: hub repository and file of the weights.
        cached_captions: how many captions to keep; the oldest is dropped first.

    Raises:
        UserError: the network's width is not `width`, or its weights cannot be found or do not fit.
    """

    def __init__(
        self,
        name: str,
        width: int,
        text_tokens: Literal["pooled", "sequence"],
        pretrained: bool,
        architecture: dict,
        repo_id: str,
        filename: str,
        cached_captions: int,
        seed: int,
    ) -> None:
        config = open_clip.get_model_config(name)
        if config is None:
            raise UserError(f"text encoder {name}: open_clip has no architecture of this name")
        activation = QuickGELU if config.get("quick_gelu") else nn.GELU
        options = {**config["text_cfg"], "output_dim": config["embed_dim"], **architecture}
        network = build_with_seed(lambda: TextTransformer(act_layer=activation, output_tokens=True, **options), seed)
        if network.output_dim != width:
            raise UserError(
                f"text encoder {name} gives features of width {network.output_dim}, the config says {width}"
            )
        if pretrained:
            load_text_tower(network, str(find_weights(repo_id, filename)))
        super().__init__(network)
        self.text_tokens = text_tokens
        self.cached_captions = cached_captions
        self.tokenizer = open_clip.SimpleTokenizer(context_length=network.context_length)
        self._cache: dict[str, tuple[Tensor, Tensor]] = {}

    def forward(self, captions: Sequence[str]) -> tuple[Float[Tensor, "B T D"], Bool[Tensor, "B T"]]:
        """Features of the captions and which of them are not padding."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._cache]
        # On a CPU one by one: what is kept must not depend, in its last bits, on the captions it happened to be
        # encoded with, or a resumed run would differ from an uninterrupted one.
        on_cpu = self.network.positional_embedding.device.type == "cpu"
        for group in [[caption] for caption in new] if on_cpu else [new] if new else []:
            features, valid = self.encode(group)
            self._cache.update({caption: (features[i], valid[i]) for i, caption in enumerate(group)})
        features, valid = zip(*(self._cache[caption] for caption in captions), strict=True)
        while len(self._cache) > self.cached_captions:
            del self._cache[next(iter(self._cache))]
        return torch.stack(features), torch.stack(valid)

    def replayed(self) -> nn.Module:
        return self.network

    def set_precision(self, precision: torch.dtype) -> None:
        super().set_precision(precision)
        self.forget()

    def forget(self) -> None:
        """Drop every caption that is kept."""
        self._cache.clear()

    def encode(self, captions: list[str]) -> tuple[Float[Tensor, "B T D"], Bool[Tensor, "B T"]]:
        """The same, computed anew."""
        token_ids = self.tokenizer(captions).to(self.network.positional_embedding.device)
        pooled, tokens = self.network(token_ids)
        if self.text_tokens == "pooled":
            return pooled[:, None].float(), torch.ones_like(token_ids[:, :1], dtype=torch.bool)
        # The end-of-text token has the largest id of the vocabulary; what follows it is padding.
        length = token_ids.argmax(dim=1, keepdim=True) + 1
        valid = torch.arange(token_ids.shape[1], device=token_ids.device) < length
        # Into the same space as the pooled feature, which is the end-of-text row of this product.
        return (tokens @ self.network.text_projection).float(), valid


def load_text_tower(network: TextTransformer, path: str) -> None:
    """Load the text half of a CLIP checkpoint into `network`, leaving the image half on disk.

    Raises:
        UserError: names of weights that are missing, or of a wrong shape.
    """
    with safe_open(path, framework="pt") as file:
        stored = set(file.keys())
        wanted = network.state_dict()
        if missing := sorted(set(wanted) - stored):
            raise UserError(f"{path} is no CLIP checkpoint for this architecture: it lacks {', '.join(missing[:5])}")
        state = {name: file.get_tensor(name) for name in wanted}
    if wrong := [name for name in wanted if state[name].shape != wanted[name].shape]:
        name = wrong[0]
        raise UserError(f"{path}: {name} is {tuple(state[name].shape)}, expected {tuple(wanted[name].shape)}")
    network.load_state_dict(state)


def count_tokens(caption: str) -> int:
    """Tokens of a caption, start and end included, before anything is cut off."""
    return len(_tokenizer().encode(caption)) + 2


@cache
def _tokenizer() -> open_clip.SimpleTokenizer:
    return open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
