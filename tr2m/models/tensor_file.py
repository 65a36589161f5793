"""Reading files that torch.save wrote, so that a damaged one is refused and none can run code."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from tr2m.errors import UserError

# What zipfile and the restricted unpickler raise on files that were damaged, or made to do harm.
UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_tensors(
    path: str | Path,
    device: torch.device | str = "cpu",
    expected: str = "a file such as outputs/<experiment>/<run>/checkpoints/best.pt",
) -> Any:
    """The content of a file that torch.save wrote; nothing in it is executed (weights_only).

    Raises:
        UserError: there is no such file, and what was `expected`; or it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no checkpoint {path}: expected {expected}")
    try:
        # Before torch 1.6 a file was a bare pickle.
        file = verified(path) if zipfile.is_zipfile(path) else path
        return torch.load(file, map_location=device, weights_only=True)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} cannot be read as a checkpoint ({reason}); it may be truncated") from error


def verified(path: Path) -> io.BytesIO:
    """A checkpoint, which is a zip archive, with every record compared with its checksum.

    torch.load compares none, and where an archive is damaged it may read elsewhere than zipfile does. So it gets
    an archive made anew from the records that zipfile has verified.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as made:
        for record in archive.infolist():
            if record.compress_type != zipfile.ZIP_STORED:
                raise zipfile.BadZipFile(f"{record.filename} is compressed, which torch.save never does")
            made.writestr(record.filename, archive.read(record))
    copy.seek(0)
    return copy
