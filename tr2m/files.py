"""Files and folders that are whole or not there."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tr2m.errors import CannotWriteError


@contextmanager
def temporary_for(path: Path) -> Iterator[Path]:
    """A file name to write to in the block; at its end the file takes the name `path`, whose folder is made.

    A kill leaves the old file or the new one, each whole; so does an error in the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    # What a killed process of the same number has left.
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Whenever the process is killed, `path` is whole, old or new. Raises OSError if the disk cannot hold it."""
    with temporary_for(path) as temporary:
        write_flushed(temporary, content)


def write_flushed(path: Path, content: bytes | memoryview) -> None:
    """`content` as the file `path`, on the disk and not just in the system's memory when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """An OSError in the block becomes a CannotWriteError: the disk is full, or nothing can be written there."""
    try:
        yield
    except OSError as error:
        advice = "Make room, or name another folder, and run the command again"
        raise CannotWriteError(f"{path} cannot be written ({error.strerror or error}). {advice}") from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which is called `path` once the block is done, in place of what has that name. However
    the block ends before, nothing of it is left.

    Raises:
        UserError: the disk cannot hold it.
    """
    temporary = None
    try:
        with written_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # What a killed process has left; mkdtemp adds eight letters.
            for left in path.parent.glob(f".{glob.escape(path.name)}-{'[a-z0-9_]' * 8}"):
                shutil.rmtree(left, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            new = temporary / "new"
            new.mkdir()
            yield new
            if path.exists():
                path.rename(temporary / "old")
            new.rename(path)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
