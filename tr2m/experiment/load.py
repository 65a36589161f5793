"""A checkpoint file, or a published folder, to a model that can be called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.models.contract import RescalingModel
from tr2m.training.run.checkpoint import check_fingerprints, check_parts, load_checkpoint, load_weights
from tr2m.training.run.published import read_published


def load_model(checkpoint: str | Path, device: torch.device | str = "cpu") -> RescalingModel:
    """The trained model of a checkpoint, or of a folder that `tr2m export` made, in eval mode: TR2M, RSA or Depth
    Anything.

    The frozen encoders come from $TR2M_WEIGHTS, the hub cache or the hub, and are compared with those it was trained
    on. The model's config is read from the checkpoint as plain data and may only name this project's classes.

    Raises:
        UserError: no such file, not a checkpoint, or encoders that are missing or not the ones it was trained on.
    """
    return model_of(read_trained(checkpoint), str(checkpoint), device)


def read_trained(checkpoint: str | Path) -> dict[str, Any]:
    """What a checkpoint, or a published folder, says of its model. Raises UserError if it is neither."""
    state = read_published(Path(checkpoint)) if Path(checkpoint).is_dir() else load_checkpoint(checkpoint)
    check_parts(checkpoint, state, ("config", "model", "fingerprints"))
    return state


def model_of(state: Mapping[str, Any], name: str, device: torch.device | str) -> RescalingModel:
    """`load_model` for a checkpoint that has been read; `name` is its name in messages."""
    model = build(state["config"].get("model"))
    if not isinstance(model, RescalingModel):
        raise UserError(f"{name}: its config describes {type(model).__name__}, expected a model that is trained here")
    check_fingerprints(state["fingerprints"], model.fingerprints())
    load_weights(model, state["model"], name)
    model.input_sizes = [(height, width) for height, width in state["input_sizes"]]
    return model.to(device).eval()
