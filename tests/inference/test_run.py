"""A run over photos: what stops it, what does not, and what it reports."""

from __future__ import annotations

import math
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from photos import names, photo

from tr2m.build import build
from tr2m.errors import UserError
from tr2m.inference.files import check_out
from tr2m.inference.photos import find_photos
from tr2m.inference.run import PredictSettings, predict_photos, progress
from tr2m.models.tr2m import TR2M


@pytest.fixture
def model() -> TR2M:
    model, _, _ = tiny.parts()
    model.input_sizes = [(28, 42)]
    return model.eval()


def settings(out: Path, **changes: Any) -> PredictSettings:
    plain = PredictSettings(out, ("depth",), "last.pt", "0" * 64, "float32", None, "m", "m", None, None, 2)
    return replace(plain, **changes)


def three(folder: Path) -> list:
    for name in "abc":
        photo(folder / f"{name}.png", size=(140, 210))
    return find_photos(folder, ["a room"])[0]


def test_photos_without_a_finite_pixel_are_named_and_leave_nothing(model: TR2M, tmp_path: Path):
    with torch.no_grad():
        for parameter in model.scale_head.parameters():
            parameter.fill_(math.nan)
    photos = three(tmp_path / "in")
    failed = predict_photos(model, photos, settings(tmp_path / "out"))
    assert failed.keys() == set(photos)
    assert all("every predicted pixel is NaN or infinite" in message for message in failed.values())
    assert not (tmp_path / "out").exists()


def test_a_full_disk_stops_the_run_and_keeps_what_was_wrong_before(
    model: TR2M, tmp_path: Path, capsys: pytest.CaptureFixture
):
    photos = three(tmp_path / "in")
    (tmp_path / "in/a.png").write_bytes(b"no photo")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"(?s)in/a.png: got 8 bytes.*out/b cannot be written") as error:
            predict_photos(model, photos, settings(tmp_path / "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "out/c" not in str(error.value)
    assert names(tmp_path / "out") == []


def test_too_little_memory_is_an_error_in_words(model: TR2M, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def encode(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "encode", encode)
    failed = predict_photos(model, three(tmp_path / "in")[:2], settings(tmp_path / "out"))
    words = "2 photos at once do not fit into the device's memory: give a smaller --batch-size"
    assert [words in message for message in failed.values()] == [True, True]


def test_a_model_without_maps_is_refused_before_any_photo_is_read(tmp_path: Path):
    torch.manual_seed(0)
    other = build(tiny.config("experiment=da_mix", *tiny.DEPTH_ANYTHING)["model"]).eval()
    with pytest.raises(UserError, match="predict needs a scale map and a shift map"):
        predict_photos(other, find_photos(photo(tmp_path / "a.png"), ["a room"])[0], settings(tmp_path / "out"))


def test_nothing_is_written_into_another_photos_prediction(tmp_path: Path):
    (tmp_path / "out/kitchens").mkdir(parents=True)
    (tmp_path / "out/kitchens/prediction.json").write_text("{}")
    check_out(tmp_path / "out", ["kitchens", "streets/a"])
    with pytest.raises(UserError, match=r"out/kitchens/a would lie in .*out/kitchens, which is a prediction"):
        check_out(tmp_path / "out", ["kitchens/a"])


def test_the_time_left_is_that_of_the_photos_before():
    # 3 of 9 in 60 s: 6 more in 120 s.
    assert progress(3, 9, 60.0) == "3/9, 02:00 left: "
    assert progress(1, 1, 60.0) == ""


@pytest.mark.parametrize("unit", ["m", "mm"])
def test_points_are_in_metres_whatever_the_unit_of_the_arrays(model: TR2M, tmp_path: Path, unit: str):
    trimesh = pytest.importorskip("trimesh")
    photos = find_photos(photo(tmp_path / "a.png"), ["a room"])[0]
    run = settings(tmp_path / "out", kinds=("depth", "points"), fov_deg=60.0, unit=unit)
    assert predict_photos(model, photos, run) == {}
    depth = np.load(tmp_path / "out/a/depth.npy") / {"m": 1, "mm": 1000}[unit]
    z = trimesh.load(tmp_path / "out/a/points.ply").vertices[:, 2]
    assert depth.min() * 0.999 <= z.min() <= z.max() <= depth.max() * 1.001


def test_without_trimesh_points_are_refused_before_any_photo_is_read(
    model: TR2M, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    missing = find_photos(photo(tmp_path / "a.png"), ["a room"])[0]
    (tmp_path / "a.png").unlink()
    with pytest.raises(UserError, match=r"points and meshes need trimesh: pip install 'tr2m\[points\]'"):
        predict_photos(model, missing, settings(tmp_path / "out", kinds=("depth", "mesh")))


def test_a_model_without_a_relative_depth_of_its_own_is_refused_once_and_not_for_each_photo(tmp_path: Path):
    stored, _, _ = tiny.parts("model/relative_depth=stored")
    stored.input_sizes = [(28, 42)]
    with pytest.raises(UserError, match=r"^this model was trained on relative depth that came with its data"):
        predict_photos(stored.eval(), three(tmp_path / "in"), settings(tmp_path / "out"))
