"""What a person sees of a run: one bar on a terminal, a line every `log_every` steps, a table for each validation."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from tr2m.distributed import is_main, sum_of_processes
from tr2m.evaluation.evaluator import Evaluation
from tr2m.evaluation.report import format_table
from tr2m.training.progress import Progress

logger = logging.getLogger(__name__)


class RunReport:
    """Counts steps and images on the host, and never asks the device: the loss terms are those of a closed window.

    Args:
        log_every: steps between two lines; the last step has one, too.
        terms: names of the loss terms in a line.
    """

    def __init__(self, log_every: int, terms: Sequence[str]) -> None:
        self.log_every, self.terms = log_every, terms
        self.first_step = self.last_step = 0
        self._images, self._seconds = 0, 0.0
        self._start = self._since = time.perf_counter()
        self._bar = tqdm(disable=True)

    @contextmanager
    def running(self, first_step: int, last_step: int) -> Iterator[None]:
        """Show the bar of a run that goes from one step to the other; lines of the log appear above it."""
        self.first_step, self.last_step = first_step, last_step
        disable = None if is_main() else True  # None: where the output is no terminal
        with (
            tqdm(total=last_step, initial=first_step, unit="step", disable=disable) as self._bar,
            logging_redirect_tqdm(),
        ):
            self._start = self._since = time.perf_counter()
            yield

    def begin_epoch(self, title: str) -> None:
        """What passed before, such as a validation, does not count for images/s."""
        self._bar.set_description(title)
        self._since = time.perf_counter()

    def step(self, images: int) -> None:
        """One more step is queued, with so many images of this process."""
        self._images += images
        self._bar.update()

    def close_window(self, step: int, means: Mapping[str, Mapping[str, float]], lr: float) -> None:
        """Log a line if it is due. The device has just been waited for, so the time is that of finished steps.

        Args:
            means: of each loss term, for each data set of the window.
        """
        now = time.perf_counter()
        self._seconds, self._since = self._seconds + now - self._since, now
        if not means or (step % self.log_every and step != self.last_step):
            return
        rate = sum_of_processes(self._images) / self._seconds
        self._images, self._seconds = 0, 0.0
        left = (self.last_step - step) * (now - self._start) / max(1, step - self.first_step)
        shown = [f"{name} {sum(of[name] for of in means.values()) / len(means):.4f}" for name in self.terms]
        logger.info(
            "step %d/%d  %s  lr %.2e  %.1f images/s  %s left",
            *(step, self.last_step, "  ".join(shown), lr, rate, timedelta(seconds=round(left))),
        )

    def validation(self, evaluations: Sequence[Evaluation], score: float, progress: Progress) -> None:
        """Log the table of a validation that `progress` counts already. Nothing where there is no validation set."""
        if evaluations:
            stale = progress.stale
            best = f"the best was {progress.best:.4f}, {stale} validation(s) before" if stale else "the best so far"
            table = format_table([(one.result["dataset"], one.result) for one in evaluations], first="data set")
            logger.info("validation after epoch %d: score %.4f, %s\n%s", progress.epoch, score, best, table)
