"""Where the files are that come with the code: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The folder `name`, one of "configs" and "data_splits"; the working directory does not matter."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name
