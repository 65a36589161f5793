"""Where a new run starts from: the trained weights of a checkpoint (`init_from=`), everything else anew."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from tr2m.data.depth_dataset import DepthDataset
from tr2m.experiment.load import check_unit, read_trained
from tr2m.models.contract import RescalingModel
from tr2m.training.run.checkpoint import check_fingerprints, load_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The content of a checkpoint that a run starts from."""

    checkpoint: str
    state: Mapping[str, Any]

    @classmethod
    def read(cls, checkpoint: str) -> Start:
        """Of a checkpoint in any form that `load_model` takes. Raises UserError if it is none."""
        return cls(checkpoint, read_trained(checkpoint))

    def load_into(self, model: RescalingModel, datasets: Sequence[DepthDataset]) -> None:
        """Give its trained weights to a model that is to be trained on `datasets`.

        Raises:
            UserError: it is of another model or of other widths, was trained on other frozen networks, or does not
                state the unit of its depth where a data set is in millimetres.
        """
        load_weights(model, self.state["model"], f"init_from={self.checkpoint}")
        check_fingerprints(self.state["fingerprints"], model.fingerprints())
        model.units = self.state.get("units")
        for dataset in datasets:
            check_unit(model, dataset.unit, dataset.name)
        sizes = ", ".join(f"{height}x{width}" for height, width in self.state["input_sizes"])
        logger.info("init_from=%s, trained at %s. Loaded: %s", self.checkpoint, sizes, counted(model))

    def log_what_is_new(self, contrast: nn.Module) -> None:
        """Log what does not come from the checkpoint; the momentum branch has been copied from what was loaded."""
        projector = getattr(contrast, "projector", None)
        parts = [] if projector is None else [f"projector, {counted(projector)}"]
        copied = "; the momentum branch is a copy of the loaded encoder" if parts else ""
        logger.info("New: %s%s", ", ".join(["optimiser, schedule, progress", *parts]), copied)


def counted(module: nn.Module) -> str:
    """How many trained weights a module has, by its parts."""
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in module.named_children()}
    parts = ", ".join(f"{name} {size:,}" for name, size in sizes.items() if size)
    return f"{sum(sizes.values()):,} weights ({parts})"
