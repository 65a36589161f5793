"""Scoring while training: every validation set, with pictures, and the one number that chooses the best checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tr2m.drawing.panels import save_panel
from tr2m.evaluation.evaluator import Evaluation, EvaluationSet, ModelMethod, evaluate
from tr2m.models.contract import RescalingModel
from tr2m.training.run.log_failures import log_failures
from tr2m.training.run.run_log import RunLog
from tr2m.types import DepthBatch, with_maps


@dataclass(frozen=True)
class ValidationSet(EvaluationSet):
    """A data set to score while training, and whether it counts when the best checkpoint is chosen."""

    monitored: bool


@dataclass(frozen=True)
class Validation:
    """Scores a model on `sets` and draws the first `panels` frames of each.

    Args:
        workers: processes that load frames.
    """

    sets: Sequence[ValidationSet]
    log: RunLog
    workers: int
    panels: int

    def __call__(self, model: RescalingModel, epoch: int, step: int) -> list[Evaluation]:
        """One evaluation for each set, logged at `step`; pictures are named by `epoch`."""
        model.eval()
        return [self.evaluate(model, entry, epoch, step) for entry in self.sets]

    def evaluate(self, model: RescalingModel, entry: ValidationSet, epoch: int, step: int) -> Evaluation:
        """The evaluation of one set, logged with its pictures."""
        name = entry.dataset.name
        files = [self.log.folder / "panels" / f"{name}_{i}_epoch{epoch:03d}.png" for i in range(self.panels)]

        def draw(number: int, batch: DepthBatch, prediction: Tensor) -> None:
            if number < self.panels:
                with log_failures(str(files[number])):
                    features = model.encode(batch.image, batch.captions, batch.relative_depth)
                    output = with_maps(model.rescale(features))
                    save_panel(files[number], batch, output, features.relative_depth, entry.protocol)

        evaluation = evaluate(ModelMethod(model), [entry], self.log.device, self.workers, draw)[0]
        self.log.write(f"validate/{name}", step, evaluation.result["metrics"], unit=evaluation.result["unit"])
        for number, file in enumerate(files):
            self.log.write_picture(f"validate/{name}/{number}", step, file)
        return evaluation

    def score(self, evaluations: Sequence[Evaluation]) -> float:
        """Mean abs_rel over the monitored sets, by which the best checkpoint is chosen; infinite if there is none."""
        monitored = [
            evaluation.result["metrics"]["abs_rel"]
            for evaluation, validation in zip(evaluations, self.sets, strict=True)
            if validation.monitored
        ]
        return sum(monitored) / len(monitored) if monitored else float("inf")
