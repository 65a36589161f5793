"""Tables: the paper's numbers, cells filled by planted results, what may not share a column, the plan."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

from tr2m.errors import UserError
from tr2m.paper.tables.layout import World, in_world, read_layout
from tr2m.paper.tables.marks import marks, mean_ranks
from tr2m.paper.tables.plan import plan, plan_text
from tr2m.paper.tables.results import Filled, fill, read_results
from tr2m.paper.tables.text import FORMATS, NOT_RUN, RANK, number_in, table_text

SETTINGS = tiny.config(name="tables")["worlds"]
LAYOUTS = {n: read_layout(tiny.CONFIGS / "tables" / f"table{n}.yaml") for n in range(1, 13)}
NUMBERED = [n for n in LAYOUTS if n != 6]


def world(name: str) -> World:
    return World(**{key: value for key, value in SETTINGS[name].items() if key not in ("outputs", "tables")})


def plant(outputs: Path, method: str, dataset: str, abs_rel: float, seed: int = 0, **changes: Any) -> Path:
    """A result file like eval.py's."""
    protocol = {"name": "paper", "range": [0.001, 10.0], "crop": "whole frame", "alignment": "none", "flip_tta": False}
    protocol |= {"split": "test", "split_sha256": "1", "caption_source": "files", **changes.pop("protocol", {})}
    content = {
        "method": method,
        "seed": seed,
        "dataset": dataset,
        "unit": "m",
        "n_images": 3,
        "n_skipped": 0,
        "metrics": {"abs_rel": abs_rel, "delta1": 1 - abs_rel, "rmse": 2 * abs_rel},
        "protocol": protocol,
        "checkpoint": f"{method}.pt",
        **changes,
    }
    path = outputs / method / f"seed{seed}" / "eval" / f"{dataset}_{protocol['alignment']}_{protocol['name']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def filled(outputs: Path, number: int, name: str = "paper") -> Filled:
    return fill(in_world(LAYOUTS[number], world(name)), read_results(outputs), name, world(name).seeds)


def here(table: Filled) -> list[list[str]]:
    """The cells of this project, row by row."""
    return [[cell.text for cell in row[2::2]] for row in table_text(table).rows]


@pytest.mark.skipif("TR2M_PAPER_TABLES" not in os.environ, reason="needs a transcription of the paper's tables")
@pytest.mark.parametrize("number", NUMBERED)
def test_the_papers_numbers_digit_for_digit(number: int, tmp_path: Path):
    # BaseLoader keeps every number as the string that is printed.
    transcribed = yaml.load(Path(os.environ["TR2M_PAPER_TABLES"]).read_text(), Loader=yaml.BaseLoader)
    rows = transcribed["tables"][f"table{number}"]["rows"]
    expected = [["-" if value == "null" else value for value in row["values"].values()] for row in rows]
    printed = [[cell.text for cell in row[1::2]] for row in table_text(filled(tmp_path, number)).rows]
    assert [row for row in printed if set(row) != {NOT_RUN}] == expected


@pytest.mark.parametrize("number", NUMBERED)
def test_without_results_nothing_is_made_up(number: int, tmp_path: Path):
    table = filled(tmp_path, number)
    assert {text for row in here(table) for text in row} == {NOT_RUN}
    numbers = [number_in(text) for row in table.layout.rows for text in row.paper if text != "-"]
    assert len(numbers) >= 12
    assert all(value > 0 for value in numbers)


def test_table_6_defines_instead_of_measuring(tmp_path: Path):
    text = table_text(filled(tmp_path, 6))
    assert text.header == ["metric", "paper", "here"]
    assert len(text.rows) == 6


def test_planted_results_fill_just_their_cells(tmp_path: Path):
    plant(tmp_path, "maps", "nyuv2", 0.25)
    plant(tmp_path, "mixed4", "ibims", 0.125)
    plant(tmp_path, "mixed4", "diode", 0.5, protocol={"name": "clean"})
    plant(tmp_path, "mixed4", "diode", 0.5, captions="wrong_scene")
    plant(tmp_path, "mixed4", "diode", 0.5, seed=7)
    plant(tmp_path, "mixed4", "diode", 0.5, protocol={"alignment": "median"})
    plant(tmp_path, "something else", "diode", 0.5)
    empty = [NOT_RUN] * 6
    maps = ["0.250", "0.750", *empty[2:]]
    tr2m = [*empty[:2], "0.125", "0.875", *empty[4:]]
    assert here(filled(tmp_path, 4)) == [empty, maps, empty, tr2m]


def test_alignment_rows_are_told_apart(tmp_path: Path):
    for alignment, abs_rel in (("median", 0.5), ("linear_fit", 0.25)):
        plant(tmp_path, "depth_anything_small", "void", abs_rel, protocol={"alignment": alignment})
    assert here(filled(tmp_path, 7))[0][:3] == ["0.250", "0.500", "0.750"]


def test_seeds_give_mean_and_spread_and_the_newest_result_of_a_seed_counts(tmp_path: Path):
    for seed, abs_rel in enumerate([0.1, 0.2, 0.6]):
        plant(tmp_path, "maps", "synthetic_hall", abs_rel, seed, protocol={"name": "synthetic"})
    again = plant(tmp_path / "later", "maps", "synthetic_hall", 0.3, 2, protocol={"name": "synthetic"})
    os.utime(again, (2**31, 2**31))
    rows = {row[0].text: [cell.text for cell in row] for row in table_text(filled(tmp_path, 4, "synthetic")).rows}
    assert rows["rescale maps"][-2:] == ["0.200 ± 0.100", "0.800 ± 0.100"]
    assert rows["single factors"][-2:] == [NOT_RUN, NOT_RUN]


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "mm"},
        {"protocol": {"split_sha256": "2"}},
        {"protocol": {"crop": "rows 0:14"}},
        {"protocol": {"range": [0.2, 10.0]}},
        {"protocol": {"reader": {"depth": "raw"}}},
    ],
)
def test_what_was_measured_differently_never_shares_a_column(tmp_path: Path, changes: dict[str, Any]):
    plant(tmp_path, "maps", "nyuv2", 0.25)
    plant(tmp_path, "factors", "nyuv2", 0.25, **changes)
    with pytest.raises(UserError, match="do not belong in one column"):
        filled(tmp_path, 4)


def test_captions_and_alignment_belong_to_the_method(tmp_path: Path):
    plant(tmp_path, "rsa", "void", 0.25)
    plant(tmp_path, "mixed4", "void", 0.125, protocol={"caption_source": "generated"})
    plant(tmp_path, "depth_anything_small", "void", 0.06, protocol={"alignment": "linear_fit"})
    notes = "\n".join(table_text(filled(tmp_path, 7)).notes)
    for part in ("TR2M: checkpoint mixed4.pt", "captions generated", "alignment linear_fit", "protocol 'paper'"):
        assert part in notes


def test_a_row_states_its_precision_and_that_nothing_was_trained_for_it(tmp_path: Path):
    plant(tmp_path, "mixed4", "void", 0.125, precision="bfloat16")
    plant(tmp_path, "rsa", "void", 0.25)
    plant(tmp_path, "depth_anything_small", "void", 0.06, protocol={"alignment": "linear_fit"}, checkpoint=None)
    notes = "\n".join(table_text(filled(tmp_path, 7)).notes)
    assert "TR2M: checkpoint mixed4.pt; precision bfloat16; " in notes
    assert "checkpoint rsa.pt; precision not stated; " in notes
    assert "checkpoint none; " in notes


def test_a_file_that_is_no_result_is_named(tmp_path: Path):
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/notes.json").write_text("{}")
    with pytest.raises(UserError, match=r"notes\.json: this is no result file"):
        read_results(tmp_path)


def test_marks_by_hand():
    assert marks([0.3, 0.1, None, 0.2, 0.1], larger=False) == ["", "best", "", "second", "best"]
    assert marks([0.3, 0.1, 0.2], larger=True) == ["best", "", "second"]
    assert marks([None, 0.1], larger=True) == ["", ""]


def test_rows_that_look_at_the_ground_truth_win_nothing(tmp_path: Path):
    rows = {row[0].text: row for row in table_text(filled(tmp_path, 1)).rows}
    abs_rel = 7
    assert (rows["Depth Anything, linear fit"][abs_rel].text, rows["Depth Anything, linear fit"][abs_rel].mark) == (
        "0.055",
        "",
    )
    assert rows["Metric3Dv2"][abs_rel].mark == "best"


def test_the_papers_ranks_follow_from_its_numbers():
    """Table 3 prints a mean rank for each row: an independent check of `mean_ranks`."""
    layout = LAYOUTS[3]
    columns = list(zip(*([number_in(text) for text in row.paper] for row in layout.rows), strict=True))
    up = [column.metric == "delta1" for column in layout.columns]
    assert [f"{rank:.1f}" for rank in mean_ranks(columns[:-1], up)] == [row.paper[-1] for row in layout.rows]
    assert RANK not in layout.columns


def test_ranks_need_two_complete_rows(tmp_path: Path):
    for dataset in ("sunrgbd", "ibims", "hypersim", "diode", "simcol"):
        plant(tmp_path, "mixed4", dataset, 0.25)
    assert here(filled(tmp_path, 3))[-1][-1] == NOT_RUN
    for dataset in ("sunrgbd", "ibims", "hypersim", "diode", "simcol"):
        plant(tmp_path, "rsa", dataset, 0.5)
    assert [row[-1] for row in here(filled(tmp_path, 3))] == [NOT_RUN] * 3 + ["2.0", "1.0"]


def test_formats_hold_the_same_cells(tmp_path: Path):
    plant(tmp_path, "maps", "nyuv2", 0.25)
    plant(tmp_path, "factors", "nyuv2", 0.5)
    text = table_text(filled(tmp_path, 4))
    rows = list(csv.reader(FORMATS["csv"](text).splitlines()))
    assert rows[0] == text.header
    assert [row[2] for row in rows[1:]] == ["0.500", "0.250", NOT_RUN, NOT_RUN]
    assert "| **0.250** |" in FORMATS["md"](text)
    assert "<u>0.500</u>" in FORMATS["md"](text)
    tex = FORMATS["tex"](text)
    assert r"\textbf{0.250}" in tex
    assert r"\underline{0.500}" in tex
    assert tex.count(r" \\") == 5
    assert "δ" not in tex.split(r"\end{tabular}")[0].split("\n", 1)[1]


def test_the_plan_lists_each_run_once_before_its_evaluations(tmp_path: Path):
    steps = plan([filled(tmp_path, 4), filled(tmp_path, 5)], world("paper"), tmp_path)
    commands = [str(step) for step in steps]
    runs = [command for command in commands if "tr2m train " in command]
    assert len(runs) == len(set(runs)) == 6
    assert commands[:6] == runs
    # NYUv2 is scored at the end of training; the two zero-shot sets of six models remain.
    assert len(commands) == 6 + 12
    assert "18 commands, 109.2 hours expected" in plan_text(steps, "a device")


def test_the_plan_leaves_out_what_is_there_and_goes_on_with_what_was_cut_off(tmp_path: Path):
    plant(tmp_path, "maps", "nyuv2", 0.25)
    plant(tmp_path, "maps", "ibims", 0.25)
    (tmp_path / "factors/seed0/checkpoints").mkdir(parents=True)
    commands = [str(step) for step in plan([filled(tmp_path, 4)], world("paper"), tmp_path)]
    assert [command for command in commands if "maps/" in command] == [
        f"tr2m eval ckpt={tmp_path}/maps/seed0/checkpoints/last.pt dataset=diode protocol=paper"
    ]
    assert any("name=factors run_id=seed0" in command and "resume=auto" in command for command in commands)


def test_saved_predictions_and_impossible_cells_are_no_commands_to_run(tmp_path: Path):
    steps = plan([filled(tmp_path, 1)], world("paper"), tmp_path)
    waiting = [step for step in steps if not step.can_run]
    assert len(waiting) == 8
    assert "baseline=folder baseline.name=zerodepth" in str(waiting[3])
    miniature = plan([filled(tmp_path, 1, "synthetic")], world("synthetic"), tmp_path)
    assert not any("alignment=global" in str(step) and "synthetic_hall" in str(step) for step in miniature)
    assert {step.arguments[1] for step in miniature if "train" in step.arguments[0]} == {
        "experiment=[rsa,miniature]",
        "experiment=[mixed4,miniature]",
    }
