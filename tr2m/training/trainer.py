"""The training loop: one step, one epoch, validation, checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import MixedBatchSampler, frame_digests
from tr2m.distributed import is_main, on_main, process_count, process_rank
from tr2m.errors import UserError
from tr2m.evaluation.evaluator import Evaluation
from tr2m.feature_cache.store import FeatureCache
from tr2m.losses.objective import Objective
from tr2m.models.contract import RescalingModel
from tr2m.models.finite import check_finite
from tr2m.models.momentum import MomentumContrast, NoContrast, another_image
from tr2m.training.collector import QuietCollector
from tr2m.training.gradients import GradientBuffer
from tr2m.training.learning import Learning
from tr2m.training.loading import training_loader, with_captions_ahead
from tr2m.training.progress import Progress
from tr2m.training.report import RunReport
from tr2m.training.run.checkpoint import check_fingerprints, check_parts, load_checkpoint, load_weights
from tr2m.training.run.checkpoint_folder import CheckpointFolder
from tr2m.training.run.resume import check_frames, check_same_experiment
from tr2m.training.run.run_log import RunLog, git_commit
from tr2m.training.run.status import RunStatus
from tr2m.training.run.stop_signals import StopSignals
from tr2m.training.run.unreadable import UnreadableFrames
from tr2m.training.schedule import Schedule
from tr2m.training.seeding import seed_step
from tr2m.training.settings import TrainerSettings
from tr2m.training.training_depth import TrainingDepth
from tr2m.training.validation import Validation, ValidationSet
from tr2m.training.window import MAPS, LogWindow, StepRecord
from tr2m.types import DepthBatch

logger = logging.getLogger(__name__)


@dataclass
class Trainer:
    """Trains TR2M. `fit` is the run, `train_step` the method.

    Args:
        schedule: learning-rate factor as a function of the step.
        log: the run's folder, its config and its device.
        seed: of everything random in training.
        caches: precomputed outputs of frozen networks for the training frames; without them the networks run in every
            step.
    """

    model: RescalingModel
    contrast: MomentumContrast | NoContrast
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    train_sets: Sequence[DepthDataset]
    validation_sets: Sequence[ValidationSet]
    log: RunLog
    settings: TrainerSettings
    seed: int
    caches: Sequence[FeatureCache] = ()
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        settings, self.device = self.settings, self.log.device
        if settings.batch_size < process_count():
            raise UserError(f"trainer.batch_size={settings.batch_size} leaves some of {process_count()} processes idle")
        if not self.optimizer.defaults.get("fused"):
            raise UserError("optim.optimizer.fused must be true: only fused optimisers skip a step that is not finite")
        sizes = {dataset.name: len(dataset) for dataset in self.train_sets}
        self.sampler = MixedBatchSampler(
            list(sizes.values()), settings.batch_size, settings.mixing, self.seed, process_rank(), process_count()
        )
        self.steps_per_epoch = self.sampler.batches_per_epoch()
        total_steps = settings.epochs * self.steps_per_epoch
        self.scheduler = LambdaLR(self.optimizer, lambda step: self.schedule(step, self.steps_per_epoch, total_steps))
        self.last_step = total_steps if settings.max_steps is None else min(settings.max_steps, total_steps)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.gradients = GradientBuffer(self.parameters, [*self.objective.terms, "total", "pseudo_gate"])
        self.learn: Callable[..., Tensor] = Learning(self.model, self.contrast, self.objective, self.gradients)
        self.collector = QuietCollector()
        self.window = LogWindow(self.log.folder, settings.skip_nonfinite)
        self.report = RunReport(settings.log_every, ["total", *self.objective.terms])
        self.unreadable_frames = UnreadableFrames(sizes, settings.unreadable)
        self.training_depth = TrainingDepth(self.train_sets, self.seed)
        self.checkpoints = CheckpointFolder(self.log.folder / "checkpoints", settings.keep_every * self.steps_per_epoch)
        self.validation = Validation(self.validation_sets, self.log, settings.workers, settings.panels)
        if settings.stop_after and not any(entry.monitored for entry in self.validation_sets):
            raise UserError("trainer.stop_after: no validation set is of a data set that is trained on")

    def fit(self) -> list[Evaluation]:
        """Train to the end (or to `max_steps`) and return the last validation's results.

        Raises:
            Stopped: a signal asked for it; the checkpoint is written.
        """
        split = f"{process_count()} process(es) with {self.settings.accumulate} part(s) each"
        logger.info("%d images a step in all, over %s", self.settings.batch_size, split)
        results: list[Evaluation] = []
        status = RunStatus(self.log.folder, self.position)
        report = self.report.running(self.progress.step, self.last_step)
        with self.log, status, StopSignals() as signals, report, self.collector:
            while True:
                signals.raise_if_asked(f"continue with resume={self.log.folder / 'checkpoints/last.pt'}")
                if self.validation_is_due():
                    results = self.validate()
                elif self.progress.step < self.last_step and not self.progress.stalled(self.settings.stop_after):
                    self.train_epoch(signals)
                    # Before validation, which reads files for the first time and may stop at a broken one.
                    self.save()
                else:
                    break
            if reason := self.progress.stalled(self.settings.stop_after):
                logger.info("training ends early, at step %d of %d: %s", self.progress.step, self.last_step, reason)
        return results

    def position(self) -> dict[str, int | str]:
        """What status.json has beside the state."""
        reason = self.progress.stalled(self.settings.stop_after)
        early = {"ended_early": reason} if reason else {}
        return {"epoch": self.progress.epoch, "step": self.progress.step, "steps": self.last_step, **early}

    def train_epoch(self, signals: StopSignals) -> None:
        """Train until the end of the epoch, until `max_steps`, or until a signal asks to stop."""
        self.model.train()
        self.sampler.seek(self.progress.epoch, self.progress.batch)
        loader = training_loader(
            self.train_sets,
            self.sampler,
            self.seed,
            self.settings.accumulate,
            self.settings.workers,
            self.device,
            self.caches,
        )
        self.report.begin_epoch(f"epoch {self.progress.epoch + 1}/{self.settings.epochs}")
        for batches, unreadable in with_captions_ahead(loader, self.model.keep_captions, self.device):
            self.unreadable_frames.add(unreadable)
            self.window.add(self.train_step(batches))
            self.progress.count_step(self.steps_per_epoch)
            self.collector.step()
            self.report.step(sum(len(batch.captions) for batch in batches))
            if self.progress.step % self.settings.log_every == 0:
                self.write_window()
            if self.progress.step % self.settings.save_every == 0:
                self.save()
            if self.progress.step == self.last_step or signals.agreed():
                break

    def train_step(self, batches: Sequence[DepthBatch]) -> StepRecord:
        """One optimisation step (Eq. 9) on this process's parts of a batch. Nothing here waits for the device."""
        seed_step(self.seed, self.progress.step, process_rank())
        self.gradients.clear()
        ranges = [self.backward(batch.to(self.device)) for batch in batches]
        terms = self.gradients.average()
        terms["grad_norm"] = clip_grad_norm_(self.parameters, self.settings.clip_norm)
        # A fused optimiser reads this on the device and, if it is not 0, leaves weights and moments as they are.
        vars(self.optimizer)["found_inf"] = (~torch.stack(list(terms.values())).isfinite().all()).float()
        self.optimizer.step()
        self.scheduler.step()
        self.contrast.update(self.model)
        return StepRecord(
            step=self.progress.step + 1,
            dataset=batches[0].dataset if batches else "none",
            sample_ids=[sample_id for batch in batches for sample_id in batch.sample_ids],
            terms=terms,
            ranges=torch.stack(ranges) if ranges else torch.empty(0, len(MAPS), 2),
        )

    def backward(self, batch: DepthBatch) -> Tensor:
        """Add the gradient and the terms of one part of the batch; returns the ranges of its maps."""
        features = self.model.encode(batch.image, batch.captions, batch.relative_depth, batch.image_tokens)
        return self.learn(batch.maps, features, another_image(len(batch.captions), self.device))

    def write_window(self) -> None:
        """Log the mean terms of the steps since the last call. Raises NonFiniteLossError or UserError if there were too
        many steps that are not finite, too many frames that cannot be read, or depth that cannot be right.
        """
        self.unreadable_frames.check()
        means, self.progress.skipped = self.window.close(self.progress.skipped)
        on_main(lambda: self.training_depth.check(means))
        lr = float(self.scheduler.get_last_lr()[0])
        for dataset, terms in means.items():
            self.log.write(f"train/{dataset}", self.progress.step, {**terms, "lr": lr})
        self.report.close_window(self.progress.step, means, lr)

    def validation_is_due(self) -> bool:
        """Whether an epoch is done that has to be validated and has not been: also after a kill in mid-validation."""
        epoch = self.progress.epoch
        due = epoch % self.settings.validate_every == 0 or epoch == self.settings.epochs
        return self.progress.batch == 0 and due and self.progress.validated < epoch

    def validate(self) -> list[Evaluation]:
        """Score every validation set, and let best.pt point to the checkpoint if it is the best so far."""
        evaluations = self.validation(self.model, self.progress.epoch, self.progress.step)
        score = self.validation.score(evaluations)
        is_best = self.progress.count_validation(score)
        self.report.validation(evaluations, score, self.progress)
        path = self.save()
        if is_best and is_main():
            self.checkpoints.link("best", path)
        return evaluations

    def save(self) -> Path:
        """Write a checkpoint: all that `resume` needs, and all that `tr2m eval` and `tr2m predict` need."""
        self.write_window()
        state = {
            "config": self.log.config,
            "model": self.model.state_dict(),
            "contrast": self.contrast.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "progress": vars(self.progress),
            "unreadable": self.unreadable_frames.sample_ids,
            "frames": frame_digests(self.train_sets),
            "fingerprints": self.model.fingerprints(),
            "input_sizes": [list(dataset.fixed_size) for dataset in self.train_sets],
            "units": {dataset.name: dataset.unit for dataset in self.train_sets},
            "git_commit": git_commit(),
        }

        def write() -> Path:
            self.log.lock.confirm()
            return self.checkpoints.save(self.progress.step, state)

        return on_main(write)

    def resume(self, path: Path) -> None:
        """Go on exactly where the run that wrote `path` was. Raises UserError if it does not fit this run."""
        state = load_checkpoint(path, self.device)
        check_parts(path, state)
        check_same_experiment(path, state["config"], self.log.config)
        check_fingerprints(state["fingerprints"], self.model.fingerprints())
        check_frames(path, state["frames"], frame_digests(self.train_sets))
        load_weights(self.model, state["model"], f"{path} (model)")
        load_weights(self.contrast, state["contrast"], f"{path} (contrast)")
        for number, moments in state["optimizer"].get("state", {}).items():
            check_finite(moments, f"{path} (optimizer state of parameter {number})")
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.progress = Progress(**state["progress"])
        self.unreadable_frames.sample_ids = state["unreadable"]
        self.checkpoints.source = path.resolve()
        logger.info("resumed %s at epoch %d, step %d", path, self.progress.epoch + 1, self.progress.step)
