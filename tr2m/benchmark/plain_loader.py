"""Loading as the public RSA and BTS data loaders do it: PIL, and floats from the start, also for the augmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from tr2m.data.augmentation import Augmentation, GammaBrightnessColour, draw
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.readers.kitti import KITTI
from tr2m.data.readers.nyuv2 import NYUv2
from tr2m.data.readers.void import VOID

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


@dataclass(frozen=True)
class PlainFiles:
    """Where one data set's files are and what they mean.

    Args:
        paths: image and depth of a sample id.
        units_per_metre: of the depth file.
        crop: (height, width) of the lower, centred part that is used, or None for the whole frame.
    """

    paths: Callable[[str], tuple[Path, Path]]
    units_per_metre: float
    crop: tuple[int, int] | None = None


def plain_files(dataset: DepthDataset) -> PlainFiles | None:
    """The same files that `dataset` reads; None for a data set, or for changes of colours, that those loaders have no
    counterpart for.
    """
    if dataset.augmentation is not None and not isinstance(dataset.augmentation.colours, GammaBrightnessColour):
        return None
    if isinstance(dataset, NYUv2):
        return PlainFiles(lambda name: nyuv2_paths(dataset.folder / name), 1000.0)
    if isinstance(dataset, KITTI):
        return PlainFiles(lambda name: (dataset.home / f"raw/{name}.png", dataset.depth_path(name)), 256.0, (352, 1216))
    if isinstance(dataset, VOID):
        return PlainFiles(lambda name: void_paths(dataset.release / f"{name}.png"), 256.0)
    return None


def nyuv2_paths(stem: Path) -> tuple[Path, Path]:
    png = stem.with_suffix(".png")
    depth = stem.with_name(f"{stem.name.replace('rgb_', 'sync_depth_')}.png")
    return (png if png.exists() else stem.with_suffix(".jpg")), depth


def void_paths(image: Path) -> tuple[Path, Path]:
    return image, image.parent.with_name("ground_truth") / image.name


def load_plainly(
    files: PlainFiles,
    sample_id: str,
    size: tuple[int, int],
    augmentation: Augmentation | None,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "3 H W"], Float[Tensor, "1 H W"]]:
    """The normalised image and its depth in metres, at `size`, augmented by the numbers that `augmentation` would draw
    from `rng`.
    """
    image_path, depth_path = files.paths(sample_id)
    with Image.open(image_path) as image_file, Image.open(depth_path) as depth_file:
        image, depth_image = image_file.convert("RGB"), depth_file
        if files.crop is not None:
            height, width = files.crop
            left, top = (image.width - width) // 2, image.height - height
            image, depth_image = (one.crop((left, top, left + width, top + height)) for one in (image, depth_image))
        pixels = np.asarray(image, dtype=np.float32) / 255.0
        depth = np.asarray(depth_image, dtype=np.float32)[None, None] / files.units_per_metre
    image_tensor = torch.from_numpy(pixels.transpose(2, 0, 1)[None])
    resized = F.interpolate(image_tensor, size, mode="bicubic", align_corners=False, antialias=True)[0]
    resized_depth = F.interpolate(torch.from_numpy(depth), size, mode="nearest-exact")[0]
    resized = resized.clamp(0, 1)
    if augmentation is not None:
        if rng.random() < augmentation.flip:
            resized, resized_depth = resized.flip(-1), resized_depth.flip(-1)
        if rng.random() < augmentation.recolour and isinstance(augmentation.colours, GammaBrightnessColour):
            resized = recoloured(resized, augmentation.colours, rng)
    return (resized - MEAN) / STD, resized_depth


def recoloured(
    image: Float[Tensor, "3 H W"], changes: GammaBrightnessColour, rng: np.random.Generator
) -> Float[Tensor, "3 H W"]:
    """Every pixel to a power and times two factors, where ours looks bytes up in tables."""
    gamma, brightness = draw(changes.gamma, rng), draw(changes.brightness, rng)
    colour = rng.uniform(changes.colour[0], changes.colour[1], size=3).astype(np.float32)
    return (image**gamma * brightness * torch.from_numpy(colour).view(3, 1, 1)).clamp(0, 1)
