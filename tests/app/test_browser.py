"""The app as a visitor sees it, in a real browser: the numbers on the page are those of tr2m.predict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import browser
import numpy as np
import pytest
from app_program import running_app
from PIL import Image
from selenium import webdriver

import tr2m

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(browser.MISSING), reason=browser.MISSING)]
SENTENCES = ["a tiny bedroom with a chair", "a huge bedroom with a chair"]


@pytest.fixture(scope="module")
def address(checkpoint: Path) -> Iterator[str]:
    with running_app(checkpoint) as address:
        yield address


@pytest.fixture
def driver(address: str) -> Iterator[webdriver.Chrome]:
    with browser.open_page(address) as driver:
        yield driver


def photo(path: Path) -> Path:
    """A large one, of which every fifth row and column is drawn."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((3200, 2400), Image.Resampling.BICUBIC).save(path)
    return path


def test_picture_and_sentences_to_metres(driver: webdriver.Chrome, checkpoint: Path, tmp_path: Path):
    picture = photo(tmp_path / "photo.jpg")
    browser.ask(driver, picture, "\n".join(SENTENCES))
    browser.wait_for_maps(driver)
    model = tr2m.load_model(checkpoint)
    together = tr2m.predict(model, picture, SENTENCES)
    one, other = (tr2m.predict(model, picture, sentence).metric_depth for sentence in SENTENCES)
    expected = {
        "depth": together.metric_depth,
        "scale": together.scale_map,
        "shift": together.shift_map,
        "spread": together.caption_spread * 100,
        "first": one,
        "second": other,
        "difference": (other / one - 1) * 100,
    }
    units = {
        "depth": "m",
        "scale": "1/m",
        "shift": "1/m",
        "spread": "%",
        "first": "m",
        "second": "m",
        "difference": "%",
    }
    for name, values in expected.items():
        for right, down in ((0.1, 0.2), (0.7, 0.9)):
            value, where = browser.point(driver, name, right, down)
            number, unit = value.split()
            row, column = map(int, re.fullmatch(r"row (\d+), column (\d+)", where).groups())
            assert (row % 5, column % 5) == (0, 0)
            assert (row / 2400, column / 3200) == pytest.approx((down, right), abs=0.02)
            # As many digits as are shown.
            assert float(number.replace(",", "")) == pytest.approx(values[row, column], rel=6e-3, abs=2e-5)
            assert unit == units[name]
    # The others of the group point at the same pixel.
    browser.point(driver, "scale", 0.5, 0.5)
    assert browser.text_of(driver, "#depth .where") == browser.text_of(driver, "#scale .where") != ""
    middle = f"{together.quantiles()[1]:,.3g} m"
    assert middle in browser.text_of(driver, "#facts")
    assert browser.text_of(driver, "#first strong") == "tiny"
    # The 3-D view has drawn something: its pixels are not all the same.
    scene = driver.find_element("css selector", "#scene canvas")
    scene.screenshot(str(tmp_path / "scene.png"))
    assert len(np.unique(np.asarray(Image.open(tmp_path / "scene.png").convert("L")))) > 10
    driver.save_screenshot(str(tmp_path / "page.png"))
    assert {a for a in browser.addresses(driver) if not a.startswith(("http://127.0.0.1:", "data:", "blob:"))} == set()


def test_mistakes_are_sentences_and_the_next_try_works(driver: webdriver.Chrome, tmp_path: Path):
    (tmp_path / "notes.png").write_text("no picture")
    browser.ask(driver, tmp_path / "notes.png", "a room")
    assert "notes.png: damaged, or no picture" in browser.wait_for_words(driver, "notes.png")
    Image.new("1", (8_000, 4_100)).save(tmp_path / "large.png")
    browser.ask(driver, tmp_path / "large.png", "a room")
    assert "4100x8000 pixels (height x width), 33 megapixels: expected at most 32" in browser.wait_for_words(
        driver, "large.png"
    )
    browser.ask(driver, photo(tmp_path / "photo.jpg"), " ")
    assert "TR2M needs one about the picture" in browser.wait_for_words(driver, "No sentence")
    browser.ask(driver, photo(tmp_path / "photo.jpg"), "a room")
    browser.wait_for_maps(driver)
    # With one sentence there is nothing to compare.
    assert not driver.find_elements("css selector", "#spread canvas")
    assert not driver.find_elements("css selector", "#difference canvas")
