"""Every loader of frames: its processes leave stopping to the program that started them."""

from __future__ import annotations

import signal
from multiprocessing.context import ForkContext, ForkProcess
from multiprocessing.popen_fork import Popen
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""What a user or a scheduler stops a program with."""


class _KilledPopen(Popen):
    def terminate(self) -> None:
        self.kill()


class _LoadingProcess(ForkProcess):
    """Blocks STOP_SIGNALS, and ends by SIGKILL where Python would send SIGTERM: at the program's exit it would be
    waited for without end.
    """

    @staticmethod
    def _Popen(process_obj: ForkProcess) -> Popen:
        # One thread for OpenCV as for torch: those of all processes together would be more than there are cores. Set
        # before the fork, since OpenCV's threads do not survive it, and ending them afterwards would wait without end.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        # Inherited, and so blocked from the first moment of the process; handlers of its own would come later.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            return _KilledPopen(process_obj)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            cv2.setNumThreads(threads)


class _LoadingContext(ForkContext):
    Process = _LoadingProcess


def data_loader(dataset: Dataset, workers: int, **options: Any) -> DataLoader:
    """A DataLoader with `workers` processes (0: this one) that STOP_SIGNALS do not reach.

    Terminals and schedulers signal a whole process group: a program that finishes its step, or its validation, needs
    its loading processes until then.
    """
    context = _LoadingContext() if workers else None
    return DataLoader(dataset, num_workers=workers, multiprocessing_context=context, **options)
