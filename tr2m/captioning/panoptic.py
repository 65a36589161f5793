"""Captions that list the objects a panoptic segmentation model sees."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import UInt8
from transformers import AutoImageProcessor, AutoModelForUniversalSegmentation

from tr2m.captioning.captioner import Captioner, load_from
from tr2m.captioning.sentences import object_sentences

# What COCO appends to the names of its regions: wall-other-merged, door-stuff.
_SUFFIX = re.compile(r"-(other|merged|stuff)\b")


class ObjectCaptioner(Captioner):
    """Sentences such as "An image with two sinks, a mirror, and a towel.", the same objects in several orders.

    Args:
        repo_id: hub repository of a panoptic model of transformers (Mask2Former, MaskFormer, ...).
        threshold: least score of a segment that counts.
        sentences: how many.
        seed: of the orders.
        names: for labels whose spelling is not English, by label.
        plurals: that no rule gives, by the last word of a name.

    Raises:
        UserError: the repository cannot be found or loaded.
    """

    def __init__(
        self,
        repo_id: str,
        threshold: float,
        sentences: int,
        seed: int,
        names: Mapping[str, str],
        plurals: Mapping[str, str],
    ) -> None:
        self.processor = load_from(repo_id, AutoImageProcessor)
        network = load_from(repo_id, AutoModelForUniversalSegmentation)
        super().__init__(network, f"objects by {repo_id}")
        self.threshold, self.sentences, self.seed = threshold, sentences, seed
        self.names, self.plurals = names, plurals

    @torch.inference_mode()
    def describe(self, image: UInt8[np.ndarray, "H W 3"]) -> list[str]:
        inputs = self.processor(images=image, return_tensors="pt").to(self.network.device)
        (result,) = self.processor.post_process_panoptic_segmentation(
            self.network(**inputs), threshold=self.threshold, target_sizes=[image.shape[:2]]
        )
        labels = [self.network.config.id2label[segment["label_id"]] for segment in result["segments_info"]]
        objects = [self.names.get(label, class_name(label)) for label in labels]
        return object_sentences(objects, self.sentences, self.seed, self.plurals)


def class_name(label: str) -> str:
    """A label of COCO's panoptic classes in everyday words."""
    return _SUFFIX.sub("", label).replace("-", " ")
