import pytest
import torch
import torch.nn.functional as F

from tr2m.models.resize import ResizeByProducts, interpolation_matrix, resize

CASES = [((3, 5), (7, 11)), ((6, 4), (12, 8)), ((5, 9), (4, 6)), ((1, 3), (4, 3))]


@pytest.mark.parametrize(("old", "new"), CASES)
def test_the_gradient_by_products_is_that_of_torch(old: tuple[int, int], new: tuple[int, int]):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, *old, generator=generator, requires_grad=True)
    weight = torch.randn(2, 3, *new, generator=generator)
    expected = F.interpolate(features, new, mode="bilinear", align_corners=True)
    (gradient,) = torch.autograd.grad((expected * weight).sum(), features)
    result = ResizeByProducts.apply(features, new)
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(torch.autograd.grad((result * weight).sum(), features)[0], gradient)


def test_shares_worked_out_by_hand():
    # Three cells over five: every second one is a cell itself, the others lie half-way.
    expected = [[1.0, 0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.5, 1.0]]
    torch.testing.assert_close(interpolation_matrix(3, 5, torch.zeros(())), torch.tensor(expected))


@pytest.mark.parametrize("mixed", [True, False])
def test_features_keep_their_precision(mixed: bool):
    features = torch.rand(1, 2, 3, 3, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        result = resize(features, (5, 5))
    assert result.dtype == torch.bfloat16
    exact = F.interpolate(features.float(), (5, 5), mode="bilinear", align_corners=True)
    torch.testing.assert_close(result.float(), exact, rtol=0.01, atol=0.01)
