"""ONNX files: the same depth as PyTorch, any number of images, and no torch to run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny
import torch
from small_run import make_trainer
from tiny import ROOT

import tr2m
from tr2m.cli import export
from tr2m.errors import UserError
from tr2m.sharing import onnx_file
from tr2m.training.run.run_log import git_commit

# The exporter traces with batches of no known size, which run-time checks of shapes would ask for: in a process of
# its own, as the command is run.
EXPORT = [sys.executable, "-m", "tr2m", "export", "onnx"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_trainer(folder, max_steps=1).fit()
    return folder / "checkpoints/last.pt"


@pytest.fixture(scope="module")
def whole(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "tr2m.onnx"
    run_export(checkpoint, path, "--size", "56x84", "--text", "a narrow kitchen", "--text", "a street")
    return path


def run_export(checkpoint: Path, path: Path, *options: str) -> None:
    command = [*EXPORT, "--ckpt", str(checkpoint), "--out", str(path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("batch", [1, 3])
def test_image_to_metres(checkpoint: Path, whole: Path, batch: int):
    model = tr2m.load_model(checkpoint, precision="float32")
    image = torch.rand(batch, 3, 56, 84, generator=torch.Generator().manual_seed(batch))
    with np.load(whole.with_suffix(".npz")) as captions, torch.no_grad():
        assert captions["captions"].tolist() == ["a narrow kitchen", "a street"]
        text = captions["text_tokens"][[0, 1, 1][:batch]]
        expected = model(image, ["a narrow kitchen", "a street", "a street"][:batch])
    session = onnxruntime.InferenceSession(str(whole))
    got = session.run(["metric_depth", "scale_map", "shift_map"], {"image": image.numpy(), "text_tokens": text})
    for values, wanted in zip(got, (expected.metric_depth, expected.scale_map, expected.shift_map), strict=True):
        np.testing.assert_allclose(values, wanted.numpy(), rtol=1e-4)


def test_the_trained_part_alone(checkpoint: Path, tmp_path: Path):
    run_export(checkpoint, tmp_path / "part.onnx", "--part", "trained")
    model = tr2m.load_model(checkpoint, precision="float32")
    batch = tiny.batch(height=28, width=42)
    with torch.no_grad():
        features = model.encode(batch.image, batch.captions)
        expected = model.rescale(features).metric_depth
    inputs = {name: getattr(features, name).numpy() for name in ("image_tokens", "relative_depth", "text_tokens")}
    (got,) = onnxruntime.InferenceSession(str(tmp_path / "part.onnx")).run(["metric_depth"], inputs)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-4)


def test_the_file_states_what_it_is(whole: Path):
    facts = {entry.key: entry.value for entry in onnx.load(whole).metadata_props}
    assert facts["unit"] == "m"
    assert facts["input_size"] == "56x84 (height x width)"
    assert facts["normalisation"].startswith("image: RGB in [0, 1]")
    assert "metric_depth <= 100000" in facts["ranges"]
    assert facts["commit"] == git_commit()


def test_the_example_runs_without_torch(checkpoint: Path, whole: Path, tmp_path: Path):
    photo = np.random.default_rng(0).integers(0, 256, (56, 84, 3), dtype=np.uint8)
    np.save(tmp_path / "photo.npy", photo)
    files = [str(path) for path in (whole, whole.with_suffix(".npz"), tmp_path / "photo.npy", tmp_path / "depth.npy")]
    example = ROOT / "docs/onnx_example.py"
    without = (
        f"import sys, runpy; sys.modules['torch'] = None; sys.argv = {['x', *files]}; runpy.run_path({str(example)!r})"
    )
    done = subprocess.run([sys.executable, "-c", without], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "'unit': 'm'" in done.stdout
    # At the network's own size nothing is resized: the same depth as predict's.
    expected = tr2m.predict(
        tr2m.load_model(checkpoint, precision="float32"), photo, "a narrow kitchen", input_size=56
    ).metric_depth
    np.testing.assert_allclose(np.load(tmp_path / "depth.npy"), expected, rtol=1e-4)


def test_a_file_that_differs_is_not_written(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expected = {"metric_depth": torch.full((1, 2, 2), 3.0)}
    onnx_file.compare({"metric_depth": np.full((1, 2, 2), 3.0002, np.float32)}, expected)
    with pytest.raises(UserError, match=r"metric_depth differs from PyTorch's by 0\.00033"):
        onnx_file.compare({"metric_depth": np.full((1, 2, 2), 3.001, np.float32)}, expected)
    with pytest.raises(UserError, match="differs from PyTorch's by nan"):
        onnx_file.compare({"metric_depth": np.full((1, 2, 2), np.nan, np.float32)}, expected)


def test_a_sentence_that_is_cut_off_is_named(checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    model = tr2m.load_model(checkpoint, precision="float32")
    onnx_file.save_captions(model, ["a room", " ".join(["window"] * 76)], tmp_path / "a.npz")
    assert caplog.text.count("caption of 78 tokens: the text encoder reads the first 77") == 1


def test_a_sentence_given_under_the_c_locale_is_the_sentence(checkpoint: Path, tmp_path: Path):
    model = tr2m.load_model(checkpoint, precision="float32")
    onnx_file.save_captions(model, ["a K\udcc3\udcbcche", "a K\u00fcche"], tmp_path / "a.npz")
    saved = np.load(tmp_path / "a.npz")
    assert saved["captions"].tolist() == ["a K\u00fcche"] * 2
    assert np.array_equal(*saved["text_tokens"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "50x84"], "--size 50x84: both sides must be multiples of 14"),
        (["--push", "me/rooms"], "--format onnx takes no --push"),
        (["--licence", "mit"], "--format onnx takes no --licence"),
    ],
)
def test_what_is_refused(checkpoint: Path, tmp_path: Path, options: list[str], message: str):
    with pytest.raises(UserError, match=message):
        export.main(["onnx", "--ckpt", str(checkpoint), "--out", str(tmp_path / "x.onnx"), *options])
    assert not list(tmp_path.iterdir())


def test_what_only_onnx_takes_and_an_existing_file(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="--format folder takes no --size, --text"):
        export.main(["--ckpt", str(checkpoint), "--out", str(tmp_path / "x"), "--text", "a", "--size", "28x42"])
    (tmp_path / "x.onnx").touch()
    with pytest.raises(UserError, match=r"x\.onnx exists"):
        export.main(["onnx", "--ckpt", str(checkpoint), "--out", str(tmp_path / "x.onnx")])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'tr2m\[onnx\]'"):
        export.main(["onnx", "--ckpt", str(checkpoint), "--out", str(tmp_path / "y.onnx")])


@pytest.mark.slow
def test_full_size(tmp_path: Path):
    """The paper's network with random weights, 1.4 GB; TR2M has never been exported with its published ones here."""
    code = (
        "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; import tiny; from tr2m.build import build; "
        "from tr2m.experiment.parameters import without_weights; from tr2m.sharing.onnx_file import export_onnx; "
        "model = build(without_weights(tiny.config('model=tr2m')['model'])).eval(); "
        f"export_onnx(model, Path({str(tmp_path / 'full.onnx')!r}), 'whole', (140, 182))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "full.onnx").stat().st_size > 1.3e9
