"""What a list file names and what lies in a folder."""

from __future__ import annotations

import re
from pathlib import Path

from tr2m.errors import UserError


def read_lines(path: Path, expected: str) -> list[str]:
    """The lines of a UTF-8 text file. Raises UserError, with what was `expected`, if it is missing or no text."""
    try:
        # Not splitlines(), which also splits at characters that a sentence may hold.
        return path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    except FileNotFoundError:
        raise UserError(f"no file {path.absolute()}: expected {expected}; see docs/datasets.md.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected {expected}, got: {error}.") from error


def numbered_files(folder: Path, pattern: str) -> dict[int, Path]:
    """The files of a folder whose whole name matches `pattern`, by the number in its first group; none if the folder
    does not exist. Zero padding does not matter.
    """
    if not folder.is_dir():
        return {}
    matches = ((re.fullmatch(pattern, path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in matches if match}


def only_file(folder: Path, suffix: str) -> Path:
    """The one file of this suffix in a folder. Raises UserError if there is none, or more."""
    paths = sorted(folder.glob(f"*{suffix}"))
    if len(paths) != 1:
        raise UserError(
            f"{folder}: got {len(paths)} {suffix} files, expected one. Compare the folder with docs/datasets.md."
        )
    return paths[0]
