"""Which frames belong to which split, read from the compact lists in `data_splits/`.

A list is a YAML file. Every split in it states its counts and names the frames of each group (a scene, a drive):

    train:
      groups: 2
      frames: 9
      members:
        kitchen_0001: "4, 7-9"        # 4 7 8 9
        office_0002: "1-10/3, 2"      # 1 4 7 10 2: every third frame from 1 to 10, and 2

Whatever is not exactly of this form, or does not match the counts, is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tr2m.errors import UserError

_TERM = re.compile(r"(\d+)(?:-(\d+)(?:/(\d+))?)?")


def load_split(file: str | Path, split: str) -> list[tuple[str, int]]:
    """The (group, frame number) pairs of a split: groups in the order of the file, frame numbers ascending.

    Raises UserError if the file or the split does not exist, a term is malformed, a frame is named twice, or the
    numbers of groups and frames are not those that the file states.
    """
    path = Path(file)
    if not path.is_file():
        raise UserError(
            f"no split file {path.absolute()}: expected one of those in data_splits/, or yours in their form."
        )
    try:
        splits = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected YAML, got: {error}.") from error
    if not isinstance(splits, dict) or split not in splits:
        known = ", ".join(map(str, splits)) if isinstance(splits, dict) else "none"
        raise UserError(f"{path}: got split {split!r}, expected one that the file has: {known}.")
    table = splits[split]
    if not isinstance(table, dict) or table.keys() != {"groups", "frames", "members"}:
        raise UserError(f"{path}: split {split!r} must have `groups`, `frames` and `members`; data_splits/ shows how.")
    if not isinstance(table["members"], dict):
        raise UserError(f"{path}: {split}: got members {table['members']!r}, expected `group: frame numbers` pairs.")
    frames = [
        (str(group), number)
        for group, terms in table["members"].items()
        for number in sorted(_expand(str(terms), f"{path}: {split}: {group}"))
    ]
    stated = (table["groups"], table["frames"])
    found = (len(table["members"]), len(frames))
    if found != stated:
        raise UserError(
            f"{path}: split {split!r}: expected {stated[0]} groups with {stated[1]} frames, as the file states, "
            f"found {found[0]} groups with {found[1]} frames. Restore the file, or correct its numbers if it is yours."
        )
    return frames


def _expand(terms: str, where: str) -> list[int]:
    """Frame numbers of "a", "a-b" (every one, b included) and "a-b/s" (every s-th, b included), split by commas."""
    numbers: list[int] = []
    for term in terms.split(","):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise UserError(f"{where}: got {term.strip()!r}, expected a term like 7, 7-10 or 7-22/3.")
        first = int(match[1])
        last, step = int(match[2] or first), int(match[3] or 1)
        if match[2] and (last <= first or step == 0 or (last - first) % step):
            raise UserError(f"{where}: got {term.strip()!r}, expected a range that rises and ends on one of its steps.")
        numbers.extend(range(first, last + 1, step))
    if len(set(numbers)) != len(numbers):
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        raise UserError(f"{where}: expected every frame once, got {twice} more than once.")
    return numbers
