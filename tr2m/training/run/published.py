"""Weights for others: a folder with model.safetensors and config.json, which hold nothing but numbers and text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from tr2m.errors import UserError
from tr2m.files import file_sha256, whole_folder
from tr2m.json_text import json_text
from tr2m.models.finite import check_finite
from tr2m.training.run.old_formats import FORMAT_VERSION, in_present_format

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


def publish(state: Mapping[str, Any], name: str, folder: Path, card: str | None = None) -> None:
    """Write what `load_model` needs of a checkpoint that has been read; folders of the machine that trained it stay
    behind. `name` is the checkpoint's in messages, `card` the text of a README.md.

    Raises:
        UserError: the folder exists, or a weight is not finite.
    """
    if folder.exists():
        raise UserError(f"{folder} exists: expected the name of a new folder")
    check_finite(state["model"], name)
    weights = save({name: weight.contiguous() for name, weight in state["model"].items()})
    content = {
        "format_version": FORMAT_VERSION,
        "config": {name: state["config"].get(name) for name in ("name", "seed", "model")},
        "fingerprints": state["fingerprints"],
        "input_sizes": state["input_sizes"],
        "units": state.get("units"),
        "git_commit": state["git_commit"],
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    with whole_folder(folder) as new:
        (new / WEIGHTS).write_bytes(weights)
        (new / CONFIG).write_text(json_text(content) + "\n")
        if card is not None:
            (new / CARD).write_text(card, encoding="utf-8")


def read_published(folder: Path) -> dict[str, Any]:
    """The parts of a checkpoint that a published folder has. Raises UserError if it is not one, or damaged."""
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
        digest = file_sha256(folder / WEIGHTS)
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise UserError(f"{folder}: expected {WEIGHTS} and {CONFIG} as tr2m export writes them: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{folder / CONFIG}: expected a mapping with format_version {FORMAT_VERSION}")
    content = in_present_format(folder / CONFIG, content)
    if content.get("weights_sha256") != digest:
        raise UserError(f"{folder / WEIGHTS} is not the file that {CONFIG} describes; copy both again")
    return {**content, "model": weights}
