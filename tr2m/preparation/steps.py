"""The steps from the archives of a data set, as its owners publish them, to the tree that its reader takes.

configs/prepare/<data set>.yaml lists them.
"""

from __future__ import annotations

import shutil
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from tr2m.errors import UserError
from tr2m.files import temporary_for
from tr2m.preparation.archives import Limits, unpack
from tr2m.preparation.downloads import Download

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")


@dataclass(frozen=True)
class Workplace:
    """Where a data set is prepared.

    Args:
        archives: the folder of the files as they were fetched.
        root: the folder that the reader takes.
        limits: for every archive.
        download: whether a step may fetch what the folder lacks.
    """

    archives: Path
    root: Path
    limits: Limits
    download: bool


@dataclass
class Outcome:
    """What was done and what is missing or wrong, in sentences."""

    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@typing.runtime_checkable
class PreparationStep(typing.Protocol):
    """One step of a preparation."""

    def run(self, place: Workplace, outcome: Outcome) -> None:
        """Do what is not done yet, and describe in `outcome` what happened."""
        ...


def prepare(steps: Sequence[PreparationStep], place: Workplace) -> Outcome:
    """Run all steps. A step that fails does not keep the others from their work: the user hears of everything at once.

    Raises UserError if there is no folder of archives.
    """
    if not place.archives.is_dir():
        raise UserError(f"no folder {place.archives.absolute()}: archives=... names the folder of what you fetched.")
    outcome = Outcome()
    for step in steps:
        try:
            step.run(place, outcome)
        except (UserError, OSError) as error:
            outcome.problems.append(str(error))
    return outcome


class Unpack:
    """Unpack all archives of one kind.

    Args:
        files: their names, with the wildcards of a shell.
        keep: a regular expression for the members to unpack; its group is their path below `into`.
        into: a folder below the data set's root; `{archive}` stands for the archive's name without its suffix.
        count: how many archives the whole data set has.
        source: where to get them.
        download: where the tool may fetch it itself, which the licence must allow.
    """

    def __init__(
        self, files: str, keep: str, into: str, count: int, source: str, download: Download | None = None
    ) -> None:
        self.files, self.keep, self.into = files, keep, into
        self.count, self.source, self.download = count, source, download

    def run(self, place: Workplace, outcome: Outcome) -> None:
        if self.download and place.download and not (place.archives / self.files).exists():
            try:
                self.download.fetch(place.archives / self.files)
            except UserError as error:
                outcome.problems.append(str(error))
        found = find_files(place, self.files, self.count, self.source, outcome)
        if not found and self.download and not place.download:
            outcome.problems[-1] += " Its licence lets this tool fetch it: download=true."
        for archive in tqdm(found, desc=self.files):
            try:
                result = unpack(archive, place.root / self.into.format(archive=stem(archive)), self.keep, place.limits)
            except (UserError, OSError) as error:
                outcome.problems.append(str(error))
                continue
            if result.wanted == 0:
                outcome.problems.append(
                    f"{archive}: none of its members is a file that the reader takes: another release?"
                )
            outcome.done.append(f"{archive.name}: {result.wanted:,} files, {result.written:,} of them new")


class Copy:
    """Copy a file that is published as it is used.

    Args:
        file: its name.
        into: a folder below the data set's root.
        source: where to get it.
    """

    def __init__(self, file: str, into: str, source: str) -> None:
        self.file, self.into, self.source = file, into, source

    def run(self, place: Workplace, outcome: Outcome) -> None:
        for path in find_files(place, self.file, 1, self.source, outcome):
            with temporary_for(place.root / self.into / path.name) as temporary:
                shutil.copyfile(path, temporary)
            outcome.done.append(f"{path.name}: copied")


def find_files(place: Workplace, pattern: str, count: int, source: str, outcome: Outcome) -> list[Path]:
    """The files of the archives folder that match, by name. Fewer than `count` are a problem of `outcome`."""
    found = sorted(path for path in place.archives.glob(pattern) if path.is_file())
    if len(found) < count:
        outcome.problems.append(
            f"{pattern}: found {len(found)} of {count} in {place.archives.absolute()}. From: {source}."
        )
    return found


def stem(archive: Path) -> str:
    """The name of an archive without its suffix."""
    suffix = next((suffix for suffix in ARCHIVE_SUFFIXES if archive.name.endswith(suffix)), "")
    return archive.name.removesuffix(suffix)
