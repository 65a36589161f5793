"""status.json: whether a run is still going, and if not, why."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from tr2m.distributed import is_main, process_rank
from tr2m.files import write_atomically
from tr2m.json_text import json_text
from tr2m.training.run.lock import RunTakenOverError
from tr2m.training.run.log_failures import log_failures
from tr2m.training.run.stop_signals import Stopped


class RunStatus(AbstractContextManager):
    """Writes "running" on entry, and on exit "finished", "stopped" (by a signal) or "failed", with the reason.

    The main process writes status.json; of the others only those that fail leave a status_process<rank>.json.

    Args:
        folder: the run's folder.
        position: gives what is recorded beside the state, such as the step.
    """

    def __init__(self, folder: Path, position: Callable[[], dict[str, int | str]]) -> None:
        self.folder = folder
        self.position = position

    def __enter__(self) -> RunStatus:
        if is_main():
            self._write("running")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RunTakenOverError):
            return
        if error is not None and not isinstance(error, Stopped):
            text = "".join(traceback.format_exception(kind, error, trace))
            self._write("failed", reason=f"{type(error).__name__}: {error}", traceback=text)
        elif is_main():
            self._write("stopped", reason=error.signal) if error else self._write("finished")

    def _write(self, state: str, **details: str) -> None:
        name = "status.json" if is_main() else f"status_process{process_rank()}.json"
        content = {
            "state": state,
            **details,
            **self.position(),
            "time": datetime.now(UTC).isoformat(),
            "pid": os.getpid(),
        }
        with log_failures(name):
            write_atomically(self.folder / name, (json_text(content) + "\n").encode())
