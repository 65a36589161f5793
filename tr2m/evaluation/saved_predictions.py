"""Predictions on disk, of another system or of `tr2m predict`, scored without the network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.data.decoding.arrays import NPY, read_npy, read_npz
from tr2m.data.decoding.decode import read_depth_units
from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.evaluation.alignment import Kind
from tr2m.limits import PositiveFloat
from tr2m.types import UNITS_PER_METRE, DepthBatch

SUFFIXES = (".npy", ".npz", ".png")
PREDICTED, PREDICTED_FACTS = "depth.npy", "prediction.json"
"""What `tr2m predict` writes into the folder of a photo: its depth, and last of all what it is."""


@dataclass(frozen=True)
class SavedPredictions:
    """One file per frame, of the ground truth's size: `<root>/<sample_id>.npy`, `.npz` (one array) or `.png` (16 bit),
    or what `tr2m predict` writes: `<root>/<sample_id>/depth.npy`, in the unit that its prediction.json states.

    Args:
        kind: what the files hold; relative depth is larger where it is nearer.
        units_per_metre: how many of the files' units make a metre, whatever the data set's unit is; 1 for relative
            depth.
    """

    root: str
    kind: Kind
    units_per_metre: PositiveFloat = 1.0

    def check(self, dataset: DepthDataset) -> None:
        """Raise UserError unless there is exactly one file for each frame of `dataset`, listing what is missing."""
        root = Path(self.root)
        if not root.is_dir():
            raise UserError(f"no folder of predictions {root.absolute()}")
        missing = [name for name in dataset.sample_ids if name not in self.files]
        surplus = sorted(self.files.keys() - set(dataset.sample_ids))
        if missing or surplus:
            raise UserError(
                f"{root}: got {len(self.files)} predictions, expected {len(dataset)}, one for each frame of "
                f"{dataset.name} ({dataset.split}). {listing('missing', missing)}{listing('of no frame', surplus)}"
                f"A file is named as its frame: <root>/<sample_id>.npy, .npz or .png, or <root>/<sample_id>/{PREDICTED}"
            )

    @cached_property
    def files(self) -> dict[str, list[Path]]:
        """All files that there are of each frame, by the frame's name."""
        root = Path(self.root)
        predicted = {path.parent for path in root.rglob(PREDICTED_FACTS)}
        maps = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES]
        named = [(folder, folder / PREDICTED) for folder in predicted]
        named += [(path.with_suffix(""), path) for path in maps if path.parent not in predicted]
        files: dict[str, list[Path]] = {}
        for name, path in named:
            files.setdefault(str(name.relative_to(root)), []).append(path)
        return files

    def __call__(self, batch: DepthBatch) -> Float[Tensor, "B H W"]:
        size = (batch.depth.shape[1], batch.depth.shape[2])
        values = np.stack([self.read_at(self.file(sample_id), size) for sample_id in batch.sample_ids])
        if self.kind == "metric_depth":
            values = values * np.float32(UNITS_PER_METRE[batch.unit])
        return torch.from_numpy(values).to(batch.depth.device)

    def read_at(self, path: Path, size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
        """`read`, which also raises UserError if the map has another size."""
        values = self.read(path)
        if values.shape != size:
            raise UserError(f"{path}: got a map of {values.shape}, expected {size} (height, width)")
        return values

    def file(self, sample_id: str) -> Path:
        """The frame's file. Raises UserError if there is none, or more than one."""
        files = [path for path in self.files.get(sample_id, []) if path.is_file()]
        if len(files) != 1:
            raise UserError(
                f"{self.root}: got {len(files)} files for {sample_id}, expected one of {', '.join(SUFFIXES)}, "
                f"or a folder with {PREDICTED}"
            )
        return files[0]

    def read(self, path: Path) -> Float[np.ndarray, "H W"]:
        """Metres, or relative depth. Raises UserError if the file is no map of finite numbers of more than 8 bits."""
        readers = {".png": read_depth_units, NPY: read_npy, ".npz": read_npz}
        values = readers[path.suffix.lower()](path)
        if values.ndim != 2 or values.dtype.kind not in "fiu" or values.dtype.itemsize == 1:
            raise UserError(
                f"{path}: got {values.dtype} of shape {values.shape}, expected a map (height, width) of more than 8 "
                "bits"
            )
        with np.errstate(over="ignore"):
            converted = values.astype(np.float32) / np.float32(self.units_of(path))
        if not np.isfinite(converted).all():
            raise UserError(
                f"{path}: got values from {values.min():g} to {values.max():g}, expected a map that is finite in "
                "float32"
            )
        return converted

    def units_of(self, path: Path) -> float:
        """How many units of a file make a metre. Raises UserError if it is a metric prediction of `tr2m predict` and is
        taken for relative depth.
        """
        facts = path.with_name(PREDICTED_FACTS)
        if path.name != PREDICTED or not facts.is_file():
            return self.units_per_metre
        if self.kind != "metric_depth":
            raise UserError(f"{path} is metric depth: leave out baseline.method.kind={self.kind}")
        try:
            return UNITS_PER_METRE[json.loads(facts.read_text())["unit"]]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UserError(f"{facts}: expected what tr2m predict writes, with the unit m or mm") from error


def listing(what: str, names: list[str]) -> str:
    """ "3 missing: a, b, ... ." or nothing."""
    if not names:
        return ""
    return f"{len(names)} {what}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}. "
