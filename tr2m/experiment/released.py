"""The authors' checkpoint: recognised by its names, read as one of ours, and written from one of ours.

It has no licence: it is loaded where a user has it, and never shipped.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.experiment.needed_weights import missing_message, needed_files
from tr2m.experiment.parameters import without_weights
from tr2m.files import write_atomically, written_to
from tr2m.models.finite import check_finite
from tr2m.models.frozen.weights import local_weights, weights_folder
from tr2m.models.released_names import from_released, is_released, to_released, without_prefix
from tr2m.models.weight_kinds import kind_of, weights_in

RELEASED_NAME = "tr2m_released"
MODEL_CONFIG = Path(__file__).with_name("released_model.json")
"""`model=tr2m` as it was composed when this checkpoint was published; a test holds it against configs/model."""
# What it was trained at, and the unit of each of its training sets.
INPUT_SIZES = [(434, 560), (350, 1204)]
UNITS = {"nyuv2": "m", "kitti": "m", "void": "m", "c3vd": "mm"}


def locate(checkpoint: str | Path) -> Path:
    """The path of a checkpoint; `released` is the authors' file in $TR2M_WEIGHTS/tr2m/.

    Raises:
        UserError: `released` is asked for and missing; states where to get it and what is needed beside it.
    """
    if str(checkpoint) != "released":
        return Path(checkpoint)
    path = weights_folder() / "tr2m" / "da_s_vitl_vitl.pth"
    if not path.is_file():
        missing = [file for file in needed_files(model_config()) if not local_weights(*file)]
        raise UserError(missing_message(missing, path))
    return path


def model_config() -> dict[str, Any]:
    return json.loads(MODEL_CONFIG.read_text(encoding="utf-8"))


def read_released(path: Path, content: Any) -> dict[str, Any] | None:
    """The content of a file, in the form of a checkpoint of ours, if it is the authors': the
    bare weights, or under `state_dict` or `model`. None if it is another file.

    Raises:
        UserError: a name is missing, surplus or misshapen.
    """
    weights = weights_in(content)
    if not is_released(weights):
        return None
    weights = without_prefix(weights)
    check_names(path, weights)
    return {
        "config": {"name": RELEASED_NAME, "seed": None, "model": model_config()},
        "model": from_released(weights),
        "fingerprints": {},
        "input_sizes": INPUT_SIZES,
        "units": UNITS,
        "git_commit": None,
    }


def write_released(path: Path, weights: Mapping[str, torch.Tensor], name: str) -> None:
    """Write the weights of a trained `model=tr2m` as a file that the authors' code loads; `name` is the checkpoint's in
    messages.

    Raises:
        UserError: they are of another network or not finite, there is such a file, or it cannot be written.
    """
    if path.exists():
        raise UserError(f"{path} exists: expected the name of a new file")
    if (kind := kind_of(weights)) != kind_of(["decoder.project."]):
        raise UserError(f"--format released is for model=tr2m, and this checkpoint is of {kind or 'another model'}")
    renamed = to_released(weights)
    check_names(path, renamed)
    check_finite(weights, name)
    content = io.BytesIO()
    torch.save({"state_dict": {name: weight.cpu().contiguous() for name, weight in renamed.items()}}, content)
    with written_to(path):
        write_atomically(path, content.getvalue())


def check_names(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError that names what is missing, surplus or misshapen in weights under the authors' names."""
    shapes = released_shapes()
    problems = [f"missing {name}" for name in sorted(shapes.keys() - weights.keys())]
    problems += [f"surplus {name}" for name in sorted(weights.keys() - shapes.keys())]
    problems += [
        f"{name} is {tuple(weights[name].shape)}, expected {shape}"
        for name, shape in shapes.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise UserError(f"{path} is not the authors' network: {'; '.join(problems[:5])}{more}")


def released_shapes() -> dict[str, tuple[int, ...]]:
    """The shape of each weight of the authors' network, by its name there."""
    with torch.device("meta"):
        model = build(without_weights(model_config()))
    return {name: tuple(weight.shape) for name, weight in to_released(model.state_dict()).items()}
