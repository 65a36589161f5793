"""The frames of a clip as they are predicted, each a file: whenever the run is killed, the ones before are whole."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float

from tr2m.errors import UserError
from tr2m.files import temporary_for, write_atomically
from tr2m.json_text import json_text
from tr2m.video.steady import Steady

FORMAT = 2
"""Of the folder's files."""


@dataclass(frozen=True)
class DepthFrame:
    """A predicted frame, as it will stand in depth.h5."""

    chunk: bytes
    """Its depth, as HDF5 stores it."""
    size: tuple[int, int]
    seconds: float
    shot: int
    limits: tuple[float, float]
    """2 % and 98 % quantile of the depth."""
    nonfinite_pixels: int


class FrameFolder:
    """A folder of predicted frames, of a run that is not finished."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
        """Start one, or resume the one that is there.

        Raises:
            UserError: there is one and `resume` is not asked for, or it is of other `settings`.
        """
        self.folder, self.state = folder, folder / "state.npz"
        stated = json.loads(json_text({"format": FORMAT, **settings}))
        if folder.exists() and not resume:
            raise UserError(f"{folder} has frames of an earlier run: add --resume, or delete it")
        if folder.exists():
            before = json.loads((folder / "settings.json").read_text())
            if differing := [
                f"{key}: {before.get(key)} there, {stated[key]} here"
                for key in stated
                if before.get(key) != stated[key]
            ]:
                raise UserError(f"{folder} is of another run: {'; '.join(differing)}. Delete it, or give another --out")
        else:
            write_atomically(folder / "settings.json", json_text(stated).encode())

    def resume(self) -> tuple[int, Steady | None]:
        """How many frames are whole, and what is remembered of the last."""
        if not self.state.exists():
            return 0, None
        with np.load(self.state) as kept:
            maps = {name: kept[name] for name in ("colours", "scale_map", "shift_map")}
            return int(kept["frames"]), Steady(shot=int(kept["shot"]), **maps)

    def add(self, number: int, depth: Float[np.ndarray, "H W"], seconds: float, state: Steady) -> None:
        """Write frame `number`, counted from 0, and only then that it is whole."""
        known = depth[np.isfinite(depth)]
        limits = np.quantile(known, [0.02, 0.98]) if len(known) else [np.nan, np.nan]
        save(
            self.folder / f"{number:08d}.npz",
            chunk=np.frombuffer(compressed(depth), np.uint8),
            size=depth.shape,
            seconds=seconds,
            shot=state.shot,
            limits=limits,
            nonfinite_pixels=depth.size - len(known),
        )
        save(self.state, frames=number + 1, **vars(state))

    def read(self, number: int) -> DepthFrame:
        with np.load(self.folder / f"{number:08d}.npz") as kept:
            (height, width), (low, high) = kept["size"].tolist(), kept["limits"].tolist()
            chunk, lost = kept["chunk"].tobytes(), int(kept["nonfinite_pixels"])
            return DepthFrame(chunk, (height, width), float(kept["seconds"]), int(kept["shot"]), (low, high), lost)


def save(path: Path, **arrays: Any) -> None:
    with temporary_for(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def compressed(depth: Float[np.ndarray, "H W"]) -> bytes:
    """A chunk of `depth_dataset`, made once and then copied: HDF5's shuffle filter, then zlib."""
    shuffled = np.ascontiguousarray(depth, "<f4").view(np.uint8).reshape(-1, 4).T
    return zlib.compress(shuffled.tobytes(), 1)


def depth_dataset(file: h5py.File, frames: int, size: tuple[int, int]) -> h5py.Dataset:
    """An empty data set "depth" (frames, H, W) of float32 whose chunks are frames."""
    options = {"shuffle": True, "compression": "gzip", "compression_opts": 1}
    return file.create_dataset("depth", (frames, *size), "<f4", chunks=(1, *size), **options)
