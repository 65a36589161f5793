"""A clip to depth.h5 and a film, read back by readers that know nothing of the writer."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import tiny
from clips import room, street, write_clip

import tr2m
from tr2m.errors import UserError
from tr2m.inference.predict import Prediction
from tr2m.models.tr2m import TR2M
from tr2m.video import predict as video
from tr2m.video.clip import Clip, ClipFrame
from tr2m.video.frames import FrameFolder
from tr2m.video.steady import Steady

TEXT = ["a narrow kitchen"]
FILES = ["depth.h5", "prediction.json", "side_by_side.mp4"]


@pytest.fixture(scope="module")
def model() -> TR2M:
    model, _, _ = tiny.parts()
    model.input_sizes = [(28, 42)]
    return model.eval()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Three frames of a room, then two of a street, unevenly in time."""
    pictures = [room(0), room(1), room(2), street(3), street(4)]
    return Clip.open(write_clip(tmp_path_factory.mktemp("clip") / "a clip.mp4", pictures, [0, 0.1, 0.2, 0.5, 0.6]))


def test_without_smoothing_every_frame_has_the_depth_of_predict(model: TR2M, clip: Clip, tmp_path: Path):
    folder = video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0, unit="mm")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with h5py.File(folder / "depth.h5") as file:
        depth = file["depth"]
        assert (depth.shape, depth.dtype, depth.chunks) == ((5, 48, 80), np.float32, (1, 48, 80))
        assert (depth.compression, depth.shuffle, depth.attrs["unit"]) == ("gzip", True, "mm")
        assert file.attrs["fps"] > 0
        assert list(file.attrs["captions"]) == TEXT
        np.testing.assert_allclose(file["seconds"], [0, 0.1, 0.2, 0.5, 0.6], atol=1e-6)
        assert file["shot"][:].tolist() == [0, 0, 0, 1, 1]
        for number, frame in enumerate(clip):
            expected = tr2m.predict(model, frame.image, TEXT, unit="mm").metric_depth
            np.testing.assert_array_equal(depth[number], expected)


def test_smoothing_takes_each_shot_by_itself(model: TR2M, clip: Clip, tmp_path: Path):
    folder = video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0.5)
    frames = [tr2m.predict(model, frame.image, TEXT) for frame in clip]
    with h5py.File(folder / "depth.h5") as file:
        np.testing.assert_array_equal(file["depth"][0], frames[0].metric_depth)
        np.testing.assert_array_equal(file["depth"][3], frames[3].metric_depth)
        scale = np.sqrt(np.sqrt(frames[0].scale_map * frames[1].scale_map) * frames[2].scale_map)
        shift = np.sqrt(np.sqrt(frames[0].shift_map * frames[1].shift_map) * frames[2].shift_map)
        np.testing.assert_allclose(file["depth"][2], 1 / (scale * frames[2].relative_depth + shift), rtol=1e-5)
    facts = json.loads((folder / "prediction.json").read_text())
    assert [(shot["first_frame"], shot["last_frame"]) for shot in facts["shots"]] == [(0, 2), (3, 4)]
    with h5py.File(folder / "depth.h5") as file:
        quantiles = np.quantile(file["depth"][:3].reshape(3, -1), [0.02, 0.98], axis=1)
    expected = [quantiles[0].min(), quantiles[1].max()]
    assert facts["shots"][0]["colour_bar"] == pytest.approx(expected)
    assert (facts["smooth"], facts["shot_change"], facts["frames"]) == (0.5, 0.5, 5)


def test_pixels_without_a_depth_are_counted_also_after_a_kill(
    model: TR2M, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    calls = []

    def broken(*arguments, **named) -> Prediction:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        prediction = tr2m.predict(*arguments, **named)
        prediction.metric_depth[0, : len(calls)] = np.nan
        return prediction

    monkeypatch.setattr(video, "predict", broken)
    with pytest.raises(KeyboardInterrupt):
        video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0)
    folder = video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0, resume=True)
    # 1, 2 and 3 pixels, then the kill, then 5 and 6.
    assert json.loads((folder / "prediction.json").read_text())["nonfinite_pixels"] == 17
    assert "a clip.mp4: 17 pixels of its depth are NaN or infinite" in caplog.text
    with h5py.File(folder / "depth.h5") as file:
        assert np.isnan(file["depth"]).sum() == 17


def test_the_colour_bar_of_a_shot_spans_all_its_frames(clip: Clip, tmp_path: Path):
    frames = FrameFolder(tmp_path / "frames", {}, resume=False)
    ones = np.ones((4, 6), np.float32)
    for number, depth in enumerate([3.0, 1.0, 5.0, 2.0, 4.0]):
        state = Steady(shot=0, colours=np.zeros(8), scale_map=ones, shift_map=ones)
        frames.add(number, depth * ones, number / 10, state)
    about = {"unit": "m", "fps": 10.0, "smooth": 0.5, "clip": clip.path, "captions": []}
    (shot,) = video.write_depth(tmp_path / "depth.h5", frames, clip, about)
    assert (shot.first, shot.last, shot.limits) == (0, 4, (1.0, 5.0))


def test_the_film_shows_the_clip_and_its_depth(model: TR2M, clip: Clip, tmp_path: Path):
    folder = video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0.8)
    film = cv2.VideoCapture(str(folder / "side_by_side.mp4"))
    shown = []
    while (read := film.read())[0]:
        shown.append((read[1][..., ::-1], film.get(cv2.CAP_PROP_POS_MSEC)))
    assert len(shown) == 5
    assert shown[0][0].shape == (48, 80 + 80 + 110, 3)
    times = np.array([at for _, at in shown]) / 1000
    np.testing.assert_allclose(times - times[0], [0, 0.1, 0.2, 0.5, 0.6], atol=2e-3)
    for (picture, _), frame in zip(shown, clip, strict=True):
        assert np.abs(picture[:, :80].astype(float) - frame.image).mean() < 6
    # Near is bright, far is dark, by the shot's colour bar.
    with h5py.File(folder / "depth.h5") as file:
        depth = file["depth"][1]
    light = shown[1][0][:, 80:160].sum(axis=-1)
    assert np.corrcoef(light.ravel(), depth.ravel())[0, 1] < -0.8


def test_a_killed_run_resumes_after_the_last_whole_frame(
    model: TR2M, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = video.predict_clip(model, clip, TEXT, tmp_path / "straight", smooth=0.8)
    add, predicted = FrameFolder.add, []

    def killed(self, number, *rest):
        if number == 2:
            # The frame is there, the word that it is whole is not.
            monkeypatch.setattr("tr2m.video.frames.save", lambda path, **arrays: save(path, **arrays) or stop(path))
        add(self, number, *rest)

    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    from tr2m.video.frames import save

    monkeypatch.setattr(FrameFolder, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0.8)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.unfinished", "straight"]
    with pytest.raises(UserError, match=r"out.unfinished has frames of an earlier run: add --resume, or delete it"):
        video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0.8)
    with pytest.raises(UserError, match=r"is of another run: smooth: 0.8 there, 0.5 here"):
        video.predict_clip(model, clip, TEXT, tmp_path / "out", resume=True, smooth=0.5)
    settings_file = tmp_path / "out.unfinished/settings.json"
    settings = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps({key: value for key, value in settings.items() if key != "format"}))
    with pytest.raises(UserError, match=r"is of another run: format: None there, 2 here"):
        video.predict_clip(model, clip, TEXT, tmp_path / "out", resume=True, smooth=0.8)
    settings_file.write_text(json.dumps(settings))

    def counted(*arguments, **named) -> Prediction:
        predicted.append(1)
        return tr2m.predict(*arguments, **named)

    monkeypatch.setattr(video, "predict", counted)
    folder = video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0.8, resume=True)
    assert len(predicted) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "straight"]
    with h5py.File(folder / "depth.h5") as resumed, h5py.File(expected / "depth.h5") as straight:
        for name in ("depth", "seconds", "shot"):
            np.testing.assert_array_equal(resumed[name], straight[name])


@pytest.mark.parametrize("length", [4, 12])
def test_frames_are_streamed(model: TR2M, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int):
    """However long the clip is, as many frames and depths are alive."""
    clip = Clip.open(write_clip(tmp_path / "a.mp4", [room(number) for number in range(length)]))
    alive: list[weakref.ref] = []
    most = 0
    iterate, predict = Clip.__iter__, tr2m.predict

    def count() -> None:
        nonlocal most
        gc.collect()
        most = max(most, sum(reference() is not None for reference in alive))

    def watched(self):
        for frame in iterate(self):
            alive.append(weakref.ref(frame.image))
            count()
            yield ClipFrame(frame.image, frame.seconds)

    def watched_predict(*arguments, **named) -> Prediction:
        prediction = predict(*arguments, **named)
        alive.append(weakref.ref(prediction.metric_depth))
        return prediction

    monkeypatch.setattr(Clip, "__iter__", watched)
    monkeypatch.setattr(video, "predict", watched_predict)
    video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=0.8)
    # 2 passes over the images, one over the depths.
    assert len(alive) == 3 * length
    assert most <= 4


@pytest.mark.parametrize("smooth", [-0.1, 1.0])
def test_a_smoothing_that_forgets_nothing_is_refused(model: TR2M, clip: Clip, tmp_path: Path, smooth: float):
    with pytest.raises(UserError, match=r"--smooth .*: expected 0, which is off, to below 1"):
        video.predict_clip(model, clip, TEXT, tmp_path / "out", smooth=smooth)
    assert list(tmp_path.iterdir()) == []
