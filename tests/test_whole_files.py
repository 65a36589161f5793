"""Whole files or none, and maps that other programs wrote."""

from pathlib import Path

import pytest

from tr2m.files import file_sha256, temporary_for, write_atomically


def test_a_file_is_whole_or_as_it_was(tmp_path: Path):
    path = tmp_path / "new folder" / "a.json"
    write_atomically(path, b"first")

    def fail_half_way() -> None:
        with temporary_for(path) as temporary:
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"first"
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert path.read_bytes() == b"first"
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_is_not_taken_over(tmp_path: Path):
    with temporary_for(tmp_path / "a") as temporary:
        name = temporary
        temporary.write_bytes(b"x")
    name.write_bytes(b"left over")
    with temporary_for(tmp_path / "a") as temporary:
        assert temporary == name
        assert not temporary.exists()
        temporary.write_bytes(b"y")


def test_a_checksum_is_that_of_the_bytes(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
