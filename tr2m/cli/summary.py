"""Parameters by component.

usage: tr2m summary [key=value ...]

    tr2m summary model=tr2m
    tr2m summary model=rsa contrast=none

Needs no weights and no memory for them. The last line is JSON.
"""

from __future__ import annotations

from typing import Any

from tr2m.cli.options.app import hydra_app
from tr2m.json_text import json_text

FROZEN = ("image_encoder", "text_encoder", "relative_depth")


@hydra_app("summary")
def main(config: dict[str, Any]) -> None:
    # Imported here, so that --help and a misspelt option answer without waiting for torch; so in every command.
    from tr2m.build import read_settings
    from tr2m.experiment.parameters import count_parameters
    from tr2m.experiment.settings import SummarySettings

    settings = read_settings(SummarySettings, config)
    counts = count_parameters(settings.model, settings.contrast)
    for name, count in counts.items():
        state = "frozen" if name in FROZEN else "trained"
        print(f"{name:<16} {count:>13,}  {state}")
    print(json_text(counts, indent=None))
