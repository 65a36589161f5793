"""what=loader: how fast each data set's reader is on its real files, and whether its memory stays flat."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.plain_loader import PlainFiles, load_plainly, plain_files
from tr2m.benchmark.real_frames import real_steps, training_sets
from tr2m.benchmark.timing import MIB, process_memory
from tr2m.data.depth_dataset import DepthDataset
from tr2m.experiment.settings import BenchmarkSettings


@dataclass(frozen=True)
class LoaderBenchmark:
    """Training samples of the data sets of `data`, from files that the system has in memory.

    Args:
        frames: how many are loaded in one turn; the data set starts again where it ends.
        workers: numbers of loading processes, each measured with batches of `batch_size`; 0 is the main process.
    """

    frames: int
    workers: Sequence[int]
    batch_size: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        # A worker has one thread.
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        rows = [self.row(dataset) for dataset in tqdm(training_sets(settings), desc="loader")]
        return Measurement("loader", torch.device("cpu"), rows)

    def row(self, dataset: DepthDataset) -> dict[str, Any]:
        files = plain_files(dataset)
        size = dataset.fixed_size

        def ours(index: int, rng: np.random.Generator) -> None:
            dataset.training_sample(index, rng)

        def plain(files: PlainFiles, index: int, rng: np.random.Generator) -> None:
            rng.integers(len(dataset.captions.lines(dataset.split, dataset.sample_ids[index])))
            load_plainly(files, dataset.sample_ids[index], size, dataset.augmentation, rng)

        rates: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(2):
            rates["ours"].append(self.rate(ours, len(dataset)))
            if files is not None:
                rates["plain"].append(self.rate(partial(plain, files), len(dataset)))
        best, theirs = max(rates["ours"]), max(rates["plain"], default=None)
        loaded = {f"{number} workers (images/s)": self.with_workers(dataset, number) for number in self.workers}
        return {
            "data set": dataset.name,
            "size": sides(size),
            "ours (images/s/core)": best,
            "plain (images/s/core)": theirs,
            "ratio": None if theirs is None else best / theirs,
            **{name: rate for name, (rate, _) in loaded.items()},
            "growth of a worker (MiB)": max(growth for _, growth in loaded.values()),
        }

    def rate(self, load: Callable[[int, np.random.Generator], Any], count: int) -> float:
        """Frames a second. Every loader draws the same captions and augments the same frames in the same way."""
        rng = np.random.default_rng(0)
        for index in range(min(count, 3)):
            load(index, rng)
        start = time.perf_counter()
        for index in islice(cycle(range(count)), self.frames):
            load(index, rng)
        return self.frames / (time.perf_counter() - start)

    def with_workers(self, dataset: DepthDataset, workers: int) -> tuple[float, float]:
        """Frames a second through the loader of training, and by how many MiB a worker grew from the first tenth of
        the batches to the last.
        """
        steps = self.frames // self.batch_size
        memory, start = [], 0.0
        for number, _ in enumerate(real_steps(dataset, steps, self.batch_size, workers, torch.device("cpu"))):
            # The first batch carries the start of the workers.
            start = start or time.perf_counter()
            if number >= steps // 10:
                memory.append(
                    [process_memory("RssAnon", str(child.pid)) for child in multiprocessing.active_children()]
                )
        rate = (steps - 1) * self.batch_size / (time.perf_counter() - start)
        grown = [last - first for first, last in zip(memory[0], memory[-1], strict=True)]
        return rate, max(grown, default=0) / MIB
