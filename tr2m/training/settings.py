"""The options of the training loop: configs/trainer."""

from __future__ import annotations

from dataclasses import dataclass

from tr2m.data.mixing import Mixing
from tr2m.limits import NonNegativeInt, PositiveFloat, PositiveInt, Share


@dataclass(frozen=True)
class TrainerSettings:
    """docs/choices.md gives the sources of the numbers."""

    epochs: PositiveInt
    batch_size: PositiveInt
    """Of all processes and accumulated parts together."""
    mixing: Mixing
    """How often and in which order the data sets come (`MixedBatchSampler`)."""
    accumulate: PositiveInt
    """Parts of a batch that a process takes one after the other, where it does not fit into memory."""
    clip_norm: PositiveFloat
    """Greatest norm of the gradient."""
    workers: NonNegativeInt
    """Processes that load frames; 0: the training process loads them itself."""
    log_every: PositiveInt
    """Steps between two log lines; only there does the host wait for the device."""
    save_every: PositiveInt
    """Steps between two checkpoints; every epoch's end has one, too."""
    keep_every: PositiveInt
    """The checkpoint of every so many epochs is kept for good."""
    validate_every: PositiveInt
    """Epochs between two validations; the last epoch always validates."""
    panels: NonNegativeInt
    """Frames of each validation set that are drawn."""
    stop_after: PositiveInt | None
    """Stop when the score of validation has not improved for this many validations; None never does."""
    max_steps: NonNegativeInt | None
    """Stop, with a checkpoint, after this many steps of the schedule; None runs it to its end."""
    skip_nonfinite: NonNegativeInt
    """Steps with a NaN or an infinity that may be skipped; one more stops the run."""
    unreadable: Share
    """Share of each training set's frames that may be unreadable; more stop the run."""
