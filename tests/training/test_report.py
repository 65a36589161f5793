"""What a person sees of a run: lines, a bar, tables, pictures; and when validation ends it."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from small_run import Scores, make_trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tqdm import tqdm
from world import Flat

from tr2m.errors import UserError
from tr2m.evaluation.evaluator import Evaluation
from tr2m.training import report
from tr2m.training.progress import Progress
from tr2m.training.report import RunReport
from tr2m.training.trainer import Trainer


def test_lines_say_what_the_metrics_file_has_and_validations_are_tables(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
):
    caplog.set_level(logging.INFO)
    # One epoch of three steps: lines at the second and at the last.
    make_trainer(tmp_path, sets=[Flat([1, 2, 3, 4, 5], [48] * 5)], epochs=1, panels=1).fit()
    lines = [line for line in caplog.text.splitlines() if " left" in line]
    assert [re.search(r"step (\d+/\d+) ", line)[1] for line in lines] == ["2/3", "3/3"]
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    for line, terms in zip(lines, [one for one in written if one["kind"] == "train/flat"], strict=True):
        for name in ("total", "silog", "pseudo", "contrast", "smoothness"):
            assert f"{name} {terms[name]:.4f}" in line
        assert f"lr {terms['lr']:.2e}" in line
        assert re.search(r"[1-9][\d.]* images/s  0:00:\d\d left", line)
    (validated,) = [one for one in written if one["kind"] == "validate/flat"]
    assert f"validation after epoch 1: score {validated['abs_rel']:.4f}, the best so far\ndata set" in caplog.text
    assert re.search(rf"^flat .* {validated['abs_rel']:.3f} ", caplog.text, re.M)
    assert "\r" not in "".join(capfd.readouterr())  # no terminal, no bar
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["images"] == ["validate/flat/0"]
    assert events.Images("validate/flat/0")[0].step == 3


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_bar_of_all_steps(monkeypatch: pytest.MonkeyPatch):
    screen = Terminal()
    monkeypatch.setattr(report, "tqdm", partial(tqdm, file=screen, mininterval=0))
    monkeypatch.delenv("TQDM_DISABLE")
    shown = RunReport(10, ["total"])
    with shown.running(4, 8):
        for epoch in (1, 2):
            shown.begin_epoch(f"epoch {epoch}/2")
            shown.step(2)
            shown.step(2)
    text = screen.getvalue()
    assert re.search(r"epoch 1/2:.* 5/8 ", text)
    assert re.search(r"epoch 2/2:.* 8/8 ", text)
    assert text.count("\n") == 1


def test_rate_and_time_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Four steps of 2 s with 3 images each; a validation of 12 s in between counts for the time left alone. Then four
    steps of 1 s.
    """
    caplog.set_level(logging.INFO)
    clock = iter([0.0, 0.0, 0.0, 4.0, 16.0, 20.0, 20.0, 22.0, 22.0, 24.0])
    monkeypatch.setattr(report.time, "perf_counter", lambda: next(clock))
    shown = RunReport(4, ["total", "silog"])
    means = {"near": {"total": 1.0, "silog": 0.5}, "far": {"total": 2.0, "silog": 0.7}}
    with shown.running(100, 112):
        for step in (102, 104, 106, 108):
            shown.begin_epoch("")
            shown.step(3)
            shown.step(3)
            shown.close_window(step, means, 1e-5)
    assert [record.getMessage() for record in caplog.records] == [
        "step 104/112  total 1.5000  silog 0.6000  lr 1.00e-05  1.5 images/s  0:00:40 left",
        "step 108/112  total 1.5000  silog 0.6000  lr 1.00e-05  3.0 images/s  0:00:12 left",
    ]


def short_run(folder: Path, scores: list[float], **changes: object) -> Trainer:
    """Epochs of one step, six of them, whose validations have these scores."""
    trainer = make_trainer(folder, sets=[Flat([1.0, 2.0], [48, 48])], epochs=6, stop_after=2, **changes)
    trainer.validation = Scores(iter(scores))
    return trainer


def test_training_ends_when_validation_has_not_improved_also_when_it_was_interrupted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    scores = [0.5, 0.3, 0.3, 0.4, 0.1]
    whole = short_run(tmp_path / "whole", scores)
    whole.fit()
    assert (whole.progress.step, whole.progress.best) == (4, 0.3)
    assert (tmp_path / "whole/checkpoints/best.pt").resolve().name == "step_00000002.pt"
    reason = "2 validations without a better score than 0.3000, that of best.pt"
    assert f"training ends early, at step 4 of 6: {reason}" in caplog.text
    status = json.loads((tmp_path / "whole/status.json").read_text())
    assert (status["state"], status["step"], status["steps"]) == ("finished", 4, 6)
    assert status["ended_early"] == reason
    short_run(tmp_path / "parts", scores, max_steps=3).fit()
    assert "ended_early" not in (tmp_path / "parts/status.json").read_text()
    resumed = short_run(tmp_path / "parts", scores[3:])
    resumed.resume(tmp_path / "parts/checkpoints/last.pt")
    resumed.fit()
    assert vars(resumed.progress) == vars(whole.progress)
    again = short_run(tmp_path / "parts", [])
    again.resume(tmp_path / "parts/checkpoints/last.pt")
    assert again.fit() == []
    assert again.progress.step == 4


def test_a_validation_says_how_it_compares(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    metrics = dict.fromkeys(("delta1", "delta2", "delta3", "abs_rel", "log10", "rmse_log", "rmse"), 0.5)
    evaluation = Evaluation({"dataset": "near", "metrics": metrics, "unit": "m", "n_images": 3}, [])
    RunReport(4, []).validation([evaluation], 0.5, Progress(epoch=7, best=0.25, stale=2))
    RunReport(4, []).validation([], 0.5, Progress())
    assert len(caplog.records) == 1
    assert "validation after epoch 7: score 0.5000, the best was 0.2500, 2 validation(s) before\n" in caplog.text


def test_scores_that_are_no_numbers_are_no_improvement():
    progress = Progress()
    assert [progress.count_validation(score) for score in (float("nan"), 0.4, float("nan"), 0.3)] == [
        *(False, True, False, True)
    ]
    assert (progress.best, progress.stale) == (0.3, 0)
    assert progress.stalled(1) is None
    assert Progress(stale=9).stalled(None) is None


def test_ending_early_needs_a_score(tmp_path: Path):
    trainer = make_trainer(tmp_path, sets=[Flat([1.0], [48])])
    trainer.validation_sets = []
    trainer.settings = replace(trainer.settings, stop_after=1)
    with pytest.raises(UserError, match=r"trainer\.stop_after: no validation set is of a data set that is trained on"):
        trainer.__post_init__()
