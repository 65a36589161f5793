"""Pictures written to files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tr2m.files import write_atomically


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write a PNG file, of BGR or of one channel of 8 or 16 bits, that appears only when it is complete.

    By Python's own files: OpenCV's crash on names that are not ASCII where the locale is C, and does not report a full
    disk. Raises OSError.
    """
    write_atomically(path, cv2.imencode(".png", pixels)[1].tobytes())
