"""PyroModules on their own parameters."""

import pyro
import torch
from pyro.nn import PyroModule
from torch import nn

from probgen.infer.pyro_modules import module_parameters_only
from tests.probgen.infer.programs import Decoder


def test_nested_modules_leave_the_global_store_alone_and_contexts_as_they_were():
    net = nn.Sequential(PyroModule[nn.Linear](2, 2), Decoder())
    with module_parameters_only(net):
        net[0](torch.ones(2))
        assert net[1].scale.item() == torch.tensor(0.7).item()
    assert list(pyro.get_param_store().keys()) == []
    assert all(part._pyro_context.active == 0 for part in net.modules() if isinstance(part, PyroModule))
    net[0](torch.ones(2))  # Pyro's own behavior is back
    assert list(pyro.get_param_store().keys()) == ["weight", "bias"]


def test_an_outer_handler_still_sees_the_parameters():
    net = PyroModule[nn.Linear](2, 2)
    with pyro.poutine.trace() as trace, module_parameters_only(net):
        net(torch.ones(2))
    assert {"weight", "bias"} <= set(trace.trace.nodes)
    assert list(pyro.get_param_store().keys()) == []
