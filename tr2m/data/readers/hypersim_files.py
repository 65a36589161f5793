"""From HyperSim's HDF5 files to an image and to depth along the optical axis."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from tr2m.data.decoding.decode import MAX_PIXELS, hdf5_array, open_hdf5
from tr2m.errors import UserError

FOCAL_LENGTH = 886.81
"""Pixels, at a width of 1024: 60 degrees, as evaluation code takes it for every scene."""


def read_dataset(path: Path, dimensions: int) -> np.ndarray:
    """What an HDF5 file of HyperSim holds. Raises UserError if it has not so many dimensions, or more pixels than a
    picture: a file of a kilobyte may claim gigabytes of zeros.
    """
    megapixels = MAX_PIXELS // 10**6
    expected = f"an HDF5 file with `dataset`, of {dimensions} dimensions and at most {megapixels} megapixels"
    with open_hdf5(path, expected) as file:
        pixels = hdf5_array(file, "dataset")
        shape = pixels.shape
        if len(shape) != dimensions or math.prod(shape[:2]) > MAX_PIXELS:
            raise ValueError(f"an array of {shape}")
        return pixels[()]


def read_tone_mapped(color_path: Path, entity_path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """RGB from the HDR rendering. Raises UserError also if the two files differ in size or nothing was rendered."""
    color, entity = read_dataset(color_path, 3), read_dataset(entity_path, 2)
    if color.shape != (*entity.shape, 3):
        raise UserError(
            f"{color_path}: got {color.shape}, expected 3 channels of {entity.shape}, as {entity_path} has."
        )
    if not np.isfinite(color).any():
        raise UserError(f"{color_path}: got no finite value, expected radiance. Unpack or fetch the file again.")
    return tone_map(color.astype(np.float32), entity)


def planar_depth(distance: Shaped[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """Depth along the optical axis from distances to the camera centre, both in metres; 0 where there is nothing."""
    height, width = distance.shape
    y, x = np.ogrid[:height, :width]
    squared = (x - (width - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2
    depth = distance.astype(np.float64) * FOCAL_LENGTH / np.sqrt(squared + FOCAL_LENGTH**2)
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


def tone_map(color: Float[np.ndarray, "H W 3"], entity: Int[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """RGB from linear radiance, exposed so that where there is geometry (entity not -1) the 90th percentile of the
    brightness becomes 0.8 after a gamma of 1/2.2: the rule of the authors' own preview images. Where the rendering
    failed, NaN is black and infinity white.
    """
    brightness = (color @ np.array([0.3, 0.59, 0.11], np.float32))[entity != -1]
    brightness = brightness[np.isfinite(brightness)]
    reference = np.percentile(brightness, 90) if brightness.size else 0.8**2.2
    scale = 0.8**2.2 / reference if reference >= 1e-4 else 0.0
    exposed = np.nan_to_num(scale * color, nan=0, posinf=1, neginf=0)
    return (np.clip(exposed, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8)
