"""What travels between the parts of TR2M.

Letters, the same in every file: B batch, H W image size, h w feature-grid size, N = h * w tokens, D token width,
T text tokens, C projected width. Height before width. Every depth is in the unit of its data set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

Unit = Literal["m", "mm"]
"""Of a data set: its depth, ranges, maps, predictions and results are in it; millimetres in endoscopy."""
UNITS_PER_METRE: dict[Unit, float] = {"m": 1.0, "mm": 1000.0}


@dataclass(frozen=True)
class Frame:
    """One decoded frame. Depth covers the same view as the image, and has its size unless a protocol resizes that."""

    image: UInt8[np.ndarray, "H W 3"]
    """RGB."""
    depth: Float[np.ndarray, "Hd Wd"]
    """In the unit of the data set, finite, 0 where there is no ground truth."""
    relative_depth: Float[np.ndarray, "H W"] | None = None
    """Inverse depth up to an unknown scale and shift, larger is nearer; None where a model has to estimate it."""


@dataclass(frozen=True)
class DepthSample:
    """One frame ready for the model. In training `depth` has the size of `image`; in evaluation it keeps its own."""

    image: UInt8[Tensor, "3 H W"] | Float[Tensor, "3 H W"]
    """RGB in bytes, or, where a protocol resizes in floats, about [0, 1]."""
    depth: Float[Tensor, "Hd Wd"]
    """In the unit of the data set, 0 where not valid."""
    valid: Bool[Tensor, "Hd Wd"]
    caption: str
    sample_id: str
    relative_depth: Float[Tensor, "H W"] | None = None
    image_tokens: Float[Tensor, "N D"] | None = None
    """The image encoder's output, if it was computed beforehand."""


@dataclass(frozen=True)
class DepthBatch:
    """Samples of one data set, stacked."""

    dataset: str
    unit: Unit
    """Of depth, depth range, and of what a model predicts for these images."""
    depth_range: tuple[float, float]
    """The open interval in which this data set's ground truth counts."""
    image: UInt8[Tensor, "B 3 H W"] | Float[Tensor, "B 3 H W"]
    """RGB as it was read, a quarter of the bytes to move; in [0, 1] once `to` has moved it to its device."""
    depth: Float[Tensor, "B Hd Wd"]
    valid: Bool[Tensor, "B Hd Wd"]
    captions: list[str]
    sample_ids: list[str]
    relative_depth: Float[Tensor, "B H W"] | None = None
    image_tokens: Float[Tensor, "B N D"] | None = None

    def to(self, device) -> DepthBatch:
        """The batch on `device`, the image in [0, 1]; the copy does not block when the batch is pinned."""
        moved = map_tensors(self, lambda tensor: tensor.to(device, non_blocking=True))
        return moved if moved.image.is_floating_point() else replace(moved, image=unit_range(moved.image))

    def pin_memory(self) -> DepthBatch:
        return map_tensors(self, lambda tensor: tensor.pin_memory())

    @property
    def maps(self) -> DepthBatch:
        """The batch without names, sentences and what was computed beforehand: what the losses read of it."""
        return replace(self, captions=[], sample_ids=[], relative_depth=None, image_tokens=None)

    def split(self) -> list[DepthBatch]:
        """Its samples as batches of one."""
        return [
            map_tensors(replace(self, captions=[caption], sample_ids=[sample_id]), lambda t, i=i: t[i : i + 1])
            for i, (caption, sample_id) in enumerate(zip(self.captions, self.sample_ids, strict=True))
        ]

    @property
    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """The shape of a sample in each map that there is; batches that are equal in them can be joined."""
        maps = ((f.name, getattr(self, f.name)) for f in fields(self))
        return [(name, tuple(value.shape[1:])) for name, value in maps if isinstance(value, Tensor)]

    @staticmethod
    def joined(batches: Sequence[DepthBatch]) -> DepthBatch:
        """One batch of several of a data set, equal in `shapes`."""
        names = [f.name for f in fields(DepthBatch) if isinstance(getattr(batches[0], f.name), Tensor)]
        return replace(
            batches[0],
            **{name: torch.cat([getattr(batch, name) for batch in batches]) for name in names},
            captions=[caption for batch in batches for caption in batch.captions],
            sample_ids=[sample_id for batch in batches for sample_id in batch.sample_ids],
        )

    def mirrored(self) -> DepthBatch:
        """Left and right swapped in every map; captions stay as they are. Tokens of a mirrored image are other ones."""
        return map_tensors(replace(self, image_tokens=None), lambda tensor: tensor.flip(-1))

    def shows_the_same(self, other: DepthBatch) -> bool:
        """Whether a model sees the same input in both; ground truth may differ."""
        given, also = self.relative_depth, other.relative_depth
        same_relative = given is also or (given is not None and also is not None and torch.equal(given, also))
        return self.captions == other.captions and torch.equal(self.image, other.image) and same_relative


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """A nest of dataclasses and tuples with `function` of each tensor in its place."""
    if isinstance(value, Tensor):
        return function(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: map_tensors(getattr(value, f.name), function) for f in fields(value)})
    if isinstance(value, tuple):
        return tuple(map_tensors(part, function) for part in value)
    return value


def unit_range(image: UInt8[Tensor, "*B 3 H W"]) -> Float[Tensor, "*B 3 H W"]:
    """RGB in [0, 1], channel by channel in memory, as the models want it."""
    return image.to(torch.float32, memory_format=torch.contiguous_format).mul_(1 / 255)


@dataclass(frozen=True)
class FrozenFeatures:
    """Outputs of the frozen encoders for a batch: computed once, shared by the model and the momentum branch."""

    image_tokens: Float[Tensor, "B N D"]
    grid: tuple[int, int]
    """(h, w), h * w = N."""
    text_tokens: Float[Tensor, "B T D_text"]
    text_valid: Bool[Tensor, "B T"]
    """False on the padding of a caption."""
    relative_depth: Float[Tensor, "B H W"]
    precision: torch.dtype = torch.float32
    """Of the networks, frozen and trained; what is between them is float32."""


@dataclass(frozen=True)
class DepthOutput:
    """What any model that is trained here predicts."""

    fused_tokens: Float[Tensor, "B N D"]
    """The features that the contrast compares."""
    grid: tuple[int, int]
    metric_depth: Float[Tensor, "B H W"]
    """In the unit of the data set."""


@dataclass(frozen=True)
class TR2MOutput(DepthOutput):
    """What TR2M predicts."""

    scale_map: Float[Tensor, "B H W"]
    """Per unit of depth and per unit of relative depth, > 0."""
    shift_map: Float[Tensor, "B H W"]
    """Per unit of depth, >= 0."""
    head_features: tuple[Float[Tensor, "B C h2 w2"], ...] = ()
    """The features of the scale head and of the shift head, of those that have any."""


def with_maps(output: DepthOutput) -> TR2MOutput:
    """The output of a model that has maps, as such. Raises TypeError for another one's."""
    if not isinstance(output, TR2MOutput):
        raise TypeError("a model without a scale map and a shift map: RescalingModel.require_maps was not asked first")
    return output


@dataclass(frozen=True)
class ContrastFeatures:
    """What the contrast compares: each query with the keys of its own image and of a partner image."""

    queries: Float[Tensor, "B C h w"]
    keys: Float[Tensor, "B C h w"]
    """Without gradient."""
    partner: Int[Tensor, " B"] | None
    """For each image the index of another one in the batch; None in a batch of one."""
    stride: float
    """Tokens per side of one cell."""
