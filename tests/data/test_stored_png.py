import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tr2m.data.decoding.stored_png import with_stored_pixels

RNG = np.random.default_rng(0)
# Rows of 200 pixels, and more bytes than one stored block holds.
COLOURS = RNG.integers(0, 256, (300, 200, 4), dtype=np.uint8)
PICTURES = {
    "1": Image.fromarray(COLOURS[..., 0] > 127),
    "P": Image.fromarray(COLOURS[..., :3]).quantize(7),
    **{mode: Image.fromarray(COLOURS).convert(mode) for mode in ("L", "LA", "RGB", "RGBA")},
    "I;16": Image.fromarray(RNG.integers(0, 65536, (300, 200), dtype=np.uint16)),
}


def as_png(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png", **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def grey_png(height: int, width: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("mode", PICTURES)
def test_picture_is_the_same_and_no_longer_deflated(mode):
    picture = PICTURES[mode]
    stored = with_stored_pixels(as_png(picture))
    first_block = stored.index(b"IDAT") + 6
    assert stored[first_block] & 0b110 == 0, "RFC 1951: block type 0 is stored"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored))), np.asarray(picture))


def test_what_comes_before_and_after_the_pixels_stays():
    png = as_png(PICTURES["RGB"], dpi=(300, 300)) + b"after the end"
    stored = with_stored_pixels(png)
    assert stored.startswith(png[: png.index(b"IDAT") - 4])
    assert stored.endswith(png[png.index(b"IEND") - 4 :])


def test_pixels_in_many_chunks_are_joined():
    png = cv2.imencode(".png", np.ascontiguousarray(COLOURS[..., :3]))[1].tobytes()
    assert png.count(b"IDAT") > 3
    stored = with_stored_pixels(png)
    assert stored.count(b"IDAT") == 1
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(stored, np.uint8), -1), COLOURS[..., :3])


PLAIN = as_png(PICTURES["L"])
END_OF_PIXELS = PLAIN.index(b"IEND") - 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:40],
        PLAIN[: END_OF_PIXELS - 100],
        # The last byte of the pixels' own checksum.
        PLAIN[: END_OF_PIXELS - 1] + bytes([PLAIN[END_OF_PIXELS - 1] ^ 1]) + PLAIN[END_OF_PIXELS:],
        grey_png(4, 4, bytes(19)),
        grey_png(4, 4, bytes(21)),
        grey_png(4, 4, bytes(10_000_000)),
        grey_png(20_000, 20_000, bytes(100)),
        cv2.imencode(".jpg", COLOURS[..., :3])[1].tobytes(),
    ],
    ids=["empty", "header", "cut", "checksum", "too short", "too long", "bomb", "too large", "jpeg"],
)
def test_what_is_unusual_is_left_to_the_decoder(data):
    assert with_stored_pixels(data) is data
