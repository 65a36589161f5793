"""From a configs/baseline entry to a method, and from a configs/alignment entry to protocols that align it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from tr2m.build import build
from tr2m.data.settings import DatasetSettings
from tr2m.errors import UserError
from tr2m.evaluation.alignment import DEFAULT_ALIGNMENTS
from tr2m.evaluation.evaluator import EvaluationSet, Method
from tr2m.evaluation.global_fit import FitGlobally, global_fit_for
from tr2m.evaluation.saved_predictions import SavedPredictions
from tr2m.experiment.settings import BaselineSettings


def build_baseline(baseline: BaselineSettings, sets: list[EvaluationSet], device: torch.device) -> Method:
    """The method of a baseline, on `device`. Saved predictions are checked against the frames first.

    Raises:
        UserError: as `SavedPredictions.check`, or the average with the mirrored image is asked of them.
    """
    method = build(baseline.method, "baseline.method")
    if isinstance(method, SavedPredictions):
        for entry in sets:
            if baseline.flip_tta or entry.protocol.flip_tta:
                raise UserError(
                    f"flip_tta: {method.root} has no predictions for the mirrored images, so each map would be "
                    "averaged with its own mirror image: leave it off, or average before you save"
                )
            method.check(entry.dataset)
    else:
        method.model.to(device).eval()
    return method


def show_as_published(sets: list[EvaluationSet], baseline: BaselineSettings) -> list[EvaluationSet]:
    """`sets` as the published rows of a baseline saw it, where its entry asks for it: the whole frame,
    which the network then resizes itself, and the mirrored image beside it.
    """
    if baseline.whole_frame:
        for entry in sets:
            entry.dataset.input_size = None
    if baseline.flip_tta:
        return [replace(entry, protocol=replace(entry.protocol, flip_tta=True)) for entry in sets]
    return sets


def align(
    sets: list[EvaluationSet],
    alignment: dict[str, Any] | None,
    dataset: DatasetSettings,
    method: Method,
    device: torch.device,
) -> list[EvaluationSet]:
    """`sets`, all of `dataset`, with an alignment of configs/alignment; None is what fits the method's kind."""
    chosen = build(alignment, "alignment") or DEFAULT_ALIGNMENTS[method.kind]
    if isinstance(chosen, FitGlobally):
        training = []
        if dataset.train_split:
            frames = dataset.read(dataset.train_split)
            frames.input_size = sets[0].dataset.input_size
            training = [replace(sets[0], dataset=frames)]
        chosen = global_fit_for(sets[0], training, method, device)
    return [replace(entry, protocol=replace(entry.protocol, alignment=chosen)) for entry in sets]
