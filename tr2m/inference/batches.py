"""Photos read from disk, those of one size together: what goes through the network at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from tr2m.data.decoding.arrays import read_npy
from tr2m.data.decoding.photo import read_photo
from tr2m.errors import UserError
from tr2m.inference.inputs import relative_depth_of
from tr2m.inference.photos import Photo

MAX_WAITING = 4
"""Batches of photos that are in memory before one goes to the network though it is not full."""


@dataclass(frozen=True)
class ReadPhoto:
    """A photo with its pixels."""

    photo: Photo
    image: UInt8[np.ndarray, "H W 3"]
    relative_depth: Float32[np.ndarray, "H W"] | None


def read_photos(photos: Iterable[Photo], failed: dict[Photo, str]) -> Iterator[ReadPhoto]:
    """The photos, one by one. One that cannot be read must not cost the others: `failed` gets it, with the reason."""
    for photo in photos:
        try:
            image = read_photo(photo.path)
            relative_depth = None
            if photo.relative_depth is not None:
                size = (image.shape[0], image.shape[1])
                relative_depth = relative_depth_of(read_npy(photo.relative_depth), size, str(photo.relative_depth))
            yield ReadPhoto(photo, image, relative_depth)
        except UserError as error:
            failed[photo] = str(error)


def batches(photos: Iterable[ReadPhoto], size: int) -> Iterator[list[ReadPhoto]]:
    """Batches of up to `size` photos that are equally large and have equally many sentences, in the order in which they
    become full.
    """
    waiting: dict[tuple, list[ReadPhoto]] = {}
    for photo in photos:
        kind = (photo.image.shape, len(photo.photo.captions))
        waiting.setdefault(kind, []).append(photo)
        if len(waiting[kind]) == size:
            yield waiting.pop(kind)
        elif sum(map(len, waiting.values())) >= MAX_WAITING * size:
            yield waiting.pop(max(waiting, key=lambda kind: len(waiting[kind])))
    yield from waiting.values()
