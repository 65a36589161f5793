import json
import re

import numpy as np
import pytest
import trees
from readers import opened

from tr2m.data.captions.files import OneSentence
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
        "color/000007.jpg,,0.001,A kitchen.",
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


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_row_has_one_line_and_the_line_numbers_below_empty_ones_stay_right(tree, ending):
    rows = [GOOD, "", "none.jpg,depth/000000.png,0.001,A kitchen."]
    (tree / "train.csv").write_text(ending.join([HEADER, *rows]), newline="")
    with pytest.raises(UserError, match=r"wrong rows; [^\n]*\n  line 4: no file .*none.jpg$"):
        opened("folder", tree)
    rows[0] = rows[0].replace("A kitchen.", f'"A kitchen,{ending}red."')
    (tree / "train.csv").write_text(ending.join([HEADER, *rows]), newline="")
    with pytest.raises(UserError, match=r"train.csv, line 2: expected CSV with a line for each row"):
        opened("folder", tree)


@pytest.mark.parametrize(
    ("header", "rows", "line"),
    [
        (f"{HEADER},note", [f"{GOOD},x", f'{GOOD},"five inch', f"{GOOD},x", f'{GOOD},"'], 3),
        (f'{HEADER},"note', [GOOD, f'{GOOD},"'], 1),
    ],
)
def test_a_quote_that_is_left_open_and_closed_below_swallows_no_row(tree, header, rows, line):
    table(tree, *rows, header=header)
    with pytest.raises(UserError, match=rf"train.csv, line {line}: .* unexpected end of data. Close its double quotes"):
        opened("folder", tree)


@pytest.mark.parametrize("first", ['"A kitchen.', '"A "red" kitchen."', '"A kitchen." red'])
@pytest.mark.parametrize("second", ["A sink.", '"A sink."'])
def test_a_quote_that_is_not_closed_swallows_no_row(tree, first, second):
    bad = GOOD.replace("000000", "000007").replace("A kitchen.", first)
    table(tree, GOOD, bad, f"color/000009.jpg,depth/000007.png,0.001,{second}")
    with pytest.raises(UserError, match=r'train.csv, line 3: expected CSV .*, got: .*write "" for "'):
        opened("folder", tree)
    table(tree, GOOD.replace("A kitchen.", '"A ""red"" kitchen."'))
    assert opened("folder", tree, captions=None).evaluation_sample(0).caption == 'A "red" kitchen.'


def test_columns_and_keys_come_once(tree):
    table(tree, GOOD + ",A sink.", header=HEADER + ",caption")
    with pytest.raises(UserError, match=r"got the columns .*'caption', 'caption'\], expected each once"):
        opened("folder", tree)
    (tree / "train.csv").unlink()
    table(tree, '{"image": "a.jpg", "image": "b.jpg"}', header="", name="train.jsonl")
    with pytest.raises(UserError, match="line 1: got the keys image, image, expected each once"):
        opened("folder", tree)


def test_a_depth_file_belongs_to_one_image(tree):
    table(tree, GOOD, GOOD.replace("color/000000", "color/000007").replace("depth/", "./depth/"))
    with pytest.raises(
        UserError, match=r"\n  line 3: depth .*/depth/000000.png is that of line 2, too: expected one for"
    ):
        opened("folder", tree)
    (tree / "depth/link.png").symlink_to("000000.png")
    table(tree, GOOD, GOOD.replace("color/000000", "color/000007").replace("depth/000000", "depth/link"))
    assert len(opened("folder", tree)) == 2


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_tables_of_one_split_are_refused(tree, split):
    table(tree, GOOD, name="train.csv")
    (tree / "train.jsonl").write_text((tree / "test.jsonl").read_text())
    with pytest.raises(UserError, match=r"got train.jsonl and train.csv, expected one table"):
        opened("folder", tree, split)


def test_frames_that_are_trained_on_are_not_scored(tree):
    (tree / "test.jsonl").unlink()
    (tree / "train.csv").write_text("\ufeff" + (tree / "train.csv").read_text(), encoding="utf-8")
    table(
        tree, "./color/000007.jpg,depth/000007.png,0.001,A kitchen.", "color/000009.jpg,depth/000000.png,0.001,A sink."
    )
    for split in ("test", "val"):
        (tree / "train.csv").rename(tree / f"{split}.csv")
        trained = GOOD.replace("000000", "000007").replace("A kitchen.", "Another one.")
        table(tree, GOOD, trained)
        with pytest.raises(
            UserError, match=rf"{split}.csv: got 1 of 2 frames that train.csv has, too, .* color/000007"
        ):
            opened("folder", tree, split)
        assert opened("folder", tree).sample_ids == ["color/000000", "color/000007"]
        # Another name is nobody's test split.
        (tree / f"{split}.csv").rename(tree / "trainval.csv")
        assert len(opened("folder", tree, "trainval")) == 2
        (tree / "trainval.csv").rename(tree / "train.csv")


def test_a_training_table_that_cannot_be_read_is_named(tree):
    (tree / "train.csv").unlink()
    table(tree, "{", header="", name="train.jsonl")
    with pytest.raises(UserError, match=r"train.jsonl, line 1: got no JSON"):
        opened("folder", tree, "test")


def test_sizes_and_orientations_are_compared_when_the_table_is_read(tree):
    trees.put(tree / "depth/000000.png", trees.units((48, 64), {}))
    np.save(tree / "depth/small.npy", np.ones((24, 64), np.float32))
    np.save(tree / "depth/mask.npy", np.ones(trees.SMALL, bool))
    rows = [
        GOOD,
        GOOD.replace("depth/000000.png", "depth/small.npy"),
        GOOD.replace("depth/000000.png", "depth/mask.npy"),
    ]
    images = ["color/000000.jpg", "color/000007.jpg", "color/000009.jpg"]
    rows = [row.replace("color/000000.jpg", image) for row, image in zip(rows, images, strict=True)]
    table(tree, rows[0], GOOD.replace("0.001", "zero"), *rows[1:])
    with pytest.raises(UserError) as caught:
        opened("folder", tree)
    expected = [
        "line 2: .*got depth of 48x64 .* expected 96x128, .* resize the image to 48x64 by averaging",
        "line 3: got metres_per_unit 'zero'",
        "line 4: .*small.npy: got depth of 24x64 .* do not show the same view",
        "line 5: .*mask.npy: got a mask",
    ]
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 4
    for line, pattern in zip(lines, expected, strict=True):
        assert re.search(pattern, line), line


def test_suffixes_in_capitals(tree):
    for source, name in (
        ("depth/000000.png", "depth/A.PNG"),
        ("depth/a.npy", "depth/A.NPY"),
        ("color/000000.jpg", "A.JPG"),
    ):
        (tree / name).write_bytes((tree / source).read_bytes())
    table(tree, "A.JPG,depth/A.PNG,0.001,A kitchen.", "color/000007.jpg,depth/A.NPY,1,A kitchen.")
    frames = [opened("folder", tree).read_frame(index).depth for index in (0, 1)]
    assert [frame[1, 1] for frame in frames] == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize("factor", [True, "true", "nan", None, [1], 10**400])
def test_factors_that_are_no_numbers(tree, factor):
    (tree / "train.csv").unlink()
    row = {"image": "color/000000.jpg", "depth": "depth/000000.png", "metres_per_unit": factor, "caption": "A kitchen."}
    table(tree, json.dumps(row), header="", name="train.jsonl")
    with pytest.raises(UserError, match=r"line 1: got (metres_per_unit|\{)"):
        opened("folder", tree)


def test_what_is_infinite_negative_or_nan_was_not_measured(tree):
    depth = np.full(trees.SMALL, 2.0)
    depth[0, :5] = [np.inf, -np.inf, np.nan, -3, 65535]
    np.save(tree / "depth/odd.npy", depth)
    table(tree, "color/000000.jpg,depth/odd.npy,0.5,A kitchen.")
    read = opened("folder", tree).read_frame(0).depth
    assert read[0, :6].tolist() == [0, 0, 0, 0, 0, 1]
    sample = opened("folder", tree, input_size=trees.SMALL).evaluation_sample(0)
    assert sample.valid[0, :6].tolist() == [False] * 5 + [True]


def test_frames_without_a_sentence_are_named(tree):
    images = [f"color/{number:06d}" for number in range(8)]
    for image in images:
        (tree / f"{image}.jpg").write_bytes((tree / "color/000009.jpg").read_bytes())
        (tree / f"{image}.npy").write_bytes((tree / "depth/a.npy").read_bytes())
    rows = [f"{image}.jpg,{image}.npy,1,{'A kitchen.' if image == images[1] else ' '}" for image in images]
    table(tree, *rows)
    first = ", ".join([images[0], *images[2:6]])
    with pytest.raises(
        UserError, match=rf'train.csv: 7 of 8 frames have no caption: {first} and 2 more\. .*sentence="'
    ):
        opened("folder", tree, captions=None)
    given = opened("folder", tree, captions=OneSentence(" A corridor. "))
    assert {given.evaluation_sample(index).caption for index in (0, 1)} == {"A corridor."}
    assert given.conditions()["caption_source"] == 'one sentence: "A corridor."'
    table(tree, GOOD.removesuffix(",A kitchen."), header=HEADER.removesuffix(",caption"))
    with pytest.raises(UserError, match=r"1 of 1 frames have no caption: color/000000\. "):
        opened("folder", tree, captions=None)
    assert len(opened("folder", tree, captions=OneSentence("A corridor."))) == 1
    with pytest.raises(UserError, match="expected a sentence of one line"):
        OneSentence(" \n")
    (tree / "train.csv").unlink()
    row = {"image": "color/000000.jpg", "depth": "depth/000000.png", "metres_per_unit": 0.001}
    for caption in ({}, {"caption": None}, {"caption": []}, {"caption": ""}):
        table(tree, json.dumps(row | caption), header="", name="train.jsonl")
        with pytest.raises(UserError, match="1 of 1 frames have no caption"):
            opened("folder", tree, captions=None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 1: got no JSON"),
        (f'{{"image": {"1" * 5000}}}', "line 1: got no JSON"),
        ("[1]", r"line 1: got \[1\], expected values for image, depth, metres_per_unit"),
        (json.dumps({"image": "color/000000.jpg"}), "line 1: got .*, expected values for"),
    ],
)
def test_wrong_json_lines(tree, row, message):
    (tree / "train.csv").unlink()
    table(tree, row, header="", name="train.jsonl")
    with pytest.raises(UserError, match=message):
        opened("folder", tree)


@pytest.mark.parametrize("caption", [[""], [3], 3, "A\nkitchen.", ["A kitchen.", "A\rsink."]])
def test_wrong_captions_in_json_lines(tree, caption):
    (tree / "train.csv").unlink()
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
    with pytest.raises(UserError, match=r"wrong rows; .*\n  it has none"):
        opened("folder", tree)
    with pytest.raises(UserError, match=rf"no file {tree}/val.csv: expected a table"):
        opened("folder", tree, "val")


@pytest.mark.parametrize("suffix", [".tiff", ".npy"])
def test_other_depth_formats(tree, suffix):
    path = trees.put(tree / f"depth/other{suffix}", trees.units(trees.SMALL, {(3, 4): 65535}))
    table(tree, f"color/000000.jpg,depth/{path.name},0.001,A kitchen.")
    depth = opened("folder", tree, invalid=[65535]).read_frame(0).depth
    assert (depth[0, 0], depth[3, 4]) == (pytest.approx(2.0), 0)
