"""What an image file's header states, read without decoding the image: a file of 50 kB may claim 400 megapixels."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_JPEG_END = 0xD9
# Those of a start of frame, which holds the size; C4, C8 and CC among them mean something else.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# After an FF these belong to the compressed data (a stuffed zero, TEM, restarts), or an FF that fills up follows.
_JPEG_DATA = {0x00, 0x01, *range(0xD0, 0xD8), 0xFF}
_JPEG_APP1, _JPEG_EXIF = 0xE1, b"Exif\0\0"
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_ORIENTATION, _TIFF_SHORT = 256, 257, 274, 3
_UPRIGHT = 1


@dataclass(frozen=True)
class ImageHeader:
    """Size in pixels as stored, 0 where not stated; whether the file ends as it should; whether it holds
    more than one picture; and how a viewer turns or mirrors the stored pixels (1 to 8, EXIF 2.32 section 4.6.4; 1: not
    at all). Of several orientations, of which one decoder takes the first and another the last, the largest.
    """

    height: int
    width: int
    complete: bool
    several: bool
    orientation: int = _UPRIGHT
    is_tiff: bool = False


def read_header(data: bytes) -> ImageHeader | None:
    """The header of a JPEG, PNG or TIFF file, None for other data."""
    if data.startswith(JPEG_START):
        return _jpeg_header(data)
    if data.startswith(PNG_START):
        return _png_header(data)
    if data[:4] in _TIFF_ORDERS:
        return _tiff_header(data, _TIFF_ORDERS[data[:4]])
    return None


def _jpeg_header(data: bytes) -> ImageHeader:
    """Walk over segments and scans to the end marker. Thumbnails inside segments have their own: skipped."""
    height = width = 0
    orientation = _UPRIGHT
    position = 2
    while (position := data.find(0xFF, position)) >= 0 and position + 1 < len(data):
        marker = data[position + 1]
        position += 1 if marker == 0xFF else 2
        if marker == _JPEG_END:
            return ImageHeader(height, width, complete=True, several=False, orientation=orientation)
        if marker in _JPEG_DATA:
            continue
        length = int.from_bytes(data[position : position + 2])
        if marker in _JPEG_FRAMES:
            height = int.from_bytes(data[position + 3 : position + 5])
            width = int.from_bytes(data[position + 5 : position + 7])
        elif marker == _JPEG_APP1 and data.startswith(_JPEG_EXIF, position + 2):
            orientation = max(orientation, _exif_orientation(data[position + 2 + len(_JPEG_EXIF) : position + length]))
        position += length
    return ImageHeader(height, width, complete=False, several=False, orientation=orientation)


def _png_header(data: bytes) -> ImageHeader:
    """Walk over the chunks (length, name, content, checksum) to the closing one; an acTL chunk means animation."""
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    several, complete, orientation = False, False, _UPRIGHT
    position = len(PNG_START)
    while position + 12 <= len(data) and not complete:
        length, name = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        complete = name == b"IEND"
        several |= name == b"acTL"
        if name == b"eXIf":
            orientation = max(orientation, _exif_orientation(data[position + 8 : position + 8 + length]))
        position += 12 + length
    return ImageHeader(height, width, complete, several, orientation)


def _tiff_header(data: bytes, order: str) -> ImageHeader:
    entries, following = _first_directory(data, order)
    tags = dict(entries)
    height, width = tags.get(_TIFF_HEIGHT, 0), tags.get(_TIFF_WIDTH, 0)
    # Strips may be anywhere: whether they are all there shows when OpenCV decodes them.
    return ImageHeader(height, width, following is not None, bool(following), _orientation(entries), is_tiff=True)


def _exif_orientation(exif: bytes) -> int:
    """Of EXIF data, which are a TIFF file without a picture."""
    order = _TIFF_ORDERS.get(exif[:4])
    return _orientation(_first_directory(exif, order)[0]) if order else _UPRIGHT


def _orientation(entries: Sequence[tuple[int, int]]) -> int:
    """1 where the tag is missing or is none of the eight: cameras that do not know write 0, and no decoder turns it."""
    stated = [value for tag, value in entries if tag == _TIFF_ORIENTATION and value in range(1, 9)]
    return max(stated, default=_UPRIGHT)


def _first_directory(data: bytes, order: str) -> tuple[list[tuple[int, int]], int | None]:
    """The tags read here with their values, and the place of the next directory: 0 after the last, None where the data
    are cut off.

    A directory is the number of its entries, 12 bytes each, then the place of the next one.
    """
    entries: list[tuple[int, int]] = []
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(count):
            tag, kind = struct.unpack_from(f"{order}HH", data, start + 2 + 12 * entry)
            if tag in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_ORIENTATION):
                letter = "H" if kind == _TIFF_SHORT else "I"
                (value,) = struct.unpack_from(f"{order}{letter}", data, start + 10 + 12 * entry)
                entries.append((tag, value))
        return entries, struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)[0]
    except struct.error:
        return entries, None
