"""Metric depth of a clip: every frame predicted, one steady scale for each shot, a film to look at."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from tr2m.data.decoding.decode import hdf5_array
from tr2m.data.file_names import in_text
from tr2m.errors import UserError
from tr2m.evaluation.saved_predictions import PREDICTED_FACTS
from tr2m.files import whole_folder
from tr2m.inference.inputs import describe_captions
from tr2m.inference.predict import predict
from tr2m.json_text import json_text
from tr2m.models.contract import RescalingModel
from tr2m.types import Unit
from tr2m.video.clip import Clip
from tr2m.video.film import colour_bar, picture_height, side_by_side, write_film
from tr2m.video.frames import FrameFolder, depth_dataset
from tr2m.video.steady import SHOT_CHANGE, steady_depth

logger = logging.getLogger(__name__)

DEPTH_FILE, FILM_FILE = "depth.h5", "side_by_side.mp4"


@dataclass(frozen=True)
class Shot:
    """Frames `first` to `last`, and the ends of their colour bar: the least and the largest of their quantiles."""

    first: int
    last: int
    limits: tuple[float, float]
    nonfinite_pixels: int
    """Of all its frames together."""


def predict_clip(
    model: RescalingModel,
    clip: Clip,
    captions: Sequence[str],
    folder: Path,
    *,
    smooth: float,
    unit: Unit = "m",
    input_size: int | None = None,
    facts: Mapping[str, Any] | None = None,
    resume: bool = False,
) -> Path:
    """Write depth.h5, side_by_side.mp4 and prediction.json of a clip into `folder`.

    Until they are whole, the frames are in `<folder>.unfinished`; `resume` predicts only those that are missing there.
    At any time two frames at most are in memory, however long the clip is.

    Args:
        smooth: from 0, each frame by itself, to below 1; see `steady_depth`.
        facts: what prediction.json states besides.

    Raises:
        UserError: as reading the clip or `tr2m.predict`; or an unfinished run is there.
    """
    check_smooth(smooth)
    settings = {
        "clip": str(clip.path),
        "clip_bytes": clip.path.stat().st_size,
        "frames": clip.frames,
        "captions": list(captions),
        "smooth": smooth,
        "unit": unit,
        "input_size": input_size,
        **(facts or {}),
    }
    frames = FrameFolder(folder.with_name(f"{folder.name}.unfinished"), settings, resume)
    predict_frames(model, clip, captions, frames, smooth, unit, input_size)
    about = {
        **settings,
        "captions": describe_captions(captions),
        "fps": clip.fps,
        "shot_change": SHOT_CHANGE,
    }
    with whole_folder(folder) as new:
        shots = write_depth(new / DEPTH_FILE, frames, clip, about)
        write_film(new / FILM_FILE, pictures(new / DEPTH_FILE, clip, shots, unit), clip.fps)
        stated = [{"first_frame": s.first, "last_frame": s.last, "colour_bar": list(s.limits)} for s in shots]
        lost = sum(shot.nonfinite_pixels for shot in shots)
        (new / PREDICTED_FACTS).write_text(json_text({**about, "nonfinite_pixels": lost, "shots": stated}) + "\n")
    if lost:
        logger.warning("%s: %s pixels of its depth are NaN or infinite", clip.path.name, f"{lost:,}")
    shutil.rmtree(frames.folder)
    return folder


def check_smooth(smooth: float) -> None:
    """Raise UserError unless it is in [0, 1)."""
    if not 0 <= smooth < 1:
        raise UserError(f"--smooth {smooth:g}: expected 0, which is off, to below 1")


def predict_frames(
    model: RescalingModel,
    clip: Clip,
    captions: Sequence[str],
    frames: FrameFolder,
    smooth: float,
    unit: Unit,
    input_size: int | None,
) -> None:
    """Predict the frames that are not whole in `frames` yet."""
    done, state = frames.resume()
    if done == clip.frames:
        return
    for number, frame in enumerate(tqdm(clip, desc="predict", total=clip.frames)):
        if number < done:
            continue
        prediction = predict(model, frame.image, captions, input_size, unit=unit)
        depth, state = steady_depth(prediction, frame.image, state, smooth)
        frames.add(number, depth, frame.seconds, state)


def write_depth(path: Path, frames: FrameFolder, clip: Clip, about: Mapping[str, Any]) -> list[Shot]:
    """Copy all frames into one file: depth (frames, H, W), seconds and shot of each, and about them as attributes."""
    shots: list[Shot] = []
    with h5py.File(path, "w") as file:
        depth = depth_dataset(file, clip.frames, frames.read(0).size)
        seconds = file.create_dataset("seconds", (clip.frames,), "<f8")
        shot = file.create_dataset("shot", (clip.frames,), "<i4")
        for number in range(clip.frames):
            frame = frames.read(number)
            if frame.size != depth.shape[1:]:
                raise UserError(f"{clip.path}: frame {number} is {frame.size}, expected {depth.shape[1:]} as the first")
            depth.id.write_direct_chunk((number, 0, 0), frame.chunk)
            seconds[number], shot[number] = frame.seconds, frame.shot
            if frame.shot == len(shots):
                shots.append(Shot(number, number, frame.limits, 0))
            before = shots[-1]
            limits = min(before.limits[0], frame.limits[0]), max(before.limits[1], frame.limits[1])
            shots[-1] = Shot(before.first, number, limits, before.nonfinite_pixels + frame.nonfinite_pixels)
        depth.attrs["unit"] = about["unit"]
        for name in ("fps", "smooth"):
            file.attrs[name] = about[name]
        for name in ("unit", "clip"):
            file.attrs[name] = in_text(str(about[name]))
        file.attrs["captions"] = [in_text(str(caption["caption"])) for caption in about["captions"]]
    return shots


def pictures(
    depth_file: Path, clip: Clip, shots: Sequence[Shot], unit: Unit
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]]:
    """What the film shows, frame by frame: the clip is decoded once more."""
    with h5py.File(depth_file) as file:
        depth, shot_of = hdf5_array(file, "depth"), hdf5_array(file, "shot")
        height = picture_height(depth.shape[1])
        drawn, limits = 0, shown(shots[0].limits)
        bar = colour_bar(height, limits, unit)
        for number, frame in enumerate(tqdm(clip, desc="film", total=clip.frames)):
            if (shot := int(shot_of[number])) != drawn:
                drawn, limits = shot, shown(shots[shot].limits)
                bar = colour_bar(height, limits, unit)
            yield side_by_side(frame.image, depth[number], bar, limits), frame.seconds


def shown(limits: tuple[float, float]) -> tuple[float, float]:
    """The ends of a colour bar: any where no depth is known."""
    return limits if all(map(math.isfinite, limits)) else (0.0, 1.0)
