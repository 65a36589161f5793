"""The captions of a whole data set in one file, an SQLite database."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tr2m.data.captions.files import is_sentence
from tr2m.errors import UserError
from tr2m.files import temporary_for
from tr2m.json_text import json_text

_FORMAT = "1"
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE captions (split TEXT, sample_id TEXT, lines BLOB NOT NULL, PRIMARY KEY (split, sample_id)) WITHOUT ROWID;
"""


class PackedCaptions:
    """Reads a file that `tr2m captions` wrote.

    Args:
        file: the path of it.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        if not self.file.is_file():
            raise UserError(
                f"no file of captions {self.file.absolute()}. Make it with tr2m captions "
                "(docs/preparing.md), or set TR2M_CAPTIONS to the folder that holds it."
            )
        about = dict(_read(self.file, "SELECT key, value FROM about"))
        if about.get("format") != _FORMAT:
            raise UserError(f"{self.file}: got captions of format {about.get('format')}, expected {_FORMAT}.")
        self.description = about["description"]

    def lines(self, split: str, sample_id: str) -> list[str]:
        """The sentences about a frame. Raises UserError if the file has none."""
        # Opened for every frame (a tenth of a millisecond): a connection survives neither a fork nor pickling.
        query = "SELECT lines FROM captions WHERE split = ? AND sample_id = ?"
        found = _read(self.file, query, (split, sample_id))
        if not found:
            raise UserError(
                f"{self.file}: no captions of {sample_id} in the split {split!r}. Make the file again with "
                "tr2m captions: it adds the frames that are missing."
            )
        return zlib.decompress(found[0][0]).decode().split("\n")


class CaptionWriter:
    """Writes such a file, frame after frame. It gets its name when it is complete; until then it is `<file>.part`,
    which the next attempt continues.

    Args:
        file: the path of the file; one that exists is completed.
        description: which captions these are, for result files.
        settings: what the captions depend on. Raises UserError if the file was begun with others.
    """

    def __init__(self, file: Path, description: str, settings: dict[str, Any]) -> None:
        self.file, self.part = file, file.with_name(f"{file.name}.part")
        about = {
            "description": description,
            "format": _FORMAT,
            "settings": json_text(settings, indent=None, sort_keys=True),
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not self.part.exists():
            shutil.copyfile(file, self.part)
        with _connection(self.part) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                connection.executescript(_TABLES)
                connection.executemany("INSERT INTO about VALUES (?, ?)", sorted(about.items()))
            begun_with = dict(connection.execute("SELECT key, value FROM about"))
        if begun_with != about:
            raise UserError(
                f"{self.part} was begun with other settings: {begun_with['settings']}; got {about['settings']}. "
                "Remove it to start anew, or give another `out`."
            )

    def missing(self, split: str, sample_ids: list[str]) -> list[str]:
        """Those of `sample_ids` that have no captions yet."""
        query = "SELECT sample_id FROM captions WHERE split = ?"
        with _connection(self.part) as connection:
            present = {sample_id for (sample_id,) in connection.execute(query, (split,))}
        return [sample_id for sample_id in sample_ids if sample_id not in present]

    def add(self, split: str, captions: Iterator[tuple[str, list[str]]], save_every: int) -> None:
        """Write the captions of frames, stripped, as they come; a kill loses at most `save_every` frames.

        Raises UserError for a frame without a caption.
        """
        with _connection(self.part) as connection:
            for count, (sample_id, lines) in enumerate(captions, start=1):
                if not lines or not all(map(is_sentence, lines)):
                    raise UserError(f"{sample_id}: got the captions {lines}, expected sentences of one line each.")
                packed = zlib.compress("\n".join([line.strip() for line in lines]).encode())
                connection.execute("INSERT INTO captions VALUES (?, ?, ?)", (split, sample_id, packed))
                if count % save_every == 0:
                    connection.commit()

    def finish(self) -> None:
        """Give the file its name. The same captions give the same bytes, however often writing them was interrupted."""
        with temporary_for(self.file) as fresh, _connection(fresh) as connection:
            connection.executescript(_TABLES)
            connection.execute("ATTACH ? AS part", (str(self.part),))
            connection.execute("INSERT INTO about SELECT * FROM part.about ORDER BY key")
            connection.execute("INSERT INTO captions SELECT * FROM part.captions ORDER BY split, sample_id")
        self.part.unlink()


def _read(file: Path, query: str, parameters: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    # Immutable: no locks, which network drives often do not have.
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            return connection.execute(query, parameters).fetchall()
    except sqlite3.DatabaseError as error:
        raise UserError(f"{file}: {error}: expected a file that tr2m captions wrote.") from error


@contextmanager
def _connection(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are kept at the end, also when the block raises."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            try:
                yield connection
            finally:
                connection.commit()
    except sqlite3.DatabaseError as error:
        raise UserError(f"{file}: {error}. Remove it if it is broken.") from error
