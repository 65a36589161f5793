"""The whole program under kills and signals, alone and under torchrun."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from programs import TORCHRUN
from small_run import make_trainer
from tiny import ROOT

from tr2m.training.run.checkpoint import load_checkpoint
from tr2m.training.run.checkpoint_folder import CheckpointFolder, newest_checkpoint

pytestmark = pytest.mark.slow
LONG = [
    str(ROOT / "scripts/train.py"),
    "experiment=demo",
    "run_id=job",
    "resume=auto",
    "data.datasets.room.reader.count={train: 16, test: 2}",
    "~data.datasets.street",
    "~data.datasets.tube",
    "~data.datasets.hall",
    "trainer.batch_size=2",
    "trainer.epochs=500",
    "trainer.save_every=2",
    "trainer.validate_every=500",
    "trainer.panels=0",
    "trainer.workers=1",
]


def train_and_save_at_every_step(folder: Path) -> None:
    torch.set_num_threads(1)
    trainer = make_trainer(folder, epochs=1000, save_every=1, validate_every=1000)
    if path := newest_checkpoint(folder / "checkpoints"):
        trainer.resume(path)
    trainer.fit()


def save_without_pause(folder: Path) -> None:
    first = newest_checkpoint(folder / "checkpoints")
    step = load_checkpoint(first)["step"] if first else 0
    while True:
        step += 1
        CheckpointFolder(folder / "checkpoints", 1000).save(step, {"weights": torch.full((100_000,), step)})


@pytest.mark.parametrize(
    ("program", "kills", "longest"), [(train_and_save_at_every_step, 20, 3.0), (save_without_pause, 80, 0.3)]
)
def test_killed_at_random_moments_the_newest_checkpoint_always_loads(
    tmp_path: Path, program: Callable[[Path], None], kills: int, longest: float
):
    moments, steps = random.Random(0), []
    for _ in range(kills):
        process = get_context("fork").Process(target=program, args=(tmp_path,))
        process.start()
        time.sleep(moments.uniform(0.02, longest))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        path = newest_checkpoint(tmp_path / "checkpoints")
        steps.append(load_checkpoint(path)["step"] if path else 0)
        assert path is None or load_checkpoint(tmp_path / "checkpoints/last.pt")["step"] in (steps[-1], steps[-1] - 1)
    assert steps == sorted(steps)
    assert steps[-1] > kills / 4


@contextmanager
def started(command: list[str], outputs: Path) -> Iterator[subprocess.Popen[str]]:
    """The running program; nothing of it is left afterwards."""
    environment = {**os.environ, "TR2M_OUTPUTS": str(outputs), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    # A process group of its own, so that a signal can be sent to all of it, as a terminal and a scheduler do.
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for pid in [*(children.read_text().split() if children.exists() else []), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        process.wait()


def wait_for_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    end = time.monotonic() + 120
    while newest_checkpoint(run / "checkpoints") is None:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.2)


def status(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


def test_a_signal_to_the_whole_group_and_the_requeued_job(tmp_path: Path):
    """A terminal or scheduler signals the loader's processes, too."""
    run = tmp_path / "demo/job"
    with started([sys.executable, *LONG], tmp_path) as process:
        wait_for_checkpoint(process, run)
        os.killpg(process.pid, signal.SIGTERM)
        message = process.communicate(timeout=120)[1]
    assert process.returncode == 143, message
    assert "Traceback" not in message
    assert (status(run)["state"], status(run)["reason"]) == ("stopped", "SIGTERM")
    stopped_at = status(run)["step"]
    assert newest_checkpoint(run / "checkpoints").name == f"step_{stopped_at:08d}.pt"
    with started([sys.executable, *LONG, f"trainer.max_steps={stopped_at + 3}"], tmp_path) as process:
        message = process.communicate(timeout=120)[1]
    assert process.returncode == 0, message
    assert f"at epoch {stopped_at // 8 + 1}, step {stopped_at}" in message
    assert (status(run)["state"], status(run)["step"]) == ("finished", stopped_at + 3)


def test_a_signal_to_the_whole_group_while_validating(tmp_path: Path):
    """Validation needs its loading processes until its last frame; then the run stops as it should."""
    run = tmp_path / "demo/job"
    validating = ["data.datasets.room.reader.count={train: 16, test: 150}", "trainer.validate_every=1"]
    with started([sys.executable, *LONG, *validating, "trainer.save_every=1000"], tmp_path) as process:
        wait_for_checkpoint(process, run)  # the one of the epoch's end, before validation
        os.killpg(process.pid, signal.SIGTERM)
        message = process.communicate(timeout=240)[1]
    assert process.returncode == 143, message
    assert "Traceback" not in message
    assert (status(run)["state"], status(run)["reason"], status(run)["step"]) == ("stopped", "SIGTERM", 8)
    assert (run / "checkpoints/best.pt").exists()


def test_torchrun_restarts_from_the_last_checkpoint_and_one_signal_stops_all(tmp_path: Path):
    run = tmp_path / "demo/job"
    with started([*TORCHRUN, "--max-restarts=1", *LONG], tmp_path) as process:
        wait_for_checkpoint(process, run)
        first = status(run)
        os.kill(first["pid"], signal.SIGKILL)
        end = time.monotonic() + 120
        while status(run)["pid"] == first["pid"]:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.2)
        resumed = status(run)
        assert resumed["step"] > 0
        time.sleep(1)
        os.kill(resumed["pid"], signal.SIGUSR1)
        message = process.communicate(timeout=120)[1]
    assert process.returncode == 0, message
    assert status(run)["state"] == "stopped"
    assert status(run)["step"] > resumed["step"]
