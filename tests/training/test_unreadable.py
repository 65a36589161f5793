"""Frames that cannot be read while training."""

import json
import multiprocessing
from pathlib import Path

import pytest
from small_run import differences, everything, make_trainer, record_samples
from world import Flat

from tr2m.data.mixing import MixedDataset, SampleKey
from tr2m.errors import UserError
from tr2m.types import Frame


class Damaged(Flat):
    """Frames 1 and 2 cannot be read."""

    def read_frame(self, index: int) -> Frame:
        if index in (1, 2):
            raise UserError(f"{index}.png: truncated")
        return super().read_frame(index)


def damaged() -> list[Flat]:
    return [Damaged([1, 2, 3, 4, 5], [48] * 5, "near")]


def trainer_of_damaged(folder: Path, **changes):
    trainer = make_trainer(folder, sets=damaged(), **changes)
    trainer.validation_is_due = lambda: False  # evaluation does not pardon: see below
    return trainer


def test_the_next_frame_that_can_be_read_stands_in():
    got = MixedDataset(damaged(), seed=0)[SampleKey(0, 0, 1)]
    assert got.sample.sample_id == "near/3"
    assert [tuple(frame) for frame in got.unreadable] == [
        ("near", "near/1", "1.png: truncated"),
        ("near", "near/2", "2.png: truncated"),
    ]


def test_they_are_told_once_and_resume_stays_exact(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    whole = trainer_of_damaged(tmp_path / "whole", unreadable=0.4)
    samples = record_samples(whole)
    whole.fit()
    expected = everything(whole)
    assert caplog.text.count("near/1 cannot be read and was replaced: 1.png: truncated") == 1
    assert all("near/1" not in step for step in samples)
    trainer_of_damaged(tmp_path / "parts", unreadable=0.4, max_steps=2).fit()
    resumed = trainer_of_damaged(tmp_path / "parts", unreadable=0.4, workers=2)
    resumed.resume(tmp_path / "parts/checkpoints/last.pt")
    rest = record_samples(resumed)
    resumed.fit()
    assert rest == samples[2:]
    assert differences(expected, everything(resumed)) == []


def test_more_than_the_budget_stop_the_run_also_over_a_restart(tmp_path: Path):
    with pytest.raises(UserError, match=r"near: 1 of 5 frames cannot be read, more than trainer.unreadable=0.001"):
        trainer_of_damaged(tmp_path / "strict").fit()
    status = json.loads((tmp_path / "strict/status.json").read_text())
    assert (status["state"], "frames cannot be read" in status["reason"]) == ("failed", True)
    trainer = trainer_of_damaged(tmp_path, unreadable=0.4)
    trainer.fit()
    stricter = trainer_of_damaged(tmp_path, unreadable=0.4, epochs=3)
    stricter.resume(tmp_path / "checkpoints/last.pt")
    assert sorted(stricter.unreadable_frames.sample_ids["near"]) == ["near/1", "near/2"]


def test_evaluation_does_not_pardon_one(tmp_path: Path):
    with pytest.raises(UserError, match=r"1.png: truncated"):
        make_trainer(tmp_path, sets=damaged(), unreadable=0.4).fit()


class Broken(Flat):
    """No frame can be read."""

    def read_frame(self, index: int) -> Frame:
        raise UserError("nothing there")


def test_a_data_set_of_nothing_but_broken_frames_is_an_error_at_once(tmp_path: Path):
    with pytest.raises(UserError, match="nothing there"):
        make_trainer(tmp_path, sets=[Broken([1, 2], [48, 48], "none")], unreadable=1.0).fit()


def test_an_error_in_a_loading_process_leaves_no_process_behind(tmp_path: Path):
    trainer = make_trainer(tmp_path, sets=[Broken([1, 2], [48, 48], "none")], workers=1)
    with pytest.raises(UserError, match="nothing there") as error:
        trainer.fit()
    assert error.traceback
    assert not multiprocessing.active_children()
