"""Downloads, from a server on this machine."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from packing import served

from tr2m.errors import UserError
from tr2m.preparation.downloads import Download

CONTENT = bytes(range(256)) * 20
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/set.zip").write_bytes(CONTENT)
    return tmp_path / "web"


@pytest.mark.parametrize("checksum", [SHA256, f"md5:{hashlib.md5(CONTENT).hexdigest()}"])
def test_a_file_arrives(folder: Path, tmp_path: Path, checksum: str):
    with served(folder) as (address, requests):
        Download(f"{address}/set.zip", len(CONTENT), checksum).fetch(tmp_path / "new/set.zip")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set.zip"]
    assert (tmp_path / "new/set.zip").read_bytes() == CONTENT
    assert requests == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(folder: Path, tmp_path: Path, ranges: bool):
    target = tmp_path / "set.zip"
    with served(folder, cut=1000) as (address, _), pytest.raises(UserError, match="ended after 1000 of 5120 bytes"):
        Download(f"{address}/set.zip", len(CONTENT), SHA256).fetch(target)
    assert not target.exists()
    with served(folder, ranges=ranges) as (address, requests):
        Download(f"{address}/set.zip", len(CONTENT), SHA256).fetch(target)
    assert requests == ["bytes=1000-"]
    assert target.read_bytes() == CONTENT


def test_another_file_than_published_is_refused_and_not_kept(folder: Path, tmp_path: Path):
    with served(folder) as (address, _):
        download = Download(f"{address}/set.zip", len(CONTENT), SHA256)
        for wrong_size in (len(CONTENT) - 1, len(CONTENT) + 1):
            with pytest.raises(UserError, match=f"announces 5120 bytes, expected {wrong_size}"):
                replace(download, size=wrong_size).fetch(tmp_path / "set.zip")
        with pytest.raises(UserError, match="does not have the checksum"):
            replace(download, checksum=SHA256[:-4] + "0000").fetch(tmp_path / "set.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["web"]


@pytest.mark.parametrize("url", ["http://example.com/set.zip", "ftp://127.0.0.1/set.zip", "file:///etc/passwd"])
def test_only_https_and_this_machine(tmp_path: Path, url: str):
    with pytest.raises(UserError, match="expected https"):
        Download(url, 1, SHA256).fetch(tmp_path / "set.zip")


def test_a_redirect_out_of_https_is_not_followed(folder: Path, tmp_path: Path):
    with served(folder) as (address, _), pytest.raises(UserError, match=r"http://example.com/file: expected https"):
        Download(f"{address}/moved", 1, SHA256).fetch(tmp_path / "set.zip")


def test_a_server_that_does_not_answer_is_reported(tmp_path: Path):
    with pytest.raises(UserError, match="Run it again"):
        Download("http://127.0.0.1:9/set.zip", 1, SHA256).fetch(tmp_path / "set.zip")
