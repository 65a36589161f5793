"""A pinhole camera from what a person knows about a photo: a focal length, an angle, or the photo's own EXIF data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import ExifTags

from tr2m.data.decoding.photo import open_photo
from tr2m.errors import UserError

FILM_DIAGONAL_MM = math.hypot(36, 24)
"""The 35 mm equivalent of a focal length keeps the angle of view along the diagonal (CIPA DCG-001)."""
ASSUMED_FOCAL_35MM = 26.0
"""Our choice: the usual main camera of a phone, 79 degrees along the diagonal."""


@dataclass(frozen=True)
class Camera:
    """Square pixels, the optical axis through the middle of the image, no distortion."""

    height: int
    width: int
    focal_px: float
    source: str
    """Where the focal length comes from, in words."""

    @classmethod
    def from_focal_px(cls, size: tuple[int, int], focal_px: float) -> Camera:
        """Raises UserError unless the focal length, in pixels of an image of `size` (height, width), is positive."""
        if not (math.isfinite(focal_px) and focal_px > 0):
            raise UserError(f"focal length of {focal_px} pixels: expected a positive number of pixels, not millimetres")
        return cls(*size, focal_px, f"focal length of {focal_px:g} pixels as given")

    @classmethod
    def from_fov_deg(cls, size: tuple[int, int], fov_deg: float) -> Camera:
        """From the horizontal field of view in degrees. Raises UserError unless it is between 1 and 179."""
        if not 1 <= fov_deg <= 179:
            raise UserError(f"field of view of {fov_deg:g} degrees: expected 1 to 179, along the image's width")
        focal_px = size[1] / 2 / math.tan(math.radians(fov_deg) / 2)
        return cls(*size, focal_px, f"horizontal field of view of {fov_deg:g} degrees as given")

    @classmethod
    def of_photo(cls, size: tuple[int, int], photo: Path) -> Camera:
        """From the photo's EXIF focal length in 35 mm terms; assumed where there is none (`is_assumed`)."""
        focal_35mm = exif_focal_35mm(photo)
        if focal_35mm is None:
            source = f"assumed: {ASSUMED_FOCAL_35MM:g} mm in 35 mm terms, as a phone's main camera has"
        else:
            source = f"EXIF: {focal_35mm:g} mm in 35 mm terms"
        focal_px = (focal_35mm or ASSUMED_FOCAL_35MM) / FILM_DIAGONAL_MM * math.hypot(*size)
        return cls(*size, focal_px, source)

    @classmethod
    def given_or_stated(
        cls, size: tuple[int, int], focal_px: float | None, fov_deg: float | None, photo: Path
    ) -> Camera:
        """From what is given, else `of_photo`."""
        if focal_px is not None:
            return cls.from_focal_px(size, focal_px)
        return cls.of_photo(size, photo) if fov_deg is None else cls.from_fov_deg(size, fov_deg)

    @property
    def is_assumed(self) -> bool:
        return self.source.startswith("assumed")

    def unproject(self, depth: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
        """The point that each pixel's centre shows: x right, y down, z along the optical axis, in the unit of `depth`.

        Raises:
            UserError: the depth has another size than the camera's image.
        """
        if depth.shape != (self.height, self.width):
            raise UserError(
                f"depth of {depth.shape[0]}x{depth.shape[1]} pixels for a camera of {self.height}x{self.width}"
            )
        x = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal_px
        y = (np.arange(self.height) + 0.5 - self.height / 2) / self.focal_px
        rays = np.stack(np.broadcast_arrays(x[None, :], y[:, None], np.ones(1)), axis=-1)
        return rays * depth[..., None]


def exif_focal_35mm(photo: Path) -> float | None:
    """Focal length in 35 mm terms, in millimetres; None where the photo does not state one (0 means unknown there)."""
    with open_photo(photo) as image:
        stated = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    return float(stated) if isinstance(stated, int | float) and stated > 0 else None
