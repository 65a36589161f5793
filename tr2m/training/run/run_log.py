"""A run's folder: what was asked, where it ran, and every number it logged."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import yaml
from torch.utils.tensorboard import SummaryWriter

import tr2m
from tr2m.data.decoding.decode import read_rgb
from tr2m.distributed import is_main, on_main, process_count
from tr2m.json_text import json_text
from tr2m.training.run.lock import RunLock
from tr2m.training.run.log_failures import log_failures

PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "transformers", "numpy", "opencv-python-headless")


class RunLog(AbstractContextManager):
    """Writes into one run folder: config.yaml, overrides.txt, env.json, metrics.jsonl and TensorBoard events.

    A resumed run continues in its folder; metrics are appended. Only the main process writes, and what cannot be
    written does not stop the run.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], overrides: list[str], device: torch.device) -> None:
        self.folder = folder
        self.config = config
        self.overrides = overrides
        self.device = device
        self.lock = RunLock(folder)
        self._events: SummaryWriter | None = None

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """The folder is this run's from here on, unless the block fails. Raises UserError, in every process, if another
        program writes into it.
        """
        on_main(self.lock.acquire)
        try:
            yield
        except BaseException:
            self.lock.abandon()
            raise

    def __enter__(self) -> RunLog:
        """Record what runs where: once all is checked, so that a refused run leaves nothing."""
        on_main(self.lock.acquire)
        if not is_main():
            return self
        (self.folder / "config.yaml").write_text(yaml.safe_dump(dict(self.config), sort_keys=False))
        # Arguments may hold any bytes of file names.
        text = "\n".join(self.overrides) + "\n"
        (self.folder / "overrides.txt").write_text(text, encoding="utf-8", errors="surrogateescape")
        (self.folder / "env.json").write_text(json_text(environment(self.device)) + "\n")
        self._events = SummaryWriter(str(self.folder / "tensorboard"))
        return self

    def write(self, kind: str, step: int, values: Mapping[str, float], **facts: str) -> None:
        """Log `values` of one kind ("train/nyuv2", "validate/kitti", ...) at `step`, in metrics.jsonl with `facts`."""
        if self._events is None:
            return
        with log_failures("metrics.jsonl"), (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json_text({"kind": kind, "step": step, **values, **facts}, indent=None) + "\n")
        with log_failures("TensorBoard"):
            for name, value in values.items():
                self._events.add_scalar(f"{kind}/{name}", value, step)

    def write_picture(self, name: str, step: int, file: Path) -> None:
        """Show a picture in TensorBoard, in a row with those of the same name at other steps."""
        if self._events is not None and file.exists():
            with log_failures("TensorBoard"):
                self._events.add_image(name, read_rgb(file), step, dataformats="HWC")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            with log_failures("TensorBoard"):
                self._events.close()
        self.lock.release()


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, machine and git commit: what a number needs beside it."""
    return {
        "tr2m": tr2m.__version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device_name(device),
        "processes": process_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def device_name(device: torch.device) -> str:
    """What a reader of a result has to know of the device that it was made on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def git_commit() -> str:
    """The commit of the source tree, marked "+changes" if it differs from it, or "unknown" outside a checkout."""
    source = Path(tr2m.__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=source, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An installed copy may lie inside somebody else's repository, whose commit is not its own.
        git("ls-files", "--error-unmatch", "__init__.py")
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
