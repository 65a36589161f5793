"""A checkpoint file, or a published folder, to a model that can be called."""

from __future__ import annotations

from pathlib import Path

import torch

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.models.tr2m import TR2M
from tr2m.training.checkpoint import check_fingerprints, check_parts, load_checkpoint, load_weights
from tr2m.training.published import read_published


def load_model(checkpoint: str | Path, device: torch.device | str = "cpu") -> TR2M:
    """The trained model of a checkpoint, or of a folder that `scripts/export.py` made, in eval mode.

    The frozen encoders come from $TR2M_WEIGHTS, the hub cache or the hub, and are compared with those it was trained
    on. The model's config is read from the checkpoint as plain data and may only name this project's classes.

    Raises:
        UserError: no such file, not a checkpoint, or encoders that are missing or not the ones it was trained on.
    """
    state = read_published(Path(checkpoint)) if Path(checkpoint).is_dir() else load_checkpoint(checkpoint)
    check_parts(checkpoint, state, ("config", "model", "fingerprints"))
    model = build(state["config"].get("model"))
    if not isinstance(model, TR2M):
        raise UserError(f"{checkpoint}: its config describes {type(model).__name__}, expected a TR2M model")
    check_fingerprints(state["fingerprints"], model.fingerprints())
    load_weights(model, state["model"], str(checkpoint))
    model.input_sizes = [(height, width) for height, width in state["input_sizes"]]
    return model.to(device).eval()
