"""The groups of a command's config, configs/<group>/<choice>.yaml, and those that the user adds with --config-dir."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from omegaconf import OmegaConf

from tr2m.shipped import shipped

CONFIGS = shipped("configs")
# configs/paths/default.yaml finds the split lists with it.
OmegaConf.register_new_resolver("shipped", lambda name: str(shipped(name)), replace=True)


def groups_of(config_name: str) -> dict[str, str | None]:
    """Group -> its default choice (None: none, "???": must be given), in the order of the config's defaults list."""
    entries = yaml.safe_load((CONFIGS / f"{config_name}.yaml").read_text())["defaults"]
    return {key: default for entry in entries if isinstance(entry, dict) for key, default in entry.items()}


def choices(group: str, folders: Sequence[Path] = (CONFIGS,)) -> list[str]:
    """The names of the files of a group."""
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def is_group(name: str, folders: Sequence[Path] = (CONFIGS,)) -> bool:
    return any((folder / name).is_dir() for folder in folders)
