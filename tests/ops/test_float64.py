"""Apple's MPS has no float64: such computations move to the CPU and come back. Tested without the device."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tr2m.errors import UserError
from tr2m.experiment.compose import pick_device
from tr2m.ops.alignment import fit_scale_shift
from tr2m.ops.float64 import to_float64


class NoFloat64OnMPS(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "mps" and tensor.dtype == torch.float64:
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support it")
        return result


def test_the_fit_of_the_pseudo_depth_stays_on_its_device():
    with FakeTensorMode(), NoFloat64OnMPS():
        relative, target = torch.rand(2, 4, 6, device="mps"), torch.rand(2, 4, 6, device="mps")
        with pytest.raises(TypeError, match="MPS"):
            relative.double()
        assert to_float64(relative).device.type == "cpu"
        scale, shift = fit_scale_shift(relative, target, target > 0.5)
        assert (scale.device.type, scale.dtype, shift.device.type) == ("mps", torch.float32, "mps")


def test_float64_elsewhere_stays_where_it_is():
    values = torch.rand(3)
    assert to_float64(values).dtype == torch.float64
    assert to_float64(torch.rand(3, device="meta")).device.type == "meta"


def test_devices_that_do_not_exist_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("mps").type == "mps"
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match=r"device=cuda:2: torch sees 2 cuda device"):
        pick_device("cuda:2")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"torch sees no mps device here.*use device=cpu"):
        pick_device("mps")
    for name in ("meta", "gpu", "cpu:", "xpu"):
        with pytest.raises(UserError, match="expected auto, cpu, cuda, cuda:<number> or mps"):
            pick_device(name)
