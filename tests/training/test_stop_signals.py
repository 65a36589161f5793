"""Signals stop a run after its step, with a checkpoint, and say so by the exit code."""

import json
import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest
from small_run import make_trainer

from tr2m.training.run.stop_signals import EXIT_CODES, Stopped, StopSignals
from tr2m.training.trainer import Trainer


def trainer_that_is_sent(folder: Path, number: int, at_step: int) -> Trainer:
    trainer = make_trainer(folder)
    take_step = trainer.train_step

    def step(batches):
        if trainer.progress.step == at_step:
            os.kill(os.getpid(), number)
        return take_step(batches)

    trainer.train_step = step
    return trainer


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 0)])
def test_the_step_is_finished_and_saved(tmp_path: Path, number: int, code: int, caplog: pytest.LogCaptureFixture):
    handlers = {n: signal.getsignal(n) for n in EXIT_CODES}
    with pytest.raises(Stopped) as stopped:
        trainer_that_is_sent(tmp_path, number, at_step=2).fit()
    assert stopped.value.code == code
    assert (tmp_path / "checkpoints/last.pt").resolve().name == "step_00000003.pt"
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["reason"], status["step"]) == ("stopped", signal.Signals(number).name, 3)
    assert "requeue the job, or continue with resume=" in caplog.text
    assert {n: signal.getsignal(n) for n in EXIT_CODES} == handlers


def test_a_signal_at_the_end_of_an_epoch_comes_before_validation(tmp_path: Path):
    with pytest.raises(Stopped):
        trainer_that_is_sent(tmp_path, signal.SIGTERM, at_step=4).fit()
    assert not (tmp_path / "checkpoints/best.pt").exists()
    resumed = make_trainer(tmp_path)
    resumed.resume(tmp_path / "checkpoints/last.pt")
    assert resumed.validation_is_due()


def test_a_second_signal_ends_the_process_at_once():
    def wait_for_ever() -> None:
        with StopSignals():
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGTERM)
            while True:
                signal.pause()

    process = get_context("fork").Process(target=wait_for_ever)
    process.start()
    process.join(timeout=60)
    process.kill()
    assert process.exitcode == 128 + signal.SIGTERM
