"""Zip and tar archives, unpacked so that neither a harmful nor a broken one leaves anything behind.

All members are looked at before the first byte is written. Each file is then written into a temporary folder and moved
to its place when it is complete, so a file that is in its place is whole and a second run does only what is missing.
"""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from tr2m.errors import UserError

TEMPORARY = ".unpacking"
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError)
_BLOCK = 1 << 20
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most, so that a harmful one cannot fill the disk.

    Args:
        gigabytes: of all unpacked files, 10^9 bytes each.
        ratio: size of the unpacked files over that of the archive.
        members: files and folders.
    """

    gigabytes: float
    ratio: float
    members: int


@dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    name: str
    size: int
    """Bytes, unpacked."""
    kind: str
    """ "file", "folder", or what is never unpacked: "link", "device", "encrypted file", "file of method <n>"."""
    open: Callable[[], IO[bytes] | None]


@dataclass(frozen=True)
class Unpacked:
    """What `unpack` did."""

    wanted: int
    """Files of the archive that are wanted."""
    written: int
    """Those of them that were not in their place before."""


def unpack(archive: Path, target: Path, keep: str, limits: Limits) -> Unpacked:
    """Unpack the wanted files of a zip or tar archive below `target`, leaving those alone that are there already.

    Args:
        keep: a regular expression that the whole name of a wanted member matches. Its one group is the path below
            `target`.

    Raises:
        UserError: damaged; an absolute path or `..` anywhere in it; a link or a device among the wanted; beyond a
            limit; not enough space. Nothing is written before all of this but the first is excluded.
    """
    temporary = target / TEMPORARY
    with _open_archive(archive) as members:
        wanted = _wanted_members(archive, members, re.compile(keep), limits)
        missing = {path: member for path, member in wanted.items() if not _in_place(target / path, member.size)}
        size = sum(member.size for member in missing.values())
        target.mkdir(parents=True, exist_ok=True)
        if size > (free := shutil.disk_usage(target).free):
            raise UserError(f"{archive}: needs {size / 1e9:.1f} GB in {target}, where {free / 1e9:.1f} GB are free.")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            with tqdm(total=size, desc=archive.name, unit="B", unit_scale=True) as progress:
                for path, member in missing.items():
                    _write(member, temporary / "file", progress)
                    (target / path).parent.mkdir(parents=True, exist_ok=True)
                    (temporary / "file").replace(target / path)
        finally:
            shutil.rmtree(temporary)
    return Unpacked(len(wanted), len(missing))


def _in_place(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _write(member: Member, path: Path, progress: tqdm) -> None:
    source = member.open()
    if source is None:
        raise UserError(f"{member.name}: the archive has no content for it. Fetch it again.")
    with source, path.open("wb") as sink:
        while block := source.read(_BLOCK):
            sink.write(block)
            progress.update(len(block))


@contextmanager
def _open_archive(archive: Path) -> Iterator[Iterator[Member]]:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield (_zip_member(file, info) for info in file.infolist())
        else:
            with tarfile.open(archive) as file:
                yield (_tar_member(file, info) for info in tqdm(file, desc=f"{archive.name}: members", unit=""))
    except _DAMAGED as error:
        raise UserError(
            f"{archive}: damaged or incomplete ({error}): expected a zip or tar archive. Fetch it again."
        ) from error


def _zip_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    # The upper half has the file's mode where the archive was made on Unix, and 0 elsewhere.
    mode = stat.S_IFMT(info.external_attr >> 16)
    kind = "folder" if info.is_dir() else "link" if mode == stat.S_IFLNK else "file"
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        kind = "device"
    elif info.flag_bits & 1:
        kind = "encrypted file"
    elif info.compress_type not in _ZIP_METHODS:
        kind = f"file of method {info.compress_type}"
    return Member(info.filename, info.file_size, kind, lambda: file.open(info))


def _tar_member(file: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    links = info.issym() or info.islnk()
    kind = "file" if info.isreg() else "folder" if info.isdir() else "link" if links else "device"
    return Member(info.name, info.size, kind, lambda: file.extractfile(info))


def _wanted_members(
    archive: Path, members: Iterator[Member], keep: re.Pattern[str], limits: Limits
) -> dict[PurePosixPath, Member]:
    """The files to unpack by their path below the target. Raises UserError if anything about the archive is wrong."""
    wanted: dict[PurePosixPath, Member] = {}
    size, allowed = 0, min(limits.gigabytes * 1e9, limits.ratio * archive.stat().st_size)
    for count, member in enumerate(members, start=1):
        if count > limits.members:
            raise UserError(f"{archive}: got more than {limits.members} members, the most allowed (limits.members).")
        if not _is_below(member.name):
            raise UserError(f"{archive}: refused: the member {member.name!r} would be written outside of its folder.")
        match = keep.fullmatch(member.name)
        if match is None or member.kind == "folder":
            continue
        if member.kind.startswith("file of method"):
            raise UserError(
                f"{archive}: {member.name!r} is a {member.kind}, which Python cannot unpack (9 is Deflate64, which "
                "Windows writes beyond 2 GB). Unpack it with 7z or unzip, pack it again with zip -r, and start again."
            )
        if member.kind != "file":
            raise UserError(f"{archive}: refused: {member.name!r} is a {member.kind}, expected a plain file.")
        path = PurePosixPath(match[1])
        if path in wanted:
            raise UserError(f"{archive}: refused: both {wanted[path].name!r} and {member.name!r} would become {path}.")
        size += member.size
        if size > allowed:
            raise UserError(
                f"{archive}: refused: unpacked, its files have more than {allowed / 1e9:.3g} GB, the most allowed for "
                f"an archive of {archive.stat().st_size / 1e9:.3g} GB (limits.gigabytes, limits.ratio)."
            )
        wanted[path] = member
    return wanted


def _is_below(name: str) -> bool:
    """Whether a member's name is a plain relative path on every system."""
    return not (name.startswith("/") or "\\" in name or re.match("[A-Za-z]:", name) or ".." in name.split("/"))
