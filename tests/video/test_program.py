"""`tr2m predict clip.mp4`: what it writes, and what it refuses before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest
from clips import room, write_clip

from tr2m.cli.main import run
from tr2m.errors import UserError


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "walk.MP4", [room(number) for number in range(3)])


def test_a_clip_and_a_sentence(checkpoint: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "out"
    run(["predict", str(clip), "a corridor", "--ckpt", str(checkpoint), "--device", "cpu", "--out", str(out)])
    assert f"walk.MP4: 3 frames; written to {out / 'walk'}" in capsys.readouterr().out
    facts = json.loads((out / "walk/prediction.json").read_text())
    assert (facts["smooth"], facts["unit"], facts["checkpoint"]) == (0.8, "m", str(checkpoint))
    assert facts["captions"][0]["caption"] == "a corridor"
    with h5py.File(out / "walk/depth.h5") as file:
        assert file["depth"].shape == (3, 48, 80)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--smooth", "1"], "--smooth 1: expected 0, which is off, to below 1"),
        (["--save", "depth"], "--save and --save-unit are for photos"),
        (["--save-unit", "mm"], "--save and --save-unit are for photos"),
        (["--batch-size", "2"], "--batch-size is for photos"),
        (["--relative-depth", "a.npy"], "--relative-depth is for photos"),
        (["--fov-deg", "60", "--save", "depth,points"], "--fov-deg is for photos"),
    ],
)
def test_what_does_not_go_with_a_video_is_refused(clip: Path, tmp_path: Path, more: list[str], words: str):
    with pytest.raises(UserError, match=words):
        run(["predict", str(clip), "a corridor", "--ckpt", "none.pt", "--out", str(tmp_path), *more])


def test_smoothing_a_photo_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="--smooth is for videos"):
        run(["predict", str(tmp_path / "a.png"), "a room", "--ckpt", "none.pt", "--smooth", "0.5"])


def test_a_bad_clip_leaves_nothing(checkpoint: Path, tmp_path: Path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(UserError, match="cannot be read as a video"):
        run(["predict", str(tmp_path / "notes.mp4"), "a room", "--ckpt", str(checkpoint), "--out", str(tmp_path / "o")])
    assert not (tmp_path / "o").exists()
