"""Which photos are predicted, with which sentences, and what their predictions are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from tr2m.data.captions.files import is_sentence
from tr2m.data.decoding.photo import PHOTO_SUFFIXES
from tr2m.data.readers.frame_table import TABLE_SUFFIXES, file_below, parsed, records
from tr2m.errors import UserError
from tr2m.evaluation.saved_predictions import PREDICTED_FACTS

COLUMNS = ("image", "caption")
_NAMED = 5
"""Files of one kind that are named where many were left out."""


@dataclass(frozen=True)
class Photo:
    """One photo that is to be predicted."""

    path: Path
    name: str
    """Of the folder of its prediction, below that of all."""
    captions: tuple[str, ...]
    relative_depth: Path | None = None
    """A .npy file, instead of the model's own."""


def find_photos(path: Path, sentences: Sequence[str]) -> tuple[list[Photo], list[Path]]:
    """The photo `path`, all photos in the folder `path` and below it, or those of a table; and the files of a folder
    that are left out.

    Raises:
        UserError: there is none; or the sentences are missing, or given beside those of a table.
    """
    if path.suffix.lower() in TABLE_SUFFIXES and not path.is_dir():
        if sentences:
            raise UserError(f"{path} has a sentence for each photo: leave out --text, or name the photos' folder")
        rows = read_table(path)
        return named(path.parent, list(rows), list(rows.values())), []
    if not sentences:
        raise UserError(f'TR2M needs a sentence about the picture: tr2m predict {path} "a narrow kitchen"')
    if not path.exists():
        raise UserError(f"no {path}: expected a photo, a folder of photos, or a table (.csv) with image and caption")
    if not path.is_dir():
        return named(path.parent, [path], [sentences]), []
    images, others = images_below(path)
    if not images:
        found = f"there are {listing(others)}" if others else "it is empty"
        raise UserError(f"{path}: no photo in this folder ({found}); expected files ending in {expected_endings()}")
    return named(path, images, [sentences] * len(images)), others


def images_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images in `folder` and its subfolders, sorted, and all other files in them. Hidden ones count as neither, nor
    do earlier predictions; a link to a folder is not followed and counts as another file.

    Raises:
        UserError: a folder cannot be read.
    """

    def unreadable(error: OSError) -> None:
        raise UserError(f"{error.filename}: this folder cannot be read ({error.strerror})") from error

    images, others = [], []
    for parent, folders, names in os.walk(folder, onerror=unreadable):
        if PREDICTED_FACTS in names:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            (images if path.suffix.lower() in PHOTO_SUFFIXES else others).append(path)
        others += [path for name in folders if (path := Path(parent, name)).is_symlink()]
    return sorted(images), sorted(others)


def read_table(path: Path) -> dict[Path, list[str]]:
    """The images of a .csv or .jsonl file with the columns image (a path relative to the file's folder) and caption,
    and the sentences of each: a row for each sentence.

    Raises:
        UserError: a column is missing, or rows are wrong; it lists them by their line numbers.
    """
    rows: dict[Path, list[str]] = {}
    problems = []
    for line, content in records(path, COLUMNS):
        try:
            record = parsed(content)
            if not isinstance(record, dict) or any(not record.get(column) for column in COLUMNS):
                raise UserError(f"got {record}, expected values for {' and '.join(COLUMNS)}")
            captions = record["caption"] if isinstance(record["caption"], list) else [record["caption"]]
            if not all(map(is_sentence, captions)):
                raise UserError(f"got the caption {record['caption']!r}, expected a sentence in one line")
            image = file_below(record["image"], path.parent)
            rows[image] = [*rows.get(image, []), *(caption.strip() for caption in captions)]
        except UserError as error:
            problems.append(f"line {line}: {error}")
    if problems or not rows:
        raise UserError(f"{path}: wrong rows:\n  " + "\n  ".join(problems or ["it has none"]))
    return rows


def named(root: Path, images: Sequence[Path], captions: Sequence[Sequence[str]]) -> list[Photo]:
    names = prediction_names([image.relative_to(root) for image in images])
    return [Photo(*photo) for photo in zip(images, names, map(tuple, captions), strict=True)]


def prediction_names(images: Sequence[PurePath]) -> list[str]:
    """What the folder of each image's prediction is called: as the image, without its ending unless another image or a
    folder of images has that name. Upper and lower case do not make two names, as on many disks.
    """
    stems = Counter(str(image.with_suffix("")).casefold() for image in images)
    stems.update({str(folder).casefold() for image in images for folder in image.parents})
    return [str(i.with_suffix("") if stems[str(i.with_suffix("")).casefold()] == 1 else i) for i in images]


def listing(files: Sequence[Path]) -> str:
    """The names of files, counted by their endings, the first few of each named."""
    by_ending: dict[str, list[str]] = {}
    for file in files:
        by_ending.setdefault(file.suffix.lower() or "no ending", []).append(file.name)
    parts = [
        f"{len(names)} {ending} ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"
        for ending, names in sorted(by_ending.items())
    ]
    return ", ".join(parts)


def expected_endings() -> str:
    return ", ".join(PHOTO_SUFFIXES)


def with_relative_depth(photos: Sequence[Photo], path: Path) -> list[Photo]:
    """The photos, each with its .npy file: `path` itself where there is one photo, else <name>.npy in that folder.

    Raises:
        UserError: one file is given for several photos, or some have none.
    """
    if not path.is_dir():
        if len(photos) > 1:
            raise UserError(
                f"{path} is one map for {len(photos)} photos: expected a folder with <photo's name>.npy for each"
            )
        return [Photo(photo.path, photo.name, photo.captions, path) for photo in photos]
    files = [path / f"{photo.name}.npy" for photo in photos]
    if missing := [str(file.relative_to(path)) for file in files if not file.is_file()]:
        raise UserError(
            f"{path}: no relative depth for {len(missing)} of {len(photos)} photos, expected "
            f"{', '.join(missing[:_NAMED])}{', ...' if len(missing) > _NAMED else ''}"
        )
    return [Photo(p.path, p.name, p.captions, file) for p, file in zip(photos, files, strict=True)]
