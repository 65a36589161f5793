"""Where the sentences about a frame come from."""

from __future__ import annotations

import re
import typing
from pathlib import Path

from tr2m.data.file_names import in_text, on_disk
from tr2m.errors import UserError

COLON_PARTS = {"cecum": "cecum", "desc": "descending colon", "sigmoid": "sigmoid colon", "trans": "transverse colon"}
TEXTURES = ("one", "two", "three", "four")
_ADVICE = (
    "Set TR2M_CAPTIONS to the folder that holds the captions of your data sets, or the captions' own `root`; "
    "docs/datasets.md says where to get them and how they are laid out."
)


@typing.runtime_checkable
class CaptionSource(typing.Protocol):
    """Gives the captions of a frame; evaluation takes the first, training draws one."""

    description: str
    """For result files: which captions these are."""

    def lines(self, split: str, sample_id: str) -> list[str]:
        """At least one non-empty sentence about the frame."""
        ...


def is_sentence(caption: object) -> bool:
    """Whether this is a caption: text of one line that is not blank. Files of captions keep one sentence per line."""
    return isinstance(caption, str) and bool(caption.strip()) and not {"\n", "\r"} & set(caption.strip())


class NoCaptions:
    """Stands in for captions where a data set is opened for its frames alone."""

    description = "none"

    def lines(self, split: str, sample_id: str) -> list[str]:
        return ["(no caption)"]


class OneSentence:
    """The same sentence about every frame: where all show one kind of place. Raises UserError if it is none."""

    def __init__(self, sentence: str) -> None:
        if not is_sentence(sentence):
            raise UserError(f"sentence={sentence!r}: expected a sentence of one line")
        self.sentence = in_text(sentence.strip())
        self.description = f'one sentence: "{self.sentence}"'

    def lines(self, split: str, sample_id: str) -> list[str]:
        return [self.sentence]


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
        path = self.root / split / on_disk(f"{sample_id}.txt")
        try:
            text = path.read_text(encoding="utf-8-sig")
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


class ColonCaptions:
    """One sentence per frame, made from the name of its video, as the paper describes colonoscopy (Appendix A.1).

    Args:
        sentence: may have "{part}" and "{texture}", which a video named like `desc_t4_a` fills in; without them it is
            the same for every frame.
        parts: what parts of the colon are called otherwise than in COLON_PARTS.
    """

    def __init__(self, sentence: str, parts: dict[str, str] | None = None) -> None:
        self.sentence = sentence
        self.parts = COLON_PARTS | (parts or {})
        self.description = f'one sentence: "{sentence}"'

    def lines(self, split: str, sample_id: str) -> list[str]:
        """The sentence. Raises UserError if the frame's video is not named like `desc_t4_a`."""
        if "{" not in self.sentence:
            return [self.sentence]
        match = re.match(r"([a-z]+)_t([1-4])_", sample_id)
        if match is None or match[1] not in COLON_PARTS:
            raise UserError(
                f"{sample_id}: expected a video named like desc_t4_a, with one of {', '.join(COLON_PARTS)}."
            )
        number = TEXTURES[int(match[2]) - 1]
        return [self.sentence.format(part=self.parts[match[1]], texture=number)]
