"""PyroModules on their own parameters."""

import pyro
import torch
from pyro.nn import PyroModule
from torch import nn

from probgen.infer.pyro_modules import call_program, module_parameters_only
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


def test_a_silent_program_keeps_its_hooks_and_its_own_call():
    class Counting(PyroModule):
        calls = 0

        def __call__(self, *args):
            self.calls += 1
            return super().__call__(*args)

        def forward(self, x):
            return x + 1

    plain, counting = PyroModule[nn.Linear](2, 2), Counting()
    seen = []
    plain.register_forward_hook(lambda module, args, result: seen.append(result))
    x = torch.ones(2)
    with module_parameters_only(nn.ModuleList([plain, counting])):
        result = call_program(plain, (x,), {})
        assert call_program(counting, (x,), {}).tolist() == [2.0, 2.0]
    torch.testing.assert_close(result, nn.functional.linear(x, plain.weight, plain.bias))
    assert len(seen) == counting.calls == 1
    assert list(pyro.get_param_store().keys()) == []


def test_an_unsilenced_program_is_called_as_it_is():
    net = PyroModule[nn.Linear](2, 2)
    call_program(net, (torch.ones(2),), {})
    assert set(pyro.get_param_store().keys()) == {"weight", "bias"}
