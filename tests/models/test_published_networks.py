"""Published depth networks get their image, and give their map, as their own repositories do it.

Compared with the image processors of transformers, with OpenCV, and with values worked out by hand.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import tiny
import torch
from torch import Tensor
from transformers import DepthProImageProcessor, DPTImageProcessor, ZoeDepthImageProcessor
from transformers.utils import ModelOutput

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.models.frozen.interpolation import Interpolation
from tr2m.models.frozen.relative_depth import RelativeDepthModel
from tr2m.models.frozen.resize_rule import FitOneSide

# Networks of each kind at toy width with random weights.
DINOV2 = {"model_type": "dinov2", "hidden_size": 16, "num_attention_heads": 2, "use_mask_token": False}
BEIT = {"model_type": "beit", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 384}
BEIT |= {"intermediate_size": 16, "patch_size": 16, "use_relative_position_bias": True, "use_mask_token": False}
TOY: dict[str, dict[str, Any]] = {
    "depth_anything": {
        "backbone_config": {
            **{**DINOV2, "num_hidden_layers": 4, "image_size": 98, "patch_size": 14},
            **{"out_indices": [1, 2, 3, 4], "reshape_hidden_states": False},
        },
        **{"reassemble_hidden_size": 16, "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8},
        "head_hidden_size": 4,
    },
    "zoedepth": {
        "backbone_config": {
            **{**BEIT, "out_features": ["stage1", "stage2", "stage3", "stage4"]},
            "reshape_hidden_states": False,
        },
        **{"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8, "bottleneck_features": 8},
        **{"num_relative_features": 4, "bin_embedding_dim": 8, "num_attractors": [4, 2, 2, 1]},
        **{"patch_transformer_intermediate_size": 8, "patch_transformer_num_attention_heads": 2},
    },
    "depth_pro": {
        **{"patch_size": 32, "fusion_hidden_size": 8, "intermediate_hook_ids": [1, 0]},
        **{"intermediate_feature_dims": [8, 8], "scaled_images_feature_dims": [8, 8, 8]},
        **{
            f"{name}_model_config": {**DINOV2, "num_hidden_layers": 2, "image_size": 32, "patch_size": 8}
            for name in ("image", "patch", "fov")
        },
    },
}
NYUV2, KITTI = (480, 640), (352, 1216)


def configured(baseline: str, dataset: str = "nyuv2") -> dict[str, Any]:
    """The depth network in a configs/baseline entry, as plain containers."""
    needed = ["baseline.method.model.checkpoint=x"] if baseline == "rsa_published" else []
    composed = tiny.config(f"baseline={baseline}", f"dataset={dataset}", *needed, name="eval")["baseline"]
    model = composed["method"]["model"]
    return model.get("relative_depth", model)


def toy(baseline: str, dataset: str = "nyuv2") -> RelativeDepthModel:
    """The same with a toy network inside."""
    settings = configured(baseline, dataset)
    architecture = {**settings["architecture"], **TOY[settings["architecture"]["model_type"]]}
    return build({**settings, "architecture": architecture, "pretrained": False})


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def in_unit_range(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize(
    ("baseline", "nyuv2", "kitti"),
    [
        ("depth_anything_small", (518, 686), (518, 1792)),
        ("depth_anything_v2_small", (518, 686), (518, 1792)),
        ("depth_anything_v2_indoor", (518, 686), (518, 1792)),
        ("depth_anything_v2_outdoor", (518, 686), (518, 1792)),
        ("zoedepth", (384, 512), (384, 1312)),
        ("zoedepth_squashed", (384, 512), (384, 512)),
        ("depth_pro", (1536, 1536), (1536, 1536)),
        ("rsa_published", (434, 560), (350, 1204)),
    ],
)
def test_the_size_that_a_network_sees(baseline: str, nyuv2: tuple[int, int], kitti: tuple[int, int]):
    for dataset, frame, expected in (("nyuv2", NYUV2, nyuv2), ("kitti", KITTI, kitti)):
        rule = build(configured(baseline, dataset)["resize"])
        assert rule(*frame) == expected


@pytest.mark.parametrize(
    "size", [(480, 640), (352, 1216), (375, 1242), (768, 1024), (1216, 352), (200, 210), (384, 640)]
)
def test_the_side_that_changes_the_scale_least_is_fitted_as_in_transformers(size: tuple[int, int]):
    processor = ZoeDepthImageProcessor(do_pad=False, ensure_multiple_of=32)
    expected = processor(torch.zeros(3, *size), return_tensors="pt", do_rescale=False)["pixel_values"].shape[-2:]
    assert FitOneSide(384, 512, 32)(*size) == tuple(expected)


@pytest.mark.parametrize(
    ("baseline", "size", "seen"),
    [
        ("depth_anything_small", (10, 4000), "518x207200 pixels, 547,600"),
        ("zoedepth", (400, 160_000), "384x153600 pixels, 57,600"),
    ],
)
def test_a_strip_that_would_never_end_is_refused(baseline: str, size: tuple[int, int], seen: str):
    message = rf"image of {size[0]}x{size[1]} .* would see {seen} patches, expected at most 16,384; cut the image"
    with pytest.raises(UserError, match=message):
        toy(baseline).preprocess(torch.zeros(1, 3, 1, 1).expand(1, 3, *size))


@pytest.mark.parametrize("size", [(10, 4000), (4000, 10)])
def test_no_side_of_a_strip_vanishes(size: tuple[int, int]):
    assert min(FitOneSide(384, 512, 32)(*size)) == 32


def test_a_size_that_the_network_cannot_take_is_refused():
    with pytest.raises(UserError, match=r"435x560.*multiples of 14"):
        build({**configured("rsa_published")["resize"], "height": 435})


def test_zoedepth_sees_what_its_image_processor_gives():
    image = photo(*KITTI)
    expected = ZoeDepthImageProcessor(do_pad=False, ensure_multiple_of=32)(image, return_tensors="pt")["pixel_values"]
    pixel_values = toy("zoedepth").preprocess(in_unit_range(image))
    assert pixel_values.shape == (1, 3, 384, 1312)
    torch.testing.assert_close(pixel_values, expected, atol=1e-4, rtol=0)


def test_depth_pro_sees_what_its_image_processor_gives():
    image = photo(120, 2000)  # one side grows, the other shrinks: antialiasing would show
    expected = DepthProImageProcessor()(image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(toy("depth_pro").preprocess(in_unit_range(image)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "baseline",
    ["depth_anything_small", "depth_anything_v2_small", "depth_anything_v2_indoor", "depth_anything_v2_outdoor"],
)
def test_depth_anything_sees_opencvs_cubic_of_the_whole_frame(baseline: str):
    image = photo(640, 700)  # shrinks
    rule = {"do_resize": True, "size": {"height": 518, "width": 518}, "keep_aspect_ratio": True}
    processor = DPTImageProcessor(**rule, ensure_multiple_of=14, do_normalize=False, do_rescale=False)
    height, width = processor(image, return_tensors="pt")["pixel_values"].shape[-2:]
    resized = cv2.resize(image / 255.0, (width, height), interpolation=cv2.INTER_CUBIC)
    expected = (resized - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    pixel_values = toy(baseline).preprocess(in_unit_range(image))[0].permute(1, 2, 0)
    np.testing.assert_allclose(pixel_values.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("name", ["dpt_hybrid", "midas_swin2_large"])
@pytest.mark.parametrize("size", [NYUV2, (200, 300)])
def test_the_networks_of_table_9_see_what_their_image_processor_gives(name: str, size: tuple[int, int]):
    settings = tiny.config(f"model/relative_depth={name}")["model"]["relative_depth"]
    # What the network is does not matter: a small one stands in.
    architecture = {"model_type": "depth_anything", **TOY["depth_anything"]}
    model = build({**settings, "architecture": architecture, "pretrained": False})
    image = in_unit_range(photo(*size))
    # Given bytes it resizes bytes: rounded, and cut off at 0 and 255.
    processor = DPTImageProcessor(size={"height": 384, "width": 384}, do_rescale=False)
    torch.testing.assert_close(model.preprocess(image), processor(image[0], return_tensors="pt")["pixel_values"])
    assert "# Preprocessing of " in (tiny.CONFIGS / "model/relative_depth" / f"{name}.yaml").read_text()


def test_rsas_image_is_normalised_and_resized_without_antialiasing():
    image = photo(480, 640)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (in_unit_range(image) - mean[:, None, None]) / std[:, None, None]
    expected = torch.nn.functional.interpolate(normalised, (434, 560), mode="bicubic", align_corners=False)
    pixel_values = toy("rsa_published").preprocess(in_unit_range(image))
    torch.testing.assert_close(pixel_values, expected, atol=1e-5, rtol=1e-5)


STEP = torch.tensor([[[1.0, 0.0]]])


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        # A pixel's centre at 0.25, 0.75, 1.25, 1.75 of the two.
        ("depth_anything_small", [1.0, 0.75, 0.25, 0.0]),
        # At 0, 1/3, 2/3, 1 between the two centres.
        ("depth_anything_v2_small", [1.0, 2 / 3, 1 / 3, 0.0]),
        ("depth_anything_v2_indoor", [1.0, 2 / 3, 1 / 3, 0.0]),
        ("depth_anything_v2_outdoor", [1.0, 2 / 3, 1 / 3, 0.0]),
        # The cubic with a = -0.75, whose weight is -0.1055 at 1.25 pixels: it overshoots.
        ("rsa_published", [1.10546875, 0.7734375, 0.2265625, -0.10546875]),
        # Stays as it is: the protocol resizes it once.
        ("zoedepth", [1.0, 0.0]),
        ("zoedepth_squashed", [1.0, 0.0]),
    ],
)
def test_the_map_at_the_size_of_the_image(baseline: str, expected: list[float]):
    model = toy(baseline)
    assert model.read(ModelOutput(predicted_depth=STEP), (1, 4)).tolist() == [[pytest.approx(expected, abs=1e-6)]]


def test_what_tr2m_rescales_is_lifted_without_aligned_corners():
    for name in ("depth_anything_small", "dpt_hybrid", "midas_swin2_large"):
        settings = tiny.config(f"model/relative_depth={name}")["model"]["relative_depth"]
        lifted = build(settings["depth_interpolation"])(STEP[:, None], (1, 4))
        assert lifted.tolist() == [[[[1.0, 0.75, 0.25, 0.0]]]]


def test_depth_pro_is_inverted_at_the_size_of_the_image():
    # 90 degrees: the focal length is half the width, so 0.25 is 0.5 per metre. Between 0.5 and 0 lie 0.375 and 0.125
    # per metre, 2.67 m and 8 m; between 2 m and 10 km would lie 2,502 m and 7,500 m.
    output = ModelOutput(predicted_depth=STEP / 4, field_of_view=torch.tensor([90.0]))
    expected = [2.0, 1 / 0.375, 8.0, 1e4]
    assert toy("depth_pro").read(output, (1, 4)).tolist() == [[pytest.approx(expected, rel=1e-5)]]
    near = ModelOutput(predicted_depth=torch.full((1, 1, 1), 1e6), field_of_view=torch.tensor([90.0]))
    assert toy("depth_pro").read(near, (1, 1)).item() == pytest.approx(1e-4)


def test_depth_pro_reads_its_output_as_its_image_processor_does():
    model, image = toy("depth_pro"), photo(50, 91)
    model.resize = build({"_target_": "tr2m.models.frozen.resize_rule.FixedSize", "height": 128, "width": 128})
    pixel_values = model.preprocess(in_unit_range(image))
    output = model.network(pixel_values=pixel_values)
    (expected,) = DepthProImageProcessor().post_process_depth_estimation(output, target_sizes=[(50, 91)])
    depth = model(in_unit_range(image))
    assert depth.shape == (1, 50, 91)
    torch.testing.assert_close(depth[0], expected["predicted_depth"])


def test_depth_pro_wants_no_weights_that_were_never_published():
    with torch.device("meta"):
        network = build({**configured("depth_pro"), "pretrained": False}).network
    names = dict(network.named_buffers())
    for encoder in ("depth_pro.encoder.image_encoder", "depth_pro.encoder.patch_encoder", "fov_model.fov_encoder"):
        assert any(name.startswith(encoder) for name in names), encoder
    assert [name for name in names if "mask_token" in name] == []


def test_metric_heads_stay_below_their_networks_maximum():
    indoor, outdoor = toy("depth_anything_v2_indoor"), toy("depth_anything_v2_outdoor")
    image = in_unit_range(photo(28, 42))
    for model, farthest in ((indoor, 20), (outdoor, 80)):
        depth = model(image)
        assert depth.shape == (1, 28, 42)
        assert ((depth > 0) & (depth < farthest)).all()
        assert depth.max() > farthest / 10


def test_an_interpolation_leaves_alone_what_has_the_size():
    values = torch.rand(1, 1, 3, 4)
    assert Interpolation("bicubic", False, True)(values, (3, 4)) is values


def test_a_network_whose_blocks_are_not_known_is_compiled_as_a_whole():
    network = toy("zoedepth")
    assert network.pieces() == [network.network]


@pytest.mark.parametrize("baseline", ["depth_anything_v2_indoor", "zoedepth", "depth_pro"])
def test_the_peers_of_the_benchmark_run_in_bfloat16(baseline: str):
    exact, rounded = toy(baseline), toy(baseline)
    rounded.set_precision(torch.bfloat16)
    image = in_unit_range(photo(56, 70))
    with torch.no_grad():
        expected, got = exact(image), rounded(image)
    assert got.dtype == torch.float32
    # Of most pixels: where inverse depth is near 0, metres are anything.
    assert ((got - expected) / expected).abs().median() < 0.05
