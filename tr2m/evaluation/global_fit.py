"""One scale and one shift for a whole data set, fitted on training frames (rows "global" of Tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from tr2m.data.mixing import collate
from tr2m.errors import UserError
from tr2m.evaluation.alignment import GlobalFit, inverse_depth
from tr2m.evaluation.evaluator import EvaluationSet, Method
from tr2m.evaluation.protocol import resize_to


@dataclass(frozen=True)
class FitGlobally:
    """Asks for `fit_global`: an alignment that is known only once the training frames have been seen."""


def global_fit_for(
    scored: EvaluationSet, training: Sequence[EvaluationSet], method: Method, device: torch.device
) -> GlobalFit:
    """The fit that `scored` is evaluated with: on its own training frames where `training` has some, else (zero-shot)
    on all of `training`. Raises UserError if there are none.
    """
    own = [entry for entry in training if entry.dataset.name == scored.dataset.name]
    if not training:
        raise UserError(f"alignment=global is fitted on training frames, and {scored.dataset.name} has none")
    return fit_global(method, own or training, device)


@torch.no_grad()
def fit_global(method: Method, sets: Sequence[EvaluationSet], device: torch.device) -> GlobalFit:
    """The scale and shift that fit 1 / depth best over all frames of `sets`, each frame with equal weight: over its
    pixels that count and whose prediction is finite.

    Raises:
        UserError: there are no such pixels, or all predictions are the same.
    """
    matrix, vector = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for entry in sets:
        for index in tqdm(range(len(entry.dataset)), desc=f"global fit {entry.dataset.name}", leave=False):
            batch = collate([(entry.dataset, entry.dataset.evaluation_sample(index))]).to(device)
            depth, counts = batch.depth[0], entry.protocol.scored(batch.depth[0], batch.valid[0])
            if not counts.any():
                continue
            predicted = resize_to(method(batch)[0], (depth.shape[0], depth.shape[1]))
            inverse = inverse_depth(predicted, method.kind)
            fitted = counts & predicted.isfinite() & inverse.isfinite()
            if not fitted.any():
                continue
            inverse = inverse[fitted]
            design = torch.stack([inverse, torch.ones_like(inverse)], dim=1).cpu().double()
            matrix += design.T @ design / len(design)
            vector += design.T @ (1 / depth[fitted].cpu().double()) / len(design)
    try:
        scale, shift = torch.linalg.solve(matrix, vector).tolist()
    except RuntimeError:  # torch.linalg.LinAlgError, of a singular matrix
        names = ", ".join(entry.dataset.name for entry in sets)
        raise UserError(
            f"alignment=global: no scale and shift fit the training frames of {names}: the predictions are one "
            "constant, or none is finite. Choose another alignment"
        ) from None
    return GlobalFit(scale, shift)
