"""Loading processes outlive the stop signals of their group, and nothing else does them in or keeps them."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import ROOT
from torch.utils.data import Dataset
from world import Flat

from tr2m.data.eval_regions import FullFrame
from tr2m.data.loading import STOP_SIGNALS, data_loader
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.types import DepthBatch


class Numbers(Dataset):
    def __len__(self) -> int:
        return 50

    def __getitem__(self, index: int) -> int:
        return index


class Signalled:
    """A method during whose first frame all loading processes are sent every stop signal."""

    kind = "metric_depth"

    def __call__(self, batch: DepthBatch) -> torch.Tensor:
        if batch.sample_ids[0].endswith("/0"):
            send_stop_signals()
        return batch.depth


def send_stop_signals() -> None:
    processes = multiprocessing.active_children()
    assert len(processes) == 1
    for number in STOP_SIGNALS:
        os.kill(processes[0].pid, number)


def test_a_loader_goes_on():
    seen = []
    for number in data_loader(Numbers(), 1, batch_size=None):
        if not seen:
            send_stop_signals()
        seen.append(number)
    assert seen == list(range(50))


def test_a_signal_before_the_process_has_started(monkeypatch: pytest.MonkeyPatch):
    """Between its fork and its first line a process has its parent's handlers, or torch's, which end it."""
    starting = []
    monkeypatch.setattr(os, "fork", lambda: fork_signalled(starting))
    handlers = [signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS]
    try:
        assert list(data_loader(Numbers(), 1, batch_size=None)) == list(range(50))
        assert len(starting) == 1
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert blocked.isdisjoint(STOP_SIGNALS), "the program itself hears them"
    finally:
        for number, handler in zip(STOP_SIGNALS, handlers, strict=True):
            signal.signal(number, handler)


def fork_signalled(starting: list[int], fork: Callable[[], int] = os.fork) -> int:
    """os.fork, whose child sends itself every stop signal before it does anything else."""
    child = fork()
    if child:
        starting.append(child)
        return child
    for number in STOP_SIGNALS:
        os.kill(os.getpid(), number)
    return 0


def test_an_evaluation_goes_on():
    scored = EvaluationSet(Flat([2.0] * 30, [48] * 30), Protocol("paper", 1e-3, 10.0, FullFrame()))
    (evaluation,) = evaluate(Signalled(), [scored], torch.device("cpu"), workers=1)
    assert evaluation.result["n_images"] == 30


def test_there_is_no_other_loader():
    files = [path for path in (ROOT / "tr2m").rglob("*.py") if path != ROOT / "tr2m/data/loading.py"]
    calls = [
        path
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "DataLoader"
    ]
    assert calls == []


@pytest.mark.parametrize("error", ["ValueError('a bug')", "KeyboardInterrupt"])
def test_a_program_that_ends_in_an_error_does_not_wait_for_them(error: str, tmp_path: Path):
    """The traceback keeps the loader alive until Python ends its processes, which SIGTERM does not reach."""
    program = tmp_path / "program.py"
    program.write_text(
        "from test_loading import Numbers\nfrom tr2m.data.loading import data_loader\n"
        "def main():\n    numbers = iter(data_loader(Numbers(), 1, batch_size=None))\n    next(numbers)\n"
        f"    raise {error}\nmain()\n"
    )
    paths = os.pathsep.join(str(path) for path in (ROOT, ROOT / "tests", ROOT / "tests/data"))
    ended = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert error.partition("(")[0] in ended.stderr
