"""Names of files, and sentences from the command line, where the locale may not be able to spell them."""

from __future__ import annotations

import os


def on_disk(name: str) -> str:
    """The name as the functions of the operating system take it: the same, but where the locale is C and Python's UTF-8
    mode is off, the bytes beyond ASCII as `os.listdir` gives them there. Raises UnicodeEncodeError for what is no text.
    """
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def in_text(name: str) -> str:
    """`on_disk` undone, for formats that hold UTF-8 alone; bytes that are none become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
