"""Score matching on the Gaussian bed: the three forms differ by a constant, and the true score is their minimum."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import ContinuousTimes, ScoreMatchingLoss, score_function
from probgen.distributions.chains import GaussianDenoiser
from tests.probgen.diffusion.beds import bed

SCHEDULE = pg.diffusion.variance_preserving_schedule()


class Shrunk(GaussianDenoiser.__bases__[0]):
    """The exact mean times a number."""

    def __init__(self, oracle, factor):
        super().__init__(oracle.schedule, oracle.event_shape)
        self.oracle, self.factor = oracle, factor

    def predict(self, x_t, level, context=None):
        return self.factor * self.oracle.predict(x_t, level)


def shrunk(factor, dims=2):
    _, oracle = bed(0.25, SCHEDULE, 100, dims=dims)
    return pg.diffusion.Diffusion(Shrunk(oracle, factor), SCHEDULE, (dims,), 100), oracle


@pytest.mark.parametrize("weighting", ["simple", "likelihood", "v"])
@pytest.mark.parametrize("factor", [1.0, 0.8])
@pytest.mark.statistical(false_alarm=1e-8)
def test_implicit_and_denoising_forms_differ_by_a_constant(weighting, factor):
    # E[implicit] + W D / sigma^2 = E[denoising] at the times of the middle, to 6 standard errors (about 0.05)
    d, oracle = shrunk(factor)
    times = ContinuousTimes(low=0.2, high=0.8)
    x = oracle.data.sample((4000,))
    torch.manual_seed(1)
    implicit = d.score_matching_loss("exact", weighting=weighting, times=times).per_datum(x)
    torch.manual_seed(1)
    denoising = d.denoising_loss(weighting, times=times).per_datum(x)
    torch.manual_seed(1)
    level = SCHEDULE.level(times(4000).t)
    weight = d.score_matching_loss("exact", weighting=weighting)._weight(d.denoiser, level)
    constant = 2 * (weight - level.log_snr).exp()  # W D / sigma^2 with D = 2
    difference = implicit + constant - denoising
    assert abs(difference.mean()) < 6 * difference.std() / math.sqrt(4000)


@pytest.mark.statistical(false_alarm=1e-8)
def test_slices_are_unbiased_and_noisier():
    d, oracle = shrunk(0.7)
    x = oracle.data.sample((1, 2)).expand(4000, 2, 2)[:, 0]
    losses = {}
    for name, options in {
        "exact": {"divergence": "exact"},
        "sliced": {},
        "two": {"num_slices": 2},
        "original": {"sliced_norm": True, "num_slices": 2},
    }.items():
        torch.manual_seed(0)
        losses[name] = d.score_matching_loss(weighting="v", times=ContinuousTimes(low=0.3, high=0.7), **options).per_datum(x)
    # diagonal Jacobian: signs give the divergence exactly
    assert torch.allclose(losses["sliced"], losses["exact"])
    assert torch.allclose(losses["two"], losses["exact"])
    difference = losses["original"] - losses["exact"]
    assert abs(difference.mean()) < 6 * difference.std() / math.sqrt(4000)
    assert difference.std() > 0.1


@pytest.mark.parametrize("divergence", ["exact", "sliced"])
def test_the_optimum_is_the_true_score(divergence):
    d, oracle = shrunk(1.0)
    d.denoiser.factor = torch.nn.Parameter(torch.tensor(0.5).double())
    loss = d.score_matching_loss(divergence, weighting="v", times=ContinuousTimes(low=0.1, high=0.6))
    x = oracle.data.sample((2000,))
    optimizer = torch.optim.LBFGS([d.denoiser.factor], line_search_fn="strong_wolfe")

    def closure():
        torch.manual_seed(0)
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        return value

    optimizer.step(closure)
    assert abs(d.denoiser.factor - 1) < 0.1


def test_score_function_is_the_score():
    _, oracle = bed(0.25, SCHEDULE, 100, dims=3)
    x = torch.randn(5, 3).double()
    t = torch.linspace(0.1, 0.9, 5).double()
    score = score_function(oracle, SCHEDULE.level(t))(x)
    y = x.clone().requires_grad_()
    exact = torch.autograd.grad(oracle.marginal(t).log_prob(y).sum(), y)[0]
    assert torch.allclose(score, exact)


@pytest.mark.parametrize("divergence", ["exact", "sliced"])
def test_networks_train_with_it(divergence):
    d = pg.diffusion.Diffusion(pg.nn.DenoisingMLP((2, 2), hidden=(8,)), SCHEDULE, (2, 2))
    loss = d.score_matching_loss(divergence)
    loss(torch.randn(4, 2, 2)).backward()
    assert any(parameter.grad.abs().sum() > 0 for parameter in d.parameters() if parameter.grad is not None)
    assert divergence in repr(loss)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: ScoreMatchingLoss(d, "approximate"), "`divergence`"),
        (lambda d: d.score_matching_loss(num_slices=0), "`num_slices`"),
        (lambda d: d.score_matching_loss("exact", sliced_norm=True), "`sliced_norm`"),
        (lambda d: d.score_matching_loss(weighting="elbo"), "`weighting`"),
        (lambda d: d.score_matching_loss()(torch.zeros(0, 2)), "at least one datum"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make(shrunk(1.0)[0])
