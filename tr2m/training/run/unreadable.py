"""Frames that cannot be read while training: a few are replaced and reported, many stop the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from tr2m.data.mixing import UnreadableFrame
from tr2m.distributed import gather
from tr2m.errors import UserError

logger = logging.getLogger(__name__)


class UnreadableFrames:
    """Counts the distinct frames of each data set that could not be read, over all processes and restarts.

    Args:
        sizes: frames of each data set.
        share: of a data set's frames that may be unreadable.
    """

    def __init__(self, sizes: Mapping[str, int], share: float) -> None:
        self.sizes = dict(sizes)
        self.share = share
        self.sample_ids: dict[str, list[str]] = {}
        self._pending: list[UnreadableFrame] = []

    def add(self, frames: Sequence[UnreadableFrame]) -> None:
        self._pending.extend(frames)

    def check(self) -> None:
        """Log what this and the other processes met since the last call. Raises UserError past the budget."""
        met, self._pending = [frame for frames in gather(self._pending) for frame in frames], []
        for dataset, sample_id, reason in met:
            known = self.sample_ids.setdefault(dataset, [])
            if sample_id not in known:
                known.append(sample_id)
                logger.warning("%s: %s cannot be read and was replaced: %s", dataset, sample_id, reason)
                if len(known) > self.share * self.sizes[dataset]:
                    raise UserError(
                        f"{dataset}: {len(known)} of {self.sizes[dataset]} frames cannot be read, more than "
                        f"trainer.unreadable={self.share:g} allows; the last one: {reason}"
                    )
