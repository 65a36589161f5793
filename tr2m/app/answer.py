"""What the app works out for one picture and its sentences. No web page is known here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tr2m.app.map_view import thinned
from tr2m.errors import UserError
from tr2m.inference.files import save_prediction
from tr2m.inference.inputs import describe_captions, rgb_of
from tr2m.inference.predict import Prediction, predict_each
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.precision import name_of
from tr2m.points.camera import Camera
from tr2m.points.files import save_scene
from tr2m.types import Unit

DOWNLOADS = ("depth.npy", "depth_colour.png", "points.ply", "mesh.glb", "prediction.json")


@dataclass(frozen=True)
class Alternatives:
    """What `tr2m.predict` gives for each sentence alone: small enough to be kept for a visitor."""

    sentences: list[str]
    depths: list[Float[np.ndarray, "h w"]]
    """Every `step`-th row and column of the metric depth, in `unit`."""
    step: int
    unit: Unit


@dataclass(frozen=True)
class Answer:
    """The predictions for one picture, and their files."""

    prediction: Prediction
    """What `tr2m.predict` gives for all sentences together: their mean, and how far they disagree."""
    alternatives: Alternatives
    folder: Path
    """Has those of DOWNLOADS that could be made."""
    notes: list[str]
    """What a visitor should know about the numbers."""


def answer(
    model: RescalingModel,
    picture: Path,
    sentences: list[str],
    unit: Unit,
    folder: Path,
    *,
    fov_deg: float | None = None,
    checkpoint: str = "",
    relative_depth: Float[np.ndarray, "H W"] | None = None,
) -> Answer:
    """Predict, and write the files into `folder`, which must not exist.

    Args:
        fov_deg: horizontal field of view, for the scene; None means that of the photo's EXIF data.
        checkpoint: its name, for prediction.json.
        relative_depth: as `tr2m.predict` takes it.

    Raises:
        UserError: what `tr2m.predict` and `Camera` refuse.
    """
    prediction, alone = predict_each(model, picture, sentences, relative_depth=relative_depth, unit=unit)
    each = [thinned(one.metric_depth) for one in alone]
    alternatives = Alternatives(sentences, [depth for depth, _ in each], each[0][1], unit)
    captions = describe_captions(sentences)
    notes = [f"Cut after 77 tokens: “{c['caption'][:60]}…”" for c in captions if c["cut"]]
    if prediction.nonfinite_pixels:
        notes.append(f"{prediction.nonfinite_pixels:,} pixels are NaN or infinite: black in the maps.")
    facts = {
        "image": picture.name,
        "captions": captions,
        "checkpoint": checkpoint,
        "precision": name_of(model.precision),
    }
    scene = folder.with_name(f"{folder.name}_scene")
    scene.mkdir(parents=True)
    image = rgb_of(picture)
    size = (image.shape[0], image.shape[1])
    camera = Camera.of_photo(size, picture) if fov_deg is None else Camera.from_fov_deg(size, fov_deg)
    if camera.is_assumed:
        notes.append(f"No focal length in the photo; {camera.source}. Give the field of view for a true 3-D shape.")
    metres = prediction.in_unit("m")
    try:
        facts |= save_scene(scene, metres.metric_depth, metres.shift_map, image, camera, ("points", "mesh"))
    except UserError as error:
        notes.append(f"Without a 3-D view: {error}.")
    save_prediction(prediction, folder, facts, ("depth", "colour"))
    for file in scene.iterdir():
        file.rename(folder / file.name)
    return Answer(prediction, alternatives, folder, notes)
