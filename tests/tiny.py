"""The smallest real model and batches for it: the project's own classes and configs, at sizes for a test."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from tr2m.build import build, read_settings
from tr2m.cli.options.app import plain
from tr2m.experiment.parameters import count_parameters
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.losses.objective import Objective
from tr2m.models.momentum import MomentumContrast, another_image
from tr2m.models.tr2m import TR2M
from tr2m.types import DepthBatch

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
# The encoders of model=tiny, smaller still.
SMALL = (
    "model.image_encoder.width=16",
    "model.image_encoder.architecture.depth=1",
    "model.image_encoder.architecture.num_heads=2",
    "model.text_encoder.width=16",
    "model.text_encoder.architecture.width=16",
    "model.text_encoder.architecture.layers=1",
    "contrast.projector.hidden=8",
    "contrast.projector.out=12",
    "contrast.projector.pool=1",
)
# Frozen networks of the published widths that do next to nothing.
PUBLISHED_WIDTHS = (
    "model/image_encoder=dinov2_tiny",
    "model.image_encoder.width=1024",
    "model.image_encoder.architecture.depth=1",
    "model/text_encoder=clip_tiny",
    "model.text_encoder.width=768",
    "model.text_encoder.architecture.width=64",
    "model/relative_depth=depth_anything_tiny",
)
# Depth Anything with a metric head, as small.
DEPTH_ANYTHING = (
    "+model.architecture.backbone_config={model_type: dinov2, hidden_size: 32, num_hidden_layers: 4, "
    "num_attention_heads: 2, image_size: 98, patch_size: 14, out_indices: [1, 2, 3, 4], reshape_hidden_states: false}",
    "+model.architecture.reassemble_hidden_size=32",
    "+model.architecture.neck_hidden_sizes=[8, 8, 16, 16]",
    "+model.architecture.fusion_hidden_size=8",
    "+model.architecture.head_hidden_size=4",
    "model.pretrained=false",
)


def config(*overrides: str, name: str = "train") -> dict[str, Any]:
    """configs/<name>.yaml with overrides, as plain containers."""
    return deepcopy(_composed(name, overrides))


def benchmark(*overrides: str) -> BenchmarkSettings:
    """configs/benchmark.yaml with overrides."""
    return read_settings(BenchmarkSettings, config(*overrides, name="benchmark"))


def counts(*overrides: str, name: str = "summary") -> dict[str, int]:
    """Parameters of each component under configs/<name>.yaml with overrides."""
    settings = config(*overrides, name=name)
    return count_parameters(settings["model"], settings["contrast"])


@cache
def _composed(name: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return plain(compose(name, list(overrides)))


def parts(*overrides: str) -> tuple[TR2M, MomentumContrast, Objective]:
    """Model, contrast and objective of the training config with tiny encoders."""
    settings = config("model=tiny", *SMALL, *overrides)
    torch.manual_seed(0)
    model = build(settings["model"])
    contrast = build(settings["contrast"], model=model)
    return model, contrast, build(settings["objective"])


def batch(size: int = 2, height: int = 28, width: int = 70, seed: int = 0) -> DepthBatch:
    """Random images with sparse depth between 1 and 5 m; not square, so that swapped sides show."""
    generator = torch.Generator().manual_seed(seed)
    depth = 1 + 4 * torch.rand(size, height, width, generator=generator)
    valid = torch.rand(size, height, width, generator=generator) < 0.3
    return DepthBatch(
        dataset="random",
        unit="m",
        depth_range=(1e-3, 10.0),
        image=torch.rand(size, 3, height, width, generator=generator),
        depth=depth.where(valid, 0.0),
        valid=valid,
        captions=[f"a room with {number} chairs" for number in range(size)],
        sample_ids=[f"random/{number}" for number in range(size)],
    )


def partner(batch: DepthBatch) -> Tensor | None:
    """For the contrast."""
    return another_image(len(batch.image), batch.image.device)
