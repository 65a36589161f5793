"""what=train: how fast the training step is, how close to the device's limit, and where its time goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from tqdm import tqdm

from tr2m.benchmark.flops import step_flops
from tr2m.benchmark.parts import make_trainer
from tr2m.benchmark.phases import time_phases
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.result import Result
from tr2m.benchmark.timing import MIB, PeakMemory, matrix_ceiling, repeat, summary
from tr2m.models.compilation import compile_networks
from tr2m.training.trainer import Trainer
from tr2m.types import DepthBatch


@dataclass(frozen=True)
class TrainBenchmark:
    """`Trainer.train_step` on random frames that lie on the device.

    Args:
        sizes: (height, width) of the frames; one row for each size and batch size.
        batch_sizes: frames of a step.
        captions: "seen" ones are in the text encoder's memory, as with a cache file; "new" ones are not.
        features: "live": the frozen image networks run in every step; "cached": the batch brings what they say.
        steps, warmup: of each row; the warm-up's do not count.
        matrix_side: of the square matrices whose product says what the device can do.
    """

    sizes: Sequence[Sequence[int]]
    batch_sizes: Sequence[int]
    captions: str
    features: str
    steps: int
    warmup: int
    matrix_side: int

    def run(self, settings: dict[str, Any], device: torch.device) -> Result:
        trainer = make_trainer({**settings, "compile": False}, device, self.sizes[0])
        flops = {tuple(size): self.operations(trainer, size) for size in self.sizes}
        if settings["compile"]:
            compile_networks(trainer.model)
        ceiling = matrix_ceiling(device, self.matrix_side)
        cases = [(size, batch_size) for size in self.sizes for batch_size in self.batch_sizes]
        rows = [self.row(trainer, *case, flops, ceiling) for case in tqdm(cases, desc="train")]
        notes = {
            "matrix ceiling (TFLOP/s)": ceiling / 1e12,
            "captions": self.captions,
            "features": self.features,
            **{
                f"operations of one frame at {'x'.join(map(str, size))}": shares(flops[tuple(size)])
                for size in self.sizes
            },
            "compile": settings["compile"],
        }
        return Result("train", device, rows, notes)

    def batch(self, trainer: Trainer, size: Sequence[int], batch_size: int) -> DepthBatch:
        batch = random_batch(size, batch_size, trainer.device)
        if self.features == "live":
            return batch
        said = trainer.model.encode(batch.image, batch.captions)
        return replace(batch, image_tokens=said.image_tokens.half(), relative_depth=said.relative_depth.half())

    def operations(self, trainer: Trainer, size: Sequence[int]) -> dict[str, int]:
        """Of a step of one frame, whose caption is seen or new as in the steps that are timed."""
        batch = self.batch(trainer, size, 1)
        trainer.model.text_encoder.forget()
        if self.captions == "seen":
            trainer.model.text_encoder(batch.captions)
        return step_flops(trainer, batch)

    def row(
        self,
        trainer: Trainer,
        size: Sequence[int],
        batch_size: int,
        flops: dict[tuple[int, ...], dict[str, int]],
        ceiling: float,
    ) -> dict[str, Any]:
        batch = self.batch(trainer, size, batch_size)

        def step() -> None:
            if self.captions == "new":
                trainer.model.text_encoder.forget()
            trainer.train_step([batch])

        with PeakMemory(trainer.device) as memory:
            timing = summary(repeat(step, trainer.device, self.steps, self.warmup))
        # A step's operations are those of its frames: the optimiser's and the momentum update's are not counted.
        step_tflop = flops[tuple(size)]["total"] * batch_size / 1e12
        phases = time_phases(trainer, batch, self.steps)
        return {
            "size": "x".join(map(str, size)),
            "batch": batch_size,
            "images/s": batch_size / timing["seconds"],
            "step (s)": timing["seconds"],
            "spread": timing["spread"],
            "TFLOP": step_tflop,
            "utilisation": step_tflop * 1e12 / timing["seconds"] / ceiling,
            "peak (MiB)": None if memory.peak is None else memory.peak / MIB,
            **{f"{phase} (s)": seconds for phase, seconds in phases.items()},
        }


def shares(flops: dict[str, int]) -> str:
    """Each network's share of a step, the largest first."""
    parts = sorted(((count / flops["total"], name) for name, count in flops.items() if name != "total"), reverse=True)
    return f"{flops['total'] / 1e12:.3g} TFLOP: " + ", ".join(f"{name} {share:.1%}" for share, name in parts)
