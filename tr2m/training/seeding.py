"""Random states: a function of the seed and the step, so that a resumed run has nothing to restore."""

from __future__ import annotations

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed torch on every device: the initial weights, the same in every process."""
    torch.manual_seed(seed)


def seed_step(seed: int, step: int, process: int) -> None:
    """Seed torch for one step of one process. Data order and captions have generators of their own, keyed by (seed,
    epoch, sample).
    """
    torch.manual_seed(int(np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)[0]))
