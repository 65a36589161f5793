"""The training loop: one step, one epoch, validation, checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from tqdm import tqdm

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import MixedBatchSampler, MixedDataset, collate
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import Evaluation, ModelMethod, Scored, evaluate
from tr2m.losses.objective import Objective
from tr2m.models.momentum import MomentumContrast, NoContrast
from tr2m.training.checkpoint import check_fingerprints, load_checkpoint, load_weights, save_checkpoint
from tr2m.training.panels import save_panel
from tr2m.training.run_log import RunLog, git_commit
from tr2m.training.schedule import Schedule
from tr2m.training.seeding import rng_state, set_rng_state
from tr2m.types import DepthBatch

logger = logging.getLogger(__name__)


class NonFiniteLossError(ArithmeticError):
    """A loss term or the gradient became NaN or infinite; the message names the step, the terms and the samples."""


@dataclass(frozen=True)
class ValidationSet(Scored):
    """A data set to score while training, and whether it counts when the best checkpoint is chosen."""

    monitored: bool


@dataclass
class Progress:
    """Where a run is; saved in every checkpoint."""

    epoch: int = 0
    batch: int = 0
    """Batches of the current epoch that are done."""
    step: int = 0
    best: float = float("inf")
    """Lowest mean abs_rel over the monitored data sets so far."""


@dataclass
class Trainer:
    """Trains TR2M. `fit` is the run, `train_step` the method.

    Args:
        model: TR2M, or another that has its `encode`, `rescale`, `rescale_encoder` and `fingerprints`.
        epochs, batch_size, clip_norm: as in the config, docs/choices.md says where they come from.
        schedule: learning-rate factor as a function of the step.
        log_every: steps between two log lines; only there does the host wait for the device.
        save_every: steps between two writings of last.pt, which every epoch's end writes too.
        validate_every: epochs between two validations; the last epoch always validates.
        panels: how many frames of each validation set are drawn.
        max_steps: stop, with a checkpoint, after this many steps of the schedule; None runs it to its end.
    """

    model: nn.Module
    contrast: MomentumContrast | NoContrast
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    train_sets: Sequence[DepthDataset]
    validation_sets: Sequence[ValidationSet]
    log: RunLog
    device: torch.device
    config: Mapping[str, Any]
    seed: int
    epochs: int
    batch_size: int
    clip_norm: float
    workers: int
    log_every: int
    save_every: int
    validate_every: int
    panels: int
    max_steps: int | None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.sampler = MixedBatchSampler([len(d) for d in self.train_sets], self.batch_size, self.seed)
        steps_per_epoch = self.sampler.batches_per_epoch()
        total_steps = self.epochs * steps_per_epoch
        self.scheduler = LambdaLR(self.optimizer, lambda step: self.schedule(step, steps_per_epoch, total_steps))
        self.last_step = total_steps if self.max_steps is None else min(self.max_steps, total_steps)
        self._window: list[tuple[DepthBatch, dict[str, Tensor]]] = []

    def fit(self) -> list[Evaluation]:
        """Train to the end (or to `max_steps`) and return the last validation's results."""
        results: list[Evaluation] = []
        while self.progress.step < self.last_step:
            self.train_epoch()
            # Before validation, which reads files for the first time and may stop at a broken one, and again after it.
            self.save("last")
            epoch_is_done = self.progress.batch == 0
            if epoch_is_done and (self.progress.epoch % self.validate_every == 0 or self.progress.epoch == self.epochs):
                results = self.validate()
                self.save("last")
        return results

    def train_epoch(self) -> None:
        """Train until the end of the epoch, or until `max_steps`."""
        self.model.train()
        self.sampler.seek(self.progress.epoch, self.progress.batch)
        loader = DataLoader(
            MixedDataset(self.train_sets, self.seed),
            batch_sampler=self.sampler,
            collate_fn=collate,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            # Its own generator: a loader that draws from the global one would change what a resumed run draws.
            generator=torch.Generator(),
        )
        for batch in tqdm(loader, desc=f"epoch {self.progress.epoch + 1}/{self.epochs}", leave=False):
            self._window.append((batch, self.train_step(batch)))
            self.progress.step += 1
            self.progress.batch += 1
            if self.progress.step % self.log_every == 0:
                self.write_window()
            if self.progress.step % self.save_every == 0:
                self.save("last")
            if self.progress.step == self.last_step:
                break
        self.write_window()
        if self.progress.batch == self.sampler.batches_per_epoch():
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    def train_step(self, batch: DepthBatch) -> dict[str, Tensor]:
        """One optimisation step (Eq. 9); returns the detached terms, still on the device."""
        batch = batch.to(self.device)
        features = self.model.encode(batch.image, batch.captions, batch.relative_depth)
        output = self.model.rescale(features)
        contrast = self.contrast(output.fused_tokens, features)
        terms = self.objective(output, contrast, features.relative_depth, batch)

        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        terms["grad_norm"] = clip_grad_norm_(self.trained_parameters(), self.clip_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.contrast.update(self.model.rescale_encoder)
        return {name: value.detach() for name, value in terms.items()}

    def trained_parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def write_window(self) -> None:
        """Log the mean terms of the steps since the last call, per data set. Here, once, the host waits for the device.

        Raises:
            NonFiniteLossError: one of these steps had a term that is not finite; nothing is saved after it.
        """
        if not self._window:
            return
        first = self.progress.step - len(self._window) + 1
        names = list(self._window[0][1])
        values = torch.stack([torch.stack([terms[name].float() for name in names]) for _, terms in self._window]).cpu()
        for offset, (batch, _) in enumerate(self._window):
            if not values[offset].isfinite().all():
                terms = ", ".join(
                    f"{name} {value:g}" for name, value in zip(names, values[offset].tolist(), strict=True)
                )
                raise NonFiniteLossError(
                    f"step {first + offset} ({batch.dataset}): {terms}; samples {', '.join(batch.sample_ids)}. "
                    "The last checkpoint is from before; look at these samples' depth, or lower optim.optimizer.lr"
                )
        rate = self.scheduler.get_last_lr()[0]
        for dataset in dict.fromkeys(batch.dataset for batch, _ in self._window):
            rows = [offset for offset, (batch, _) in enumerate(self._window) if batch.dataset == dataset]
            means = dict(zip(names, values[rows].mean(dim=0).tolist(), strict=True))
            self.log.write(f"train/{dataset}", self.progress.step, {**means, "lr": rate})
        self._window.clear()

    def validate(self) -> list[Evaluation]:
        """Score every validation set, draw its panels, and keep the checkpoint if it is the best so far."""
        self.model.eval()
        evaluations = []
        for validation in self.validation_sets:
            name = validation.dataset.name

            def draw(number: int, batch: DepthBatch, prediction: Tensor, v: ValidationSet = validation) -> None:
                if number < self.panels:
                    features = self.model.encode(batch.image, batch.captions, batch.relative_depth)
                    path = self.log.folder / "panels" / f"{v.dataset.name}_{number}_epoch{self.progress.epoch:03d}.png"
                    save_panel(path, batch, self.model.rescale(features), features.relative_depth, v.protocol)

            method = ModelMethod(self.model)
            evaluation = evaluate(method, [validation], self.device, self.workers, draw)[0]
            self.log.write(f"validate/{name}", self.progress.step, evaluation.result["metrics"])
            evaluations.append(evaluation)
        monitored = [
            evaluation.result["metrics"]["abs_rel"]
            for evaluation, validation in zip(evaluations, self.validation_sets, strict=True)
            if validation.monitored
        ]
        if monitored and (score := sum(monitored) / len(monitored)) < self.progress.best:
            self.progress.best = score
            self.save("best")
        return evaluations

    def save(self, name: str) -> Path:
        """Write checkpoints/<name>.pt: all that `resume` needs, and all that eval.py and predict.py need."""
        self.write_window()
        path = self.log.folder / "checkpoints" / f"{name}.pt"
        state = {
            "config": self.config,
            "model": self.model.state_dict(),
            "contrast": self.contrast.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "rng": rng_state(),
            "progress": vars(self.progress),
            "order": self.order(),
            "fingerprints": self.model.fingerprints(),
            "input_sizes": [list(dataset.input_size) for dataset in self.train_sets],
            "git_commit": git_commit(),
        }
        save_checkpoint(path, state)
        return path

    def order(self) -> dict[str, Any]:
        """What the order of the training samples depends on: a resumed run must have the same."""
        sizes = {dataset.name: len(dataset) for dataset in self.train_sets}
        return {"seed": self.seed, "batch_size": self.batch_size, "frames": sizes}

    def resume(self, path: Path) -> None:
        """Go on exactly where the run that wrote `path` was. Raises UserError if it does not fit this run."""
        state = load_checkpoint(path, self.device)
        if state["order"] != self.order():
            raise UserError(
                f"{path} was trained with {state['order']}, this run has {self.order()}: they must be equal"
            )
        check_fingerprints(state["fingerprints"], self.model.fingerprints())
        load_weights(self.model, state["model"], f"{path} (model)")
        load_weights(self.contrast, state["contrast"], f"{path} (contrast)")
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.progress = Progress(**state["progress"])
        set_rng_state(state["rng"])
        logger.info("resumed %s at epoch %d, step %d", path, self.progress.epoch + 1, self.progress.step)
