"""A checkpoint file, or a published folder, to a model that can be called."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.experiment.hub import fetch, is_repository_name
from tr2m.experiment.needed_weights import needed_files, require_files
from tr2m.experiment.parameters import without_weights
from tr2m.experiment.released import locate, read_released
from tr2m.files import file_sha256
from tr2m.models.contract import RescalingModel
from tr2m.models.cuda_graphs import replay_networks
from tr2m.models.frozen.precision import Precision, pick_precision
from tr2m.models.tensor_file import read_tensors
from tr2m.training.run.checkpoint import as_checkpoint, check_fingerprints, check_parts, load_weights
from tr2m.training.run.published import WEIGHTS, read_published
from tr2m.types import Unit

logger = logging.getLogger(__name__)

PROVENANCE = ("config", "fingerprints", "input_sizes", "units", "git_commit")
"""The parts of a checkpoint, beside its weights, that make a loaded model one that can be published."""


def load_model(
    checkpoint: str | Path,
    device: torch.device | str = "cpu",
    frozen: Literal["published", "random"] = "published",
    precision: Precision = "auto",
) -> RescalingModel:
    """The trained model of a checkpoint, in eval mode: TR2M, RSA or Depth Anything.

    Args:
        checkpoint: a file that `tr2m train` wrote, a folder that `tr2m export` wrote, a hub repository `owner/name`
            with the files of such a folder, the authors' file `da_s_vitl_vitl.pth`, or "released", which is that file
            in $TR2M_WEIGHTS/tr2m/.
        frozen: "random" gives the frozen networks random weights, so that the trained part can be tested anywhere.
        precision: that the networks compute in. "auto" is bfloat16 where the device multiplies in it (CUDA, a CPU with
            AVX512-BF16 or AMX), else float32; depth then differs by about a hundredth (docs/performance.md).

    The frozen encoders come from $TR2M_WEIGHTS, the hub cache or the hub, and are compared with those it was trained
    on. The model's config is read from the checkpoint as plain data and may only name this project's classes.

    Raises:
        UserError: no such file, not a checkpoint, or encoders that are missing or not the ones it was trained on.
    """
    return model_of(read_trained(checkpoint), str(checkpoint), device, frozen, precision)


def checkpoint_sha256(checkpoint: str | Path) -> str:
    """SHA-256 of the trained weights' file of a checkpoint in any form that `load_model` takes. Raises UserError if
    there is none.
    """
    path = find_checkpoint(checkpoint)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"no checkpoint {file}: expected a file such as outputs/<experiment>/<run>/checkpoints/best.pt")
    return file_sha256(file)


def read_trained(checkpoint: str | Path) -> dict[str, Any]:
    """What a checkpoint in any form that `load_model` takes holds of its model. Raises UserError if it is none."""
    path = find_checkpoint(checkpoint)
    if path.is_dir():
        state = read_published(path)
    else:
        content = read_tensors(path)
        state = read_released(path, content) or as_checkpoint(path, content)
    check_parts(checkpoint, state, ("config", "model", "fingerprints"))
    return state


def find_checkpoint(checkpoint: str | Path) -> Path:
    """The file or folder of a checkpoint in any form that `load_model` takes; fetched if it is on the hub.

    Raises:
        UserError: "released" is not there, or there is no such folder and no such repository on the hub.
    """
    path = locate(checkpoint)
    if not path.exists() and is_repository_name(str(checkpoint)):
        return fetch(str(checkpoint))
    return path


def model_of(
    state: Mapping[str, Any],
    name: str,
    device: torch.device | str,
    frozen: Literal["published", "random"] = "published",
    precision: Precision = "auto",
) -> RescalingModel:
    """`load_model` for a checkpoint that has been read; `name` is its name in messages."""
    config = state["config"].get("model")
    if frozen == "published":
        require_files(needed_files(config or {}))
    model = build(without_weights(config) if frozen == "random" else config)
    if not isinstance(model, RescalingModel):
        raise UserError(f"{name}: its config describes {type(model).__name__}, expected a model that is trained here")
    if frozen == "published":
        check_fingerprints(state["fingerprints"], model.fingerprints())
    load_weights(model, state["model"], name)
    model.input_sizes = [(height, width) for height, width in state["input_sizes"]]
    model.units = state.get("units")
    model.provenance = {name: state.get(name) for name in PROVENANCE}
    device = torch.device(device)
    model.set_precision(pick_precision(precision, device, training=False))
    model.to(device).eval()
    replay_networks(model)
    return model


def check_unit(model: RescalingModel, unit: Unit, what: str) -> None:
    """Whether depth that `model` predicts may be read in `unit`, that of `what`; it notes a unit that is new to it.

    Raises UserError for millimetres from a model that was trained when depth was metres in every data set.
    """
    if model.units is None and unit != "m":
        raise UserError(
            f"{what} is in {unit}, and this checkpoint does not state units: it was trained when depth was metres in "
            f"every data set, endoscopy included. Train it anew; it can still be used for data sets in m."
        )
    trained = {"m"} if model.units is None else set(model.units.values())
    if unit not in trained:
        logger.info("note: %s is in %s, training had data sets in %s only", what, unit, ", ".join(sorted(trained)))
