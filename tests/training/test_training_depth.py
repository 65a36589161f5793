"""Depth that cannot be right stops training at the first log window; sparse depth does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_run import make_trainer
from world import Flat

from tr2m.errors import UserError
from tr2m.training.training_depth import check_depth
from tr2m.types import Frame


class Scaled(Flat):
    """The depths of Flat, times a factor of each frame."""

    def __init__(self, factors: list[float], pixels: int = 48, median: tuple[float, float] | None = None) -> None:
        self.factors = factors
        super().__init__([2.0] * len(factors), [pixels] * len(factors), "near")
        self.plausible_median = median

    def read_frame(self, index: int) -> Frame:
        frame = super().read_frame(index)
        return Frame(frame.image, frame.depth * np.float32(self.factors[index]))


class Damaged(Scaled):
    """No frame can be read."""

    def read_frame(self, index: int) -> Frame:
        raise UserError("0.png: truncated")


def check(dataset: Flat) -> None:
    check_depth(dataset, range(len(dataset)))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Scaled([0.0] * 4), "none of 4 frames has any"),
        (Scaled([1.0, -1.0, 1.0]), r"frame near/1: expected depth that is finite and not negative"),
        (Scaled([1.0, float("nan")]), r"frame near/1: expected depth that is finite and not negative"),
        (
            Scaled([1000.0] * 4),
            r"only 0% of the measured depth lies between 0.001 and 10 m.*\n.*depth 2e\+03 to 2e\+03 m.*\|",
        ),
        (Scaled([1000.0, 1000.0, 1.0]), "only 33% of the measured depth"),
        (
            Scaled([0.01] * 4, median=(1.0, 6.0)),
            r"the median depth is 0.0199 m, expected 1 to 6 m.*\n.*from 0.001 to 10 m: \|█",
        ),
    ],
)
def test_depth_that_cannot_be_right_is_refused_with_its_histogram(dataset: Flat, message: str):
    with pytest.raises(UserError, match=rf"the training depth of near cannot be right: {message}"):
        check(dataset)


@pytest.mark.parametrize(
    "dataset",
    [
        Scaled([1.0] * 4, pixels=1),  # as sparse as it gets
        Scaled([1.0, 0.0, 0.0, 0.0]),  # most frames have none
        Scaled([1.0, 1.0, 1000.0]),  # sky, glass
        Scaled([1.0, 2.0], median=(1.0, 6.0)),
        Damaged([1.0]),  # another check's
    ],
)
def test_what_is_legitimate_passes(dataset: Flat):
    check(dataset)


def test_training_stops_at_the_first_window_before_a_checkpoint(tmp_path: Path):
    trainer = make_trainer(tmp_path, sets=[Scaled([1000.0] * 8)], log_every=2)
    with pytest.raises(UserError, match="the training depth of near cannot be right"):
        trainer.fit()
    assert trainer.progress.step == 2
    assert not list((tmp_path / "checkpoints").glob("*.pt"))


def test_the_second_of_two_sets_is_looked_at_too_and_each_once(tmp_path: Path):
    good = Scaled([1.0] * 8)
    good.name, reads = "far", []
    read = good.read_frame
    trainer = make_trainer(tmp_path, "trainer.mixing=round_robin", sets=[good, Scaled([0.0] * 8)], log_every=1)
    with pytest.raises(UserError, match="the training depth of near"):
        trainer.fit()
    assert trainer.progress.step == 2
    good.read_frame = lambda index: (reads.append(index), read(index))[1]
    trainer.training_depth.check(["far", "near"])
    assert reads == []
