"""The Renyi bound against its closed form for normal laws, and its two special cases."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.infer import ELBO, IWAE, ImportanceWeightedObjective, Renyi, RenyiLoss, compile
from tests.probgen.infer.programs import Decoder, Encoder, ScalarGuide, ScalarModel
from tests.probgen.infer.test_compile import assert_follows


def exact(alpha, loc=0.3, scale=0.9):
    """log p(x) - D_alpha(q || posterior) at x = 1, for normal laws; finite where the mixed variance is positive."""
    mean, variance = 0.5, 0.5
    mixed = alpha * variance + (1 - alpha) * scale**2
    divergence = math.log(variance**0.5 / scale) + alpha * (loc - mean) ** 2 / (2 * mixed)
    divergence += math.log(variance / mixed) / (2 * (alpha - 1))
    return dist.Normal(0.0, 2**0.5).log_prob(torch.ones(())).item() - divergence


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("alpha", [-0.5, 0.25, 0.5, 1.25])
def test_many_particles_reach_the_closed_form(alpha):
    torch.manual_seed(0)
    count = 200_000
    loss = Renyi(alpha, count)(ScalarModel(), ScalarGuide())
    with torch.no_grad():
        log_w = loss.log_weights(torch.ones(1)).squeeze(-1).double()
        torch.manual_seed(0)
        value = -Renyi(alpha, count)(ScalarModel(), ScalarGuide())(torch.ones(1)).item()
    power = ((1 - alpha) * log_w).exp()
    error = 5.8 * power.std().item() / power.mean().item() / abs(1 - alpha) / count**0.5  # false alarm 1e-8
    # the nearest other bounds, at alpha +- 0.25, differ by at least 0.013 nats
    assert error < 0.01
    assert abs(value - exact(alpha)) < error


def test_special_cases_and_the_order_in_alpha():
    x, model, guide = torch.randn(5), ScalarModel(), ScalarGuide()

    def seeded(objective):
        torch.manual_seed(4)
        return objective(model, guide)(x)

    torch.testing.assert_close(seeded(Renyi(0.0, 7)), seeded(IWAE(7)))
    torch.testing.assert_close(seeded(Renyi(1.0, 7)), seeded(ELBO(7, vectorize=True, analytic_kl=False)))
    torch.testing.assert_close(seeded(Renyi(1.0 - 1e-3, 7)), seeded(Renyi(1.0, 7)), rtol=1e-3, atol=1e-3)
    losses = torch.stack([seeded(Renyi(alpha, 7)) for alpha in (-2.0, -0.5, 0.0, 0.5, 1.0, 2.0)])
    assert bool((losses.diff() > 0).all())  # power means rise with the power


def test_steps_compile_and_arguments_are_checked():
    loss = Renyi(0.5, 3)(Decoder(20), Encoder(20))
    assert isinstance(loss, RenyiLoss)
    assert isinstance(loss, ImportanceWeightedObjective)
    assert_follows(loss, compile(loss, backend="eager"), torch.randn(4, 5))
    with pytest.raises(ValueError, match="`alpha` must be finite; got inf"):
        Renyi(math.inf, 3)
    with pytest.raises(ValueError, match="`particles` must be at least 1; got -1"):
        Renyi(0.5, -1)
