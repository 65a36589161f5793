"""Random states that a run starts from, saves and restores."""

from __future__ import annotations

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed torch on every device. Data order and captions have generators of their own, keyed by (seed, epoch,
    sample).
    """
    torch.manual_seed(seed)


def rng_state() -> dict[str, Tensor | list[Tensor]]:
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_rng_state(state: dict[str, Tensor | list[Tensor]]) -> None:
    """Restore `rng_state()`; CUDA states only if this machine has as many devices as the one that saved them."""
    torch.set_rng_state(state["cpu"].cpu())
    if len(state["cuda"]) == torch.cuda.device_count() > 0:
        torch.cuda.set_rng_state_all([tensor.cpu() for tensor in state["cuda"]])
