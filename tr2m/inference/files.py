"""The files of a prediction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tr2m.data.decoding.encode import write_png
from tr2m.drawing.colours import DEPTH, MAP, colourise
from tr2m.errors import UserError
from tr2m.evaluation.saved_predictions import PREDICTED, PREDICTED_FACTS
from tr2m.files import whole_folder
from tr2m.inference.predict import Prediction
from tr2m.json_text import json_text
from tr2m.types import UNITS_PER_METRE

KINDS = ("depth", "colour")
"""What is written unless asked otherwise."""


def check_out(folder: Path, names: Sequence[str]) -> None:
    """Raise UserError unless predictions called `names` can be written to `folder`: where there is something of that
    name already, it is a prediction, which is replaced.
    """
    for path in [folder, *folder.parents]:
        if path.exists() and not path.is_dir():
            raise UserError(f"--out {folder}: {path} is a file, expected a folder")
    for name in names:
        target = folder / name
        if inside := [p for p in target.parents if p != folder and p.is_relative_to(folder) and is_prediction(p)]:
            raise UserError(f"{target} would lie in {inside[0]}, which is a prediction: give another --out")
        if target.exists() and not is_prediction(target):
            raise UserError(f"{target} exists and is no prediction: move it away, or give another --out")


def is_prediction(folder: Path) -> bool:
    return (folder / PREDICTED_FACTS).is_file()


def save_prediction(
    prediction: Prediction,
    folder: Path,
    facts: Mapping[str, Any] | None = None,
    kinds: Collection[str] = KINDS,
    write_more: Callable[[Path], Mapping[str, Any]] | None = None,
) -> Path:
    """Write those of these files whose kind is in `kinds`: "depth" is depth.npy (float32) and depth.png (16 bit),
    "maps" both maps and the spread over captions, "colour" pictures of what else is written. Always prediction.json,
    which states the unit of the .npy files and how many units of depth.png make a metre, with `facts` beside it, and
    with those that `write_more` returns of files that it adds to the folder.

    Returns `folder`, which appears at once and whole; an earlier prediction there is replaced.

    Raises:
        UserError: the files cannot be written, or `folder` is something else than a prediction. Nothing of it is left.
    """
    check_out(folder.parent, [folder.name])
    with whole_folder(folder) as new:
        more = write_more(new) if write_more else {}
        write_files(prediction, new, {**(facts or {}), **more}, kinds)
    return folder


def write_files(prediction: Prediction, folder: Path, facts: Mapping[str, Any], kinds: Collection[str]) -> None:
    depth = prediction.metric_depth
    metres = depth / UNITS_PER_METRE[prediction.unit]
    known = np.isfinite(metres)
    units_per_metre = png_units_per_metre(float(metres[known].max()))
    if "depth" in kinds:
        write_npy(folder / PREDICTED, depth)
        png = np.where(known, metres, 0) * units_per_metre
        write_png(folder / "depth.png", np.round(png).clip(0, 65535).astype(np.uint16))
    if "colour" in kinds:
        write_png(folder / "depth_colour.png", colourise(depth, DEPTH))
    for name in ("scale_map", "shift_map", "caption_spread") if "maps" in kinds else ():
        values = getattr(prediction, name)
        write_npy(folder / f"{name}.npy", values)
        if "colour" in kinds:
            write_png(folder / f"{name}_colour.png", colourise(values, MAP))
    low, middle, high = prediction.quantiles()
    about = {
        "unit": prediction.unit,
        "png_units_per_metre": units_per_metre,
        "depth_quantiles": {"5": low, "50": middle, "95": high},
        "mean_caption_spread": float(prediction.caption_spread[known].mean()),
        "nonfinite_pixels": prediction.nonfinite_pixels,
        "image_size": list(depth.shape),
        "network_size": list(prediction.network_size),
        "saved": sorted(kinds),
    }
    (folder / PREDICTED_FACTS).write_text(json_text({**about, **facts}) + "\n")


def write_npy(path: Path, values: Float[np.ndarray, "H W"]) -> None:
    with path.open("wb") as file:
        np.save(file, values)


def png_units_per_metre(farthest: float) -> float:
    """The largest power of ten with which `farthest` metres still fit into 16 bits: fine steps for a colon, range for
    a street.
    """
    return float(10.0 ** np.floor(np.log10(65535 / farthest)))
