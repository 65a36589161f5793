"""TR2M as an ONNX file, which onnxruntime runs without torch: for images of one size, any number at a time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tr2m.errors import UserError
from tr2m.files import temporary_for, written_to
from tr2m.inference.inputs import captions_of
from tr2m.json_text import json_text
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.relative_depth import StoredRelativeDepth
from tr2m.models.tr2m import MIN_INVERSE_DEPTH, TR2M
from tr2m.types import FrozenFeatures, with_maps

Part = Literal["whole", "trained"]
TOLERANCE = 1e-4
"""Largest relative difference to PyTorch's outputs; a file that differs by more is not written."""
RELATIVE_DEPTH_TOLERANCE = 1e-3
"""Of the relative depth, which has no unit: the paper's network with random weights was off by 2e-4 at 434x560."""


class WholeModel(nn.Module):
    """Image and the feature of its sentence to metric depth. The sentence's own encoder is not inside."""

    outputs: ClassVar = ("metric_depth", "scale_map", "shift_map", "relative_depth")

    def __init__(self, model: TR2M) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        text_tokens: Float[Tensor, "B T C"],
        text_valid: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B H W"], ...]:
        relative_depth = self.model.relative_depth(image)
        grid = self.model.image_encoder.grid(image.shape[-2], image.shape[-1])
        tokens = self.model.image_encoder(image)
        return (*maps(self.model, tokens, grid, text_tokens, text_valid, relative_depth), relative_depth)


class TrainedPart(nn.Module):
    """Outputs of the frozen networks to metric depth, for images of one token grid (h, w)."""

    outputs: ClassVar = ("metric_depth", "scale_map", "shift_map")

    def __init__(self, model: TR2M, grid: tuple[int, int]) -> None:
        super().__init__()
        self.model, self.grid = model, grid

    def forward(
        self,
        image_tokens: Float[Tensor, "B N D"],
        relative_depth: Float[Tensor, "B H W"],
        text_tokens: Float[Tensor, "B T C"],
        text_valid: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B H W"], ...]:
        return maps(self.model, image_tokens, self.grid, text_tokens, text_valid, relative_depth)


def maps(
    model: TR2M,
    tokens: Tensor,
    grid: tuple[int, int],
    text_tokens: Tensor,
    text_valid: Tensor | None,
    relative_depth: Tensor,
) -> tuple[Float[Tensor, "B H W"], ...]:
    """Metric depth, scale map and shift map. Without `text_valid` no token of the sentence is padding."""
    if text_valid is None:
        text_valid = torch.ones(text_tokens.shape[:2], dtype=torch.bool)
    output = with_maps(model.rescale(FrozenFeatures(tokens, grid, text_tokens, text_valid, relative_depth)))
    return output.metric_depth, output.scale_map, output.shift_map


def export_onnx(
    model: RescalingModel, path: Path, part: Part = "whole", size: tuple[int, int] | None = None
) -> dict[str, str]:
    """Write `path` and compare it with PyTorch through onnxruntime on two images first.

    Args:
        part: "whole" takes an image (RGB in [0, 1]) and the sentence's feature; "trained" takes the frozen networks'
            outputs.
        size: (height, width) of the images; None takes the first size of training.

    Returns:
        The file's metadata: unit, input size, normalisation, ranges, commit.

    Raises:
        UserError: the extra is not installed, the file exists, another model than TR2M, a size that is no multiple of
            the patch size, no relative-depth network where one is needed, or outputs that differ from PyTorch's.
    """
    runtime = require_onnx()
    if path.exists():
        raise UserError(f"{path} exists: expected the name of a new file")
    if not isinstance(model, TR2M):
        raise UserError(f"an ONNX file is made of TR2M, and this checkpoint is of {type(model).__name__}")
    if part == "whole" and isinstance(model.relative_depth, StoredRelativeDepth):
        raise UserError("this model has no network for relative depth, it came with the data: use --part trained")
    size = checked_size(model, size)
    network, inputs = example(model.cpu().eval(), part, size)
    with torch.no_grad():
        expected: dict[str, Tensor] = dict(zip(network.outputs, network(**inputs), strict=True))
    facts = metadata(model, part, size)
    with written_to(path), temporary_for(path) as temporary:
        write(network, inputs, facts, temporary)
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        got = session.run(list(expected), {name: value.numpy() for name, value in inputs.items()})
        compare(dict(zip(expected, got, strict=True)), expected)
    return facts


def require_onnx() -> Any:
    """onnxruntime. Raises UserError where the extra is not installed."""
    try:
        import onnx  # noqa: F401  torch's exporter needs both and names neither
        import onnxruntime
        import onnxscript  # noqa: F401  likewise
    except ModuleNotFoundError as error:
        raise UserError(f"ONNX files need {error.name}: pip install 'tr2m[onnx]'") from error
    return onnxruntime


def checked_size(model: TR2M, size: tuple[int, int] | None) -> tuple[int, int]:
    height, width = size or model.input_sizes[0]
    if height % model.size_multiple or width % model.size_multiple or min(height, width) < 1:
        raise UserError(f"--size {height}x{width}: both sides must be multiples of {model.size_multiple}")
    return height, width


def example(model: TR2M, part: Part, size: tuple[int, int]) -> tuple[WholeModel | TrainedPart, dict[str, Tensor]]:
    """The network that is exported, and inputs for two images: random ones under two sentences."""
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        text_tokens, text_valid = model.text_encoder(["a narrow kitchen", "a street with parked cars"])
        text = (
            {"text_tokens": text_tokens} if text_valid.all() else {"text_tokens": text_tokens, "text_valid": text_valid}
        )
        if part == "whole":
            return WholeModel(model), {"image": image, **text}
        grid = model.image_encoder.grid(*size)
        relative = torch.rand(2, *size, generator=torch.Generator().manual_seed(1))
        inputs = {"image_tokens": model.image_encoder(image), "relative_depth": relative, **text}
    return TrainedPart(model, grid), inputs


def write(
    network: WholeModel | TrainedPart, inputs: Mapping[str, Tensor], facts: Mapping[str, str], path: Path
) -> None:
    batch = torch.export.Dim("batch")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Of torch about its own deprecations.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            kwargs=dict(inputs),
            input_names=list(inputs),
            output_names=list(network.outputs),
            dynamic_shapes={name: {0: batch} for name in inputs},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise UserError("torch made no ONNX program of this model")
    program.model.metadata_props.update(facts)
    program.save(path)


def compare(got: Mapping[str, np.ndarray], expected: Mapping[str, Tensor]) -> None:
    """Raise UserError if an output differs by more than is allowed of its value, or of its mean where it is smaller."""
    for name, values in expected.items():
        wanted = values.numpy()
        off = np.abs(got[name] - wanted) / np.maximum(np.abs(wanted), np.abs(wanted).mean())
        allowed = RELATIVE_DEPTH_TOLERANCE if name == "relative_depth" else TOLERANCE
        if not off.max() <= allowed:
            raise UserError(f"onnxruntime's {name} differs from PyTorch's by {off.max():.2g}, more than {allowed:g}")


def metadata(model: TR2M, part: Part, size: tuple[int, int]) -> dict[str, str]:
    """What a user of the file has to know, as texts: an ONNX file holds no others."""
    provenance = model.provenance or {}
    units = model.units or {}
    one = next(iter(set(units.values()))) if len(set(units.values())) == 1 else None
    return {
        "project": "TR2M",
        "part": part,
        "unit": one or ("m" if not units else "that of the kind of scene: " + json_text(units, indent=None)),
        "input_size": f"{size[0]}x{size[1]} (height x width)",
        "normalisation": "image: RGB in [0, 1], float32; mean and deviation are applied inside",
        "ranges": f"0 < metric_depth <= {1 / MIN_INVERSE_DEPTH:.0f}; relative_depth larger is nearer; 1 / "
        "(scale_map * relative_depth + shift_map) is metric_depth",
        "text": "text_tokens: feature of the sentence by the text encoder of config.json (tr2m export onnx --text)",
        "experiment": str((provenance.get("config") or {}).get("name")),
        "commit": str(provenance.get("git_commit")),
    }


def save_captions(model: RescalingModel, captions: Sequence[str], path: Path) -> None:
    """Features of sentences as a .npz file: `captions`, and `text_tokens` and `text_valid` with a row for each."""
    if not isinstance(model, TR2M):
        raise UserError(f"{type(model).__name__} reads no sentence as TR2M does")
    captions = captions_of(captions)
    with torch.no_grad():
        text_tokens, text_valid = model.text_encoder(captions)
    with written_to(path), temporary_for(path) as temporary, temporary.open("wb") as file:
        np.savez(file, captions=np.array(captions), text_tokens=text_tokens.numpy(), text_valid=text_valid.numpy())
