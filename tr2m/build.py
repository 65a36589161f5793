"""From a plain dictionary to objects: what a YAML file or a checkpoint says, and nothing else.

A config names a class with `_target_` and gives its keyword arguments. Only the names below can be built, so that
neither a command line nor a checkpoint from a stranger can run code; keys and types are checked against the signature.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, get_type_hints

from beartype import BeartypeConf
from beartype.door import is_bearable

from tr2m.errors import UserError

ALLOWED_PREFIX = "tr2m."
# An integer is a good float: YAML writes 1 where 1.0 is meant.
NUMERIC_TOWER = BeartypeConf(is_pep484_tower=True)
ALLOWED_TARGETS = {"torch.nn.Linear", "torch.nn.Identity", "torch.optim.AdamW"}


def build(config: Any, **extra: Any) -> Any:
    """Build `config` recursively: mappings with `_target_` become objects, other values stay as they are.

    Args:
        config: plain containers (dict, list, numbers, strings, None).
        extra: further keyword arguments of the outermost object (they win over the config's).

    Raises:
        UserError: a target outside the allow-list, an unknown or missing key, a value of the wrong type.
    """
    if isinstance(config, list):
        return [build(item) for item in config]
    if not isinstance(config, Mapping):
        return config
    arguments = {key: build(value) for key, value in config.items() if key != "_target_"} | extra
    if "_target_" not in config:
        return arguments
    target = locate(config["_target_"])
    check_arguments(config["_target_"], target, arguments)
    return target(**arguments)


def locate(name: str) -> type:
    """The class called `name`. Raises UserError if the project does not allow it or it does not exist."""
    if name not in ALLOWED_TARGETS and not name.startswith(ALLOWED_PREFIX):
        allowed = ", ".join(sorted(ALLOWED_TARGETS))
        raise UserError(f"_target_ {name!r} is not allowed: expected a class of {ALLOWED_PREFIX}* or one of {allowed}")
    module_name, _, attribute = name.rpartition(".")
    try:
        target = getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UserError(f"_target_ {name!r} does not exist ({error}); check its spelling") from error
    # What a module of ours merely imports (os, torch.load, ...) is not ours to build.
    if not inspect.isclass(target) or (name.startswith(ALLOWED_PREFIX) and target.__module__ != module_name):
        raise UserError(f"_target_ {name!r} is not a class defined in {module_name}")
    return target


def check_arguments(name: str, target: type, arguments: Mapping[str, Any]) -> None:
    """Raise UserError unless `arguments` fit the signature of `target`: its names, its required ones, its types."""
    parameters = inspect.signature(target).parameters
    # A dataclass's constructor knows the names in one module only, its fields each those in their own.
    typed = target if is_dataclass(target) else target.__init__
    hints = get_type_hints(typed) if target.__module__.startswith(ALLOWED_PREFIX) else {}
    for key, value in arguments.items():
        if key not in parameters:
            raise UserError(f"{name} has no argument {key!r}{nearest(key, parameters)}")
        if key in hints and not is_bearable(value, hints[key], conf=NUMERIC_TOWER):
            raise UserError(f"{name}: {key} = {value!r} is of type {type(value).__name__}, expected {hints[key]}")
    required = [
        p for p in parameters.values() if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    missing = [p.name for p in required if p.name not in arguments]
    if missing:
        raise UserError(f"{name} needs {', '.join(missing)}, which the config does not give")


def nearest(word: str, choices: Any) -> str:
    """A hint for an error message: the choice that looks most like `word`, or all of them."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; it takes {', '.join(sorted(choices))}"
