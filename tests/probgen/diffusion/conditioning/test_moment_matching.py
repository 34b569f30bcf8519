"""Moment matching: exact for Gaussian data, isotropic by its formula, independent of batch mates."""

import pytest
import torch

from probgen.diffusion.conditioning import AveragePooling, LinearObservation, MatrixOperator, MomentMatching, observe
from probgen.diffusion.samplers import heun
from probgen.distributions.chains import GaussianDenoiser, MixtureDenoiser, NetworkDenoiser, TimeGrid, cosine_schedule
from tests.probgen.diffusion.conditioning.beds import Shrinking

MATRIX = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64)


def gaussian():
    torch.manual_seed(0)
    mean, root = torch.randn(1, 3).double(), torch.randn(3, 3).double()
    return MixtureDenoiser(cosine_schedule(), torch.zeros(1).double(), mean, (root @ root.mT + 0.1 * torch.eye(3))[None])


def posterior_oracle(oracle, y, noise):
    """The denoiser of the exact posterior of the data."""
    mean, covariance = oracle.means[0], oracle.covariances[0]
    gram = MATRIX @ covariance @ MATRIX.mT + noise**2 * torch.eye(2).double()
    gain = covariance @ MATRIX.mT @ torch.linalg.inv(gram)
    moved, less = mean + gain @ (y - MATRIX @ mean), covariance - gain @ MATRIX @ covariance
    return MixtureDenoiser(oracle.schedule, oracle.logits, moved[None], less[None])


@pytest.mark.parametrize("noise", [0.3, 1e-3])
@pytest.mark.parametrize("t", [0.05, 0.5, 0.99])
def test_tweedie_is_the_conditional_denoiser_of_gaussian_data(noise, t):
    oracle, y = gaussian(), torch.tensor([0.7, -1.0]).double()
    guided = MomentMatching(oracle, LinearObservation(y, MatrixOperator(MATRIX), noise), iterations=4)
    x = torch.randn(5, 3).double()
    assert (guided.mean(x, t) - posterior_oracle(oracle, y, noise).mean(x, t)).abs().max() < 1e-8


def test_isotropic_is_its_formula():
    oracle, y = gaussian(), torch.tensor([0.7, -1.0]).double()
    guided = MomentMatching(
        oracle, LinearObservation(y, MatrixOperator(MATRIX), 0.2), covariance="isotropic", prior_variance=2.0
    )
    x, level = torch.randn(3).double(), oracle.schedule.level(0.5)
    mean = oracle.mean(x, 0.5)
    jacobian = torch.autograd.functional.jacobian(lambda x: oracle.mean(x, 0.5), x)
    variance = 2.0 * level.sigma**2 / (2.0 * level.alpha**2 + level.sigma**2)
    solved = torch.linalg.solve(variance * MATRIX @ MATRIX.mT + 0.04 * torch.eye(2), y - MATRIX @ mean)
    expected = mean + level.sigma**2 / level.alpha * jacobian.mT @ MATRIX.mT @ solved
    torch.testing.assert_close(guided.mean(x, 0.5), expected)


@pytest.mark.parametrize("covariance", ["tweedie", "isotropic"])
def test_a_datum_does_not_depend_on_its_batch_mates(covariance):
    denoiser = NetworkDenoiser(Shrinking(), cosine_schedule(), (4,)).double()
    torch.manual_seed(0)
    x, context = torch.randn(16, 4).double(), torch.randn(16, 2).double()
    seen = observe(torch.randn(16, 4).double(), MatrixOperator(torch.randn(2, 4)), noise=0.1)
    together = MomentMatching(denoiser, seen, covariance=covariance).mean(x, 0.5, context)
    for i in (0, 7):
        single = LinearObservation(seen.value[i : i + 1], seen.operator, 0.1)
        alone = MomentMatching(denoiser, single, covariance=covariance).mean(x[i : i + 1], 0.5, context[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-9, atol=1e-9)


def test_it_is_a_denoiser_for_every_sampler():
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(1, 4, 4), torch.tensor(1.0))
    seen = observe(torch.randn(1, 4, 4), AveragePooling((1, 4, 4), 2), noise=0.01)
    x = heun(MomentMatching(oracle, seen), TimeGrid(20))(torch.randn(7, 1, 4, 4))
    assert seen.norm(seen.residual(x)).max() < 0.1


def test_wrong_arguments_are_named():
    seen = LinearObservation(torch.zeros(2), MatrixOperator(MATRIX))
    with pytest.raises(ValueError, match="`observation` must be of data"):
        MomentMatching(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0)), seen)
    with pytest.raises(ValueError, match="`covariance` must be"):
        MomentMatching(gaussian(), seen, covariance="full")
