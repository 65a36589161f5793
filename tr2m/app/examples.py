"""Pictures that a visitor can try with a click: frames of the synthetic world, for a model that was trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tr2m.data.decoding.encode import write_png
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.relative_depth import StoredRelativeDepth
from tr2m.synthetic.world import DOMAINS, SIZE_WORDS, SyntheticDepth
from tr2m.types import Unit

PREFIX = "synthetic_"


@dataclass(frozen=True)
class Example:
    """A picture, and two sentences that differ in one word."""

    picture: Path
    sentences: Sequence[str]
    unit: Unit
    relative_depth: Float[np.ndarray, "H W"] | None
    """For a model that has no network of its own to estimate it."""


def synthetic_examples(model: RescalingModel, folder: Path) -> list[Example]:
    """A held-out frame of each synthetic domain that `model` was trained on, written into `folder`."""
    domains = [name.removeprefix(PREFIX) for name in model.units or {} if name.startswith(PREFIX)]
    stored = isinstance(model.relative_depth, StoredRelativeDepth)
    return [draw_example(domain, model.input_sizes[0], stored, folder) for domain in domains if domain in DOMAINS]


def draw_example(domain: str, size: tuple[int, int], stored: bool, folder: Path) -> Example:
    """Its first sentence is the frame's own, the second has another size word."""
    world = SyntheticDepth(
        name=domain,
        split="test",
        input_size=size,
        depth_range=DOMAINS[domain].depth_range,
        domain=domain,
        count={"test": 1},
        seed=0,
        size=size,
    )
    frame, picture = world.read_frame(0), folder / f"{domain}.png"
    write_png(picture, frame.image[..., ::-1])
    sentence = world.captions.lines("test", world.sample_ids[0])[0]
    smallest, largest = SIZE_WORDS[0][0], SIZE_WORDS[-1][0]
    (word,) = {pair[0] for pair in SIZE_WORDS} & set(sentence.split())
    other = sentence.replace(word, smallest if word == largest else largest)
    return Example(picture, (sentence, other), world.unit, frame.relative_depth if stored else None)
