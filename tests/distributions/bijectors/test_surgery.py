"""Layers put in, taken out and stopped."""

import pytest
import torch

from probgen.distributions.bijectors import Affine, Compose, Exp, LULinear, Repeat, freeze, inserted, set_reversible
from probgen.flows import glow, real_nvp


def test_inserted_layers_stand_where_they_were_put() -> None:
    """In front of a part, at the end, counted from the end; parts are shared and the flow is as before."""
    flow = Compose(Affine(0.0, 2.0), Affine(1.0, 1.0), reversible=True)
    x, new = torch.tensor(3.0), Affine(0.0, 10.0)
    assert [float(inserted(flow, index, new)(x)) for index in (0, 1, 2, -1)] == [61.0, 61.0, 70.0, 61.0]
    assert inserted(flow, 1, new)[0] is flow[0]
    assert inserted(flow, 1, new).reversible
    assert len(flow) == 2


def test_slices_share_and_removal_is_composition() -> None:
    """``flow[i:j]`` has the flow's own parameters."""
    flow = real_nvp(3, layers=5, hidden=(4,))
    x = torch.randn(4, 3)
    assert torch.equal(flow[3:](flow[:3](x)), flow(x))
    assert flow[1:3][0] is flow[1]
    without = Compose(*flow[:2], *flow[3:])
    assert torch.equal(without(x), flow[4](flow[3](flow[1](flow[0](x)))))


def test_frozen_layers_stay_and_the_others_learn() -> None:
    """One step of an optimizer, plain and with recomputed activations."""
    for reversible in (False, True):
        flow = set_reversible(real_nvp(3, layers=4, hidden=(4,)), reversible=reversible)
        freeze(flow[1:3])
        before = {name: value.clone() for name, value in flow.state_dict().items()}
        flow.inverse_and_log_det(torch.randn(8, 3))[1].sum().backward()
        torch.optim.SGD(flow.parameters(), lr=1.0).step()
        changed = {name.split(".")[1] for name, value in flow.state_dict().items() if not torch.equal(value, before[name])}
        assert changed == {"0", "3"}
        freeze(flow, frozen=False)
        assert all(parameter.requires_grad for parameter in flow.parameters())


def test_every_scale_recomputes() -> None:
    """A multi-scale flow has a composition at every level; gradients stay."""
    torch.manual_seed(0)
    flow = glow((1, 8, 8), levels=2, steps=2, hidden=8).double()
    x = torch.randn(3, 1, 8, 8).double()
    flow.initialize_from(x)
    found = []
    for reversible in (False, True):
        set_reversible(flow, reversible=reversible)
        z, log_det = flow.inverse_and_log_det(x)
        found.append(torch.autograd.grad(log_det.sum() - z.square().sum() / 2, list(flow.parameters()), allow_unused=True))
    chosen = [module.reversible for module in flow.modules() if isinstance(module, Compose | Repeat)]
    assert len(chosen) > 1
    assert all(chosen)
    for a, b in zip(*found, strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, rtol=1e-8, atol=1e-9)


def test_errors_name_the_place() -> None:
    """Nothing to insert, no such place, parts that do not fit."""
    flow = Compose(LULinear(2), LULinear(2))
    with pytest.raises(ValueError, match="at least one bijector"):
        inserted(flow, 0)
    with pytest.raises(IndexError, match="between -2 and 2; got 3"):
        inserted(flow, 3, Exp())
    with pytest.raises(ValueError, match="takes shape"):
        inserted(flow, 1, LULinear(3))
