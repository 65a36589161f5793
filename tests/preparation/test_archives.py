"""Unpacking: what is wanted arrives whole, what is harmful leaves nothing behind."""

import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from packing import make_tar, make_zip, with_method

from tr2m.errors import UserError
from tr2m.preparation import archives
from tr2m.preparation.archives import Limits, Unpacked, unpack

LIMITS = Limits(gigabytes=1e-3, ratio=50, members=20)
KEEP = r"(?:.*/)?(\w+/\w+\.png)"
FILES = {"set/a/1.png": b"one", "set/a/2.png": b"two", "set/b/1.png": b"three", "set/a/readme.txt": b"no"}
WANTED = {"a/1.png": b"one", "a/2.png": b"two", "b/1.png": b"three"}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(params=["set.zip", "set.tar", "set.tar.gz"])
def archive(request, tmp_path: Path) -> Path:
    make = make_zip if request.param.endswith(".zip") else make_tar
    return make(tmp_path / request.param, FILES)


def test_only_the_wanted_are_unpacked_below_the_group_of_the_pattern(archive: Path, tmp_path: Path):
    assert unpack(archive, tmp_path / "out", KEEP, LIMITS) == Unpacked(wanted=3, written=3)
    assert tree(tmp_path / "out") == WANTED


def test_a_second_run_repairs_what_is_missing_or_broken_and_leaves_the_rest_alone(archive: Path, tmp_path: Path):
    out = tmp_path / "out"
    unpack(archive, out, KEEP, LIMITS)
    (out / "a/1.png").unlink()
    (out / "b/1.png").write_bytes(b"thr")
    untouched = (out / "a/2.png").stat().st_mtime_ns
    assert unpack(archive, out, KEEP, LIMITS) == Unpacked(wanted=3, written=2)
    assert tree(out) == WANTED
    assert (out / "a/2.png").stat().st_mtime_ns == untouched


def test_what_is_interrupted_leaves_only_whole_files(archive: Path, tmp_path: Path, monkeypatch):
    written = []

    def killed(member, path, progress):
        path.write_bytes(member.open().read() if not written else b"t")
        written.append(member)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert tree(tmp_path / "out") == {"a/1.png": b"one"}
    # A process that is killed outright cannot tidy up: the next one does.
    (tmp_path / "out" / archives.TEMPORARY).mkdir()
    (tmp_path / "out" / archives.TEMPORARY / "file").write_bytes(b"t")
    assert unpack(archive, tmp_path / "out", KEEP, LIMITS).written == 2
    assert tree(tmp_path / "out") == WANTED


@pytest.mark.parametrize("name", ["../evil.png", "/tmp/evil.png", "set/../../evil/x.png", "a\\..\\x.png", "C:/x/y.png"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_lead_out_are_refused_before_anything_is_written(tmp_path: Path, make, name: str):
    archive = make(tmp_path / "set.tar", {**FILES, name: b"evil"})
    with pytest.raises(UserError, match=r"refused: the member .* outside of its folder"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused_in_a_tar(tmp_path: Path, kind: bytes):
    archive = make_tar(tmp_path / "set.tar", {**FILES, "set/a/3.png": b"/etc/passwd"}, {"set/a/3.png": kind})
    with pytest.raises(UserError, match=r"'set/a/3.png' is a (link|device), expected a plain file"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("mode", "kind"), [(stat.S_IFLNK, "link"), (stat.S_IFCHR, "device"), (stat.S_IFIFO, "device")])
def test_links_and_devices_are_refused_in_a_zip(tmp_path: Path, mode: int, kind: str):
    archive = make_zip(tmp_path / "set.zip", {**FILES, "set/a/3.png": b"/etc/passwd"}, {"set/a/3.png": mode | 0o644})
    with pytest.raises(UserError, match=f"'set/a/3.png' is a {kind}"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert not (tmp_path / "out").exists()


def test_links_that_nobody_wants_do_no_harm(tmp_path: Path):
    archive = make_tar(tmp_path / "set.tar", {**FILES, "latest": b"set"}, {"latest": tarfile.SYMTYPE})
    assert unpack(archive, tmp_path / "out", KEEP, LIMITS).written == 3


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_bombs_are_refused(tmp_path: Path, name: str):
    make = make_zip if name.endswith(".zip") else make_tar
    archive = make(tmp_path / name, {"set/a/1.png": bytes(900_000)})
    with pytest.raises(UserError, match="refused: unpacked, its files have more than"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert unpack(archive, tmp_path / "out", KEEP, Limits(1e-3, ratio=5000, members=20)).written == 1
    with pytest.raises(UserError, match=r"limits\.gigabytes"):
        unpack(archive, tmp_path / "out", KEEP, Limits(8e-4, ratio=5000, members=20))


def test_too_many_members_and_two_for_one_file_are_refused(archive: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"more than 3 members.*limits\.members"):
        unpack(archive, tmp_path / "out", KEEP, Limits(1, 50, members=3))
    with pytest.raises(UserError, match=r"both 'set/a/1\.png' and 'set/b/1\.png' would become 1\.png"):
        unpack(archive, tmp_path / "out", r".*/(\d\.png)", LIMITS)
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_too_small_is_noticed_first(archive: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 3}))
    with pytest.raises(UserError, match="GB are free"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert tree(tmp_path / "out") == {}


def test_damaged_archives_are_the_users_to_fetch_again(archive: Path, tmp_path: Path):
    whole = archive.read_bytes()
    for broken in (whole[: len(whole) // 6], b"", b"<html>quota exceeded</html>"):
        archive.write_bytes(broken)
        with pytest.raises(UserError, match="damaged or incomplete"):
            unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert tree(tmp_path) == {archive.name: broken}


def test_a_flipped_bit_is_noticed(tmp_path: Path):
    archive = make_zip(tmp_path / "set.zip", {"set/a/1.png": bytes(range(256))})
    with zipfile.ZipFile(archive) as file:
        start = file.infolist()[0].header_offset + 60
    content = bytearray(archive.read_bytes())
    content[start] ^= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert tree(tmp_path / "out") == {}


def test_a_method_that_python_lacks_is_refused_with_what_to_do(tmp_path: Path):
    archive = make_zip(tmp_path / "set.zip", {**FILES, "set/b/2.png": b"four"})
    with_method(archive, 9)
    with pytest.raises(UserError, match=r"'set/b/2.png' is a file of method 9, .* Deflate64, .* with 7z or unzip"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
    assert not (tmp_path / "out").exists()
    assert unpack(archive, tmp_path / "out", r"set/(a/.*)", LIMITS).written == 3


def test_encrypted_members_are_refused(tmp_path: Path):
    archive = make_zip(tmp_path / "set.zip", FILES)
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match="is a encrypted file"):
        unpack(archive, tmp_path / "out", KEEP, LIMITS)
