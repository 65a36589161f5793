"""BLIP, a small captioner: a picture in half a sentence, or the rest of a sentence that was begun."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from transformers import BlipForConditionalGeneration, BlipProcessor

from tr2m.captioning.captioner import Captioner, load_from
from tr2m.captioning.sentences import whole_sentences


class BlipCaptioner(Captioner):
    """One caption for each beginning, by greedy decoding: the same picture gives the same captions.

    Args:
        repo_id: hub repository of the model.
        beginnings: of the captions, such as "a photo of"; an empty one leaves the whole caption to the model.
        max_new_tokens: after which the model is stopped.

    Raises:
        UserError: the repository cannot be found or loaded.
    """

    def __init__(self, repo_id: str, beginnings: list[str], max_new_tokens: int) -> None:
        self.processor = load_from(repo_id, BlipProcessor)
        network = load_from(repo_id, BlipForConditionalGeneration, dtype="auto")
        super().__init__(network, f"{repo_id}, {len(beginnings)} beginnings")
        self.beginnings = beginnings
        self.max_new_tokens = max_new_tokens

    @torch.inference_mode()
    def describe(self, image: UInt8[np.ndarray, "H W 3"]) -> list[str]:
        return [self._continue(image, beginning) for beginning in self.beginnings]

    def _continue(self, image: UInt8[np.ndarray, "H W 3"], beginning: str) -> str:
        inputs = self.processor(images=image, text=beginning or None, return_tensors="pt")
        inputs = inputs.to(self.network.device, dtype=self.network.dtype)
        tokens = self.network.generate(**inputs, do_sample=False, max_new_tokens=self.max_new_tokens)
        (text,) = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return whole_sentences(text)
