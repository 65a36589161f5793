"""Arrays in files of numpy."""

from __future__ import annotations

import zlib
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import numpy as np

from tr2m.errors import UserError

NPY = ".npy"
# EOFError: an empty file. ValueError: a truncated one, or one that would have to be unpickled. TokenError: a header
# that is not the Python it should be. SyntaxError: a type in it that is not.
_DAMAGED = (OSError, EOFError, ValueError, TokenError, SyntaxError)


def read_npy(path: Path) -> np.ndarray:
    """The array in a .npy file. Raises UserError if it is missing, truncated, or not an array of real numbers."""
    return np.array(map_npy(path))


def map_npy(path: Path) -> np.ndarray:
    """`read_npy`, whose values are read when they are used."""
    try:
        # Mapped first: a file that is shorter than its header states is refused before memory is allocated.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"no file {path}: expected an array there. Compare the folder with docs/datasets.md.") from None
    except _DAMAGED as error:
        raise UserError(
            f"{path}: expected a .npy file of numbers, got: {str(error).rstrip('.')}. Copy or unpack it again."
        ) from error
    return _numbers(path, array)


def read_npz(path: Path) -> np.ndarray:
    """The only array in a .npz file. Raises UserError as `read_npy`, and if there is none, or another one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = arrays.files
            array = arrays[names[0]] if len(names) == 1 else None
    except (*_DAMAGED, BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path}: expected a .npz file of numbers, got: {str(error).rstrip('.')}. Copy or unpack it again."
        ) from error
    if len(names) > 1:
        raise UserError(f"{path}: got {len(names)} arrays ({', '.join(names)}), expected one. Save it alone.")
    return _numbers(path, array)


def _numbers(path: Path, array: object) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        got = getattr(array, "dtype", "no array")
        raise UserError(f"{path}: expected a {path.suffix} file of real numbers, got {got}.")
    return array
