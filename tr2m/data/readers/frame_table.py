"""A user's own table of frames: CSV or JSON lines with image, depth, metres_per_unit and caption."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tr2m.data.readers.listing import read_lines
from tr2m.errors import UserError

COLUMNS = ("image", "depth", "metres_per_unit", "caption")
DEPTH_SUFFIXES = (".png", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class FrameRow:
    """One frame."""

    image: Path
    depth: Path
    metres_per_unit: float
    """Of the depth file's numbers."""
    captions: list[str]
    sample_id: str
    """The image's path as the table has it, without extension."""


def read_frame_table(path: Path) -> list[FrameRow]:
    """The rows of a .csv or .jsonl file, whose paths are relative to its folder.

    Raises UserError that lists every wrong row by its line number.
    """
    rows: dict[str, FrameRow] = {}
    problems = []
    for line, record in _records(path):
        try:
            row = _row(record, path.parent)
            if row.sample_id in rows:
                raise UserError(f"image {row.sample_id} stands in the table twice")
            rows[row.sample_id] = row
        except UserError as error:
            problems.append(f"line {line}: {error}")
    if problems or not rows:
        listed = "\n  ".join(problems or ["the table has no rows"])
        raise UserError(f"{path}: wrong rows; docs/datasets.md shows the form of the table:\n  {listed}")
    return list(rows.values())


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The line number and content of each row: a dictionary in CSV, still text in JSON lines."""
    lines = read_lines(path, f"a table with the columns {', '.join(COLUMNS)}")
    if path.suffix == ".csv":
        reader = csv.DictReader(f"{line}\n" for line in lines)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or [])]:
            raise UserError(f"{path}: got the columns {reader.fieldnames}, expected also {', '.join(missing)}.")
        try:
            yield from ((reader.line_num, row) for row in reader)
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: expected CSV, got: {error}.") from error
    else:
        yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _row(record: dict[str, Any] | str, folder: Path) -> FrameRow:
    if isinstance(record, str):
        try:
            record = json.loads(record)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UserError(f"got no JSON ({error})") from error
    if not isinstance(record, dict) or any(not record.get(column) for column in COLUMNS):
        raise UserError(f"got {record}, expected values for {', '.join(COLUMNS)}")
    if None in record:
        raise UserError(f"got more cells than columns, {record[None]}: put captions with commas in double quotes")
    image, depth = (_file(record[column], folder) for column in ("image", "depth"))
    if depth.suffix not in DEPTH_SUFFIXES:
        raise UserError(f"got depth {record['depth']}, expected one of {', '.join(DEPTH_SUFFIXES)}")
    captions = record["caption"] if isinstance(record["caption"], list) else [record["caption"]]
    if not all(isinstance(caption, str) and caption.strip() for caption in captions):
        raise UserError(f"got caption {record['caption']!r}, expected a sentence, or a list of them in JSON lines")
    sample_id = str(PurePosixPath(str(record["image"])).with_suffix(""))
    return FrameRow(image, depth, _scale(record["metres_per_unit"]), [c.strip() for c in captions], sample_id)


def _file(name: Any, folder: Path) -> Path:
    path = PurePosixPath(str(name))
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
        scale = float(value)
    except (TypeError, ValueError):
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise UserError(f"got metres_per_unit {value!r}, expected a number above 0, such as 0.001 for millimetres")
    return scale
