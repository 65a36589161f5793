"""Seconds, bytes, and what the device could do at best."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

MIB = 2**20


class Stopwatch:
    """Time between marks: on CUDA events in the queue, so that measuring makes the host wait for nothing."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._marks: list[Any] = []

    def mark(self) -> None:
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())

    def seconds(self) -> list[float]:
        """From each mark to the next; waits until the device has passed the last one."""
        pairs = list(zip(self._marks[:-1], self._marks[1:], strict=True))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            return [start.elapsed_time(end) / 1000 for start, end in pairs]
        return [end - start for start, end in pairs]


def repeat(call: Callable[[], Any], device: torch.device, repeats: int, warmup: int) -> list[float]:
    """Seconds of each of `repeats` calls, back to back, after `warmup` that do not count."""
    for _ in range(warmup):
        call()
    stopwatch = Stopwatch(device)
    stopwatch.mark()
    for _ in range(repeats):
        call()
        stopwatch.mark()
    return stopwatch.seconds()


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, and the spread: half of the distance between the quartiles, as a share of the median."""
    median = statistics.median(seconds)
    quartiles = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [median] * 3
    return {"seconds": median, "spread": (quartiles[2] - quartiles[0]) / 2 / median}


def matrix_ceiling(device: torch.device, side: int, repeats: int = 10) -> float:
    """FLOP/s of the best of `repeats` products of two `side` x `side` matrices: bfloat16 on CUDA, else float32."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / min(repeat(lambda: left @ right, device, repeats, warmup=2))


class PeakMemory(AbstractContextManager):
    """The most memory that is in use inside the block: of torch's allocator on CUDA, of the process on Linux.

    `peak` and `added` (the peak over what was in use at the start) are bytes; None where neither can be had.
    """

    STATUS = Path("/proc/self/status")
    RESET = Path("/proc/self/clear_refs")

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.peak: int | None = None
        self.added: int | None = None

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        elif self.STATUS.exists():
            return_freed_memory()
            # 5 makes the kernel forget the process's highest use so far.
            self.RESET.write_text("5")
            self._before = process_memory("VmRSS")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.peak = torch.cuda.max_memory_allocated(self.device)
        elif self.STATUS.exists():
            self.peak = process_memory("VmHWM")
        if self.peak is not None:
            self.added = max(0, self.peak - self._before)


def return_freed_memory() -> None:
    """Back to the system, where the C library can: what it keeps for later would count as in use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def process_memory(field: str, process: str = "self") -> int:
    """Bytes that Linux states for a process: "VmRSS" is in use now, "RssAnon" its own part, "VmHWM" the most so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
