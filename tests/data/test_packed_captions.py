"""One file with the captions of a data set: what goes in comes out, whatever happens in between."""

import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import tiny

from tr2m.data.captions.files import CaptionSource
from tr2m.data.captions.packed import CaptionWriter, PackedCaptions
from tr2m.errors import UserError

CAPTIONS = {f"kitchen/{number:05d}": [f"A kitchen, frame {number}.", "Un café."] for number in range(9)}


def write(file: Path, captions: dict[str, list[str]], settings: dict | None = None) -> None:
    writer = CaptionWriter(file, "two sentences", settings or {"prompt": "?"})
    missing = writer.missing("train", list(captions))
    writer.add("train", ((sample_id, captions[sample_id]) for sample_id in missing), save_every=2)
    writer.finish()


def test_what_was_written_is_read(tmp_path: Path):
    write(tmp_path / "new/set.sqlite", CAPTIONS)
    packed = pickle.loads(pickle.dumps(PackedCaptions(tmp_path / "new/set.sqlite")))
    assert isinstance(packed, CaptionSource)
    assert packed.description == "two sentences"
    assert all(packed.lines("train", sample_id) == lines for sample_id, lines in CAPTIONS.items())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set.sqlite"]


def test_what_surrounds_a_sentence_is_not_packed(tmp_path: Path):
    write(tmp_path / "set.sqlite", {"a": [" \nA kitchen.\n", "A sink. "]})
    assert PackedCaptions(tmp_path / "set.sqlite").lines("train", "a") == ["A kitchen.", "A sink."]


@pytest.mark.parametrize("stop", [0, 3, 4, 8])
def test_a_stopped_run_keeps_what_it_has_and_the_next_one_goes_on(tmp_path: Path, stop: int):
    write(tmp_path / "whole.sqlite", CAPTIONS)
    file = tmp_path / "set.sqlite"

    def stopped() -> Iterator[tuple[str, list[str]]]:
        yield from list(CAPTIONS.items())[:stop]
        raise KeyboardInterrupt

    writer = CaptionWriter(file, "two sentences", {"prompt": "?"})
    with pytest.raises(KeyboardInterrupt):
        writer.add("train", stopped(), save_every=2)
    assert not file.exists()
    writer = CaptionWriter(file, "two sentences", {"prompt": "?"})
    assert writer.missing("train", list(CAPTIONS)) == list(CAPTIONS)[stop:]
    write(file, CAPTIONS)
    assert file.read_bytes() == (tmp_path / "whole.sqlite").read_bytes()


def test_a_killed_process_loses_no_more_than_it_may(tmp_path: Path):
    program = f"""
import os
from pathlib import Path
from tr2m.data.captions.packed import CaptionWriter
def captions():
    for number in range(5):
        yield f"kitchen/{{number:05d}}", ["A kitchen."]
    os._exit(9)
CaptionWriter(Path({str(tmp_path / "set.sqlite")!r}), "one", {{}}).add("train", captions(), save_every=2)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=tiny.ROOT, check=False).returncode == 9
    writer = CaptionWriter(tmp_path / "set.sqlite", "one", {})
    assert writer.missing("train", list(CAPTIONS)) == list(CAPTIONS)[4:]


def test_a_finished_file_stays_readable_while_frames_are_added(tmp_path: Path):
    file = tmp_path / "set.sqlite"
    write(file, dict(list(CAPTIONS.items())[:3]))
    writer = CaptionWriter(file, "two sentences", {"prompt": "?"})
    writer.add("test", iter([("hall/1", ["A hall."])]), save_every=1)
    assert PackedCaptions(file).lines("train", "kitchen/00002") == CAPTIONS["kitchen/00002"]
    with pytest.raises(UserError, match="no captions of hall/1 in the split 'test'"):
        PackedCaptions(file).lines("test", "hall/1")
    writer.finish()
    assert PackedCaptions(file).lines("test", "hall/1") == ["A hall."]


def test_captions_of_other_settings_are_not_mixed(tmp_path: Path):
    write(tmp_path / "set.sqlite", CAPTIONS)
    with pytest.raises(UserError, match=r'begun with other settings: \{"prompt": "\?"\}; got \{"prompt": "!"\}'):
        write(tmp_path / "set.sqlite", CAPTIONS, {"prompt": "!"})
    assert PackedCaptions(tmp_path / "set.sqlite").lines("train", "kitchen/00000")


@pytest.mark.parametrize("lines", [[], [""], ["  "], ["Two\nlines."]])
def test_what_is_no_caption_is_refused(tmp_path: Path, lines: list[str]):
    with pytest.raises(UserError, match="hall/1: got the captions"):
        write(tmp_path / "set.sqlite", {"hall/1": lines})


def test_files_that_are_missing_or_something_else(tmp_path: Path):
    with pytest.raises(UserError, match=r"no file of captions .*/none.sqlite. Make it .*TR2M_CAPTIONS"):
        PackedCaptions(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("A kitchen.\n" * 200)
    with pytest.raises(UserError, match=r"text.sqlite: file is not a database"):
        PackedCaptions(tmp_path / "text.sqlite")
    write(tmp_path / "set.sqlite", CAPTIONS)
    with closing(sqlite3.connect(tmp_path / "set.sqlite")) as connection:
        connection.execute("UPDATE about SET value = '2' WHERE key = 'format'")
        connection.commit()
    with pytest.raises(UserError, match="got captions of format 2, expected 1"):
        PackedCaptions(tmp_path / "set.sqlite")
