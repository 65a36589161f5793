"""JSON that every reader takes: no NaN, no Infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(content: Any, indent: int | None = 2, sort_keys: bool = False) -> str:
    """`content` as JSON, NaN and infinities as the words "nan", "inf" and "-inf": JSON has no numbers for them."""
    return json.dumps(json_safe(content), indent=indent, sort_keys=sort_keys, allow_nan=False)


def json_safe(value: Any) -> Any:
    """The same containers with NaN and infinity as words."""
    if isinstance(value, Mapping):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
