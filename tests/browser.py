"""Debian's Chromium without a window, driven by Selenium: what a visitor of the app does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "" if BROWSER and DRIVER else "no chromium and chromedriver: apt-get install chromium chromium-driver"
SIZE = (1500, 1600)
PATIENCE = 120
"""Seconds; a test waits no longer than it takes."""


@contextmanager
def open_page(address: str) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    # Root has no sandbox, a container little shared memory; WebGL is drawn by the CPU.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader"):
        options.add_argument(flag)
    options.add_argument(f"--window-size={SIZE[0]},{SIZE[1]}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        driver.get(address)
        wait_for(driver, "#picture input[type=file]")
        yield driver
    finally:
        driver.quit()


def wait_for(driver: webdriver.Chrome, css: str) -> WebElement:
    return WebDriverWait(driver, PATIENCE).until(lambda d: d.find_element(By.CSS_SELECTOR, css), css)


def ask(driver: webdriver.Chrome, picture: Path, text: str) -> None:
    """Give a picture and sentences and press the button."""
    driver.find_element(By.CSS_SELECTOR, "#picture input[type=file]").send_keys(str(picture))
    field = driver.find_element(By.CSS_SELECTOR, "#sentences textarea")
    field.clear()
    field.send_keys(text)
    wait_for(driver, "#picture img")
    press(driver)


def ask_example(driver: webdriver.Chrome, number: int) -> list[str]:
    """Choose an example and press the button. Returns its sentences."""
    wait_for(driver, "#examples button")
    driver.find_elements(By.CSS_SELECTOR, "#examples button")[number].click()
    wait_for(driver, "#picture img")
    field = driver.find_element(By.CSS_SELECTOR, "#sentences textarea")
    WebDriverWait(driver, PATIENCE).until(lambda _: field.get_attribute("value"), "sentences")
    press(driver)
    return field.get_attribute("value").splitlines()


def press(driver: webdriver.Chrome) -> None:
    driver.find_element(By.CSS_SELECTOR, "#predict").click()


def wait_for_maps(driver: webdriver.Chrome) -> None:
    wait_for(driver, "#depth .map:not(.empty)")
    WebDriverWait(driver, PATIENCE).until(lambda d: d.find_element(By.CSS_SELECTOR, "#scene canvas").is_displayed())


def wait_for_words(driver: webdriver.Chrome, words: str) -> str:
    """The text of the message that has `words`."""

    def shown(driver: webdriver.Chrome) -> str | None:
        texts = [element.text for element in driver.find_elements(By.CSS_SELECTOR, ".toast-body")]
        return next((text for text in texts if words in text), None)

    return WebDriverWait(driver, PATIENCE).until(shown, words)


def point(driver: webdriver.Chrome, name: str, right: float, down: float) -> tuple[str, str]:
    """What a map shows of the pixel at these shares of its width and height: the value, and where it is."""
    canvas = driver.find_element(By.CSS_SELECTOR, f"#{name} canvas")
    width, height = canvas.size["width"], canvas.size["height"]
    offset = round(width * (right - 0.5)), round(height * (down - 0.5))
    ActionChains(driver).move_to_element_with_offset(canvas, *offset).perform()
    return text_of(driver, f"#{name} .label"), text_of(driver, f"#{name} .where")


def text_of(driver: webdriver.Chrome, css: str) -> str:
    return driver.find_element(By.CSS_SELECTOR, css).text


def addresses(driver: webdriver.Chrome) -> set[str]:
    """Every address that the browser has asked."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
