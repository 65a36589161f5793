"""What an entry of configs/dataset gives."""

from __future__ import annotations

import math

import pytest
import tiny
from world import Flat

from tr2m.build import read_settings
from tr2m.data.captions.files import NoCaptions
from tr2m.data.settings import DatasetSettings
from tr2m.errors import UserError
from tr2m.synthetic.world import SyntheticDepth


def settings(name: str, *overrides: str) -> DatasetSettings:
    return read_settings(DatasetSettings, tiny.config(f"dataset={name}", *overrides, name="eval")["dataset"])


def test_the_first_protocol_is_the_usual_one_and_all_are_all():
    nyuv2 = settings("nyuv2")
    assert list(nyuv2.chosen_protocols(None)) == ["paper"]
    assert list(nyuv2.chosen_protocols("clean")) == ["clean"]
    assert nyuv2.chosen_protocols("all") == nyuv2.protocols
    with pytest.raises(UserError, match="protocol=papers: nyuv2 does not have it; it has paper, "):
        nyuv2.chosen_protocols("papers")


def test_splits_are_named_once():
    assert settings("nyuv2").splits == ["train", "test"]
    assert settings("ibims").splits == ["test"]
    assert settings("nyuv2", "dataset.eval_split=train").splits == ["train"]


def test_frames_are_read_before_there_are_captions_and_a_change_replaces_an_option():
    room = settings("synthetic_room", "dataset.reader.count={train: 3, test: 2}")
    # Its captions are made with its frames.
    assert not isinstance(room.read_without_captions("test").captions, NoCaptions)
    assert len(room.read("test")) == 2
    assert len(room.read("test", count={"train": 3, "test": 1})) == 1
    assert len(room.read_training("none")) == 3


def test_other_captions_leave_the_data_set_as_it_was():
    dataset = Flat([1.0], [48])
    own = dataset.captions
    other = dataset.with_captions(NoCaptions())
    assert dataset.captions is own
    assert other.evaluation_sample(0).caption == "(no caption)"
    assert other.sample_ids == dataset.sample_ids


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("input_size", [434], r"rooms: input_size \[434\]: expected \(height, width\), both above 0"),
        ("input_size", [0, 14], r"input_size \[0, 14\]"),
        ("input_size", [-14, 14], r"input_size \[-14, 14\]"),
        ("input_size", [28, 42, 3], r"input_size \[28, 42, 3\]"),
        ("depth_range", [10], r"rooms: depth_range \[10\]: expected two depths from 0, the smaller one first"),
        ("depth_range", [10, 1], r"depth_range \[10, 1\]"),
        ("depth_range", [0.5, 1, 10], r"depth_range \[0.5, 1, 10\]"),
        ("depth_range", [-1, 10], r"depth_range \[-1, 10\]"),
        ("depth_range", [0, math.inf], r"depth_range \[0, inf\]"),
        ("plausible_median", [6, 1], r"plausible_median \[6, 1\]"),
    ],
)
def test_sizes_and_ranges_that_are_none(option: str, value: list[float], expected: str):
    options = {"size": [28, 42], "input_size": [28, 42], "depth_range": [0.5, 10.0], option: value}
    with pytest.raises(UserError, match=expected):
        SyntheticDepth(name="rooms", split="train", domain="room", count={"train": 1}, seed=0, **options)
