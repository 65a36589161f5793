"""An image and its depth have one size: what to do where they have not."""

from __future__ import annotations

from pathlib import Path

from tr2m.errors import UserError

# Of their aspects; ScanNet's images (968x1296) and depth (480x640) differ by 0.4 %.
_SAME_VIEW = 0.02


def require_same_size(
    image_size: tuple[int, int], depth_size: tuple[int, int], image_path: Path, depth_path: Path
) -> None:
    """Raise UserError, with what to do, if the sizes (height, width) of an image and its depth differ."""
    if image_size == depth_size:
        return
    height, width = depth_size
    image_height, image_width = image_size
    difference = image_width * height - image_height * width
    if image_size == (width, height):
        advice = "One of the two is turned by a quarter: turn it back, so that both show the same."
    elif abs(difference) < _SAME_VIEW * image_height * width:
        advice = (
            f"If these are published files, unpack both again, from one release. If they are your own, resize the "
            f"image to {height}x{width} by averaging over areas, or the depth to {image_height}x{image_width} by "
            "nearest neighbour: anything else invents depth between near and far."
        )
    else:
        advice = "Their aspects differ, so they do not show the same view: one is cropped, or of another frame."
    raise UserError(
        f"{depth_path}: got depth of {height}x{width} (height x width), expected {image_height}x{image_width}, the "
        f"size of its image {image_path}. {advice}"
    )
