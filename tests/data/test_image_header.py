"""Image files that are not as one wishes: handled, or refused in words."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tr2m.data.decoding.decode import read_depth_png, read_rgb
from tr2m.errors import UserError

PICTURE = Image.fromarray(cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8), (60, 40)))


def png(width: int, height: int, rows: bytes) -> bytes:
    """A black-and-white PNG that claims a size."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "change", "tolerance"),
    [
        ("cmyk.jpg", lambda image: image.convert("CMYK"), 2),
        ("palette.png", lambda image: image.quantize(16), 0),
        ("grey.png", lambda image: image.convert("L"), 0),
        ("grey_alpha.png", lambda image: image.convert("LA"), 0),
        ("one_bit.png", lambda image: image.convert("1"), 0),
        ("one_page.tiff", lambda image: image, 0),
    ],
)
def test_unusual_files_are_decoded_as_pillow_does(tmp_path: Path, name: str, change, tolerance: int):
    change(PICTURE).save(tmp_path / name)
    expected = np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)
    assert np.abs(read_rgb(tmp_path / name) - expected).mean() <= tolerance


def test_sixteen_bits_keep_the_high_byte(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "16.png"), np.asarray(PICTURE)[..., ::-1].astype(np.uint16) * 256 + 77)
    np.testing.assert_array_equal(read_rgb(tmp_path / "16.png"), np.asarray(PICTURE))


def test_exif_turns_the_picture_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    PICTURE.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = np.rot90(np.asarray(PICTURE), -1).astype(int)
    assert np.abs(read_rgb(tmp_path / "turned.jpg") - upright).mean() < 3


@pytest.mark.parametrize("name", ["animated.png", "pages.tiff"])
def test_more_than_one_picture_is_refused(tmp_path: Path, name: str):
    PICTURE.save(tmp_path / name, save_all=True, append_images=[PICTURE.rotate(90)])
    with pytest.raises(UserError, match=r"got an animation or several pages, expected one picture"):
        read_rgb(tmp_path / name)


def test_a_small_file_that_claims_400_megapixels_is_refused_before_it_is_decoded(tmp_path: Path):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png(20_000, 20_000, bytes(2501 * 20_000)))
    assert bomb.stat().st_size < 60_000
    for read in (read_rgb, lambda path: read_depth_png(path, 1000)):
        with pytest.raises(UserError, match=r"got 20000x20000 .* at most 100 megapixels"):
            read(bomb)
    jpeg = tmp_path / "claims.jpg"
    PICTURE.save(jpeg)
    content = jpeg.read_bytes()
    jpeg.write_bytes(content.replace(struct.pack(">HH", 40, 60), struct.pack(">HH", 60_000, 60_000)))
    with pytest.raises(UserError, match="got 60000x60000"):
        read_rgb(jpeg)
    tiff = tmp_path / "claims.tiff"
    PICTURE.save(tiff)
    content = tiff.read_bytes()
    tiff.write_bytes(content.replace(struct.pack("<HHII", 256, 4, 1, 60), struct.pack("<HHII", 256, 4, 1, 10**8)))
    with pytest.raises(UserError, match="got 40x100000000"):
        read_rgb(tiff)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (5, 0), (0, 5)])
def test_no_pixels_are_no_picture(tmp_path: Path, width: int, height: int):
    (tmp_path / "empty.png").write_bytes(png(width, height, b""))
    with pytest.raises(UserError, match="cannot decode"):
        read_rgb(tmp_path / "empty.png")
