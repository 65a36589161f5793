"""-m: one job for each value, checked before the first one starts, leaving nothing in the working directory."""

import json
from pathlib import Path

import pytest
from programs import run

from tr2m.cli.options.check import job_arguments, jobs
from tr2m.cli.options.groups import CONFIGS
from tr2m.cli.options.spelling import parse
from tr2m.errors import UserError


def lines(*arguments: str) -> list[list[str]]:
    return [[o.input_line for o in job] for job in jobs([parse(argument) for argument in arguments], (CONFIGS,))]


def test_jobs_are_all_combinations():
    assert lines("dataset=ibims,diode", "seed=range(0,2)", "ckpt=x") == [
        ["dataset=ibims", "seed=0", "ckpt=x"],
        ["dataset=ibims", "seed=1", "ckpt=x"],
        ["dataset=diode", "seed=0", "ckpt=x"],
        ["dataset=diode", "seed=1", "ckpt=x"],
    ]
    assert lines("dataset=glob(samples_*)") == [["dataset=samples_kitti"], ["dataset=samples_nyuv2"]]
    assert lines("x={a: 1},{a: 2}") == [["x={a:1}"], ["x={a:2}"]]


def test_every_job_is_checked_beforehand_and_flags_may_stand_anywhere():
    good = ["ckpt=x", "-m", "dataset=ibims,diode", "workers=0"]
    assert job_arguments("eval", good) == [
        ["ckpt=x", "dataset=ibims", "workers=0"],
        ["ckpt=x", "dataset=diode", "workers=0"],
    ]
    assert job_arguments("eval", ["ckpt=x", "--cfg", "job", "dataset=ibims"]) == [
        ["--cfg", "job", "ckpt=x", "dataset=ibims"]
    ]
    with pytest.raises(UserError, match="dataset=nyu: there is no"):
        job_arguments("eval", ["-m", "ckpt=x", "dataset=ibims,nyu"])
    with pytest.raises(UserError, match="workers=many"):
        job_arguments("eval", ["-m", "ckpt=x", "dataset=ibims", "workers=1,many"])
    with pytest.raises(UserError, match="not given: dataset"):
        job_arguments("eval", ["-m", "ckpt=x", "workers=0,1"])


def test_not_under_torchrun(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(UserError, match="start torchrun once for each job"):
        job_arguments("train", ["-m", "seed=0,1"])


def test_a_launcher_that_would_not_be_used_is_refused():
    with pytest.raises(UserError, match="a sweep's jobs run here"):
        job_arguments("train", ["-m", "seed=0,1", "hydra/launcher=submitit_slurm"])


def test_a_sweep_over_data_sets_leaves_a_result_of_each_and_no_file_beside(tmp_path: Path):
    synthetic = ["dataset=synthetic_room,synthetic_tube", "dataset.reader.count={train: 2, test: 2}"]
    arguments = ["baseline=stored", "alignment=median", "workers=0", *synthetic]
    result = run("-m", "tr2m", "eval", *arguments, "-m", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")] == ["outputs/stored"]
    found = {path.name for path in tmp_path.rglob("*.json")}
    assert found == {"synthetic_room_median.json", "synthetic_tube_median.json"}
    assert "job 2 of 2: baseline=stored alignment=median workers=0 dataset=synthetic_tube" in result.stderr


@pytest.mark.slow
def test_each_job_of_a_sweep_records_its_own_values(tmp_path: Path):
    counts = ["~data.datasets.street", "~data.datasets.tube", "~data.datasets.hall"]
    short = ["data.datasets.room.reader.count={train: 8, test: 2}", "trainer.epochs=1", "trainer.panels=0"]
    result = run("-m", "tr2m", "train", "-m", "experiment=demo", *counts, *short, "run_id=a,b", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for run_id in ("a", "b"):
        folder = tmp_path / "outputs/demo" / run_id
        overrides = (folder / "overrides.txt").read_text().splitlines()
        assert f"run_id={run_id}" in overrides
        assert not [line for line in overrides if "a,b" in line or line.startswith("hydra")]
        assert json.loads((folder / "status.json").read_text())["state"] == "finished"
