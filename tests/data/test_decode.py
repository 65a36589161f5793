from pathlib import Path

import cv2
import numpy as np
import pytest

from tr2m.data.decoding.arrays import read_npy, read_npz
from tr2m.data.decoding.decode import (
    read_depth_array,
    read_depth_png,
    read_image_and_depth,
    read_rgb,
    read_size,
)
from tr2m.data.decoding.frame_size import require_same_size
from tr2m.errors import UserError

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)
# MATLAB and phones write an orientation like this one: turn a quarter to the right.
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def encoded(extension: str, array: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(extension, array, options)[1].tobytes()


def with_segment(jpeg: bytes, content: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content + jpeg[2:]


JPEGS = {
    "baseline": encoded(".jpg", COLOURS),
    "progressive": encoded(".jpg", COLOURS, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encoded(".jpg", COLOURS, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "thumbnail": with_segment(encoded(".jpg", COLOURS), b"MPF\0" + encoded(".jpg", COLOURS[:8, :8])),
}
PNG = encoded(".png", COLOURS)


def test_rgb_has_red_first(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), COLOURS[..., ::-1])


def test_rgb_of_other_kinds_is_three_channels_of_eight_bits(tmp_path):
    grey = RNG.integers(0, 256, (4, 5), dtype=np.uint8)
    deep = RNG.integers(0, 65536, (4, 5, 4), dtype=np.uint16)
    (tmp_path / "grey.png").write_bytes(encoded(".png", grey))
    (tmp_path / "deep.png").write_bytes(encoded(".png", deep))
    np.testing.assert_array_equal(read_rgb(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, -1))
    np.testing.assert_array_equal(read_rgb(tmp_path / "deep.png"), deep[..., 2::-1] >> 8)


def test_rgb_is_turned_upright(tmp_path):
    flat = np.zeros((16, 32, 3), np.uint8)
    flat[:, :16, 2] = 255
    (tmp_path / "a.jpg").write_bytes(with_segment(encoded(".jpg", flat), EXIF))
    image = read_rgb(tmp_path / "a.jpg")
    assert image.shape == (32, 16, 3)
    assert image[4, 8, 0] > 250
    assert image[28, 8, 0] < 5


@pytest.mark.parametrize("data", [*JPEGS.values(), PNG], ids=[*JPEGS, "png"])
def test_bytes_after_the_end_are_tolerated_and_a_cut_anywhere_is_not(tmp_path, data):
    path = tmp_path / "image"
    path.write_bytes(data + b"\0\xff\xd8 more")
    assert read_rgb(path).shape == COLOURS.shape
    for length in [*range(8, len(data), len(data) // 23), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match=rf"{path}: truncated: got {length} bytes"):
            read_rgb(path)


def test_depth_is_metres_and_zero_stays_zero(tmp_path):
    raw = np.array([[0, 1, 256], [1000, 21734, 65535]], np.uint16)
    (tmp_path / "d.png").write_bytes(encoded(".png", raw))
    kitti = read_depth_png(tmp_path / "d.png", 256.0)
    assert kitti.dtype == np.float32
    np.testing.assert_array_equal(kitti, [[0, 0.00390625, 1], [3.90625, 84.8984375, 255.99609375]])
    np.testing.assert_allclose(read_depth_png(tmp_path / "d.png", 1000.0)[1], [1, 21.734, 65.535], rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (encoded(".png", COLOURS[..., 0]), r"1 channel\(s\) of uint8, .* Eight bits hold 255 steps"),
        (encoded(".png", COLOURS.astype(np.uint16)), r"3 channel\(s\) of uint16, .* Depth in colours"),
        (JPEGS["baseline"], r"3 channel\(s\) of uint8, .* Depth in colours"),
        (
            encoded(".tiff", COLOURS[..., 0].astype(np.float32)),
            r"1 channel\(s\) of float32, .* np.save\(",
        ),
        (encoded(".tiff", COLOURS[..., 0].astype(np.int32)), r"1 channel\(s\) of int32, .* np.save"),
    ],
    ids=["8 bits", "colour", "jpeg", "float", "32 bits"],
)
def test_depth_of_another_kind_is_refused_with_what_to_do(tmp_path, data, got):
    path = tmp_path / "d.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"{path}: got a file of {got}") as caught:
        read_depth_png(path, 1000.0)
    assert "expected depth as one channel of uint16" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got 0 bytes"),
        (b"<html>quota exceeded</html>", "start with b'<html>qu', expected a JPEG, PNG or TIFF"),
        (PNG[:1000] + bytes([PNG[1000] ^ 255]) + PNG[1001:], "damaged"),
    ],
    ids=["empty", "web page", "flipped bits"],
)
def test_no_image_is_refused(tmp_path, data, message):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"{path}: .*{message}"):
        read_rgb(path)


def test_missing_file_and_folder_in_its_place(tmp_path):
    with pytest.raises(UserError, match=rf"no file {tmp_path}/a.png: expected .*docs/datasets.md"):
        read_rgb(tmp_path / "a.png")
    with pytest.raises(UserError, match=rf"{tmp_path}: cannot be read \(Is a directory\)"):
        read_depth_png(tmp_path, 1000.0)


def test_image_and_depth_of_different_sizes_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "d.png").write_bytes(encoded(".png", np.ones((64, 48), np.uint16)))
    with pytest.raises(UserError, match=r"d.png: got depth of 64x48 .* expected 48x64, .*a.png"):
        read_image_and_depth(tmp_path / "a.png", tmp_path / "d.png", 1000.0)


@pytest.mark.parametrize(
    ("image", "depth", "advice"),
    [
        # ARKit and ScanNet: one view, two sizes.
        ((1440, 1920), (192, 256), "resize the image to 192x256 by averaging over areas, or the depth to 1440x1920 by"),
        ((968, 1296), (480, 640), "resize the image to 480x640 by averaging over areas, or the depth to 968x1296 by"),
        ((480, 640), (640, 480), "One of the two is turned by a quarter"),
        ((480, 640), (480, 620), "they do not show the same view"),
        ((480, 640), (460, 640), "they do not show the same view"),
        ((480, 640), (0, 640), "they do not show the same view"),
    ],
)
def test_another_size_comes_with_advice_that_fits(image, depth, advice):
    with pytest.raises(UserError, match=rf"depth: got depth of {depth[0]}x{depth[1]} .* its image photo. .*{advice}"):
        require_same_size(image, depth, Path("photo"), Path("depth"))
    require_same_size(image, image, Path("photo"), Path("depth"))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tiff", "a.npy", "a.NPY"])
def test_the_size_is_read_from_the_header(tmp_path, name):
    path = tmp_path / name
    if path.suffix.lower() == ".npy":
        with path.open("wb") as file:
            np.save(file, np.ones((1, 48, 64), np.float32))
    else:
        path.write_bytes(encoded(path.suffix, COLOURS))
    assert read_size(path) == (48, 64)


def test_the_size_is_found_behind_a_large_segment_and_without_the_rest_of_the_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_segment(with_segment(JPEGS["baseline"], bytes(65_000)), bytes(65_000)))
    assert read_size(tmp_path / "a.jpg") == (48, 64)
    (tmp_path / "b.jpg").write_bytes(JPEGS["baseline"][:700])
    assert read_size(tmp_path / "b.jpg") == (48, 64)
    for content, message in ((b"<html>", "expected a JPEG, PNG or TIFF"), (b"", "got 0 bytes")):
        (tmp_path / "c.png").write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_size(tmp_path / "c.png")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((4, 5), bool), r"got a mask \(true and false\), expected depth"),
        (np.ones((4, 5), np.uint8), r"got uint8, expected depth of more than 8 bits. Eight bits hold 255 steps"),
        (np.ones(5), r"got an array of \(5,\), expected depth: \(height, width\)"),
        (np.ones((4, 5, 3)), r"got an array of \(4, 5, 3\)"),
    ],
)
def test_arrays_that_are_no_depth(tmp_path, array, message):
    np.save(tmp_path / "d.npy", array)
    for read in (read_depth_array, read_size):
        with pytest.raises(UserError, match=message):
            read(tmp_path / "d.npy")


def test_array_that_claims_more_than_its_file_holds_is_refused_before_memory_is_asked_for(tmp_path):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (200_000, 200_000)}
        )
        file.write(bytes(100))
    with pytest.raises(UserError, match=r"expected a .npy file of numbers, got: mmap length is greater than file size"):
        read_npy(path)


@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]"])
def test_an_array_that_holds_no_real_numbers_is_refused(tmp_path: Path, dtype: str):
    np.save(tmp_path / "a.npy", np.zeros((2, 2)).astype(dtype))
    with pytest.raises(UserError, match=r"expected a .npy file of real numbers, got "):
        read_npy(tmp_path / "a.npy")


def test_a_npy_header_whose_type_is_no_python_is_refused(tmp_path: Path):
    header = b"{'descr': ',)f4', 'fortran_order': False, 'shape': (2, 2), }".ljust(117) + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16))
    with pytest.raises(UserError, match=r"expected a .npy file of numbers, got: unmatched"):
        read_npy(tmp_path / "a.npy")


def test_an_archive_of_arrays_is_read_and_a_damaged_or_empty_one_refused(tmp_path: Path):
    path, values = tmp_path / "a.npz", np.arange(6.0).reshape(2, 3)
    np.savez_compressed(path, depth=values)
    np.testing.assert_array_equal(read_npz(path), values)
    content = path.read_bytes()
    for damaged in (content[:-30], content[:60] + b"garbage" + content[67:], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.npz: expected a \.npz file"):
            read_npz(path)
    np.savez(path)
    with pytest.raises(UserError, match=r"expected a \.npz file of real numbers, got no array"):
        read_npz(path)
    np.savez(path, valid=np.ones((2, 3)), depth=values)
    with pytest.raises(UserError, match=r"^\S+/a\.npz: got 2 arrays \(valid, depth\), expected one\. Save it alone\.$"):
        read_npz(path)
