"""The command line of programs that take flags (--ckpt last.pt): argparse, with a word for who writes ckpt=last.pt."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from tr2m.errors import UserError


def flag_parser(command: str, description: str | None, examples: Sequence[str]) -> ArgumentParser:
    """A parser whose --help ends in examples."""
    epilog = "\n".join(["examples:", *(f"  {example}" for example in examples)])
    return ArgumentParser(
        prog=f"tr2m {command}",
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def parse_flags(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    """Parse `arguments`. Raises UserError for one written as key=value; argparse itself ends other mistakes."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        key, equals, value = argument.partition("=")
        flag = f"--{key.replace('_', '-')}"
        if equals and not before.startswith("-") and flag in parser.format_help():
            raise UserError(f"{argument}: {parser.prog} takes flags, write {flag} {value!r}")
    # Intermixed: positional arguments may stand among flags.
    return parser.parse_intermixed_args(arguments)


def given_path(text: str) -> Path:
    """The type of a flag that names a file or folder: an empty name is not the working directory."""
    if not text:
        raise ArgumentTypeError("empty, expected a path")
    return Path(text)
