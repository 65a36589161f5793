"""Data sets, from archives to captions: python scripts/data.py <command> dataset=<name> [key=value ...]

prepare    from the official archives to the tree that the reader takes     archives=<folder> [download=true]
check      every problem of a data set, in words                            dataset=<name> or all [full=true]
show       a picture of a few frames: image, depth, region, caption         [n=8] [split=train]
captions   one file with the captions of all frames                         source=rsa|llava_vicuna|llava_mistral|...

docs/preparing.md explains them; the options of a command stand in configs/data_<command>.yaml.
"""

from __future__ import annotations

import importlib
import sys

from tr2m.cli.hydra_app import with_plain_errors
from tr2m.errors import UserError

COMMANDS = ("prepare", "check", "show", "captions")


def main() -> None:
    with_plain_errors(run)


def run() -> None:
    command, arguments = sys.argv[1:2], sys.argv[2:]
    if command in ([], ["--help"], ["-h"]) or "--help" in arguments:
        print(__doc__)
    elif command[0] in COMMANDS:
        importlib.import_module(f"tr2m.cli.data_{command[0]}").main(arguments)
    else:
        raise UserError(f"data.py {command[0]}: expected one of {', '.join(COMMANDS)} first, then key=value")
