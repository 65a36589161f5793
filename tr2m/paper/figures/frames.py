"""What the figures are drawn from: some frames of each data set, and each model's outputs for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm import tqdm

from tr2m.data.mixing import collate
from tr2m.evaluation.evaluator import EvaluationSet
from tr2m.evaluation.protocol import Protocol, resize_to
from tr2m.models.contract import RescalingModel
from tr2m.types import DepthBatch, DepthOutput, Unit


@dataclass(frozen=True)
class PredictedFrame:
    """One frame on the CPU with the outputs of all models, by label; the first is the one in question."""

    batch: DepthBatch
    protocol: Protocol
    relative_depth: Float[Tensor, "h w"]
    outputs: Mapping[str, DepthOutput]

    @property
    def name(self) -> str:
        return self.batch.sample_ids[0]

    @property
    def size(self) -> tuple[int, int]:
        return self.batch.depth.shape[1], self.batch.depth.shape[2]

    @property
    def depth(self) -> Float[Tensor, "H W"]:
        """Ground truth in the unit of the data set."""
        return self.batch.depth[0]

    @property
    def scored(self) -> Bool[Tensor, "H W"]:
        return self.protocol.scored(self.depth, self.batch.valid[0])

    @property
    def unit(self) -> Unit:
        return self.batch.unit

    def metric_depth(self, label: str) -> Float[Tensor, "H W"]:
        """A model's depth at the size of the ground truth."""
        return resize_to(self.outputs[label].metric_depth[0], self.size)

    def relative_at_size(self) -> Float[Tensor, "H W"]:
        return resize_to(self.relative_depth, self.size)


@torch.no_grad()
def read_frames(
    models: Mapping[str, RescalingModel], sets: Sequence[EvaluationSet], count: int, device: torch.device
) -> dict[str, list[PredictedFrame]]:
    """`count` frames of each data set, evenly spaced over its evaluation split, by the data set's name."""
    first = next(iter(models.values()))
    first.require_maps("the first model of the figures")
    frames: dict[str, list[PredictedFrame]] = {}
    for entry in sets:
        positions = torch.linspace(0, len(entry.dataset) - 1, min(count, len(entry.dataset))).round().int().tolist()
        for index in tqdm(positions, desc=f"figures {entry.dataset.name}", leave=False):
            batch = collate([(entry.dataset, entry.dataset.evaluation_sample(index))])
            there = batch.to(device)
            outputs = {label: m(there.image, there.captions, there.relative_depth) for label, m in models.items()}
            relative = first.encode(there.image, there.captions, there.relative_depth).relative_depth[0].cpu()
            frame = PredictedFrame(
                batch, entry.protocol, relative, {label: to_cpu(output) for label, output in outputs.items()}
            )
            frames.setdefault(entry.dataset.name, []).append(frame)
    return frames


def to_cpu(output: DepthOutput) -> DepthOutput:
    return replace(output, **{name: value.cpu() for name, value in vars(output).items() if isinstance(value, Tensor)})
