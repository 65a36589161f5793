"""Photos to read, and the files of their predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tr2m.data.decoding.arrays import read_npy
from tr2m.data.decoding.encode import write_png
from tr2m.drawing.colours import DEPTH, MAP, colourise
from tr2m.errors import UserError
from tr2m.evaluation.saved_predictions import PREDICTED, PREDICTED_FACTS
from tr2m.files import whole_folder
from tr2m.inference.predict import Prediction
from tr2m.json_text import json_text
from tr2m.types import UNITS_PER_METRE

KINDS = ("depth", "colour", "maps")
"""What is written unless asked otherwise."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def list_images(path: Path) -> tuple[list[Path], list[str]]:
    """The image `path`, or all images in the folder `path`, and the names of what else is in it, subfolders included.
    Raises UserError if there is no image.
    """
    if not path.is_dir():
        return [path], []
    files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    images = [file for file in files if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES]
    others = [f"{file.name}/" if file.is_dir() else file.name for file in files if file not in images]
    if not images:
        found = f"there are {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}" if others else "it is empty"
        raise UserError(f"{path}: no image in this folder ({found}), expected files ending in {expected_endings()}")
    return images, others


def expected_endings() -> str:
    return ", ".join(IMAGE_SUFFIXES)


def prediction_names(images: Sequence[Path]) -> list[str]:
    """What the folder of each image's prediction is called: as the image, without its ending unless another image
    differs in nothing else.
    """
    stems = Counter(image.stem for image in images)
    return [image.stem if stems[image.stem] == 1 else image.name for image in images]


def relative_depth_files(path: Path, images: Sequence[Path], names: Sequence[str]) -> dict[Path, Path]:
    """For each image its .npy file: `path` itself where there is one image, else <name>.npy in the folder `path`.
    Raises UserError if one file is given for several images, or some have none.
    """
    if not path.is_dir():
        if len(images) > 1:
            raise UserError(
                f"{path} is one map for {len(images)} photos: expected a folder with <photo's name>.npy for each"
            )
        return {images[0]: path}
    files = {image: path / f"{name}.npy" for image, name in zip(images, names, strict=True)}
    if missing := [file.name for file in files.values() if not file.is_file()]:
        raise UserError(
            f"{path}: no relative depth for {len(missing)} of {len(images)} photos, expected {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}"
        )
    return files


def read_relative_depth(path: Path) -> np.ndarray:
    """The array in a .npy file; `predict` checks whether it is a map. Raises UserError if it cannot be read."""
    return read_npy(path)


def check_out(folder: Path, names: Sequence[str]) -> None:
    """Raise UserError unless predictions called `names` can be written to `folder`: where there is something of that
    name already, it is a prediction, which is replaced.
    """
    for path in [folder, *folder.parents]:
        if path.exists() and not path.is_dir():
            raise UserError(f"--out {folder}: {path} is a file, expected a folder")
    for name in names:
        target = folder / name
        if target.exists() and not (target / PREDICTED_FACTS).is_file():
            raise UserError(f"{target} exists and is no prediction: move it away, or give another --out")


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
        "network_size": list(prediction.network_size),
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
