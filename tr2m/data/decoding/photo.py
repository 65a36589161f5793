"""A photo of any common format. It stands alone: frames of data sets, which have depth, are read by decode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from tr2m.data.decoding.decode import MAX_PIXELS, read_rgb
from tr2m.errors import UserError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif")
# Brands of HEIF files, which stand behind "ftyp" (ISO/IEC 23008-12, annex B).
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_START = 12


def read_photo(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB photo in a JPEG, PNG, WebP, TIFF or HEIC file, 8 bits a channel, turned upright where its EXIF data ask
    for it. The file's content counts, not its name; alpha is dropped, and 16 bits become 8.

    Raises:
        UserError: there is no such file, it is damaged, an animation, too large or of another kind, or it is HEIC and
            pillow-heif is not installed.
    """
    if not _is_pillows(path):
        return read_rgb(path)
    with open_photo(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UserError(
                f"{path}: got {image.height}x{image.width} (height x width), expected at most {MAX_PIXELS // 10**6} "
                "megapixels. Make it smaller."
            )
        # A burst of an iPhone is one HEIC file of several pictures: its primary one is the photo.
        if image.format == "WEBP" and getattr(image, "n_frames", 1) > 1:
            raise UserError(f"{path}: got an animation, expected one picture. Save the one you want.")
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


@contextmanager
def open_photo(path: Path) -> Iterator[Image.Image]:
    """The file, opened by Pillow, with its EXIF data. Raises UserError if it cannot be read."""
    if _is_heif(_start(path)):
        _register_heif(path)
    try:
        with Image.open(path) as image:
            yield image
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: damaged, or no picture: Pillow cannot read it. Copy the file again.") from error
    # Image.DecompressionBombError: Pillow's own limit, beyond ours. SyntaxError, ValueError: broken EXIF data.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read as a picture ({error}). Copy the file again.") from error


def _is_pillows(path: Path) -> bool:
    """Whether Pillow reads the file: WebP and HEIC. OpenCV decodes the others faster, 16 bits included."""
    start = _start(path)
    return _is_heif(start) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _is_heif(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _start(path: Path) -> bytes:
    """The first bytes of a file, none if it cannot be opened: who decodes it will raise."""
    try:
        with path.open("rb") as file:
            return file.read(_START)
    except OSError:
        return b""


def _register_heif(path: Path) -> None:
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        advice = "pip install 'tr2m[heic]', or save the photo as JPEG"
        raise UserError(f"{path} is HEIC, which needs pillow-heif: {advice}") from error
    pillow_heif.register_heif_opener()
