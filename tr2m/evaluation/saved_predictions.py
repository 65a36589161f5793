"""Predictions that another system wrote to disk, scored without its code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.data.decoding.decode import read_depth_png
from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.evaluation.alignment import Kind
from tr2m.types import UNITS_PER_METRE, DepthBatch

SUFFIXES = (".npy", ".npz", ".png")


@dataclass(frozen=True)
class SavedPredictions:
    """One file per frame, `<root>/<sample_id>.npy`, `.npz` (one array) or `.png` (16 bit), of the ground truth's size.

    Args:
        kind: what the files hold; relative depth is larger where it is nearer.
        units_per_metre: how many of the files' units make a metre, whatever the data set's unit is; 1 for relative
            depth.
    """

    root: str
    kind: Kind
    units_per_metre: float = 1.0

    def check(self, dataset: DepthDataset) -> None:
        """Raise UserError unless there is exactly one file for each frame of `dataset`, listing what is missing."""
        root = Path(self.root)
        if not root.is_dir():
            raise UserError(f"no folder of predictions {root.absolute()}")
        found = {str(p.relative_to(root).with_suffix("")): p for p in sorted(root.rglob("*")) if p.suffix in SUFFIXES}
        missing = [name for name in dataset.sample_ids if name not in found]
        surplus = sorted(found.keys() - set(dataset.sample_ids))
        if missing or surplus:
            raise UserError(
                f"{root}: got {len(found)} predictions, expected {len(dataset)}, one for each frame of {dataset.name} "
                f"({dataset.split}). {listing('missing', missing)}{listing('of no frame', surplus)}"
                "A file is named as its frame: <root>/<sample_id>.npy, .npz or .png"
            )

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "1 H W"]:
        path = self.file(batch.sample_ids[0])
        values = self.read(path)
        expected = tuple(batch.depth.shape[1:])
        if values.shape != expected:
            raise UserError(f"{path}: got a map of {values.shape}, expected {expected} (height, width)")
        if self.kind == "metric_depth":
            values = values * np.float32(UNITS_PER_METRE[batch.unit])
        return torch.from_numpy(values)[None].to(batch.depth.device)

    def file(self, sample_id: str) -> Path:
        """The frame's file. Raises UserError if there is none, or more than one."""
        files = [path for suffix in SUFFIXES if (path := Path(self.root, f"{sample_id}{suffix}")).is_file()]
        if len(files) != 1:
            raise UserError(
                f"{self.root}: got {len(files)} files for {sample_id}, expected one of {', '.join(SUFFIXES)}"
            )
        return files[0]

    def read(self, path: Path) -> Float[np.ndarray, "H W"]:
        """Metres, or relative depth. Raises UserError if the file is no map of finite numbers."""
        if path.suffix == ".png":
            return read_depth_png(path, self.units_per_metre)
        try:
            values = np.load(path, allow_pickle=False)
            values = next(iter(values.values())) if path.suffix == ".npz" else values
        except (OSError, ValueError, EOFError, StopIteration) as error:
            raise UserError(f"{path}: cannot be read as {path.suffix} ({error})") from error
        if values.ndim != 2 or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise UserError(
                f"{path}: got {values.dtype} of shape {values.shape}, expected a finite map (height, width)"
            )
        return values.astype(np.float32) / np.float32(self.units_per_metre)


def listing(what: str, names: list[str]) -> str:
    """ "3 missing: a, b, ... ." or nothing."""
    if not names:
        return ""
    return f"{len(names)} {what}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}. "
