"""The captions of all frames of a data set into one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tr2m.captioning.captioner import Captioner
from tr2m.data.captions.files import CaptionSource
from tr2m.data.captions.packed import CaptionWriter
from tr2m.data.depth_dataset import DepthDataset


def pack_captions(
    file: Path,
    splits: Sequence[DepthDataset],
    source: CaptionSource | Captioner,
    settings: dict[str, Any],
    save_every: int,
) -> int:
    """Write the sentences of `source` about every frame to `file`, continuing where an earlier call stopped.

    Args:
        splits: of one data set.
        settings: what the captions depend on; a file that was begun with others is refused.
        save_every: frames after which progress is saved.

    Returns:
        how many frames had no captions before.
    """
    writer = CaptionWriter(file, source.description, settings)
    added = 0
    for dataset in splits:
        missing = writer.missing(dataset.split, dataset.sample_ids)
        progress = tqdm(missing, desc=f"{dataset.name} {dataset.split}: captions")
        writer.add(dataset.split, _captions(dataset, progress, source), save_every)
        added += len(missing)
    writer.finish()
    return added


def _captions(
    dataset: DepthDataset, sample_ids: tqdm[str], source: CaptionSource | Captioner
) -> Iterator[tuple[str, list[str]]]:
    position = {sample_id: index for index, sample_id in enumerate(dataset.sample_ids)}
    for sample_id in sample_ids:
        if isinstance(source, Captioner):
            yield sample_id, source.describe(dataset.read_frame(position[sample_id]).image)
        else:
            yield sample_id, source.lines(dataset.split, sample_id)
