"""Position embeddings as DINOv2's official code interpolates them, against bicubic sums written out."""

import numpy as np
import pytest
import timm
import tiny
import torch

from tr2m.build import build
from tr2m.models.compared.depth_anything_metric import DepthAnythingMetric
from tr2m.models.frozen import position_embedding
from tr2m.models.frozen.position_embedding import PositionCache, interpolate_positions


def cubic(x: float) -> float:
    """Keys' kernel with a = -0.75."""
    x, a = abs(x), -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def matrix(new: int, side: int) -> np.ndarray:
    """Weights of the old places for each new one, which lie side / (new + 0.1) apart; the border is repeated."""
    weights = np.zeros((new, side))
    for i in range(new):
        centre = (i + 0.5) * side / (new + 0.1) - 0.5
        for j in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            weights[i, min(max(j, 0), side - 1)] += cubic(centre - j)
    return weights


def expected_positions(table: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    side = round((table.shape[1] - 1) ** 0.5)
    square = table[0, 1:].double().numpy().reshape(side, side, -1)
    patches = np.einsum("hi,wj,ijd->hwd", matrix(grid[0], side), matrix(grid[1], side), square)
    return torch.cat([table[:, :1], torch.from_numpy(patches).float().flatten(0, 1)[None]], dim=1)


@pytest.mark.parametrize(("side", "grid"), [(7, (2, 5)), (7, (9, 3)), (37, (31, 40)), (37, (25, 86))])
def test_interpolation_is_the_official_one(side: int, grid: tuple[int, int]):
    table = torch.randn(1, side**2 + 1, 4)
    got = interpolate_positions(table, grid)
    torch.testing.assert_close(got, expected_positions(table, grid), rtol=1e-4, atol=3e-5)


def test_the_networks_own_grid_is_left_alone():
    table = torch.randn(1, 50, 4)
    assert interpolate_positions(table, (7, 7)) is table


def test_the_image_encoder_has_them():
    encoder = build(tiny.config("model=tiny", *tiny.SMALL)["model"]["image_encoder"])
    name, options = encoder.network.pretrained_cfg["architecture"], {"embed_dim": 16, "depth": 1, "num_heads": 2}
    plain = timm.create_model(name, num_classes=0, img_size=(28, 70), init_values=1.0, **options).eval()
    state = {**encoder.network.state_dict(), **dict(encoder.network.named_buffers())}
    plain.load_state_dict(state | {"pos_embed": expected_positions(state["pos_embed"], (2, 5))})
    image = torch.rand(1, 3, 28, 70)
    with torch.no_grad():
        expected = plain.forward_features((image - encoder.mean) / encoder.std)[:, 1:]
    torch.testing.assert_close(encoder(image), expected, rtol=1e-4, atol=1e-5)


def depth_anything_metric() -> DepthAnythingMetric:
    return build(tiny.config("experiment=da_mix", *tiny.DEPTH_ANYTHING)["model"])


def test_depth_anything_has_them():
    network = build(tiny.config("model=tiny")["model"]["relative_depth"]).network
    for backbone in (network.backbone, depth_anything_metric().rescale_encoder.backbone):
        embeddings = backbone.embeddings
        with torch.no_grad():
            got = embeddings.interpolate_pos_encoding(torch.empty(1, 11, 32), 28, 70)
            expected = expected_positions(embeddings.position_embeddings, (2, 5))
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_frozen_networks_interpolate_once_for_each_grid_and_trained_ones_in_every_step(monkeypatch):
    grids: list[tuple[int, int]] = []

    def counted(table: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        grids.append(grid)
        return interpolate_positions(table, grid)

    monkeypatch.setattr(position_embedding, "interpolate_positions", counted)
    model, _, _ = tiny.parts()
    trained = depth_anything_metric()
    for size in ((28, 70), (42, 28), (28, 70)):
        model.image_encoder(torch.rand(1, 3, *size))
        model.relative_depth(torch.rand(1, 3, *size))
    assert sorted(grids) == [(2, 5), (2, 5), (3, 2), (3, 2)]
    grids.clear()
    for _ in range(2):
        trained(torch.rand(1, 3, 28, 70), ["a room"])
    assert grids == [(2, 5)] * 2


def test_only_the_last_grids_are_kept():
    cache, table = PositionCache(), torch.randn(1, 50, 2)
    for width in range(1, 40):
        cache(table, (2, width))
    assert len(cache._kept) == position_embedding.GRIDS_KEPT
