"""The hybrid loss: who teaches what, and that a learned variance is learned."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import HybridLoss, Steps
from probgen.distributions.chains import Denoiser, GaussianDenoiser, LearnedVariance, TimeGrid
from tests.probgen.diffusion.beds import bed


class TwoParts(torch.nn.Module):
    """A mean and a raw variance with a parameter each."""

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(0.3))
        self.raw = torch.nn.Parameter(torch.tensor(0.2))

    def forward(self, x, log_snr, context=None):
        return torch.cat([self.mean * x, self.raw.expand_as(x)], 1)


def model(network, grid=20):
    return pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), grid, spread=LearnedVariance())


def test_each_part_has_one_teacher():
    network = TwoParts()
    simple, bound = model(network).hybrid_loss().parts(torch.randn(64, 2))
    gradients = torch.autograd.grad(simple.sum(), [network.mean, network.raw], allow_unused=True, retain_graph=True)
    assert gradients[0].abs() > 0
    assert gradients[1] is None or gradients[1] == 0
    gradients = torch.autograd.grad(bound.sum(), [network.mean, network.raw], allow_unused=True)
    assert gradients[0] is None or gradients[0] == 0
    assert gradients[1].abs() > 0


def test_the_parts_are_the_two_losses():
    d, x = model(TwoParts()), torch.randn(64, 2)
    loss = d.hybrid_loss("v", bound_weight=0.5)
    results = {}
    for name, call in {
        "parts": lambda: loss.parts(x),
        "v": lambda: d.denoising_loss("v").per_datum(x),
        "elbo": lambda: d.denoising_loss("elbo").per_datum(x),
        "hybrid": lambda: loss.per_datum(x),
    }.items():
        torch.manual_seed(0)
        results[name] = call()
    assert torch.allclose(results["parts"][0], results["v"])
    assert torch.allclose(results["parts"][1], results["elbo"], rtol=1e-4, atol=1e-4)
    assert torch.allclose(results["hybrid"], results["v"] + 0.5 * results["parts"][1])
    torch.manual_seed(0)
    assert torch.allclose(loss(x), results["hybrid"].mean() / 2)


class OracleWithRaw(Denoiser):
    """An exact mean and one learned raw variance for all times."""

    def __init__(self, oracle):
        super().__init__(oracle.schedule, oracle.event_shape)
        self.oracle, self.spread = oracle, LearnedVariance()
        self.raw = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def predict(self, x_t, level, context=None):
        return self.oracle.predict(x_t, level)

    def posterior(self, x_t, level, context=None):
        mean = self.oracle.predict(x_t, level)
        return self.spread.law(x_t, level, mean, self.raw.expand_as(mean), None, 1)


def test_the_variance_of_gaussian_data_is_found():
    # kappa, the prior variance behind the posterior's, is that of the data at every time
    schedule = pg.diffusion.linear_schedule(50, 1e-3, 0.2)
    oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(1 / 16).double())
    denoiser = OracleWithRaw(oracle)
    d = pg.diffusion.Diffusion(denoiser, schedule, (1,), 50)
    optimizer = torch.optim.Adam([denoiser.raw], lr=0.1)
    loss = HybridLoss(d, bound_weight=1.0)
    for _ in range(150):
        optimizer.zero_grad()
        loss(oracle.data.sample((500,))).backward()
        optimizer.step()
    assert abs(15 * math.tanh(denoiser.raw.item() / 15) - math.log(1 / 16)) < 0.15


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bed(grid=5)[0].hybrid_loss(), "learned spread"),
        (lambda: model(TwoParts()).hybrid_loss(bound_weight=0.0), "`bound_weight`"),
        (lambda: model(TwoParts()).hybrid_loss(times="continuous"), "`times`"),
        (lambda: model(TwoParts()).hybrid_loss(times=Steps(TimeGrid(3))), "`times`"),
        (lambda: model(TwoParts()).hybrid_loss(context_dropout=0.1), "null_context"),
        (lambda: model(TwoParts()).hybrid_loss(context_dropout=-0.1), "must lie in"),
        (lambda: model(TwoParts()).hybrid_loss()(torch.zeros(0, 2)), "at least one datum"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
