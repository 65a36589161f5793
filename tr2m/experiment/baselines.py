"""From a configs/baseline entry to a method, and from a configs/alignment entry to protocols that align it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.evaluation.alignment import DEFAULT_ALIGNMENTS
from tr2m.evaluation.evaluator import EvaluationSet, Method
from tr2m.evaluation.global_fit import FitGlobally, fit_global
from tr2m.evaluation.saved_predictions import SavedPredictions


def build_baseline(settings: dict[str, Any], sets: list[EvaluationSet], device: torch.device) -> Method:
    """The method of a configs/baseline entry, on `device`. Saved predictions are checked against the frames first."""
    method = build(settings["method"])
    if isinstance(method, SavedPredictions):
        for entry in sets:
            method.check(entry.dataset)
    else:
        method.model.to(device).eval()
    return method


def show_as_published(sets: list[EvaluationSet], baseline: dict[str, Any]) -> list[EvaluationSet]:
    """`sets` as the published rows of a configs/baseline entry saw it, where the entry asks for it: the whole frame,
    which the network then resizes itself, and the mirrored image beside it.
    """
    if baseline.get("whole_frame"):
        for entry in sets:
            entry.dataset.input_size = None
    if baseline.get("flip_tta"):
        return [replace(entry, protocol=replace(entry.protocol, flip_tta=True)) for entry in sets]
    return sets


def align(
    sets: list[EvaluationSet], settings: dict[str, Any], method: Method, device: torch.device
) -> list[EvaluationSet]:
    """`sets` with the alignment that settings["alignment"] names; without one what fits the method's kind."""
    alignment = build(settings.get("alignment")) or DEFAULT_ALIGNMENTS[method.kind]
    if isinstance(alignment, FitGlobally):
        dataset = settings["dataset"]
        if dataset["train_split"] is None:
            raise UserError("alignment=global is fitted on training frames, and this data set has none")
        trained = build(dataset["reader"], split=dataset["train_split"])
        trained.input_size = sets[0].dataset.input_size
        alignment = fit_global(method, [replace(sets[0], dataset=trained)], device)
    return [replace(entry, protocol=replace(entry.protocol, alignment=alignment)) for entry in sets]
