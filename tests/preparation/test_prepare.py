"""From archives as the owners publish them to trees that the readers take, for all data sets."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
import trees
from packing import Files, make_tar, make_zip, served, with_method
from readers import READERS, opened

from tr2m.cli import data
from tr2m.preparation.archives import Limits
from tr2m.preparation.downloads import Download
from tr2m.preparation.steps import Copy, Unpack, Workplace, prepare

LIMITS = Limits(gigabytes=1, ratio=1000, members=1000)


def files(tree: Path, folder: str = ".", inside: str = "") -> Files:
    """What lies below a folder of a tree, under the names it has in an archive."""
    paths = (path for path in (tree / folder).rglob("*") if path.is_file() and path.name != "list.yaml")
    return {f"{inside}{path.relative_to(tree)}": path.read_bytes() for path in sorted(paths)}


def pack_nyuv2(tree: Path, out: Path) -> None:
    make_zip(out / "sync.zip", files(tree, "sync"))
    trees.nyuv2_labeled(out)
    (out / "list.yaml").unlink()


def pack_kitti(tree: Path, out: Path) -> None:
    raw = files(tree / "raw")
    for drive in ("2011_09_26_drive_0001_sync", "2011_09_26_drive_0052_sync"):
        of_drive = {name: content for name, content in raw.items() if drive in name}
        right = {name.replace("image_02", "image_03"): content for name, content in of_drive.items()}
        make_zip(out / f"{drive}.zip", of_drive | right | {f"2011_09_26/{drive}/oxts/dataformat.txt": b"lat"})
    make_zip(out / "data_depth_annotated.zip", files(tree / "annotated") | {"devkit/readme.txt": b"KITTI"})


def pack_void(tree: Path, out: Path) -> None:
    others = {"void_release/void_500/train_image.txt": b"", "void_release/void_1500/data/stairs0/K.txt": b"1 0 0"}
    make_zip(out / "void_release.zip", files(tree) | others)


def pack_c3vd(tree: Path, out: Path) -> None:
    first, second = "cecum_t1_a_under_review", "c0_descending_t4_v1"
    make_zip(
        out / f"{first}.zip", files(tree, first) | {f"{first}/0000_normals.tiff": b"no", f"{first}/pose.txt": b"1"}
    )
    # Without a folder of its own.
    make_zip(out / f"{second}.zip", files(tree / second) | {"normals/0003_normals.tiff": b"no"})


def pack_sunrgbd(tree: Path, out: Path) -> None:
    make_zip(out / "SUNRGBD.zip", files(tree, "SUNRGBD"))
    make_zip(out / "SUNRGBDtoolbox.zip", files(tree, "SUNRGBDtoolbox") | {"SUNRGBDtoolbox/readme.txt": b"toolbox"})


def pack_ibims(tree: Path, out: Path) -> None:
    make_zip(out / "ibims1_core_mat.zip", files(tree) | {"ibims1_core_mat/readme.txt": b"iBims-1"})


def test_the_other_release_of_ibims_is_unpacked_where_it_is(tmp_path: Path):
    split_file = trees.ibims(tmp_path / "tree")
    (tmp_path / "archives").mkdir()
    pack_ibims(tmp_path / "tree", tmp_path / "archives")
    wanted = {f"ibims1_core_raw/{kind}/corridor_01.png": b"picture" for kind in ("rgb", "depth", "mask_invalid")}
    wanted["ibims1_core_raw/imagelist.txt"] = b"corridor_01"
    make_zip(tmp_path / "archives/ibims1_core_raw.zip", wanted | {"ibims1_core_raw/edges/corridor_01.png": b"no"})
    assert run("ibims", tmp_path / "archives", tmp_path / "root", split_file) == 0
    assert {name: content for name, content in files(tmp_path / "root").items() if "core_raw" in name} == wanted


def pack_hypersim(tree: Path, out: Path) -> None:
    detail = {"ai_001_010/_detail/metadata_scene.csv": b"name"}
    make_zip(out / "ai_001_010.zip", files(tree, "ai_001_010") | detail)
    make_zip(out / "ai_003_007.zip", files(tree / "ai_003_007"))
    shutil.copy(tree / "metadata_images_split_scene_v1.csv", out)


def pack_diode(tree: Path, out: Path) -> None:
    indoors = {"val/indoors/scene_00019/scan_00183/00019_00183_indoors_000_010.png": b"no"}
    make_tar(out / "val.tar.gz", files(tree) | indoors)


def pack_simcol(tree: Path, out: Path) -> None:
    for name in ("SyntheticColon_I", "SyntheticColon_III"):
        make_zip(out / f"{name}.zip", files(tree, name) | {f"{name}/cam.txt": b"227.6"})


PACKERS: dict[str, Callable[[Path, Path], None]] = {
    name.removeprefix("pack_"): function for name, function in list(globals().items()) if name.startswith("pack_")
}
TOO_FEW = {"kitti": "2 of 61", "c3vd": "2 of 22", "hypersim": "2 of 46", "simcol": "2 of 3"}
"""Where the tests do not make all archives of the data set."""
UNREAD = ("velodyne_raw", "validity_map", "official_splits")
"""In the trees, but not unpacked."""


def run(name: str, archives: Path, root: Path, split_file: Path) -> int:
    """Exit code of `tr2m data prepare`."""
    arguments = [f"dataset={name}", f"archives={archives}", f"dataset.reader.root={root}", "limits.ratio=1000"]
    try:
        data.main(["prepare", *arguments, f"dataset.reader.split_file={split_file}"])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_every_data_set_that_can_be_prepared_is_tested():
    assert {path.stem for path in (tiny.CONFIGS / "prepare").glob("*.yaml")} == PACKERS.keys()


@pytest.mark.parametrize("name", PACKERS)
def test_prepared_trees_read_like_the_original(tmp_path: Path, name: str, capsys):
    tree, archives, root = tmp_path / "tree", tmp_path / "archives", tmp_path / "root"
    tree.mkdir()
    archives.mkdir()
    split_file = trees.kitti(tree, "train") if name == "kitti" else READERS[name].tree(tree)
    PACKERS[name](tree, archives)

    assert run(name, archives, root, split_file) == (1 if name in TOO_FEW else 0)
    said = capsys.readouterr()
    assert TOO_FEW.get(name, "") in said.err
    assert said.err.count("problem") == (name in TOO_FEW)
    assert f"tr2m data check dataset={name}" in said.out
    wanted = {path: content for path, content in files(tree).items() if not any(word in path for word in UNREAD)}
    prepared = files(root)
    assert {path for path in prepared if "official_splits" not in path} == wanted.keys()
    assert all(prepared[path] == content for path, content in wanted.items())

    shutil.copy(split_file, root)
    original = {"train": (name, tree), "test": (name, tree), "val": (name, tree)}
    if name == "nyuv2":
        shutil.copy(split_file, archives)
        original["test"] = ("nyuv2_labeled", archives)
    for split in READERS[name].splits:
        expected = opened(original[split][0], original[split][1], split)
        dataset = opened(name, root, split)
        assert dataset.sample_ids == expected.sample_ids
        for index in range(len(dataset)):
            assert np.array_equal(dataset.read_frame(index).image, expected.read_frame(index).image)
            assert np.array_equal(dataset.read_frame(index).depth, expected.read_frame(index).depth)


def test_a_second_run_repairs_and_one_bad_archive_does_not_stop_the_others(tmp_path: Path, capsys):
    trees.simcol(tmp_path / "tree")
    pack_simcol(tmp_path / "tree", tmp_path / "archives")
    good, bad = (tmp_path / f"archives/SyntheticColon_{number}.zip" for number in ("I", "III"))
    whole = bad.read_bytes()
    bad.write_bytes(whole[:700])
    root = tmp_path / "root"
    assert run("simcol", tmp_path / "archives", root, tmp_path) == 1
    said = capsys.readouterr()
    assert f"{good.name}: 4 files, 4 of them new" in said.out
    assert f"{bad}: damaged or incomplete" in said.err
    bad.write_bytes(whole)
    (root / "SyntheticColon_I/Frames_S5/Depth_0000.png").write_bytes(b"half")
    assert run("simcol", tmp_path / "archives", root, tmp_path) == 1
    said = capsys.readouterr()
    assert f"{good.name}: 4 files, 1 of them new" in said.out
    assert f"{bad.name}: 4 files, 4 of them new" in said.out
    assert files(root) == files(tmp_path / "tree")


def test_archives_are_fetched_only_where_asked(tmp_path: Path):
    archive = make_tar(tmp_path / "web/val.tar.gz", {"val/outdoor/a.png": b"picture"})
    checksum = f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}"
    (tmp_path / "archives").mkdir()
    with served(archive.parent) as (address, requests):
        download = Download(f"{address}/val.tar.gz", archive.stat().st_size, checksum)
        step = Unpack("val.tar.gz", r"(val/outdoor/\w+\.png)", ".", 1, "its page", download)
        asked = Workplace(tmp_path / "archives", tmp_path / "root", LIMITS, download=True)
        not_asked = Workplace(tmp_path / "archives", tmp_path / "root", LIMITS, download=False)
        (problem,) = prepare([step], not_asked).problems
        assert "found 0 of 1" in problem
        assert "From: its page" in problem
        assert "download=true" in problem
        assert requests == []
        assert prepare([step], asked).problems == []
        assert prepare([step], asked).done == ["val.tar.gz: 1 files, 0 of them new"]
        assert requests == [None]
    assert files(tmp_path / "root") == {"val/outdoor/a.png": b"picture"}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    make_zip(tmp_path / "sets/set.zip", {"set/1.png": b"picture"})
    (tmp_path / "root").write_text("a file, no folder")
    place = Workplace(tmp_path / "sets", tmp_path / "root", LIMITS, False)
    (problem,) = prepare([Unpack("set.zip", r"(set/\d\.png)", ".", 1, "its page")], place).problems
    assert f"{tmp_path}/root" in problem


def test_a_step_that_fails_does_not_keep_the_others_from_their_work(tmp_path: Path):
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/list.csv").write_text("list")
    (tmp_path / "root/lists").mkdir(parents=True)
    (tmp_path / "root/taken").write_text("a file, no folder")
    place = Workplace(tmp_path / "sets", tmp_path / "root", LIMITS, False)
    outcome = prepare([Copy("list.csv", "taken", "its page"), Copy("list.csv", "lists", "its page")], place)
    assert outcome.done == ["list.csv: copied"]
    (problem,) = outcome.problems
    assert f"{tmp_path}/root/taken" in problem


def test_an_archive_that_python_cannot_unpack_does_not_keep_the_others_from_it(tmp_path: Path):
    for name in ("a", "b"):
        make_zip(tmp_path / f"sets/{name}.zip", {f"set/{name}.png": b"picture"})
    with_method(tmp_path / "sets/a.zip", 9)
    outcome = prepare(
        [Unpack("*.zip", r"set/(\w\.png)", ".", 2, "its page")], Workplace(tmp_path / "sets", tmp_path, LIMITS, False)
    )
    assert outcome.done == ["b.zip: 1 files, 1 of them new"]
    (problem,) = outcome.problems
    assert "Deflate64" in problem


def test_an_archive_of_another_release_is_told(tmp_path: Path):
    make_zip(tmp_path / "sets/set.zip", {"other/1.png": b"picture"})
    outcome = prepare(
        [Unpack("set.zip", r"(set/\d\.png)", ".", 1, "its page")], Workplace(tmp_path / "sets", tmp_path, LIMITS, False)
    )
    assert "another release?" in outcome.problems[0]
