"""What a user gives to `predict`, as the network takes it. What could mean two things is refused in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

from tr2m.data.decoding.photo import read_photo
from tr2m.data.file_names import in_text
from tr2m.errors import UserError
from tr2m.models.frozen.text_encoder import CONTEXT_LENGTH, count_tokens

logger = logging.getLogger(__name__)

# 8 bits a channel: the others (I;16, I, F) hold values whose range a picture does not state.
PIL_MODES = ("RGB", "RGBA", "L", "LA", "P", "PA", "CMYK", "YCbCr", "1")
EXPECTED = "expected a path, a PIL image, or a uint8 array (H, W, 3) of RGB or (H, W, 4) of RGBA, 0 to 255"


def rgb_of(image: Any) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB image that a path, a PIL image or an array stands for; alpha is dropped, a photo is turned upright where
    its EXIF data say so. Raises UserError for anything else: what is grey, a depth map, or in [0, 1] cannot be decided.
    """
    if isinstance(image, str | Path):
        return read_photo(Path(image))
    if isinstance(image, Image.Image):
        if image.mode not in PIL_MODES:
            raise UserError(
                f"got a PIL image of mode {image.mode}, expected one of {', '.join(PIL_MODES)}: 8 bits a channel. "
                "Depth and other measurements are no picture"
            )
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    if not isinstance(image, np.ndarray):
        raise UserError(f"got an image of type {type(image).__name__}; {EXPECTED}")
    advice = {"f": "; is it in [0, 1]? Then give (image * 255).round().astype(np.uint8)", "b": "; is it a mask?"}
    if image.dtype != np.uint8:
        raise UserError(f"got an image of {image.dtype}; {EXPECTED}{advice.get(image.dtype.kind, '')}")
    if image.ndim != 3 or image.shape[2] not in (3, 4) or 0 in image.shape:
        grey = "; a grey image: np.stack([image] * 3, axis=-1)" if image.ndim == 2 else ""
        raise UserError(f"got an image of shape {image.shape}; {EXPECTED}{grey}")
    return np.ascontiguousarray(image[..., :3])


def captions_of(captions: Any) -> list[str]:
    """One sentence or several, as a list. Raises UserError if there is none, or one is empty; one that is longer than
    the text encoder reads is named in a warning.
    """
    sentences = [captions] if isinstance(captions, str) else captions
    if not isinstance(sentences, list | tuple) or not all(isinstance(sentence, str) for sentence in sentences):
        raise UserError(f"got captions {captions!r}, expected a sentence or a list of sentences")
    if not sentences or not all(sentence.strip() for sentence in sentences):
        raise UserError(f"got captions {captions!r}: TR2M needs a sentence about the picture, and none may be empty")
    for sentence in sentences:
        warn_if_cut(sentence)
    return [in_text(sentence) for sentence in sentences]


@cache
def warn_if_cut(caption: str) -> None:
    """Log a warning, once for each caption, if it has more tokens than the text encoder reads."""
    if (tokens := count_tokens(caption)) > CONTEXT_LENGTH:
        text = "caption of %d tokens: the text encoder reads the first %d, the end is cut off: %r"
        logger.warning(text, tokens, CONTEXT_LENGTH, caption)


def describe_captions(captions: Sequence[str]) -> list[dict[str, Any]]:
    """For prediction.json: each caption, its tokens, and whether its end was cut off."""
    counts = [count_tokens(caption) for caption in captions]
    return [{"caption": c, "tokens": n, "cut": n > CONTEXT_LENGTH} for c, n in zip(captions, counts, strict=True)]


def relative_depth_of(values: Any, size: tuple[int, int], name: str = "relative depth") -> Float[np.ndarray, "H W"]:
    """A map of relative depth of the photo's `size`, in float32.

    Raises UserError, naming it by `name`, if it has another size, is no array of real numbers, or holds what inverse
    depth cannot be: NaN, an infinity, a negative number, zero everywhere.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise UserError(f"{name}: got {kind}, expected a NumPy array of real numbers (height, width)")
    if values.shape != size:
        raise UserError(
            f"{name}: got {values.shape}, expected {size}, the (height, width) of its photo turned upright. Resize the "
            "map to the photo"
        )
    with np.errstate(over="ignore"):
        converted = values.astype(np.float32)
    if not np.isfinite(converted).all() or converted.min() < 0 or converted.max() == 0:
        raise UserError(
            f"{name}: got values from {values.min():g} to {values.max():g}, expected inverse depth, larger is nearer: "
            "finite in float32, none below 0, some above"
        )
    return converted
