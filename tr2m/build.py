"""From plain containers to objects and settings: what a YAML file or a checkpoint states, checked key by key.

A config names a class with `_target_` and gives its keyword arguments. Only the names below can be built, so that
neither a command line nor a checkpoint from a stranger can run code. Keys, types and limits (`tr2m.limits`) are checked
against the signature; an error names the key by its path in the config, its value and what is allowed.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from beartype import BeartypeConf
from beartype.door import is_bearable

from tr2m.errors import UserError
from tr2m.limits import Length, Limit, NonNegativeFloat, PositiveFloat, ShareBelowOne

T = TypeVar("T")
ALLOWED_PREFIX = "tr2m."
# An integer is a good float: YAML writes 1 where 1.0 is meant.
NUMERIC_TOWER = BeartypeConf(is_pep484_tower=True)
# Classes of others that may be built, and the limits of their arguments as far as they need some.
ALLOWED_TARGETS: dict[str, dict[str, Any]] = {
    "torch.nn.Linear": {},
    "torch.nn.Identity": {},
    "torch.optim.AdamW": {
        "lr": PositiveFloat,
        "betas": Sequence[ShareBelowOne],
        "eps": PositiveFloat,
        "weight_decay": NonNegativeFloat,
        "fused": bool,
    },
}


def build(config: Any, path: str = "", /, **extra: Any) -> Any:
    """Build `config` recursively: mappings with `_target_` become objects, other values stay as they are.

    Args:
        config: plain containers (dict, list, numbers, strings, None).
        path: where it stands in the whole config, for messages: "optim.optimizer".
        extra: further keyword arguments of the outermost object. They replace the config's, which are not built then.

    Raises:
        UserError: a target outside the allow-list, an unknown or missing key, a value of the wrong type or beyond its
            limit.
    """
    if isinstance(config, list):
        return [build(item, below(path, str(number))) for number, item in enumerate(config)]
    if not isinstance(config, Mapping):
        return config
    given = {key: value for key, value in config.items() if key != "_target_" and key not in extra}
    arguments = {key: build(value, below(path, str(key))) for key, value in given.items()} | extra
    if "_target_" not in config:
        return arguments
    target = locate(config["_target_"])
    name = config["_target_"]
    check_arguments(path or name, f"{path}." if path else f"{name}: ", target, arguments, ALLOWED_TARGETS.get(name))
    return target(**arguments)


def read_settings(kind: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """The settings dataclass `kind` from plain containers, with the settings dataclasses inside it.

    Raises:
        UserError: an unknown or missing key, a value of the wrong type or beyond its limit.
    """
    hints = get_type_hints(kind)
    prefix = f"{path}." if path else ""
    arguments = {key: nested(hints.get(key), value, f"{prefix}{key}") for key, value in values.items()}
    check_arguments(path or "the config", prefix, kind, arguments)
    return kind(**arguments)


def nested(hint: Any, value: Any, path: str) -> Any:
    """`value` as the settings dataclass that `hint` is, or is a dictionary of; other values stay as they are."""
    if not isinstance(value, Mapping):
        return value
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]
    if kinds := [option for option in options if isinstance(option, type) and is_dataclass(option)]:
        return read_settings(kinds[0], value, path)
    if get_origin(hint) is dict and is_dataclass(get_args(hint)[1]):
        return {key: nested(get_args(hint)[1], item, below(path, str(key))) for key, item in value.items()}
    return value


def below(path: str, key: str) -> str:
    """The path of `key` in the part of the config at `path`; none where that is not known."""
    return f"{path}.{key}" if path else ""


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


def check_arguments(
    name: str, prefix: str, target: type, arguments: Mapping[str, Any], limits: Mapping[str, Any] | None = None
) -> None:
    """Raise UserError unless `arguments` fit the signature of `target`: its names, its required ones, its types.

    Args:
        name, prefix: of `target` and of its arguments in messages.
        limits: types of the arguments, for a class whose own hints cannot be had.
    """
    parameters = inspect.signature(target).parameters
    hints = limits
    if hints is None:
        # A dataclass's constructor knows the names in one module only, its fields each those in their own.
        hints = get_type_hints(target if is_dataclass(target) else target.__init__, include_extras=True)
    for key, value in arguments.items():
        if key not in parameters:
            raise UserError(f"{name} has no argument {key!r}{nearest(key, parameters)}")
        if key in hints and not fits(value, hints[key]):
            right_type = get_origin(hints[key]) is Literal or is_bearable(value, hints[key], conf=NUMERIC_TOWER)
            kind = "" if right_type else f" is of type {type(value).__name__}"
            raise UserError(f"{prefix}{key} = {value!r}{kind}, expected {in_words(hints[key])}")
    required = [
        p for p in parameters.values() if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    missing = [p.name for p in required if p.name not in arguments]
    if missing:
        raise UserError(f"{name} needs {', '.join(missing)}, which the config does not give")


def fits(value: Any, hint: Any) -> bool:
    """Whether `value` is of the type `hint` and within the limits that stand in it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = [limit for limit in arguments[1:] if isinstance(limit, Limit | Length)]
        return fits(value, arguments[0]) and all(limit.allows(value) for limit in limits)
    if origin in (Union, UnionType):
        return any(fits(value, option) for option in arguments)
    if origin is Sequence and isinstance(value, list | tuple):
        return all(fits(item, arguments[0]) for item in value)
    if origin is dict and isinstance(value, dict):
        return all(fits(key, arguments[0]) and fits(item, arguments[1]) for key, item in value.items())
    return is_bearable(value, hint, conf=NUMERIC_TOWER)


def in_words(hint: Any) -> str:
    """A type and its limits for a message: "int, at least 1 or null"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return ", ".join(map(in_words, arguments))
    if origin in (Union, UnionType):
        return " or ".join(map(in_words, arguments))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is dict:
        return f"a dictionary of {in_words(arguments[0])} to {in_words(arguments[1])}"
    if origin is Sequence:
        return f"a list of {in_words(arguments[0])}"
    if hint is NoneType:
        return "null"
    return hint.__name__ if isinstance(hint, type) and origin is None else str(hint)


def nearest(word: str, choices: Any) -> str:
    """A hint for an error message: the choice that looks most like `word`, or all of them."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; it takes {', '.join(sorted(choices))}"
