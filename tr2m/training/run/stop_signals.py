"""Stopping when a scheduler or a user asks for it: after the current step, with a checkpoint."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import AbstractContextManager
from traceback import clear_frames
from types import FrameType, TracebackType
from typing import Any

from tr2m.data.loading import STOP_SIGNALS
from tr2m.distributed import is_main, largest_of_processes

logger = logging.getLogger(__name__)

# SIGUSR1 is what a scheduler sends ahead of a requeue (sbatch --signal): the run did as asked, which is no failure.
EXIT_CODES: dict[signal.Signals, int] = dict(zip(STOP_SIGNALS, (143, 130, 0), strict=True))


class Stopped(SystemExit):
    """The run stopped because a signal asked for it; its code becomes the program's."""

    def __init__(self, number: int) -> None:
        super().__init__(EXIT_CODES[signal.Signals(number)])
        self.signal = signal.Signals(number).name


class StopSignals(AbstractContextManager):
    """Remembers the first stop signal; a second one ends the process at once. Restores the old handlers on exit."""

    def __enter__(self) -> StopSignals:
        self._received = 0
        self._previous = {number: signal.signal(number, self._handle) for number in EXIT_CODES}
        return self

    def __exit__(self, kind: Any, error: Any, trace: TracebackType | None) -> None:
        # An error from a loading process keeps the loader in its traceback, and so those processes until the program
        # ends.
        clear_frames(trace)
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            os._exit(128 + number)
        self._received = number
        # Not through logging, which the signal may have interrupted while it held its lock.
        os.write(2, f"\n{signal.Signals(number).name}: stopping after this step; again to stop at once\n".encode())

    def raise_if_asked(self, advice: str) -> None:
        """Raise Stopped, in all processes, if any of them got a signal; the main one logs `advice` first."""
        if number := self.agreed():
            if is_main():
                logger.warning("stopped; requeue the job, or %s", advice)
            raise Stopped(number)

    def agreed(self) -> int:
        """The signal that any process has received, the same answer in all of them, or 0."""
        return largest_of_processes(self._received)
