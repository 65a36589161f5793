"""Parts of unequal size add up to the batch."""

import torch
from torch import nn

from tr2m.training.gradients import GradientBuffer


def test_gradients_and_terms_of_two_parts_are_those_of_all_images_together():
    values = torch.tensor([1.0, 2.0, 6.0, 11.0])
    weight = nn.Parameter(torch.tensor([3.0]))
    buffer = GradientBuffer([weight], ["total", "square"])
    for part in (values[:3], values[3:]):
        error = weight * part
        buffer.add({"total": error.mean(), "square": error.square().mean()}, len(part))
    means = buffer.average()
    # d(total)/d(weight) is the mean of the values, 5; the terms are 3 * 5 and 9 * (1 + 4 + 36 + 121) / 4.
    assert weight.grad.tolist() == [5.0]
    assert {name: mean.item() for name, mean in means.items()} == {"total": 15.0, "square": 364.5}
    buffer.clear()
    assert weight.grad.tolist() == [0.0]
