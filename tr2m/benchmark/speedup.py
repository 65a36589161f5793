"""what=speedup: the project's training step beside a plain loop, in turns, in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.parts import free_memory, make_plain_loop, make_trainer
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.timing import MIB, PeakMemory, repeat, summary
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.limits import Size


@dataclass(frozen=True)
class SpeedupBenchmark:
    """A B A B: a device that warms up or slows down does so to both.

    Args:
        sizes: (height, width) of the frames.
        batch_size: frames of a step.
        steps, warmup: of each turn.
    """

    sizes: Sequence[Size]
    batch_size: int
    steps: int
    warmup: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        rows = [self.row(settings, size, device) for size in tqdm(self.sizes, desc="speedup")]
        return Measurement("speedup", device, rows, {"compile": settings.compile})

    def row(self, settings: BenchmarkSettings, size: Sequence[int], device: torch.device) -> dict[str, Any]:
        batch = random_batch(size, self.batch_size, device)
        trainer = make_trainer(settings, device, size)
        plain = make_plain_loop(settings, device, size)
        seconds: dict[str, list[float]] = {"ours": [], "plain": []}
        memory: dict[str, float | None] = {}
        steps: dict[str, Callable[[], Any]] = {
            "ours": lambda: trainer.train_step([batch]),
            "plain": lambda: plain.step(batch),
        }
        for name in ("ours", "plain", "ours", "plain"):
            with PeakMemory(device) as peak:
                seconds[name] += repeat(steps[name], device, self.steps, self.warmup)
            memory[name] = None if peak.added is None else peak.added / MIB
        del trainer, plain, steps
        free_memory()
        ours, theirs = summary(seconds["ours"]), summary(seconds["plain"])
        return {
            "size": sides(size),
            "batch": self.batch_size,
            "ours (images/s)": self.batch_size / ours["seconds"],
            "plain (images/s)": self.batch_size / theirs["seconds"],
            "ratio": theirs["seconds"] / ours["seconds"],
            "spread ours": ours["spread"],
            "spread plain": theirs["spread"],
            "ours (MiB beyond the weights)": memory["ours"],
            "plain (MiB beyond the weights)": memory["plain"],
        }
