"""One program at a time writes into a run folder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
from small_run import make_trainer
from tiny import ROOT

from tr2m.errors import UserError
from tr2m.training.run import lock as locks
from tr2m.training.run.lock import RunLock, RunTakenOverError
from tr2m.training.run.resume import locate_run
from tr2m.training.run.run_log import RunLog

FORK = get_context("fork")
ELSEWHERE = "another-host process 17 since 2026-01-01T00:00:00+00:00\n"


def in_another_process(function: Callable[[], None]) -> str:
    """What `function` raises in a process of its own."""
    receiver, sender = FORK.Pipe(duplex=False)

    def run() -> None:
        try:
            function()
            sender.send("")
        except UserError as error:
            sender.send(str(error))

    process = FORK.Process(target=run)
    process.start()
    process.join(60)
    return receiver.recv()


def hold_for_ever(folder: Path, ready: object) -> None:
    RunLock(folder).acquire()
    ready.set()
    signal.pause()


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch):
    """A file system without locks, or one whose locks other machines do not see: they never conflict."""

    def refuse(*_) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "lockf", refuse)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "HEARTBEAT", 0.05)
    monkeypatch.setattr(locks, "PATIENCE", 1.0)


def test_a_second_process_is_refused_and_told_who_has_it_until_it_is_released(tmp_path: Path):
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    message = in_another_process(RunLock(tmp_path / "run").acquire)
    assert f"{tmp_path / 'run'} is in use by {socket.gethostname()} process {os.getpid()} since 20" in message
    assert f"delete {tmp_path / 'run/run.lock'} and try again" in message
    lock.release()
    assert (tmp_path / "run/run.lock").read_text() == ""
    assert in_another_process(RunLock(tmp_path / "run").acquire) == ""


def test_a_refused_process_does_not_free_the_lock(tmp_path: Path):
    lock = RunLock(tmp_path)
    lock.acquire()
    for _ in range(2):
        assert "in use by" in in_another_process(RunLock(tmp_path).acquire)
    lock.confirm()


def test_what_a_killed_process_held_is_free_at_once_though_the_file_still_names_it(tmp_path: Path):
    ready = FORK.Event()
    process = FORK.Process(target=hold_for_ever, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert f"process {process.pid}" in (tmp_path / "run.lock").read_text()
    start = time.monotonic()
    RunLock(tmp_path).acquire()
    assert time.monotonic() - start < locks.PATIENCE / 2


@pytest.mark.usefixtures("quick")
def test_a_run_on_another_machine_is_dead_only_without_a_sign_of_life(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "run.lock"
    path.write_text(ELSEWHERE)
    alive = FORK.Process(target=lambda: [(time.sleep(0.1), os.utime(path)) for _ in range(600)])
    alive.start()
    with pytest.raises(UserError, match="in use by another-host process 17"):
        RunLock(tmp_path).acquire()
    alive.kill()
    alive.join()
    lock = RunLock(tmp_path)
    lock.acquire()
    assert "no sign of life of another-host process 17" in caplog.text
    lock.confirm()


@pytest.mark.usefixtures("quick", "no_locks")
def test_without_locks_the_heartbeat_alone_protects(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    lock = RunLock(tmp_path)
    lock.acquire()
    assert "has no locks" in caplog.text
    assert "in use by" in in_another_process(RunLock(tmp_path).acquire)
    lock.release()
    assert in_another_process(RunLock(tmp_path).acquire) == ""


@pytest.mark.usefixtures("quick", "no_locks")
@pytest.mark.parametrize("how", ["deleted", "waited"])
def test_who_was_taken_over_stops_and_writes_nothing_more(tmp_path: Path, how: str):
    """A machine that stood still wakes up, and finds its run continued by another."""
    trainer = make_trainer(tmp_path, epochs=1, save_every=2)
    take_step, left = trainer.train_step, []

    def step(batches):
        if trainer.progress.step == 3:
            if how == "deleted":
                (tmp_path / "run.lock").unlink()
                RunLock(tmp_path).acquire()
            else:
                (tmp_path / "run.lock").write_text(ELSEWHERE)
            (tmp_path / "status.json").write_text("the other one's")
            left.extend(sorted(p.name for p in (tmp_path / "checkpoints").iterdir()))
        return take_step(batches)

    trainer.train_step = step
    with pytest.raises(RunTakenOverError, match="another one has taken this run over"):
        trainer.fit()
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == left
    assert (tmp_path / "status.json").read_text() == "the other one's"
    assert (tmp_path / "run.lock").read_text() != ""


def test_training_holds_the_lock_and_an_error_frees_it(tmp_path: Path):
    trainer = make_trainer(tmp_path, epochs=1)
    trainer.validation = lambda *_: (_ for _ in ()).throw(UserError(in_another_process(RunLock(tmp_path).acquire)))
    with pytest.raises(UserError, match="in use by"):
        trainer.fit()
    assert in_another_process(RunLock(tmp_path).acquire) == ""


def test_runs_of_the_same_second_have_a_folder_each(tmp_path: Path):
    with FORK.Pool(4) as pool:
        folders = pool.starmap(locate_run, [(tmp_path, None, resume) for resume in [None, "auto"] * 4])
    assert len({folder for folder, _ in folders}) == 8
    assert all(folder.is_dir() for folder, _ in folders)


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be made \(Not a directory\)"):
        locate_run(tmp_path / "file", None, None)
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\)"):
        RunLock(tmp_path / "file" / "run").acquire()


def refused(log: RunLog, leaves: list[str]) -> None:
    with log.claimed():
        for name in leaves:
            (log.folder / name).write_text("")
        raise UserError("there are no data")


def test_a_refused_run_leaves_no_folder_and_a_used_one_stays(tmp_path: Path):
    with pytest.raises(UserError, match="no data"):
        refused(make_trainer(tmp_path / "new").log, [])
    assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="no data"):
        refused(make_trainer(tmp_path / "used").log, ["config.yaml"])
    assert (tmp_path / "used/config.yaml").exists()
    assert in_another_process(RunLock(tmp_path / "used").acquire) == ""


@pytest.mark.slow
def test_two_programs_at_once(tmp_path: Path):
    """The same command twice: one trains, the other is refused; after a kill -9 it continues at once."""
    command = [sys.executable, str(ROOT / "scripts/train.py"), "experiment=demo", "run_id=job", "resume=auto"]
    command += ["trainer.epochs=500", "trainer.validate_every=500", "trainer.save_every=2", "trainer.panels=0"]
    command += [f"paths.outputs={tmp_path}", "trainer.workers=1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    logs = [(tmp_path / f"{number}.log").open("w+") for number in range(2)]
    both = [subprocess.Popen(command, env=environment, stderr=log) for log in logs]
    try:
        end = time.monotonic() + 120
        while all(process.poll() is None for process in both):
            assert time.monotonic() < end
            time.sleep(0.2)
        loser, winner = sorted(both, key=lambda process: process.poll() is None)
        assert (loser.wait(), winner.poll()) == (2, None)
        message = (tmp_path / f"{both.index(loser)}.log").read_text()
        assert f"is in use by {socket.gethostname()} process {winner.pid} since" in message
        assert "Traceback" not in message
        while not (tmp_path / "demo/job/checkpoints/last.pt").exists():
            assert time.monotonic() < end
            time.sleep(0.2)
        winner.send_signal(signal.SIGKILL)
        winner.wait()
        again = subprocess.run([*command, "trainer.max_steps=1"], env=environment, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert "resumed" in again.stderr
    finally:
        for process in both:
            process.kill()
            process.wait()
        for log in logs:
            log.close()
