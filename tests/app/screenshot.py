"""The picture of docs/app.md, of the first example that `tr2m app` shows for a checkpoint.

PYTHONPATH=tests python tests/app/screenshot.py <checkpoint> <file.png>
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import browser
from app_program import running_app

if __name__ == "__main__":
    checkpoint, out = sys.argv[1:]
    with running_app(Path(checkpoint)) as address, browser.open_page(address) as driver:
        browser.ask_example(driver, 0)
        browser.wait_for_maps(driver)
        # Until the 3-D view has turned up.
        time.sleep(10)
        browser.point(driver, "depth", 0.4, 0.6)
        driver.save_screenshot(out)
