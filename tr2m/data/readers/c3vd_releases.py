"""Where the files of a C3VD video lie, in the first release or in the second."""

from __future__ import annotations

import re
from pathlib import Path

from tr2m.data.readers.listing import numbered_files
from tr2m.errors import UserError

SECOND_RELEASE = {"cecum": "cecum", "desc": "descending", "sigmoid": "sigmoid", "trans": "transverse"}
"""What the second release calls the parts of the colon; it also counts videos, v1 for a."""
_VIDEO = re.compile(r"(cecum|desc|sigmoid|trans)_(t\d)_([abc])")
_DEPTH = r"(\d+)_depth\.tiff"
_HALVES = ("_p1", "_p2")
"""Of desc_t4_a, in the undistorted copy that PPSNet published: frames 0-73 and 74-147."""


def find_frames(root: Path, video: str) -> dict[int, tuple[Path, Path]]:
    """Image and depth file of every frame of a video, by number: names are padded with zeros in some copies only.

    Raises UserError if the video lies there twice.
    """
    names = [video, f"{video}_under_review"]
    if match := _VIDEO.fullmatch(video):
        part, texture, letter = match.groups()
        names.append(f"c0_{SECOND_RELEASE[part]}_{texture}_v{'abc'.index(letter) + 1}")
    folders = [root / name for name in names if (root / name).is_dir()]
    halves = [path for half in _HALVES for path in sorted(root.glob(f"{video}{half}*")) if path.is_dir()]
    if len(folders) + bool(halves) > 1 or len(halves) > len(_HALVES):
        folders += halves
        raise UserError(f"C3VD: got {video} as {' and '.join(map(str, folders))}, expected one; move the other away.")
    frames = {}
    for folder in folders or halves:
        images = numbered_files(folder, r"(\d+)_color\.png") | numbered_files(folder / "rgb", r"(\d+)\.png")
        depths = numbered_files(folder, _DEPTH) | numbered_files(folder / "depth", _DEPTH)
        frames |= {number: (images[number], depths[number]) for number in images.keys() & depths.keys()}
    return frames
