"""A user's own table of frames: CSV or JSON lines with image, depth, metres_per_unit and, optionally, caption."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tr2m.data.captions.files import is_sentence
from tr2m.data.decoding.arrays import NPY
from tr2m.data.decoding.decode import read_size
from tr2m.data.decoding.frame_size import require_same_size
from tr2m.data.file_names import on_disk
from tr2m.data.readers.listing import read_lines
from tr2m.errors import UserError

COLUMNS = ("image", "depth", "metres_per_unit")
"""That a table must have."""
TABLE_SUFFIXES = (".jsonl", ".csv")
DEPTH_SUFFIXES = (".png", ".tif", ".tiff", NPY)
# Files are opened at a time: on a network drive, where each takes milliseconds, nothing else counts.
_THREADS = 16
# Key of the cells that a row of a CSV file has beyond its columns.
_SURPLUS = "surplus cells"


@dataclass(frozen=True)
class FrameRow:
    """One frame."""

    image: Path
    depth: Path
    metres_per_unit: float
    """Of the depth file's numbers."""
    captions: list[str]
    """None where the table has no sentence about the frame."""
    sample_id: str
    """The image's path as the table has it, without extension."""


def find_frame_table(root: Path, split: str) -> Path:
    """The table of a split. Raises UserError if there are two; if there is none, reading it will."""
    tables = [path for suffix in TABLE_SUFFIXES if (path := root / f"{split}{suffix}").exists()]
    if len(tables) > 1:
        raise UserError(f"{root}: got {' and '.join(path.name for path in tables)}, expected one table: remove one.")
    return tables[0] if tables else root / f"{split}.csv"


def read_frame_table(path: Path) -> list[FrameRow]:
    """The rows of a .csv or .jsonl file, whose paths are relative to its folder. Files are looked at by their headers.

    Raises UserError that lists every wrong row by its line number.
    """
    rows: dict[str, FrameRow] = {}
    depths: dict[Path, int] = {}
    problems, numbers = [], []
    for line, record in records(path):
        try:
            row = _row(record, path.parent)
            if row.sample_id in rows:
                raise UserError(f"image {row.sample_id} stands in the table twice")
            if (first := depths.setdefault(row.depth, line)) != line:
                raise UserError(
                    f"depth {row.depth} is that of line {first}, too: expected one for each image. Where two images do "
                    "show the same view, give the second one a copy or a link"
                )
            rows[row.sample_id] = row
            numbers.append(line)
        except UserError as error:
            problems.append((line, str(error)))
    with ThreadPoolExecutor(_THREADS) as pool:
        found = zip(numbers, pool.map(_problem_of_files, rows.values()), strict=True)
        problems += [(line, problem) for line, problem in found if problem]
    if problems or not rows:
        listed = "\n  ".join([f"line {line}: {problem}" for line, problem in sorted(problems)] or ["it has none"])
        raise UserError(f"{path}: wrong rows; docs/datasets.md shows the form of the table:\n  {listed}")
    return list(rows.values())


def require_held_out(rows: list[FrameRow], table: Path, training_table: Path) -> None:
    """Raise UserError if frames that a model is scored on are among those that it is trained on."""
    training = set()
    for line, record in records(training_table):
        try:
            training.add(_sample_id(parsed(record)))
        except UserError as error:
            raise UserError(f"{training_table}, line {line}: {error}") from error
    if shared := [row.sample_id for row in rows if row.sample_id in training]:
        raise UserError(
            f"{table}: got {len(shared)} of {len(rows)} frames that {training_table.name} has, too, the first: "
            f"{', '.join(shared[:3])}. Expected other frames, of other places: take them out of one table."
        )


def records(path: Path, expected: Sequence[str] = COLUMNS) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The line number and content of each row: a dictionary in CSV, still text in JSON lines.

    Raises UserError for a file that cannot be read, and for a CSV file without the `expected` columns.
    """
    lines = read_lines(path, f"a table with the columns {', '.join(expected)}")
    if path.suffix.lower() == ".csv":
        columns = _cells(path, 1, lines[0])
        if missing := [column for column in expected if column not in columns]:
            raise UserError(f"{path}: got the columns {columns}, expected also {', '.join(missing)}.")
        if len(set(columns)) < len(columns):
            raise UserError(f"{path}: got the columns {columns}, expected each once.")
        for number, line in enumerate(lines[1:], start=2):
            if cells := _cells(path, number, line):
                row: dict[str, Any] = dict(zip(columns, cells, strict=False))
                yield number, row | ({_SURPLUS: cells[len(columns) :]} if len(cells) > len(columns) else {})
    else:
        yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _cells(path: Path, number: int, line: str) -> list[str]:
    """Of a line of CSV. By itself: a quote that is left open would swallow the rows below it, up to the next quote."""
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise UserError(
            f"{path}, line {number}: expected CSV with a line for each row, got: {error}. Close its double quotes; "
            'inside a quoted caption write "" for ".'
        ) from error


def _row(record: dict[str, Any] | str, folder: Path) -> FrameRow:
    record = parsed(record)
    if not isinstance(record, dict) or any(not record.get(column) for column in COLUMNS):
        raise UserError(f"got {record}, expected values for {', '.join(COLUMNS)}")
    image, depth = (file_below(record[column], folder) for column in ("image", "depth"))
    if depth.suffix.lower() not in DEPTH_SUFFIXES:
        raise UserError(f"got depth {record['depth']}, expected one of {', '.join(DEPTH_SUFFIXES)}")
    given = record.get("caption")
    captions: list[Any] = given if isinstance(given, list) else [given] if not_blank(given) else []
    if not all(map(is_sentence, captions)):
        raise UserError(f"got caption {given!r}, expected a sentence in one line, or a list of them in JSON lines")
    scale = _scale(record["metres_per_unit"])
    return FrameRow(image, depth, scale, [caption.strip() for caption in captions], _sample_id(record))


def not_blank(caption: Any) -> bool:
    """Whether a cell holds anything."""
    return caption is not None and caption != "" and not (isinstance(caption, str) and caption.isspace())


def parsed(record: dict[str, Any] | str) -> Any:
    """The content of a row that `records` gives. Raises UserError if it is no JSON, or has cells beyond its columns."""
    if not isinstance(record, str):
        if surplus := record.get(_SURPLUS):
            raise UserError(f"got more cells than columns, {surplus}: put captions with commas in double quotes")
        return record
    try:
        return json.loads(record, object_pairs_hook=_distinct)
    except UserError:
        raise
    # ValueError: no JSON, or a number of thousands of digits.
    except (ValueError, RecursionError) as error:
        raise UserError(f"got no JSON ({error})") from error


def _sample_id(record: Any) -> str:
    image = PurePosixPath(str(record.get("image", "") if isinstance(record, dict) else ""))
    return str(image.parent / image.stem)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise UserError(f"got the keys {', '.join(key for key, _ in pairs)}, expected each once")
    return record


def _problem_of_files(row: FrameRow) -> str | None:
    try:
        require_same_size(read_size(row.image), read_size(row.depth), row.image, row.depth)
    except UserError as error:
        return str(error)
    return None


def file_below(name: Any, folder: Path) -> Path:
    """The file that a row names, relative to the table's `folder`. Raises UserError unless it is there, below it."""
    try:
        path = PurePosixPath(on_disk(str(name)))
    except UnicodeEncodeError:
        raise UserError(f"got {name!r}, expected text") from None
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"got {name!r}, expected a path below the table's folder, without '..'")
    try:
        exists = (folder / path).is_file()
    except OSError:  # a name that no file can have
        exists = False
    if not exists:
        raise UserError(f"no file {folder / path}")
    return folder / path


def _scale(value: Any) -> float:
    try:
        # float(true) is 1.
        scale = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise UserError(f"got metres_per_unit {value!r}, expected a number above 0, such as 0.001 for millimetres")
    return scale
