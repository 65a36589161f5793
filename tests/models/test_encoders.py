"""The frozen encoders at toy size: their contracts, and that their real loading code loads what it says."""

from pathlib import Path

import open_clip
import pytest
import timm
import tiny
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForDepthEstimation

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.models.frozen.resize_rule import FixedSize, LowerBound, SameSize


def settings(*overrides: str) -> dict:
    return tiny.config("model=tiny", *tiny.SMALL, *overrides)["model"]


def test_model_train_leaves_the_encoders_in_eval_mode():
    model, _, _ = tiny.parts()
    model.train()
    frozen = [model.image_encoder, model.text_encoder, model.relative_depth]
    assert model.scale_head.training
    assert not any(module.training for part in frozen for module in part.modules())


def test_no_optimiser_sees_and_no_checkpoint_carries_frozen_weights():
    model, contrast, objective = tiny.parts()
    trained = ("rescale_encoder.", "decoder.", "scale_head.", "shift_head.")
    assert all(name.startswith(trained) for name, _ in model.named_parameters())
    assert all(name.startswith(trained) for name in model.state_dict())
    batch = tiny.batch()
    features = model.encode(batch.image, batch.captions)
    output = model.rescale(features)
    objective(output, contrast(output, features, tiny.partner(batch)), features.relative_depth, batch)[
        "total"
    ].backward()
    frozen = [b for part in (model.image_encoder, model.text_encoder, model.relative_depth) for b in part.buffers()]
    assert len(frozen) > 50
    assert all(buffer.grad is None and not buffer.requires_grad for buffer in frozen)


def test_random_encoders_come_back_the_same_and_a_seed_changes_their_fingerprint():
    torch.manual_seed(1)
    first = build(settings()).fingerprints()
    torch.manual_seed(2)
    assert build(settings()).fingerprints() == first
    other = build(settings("model.image_encoder.seed=1")).fingerprints()
    assert other["image_encoder"] != first["image_encoder"]
    assert other["text_encoder"] == first["text_encoder"]


def test_image_tokens_are_those_of_timm_row_by_row_for_any_multiple_of_14():
    encoder = build(settings()["image_encoder"])
    image = torch.rand(1, 3, 28, 70)
    tokens = encoder(image)
    assert tokens.shape == (1, 2 * 5, 16)
    mean, std = (torch.tensor(encoder.network.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    expected = encoder.network.forward_features((image - mean) / std)
    assert encoder.network.num_prefix_tokens == 1
    torch.testing.assert_close(tokens, expected[:, 1:])
    changed = image.clone()
    changed[..., :14, 56:] = 0  # the last patch of the first row
    difference = (encoder(changed) - tokens).norm(dim=-1)[0]
    assert difference.argmax() == 4


def test_sides_that_are_no_multiple_of_the_patch_are_refused():
    encoder = build(settings()["image_encoder"])
    with pytest.raises(ValueError, match=r"28x71.*multiples of 14"):
        encoder(torch.rand(1, 3, 28, 71))


def test_a_width_that_is_not_the_networks_is_refused():
    config = settings()["image_encoder"]
    with pytest.raises(UserError, match=r"width 16.*says 24"):
        build({**config, "width": 24})


def test_image_weights_load_from_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = settings()["image_encoder"]
    published = timm.create_model(config["name"], pretrained=False, num_classes=0, **config["architecture"])
    state = {name: torch.randn_like(value) for name, value in published.state_dict().items()}
    folder = tmp_path / "timm" / config["name"]
    folder.mkdir(parents=True)
    save_file(state, folder / "model.safetensors")
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    encoder = build({**config, "pretrained": True})
    loaded = dict(encoder.network.named_buffers())
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize("part", ["image_encoder", "text_encoder", "relative_depth"])
@pytest.mark.parametrize("content", [b"", b"no tensors at all"])
def test_damaged_weights_are_refused_with_the_command_that_fetches_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, content: bytes
):
    config = settings()[part]
    repo = config.get("repo_id", f"timm/{config.get('name')}")
    path = tmp_path / repo / config.get("filename", "model.safetensors")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=rf"{path.name} is damaged .* fetch it again by\n    hf download {repo} "):
        build({**config, "pretrained": True})


def test_image_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = settings()["image_encoder"]
    folder = tmp_path / "timm" / config["name"]
    folder.mkdir(parents=True)
    save_file({"weight": torch.ones(1)}, folder / "model.safetensors")
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=rf"weights of timm/{config['name']} do not fit its architecture: Error"):
        build({**config, "pretrained": True})


def test_missing_weights_say_where_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError) as caught:
        build({**settings()["image_encoder"], "pretrained": True})
    message = str(caught.value)
    for part in (
        "model.safetensors",
        str(tmp_path),
        "hf download timm/vit_small_patch14_dinov2.lvd142m",
        "TR2M_WEIGHTS",
    ):
        assert part in message


def toy_clip() -> open_clip.CLIP:
    torch.manual_seed(3)
    vision = {"image_size": 28, "layers": 1, "width": 16, "patch_size": 14, "head_width": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 4, "layers": 1}
    return open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()


@pytest.fixture(scope="module")
def loaded_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[open_clip.CLIP, Path]:
    """A whole toy CLIP, saved as the published one is."""
    root = tmp_path_factory.mktemp("weights")
    clip = toy_clip()
    folder = root / "timm" / "vit_large_patch14_clip_224.openai"
    folder.mkdir(parents=True)
    save_file(clip.state_dict(), folder / "open_clip_model.safetensors")
    return clip, root


def test_text_features_are_those_of_open_clip(loaded_clip, monkeypatch: pytest.MonkeyPatch):
    clip, root = loaded_clip
    monkeypatch.setenv("TR2M_WEIGHTS", str(root))
    captions = ["a narrow kitchen with a red table", "a street"]
    config = {**settings()["text_encoder"], "pretrained": True}
    features, valid = build(config)(captions)
    assert features.shape == (2, 1, 16)
    assert valid.all()
    with torch.no_grad():
        expected = clip.encode_text(open_clip.tokenize(captions))
    torch.testing.assert_close(features[:, 0], expected, rtol=1e-4, atol=1e-5)

    sequence, valid = build({**config, "text_tokens": "sequence"})(captions)
    assert sequence.shape == (2, 77, 16)
    assert valid.sum(dim=1).tolist() == [9, 4]  # start, words, end
    for row, last in enumerate((8, 3)):
        torch.testing.assert_close(sequence[row, last], expected[row], rtol=1e-4, atol=1e-5)


def test_a_clip_file_of_another_architecture_is_refused(loaded_clip, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TR2M_WEIGHTS", str(loaded_clip[1]))
    config = settings("model.text_encoder.architecture.layers=2")["text_encoder"]
    with pytest.raises(UserError, match=r"lacks transformer.resblocks.1"):
        build({**config, "pretrained": True})


def test_each_caption_is_encoded_once_and_kept():
    encoder = build(settings()["text_encoder"])
    seen: list[int] = []
    encoder.network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    first, _ = encoder(["a", "b", "a"])
    again, _ = encoder(["b", "c"])
    assert seen == [1, 1, 1]
    torch.testing.assert_close(first[1], again[0], rtol=0, atol=0)
    small = build({**settings()["text_encoder"], "cached_captions": 1})
    small(["a", "b", "c"])
    assert len(small._cache) == 1


def test_relative_depth_has_the_size_of_the_image_whatever_the_network_wants():
    config = settings()["relative_depth"]
    image = torch.rand(2, 3, 28, 70)
    assert build(config)(image).shape == (2, 28, 70)
    # A map that is 0 everywhere would let every test of the scale pass.
    assert build(config)(image).std() > 0.1
    lower = {"_target_": "tr2m.models.frozen.resize_rule.LowerBound", "bound": 42, "multiple_of": 14}
    assert build({**config, "resize": lower})(torch.rand(1, 3, 30, 50)).shape == (1, 30, 50)


def test_relative_depth_is_what_transformers_gives_at_the_same_size():
    model = build(settings()["relative_depth"])
    image = torch.rand(1, 3, 28, 70)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    expected = model.network(pixel_values=(image - mean) / std).predicted_depth
    torch.testing.assert_close(model(image), expected)


def test_relative_weights_load_from_a_local_folder_and_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = settings()["relative_depth"]
    published = AutoModelForDepthEstimation.from_config(AutoConfig.for_model(**config["architecture"]))
    folder = tmp_path / config["repo_id"]
    published.save_pretrained(folder)
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    model = build({**config, "pretrained": True})
    loaded = dict(model.network.named_buffers())
    assert all(torch.equal(loaded[name], value) for name, value in published.named_parameters())
    other = {**config["architecture"], "fusion_hidden_size": 12}
    with pytest.raises(UserError, match="does not fit"):
        build({**config, "pretrained": True, "architecture": other})


@pytest.mark.parametrize(
    ("image", "network"),
    [((480, 640), (518, 686)), ((352, 1216), (518, 1792)), ((475, 475), (518, 518)), ((530, 730), (518, 714))],
)
def test_depth_anythings_own_size_rule(image: tuple[int, int], network: tuple[int, int]):
    assert LowerBound(518, 14)(*image) == network


def test_other_size_rules():
    assert LowerBound(434, 14)(768, 1024) == (434, 574)
    assert FixedSize(384, 384)(480, 640) == (384, 384)
    assert SameSize(14)(350, 1204) == (350, 1204)
    with pytest.raises(ValueError, match="multiples of 14"):
        SameSize(14)(352, 1216)
