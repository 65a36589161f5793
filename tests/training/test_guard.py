"""Numbers cannot rot: what is not finite never changes a weight or a moment."""

import json
from pathlib import Path

import pytest
import torch
from small_run import differences, everything, make_trainer
from world import Flat

from tr2m.training.trainer import Trainer
from tr2m.training.window import NonFiniteLossError
from tr2m.types import Frame


class Poisoned(Flat):
    """Frame 1 has a relative depth that is infinite."""

    def read_frame(self, index: int) -> Frame:
        frame = super().read_frame(index)
        relative = 1 / frame.depth.clip(min=0.1)
        return Frame(frame.image, frame.depth, relative * float("inf") if index == 1 else relative)


def poisoned_trainer(folder: Path, **changes) -> Trainer:
    return make_trainer(folder, sets=[Poisoned([1, 2, 3, 4], [48] * 4, "near")], **{"batch_size": 1, **changes})


def state_before_and_after_each_step(trainer: Trainer) -> list[tuple[list[str], list[str]]]:
    """For each step its samples and what it changed of weights and moments (not of schedule and random state)."""
    changes = []
    take_step = trainer.train_step

    def step(batches):
        before = {name: torch.as_tensor(v).clone() for name, v in everything(trainer).items() if name != "progress"}
        record = take_step(batches)
        after = {name: torch.as_tensor(v) for name, v in everything(trainer).items() if name != "progress"}
        changed = [n for n in differences(before, after) if not n.startswith(("rng", "lr", "contrast.momentum"))]
        changes.append((record.sample_ids, changed))
        return record

    trainer.train_step = step
    return changes


def test_a_bad_step_within_the_budget_changes_no_weight_and_no_moment(tmp_path: Path):
    trainer = poisoned_trainer(tmp_path, skip_nonfinite=2)
    changes = state_before_and_after_each_step(trainer)
    trainer.fit()
    bad = [changed for samples, changed in changes if samples == ["near/1"]]
    good = [changed for samples, changed in changes if samples != ["near/1"]]
    # The very first step makes the moments, as zeros.
    assert [[n for n in names if "adam" not in n] for names in bad] == [[], []]
    assert bad[1] == []
    assert all(len(names) > 30 for names in good)
    assert trainer.progress.skipped == 2
    assert all(torch.as_tensor(v).isfinite().all() for k, v in everything(trainer).items() if k != "progress")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    # What is not finite would stand there as a word.
    assert all({"nan", "inf", "-inf"}.isdisjoint(line.values()) for line in lines)


def test_one_more_stops_the_run_with_a_dump_and_saves_nothing(tmp_path: Path):
    trainer = poisoned_trainer(tmp_path, log_every=1)
    with pytest.raises(NonFiniteLossError, match=r"step \d \(near\): silog nan.*samples near/1"):
        trainer.fit()
    assert not (tmp_path / "checkpoints").exists()
    (dump,) = (tmp_path / "nonfinite").iterdir()
    content = json.loads(dump.read_text())
    assert (content["dataset"], content["sample_ids"]) == ("near", ["near/1"])
    assert content["terms"]["silog"] == "nan"
    assert content["ranges"][0]["depth"] == [2.0, 2.0]
    assert content["ranges"][0]["scale_map"][0] > 0
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["state"] == "failed"
    assert status["reason"].startswith("NonFiniteLossError: step")
    assert "Traceback" in status["traceback"]


def test_the_budget_is_for_the_whole_run(tmp_path: Path):
    trainer = poisoned_trainer(tmp_path, skip_nonfinite=1, log_every=1)
    with pytest.raises(NonFiniteLossError):
        trainer.fit()
    assert trainer.progress.epoch == 1
    resumed = poisoned_trainer(tmp_path, skip_nonfinite=1, log_every=1)
    resumed.resume(tmp_path / "checkpoints/last.pt")
    assert resumed.progress.skipped == 1
    with pytest.raises(NonFiniteLossError):
        resumed.fit()
