"""A composed config before it is used: complete, with names that stay in their folders, and root= where it belongs."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tr2m.errors import UserError

# Each becomes a folder or a file below paths.outputs or paths.captions.
NAMES = ("name", "run_id")


def plain(config: DictConfig) -> dict[str, Any]:
    """The config as plain containers, interpolations resolved. Raises UserError if root= fits no data set."""
    if config.get("root") is not None:
        reader_with_root(config).root = config.root
    return OmegaConf.to_container(config, resolve=True)


def reader_with_root(config: DictConfig) -> DictConfig:
    """The reader whose folder root= gives: the only one with a folder. Raises UserError unless there is one."""
    entries = {"dataset": config.dataset} if "dataset" in config else {}
    for name, entry in config.get("data", {}).get("datasets", {}).items():
        entries[f"data.datasets.{name}"] = entry
    keys = [f"{key}.reader.root" for key, entry in entries.items() if "root" in entry.reader]
    if len(keys) != 1:
        several = f"give one of {', '.join(f'{key}=...' for key in keys)}" if keys else "no data set here has a folder"
        raise UserError(f"root={config.root} is for one data set, with data=folder or dataset=<name>: {several}")
    return OmegaConf.select(config, keys[0].rpartition(".")[0])


def check_config(config: DictConfig) -> None:
    """Raise UserError for what is missing in a composed config, or leads out of its folder."""
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise UserError(f"not given: {', '.join(f'{key}=...' for key in missing)}")
    settings = plain(config)
    for key, folder in settings.get("paths", {}).items():
        if not folder:
            raise UserError(f"paths.{key} is empty: unset TR2M_{key.upper()}, or set it to a folder")
    check_names(settings)


def check_names(node: Any, prefix: str = "") -> None:
    """Raise UserError for a name that would be a folder outside the one it belongs in."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in NAMES and isinstance(value, str):
            path = PurePath(value)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise UserError(f"{prefix}{key}={value}: expected the name of a folder below another, without ..")
        check_names(value, f"{prefix}{key}.")
