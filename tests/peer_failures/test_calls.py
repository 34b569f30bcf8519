"""What may be passed, what comes back, and what a call costs: shapes, transforms of functions, contexts, passes."""

import pytest
import torch
from torch.func import vmap

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, Compose, Coupling, Exp, Tanh, half_mask
from probgen.nn import MLP
from tests.peer_failures.flows import KINDS, flow, law

KIND = pytest.mark.parametrize("kind", KINDS)


@KIND
@pytest.mark.parametrize("batch", [(), (3, 5), (0,), (2, 0)], ids=str)
def test_any_batch_shape(kind, batch):
    """(3, 5, D): nflows, normflows, FrEIA, survae fail; (D,): those and torchflows (nflows' MAF returns shape (16,) without a
    word); no rows: all eight fail; tfp#941: more than one row."""
    f, x = flow(kind), torch.randn(*batch, 4)
    found = law(f).log_prob(x)
    assert found.shape == batch
    assert f.inverse(x).shape == f(x).shape == x.shape
    torch.testing.assert_close(found.reshape(-1), law(f).log_prob(x.reshape(-1, 4)))


@KIND
def test_vmap_over_rows(kind):
    """`vmap` of log_prob: Pyro, nflows, normflows, torchflows, FrEIA and survae fail; distrax#235: a stale batch_shape."""
    f, x = flow(kind), torch.randn(6, 4)
    torch.testing.assert_close(vmap(law(f).log_prob)(x), law(f).log_prob(x))
    torch.testing.assert_close(vmap(f.forward)(x), f(x))


@pytest.mark.slow
@KIND
def test_one_graph_without_breaks(kind):
    """`compile(fullgraph=True)` of log_prob fails in all but normflows; 3 (zuko) to 24 (FrEIA) graph breaks."""
    f, x = flow(kind), torch.randn(6, 4)
    compiled = torch.compile(lambda value: law(f).log_prob(value), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), law(f).log_prob(x))


@KIND
def test_second_derivatives_of_the_inverse(kind):
    """survae runs its inverses without gradients; zuko's searched ones are differentiable once."""
    f, x = flow(kind, regime="moderate").double(), torch.randn(2, 4, dtype=torch.float64)
    for call in (f.forward, f.inverse, law(f).log_prob):
        leaf = x.clone().requires_grad_()
        (first,) = torch.autograd.grad(call(leaf).sin().sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf)
        assert bool(second.isfinite().all())
        assert second.abs().max() > 1e-6


@KIND
@pytest.mark.parametrize("context_shape", [None, (2,)], ids=["alone", "context"])
def test_one_dimensional_targets(kind, context_shape):
    """normflows#58: NaN; dingo#216, zuko#34: shape errors for a single coordinate."""
    f, x = flow(kind, 1, context_shape=context_shape), torch.randn(9, 1)
    bound = f if context_shape is None else f.condition(torch.randn(9, 2))
    log_prob = law(bound, 1).log_prob(x)
    assert log_prob.shape == (9,)
    assert bool(log_prob.isfinite().all())
    torch.testing.assert_close(bound.inverse(bound(x)), x, rtol=1e-4, atol=1e-4)


@KIND
def test_a_draw_and_its_score_agree(kind):
    """torchflows' `return_log_prob` has the wrong sign: -3.33 where log_prob is -4.67; nflows#24: they disagree."""
    p = law(flow(kind, regime="moderate").double())
    x, log_prob = p.rsample_and_log_prob((50,))
    torch.testing.assert_close(log_prob, p.log_prob(x.detach().clone()))


def test_an_inverted_map_negates_its_log_determinant():
    """flowtorch: `Invert(Exp).log_abs_det_jacobian` has the wrong sign; normflows#27: so had one of its layers."""
    y = torch.tensor([0.5, 2.0])
    assert torch.equal(Exp().inv.forward_log_det_jacobian(y), -y.log())
    assert torch.equal(Exp().inv.log_abs_det_jacobian(y, y.log()), -y.log())


@KIND
def test_inverses_and_bounded_maps_compose(kind):
    """flowtorch: `Compose([Invert(AR), ...])` raises, flowtorch#115: so does a flow with a tanh behind it; pyro PR #2401."""
    f = flow(kind)
    p = law(Compose(f.inv, f, f.inv, Tanh()))
    x = p.sample((9,))
    assert x.abs().max() < 1
    torch.testing.assert_close(p.log_prob(x.clone()), law(f.inv >> Tanh()).log_prob(x.clone()), rtol=1e-3, atol=1e-3)


@KIND
def test_a_context_is_taken_and_asked_for(kind):
    """flowtorch: `log_prob(x, context=...)` is an AssertionError; Pyro: no conditional spline coupling; normflows#63."""
    f, context, x = flow(kind, context_shape=(2,)), torch.randn(5, 2), torch.randn(5, 4)
    assert law(f.condition(context)).sample((7,)).shape == (7, 5, 4)
    moved = law(f.condition(context + 1.0)).log_prob(x)
    assert (moved - law(f.condition(context)).log_prob(x)).abs().max() > 1e-4
    with pytest.raises(ValueError, match="context"):
        law(f).log_prob(x)


def test_the_support_is_known():
    """zuko: `NormalizingFlow.support` raises NotImplementedError, so that Pyro's samplers cannot use a flow."""
    inside, outside = torch.full((4,), 0.5), torch.full((4,), 1.5)
    assert bool(law(flow("spline coupling")).support.check(outside))
    bounded = law(flow("spline coupling") >> Tanh()).support
    assert (bool(bounded.check(inside)), bool(bounded.check(outside))) == (True, False)


class Counted(MLP):
    """A perceptron that counts its calls."""

    calls = 0

    def forward(self, x, context=None):
        self.calls += 1
        return super().forward(x, context)


def test_one_pass_of_each_network():
    """torch: 11 calls of parts for four layers; tfp#54: inverse and ildj run the network twice."""
    networks = [Counted(1, 2, hidden=(4,)) for _ in range(4)]
    f = Compose(*(Coupling(Affine(), network, half_mask(2, flip=index % 2 == 1)) for index, network in enumerate(networks)))
    p, x = TransformedDistribution(standard_normal(2), f), torch.randn(3, 2)
    for call in (
        lambda: p.log_prob(x),
        lambda: f.inverse_and_log_det(x),
        lambda: f.log_abs_det_jacobian(x, None),
        lambda: p.rsample_and_log_prob((3,)),
    ):
        before = [network.calls for network in networks]
        call()
        assert [network.calls - count for network, count in zip(networks, before, strict=True)] == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["affine autoregressive", "spline autoregressive"])
def test_a_density_costs_one_pass_and_a_draw_no_more_than_a_few(kind):
    """normflows' "MAF" runs D passes in log_prob; every peer's sampling runs D passes, each of the whole network."""
    features = 16
    f, rows = flow(kind, features, layers=1), []
    linear = next(module for module in f.modules() if module.__class__.__name__ == "MADE")
    handle = linear.register_forward_hook(lambda *_: rows.append(1))
    with torch.no_grad():
        law(f, features).log_prob(torch.randn(3, features))
        assert len(rows) == 1
        law(f, features).sample((3,))
    handle.remove()
    assert len(rows) <= 2
