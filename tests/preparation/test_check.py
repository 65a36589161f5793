"""`tr2m data check`: a good tree passes, and every planted fault is told, all in one run."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny
import trees
from PIL import Image
from readers import PACKED, READERS, WITHOUT_CAPTIONS, captions, packed_captions

from tr2m.cli import data
from tr2m.data.depth_histogram import DepthHistogram
from tr2m.data.sampling import choose_frames
from tr2m.preparation.check import Findings

CHECKED = ["nyuv2", "kitti", "void", "c3vd", "sunrgbd", "ibims", "hypersim", "diode", "simcol"]
IMAGE, DEPTH = READERS["nyuv2"].files["image"], READERS["nyuv2"].files["depth"]


def check(name: str, root: Path, any_median: bool = False, **changes: object) -> Findings:
    """What is found in a tree, with configs/data_check.yaml as it is but for `changes`."""
    settings = tiny.config(f"dataset={name}", name="data_check") | changes
    reader = settings["dataset"]["reader"]
    reader |= {"root": str(root), "split_file": f"{root}/list.yaml", "depth_range": list(READERS[name].depth_range)}
    if any_median:
        reader["plausible_median"] = None
    if name in PACKED:
        reader["captions"]["file"] = str(root / "captions.sqlite")
    elif name not in WITHOUT_CAPTIONS:
        reader["captions"] |= {"root": f"{root}/captions", "lines_per_file": 15}
    return data.findings_of(settings)


@pytest.fixture
def nyuv2(tmp_path: Path) -> Path:
    trees.nyuv2(tmp_path)
    captions("nyuv2", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CHECKED)
def test_trees_without_fault_pass(tmp_path: Path, name: str):
    READERS[name].tree(tmp_path)
    packed_captions(name, tmp_path)
    # The trees' depths are made up: their median says nothing.
    findings = check(name, tmp_path, any_median=True)
    assert findings.problems == []
    for split, content in READERS[name].splits.items():
        assert f"{split}: {len(content.ids)} frames, {len(content.ids)} of them decoded" in findings.facts


def truncate(root: Path) -> str:
    path = root / DEPTH
    path.write_bytes(path.read_bytes()[:-30])
    return f"{path}: truncated"


def shrink(root: Path) -> str:
    cv2.imwrite(str(root / IMAGE), trees.plain((240, 320)))
    return "got depth of 480x640 (height x width), expected 240x320"


def remove(root: Path) -> str:
    (root / IMAGE).unlink()
    return f"no file {root / IMAGE}"


def eight_bits(root: Path) -> str:
    cv2.imwrite(str(root / DEPTH), trees.plain(trees.NYU_SIZE)[..., 0])
    return "expected depth as one channel of uint16"


def nothing_measured(root: Path) -> str:
    cv2.imwrite(str(root / DEPTH), np.zeros(trees.NYU_SIZE, np.uint16))
    return "train frame kitchen_0028b/rgb_00045: its depth has no measurement at all"


def no_captions(root: Path) -> str:
    path = root / "captions/test/bathroom/rgb_00001.txt"
    path.unlink()
    return f"no caption file {path}"


def a_line_too_few(root: Path) -> str:
    path = root / "captions/test/bathroom/rgb_00001.txt"
    path.write_text("One line.\n")
    return "got 1 non-empty lines, expected 15"


def one_value(root: Path) -> str:
    cv2.imwrite(str(root / IMAGE), np.full((*trees.NYU_SIZE, 3), 7, np.uint8))
    return "train frame kitchen_0028b/rgb_00045: its image is 7 everywhere"


def turned(root: Path) -> str:
    orientation = Image.Exif()
    orientation[274] = 3
    Image.open(root / IMAGE).save(root / IMAGE, exif=orientation)
    return f"{root / IMAGE}: got the EXIF or TIFF orientation 3, expected 1"


def the_same_image_in_both_splits(root: Path) -> str:
    source = root / "sync/kitchen_0028b/rgb_00046.png"
    (root / "official_splits/test/bathroom/rgb_00001.png").write_bytes(source.read_bytes())
    return "test frame bathroom/rgb_00001: the same image as train frame kitchen_0028b/rgb_00046."


FAULTS: list[Callable[[Path], str]] = [
    truncate,
    shrink,
    remove,
    eight_bits,
    nothing_measured,
    no_captions,
    a_line_too_few,
    one_value,
    turned,
    the_same_image_in_both_splits,
]


@pytest.mark.parametrize("plant", FAULTS)
def test_a_planted_fault_is_told(nyuv2: Path, plant: Callable[[Path], str]):
    expected = plant(nyuv2)
    (problem,) = check("nyuv2", nyuv2).problems
    assert expected in problem


def test_all_faults_come_in_one_run(nyuv2: Path):
    expected = [truncate(nyuv2), "rgb_00046", no_captions(nyuv2)]
    (nyuv2 / "sync/kitchen_0028b/rgb_00046.png").unlink()
    problems = check("nyuv2", nyuv2).problems
    assert len(problems) == 3
    assert all(text in problem for text, problem in zip(expected, problems, strict=True))


def test_a_wrong_unit_is_noticed(nyuv2: Path):
    for path in nyuv2.rglob("sync_depth_*.png"):
        depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), depth // 10)
    problems = check("nyuv2", nyuv2).problems
    labels = [problem.partition(": the median depth is")[0] for problem in problems]
    assert labels == ["train", "test", "test, released"]
    for path in nyuv2.rglob("sync_depth_*.png"):
        cv2.imwrite(str(path), np.full(trees.NYU_SIZE, 20000, np.uint16))
    problems = check("nyuv2", nyuv2, any_median=True).problems
    assert "train: only 0% of the measured depth lies between 0.001 and 10 m" in problems[0]


@pytest.mark.parametrize(
    ("unit", "metres", "noticed"),
    [
        ("m", 3.0, False),
        ("m", 0.003, True),  # metres, named millimetres
        ("m", 30.0, False),  # a street
        ("m", 0.03, True),
        ("m", 0.1, False),  # a robot's wrist above a table
        ("mm", 0.03, False),  # an endoscope
        ("mm", 0.12, False),  # a laparoscope
        ("mm", 0.00003, True),
    ],
)
def test_a_wrong_unit_of_ones_own_frames_is_noticed(tmp_path: Path, unit: str, metres: float, noticed: bool):
    trees.put(tmp_path / "a.png", trees.colours(trees.SMALL, 0))
    np.save(tmp_path / "a.npy", np.full(trees.SMALL, metres, np.float32))
    (tmp_path / "test.csv").write_text("image,depth,metres_per_unit,caption\na.png,a.npy,1,a room\n")
    changes = [f"dataset.reader.root={tmp_path}", f"dataset.reader.unit={unit}", "dataset.train_split=null"]
    settings = tiny.config("dataset=folder", *changes, "dataset.reader.depth_range=[0,1000]", name="data_check")
    problems = data.findings_of(settings).problems
    assert len(problems) == noticed
    assert all(" 0.05 to 300 " in problem and "metres_per_unit" in problem for problem in problems)


def test_missing_folders_name_variable_path_and_page_each_once(tmp_path: Path):
    captions_problem, root_problem = check("nyuv2", tmp_path / "none").problems
    for problem, parts in (
        (root_problem, (f"no folder {tmp_path}/none.", "TR2M_DATA", "docs/datasets.md")),
        (captions_problem, (f"{tmp_path}/none/captions", "TR2M_CAPTIONS", "docs/datasets.md")),
    ):
        assert all(part in problem for part in parts)


def test_counts_against_the_split_file(tmp_path: Path):
    trees.simcol(tmp_path)
    next(tmp_path.rglob("Depth_0600.png")).unlink()
    (problem,) = check("simcol", tmp_path).problems
    assert "expected 2 groups with 4 frames" in problem


def test_files_that_only_one_protocol_reads_are_missed_too(tmp_path: Path):
    trees.hypersim(tmp_path)
    packed_captions("hypersim", tmp_path)
    next(tmp_path.rglob("frame.0012.tonemap.jpg")).unlink()
    (problem,) = check("hypersim", tmp_path).problems
    assert "frame.0012.tonemap.jpg" in problem


def test_captions_that_clip_cuts_off_are_counted_but_no_fault(nyuv2: Path):
    path = nyuv2 / "captions/test/bathroom/rgb_00001.txt"
    path.write_text("A room.\n" * 13 + "a chair " * 37 + "a\n" + "a chair " * 38 + "\n")
    findings = check("nyuv2", nyuv2)
    assert findings.problems == []
    expected = "test: 1 of them have more than 77 tokens, where CLIP cuts them off: bathroom/rgb_00001, line 15"
    assert expected in findings.facts


def test_many_problems_of_one_kind_become_a_number(nyuv2: Path):
    for path in nyuv2.glob("sync/*/rgb_*"):
        path.unlink()
    first, rest = check("nyuv2", nyuv2, shown=1).problems
    assert "rgb_0004" in first
    assert rest == "... 2 of 2 frames in all; see them with shown=2"


def test_all_means_every_data_set_that_can_be_prepared(tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as end:
        data.main(["check", "dataset=all", f"paths.data={tmp_path}"])
    assert all(name in str(end.value.code) for name in CHECKED)
    said = capsys.readouterr().out
    problems = [line for line in said.splitlines() if line.startswith("  * ")]
    assert sum(f"no folder {tmp_path}/" in problem for problem in problems) == len(CHECKED)
    assert said.count("no folder of captions") == 3
    assert said.count("no file of captions") == len(PACKED)


def test_the_program_ends_with_zero_if_nothing_is_wrong(nyuv2: Path, capsys):
    places = [f"dataset.reader.root={nyuv2}", f"dataset.reader.split_file={nyuv2}/list.yaml"]
    data.main(["check", "dataset=nyuv2", *places, f"dataset.reader.captions.root={nyuv2}/captions", "full=true"])
    assert capsys.readouterr().out.endswith("no problems\n")


def test_a_sample_has_one_frame_of_every_folder_first():
    ids = [f"{scene}/{number}" for scene in "abcde" for number in range(20)]
    chosen = choose_frames(ids, 5, seed=0)
    assert {ids[index][0] for index in chosen} == set("abcde")
    assert choose_frames(ids, 5, seed=0) == chosen != choose_frames(ids, 5, seed=1)
    assert choose_frames(ids, 200, seed=0) == list(range(100))
    assert len(set(choose_frames(ids, 30, seed=0))) == 30


def test_the_histogram_against_numpy():
    depths = np.random.default_rng(0).lognormal(1, 0.7, (4, 1000)).astype(np.float32)
    histogram = DepthHistogram((0.5, 10.0), "m")
    for depth in depths:
        histogram.add(depth)
    for share in (0.05, 0.5, 0.95):
        assert histogram.quantile(share) == pytest.approx(np.quantile(depths, share), rel=0.03)
    assert histogram.inside == ((depths > 0.5) & (depths < 10)).sum()
    assert histogram.problems([2.0, 4.0]) == []
    assert "expected 3 to 4 m" in histogram.problems([3.0, 4.0])[0]
    assert f"{depths.min():.3g} to {depths.max():.3g} m" in histogram.summary()
