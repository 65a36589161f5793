"""what=train: how fast the training step is, how close to the device's limit, and where its time goes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from tqdm import tqdm

from tr2m.benchmark.flops import step_flops
from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.parts import free_memory, make_trainer, method_of
from tr2m.benchmark.phases import time_phases
from tr2m.benchmark.random_frames import RandomFrames, first_batch
from tr2m.benchmark.real_frames import real_steps, training_sets
from tr2m.benchmark.timing import MIB, PeakMemory, matrix_ceiling, repeat, summary
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import StepBatches
from tr2m.distributed import is_main, process_count, process_rank
from tr2m.errors import UserError
from tr2m.experiment.settings import BenchmarkSettings
from tr2m.feature_cache.find import check_complete, find_caches
from tr2m.feature_cache.store import FeatureCache
from tr2m.limits import Size
from tr2m.training.loading import with_captions_ahead
from tr2m.training.trainer import Trainer
from tr2m.types import DepthBatch


@dataclass(frozen=True)
class TrainBenchmark:
    """`Trainer.train_step`, in one process or in several that torchrun started.

    Args:
        frames: "random" ones lie on the device; those of "data" come from the files of `data`, through
            `trainer.workers` processes.
        sizes: (height, width) of random frames; one row for each size, or each data set, and batch size.
        batch_sizes: frames of a step, of all processes together.
        captions: "seen" ones stay in the text encoder's memory; "new" ones come with every step, and are encoded as in
            training.
        features: "live": the frozen image networks run in every step; "cached": random frames come with their outputs,
            those of "data" have it in `cache.folder`.
        steps, warmup: of each row; the warm-up's do not count.
        matrix_side: of the square matrices whose product shows what the device can do.
    """

    frames: Literal["random", "data"]
    sizes: Sequence[Size]
    batch_sizes: Sequence[int]
    captions: Literal["seen", "new"]
    features: Literal["live", "cached"]
    steps: int
    warmup: int
    matrix_side: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        if min(self.batch_sizes) < process_count():
            raise UserError(f"what.batch_sizes={self.batch_sizes} leaves some of {process_count()} processes idle")
        trainer = make_trainer(settings, device, self.sizes[0])
        datasets = self.datasets(settings)
        caches = self.caches(settings, trainer, datasets)
        flops = [self.operations(trainer, dataset) for dataset in datasets]
        ceiling = matrix_ceiling(device, self.matrix_side)
        cases = list(itertools.product(zip(datasets, flops, strict=True), self.batch_sizes))
        progress = tqdm(cases, desc="train", disable=None if is_main() else True)
        rows = [self.row(trainer, *of_frame, batch_size, caches, ceiling) for of_frame, batch_size in progress]
        workers = trainer.settings.workers
        notes = {
            "matrix ceiling (TFLOP/s)": ceiling / 1e12,
            "frames": self.frames if self.frames == "random" else f"read by {workers} worker(s) a process",
            "captions": self.captions,
            "features": self.features,
            **{
                f"operations of one frame, {dataset.name} {sides(dataset.fixed_size)}": shares(counts)
                for dataset, counts in zip(datasets, flops, strict=True)
            },
            "compile": settings.compile,
        }
        return Measurement(
            "train",
            device,
            rows,
            notes,
            factors=["size", "batch"] if self.frames == "random" else [],
            measures={"images/s": ["images/s"], "MiB": ["peak (MiB)", "added by the step (MiB)"]},
        )

    def datasets(self, settings: BenchmarkSettings) -> list[DepthDataset]:
        if self.frames == "data":
            return training_sets(settings)
        return [RandomFrames(count=max(self.batch_sizes), input_size=size) for size in self.sizes]

    def caches(
        self, settings: BenchmarkSettings, trainer: Trainer, datasets: Sequence[DepthDataset]
    ) -> list[FeatureCache]:
        if self.frames == "random" or self.features == "live":
            return []
        if settings.cache.folder is None:
            raise UserError("what.features=cached what.frames=data: give cache.folder=..., filled by tr2m cache")
        caches = find_caches(settings.cache, settings.augmentation, settings.model, trainer.model)
        check_complete(caches, datasets)
        return caches

    def first_batch(self, trainer: Trainer, dataset: DepthDataset, count: int) -> DepthBatch:
        batch = first_batch(dataset, count, trainer.device)
        if self.features == "live":
            return batch
        outputs = trainer.model.encode(batch.image, batch.captions, batch.relative_depth)
        return replace(batch, image_tokens=outputs.image_tokens.half(), relative_depth=outputs.relative_depth.half())

    def operations(self, trainer: Trainer, dataset: DepthDataset) -> dict[str, int]:
        """Of a step of one frame, whose caption is seen or new as in the steps that are timed."""
        batch = self.first_batch(trainer, dataset, 1)
        method_of(trainer).text_encoder.forget()
        if self.captions == "seen":
            method_of(trainer).text_encoder(batch.captions)
        return step_flops(trainer, batch)

    def row(
        self,
        trainer: Trainer,
        dataset: DepthDataset,
        flops: dict[str, int],
        batch_size: int,
        caches: Sequence[FeatureCache],
        ceiling: float,
    ) -> dict[str, Any]:
        free_memory()
        batches = self.batches(trainer, dataset, batch_size, caches)
        (first,) = repeat(lambda: trainer.train_step(next(batches)), trainer.device, repeats=1, warmup=0)
        with PeakMemory(trainer.device) as memory:
            seconds = repeat(lambda: trainer.train_step(next(batches)), trainer.device, self.steps, self.warmup)
        timing = summary(seconds)
        # A step's operations are those of its frames: the optimiser's and the momentum update's are not counted.
        step_flop = flops["total"] * batch_size
        phases = time_phases(trainer, batches, self.steps)
        return {
            "data set": dataset.name,
            "size": sides(dataset.fixed_size),
            "batch": batch_size,
            "images/s": batch_size / timing["seconds"],
            "step (s)": timing["seconds"],
            "spread": timing["spread"],
            "TFLOP": step_flop / 1e12,
            "utilisation": step_flop / timing["seconds"] / (ceiling * process_count()),
            "first step (s)": first,
            "peak (MiB)": None if memory.peak is None else memory.peak / MIB,
            "added by the step (MiB)": None if memory.added is None else memory.added / MIB,
            **{f"{phase} (s)": seconds for phase, seconds in phases.items()},
            **({"load (s)": None} if self.frames == "random" else {}),
        }

    def batches(
        self, trainer: Trainer, dataset: DepthDataset, batch_size: int, caches: Sequence[FeatureCache]
    ) -> Iterator[list[DepthBatch]]:
        """This process's part of each step, as many as a row takes."""
        steps = 1 + self.warmup + 2 * self.steps
        if self.frames == "data":
            source = real_steps(dataset, steps, batch_size, trainer.settings.workers, trainer.device, caches)
        else:
            own = len(range(process_rank(), batch_size, process_count()))
            source = itertools.repeat([self.first_batch(trainer, dataset, own)], steps)
        if self.captions == "new":
            method_of(trainer).text_encoder.forget()
            source = ([renamed(batch, number) for batch in batches] for number, batches in enumerate(source))
        loaded = (StepBatches(batches, []) for batches in source)
        for batches, _ in with_captions_ahead(loaded, trainer.model.keep_captions, trainer.device):
            yield batches


def renamed(batch: DepthBatch, number: int) -> DepthBatch:
    """`batch` with captions that no other `number` has."""
    return replace(batch, captions=[f"{number}, {caption}" for caption in batch.captions])


def shares(flops: dict[str, int]) -> str:
    """Each network's share of a step, the largest first."""
    parts = sorted(((count / flops["total"], name) for name, count in flops.items() if name != "total"), reverse=True)
    return f"{flops['total'] / 1e12:.3g} TFLOP: " + ", ".join(f"{name} {share:.1%}" for share, name in parts)
