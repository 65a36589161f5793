"""`tr2m captions` on the model-free sources; the models run in test_models.py."""

from pathlib import Path

import pytest
import trees
from readers import READERS, captions

from tr2m.cli import captions as program
from tr2m.data.captions.packed import PackedCaptions
from tr2m.errors import UserError


def pack(name: str, root: Path, *arguments: str) -> Path:
    """The file that the program writes for a tree."""
    places = [f"dataset.reader.root={root}", f"dataset.reader.split_file={root}/list.yaml", f"paths.captions={root}"]
    program.main([f"dataset={name}", *places, *arguments])
    return next(root.glob("*.sqlite"))


def test_rsas_files_become_one(tmp_path: Path, capsys):
    trees.nyuv2(tmp_path)
    files = captions("nyuv2", tmp_path)
    arguments = ("source=rsa", f"source.captions.root={files.root}")
    file = pack("nyuv2", tmp_path, *arguments)
    assert file.name == "nyuv2_rsa.sqlite"
    packed = PackedCaptions(file)
    assert packed.description == files.description
    for split, content in READERS["nyuv2"].splits.items():
        assert all(packed.lines(split, sample_id) == files.lines(split, sample_id) for sample_id in content.ids)
    assert "3 frames, 3 of them new" in capsys.readouterr().out
    pack("nyuv2", tmp_path, *arguments)
    assert "3 frames, 0 of them new" in capsys.readouterr().out


def test_the_surgical_sentence(tmp_path: Path):
    trees.c3vd(tmp_path)
    packed = PackedCaptions(pack("c3vd", tmp_path, "source=surgical"))
    expected = "The image shows a surgical scene of descending colon with texture type four."
    assert packed.lines("test", "desc_t4_a/0003") == [expected]


def test_sources_that_do_not_fit_or_lack_a_folder_are_told(tmp_path: Path):
    trees.ibims(tmp_path)
    with pytest.raises(UserError, match=r"not given: source\.captions\.root=\.\.\."):
        pack("ibims", tmp_path, "source=rsa")
    with pytest.raises(UserError, match="sentence"):
        pack("ibims", tmp_path, "source=surgical")
    with pytest.raises(UserError, match=r"there is no configs/source/llava\.yaml"):
        pack("ibims", tmp_path, "source=llava")
