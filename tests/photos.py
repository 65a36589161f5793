"""Photos for the tests of `tr2m predict`, and its command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (40, 60)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1])
    return path


def arguments(checkpoint: Path, image: Path, out: Path, *more: object) -> list[str]:
    flags = ["--ckpt", checkpoint, "--image", image, "--text", "a room", "--device", "cpu", "--out", out, *more]
    return ["predict", *map(str, flags)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
