"""A composed config before it is used: complete, with names that stay in their folders, and root= where it belongs."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tr2m.errors import UserError

# Each becomes a folder or a file below paths.outputs or paths.captions.
NAMES = ("name", "run_id")
# Options that replace a reader's captions: the class that provides them, and its argument.
CAPTIONS = {
    "sentence": ("tr2m.data.captions.files.OneSentence", "sentence"),
    "caption_file": ("tr2m.data.captions.packed.PackedCaptions", "file"),
}


def plain(config: DictConfig) -> dict[str, Any]:
    """The config as plain containers, interpolations resolved, with what is for the only data set put into its reader.

    Raises UserError if there is no such data set.
    """
    if config.get("root") is not None:
        reader_with_root(config, "root").root = config.root
    given = [key for key in CAPTIONS if config.get(key) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: expected one of them, since both set the captions")
    for key in given:
        target, argument = CAPTIONS[key]
        captions = {"_target_": target, argument: config[key]}
        OmegaConf.update(reader_with_root(config, key), "captions", captions, merge=False, force_add=True)
    containers: Any = OmegaConf.to_container(config, resolve=True)
    return containers


def reader_with_root(config: DictConfig, option: str) -> DictConfig:
    """The reader that an option such as root= is for: the only one with a folder. Raises UserError otherwise."""
    entries = {"dataset": config.dataset} if "dataset" in config else {}
    for name, entry in config.get("data", {}).get("datasets", {}).items():
        entries[f"data.datasets.{name}"] = entry
    keys = [f"{key}.reader.root" for key, entry in entries.items() if "root" in entry.reader]
    if len(keys) != 1:
        several = f"give one of {', '.join(f'{key}=...' for key in keys)}" if keys else "no data set here has a folder"
        if option != "root" and keys:
            several = f"set the captions of {' or '.join(key.removesuffix('.root') for key in keys)}"
        line = f"{option}={config[option]}"
        raise UserError(f"{line} is for one data set, with data=folder or dataset=<name>: {several}")
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
