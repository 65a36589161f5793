"""The picture of docs/app.md: PYTHONPATH=tests python tests/app/screenshot.py

arguments: <checkpoint> <picture> <sentences, one a line> <file.png>
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import browser
from app_program import running_app

if __name__ == "__main__":
    checkpoint, picture, text, out = sys.argv[1:]
    with running_app(Path(checkpoint)) as address, browser.open_page(address) as driver:
        browser.ask(driver, Path(picture), text)
        browser.wait_for_maps(driver)
        # Until the 3-D view has turned up and the notes are gone.
        time.sleep(8)
        browser.point(driver, "depth", 0.4, 0.6)
        driver.save_screenshot(out)
