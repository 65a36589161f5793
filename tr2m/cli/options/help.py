"""What `tr2m <command> --help` prints: usage and examples, groups and their choices, options and what they mean."""

from __future__ import annotations

import re
from textwrap import fill, indent

from tr2m.cli.options.groups import CONFIGS, choices, groups_of


def print_help(config_name: str, description: str | None, arguments: list[str]) -> bool:
    """Print the help of configs/<config_name>.yaml if `arguments` ask for it; whether they did."""
    if not {"--help", "-h"} & set(arguments):
        return False
    print(help_text(config_name, description))
    return True


def help_text(config_name: str, description: str | None) -> str:
    """Usage from a module's docstring, the rest from the config itself, so that it is always true."""
    text = (CONFIGS / f"{config_name}.yaml").read_text()
    groups = [line for group, default in groups_of(config_name).items() for line in group_lines(group, default)]
    # The file below its list of defaults, which the groups above show.
    options = re.sub(r"\A(?:#.*\n)*defaults:\n(?: +.*\n)+", "", text).strip()
    return "\n\n".join(
        [
            (description or "").strip(),
            "Groups (group=choice; * is the default):\n" + "\n".join(groups),
            "Options (key=value; null is none, ??? must be given):\n" + indent(options, "  "),
            "Every value in a group's file is an option, too: --cfg job prints them all.",
        ]
    )


def group_lines(group: str, default: str | None) -> list[str]:
    """A line for a group, and one for each group below it."""
    names = [f"*{name}" if name == default else name for name in choices(group)]
    required = " (must be given)" if default == "???" else ""
    line = f"{group}: {', '.join(names)}{required}"
    lines = [fill(line, 110, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)]
    for folder in sorted(path for path in (CONFIGS / group).iterdir() if path.is_dir()):
        lines += group_lines(f"{group}/{folder.name}", None)
    return lines
