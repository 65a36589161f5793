"""What must never stop training: pictures, the tracker, the removal of old files."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from types import TracebackType

logger = logging.getLogger(__name__)


class log_failures(AbstractContextManager):
    """Any error in the block is logged as a warning, and training continues.

    Args:
        what: named in the warning, such as "panel kitti_0.png".
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        logger.warning("%s failed, training continues: %s: %s", self.what, type(error).__name__, error)
        return True
