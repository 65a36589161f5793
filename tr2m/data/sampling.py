"""Which frames of a split to look at when all are too many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np


def choose_frames(sample_ids: Sequence[str], count: int, seed: int) -> list[int]:
    """Indices of `count` frames at random, ascending: first one of every folder (scene, drive, video), then others."""
    order: list[int] = np.random.default_rng(seed).permutation(len(sample_ids)).tolist()
    firsts: dict[PurePosixPath, int] = {}
    for index in order:
        firsts.setdefault(PurePosixPath(sample_ids[index]).parent, index)
    return sorted(list(dict.fromkeys([*firsts.values(), *order]))[:count])
