"""Which frames belong to which split, read from the compact lists in `data_splits/`.

A list is a YAML file. Every split in it states its counts and names the frames of each group (a scene, a drive):

    train:
      groups: 2
      frames: 9
      members:
        kitchen_0001: "4, 7-9"        # 4 7 8 9
        office_0002: "1-10/3, 2"      # 1 4 7 10 2: every third frame from 1 to 10, and 2

Where the data set itself lists its frames, or its folders do, it is enough to state how many each group has:

    test:
      groups: 2
      frames: 341
      counts: {scene_00022: 261, scene_00024: 80}

Without `members` and `counts`, all that the data set lists belongs to the split, except for groups of the other splits.
Whatever is not exactly of these forms, or does not match the counts, is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tr2m.errors import UserError

# The digits of ASCII, and no more than a number up to MAX_NUMBER has: int() is slow on thousands.
_TERM = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?:/([0-9]{1,9}))?)?")
MAX_NUMBER = 10_000_000
TRAIN, HELD_OUT = "train", ("val", "test")
"""No frame of the first may be in one of the others."""

Name = TypeVar("Name", int, str)


def load_split(file: str | Path, split: str) -> list[tuple[str, int]]:
    """The (group, frame number) pairs of a split: groups in the order of the file, frame numbers ascending.

    Raises UserError if the file or the split does not exist, a term is malformed, a frame is named twice, held-out
    frames are among the training frames, or the numbers of groups and frames are not those that the file states.
    """
    path = Path(file)
    tables = _tables(path, split)
    _require_held_out(path, split, tables)
    return _members(path, split, tables[split])


def select_split(file: str | Path, split: str, found: Collection[tuple[str, Name]]) -> list[tuple[str, Name]]:
    """The frames of a split among the (group, frame) pairs that were `found` in a data set's own lists or folders.

    Raises UserError as `load_split` does, and where the file and what was found differ; it names what is missing.
    """
    path = Path(file)
    tables = _tables(path, split)
    _require_held_out(path, split, tables)
    table = tables[split]
    if isinstance(table, dict) and "members" in table:
        frames: list[tuple[str, Any]] = _members(path, split, table)
        there = set(found)
        chosen = [frame for frame in frames if frame in there]
        missing = [f"{group} {number}" for group, number in frames if (group, number) not in there]
    else:
        counts = _counts(path, split, table)
        others = {
            group
            for name, other in tables.items()
            if name != split and isinstance(other, dict)
            for group in other.get("counts", other.get("members", {}))
        }
        chosen = [frame for frame in found if (frame[0] in counts if counts else frame[0] not in others)]
        have = Counter(group for group, _ in chosen)
        missing = [f"{group} ({have[group]} of {count})" for group, count in counts.items() if have[group] != count]
    groups = len({group for group, _ in chosen})
    if missing or (groups, len(chosen)) != (table["groups"], table["frames"]):
        first = f"; the first that differ: {', '.join(missing[:5])}" if missing else ""
        raise UserError(
            f"split {split!r}: expected {table['groups']} groups with {table['frames']} frames, as {path} states, "
            f"found {groups} groups with {len(chosen)} frames{first}. Complete the data set, or give a split file of "
            "your own in the same form; docs/datasets.md says where the files belong."
        )
    return chosen


def _tables(path: Path, split: str) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(
            f"no split file {path.absolute()}: expected one of those in data_splits/, or yours in their form."
        )
    try:
        tables = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: expected YAML, got: {error}.") from error
    if not isinstance(tables, dict) or split not in tables:
        known = ", ".join(map(str, tables)) if isinstance(tables, dict) else "none"
        raise UserError(f"{path}: got split {split!r}, expected one that the file has: {known}.")
    return tables


def _require_held_out(path: Path, split: str, tables: dict[str, Any]) -> None:
    """Raise UserError for a frame, or a group where groups are counted, that is held out and trained on."""
    tested, trained = tables[split], tables.get(TRAIN)
    if split not in HELD_OUT or not isinstance(tested, dict) or not isinstance(trained, dict):
        return
    if "members" in tested and "members" in trained:
        training = set(_members(path, TRAIN, trained))
        shared = [f"{group} {number}" for group, number in _members(path, split, tested) if (group, number) in training]
    else:
        shared = [group for group in tested.get("counts") or () if group in (trained.get("counts") or ())]
    if shared:
        raise UserError(
            f"{path}: split {split!r}: got {len(shared)} entries that split {TRAIN!r} has, too, the first: "
            f"{', '.join(map(str, shared[:3]))}. Expected other frames than those that are trained on."
        )


def _members(path: Path, split: str, table: Any) -> list[tuple[str, int]]:
    if not isinstance(table, dict) or table.keys() != {"groups", "frames", "members"}:
        raise UserError(f"{path}: split {split!r} must have `groups`, `frames` and `members`; data_splits/ shows how.")
    if not isinstance(table["members"], dict):
        raise UserError(f"{path}: {split}: got members {table['members']!r}, expected `group: frame numbers` pairs.")
    frames = [
        (str(group), number)
        for group, terms in table["members"].items()
        for number in sorted(_expand(terms, f"{path}: {split}: {group}"))
    ]
    _check_totals(path, split, table, (len(table["members"]), len(frames)))
    return frames


def _counts(path: Path, split: str, table: Any) -> dict[str, int]:
    if not isinstance(table, dict) or table.keys() | {"counts"} != {"groups", "frames", "counts"}:
        raise UserError(f"{path}: split {split!r} must have `groups`, `frames` and perhaps `counts` or `members`.")
    counts = table.get("counts")
    if counts is None:
        return {}
    if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
        raise UserError(f"{path}: {split}: got counts {counts!r}, expected `group: number of frames` pairs.")
    _check_totals(path, split, table, (len(counts), sum(counts.values())))
    return {str(group): count for group, count in counts.items()}


def _check_totals(path: Path, split: str, table: dict[str, Any], found: tuple[int, int]) -> None:
    stated = (table["groups"], table["frames"])
    if found != stated:
        raise UserError(
            f"{path}: split {split!r}: expected {stated[0]} groups with {stated[1]} frames, as the file states, "
            f"found {found[0]} groups with {found[1]} frames. Restore the file, or correct its numbers if it is yours."
        )


def _expand(terms: Any, where: str) -> list[int]:
    """Frame numbers of "a", "a-b" (every one, b included) and "a-b/s" (every s-th, b included), split by commas."""
    if not isinstance(terms, str | int):
        raise UserError(f"{where}: got a {type(terms).__name__}, expected text such as 7, 9-12.")
    numbers: list[int] = []
    for term in str(terms).split(","):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise UserError(f"{where}: got {term.strip()!r}, expected a term like 7, 7-10 or 7-22/3.")
        first = int(match[1])
        last, step = int(match[2] or first), int(match[3] or 1)
        if match[2] and (last <= first or step == 0 or (last - first) % step):
            raise UserError(f"{where}: got {term.strip()!r}, expected a range that rises and ends on one of its steps.")
        if last > MAX_NUMBER:
            raise UserError(f"{where}: got frame {last}, expected numbers up to {MAX_NUMBER}.")
        numbers.extend(range(first, last + 1, step))
    if twice := sorted(number for number, times in Counter(numbers).items() if times > 1):
        raise UserError(f"{where}: expected every frame once, got {twice} more than once.")
    return numbers
