from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from world import Flat

from tr2m.data.mixing import MixedBatchSampler, MixedDataset, SampleKey, collate, collate_step


def epoch_of(sampler: MixedBatchSampler, epoch: int, first: int = 0) -> list[list[SampleKey]]:
    sampler.seek(epoch, first)
    return list(sampler)


def test_every_frame_once_per_epoch_in_batches_of_one_data_set():
    batches = epoch_of(MixedBatchSampler([11, 5, 16], 4, seed=0), 0)
    keys = [key for batch in batches for key in batch]
    assert sorted(keys) == [SampleKey(0, d, i) for d, size in enumerate([11, 5, 16]) for i in range(size)]
    assert all(len({key.dataset for key in batch}) == 1 for batch in batches)
    assert sorted(len(batch) for batch in batches) == [1, 3, 4, 4, 4, 4, 4, 4, 4]


def test_data_sets_are_mixed_and_epochs_and_seeds_differ():
    sampler = MixedBatchSampler([80, 80], 8, seed=0)
    first = epoch_of(sampler, 0)
    order = [batch[0].dataset for batch in first]
    assert order != sorted(order)
    indices = [[key[1:] for batch in epoch for key in batch] for epoch in (first, epoch_of(sampler, 1))]
    assert indices[0] != indices[1]
    assert epoch_of(MixedBatchSampler([80, 80], 8, seed=1), 0) != first
    assert epoch_of(MixedBatchSampler([80, 80], 8, seed=0), 0) == first


@pytest.mark.parametrize("first", [0, 3, 9])
def test_seeking_gives_the_rest_of_the_same_epoch(first: int):
    sampler = MixedBatchSampler([11, 5, 16], 4, seed=0)
    whole = epoch_of(sampler, 2)
    assert epoch_of(sampler, 2, first) == whole[first:]
    assert len(sampler) == len(whole) - first


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_very_batches_of_one(processes: int):
    whole = epoch_of(MixedBatchSampler([11, 5, 16], 4, seed=0), 1)
    shares = [epoch_of(MixedBatchSampler([11, 5, 16], 4, 0, process, processes), 1) for process in range(processes)]
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
    sampler = MixedBatchSampler([3, 2], 2, seed=3)
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
