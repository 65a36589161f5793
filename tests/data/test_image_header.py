"""Image files that are not as one wishes: handled, or refused in words."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tr2m.data.decoding.decode import read_depth_png, read_depth_units, read_image, read_rgb, read_size
from tr2m.data.decoding.image_header import read_header
from tr2m.errors import UserError

PICTURE = Image.fromarray(cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8), (60, 40)))


def chunk(name: bytes, content: bytes) -> bytes:
    """Of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, rows: bytes) -> bytes:
    """A black-and-white PNG that claims a size."""
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


def exif_of(*orientations: int, order: str = "<", kind: str = "H") -> bytes:
    """EXIF data by hand: a TIFF header, then a directory with an entry for each (tag 274, a short or "I": a long)."""
    values = [struct.pack(f"{order}{kind}", orientation).ljust(4, b"\0") for orientation in orientations]
    entries = [struct.pack(f"{order}HHI", 274, {"H": 3, "I": 4}[kind], 1) + value for value in values]
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(entries))
    return header + b"".join(entries) + bytes(4)


def oriented(array: np.ndarray, suffix: str, orientation: int, order: str = "<") -> bytes:
    """An encoded picture with an orientation."""
    if suffix == ".tiff":
        buffer = BytesIO()
        Image.fromarray(array).save(buffer, "TIFF", tiffinfo={274: orientation})
        return buffer.getvalue()
    return with_exif(array, suffix, exif_of(orientation, order=order))


def with_exif(array: np.ndarray, suffix: str, *exifs: bytes) -> bytes:
    """An encoded JPEG or PNG with EXIF data, one segment or chunk for each."""
    data = cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array)[1].tobytes()
    if suffix == ".jpg":
        return data[:2] + b"".join(segment(exif) for exif in exifs) + data[2:]
    return data[:33] + b"".join(chunk(b"eXIf", exif) for exif in exifs) + data[33:]


def segment(exif: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
def test_orientation_in_every_format_and_byte_order(suffix: str, order: str):
    for orientation in range(10):
        header = read_header(oriented(np.asarray(PICTURE), suffix, orientation, order))
        # 0 and 9 mean nothing.
        assert (header.height, header.width) == (40, 60)
        assert header.orientation == (orientation if 1 <= orientation <= 8 else 1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_neither_image_nor_depth_of_a_frame_is_turned(tmp_path: Path, suffix: str, orientation: int):
    image, depth = tmp_path / f"image{suffix}", tmp_path / f"depth{'.png' if suffix == '.jpg' else suffix}"
    image.write_bytes(oriented(np.asarray(PICTURE), suffix, orientation))
    depth.write_bytes(oriented(np.arange(2400, dtype=np.uint16).reshape(40, 60), depth.suffix, orientation))
    for read, path in ((read_image, image), (read_size, image), (read_depth_units, depth), (read_size, depth)):
        if orientation == 1:
            read(path)
            continue
        with pytest.raises(UserError, match=rf"{path}: got the EXIF or TIFF orientation {orientation}, expected 1"):
            read(path)
    if orientation == 1:
        np.testing.assert_array_equal(read_depth_units(depth).ravel(), np.arange(2400))


@pytest.mark.parametrize("orientations", [(3, 1), (1, 3), (9, 3)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_one_orientation_of_several_is_enough_to_be_refused(tmp_path: Path, suffix: str, orientations: tuple[int, int]):
    path = tmp_path / f"twice{suffix}"
    for exifs in ([exif_of(one) for one in orientations], [exif_of(*orientations)]):
        path.write_bytes(with_exif(np.asarray(PICTURE), suffix, *exifs))
        with pytest.raises(UserError, match="got the EXIF or TIFF orientation 3, expected 1"):
            read_image(path)


def test_an_image_of_a_frame_is_not_turned_by_a_tag_that_opencv_reads_otherwise(tmp_path: Path):
    path = tmp_path / "long.png"
    # A long of two halves, of which OpenCV reads the first: 3.
    path.write_bytes(with_exif(np.asarray(PICTURE), ".png", exif_of(0x10003, kind="I")))
    np.testing.assert_array_equal(read_image(path), np.asarray(PICTURE))


def test_formats_that_could_be_turned_but_are_not_read(tmp_path: Path):
    PICTURE.save(tmp_path / "a.webp")
    with pytest.raises(UserError, match="expected a JPEG, PNG or TIFF file"):
        read_image(tmp_path / "a.webp")


def test_a_tiff_file_that_ends_in_its_directory_is_truncated():
    whole = oriented(np.asarray(PICTURE), ".tiff", 1)
    assert read_header(whole).complete
    assert not read_header(whole[:60]).complete


def test_exif_data_that_are_damaged_or_belong_to_something_else_mean_nothing():
    whole = oriented(np.asarray(PICTURE), ".jpg", 6)
    assert read_header(whole).orientation == 6
    assert read_header(whole.replace(b"Exif\0\0", b"http:/")).orientation == 1
    assert read_header(whole.replace(b"II*\0", b"II+\0")).orientation == 1
    # The first directory would lie behind the end.
    assert read_header(whole.replace(b"II*\0\x08", b"II*\0\xf8")).orientation == 1


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
