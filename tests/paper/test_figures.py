"""Figures are drawn, and the numbers in them are right."""

from pathlib import Path

import cv2
import pytest
import tiny
import torch

from tr2m.build import build
from tr2m.data.eval_regions import FullFrame
from tr2m.evaluation.evaluator import EvaluationSet
from tr2m.evaluation.protocol import Protocol
from tr2m.paper.figures.frames import PredictedFrame, read_frames
from tr2m.paper.figures.panels import most_different, save_comparison, save_corrections, save_maps
from tr2m.paper.figures.relations import labelled_tokens, save_embedding, save_scale_relation, scales
from tr2m.synthetic.world import SyntheticDepth
from tr2m.types import TR2MOutput


@pytest.fixture(scope="module")
def frames() -> dict[str, list[PredictedFrame]]:
    """Two frames of two data sets, one of them in millimetres, seen by two untrained models."""
    settings = tiny.config("model=tiny", "model/relative_depth=stored", *tiny.SMALL)["model"]
    models = {label: build(settings).eval() for label in ("with", "without")}
    sets = []
    for domain, low, high in (("room", 0.5, 10.0), ("tube", 3.0, 100.0)):
        options = {"count": {"train": 0, "test": 2}, "seed": 0, "size": (42, 56), "input_size": (42, 56)}
        options["depth_range"] = (low, high)
        dataset = SyntheticDepth(name=f"synthetic_{domain}", split="test", domain=domain, **options)
        sets.append(EvaluationSet(dataset, Protocol("synthetic", low, high, FullFrame())))
    return read_frames(models, sets, 2, torch.device("cpu"))


def test_every_figure_is_a_picture(frames: dict[str, list[PredictedFrame]], tmp_path: Path):
    firsts = [some[0] for some in frames.values()]
    for number, save in enumerate((save_comparison, save_corrections, save_maps, save_embedding)):
        save(tmp_path / f"{number}.png", firsts)
    save_scale_relation(tmp_path / "4.png", frames)
    for number in range(5):
        picture = cv2.imread(str(tmp_path / f"{number}.png"))
        assert min(picture.shape[:2]) > 100
        assert picture.std() > 10


def test_the_rectangle_finds_the_error_of_shape_where_there_is_ground_truth():
    first, scored = torch.full((20, 30), 2.0), torch.ones(20, 30, dtype=torch.bool)
    second = first.clone()
    second[2:8, 3:12] *= 1.3
    assert most_different(3 * first, second, scored) == (2, 8, 3, 12)
    second[14:, 21:] *= 5
    scored[12:, 18:] = False
    assert most_different(3 * first, second, scored) == (2, 8, 3, 12)


def test_predicted_scale_equals_true_scale_for_a_perfect_model_and_half_of_it_at_twice_the_depth(
    frames: dict[str, list[PredictedFrame]],
):
    frame = frames["synthetic_room"][0]
    depth = frame.depth.where(frame.scored, 1.0)
    maps = torch.ones(1, *frame.size)
    for factor in (1.0, 2.0):
        output = TR2MOutput(torch.zeros(1, 1, 1), (1, 1), factor * depth[None], maps, maps)
        true, predicted = scales(PredictedFrame(frame.batch, frame.protocol, frame.relative_depth, {"it": output}))
        assert predicted == pytest.approx(true / factor, rel=1e-4)


def test_tokens_that_follow_depth_have_a_gap_and_constant_ones_have_none(frames: dict[str, list[PredictedFrame]]):
    frame = frames["synthetic_room"][0]
    rows = frame.depth.unflatten(0, (3, 14)).unflatten(2, (4, 14)).mean(dim=(1, 3)).flatten()
    angle = (rows - rows.min()) / (rows.max() - rows.min()) * 1.5
    following = torch.stack([angle.cos(), angle.sin()], dim=1)[None]
    maps = torch.ones(1, *frame.size)
    for tokens, low, high in ((following, 0.05, 2.0), (torch.ones(1, 12, 2), -1e-6, 1e-6)):
        output = TR2MOutput(tokens, (3, 4), maps, maps, maps)
        frame_of = PredictedFrame(frame.batch, frame.protocol, frame.relative_depth, {"it": output})
        assert low < labelled_tokens([frame_of], "it")[2] < high
