"""What is predicted already. Predictions of different checkpoints, sentences or settings are never mixed in silence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tr2m.errors import UserError
from tr2m.evaluation.saved_predictions import PREDICTED_FACTS
from tr2m.inference.photos import Photo
from tr2m.inference.run import PredictSettings
from tr2m.json_text import json_text

# They may differ: where files lie, and what is read off the prediction itself.
IGNORED = ("image", "checkpoint", "saved")


def unfinished(photos: Sequence[Photo], settings: PredictSettings) -> list[Photo]:
    """The photos without a prediction that has all kinds of files that are asked for. A photo that was changed after
    its prediction has none.

    Raises:
        UserError: there is a prediction by other settings, or one that cannot be read.
    """
    missing, different = [], []
    for photo in photos:
        file = settings.out / photo.name / PREDICTED_FACTS
        if not file.is_file():
            missing.append(photo)
            continue
        stored = read_facts(file)
        if changed := differences(stored, settings.facts(photo)):
            different.append(f"{file.parent}: {changed}")
        elif not set(settings.kinds) <= set(stored["saved"]) or photo.path.stat().st_mtime > file.stat().st_mtime:
            missing.append(photo)
    if different:
        more = f"\n       and {len(different) - 5} more" if len(different) > 5 else ""
        raise UserError(
            f"--resume adds to predictions of the same command, and {len(different)} in {settings.out} are of another "
            "one. Give another --out, or leave out --resume to replace them.\n       "
            + "\n       ".join(different[:5])
            + more
        )
    return missing


def read_facts(file: Path) -> dict[str, Any]:
    """The content of a prediction.json. Raises UserError if it is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file}: cannot be read as JSON ({error}). Remove its folder, and run the command again"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("saved"), list):
        raise UserError(f"{file}: written by an earlier version. Give another --out, or leave out --resume")
    return content


def differences(stored: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """In words, in what a stored prediction.json differs from `facts`; nothing if it does not."""
    wanted = json.loads(json_text(facts))
    changed = [name for name in wanted if name not in IGNORED and stored.get(name) != wanted[name]]
    values = {name: [json_text(facts.get(name), None) for facts in (stored, wanted)] for name in changed}
    return "; ".join(f"{name} was {before}, is {now}" for name, (before, now) in values.items())
