"""What a configs/baseline entry asks for reaches the network and the result."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import yaml
from torch import nn
from world import Flat

from tr2m.build import build, read_settings
from tr2m.data.eval_regions import FullFrame
from tr2m.data.mixing import collate
from tr2m.data.settings import DatasetSettings
from tr2m.errors import UserError
from tr2m.evaluation.alignment import uses_ground_truth
from tr2m.evaluation.depth_network import DepthNetwork
from tr2m.evaluation.evaluator import EvaluationSet, evaluate
from tr2m.evaluation.protocol import Protocol
from tr2m.experiment.baselines import align, show_as_published
from tr2m.experiment.settings import BaselineSettings, EvalSettings
from tr2m.models.compared.rsa import RSAFactors
from tr2m.types import Frame

BASELINES = sorted(path.stem for path in (tiny.CONFIGS / "baseline").glob("*.yaml"))
NETWORKS = [name for name in BASELINES if name not in ("folder", "stored")]
CPU = torch.device("cpu")


def entry(baseline: str) -> BaselineSettings:
    needed = {"folder": ["baseline.method.root=x"], "rsa_published": ["baseline.method.model.checkpoint=x"]}
    config = tiny.config(f"baseline={baseline}", "dataset=nyuv2", *needed.get(baseline, []), name="eval")
    return read_settings(EvalSettings, config).baseline


@dataclass(eq=False)
class Looks(nn.Module):
    """A network of metric depth that keeps what it is shown; on the left it says 2 m, on the right 4 m."""

    def __post_init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen.append(image)
        depth = torch.full((1, *image.shape[-2:]), 2.0)
        depth[..., image.shape[-1] // 2 :] = 4.0
        return depth


def shown(baseline: BaselineSettings) -> tuple[list[torch.Tensor], Frame, dict]:
    """What a network sees of a frame under `baseline`, the frame, and the result."""
    dataset = Flat([3.0], [48])
    sets = show_as_published([EvaluationSet(dataset, Protocol("paper", 1e-3, 10.0, FullFrame()))], baseline)
    network = Looks()
    (evaluation,) = evaluate(DepthNetwork(network, "metric_depth"), sets, CPU, 0)
    return network.seen, dataset.read_frame(0), evaluation.result


def test_the_whole_frame_reaches_the_network_pixel_by_pixel():
    (image,), frame, result = shown(BaselineSettings("toy", {}, whole_frame=True))
    assert np.array_equal((image[0] * 255).round().byte().permute(1, 2, 0).numpy(), frame.image)
    assert result["protocol"]["input_size"] == "frame"
    (image,), _, result = shown(BaselineSettings("toy", {}))
    assert image.shape == (1, 3, 28, 42)
    assert result["protocol"]["input_size"] == [28, 42]


def test_the_mirrored_image_is_averaged_where_the_entry_asks_for_it():
    images, _, result = shown(BaselineSettings("toy", {}, flip_tta=True))
    assert torch.equal(images[1], images[0].flip(-1))
    assert result["protocol"]["flip_tta"] is True
    assert result["metrics"]["abs_rel"] == pytest.approx(0, abs=1e-6)
    _, _, result = shown(BaselineSettings("toy", {}))
    assert result["protocol"]["flip_tta"] is False
    assert result["metrics"]["abs_rel"] == pytest.approx(1 / 3, rel=0.1)


@pytest.mark.parametrize("baseline", BASELINES)
def test_published_networks_see_whole_frames_and_zoedepth_alone_is_mirrored(baseline: str):
    settings = entry(baseline)
    assert settings.whole_frame == (baseline not in ("folder", "stored", "tr2m_relative_depth"))
    assert settings.flip_tta == (baseline in ("zoedepth", "zoedepth_squashed"))


@pytest.mark.parametrize("baseline", NETWORKS)
def test_a_baseline_says_whose_preprocessing_it_follows(baseline: str):
    text = (tiny.CONFIGS / "baseline" / f"{baseline}.yaml").read_text()
    inherited = re.search(r"^  - (\w+)$", text, re.MULTILINE)
    text += (tiny.CONFIGS / "baseline" / f"{inherited[1]}.yaml").read_text() if inherited else ""
    assert "# Preprocessing of " in text


def test_training_needs_one_size():
    dataset = Flat([3.0], [48])
    dataset.input_size = None
    with pytest.raises(UserError, match=r"flat: frames of a batch need one size; set input_size"):
        dataset.training_sample(0, np.random.default_rng(0))


@pytest.mark.parametrize("path", sorted((tiny.CONFIGS / "alignment").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_alignment_that_looks_at_the_ground_truth_wins_no_table(path: Path):
    alignment = build(yaml.safe_load(path.read_text()))
    if path.stem != "global":
        assert alignment.name == path.stem
        assert ("uses ground truth" in alignment.description) == uses_ground_truth(alignment.name)


def test_the_global_fit_sees_whole_frames_too():
    reader = tiny.config("dataset=synthetic_room", name="eval")["dataset"]["reader"]
    reader |= {"count": {"train": 2, "test": 1}, "size": [30, 50]}
    settings = DatasetSettings("train", "test", reader, {})
    alignment = {"_target_": "tr2m.evaluation.global_fit.FitGlobally"}
    scored = [EvaluationSet(build(reader, split="test"), Protocol("paper", 1e-3, 10.0, FullFrame()))]
    network = Looks()
    method = DepthNetwork(network, "metric_depth")
    align(show_as_published(scored, BaselineSettings("toy", {}, whole_frame=True)), alignment, settings, method, CPU)
    assert [image.shape for image in network.seen] == [(1, 3, 30, 50)] * 2


def test_a_published_rsa_predicts_metres_and_is_scored_in_the_unit_of_the_data_set(tmp_path: Path):
    torch.save({"model": RSAFactors(256).state_dict()}, tmp_path / "rsa.pt")
    overrides = (f"baseline.method.model.checkpoint={tmp_path}/rsa.pt", "dataset=nyuv2")
    settings = tiny.config("baseline=rsa_published", *overrides, name="eval")["baseline"]["method"]
    parts = tiny.config("model=tiny", "model.text_encoder.width=256")["model"]
    relative = {
        **settings["model"]["relative_depth"],
        **{k: parts["relative_depth"][k] for k in ("architecture", "pretrained", "seed")},
    }
    settings["model"] |= {"text_encoder": parts["text_encoder"], "text_width": 256, "relative_depth": relative}
    method = build(settings)
    dataset = Flat([3.0], [48])
    batch = collate([(dataset, dataset.evaluation_sample(0))]).to(CPU)
    metres = method.model(batch.image, batch.captions).metric_depth
    assert torch.equal(method(replace(batch, unit="m")), metres)
    torch.testing.assert_close(method(replace(batch, unit="mm")), 1000 * metres)
