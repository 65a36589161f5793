"""LLaVA 1.6, which answers questions about a picture in free text."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from transformers import LlavaNextForConditionalGeneration, LlavaNextProcessor

from tr2m.captioning.captioner import Captioner, load_from
from tr2m.captioning.sentences import whole_sentences


class LlavaCaptioner(Captioner):
    """One caption for each prompt, by greedy decoding: the same picture gives the same captions.

    Args:
        repo_id: hub repository of the model.
        template: what the model was trained to be asked with; `{prompt}` stands for the question.
        prompts: questions, one for each caption.
        max_new_tokens: after which the model is stopped.

    Raises:
        UserError: the repository cannot be found or loaded.
    """

    def __init__(self, repo_id: str, template: str, prompts: list[str], max_new_tokens: int) -> None:
        self.processor = load_from(repo_id, LlavaNextProcessor)
        # Answers begin where the questions end, which must be the same place for all of a batch.
        self.processor.tokenizer.padding_side = "left"
        network = load_from(repo_id, LlavaNextForConditionalGeneration, dtype="auto")
        super().__init__(network, f"{repo_id}, {len(prompts)} prompts")
        self.questions = [template.format(prompt=prompt) for prompt in prompts]
        self.max_new_tokens = max_new_tokens

    @torch.inference_mode()
    def describe(self, image: UInt8[np.ndarray, "H W 3"]) -> list[str]:
        images = [image] * len(self.questions)
        inputs = self.processor(images=images, text=self.questions, padding=True, return_tensors="pt")
        inputs = inputs.to(self.network.device, dtype=self.network.dtype)
        answers = self.network.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            pad_token_id=self.processor.tokenizer.pad_token_id,
        )
        new = answers[:, inputs["input_ids"].shape[1] :]
        return [whole_sentences(text) for text in self.processor.batch_decode(new, skip_special_tokens=True)]
