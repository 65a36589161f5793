import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset
from world import Flat

from tr2m.benchmark.timing import process_memory
from tr2m.data.mixing import collate

FRAMES, BATCH = 96, 8


class Repeated(Dataset):
    """One frame of 350x1204, again and again."""

    def __init__(self) -> None:
        self.dataset = Flat([2.0], [48])
        self.dataset.input_size = (350, 1204)
        self.sample = self.dataset.training_sample(0, np.random.default_rng(0))

    def __len__(self) -> int:
        return FRAMES

    def __getitem__(self, index: int):
        return self.dataset, self.sample


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory of a process is read where Linux states it")
def test_a_loading_process_does_not_grow():
    loader = DataLoader(Repeated(), BATCH, num_workers=1, collate_fn=collate)
    memory = []
    for _ in loader:
        (worker,) = multiprocessing.active_children()
        memory.append(process_memory("RssAnon", str(worker.pid)))
    one_batch = BATCH * 350 * 1204 * 3
    assert memory[-1] - memory[4] < 2 * one_batch
