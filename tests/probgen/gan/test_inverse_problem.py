"""The Pyro program of an inverse problem."""

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import MCMC, NUTS, Predictive

from probgen.diffusion.conditioning import AveragePooling, Grayscale
from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.gan import InverseProblem
from tests.probgen.gan import linear_problem as linear


def problem():
    return InverseProblem(linear.law(), linear.mask, noise=linear.NOISE, observed_shape=(2,))


def test_the_program_has_the_joint_density():
    p, z = problem(), torch.randn(3, 2, dtype=torch.float64)
    trace = poutine.trace(poutine.condition(p.model, data={"z": z})).get_trace(linear.Y)
    trace.compute_log_prob()
    both = trace.nodes["z"]["log_prob"] + trace.nodes["y"]["log_prob"]
    torch.testing.assert_close(both, p.log_joint(z, linear.Y))
    torch.testing.assert_close(trace.nodes["x"]["value"], p.law.generate(z))


def test_states_come_before_the_batch():
    p, z = problem(), torch.randn(7, 3, 2, dtype=torch.float64)
    assert p.log_joint(z, linear.Y).shape == (7, 3)
    torch.testing.assert_close(p.log_joint(z, linear.Y)[4, 1], p.log_joint(z[4, 1], linear.Y[1]))
    torch.testing.assert_close(p.log_joint(z, linear.Y), p.log_prior(z) + p.log_likelihood(z, linear.Y))
    assert p.prior_draws(5, linear.Y).shape == (5, 3, 2)
    assert p.log_joint(z[:, :0], linear.Y[:0]).shape == (7, 0)


def test_it_simulates_without_an_observation():
    found = Predictive(problem().model, num_samples=4)()
    assert found["y"].shape == (4, 2)
    assert found["x"].shape == (4, 3)


def test_nuts_takes_it():
    pyro.set_rng_seed(0)
    mcmc = MCMC(NUTS(problem().model), num_samples=60, warmup_steps=40, disable_progbar=True)
    mcmc.run(linear.Y)
    mean, covariance = linear.posterior()
    drawn = mcmc.get_samples()["z"]
    assert drawn.shape == (60, 3, 2)
    room = 6 * covariance.diagonal().sqrt() / 30**0.5  # sixty draws of a chain are worth thirty at least
    assert ((drawn.mean(0) - mean).abs() < room).all()


@pytest.mark.parametrize(
    ("operator", "shape"),
    [(None, (3, 4, 4)), (AveragePooling((3, 4, 4), 2).apply, (3, 2, 2)), (Grayscale((3, 4, 4)).apply, (1, 4, 4))],
)
def test_images_small_or_without_colors(operator, shape):
    network = torch.nn.Sequential(torch.nn.Linear(5, 48), torch.nn.Unflatten(1, (3, 4, 4)))
    p = InverseProblem(ImplicitDistribution(standard_normal(5), network, (3, 4, 4)), operator, noise=0.1, observed_shape=shape)
    assert p.log_joint(torch.zeros(6, 2, 5), torch.zeros(2, *shape)).shape == (6, 2)


def test_a_context_is_kept():
    law = ImplicitDistribution(standard_normal(2), torch.nn.Bilinear(2, 3, 4), (4,), context_shape=(3,))
    p = InverseProblem(law.condition(torch.randn(5, 3)), noise=0.1)
    assert p.log_joint(torch.zeros(6, 5, 2), torch.zeros(5, 4)).shape == (6, 5)
    assert p.prior_draws(6, torch.zeros(5, 4)).shape == (6, 5, 2)


def test_errors():
    with pytest.raises(TypeError, match="`law` must be an ImplicitDistribution; got StandardNormal"):
        InverseProblem(standard_normal(2), noise=0.1)
    with pytest.raises(ValueError, match=r"`noise` must be positive; got 0\.0"):
        InverseProblem(linear.law(), noise=0.0)
    with pytest.raises(ValueError, match=r"`y` must end with \(2,\); got \(4,\)"):
        problem().log_joint(torch.zeros(2), torch.zeros(4))
    wrong = InverseProblem(linear.law(), linear.mask, noise=0.1)
    with pytest.raises(ValueError, match=r"`operator` must return events of `observed_shape`, \(3,\)"):
        wrong.log_joint(torch.zeros(2).double(), torch.zeros(3).double())
    assert repr(wrong).endswith("noise=0.1, observed_shape=(3,))")
