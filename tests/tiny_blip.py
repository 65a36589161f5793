"""BLIP as a tiny random network of the same classes of transformers, saved like the published one."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

WORDS = ("a", "room", "with", "chairs", "user", ":", "?", "what", "is", "it")
NARROW = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}


def save_blip(folder: Path) -> None:
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "photo", "of"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    images = BlipImageProcessor(size={"height": 28, "width": 28})
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    BlipProcessor(images, tokenizer).save_pretrained(folder)
    # The token that begins a caption is, as in the published model, beyond the tokenizer's own words.
    numbers = {"bos_token_id": len(words), "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    text = {"vocab_size": len(words) + 2, "encoder_hidden_size": 16, "initializer_range": 1.0}
    torch.manual_seed(0)
    config = BlipConfig(
        text_config={**NARROW, **text, **numbers, "num_hidden_layers": 1},
        vision_config={**NARROW, "num_hidden_layers": 1, "image_size": 28, "patch_size": 14, "initializer_range": 1.0},
        projection_dim=16,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
