from pathlib import Path

import pytest
import tiny
import torch

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.models.compared.rsa import RSAFactors


def rsa(*overrides: str):
    encoders = ("model/text_encoder=clip_tiny", "model/relative_depth=depth_anything_tiny")
    return build(tiny.config("experiment=rsa", *encoders, *overrides)["model"])


def test_the_network_has_its_published_size():
    assert sum(p.numel() for p in RSAFactors(1024).parameters()) == 1_494_274


def test_one_scale_and_one_shift_for_each_image_from_its_sentence_alone():
    model = rsa()
    image = torch.rand(2, 3, 28, 42)
    output = model(image, ["a small room", "a wide street"])
    for values in (output.scale_map, output.shift_map):
        assert values.shape == (2, 28, 42)
        assert (values == values[:, :1, :1]).all()
        assert (values > 0).all()
    assert output.scale_map[0, 0, 0] != output.scale_map[1, 0, 0]
    relative = model.relative_depth(image)
    assert torch.allclose(output.metric_depth, 1 / (output.scale_map * relative + output.shift_map))
    assert torch.equal(model(image.flip(-1), ["a small room"] * 2).scale_map[1], output.scale_map[0])


@pytest.mark.parametrize("key", ["model", "LanScale_model"])
def test_a_checkpoint_of_the_public_repository_loads(tmp_path: Path, key: str):
    published = RSAFactors(256)
    torch.save({key: published.state_dict(), "global_step": 3}, tmp_path / "rsa.pt")
    model = rsa(f"model.checkpoint={tmp_path}/rsa.pt")
    text = torch.randn(3, 256)
    assert torch.equal(model.rescale_encoder(text)[0], published(text)[0])


@pytest.mark.parametrize("content", [{"weights": {}}, {"model": RSAFactors(128).state_dict()}, [1]])
def test_another_checkpoint_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "rsa.pt")
    with pytest.raises(UserError, match="no RSA checkpoint"):
        rsa(f"model.checkpoint={tmp_path}/rsa.pt")
    with pytest.raises(UserError, match="no file"):
        rsa(f"model.checkpoint={tmp_path}/none.pt")
