"""Hydra's command line: from configs/<name>.yaml and the user's arguments to plain settings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tr2m.cli.main import user_errors
from tr2m.cli.options.check import CONFIGS, check_overrides
from tr2m.cli.options.help import print_help
from tr2m.errors import UserError
from tr2m.shipped import shipped

# configs/paths/default.yaml finds the split lists with it.
OmegaConf.register_new_resolver("shipped", lambda name: str(shipped(name)), replace=True)
# Hydra's own logging and folders: a run of ours has a folder with its log, whose place the config states.
QUIET = ("hydra/job_logging=none", "hydra/hydra_logging=none", "hydra.output_subdir=null", "hydra.run.dir=.")
HYDRA_FLAGS = {"--hydra-help", "--version", "--info", "-i", "--shell-completion", "-sc"}


def hydra_app(config_name: str) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[list[str]], None]]:
    """Decorates `main(settings)`: the result takes the command's arguments, checks them, composes
    configs/<config_name>.yaml and runs, once or as a sweep.
    """

    def decorate(main: Callable[[dict[str, Any]], None]) -> Callable[[list[str]], None]:
        @hydra.main(config_path=str(CONFIGS), config_name=config_name, version_base="1.3")
        def job(config: DictConfig) -> None:
            logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
            # Here, not around Hydra, which would print a traceback of its own.
            with user_errors():
                main(plain(config))

        @wraps(main)
        def run(arguments: list[str]) -> None:
            if print_help(config_name, sys.modules[main.__module__].__doc__, arguments):
                return
            if not HYDRA_FLAGS & set(arguments):
                check_overrides(config_name, arguments)
            # Hydra reads the command line itself.
            sys.argv = [f"tr2m {config_name}", *QUIET, *arguments]
            job()

        return run

    return decorate


def settings_of(config_name: str, arguments: list[str]) -> dict[str, Any]:
    """configs/<config_name>.yaml with a command's arguments, checked: for commands that are not one Hydra job."""
    check_overrides(config_name, arguments)
    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            return plain(compose(config_name, arguments))
    except OmegaConfBaseException as error:
        raise UserError(str(error)) from error


def plain(config: DictConfig) -> dict[str, Any]:
    """The config as plain containers, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True)


def job_overrides() -> list[str]:
    """The arguments of the job that runs: in a sweep its own values, not the lists of all."""
    return list(HydraConfig.get().overrides.task)


def chosen(group: str) -> str:
    """The file of configs/<group> that the job uses."""
    return HydraConfig.get().runtime.choices[group]
