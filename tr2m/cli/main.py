"""`tr2m <command>`: finds the command's module, runs it, and ends it with one message where the user made a mistake."""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

from tr2m import __version__
from tr2m.errors import UserError
from tr2m.json_text import json_text

# Each is a module of this folder with main(arguments); no module is imported for the list.
COMMANDS = {
    "train": "train TR2M, or a model that it is compared with",
    "eval": "score a checkpoint or a baseline on a data set",
    "predict": "metric depth of a photo, or of a folder of photos, and a sentence",
    "app": "the same in the browser, on this machine",
    "data": "prepare, check and show data sets",
    "captions": "describe every frame of a data set, in one file",
    "runs": "list training runs, or compare two",
    "tables": "the paper's tables, its numbers beside this project's",
    "figures": "the paper's figures, from checkpoints",
    "benchmark": "measure speed and memory",
    "card": "measure all that one device can show, in one report",
    "export": "publish the weights of a checkpoint as safetensors",
    "cache": "precompute what the frozen encoders output, for training",
    "summary": "parameters by component, without weights",
    "demo": "train and score a tiny model on the embedded synthetic world",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. `arguments` are the command's name and its own arguments; None: those of this process."""
    print_any_text()
    with user_errors():
        run(list(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> None:
    """`main`, which raises UserError."""
    command, *rest = arguments or ["--help"]
    if command in ("--help", "-h"):
        print(help_text())
    elif command == "--version":
        print(f"tr2m {__version__}")
    elif command in COMMANDS:
        import_module(f"tr2m.cli.{command}").main(rest)
    else:
        close = get_close_matches(command, COMMANDS, n=1)
        advice = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(COMMANDS)}"
        raise UserError(f"tr2m has no command {command!r}; {advice}")


def help_text() -> str:
    """What `tr2m --help` prints: a line for each command."""
    lines = [f"  {name:<10} {purpose}" for name, purpose in COMMANDS.items()]
    intro = "Metric depth from one picture and one sentence.\n\nusage: tr2m <command> [arguments]"
    return "\n".join([intro, "", *lines, "", "`tr2m <command> --help` explains a command and gives examples."])


def print_any_text() -> None:
    """Let no name of a file and no character of a histogram end a program, whatever the terminal can show."""
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, TextIOWrapper):
            continue
        if codecs.lookup(stream.encoding).name == "ascii":
            # The locale is C: nothing is known of the terminal, which most likely takes the bytes of file names.
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        else:
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def user_errors() -> Iterator[None]:
    """A UserError ends the program with its message, exit code 2 and no traceback; Ctrl-C with exit code 130."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads the output (head, less) has seen enough; nothing may be written at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except UserError as error:
        # An error out of a data-loading worker carries that worker's traceback, before its own message.
        message = f"error: {str(error).rpartition('tr2m.errors.UserError: ')[-1].strip()}"
        print(message, file=sys.stderr)
        tell_torchrun(message)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def tell_torchrun(message: str) -> None:
    """Have torchrun end its own report, which follows ours, with the message of the first process that failed.

    The file is the one that torch.distributed.elastic.multiprocessing.errors.record writes, without importing torch.
    """
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        timestamp = {"timestamp": str(int(time.time()))}
        Path(file).write_text(json_text({"message": {"message": message, "extraInfo": timestamp}}))
