"""python scripts/data.py prepare: from the official archives to the tree that the reader takes."""

from __future__ import annotations

import sys
from pathlib import Path

from tr2m.cli.hydra_app import settings_of


def main(arguments: list[str]) -> None:
    settings = settings_of("data_prepare", arguments)

    # After the cheap checks, so that a typing mistake is answered at once.
    from tr2m.build import build
    from tr2m.preparation.steps import Workplace, prepare

    root = Path(settings["dataset"]["reader"]["root"])
    place = Workplace(Path(settings["archives"]), root, build(settings["limits"]), settings["download"])
    outcome = prepare(build(settings["prepare"]["steps"]), place)
    for line in outcome.done:
        print(f"done     {line}")
    for line in outcome.problems:
        print(f"problem  {line}", file=sys.stderr)
    name = settings["dataset"]["reader"]["name"]
    print(f"{name}: below {root.absolute()}. Then: python scripts/data.py check dataset={name}")
    if outcome.problems:
        sys.exit(1)
