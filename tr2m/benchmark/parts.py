"""The project's own trainer on frames without files, and the plain loop beside it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from tr2m.benchmark.plain import PlainLoop
from tr2m.benchmark.random_frames import RandomFrames
from tr2m.errors import UserError
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.experiment.trainer import assemble_trainer
from tr2m.models.momentum import MomentumContrast
from tr2m.models.tr2m import TR2M
from tr2m.training.run.run_log import RunLog
from tr2m.training.trainer import Trainer

_kept: list[tuple[BenchmarkSettings, torch.device, Trainer]] = []
_keeping: list[None] = []


@contextmanager
def keep_trainer() -> Iterator[None]:
    """Inside, `make_trainer` returns the last trainer again where the same one is wanted: to build it and to compile it
    takes a minute.
    """
    _keeping.append(None)
    try:
        yield
    finally:
        _keeping.pop()
        _kept.clear()


def make_trainer(settings: BenchmarkSettings, device: torch.device, size: Sequence[int]) -> Trainer:
    """The trainer of configs/benchmark.yaml with random weights. It has not started and writes nothing."""
    described = replace(settings, what={}, out=None, peers=None)
    for *known, trainer in _kept:
        if known == [described, device]:
            return trainer
    _kept.clear()
    free_memory()
    trainer = build_trainer(settings, device, size)
    if _keeping:
        _kept.append((described, device, trainer))
    return trainer


def build_trainer(settings: BenchmarkSettings, device: torch.device, size: Sequence[int]) -> Trainer:
    frames = RandomFrames(count=64, input_size=size)
    settings = replace(settings, cache=replace(settings.cache, folder=None))
    trainer = assemble_trainer(settings, [frames], [], RunLog(Path("unused"), {}, [], device))
    trainer.model.train()
    return trainer


def make_plain_loop(settings: BenchmarkSettings, device: torch.device, size: Sequence[int]) -> PlainLoop:
    """The plain loop over networks like those of `build_trainer`, in float32, with an AdamW of the same options, not
    fused.
    """
    trainer = build_trainer(replace(settings, compile=False, cuda_graphs=False, precision="float32"), device, size)
    # The trainer's parameters hold on to its buffer of gradients, which this loop has no use for.
    for parameter in trainer.parameters:
        parameter.grad = None
    options = {name: trainer.optimizer.defaults[name] for name in ("lr", "betas", "eps", "weight_decay")}
    optimizer = torch.optim.AdamW(trainer.parameters, **options)
    if not isinstance(trainer.contrast, MomentumContrast):
        raise UserError("the plain loop that this is measured against has a contrast: leave contrast= as it is")
    return PlainLoop(method_of(trainer), trainer.contrast, trainer.objective, optimizer, trainer.settings.clip_norm)


def method_of(trainer: Trainer) -> TR2M:
    """The trainer's model. Raises UserError unless it is TR2M, whose parts are measured one by one."""
    if not isinstance(trainer.model, TR2M):
        raise UserError(f"this measures the parts of TR2M, and the model is {type(trainer.model).__name__}")
    return trainer.model


def free_memory() -> None:
    """Give back what the last model used, before the next one's memory is measured."""
    gc.collect()
    torch.cuda.empty_cache()
