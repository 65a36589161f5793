import numpy as np
import pytest
import torch

from tr2m.data.transforms import evaluation_tensors, resized_first, training_tensors
from tr2m.types import Frame

RNG = np.random.default_rng(0)


def frame(height: int, width: int, relative: bool = False) -> Frame:
    image = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = RNG.uniform(1, 80, (height, width)).astype(np.float32)
    return Frame(image, depth, 1 / depth if relative else None)


@pytest.mark.parametrize("size", [(28, 70), (70, 28), (12, 20), (9, 31)])
def test_everything_takes_the_asked_height_and_width_in_training(size):
    image, depth, relative_depth = training_tensors(frame(12, 20, relative=True), size)
    assert image.shape == (3, *size)
    assert depth.shape == relative_depth.shape == size
    assert image.dtype == torch.uint8
    assert depth.dtype == relative_depth.dtype == torch.float32


def test_an_image_is_first_resized_by_averaging_and_its_depth_is_not():
    # By hand: halved with antialiasing, a triangle over four pixels weighs 1 3 3 1; at the edges 3 3 1 are left.
    source = Frame(
        np.array([[[0, 0, 0], [80, 0, 0], [160, 0, 0], [240, 0, 7]]], np.uint8).repeat(2, 0), np.ones((2, 4))
    )
    resized = resized_first(source, [2, 2])
    assert resized.image[0, :, 0].tolist() == [round((3 * 80 + 160) / 7), round((80 + 3 * 160 + 3 * 240) / 7)]
    assert resized.depth is source.depth
    assert resized_first(source, None) is source
    assert resized_first(frame(12, 20), (24, 10)).image.shape == (24, 10, 3)


def test_depth_keeps_its_own_size_and_values_in_evaluation():
    source = frame(12, 20)
    image, depth, relative_depth = evaluation_tensors(source, (28, 14))
    assert image.shape == (3, 28, 14)
    np.testing.assert_array_equal(depth, source.depth)
    assert relative_depth is None


def test_image_at_its_own_size_is_the_pixels():
    source = frame(6, 4)
    image, _, _ = training_tensors(source, (6, 4))
    np.testing.assert_array_equal(image, source.image.transpose(2, 0, 1))


def test_image_stays_between_0_and_255_where_bicubic_overshoots():
    edge = np.zeros((8, 8, 3), np.uint8)
    edge[:, 4:] = 255
    image, _, _ = training_tensors(Frame(edge, np.ones((8, 8), np.float32)), (32, 32))
    assert image.min() == 0
    assert image.max() == 255


def test_sparse_depth_keeps_its_values_and_its_holes():
    sparse = np.zeros((60, 100), np.float32)
    points = RNG.random((60, 100)) < 0.05
    sparse[points] = RNG.uniform(1, 80, points.sum())
    _, depth, _ = training_tensors(Frame(np.zeros((60, 100, 3), np.uint8), sparse), (90, 150))
    assert set(depth.unique().tolist()) == set(np.unique(sparse).tolist())
    assert depth.count_nonzero() / depth.numel() == pytest.approx(points.mean(), rel=0.1)


def test_depth_three_times_smaller_is_the_middle_of_each_three():
    ramp = np.tile(np.arange(9, dtype=np.float32), (6, 1))
    _, depth, _ = training_tensors(Frame(np.zeros((6, 9, 3), np.uint8), ramp), (2, 3))
    assert depth.tolist() == [[1, 4, 7], [1, 4, 7]]


@pytest.mark.parametrize("size", [(48, 64), (30, 50), (96, 130)])
def test_depth_stays_under_its_pixel_of_the_image(size):
    # Brightness and depth both grow evenly with the column, so resized alike they keep their ratio on average.
    ramp = np.tile(np.arange(64, dtype=np.float32), (48, 1))
    image, depth, _ = training_tensors(Frame(np.repeat(ramp[..., None] * 4, 3, -1).astype(np.uint8), ramp), size)
    inner = slice(8, -8)
    assert (image[0] / 4 - depth)[:, inner].mean().item() == pytest.approx(0, abs=0.1)


def test_relative_depth_half_the_size_is_a_weighted_mean():
    ramp = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    _, _, relative_depth = training_tensors(Frame(np.zeros((4, 8, 3), np.uint8), np.ones_like(ramp), ramp), (2, 4))
    np.testing.assert_allclose(relative_depth[:, 1:-1], [[2.5, 4.5], [2.5, 4.5]], atol=1e-5)
