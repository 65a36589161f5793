"""Which files of weights a model needs beside its checkpoint, and one message for all that are missing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tr2m.errors import UserError
from tr2m.models.frozen.weights import find_weights, local_weights, weights_folder
from tr2m.shipped import shipped

ADDRESS = "https://github.com/BeileiCui/TR2M/raw/HEAD/weights/da_s_vitl_vitl.pth"
CHECKPOINT = "the authors' checkpoint, 72 MB, without a licence: yours to load, not to pass on"


def licences() -> dict[str, dict[str, str]]:
    """configs/licences.yaml: network, size and licence of frozen weights by hub repository."""
    return yaml.safe_load((shipped("configs") / "licences.yaml").read_text(encoding="utf-8"))


def needed_files(model: Any) -> list[tuple[str, str]]:
    """(repository, file) of each frozen network of a model's configuration that is not random. Whether it is one, those
    who build it will find out.
    """
    files = []
    for name, part in model.items() if isinstance(model, Mapping) else ():
        if isinstance(part, Mapping) and part.get("pretrained"):
            repo_id = f"timm/{part.get('name')}" if name == "image_encoder" else str(part.get("repo_id"))
            files.append((repo_id, str(part.get("filename", "model.safetensors"))))
    return files


def require_files(files: Sequence[tuple[str, str]]) -> None:
    """Raise UserError that names every missing file, unless the first can be had from the hub: then the others can."""
    if missing := [file for file in files if not local_weights(*file)]:
        try:
            find_weights(*missing[0])
        except UserError as error:
            raise UserError(missing_message(missing)) from error


def missing_message(files: Sequence[tuple[str, str]], checkpoint: Path | None = None) -> str:
    """What is missing, of the hub's files and (where it is given) the authors' `checkpoint`: names, sizes, licences and
    the commands that fetch it.
    """
    entries, terms = [], licences()
    if checkpoint is not None:
        fetch = f"curl -fL --create-dirs -o {shlex.quote(str(checkpoint))} {ADDRESS}"
        entries.append(f"  tr2m/{checkpoint.name} ({CHECKPOINT})\n    {fetch}")
    for repo_id, filename in files:
        known = ", ".join(terms[repo_id].values()) if repo_id in terms else "size and licence: see its page on the hub"
        fetch = f"hf download {repo_id} {filename} --local-dir {shlex.quote(str(weights_folder() / repo_id))}"
        entries.append(f"  {repo_id}/{filename} ({known})\n    {fetch}")
    count = "1 file of weights is" if len(entries) == 1 else f"{len(entries)} files of weights are"
    return "\n".join(
        [
            f"{count} missing in {weights_folder().absolute()} (TR2M_WEIGHTS names another folder). Fetch on a machine "
            "with a network:",
            *entries,
            "Without them, tr2m demo trains a small model and predicts with it.",
        ]
    )
