"""The steps since the last log line: their numbers wait on the device until then, and are tested there once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from tr2m.distributed import process_rank
from tr2m.errors import UserError
from tr2m.json_text import json_text
from tr2m.training.run.log_failures import log_failures
from tr2m.types import DepthBatch, DepthOutput

logger = logging.getLogger(__name__)

MAPS = ("depth", "metric_depth", "scale_map", "shift_map")


class NonFiniteLossError(UserError):
    """A loss term or the gradient became NaN or infinite; the message names the step, the terms and the samples."""


@dataclass(frozen=True)
class StepRecord:
    """What one step leaves behind in one process, still on the device."""

    step: int
    dataset: str
    sample_ids: list[str]
    """Of this process."""
    terms: dict[str, Tensor]
    """Means over the whole batch, the same in every process."""
    ranges: Float[Tensor, "parts maps 2"]
    """Least and greatest value of MAPS in each part of this process's batch, in the data set's unit and 1 / unit."""


def map_ranges(batch: DepthBatch, output: DepthOutput) -> Float[Tensor, "maps 2"]:
    """Least and greatest value of MAPS, as far as the model has them; depth is 0 where there is none."""
    maps = [batch.depth, *(getattr(output, name) for name in MAPS[1:] if hasattr(output, name))]
    return torch.stack([torch.stack(values.detach().float().aminmax()) for values in maps])


class LogWindow:
    """Collects steps, and judges them when it is closed.

    Args:
        folder: the run's folder, where steps that are not finite are described.
        budget: how many such steps the whole run may have; one more stops it.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder = folder
        self.budget = budget
        self._records: list[StepRecord] = []

    def add(self, record: StepRecord) -> None:
        self._records.append(record)

    def close(self, skipped: int) -> tuple[dict[str, dict[str, float]], int]:
        """The mean terms of each data set since the last call, and the number of steps skipped so far.

        Here, once, the host waits for the device. Every process sees the same terms and comes to the same decision.

        Args:
            skipped: steps of this run that were not finite before this window.

        Raises:
            NonFiniteLossError: there were more steps that are not finite than the budget allows. None of them has
                changed a weight.
        """
        if not self._records:
            return {}, skipped
        records, self._records = self._records, []
        names = list(records[0].terms)
        values = torch.stack([torch.stack([r.terms[name].float() for name in names]) for r in records]).cpu()
        finite = values.isfinite().all(dim=1).tolist()
        bad = [(record, row) for record, row, good in zip(records, values.tolist(), finite, strict=True) if not good]
        for record, row in bad:
            self._write_report(record, dict(zip(names, row, strict=True)))
        if bad and skipped + len(bad) > self.budget:
            record, row = bad[max(0, self.budget - skipped)]
            raise NonFiniteLossError(self._message(record, dict(zip(names, row, strict=True))))
        means = {}
        for dataset in dict.fromkeys(record.dataset for record in records):
            rows = [i for i, record in enumerate(records) if record.dataset == dataset and finite[i]]
            if rows:
                means[dataset] = dict(zip(names, values[rows].mean(dim=0).tolist(), strict=True))
        return means, skipped + len(bad)

    def _message(self, record: StepRecord, terms: dict[str, float]) -> str:
        listed = ", ".join(f"{name} {value:g}" for name, value in terms.items())
        return (
            f"step {record.step} ({record.dataset}): {listed}; samples {', '.join(record.sample_ids)}. The weights "
            f"and the last checkpoint are from before; {self.folder / 'nonfinite'} has the ranges. Look at these "
            f"samples' depth, lower optim.optimizer.lr, or allow more than {self.budget} with trainer.skip_nonfinite"
        )

    def _write_report(self, record: StepRecord, terms: dict[str, float]) -> None:
        """nonfinite/step_<n>_process<rank>.json: samples, terms and ranges."""
        ranges = [dict(zip(MAPS, part, strict=False)) for part in record.ranges.tolist()]
        content = {"step": record.step, "dataset": record.dataset, "sample_ids": record.sample_ids}
        path = self.folder / "nonfinite" / f"step_{record.step:08d}_process{process_rank()}.json"
        logger.warning("step %d is not finite and was skipped, see %s", record.step, path)
        with log_failures(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json_text({**content, "terms": terms, "ranges": ranges}) + "\n")
