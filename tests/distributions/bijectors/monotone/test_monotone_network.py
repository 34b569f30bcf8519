"""Positive weights: increasing, onto, and with a network that is not shared between layers."""

import pytest
import torch

from probgen.distributions.bijectors import Elementwise, MonotoneNetwork
from probgen.distributions.bijectors.monotone._shared_network import NetworkElement, signal_parameters
from probgen.distributions.testing import REGIMES
from probgen.flows import coupling_flow


@pytest.mark.parametrize("regime", ["as_built", "strong"])
@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_inverts_at_every_scale_after_parameters_moved(regime, scale):
    torch.manual_seed(0)
    f = REGIMES[regime].apply(MonotoneNetwork(shape=(6,)))
    x = scale * torch.randn(100, 6)
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-5, atol=1e-5)


def test_it_increases_over_the_whole_line_and_is_onto():
    torch.manual_seed(0)
    f = REGIMES["strong"].apply(MonotoneNetwork()).double()
    x = torch.cat([-torch.logspace(6, -3, 500, dtype=torch.float64), torch.logspace(-3, 6, 500, dtype=torch.float64)])
    y, log_slope = f.forward_and_log_det(x)
    assert bool((y.diff() > 0).all())
    assert y[0] < -1e4
    assert y[-1] > 1e4
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(log_slope.exp(), torch.autograd.grad(f(leaf).sum(), leaf)[0], rtol=1e-10, atol=0)


def test_layers_made_from_one_element_have_networks_of_their_own():
    element = MonotoneNetwork((4,), 2)
    assert isinstance(element, NetworkElement)
    flow = coupling_flow(2, element=element, layers=2, hidden=(4,))
    weights = {id(parameter) for parameter in flow.parameters()}
    assert len(weights) == 2 * (4 + len(list(element.network.parameters())))
    assert not weights & {id(parameter) for parameter in element.parameters()}


def test_what_a_conditioner_emits():
    assert [(parameter.name, parameter.shape) for parameter in signal_parameters(3)] == [
        ("signal", (3,)),
        ("loc", ()),
        ("scale", ()),
    ]
    assert issubclass(MonotoneNetwork, Elementwise)


def test_rejects_bad_arguments():
    for arguments in ({"hidden": ()}, {"hidden": (1,)}, {"signal": 0}):
        with pytest.raises(ValueError, match="`hidden` needs widths of at least 2 and `signal` at least 1"):
            MonotoneNetwork(**arguments)
