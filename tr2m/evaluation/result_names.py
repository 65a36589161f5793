"""What a result file is called. Without torch, since the plan of a table needs the names alone."""

from __future__ import annotations

OWN_CAPTIONS = "correct"
NOT_ALIGNED = "none"


def result_name(
    dataset: str, captions: str = OWN_CAPTIONS, alignment: str = NOT_ALIGNED, protocol: str | None = None
) -> str:
    """The name without suffix: what is unusual about a result is part of it, so that it never replaces a usual one.

    Args:
        captions, alignment: names of configs/captions and configs/alignment.
        protocol: None if it is the data set's first.
    """
    other_captions = captions if captions != OWN_CAPTIONS else None
    aligned = alignment if alignment != NOT_ALIGNED else None
    return "_".join([dataset, *filter(None, (protocol, other_captions, aligned))])
