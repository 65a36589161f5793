"""The project's own trainer on frames without files, and the plain loop beside it."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from tr2m.benchmark.plain import PlainLoop
from tr2m.benchmark.random_frames import RandomFrames
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.experiment.trainer import assemble_trainer
from tr2m.training.run.run_log import RunLog
from tr2m.training.trainer import Trainer


def make_trainer(settings: BenchmarkSettings, device: torch.device, size: Sequence[int]) -> Trainer:
    """The trainer of configs/benchmark.yaml with random weights. It has not started and writes nothing."""
    frames = RandomFrames(count=64, input_size=size)
    settings = replace(settings, cache=replace(settings.cache, folder=None))
    trainer = assemble_trainer(settings, [frames], [], RunLog(Path("unused"), {}, [], device))
    trainer.model.train()
    return trainer


def make_plain_loop(settings: BenchmarkSettings, device: torch.device, size: Sequence[int]) -> PlainLoop:
    """The plain loop over networks like those of `make_trainer`, with an AdamW of the same options, not fused."""
    trainer = make_trainer(replace(settings, compile=False), device, size)
    # The trainer's parameters hold on to its buffer of gradients, which this loop has no use for.
    for parameter in trainer.parameters:
        parameter.grad = None
    options = {name: trainer.optimizer.defaults[name] for name in ("lr", "betas", "eps", "weight_decay")}
    optimizer = torch.optim.AdamW(trainer.parameters, **options)
    return PlainLoop(trainer.model, trainer.contrast, trainer.objective, optimizer, trainer.settings.clip_norm)


def free_memory() -> None:
    """Give back what the last model used, before the next one's memory is measured."""
    gc.collect()
    torch.cuda.empty_cache()
