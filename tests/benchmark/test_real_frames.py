"""what=train on the frames of data sets, alone and in two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import tiny
import torch
from world import Flat

from tr2m.benchmark import real_frames
from tr2m.benchmark.real_frames import real_steps, training_sets
from tr2m.benchmark.train import TrainBenchmark
from tr2m.build import build
from tr2m.errors import UserError
from tr2m.feature_cache.fill import CacheFiller
from tr2m.feature_cache.find import find_caches

CPU = torch.device("cpu")
TOY = (
    "what=train",
    "what.frames=data",
    "what.batch_sizes=[2]",
    "what.steps=1",
    "what.warmup=0",
    "what.matrix_side=64",
    "data=demo",
    "~data.datasets.tube",
    "data.datasets.room.reader.count={train: 8, test: 2}",
    "data.datasets.street.reader.count={train: 8, test: 2}",
    "trainer.workers=0",
    "model=tiny",
    *tiny.SMALL,
)


def ids(dataset: Flat, steps: int) -> list[list[str]]:
    return [batch.sample_ids for (batch,) in real_steps(dataset, steps, 4, 0, CPU)]


def test_steps_are_whole_batches_of_shuffled_epochs(monkeypatch: pytest.MonkeyPatch):
    large = Flat([1.0] * 12, [48] * 12)
    whole = ids(large, 3)
    assert [len(step) for step in whole] == [4, 4, 4]
    epoch = list(chain(*whole))
    assert sorted(epoch) == sorted(large.sample_ids)
    assert epoch != large.sample_ids
    small = Flat([1.0] * 3, [48] * 3)
    seen = list(chain(*ids(small, 3)))
    assert all(seen.count(name) == 4 for name in small.sample_ids)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(real_frames, "process_rank", lambda rank=rank: rank)
        monkeypatch.setattr(real_frames, "process_count", lambda: 2)
        shares.append(ids(large, 3))
    assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == [sorted(step) for step in whole]


def test_a_frame_that_cannot_be_read_is_not_timed():
    class Torn(Flat):
        def read_frame(self, index: int):
            if index == 1:
                raise UserError("flat/1.png is truncated")
            return super().read_frame(index)

    with pytest.raises(UserError, match=r"flat: flat/1\.png is truncated"):
        list(real_steps(Torn([1.0] * 4, [48] * 4), 1, 4, 0, CPU))


def test_a_row_for_each_data_set_with_the_wait_for_its_files():
    settings = tiny.benchmark(*TOY)
    benchmark = build(settings.what)
    result = benchmark.run(settings, CPU)
    assert [row["data set"] for row in result.rows] == ["synthetic_room", "synthetic_street"]
    assert all(row["load (s)"] > 0 for row in result.rows)
    # Its frames bring relative depth along: the model that estimates it counts for nothing.
    assert not any("RelativeDepth" in str(note) for note in result.notes.values())


def test_features_of_real_frames_come_from_their_cache(tmp_path: Path):
    settings = tiny.benchmark(*TOY, "what.features=cached")
    with pytest.raises(UserError, match=r"give cache\.folder=\.\.\., filled by tr2m cache"):
        build(settings.what).run(settings, CPU)
    settings = tiny.benchmark(*TOY, "what.features=cached", f"cache.folder={tmp_path}")
    with pytest.raises(UserError, match="the cache is not complete"):
        build(settings.what).run(settings, CPU)
    model = build(settings.model)
    caches = find_caches(settings.cache, settings.augmentation, settings.model, model)
    CacheFiller(caches, model, CPU, batch_size=4, workers=0).fill(training_sets(settings))
    result = build(settings.what).run(settings, CPU)
    assert not any("DINOv2" in str(note) for note in result.notes.values())


def test_random_frames_wait_for_nothing():
    settings = tiny.benchmark(*TOY, "what.frames=random", "what.sizes=[[28,70]]")
    (row,) = build(settings.what).run(settings, CPU).rows
    assert row["load (s)"] is None


def test_no_process_is_left_idle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tr2m.benchmark.train.process_count", lambda: 4)
    benchmark = TrainBenchmark("random", [[28, 70]], [8, 3], "seen", "live", 1, 0, 64)
    with pytest.raises(UserError, match=r"\[8, 3\] leaves some of 4 processes idle"):
        benchmark.run(tiny.benchmark(*TOY), CPU)


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, str(tiny.ROOT / "scripts/benchmark.py"), *arguments]
    return subprocess.run(command, cwd=tiny.ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_two_processes_make_one_table(tmp_path: Path):
    result = torchrun(*TOY, f"out={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("| synthetic_room |") == 1
    assert "2 process(es)" in result.stdout
    saved = json.loads((tmp_path / "train.json").read_text())
    assert saved["environment"]["processes"] == 2
    row = saved["rows"][0]
    assert row["images/s"] == pytest.approx(2 / row["step (s)"])


@pytest.mark.slow
def test_the_plain_loop_has_one_process():
    result = torchrun("what=speedup", "model=tiny")
    assert result.returncode != 0
    assert "only what=train and what=eval measure several" in result.stderr
