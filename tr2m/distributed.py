"""The processes of one run: who this one is, and what all of them agree on. One process alone needs no group."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from tr2m.errors import UserError

T = TypeVar("T")


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, if it did: NCCL between GPUs, one for each process, and gloo between
    hosts. "cuda" then means this process's own GPU.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    store, rank, count = next(rendezvous("env://"))
    # Restarted processes find the store of the dead ones, and must not take their addresses for those of the living.
    store = PrefixStore(f"attempt_{os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count)
    try:
        yield
    finally:
        dist.destroy_process_group()


def process_rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def process_count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this is the process that writes files and logs."""
    return process_rank() == 0


def sum_over_processes(tensor: Tensor) -> None:
    """Replace `tensor` by its sum over all processes, in place."""
    if process_count() > 1:
        dist.all_reduce(tensor)


def largest_of_processes(value: int) -> int:
    """The largest `value` that a process gives. It travels over the host, so no GPU is waited for."""
    if process_count() == 1:
        return value
    tensor = torch.tensor(value)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return int(tensor)


def sum_of_processes(value: int) -> int:
    """The sum of the values that the processes give, over the host as in `largest_of_processes`."""
    tensor = torch.tensor(value)
    sum_over_processes(tensor)
    return int(tensor)


def gather(value: T) -> list[T]:
    """What each process gives, in the order of their ranks."""
    if process_count() == 1:
        return [value]
    values: list[Any] = [None] * process_count()
    dist.all_gather_object(values, value)
    return values


def on_main(function: Callable[[], T]) -> T:
    """Call `function` in the main process alone; all others wait and get its result, or its UserError."""
    if process_count() == 1:
        return function()
    outcome: list[Any] = [None]
    if is_main():
        try:
            outcome[0] = function()
        except UserError as error:
            outcome[0] = error
    dist.broadcast_object_list(outcome)
    (result,) = outcome
    if isinstance(result, UserError):
        raise result
    return result
