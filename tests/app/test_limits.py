"""What the app refuses, before anything is decoded."""

from pathlib import Path

import pytest
from PIL import Image

from tr2m.app import limits
from tr2m.errors import UserError


def test_sentences_are_lines_each_once():
    assert limits.sentences_of(" a room \n\n a hall\na room\n") == ["a room", "a hall"]
    for text in (None, "", " \n "):
        with pytest.raises(UserError, match="No sentence"):
            limits.sentences_of(text)
    assert len(limits.sentences_of("\n".join(map(str, range(8))))) == 8
    with pytest.raises(UserError, match="9 sentences: expected at most 8"):
        limits.sentences_of("\n".join(map(str, range(9))))
    assert limits.sentences_of("a" * 500) == ["a" * 500]
    with pytest.raises(UserError, match="A sentence of 501 letters"):
        limits.sentences_of("a" * 501)


def test_a_picture_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="No picture"):
        limits.checked_picture(None)
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(UserError, match=r"^notes.png: damaged, or no picture"):
        limits.checked_picture(str(tmp_path / "notes.png"))
    # One bit a pixel: some kilobytes on disk.
    for name, size in (("fits.png", (8_000, 4_000)), ("large.png", (8_000, 4_001)), ("bomb.png", (20_000, 20_000))):
        Image.new("1", size).save(tmp_path / name)
    assert limits.checked_picture(str(tmp_path / "fits.png")) == tmp_path / "fits.png"
    with pytest.raises(UserError, match=r"large.png has 4001x8000 pixels .*, 32 megapixels: expected at most 32"):
        limits.checked_picture(str(tmp_path / "large.png"))
    with pytest.raises(UserError, match=r"^bomb.png: cannot be read as a picture"):
        limits.checked_picture(str(tmp_path / "bomb.png"))
    monkeypatch.setattr(limits, "MAX_FILE_MB", 0.001)
    with pytest.raises(UserError, match=r"fits.png has 0 MB: expected at most 0.001 MB"):
        limits.checked_picture(str(tmp_path / "fits.png"))
