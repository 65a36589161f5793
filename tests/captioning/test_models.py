"""The captioning models, as tiny random ones of the same classes of transformers, saved and loaded like real ones.

Not covered: what the published weights say, and their own tokenizers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from tiny_blip import save_blip
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BlipForConditionalGeneration,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    Mask2FormerImageProcessor,
    PreTrainedTokenizerFast,
    SwinConfig,
)
from world import Flat

from tr2m.build import build
from tr2m.captioning.blip import BlipCaptioner
from tr2m.captioning.captioner import Captioner
from tr2m.captioning.llava import LlavaCaptioner
from tr2m.captioning.pack import pack_captions
from tr2m.captioning.panoptic import ObjectCaptioner
from tr2m.data.captions.packed import PackedCaptions
from tr2m.errors import UserError

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
WORDS = ["a", "room", "with", "chairs", "USER", ":", "?", "What", "is", "it"]
NARROW = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
TINY = {"llava_vicuna": "tiny/llava", "llava_mistral": "tiny/llava", "objects": "tiny/mask2former", "blip": "tiny/blip"}
LABELS = {0: "wall-other-merged", 1: "person", 2: "floor-wood", 3: "traffic light"}


def save_llava(folder: Path) -> None:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    pad, bos, eos, unk, image = SPECIAL
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        unk_token=unk,
        additional_special_tokens=[image],
    )
    grid = {"image_grid_pinpoints": [[28, 56], [56, 28], [56, 56]]}
    images = LlavaNextImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, **grid)
    reading = {"vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    LlavaNextProcessor(images, fast, patch_size=14, **reading).save_pretrained(folder)
    numbers = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": len(vocabulary)}
    torch.manual_seed(0)
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**NARROW, num_hidden_layers=2, image_size=28, patch_size=14),
        text_config=LlamaConfig(**NARROW, num_hidden_layers=1, initializer_range=1.0, **numbers),
        image_token_index=vocabulary[image],
        image_seq_length=4,
        **grid,
    )
    model = LlavaNextForConditionalGeneration(config)
    # Words only: chance would have it stop at once.
    model.generation_config.suppress_tokens = list(range(len(SPECIAL)))
    model.save_pretrained(folder)


def save_mask2former(folder: Path) -> None:
    Mask2FormerImageProcessor(size={"shortest_edge": 32, "longest_edge": 64}, size_divisor=32).save_pretrained(folder)
    stages = {"depths": [1] * 4, "num_heads": [1] * 4, "out_features": [f"stage{number}" for number in (1, 2, 3, 4)]}
    widths = ("feature_size", "mask_feature_size", "hidden_dim", "encoder_feedforward_dim", "dim_feedforward")
    torch.manual_seed(0)
    config = Mask2FormerConfig(
        backbone_config=SwinConfig(image_size=32, embed_dim=8, **stages),
        **dict.fromkeys(widths, 32),
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=6,
        id2label=LABELS,
        label2id={label: number for number, label in LABELS.items()},
    )
    Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    save_llava(folder / TINY["llava_vicuna"])
    save_mask2former(folder / TINY["objects"])
    save_blip(folder / TINY["blip"])
    return folder


@pytest.fixture(autouse=True)
def use_weights(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TR2M_WEIGHTS", str(weights))


def load(source: str, **changes: object) -> Captioner:
    """The captioner of configs/source/<source>.yaml, as a tiny model."""
    config = tiny.config("dataset=ibims", f"source={source}", name="captions")["source"]["captions"]
    return build(config | {"repo_id": TINY[source]} | changes)


@pytest.mark.parametrize("source", ["llava_vicuna", "llava_mistral"])
def test_llava_answers_every_prompt_on_one_line(source: str):
    captioner = load(source, max_new_tokens=6)
    assert isinstance(captioner, LlavaCaptioner)
    answers = captioner.describe(IMAGE)
    assert len(answers) == 5
    assert all(set(answer.split()) <= set(WORDS) and 1 <= len(answer.split()) <= 6 for answer in answers)
    assert len(set(answers)) > 1
    assert captioner.describe(255 - IMAGE) != answers
    assert captioner.describe(IMAGE) == answers
    assert captioner.description == "tiny/llava, 5 prompts, line 1"


def test_blip_describes_a_picture_and_finishes_sentences():
    captioner = load("blip", max_new_tokens=6)
    assert isinstance(captioner, BlipCaptioner)
    assert isinstance(captioner.network, BlipForConditionalGeneration)
    sentences = captioner.describe(IMAGE)
    assert len(sentences) == 3
    assert sentences[1].startswith("a photo of")
    assert all(len(sentence.split()) <= 3 + 6 for sentence in sentences)
    assert captioner.describe(IMAGE) == sentences
    assert captioner.describe(255 - IMAGE) != sentences
    assert len(load("blip", max_new_tokens=1).describe(IMAGE)[1].split()) == 4
    assert captioner.description == "tiny/blip, 3 beginnings, line 1"


def test_answers_do_not_depend_on_the_length_of_the_other_questions():
    prompts = ["What is it ?", "a", "What is it with chairs ? a room with chairs"]
    alone = [load("llava_vicuna", prompts=[prompt]).describe(IMAGE)[0] for prompt in prompts]
    assert load("llava_vicuna", prompts=prompts).describe(IMAGE) == alone


def test_objects_are_those_of_the_segments(monkeypatch: pytest.MonkeyPatch):
    captioner = load("objects")
    assert isinstance(captioner, ObjectCaptioner)
    found = [{"label_id": label} for label in (0, 1, 1, 2, 3, 3, 3)]
    seen = []

    def segments(outputs, threshold, target_sizes):
        seen.append((outputs.class_queries_logits.shape, threshold, target_sizes))
        return [{"segments_info": found}]

    monkeypatch.setattr(captioner.processor, "post_process_panoptic_segmentation", segments)
    sentences = captioner.describe(IMAGE)
    assert seen == [((1, 6, 5), 0.5, [(48, 64)])]
    assert len(sentences) == 5
    for part in ("a wall", "two people", "a wooden floor", "three traffic lights"):
        assert all(part in sentence for sentence in sentences)


def test_a_random_segmentation_model_runs_to_the_end():
    # So low a threshold that something is always seen.
    sentences = load("objects", threshold=0.01).describe(IMAGE)
    assert len(sentences) == 5
    assert all(sentence.startswith("An image") for sentence in sentences)


def test_a_run_over_a_data_set_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = Flat([1.0, 2.0, 3.0, 4.0], [48] * 4)
    source = load("llava_vicuna", max_new_tokens=4)
    described = []

    def describe(image: np.ndarray, original=source.describe) -> list[str]:
        if len(described) == 3:
            described.clear()
            raise KeyboardInterrupt
        described.append(image)
        return original(image)

    monkeypatch.setattr(source, "describe", describe)
    with pytest.raises(KeyboardInterrupt):
        pack_captions(tmp_path / "flat.sqlite", [dataset], source, {}, save_every=1)
    assert pack_captions(tmp_path / "flat.sqlite", [dataset], source, {}, save_every=1) == 1
    assert len(described) == 1
    assert np.array_equal(described[0], dataset.read_frame(3).image)
    assert len(PackedCaptions(tmp_path / "flat.sqlite").lines("test", "flat/0")) == 5


def test_missing_and_broken_weights_are_told(weights: Path):
    with pytest.raises(UserError, match=r"no repository tiny/none.*\n.*hf download tiny/none"):
        load("llava_vicuna", repo_id="tiny/none")
    (weights / "tiny/broken").mkdir()
    (weights / "tiny/broken/config.json").write_text("{}")
    for source in ("llava_vicuna", "objects", "blip"):
        with pytest.raises(UserError, match="tiny/broken: transformers cannot load it"):
            load(source, repo_id="tiny/broken")
