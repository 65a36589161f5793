"""The plain loader reads the same files to the same values, and the benchmark runs on them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import FunctionType

import cv2
import numpy as np
import pytest
import tiny
import torch
from readers import READERS, opened

from tr2m.benchmark.loader import LoaderBenchmark
from tr2m.benchmark.plain_loader import MEAN, STD, load_plainly, plain_files
from tr2m.build import build
from tr2m.data.augmentation import Augmentation, ColourJitter, GammaBrightnessColour
from tr2m.data.depth_dataset import DepthDataset


@pytest.fixture(params=["nyuv2", "kitti", "void"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> DepthDataset:
    READERS[request.param].tree(tmp_path)
    return opened(request.param, tmp_path)


@pytest.mark.parametrize("augmented", [False, True])
def test_two_loaders_agree_on_every_frame(dataset: DepthDataset, augmented: bool):
    colours = GammaBrightnessColour(gamma=[0.9, 1.1], brightness=[0.75, 1.25], colour=[0.9, 1.1])
    dataset.augmentation = Augmentation(flip=0.5, recolour=0.5, colours=colours) if augmented else None
    files = plain_files(dataset)
    for index, sample_id in enumerate(dataset.sample_ids):
        depth_path = str(files.paths(sample_id)[1])
        stored = cv2.imread(depth_path, cv2.IMREAD_UNCHANGED)
        # A ramp: not the same from the right.
        cv2.imwrite(depth_path, (stored + np.arange(stored.shape[1]) * (stored > 0)).astype(np.uint16))
        for seed in range(8):
            ours, plain = (np.random.default_rng(seed) for _ in range(2))
            sample = dataset.training_sample(index, ours)
            # Of its caption.
            plain.integers(len(dataset.captions.lines(dataset.split, sample_id)))
            image, depth = load_plainly(files, sample_id, dataset.input_size, dataset.augmentation, plain)
            # Ours is rounded to whole numbers of 255 before and after, and JPEG decoders differ by one.
            assert (image * STD + MEAN - sample.image / 255).abs().max() < (4 if augmented else 2.5) / 255
            assert sample.valid.any()
            torch.testing.assert_close(depth[0][sample.valid], sample.depth[sample.valid])


def test_colours_that_the_plain_loader_does_not_know_are_not_compared(dataset: DepthDataset):
    jitter = ColourJitter(brightness=[0.8, 1.2], contrast=[1, 1], saturation=[1, 1], hue=[0, 0])
    dataset.augmentation = Augmentation(flip=0.5, recolour=0.5, colours=jitter)
    assert plain_files(dataset) is None


def test_the_loader_is_measured(tmp_path: Path):
    READERS["void"].tree(tmp_path)
    dataset = opened("void", tmp_path)
    row = LoaderBenchmark(frames=24, workers=[0, 1], batch_size=2).row(dataset)
    assert row["ratio"] == pytest.approx(row["ours (images/s/core)"] / row["plain (images/s/core)"])
    assert row["1 workers (images/s)"] > 0
    assert row["growth of a worker (MiB)"] >= 0


def test_both_loaders_make_the_same_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    READERS["void"].tree(tmp_path)
    dataset = opened("void", tmp_path)
    colours = GammaBrightnessColour(gamma=[0.9, 1.1], brightness=[0.75, 1.25], colour=[0.9, 1.1])
    dataset.augmentation = Augmentation(flip=0.5, recolour=0.5, colours=colours)
    after: dict[str, list[float]] = {}
    benchmark = LoaderBenchmark(frames=6, workers=[0], batch_size=2)

    def rate(load: partial[None] | FunctionType, count: int) -> float:
        rng = np.random.default_rng(0)
        for index in range(count):
            load(index, rng)
            after.setdefault("plain" if isinstance(load, partial) else "ours", []).append(rng.random())
        return 1.0

    monkeypatch.setattr(LoaderBenchmark, "rate", lambda self, load, count: rate(load, count))
    benchmark.row(dataset)
    assert after["ours"] == after["plain"]


def test_every_turn_begins_with_the_same_draws():
    turns: list[list[float]] = [[], []]
    for drawn in turns:
        LoaderBenchmark(frames=6, workers=[0], batch_size=2).rate(
            lambda index, rng, drawn=drawn: drawn.append(rng.random()), 3
        )
    assert turns[0] == turns[1]


def test_a_data_set_without_a_counterpart_has_empty_cells():
    room = build(tiny.config("experiment=demo")["data"]["datasets"]["room"]["reader"], split="train")
    row = LoaderBenchmark(frames=4, workers=[0], batch_size=2).row(room)
    assert row["plain (images/s/core)"] is None
    assert row["ours (images/s/core)"] > 0
