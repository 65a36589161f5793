"""The frozen networks at toy width, with weights under their published names and inputs that depend on nothing but
NumPy's frozen random stream.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tiny
import torch
from safetensors.torch import save_file
from torch import Tensor

from tr2m.build import build

CAPTIONS = ["a photo of a cat", "A narrow kitchen with two chairs, seen from the door."]
# The size that position embeddings are made for: nothing is interpolated.
SIDE, PATCH = 98, 14
SMALL = {
    "image_encoder": ("width=32", "architecture.depth=2", "architecture.num_heads=2"),
    "text_encoder": ("width=16", "architecture.width=32", "architecture.heads=2", "architecture.layers=2"),
    "relative_depth": (),
}
FILES = {
    "image_encoder": "timm/vit_small_patch14_dinov2.lvd142m/model.safetensors",
    "text_encoder": "timm/vit_large_patch14_clip_224.openai/open_clip_model.safetensors",
    "relative_depth": "LiheYoung/depth-anything-small-hf/model.safetensors",
}
# Depth Anything's weights are published under the names that transformers had then.
PUBLISHED = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
}


def image() -> Tensor:
    pixels = np.random.RandomState(0).randint(0, 256, (1, 3, SIDE, SIDE))
    return torch.from_numpy(pixels.astype(np.float32) / 255)


def settings(part: str) -> dict[str, Any]:
    options = [f"model.{part}.{option}" for option in SMALL[part]]
    return tiny.config("model=tiny", *options)["model"][part]


def published_weights(part: str) -> dict[str, Tensor]:
    """Weights by published name, each from a stream of its own: about 1 where a layer scales, 0 elsewhere."""
    weights = {}
    for name, weight in build(settings(part)).network.named_buffers():
        for ours, theirs in PUBLISHED.items():
            name = name.replace(ours, theirs)
        values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(weight.shape))
        if weight.ndim >= 2:
            values /= np.prod(weight.shape[1:]) ** 0.5
        elif name.endswith(("weight", "gamma", "lambda1")):
            values = 1 + values / 10
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights


def load(part: str, folder: Path) -> Any:
    """A part of model=tiny with these weights, by the code that loads published ones; TR2M_WEIGHTS must be `folder`."""
    path = folder / FILES[part]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(published_weights(part), path)
    return build({**settings(part), "pretrained": True})
