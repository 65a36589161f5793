"""Set before anything is imported: no progress bars in the output, no network. The longest test comes first. And a
checkpoint for all who need just one.
"""

import os
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one step of the smallest model."""
    # Imported here, since most tests need no torch.
    from small_run import make_trainer
    from world import Flat

    folder = tmp_path_factory.mktemp("run")
    make_trainer(folder, sets=[Flat([2.0, 5.0], [48, 48])], max_steps=1).fit()
    return folder / "checkpoints/last.pt"
