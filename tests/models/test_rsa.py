import math
from itertools import pairwise
from pathlib import Path

import numpy as np
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


def test_depth_ends_where_inverse_depth_tends_to_zero_and_its_gradient_stays_finite():
    model = rsa("model/relative_depth=stored")
    with torch.no_grad():
        model.rescale_encoder.shift_net[-1].bias.fill_(-80)
    output = model(torch.rand(1, 3, 28, 42), ["a small room"], torch.zeros(1, 28, 42))
    torch.testing.assert_close(output.metric_depth, torch.full((1, 28, 42), 1e5))
    output.metric_depth.log().mean().backward()
    assert all(p.grad.isfinite().all() for p in model.rescale_encoder.shift_net.parameters())


def published_state(text_width: int) -> dict[str, torch.Tensor]:
    """Random weights under the names and in the shapes of the public repository's checkpoints."""
    generator = torch.Generator().manual_seed(0)
    widths = {"scene_feat_net": (text_width, 512, 512, 512, 256, 256)}
    widths |= dict.fromkeys(("shift_net", "scale_net"), (256, 256, 128, 128, 64, 1))
    state = {}
    for net, sides in widths.items():
        for layer, (width, following) in enumerate(pairwise(sides)):
            weight = torch.randn(following, width, generator=generator) / width**0.5
            state[f"{net}.{2 * layer}.weight"] = weight
            state[f"{net}.{2 * layer}.bias"] = torch.randn(following, generator=generator) / 10
    return state


def by_hand(state: dict[str, torch.Tensor], net: str, values: np.ndarray) -> np.ndarray:
    """Five linear layers with leaky ReLU (slope 0.01) between them."""
    for layer in range(0, 10, 2):
        weight, bias = (state[f"{net}.{layer}.{name}"].double().numpy() for name in ("weight", "bias"))
        values = values @ weight.T + bias
        if layer < 8:
            values = np.where(values > 0, values, 0.01 * values)
    return values


@pytest.mark.parametrize(("key", "prefix"), [("model", ""), ("LanScale_model", ""), ("model", "module.")])
def test_a_checkpoint_of_the_public_repository_gives_its_factors(tmp_path: Path, key: str, prefix: str):
    state = published_state(256)
    torch.save({key: {prefix + name: weight for name, weight in state.items()}, "step": 3}, tmp_path / "rsa.pt")
    text = torch.randn(3, 256, generator=torch.Generator().manual_seed(1))
    scale, shift = rsa(f"model.checkpoint={tmp_path}/rsa.pt").rescale_encoder(text)
    scene = by_hand(state, "scene_feat_net", text.double().numpy())
    np.testing.assert_allclose(scale.detach(), np.exp(by_hand(state, "scale_net", scene))[:, 0], rtol=1e-5)
    np.testing.assert_allclose(shift.detach(), np.exp(by_hand(state, "shift_net", scene))[:, 0], rtol=1e-5)
    assert abs(scale - shift).min() > 0.01


def test_depth_from_given_factors_by_hand():
    model = rsa()
    relative = torch.tensor([[[0.0, 1.0], [2.0, -0.1]]])
    with torch.no_grad():
        for net, factor in ((model.rescale_encoder.scale_net, 4.0), (model.rescale_encoder.shift_net, 0.5)):
            net[-1].weight.zero_()
            net[-1].bias.fill_(math.log(factor))
        depth = model(torch.rand(1, 3, 2, 2), ["a room"], relative).metric_depth
    # 1 / (4 D + 0.5); an overshoot of the bicubic interpolation is not floored.
    assert depth.flatten().tolist() == pytest.approx([2.0, 1 / 4.5, 1 / 8.5, 10.0], rel=1e-5)


@pytest.mark.parametrize("content", [{"weights": {}}, {"model": RSAFactors(128).state_dict()}, [1]])
def test_another_checkpoint_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "rsa.pt")
    with pytest.raises(UserError, match="no RSA checkpoint"):
        rsa(f"model.checkpoint={tmp_path}/rsa.pt")
    for missing in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(UserError, match=rf"no checkpoint {missing}: expected a checkpoint file of the public RSA"):
            rsa(f"model.checkpoint={missing}")


@pytest.mark.parametrize("damage", ["cut", "changed", "text"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str):
    path = tmp_path / "rsa.pt"
    torch.save({"model": published_state(256)}, path)
    content = path.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"cut": content[:middle], "changed": changed, "text": b"hello"}[damage])
    with pytest.raises(UserError, match=r"rsa\.pt cannot be read as a checkpoint"):
        rsa(f"model.checkpoint={path}")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_no_number_is_refused_by_name(tmp_path: Path, value: float):
    state = published_state(256)
    state["scale_net.8.bias"][0] = value
    torch.save({"model": {f"module.{name}": weight for name, weight in state.items()}}, tmp_path / "rsa.pt")
    with pytest.raises(UserError, match=r"rsa\.pt: NaN or infinity in scale_net\.8\.bias\."):
        rsa(f"model.checkpoint={tmp_path}/rsa.pt")
