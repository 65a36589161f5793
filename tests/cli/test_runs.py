"""`tr2m runs`: what the folders of runs tell, also when their files are damaged, and what differs between two."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from programs import imported_modules
from small_run import make_trainer
from world import Flat

from tr2m.cli import runs
from tr2m.errors import UserError
from tr2m.training.run.lock import PATIENCE, RunLock
from tr2m.training.run.record import read_run

SCORES = [(10, {"abs_rel": 0.3, "delta1": 0.5}), (20, {"abs_rel": 0.1, "delta1": 0.8}), (30, {"abs_rel": 0.2})]


def make_run(folder: Path, state: str = "finished", lr: float = 1e-3, holder: str = "", **status: object) -> Path:
    """The files of a run as it would have left them, by hand."""
    folder.mkdir(parents=True)
    config = {"name": "own", "run_id": folder.name, "optim": {"optimizer": {"lr": lr}}, "trainer": {"epochs": 3}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "overrides.txt").write_text(f"experiment=own\noptim.optimizer.lr={lr}\n")
    (folder / "status.json").write_text(json.dumps({"state": state, "step": 0, "steps": 30, **status}))
    lines = [{"kind": "train/folder", "step": 5, "total": 1.0}]
    lines += [{"kind": "validate/folder", "step": step, **metrics} for step, metrics in SCORES]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "run.lock").write_text(holder)
    return folder


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_trained_run_leaves_is_read(tmp_path: Path):
    evaluations = make_trainer(tmp_path / "a/b", sets=[Flat([1.0, 2.0], [48, 48])], epochs=1).fit()
    run = read_run(tmp_path / "a/b")
    assert (run.state, run.step, run.steps, run.reason) == ("finished", 1, 1, "")
    assert run.scores == {"flat": [evaluations[0].result["metrics"]]}
    assert run.config["trainer"]["epochs"] == 1
    assert run.damage == []


def test_a_run_is_running_while_its_process_lives(tmp_path: Path):
    here, elsewhere = socket.gethostname(), "another-machine"
    now, dead = "2026-01-01T00:00:00+00:00", dead_process()
    cases = {
        "alive": ("running", f"{here} process {os.getpid()} since {now}", 0, "running"),
        "loading": ("stopped", f"{here} process {os.getpid()} since {now}", 0, "starting"),
        "dead": ("running", f"{here} process {dead} since {now}", 0, "killed"),
        "reused": ("running", f"{here} process {os.getpid()} since {now}", PATIENCE + 9, "killed"),
        "remote": ("running", f"{elsewhere} process {dead} since {now}", 0, "running"),
        "silent": ("running", f"{elsewhere} process {dead} since {now}", PATIENCE + 9, "killed"),
        "half": ("running", here, 0, "killed"),
        "released": ("running", "", 0, "killed"),
        "failed": ("failed", "", 0, "failed"),
    }
    for name, (state, holder, age, expected) in cases.items():
        run = make_run(tmp_path / name, state, holder=holder)
        if age:
            lock = run / "run.lock"
            os.utime(lock, (lock.stat().st_mtime - age,) * 2)
        assert read_run(run).state == expected, name
    lock = RunLock(tmp_path / "real")
    lock.acquire()
    assert read_run(tmp_path / "real").state == "starting"
    lock.release()


def test_a_list_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    make_run(tmp_path / "own/first")
    make_run(tmp_path / "own/second", "failed", reason="UserError: no file x.png\nand more")
    (tmp_path / "own/second/metrics.jsonl").write_text('{"kind": "train/folder", "step": 1200}\n')
    make_run(tmp_path / "group/own/third", ended_early="5 validations without a better score")
    (tmp_path / "contact_sheets").mkdir()
    (tmp_path / "own/first/copy").mkdir()
    (tmp_path / "own/first/copy/config.yaml").write_text("a file in a run's folder is no other run")
    for age, name in enumerate(("group/own/third", "own/second", "own/first")):
        for file in (tmp_path / name).iterdir():
            os.utime(file, (1e9 - age, 1e9 - age))
    monkeypatch.setenv("TR2M_OUTPUTS", str(tmp_path))
    runs.main([])
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        "run              state     step         abs_rel of the last validation (best)",
        "own/first        finished  30 of 30     folder 0.2000 (0.1000)",
        "own/second       failed    1,200 of 30  -",
        "    UserError: no file x.png",
        "group/own/third  finished  30 of 30     folder 0.2000 (0.1000)",
        "    5 validations without a better score",
    ]
    runs.main([str(tmp_path / "own")])
    assert "\nfirst   finished" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"no runs below .*contact_sheets"):
        runs.main([str(tmp_path / "contact_sheets")])


def test_damaged_files_are_named_and_nothing_ends_the_list(tmp_path: Path, capsys: pytest.CaptureFixture):
    run = make_run(tmp_path / "own/broken")
    (run / "status.json").write_text('{"state": "fin')
    (run / "config.yaml").write_bytes(b"a: [\xff\x00")
    (run / "metrics.jsonl").write_text((run / "metrics.jsonl").read_text() + '[1]\n{"kind": "train/fol')
    bare = make_run(tmp_path / "own/odd", step="many", steps=True)
    (bare / "metrics.jsonl").unlink()
    (bare / "metrics.jsonl").mkdir()
    (bare / "overrides.txt").unlink()
    (tmp_path / "own/begun").mkdir()
    (tmp_path / "own/begun/run.lock").write_text("")
    runs.main([str(tmp_path)])
    printed = capsys.readouterr().out
    for part in (
        "own/broken  killed    30    folder 0.2000 (0.1000)",
        "    config.yaml cannot be read\n    status.json cannot be read\n    metrics.jsonl: 2 line(s) cannot be read\n",
        "own/odd     finished  -     -\n    metrics.jsonl cannot be read (Is a directory)\n",
        "own/begun   killed    -     -\n",
        "    no config.yaml\n    no status.json\n",
    ):
        assert part in printed, printed
    runs.main(["compare", str(run), str(bare)])
    assert "not compared: a config.yaml is missing" in capsys.readouterr().out


def test_lines_that_a_kill_doubled_count_once_and_the_later_ones_win(tmp_path: Path):
    run = make_run(tmp_path / "run")
    with (run / "metrics.jsonl").open("a") as file:
        for line in ({"kind": "validate/folder", "step": 20, "abs_rel": 0.4}, {"kind": "train/folder", "step": 21}):
            file.write(f"{json.dumps(line)}\n")
    record = read_run(run)
    assert [metrics["abs_rel"] for metrics in record.scores["folder"]] == [0.3, 0.4, 0.2]
    assert record.step == 21


def test_two_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    one, other = make_run(tmp_path / "own/a"), make_run(tmp_path / "own/b", lr=0.5)
    monkeypatch.setenv("TR2M_OUTPUTS", str(tmp_path))
    runs.main(["compare", "own/a", str(other)])
    printed = capsys.readouterr().out
    arguments = [f"{run}: experiment=own optim.optimizer.lr={lr}\n" for run, lr in ((one, 0.001), (other, 0.5))]
    assert printed.endswith("Arguments\n" + "".join(arguments))
    lines = [line.split() for line in printed.splitlines()]
    assert lines[0] == [str(one), str(other)]
    start = lines.index(["Options", "that", "differ"])
    assert lines[start + 1 : start + 3] == [["optim.optimizer.lr", "0.001", "0.5"], []]
    assert ["folder", "abs_rel", "0.2000", "(0.1000)", "0.2000", "(0.1000)"] in lines
    runs.main(["compare", "own/a", "own/a"])
    assert "Options that differ\nnone" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"own: expected the folder of a run, or its name as tr2m runs lists it"):
        runs.main(["compare", "own", "own/a"])


def test_the_list_does_not_wait_for_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_run(tmp_path / "own/a")
    assert "torch" not in imported_modules("runs", str(tmp_path))
