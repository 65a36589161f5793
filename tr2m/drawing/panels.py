"""Pictures of what the model does: one row of maps per frame."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from torch import Tensor

from tr2m.drawing.axes import depth_limits, holes
from tr2m.evaluation.protocol import Protocol, resize_to
from tr2m.types import DepthBatch, TR2MOutput


def save_panel(path: Path, batch: DepthBatch, output: TR2MOutput, relative_depth: Tensor, protocol: Protocol) -> None:
    """RGB, relative depth, scale map, shift map, prediction, ground truth and AbsRel map of a batch of one frame."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    unit, depth = batch.unit, batch.depth[0].cpu()
    size = (depth.shape[0], depth.shape[1])
    scored = protocol.scored(depth, batch.valid[0].cpu())
    prediction = resize_to(output.metric_depth[0].cpu(), size)
    near, far = depth_limits(depth, scored)
    depth_style = {"cmap": "magma_r", "vmin": near, "vmax": far}
    error = (prediction - depth).abs() / depth.where(scored, 1.0)
    maps = [
        ("relative depth (larger is nearer)", relative_depth[0].cpu(), {"cmap": "magma"}),
        (f"scale map (1/{unit})", output.scale_map[0].cpu(), {"cmap": "viridis"}),
        (f"shift map (1/{unit})", output.shift_map[0].cpu(), {"cmap": "viridis"}),
        (f"prediction ({unit})", prediction, depth_style),
        (f"ground truth ({unit})", holes(depth, scored), depth_style),
        ("AbsRel", holes(error, scored), {"cmap": "inferno", "vmin": 0, "vmax": 0.5}),
    ]
    # Rows as high as the maps are in columns of 3.2 inches, plus a title: no white between them.
    row = 0.45 + 3.2 * size[0] / size[1]
    figure, axes = plt.subplots(2, 4, figsize=(16, 2 * row), layout="constrained")
    axes = axes.ravel()
    axes[0].imshow(batch.image[0].permute(1, 2, 0).cpu().numpy())
    # The end of a long name says which frame it is.
    axes[0].set_title(f"{batch.dataset}: {batch.sample_ids[0]}"[-44:], fontsize=9)
    for axis, (title, values, style) in zip(axes[1:], maps, strict=False):
        image = axis.imshow(values.numpy(), **style)
        axis.set_title(title, fontsize=10)
        figure.colorbar(image, ax=axis, fraction=0.04, pad=0.01)
    mean = f"mean AbsRel {error[scored].mean():.3f}" if scored.any() else "no valid pixel"
    caption = fill(f"“{batch.captions[0]}”", 34)
    # Outside the layout: a long caption must not take width from the maps.
    axes[7].text(0, 0.9, f"{caption}\n\n{mean}", va="top", fontsize=11).set_in_layout(False)
    for axis in axes:
        axis.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=70)
    plt.close(figure)
