import numpy as np
import torch

from tr2m.ops.alignment import fit_scale_shift, masked_median


def test_recovers_an_exact_affine_map_in_inverse_depth_and_not_in_depth():
    depth = torch.linspace(1, 8, 24).view(1, 4, 6)
    relative = 2 / depth - 0.1
    everywhere = torch.ones_like(depth, dtype=torch.bool)
    scale, shift = fit_scale_shift(relative, 1 / depth, everywhere)
    torch.testing.assert_close(scale, torch.tensor([0.5]))
    torch.testing.assert_close(shift, torch.tensor([0.05]))
    scale, shift = fit_scale_shift(relative, depth, everywhere)
    assert ((scale[:, None, None] * relative + shift[:, None, None]) - depth).abs().max() > 1


def test_equals_numpy_least_squares_on_the_valid_pixels_of_each_image():
    generator = torch.Generator().manual_seed(0)
    relative, target = torch.rand(2, 3, 5, 7, generator=generator)
    valid = torch.rand(3, 5, 7, generator=generator) < 0.4
    scale, shift = fit_scale_shift(relative.where(valid, torch.inf), target.where(valid, torch.nan), valid)
    for image in range(3):
        x, y = relative[image][valid[image]].double().numpy(), target[image][valid[image]].double().numpy()
        expected = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y, rcond=None)[0]
        np.testing.assert_allclose([scale[image], shift[image]], expected, rtol=1e-5)


def test_degenerate_images_give_a_constant():
    relative = torch.tensor([[[3.0, 3.0]], [[1.0, 2.0]], [[1.0, 2.0]]])
    target = torch.tensor([[[1.0, 2.0]], [[5.0, 7.0]], [[5.0, 7.0]]])
    valid = torch.tensor([[[True, True]], [[True, False]], [[False, False]]])
    scale, shift = fit_scale_shift(relative, target, valid)
    assert scale.tolist() == [0, 0, 0]
    assert shift.tolist() == [1.5, 5, 0]


def test_rounding_of_a_constant_is_no_slope():
    # The mean of 77 times 0.1 is not exactly 0.1, nor that of the target exact.
    constant = torch.full((1, 7, 11), 0.1, dtype=torch.float64)
    target = torch.rand(1, 7, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale, shift = fit_scale_shift(constant, target, torch.ones(1, 7, 11, dtype=torch.bool))
    assert scale.item() == 0
    torch.testing.assert_close(shift, target.mean(dim=(1, 2)))


def test_median_ignores_invalid_pixels():
    values = torch.tensor([[[1.0, 2.0, 3.0, 100.0]]])
    assert masked_median(values, torch.tensor([[[True, True, True, False]]])).tolist() == [2.0]
    assert masked_median(values, torch.tensor([[[True, True, False, False]]])).tolist() == [1.5]
