"""What is unambiguous is taken, what could mean two things is refused in words."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tr2m.errors import UserError
from tr2m.inference.inputs import captions_of, describe_captions, relative_depth_of, rgb_of

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
OPAQUE = np.full((20, 30, 1), 77, np.uint8)


def saved(folder: Path) -> Path:
    cv2.imwrite(str(folder / "photo.png"), RGB[..., ::-1])
    return folder / "photo.png"


@pytest.mark.parametrize(
    "given",
    [
        lambda folder: RGB,
        lambda folder: np.concatenate([RGB, OPAQUE], axis=2),
        lambda folder: saved(folder),
        lambda folder: str(saved(folder)),
        lambda folder: Image.open(saved(folder)),
        lambda folder: Image.fromarray(np.concatenate([RGB, OPAQUE], axis=2)),
    ],
    ids=["RGB", "RGBA", "path", "str", "PIL", "PIL RGBA"],
)
def test_the_same_picture_in_every_form(given: Any, tmp_path: Path):
    pixels = rgb_of(given(tmp_path))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, RGB)


def test_a_photo_on_its_side_is_turned_upright_in_pil_too(tmp_path: Path):
    image = Image.fromarray(np.kron(np.array([[0, 255]], np.uint8), np.ones((16, 16), np.uint8)))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "side.jpg", exif=exif)
    upright = rgb_of(tmp_path / "side.jpg")
    assert upright.shape == (32, 16, 3)
    assert upright[0].mean() < 10 < 240 < upright[-1].mean()
    np.testing.assert_allclose(rgb_of(Image.open(tmp_path / "side.jpg")).astype(int), upright, atol=3)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (RGB / 255.0, r"float64; expected .*is it in \[0, 1\]\? Then give \(image \* 255\)"),
        (RGB.astype(np.uint16), "image of uint16; expected"),
        (RGB[..., 0] > 3, "image of bool; expected .*is it a mask"),
        (RGB[..., 0], r"shape \(20, 30\); expected .*a grey image: np.stack"),
        (RGB.transpose(2, 0, 1), r"shape \(3, 20, 30\); expected"),
        (RGB[None], r"shape \(1, 20, 30, 3\); expected"),
        (RGB[:0], r"shape \(0, 30, 3\); expected"),
        (RGB.tolist(), "type list; expected a path, a PIL image"),
        (torch.from_numpy(RGB), "type Tensor; expected"),
        (None, "type NoneType; expected"),
        (Image.fromarray(RGB[..., 0].astype(np.int32)), "PIL image of mode I, expected one of RGB"),
        ("nowhere.jpg", "no file nowhere.jpg"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_is_no_picture_is_refused_in_words(image: Any, words: str):
    with pytest.raises(UserError, match=f"(?s){words}"):
        rgb_of(image)


def test_a_sentence_is_one_caption_and_not_its_letters():
    assert captions_of("a narrow kitchen") == ["a narrow kitchen"]
    assert captions_of(("a street", "a road")) == ["a street", "a road"]


@pytest.mark.parametrize("captions", [[], "", "  ", ["a", " "], None, 3, ["a", 3], {"a": "b"}])
def test_what_are_no_captions_is_refused_in_words(captions: Any):
    with pytest.raises(UserError, match=r"got captions .*sentence"):
        captions_of(captions)


def test_a_caption_past_77_tokens_is_named_once(caplog: pytest.LogCaptureFixture):
    # Start and end are tokens, too.
    longest, longer = " ".join(["door"] * 75), " ".join(["door"] * 76)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            captions_of([longest, longer])
    assert caplog.text.count("caption of 78 tokens: the text encoder reads the first 77, the end is cut off") == 1
    assert len(caplog.records) == 1
    assert [(fact["tokens"], fact["cut"]) for fact in describe_captions([longest, longer])] == [(77, False), (78, True)]


MAP = np.linspace(0, 1, 600).reshape(20, 30)


def test_a_map_of_relative_depth_comes_back_in_float32():
    for values in (MAP, (MAP * 100).astype(np.uint8)):
        assert relative_depth_of(values, (20, 30)).dtype == np.float32


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (MAP.T, r"got \(30, 20\), expected \(20, 30\), the \(height, width\) of its photo"),
        (MAP[None], r"got \(1, 20, 30\), expected"),
        (MAP - 0.5, "from -0.5 to 0.5, expected inverse depth"),
        (MAP * 0, "from 0 to 0, expected"),
        (MAP * 1e300, r"to 1e\+300, expected inverse depth, larger is nearer: finite in float32"),
        (np.where(MAP > 0.5, np.nan, MAP), "expected inverse depth"),
        (MAP > 0.5, "got bool, expected a NumPy array"),
        (MAP.tolist(), "got list, expected a NumPy array"),
    ],
)
def test_what_is_no_relative_depth_is_refused_in_words(values: Any, words: str):
    with pytest.raises(UserError, match=f"x.npy: .*{words}"):
        relative_depth_of(values, (20, 30), "x.npy")
