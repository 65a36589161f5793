import math

import pytest
import torch

from tr2m.losses.smoothness import EdgeAwareSmoothness


def test_by_hand_an_image_edge_forgives_a_map_edge():
    positive_map = torch.tensor([[[1.0, 3.0, 3.0], [1.0, 3.0, 3.0]]])
    flat = torch.zeros(1, 3, 2, 3)
    edge = flat.clone()
    edge[..., 1:] = 0.8
    loss = EdgeAwareSmoothness("raw")
    assert loss(positive_map, flat).item() == pytest.approx(2 * 2 / 4)  # two of four horizontal steps are 2
    assert loss(positive_map, edge).item() == pytest.approx(math.exp(-0.8))


def test_rows_and_columns_alike():
    positive_map, image = torch.rand(2, 4, 6) + 1, torch.rand(2, 3, 4, 6)
    loss = EdgeAwareSmoothness("raw")
    torch.testing.assert_close(loss(positive_map, image), loss(positive_map.mT, image.mT))


def test_in_log_space_the_unit_of_the_map_does_not_matter():
    positive_map, image = torch.rand(2, 4, 6) + 1, torch.rand(2, 3, 4, 6)
    loss = EdgeAwareSmoothness("log")
    torch.testing.assert_close(loss(1000 * positive_map, image), loss(positive_map, image))
    assert loss(torch.zeros(1, 4, 6), image[:1]).item() == 0
