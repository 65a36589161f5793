"""Where the sentences about a frame come from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from tr2m.errors import UserError


@runtime_checkable
class CaptionSource(Protocol):
    """Gives the captions of a frame; evaluation takes the first, training draws one."""

    description: str
    """For result files: which captions these are."""

    def lines(self, split: str, sample_id: str) -> list[str]:
        """At least one non-empty sentence about the frame."""
        ...


class CaptionFiles:
    """One text file per frame, `<root>/<split>/<sample_id>.txt`, one sentence per line: the layout of RSA's captions.

    Args:
        root: the folder of one data set's captions.
        lines_per_file: how many sentences every file has. RSA: 15, five of each of three captioners.
    """

    description = "rsa-layout text files, line 1"

    def __init__(self, root: str | Path, lines_per_file: int = 15) -> None:
        self.root = Path(root)
        self.lines_per_file = lines_per_file
        if not self.root.is_dir():
            raise UserError(f"no folder of captions {self.root.absolute()}. {_ADVICE}")

    def lines(self, split: str, sample_id: str) -> list[str]:
        """The sentences, stripped. Raises UserError if the file is missing or has not `lines_per_file` of them."""
        path = self.root / split / f"{sample_id}.txt"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(f"no caption file {path.absolute()}. {_ADVICE}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: expected a UTF-8 text file, got: {error}.") from error
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        if len(lines) != self.lines_per_file:
            raise UserError(
                f"{path}: got {len(lines)} non-empty lines, expected {self.lines_per_file}. Copy the file again, "
                "or set `lines_per_file` to what your captions have."
            )
        return lines


_ADVICE = (
    "Set TR2M_CAPTIONS to the folder that holds the captions of your data sets, or the captions' own `root`; "
    "docs/datasets.md says where to get them and how they are laid out."
)
