"""What an image file says about itself, read without decoding it: a file of 50 kB may claim 400 megapixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_JPEG_END = 0xD9
# Those of a start of frame, which holds the size; C4, C8 and CC among them mean something else.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# After an FF these belong to the compressed data (a stuffed zero, TEM, restarts), or an FF that fills up follows.
_JPEG_DATA = {0x00, 0x01, *range(0xD0, 0xD8), 0xFF}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT = 256, 257, 3


@dataclass(frozen=True)
class ImageHeader:
    """Size in pixels, 0 where the file does not say; whether the file ends as it should; how many pictures it holds."""

    height: int
    width: int
    complete: bool
    several: bool


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
    position = 2
    while (position := data.find(0xFF, position)) >= 0 and position + 1 < len(data):
        marker = data[position + 1]
        position += 1 if marker == 0xFF else 2
        if marker == _JPEG_END:
            return ImageHeader(height, width, complete=True, several=False)
        if marker in _JPEG_DATA:
            continue
        if marker in _JPEG_FRAMES:
            height = int.from_bytes(data[position + 3 : position + 5])
            width = int.from_bytes(data[position + 5 : position + 7])
        position += int.from_bytes(data[position : position + 2])
    return ImageHeader(height, width, complete=False, several=False)


def _png_header(data: bytes) -> ImageHeader:
    """Walk over the chunks (length, name, content, checksum) to the closing one; an acTL chunk means animation."""
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    several = False
    position = len(PNG_START)
    while position + 12 <= len(data):
        name = data[position + 4 : position + 8]
        if name == b"IEND":
            return ImageHeader(height, width, complete=True, several=several)
        several |= name == b"acTL"
        position += 12 + int.from_bytes(data[position : position + 4])
    return ImageHeader(height, width, complete=False, several=several)


def _tiff_header(data: bytes, order: str) -> ImageHeader:
    """Read the first directory: 12 bytes an entry, then the place of the next directory, 0 after the last."""
    sizes = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(count):
            tag, kind = struct.unpack_from(f"{order}HH", data, start + 2 + 12 * entry)
            if tag in sizes:
                letter = "H" if kind == _TIFF_SHORT else "I"
                (sizes[tag],) = struct.unpack_from(f"{order}{letter}", data, start + 10 + 12 * entry)
        (following,) = struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)
    except struct.error:
        return ImageHeader(0, 0, complete=False, several=False)
    # Strips may be anywhere: whether they are all there, OpenCV says.
    return ImageHeader(sizes[_TIFF_HEIGHT], sizes[_TIFF_WIDTH], complete=True, several=following != 0)
