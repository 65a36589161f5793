"""Figure 5, and how the predicted scale follows the true one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tr2m.drawing.colours import COLOURS, MARKERS
from tr2m.drawing.grid import new_figure, save
from tr2m.errors import UserError
from tr2m.ops.alignment import fit_scale_shift
from tr2m.ops.depth_classes import cell_depth, depth_classes, depth_extent
from tr2m.paper.figures.frames import PredictedFrame

CLASSES = 5
"""Of Figure 5: few enough to see."""
POINTS = 1500
"""At most so many tokens: t-SNE is quadratic in them."""


def save_embedding(path: Path, frames: list[PredictedFrame]) -> None:
    """Figure 5: t-SNE of the fused tokens of each model, coloured by the depth class of what they see.

    The title states by how much the cosine similarity of tokens of one image and class exceeds that of other classes.
    Raises UserError where scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise UserError("Figure 5 needs scikit-learn: pip install -e '.[figures]'") from error
    labels = list(frames[0].outputs)
    figure = new_figure(3.4 * len(labels) + 0.8, 3.4)
    axes = figure.subplots(1, len(labels), squeeze=False)
    for label, axis in zip(labels, axes[0], strict=True):
        tokens, classes, gap = labelled_tokens(frames, label)
        chosen = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))[:POINTS]
        points = TSNE(perplexity=min(30, len(chosen) // 4), random_state=0).fit_transform(tokens[chosen].numpy())
        shown = axis.scatter(*points.T, c=classes[chosen].numpy(), s=6, cmap="viridis_r", vmin=0, vmax=CLASSES)
        axis.set_title(f"{label}\nsame class - other classes: {gap:+.3f}", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    bar = figure.colorbar(shown, ax=axes[0], label="depth class within its image")
    bar.set_ticks([0, CLASSES], labels=["far", "near"])
    save(figure, path)


def labelled_tokens(frames: list[PredictedFrame], label: str) -> tuple[Float[Tensor, "M D"], Int[Tensor, " M"], float]:
    """Normalised fused tokens of all frames, their depth classes (Eq. 7), and the gap of cosine similarity."""
    tokens, classes, gaps = [], [], []
    for frame in frames:
        output = frame.outputs[label]
        # Ground truth at the size that the network sees, one cell for each token.
        size = frame.batch.image.shape[-2:]
        depth = F.interpolate(frame.batch.depth[:, None], size, mode="nearest")[:, 0]
        valid = F.interpolate(frame.batch.valid[:, None].float(), size, mode="nearest")[:, 0] > 0
        cell = size[0] // output.grid[0]
        found = depth_classes(*cell_depth(depth, valid, cell), *depth_extent(depth, valid), CLASSES).flatten()
        normal = F.normalize(output.fused_tokens[0].float(), dim=-1)[found >= 0]
        found = found[found >= 0]
        similarity, same = normal @ normal.T, found[:, None] == found[None]
        apart = ~torch.eye(len(found), dtype=torch.bool)
        if (same & apart).any() and (~same).any():
            gaps.append((similarity[same & apart].mean() - similarity[~same].mean()).item())
        tokens.append(normal)
        classes.append(found)
    return torch.cat(tokens), torch.cat(classes), sum(gaps) / max(len(gaps), 1)


def save_scale_relation(path: Path, frames: Mapping[str, list[PredictedFrame]]) -> None:
    """The scale of each frame's linear fit to the ground truth against that of the fit to the prediction."""
    figure = new_figure(4.6, 4.2)
    axis = figure.subplots()
    for (dataset, some), colour, marker in zip(frames.items(), COLOURS, MARKERS, strict=False):
        true, predicted = zip(*(scales(frame) for frame in some), strict=True)
        axis.scatter(
            true,
            predicted,
            s=16,
            c=colour,
            marker=marker,
            label=f"{dataset} ({some[0].unit})",
            alpha=0.8,
            linewidths=0.8,
        )
    low, high = axis.get_xlim()
    axis.plot([low, high], [low, high], color="0.6", lw=1, zorder=0)
    axis.set(xscale="log", yscale="log")
    axis.set_xlabel("true scale (1 / unit of depth, per unit of relative depth)")
    axis.set_ylabel("predicted scale (1 / unit of depth, per unit of relative depth)")
    axis.legend(fontsize=8)
    save(figure, path)


def scales(frame: PredictedFrame) -> tuple[float, float]:
    """Scale of the least-squares fit of relative depth to 1 / ground truth and to 1 / prediction, same pixels."""
    relative, scored = frame.relative_at_size()[None], frame.scored[None]
    predicted = frame.metric_depth(next(iter(frame.outputs)))
    targets = (1 / frame.depth.where(frame.scored, 1.0), 1 / predicted)
    true, guess = (fit_scale_shift(relative, target[None], scored)[0].item() for target in targets)
    return true, guess
