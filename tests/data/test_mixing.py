from functools import partial

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from world import Flat

from tr2m.data.loading import data_loader
from tr2m.data.mixing import MixedBatchSampler, MixedDataset, Mixing, SampleKey, collate, collate_step
from tr2m.errors import UserError


def epoch_of(sampler: MixedBatchSampler, epoch: int, first: int = 0) -> list[list[SampleKey]]:
    sampler.seek(epoch, first)
    return list(sampler)


def test_every_frame_once_per_epoch_in_batches_of_one_data_set():
    batches = epoch_of(MixedBatchSampler([11, 5, 16], 4, "proportional", seed=0), 0)
    keys = [key for batch in batches for key in batch]
    assert sorted(keys) == [SampleKey(0, d, i) for d, size in enumerate([11, 5, 16]) for i in range(size)]
    assert all(len({key.dataset for key in batch}) == 1 for batch in batches)
    assert sorted(len(batch) for batch in batches) == [1, 3, 4, 4, 4, 4, 4, 4, 4]


def test_in_turn_until_the_longest_has_been_seen_whole():
    batches = epoch_of(MixedBatchSampler([11, 5, 16], 4, "round_robin", seed=0), 1)
    # 16 frames make four batches; 11 make three, then start again; 5 make a batch of four and one of one, twice.
    assert [batch[0].dataset for batch in batches] == [0, 1, 2] * 4
    assert [len(batch) for batch in batches] == [4, 4, 4, 4, 1, 4, 3, 4, 4, 4, 1, 4]
    rounds = [[key for batch in batches[dataset::3] for key in batch] for dataset in range(3)]
    assert sorted(rounds[2]) == [SampleKey(1, 2, index) for index in range(16)]
    assert sorted(rounds[1]) == sorted(SampleKey(1, 1, index, round_) for round_ in range(2) for index in range(5))
    assert sorted(rounds[0][:11]) == [SampleKey(1, 0, index) for index in range(11)]
    assert [key.round for key in rounds[0][11:]] == [1] * 4
    orders = [[key.index for key in rounds[1][start : start + 5]] for start in (0, 5)]
    assert orders[0] != orders[1]


def test_a_frame_that_comes_again_in_an_epoch_is_drawn_anew():
    dataset = MixedDataset([Flat([1, 2, 3], [48] * 3)], seed=0)
    assert len({dataset[SampleKey(0, 0, 1, round_)].sample.caption for round_ in range(10)}) == 2


def test_data_sets_are_mixed_and_epochs_and_seeds_differ():
    sampler = MixedBatchSampler([80, 80], 8, "proportional", seed=0)
    first = epoch_of(sampler, 0)
    order = [batch[0].dataset for batch in first]
    assert order != sorted(order)
    indices = [[key[1:] for batch in epoch for key in batch] for epoch in (first, epoch_of(sampler, 1))]
    assert indices[0] != indices[1]
    assert epoch_of(MixedBatchSampler([80, 80], 8, "proportional", seed=1), 0) != first
    assert epoch_of(MixedBatchSampler([80, 80], 8, "proportional", seed=0), 0) == first


@pytest.mark.parametrize("mixing", ["proportional", "round_robin"])
@pytest.mark.parametrize("first", [0, 3, 9])
def test_seeking_gives_the_rest_of_the_same_epoch(first: int, mixing: Mixing):
    sampler = MixedBatchSampler([11, 5, 16], 4, mixing, seed=0)
    whole = epoch_of(sampler, 2)
    assert epoch_of(sampler, 2, first) == whole[first:]
    assert len(sampler) == len(whole) - first


@pytest.mark.parametrize("mixing", ["proportional", "round_robin"])
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_very_batches_of_one(processes: int, mixing: Mixing):
    whole = epoch_of(MixedBatchSampler([11, 5, 16], 4, mixing, seed=0), 1)
    samplers = [MixedBatchSampler([11, 5, 16], 4, mixing, 0, process, processes) for process in range(processes)]
    shares = [epoch_of(sampler, 1) for sampler in samplers]
    assert all(len(share) == len(whole) for share in shares)
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(key for part in parts for key in part) == sorted(batch)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(("frames", "sizes"), [(5, [2, 2, 1]), (3, [1, 1, 1]), (2, [1, 1]), (0, [])])
def test_a_step_is_dealt_out_to_parts(frames: int, sizes: list[int]):
    dataset = MixedDataset([Flat([1] * 5, [48] * 5)], 0)
    step = collate_step([dataset[SampleKey(0, 0, index)] for index in range(frames)], parts=3)
    assert [len(batch.captions) for batch in step.batches] == sizes
    assert sorted(name for batch in step.batches for name in batch.sample_ids) == [f"flat/{i}" for i in range(frames)]


def test_samples_depend_on_seed_and_key_alone():
    datasets = [Flat([1, 2, 3], [48] * 3, "a"), Flat([4, 5], [48] * 2, "b")]
    sampler = MixedBatchSampler([3, 2], 2, "proportional", seed=3)
    captions = []
    for workers in (0, 2):
        sampler.seek(1, 0)
        loader = DataLoader(
            MixedDataset(datasets, 3),
            batch_sampler=sampler,
            collate_fn=partial(collate_step, parts=1),
            num_workers=workers,
        )
        captions.append([batch.captions for step in loader for batch in step.batches])
    assert captions[0] == captions[1]
    drawn = {MixedDataset(datasets, 3)[SampleKey(epoch, 0, 1)].sample.caption for epoch in range(20)}
    assert drawn == {"a flat wall, a/1", "a wall, a/1"}


def test_a_batch_names_its_samples_and_its_range():
    dataset = Flat([2.0, 20.0], [48, 10])
    batch = collate([(dataset, dataset.training_sample(i, np.random.default_rng(0))) for i in range(2)])
    assert batch.sample_ids == ["flat/0", "flat/1"]
    assert batch.depth_range == (1e-3, 10.0)
    assert batch.image.shape == (2, 3, 28, 42)
    assert batch.depth.shape == batch.valid.shape == (2, 28, 42)
    assert batch.valid[0].all()
    assert not batch.valid[1].any()  # 20 m is outside the training range
    assert (batch.depth[1] == 0).all()


def test_an_image_is_bytes_until_it_is_on_its_device():
    dataset = Flat([2.0, 3.0], [48, 48])
    batch = collate([(dataset, dataset.training_sample(i, np.random.default_rng(0))) for i in range(2)])
    assert batch.image.dtype == torch.uint8
    moved = batch.to("cpu")
    np.testing.assert_allclose(moved.image, batch.image.numpy() / 255, atol=1e-7)
    assert moved.to("cpu").image is moved.image


def test_evaluation_keeps_the_size_of_the_ground_truth():
    sample = Flat([2.0], [7]).evaluation_sample(0)
    assert sample.image.shape == (3, 28, 42)
    assert sample.depth.shape == (6, 8)
    assert int(sample.valid.sum()) == 7
    assert sample.caption == "a flat wall, flat/0"


def test_a_data_set_without_frames_is_refused():
    with pytest.raises(UserError, match="empty: its split 'test' has no frames"):
        Flat([], [], "empty")


class Threads(Dataset):
    """A data set of OpenCV's threads in the process that reads it."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        return cv2.getNumThreads()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_loading_process_has_one_thread_whatever_opencv_did_before(threads: int):
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        # Starts OpenCV's threads.
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)
        assert [int(number) for number in data_loader(Threads(), workers=1, timeout=60)] == [1]
        assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)
