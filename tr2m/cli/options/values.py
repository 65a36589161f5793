"""One key=value against the config that it changes: the option exists, and its value is of the option's kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from tr2m.cli.options.spelling import hint, in_quotes, line_of
from tr2m.errors import UserError

# Options whose value is a text, though the config's default is null: files, folders, sentences; and names of folders.
FILES = ("ckpt", "resume", "init_from", "out", "root", "folder", "file", "caption_file", "sentence")
NAMES = ("name", "run_id", "label")
KINDS = {bool: (bool,), int: (int,), float: (int, float), str: (str, int, float), DictConfig: (dict,)}


def check_option(config: DictConfig, override: Override, valid: Sequence[str]) -> None:
    """Raise UserError unless `config` has the option and its present value is of the same kind as the new one."""
    key, line = override.key_or_group, line_of(override)
    exists = key in leaf_names(OmegaConf.to_container(config, resolve=False))
    if override.is_add() and exists:
        raise UserError(f"{line}: the option exists, leave out the +")
    adds = override.is_add() or override.is_force_add()
    if not exists and not (adds and is_open(config, key)):
        raise UserError(f"there is no option {key!r}{hint(key, list(valid))}")
    if override.is_delete():
        if not is_open(config, key):
            optional = "only a data set, a peer or a class's argument can be left out"
            raise UserError(f"{line}: the command needs {key}; {optional}")
        return
    if line.endswith("="):
        raise UserError(f"{line}: the value is empty; give one, or leave the argument out")
    check_value(key, line, OmegaConf.select(config, key, throw_on_missing=False), override.value())


def check_value(key: str, line: str, old: Any, new: Any) -> None:
    """Raise UserError unless `new` is of the kind of `old`, or a text where one is needed."""
    last, text = key.rpartition(".")[2], line.partition("=")[2].strip()
    is_text = last in (*FILES, *NAMES) and (old is None or isinstance(old, str))
    if is_text and new is not None and not isinstance(new, str):
        if last in FILES or str(new) != text:
            raise UserError(f"{line}: read as {type(new).__name__} {new}, expected a text: {in_quotes(key, text)}")
        return
    expected = KINDS.get(type(old))
    if new is None and expected and "." not in key:
        raise UserError(f"{line}: got nothing, expected {kind_of(old)}")
    wrong_bool = isinstance(new, bool) and type(old) is not bool
    if expected and new is not None and (not isinstance(new, expected) or wrong_bool):
        raise UserError(f"{line}: {new!r} is {type(new).__name__}, expected {kind_of(old)}")


def kind_of(value: Any) -> str:
    """What an option takes, by the value it has: a number or a text as an example, of a group its keys."""
    if isinstance(value, DictConfig):
        return f"a mapping such as {{{', '.join(f'{key}: ...' for key in value)}}}"
    return f"{type(value).__name__} like {value}"


def is_open(config: DictConfig, key: str) -> bool:
    """Whether options may come and go beside `key`: data sets, a benchmark's peers, and arguments of classes, which
    `build` checks.
    """
    parent = key.rpartition(".")[0]
    if parent in ("data.datasets", "peers"):
        return True
    while parent:
        node = OmegaConf.select(config, parent)
        if isinstance(node, DictConfig) and "_target_" in node:
            return True
        parent = parent.rpartition(".")[0]
    return False


def leaf_names(node: Any, prefix: str = "") -> list[str]:
    """Dotted names of all options and of the groups that hold them."""
    if not isinstance(node, dict):
        return []
    names = [f"{prefix}{key}" for key in node]
    return names + [name for key, value in node.items() for name in leaf_names(value, f"{prefix}{key}.")]
