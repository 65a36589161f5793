"""Floating-point operations of a training step, counted."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tr2m.models.cuda_graphs import graphs_off
from tr2m.training.trainer import Trainer
from tr2m.types import DepthBatch


def step_flops(trainer: Trainer, batch: DepthBatch) -> dict[str, int]:
    """Of matrix products, convolutions and attention, two for each multiplication with addition, in one step: "total",
    and forward and backward of each network by its class.

    Neither compiled nor replayed, and attention in its plain form: torch's counter does not know what is fused.
    """
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.compiler.set_stance("force_eager"), graphs_off():
        trainer.train_step([batch])
    networks = {type(module).__name__ for module in (*trainer.model.children(), trainer.contrast)}
    counts = {name: sum(by_kind.values()) for name, by_kind in counter.get_flop_counts().items() if name in networks}
    return {"total": counter.get_total_flops(), **counts}
