"""CUDA graphs: what is done for arguments of the same shapes, launched at once instead of kernel by kernel."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import chain
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn

from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.frozen_module import FrozenModule
from tr2m.types import map_tensors

logger = logging.getLogger(__name__)

PLAIN_CALLS = 2
"""Of every shape, before it is recorded: most of what comes once never comes again, and what is made at the first use
(compiled code, position embeddings) must not be part of a recording.
"""
MAX_GRAPHS = 16
"""Of one function; arguments of further shapes are computed as without graphs."""


def replay_networks(model: nn.Module) -> GraphMemory:
    """Let what `model` does without gradient be replayed: its frozen networks, and `rescale`. Nothing, for a model that
    is not on CUDA. Returns the memory of the graphs, which others of the same run can use.
    """
    memory = GraphMemory()
    if on_cuda(model):
        for network in model.modules():
            if isinstance(network, FrozenModule):
                owner = network.replayed()
                owner.forward = CudaGraphs(owner.forward, memory, network.network)
        if isinstance(model, RescalingModel):
            vars(model)["rescale"] = CudaGraphs(model.rescale, memory, model)
    return memory


def on_cuda(model: nn.Module) -> bool:
    return next(chain(model.parameters(), model.buffers())).device.type == "cuda"


@dataclass
class GraphMemory:
    """One pool of memory for all graphs of a model, which never run at the same time."""

    first: torch.cuda.CUDAGraph | None = None
    """Of those that use the pool, which is gone without it."""
    lock: Any = field(default_factory=RLock)
    """Held until a result is out of the pool, where another thread's replay would overwrite it."""

    def __reduce__(self) -> tuple[type[GraphMemory], tuple[()]]:
        """A copy is a pool of its own."""
        return GraphMemory, ()


_off: list[None] = []


@contextmanager
def graphs_off() -> Iterator[None]:
    """Inside, everything is launched kernel by kernel, and can be counted and timed part by part."""
    _off.append(None)
    try:
        yield
    finally:
        _off.pop()


class CudaGraphs:
    """Calls `function`, and on CUDA replays it from the third call for the same shapes on: the same kernels on other
    values. Elsewhere, and on another stream than the default one, it is called as it is.

    Arguments and result are tensors, dataclasses and tuples of them, and constants, each of which makes another graph.

    Args:
        function: leaves nothing behind but its result and what it adds to tensors that stay where they are. If it waits
            for the device, it cannot be recorded, and is called as it is from then on, with a warning.
        memory: of the graphs.
        weights: a module that is used; it may be moved or change its precision, and then is recorded anew.
        with_gradient: for calls in which gradients are enabled, instead of those in which they are not.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        memory: GraphMemory,
        weights: nn.Module | None = None,
        with_gradient: bool = False,
    ) -> None:
        self.function = function
        self.memory = memory
        self.weights = weights
        self.first_weight = None if weights is None else place_of_first(weights)
        self.with_gradient = with_gradient
        self.recordable = True
        self._calls: defaultdict[Any, int] = defaultdict(int)
        self._recordings: dict[Any, Recording] = {}

    def __reduce__(self) -> tuple[type[CudaGraphs], tuple[Any, ...]]:
        """A copy begins without recordings."""
        return CudaGraphs, (self.function, self.memory, self.weights, self.with_gradient)

    def __call__(self, *arguments: Any) -> Any:
        device = next(tensors_in(arguments)).device
        if not self._can_replay(device):
            return self.function(*arguments)
        first = None if self.first_weight is None else getattr(*self.first_weight)
        place = None if first is None else (first.data_ptr(), first.dtype)
        modes = (torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cuda"))
        key = (signature(arguments), place, modes)
        with self.memory.lock:
            if key not in self._recordings:
                self._calls[key] += 1
                if self._calls[key] <= PLAIN_CALLS or len(self._recordings) >= MAX_GRAPHS:
                    return self.function(*arguments)
                try:
                    self._recordings[key] = Recording.of(self.function, arguments, self.memory, first, device)
                except RuntimeError as error:
                    self.recordable = False
                    release_generator(device)
                    name = getattr(self.function, "__qualname__", type(self.function).__name__)
                    logger.warning("%s is launched kernel by kernel, it cannot be recorded: %s", name, error)
                    return self.function(*arguments)
            return self._recordings[key](arguments)

    def _can_replay(self, device: torch.device) -> bool:
        return (
            self.recordable
            and not _off
            and device.type == "cuda"
            and torch.is_grad_enabled() == self.with_gradient
            and torch.cuda.current_stream(device) == torch.cuda.default_stream(device)
        )


@dataclass(frozen=True)
class Recording:
    """One graph, with the tensors it reads and writes."""

    replay: Callable[[], None]
    inputs: list[Tensor]
    result: Any
    weight: Tensor | None
    """Kept, so that its memory cannot become another module's."""

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        memory: GraphMemory,
        weight: Tensor | None,
        device: torch.device,
    ) -> Recording:
        """What `function` does for `arguments`, which is recorded and not done."""
        graph, own = torch.cuda.CUDAGraph(), map_tensors(arguments, torch.clone)
        pool = None if memory.first is None else memory.first.pool()
        # Other threads, which read files and pin memory, may go on meanwhile.
        recorded = torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local")
        # A recording that fails leaves its own stream in the place of the one before.
        with torch.cuda.device(device), torch.cuda.stream(torch.cuda.current_stream(device)), recorded:
            result = function(*own)
        memory.first = memory.first or graph
        return cls(graph.replay, list(tensors_in(own)), result, None if weight is None else weight.detach())

    def __call__(self, arguments: tuple[Any, ...]) -> Any:
        for own, given in zip(self.inputs, tensors_in(arguments), strict=True):
            own.copy_(given)
        self.replay()
        # All graphs share their memory: the next one that is replayed writes into this result.
        return map_tensors(self.result, torch.clone)


def place_of_first(network: nn.Module) -> tuple[nn.Module, str]:
    """The module that has the first weight of `network`, and the weight's name there: what is found there is always the
    current one, and finding it again costs nothing.
    """
    return next(
        (module, name)
        for module in network.modules()
        for name, _ in chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False))
    )


def release_generator(device: torch.device) -> None:
    """Free the device's random numbers, which a recording that was broken off would keep to itself."""
    generator = torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
    generator.graphsafe_set_state(generator.clone_state())


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of a nest of dataclasses and tuples, in order."""
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value):
        yield from chain.from_iterable(tensors_in(getattr(value, f.name)) for f in fields(value))
    elif isinstance(value, tuple):
        yield from chain.from_iterable(map(tensors_in, value))


def signature(value: Any) -> Any:
    """Equal for nests whose tensors have the same shapes and precisions and whose constants are equal."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype, value.device
    if is_dataclass(value):
        return type(value), *(signature(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, (tuple, list)):
        return tuple(map(signature, value))
    return value
