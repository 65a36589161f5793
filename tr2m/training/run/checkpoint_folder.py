"""The checkpoints of a run: step_<n>.pt files, the links last.pt and best.pt, and which files are kept."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tr2m.files import temporary_for
from tr2m.training.run.checkpoint import damage, save_checkpoint
from tr2m.training.run.log_failures import log_failures

logger = logging.getLogger(__name__)

# One to resume from, and one in case that one is damaged.
NEWEST_KEPT = 2


class CheckpointFolder:
    """Writes the checkpoints of one run and removes those that are not needed any more.

    Kept are the two newest, those that last.pt and best.pt point to, every one at a multiple of `keep_every`, and
    the one that the run was resumed from.

    Args:
        path: the folder.
        keep_every: steps.
    """

    def __init__(self, path: Path, keep_every: int) -> None:
        self.path = path
        self.keep_every = keep_every
        self.source: Path | None = None
        """What the run was resumed from."""

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Write step_<step>.pt, point last.pt to it, remove old ones. Raises UserError if it cannot be written."""
        path = self.path / f"step_{step:08d}.pt"
        save_checkpoint(path, {**state, "step": step})
        self.link("last", path)
        self.rotate()
        return path

    def link(self, name: str, target: Path) -> None:
        """Let <name>.pt point to `target`, at once and for good."""
        with temporary_for(self.path / f"{name}.pt") as temporary:
            temporary.symlink_to(target.name)

    def rotate(self) -> None:
        """Remove what is not kept, and what a killed process left half written."""
        files = step_files(self.path)
        kept = {*files[:NEWEST_KEPT], *(link.resolve() for link in self.path.glob("*.pt") if link.is_symlink())}
        kept |= {self.source} | {file for file in files if step_of(file) % self.keep_every == 0}
        for path in [*(file for file in files if file not in kept), *self.path.glob("*.tmp-*")]:
            with log_failures(f"removing {path}"):
                path.unlink()


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint in `folder`; each damaged one that is passed over is named in a warning."""
    for path in step_files(folder):
        problem = damage(path)
        if problem is None:
            return path
        logger.warning("passing over checkpoint %s: %s", path, problem)
    return None


def step_files(folder: Path) -> list[Path]:
    """The step_<n>.pt files, the newest first."""
    return sorted((p.resolve() for p in folder.glob("step_*.pt") if step_of(p) >= 0), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The step in a file's name, or -1."""
    match = re.fullmatch(r"step_(\d+)\.pt", path.name)
    return int(match[1]) if match else -1
