"""What a command's arguments may be: every mistake in words, with the nearest valid name, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import product
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tr2m.cli.options.config import check_config
from tr2m.cli.options.groups import CONFIGS, choices, groups_of, is_group
from tr2m.cli.options.spelling import hint, in_quotes, line_of, parse, quote
from tr2m.cli.options.values import check_option, leaf_names
from tr2m.errors import UserError


def job_arguments(config_name: str, arguments: list[str]) -> list[list[str]]:
    """The checked arguments of each job of a command line with Hydra's flags: one job, or with -m one for each value.

    Every job is checked before the first one starts. Hydra's own -m is not used: it cannot sweep over a group that must
    be given (dataset=a,b) if another argument sets an option of that group. Raises UserError.
    """
    options, unknown = get_args_parser().parse_known_intermixed_args(arguments)
    if unknown:
        name = unknown[0].lstrip("-").partition("=")[0]
        raise UserError(f"{unknown[0]}: tr2m {config_name} takes key=value, write {name}=...")
    if options.config_name or options.config_path:
        raise UserError("--config-name, --config-path: a command has one config; --config-dir adds to its groups")
    if options.multirun and "TORCHELASTIC_RUN_ID" in os.environ:
        raise UserError("-m: a sweep's jobs run one after the other in one process; start torchrun once for each job")
    if options.multirun and any(argument.startswith(("hydra/launcher", "hydra/sweeper")) for argument in arguments):
        raise UserError("hydra/launcher, hydra/sweeper: a sweep's jobs run here; submit each to a cluster by itself")
    own = [] if options.config_dir is None else [Path(options.config_dir).absolute()]
    advice = None if options.multirun else "add -m to run one job for each"
    checked = check_overrides(config_name, options.overrides, own, advice)
    # First the flags: Hydra's parser refuses one between two others.
    flags = [a for a in arguments if a not in options.overrides and a not in ("-m", "--multirun")]
    return [flags + job for job in checked]


def check_overrides(
    config_name: str,
    arguments: list[str],
    own: Sequence[Path] = (),
    advice_on_several: str | None = "this command takes one",
) -> list[list[str]]:
    """The arguments of each job. Raises UserError for one that names no option or has the wrong type, with the nearest
    valid name.

    Args:
        own: folders of the user's with further files for the groups.
        advice_on_several: where an argument gives several values, of which each is for a job of its own; None: allowed.
    """
    for argument in arguments:
        if argument.startswith("-"):
            raise UserError(f"{argument}: this command takes key=value only")
    parsed = [parse(argument) for argument in arguments]
    for override in parsed:
        if override.is_sweep_override() and advice_on_several:
            key, _, value = line_of(override).partition("=")
            comma = f"a comma in a text needs two pairs of quotes: {in_quotes(key, value)}"
            raise UserError(f"{line_of(override)}: several values, {advice_on_several}; {comma}")
    found = list(jobs(parsed, (CONFIGS, *own)))
    for job in found:
        try:
            check_job(config_name, [o for o in job if not o.key_or_group.startswith("hydra")], (CONFIGS, *own))
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(str(error)) from error
    return [[line_of(override) for override in job] for job in found]


def jobs(overrides: Sequence[Override], folders: Sequence[Path]) -> Iterator[list[Override]]:
    """The overrides of each job of a sweep: the values of all in all combinations."""
    values = [list(sweep_values(o, folders)) if o.is_sweep_override() else [o] for o in overrides]
    return map(list, product(*values))


def sweep_values(override: Override, folders: Sequence[Path]) -> Iterator[Override]:
    """One override for each value of a sweep."""
    if not override.is_discrete_sweep():
        raise UserError(f"{line_of(override)}: an interval has no list of values; give them: a,b,c")
    value = override.value()
    names = choices(override.key_or_group, folders)
    values = value.filter(names) if isinstance(value, Glob) else override.sweep_string_iterator()
    for one in values:
        yield parse(f"{override.get_key_element()}={one}")


def check_job(config_name: str, overrides: list[Override], folders: Sequence[Path]) -> None:
    """`check_overrides` for the arguments of one job."""
    groups = [override for override in overrides if is_group(override.key_or_group, folders)]
    for override in groups:
        check_group(config_name, override, folders)
    check_required(config_name, overrides)
    config = composed(config_name, groups, folders)
    valid = [*leaf_names(OmegaConf.to_container(config, resolve=False)), *groups_of(config_name)]
    for override in overrides:
        if override not in groups:
            check_option(config, override, valid)
    check_config(composed(config_name, overrides, folders))


def check_required(config_name: str, overrides: Sequence[Override]) -> None:
    """Raise UserError for a group that must be given and is not. It may have been misspelt."""
    given = [override.key_or_group for override in overrides]
    for group, default in groups_of(config_name).items():
        if default == "???" and group not in given:
            if near := get_close_matches(group, given, n=1):
                raise UserError(f"there is no option {near[0]!r}; did you mean {group}?")
            raise UserError(f"not given: {group}=..., one of {', '.join(choices(group))}")


def composed(config_name: str, overrides: Sequence[Override], folders: Sequence[Path]) -> DictConfig:
    shipped, *own = folders
    search = ",".join(quote(f"file://{folder}") for folder in own)
    with initialize_config_dir(str(shipped), version_base="1.3"):
        return compose(config_name, [*(line_of(o) for o in overrides), f"hydra.searchpath=[{search}]"])


def check_group(config_name: str, override: Override, folders: Sequence[Path]) -> None:
    """Raise UserError unless the command has the group and the files exist that the override names."""
    group, chosen = override.key_or_group, override.value()
    known = [name for name in groups_of(config_name) if is_group(name, folders)]
    if override.package is None and group.partition("/")[0] not in known:
        raise UserError(f"{line_of(override)}: tr2m {config_name} has no group {group!r}{hint(group, known)}")
    names = choices(group, folders)
    if chosen is None:
        raise UserError(f"{line_of(override)}: leave it out, or give one of {', '.join(names)}")
    for name in chosen if isinstance(chosen, list) else [chosen]:
        if isinstance(name, str) and name not in names:
            raise UserError(f"{group}={name}: there is no configs/{group}/{name}.yaml{hint(name, names)}")
