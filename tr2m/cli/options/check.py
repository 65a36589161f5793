"""What a command's arguments may be: every mistake in words, with the nearest valid name, before anything runs."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tr2m.errors import UserError
from tr2m.shipped import shipped

CONFIGS = shipped("configs")


def check_overrides(config_name: str, arguments: list[str]) -> None:
    """Raise UserError for an override that names no option or has the wrong type, with the nearest valid name."""
    try:
        parsed = OverridesParser.create().parse_overrides([a for a in arguments if "=" in a and not a.startswith("-")])
        parsed = [override for override in parsed if not override.key_or_group.startswith("hydra")]
        groups = [override for override in parsed if (CONFIGS / override.key_or_group).is_dir()]
        for override in groups:
            check_group(override)
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = compose(
                config_name, [override.input_line for override in groups if not override.is_sweep_override()]
            )
        for override in parsed:
            if override not in groups and not override.is_add():
                check_value(config, override)
        values = [o.input_line for o in parsed if not o.is_sweep_override()]
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            missing = OmegaConf.missing_keys(compose(config_name, values))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(str(error)) from error
    if missing:
        raise UserError(f"not given: {', '.join(f'{key}=...' for key in sorted(missing))}")


def check_group(override: Override) -> None:
    """Raise UserError unless the files that a group override names exist."""
    group = override.key_or_group
    names = [path.stem for path in (CONFIGS / group).glob("*.yaml")]
    chosen = override.value()
    if chosen is None:
        raise UserError(f"{override.input_line}: leave it out, or give one of {', '.join(sorted(names))}")
    if isinstance(chosen, str) and chosen not in names:
        raise UserError(f"{group}={chosen}: there is no configs/{group}/{chosen}.yaml{hint(chosen, names)}")


def check_value(config: DictConfig, override: Override) -> None:
    """Raise UserError unless `config` has the key and its value is of the same kind as the new one."""
    key = override.key_or_group
    names = leaf_names(OmegaConf.to_container(config, resolve=False))
    if key not in names:
        raise UserError(f"there is no option {key!r}{hint(key, names)}")
    if override.is_delete() or override.is_sweep_override():
        return
    old, new = OmegaConf.select(config, key, throw_on_missing=False), override.value()
    kinds = {bool: (bool,), int: (int,), float: (int, float), str: (str, int, float), DictConfig: (dict,)}
    expected = kinds.get(type(old))
    wrong_bool = isinstance(new, bool) and type(old) is not bool
    if expected and new is not None and (not isinstance(new, expected) or wrong_bool):
        raise UserError(
            f"{override.input_line}: {new!r} is {type(new).__name__}, expected {type(old).__name__} like {old}"
        )


def leaf_names(node: Any, prefix: str = "") -> list[str]:
    """Dotted names of all options and of the groups that hold them."""
    if not isinstance(node, dict):
        return []
    names = [f"{prefix}{key}" for key in node]
    return names + [name for key, value in node.items() for name in leaf_names(value, f"{prefix}{key}.")]


def hint(word: str, choices: list[str]) -> str:
    """Valid names that look like `word`: by its last part, or by the whole name."""
    last = {choice.rsplit(".", 1)[-1]: choice for choice in reversed(choices)}
    close = [last[match] for match in get_close_matches(word.rsplit(".", 1)[-1], last, n=1, cutoff=0.75)]
    close += get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(dict.fromkeys(close))}?"
    return f"; there are {', '.join(sorted(choices))}" if len(choices) <= 40 else ""
