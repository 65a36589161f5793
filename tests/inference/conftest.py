from pathlib import Path

import pytest
from small_run import make_trainer
from world import Flat


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one step of the smallest model."""
    folder = tmp_path_factory.mktemp("run")
    make_trainer(folder, sets=[Flat([2.0, 5.0], [48, 48])], max_steps=1).fit()
    return folder / "checkpoints/last.pt"
