"""The authors' checkpoint, made from a fixed seed: read, used, refused where it is another, and written."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny
import torch
import trees

from tr2m import load_model
from tr2m.benchmark.plain_network import plain_maps
from tr2m.cli import eval as evaluate
from tr2m.cli import export, predict
from tr2m.errors import UserError
from tr2m.experiment import released
from tr2m.experiment.load import read_trained
from tr2m.experiment.released import read_released, released_shapes
from tr2m.models.released_names import from_released
from tr2m.types import FrozenFeatures

SAMPLES = os.environ.get("TR2M_SAMPLES")
FORMS = {
    "bare": lambda weights: weights,
    "state_dict": lambda weights: {"state_dict": weights},
    "training": lambda weights: {"model": {f"scalemap.{name}": w for name, w in weights.items()}, "epoch": 3},
    "parallel": lambda weights: {"model": {f"module.scalemap.{name}": w for name, w in weights.items()}},
}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Numbers of the size that a trained network has, under the authors' names."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, shape in released_shapes().items():
        spread = torch.Size(shape[1:]).numel() ** -0.5 if len(shape) > 1 else 0.1
        made[name] = spread * torch.randn(shape, generator=generator) + (
            1 if ".ln_" in name and "weight" in name else 0
        )
    return made


@pytest.fixture
def toy_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny.config("model=tr2m", *tiny.PUBLISHED_WIDTHS, name="summary")["model"]
    (tmp_path / "toy_frozen.json").write_text(json.dumps(config))
    monkeypatch.setattr(released, "MODEL_CONFIG", tmp_path / "toy_frozen.json")


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_its_network_is_model_tr2m():
    assert released.model_config() == tiny.config("model=tr2m", name="summary")["model"]
    assert sum(torch.Size(shape).numel() for shape in released_shapes().values()) == 18_959_746


@pytest.mark.parametrize("form", FORMS)
def test_it_is_recognised_by_its_names(tmp_path: Path, weights: dict[str, torch.Tensor], form: str):
    state = read_trained(save(tmp_path / "file.pth", FORMS[form](weights)))
    assert state["config"]["name"] == "tr2m_released"
    assert state["units"] == {"nyuv2": "m", "kitti": "m", "void": "m", "c3vd": "mm"}
    assert len(state["model"]) == len(weights)
    assert torch.equal(state["model"]["decoder.reduce.weight"], weights["layer1_rn.weight"])
    assert torch.equal(state["model"]["shift_head.to_logit.bias"], weights["output_conv_shift2.2.bias"])


def test_a_file_before_torch_1_6_is_read(tmp_path: Path, weights: dict[str, torch.Tensor]):
    torch.save(weights, tmp_path / "file.pth", _use_new_zipfile_serialization=False)
    assert read_trained(tmp_path / "file.pth")["config"]["name"] == "tr2m_released"


@pytest.mark.parametrize("grid", [(4, 5), (3, 7)])
@pytest.mark.usefixtures("toy_frozen")
def test_maps_and_depth_are_those_of_a_second_implementation(
    tmp_path: Path, weights: dict[str, torch.Tensor], grid: tuple[int, int]
):
    model = load_model(save(tmp_path / "file.pth", weights), frozen="random", precision="float32")
    generator = torch.Generator().manual_seed(1)
    image_tokens = torch.randn(2, grid[0] * grid[1], 1024, generator=generator)
    text_tokens = torch.randn(2, 1, 768, generator=generator)
    relative_depth = 10 * torch.rand(2, 14 * grid[0], 14 * grid[1], generator=generator)
    features = FrozenFeatures(image_tokens, grid, text_tokens, torch.ones(2, 1, dtype=torch.bool), relative_depth)
    with torch.no_grad():
        output = model.rescale(features)
        expected = plain_maps(weights, image_tokens, text_tokens, grid)
    depth = 1 / (expected["scale_map"] * relative_depth + expected["shift_map"])
    for name, values in {**expected, "metric_depth": depth}.items():
        absolute = 1e-5 * values.abs().max().item() if name == "fused_tokens" else 0.0
        torch.testing.assert_close(getattr(output, name), values, rtol=1e-5, atol=absolute, msg=name)
    assert output.scale_map.std() > 0.01 * output.scale_map.mean()
    assert not model.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"projects.bias": None}, "missing projects.bias"),
        ({"projects2.bias": torch.zeros(3)}, r"surplus projects2\.bias"),
        ({"layer1_rn.bias": torch.zeros(128)}, r"surplus layer1_rn\.bias"),
        (
            {"align_mlp.a_fc.weight": torch.zeros(1024, 512)},
            r"align_mlp\.a_fc\.weight is \(1024, 512\), expected \(1024, 768\)",
        ),
    ],
)
def test_a_name_that_does_not_fit_is_named(
    tmp_path: Path, weights: dict[str, torch.Tensor], change: dict[str, Any], message: str
):
    changed = {name: w for name, w in {**weights, **change}.items() if w is not None}
    with pytest.raises(UserError, match=f"file.pth is not the authors' network: {message}"):
        read_trained(save(tmp_path / "file.pth", changed))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"depth_head.projects.0.weight": torch.zeros(1), "pretrained.cls_token": torch.zeros(1)}, "Depth Anything"),
        ({"scale_head.project.weight": torch.zeros(1)}, r"TR2M by the bare equations \(model=tr2m_equations\)"),
        ({"model": {"decoder.project.weight": torch.zeros(1)}}, r"TR2M \(model=tr2m\)"),
        ({"blocks.0.attn.qkv.weight": torch.zeros(1)}, "a vision transformer, such as DINOv2"),
    ],
)
def test_another_file_is_named_for_what_it_is(tmp_path: Path, content: dict[str, Any], what: str):
    expected = "expected a checkpoint that tr2m train wrote, or the authors' da_s_vitl_vitl.pth"
    with pytest.raises(UserError, match=f"file.pth holds weights of {what}, {expected}"):
        read_trained(save(tmp_path / "file.pth", content))
    with pytest.raises(UserError, match=f"holds something else, {expected}"):
        read_trained(save(tmp_path / "file.pth", [1, 2]))


def test_a_truncated_file_is_called_so(tmp_path: Path, weights: dict[str, torch.Tensor]):
    path = save(tmp_path / "file.pth", {name: weights[name] for name in ("projects.weight", "projects.bias")})
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"file.pth cannot be read as a checkpoint .*; it may be truncated"):
        read_trained(path)


def test_a_file_that_would_run_code_is_not_read(tmp_path: Path):
    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harm",))

    torch.save({"align_mlp.a_fc.weight": Harm()}, tmp_path / "file.pth")
    with pytest.raises(UserError, match="cannot be read"):
        read_trained(tmp_path / "file.pth")
    assert not (tmp_path / "harm").exists()


def test_released_means_the_file_among_the_weights(
    tmp_path: Path, weights: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TR2M_WEIGHTS", str(tmp_path))
    present = tmp_path / "LiheYoung/depth-anything-small-hf/model.safetensors"
    present.parent.mkdir(parents=True)
    present.touch()
    with pytest.raises(UserError) as caught:
        read_trained("released")
    message = str(caught.value)
    dinov2, clip = "timm/vit_large_patch14_dinov2.lvd142m", "timm/vit_large_patch14_clip_224.openai"
    address = "https://github.com/BeileiCui/TR2M/raw/HEAD/weights/da_s_vitl_vitl.pth"
    assert message.splitlines()[1:-1] == [
        "  tr2m/da_s_vitl_vitl.pth (the authors' checkpoint, 72 MB, without a licence: yours to load, not to pass on)",
        f"    curl -fL --create-dirs -o {tmp_path}/tr2m/da_s_vitl_vitl.pth {address}",
        f"  {dinov2}/model.safetensors (DINOv2, 1.22 GB, Apache-2.0)",
        f"    hf download {dinov2} model.safetensors --local-dir {tmp_path}/{dinov2}",
        f"  {clip}/open_clip_model.safetensors (CLIP, 1.71 GB, Apache-2.0)",
        f"    hf download {clip} open_clip_model.safetensors --local-dir {tmp_path}/{clip}",
    ]
    assert message.startswith(f"3 files of weights are missing in {tmp_path} (TR2M_WEIGHTS names another folder)")
    (tmp_path / "tr2m").mkdir()
    save(tmp_path / "tr2m/da_s_vitl_vitl.pth", weights)
    assert read_trained("released")["config"]["name"] == "tr2m_released"
    # And from here on the others are missing: they are named at once, too, not one by one.
    with pytest.raises(UserError, match=r"(?s)^2 files of weights .*DINOv2.*hf download.*CLIP.*hf download"):
        load_model("released")


@pytest.mark.parametrize("command", ["hf download --help", "curl --help"])
def test_the_commands_that_fetch_exist(command: str):
    program, *rest = command.split()
    found = shutil.which(program, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None and program == "curl":
        pytest.skip("no curl on this machine")
    printed = subprocess.run([found, *rest], capture_output=True, text=True, check=True).stdout
    assert "--local-dir" in printed or "--output" in printed or "-o," in printed


@pytest.mark.usefixtures("toy_frozen")
def test_it_is_written_back_as_it_was_read(tmp_path: Path, weights: dict[str, torch.Tensor]):
    source = save(tmp_path / "file.pth", {"state_dict": weights})
    export.main(["--ckpt", str(source), "--out", str(tmp_path / "again.pth"), "--format", "released"])
    again = torch.load(tmp_path / "again.pth", weights_only=True)
    assert list(again) == ["state_dict"]
    assert again["state_dict"].keys() == weights.keys()
    assert all(torch.equal(again["state_dict"][name], weight) for name, weight in weights.items())
    with pytest.raises(UserError, match="exists: expected the name of a new file"):
        released.write_released(tmp_path / "again.pth", {}, "last.pt")
    export.main(["--ckpt", str(source), "--out", str(tmp_path / "folder")])
    one, other = (load_model(path, frozen="random").state_dict() for path in (source, tmp_path / "folder"))
    assert all(torch.equal(other[name], weight) for name, weight in one.items())


def test_another_network_cannot_be_written_in_the_authors_format(tmp_path: Path):
    with pytest.raises(UserError, match=r"for model=tr2m, and this checkpoint is of TR2M by the bare equations"):
        released.write_released(tmp_path / "file.pth", {"scale_head.project.weight": torch.zeros(1)}, "last.pt")
    model, _, _ = tiny.parts()
    with pytest.raises(UserError, match="is not the authors' network: align_mlp"):
        released.write_released(tmp_path / "file.pth", model.state_dict(), "last.pt")


def test_a_full_disk_and_weights_that_are_no_numbers_leave_no_file(tmp_path: Path, weights: dict[str, torch.Tensor]):
    state, path = from_released(weights), tmp_path / "folder/again.pth"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"again\.pth cannot be written \(File too large\)"):
            released.write_released(path, state, "last.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    name = sorted(state)[0]
    state[name] = torch.full_like(state[name], torch.nan)
    with pytest.raises(UserError, match=rf"last\.pt: NaN or infinity in {name}\."):
        released.write_released(path, state, "last.pt")
    assert list((tmp_path / "folder").iterdir()) == []


def test_ours_is_not_taken_for_theirs():
    model, _, _ = tiny.parts()
    assert read_released(Path("x.pt"), {"format_version": 2, "model": model.state_dict()}) is None


@pytest.mark.skipif(SAMPLES is None, reason="TR2M_SAMPLES does not point at a folder of real frames")
@pytest.mark.usefixtures("toy_frozen")
def test_it_predicts_and_scores_real_frames(
    tmp_path: Path, weights: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """With the whole trained part; the frozen networks are small and random, so the numbers mean nothing."""
    monkeypatch.setenv("TR2M_DATA", str(SAMPLES))
    monkeypatch.setenv("TR2M_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    checkpoint = save(tmp_path / "da_s_vitl_vitl.pth", weights)
    image = next(Path(SAMPLES).glob("nyuv2/**/rgb_*.png"))
    small = ["--input-size", "140", "--out", str(tmp_path / "out"), "--device", "cpu"]
    predict.main(["--ckpt", str(checkpoint), "--image", str(image), "--text", "a room", *small])
    depth = np.load(next((tmp_path / "out").glob("**/depth.npy")))
    assert depth.shape == cv2.imread(str(image)).shape[:2]
    assert (depth > 0).all()
    size = ["dataset=samples_nyuv2", "dataset.reader.input_size=[140,182]", "workers=0", "device=cpu"]
    monkeypatch.setattr(sys, "argv", ["tr2m eval", f"ckpt={checkpoint}", *size])
    evaluate.main([f"ckpt={checkpoint}", *size])
    result = json.loads((tmp_path / "outputs/tr2m_released/eval/samples_nyuv2.json").read_text())
    assert result["method"] == "tr2m_released"
    assert result["n_images"] == 6
    assert result["metrics"]["abs_rel"] > 0


@pytest.mark.usefixtures("toy_frozen")
def test_it_is_scored_under_the_released_protocol_beside_the_paper(
    tmp_path: Path, weights: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """The way of docs/reproduce.md on a tree of one frame: down to the line that it leads to."""
    split, captions = trees.nyuv2(tmp_path / "nyuv2"), tmp_path / "captions/nyu/test/bathroom/rgb_00001.txt"
    captions.parent.mkdir(parents=True)
    captions.write_text("a small bathroom with a white sink\n" * 15)
    monkeypatch.setenv("TR2M_DATA", str(tmp_path))
    monkeypatch.setenv("TR2M_CAPTIONS", str(tmp_path / "captions"))
    monkeypatch.setenv("TR2M_OUTPUTS", str(tmp_path / "outputs"))
    checkpoint = save(tmp_path / "da_s_vitl_vitl.pth", weights)
    options = [
        f"ckpt={checkpoint}",
        "dataset=nyuv2",
        "protocol=released",
        "precision=float32",
        "device=cpu",
        "workers=0",
    ]
    monkeypatch.setattr(sys, "argv", ["tr2m eval", *options, f"dataset.reader.split_file={split}"])
    evaluate.main(sys.argv[1:])
    printed = capsys.readouterr().out.splitlines()
    result = json.loads((tmp_path / "outputs/tr2m_released/eval/nyuv2_released.json").read_text())
    assert result["protocol"]["name"] == "released"
    ours = result["metrics"]["abs_rel"]
    comparison = next(line for line in printed if line.startswith("  abs_rel"))
    assert comparison == f"  abs_rel  paper 0.082  here {ours:.3f}  {ours - 0.082:+.4f}  differs"
    reasons = [f"dataset.reader.split_file={split}", "1 frames of 654"]
    assert printed[-2] == f"not a reproduction: {'; '.join(reasons)}"


@pytest.mark.slow
def test_the_whole_network_runs_with_random_frozen_weights(tmp_path: Path, weights: dict[str, torch.Tensor]):
    model = load_model(save(tmp_path / "file.pth", weights), frozen="random")
    with torch.no_grad():
        output = model(torch.rand(1, 3, 70, 98), ["a kitchen with a table"])
    assert output.metric_depth.shape == (1, 70, 98)
    assert (output.metric_depth > 0).all()
