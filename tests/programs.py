"""Programs as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tiny import ROOT

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, on the code of this checkout."""
    command = [sys.executable, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def imported_modules(*arguments: str) -> set[str]:
    """Top-level modules that a run of `tr2m` imported."""
    code = (
        f"import sys; from tr2m.cli.main import main; main({list(arguments)!r}); print('\\n' + ' '.join(sys.modules))"
    )
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stdout.splitlines()[-1].split()}
