"""Which photos are predicted: of folders in folders, of tables, by which names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest

from tr2m.errors import UserError
from tr2m.inference.batches import ReadPhoto, batches
from tr2m.inference.photos import Photo, find_photos, listing, prediction_names


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(path: Path, *sentences: str) -> dict[str, str]:
    """The name of each prediction and the photo that it is of."""
    photos, _ = find_photos(path, sentences or ["a room"])
    return {photo.name: str(photo.path.relative_to(path if path.is_dir() else path.parent)) for photo in photos}


def test_folders_in_folders_are_searched_and_keep_their_places(tmp_path: Path):
    touch(tmp_path, "b.JPG", "a/c.webp", "a/d/e.heic", "a/d/f.tiff", ".trash/g.png", "a/.h.png")
    assert found(tmp_path) == {"a/c": "a/c.webp", "a/d/e": "a/d/e.heic", "a/d/f": "a/d/f.tiff", "b": "b.JPG"}


def test_earlier_predictions_are_no_photos(tmp_path: Path):
    touch(tmp_path, "a.png", "predictions/a/depth.png", "predictions/a/prediction.json")
    assert found(tmp_path) == {"a": "a.png"}
    _, others = find_photos(tmp_path, ["a room"])
    assert others == []


def test_a_link_to_a_folder_is_left_out_and_not_followed(tmp_path: Path):
    touch(tmp_path, "in/a.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    photos, others = find_photos(tmp_path / "in", ["a room"])
    assert [photo.name for photo in photos] == ["a"]
    assert others == [tmp_path / "in/loop"]


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["a.jpg", "b.png"], ["a", "b"]),
        (["a.jpg", "a.png", "b.png"], ["a.jpg", "a.png", "b"]),
        (["x/a.jpg", "y/a.png"], ["x/a", "y/a"]),
        # A photo beside a folder of its name: inside its prediction nothing else may lie.
        (["a.jpg", "a/b.jpg"], ["a.jpg", "a/b"]),
        # On many disks these are one name.
        (["A.jpg", "a.png"], ["A.jpg", "a.png"]),
        (["a.b.jpg"], ["a.b"]),
    ],
)
def test_no_two_predictions_share_a_folder(images: list[str], names: list[str]):
    assert prediction_names([PurePosixPath(image) for image in images]) == names


def test_other_files_are_counted_by_their_endings_and_the_first_are_named():
    files = [Path(f"x/{number}.mp4") for number in range(7)] + [Path("x/NOTES.TXT"), Path("x/Makefile")]
    assert (
        listing(files) == "7 .mp4 (0.mp4, 1.mp4, 2.mp4, 3.mp4, 4.mp4, ...), 1 .txt (NOTES.TXT), 1 no ending (Makefile)"
    )


def table(folder: Path, text: str, name: str = "photos.csv") -> Path:
    touch(folder, "a.png", "deep/b.jpg")
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def captions(path: Path) -> dict[str, tuple[str, ...]]:
    return {photo.name: photo.captions for photo in find_photos(path, [])[0]}


def test_a_table_has_a_sentence_for_each_photo(tmp_path: Path):
    rows = 'depth,caption,image\nx,"a room, small",a.png\n,a käse street,deep/b.jpg\n,a wide road,deep/b.jpg\n'
    expected = {"a": ("a room, small",), "deep/b": ("a käse street", "a wide road")}
    assert captions(table(tmp_path, rows)) == expected
    lines = (
        '{"image": "a.png", "caption": "a room, small"}\n'
        '{"image": "deep/b.jpg", "caption": ["a käse street", "a wide road"]}\n'
    )
    assert captions(table(tmp_path, lines, "photos.jsonl")) == expected


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("image,text\na.png,a room\n", r"got the columns \['image', 'text'\], expected also caption"),
        ("image,caption\n", "wrong rows:\n  it has none"),
        ("", "expected also image, caption"),
        ("image,caption\na.png,\n", r"line 2: got .* expected values for image and caption"),
        ("image,caption\na.png,  \n", "line 2: got the caption '  '"),
        ("image,caption\na.png,a room\nc.png,a room\n", "line 3: no file .*c.png"),
        ("image,caption\na.png,a room, small\n", r"line 2: got cells without a column|line 2: got more cells"),
        ("image,caption\n../a.png,a room\n", r"line 2: got '../a.png', expected a path below"),
        ('image,caption\na.png,"a room\n', "Close its double quotes"),
    ],
)
def test_a_wrong_table_is_refused_line_by_line(tmp_path: Path, rows: str, words: str):
    with pytest.raises(UserError, match=f"(?s){words}"):
        find_photos(table(tmp_path, rows), [])


def test_what_cannot_be_predicted_is_refused_in_words(tmp_path: Path):
    with pytest.raises(UserError, match=r"no .*x.jpg: expected a photo, a folder of photos, or a table"):
        find_photos(tmp_path / "x.jpg", ["a room"])
    with pytest.raises(UserError, match=r"no photo in this folder \(it is empty"):
        find_photos(tmp_path, ["a room"])
    with pytest.raises(UserError, match=r'needs a sentence about the picture: tr2m predict .*a.jpg "a narrow kitchen"'):
        find_photos(tmp_path / "a.jpg", [])
    with pytest.raises(UserError, match="has a sentence for each photo: leave out --text"):
        find_photos(table(tmp_path, "image,caption\na.png,a room\n"), ["a room"])
    with pytest.raises(UserError, match=r"no file .*y.csv"):
        find_photos(tmp_path / "y.csv", [])


def photos(*kinds: tuple[int, int]) -> list[ReadPhoto]:
    """Photos named by number, each with the given width and number of sentences."""
    return [
        ReadPhoto(Photo(Path(), str(number), ("x",) * sentences), np.zeros((2, width, 3), np.uint8), None)
        for number, (width, sentences) in enumerate(kinds)
    ]


def grouped(read: list[ReadPhoto], size: int) -> list[str]:
    return ["".join(photo.photo.name for photo in batch) for batch in batches(iter(read), size)]


def test_photos_of_one_size_go_together():
    assert grouped(photos((5, 1), (6, 1), (5, 1), (6, 1), (5, 1)), 2) == ["02", "13", "4"]
    assert grouped(photos((5, 1), (5, 2), (5, 1), (5, 2)), 2) == ["02", "13"]
    assert grouped(photos((5, 1), (6, 1), (5, 1)), 1) == ["0", "1", "2"]


def test_no_more_photos_wait_than_four_batches():
    # Of nine widths none fills a batch of two: the ninth photo must not find eight in memory.
    read, seen = photos(*((width, 1) for width in range(1, 10))), []

    def counted():
        for number, photo in enumerate(read):
            seen.append(number)
            yield photo

    made = batches(counted(), 2)
    next(made)
    assert len(seen) == 8
    assert len(list(made)) == 8


def test_the_other_formats_reach_the_network(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.webp"), np.zeros((4, 5, 3), np.uint8))
    assert found(tmp_path) == {"a": "a.webp"}
