"""The only place that opens an image or a depth file of a data set."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from jaxtyping import Float, Shaped, UInt8, UInt16
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from tr2m.data.decoding.arrays import NPY, map_npy
from tr2m.data.decoding.frame_size import require_same_size
from tr2m.data.decoding.image_header import ImageHeader, read_header
from tr2m.data.decoding.stored_png import with_stored_pixels
from tr2m.errors import UserError
from tr2m.types import Frame

# 400 MB as float32 of one channel; the largest frame of a supported data set has 3 megapixels.
MAX_PIXELS = 100_000_000
# Bytes in which the size nearly always stands; a longer read costs more than all else when a table of frames is read.
_HEAD = 2**12


def read_rgb(path: str | Path) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB image in a JPEG or PNG file, 8 bits a channel, turned upright where its EXIF data say so: for a picture
    that stands alone.

    A grey image becomes three equal channels, alpha is dropped, and 16-bit files keep the high byte.
    Raises UserError if the file is missing, truncated or no image.
    """
    return _decode(Path(path), cv2.IMREAD_COLOR_RGB)


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB image of a frame that has ground truth, as `read_rgb` decodes it.

    Raises what `read_rgb` raises, and UserError if the file asks to be turned or mirrored: depth would not be.
    """
    return _decode(path, cv2.IMREAD_COLOR_RGB, as_stored=True)


def read_depth_units(path: Path) -> UInt16[np.ndarray, "H W"]:
    """Depth in the units of its file, a PNG or TIFF of one 16-bit channel.

    Raises UserError if the file is missing, truncated, of another kind, or asks to be turned or mirrored.
    """
    raw = _decode(path, cv2.IMREAD_UNCHANGED, as_stored=True)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        channels = 1 if raw.ndim == 2 else raw.shape[2]
        if channels > 1:
            advice = "Depth in colours cannot be turned back into metres: take the file that the picture was made from."
        elif raw.dtype == np.uint8:
            advice = _EIGHT_BITS
        else:
            advice = f'Save the same numbers as .npy: np.save("{path.stem}.npy", depth).'
        raise UserError(
            f"{path}: got a file of {channels} channel(s) of {raw.dtype}, expected depth as one channel of uint16. "
            f"{advice}"
        )
    return raw


def read_depth_array(path: Path) -> Shaped[np.ndarray, "H W"]:
    """Depth in the units of its .npy file, integers or floats. Raises UserError for anything else."""
    return np.array(_map_depth(path))


def read_depth_png(path: Path, divisor: float) -> Float[np.ndarray, "H W"]:
    """A file's units / divisor, float32, 0 where it has no measurement. Raises what `read_depth_units` raises."""
    return read_depth_units(path).astype(np.float32) / np.float32(divisor)


def read_image_and_depth(image_path: Path, depth_path: Path, divisor: float) -> Frame:
    """A frame out of an RGB file and a 16-bit depth PNG. Raises UserError also if their sizes differ."""
    return pair(read_image(image_path), read_depth_png(depth_path, divisor), image_path, depth_path)


def pair(image: np.ndarray, depth: np.ndarray, image_path: Path, depth_path: Path) -> Frame:
    """The frame of an image and its depth.

    Raises UserError, naming both files, if the image is not RGB of 8 bits or their sizes differ.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"{image_path}: got an image of {image.shape}, {image.dtype}, expected (H, W, 3) of uint8.")
    require_same_size(image.shape[:2], depth.shape, image_path, depth_path)
    return Frame(image, depth)


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) of an image or a depth file, from its header.

    Raises UserError if the file is none of those that the functions above read, or asks to be turned or mirrored.
    """
    if path.suffix.lower() == NPY:
        height, width = _map_depth(path).shape
        return height, width
    data = _read(path, _HEAD)
    header = read_header(data)
    if header is None or header.height == 0:
        data = _read(path)
        header = read_header(data)
    header = _require_picture(path, data, header)
    _require_as_stored(path, header)
    return header.height, header.width


def _map_depth(path: Path) -> np.ndarray:
    array = map_npy(path).squeeze()
    if array.dtype == np.bool_:
        raise UserError(f"{path}: got a mask (true and false), expected depth: integers or floats.")
    if array.dtype.itemsize == 1:
        raise UserError(f"{path}: got {array.dtype}, expected depth of more than 8 bits. {_EIGHT_BITS}")
    if array.ndim != 2:
        raise UserError(f"{path}: got an array of {array.shape}, expected depth: (height, width).")
    return array


@contextmanager
def open_mat(path: Path, expected: str) -> Iterator[dict[str, Any]]:
    """The variables of a MATLAB file up to v7.2 (later ones are HDF5: `open_hdf5`).

    Raises UserError, with what was `expected`, if it is missing, damaged, or lacks a field that the block asks for.
    """
    try:
        with path.open("rb") as file:
            variables = loadmat(file)
        yield variables
    except FileNotFoundError:
        raise UserError(f"no file {path}: expected {expected}. {_COMPARE}") from None
    except (OSError, KeyError, ValueError, TypeError, NotImplementedError, MatReadError, zlib.error) as error:
        raise UserError(f"{path}: got: {error}; expected {expected}.") from error


@contextmanager
def open_hdf5(path: Path, expected: str) -> Iterator[h5py.File]:
    """An HDF5 file (MATLAB v7.3 files are such), open for reading.

    Raises UserError, with what was `expected`, if it is missing, damaged, or lacks a data set that the block asks for.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"no file {path}: expected {expected}. {_COMPARE}") from None
    # TypeError, AttributeError: there is something of that name, but no array. MemoryError: one larger than any memory.
    except (OSError, KeyError, TypeError, AttributeError, ValueError, MemoryError) as error:
        raise UserError(f"{path}: got: {error}; expected {expected}.") from error


def hdf5_array(file: h5py.File, name: str | h5py.Reference) -> h5py.Dataset:
    """The array of an open HDF5 file. Raises TypeError, which `open_hdf5` reports, if that is a group or a type."""
    node = file[name]
    if not isinstance(node, h5py.Dataset):
        raise TypeError(f"{name} is no array")
    return node


_EIGHT_BITS = "Eight bits hold 255 steps: take the file as it was published, not a preview or a copy of it."
_COMPARE = "Compare the folder with docs/datasets.md."


def _read(path: Path, count: int = -1) -> bytes:
    """The first `count` bytes of a file, or all. By Python's own files: OpenCV's crash on names that are not ASCII
    where the locale is C.
    """
    try:
        with path.open("rb") as file:
            return file.read(count)
    except FileNotFoundError:
        raise UserError(f"no file {path}: expected a JPEG, PNG or TIFF there. {_COMPARE}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}), expected a JPEG, PNG or TIFF file.") from error


def _decode(path: Path, flags: int, as_stored: bool = False) -> np.ndarray:
    """The pixels of a picture. Raises UserError for what OpenCV would decode wrongly, in part, or not at all."""
    data = _read(path)
    header = _require_picture(path, data, read_header(data))
    if as_stored:
        _require_as_stored(path, header)
        # OpenCV reads damaged EXIF data otherwise than the header is read here.
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    # Some versions of OpenCV decode what there is of a truncated JPEG and fill up with grey.
    if not header.complete:
        raise UserError(
            f"{path}: truncated: got {len(data)} bytes, expected an end marker. Copy or unpack the file again."
        )
    pixels = np.frombuffer(with_stored_pixels(data), np.uint8)
    if header.is_tiff and flags != cv2.IMREAD_UNCHANGED:
        _require_shades(path, _imdecode(pixels, cv2.IMREAD_UNCHANGED))
    decoded = _imdecode(pixels, flags)
    if decoded is None:
        raise UserError(
            f"{path}: damaged: got {len(data)} bytes that OpenCV cannot decode, expected a JPEG, PNG or TIFF file. "
            "Copy or unpack the file again."
        )
    return decoded


def _imdecode(data: UInt8[np.ndarray, " N"], flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:
        return None


def _require_shades(path: Path, stored: np.ndarray | None) -> None:
    """Raise UserError if a TIFF file holds numbers that are no shades of 8 or 16 bits: OpenCV would call it damaged."""
    if stored is not None and stored.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"{path}: got a TIFF file of {stored.dtype}, expected a picture of 8 or 16 bits a channel. Depth and other "
            "measurements are no picture: give the photo that they belong to. A picture in floating point, save as PNG."
        )


def _require_picture(path: Path, data: bytes, header: ImageHeader | None) -> ImageHeader:
    """Raise UserError if this is no picture, more than one, or one that would take all the memory there is."""
    if header is None:
        raise UserError(
            f"{path}: got {len(data)} bytes that start with {data[:8]!r}, expected a JPEG, PNG or TIFF file."
        )
    if header.height * header.width > MAX_PIXELS:
        raise UserError(
            f"{path}: got {header.height}x{header.width} (height x width), expected at most {MAX_PIXELS // 10**6} "
            "megapixels. Make it smaller."
        )
    if header.several:
        raise UserError(f"{path}: got an animation or several pages, expected one picture. Save the one you want.")
    return header


def _require_as_stored(path: Path, header: ImageHeader) -> None:
    """Raise UserError if a viewer would turn or mirror the picture: image and depth must agree pixel by pixel, and no
    tag shows whether the other file was made from the stored pixels or from the turned ones.
    """
    if header.orientation != 1:
        raise UserError(
            f"{path}: got the EXIF or TIFF orientation {header.orientation}, expected 1: a file of a frame is used as "
            "it is stored. Look at image and depth side by side. If the stored pixels agree, reset the tag: "
            f"exiftool -Orientation=1 -n {path.name}. If the turned ones do, write the image anew, turned."
        )
