"""A run's folder: what was asked, where it ran, and every number it logged."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.utils.tensorboard import SummaryWriter

import tr2m

PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "transformers", "numpy", "opencv-python-headless")


class RunLog:
    """Writes into one run folder: config.yaml, overrides.txt, env.json, metrics.jsonl and TensorBoard events.

    A resumed run goes on in its folder; metrics are appended.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], overrides: list[str], device: torch.device) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
        (folder / "overrides.txt").write_text("\n".join(overrides) + "\n")
        (folder / "env.json").write_text(json.dumps(environment(device), indent=2) + "\n")
        self._events = SummaryWriter(str(folder / "tensorboard"))

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """Log `values` of one kind ("train/nyuv2", "validate/kitti", ...) at `step`."""
        line = json.dumps({"kind": kind, "step": step, **values})
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
        for name, value in values.items():
            self._events.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        self._events.close()


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, machine and git commit: what a number needs beside it."""
    return {
        "tr2m": tr2m.__version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"cpu ({torch.get_num_threads()} threads)",
        "packages": {name: version(name) for name in PACKAGES},
    }


def git_commit() -> str:
    """The commit of the source tree, marked "+changes" if it differs from it, or "unknown" outside a checkout."""
    source = Path(tr2m.__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=source, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
