"""The model card: every number is one of a result file, and what was not measured is said to be not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
from huggingface_hub import ModelCard
from small_run import PROTOCOL, make_trainer
from world import Flat

from tr2m.errors import UserError
from tr2m.evaluation.evaluator import EvaluationSet, ModelMethod, evaluate
from tr2m.evaluation.report import save_evaluation
from tr2m.experiment.compose import provenance
from tr2m.experiment.load import model_of, read_trained
from tr2m.sharing.model_card import frozen_parts, model_card, read_results


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, dict[str, Any]]:
    """A checkpoint's state, a result file of it, and that file's content."""
    folder = tmp_path_factory.mktemp("run")
    trainer = make_trainer(folder, max_steps=1)
    trainer.fit()
    state = read_trained(folder / "checkpoints/last.pt")
    model = model_of(state, "x", "cpu")
    scored = [EvaluationSet(Flat([2.0, 3.0], [48, 48], "near"), PROTOCOL)]
    (evaluation,) = evaluate(ModelMethod(model), scored, trainer.device, 0)
    facts = provenance(state["config"], folder / "checkpoints/last.pt", trainer.device, trainer.model.precision)
    path = save_evaluation(evaluation, folder / "eval", "near", facts)
    return state, path, json.loads(path.read_text())


def test_the_card_has_the_numbers_and_how_they_were_measured(trained):
    state, path, content = trained
    text = model_card(state, read_results([path], state), "mit", "me/rooms")
    metrics = content["metrics"]
    assert f"| near | paper | correct | none | {metrics['abs_rel']:.3f} | {metrics['delta1']:.3f} |" in text
    assert "near: protocol 'paper'" in text
    assert "2 images (0 skipped), 0.001 < depth < 10 m" in text
    assert content["environment"]["git_commit"] in text
    assert "near (m), far (m)" in text
    card = ModelCard(text)
    assert card.data.license == "mit"
    assert {entry.metric_type: entry.metric_value for entry in card.data.eval_results} == {
        name: metrics[name] for name in ("abs_rel", "delta1", "rmse", "log10")
    }


def test_without_results_nothing_is_claimed(trained):
    text = model_card(trained[0], [])
    assert "Not measured." in text
    assert "how far was not measured" in text
    assert "no licence is stated" in text
    assert ModelCard(text).data.eval_results is None


def test_a_wrong_sentence_is_shown_beside_the_right_one(trained):
    state, _, content = trained
    wrong = {**content, "captions": "wrong_scene", "metrics": {**content["metrics"], "abs_rel": 0.75}}
    text = model_card(state, [content, wrong])
    assert f"depths: AbsRel {content['metrics']['abs_rel']:.3f} to 0.750, near, `wrong_scene`." in text
    # In the hub's own form only the right one, which has no place for the sentence.
    assert len(ModelCard(text).data.eval_results) == 4


def test_what_looks_at_the_ground_truth_is_marked(trained):
    state, _, content = trained
    aligned = {**content, "protocol": {**content["protocol"], "alignment": "median"}}
    text = model_card(state, [aligned])
    assert "| median* |" in text
    assert "uses the ground truth of the image it scores" in text


@pytest.mark.parametrize("change", [{"method": "other"}, {"seed": 7}])
def test_results_of_another_model_are_refused(trained, tmp_path: Path, change: dict[str, Any]):
    state, _, content = trained
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(UserError, match="give results of this model"):
        read_results([path], state)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"method": "x", "seed": 0}'])
def test_what_is_no_result_file_is_refused(trained, tmp_path: Path, text: str):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.json: expected a result file"):
        read_results([path], trained[0])


def test_the_terms_of_every_frozen_part_are_in_the_card(trained):
    published = tiny.config("model=tr2m")["model"]
    assert frozen_parts(published) == {
        "image_encoder": ("timm/vit_large_patch14_dinov2.lvd142m", "Apache-2.0"),
        "text_encoder": ("timm/vit_large_patch14_clip_224.openai", "Apache-2.0"),
        "relative_depth": ("LiheYoung/depth-anything-small-hf", "Apache-2.0"),
    }
    text = model_card({**trained[0], "config": {"name": "x", "seed": 0, "model": published}}, [])
    assert "- relative depth: `LiheYoung/depth-anything-small-hf`, Apache-2.0" in text
    assert "LiheYoung/depth-anything-small-hf" in ModelCard(text).data.base_model
    unknown = {"image_encoder": {"name": "someone", "pretrained": True}}
    assert frozen_parts(unknown) == {"image_encoder": ("timm/someone", "licence not known here: ask its owner")}


@pytest.mark.parametrize("relative", ["depth_anything_v2_small", "dpt_hybrid", "midas_swin2_large"])
def test_other_relative_depth_models_have_terms(relative: str):
    model = tiny.config("model=tr2m", f"model/relative_depth={relative}")["model"]
    assert "not known here" not in frozen_parts(model)["relative_depth"][1]
