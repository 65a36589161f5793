"""The checkpoint file: the trained part, what resuming needs, and the names of the frozen part."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tr2m.errors import UserError
from tr2m.files import file_sha256, temporary_for, write_flushed
from tr2m.json_text import json_text
from tr2m.models.finite import check_finite
from tr2m.models.tensor_file import read_tensors
from tr2m.models.weight_kinds import kind_of, weights_in
from tr2m.training.run.old_formats import FORMAT_VERSION, in_present_format

MANIFEST = "manifest.jsonl"
# The parts that a checkpoint needs to be resumed, each a dictionary, and what their values are.
PARTS = {
    "config": object,
    "model": torch.Tensor,
    "contrast": torch.Tensor,
    "optimizer": object,
    "scheduler": object,
    "progress": (int, float),
    "unreadable": list,
    "frames": str,
    "fingerprints": str,
}


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` (plain containers and tensors) to `path`, so that whenever the process is killed the folder holds
    the old file or the new one, whole and listed.

    A temporary file is written, flushed to the disk, read back and compared; its size and SHA-256 are appended to the
    folder's manifest; only then does it get its name.

    Raises:
        UserError: the disk is full or does not keep what was written; the old file is untouched.
    """
    buffer = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **state}, buffer)
    digest, size = hashlib.sha256(buffer.getbuffer()).hexdigest(), buffer.getbuffer().nbytes
    line = {"file": path.name, "sha256": digest, "size": size, "step": state.get("step")}
    try:
        with temporary_for(path) as temporary:
            write_flushed(temporary, buffer.getbuffer())
            if file_sha256(temporary) != digest:
                raise OSError("the file reads back differently from what was written")
            with (path.parent / MANIFEST).open("a") as file:
                # The line begins with its break: a kill may have left half a line behind.
                file.write("\n" + json_text(line, indent=None))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"checkpoint {path} cannot be written ({error.strerror or error}); the earlier ones are intact. "
            "Make room on that disk and continue with resume=auto"
        ) from error


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint file according to its folder's manifest; None if it is as it was written.

    A file may be listed several times, once for each time it was written: any of them will do.
    """
    size, listed = path.stat().st_size, [line for line in read_manifest(path.parent) if line["file"] == path.name]
    if not listed:
        return f"it is not in {MANIFEST}"
    if size not in [line["size"] for line in listed]:
        return f"it has {size} bytes, {MANIFEST} says {listed[-1]['size']}"
    if file_sha256(path) not in [line["sha256"] for line in listed]:
        return f"its SHA-256 is not the one in {MANIFEST}"
    return None


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a folder's manifest, the oldest first; half a line, which a kill leaves, is none."""
    path = folder / MANIFEST
    lines = []
    for text in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and {"file", "sha256", "size"} <= line.keys():
            lines.append(line)
    return lines


def load_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed (weights_only).

    Raises:
        UserError: no such file, a damaged one, not a checkpoint of this project, or one of another format version.
    """
    return as_checkpoint(path, read_tensors(path, device))


def as_checkpoint(path: str | Path, content: Any) -> dict[str, Any]:
    """The content of a file, which should be a checkpoint of this project; an older one in today's names.

    Raises:
        UserError: it is something else, which is named if it is known, or has another format version.
    """
    if not isinstance(content, dict) or "format_version" not in content:
        kind = kind_of(str(name) for name in weights_in(content))
        raise UserError(
            f"{path} holds {f'weights of {kind}' if kind else 'something else'}, expected a checkpoint that tr2m train "
            "wrote, or the authors' da_s_vitl_vitl.pth"
        )
    return in_present_format(path, content)


def check_parts(path: str | Path, state: Mapping[str, Any], names: Iterable[str] = PARTS) -> None:
    """Raise UserError unless a checkpoint has the parts `names`, and they hold what they should."""
    for name in names:
        part = state.get(name)
        if not isinstance(part, dict) or not all(isinstance(item, PARTS[name]) for item in part.values()):
            raise UserError(f"{path} is no checkpoint of TR2M: its {name!r} is missing or not what it should be")


def load_weights(module: nn.Module, state: Mapping[str, torch.Tensor], what: str) -> None:
    """Load `state` strictly. Raises UserError that names missing, unexpected, misshapen and non-finite weights."""
    own = module.state_dict()
    problems = [f"missing {name}" for name in sorted(own.keys() - state.keys())]
    problems += [f"unexpected {name}" for name in sorted(state.keys() - own.keys())]
    problems += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if state[name].shape != own[name].shape
    ]
    kinds = [kind_of(names) for names in (state, own)]
    if problems and None not in kinds and kinds[0] != kinds[1]:
        raise UserError(f"{what} has weights of {kinds[0]}, expected those of {kinds[1]}")
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise UserError(f"{what} does not fit the model: {'; '.join(problems[:5])}{more}")
    check_finite(state, what)
    module.load_state_dict(state)


def check_fingerprints(stored: Mapping[str, str], present: Mapping[str, str]) -> None:
    """Raise UserError unless the frozen encoders are those that the checkpoint was trained on."""
    for name, fingerprint in stored.items():
        if present.get(name) != fingerprint:
            raise UserError(
                f"{name} is not the one this checkpoint was trained on: its weights have SHA-256 "
                f"{str(present.get(name))[:12]}..., the checkpoint expects {fingerprint[:12]}...; "
                "use the same weight files"
            )
