"""Hydra's command line: from configs/<name>.yaml and the user's arguments to plain settings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from tr2m.cli.main import user_errors
from tr2m.cli.options.check import check_overrides, job_arguments
from tr2m.cli.options.config import plain
from tr2m.cli.options.groups import CONFIGS
from tr2m.cli.options.help import print_help

# Hydra's own logging and folders: a run of ours has a folder with its log, whose place the config states.
OWN_FOLDERS = (
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
    "hydra.output_subdir=null",
    "hydra.run.dir=.",
)
HYDRA_FLAGS = {"--hydra-help", "--version", "--info", "-i", "--shell-completion", "-sc"}


def hydra_app(config_name: str) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[list[str]], None]]:
    """Decorates `main(settings)`: the result takes the command's arguments, checks them, composes
    configs/<config_name>.yaml and runs, once or as a sweep.
    """

    def decorate(main: Callable[[dict[str, Any]], None]) -> Callable[[list[str]], None]:
        @hydra.main(config_path=str(CONFIGS), config_name=config_name, version_base="1.3")
        def composed(config: DictConfig) -> None:
            # Here, not around Hydra, which would print a traceback of its own.
            with user_errors():
                main(plain(config))

        def run(arguments: list[str]) -> None:
            if print_help(config_name, sys.modules[main.__module__].__doc__, arguments):
                return
            known = [arguments] if HYDRA_FLAGS & set(arguments) else job_arguments(config_name, arguments)
            logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
            for number, job in enumerate(known, start=1):
                if len(known) > 1:
                    logging.info("job %d of %d: %s", number, len(known), " ".join(job))
                # Hydra reads the command line itself.
                sys.argv = [f"tr2m {config_name}", *job, *OWN_FOLDERS]
                composed()

        return run

    return decorate


def settings_of(config_name: str, arguments: list[str]) -> dict[str, Any]:
    """configs/<config_name>.yaml with a command's arguments, checked: for commands that are not one Hydra job."""
    check_overrides(config_name, arguments)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return plain(compose(config_name, arguments))


def job_overrides() -> list[str]:
    """The arguments of the job that runs."""
    return list(HydraConfig.get().overrides.task)


def chosen(group: str) -> str:
    """The file of configs/<group> that the job uses."""
    return HydraConfig.get().runtime.choices[group]
