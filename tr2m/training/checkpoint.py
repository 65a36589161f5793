"""Checkpoints: the trained part, what resuming needs, and the names of the frozen part."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tr2m.errors import UserError

FORMAT_VERSION = 1


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` (plain containers and tensors) to `path`: first beside it, then renamed, so that no half file is
    left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save({"format_version": FORMAT_VERSION, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed (weights_only).

    Raises:
        UserError: no such file, not a checkpoint of this project, or one of another format version.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no checkpoint {path}: expected a file such as outputs/<experiment>/<run>/checkpoints/best.pt")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} cannot be read as a checkpoint ({reason}); it may be truncated") from error
    version = state.get("format_version") if isinstance(state, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(f"{path} has checkpoint format {version!r}, this version of tr2m reads {FORMAT_VERSION}")
    return state


def load_weights(module: nn.Module, state: Mapping[str, torch.Tensor], what: str) -> None:
    """Load `state` strictly. Raises UserError that names missing, unexpected and misshapen weights."""
    own = module.state_dict()
    problems = [f"missing {name}" for name in sorted(own.keys() - state.keys())]
    problems += [f"unexpected {name}" for name in sorted(state.keys() - own.keys())]
    problems += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if state[name].shape != own[name].shape
    ]
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise UserError(f"{what} does not fit the model: {'; '.join(problems[:5])}{more}")
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
