"""What the app takes from a visitor, and the sentences that refuse the rest. Nothing is decoded here."""

from __future__ import annotations

from pathlib import Path

from tr2m.data.decoding.photo import open_photo
from tr2m.errors import UserError

MAX_FILE_MB = 20
MAX_MEGAPIXELS = 32
MAX_SENTENCES = 8
MAX_LETTERS = 500
"""Of a sentence; the text encoder reads 77 tokens, some 300 letters."""
MAX_WAITING = 16
"""Visitors whose picture waits while another one's is predicted."""


def sentences_of(text: str | None) -> list[str]:
    """The sentences of a text that has one a line, each once.

    Raises UserError if there is none, or they are more, or longer, than the app takes.
    """
    sentences = list(dict.fromkeys(line.strip() for line in (text or "").splitlines() if line.strip()))
    if not sentences:
        raise UserError("No sentence: TR2M needs one about the picture, such as “a narrow kitchen”.")
    if len(sentences) > MAX_SENTENCES:
        raise UserError(f"{len(sentences)} sentences: expected at most {MAX_SENTENCES}, one a line.")
    if (longest := max(map(len, sentences))) > MAX_LETTERS:
        raise UserError(f"A sentence of {longest} letters: expected at most {MAX_LETTERS}.")
    return sentences


def checked_picture(path: str | None) -> Path:
    """The path of a picture whose header has been looked at.

    Raises UserError if there is none, it is no picture, or it is larger than the app takes.
    """
    if path is None:
        raise UserError("No picture: choose one, or drop one on the field.")
    picture = Path(path)
    if (megabytes := picture.stat().st_size / 1e6) > MAX_FILE_MB:
        raise UserError(f"{picture.name} has {megabytes:.0f} MB: expected at most {MAX_FILE_MB} MB.")
    try:
        with open_photo(picture) as image:
            width, height = image.size
    except UserError as error:
        # Without the folder that the visitor's file was uploaded to.
        raise UserError(str(error).replace(str(picture), picture.name)) from error
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise UserError(
            f"{picture.name} has {height}x{width} pixels (height x width), {width * height / 1e6:.0f} megapixels: "
            f"expected at most {MAX_MEGAPIXELS}. Make it smaller."
        )
    return picture
