"""Random changes of a training frame, as the authors' released code makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from tr2m.data.transforms import Tensors

Interval = Sequence[float]
"""Lowest and highest value of a uniform draw."""


def draw(interval: Interval, rng: np.random.Generator) -> float:
    low, high = interval
    return rng.uniform(low, high)


@dataclass(frozen=True)
class GammaBrightnessColour:
    """image ^ gamma * brightness * one factor for each channel, in [0, 1] and clipped to it."""

    gamma: Interval
    brightness: Interval
    colour: Interval

    def __call__(self, image: UInt8[Tensor, "3 H W"], rng: np.random.Generator) -> UInt8[Tensor, "3 H W"]:
        """What becomes of a byte depends on its channel alone: three tables of 256 bytes, rounded to the nearest."""
        gamma, brightness = draw(self.gamma, rng), draw(self.brightness, rng)
        colour = rng.uniform(self.colour[0], self.colour[1], size=3)
        value = (np.arange(256) / 255) ** gamma * brightness
        tables = np.round(255 * (value[:, None] * colour).clip(0, 1)).astype(np.uint8)
        return torch.from_numpy(cv2.LUT(image.permute(1, 2, 0).numpy(), tables[None])).permute(2, 0, 1)


@dataclass(frozen=True)
class ColourJitter:
    """Brightness, contrast, saturation and hue, one after the other in a random order, as torchvision's ColorJitter.

    Args:
        brightness: factor of every value.
        contrast: factor of the distance to the image's mean grey.
        saturation: factor of the distance to the pixel's own grey.
        hue: share of the colour circle that is added to the hue.
    """

    brightness: Interval
    contrast: Interval
    saturation: Interval
    hue: Interval

    def __call__(self, image: UInt8[Tensor, "3 H W"], rng: np.random.Generator) -> UInt8[Tensor, "3 H W"]:
        changes = [
            (F.adjust_brightness, draw(self.brightness, rng)),
            (F.adjust_contrast, draw(self.contrast, rng)),
            (F.adjust_saturation, draw(self.saturation, rng)),
            (shift_hue, draw(self.hue, rng)),
        ]
        for position in rng.permutation(len(changes)):
            change, amount = changes[position]
            image = change(image, float(amount))
        return image


def shift_hue(image: UInt8[Tensor, "3 H W"], turns: float) -> UInt8[Tensor, "3 H W"]:
    """torchvision's `adjust_hue`, to the last bit but one, in a third of its time."""
    hsv = cv2.cvtColor(image.permute(1, 2, 0).numpy().astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * turns) % 360
    rgb = np.round(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)
    return torch.from_numpy(rgb).permute(2, 0, 1)


@dataclass(frozen=True)
class Augmentation:
    """Left and right swapped in the image and its maps, and other colours, independently of each other.

    The caption stays: after a swap its "left" and "right" are wrong, as in the released code.

    Args:
        flip: probability of the swap.
        recolour: probability of `colours`.
        colours: changes the image.
    """

    flip: float
    recolour: float
    colours: GammaBrightnessColour | ColourJitter

    def __call__(self, tensors: Tensors, rng: np.random.Generator) -> Tensors:
        image, depth, relative_depth = tensors
        if rng.random() < self.flip:
            image, depth = image.flip(-1), depth.flip(-1)
            relative_depth = None if relative_depth is None else relative_depth.flip(-1)
        if rng.random() < self.recolour:
            image = self.colours(image, rng)
        return image, depth, relative_depth
