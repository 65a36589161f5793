"""Programs as a user starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from tempfile import TemporaryFile

import cv2
from tiny import ROOT

from tr2m.cli.main import main

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, on the code of this checkout."""
    command = [sys.executable, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def forked(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`tr2m` with these arguments in a fork of this process, which has imported already what takes a program long. For
    programs without processes of their own.
    """
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        # Its threads do not survive a fork, and it would wait for them.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        if (pid := os.fork()) == 0:
            signal.alarm(120)
            os._exit(exit_code(arguments, environment, out.fileno(), err.fileno()))
        cv2.setNumThreads(threads)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        printed = [file.seek(0) or file.read() for file in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *printed)


def exit_code(arguments: tuple[str, ...], environment: dict[str, str], out: int, err: int) -> int:
    """What Python would end with, for a process of its own that prints to the files `out` and `err`."""
    os.chdir(ROOT)
    os.environ.update(environment)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    try:
        main(arguments)
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def imported_modules(*arguments: str) -> set[str]:
    """Top-level modules that a run of `tr2m` imported."""
    code = (
        f"import sys; from tr2m.cli.main import main; main({list(arguments)!r}); print('\\n' + ' '.join(sys.modules))"
    )
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stdout.splitlines()[-1].split()}
