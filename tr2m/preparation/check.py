"""Everything that is wrong with a data set, in one go and in words."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from tr2m.build import build
from tr2m.data.captions.files import CaptionSource
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.depth_histogram import DepthHistogram, measured_depth
from tr2m.data.sampling import choose_frames
from tr2m.data.settings import DatasetSettings
from tr2m.errors import UserError
from tr2m.models.frozen.text_encoder import CONTEXT_LENGTH, count_tokens


@dataclass(frozen=True)
class Thoroughness:
    """How much of a data set is looked at.

    Args:
        frames: of each split; at first one of every folder. None: all.
        seed: which frames.
        shown: how many problems of one kind are listed in full.
        threads: that decode frames at a time.
    """

    frames: int | None
    seed: int
    shown: int
    threads: int


@dataclass
class Findings:
    """What is the case and what is wrong, in sentences."""

    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, kind: str, problems: list[str], of: int, shown: int) -> None:
        """Problems of one kind, met among `of` things: the first in full, the rest as a number; none twice."""
        fresh = [problem for problem in problems if problem not in self.problems]
        self.problems += fresh[:shown]
        if len(fresh) > shown:
            self.problems.append(f"... {len(fresh)} of {of} {kind} in all; see them with shown={len(fresh)}")


@dataclass(frozen=True)
class Look:
    """What a frame shows: its valid depths in metres, and a digest of its image's pixels."""

    depth: Float[np.ndarray, " N"]
    image_digest: bytes


class Seen:
    """The images met so far, to find those that are in two splits."""

    def __init__(self) -> None:
        self.frames: dict[bytes, tuple[str, str]] = {}

    def elsewhere(self, split: str, sample_id: str, image_digest: bytes) -> str | None:
        """The frame of another split that has this image; None, and remembered, if there is none."""
        other, other_id = self.frames.setdefault(image_digest, (split, sample_id))
        return f"{other} frame {other_id}" if other != split else None


def check_dataset(settings: DatasetSettings, how: Thoroughness) -> Findings:
    """Look at the files, the depth and the captions of all splits of a data set.

    Args:
        settings: of the data set.
    """
    findings = Findings()
    seen = Seen()
    captions, given = None, settings.reader.get("captions")
    if given:
        try:
            captions = build(given)
        except UserError as error:
            findings.problems.append(str(error))
    for label, split, changes in readings(settings):
        try:
            dataset = settings.read_without_captions(split, **changes)
        except UserError as error:
            # One missing folder is one problem, not one for each split or protocol; what a protocol reads of another
            # release may be missing.
            if str(error) not in findings.problems:
                if label == split:
                    findings.problems.append(str(error))
                else:
                    findings.facts.append(f"{label}: cannot be scored: {error}")
            continue
        indices = choose_frames(dataset.sample_ids, how.frames or len(dataset), how.seed)
        findings.facts.append(f"{label}: {len(dataset):,} frames, {len(indices):,} of them decoded")
        check_frames(label, dataset, indices, how, findings, seen)
        if label != split:
            continue
        # The readers of the synthetic world and of a folder of one's own have captions of their own.
        if source := captions if given else own_captions(dataset, findings):
            check_captions(source, dataset, how, findings)
    return findings


def own_captions(dataset: DepthDataset, findings: Findings) -> CaptionSource | None:
    """The captions that come with the frames; None, and a problem, if some have none."""
    try:
        return dataset.own_captions()
    except UserError as error:
        findings.problems.append(str(error))
        return None


def readings(settings: DatasetSettings) -> list[tuple[str, str, dict[str, Any]]]:
    """(label, split, changes of the reader) of each split, and of the evaluation split under those protocols that read
    it differently.
    """
    test, protocols = settings.eval_split, settings.protocols.items()
    return [(split, split, {}) for split in settings.splits] + [
        (f"{test}, {name}", test, protocol["reader"]) for name, protocol in protocols if "reader" in protocol
    ]


def check_frames(
    label: str,
    dataset: DepthDataset,
    indices: list[int],
    how: Thoroughness,
    findings: Findings,
    seen: Seen,
) -> None:
    """Decode frames and compare the distribution of their depth with what is expected, their images with those of the
    other splits.
    """
    histogram = DepthHistogram(dataset.depth_range, dataset.unit)
    problems, shared = [], []
    with ThreadPoolExecutor(how.threads) as pool:
        looks = pool.map(lambda index: look_at(dataset, index), indices)
        bar = tqdm(zip(indices, looks, strict=True), total=len(indices), desc=f"{dataset.name} {label}: frames")
        for index, result in bar:
            if isinstance(result, str):
                problems.append(result)
                continue
            histogram.add(result.depth)
            if other := seen.elsewhere(dataset.split, dataset.sample_ids[index], result.image_digest):
                shared.append(f"{dataset.split} frame {dataset.sample_ids[index]}: the same image as {other}.")
    findings.add("frames", problems, len(indices), how.shown)
    findings.add("frames of two splits", shared, len(indices), how.shown)
    if histogram.count:
        findings.facts.append(f"{label}: {histogram.summary()}")
        findings.problems += [f"{label}: {p}" for p in histogram.problems(dataset.plausible_median)]


def look_at(dataset: DepthDataset, index: int) -> Look | str:
    """What a frame shows, or what is wrong with it."""
    try:
        frame = dataset.read_frame(index)
    except UserError as error:
        return str(error)
    where = f"{dataset.split} frame {dataset.sample_ids[index]}"
    try:
        depth = measured_depth(frame)
    except UserError as error:
        return f"{where}: {error}."
    if not depth.size:
        return f"{where}: its depth has no measurement at all."
    if frame.image.min() == frame.image.max():
        return f"{where}: its image is {frame.image.min()} everywhere: nothing can be seen in it."
    return Look(depth, hashlib.sha256(frame.image.tobytes()).digest())


def check_captions(source: CaptionSource, dataset: DepthDataset, how: Thoroughness, findings: Findings) -> None:
    """Whether every frame has its captions, and which of them CLIP would cut off."""
    problems, cut, lines = [], [], 0
    for sample_id in tqdm(dataset.sample_ids, desc=f"{dataset.name} {dataset.split}: captions"):
        try:
            captions = source.lines(dataset.split, sample_id)
        except UserError as error:
            problems.append(str(error))
            continue
        lines += len(captions)
        cut += [f"{sample_id}, line {number}" for number in too_long(captions)]
    findings.facts.append(f"{dataset.split}: {lines:,} captions ({source.description})")
    if cut:
        findings.facts.append(
            f"{dataset.split}: {len(cut):,} of them have more than {CONTEXT_LENGTH} tokens, where CLIP cuts them off: "
            + "; ".join(cut[: how.shown])
        )
    findings.add("frames without captions", problems, len(dataset), how.shown)


def too_long(captions: list[str]) -> list[int]:
    """Numbers, from 1, of the captions with more tokens than CLIP reads."""
    # A token has at least one byte: most captions need no tokenizer to be short enough.
    return [
        number
        for number, caption in enumerate(captions, start=1)
        if len(caption.encode()) > CONTEXT_LENGTH - 2 and count_tokens(caption) > CONTEXT_LENGTH
    ]
