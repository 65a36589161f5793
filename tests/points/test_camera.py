import math
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tr2m.errors import UserError
from tr2m.points.camera import Camera


def photo(path: Path, focal_35mm: int | None) -> Path:
    exif = Image.Exif()
    if focal_35mm is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = focal_35mm
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    return path


def test_points_project_back_onto_the_centres_of_their_pixels():
    camera = Camera.from_focal_px((30, 41), 37.5)
    depth = np.random.default_rng(0).uniform(0.5, 90, (30, 41)).astype(np.float32)
    x, y, z = np.moveaxis(camera.unproject(depth), -1, 0)
    np.testing.assert_allclose(z, depth)
    rows, columns = np.mgrid[:30, :41]
    assert np.abs(37.5 * x / z + 20.5 - (columns + 0.5)).max() < 0.01
    assert np.abs(37.5 * y / z + 15.0 - (rows + 0.5)).max() < 0.01


def test_x_points_right_and_y_down():
    points = Camera.from_focal_px((3, 3), 2.0).unproject(np.full((3, 3), 4.0))
    # One pixel off the middle at 4 m with a focal length of 2 pixels is 2 m off the axis.
    assert points[0, 2].tolist() == [2, -2, 4]
    assert points[2, 0].tolist() == [-2, 2, 4]
    assert points[1, 1].tolist() == [0, 0, 4]


def test_a_field_of_view_of_90_degrees_has_half_the_width_as_its_focal_length():
    assert Camera.from_fov_deg((300, 400), 90).focal_px == pytest.approx(200)


@pytest.mark.parametrize("size", [(30, 40), (40, 30)])
def test_exif_focal_length_keeps_the_diagonal_angle_in_either_orientation(tmp_path: Path, size: tuple[int, int]):
    camera = Camera.of_photo(size, photo(tmp_path / "a.jpg", 43))
    # The diagonal of the film is 43.27 mm, that of the photo 50 pixels.
    assert camera.focal_px == pytest.approx(43 / 43.2666 * 50, rel=1e-4)
    assert camera.source == "EXIF: 43 mm in 35 mm terms"
    assert not camera.is_assumed


@pytest.mark.parametrize("stated", [None, 0])
def test_without_a_focal_length_one_is_assumed_and_says_so(tmp_path: Path, stated: int | None):
    camera = Camera.of_photo((30, 40), photo(tmp_path / "a.jpg", stated))
    assert camera.is_assumed
    assert 2 * math.degrees(math.atan(25 / camera.focal_px)) == pytest.approx(79.5, abs=0.1)


@pytest.mark.parametrize("focal", [0.0, -3.0, math.nan, math.inf])
def test_impossible_focal_lengths_are_refused(focal: float):
    with pytest.raises(UserError, match="positive number of pixels"):
        Camera.from_focal_px((3, 3), focal)


@pytest.mark.parametrize("angle", [0.0, 180.0, math.nan])
def test_impossible_angles_are_refused(angle: float):
    with pytest.raises(UserError, match="1 to 179"):
        Camera.from_fov_deg((3, 3), angle)


def test_depth_of_another_size_is_refused():
    with pytest.raises(UserError, match="2x3 pixels for a camera of 3x2"):
        Camera.from_focal_px((3, 2), 1.0).unproject(np.ones((2, 3)))


def test_what_is_no_image_is_refused(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"a\.jpg: damaged, or no picture"):
        Camera.of_photo((3, 3), tmp_path / "a.jpg")
