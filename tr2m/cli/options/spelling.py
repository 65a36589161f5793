"""What a user may have meant: the nearest valid name, or the quoted form of what Hydra's grammar cannot read."""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from tr2m.errors import UserError


def parse(argument: str) -> Override:
    """An argument as Hydra reads it. Raises UserError, with the form that works, for one that it cannot read."""
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException as error:
        raise UserError(f"{argument}: {readable(argument, str(error).splitlines()[0])}") from error
    if not override.key_or_group:
        raise UserError(f"{argument}: {readable(argument, '')}")
    return override


def line_of(override: Override) -> str:
    """The argument as the user wrote it."""
    return override.input_line or ""


def readable(argument: str, reason: str) -> str:
    """How to write an argument that Hydra refuses because of `reason`."""
    key, equals, value = argument.partition("=")
    if not equals or not key:
        return "expected key=value, without spaces around ="
    if value.startswith("~"):
        return f'the shell replaces ~ only at the start of a word; write "{key}=$HOME{value[1:]}"'
    meant = in_quotes(key, value)
    try:
        OverridesParser.create().parse_override(f"{key}={quote(value)}")
    except HydraException:
        return f"{reason}; expected key=value"
    lists = "; lists are [a,b], mappings {a: b}" if value[:1] in "[{" else ""
    return f"{reason}{lists}. A text with such characters needs two pairs of quotes: {meant}"


def in_quotes(key: str, value: str) -> str:
    """What to type in a shell so that `key` gets exactly the text `value`."""
    argument = f"{key}={quote(value)}"
    return shlex.quote(argument) if set(argument) & set('"$`\\!') else f'"{argument}"'


def quote(value: str) -> str:
    """`value` as a string of Hydra's grammar: a backslash escapes a quote, and itself only before one."""
    escaped = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"'{escaped}'"


def hint(word: str, choices: list[str]) -> str:
    """Valid names that look like `word`: by its last part, or by the whole name."""
    choices = [choice for choice in choices if not word.startswith(f"{choice}.")]
    last = {choice.rsplit(".", 1)[-1]: choice for choice in reversed(choices)}
    close = [last[match] for match in get_close_matches(word.rsplit(".", 1)[-1], last, n=1, cutoff=0.75)]
    close += get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(dict.fromkeys(close))}?"
    return f"; there are {', '.join(sorted(choices))}" if len(choices) <= 40 else "; --help lists them"
