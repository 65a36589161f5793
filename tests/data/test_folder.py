import json

import numpy as np
import pytest
import trees
from readers import opened

from tr2m.errors import UserError

HEADER = "image,depth,metres_per_unit,caption"
GOOD = "color/000000.jpg,depth/000000.png,0.001,A kitchen."


@pytest.fixture
def tree(tmp_path):
    trees.folder(tmp_path)
    return tmp_path


def table(tree, *rows: str, header: str = HEADER, name: str = "train.csv") -> None:
    (tree / name).write_text("\n".join([header, *rows] if header else rows))


def test_captions_of_the_table_unless_others_are_given(tree):
    own = {split: opened("folder", tree, split, captions=None) for split in ("train", "test")}
    assert own["train"].evaluation_sample(1).caption == "A kitchen, frame 7."
    drawn = {own["test"].training_sample(0, np.random.default_rng(seed)).caption for seed in range(8)}
    assert drawn == {"A kitchen.", "A sink."}
    assert "own table" in own["test"].conditions()["caption_source"]
    assert opened("folder", tree, "train").evaluation_sample(1).caption == "color/000007, sentence 0."


def test_every_wrong_row_is_reported_with_its_line(tree):
    table(
        tree,
        GOOD,
        "../secret.jpg,depth/000000.png,0.001,A kitchen.",
        "/etc/passwd,depth/000000.png,0.001,A kitchen.",
        "color/000007.jpg,depth/none.png,0.001,A kitchen.",
        "color/000007.jpg,depth/000007.png,zero,A kitchen.",
        "color/000007.jpg,depth/000007.png,-1,A kitchen.",
        "color/000007.jpg,depth/000007.png,inf,A kitchen.",
        "color/000007.jpg,depth/000007.png,0.001,",
        "color/000007.jpg,color/000007.jpg,0.001,A kitchen.",
        GOOD,
        "color/000007.jpg,depth/000007.png,0.001,A kitchen, red.",
        f"{'x' * 300}.jpg,depth/000007.png,0.001,A kitchen.",
    )
    with pytest.raises(UserError) as caught:
        opened("folder", tree)
    lines = str(caught.value).splitlines()
    expected = [
        "line 3: got '../secret.jpg', expected a path below",
        "line 4: got '/etc/passwd', expected a path below",
        f"line 5: no file {tree}/depth/none.png",
        "line 6: got metres_per_unit 'zero'",
        "line 7: got metres_per_unit '-1'",
        "line 8: got metres_per_unit 'inf'",
        "line 9: got {",
        "line 10: got depth color/000007.jpg, expected one of .png",
        "line 11: image color/000000 stands in the table twice",
        "line 12: got more cells than columns, [' red.']: put captions with commas in double quotes",
        f"line 13: no file {tree}/xxx",
    ]
    assert len(lines) == 1 + len(expected)
    assert all(line.strip().startswith(start) for line, start in zip(lines[1:], expected, strict=True)), lines


def test_a_caption_may_span_lines_and_the_line_number_stays_right(tree):
    table(tree, GOOD.replace("A kitchen.", '"A kitchen,\nred."'), "none.jpg,depth/000000.png,0.001,A kitchen.")
    with pytest.raises(UserError, match=r"line 4: no file"):
        opened("folder", tree)
    table(tree, GOOD.replace("A kitchen.", '"A kitchen,\nred."'))
    assert opened("folder", tree, captions=None).evaluation_sample(0).caption == "A kitchen,\nred."


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 1: got no JSON"),
        ("[1]", r"line 1: got \[1\], expected values for image, depth, metres_per_unit, caption"),
        (json.dumps({"image": "color/000000.jpg"}), "line 1: got .*, expected values for"),
    ],
)
def test_wrong_json_lines(tree, row, message):
    table(tree, row, header="", name="train.jsonl")
    with pytest.raises(UserError, match=message):
        opened("folder", tree)


@pytest.mark.parametrize("caption", [[], [""], [3], 3])
def test_wrong_captions_in_json_lines(tree, caption):
    row = {"image": "color/000000.jpg", "depth": "depth/000000.png", "metres_per_unit": 0.001, "caption": caption}
    table(tree, json.dumps(row), header="", name="train.jsonl")
    with pytest.raises(UserError, match=r"line 1: got (caption )?"):
        opened("folder", tree)


def test_tables_that_are_none(tree):
    table(tree, GOOD, header="image,depth,scale,caption")
    with pytest.raises(
        UserError, match=r"got the columns \['image', 'depth', 'scale', 'caption'\], .* metres_per_unit"
    ):
        opened("folder", tree)
    table(tree)
    with pytest.raises(UserError, match="the table has no rows"):
        opened("folder", tree)
    with pytest.raises(UserError, match=rf"no file {tree}/val.csv: expected a table"):
        opened("folder", tree, "val")


@pytest.mark.parametrize("suffix", [".tiff", ".npy"])
def test_other_depth_formats(tree, suffix):
    path = trees.put(tree / f"depth/other{suffix}", trees.units(trees.SMALL, {(3, 4): 65535}))
    table(tree, f"color/000000.jpg,depth/{path.name},0.001,A kitchen.")
    depth = opened("folder", tree, invalid=[65535]).read_frame(0).depth
    assert (depth[0, 0], depth[3, 4]) == (pytest.approx(2.0), 0)
