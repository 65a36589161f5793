"""The training step as one writes it first: float32, nothing kept, everything computed where it is needed.

It shares the frozen networks and the loss terms with the project's own step and nothing of how that goes about them,
so it is both what the speed is measured against and a second opinion on the numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from tr2m.benchmark.plain_contrast import PlainContrast
from tr2m.benchmark.plain_network import plain_maps
from tr2m.losses.objective import Objective
from tr2m.models.momentum import MomentumContrast, another_image
from tr2m.models.released_names import to_released
from tr2m.models.tr2m import TR2M
from tr2m.types import ContrastFeatures, DepthBatch, FrozenFeatures, TR2MOutput


class PlainLoop:
    """Trains `model` and `contrast` in place.

    Args:
        objective: its terms are used as they are, but for the contrast, which is quadratic here.
        optimizer: over the trained parameters of both.
    """

    def __init__(
        self,
        model: TR2M,
        contrast: MomentumContrast,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        clip_norm: float,
    ) -> None:
        self.model, self.contrast, self.optimizer, self.clip_norm = model, contrast, optimizer, clip_norm
        quadratic = PlainContrast(objective.contrast.classes)
        self.objective = Objective(
            objective.silog, objective.pseudo, quadratic, objective.smoothness, objective.weights
        )

    def step(self, batch: DepthBatch) -> dict[str, float]:
        """One step; returns the loss terms, for which the host waits as `loss.item()` does."""
        features = self.encode(batch)
        output = self.rescale(features)
        contrast = self.features_to_compare(output, batch)
        terms = self.objective(output, contrast, features.relative_depth, batch)
        self.optimizer.zero_grad()
        terms["total"].backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        clip_grad_norm_(parameters, self.clip_norm)
        self.optimizer.step()
        self.move_momentum_branch()
        return {name: value.item() for name, value in terms.items()}

    @torch.no_grad()
    def encode(self, batch: DepthBatch) -> FrozenFeatures:
        """All three frozen networks."""
        tokens = self.model.image_encoder(batch.image)
        text_tokens, text_valid = self.model.text_encoder.encode(batch.captions)
        grid = self.model.image_encoder.grid(batch.image.shape[-2], batch.image.shape[-1])
        return FrozenFeatures(tokens, grid, text_tokens, text_valid, self.model.relative_depth(batch.image))

    def rescale(self, features: FrozenFeatures) -> TR2MOutput:
        weights = to_released(dict(self.model.named_parameters()))
        maps = plain_maps(weights, features.image_tokens, features.text_tokens, features.grid)
        depth = 1 / (maps["scale_map"] * features.relative_depth + maps["shift_map"])
        return TR2MOutput(maps["fused_tokens"], features.grid, depth, maps["scale_map"], maps["shift_map"])

    def features_to_compare(self, output: TR2MOutput, batch: DepthBatch) -> ContrastFeatures:
        """The momentum branch starts from the image and the sentence, as a copy of the whole network would."""
        queries = self.contrast.projector(output.fused_tokens, output.grid)
        with torch.no_grad():
            fused = self.contrast.momentum_encoder(self.encode(batch))
            keys = self.contrast.momentum_projector(fused, output.grid)
        return ContrastFeatures(queries, keys, another_image(len(keys), keys.device), self.contrast.projector.stride)

    @torch.no_grad()
    def move_momentum_branch(self) -> None:
        pairs = [
            (self.contrast.momentum_encoder, self.model.rescale_encoder),
            (self.contrast.momentum_projector, self.contrast.projector),
        ]
        share: float = self.contrast.momentum
        for copy, original in pairs:
            moved: list[Tensor] = list(copy.parameters())
            for old, new in zip(moved, original.parameters(), strict=True):
                old.copy_(share * old + (1 - share) * new)
