"""Every benchmark runs at toy size and says where; what it says of itself is checked where it can be known."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import yaml

from tr2m.benchmark.flops import step_flops
from tr2m.benchmark.measurement import Measurement
from tr2m.benchmark.parts import keep_trainer, make_plain_loop, make_trainer
from tr2m.benchmark.phases import time_phases
from tr2m.benchmark.random_frames import random_batch
from tr2m.benchmark.timing import PeakMemory, matrix_ceiling, repeat, summary
from tr2m.build import build
from tr2m.errors import UserError

CPU = torch.device("cpu")
SIZE = "[28,70]"
TOY = {
    "contrast": ["what.pixels=[64,96]", "what.classes=[5,20]", "what.channels=8"],
    "train": [f"what.sizes=[{SIZE}]", "what.batch_sizes=[1,2]", "what.captions=new", "what.matrix_side=64"],
    "speedup": [f"what.sizes=[{SIZE}]", "what.batch_size=2"],
    "eval": [f"what.size={SIZE}", "what.counts=[1,2]", "what.batch_sizes=[1,2]", "what.workers=0"],
    "predict": [f"what.size={SIZE}", "~peers"],
    "training_time": ["what.batch_size=2"],
}
COLUMNS = {
    "contrast": {"pixels", "classes", "linear (s)", "quadratic (s)", "linear (MiB)", "ratio"},
    "train": {"images/s", "utilisation", "peak (MiB)", "encode (s)", "losses (s)", "backward (s)", "optimiser (s)"},
    "speedup": {"ours (images/s)", "plain (images/s)", "ratio"},
    "eval": {"frames", "seconds", "images/s", "s/image"},
    "predict": {"latency (s)", "encoders (s)", "heads (s)", "memory beyond the weights (MiB)"},
    "training_time": {"step (s)", "device (h)", "bottleneck"},
}


def run(what: str, precision: str = "auto", **changes: object) -> Measurement:
    settings = tiny.benchmark(f"what={what}", f"precision={precision}", "model=tiny", *tiny.SMALL, *TOY[what])
    settings = replace(settings, peers={"toy": {"method": {"model": settings.model["relative_depth"]}}})
    quick = {"steps": 2, "repeats": 2, "warmup": 0}
    quick = {key: value for key, value in quick.items() if key in settings.what} | changes
    return build(settings.what | quick).run(settings, CPU)


@pytest.mark.parametrize("what", ["contrast", "train", "speedup", "eval"])
def test_a_benchmark_fills_its_table(what: str, tmp_path: Path):
    result = run(what)
    for row in result.rows:
        assert set(row) >= COLUMNS[what]
        assert all(value > 0 for name, value in row.items() if name in COLUMNS[what] and "MiB" not in name)
    text = result.markdown()
    assert result.environment["device"] in text.splitlines()[0]
    saved = json.loads(result.save(tmp_path).read_text())
    assert saved["environment"]["git_commit"]
    assert saved["rows"] == result.rows


def test_cached_features_leave_their_networks_out_of_the_step():
    live, cached = (run("train", features=features) for features in ("live", "cached"))
    said = [next(value for name, value in result.notes.items() if "operations" in name) for result in (live, cached)]
    assert "DINOv2ImageEncoder" in said[0]
    assert "RelativeDepthModel" in said[0]
    assert "DINOv2ImageEncoder" not in said[1]
    assert "RelativeDepthModel" not in said[1]
    assert "MapHead" in said[1]


def test_predict_compares_precisions_and_peers():
    result = run("predict", precision="bfloat16")
    exact, ours, peer = result.rows
    assert set(exact) == set(ours) == set(peer) >= COLUMNS["predict"]
    assert [row["precision"] for row in result.rows] == ["float32", "bfloat16", "bfloat16"]
    for row in (exact, ours):
        assert row["encoders (s)"] > 0
        assert row["heads (s)"] > 0
    assert peer["encoders (s)"] is None
    errors = [value for name, value in result.notes.items() if name.endswith("difference from float32")]
    assert len(errors) == 4
    assert all(0 < error < 0.05 for error in errors)


def test_predict_in_float32_has_no_second_row():
    result = run("predict", precision="float32")
    assert [(row["network"], row["precision"]) for row in result.rows] == [("TR2M", "float32"), ("toy", "float32")]
    assert not any("difference" in name for name in result.notes)


def test_a_card_builds_equal_trainers_once_and_keeps_one():
    settings = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL)
    other = tiny.benchmark("what=profile", "model=tiny", *tiny.SMALL)
    with keep_trainer():
        first = make_trainer(settings, CPU, (28, 70))
        plain = make_plain_loop(settings, CPU, (28, 70))
        assert make_trainer(other, CPU, (28, 42)) is first
        assert all(parameter.grad is not None for parameter in first.parameters)
        assert plain.model is not first.model
        assert make_trainer(replace(settings, precision="bfloat16"), CPU, (28, 70)) is not first
        assert make_trainer(settings, CPU, (28, 70)) is not first
        last = make_trainer(settings, CPU, (28, 70))
    assert make_trainer(settings, CPU, (28, 70)) is not last


def test_the_plain_loop_stays_in_float32():
    settings = tiny.benchmark("what=speedup", "model=tiny", *tiny.SMALL, "precision=bfloat16")
    assert make_trainer(settings, CPU, (28, 70)).model.precision == torch.bfloat16
    assert make_plain_loop(settings, CPU, (28, 70)).model.precision == torch.float32


def test_schedule_adds_up_and_names_what_waits(tmp_path: Path):
    loader = {
        "rows": [{"data set": "slow", "ours (images/s/core)": 1e-3}, {"data set": "fast", "ours (images/s/core)": 1e9}]
    }
    (tmp_path / "loader.json").write_text(json.dumps(loader))
    datasets = {name: {"size": [28, 70], "frames": 5} for name in ("slow", "fast", "unknown")}
    result = run("training_time", datasets=datasets, loader=str(tmp_path / "loader.json"), epochs=2, cores=2)
    slow, fast, unknown = result.rows
    assert [row["bottleneck"] for row in result.rows] == ["loading", "device", "loading not measured"]
    # Three batches of two an epoch; 10 frames at 0.002 frames a second.
    assert slow["device (h)"] == pytest.approx(6 * slow["step (s)"] / 3600)
    assert slow["loading on 2 cores (h)"] == pytest.approx(10 / 2e-3 / 3600)
    expected = slow["loading on 2 cores (h)"] + fast["device (h)"] + unknown["device (h)"]
    assert result.notes["hours in all"] == pytest.approx(expected)
    # Three batches of two of each: 5 frames once, and 3 frames in a batch of two, one of one, and again one of two.
    datasets = {"slow": {"size": [28, 70], "frames": 3}, "fast": {"size": [28, 70], "frames": 5}}
    for mixing, steps, images in (("proportional", 4, 6), ("round_robin", 6, 10)):
        loader = str(tmp_path / "loader.json")
        row, _ = run("training_time", datasets=datasets, loader=loader, epochs=2, mixing=mixing).rows
        assert row["steps"] == steps
        assert row["loading on 16 cores (h)"] == pytest.approx(images / 16e-3 / 3600)
    with pytest.raises(UserError, match=r"expected loader\.json"):
        run("training_time", datasets=datasets, loader=str(tmp_path))


def test_schedule_knows_the_training_sets_as_they_are_configured():
    schedule = tiny.config("what=training_time", name="benchmark")["what"]
    training = tiny.config("experiment=mixed4")
    assert all(schedule[name] == training["trainer"][name] for name in ("epochs", "batch_size", "mixing"))
    assert list(schedule["datasets"]) == list(training["data"]["datasets"])
    for name, entry in training["data"]["datasets"].items():
        split = yaml.safe_load(Path(entry["reader"]["split_file"]).read_text())[entry["train_split"]]
        assert schedule["datasets"][name] == {"size": entry["reader"]["input_size"], "frames": split["frames"]}


def test_phases_make_up_the_step_and_leave_the_trainer_as_it_was():
    trainer = make_trainer(tiny.benchmark("what=train", "model=tiny", *tiny.SMALL), CPU, (28, 70))
    batch = random_batch((28, 70), 2, CPU)
    phases = time_phases(trainer, itertools.repeat([batch]), steps=2)
    own = {"encode", "fuse and heads", "momentum keys", "losses", "backward", "optimiser", "momentum update"}
    assert own | {"load", "other"} == set(phases)
    assert all(seconds > 0 for seconds in phases.values())
    assert trainer.model.encode.__name__ == "encode"


def test_operations_of_a_head_are_those_of_paper_and_pencil():
    counts = []
    for overrides in ([], ["model/head@model.shift_head=zero"]):
        settings = tiny.benchmark("what=train", "model=tiny", *tiny.SMALL, *overrides)
        counts.append(step_flops(make_trainer(settings, CPU, (28, 70)), random_batch((28, 70), 1, CPU)))
    decoder, mid, hidden = 16, 16, 8
    # A 3x3 convolution at 64 cells a token, and another one at every pixel, 196 a token. The logit, a product of a
    # matrix and a vector, is not counted.
    multiplications = 2 * 5 * (64 * 9 * decoder * mid + 196 * 9 * mid * hidden)
    # Two operations each; forward, gradient of the weights, gradient of the input. Nothing is multiplied twice.
    assert counts[0]["total"] - counts[1]["total"] == multiplications * 2 * 3
    assert counts[0]["MapHead"] > counts[1]["MapHead"]


def test_the_stopwatch_and_the_summary():
    seconds = repeat(lambda: time.sleep(0.01), CPU, repeats=3, warmup=1)
    assert len(seconds) == 3
    assert min(seconds) >= 0.01
    assert summary([3.0, 1.0, 2.0, 4.0, 5.0]) == {"seconds": 3.0, "spread": pytest.approx(0.5)}
    assert matrix_ceiling(CPU, 64, repeats=2) > 1e6


def test_peak_memory_sees_what_was_freed_again():
    with PeakMemory(CPU) as memory:
        block = np.ones(2**25)
        del block
    assert memory.added == pytest.approx(2**28, rel=0.1)
    assert memory.peak > memory.added


def test_what_was_freed_before_does_not_count_as_in_use():
    # Between blocks that stay, so that the C library has no reason to give the others back by itself.
    blocks = [np.ones(2**12) for _ in range(2**12)]
    blocks = blocks[::2]
    with PeakMemory(CPU) as memory:
        again = [np.ones(2**12) for _ in range(2**11)]
    assert memory.added == pytest.approx(len(again) * 2**15, rel=0.2)


def test_every_result_needs_a_device():
    with pytest.raises(TypeError):
        Measurement(what="contrast", rows=[{"a": 1}])
