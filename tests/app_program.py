"""`tr2m app` as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tiny import ROOT


@contextmanager
def running_app(checkpoint: Path) -> Iterator[str]:
    """The address of `tr2m app` with a checkpoint, on a port that nobody else has; ended with Ctrl-C."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-m", "tr2m", "app", "--ckpt", str(checkpoint), "--port", str(port), "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, preexec_fn=listen) as program:
        try:
            line = program.stdout.readline()
            yield re.search(r"tr2m app: (http://127\.0\.0\.1:\d+/)", line)[1]
        finally:
            program.send_signal(signal.SIGINT)
            try:
                program.wait(30)
            finally:
                program.kill()
