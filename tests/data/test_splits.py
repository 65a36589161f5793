import gzip
import os
import re
from pathlib import Path

import pytest
import yaml

from tr2m.data.splits import load_split, select_split
from tr2m.errors import UserError

LISTS = Path(__file__).parents[2] / "data_splits"
COUNTS = {
    ("nyuv2", "train"): (284, 24231),
    ("nyuv2", "test"): (16, 654),
    ("kitti", "train"): (33, 23158),
    ("kitti", "test"): (28, 652),
    ("kitti", "test_without_ground_truth"): (22, 45),
    ("samples_nyuv2", "train"): (2, 6),
    ("samples_nyuv2", "test"): (1, 1),
    ("samples_kitti", "train"): (1, 3),
    ("samples_kitti", "test"): (1, 7),
    ("c3vd", "train"): (15, 6849),
    ("c3vd", "val"): (3, 1460),
    ("c3vd", "test"): (4, 1706),
    ("c3vd_released", "train"): (15, 7126),
    ("c3vd_released", "test"): (8, 2889),
    ("ibims", "test"): (11, 100),
    ("simcol", "train"): (18, 18 * 1201),
    ("simcol", "val"): (6, 6 * 1201 - 3),
    ("simcol", "test"): (9, 9009),
}


def written(tmp_path: Path, members: str, groups: int = 1, frames: int = 1) -> Path:
    path = tmp_path / "list.yaml"
    path.write_text(f"test:\n  groups: {groups}\n  frames: {frames}\n  members: {{{members}}}\n")
    return path


@pytest.mark.parametrize(("name", "split"), COUNTS)
def test_counts(name, split):
    frames = load_split(LISTS / f"{name}.yaml", split)
    assert (len({group for group, _ in frames}), len(set(frames))) == COUNTS[name, split]
    assert len(frames) == len(set(frames))


@pytest.mark.parametrize(
    ("name", "split", "counts"),
    [
        ("void", "test", (8, 800)),
        ("sunrgbd", "test", (8, 5050)),
        ("hypersim", "test", (46, 7690)),
        ("diode", "val", (3, 446)),
    ],
)
def test_counts_without_names(name, split, counts):
    table = yaml.safe_load((LISTS / f"{name}.yaml").read_text())[split]
    found = [(group, number) for group, count in table["counts"].items() for number in range(count)]
    assert (len(table["counts"]), len(found)) == counts
    assert select_split(LISTS / f"{name}.yaml", split, found) == found


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_group_is_in_two_splits(path):
    if path.stem in ("kitti", "c3vd_released"):
        pytest.skip("test_without_ground_truth is of the test drives, and a video of C3VD was cut in two: see below")
    groups = [set(table.get("members", table.get("counts", {}))) for table in yaml.safe_load(path.read_text()).values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize("split", ["val", "test"])
def test_frames_that_are_trained_on_are_not_held_out(tmp_path, split):
    def written(trained: dict, tested: dict) -> Path:
        (tmp_path / "list.yaml").write_text(yaml.safe_dump({"train": trained, split: tested, "all": tested}))
        return tmp_path / "list.yaml"

    train = {"groups": 1, "frames": 3, "members": {"kitchen": "4, 7, 8"}}
    test = {"groups": 2, "frames": 3, "members": {"kitchen": "5-8/3", "office": "7"}}
    path, found = written(train, test), [("kitchen", 5), ("kitchen", 8), ("office", 7)]
    for read in (lambda name: load_split(path, name), lambda name: select_split(path, name, found)):
        with pytest.raises(UserError, match=rf"split '{split}': got 1 entries that split 'train' has, .* kitchen 8\."):
            read(split)
        assert len(read("all")) == 3
    test["members"]["kitchen"] = "5, 6"
    assert len(load_split(written(train, test), split)) == 3
    counted = {"groups": 1, "frames": 2, "counts": {"kitchen": 2}}
    with pytest.raises(UserError, match=r"got 1 entries that split 'train' has, .* kitchen\."):
        select_split(written(counted, counted), split, [("kitchen", 1), ("kitchen", 2)])


def test_true_is_no_number_of_frames(tmp_path):
    (tmp_path / "list.yaml").write_text("test: {groups: 1, frames: 1, counts: {kitchen: true}}")
    with pytest.raises(UserError, match=r"got counts .*True"):
        select_split(tmp_path / "list.yaml", "test", [("kitchen", 1)])


def test_the_released_split_of_c3vd_is_that_of_the_23_sorted_folders():
    train, test = (set(load_split(LISTS / "c3vd_released.yaml", split)) for split in ("train", "test"))
    ours = {frame for split in ("train", "val", "test") for frame in load_split(LISTS / "c3vd.yaml", split)}
    assert (train | test, train & test) == (ours, set())

    def folders(frames: set[tuple[str, int]]) -> set[str]:
        halves = {"desc_t4_a": lambda number: f"desc_t4_a_p{1 + number // 74}"}
        return {halves[video](number) if video in halves else video for video, number in frames}

    everything = sorted(folders(train) | folders(test))
    assert len(everything) == 23
    assert folders(test) == {everything[number] for number in (0, 2, 5, 9, 12, 16, 19, 21)}
    trained = (1, 3, 4, 6, 7, 8, 10, 11, 13, 14, 15, 17, 18, 20, 22)
    assert folders(train) == {everything[number] for number in trained}


def test_kitti_trains_and_tests_on_different_drives():
    train, test, unscored = (
        set(load_split(LISTS / "kitti.yaml", split)) for split in ("train", "test", "test_without_ground_truth")
    )
    drives = {drive for drive, _ in train}
    assert not drives & {drive for drive, _ in test | unscored}
    assert not test & unscored
    assert len(test | unscored) == 697
    assert {drive for drive, _ in unscored} <= {drive for drive, _ in test}


def test_nyuv2_trains_on_captures_and_tests_on_labelled_frames():
    # Test frames go by scene type ("bathroom"), training ones by capture ("bathroom_0001"): no name says that the two
    # share a scene or that they do not. What can be judged here: no folder is in both, and the indices fit the file.
    train, test = (load_split(LISTS / "nyuv2.yaml", split) for split in ("train", "test"))
    assert all(re.fullmatch(r"[a-z_]+_\d+[a-z]?", scene) for scene, _ in train)
    assert all(re.fullmatch(r"[a-z_]+", scene_type) for scene_type, _ in test)
    numbers = [number for _, number in test]
    assert len(set(numbers)) == 654
    assert max(numbers) < 1449


@pytest.mark.parametrize(
    ("terms", "numbers"),
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("1-10/3", [1, 4, 7, 10]),
        ("1-7/3, 2, 5-6 ,100", [1, 2, 4, 5, 6, 7, 100]),
        ("10-30/20", [10, 30]),
    ],
)
def test_terms(tmp_path, terms, numbers):
    file = written(tmp_path, f'a_0001: "{terms}"', frames=len(numbers))
    assert load_split(file, "test") == [("a_0001", number) for number in numbers]


def test_groups_keep_their_order_and_numbers_ascend(tmp_path):
    file = written(tmp_path, 'b: "9, 2", a: "1"', groups=2, frames=3)
    assert load_split(str(file), "test") == [("b", 2), ("b", 9), ("a", 1)]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("1;2", "got '1;2', expected a term like"),
        ("", "got '', expected a term like"),
        ("-3", "got '-3', expected a term like"),
        ("5-3", "got '5-3', expected a range that rises"),
        ("1-9/3", "got '1-9/3', expected a range that rises and ends on one of its steps"),
        ("1-9/0", "got '1-9/0', expected a range"),
        ("1-4, 3", r"expected every frame once, got \[3\]"),
    ],
)
def test_malformed_terms_are_refused(tmp_path, terms, message):
    with pytest.raises(UserError, match=f"list.yaml: test: a: {message}"):
        load_split(written(tmp_path, f'a: "{terms}"'), "test")


@pytest.mark.parametrize(("groups", "frames"), [(1, 4), (1, 2), (2, 3)])
def test_wrong_counts_are_refused(tmp_path, groups, frames):
    message = f"expected {groups} groups with {frames} frames, .* found 1 groups with 3 frames"
    with pytest.raises(UserError, match=message):
        load_split(written(tmp_path, 'a: "1-3"', groups, frames), "test")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no split file .*nowhere.yaml"):
        load_split(tmp_path / "nowhere.yaml", "test")
    with pytest.raises(UserError, match="got split 'val', expected one that the file has: test"):
        load_split(written(tmp_path, 'a: "1"'), "val")
    broken = tmp_path / "broken.yaml"
    broken.write_text("test: {groups: [")
    with pytest.raises(UserError, match="expected YAML"):
        load_split(broken, "test")
    broken.write_text("test: {frames: 1}")
    with pytest.raises(UserError, match="must have `groups`, `frames` and `members`"):
        load_split(broken, "test")
    broken.write_text("test: {groups: 1, frames: 1, members: [a]}")
    with pytest.raises(UserError, match=r"got members \['a'\], expected"):
        load_split(broken, "test")


def counted(tmp_path: Path, **splits: dict) -> Path:
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump(splits))
    return path


def test_found_frames_are_those_of_the_split_in_its_order(tmp_path):
    file = written(tmp_path, 'b: "9, 2", a: "1"', groups=2, frames=3)
    assert select_split(file, "test", [("a", 1), ("a", 2), ("b", 9), ("c", 1), ("b", 2)]) == [
        ("b", 2),
        ("b", 9),
        ("a", 1),
    ]
    file = counted(tmp_path, test={"groups": 2, "frames": 3, "counts": {"b": 2, "a": 1}})
    assert select_split(file, "test", [("c", "x"), ("b", "z"), ("a", "y"), ("b", "x")]) == [
        ("b", "z"),
        ("a", "y"),
        ("b", "x"),
    ]


def test_all_found_frames_but_those_of_other_splits(tmp_path):
    test = {"groups": 1, "frames": 1, "counts": {"b": 1}}
    file = counted(tmp_path, train={"groups": 1, "frames": 2}, test=test)
    assert select_split(file, "train", [("a", "x"), ("b", "x"), ("a", "y")]) == [("a", "x"), ("a", "y")]
    with pytest.raises(UserError, match=r"expected 1 groups with 2 frames, as .*, found 2 groups with 2 frames\. "):
        select_split(file, "train", [("a", "x"), ("c", "y")])


def test_what_is_missing_is_named_up_to_five(tmp_path):
    file = written(tmp_path, 'a: "1-8"', frames=8)
    with pytest.raises(
        UserError, match=r"8 frames, .* found 1 groups with 2 frames; the first .*: a 1, a 2, a 3, a 5, a 6\. "
    ):
        select_split(file, "test", [("a", 4), ("a", 8)])
    file = counted(tmp_path, test={"groups": 2, "frames": 5, "counts": {"a": 3, "b": 2}})
    with pytest.raises(UserError, match=r"found 2 groups with 5 frames; .*: a \(4 of 3\), b \(1 of 2\)\. "):
        select_split(file, "test", [("a", "1"), ("a", "2"), ("a", "3"), ("a", "4"), ("b", "1")])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"frames": 1}, "must have `groups`, `frames` and perhaps"),
        ([], "must have `groups`, `frames` and perhaps"),
        ({"groups": 1, "frames": 1, "counts": ["a"]}, r"got counts \['a'\], expected"),
        ({"groups": 1, "frames": 1, "counts": {"a": "x"}}, r"got counts \{'a': 'x'\}, expected"),
        ({"groups": 1, "frames": 2, "counts": {"a": 1}}, "expected 1 groups with 2 frames, as the file states"),
    ],
)
def test_malformed_counts_are_refused(tmp_path, table, message):
    with pytest.raises(UserError, match=message):
        select_split(counted(tmp_path, test=table), "test", [("a", "x")])


CUSTOMARY = {
    "nyuv2": ("nyudepthv2_{}_files_with_gt.txt", r"^/?([^/ ]+)/rgb_(\d+)\.jpg /?\1/sync_depth_\2\.png "),
    "kitti": ("eigen_{}_files_with_gt.txt", r"(\w+)_sync/image_02/data/(\d+)\.png \1_sync/.*/\2\.png "),
}


@pytest.mark.skipif("TR2M_SPLIT_LISTS" not in os.environ, reason="TR2M_SPLIT_LISTS names no folder of customary lists")
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", CUSTOMARY)
def test_same_frames_as_the_customary_lists(name, split):
    file, pattern = CUSTOMARY[name]
    path = Path(os.environ["TR2M_SPLIT_LISTS"]) / file.format(split)
    text = path.read_text() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes()).decode()
    # Some copies of the KITTI test list keep the frames without ground truth, with "None" for the depth file.
    lines = [line for line in text.splitlines() if " None " not in line]
    matches = [re.search(pattern, line) for line in lines]
    assert None not in matches
    theirs = {(match[1], int(match[2])) for match in matches}
    assert len(theirs) == len(lines)
    assert set(load_split(LISTS / f"{name}.yaml", split)) == theirs
