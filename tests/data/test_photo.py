"""Photos of the formats that cameras and browsers write, written by Pillow and pillow-heif themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from tr2m.data.decoding import photo
from tr2m.data.decoding.photo import read_photo
from tr2m.errors import UserError
from tr2m.points.camera import Camera

pillow_heif.register_heif_opener()
# Smooth, so that lossy formats keep it; no two corners are alike, so that a turned one shows.
ROWS, COLUMNS = np.mgrid[:24, :36]
PICTURE = np.stack([ROWS * 10, COLUMNS * 7, 255 - ROWS * 5 - COLUMNS * 3], axis=-1).astype(np.uint8)
FORMATS = {
    "jpg": ("JPEG", {"quality": 98}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "tif": ("TIFF", {}),
    "heic": ("HEIF", {"quality": 98}),
}


def save(path: Path, form: str, pixels: np.ndarray = PICTURE, **options: object) -> Path:
    name, more = FORMATS[form]
    Image.fromarray(pixels).save(path, name, **{**more, **options})
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_the_picture_in_every_format_whatever_the_file_is_called(tmp_path: Path, form: str):
    for name in (f"a.{form}", "b.jpg"):
        pixels = read_photo(save(tmp_path / name, form))
        assert (pixels.shape, pixels.dtype) == ((24, 36, 3), np.uint8)
        np.testing.assert_allclose(pixels.astype(int), PICTURE, atol=12 if form in ("jpg", "heic") else 0)


# In HEIC a box of the file says how it is turned, which libheif does; EXIF's orientation does not count there.
@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif"])
def test_a_photo_on_its_side_is_turned_upright(tmp_path: Path, form: str):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = np.ascontiguousarray(np.rot90(PICTURE))
    pixels = read_photo(save(tmp_path / "a", form, stored, exif=exif))
    np.testing.assert_allclose(pixels.astype(int), PICTURE, atol=14 if form == "jpg" else 0)


@pytest.mark.parametrize("form", ["jpg", "webp", "heic"])
def test_the_focal_length_in_its_exif_data_is_found(tmp_path: Path, form: str):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 43
    camera = Camera.of_photo((24, 36), save(tmp_path / "a", form, exif=exif))
    # The diagonal of film is 43.27 mm, that of the photo as many pixels.
    assert camera.focal_px == pytest.approx(43)


def test_grey_and_alpha_become_rgb(tmp_path: Path):
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "grey.webp", lossless=True)
    np.testing.assert_array_equal(read_photo(tmp_path / "grey.webp"), np.stack([PICTURE[..., 0]] * 3, axis=-1))
    alpha = np.full((24, 36, 1), 200, np.uint8)
    Image.fromarray(np.concatenate([PICTURE, alpha], axis=2)).save(tmp_path / "a.webp", lossless=True, exact=True)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.webp"), PICTURE)


def test_a_16_bit_tiff_becomes_8_bits(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.tif"), PICTURE[..., ::-1].astype(np.uint16) * 256 + 77)
    np.testing.assert_allclose(read_photo(tmp_path / "a.tif").astype(int), PICTURE, atol=1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_a_tiff_of_measurements_is_no_picture(tmp_path: Path, channels: int, kind: type):
    pixels = np.ones((24, 36, channels), kind)
    if not cv2.imwrite(str(tmp_path / "depth.tif"), pixels):
        pytest.skip("OpenCV does not write such a file")
    with pytest.raises(UserError, match=rf"depth.tif: got a TIFF file of {kind.__name__}, expected .* no picture"):
        read_photo(tmp_path / "depth.tif")


@pytest.mark.parametrize("form", ["webp", "heic"])
@pytest.mark.parametrize("kept", [16, 0.5, 0.97])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, kept: float):
    data = save(tmp_path / "a", form).read_bytes()
    (tmp_path / "a").write_bytes(data[: kept if kept >= 1 else int(kept * len(data))])
    with pytest.raises(UserError, match=r"a: (damaged|cannot be read)"):
        read_photo(tmp_path / "a")


def animation(path: Path) -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (animation, "an animation, expected one picture"),
        (lambda path: Image.new("L", (9000, 12_000)).save(path, "WEBP"), r"12000x9000 .*at most 100 megapixels"),
        (lambda path: path.write_text("no photo"), "expected a JPEG, PNG or TIFF file"),
        (lambda path: path.write_bytes(b""), "got 0 bytes"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: None, "no file"),
    ],
    ids=["animation", "large", "text", "empty", "folder", "missing"],
)
def test_what_is_no_photo_is_refused_in_words(tmp_path: Path, write: Callable[[Path], object], words: str):
    write(tmp_path / "a.webp")
    with pytest.raises(UserError, match=words):
        read_photo(tmp_path / "a.webp")


def test_without_pillow_heif_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save(tmp_path / "a.heic", "heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match=r"a.heic is HEIC, which needs pillow-heif: pip install 'tr2m\[heic\]'"):
        read_photo(tmp_path / "a.heic")
    assert photo.read_photo(save(tmp_path / "b.webp", "webp")).shape == (24, 36, 3)
