"""Two processes over gloo do together what one does alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from programs import TORCHRUN
from small_run import CPU, PROTOCOL, make_trainer
from tiny import ROOT
from world import Flat

from tr2m.evaluation.evaluator import EvaluationSet, ModelMethod, evaluate

pytestmark = pytest.mark.slow
PATHS = os.pathsep.join(str(path) for path in (ROOT, ROOT / "tests", ROOT / "tests/training"))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where two_processes.py left its results."""
    folder = tmp_path_factory.mktemp("together")
    program = [str(ROOT / "tests/training/two_processes.py"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*TORCHRUN, *program], env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return folder


def test_half_the_batch_each_gives_the_gradient_of_the_whole(together: Path, tmp_path: Path):
    trainer = make_trainer(tmp_path, "objective.weights.contrast=0.0", batch_size=5)
    trainer.last_step = 1
    trainer.fit()
    alone = torch.cat([p.grad.flatten() for p in trainer.parameters])
    shared = torch.load(together / "gradient.pt", weights_only=True)
    assert alone.abs().max() > 0.01
    torch.testing.assert_close(shared, alone, rtol=0, atol=1e-6)


def test_resume_is_exact_in_both_processes_and_no_sample_is_seen_twice(together: Path):
    first, second = json.loads((together / "results.json").read_text())["resumed"]
    assert first["differ"] == second["differ"] == []
    assert first["same"]
    assert second["same"]
    epoch = [name for samples in (first["samples"], second["samples"]) for step in samples[:4] for name in step]
    assert sorted(epoch) == sorted([*(f"near/{i}" for i in range(5)), *(f"far/{i}" for i in range(4))])


def test_metrics_are_identical_on_an_odd_number_of_frames(together: Path, tmp_path: Path):
    results = json.loads((together / "results.json").read_text())
    model = make_trainer(tmp_path).model.eval()
    frames = Flat([1, 2, 3, 4, 5], [48, 48, 3, 48, 30], "odd")
    (alone,) = evaluate(ModelMethod(model), [EvaluationSet(frames, PROTOCOL)], CPU, 0)
    assert results["evaluation"] == json.loads(json.dumps(alone.result))
    assert results["rows"] == alone.rows
    assert alone.result["skipped"] == ["odd/2"]


def test_a_bad_step_of_one_process_stops_both_and_changes_nothing(together: Path):
    bad = json.loads((together / "results.json").read_text())["bad"]
    assert all(message.startswith("[] step 1 (near): silog nan") for message in bad), bad
    dumps = sorted(path.name for path in (together / "bad/nonfinite").iterdir())
    assert dumps == ["step_00000001_process0.json", "step_00000001_process1.json"]


def test_both_end_early_after_the_same_validation(together: Path):
    assert json.loads((together / "results.json").read_text())["ended"] == [[10, 1], [10, 1]]


@pytest.mark.parametrize("frames", [1, 3])
def test_a_process_without_a_frame_takes_part(together: Path, frames: int):
    """Batches of three over two sets of five and four leave one frame for two processes."""
    first, second = json.loads((together / "results.json").read_text())["resumed"]
    sizes = {(len(a), len(b)) for a, b in zip(first["samples"], second["samples"], strict=True)}
    assert ((1, 0) if frames == 1 else (2, 1)) in sizes
