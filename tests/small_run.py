"""The trainer of the training config on two flat worlds: what the tests of training, stopping and resuming run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tiny
import torch
from world import Flat

from tr2m.build import read_settings
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.protocol import Protocol
from tr2m.experiment.settings import TrainSettings
from tr2m.experiment.start import Start
from tr2m.experiment.trainer import assemble_trainer
from tr2m.training.run.run_log import RunLog
from tr2m.training.trainer import Trainer
from tr2m.training.validation import ValidationSet

CPU = torch.device("cpu")
SHORT = (
    "optim.optimizer.lr=1e-3",
    "trainer.epochs=2",
    "trainer.batch_size=2",
    "trainer.mixing=proportional",
    "augmentation=none",
    "trainer.workers=0",
    "trainer.log_every=2",
    "trainer.panels=0",
)
PROTOCOL = Protocol("paper", 1e-3, 10.0, FullFrame())


def make_trainer(
    folder: Path,
    *overrides: str,
    sets: list[DepthDataset] | None = None,
    config: dict[str, Any] | None = None,
    start: Start | None = None,
    **changes: Any,
) -> Trainer:
    """Batches of two, five batches an epoch, two epochs; or as a whole composed `config` has it."""
    settings = config or tiny.config("model=tiny", *tiny.SMALL, *SHORT, *overrides)
    settings["trainer"] |= changes
    sets = sets or [Flat([1, 2, 3, 4, 5], [48] * 5, "near"), Flat([6, 7, 8, 9], [30] * 4, "far")]
    validation_sets = [ValidationSet(dataset, PROTOCOL, True) for dataset in sets]
    return assemble_trainer(
        read_settings(TrainSettings, settings), sets, validation_sets, RunLog(folder, settings, [], CPU), start
    )


def record_samples(trainer: Trainer) -> list[list[str]]:
    """The sample ids of each step from here on, in a list that grows as the trainer runs."""
    seen: list[list[str]] = []
    add = trainer.window.add
    trainer.window.add = lambda record: (seen.append(record.sample_ids), add(record))
    return seen


def everything(trainer: Trainer) -> dict[str, Any]:
    """All that a step can change, as one flat dictionary: of the random state, which is global, as it is now."""
    moments = {f"adam {i} {k}": v for i, s in trainer.optimizer.state_dict()["state"].items() for k, v in s.items()}
    return {
        **trainer.model.state_dict(),
        **{f"contrast.{name}": value for name, value in trainer.contrast.state_dict().items()},
        **moments,
        "lr": trainer.scheduler.get_last_lr(),
        "rng": torch.get_rng_state(),
        "progress": vars(trainer.progress),
    }


def differences(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """Names of what is not bit for bit the same."""
    names = sorted(expected.keys() ^ got.keys())
    for name in expected.keys() & got.keys():
        one, other = expected[name], got[name]
        if not (torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other):
            names.append(name)
    return names


class Scores:
    """A validation whose scores are given."""

    def __init__(self, scores: Iterator[float]) -> None:
        self.scores = scores

    def __call__(self, *_: Any) -> list:
        return []

    def score(self, evaluations: list) -> float:
        return next(self.scores)
