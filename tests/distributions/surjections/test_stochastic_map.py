"""What every stochastic map promises: the two directions belong together, shapes, dtypes, gradients both ways."""

import copy
import pickle

import pytest
import torch

from probgen.distributions.bijectors import Exp, Scale
from probgen.distributions.surjections import ComposedMap, ReversedMap, StochasticMap
from tests.distributions.surjections.maps import MAPS


@pytest.fixture(params=sorted(MAPS))
def built(request):
    """A map and images for it, in the default dtype at hand."""

    def build(dtype=torch.float32, *shape):
        make, images = MAPS[request.param]
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            torch.manual_seed(0)
            return make(), images(*shape)
        finally:
            torch.set_default_dtype(before)

    return build


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_function_takes_every_draw_back(built, dtype):
    """x(z(x)) = x exactly, also after rounding; and a dtype that was double stays double, which survae's does not."""
    f, x = built(dtype, 200)
    z, contribution = f.inverse_and_contribution(x, sample_shape=(5,))
    batch = x.shape[: x.dim() - f.codomain.event_dim]
    assert contribution.shape == (5, *batch)
    assert z.dtype == contribution.dtype == dtype
    back = f(z)
    if f.codomain.is_discrete:
        assert f.codomain.check(back).all()
    torch.testing.assert_close(back, x.expand(back.shape), rtol=1e-6 if dtype == torch.float32 else 1e-13, atol=1e-6)
    assert f.domain.check(z).all()
    assert f.inverse_support.check(z).all()


def test_both_directions_agree_on_the_contribution(built):
    """It is a function of the pair (x, z), whichever of the two came first; of the reverse it is the negative."""
    f, x = built(torch.float64, 50)
    z, drawn = f.inverse_and_contribution(x)
    again, scored = f.forward_and_contribution(z)
    torch.testing.assert_close(scored, drawn, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(again, x, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(f.inv.inverse_and_contribution(z)[1], -drawn, rtol=1e-7, atol=1e-7)


def test_shapes_are_told_and_any_batch_is_taken(built):
    for shape in ((), (3,), (2, 3), (0,)):
        f, x = built(torch.float32, *shape)
        z = f.inverse(x)
        assert z.shape == f.inverse_shape(x.shape)
        assert f(z).shape == x.shape == f.forward_shape(z.shape)
        assert f.forward_and_contribution(z)[1].shape == x.shape[: x.dim() - f.codomain.event_dim]


def test_gradients_flow_in_both_directions(built):
    """survae's inverses run under no_grad; here z is differentiable in x, in the parameters of the law, and so is x in z."""
    f, x = built(torch.float64, 4)
    continuous = not f.codomain.is_discrete
    z, contribution = f.inverse_and_contribution(x.requires_grad_(continuous))
    for parameter in f.parameters():
        gradient = torch.autograd.grad(z.square().sum() + contribution.sum(), parameter, retain_graph=True)[0]
        assert gradient.abs().sum() > 0
    if continuous:
        assert torch.autograd.grad(z.sum(), x)[0].abs().sum() > 0
        z = z.detach().requires_grad_()
        assert torch.autograd.grad(f(z).sum(), z)[0].abs().sum() > 0
    z = z.detach().requires_grad_()
    total = f.forward_and_contribution(z)[1].sum()
    assert not total.requires_grad or torch.autograd.grad(total, z, allow_unused=True)[0] is None or total.isfinite()


def test_the_reverse_of_the_reverse_is_the_map(built):
    f, _ = built()
    assert isinstance(f, StochasticMap)
    assert isinstance(f.inv, ReversedMap)
    assert f.inv.inv is f
    assert (f.inv.draws_forward, f.inv.draws_inverse) == (f.draws_inverse, f.draws_forward)
    assert (f.inv.has_rsample, f.inv.inverse_has_rsample) == (f.inverse_has_rsample, f.has_rsample)


def test_copies_work(built):
    f, x = built(torch.float32, 3)
    f.inverse_and_contribution(x)
    for twin in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        torch.manual_seed(1)
        first = f.inverse(x)
        torch.manual_seed(1)
        assert torch.equal(twin.inverse(x), first)


def test_maps_are_joined_by_arrows_with_bijectors_on_either_side(built):
    f, _ = built()
    chain = Scale(2.0) >> f
    assert isinstance(chain, ComposedMap)
    assert len(chain) == 2
    assert not isinstance(Scale(2.0) >> Exp(), ComposedMap)
    with pytest.raises(TypeError):
        Scale(2.0) >> 3


def test_values_outside_raise():
    f = MAPS["rounding, levels"][0]()
    with pytest.raises(ValueError, match="`x` of Rounding must satisfy"):
        f.inverse(torch.tensor(4.0))
    with pytest.raises(TypeError, match="floating"):
        f.inverse(torch.tensor(4))
    with pytest.raises(ValueError, match="at least 2 event"):
        MAPS["max-pool"][0]().forward_shape((4,))
