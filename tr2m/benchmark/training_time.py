"""what=training_time: how long the paper's whole schedule would take, and what holds it up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from tr2m.benchmark.measurement import Measurement, sides
from tr2m.benchmark.parts import make_trainer
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.timing import repeat, summary
from tr2m.data.mixing import Mixing, batches_of_each
from tr2m.errors import UserError
from tr2m.experiment.settings import BenchmarkSettings


@dataclass(frozen=True)
class TrainingTimeBenchmark:
    """Measures the step at each data set's size, and takes the loaders' rates from a file of what=loader.

    Args:
        datasets: for each data set `size` (height, width) and `frames` of an epoch.
        epochs, batch_size, mixing: of the schedule.
        steps, warmup: measured at each size; the warm-up's do not count.
        loader: loader.json of a what=loader on these data sets, or None: the hours are then the device's alone.
        cores: that load.
    """

    datasets: Mapping[str, Mapping[str, Any]]
    epochs: int
    batch_size: int
    mixing: Mixing
    steps: int
    warmup: int
    loader: str | None
    cores: int

    def run(self, settings: BenchmarkSettings, device: torch.device) -> Measurement:
        rates = {} if self.loader is None else loader_rates(Path(self.loader))
        trainer = make_trainer(settings, device, next(iter(self.datasets.values()))["size"])
        rows, hours = [], 0.0
        sizes = [dataset["frames"] for dataset in self.datasets.values()]
        counts = batches_of_each(sizes, self.batch_size, self.mixing)
        batches = dict(zip(self.datasets, counts, strict=True))
        for name, dataset in tqdm(self.datasets.items(), desc="training_time"):
            batch = random_batch(dataset["size"], self.batch_size, device)
            step = summary(repeat(lambda b=batch: trainer.train_step([b]), device, self.steps, self.warmup))["seconds"]
            steps, images = batches[name] * self.epochs, images_of(batches[name], dataset["frames"], self.batch_size)
            device_hours = steps * step / 3600
            rate = rates.get(name)
            loading_hours = None if rate is None else images * self.epochs / (rate * self.cores) / 3600
            hours += max(device_hours, loading_hours or 0.0)
            rows.append(
                {
                    "data set": name,
                    "size": sides(dataset["size"]),
                    "frames": dataset["frames"],
                    "steps": steps,
                    "step (s)": step,
                    "device (h)": device_hours,
                    f"loading on {self.cores} cores (h)": loading_hours,
                    "bottleneck": bottleneck(device_hours, loading_hours),
                }
            )
        return Measurement("training_time", device, rows, {"hours in all": hours, "compile": settings.compile})


def images_of(batches: int, frames: int, batch_size: int) -> int:
    """How many images `batches` of a data set with this many `frames` hold: it starts again where it ends."""
    rounds, rest = divmod(batches, -(-frames // batch_size))
    return rounds * frames + rest * batch_size


def loader_rates(path: Path) -> dict[str, float]:
    """Images a second and core of each data set. Raises UserError if the file is not one of what=loader."""
    try:
        return {row["data set"]: row["ours (images/s/core)"] for row in json.loads(path.read_text())["rows"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: got {error!r}, expected loader.json of tr2m benchmark what=loader out=...") from error


def bottleneck(device_hours: float, loading_hours: float | None) -> str:
    """What the other waits for."""
    if loading_hours is None:
        return "loading not measured"
    return "device" if device_hours >= loading_hours else "loading"
