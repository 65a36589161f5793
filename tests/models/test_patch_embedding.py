"""Patch embeddings as one matrix product, beside torch's convolution."""

import pytest
import tiny
import torch
from torch import nn

from tr2m.build import build
from tr2m.models.frozen.patch_embedding import embed_by_product, patch_product


@pytest.mark.parametrize("size", [(28, 70), (30, 83)])
def test_the_product_is_the_convolution_partial_windows_left_out(size: tuple[int, int]):
    layer, image = nn.Conv2d(3, 5, kernel_size=14, stride=14), torch.rand(2, 3, *size)
    torch.testing.assert_close(patch_product(layer, image), layer(image))


def test_windows_need_not_be_square():
    layer, image = nn.Conv2d(3, 5, kernel_size=(2, 3), stride=(2, 3)), torch.rand(1, 3, 6, 6)
    torch.testing.assert_close(patch_product(layer, image), layer(image))


def test_frozen_networks_have_it_and_keep_the_names_of_their_weights(monkeypatch: pytest.MonkeyPatch):
    config = tiny.config("model=tiny", *tiny.SMALL)["model"]
    ours = {name: build(config[name]) for name in ("image_encoder", "relative_depth")}
    for module in ("image_encoder", "relative_depth"):
        monkeypatch.setattr(f"tr2m.models.frozen.{module}.embed_by_product", lambda network: None)
    image = torch.rand(2, 3, 28, 70)
    for name, network in ours.items():
        plain = build(config[name])
        assert network.fingerprint() == plain.fingerprint()
        convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        products = [layer for layer in convolutions if "forward" in vars(layer)]
        assert [(layer.in_channels, layer.kernel_size) for layer in products] == [(3, (14, 14))]
        torch.testing.assert_close(network(image), plain(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", [{"padding": 1}, {"stride": 7}, {"dilation": 2}, {"in_channels": 4}])
def test_other_convolutions_stay_as_they_are(change: dict[str, int]):
    layer = nn.Conv2d(**{"in_channels": 3, "out_channels": 5, "kernel_size": 14, "stride": 14, **change})
    embed_by_product(layer)
    assert "forward" not in vars(layer)
