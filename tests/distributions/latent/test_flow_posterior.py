"""Flow posteriors: the cost of a bound, shapes, and the gap that a flow closes."""

import pyro.distributions as dist
import pytest
import torch
from torch import nn

from probgen.distributions import LatentVariable, standard_normal
from probgen.distributions.bijectors import Affine, Compose, MaskedAutoregressive, Planar, Sylvester
from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.distributions.latent import FlowPosterior
from probgen.flows import neural_spline_coupling
from probgen.nn import MADE
from probgen.vae import VAE

NOISE = 0.4


def encoder(inputs=1):
    return NetworkLaw(nn.Linear(inputs, 4), NormalElement(), event_shape=(2,), input_shape=(inputs,))


def banana(z):
    """x = z_1^2 + z_2 + noise: the posterior of z is bent around a parabola."""
    return dist.Normal(z[..., :1].square() + z[..., 1:], NOISE).to_event(1)


def inverse_autoregressive(context=3):
    return MaskedAutoregressive(Affine(), MADE(2, 2, hidden=(16,), context_features=context), parallel="forward")


def test_a_bound_needs_one_forward_pass_and_no_inverse(monkeypatch):
    """Draw and density of an inverse autoregressive flow: one parallel pass of its network for each evaluation."""
    calls = []
    forward = MADE.forward
    monkeypatch.setattr(MADE, "forward", lambda self, *given: calls.append("pass") or forward(self, *given))
    sweep = MADE.sweep
    monkeypatch.setattr(MADE, "sweep", lambda self, *given: calls.append("sweep") or sweep(self, *given))
    posterior = FlowPosterior(encoder(), inverse_autoregressive(), nn.Linear(1, 3))
    law = LatentVariable(standard_normal(2), banana, posterior, event_shape=(1,))
    law.elbo(torch.randn(5, 1), 4).sum().backward()
    assert calls == ["pass"]
    VAE(standard_normal(2), _Module(banana), posterior, event_shape=(1,)).loss()(torch.randn(5, 1))
    assert calls == ["pass", "pass"]
    posterior(torch.randn(5, 1)).log_prob(torch.zeros(5, 2))  # a value from elsewhere has to be inverted
    assert calls == ["pass", "pass", "sweep"]


class _Module(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, z):
        return self.function(z)


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_the_law_has_the_batch_of_the_data(batch):
    flow = Compose(Planar(2, conditioner=nn.Linear(3, 5), context_shape=(3,)), Sylvester(2))
    posterior = FlowPosterior(encoder(4), flow, nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
    law = posterior(torch.randn(*batch, 4))
    z, log_prob = law.rsample_and_log_prob((7,))
    assert z.shape == (7, *batch, 2)
    torch.testing.assert_close(law.log_prob(z), log_prob, atol=1e-4, rtol=1e-4)


def test_the_density_is_the_change_of_variables():
    torch.manual_seed(1)
    posterior = FlowPosterior(encoder(), Planar(2, conditioner=nn.Linear(1, 5), context_shape=(1,))).double()
    posterior.bijector.raw_parameters.data.normal_()
    x = torch.randn(6, 1, dtype=torch.float64)  # the data are the context themselves
    z0 = posterior.base(x).sample()
    z, log_det = posterior.bijector.forward_and_log_det(z0, x)
    torch.testing.assert_close(posterior(x).log_prob(z), posterior.base(x).log_prob(z0) - log_det)


def test_a_context_goes_to_base_and_summary():
    class Both(nn.Module):
        def __init__(self, outputs):
            super().__init__()
            self.linear = nn.Linear(3, outputs)

        def forward(self, x, context):
            return self.linear(torch.cat([x, context], -1))

    base = NetworkLaw(Both(4), NormalElement(), event_shape=(2,), input_shape=(1,), context_shape=(2,))
    flow = Planar(2, conditioner=nn.Linear(3, 5), context_shape=(3,))
    posterior = FlowPosterior(base, flow, Both(3))
    x, c = torch.randn(4, 5, 1), torch.randn(5, 2)
    law = posterior(x, c)
    assert law.batch_shape == (4, 5)
    z = torch.randn(4, 5, 2)
    torch.testing.assert_close(law.log_prob(z)[1, 2], posterior(x[1, 2], c[2]).log_prob(z[1, 2]))


def divergence(posterior, x):
    """KL from the exact posterior at one datum, and the mass of q, by quadrature on a grid."""
    line = torch.linspace(-5, 5, 201, dtype=torch.float64)
    grid, cell = torch.cartesian_prod(line, line), (line[1] - line[0]) ** 2
    with torch.no_grad():
        joint = standard_normal(2).like(grid).log_prob(grid) + banana(grid).log_prob(torch.full((1,), x).double())
        exact = joint - joint.logsumexp(0) - cell.log()
        q = posterior.double()(torch.full((1, 1), x, dtype=torch.float64)).log_prob(grid)
    return float((q.exp() * (q - exact)).sum() * cell), float(q.exp().sum() * cell)


def trained(posterior, x, steps):
    """The posterior of one datum, by its bound."""
    law = LatentVariable(standard_normal(2), banana, posterior, event_shape=(1,))
    data = torch.full((128, 1), x)
    optimizer = torch.optim.Adam(posterior.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for _ in range(steps):
        loss = -law.elbo(data, closed_form=False).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return posterior


def test_flows_close_the_gap_of_a_bent_posterior():
    """Approximation gaps in nats at x = 0, by quadrature: 0.33 for a normal law, less with planar maps, least with splines."""
    planar = FlowPosterior(encoder(), Compose(*[Planar(2) for _ in range(3)]))
    spline = FlowPosterior(encoder(), neural_spline_coupling(2, layers=2, hidden=(16,), bins=6, masks="half"))
    gaps = []
    for posterior, steps in ((encoder(), 400), (planar, 300), (spline, 300)):
        gap, mass = divergence(trained(posterior, 0.0, steps), 0.0)
        assert mass == pytest.approx(1.0, abs=2e-3)
        gaps.append(gap)
    assert 0.3 < gaps[0] < 0.4
    assert 0 < gaps[1] < 0.9 * gaps[0]
    assert 0 < gaps[2] < 0.2 * gaps[0]


def test_what_does_not_fit_is_refused():
    flow = Planar(2, conditioner=nn.Linear(3, 5), context_shape=(3,))
    with pytest.raises(ValueError, match="takes no context"):
        FlowPosterior(encoder(), Planar(2), nn.Linear(1, 3))
    with pytest.raises(ValueError, match=r"`summary` must be given: the bijector takes a context \(3,\)"):
        FlowPosterior(encoder(), flow)
    with pytest.raises(ValueError, match="`input_shape` must be given"):
        FlowPosterior(nn.Linear(1, 4), flow)
